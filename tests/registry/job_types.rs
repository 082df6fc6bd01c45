//! Values of the wrong type under the keys of a job.

use super::*;

#[test]
fn wrong_types() {
    assert_snapshot!(mistakes(r#"
[jobs.a]
description = 2026-11-01
schedule = ["@daily"]
command = 3
timezone = ["UTC"]
start = 20261101
end = 07:30:00
delay = 1.5
backfill = 1
order = true
working_directory = false
environment = ["A=1"]
environment_file = {}
retry = []
timeout = false
kill_grace = -5
depends_on = [1, "a", {}]
on_lost = 0
enabled = "no"
tags = "x"
[jobs.b]
every = 3
at = 02:30:00
command = [1, true, 2026-11-01, ["x"]]
environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
retry = { after = 5, factor = "2", at_most = [], attempts = 1.5 }
"#), @r#"
    error: job `a`: `description` must be a string, not a date
     --> jobs.toml:3:15
      |
    3 | description = 2026-11-01
      |               ^^^^^^^^^^ put it in quotes: `"2026-11-01"`

    error: job `a`: `schedule` must be a string, not an array
     --> jobs.toml:4:12
      |
    4 | schedule = ["@daily"]
      |            ^^^^^^^^^^

    error: job `a`: `command` must be a string or an array of strings, not an integer
     --> jobs.toml:5:11
      |
    5 | command = 3
      |           ^

    error: job `a`: `timezone` must be a time zone such as `"Europe/Berlin"`, not an array
     --> jobs.toml:6:12
      |
    6 | timezone = ["UTC"]
      |            ^^^^^^^

    error: job `a`: `start` must be a day or an instant, not an integer
     --> jobs.toml:7:9
      |
    7 | start = 20261101
      |         ^^^^^^^^ write a day as `start = 2026-11-01`, or an instant as `start = 2026-11-01T06:00:00Z`

    error: job `a`: `end` must be a day or an instant
     --> jobs.toml:8:7
      |
    8 | end = 07:30:00
      |       ^^^^^^^^ write a day as `end = 2026-11-01`, or an instant as `end = 2026-11-01T06:00:00Z`

    error: job `a`: `delay` must be a duration such as `"10m"`, not a float
     --> jobs.toml:9:9
      |
    9 | delay = 1.5
      |         ^^^ write `"90s"` or `"1h30m"`, for example

    error: job `a`: `backfill` must be `true` or `false`, not an integer
      --> jobs.toml:10:12
       |
    10 | backfill = 1
       |            ^

    error: job `a`: `order` must be `"strict"` or `"independent"`, not a boolean
      --> jobs.toml:11:9
       |
    11 | order = true
       |         ^^^^

    error: job `a`: `working_directory` must be a string, not a boolean
      --> jobs.toml:12:21
       |
    12 | working_directory = false
       |                     ^^^^^

    error: job `a`: `environment` must be a table of strings, not an array
      --> jobs.toml:13:15
       |
    13 | environment = ["A=1"]
       |               ^^^^^^^ write `environment = { NAME = "value" }`

    error: job `a`: `environment_file` must be a string, not a table
      --> jobs.toml:14:20
       |
    14 | environment_file = {}
       |                    ^^

    error: job `a`: `retry` must be a table, not an array
      --> jobs.toml:15:9
       |
    15 | retry = []
       |         ^^ write `retry = { after = "5m", factor = 2, at_most = "1h" }`

    error: job `a`: `timeout` must be a duration such as `"10m"`, not a boolean
      --> jobs.toml:16:11
       |
    16 | timeout = false
       |           ^^^^^ write `"90s"` or `"1h30m"`, for example

    error: job `a`: `kill_grace` must be a duration such as `"10m"`, not an integer
      --> jobs.toml:17:14
       |
    17 | kill_grace = -5
       |              ^^ write `"90s"` or `"1h30m"`, for example

    error: job `a`: `depends_on` must contain only job names and tables, not an integer
      --> jobs.toml:18:15
       |
    18 | depends_on = [1, "a", {}]
       |               ^ put it in quotes: `"1"`

    error: job `a` depends on itself
      --> jobs.toml:18:18
       |
    18 | depends_on = [1, "a", {}]
       |                  ^^^ with `backfill = true` a date waits for the earlier dates of its job anyway

    error: `depends_on` of job `a` has a table without `job`
      --> jobs.toml:18:23
       |
    18 | depends_on = [1, "a", {}]
       |                       ^^ add `job = "NAME"`

    error: job `a`: `on_lost` must be `"retry"` or `"hold"`, not an integer
      --> jobs.toml:19:11
       |
    19 | on_lost = 0
       |           ^

    error: job `a`: `enabled` must be `true` or `false`, not a string
      --> jobs.toml:20:11
       |
    20 | enabled = "no"
       |           ^^^^ write `enabled = false`, without quotes

    error: job `a`: `tags` must be an array of strings, not a string
      --> jobs.toml:21:8
       |
    21 | tags = "x"
       |        ^^^ write `tags = [\"x\"]`

    error: job `b`: `every` must be a string, not an integer
      --> jobs.toml:23:9
       |
    23 | every = 3
       |         ^

    error: job `b`: `at` must be a string, not a date
      --> jobs.toml:24:6
       |
    24 | at = 02:30:00
       |      ^^^^^^^^ put it in quotes: `"02:30"`

    error: job `b`: `command` must contain only strings, not an integer
      --> jobs.toml:25:12
       |
    25 | command = [1, true, 2026-11-01, ["x"]]
       |            ^ put it in quotes: `"1"`

    error: job `b`: `command` must contain only strings, not a boolean
      --> jobs.toml:25:15
       |
    25 | command = [1, true, 2026-11-01, ["x"]]
       |               ^^^^ put it in quotes: `"true"`

    error: job `b`: `command` must contain only strings, not a date
      --> jobs.toml:25:21
       |
    25 | command = [1, true, 2026-11-01, ["x"]]
       |                     ^^^^^^^^^^ put it in quotes: `"2026-11-01"`

    error: job `b`: `command` must contain only strings, not an array
      --> jobs.toml:25:33
       |
    25 | command = [1, true, 2026-11-01, ["x"]]
       |                                 ^^^^^

    error: job `b`: `environment` must contain only strings, not an integer
      --> jobs.toml:26:21
       |
    26 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
       |                     ^ put it in quotes: `"1"`

    error: job `b`: `environment` must contain only strings, not a boolean
      --> jobs.toml:26:28
       |
    26 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
       |                            ^^^^ put it in quotes: `"true"`

    error: job `b`: `environment` cannot set `1C`: not a valid variable name
      --> jobs.toml:26:34
       |
    26 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
       |                                  ^^^^ use letters, digits and `_`, and do not start with a digit

    error: job `b`: `environment` cannot set `CRONTABBER_JOB`: names that start with `CRONTABBER_` are reserved
      --> jobs.toml:26:45
       |
    26 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
       |                                             ^^^^^^^^^^^^^^

    error: job `b`: `environment` cannot set `""`: not a valid variable name
      --> jobs.toml:26:67
       |
    26 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
       |                                                                   ^^ use letters, digits and `_`, and do not start with a digit

    error: job `b`: `environment` contains the control character '\0'
      --> jobs.toml:26:80
       |
    26 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
       |                                                                                ^^^^^^^^

    error: `retry` of job `b`: `after` must be a duration such as `"10m"`, not an integer
      --> jobs.toml:27:19
       |
    27 | retry = { after = 5, factor = "2", at_most = [], attempts = 1.5 }
       |                   ^ write `"5s"`

    error: `retry` of job `b`: `factor` must be a number, not a string
      --> jobs.toml:27:31
       |
    27 | retry = { after = 5, factor = "2", at_most = [], attempts = 1.5 }
       |                               ^^^ write `factor = 2`, without quotes

    error: `retry` of job `b`: `at_most` must be a duration such as `"10m"`, not an array
      --> jobs.toml:27:46
       |
    27 | retry = { after = 5, factor = "2", at_most = [], attempts = 1.5 }
       |                                              ^^ write `"90s"` or `"1h30m"`, for example

    error: `retry` of job `b`: `attempts` must be an integer, not a float
      --> jobs.toml:27:61
       |
    27 | retry = { after = 5, factor = "2", at_most = [], attempts = 1.5 }
       |                                                             ^^^
    "#);
}
