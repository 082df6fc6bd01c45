//! Text that is not TOML: what is reported, and which mistakes behind it are still found.

use super::*;

#[test]
fn several_syntax_errors_are_reported_at_once() {
    assert_snapshot!(mistakes(r#"
[daemon]
timezone = Europe/Berlin
max_running = 
[jobs.load]
schedule = 15 1 * * *
command = ["true"
[jobs.b]
schedule "x"
comand = "x"
start = 2026-02-30
[jobs.c]
schedule = "unclosed
depends_on = ["nobody"]
[jobs.
= 3
"#), @r#"
error: strings must be quoted
 --> jobs.toml:3:12
  |
3 | timezone = Europe/Berlin
  |            ^^^^^^^^^^^^^ write `"Europe/Berlin"`

error: `max_running` has no value
 --> jobs.toml:4:15
  |
4 | max_running = 
  |               ^

error: strings must be quoted
 --> jobs.toml:6:12
  |
6 | schedule = 15 1 * * *
  |            ^^^^^^^^^^ write `"15 1 * * *"`

error: this array is not closed
 --> jobs.toml:7:11
  |
7 | command = ["true"
  |           ^^^^^^^ close it with `]`

error: key with no value, expected `=`
 --> jobs.toml:9:10
  |
9 | schedule "x"
  |          ^

error: job `b` has unknown key `comand`
  --> jobs.toml:10:1
   |
10 | comand = "x"
   | ^^^^^^ did you mean `command`?

error: job `b`: `start` is not a date or time: expected day between 01 and 28
  --> jobs.toml:11:9
   |
11 | start = 2026-02-30
   |         ^^^^^^^^^^ such as `2026-11-03`

error: this string is not closed
  --> jobs.toml:13:21
   |
13 | schedule = "unclosed
   |                     ^ close it with `"`

error: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`
  --> jobs.toml:15:7
   |
15 | [jobs.
   |       ^

error: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`
  --> jobs.toml:16:1
   |
16 | = 3
   | ^
"#);
}

#[test]
fn no_quotes_are_suggested_where_they_would_not_help() {
    for (value, offered) in [("Europe/Berlin", true), ("\u{1b}[31m", false), ("a\u{9b}b", false), ("a\\b", false)] {
        let text = format!("[daemon]\ntimezone = {value}\n");
        assert_eq!(mistakes(&text).contains(&format!("write `\"{value}\"`")), offered, "{text:?}");
        let folder = folder(&[("jobs.toml", &text)]);
        assert_eq!(load(&folder).unwrap_err().diagnostics()[0].hint.is_some(), offered, "{text:?}");
    }
}

#[test]
fn duplicate_keys_and_tables() {
    assert_snapshot!(mistakes(r#"
[jobs.load]
schedule = "@daily"
command = "true"
schedule = "@hourly"
[jobs.b]
schedule = "@daily"
command = "true"
[jobs.load]
schedule = "@daily"
command = "true"
[jobs.c]
command = "true"
command = "false"
"#), @r#"
error: `schedule` is declared twice
 --> jobs.toml:5:1
  |
5 | schedule = "@hourly"
  | ^^^^^^^^ first declared in line 3

error: `load` is declared twice
 --> jobs.toml:9:7
  |
9 | [jobs.load]
  |       ^^^^ first declared in line 2

error: `command` is declared twice
  --> jobs.toml:14:1
   |
14 | command = "false"
   | ^^^^^^^ first declared in line 13
"#);
}

#[test]
fn an_unclosed_list_or_table_does_not_hide_other_mistakes() {
    assert_snapshot!(mistakes(r#"
[jobs.a]
depends_on = [
  "b",
  "c"
retry = { after = "5m"
timeout = "2x"
[jobs.b]
command = ["x", # [
[jobs.c]
banana = 1
tags = [
"#), @r#"
error: this array is not closed
 --> jobs.toml:3:14
  |
3 | depends_on = [
  |              ^ close it with `]`

error: this table is not closed
 --> jobs.toml:6:9
  |
6 | retry = { after = "5m"
  |         ^^^^^^^^^^^^^^ close it with `}`

error: job `a`: `timeout` is invalid: `2x` is not a duration
 --> jobs.toml:7:11
  |
7 | timeout = "2x"
  |           ^^^^ expected a duration such as `10m` or `1h30m`, with the units `w d h m s ms`

error: this array is not closed
 --> jobs.toml:9:11
  |
9 | command = ["x", # [
  |           ^^^^^^^^^ close it with `]`

error: job `c` has unknown key `banana`
  --> jobs.toml:11:1
   |
11 | banana = 1
   | ^^^^^^

error: this array is not closed
  --> jobs.toml:12:8
   |
12 | tags = [
   |        ^ close it with `]`
"#);
}

#[test]
fn an_unclosed_string_hides_what_follows() {
    assert_snapshot!(mistakes("[jobs.a]\ncommand = \"\"\"\nx\n[jobs.b]\ndepends_on = \"c\"\n"), @r#"
    error: this string is not closed
     --> jobs.toml:2:11
      |
    2 | command = """
      |           ^^^
    "#);
}

#[test]
fn a_date_that_there_is_not_is_reported_with_its_job_and_key() {
    assert_snapshot!(mistakes("[jobs.a]\nschedule = \"@daily\"\nstart = 2026-13-01\ncommand = \"true\"\n"), @"
    error: job `a`: `start` is not a date or time: expected month between 01 and 12
     --> jobs.toml:3:9
      |
    3 | start = 2026-13-01
      |         ^^^^^^^^^^ such as `2026-11-03`
    ");
}

#[test]
fn nesting_that_is_too_deep_is_an_error() {
    let deep =
        |open: &str, close: &str| format!("[jobs.a]\ncommand = {}1{}\n", open.repeat(100_000), close.repeat(100_000));
    assert!(mistakes(&deep("[", "]")).starts_with("error: brackets or keys are nested too deeply"));
    assert!(mistakes(&deep("{a=", "}")).starts_with("error: brackets or keys are nested too deeply"));
    assert!(
        mistakes(&format!("[a{}]\n", ".a".repeat(100_000)))
            .starts_with("error: brackets or keys are nested too deeply")
    );
}

/// On a stack as large as that of a main thread.
#[test]
fn the_deepest_nesting_that_the_parser_accepts() {
    let check = || {
        let dotted = |length: usize| ["a"; 79][..length].join(".");
        for (length, line_end) in [(79, ""), (17, "\n")] {
            let inline = format!("{{{line_end}{} = ", dotted(length)).repeat(79);
            let text = format!("[{}]\n{} = {inline}1{}\n", dotted(length), dotted(length), "}".repeat(79));
            assert!(mistakes(&text).contains("unknown key `a`"), "{length}");
        }
    };
    std::thread::Builder::new().stack_size(8 * 1024 * 1024).spawn(check).unwrap().join().unwrap();
}
