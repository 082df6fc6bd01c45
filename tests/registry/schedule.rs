//! `schedule`, `every`, `at`, `start` and `end`.

use super::*;

#[test]
fn contradicting_keys() {
    assert_snapshot!(mistakes(r#"
[jobs.a]
command = "true"
[jobs.b]
schedule = "@daily"
every = "1d"
at = "02:30"
command = "true"
[jobs.c]
at = "02:30"
command = "true"
[jobs.d]
schedule = "@daily"
at = "02:30"
command = "true"
[jobs.e]
"#), @r#"
error: job `b` has both `schedule` and `every`
 --> jobs.toml:6:1
  |
6 | every = "1d"
  | ^^^^^ keep only one of them

error: job `c`: `at` is allowed only with `every`
  --> jobs.toml:10:1
   |
10 | at = "02:30"
   | ^^ add `every = "1d"`

error: job `d`: `at` is allowed only with `every`
  --> jobs.toml:14:1
   |
14 | at = "02:30"
   | ^^ `schedule` contains the time of day

error: job `e` has no `command`
  --> jobs.toml:16:7
   |
16 | [jobs.e]
   |       ^ add `command = ["/path/to/program", "--day", "{date:%Y-%m-%d}"]`
"#);
}

#[test]
fn a_mistake_in_every_does_not_hide_one_in_at() {
    let shown = mistakes("[jobs.load]\nevery = \"1x\"\nat = \"25:00\"\ncommand = \"true\"\n");
    assert!(shown.contains("jobs.toml:2:") && shown.contains("jobs.toml:3:"), "{shown}");
    assert_eq!(shown.matches("error: ").count(), 2, "{shown}");
}

#[test]
fn the_caret_points_into_the_schedule() {
    assert_snapshot!(mistakes(r#"
[jobs.a]
schedule = "0 99 * * *"
command = "true"
[jobs.b]
schedule = '0 99 * * *'
command = "true"
[jobs.c]
schedule = """
0 99 * * *"""
command = "true"
[jobs.d]
schedule = "0\u0020\u0039\u0039 * * *"
command = "true"
[jobs.e]
every = "1d"
at = "25:99"
command = "true"
[jobs.f]
every = "1.5h"
command = "true"
[jobs.g]
schedule = ""
command = "true"
"#), @r#"
error: job `a`: `schedule` is invalid: the hour `99` is not in the range 0-23
 --> jobs.toml:3:15
  |
3 | schedule = "0 99 * * *"
  |               ^^ did you mean `23`?

error: job `b`: `schedule` is invalid: the hour `99` is not in the range 0-23
 --> jobs.toml:6:15
  |
6 | schedule = '0 99 * * *'
  |               ^^ did you mean `23`?

error: job `c`: `schedule` is invalid: the hour `99` is not in the range 0-23
  --> jobs.toml:10:3
   |
10 | 0 99 * * *"""
   |   ^^ did you mean `23`?

error: job `d`: `schedule` is invalid: the hour `99` is not in the range 0-23
  --> jobs.toml:13:12
   |
13 | schedule = "0\u0020\u0039\u0039 * * *"
   |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `23`?

error: job `e`: `at` is `25:99`, which is not a time of day `HH:MM`
  --> jobs.toml:17:7
   |
17 | at = "25:99"
   |       ^^^^^ write the hour 00 to 23 and the minute 00 to 59, such as `02:30`

error: job `f`: `every` is `1.5h`, and `.5h` is not a unit
  --> jobs.toml:20:10
   |
20 | every = "1.5h"
   |          ^^^^ write a number and a unit, such as `15m`, `2h` or `1d`

error: job `g`: `schedule` is invalid: the schedule is empty
  --> jobs.toml:23:12
   |
23 | schedule = ""
   |            ^^ `15 1 * * *` is every day at 01:15
"#);
}

#[test]
fn a_schedule_that_never_fires() {
    assert_snapshot!(mistakes("[jobs.a]\nschedule = \"0 0 30 2 *\"\ncommand = \"true\"\n"), @r#"
    error: job `a`: `schedule` never fires: no date matches `0 0 30 2 *`
     --> jobs.toml:2:12
      |
    2 | schedule = "0 0 30 2 *"
      |            ^^^^^^^^^^^^
    "#);
}

#[test]
fn a_leap_second_is_no_instant() {
    for text in ["2016-12-31T23:59:60Z", "\"2016-12-31T23:59:60Z\"", "\"2016-12-31T23:59:60\"", "2016-12-31T23:59:60"] {
        let told = mistakes_in_job(&format!("start = {text}"));
        assert!(told.starts_with("error: job `load`: `start` must be a day or an instant\n"), "{text}: {told}");
    }
}

#[test]
fn mistakes_in_start_and_end() {
    assert_snapshot!(mistakes_in_job("start = 2026-11-02\nend = 2026-11-01"), @r#"
    error: job `load`: `end` is before `start`
     --> jobs.toml:5:7
      |
    5 | end = 2026-11-01
      |       ^^^^^^^^^^
    "#);
    assert_snapshot!(mistakes_in_job("timezone = \"Europe/Berlin\"\nstart = 2026-07-01T06:00:00\nend = \"2026-11-01 06:00\""), @r#"
    error: job `load`: `start` has no UTC offset
     --> jobs.toml:5:9
      |
    5 | start = 2026-07-01T06:00:00
      |         ^^^^^^^^^^^^^^^^^^^ write `start = 2026-07-01T06:00:00+02:00`

    error: job `load`: `end` has no UTC offset
     --> jobs.toml:6:7
      |
    6 | end = "2026-11-01 06:00"
      |       ^^^^^^^^^^^^^^^^^^ write `end = 2026-11-01T06:00:00+01:00`
    "#);
    assert_snapshot!(mistakes_in_job("start = 1972-12-31\nend = 2100-01-01T00:00:00Z"), @r#"
    error: job `load`: `start` is outside the supported years 1973 to 2099
     --> jobs.toml:4:9
      |
    4 | start = 1972-12-31
      |         ^^^^^^^^^^

    error: job `load`: `end` is outside the supported years 1973 to 2099
     --> jobs.toml:5:7
      |
    5 | end = 2100-01-01T00:00:00Z
      |       ^^^^^^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(mistakes_in_job("start = \"yesterday\"\nend = \"2026-02-30\""), @r#"
    error: job `load`: `start` must be a day or an instant
     --> jobs.toml:4:9
      |
    4 | start = "yesterday"
      |         ^^^^^^^^^^^ write a day as `start = 2026-11-01`, or an instant as `start = 2026-11-01T06:00:00Z`

    error: job `load`: `end` must be a day or an instant
     --> jobs.toml:5:7
      |
    5 | end = "2026-02-30"
      |       ^^^^^^^^^^^^ write a day as `end = 2026-11-01`, or an instant as `end = 2026-11-01T06:00:00Z`
    "#);
    assert_snapshot!(mistakes_in_job("start = \"0001-01-01\"\nend = 9999-12-31"), @r#"
    error: job `load`: `start` is outside the supported years 1973 to 2099
     --> jobs.toml:4:9
      |
    4 | start = "0001-01-01"
      |         ^^^^^^^^^^^^

    error: job `load`: `end` is outside the supported years 1973 to 2099
     --> jobs.toml:5:7
      |
    5 | end = 9999-12-31
      |       ^^^^^^^^^^
    "#);
}

#[test]
fn a_schedule_that_is_probably_not_meant_is_a_warning() {
    assert_snapshot!(warnings("[jobs.a]\ncommand = \"true\"\nschedule = \"*/40 0 1-7 * mon\"\n"), @r#"
    warning: job `a`: the minute `*/40` is uneven: from 40 to 0 it is 20, not 40
     --> jobs.toml:3:13
      |
    3 | schedule = "*/40 0 1-7 * mon"
      |             ^^^^ for even steps, write `every = "40m"`

    warning: job `a`: the job runs on the days of month `1-7` and also on every `mon`: a date needs only one of the two
     --> jobs.toml:3:20
      |
    3 | schedule = "*/40 0 1-7 * mon"
      |                    ^^^^^^^^^ for days that match both, write `*/32,1-7`
    "#);
}

#[test]
fn a_hint_never_means_something_else() {
    for (line, hint) in [
        ("timezone = \"GMT+2\"", "`Etc/GMT-2`, which is 2 h ahead of UTC"),
        ("timezone = \"UTC-5\"", "`Etc/GMT+5`, which is 5 h behind UTC"),
        ("timezone = \"UTC+05:30\"", "name a place with this offset"),
        ("timezone = \"UTC+0\"", "did you mean `UTC`?"),
    ] {
        let text = mistakes_in_job(line);
        assert!(text.contains(hint) && !text.contains("did you mean `Etc"), "{line}: {text}");
    }
    let of_every = |every: &str| mistakes(&format!("[jobs.a]\ncommand = \"true\"\nevery = \"{every}\"\n"));
    assert!(of_every("1M").contains("`schedule = \"0 0 1 * *\"`"), "{}", of_every("1M"));
    let of_schedule = |text: &str| mistakes(&format!("[jobs.a]\ncommand = \"true\"\nschedule = \"{text}\"\n"));
    let text = of_schedule("CRON_TZ=UTC 0 0 * * *");
    assert!(text.contains("write `timezone = \"UTC\"`") && !text.contains("seconds"), "{text}");
    assert!(of_schedule("0 0 * * 5#1").contains("`*/32,1-7` as the day of month"), "{}", of_schedule("0 0 * * 5#1"));
    assert!(!of_schedule("0 0 * * 5#3").contains("did you mean"), "{}", of_schedule("0 0 * * 5#3"));
}

#[test]
fn a_template_in_the_environment_is_a_warning() {
    assert_snapshot!(warnings(&daily("a", "environment = { DAY = \"{date:%F}\" }")), @r#"
    warning: job `a`: in `environment`, `{date` is not replaced
     --> jobs.toml:4:24
      |
    4 | environment = { DAY = "{date:%F}" }
      |                        ^^^^^ use `$CRONTABBER_SESSION_DATE` in the job
    "#);
}
