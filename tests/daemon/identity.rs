//! The idempotency key, the day and the zone of a date do not change when the registry is edited between its attempts.

use std::fs;

use crate::lab::Lab;
use crate::postgres;

/// A lab for each kind of ledger.
fn on_both(registry: &str) -> [Lab; 2] {
    [Lab::new(registry), Lab::new(registry).with_ledger(&postgres::database())]
}

#[test]
fn the_idempotency_key_is_the_same_after_a_rename() {
    let pay = r#"
[jobs.pay]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-01
command = "echo $CRONTABBER_JOB $CRONTABBER_ATTEMPT $CRONTABBER_IDEMPOTENCY_KEY >> DIR/trace; test -e DIR/go"
"#;
    for lab in on_both(pay) {
        lab.fails(1, "once");
        let payout = pay.replace("[jobs.pay]", "[jobs.payout]\npreviously = \"pay\"");
        lab.write_registry(&payout);
        lab.ok("retry payout --failed");
        fs::write(lab.path("go"), "").unwrap();
        // A new job under the old name is another job.
        lab.write_registry(&format!("{}{pay}", payout.replace("previously = \"pay\"", "")));
        lab.ok("once");
        let mut trace = lab.lines("trace");
        trace.sort();
        assert_eq!(
            trace,
            ["pay 1 pay/1/1793502000000000", "pay 1 pay~2/1/1793502000000000", "payout 2 pay/1/1793502000000000"],
            "{}",
            lab.ledger
        );
    }
}

/// A job that fails on 18 May while the file `go` is missing.
const LOAD: &str = r#"
[daemon]
clock_guard = false

[jobs.load]
schedule = "@daily"
timezone = "UTC"
backfill = true
start = 2026-05-17
command = ["/bin/sh", "-c", "echo $CRONTABBER_SESSION_DATE $CRONTABBER_DATE $0 >> DIR/trace; test $CRONTABBER_SESSION_DATE != 2026-05-18 || test -e DIR/go", "{date:%F %Z}"]
"#;

#[test]
fn every_attempt_at_a_date_has_the_same_day_after_an_edit_of_the_zone() {
    for (lab, edited) in [
        (Lab::new(LOAD), LOAD.replace("UTC", "America/New_York")),
        (
            Lab::new(&LOAD.replace("timezone = \"UTC\"\n", "")).with_ledger(&postgres::database()),
            LOAD.replace("timezone = \"UTC\"\n", "")
                .replace("[daemon]\n", "[daemon]\ntimezone = \"America/New_York\"\n"),
        ),
    ] {
        let lab = lab.with_clock("@2026-05-18 12:00:00");
        lab.fails(1, "once");
        lab.write_registry(&edited);
        fs::write(lab.path("go"), "").unwrap();
        for now in ["@2026-05-18 12:10:00", "@2026-05-20 12:00:00"] {
            lab.set_clock(now);
            lab.ok("once");
        }
        assert_eq!(
            lab.lines("trace"),
            [
                "2026-05-17 2026-05-17T00:00:00+00:00 2026-05-17 UTC",
                "2026-05-18 2026-05-18T00:00:00+00:00 2026-05-18 UTC",
                "2026-05-18 2026-05-18T00:00:00+00:00 2026-05-18 UTC",
                "2026-05-19 2026-05-19T00:00:00-04:00 2026-05-19 EDT",
                "2026-05-20 2026-05-20T00:00:00-04:00 2026-05-20 EDT",
            ],
            "{}",
            lab.ledger
        );
    }
}

/// The commands show a recorded date in its own zone.
#[test]
fn a_recorded_date_is_read_and_typed_as_it_was_recorded() {
    let registry = LOAD.replace("; test", "; exit 1; test").replace("2026-05-17", "2026-05-18");
    for lab in on_both(&registry) {
        let lab = lab.with_clock("@2026-05-18 12:00:00");
        lab.fails(1, "once");
        lab.write_registry(&registry.replace("\"UTC\"", "\"America/New_York\""));
        lab.set_clock("@2026-05-18 12:10:00");
        let log = lab.fails(1, "once");
        assert!(log.contains("2026-05-18T00:00:00+00:00 attempt 2"), "{log}");
        let dates = |arguments: &[&str]| {
            let rows = lab.json(arguments);
            let rows: Vec<String> = rows.as_array().unwrap().iter().map(|row| row["date"].to_string()).collect();
            rows.join(" ")
        };
        let date = "\"2026-05-18T00:00:00+00:00\"";
        // The same day of the new zone is recorded as moved: the recorded date stands for it.
        assert_eq!(dates(&["sessions", "load"]), format!("{date} \"2026-05-18T00:00:00-04:00\""));
        assert_eq!(dates(&["attempts", "load", "2026-05-18"]), format!("{date} {date}"));
        lab.set_clock("@2026-05-18 18:00:00");
        assert_eq!(lab.json(&["plan"])[0]["date"], "2026-05-18T00:00:00+00:00");
        for line in ["plan", "sessions load", "attempts load", "attempts load 2026-05-18", "why load 2026-05-18"] {
            let text = lab.ok(line);
            assert!(text.contains("2026-05-18T00:00") && !text.contains("2026-05-17"), "{line}: {text}");
        }
        assert_eq!(lab.json(&["log", "load", "2026-05-18"])["date"], "2026-05-18T00:00:00+00:00");
        assert!(lab.ok("skip load --date 2026-05-18").contains("skipped 2026-05-18T00:00:00+00:00"));
        assert!(lab.ok("done load 2026-05-18").contains("2026-05-18T00:00:00+00:00 of `load` is marked"));
    }
}
