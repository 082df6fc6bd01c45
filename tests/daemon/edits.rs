//! What an edit of the registry does to dates: what `check` says before it is what then happens.

use crate::lab::{Lab, stderr};
use crate::postgres;

const BILL: &str = r#"
[daemon]
timezone = "UTC"
clock_guard = false

[jobs.bill]
schedule = "0 3 5 * *"
start = 2026-03-01
backfill = true
command = "echo $CRONTABBER_SESSION_DATE >> DIR/ran"
"#;

/// A lab for each kind of ledger, at a time.
fn on_both(registry: &str, now: &str) -> [Lab; 2] {
    [Lab::new(registry), Lab::new(registry).with_ledger(&postgres::database())].map(|lab| lab.with_clock(now))
}

/// What `check` says about the edit, after its first line.
fn edit(lab: &Lab) -> Vec<String> {
    lab.ok("check").lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn a_month_that_has_its_date_gets_no_later_one() {
    for lab in on_both(BILL, "@2026-05-18 12:00:00") {
        assert_eq!(edit(&lab), [""; 0], "no ledger yet");
        lab.ok("once");
        assert_eq!(edit(&lab), [""; 0], "nothing has changed");
        lab.write_registry(&BILL.replace("3 5 *", "3 27 *"));
        let moved = "2026-05-27T03:00:00+00:00 will be skipped as moved, since 2026-05-05T03:00:00+00:00 stands for it";
        let line = format!("bill: changed: schedule; first due 2026-06-27T03:00:00+00:00; {moved}");
        assert_eq!(edit(&lab), [line.as_str()]);
        let check = lab.json(&["check"]);
        assert_eq!(
            check["edits"][0]["moved"][0],
            serde_json::json!({"date": "2026-05-27T03:00:00+00:00", "of": "2026-05-05T03:00:00+00:00"})
        );
        let log = stderr(&lab.run(&["once"]));
        assert!(log.contains(&line), "{log}");
        assert_eq!(edit(&lab), [""; 0], "it is in force");
        // Every preview has it, before and after the date comes.
        assert!(lab.ok("list").contains("2026-06-27T03:00"), "{}", lab.ok("list"));
        let plan = lab.ok("plan");
        assert!(plan.contains("2026-05-27T03:00:00+00:00 will be skipped as moved: 2026-05-05"), "{plan}");
        assert_eq!(lab.json(&["plan"])[0]["stand_in"], "2026-05-05T03:00:00+00:00");
        let days = lab.json(&["calendar", "bill", "--month", "2026-05"]);
        assert_eq!((&days[1]["day"], &days[1]["state"]), (&"2026-05-27".into(), &"skipped".into()), "{days}");
        let why = lab.ok("why bill 2026-05-27");
        assert!(why.contains("moved it, and 2026-05-05T03:00:00+00:00 stands for its period"), "{why}");
        assert!(why.contains("next: it is skipped when it is due"), "{why}");
        lab.set_clock("@2026-06-28 12:00:00");
        lab.ok("once");
        assert_eq!(lab.lines("ran"), ["2026-03-05", "2026-04-05", "2026-05-05", "2026-06-27"], "{}", lab.ledger);
        let why = lab.json(&["why", "bill", "2026-05-27"]);
        assert_eq!((&why["reason"], &why["stand_in"]), (&"moved".into(), &"2026-05-05T03:00:00+00:00".into()), "{why}");
        // An operator can run it.
        lab.ok("retry bill 2026-05-27");
        lab.ok("once");
        assert_eq!(lab.lines("ran").last().unwrap(), "2026-05-27");
        lab.verify();
    }
}

#[test]
fn a_month_that_has_no_date_yet_gets_it_at_once() {
    let late = BILL.replace("3 5 *", "3 24 *");
    for lab in on_both(&late, "@2026-05-18 12:00:00") {
        lab.ok("once");
        lab.write_registry(&BILL.replace("3 5 *", "3 9 *"));
        let line = "bill: changed: schedule; 1 date due, from 2026-05-09T03:00:00+00:00; \
                    2026-05-09T03:00:00+00:00 takes the place of 2026-05-24T03:00:00+00:00";
        assert_eq!(edit(&lab), [line]);
        lab.ok("once");
        assert_eq!(lab.lines("ran"), ["2026-03-24", "2026-04-24", "2026-05-09"], "{}", lab.ledger);
        lab.set_clock("@2026-06-10 12:00:00");
        lab.ok("once");
        assert_eq!(lab.lines("ran").last().unwrap(), "2026-06-09");
        lab.verify();
    }
}

#[test]
fn a_typo_that_is_corrected_costs_nothing() {
    let daily = BILL.replace("0 3 5 * *", "0 3 * * *").replace("2026-03-01", "2026-05-14");
    let fails = daily.replace("command = \"", "command = \"test -e DIR/go && ");
    for lab in on_both(&fails, "@2026-05-18 12:00:00") {
        lab.fails(1, "once");
        // Nothing runs in strict order behind the failed date: four dates wait.
        lab.write_registry(
            &fails.replace("0 3 * * *", "0 3 * * 1-5").replace("2026-05-14", "2026-05-14\nend = 2026-05-16"),
        );
        let line = edit(&lab).pop().unwrap();
        assert!(line.starts_with("bill: changed: schedule, end;"), "{line}");
        for excluded in ["2026-05-16T03:00:00+00:00", "2026-05-17T03:00:00+00:00", "2026-05-18T03:00:00+00:00"] {
            assert!(line.contains(excluded), "{line}");
        }
        lab.ok("once");
        assert_eq!(lab.json(&["sessions", "bill", "--state", "skipped"]).as_array().unwrap().len(), 3);
        let why = lab.ok("why bill 2026-05-17");
        assert!(why.contains("an edit of the registry took it out of the schedule"), "{why}");
        lab.write_registry(&daily);
        lab.set_clock("@2026-05-18 13:00:00");
        lab.ok("once");
        lab.ok("once");
        assert_eq!(lab.lines("ran"), ["2026-05-14", "2026-05-15", "2026-05-16", "2026-05-17", "2026-05-18"]);
        lab.verify();
    }
}

#[test]
fn a_bound_of_the_catch_up_applies_to_dates_that_wait() {
    let daily = BILL.replace("0 3 5 * *", "0 3 * * *").replace("2026-03-01", "2026-05-13");
    let fails = daily.replace("command = \"", "command = \"test -e DIR/go && ");
    for lab in on_both(&fails, "@2026-05-18 12:00:00") {
        lab.fails(1, "once");
        lab.write_registry(&fails.replace("backfill = true", "backfill = true\ncatch_up = { max_dates = 2 }"));
        let line = "bill: 2026-05-14T03:00:00+00:00, 2026-05-15T03:00:00+00:00 and 2026-05-16T03:00:00+00:00 were missed, \
                    and are skipped as too old (`catch_up`)";
        assert_eq!(edit(&lab), [line]);
        let check = lab.json(&["check"]);
        assert_eq!(check["edits"][0]["too_old"][2], "2026-05-16T03:00:00+00:00", "{check}");
        std::fs::write(lab.path("go"), "").unwrap();
        lab.set_clock("@2026-05-18 13:00:00");
        let log = stderr(&lab.run(&["once"]));
        assert!(log.contains(line), "{log}");
        assert_eq!(edit(&lab), [""; 0], "it is done");
        assert_eq!(lab.lines("ran"), ["2026-05-13", "2026-05-17", "2026-05-18"], "{}", lab.ledger);
        let why = lab.ok("why bill 2026-05-15");
        assert!(why.contains("was skipped: it was too old when it could have run (`catch_up`)"), "{why}");
        lab.verify();
    }
}

#[test]
fn a_registry_is_checked_beside_a_ledger_that_cannot_be_read() {
    let lab = Lab::new(BILL).with_ledger("postgres:///postgres?host=/nonexistent");
    let output = lab.run(&["check"]);
    assert!(output.status.success());
    let notes = stderr(&output);
    assert!(notes.contains("what the registry changes is not known"), "{notes}");
}

#[test]
fn what_is_left_of_a_job_that_is_gone_is_counted() {
    let other = "[jobs.other]\nevery = \"1d\"\ncommand = \"true\"\n";
    let rest = [
        ("06", "gone from the registry: its dates stay in the ledger"),
        ("05", "gone from the registry: its dates stay in the ledger, and 1 unsettled date does not run"),
        ("04", "gone from the registry: its dates stay in the ledger, and 2 unsettled dates do not run"),
    ];
    for (month, gone) in rest {
        let failing = BILL.replace("echo", "false").replace("2026-03-01", &format!("2026-{month}-01"));
        let lab = Lab::new(&format!("{failing}{other}")).with_clock("@2026-05-18 12:00:00");
        lab.run(&["once"]);
        lab.write_registry(other);
        let line = format!("bill: {gone}");
        assert_eq!(edit(&lab), [line.as_str()]);
        let log = stderr(&lab.run(&["once"]));
        assert!(log.contains(&format!("{line} job=")), "{log}");
    }
}

#[test]
fn the_first_date_is_told_with_the_time_when_it_is_due() {
    let lab = Lab::new(BILL).with_clock("@2026-05-18 12:00:00");
    lab.ok("once");
    // The date has passed, and is due in the evening.
    lab.write_registry(&BILL.replace("0 3 5 * *\"", "0 3 18 5 *\"\ndelay = \"15h\""));
    let first = "first date 2026-05-18T03:00:00+00:00, due 2026-05-18T18:00:00+00:00";
    assert!(edit(&lab)[0].contains(first), "{:?}", edit(&lab));
    let row = &lab.json(&["check"])["edits"][0];
    assert_eq!(row["next"], "2026-05-18T03:00:00+00:00");
    assert_eq!(row["next_due"], "2026-05-18T18:00:00+00:00");
    let log = stderr(&lab.run(&["once"]));
    assert!(log.contains(first), "{log}");
}
