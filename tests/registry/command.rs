//! `command` and `done_when`.

use crontabber::job::{Command, OnUnknown};

use super::*;

fn command(text: &str) -> String {
    mistakes(&format!("[jobs.load]\nschedule = \"@daily\"\ncommand = {text}\n"))
}

#[test]
fn a_missing_or_empty_command() {
    assert_snapshot!(mistakes("[jobs.load]\nschedule = \"@daily\"\n"), @r#"
    error: job `load` has no `command`
     --> jobs.toml:1:7
      |
    1 | [jobs.load]
      |       ^^^^ add `command = ["/path/to/program", "--day", "{date:%Y-%m-%d}"]`
    "#);
    assert_snapshot!(command("\" \""), @r#"
    error: job `load`: `command` is empty
     --> jobs.toml:3:11
      |
    3 | command = " "
      |           ^^^
    "#);
    assert_snapshot!(command("[]"), @r#"
    error: job `load`: `command` is empty
     --> jobs.toml:3:11
      |
    3 | command = []
      |           ^^
    "#);
    assert_snapshot!(command("[\"\", \"x\"]"), @r#"
    error: job `load`: `command` starts with an empty argument, which is not a program
     --> jobs.toml:3:12
      |
    3 | command = ["", "x"]
      |            ^^
    "#);
}

#[test]
fn control_characters() {
    assert_snapshot!(command(r#""a\u0000b""#), @r#"
    error: job `load`: `command` contains the control character '\0'
     --> jobs.toml:3:11
      |
    3 | command = "a\u0000b"
      |           ^^^^^^^^^^
    "#);
    assert_snapshot!(command(r#"["a", "b\u001bc"]"#), @r#"
    error: job `load`: `command` contains the control character '\u{1b}'
     --> jobs.toml:3:17
      |
    3 | command = ["a", "b\u001bc"]
      |                 ^^^^^^^^^^
    "#);
    assert_snapshot!(command("'''\r\necho\r\n'''"), @r#"
    error: job `load`: `command` contains the control character '\r'
     --> jobs.toml:3:11
      |
    3 | command = '''
      |           ^^^ save the file with Unix line endings
    "#);
}

#[test]
fn mistakes_in_templates() {
    assert_snapshot!(command(
        r#"["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]"#
    ), @r#"
    error: job `load`: in `command`, unknown template `{dat}`
     --> jobs.toml:3:21
      |
    3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
      |                     ^^^^^ did you mean `{date}`?

    error: job `load`: in `command`, `%Q` is not a date format
     --> jobs.toml:3:43
      |
    3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
      |                                           ^^ write a strftime format such as `{date:%Y-%m-%d}`

    error: job `load`: in `command`, variables are not replaced in an array of arguments
     --> jobs.toml:3:50
      |
    3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
      |                                                  ^^^^^^^ write the command as one string, or double the braces to pass them unchanged

    error: job `load`: in `command`, `{` does not start a template
     --> jobs.toml:3:61
      |
    3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
      |                                                             ^ write `{{` for a brace

    error: job `load`: in `command`, `{` does not start a template
     --> jobs.toml:3:73
      |
    3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
      |                                                                         ^ write `{{` for a brace

    error: job `load`: in `command`, the date format contains no `%`
     --> jobs.toml:3:88
      |
    3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
      |                                                                                        ^^^^^^^^^^^ write a strftime format such as `{date:%Y-%m-%d}`

    error: job `load`: in `command`, unknown template `{x}`
     --> jobs.toml:3:102
      |
    3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
      |                                                                                                      ^^^^^^^^^^^ use `{date}`, `{date:%Y-%m-%d}` or `{job}`; write `{{` and `}}` for braces
    "#);
}

#[test]
fn done_when_is_a_command() {
    let folder = folder(&[(
        "jobs.toml",
        &format!(
            "{}{}",
            daily("a", "done_when = [\"test\", \"-e\", \"/reports/{date:%Y-%m-%d}\"]"),
            daily("b", "done_when = 'test -e /reports/$CRONTABBER_SESSION_DATE'"),
        ),
    )]);
    let registry = load(&folder).unwrap();
    assert!(matches!(&registry.jobs[0].done_when, Some(Command::Argv(arguments)) if arguments.len() == 3));
    assert!(matches!(&registry.jobs[1].done_when, Some(Command::Shell(_))));
    assert_snapshot!(mistakes(&format!(
        "{}{}{}{}",
        daily("a", "done_when = []"),
        daily("b", "done_when = \" \""),
        daily("c", "done_when = [\"test\", \"{dat}\"]"),
        daily("d", "done_when = true"),
    )), @r#"
    error: job `a`: `done_when` is empty
     --> jobs.toml:4:13
      |
    4 | done_when = []
      |             ^^

    error: job `b`: `done_when` is empty
     --> jobs.toml:8:13
      |
    8 | done_when = " "
      |             ^^^

    error: job `c`: in `done_when`, unknown template `{dat}`
      --> jobs.toml:12:23
       |
    12 | done_when = ["test", "{dat}"]
       |                       ^^^^^ did you mean `{date}`?

    error: job `d`: `done_when` must be a string or an array of strings, not a boolean
      --> jobs.toml:16:13
       |
    16 | done_when = true
       |             ^^^^
    "#);
    assert_snapshot!(warnings(&daily("a", "done_when = \"test -e {date}\"")), @r#"
    warning: job `a`: `done_when` is a shell string, in which `{date` is not replaced
     --> jobs.toml:4:22
      |
    4 | done_when = "test -e {date}"
      |                      ^^^^^ write `$CRONTABBER_SESSION_DATE`, or the command as a list
    "#);
}

#[test]
fn on_unknown_is_run_or_hold_and_needs_a_done_when() {
    let job = |lines: &str| {
        let folder = folder(&[("jobs.toml", &daily("a", lines))]);
        load(&folder).unwrap().jobs[0].on_unknown
    };
    let asks = "done_when = [\"test\"]\n";
    assert_eq!(job(asks), OnUnknown::Run);
    assert_eq!(job(&format!("{asks}on_unknown = \"run\"")), OnUnknown::Run);
    assert_eq!(job(&format!("{asks}on_unknown = \"hold\"")), OnUnknown::Hold);
    assert_snapshot!(mistakes(&format!("{}{}", daily("a", "on_unknown = \"hold\""), daily("b", &format!("{asks}on_unknown = \"retry\"")))), @r#"
    error: job `a`: `on_unknown` has no effect without `done_when`
     --> jobs.toml:4:1
      |
    4 | on_unknown = "hold"
      | ^^^^^^^^^^ add `done_when`, or remove it; after an attempt with an unknown outcome `on_lost` decides

    error: job `b`: `on_unknown` must be `"run"` or `"hold"`, not `retry`
     --> jobs.toml:9:14
      |
    9 | on_unknown = "retry"
      |              ^^^^^^^
    "#);
}

#[test]
fn an_expansion_in_an_argument_of_a_shell_is_the_shells() {
    for shell in ["bash", "/bin/sh", "/usr/local/bin/zsh"] {
        let job = |argument: &str| {
            format!("[jobs.a]\nschedule = \"@daily\"\ncommand = [\"{shell}\", \"-c\", \"{argument}\"]\n")
        };
        assert_eq!(warnings(&job("echo ${X} {date:%F}")), "", "{shell}");
        assert!(mistakes(&job("echo {dat}")).contains("did you mean `{date}`?"));
    }
    for start in ["\"/usr/bin/env\", \"bash\"", "\"sudo\", \"-u\", \"www\", \"sh\""] {
        let job = format!("[jobs.a]\nschedule = \"@daily\"\ncommand = [{start}, \"-c\", \"echo ${{X}}\"]\n");
        assert!(!warnings(&job).contains("variables"), "{start}");
    }
    let other = "[jobs.a]\ncommand = [\"/opt/report\", \"${HOME}/x\"]\n";
    assert!(mistakes(other).contains("variables are not replaced"), "{}", mistakes(other));
}
