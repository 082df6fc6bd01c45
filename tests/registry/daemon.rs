//! The keys of `[daemon]`, and `include` with a value of the wrong type.

use super::*;

#[test]
fn wrong_types() {
    assert_snapshot!(mistakes(r#"
include = 3
[daemon]
ledger = 3
timezone = true
max_running = "16"
stop_grace = 60
output_limit = 1.5
"#), @r#"
error: the registry: `include` must be an array of strings or a string, not an integer
 --> jobs.toml:2:11
  |
2 | include = 3
  |           ^

error: `[daemon]`: `ledger` must be a string, not an integer
 --> jobs.toml:4:10
  |
4 | ledger = ***
  |          ^^^

error: `[daemon]`: `timezone` must be a time zone such as `"Europe/Berlin"`, not a boolean
 --> jobs.toml:5:12
  |
5 | timezone = true
  |            ^^^^

error: `[daemon]`: `max_running` must be an integer, not a string
 --> jobs.toml:6:15
  |
6 | max_running = "16"
  |               ^^^^ write `max_running = 16`, without quotes

error: `[daemon]`: `stop_grace` must be a duration such as `"10m"`, not an integer
 --> jobs.toml:7:14
  |
7 | stop_grace = 60
  |              ^^ write `"60s"`

error: `[daemon]`: `output_limit` must be a number of bytes, or a string such as `"1MiB"`, not a float
 --> jobs.toml:8:16
  |
8 | output_limit = 1.5
  |                ^^^
"#);
}

#[test]
fn values_out_of_range() {
    assert_snapshot!(mistakes(r#"
[daemon]
timezone = "europe/berlin"
max_running = 0
stop_grace = "1 minute"
output_limit = "12"
"#), @r#"
error: `[daemon]`: `timezone` is not a time zone: `europe/berlin`
 --> jobs.toml:3:12
  |
3 | timezone = "europe/berlin"
  |            ^^^^^^^^^^^^^^^ did you mean `Europe/Berlin`?

error: `[daemon]`: `max_running` must be at least 1
 --> jobs.toml:4:15
  |
4 | max_running = 0
  |               ^

error: `[daemon]`: `stop_grace` is invalid: `1 minute` is not a duration
 --> jobs.toml:5:14
  |
5 | stop_grace = "1 minute"
  |              ^^^^^^^^^^ did you mean `1m`?

error: `[daemon]`: `output_limit` is invalid: `12` is not a size
 --> jobs.toml:6:16
  |
6 | output_limit = "12"
  |                ^^^^ expected an integer with `B`, `kB`, `KiB`, `MB`, `MiB`, `GB` or `GiB`, such as `1MiB`
"#);
}

#[test]
fn a_clock_guard_is_a_duration_or_false() {
    let guard = |line: &str| {
        let text = format!("[daemon]\n{line}\n[jobs.a]\nevery = \"1d\"\ncommand = \"true\"\n");
        load(&folder(&[("jobs.toml", &text)])).unwrap().daemon.clock_guard
    };
    let hours = |hours| Some(std::time::Duration::from_hours(hours));
    assert_eq!((guard(""), guard("clock_guard = \"2h\""), guard("clock_guard = false")), (hours(24), hours(2), None));
    let wrong = |value: &str| mistakes(&format!("[daemon]\nclock_guard = {value}\n"));
    assert!(
        wrong("true").contains("must be a duration such as `\"1d\"`, or `false`, not a boolean"),
        "{}",
        wrong("true")
    );
    assert!(wrong("\"0s\"").contains("`clock_guard` must be greater than zero"), "{}", wrong("\"0s\""));
}
