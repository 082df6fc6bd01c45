//! `jitter`, `expect_by` and `max_duration`.

use std::time::Duration;

use chrono::NaiveTime;

use super::*;

#[test]
fn jitter_is_part_of_the_delay() {
    let folder = folder(&[(
        "jobs.toml",
        r#"
[jobs.a]
schedule = "@daily"
delay = "1h"
jitter = "10m"
command = "true"
[jobs.b]
schedule = "@daily"
jitter = "1s"
command = "true"
"#,
    )]);
    let registry = load(&folder).unwrap();
    let [a, b] = registry.jobs.as_slice() else { panic!("two jobs") };
    assert_eq!((a.jitter, b.jitter), (Duration::from_mins(10), Duration::from_secs(1)));
    let hour = Duration::from_hours(1);
    assert!((hour..=hour + a.jitter).contains(&a.timetable.delay), "{:?}", a.timetable);
    assert_eq!(a.timetable.delay.subsec_nanos(), 0);
    assert!(b.timetable.delay <= b.jitter, "{:?}", b.timetable);
    assert_eq!(load(&folder).unwrap().jobs, registry.jobs, "read again, it is the same");
}

#[test]
fn valid_times_of_day() {
    let folder = folder(&[(
        "jobs.toml",
        r#"
[jobs.a]
schedule = "@daily"
expect_by = "07:30"
max_duration = "20m"
timeout = "1h"
command = "true"
[jobs.b]
schedule = "@daily"
expect_by = 23:59:58
command = "true"
[jobs.c]
schedule = "@daily"
expect_by = "00:00:01"
command = "true"
"#,
    )]);
    let registry = load(&folder).unwrap();
    let times: Vec<_> = registry.jobs.iter().map(|job| job.expect_by).collect();
    let time = |hour, minute, second| NaiveTime::from_hms_opt(hour, minute, second);
    assert_eq!(times, [time(7, 30, 0), time(23, 59, 58), time(0, 0, 1)]);
    assert_eq!(registry.jobs[0].max_duration, Some(Duration::from_mins(20)));
    assert_eq!(registry.warnings, []);
}

#[test]
fn mistakes_in_jitter_expect_by_and_max_duration() {
    let times = ["\"7:30\"", "\"25:00\"", "\"24:00\"", "\"0730\"", "\"7\"", "\"07:30 \"", "\"+7:30\"", "\"ä\"", "730"]
        .into_iter()
        .chain(["07:30:00.5", "2026-11-01", "2026-11-01T07:30:00Z", "\"\""]);
    let jobs = times.enumerate().map(|(number, time)| {
        format!("[jobs.j{number}]\nschedule = \"@daily\"\ncommand = \"true\"\nexpect_by = {time}\n")
    });
    assert_snapshot!(mistakes(&jobs.collect::<Vec<_>>().concat()), @r#"
    error: job `j0`: `expect_by` is `7:30`, which is not a time of day `HH:MM` or `HH:MM:SS`
     --> jobs.toml:4:13
      |
    4 | expect_by = "7:30"
      |             ^^^^^^ did you mean `07:30`?

    error: job `j1`: `expect_by` is `25:00`, which is not a time of day `HH:MM` or `HH:MM:SS`
     --> jobs.toml:8:13
      |
    8 | expect_by = "25:00"
      |             ^^^^^^^ write the hour 00 to 23 and the minute 00 to 59, such as `07:30`

    error: job `j2`: `expect_by` is `24:00`, which is not a time of day `HH:MM` or `HH:MM:SS`
      --> jobs.toml:12:13
       |
    12 | expect_by = "24:00"
       |             ^^^^^^^ did you mean `00:00`?

    error: job `j3`: `expect_by` is `0730`, which is not a time of day `HH:MM` or `HH:MM:SS`
      --> jobs.toml:16:13
       |
    16 | expect_by = "0730"
       |             ^^^^^^ write the hour 00 to 23 and the minute 00 to 59, such as `07:30`

    error: job `j4`: `expect_by` is `7`, which is not a time of day `HH:MM` or `HH:MM:SS`
      --> jobs.toml:20:13
       |
    20 | expect_by = "7"
       |             ^^^ did you mean `07:00`?

    error: job `j5`: `expect_by` is `07:30 `, which is not a time of day `HH:MM` or `HH:MM:SS`
      --> jobs.toml:24:13
       |
    24 | expect_by = "07:30 "
       |             ^^^^^^^^ did you mean `07:30`?

    error: job `j6`: `expect_by` is `+7:30`, which is not a time of day `HH:MM` or `HH:MM:SS`
      --> jobs.toml:28:13
       |
    28 | expect_by = "+7:30"
       |             ^^^^^^^ write the hour 00 to 23 and the minute 00 to 59, such as `07:30`

    error: job `j7`: `expect_by` is `ä`, which is not a time of day `HH:MM` or `HH:MM:SS`
      --> jobs.toml:32:13
       |
    32 | expect_by = "ä"
       |             ^^^ write the hour 00 to 23 and the minute 00 to 59, such as `07:30`

    error: job `j8`: `expect_by` must be a time of day such as `"07:30"`, not an integer
      --> jobs.toml:36:13
       |
    36 | expect_by = 730
       |             ^^^ write `"07:30"`

    error: job `j9`: `expect_by` is `07:30:00.5`, which is not a time of day `HH:MM` or `HH:MM:SS`
      --> jobs.toml:40:13
       |
    40 | expect_by = 07:30:00.5
       |             ^^^^^^^^^^ write the hour 00 to 23 and the minute 00 to 59, such as `07:30`

    error: job `j10`: `expect_by` must be a time of day such as `"07:30"`, not a date
      --> jobs.toml:44:13
       |
    44 | expect_by = 2026-11-01
       |             ^^^^^^^^^^ write `"07:30"`

    error: job `j11`: `expect_by` must be a time of day such as `"07:30"`, not a date
      --> jobs.toml:48:13
       |
    48 | expect_by = 2026-11-01T07:30:00Z
       |             ^^^^^^^^^^^^^^^^^^^^ write `"07:30"`

    error: job `j12`: `expect_by` is `""`, which is not a time of day `HH:MM` or `HH:MM:SS`
      --> jobs.toml:52:13
       |
    52 | expect_by = ""
       |             ^^ write the hour 00 to 23 and the minute 00 to 59, such as `07:30`
    "#);
    assert_snapshot!(mistakes_in_job("jitter = \"500ms\"\nmax_duration = \"0s\""), @r#"
    error: job `load`: `jitter` must be at least one second
     --> jobs.toml:4:10
      |
    4 | jitter = "500ms"
      |          ^^^^^^^

    error: job `load`: `max_duration` must be greater than zero
     --> jobs.toml:5:16
      |
    5 | max_duration = "0s"
      |                ^^^^
    "#);
    assert_snapshot!(mistakes_in_job("jitter = \"0s\"\nmax_duration = 20"), @r#"
    error: job `load`: `jitter` must be greater than zero
     --> jobs.toml:4:10
      |
    4 | jitter = "0s"
      |          ^^^^

    error: job `load`: `max_duration` must be a duration such as `"10m"`, not an integer
     --> jobs.toml:5:16
      |
    5 | max_duration = 20
      |                ^^ write `"20s"`
    "#);
}

#[test]
fn max_duration_must_be_shorter_than_timeout() {
    assert_snapshot!(warnings(r#"
[jobs.a]
schedule = "@daily"
timeout = "20m"
max_duration = "20m"
command = "true"
[jobs.b]
schedule = "@daily"
skip_late = "3m"
catch_up.max_age = "7d"
command = "true"
"#), @r#"
    warning: job `a`: `max_duration` is not shorter than `timeout`, `20m`
     --> jobs.toml:5:16
      |
    5 | max_duration = "20m"
      |                ^^^^^ `timeout` ends the attempt first, so it is never reported as long

    warning: `catch_up` of job `b`: `max_age` is not shorter than `skip_late`, `3m`
      --> jobs.toml:10:20
       |
    10 | catch_up.max_age = "7d"
       |                    ^^^^ a date of that age is skipped anyway
    "#);
}

#[test]
fn a_jitter_longer_than_the_time_between_two_dates_is_a_warning() {
    let job =
        |jitter: &str| format!("[jobs.load]\nschedule = \"*/5 * * * *\"\njitter = \"{jitter}\"\ncommand = \"true\"\n");
    assert_eq!(warnings(&job("5m")), "");
    assert_snapshot!(warnings(&job("10m")), @r#"
    warning: job `load`: `jitter` is longer than the time between two dates
     --> jobs.toml:3:10
      |
    3 | jitter = "10m"
      |          ^^^^^ a jitter of less than that spreads the starts as well, and delays no date beyond the next one
    "#);
}
