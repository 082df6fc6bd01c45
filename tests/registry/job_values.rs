//! Values of the right type under the keys of a job that make no sense.

use super::*;

#[test]
fn values_out_of_range() {
    assert_snapshot!(mistakes(r#"
[jobs.a]
schedule = "@daily"
command = "true"
timezone = "Berlin"
order = "strct"
timeout = "0s"
delay = ""
kill_grace = "5"
on_lost = "ignore"
tags = ["", "a\u0007"]
description = " "
working_directory = "~/x"
retry = { after = "0s", factor = 0.5, at_most = "1s", attempts = 0 }
[jobs.b]
schedule = "@daily"
command = "true"
timezone = "Mars/Phobos"
backfill = true
order = "any"
retry = { factor = nan, at_most = "1m", attempts = 99999999999 }
[jobs.c]
schedule = "@daily"
command = "true"
timezone = "PST8"
retry = "30s"
[jobs.d]
schedule = "@daily"
command = "true"
retry = { after = "2m", at_most = "1m", factor = inf }
"#), @r#"
error: job `a`: `timezone` is not a time zone: `Berlin`
 --> jobs.toml:5:12
  |
5 | timezone = "Berlin"
  |            ^^^^^^^^ did you mean `Europe/Berlin`?

error: job `a`: `order` must be `"strict"` or `"independent"`, not `strct`
 --> jobs.toml:6:9
  |
6 | order = "strct"
  |         ^^^^^^^ did you mean `strict`?

error: job `a`: `timeout` must be greater than zero
 --> jobs.toml:7:11
  |
7 | timeout = "0s"
  |           ^^^^

error: job `a`: `delay` is invalid: a duration cannot be empty
 --> jobs.toml:8:9
  |
8 | delay = ""
  |         ^^ write a number and a unit, such as `90s`

error: job `a`: `kill_grace` is invalid: `5` is not a duration
 --> jobs.toml:9:14
  |
9 | kill_grace = "5"
  |              ^^^ add a unit: `5s`?

error: job `a`: `on_lost` must be `"retry"` or `"hold"`, not `ignore`
  --> jobs.toml:10:11
   |
10 | on_lost = "ignore"
   |           ^^^^^^^^

error: job `a`: `tags` contains an empty string
  --> jobs.toml:11:9
   |
11 | tags = ["", "a\u0007"]
   |         ^^

error: job `a`: `tags` contains the control character '\u{7}'
  --> jobs.toml:11:13
   |
11 | tags = ["", "a\u0007"]
   |             ^^^^^^^^^

error: job `a`: `description` is empty
  --> jobs.toml:12:15
   |
12 | description = " "
   |               ^^^

error: job `a`: `working_directory` starts with `~`
  --> jobs.toml:13:22
   |
13 | working_directory = "~/x"
   |                      ^ write the full path: no shell expands it

error: `retry` of job `a`: `after` must be greater than zero
  --> jobs.toml:14:19
   |
14 | retry = { after = "0s", factor = 0.5, at_most = "1s", attempts = 0 }
   |                   ^^^^

error: `retry` of job `a`: `factor` must be a number of at least 1
  --> jobs.toml:14:34
   |
14 | retry = { after = "0s", factor = 0.5, at_most = "1s", attempts = 0 }
   |                                  ^^^ a wait cannot become shorter

error: `retry` of job `a`: `attempts` must be at least 1
  --> jobs.toml:14:66
   |
14 | retry = { after = "0s", factor = 0.5, at_most = "1s", attempts = 0 }
   |                                                                  ^

error: job `b`: `timezone` is not a time zone: `Mars/Phobos`
  --> jobs.toml:18:12
   |
18 | timezone = "Mars/Phobos"
   |            ^^^^^^^^^^^^^ expected a name from the IANA time zone database, such as `Europe/Berlin` or `UTC`

error: job `b`: `order` must be `"strict"` or `"independent"`, not `any`
  --> jobs.toml:20:9
   |
20 | order = "any"
   |         ^^^^^

error: `retry` of job `b`: `factor` must be a number of at least 1
  --> jobs.toml:21:20
   |
21 | retry = { factor = nan, at_most = "1m", attempts = 99999999999 }
   |                    ^^^ a wait cannot become shorter

error: `retry` of job `b`: `at_most` is shorter than the default of `after`, `5m`
  --> jobs.toml:21:35
   |
21 | retry = { factor = nan, at_most = "1m", attempts = 99999999999 }
   |                                   ^^^^

error: `retry` of job `b`: `attempts` must be at most 4294967295
  --> jobs.toml:21:52
   |
21 | retry = { factor = nan, at_most = "1m", attempts = 99999999999 }
   |                                                    ^^^^^^^^^^^

error: job `c`: `timezone` is not a time zone: `PST8`
  --> jobs.toml:25:12
   |
25 | timezone = "PST8"
   |            ^^^^^^ expected a name from the IANA time zone database, such as `Europe/Berlin` or `UTC`

error: job `c`: `retry` must be a table, not a string
  --> jobs.toml:26:9
   |
26 | retry = "30s"
   |         ^^^^^ write `retry = { after = "30s" }`

error: `retry` of job `d`: `at_most` is shorter than `after`, `2m`
  --> jobs.toml:30:35
   |
30 | retry = { after = "2m", at_most = "1m", factor = inf }
   |                                   ^^^^

error: `retry` of job `d`: `factor` must be a number of at least 1
  --> jobs.toml:30:50
   |
30 | retry = { after = "2m", at_most = "1m", factor = inf }
   |                                                  ^^^ a wait cannot become shorter
"#);
}
