//! Pools and limits of catch-up, with real processes.

use crate::lab::{Lab, job};

#[test]
fn a_pool_never_runs_more_attempts_than_its_size() {
    let command = r#"order = "independent"
max_parallel = 3
pool = "db"
command = "mkdir DIR/one 2>/dev/null && D=one || { mkdir DIR/two && D=two || echo full >> DIR/ran; }; echo x >> DIR/ran; sleep 0.1; rmdir DIR/$D""#;
    let job = |name: &str| job(name, 3, command);
    let lab = Lab::new(&format!("[pools.db]\nsize = 2\n{}{}{}", job("a"), job("b"), job("c")));
    let _daemon = lab.daemon();
    lab.until("all of it", || {
        let is_done = |rows: &[String]| rows.len() == 3 && rows.iter().all(|row| row.ends_with("succeeded 1"));
        ["a", "b", "c"].iter().all(|job| is_done(&lab.sessions(job)))
    });
    let ran = lab.lines("ran");
    assert!(ran.len() == 9 && !ran.contains(&"full".to_owned()), "{ran:?}");
}

#[test]
fn after_a_downtime_the_newest_dates_run_and_the_others_are_recorded_as_too_old() {
    let registry = r#"
[jobs.hourly]
schedule = "0 * * * *"
backfill = true
start = 2026-11-05T10:00:00Z
catch_up = { max_dates = 3 }
command = "echo $CRONTABBER_DATE >> DIR/ran"
"#;
    let lab = Lab::new(registry).with_clock("@2026-11-05 10:30:00");
    let mut daemon = lab.daemon();
    lab.until("the first", || lab.lines("ran").len() == 1);
    lab.ok("backfill hourly --from 2026-11-05T09:00 --reason holiday");
    lab.until("the one before", || lab.lines("ran").len() == 2);
    assert!(daemon.stop().success());
    lab.set_clock("@2026-11-06 10:30:00");
    // It has another name now, and is the same job.
    lab.write_registry(&registry.replace("[jobs.hourly]", "[jobs.each-hour]\npreviously = \"hourly\""));
    // Also before the daemon knows: two of the three dates have been attempted.
    let dry = lab.ok("backfill each-hour --from 2026-11-05T08:00 --to 2026-11-05T11:00 --dry-run");
    assert!(dry.contains("backfill of `each-hour`: 2026-11-05T08:00:00+00:00"), "{dry}");
    let mut daemon = lab.daemon();
    lab.until("the newest", || lab.lines("ran").len() == 5);
    let hours = ["2026-11-05T10", "2026-11-05T09", "2026-11-06T08", "2026-11-06T09", "2026-11-06T10"];
    let ran = lab.lines("ran");
    assert!(ran.iter().zip(hours).all(|(ran, hour)| ran.starts_with(hour)), "{ran:?}");
    let rows = lab.json(&["sessions", "each-hour"]);
    let rows = rows.as_array().unwrap();
    let skipped: Vec<_> = rows.iter().filter(|row| row["state"] == "skipped").collect();
    assert_eq!((rows.len(), skipped.len()), (26, 21));
    assert!(skipped.iter().all(|row| row["reason"] == "too-old"), "{skipped:?}");
    assert!(daemon.stop().success());
    assert!(lab.json(&["ghosts"]).as_array().unwrap().is_empty(), "the old name is gone");
    assert_eq!(lab.json(&["audit", "each-hour"])[0]["reason"], "holiday");
}

#[test]
fn a_late_date_and_a_long_attempt_are_reported_in_the_log() {
    let registry = r#"
[jobs.load]
schedule = "0 * * * *"
backfill = true
start = 2026-11-05T10:00:00Z
expect_by = "10:30"
max_duration = "1s"
command = "sleep 1000"
"#;
    let lab = Lab::new(registry).with_clock("@2026-11-05 09:59:58");
    let _daemon = lab.daemon();
    lab.until("it runs", || lab.sessions("load") == ["2026-11-05 running 1"]);
    let said = |what: &str| lab.log().lines().filter(|line| line.contains("WARN") && line.contains(what)).count();
    let long = "load: 2026-11-05T10:00:00+00:00 attempt 1 has been running for longer than 1 s (`max_duration`)";
    lab.until("it is too long", || said(long) == 1);
    // The clock is set forward, and the process has run for seconds.
    lab.set_clock("@2026-11-05 10:29:58");
    let late = "load: 2026-11-05T10:00:00+00:00 is still running, and was expected by 2026-11-05T10:30:00+00:00";
    lab.until("it is late", || said(late) == 1);
    let status = lab.json(&["status", "load"])["late_because"].to_string();
    assert!(status.contains("has been running for less than a minute"), "{status}");
    assert_eq!((said("longer than"), said("expected by")), (1, 1), "{}", lab.log());
    lab.ok("kill load");
}
