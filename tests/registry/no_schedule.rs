//! Jobs without a schedule.

use super::*;

#[test]
fn a_job_without_a_schedule() {
    let folder = folder(&[(
        "jobs.toml",
        r#"
[jobs.fetch]
timezone = "Europe/Berlin"
timeout = "1h"
command = ["fetch", "{date}"]
[jobs.load]
schedule = "@daily"
require = "fetch"
command = "true"
"#,
    )]);
    let registry = load(&folder).unwrap();
    let fetch = &registry.jobs[0].timetable;
    assert!(fetch.schedule.is_none());
    assert_eq!(fetch.zone(), chrono_tz::Tz::Europe__Berlin);
    assert_snapshot!(fetch, @r#"schedule="none" zone="Europe/Berlin" delay="0""#);
    assert_eq!(registry.warnings, []);
}

#[test]
fn a_job_that_nothing_starts() {
    assert_snapshot!(warnings("[jobs.fetch]\ncommand = \"true\"\n"), @"
    warning: job `fetch` has neither `schedule` nor `every`, and no job requires it
     --> jobs.toml:1:7
      |
    1 | [jobs.fetch]
      |       ^^^^^ only an operator can run it
    ");
}

#[test]
fn a_forgotten_schedule() {
    assert_snapshot!(mistakes(r#"
[jobs.a]
backfill = true
command = "true"
[jobs.b]
start = 2026-11-01
order = "independent"
backfill = true
delay = "1h"
expect_by = "07:30"
command = "true"
[jobs.c]
scedule = "@daily"
backfill = true
command = "true"
[jobs.d]
schedule = "none"
command = "true"
"#), @r#"
    error: job `a` has neither `schedule` nor `every`, without which `backfill` has no effect
     --> jobs.toml:2:7
      |
    2 | [jobs.a]
      |       ^ add `schedule = "30 2 * * *"`, or `every = "1d"` and `at = "02:30"`

    error: job `b` has neither `schedule` nor `every`, without which `start`, `delay`, `backfill`, `order` and `expect_by` have no effect
     --> jobs.toml:5:7
      |
    5 | [jobs.b]
      |       ^ add `schedule = "30 2 * * *"`, or `every = "1d"` and `at = "02:30"`

    error: job `c` has unknown key `scedule`
      --> jobs.toml:13:1
       |
    13 | scedule = "@daily"
       | ^^^^^^^ did you mean `schedule`?

    error: job `d`: `schedule` is invalid: there is one field of five: hour, day of month, month, day of week are missing
      --> jobs.toml:17:13
       |
    17 | schedule = "none"
       |             ^^^^ omit `schedule`: the job then runs when another job requires it or an operator runs it
    "#);
}
