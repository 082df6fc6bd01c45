//! `backfill`, `order`, `max_parallel`, `catch_up`, `overlap`, `skip_late`, `priority`: which dates run, and how many at once.

use std::time::Duration;

use crontabber::job::{CatchUp, DatePolicy, Overlap};

use super::*;

#[test]
fn every_key_is_read() {
    let folder = folder(&[(
        "jobs.toml",
        r#"
[daemon]
announce_over = 0
[jobs.copy]
schedule = "@hourly"
backfill = true
order = "independent"
max_parallel = 4
catch_up = { max_age = "7d", max_dates = 100 }
overlap = "skip"
priority = -5
command = "true"
[jobs.ping]
schedule = "* * * * *"
skip_late = "0s"
catch_up.max_age = "1h"
overlap = "wait"
command = "true"
[jobs.plain]
schedule = "@daily"
command = "true"
"#,
    )]);
    let registry = load(&folder).unwrap();
    assert_eq!(registry.daemon.announce_over, 0);
    let [copy, ping, plain] = registry.jobs.as_slice() else { panic!("three jobs") };
    assert_eq!((copy.date_policy, copy.priority), (DatePolicy::Independent { max_parallel: 4 }, -5));
    assert_eq!(copy.catch_up, CatchUp { max_age: Some(Duration::from_hours(168)), max_dates: Some(100) });
    assert_eq!((copy.overlap, copy.skip_late), (Overlap::Skip, None));
    assert_eq!(ping.catch_up, CatchUp { max_age: Some(Duration::from_hours(1)), max_dates: None });
    assert_eq!((ping.overlap, ping.skip_late), (Overlap::Wait, Some(Duration::ZERO)));
    assert_eq!((plain.catch_up, plain.date_policy, plain.priority), (CatchUp::default(), DatePolicy::NewestOnly, 0));
    assert_snapshot!(without_folder(&registry.render_warnings(false), folder.path()), @r#"
    warning: `catch_up` of job `ping`: `max_age` is not shorter than `skip_late`, `0s`
      --> jobs.toml:16:20
       |
    16 | catch_up.max_age = "1h"
       |                    ^^^^ a date of that age is skipped anyway
    "#);
}

#[test]
fn keys_that_have_no_effect() {
    assert_snapshot!(mistakes(r#"
[jobs.a]
schedule = "@daily"
command = "true"
max_parallel = 4
catch_up = { max_dates = 100, max_age = "7d" }
[jobs.b]
schedule = "@daily"
command = "true"
backfill = true
order = "strict"
max_parallel = 4
catch_up = {}
"#), @r#"
    error: job `a`: `max_parallel` has no effect without `order = "independent"`
     --> jobs.toml:5:1
      |
    5 | max_parallel = 4
      | ^^^^^^^^^^^^ add `backfill = true` and `order = "independent"`, or remove it: without them only the newest date runs

    error: `catch_up` of job `a`: `max_dates` has no effect without `backfill`
     --> jobs.toml:6:14
      |
    6 | catch_up = { max_dates = 100, max_age = "7d" }
      |              ^^^^^^^^^ add `backfill = true`, or remove `max_dates`: without `backfill` only the newest date runs

    error: job `b`: `max_parallel` has no effect without `order = "independent"`
      --> jobs.toml:12:1
       |
    12 | max_parallel = 4
       | ^^^^^^^^^^^^ add `order = "independent"`, or remove it: in strict order one date runs at a time

    error: `catch_up` of job `b` has neither `max_age` nor `max_dates`
      --> jobs.toml:13:1
       |
    13 | catch_up = {}
       | ^^^^^^^^ write `catch_up = { max_age = "7d" }`, or remove it to run all missed dates
    "#);
}

#[test]
fn wrong_types_and_values() {
    assert_snapshot!(mistakes(r#"
[daemon]
announce_over = -1
[jobs.a]
schedule = "@daily"
command = "true"
backfill = true
order = "independnt"
max_parallel = 0
catch_up = true
overlap = "skp"
skip_late = 180
priority = 99999999999999999999
[jobs.b]
schedule = "@daily"
command = "true"
backfill = true
order = "independent"
max_parallel = "4"
catch_up = "7d"
overlap = true
skip_late = "-3m"
priority = 1.5
[jobs.c]
schedule = "@daily"
command = "true"
backfill = true
catch_up = { max_age = "0s", max_dates = 0, dates = 3 }
priority = -2147483649
[jobs.d]
schedule = "@daily"
command = "true"
backfill = true
catch_up = 100
[jobs.e]
schedule = "@daily"
command = "true"
catch_up = []
"#), @r#"
    error: `[daemon]`: `announce_over` must be at least 0
     --> jobs.toml:3:17
      |
    3 | announce_over = -1
      |                 ^^

    error: job `a`: `order` must be `"strict"` or `"independent"`, not `independnt`
     --> jobs.toml:8:9
      |
    8 | order = "independnt"
      |         ^^^^^^^^^^^^ did you mean `independent`?

    error: job `a`: `max_parallel` must be at least 1
     --> jobs.toml:9:16
      |
    9 | max_parallel = 0
      |                ^

    error: job `a`: `catch_up` must be a table, not a boolean
      --> jobs.toml:10:12
       |
    10 | catch_up = true
       |            ^^^^ did you mean `backfill = true`?

    error: job `a`: `overlap` must be `"wait"` or `"skip"`, not `skp`
      --> jobs.toml:11:11
       |
    11 | overlap = "skp"
       |           ^^^^^ did you mean `skip`?

    error: job `a`: `skip_late` must be a duration such as `"10m"`, not an integer
      --> jobs.toml:12:13
       |
    12 | skip_late = 180
       |             ^^^ write `"180s"`

    error: job `a`: `priority` must be at most 2147483647
      --> jobs.toml:13:12
       |
    13 | priority = 99999999999999999999
       |            ^^^^^^^^^^^^^^^^^^^^

    error: job `b`: `max_parallel` must be an integer, not a string
      --> jobs.toml:19:16
       |
    19 | max_parallel = "4"
       |                ^^^ write `max_parallel = 4`, without quotes

    error: job `b`: `catch_up` must be a table, not a string
      --> jobs.toml:20:12
       |
    20 | catch_up = "7d"
       |            ^^^^ write `catch_up = { max_age = "7d" }`

    error: job `b`: `overlap` must be `"wait"` or `"skip"`, not a boolean
      --> jobs.toml:21:11
       |
    21 | overlap = true
       |           ^^^^

    error: job `b`: `skip_late` is invalid: `-3m` is not a duration
      --> jobs.toml:22:13
       |
    22 | skip_late = "-3m"
       |             ^^^^^ a duration cannot be negative

    error: job `b`: `priority` must be an integer, not a float
      --> jobs.toml:23:12
       |
    23 | priority = 1.5
       |            ^^^

    error: `catch_up` of job `c`: `max_age` must be greater than zero
      --> jobs.toml:28:24
       |
    28 | catch_up = { max_age = "0s", max_dates = 0, dates = 3 }
       |                        ^^^^

    error: `catch_up` of job `c`: `max_dates` must be at least 1
      --> jobs.toml:28:42
       |
    28 | catch_up = { max_age = "0s", max_dates = 0, dates = 3 }
       |                                          ^

    error: `catch_up` of job `c` has unknown key `dates`
      --> jobs.toml:28:45
       |
    28 | catch_up = { max_age = "0s", max_dates = 0, dates = 3 }
       |                                             ^^^^^ did you mean `max_dates`?

    error: job `c`: `priority` must be at least -2147483648
      --> jobs.toml:29:12
       |
    29 | priority = -2147483649
       |            ^^^^^^^^^^^

    error: job `d`: `catch_up` must be a table, not an integer
      --> jobs.toml:34:12
       |
    34 | catch_up = 100
       |            ^^^ write `catch_up = { max_dates = 100 }`

    error: job `e`: `catch_up` must be a table, not an array
      --> jobs.toml:38:12
       |
    38 | catch_up = []
       |            ^^ write `catch_up = { max_age = "7d", max_dates = 100 }`
    "#);
}
