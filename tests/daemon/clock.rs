//! The real daemon under a clock that is moved while it runs (libfaketime).

use crate::lab::Lab;

const HOURLY: &str = r#"
[jobs.hourly]
schedule = "0 * * * *"
backfill = true
start = 2026-11-05T10:00:00Z
command = "echo $CRONTABBER_DATE >> DIR/ran"
[jobs.newest]
schedule = "0 * * * *"
command = "echo $CRONTABBER_DATE >> DIR/newest"
"#;

#[test]
fn a_clock_set_forward_and_back_runs_every_date_once() {
    let lab = Lab::new(HOURLY).with_clock("@2026-11-05 12:59:50");
    let mut daemon = lab.daemon();
    lab.until("the first three", || lab.lines("ran").len() == 3);
    lab.set_clock("@2026-11-05 12:59:59");
    lab.until("the date that comes due while it watches", || lab.lines("ran").len() == 4);
    // An operator sets the clock back by an hour: no date again.
    lab.set_clock("@2026-11-05 12:10:00");
    lab.until("it is noticed", || lab.log().contains("set back"));
    lab.set_clock("@2026-11-05 12:59:59");
    // A day forward, as after a suspend: every hour runs, and of the ordinary job the newest.
    lab.set_clock("@2026-11-06 13:00:30");
    lab.until("a day of hours", || lab.lines("ran").len() == 28);
    lab.until("the newest", || lab.lines("newest").iter().any(|line| line.starts_with("2026-11-06T13")));
    let mut seen = lab.lines("ran");
    assert!(seen.is_sorted(), "in order");
    seen.dedup();
    assert_eq!(seen.len(), 28, "none twice");
    lab.verify();
    assert!(daemon.stop().success());
    lab.verify();
    let newest = lab.sessions("newest");
    assert_eq!(newest.iter().filter(|row| row.contains("succeeded")).count(), 2, "{newest:?}");
    assert_eq!(newest.len(), 25, "those that did not run have a row: {newest:?}");
}

#[test]
fn a_clock_set_forward_a_year_loses_nothing_when_it_is_set_back() {
    let lab = Lab::new(
        r#"
[jobs.monthly]
schedule = "0 3 1 * *"
backfill = true
start = 2026-11-01
command = "echo $CRONTABBER_SESSION_DATE >> DIR/ran"
"#,
    )
    .with_clock("@2026-11-05 12:00:00");
    let mut daemon = lab.daemon();
    lab.until("the first", || lab.lines("ran").len() == 1);
    lab.set_clock("@2027-11-05 12:00:00");
    lab.until("a year", || lab.lines("ran").len() == 13);
    lab.set_clock("@2026-11-05 12:01:00");
    lab.until("it is noticed", || lab.log().contains("set back"));
    assert!(daemon.stop().success());
    // The next start says why the job does not run, and what to do.
    let _daemon = lab.daemon();
    lab.until("it is said", || lab.log().contains("is in the future"));
    assert_eq!(lab.lines("ran").len(), 13);
    lab.verify();
    let list = lab.json(&["list"]);
    assert!(list[0]["blocked_by"].to_string().contains("2027"), "{list}");
}
