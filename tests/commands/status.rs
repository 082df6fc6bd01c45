//! `status`: all about one job.

use crontabber::session::{AttemptKey, Outcome};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::json;

use crate::fixture::{Fixture, at, succeeds};
use crate::listing::without_days;

const TWO_JOBS: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.load]
description = "loads a day"
schedule = "30 2 * * *"
start = 2024-11-01
end = 2024-11-06
delay = "90m"
backfill = true
retry = { after = "10m", factor = 2, at_most = "1h", attempts = 2 }
timeout = "2h"
command = ["/usr/local/bin/load", "--day", "{date:%Y-%m-%d}"]
tags = ["nightly"]
[jobs.clean]
schedule = "0 6 * * *"
start = 2024-11-01
end = 2024-11-03
backfill = true
depends_on = ["load"]
command = "true"
"#;

#[expect(clippy::unnecessary_wraps, reason = "the others may not end")]
fn fourth_day_fails(attempt: &AttemptKey) -> Option<Outcome> {
    let is_fourth = attempt.session.date == at("2024-11-04T01:30:00Z");
    Some(if is_fourth { Outcome::Failed { code: 4 } } else { Outcome::Succeeded })
}

fn lived() -> Fixture {
    let place = Fixture::new(TWO_JOBS);
    place.live(at("2024-11-08T00:00:00Z"), fourth_day_fails);
    place.live(at("2024-11-08T01:00:00Z"), fourth_day_fails);
    place
}

fn tamper(place: &Fixture, sql: &str) {
    SqliteConnection::establish(place.path("ledger.db").to_str().unwrap()).unwrap().batch_execute(sql).unwrap();
}

#[test]
fn all_is_told_about_a_job() {
    let place = lived();
    insta::assert_snapshot!(without_days(&place.ask(&["status", "load"]).out), @r#"
    load: held
      blocked at 2024-11-04T02:30:00+01:00 for N days, 3 behind
      needs an operator: its 2 attempts are used up, the last of them failed(4)

    In the registry
      description  loads a day
      schedule     30 2 * * *
      timezone     Europe/Berlin
      start        2024-11-01T00:00:00+01:00
      end          2024-11-06T23:59:59+01:00
      delay        1h30m
      backfill     true
      command      ["/usr/local/bin/load", "--day", "{date:%Y-%m-%d}"]
      retry        after 10m, each wait 2 times the last, at most 1h, 2 attempts
      timeout      2h
      tags         nightly

    In the ledger
      since         first seen at 2024-11-08T01:00:00+01:00
      newest date   2024-11-06T02:30:00+01:00
      last success  2024-11-03T02:30:00+01:00
      next date     none
      behind        3 dates, the oldest 2024-11-04T02:30:00+01:00

    How long it takes
      median 1.3 s, 95th percentile 1.3 s, of the newest 3 attempts that succeeded

    The attempts at the newest dates
    JOB   DATE                       ATTEMPT      STARTED                     TOOK    CPU  MEMORY  TRIGGER
    load  2024-11-01T02:30:00+01:00  1 succeeded  2024-11-08T01:00:00+01:00  1.3 s  1.2 s   34 MB  catch-up
    load  2024-11-02T02:30:00+01:00  1 succeeded  2024-11-08T01:00:01+01:00  1.3 s  1.2 s   34 MB  catch-up
    load  2024-11-03T02:30:00+01:00  1 succeeded  2024-11-08T01:00:01+01:00  1.3 s  1.2 s   34 MB  catch-up
    load  2024-11-04T02:30:00+01:00  1 failed(4)  2024-11-08T01:00:01+01:00  1.3 s  1.2 s   34 MB  catch-up
    load  2024-11-04T02:30:00+01:00  2 failed(4)  2024-11-08T02:00:00+01:00  1.3 s  1.2 s   34 MB  retry
    "#);
    insta::assert_snapshot!(without_days(&place.ask(&["status", "clean"]).out), @"
    clean: ok

    In the registry
      schedule    0 6 * * *
      timezone    Europe/Berlin
      start       2024-11-01T00:00:00+01:00
      end         2024-11-03T23:59:59+01:00
      backfill    true
      command     true
      retry       after 5m, unlimited attempts
      depends_on  load

    In the ledger
      since         first seen at 2024-11-08T01:00:00+01:00
      newest date   2024-11-03T06:00:00+01:00
      last success  2024-11-03T06:00:00+01:00
      next date     none
      behind        0 dates

    How long it takes
      median 1.3 s, 95th percentile 1.3 s, of the newest 3 attempts that succeeded

    The attempts at the newest dates
    JOB    DATE                       ATTEMPT      STARTED                     TOOK    CPU  MEMORY  TRIGGER
    clean  2024-11-01T06:00:00+01:00  1 succeeded  2024-11-08T01:00:01+01:00  1.3 s  1.2 s   34 MB  catch-up
    clean  2024-11-02T06:00:00+01:00  1 succeeded  2024-11-08T01:00:01+01:00  1.3 s  1.2 s   34 MB  catch-up
    clean  2024-11-03T06:00:00+01:00  1 succeeded  2024-11-08T01:00:01+01:00  1.3 s  1.2 s   34 MB  catch-up
    ");
}

#[test]
fn a_job_that_was_never_seen_has_a_registry() {
    let place = Fixture::new(TWO_JOBS);
    insta::assert_snapshot!(without_days(&place.ask(&["status", "clean", "-q"]).out), @"
    clean: blocked
      blocked at 2024-11-01T06:00:00+01:00 for less than a minute, 3 behind
      waits for `load`, whose 2024-11-01T02:30:00+01:00 is not settled

    In the registry
      schedule    0 6 * * *
      timezone    Europe/Berlin
      start       2024-11-01T00:00:00+01:00
      end         2024-11-03T23:59:59+01:00
      backfill    true
      command     true
      retry       after 5m, unlimited attempts
      depends_on  load

    In the ledger
      since         it was never seen yet
      last success  none
      next date     none
      behind        3 dates, the oldest 2024-11-01T06:00:00+01:00

    It was never attempted.
    ");
}

#[test]
fn a_ghost_has_a_ledger() {
    let place = lived();
    let before = without_days(&place.ask(&["status", "load"]).out);
    place.write("[jobs.other]\nschedule = \"0 0 * * *\"\ncommand = \"true\"\n");
    let told = without_days(&place.ask(&["status", "load"]).out);
    let (first, ledger) = told.split_once("In the ledger").unwrap();
    assert_eq!(Some(ledger), before.split_once("In the ledger").map(|(_, ledger)| ledger));
    insta::assert_snapshot!(first, @"
    load: ghost

    Not in the registry: a ghost, which never runs.
    ");
    insta::assert_snapshot!(place.ask(&["status", "laod"]).err, @"
    error: there is no job `laod`
    hint: did you mean `load`?
    ");
}

#[test]
fn who_disabled_it_and_that_it_is_slower_is_said() {
    let place = Fixture::new(
        "[jobs.often]\nevery = \"1m\"\nstart = 2024-11-01\nend = 2024-11-01\nbackfill = true\ncommand = \"true\"\n",
    );
    place.live(at("2024-11-01T00:40:00Z"), succeeds);
    let date = at("2024-11-01T00:31:00Z").timestamp_micros();
    let disabled = at("2024-11-01T12:00:00.033553Z").timestamp_micros();
    tamper(
        &place,
        &format!(
            "UPDATE attempts SET duration_micros = 4000000 WHERE date >= {date}; INSERT INTO disabled (job_id, at, \
             user_name, reason) SELECT id, {disabled}, 'ada', 'the disk is full' FROM jobs"
        ),
    );
    let out = place.ask(&["status", "often"]).out;
    let line = |start: &str| out.lines().find(|line| line.contains(start)).unwrap_or_default().to_owned();
    insta::assert_snapshot!(line("disabled by"), @"  disabled by ada at 2024-11-01T12:00:00+00:00: the disk is full");
    insta::assert_snapshot!(line("median 1.3"), @"  median 1.3 s, 95th percentile 4 s, of the newest 41 attempts that succeeded");
    insta::assert_snapshot!(line("slower"), @"  it is getting slower: median 4 s of the newest 10, 1.3 s of the 31 before them");
    let why = place.ask(&["why", "often", "2024-11-01T00:41"]).out;
    assert!(why.contains(" ada disabled it at 2024-11-01T12:00:00+00:00 (the disk is full)"), "{why}");
    let json = place.ask(&["status", "often", "--json"]).json();
    assert_eq!(
        json["disabled_by"],
        json!([{
            "by": "operator",
            "since": "2024-11-01T12:00:00.033553+00:00",
            "until": null,
            "user": "ada",
            "reason": "the disk is full",
        }])
    );
    assert_eq!(
        json["durations"],
        json!({
            "attempts": 41, "median_seconds": 1.25, "p95_seconds": 4.0, "newest_median_seconds": 4.0,
            "before_median_seconds": 1.25, "slower": true,
        })
    );
}

#[test]
fn programs_are_told_the_same() {
    let place = lived();
    let mut json = place.ask(&["status", "load", "--json"]).json();
    let attempts = json.as_object_mut().unwrap().remove("attempts").unwrap();
    let listed = place.ask(&["attempts", "load", "--json"]).json();
    assert_eq!(attempts, listed);
    assert_eq!(
        json,
        json!({
            "job": "load",
            "enabled": true,
            "disabled_by": [],
            "state": "held",
            "registry": {
                "description": "loads a day",
                "schedule": "30 2 * * *",
                "timezone": "Europe/Berlin",
                "start": "2024-11-01T00:00:00+01:00",
                "end": "2024-11-06T23:59:59+01:00",
                "delay": "1h30m",
                "backfill": "true",
                "command": "[\"/usr/local/bin/load\", \"--day\", \"{date:%Y-%m-%d}\"]",
                "retry": "after 10m, each wait 2 times the last, at most 1h, 2 attempts",
                "timeout": "2h",
                "tags": "nightly",
            },
            "timezone": "Europe/Berlin",
            "generation": 1,
            "seen_at": "2024-11-08T01:00:00+01:00",
            "watermark": "2024-11-06T02:30:00+01:00",
            "last_success": "2024-11-03T02:30:00+01:00",
            "next_date": null,
            "next_due": null,
            "backlog": 3,
            "backfilling": 0,
            "oldest": "2024-11-04T02:30:00+01:00",
            "blocked_by": {
                "by": "held",
                "date": "2024-11-04T02:30:00+01:00",
                "reason": "its 2 attempts are used up, the last of them failed(4)",
            },
            "late": null,
            "late_because": null,
            "running": [],
            "durations": {
                "attempts": 3,
                "median_seconds": 1.25,
                "p95_seconds": 1.25,
                "newest_median_seconds": null,
                "before_median_seconds": null,
                "slower": false,
            },
        })
    );
}
