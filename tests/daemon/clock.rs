//! The real daemon under a clock that is moved while it runs (libfaketime).

use rustix::process::Signal;

use crate::lab::{Daemon, Lab, stderr};
use crate::postgres;

const HOURLY: &str = r#"
[daemon]
clock_guard = "2d"
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
[daemon]
clock_guard = false
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

#[test]
fn what_is_planned_and_announced_after_an_outage_is_what_runs() {
    let lab = Lab::new(
        r#"
[daemon]
announce_over = 5
[jobs.bounded]
schedule = "@hourly"
start = 2026-11-20
backfill = true
catch_up = { max_dates = 3 }
command = "true"
[jobs.newest]
schedule = "* * * * *"
start = 2026-11-01
command = "true"
[jobs.recent]
schedule = "* * * * *"
start = 2026-11-20
backfill = true
catch_up = { max_age = "5m" }
command = "true"
"#,
    )
    .with_clock("@2026-11-24 06:30:10");
    let planned = lab.json(&["plan"]);
    let planned: std::collections::BTreeSet<(String, u64)> = planned
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["starts"] == "now")
        .map(|row| (row["job"].as_str().unwrap().to_owned(), row["backlog"].as_u64().unwrap()))
        .collect();
    let expected = [("bounded", 3), ("newest", 1), ("recent", 5)].map(|(job, count)| (job.to_owned(), count));
    assert_eq!(planned, expected.clone().into());
    for date in ["2026-11-20T10:00:00Z", "2026-11-22T00:00:00Z", "2026-11-24T06:25:00Z"] {
        let why = lab.ok(&format!("why recent {date}"));
        assert!(why.contains("next: it is skipped, since it is too old"), "{why}");
    }
    assert!(lab.ok("why recent 2026-11-24T06:26:00Z").contains("next: an attempt"));
    let log = stderr(&lab.run(&["once"]));
    assert_eq!(
        log.matches("recent: 6146 dates missed, from 2026-11-20T00:00:00+00:00 on: skipped as too old").count(),
        1,
        "{log}"
    );
    let announced = "9 dates were missed and are attempted now, oldest first: 5 of recent, 3 of bounded, 1 of newest";
    assert!(log.contains(announced), "{log}");
    let attempts = lab.json(&["attempts"]);
    for (job, count) in expected {
        let ran = attempts.as_array().unwrap().iter().filter(|attempt| attempt["job"] == job.as_str()).count();
        assert_eq!(ran as u64, count, "{job}");
    }
}

#[test]
fn dates_that_other_jobs_require_are_announced_and_held_ones_are_not() {
    let lab = Lab::new(
        r#"
[daemon]
announce_over = 5
[jobs.rates]
command = "true"
[jobs.bill]
schedule = "@daily"
start = 2026-11-20
backfill = true
require = ["rates"]
command = "true"
[jobs.mail]
schedule = "@daily"
start = 2026-11-20
backfill = true
retry = { attempts = 1 }
command = "test $CRONTABBER_SESSION_DATE != 2026-11-21"
"#,
    )
    .with_clock("@2026-11-22 06:30:10");
    lab.run(&["once"]);
    let ran = lab.json(&["attempts"]).as_array().unwrap().len();
    lab.set_clock("@2026-11-23 06:20:00");
    let log = stderr(&lab.run(&["once"]));
    assert!(!log.contains("were missed"), "{log}");
    // A clock that is more than a day ahead is believed later.
    lab.set_clock("@2026-11-29 06:30:10");
    let mut daemon = lab.daemon();
    let announced = "12 dates were missed and are attempted once the clock is believed, oldest first: 6 of bill";
    lab.until("the announcement", || lab.log().contains(announced));
    daemon.signal(Signal::USR1);
    lab.until("the dates", || lab.json(&["attempts"]).as_array().unwrap().len() == ran + 2 + 12);
    daemon.stop();
    lab.verify();
}

#[test]
fn dates_recorded_ahead_of_the_clock_are_not_behind() {
    let registry = "[daemon]\nannounce_over = 5\n[jobs.load]\nschedule = \"@daily\"\nstart = 2026-11-24\nbackfill = true\n\
                    retry = { after = \"1s\" }\ncommand = \"test -e DIR/mended\"\n";
    let lab = Lab::new(registry).with_clock("@2026-12-24 00:00:10");
    lab.run(&["once"]);
    lab.set_clock("@2026-11-24 10:30:00");
    let log = stderr(&lab.run(&["once"]));
    assert!(!log.contains("were missed"), "{log}");
    std::fs::write(lab.path("mended"), "").unwrap();
    lab.set_clock("@2026-11-24 10:40:00");
    lab.ok("once");
    let list = lab.ok("list");
    assert!(list.contains("blocked") && list.contains("is in the future: was the clock wrong?"), "{list}");
    assert!(!list.contains("is due and not started"), "{list}");
    for why in [lab.ok("why load"), lab.ok("why load 2026-12-20")] {
        let said = "the job's newest recorded date, 2026-12-24T00:00:00+00:00, is in the future: was the clock wrong?";
        assert!(why.contains(said), "{why}");
    }
}

/// Jobs of every hour, whose clock may jump by an hour.
const GUARDED: &str = r#"
[daemon]
clock_guard = "1h"
[jobs.hourly]
schedule = "0 * * * *"
backfill = true
start = 2026-11-05T12:00:00Z
command = "echo $CRONTABBER_DATE >> DIR/ran"
[jobs.newest]
schedule = "0 * * * *"
start = 2026-11-05T12:00:00Z
command = "echo $CRONTABBER_DATE >> DIR/newest"
"#;

fn guarded(lab: &Lab) -> Daemon {
    let daemon = lab.daemon();
    lab.until("the first dates", || lab.lines("ran").len() == 1 && lab.lines("newest").len() == 1);
    daemon
}

#[test]
fn a_clock_ten_years_ahead_that_is_set_right_leaves_no_date_in_the_ledger() {
    for lab in [Lab::new(GUARDED), Lab::new(GUARDED).with_ledger(&postgres::database())] {
        let lab = lab.with_clock("@2026-11-05 12:30:00");
        let mut daemon = guarded(&lab);
        lab.set_clock("@2036-11-05 12:30:00");
        lab.until("it is told", || lab.log().contains("may be wrong, and no new date is recorded"));
        lab.until("others know it", || lab.ok("list").contains("waits for the clock to be confirmed"));
        let (list, status) = (lab.json(&["list"]), lab.json(&["status", "hourly"]));
        for row in [&list[0], &status] {
            assert_eq!((&row["state"], &row["blocked_by"]["by"]), (&"blocked".into(), &"clock-held".into()), "{row}");
            assert_eq!(row["backlog"], 0, "{row}");
        }
        let health = lab.exits(1, "health").0;
        assert!(health.starts_with("WARNING - the clock is 3653 d ahead of 2026-11-05T12:"), "{health}");
        assert!(health.contains(&format!("`kill -USR1 {}`", daemon.pid())), "{health}");
        assert!(health.contains("until it has run on for 20 h"), "{health}");
        let why = lab.ok("why hourly 2026-11-05T13:00");
        assert!(
            why.contains("the clock to be confirmed, or to run on for") && why.contains("far ahead of 2026-11-05T12:"),
            "{why}"
        );
        // A restart forgets nothing of it.
        assert!(daemon.stop().success());
        let mut daemon = lab.daemon();
        lab.until("it is told again", || lab.log().matches("may be wrong").count() == 2);
        lab.set_clock("@2026-11-05 12:59:58");
        lab.until("it is set right", || lab.log().contains("the clock was set right"));
        lab.until("the next date", || lab.lines("ran").len() == 2);
        assert_eq!(lab.ok("sessions hourly --json").matches("\"date\"").count(), 2);
        assert_eq!(lab.ok("sessions newest --json").matches("\"date\":\"2036").count(), 0);
        lab.set_clock("@2026-11-05 13:00:30");
        lab.ok("health");
        assert!(daemon.stop().success());
    }
}

#[test]
fn a_clock_that_jumped_and_runs_on_is_believed() {
    let lab = Lab::new(GUARDED).with_clock("@2026-11-05 12:30:00");
    let mut daemon = guarded(&lab);
    // As after an outage: nobody does anything.
    lab.set_clock("@2026-11-05 15:30:00");
    lab.until("all dates", || lab.lines("ran").len() == 4);
    lab.until("the newest", || lab.lines("newest").len() == 2);
    let log = lab.log();
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text}: {log}"));
    assert!(at("the clock is 3 h ahead") < at("the clock is believed"), "{log}");
    assert!(daemon.stop().success());
    // `once` waits as well.
    lab.set_clock("@2026-11-05 18:30:00");
    let log = stderr(&lab.run(&["once"]));
    assert!(log.contains("the clock is 3 h ahead of 2026-11-05T15:30:"), "{log}");
    assert_eq!((lab.lines("ran").len(), lab.lines("newest").len()), (7, 3), "{log}");
    // A person knows better than the time.
    let mut daemon = lab.daemon();
    lab.set_clock("@2027-11-05 18:30:00");
    lab.until("it is told", || lab.log().contains("the clock is 365 d ahead"));
    daemon.signal(Signal::USR1);
    lab.until("a year of hours begins", || lab.lines("ran").len() > 20);
    assert!(daemon.stop().success());
}

/// A job of every hour and one of every day.
const OUTAGE: &str = r#"
[jobs.slow]
schedule = "0 * * * *"
backfill = true
start = 2026-11-05T12:00:00Z
command = "true"
[jobs.load2]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-05
command = "true"
"#;

/// What a command prints, to both of its outputs.
fn said(lab: &Lab, command: &str) -> String {
    let output = lab.run(&command.split(' ').collect::<Vec<_>>());
    format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output))
}

/// Two labs whose daemon was stopped for so many days.
fn stopped_for(days: u32) -> [Lab; 2] {
    let labs = [Lab::new(OUTAGE), Lab::new(OUTAGE).with_ledger(&postgres::database())];
    labs.map(|lab| {
        let lab = lab.with_clock("@2026-11-05 12:30:00");
        let mut daemon = lab.daemon();
        lab.until("the first dates", || lab.log().matches("attempt 1 succeeded").count() == 2);
        assert!(daemon.stop().success());
        lab.set_clock(&format!("@2026-11-{:02} 12:30:00", 5 + days));
        lab
    })
}

#[test]
fn before_a_start_every_command_says_how_long_it_waits_for_the_clock() {
    for lab in stopped_for(14) {
        for command in ["list", "status slow", "plan", "check", "health"] {
            let said = said(&lab, command);
            assert!(said.contains("a start waits 4 min 40 s for the clock, which is 14 d ahead"), "{command}: {said}");
        }
        let plan = lab.json(&["plan"]);
        assert!(plan.as_array().unwrap().iter().all(|row| row["starts"] != "now"), "{plan}");
        assert!(lab.ok("plan").contains("wait for the clock to be confirmed, or to run on for 4 min 40 s"));
        let why = lab.ok("why slow");
        assert!(why.contains("(no daemon is running: a start waits 4 min 40 s for the clock)"), "{why}");
        // What waits is known.
        let behind = |of: &str| lab.json(&["status", of])["backlog"].clone();
        assert_eq!((behind("slow"), behind("load2")), (336.into(), 14.into()));
        lab.set_clock("@2026-11-06 12:00:00");
        for command in ["list", "plan", "why slow", "check"] {
            assert!(!said(&lab, command).contains("for the clock"), "{command}: a day is no reason to doubt");
        }
    }
}

#[test]
fn while_the_clock_is_not_believed_every_command_counts_what_waits_for_it() {
    for lab in stopped_for(14) {
        let mut daemon = lab.daemon();
        lab.until("the announcement", || lab.log().contains("350 dates were missed"));
        assert!(["336 of slow", "14 of load2"].iter().all(|of| lab.log().contains(of)), "{}", lab.log());
        lab.until("others know it", || lab.ok("list").contains("the clock to be confirmed, or to run on for 4 min"));
        let (list, status) = (lab.json(&["list"]), lab.json(&["status", "slow"]));
        let held = |row: &serde_json::Value| {
            assert_eq!((&row["state"], &row["blocked_by"]["by"]), (&"blocked".into(), &"clock-held".into()), "{row}");
            let wait = row["blocked_by"]["wait_seconds"].as_u64().unwrap();
            assert!((240..300).contains(&wait), "{row}");
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (row["backlog"].as_u64().unwrap(), text("oldest"), text("next_date"))
        };
        let dates = |oldest: &str, next: &str| (format!("{oldest}:00:00+00:00"), format!("{next}:00:00+00:00"));
        let (oldest, next) = dates("2026-11-05T13", "2026-11-19T13");
        assert_eq!(held(&list[1]), (336, oldest.clone(), next.clone()));
        assert_eq!(held(&status), (336, oldest, next));
        let (oldest, next) = dates("2026-11-06T03", "2026-11-20T03");
        assert_eq!(held(&list[0]), (14, oldest, next));
        let plan = lab.json(&["plan"]);
        let rows = plan.as_array().unwrap();
        let rows: Vec<_> = rows.iter().map(|row| (row["starts"].as_str().unwrap(), row["backlog"].as_u64())).collect();
        assert_eq!(rows, [("later", Some(14)), ("later", Some(336))], "{plan}");
        let plan = lab.ok("plan");
        assert!(plan.contains("336 dates, from 2026-11-05T13:00:00+00:00 on, wait for the clock"), "{plan}");
        let of_job = said(&lab, "plan load2 --count 2");
        let noted = "note: `load2`: 14 dates, from 2026-11-06T03:00:00+00:00 on, wait for the clock to be confirmed, or to run \
                     on for 4 min";
        assert!(of_job.contains(noted) && of_job.contains("2026-11-20T03:00:00+00:00  load2"), "{of_job}");
        for command in ["list", "status slow", "health", "plan", "check"] {
            let said = said(&lab, command);
            assert!(said.contains("until it has run on for 4 min"), "{command}: {said}");
        }
        assert!(lab.ok("why slow").contains("or to run on for 4 min"));
        assert!(daemon.stop().success());
    }
}
