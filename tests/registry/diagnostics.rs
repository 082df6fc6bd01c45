//! How mistakes and warnings are printed.

use super::*;

#[test]
fn as_json() {
    let folder = folder(&[("jobs.toml", "[jobs.a]\nschedule = \"@daily\"\ncommand = \"true\"\nü = 1\ntz = 2\n")]);
    let json = serde_json::to_string_pretty(load(&folder).unwrap_err().diagnostics()).unwrap();
    assert_snapshot!(without_folder(&json, folder.path()), @r#"
    [
      {
        "file": "jobs.toml",
        "line": 4,
        "column": 1,
        "message": "invalid unquoted key, expected letters, numbers, `-`, `_`",
        "hint": null
      },
      {
        "file": "jobs.toml",
        "line": 5,
        "column": 1,
        "message": "job `a` has unknown key `tz`",
        "hint": "did you mean `timezone`?"
      }
    ]
    "#);
}

#[test]
fn one_line_for_the_log() {
    let folder = folder(&[("jobs.toml", "x = 1\ny = 2\n")]);
    assert_snapshot!(without_folder(&load(&folder).unwrap_err().to_string(), folder.path()), @"the registry has 2 errors, the first at jobs.toml:1: the registry has unknown key `x`");
}

#[test]
fn with_color() {
    let folder = folder(&[("jobs.toml", "jobs.a = 1\n")]);
    assert!(load(&folder).unwrap_err().render(true).contains("\u{1b}["));
}

#[test]
fn at_most_fifty_are_printed() {
    let text = (0..280).map(|number| format!("key{number} = 1")).collect::<Vec<_>>().join("\n");
    let rendered = mistakes(&text);
    assert_eq!(rendered.matches("error: ").count(), 50);
    assert!(rendered.ends_with("\n\n… and 230 more"));
}

#[test]
fn columns_count_characters_in_a_truncated_line() {
    let text = format!(
        "[jobs]\na = {{ description = \"{}\", schedule = \"0 99 * * *\", command = \"x\", bad = 1 }}\n",
        "ä".repeat(2_000)
    );
    let folder = folder(&[("jobs.toml", &text)]);
    let error = load(&folder).unwrap_err();
    let places: Vec<_> = error.diagnostics().iter().map(|diagnostic| (diagnostic.line, diagnostic.column)).collect();
    let column = |part: &str| text.lines().nth(1).unwrap().split(part).next().unwrap().chars().count() + 1;
    assert_eq!(places, [(2, column("99")), (2, column("bad"))]);
    assert!(error.render(false).contains(&format!("jobs.toml:2:{}\n", column("99"))));
}

#[test]
fn warnings_are_printed_like_mistakes() {
    assert_snapshot!(warnings(r#"
include = "jobs.d/*.toml"
[jobs.first]
schedule = "@daily"
start = 2026-11-05
command = "load --day {date:%Y} --job '{job}'"
[jobs.second]
schedule = "@daily"
start = 2026-11-01
depends_on = ["first", "third", "first"]
command = ["psql -c x"]
[jobs.third]
schedule = "@daily"
enabled = false
command = "awk '{print $1}' ${HOME}"
"#), @r#"
warning: the registry: `include` `jobs.d/*.toml` matches no file
 --> jobs.toml:2:11
  |
2 | include = "jobs.d/*.toml"
  |           ^^^^^^^^^^^^^^^

warning: job `first`: `command` is a shell string, in which `{date` is not replaced
 --> jobs.toml:6:23
  |
6 | command = "load --day {date:%Y} --job '{job}'"
  |                       ^^^^^ write `$CRONTABBER_SESSION_DATE`, or the command as a list

warning: job `first`: `command` is a shell string, in which `{job}` is not replaced
 --> jobs.toml:6:40
  |
6 | command = "load --day {date:%Y} --job '{job}'"
  |                                        ^^^^^ write `$CRONTABBER_JOB`, or the command as a list

warning: job `second` starts before `first`, which it depends on
  --> jobs.toml:10:15
   |
10 | depends_on = ["first", "third", "first"]
   |               ^^^^^^^ its first dates wait until the first date of `first` is settled

warning: job `second` depends on `third`, which is disabled
  --> jobs.toml:10:24
   |
10 | depends_on = ["first", "third", "first"]
   |                        ^^^^^^^

warning: job `second` lists `first` twice in `depends_on`
  --> jobs.toml:10:33
   |
10 | depends_on = ["first", "third", "first"]
   |                                 ^^^^^^^

warning: job `second`: `command` is a single argument that contains spaces
  --> jobs.toml:11:12
   |
11 | command = ["psql -c x"]
   |            ^^^^^^^^^^^ split it into arguments, or remove the brackets to pass it to the shell
"#);
}
