//! What a job says of others: `depends_on` in all its forms, `require`, `previously`; and `done_when`.

use crontabber::job::{Command, Offset, Period};

use super::*;

/// A job with these lines.
fn written(name: &str, lines: &str) -> String {
    format!("[jobs.{name}]\ncommand = \"true\"\n{lines}\n")
}

/// A daily job with these lines.
fn daily(name: &str, lines: &str) -> String {
    written(name, &format!("schedule = \"@daily\"\n{lines}"))
}

/// A daily job `a` with these lines, a daily job `load` and a job `fetch` without a schedule.
fn three(lines: &str) -> String {
    format!("{}{}{}", daily("a", lines), daily("load", "require = \"fetch\""), written("fetch", ""))
}

#[test]
fn every_form_of_a_dependency() {
    let folder = folder(&[(
        "jobs.toml",
        &three(
            r#"depends_on = [
    "load",
    { job = "load", covers = "month", offset = "-1w1d2h30m" },
    { job = "load", offset = "+24h" },
    { job = "load", offset = "1d", ignore_failure = true },
]"#,
        ),
    )]);
    let registry = load(&folder).unwrap();
    let told: Vec<_> = registry.jobs[0]
        .depends_on
        .iter()
        .map(|need| (need.job.as_str(), need.covers, need.offset, need.ignore_failure))
        .collect();
    assert_eq!(
        told,
        [
            ("load", None, Offset::default(), false),
            ("load", Some(Period::Month), Offset { days: -8, seconds: -9_000 }, false),
            ("load", None, Offset { days: 0, seconds: 86_400 }, false),
            ("load", None, Offset { days: 1, seconds: 0 }, true),
        ]
    );
    assert_eq!(registry.jobs[1].require.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["fetch"]);
    assert_eq!(registry.warnings, []);
}

#[test]
fn one_table_stands_for_a_list() {
    for lines in
        ["depends_on = { job = \"load\", covers = \"day\" }", "[[jobs.a.depends_on]]\njob = \"load\"\ncovers = \"day\""]
    {
        let folder = folder(&[("jobs.toml", &three(lines))]);
        let registry = load(&folder).unwrap();
        assert_eq!(registry.jobs[0].depends_on[0].covers, Some(Period::Day));
    }
}

#[test]
fn mistakes_of_a_table() {
    assert_snapshot!(mistakes(&three(
        r#"depends_on = [
    { jb = "load", covers = "dy" },
    { covers = "day" },
    { job = 3, offset = -1 },
    { job = "", ignore_failure = "yes" },
    { job = "lod", offset = "-1 day" },
    { job = "load", offset = "-5" },
    { job = "load", offset = "--1d" },
    { job = "load", offset = "-" },
    { job = "load", offset = "1h1d" },
    { job = "load", offset = "-500ms" },
    { job = "load", offset = "-36526d" },
    { job = "load", ofset = "ä" },
]"#
    )), @r#"
    error: `depends_on` of job `a` has unknown key `jb`
     --> jobs.toml:5:7
      |
    5 |     { jb = "load", covers = "dy" },
      |       ^^ did you mean `job`?

    error: `depends_on` of job `a`: `covers` must be `"hour"`, `"day"`, `"week"`, `"month"` or `"year"`, not `dy`
     --> jobs.toml:5:29
      |
    5 |     { jb = "load", covers = "dy" },
      |                             ^^^^ did you mean `day`?

    error: `depends_on` of job `a` has a table without `job`
     --> jobs.toml:6:5
      |
    6 |     { covers = "day" },
      |     ^^^^^^^^^^^^^^^^^^ add `job = "NAME"`

    error: `depends_on` of job `a`: `job` must be text in quotes, not a whole number
     --> jobs.toml:7:13
      |
    7 |     { job = 3, offset = -1 },
      |             ^ put it in quotes: `"3"`

    error: `depends_on` of job `a`: `offset` must be a duration with its sign in quotes, not a whole number
     --> jobs.toml:7:25
      |
    7 |     { job = 3, offset = -1 },
      |                         ^^ such as `"-1d"` for the day before

    error: `depends_on` of job `a`: `job` is empty
     --> jobs.toml:8:13
      |
    8 |     { job = "", ignore_failure = "yes" },
      |             ^^

    error: `depends_on` of job `a`: `ignore_failure` must be `true` or `false`, not text
     --> jobs.toml:8:34
      |
    8 |     { job = "", ignore_failure = "yes" },
      |                                  ^^^^^ write `ignore_failure = true`, without quotes

    error: job `a` depends on `lod`, which is no job
     --> jobs.toml:9:13
      |
    9 |     { job = "lod", offset = "-1 day" },
      |             ^^^^^ did you mean `load`?

    error: `depends_on` of job `a`: `offset` cannot be read: `1 day` is not a duration
     --> jobs.toml:9:29
      |
    9 |     { job = "lod", offset = "-1 day" },
      |                             ^^^^^^^^ did you mean `-1d`?

    error: `depends_on` of job `a`: `offset` cannot be read: `5` is not a duration
      --> jobs.toml:10:30
       |
    10 |     { job = "load", offset = "-5" },
       |                              ^^^^ it has no unit: `-5s`?

    error: `depends_on` of job `a`: `offset` has two signs
      --> jobs.toml:11:30
       |
    11 |     { job = "load", offset = "--1d" },
       |                              ^^^^^^ one of them, as in `-1d`

    error: `depends_on` of job `a`: `offset` cannot be read: a duration cannot be empty
      --> jobs.toml:12:30
       |
    12 |     { job = "load", offset = "-" },
       |                              ^^^ write a number and a unit, such as `90s`

    error: `depends_on` of job `a`: `offset` cannot be read: the units of `1h1d` are out of order
      --> jobs.toml:13:30
       |
    13 |     { job = "load", offset = "1h1d" },
       |                              ^^^^^^ each unit once, the largest first, such as `1h30m`

    error: `depends_on` of job `a`: `offset` is not of whole seconds
      --> jobs.toml:14:30
       |
    14 |     { job = "load", offset = "-500ms" },
       |                              ^^^^^^^^ dates fall on whole seconds

    error: `depends_on` of job `a`: `offset` cannot be read: `36526d` is longer than a century
      --> jobs.toml:15:30
       |
    15 |     { job = "load", offset = "-36526d" },
       |                              ^^^^^^^^^ the longest duration is `36525d`

    error: `depends_on` of job `a` has unknown key `ofset`
      --> jobs.toml:16:21
       |
    16 |     { job = "load", ofset = "ä" },
       |                     ^^^^^ did you mean `offset`?
    "#);
    assert_snapshot!(mistakes(&three("depends_on = 3\nrequire = { job = \"fetch\" }")), @r#"
    error: job `a`: `depends_on` must be a list of jobs, or one job, not a whole number
     --> jobs.toml:4:14
      |
    4 | depends_on = 3
      |              ^ write `depends_on = ["NAME"]`

    error: job `a`: `require` must be a list of text, or one text, not a table
     --> jobs.toml:5:11
      |
    5 | require = { job = "fetch" }
      |           ^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn what_cannot_be_had() {
    assert_snapshot!(mistakes(&format!(
        "{}{}",
        three("depends_on = [\"fetch\", { job = \"a\", offset = \"-1d\" }]\nrequire = [\"load\", \"fetsh\", \"nothing\"]"),
        written("x", "require = \"x\""),
    )), @r#"
    error: job `a` depends on `fetch`, which has no schedule
     --> jobs.toml:4:15
      |
    4 | depends_on = ["fetch", { job = "a", offset = "-1d" }]
      |               ^^^^^^^ name it in `require`, which starts it for the same date

    error: job `a` depends on itself
     --> jobs.toml:4:32
      |
    4 | depends_on = ["fetch", { job = "a", offset = "-1d" }]
      |                                ^^^ with `backfill = true` a date waits for the earlier ones of its job anyway

    error: job `a` requires `load`, which has a schedule of its own
     --> jobs.toml:5:12
      |
    5 | require = ["load", "fetsh", "nothing"]
      |            ^^^^^^ name it in `depends_on`, which waits for its dates

    error: job `a` requires `fetsh`, which is no job
     --> jobs.toml:5:20
      |
    5 | require = ["load", "fetsh", "nothing"]
      |                    ^^^^^^^ did you mean `fetch`?

    error: job `a` requires `nothing`, which is no job
     --> jobs.toml:5:29
      |
    5 | require = ["load", "fetsh", "nothing"]
      |                             ^^^^^^^^^

    error: job `x` requires itself
      --> jobs.toml:15:11
       |
    15 | require = "x"
       |           ^^^
    "#);
}

#[test]
fn circles_run_through_require() {
    assert_snapshot!(mistakes(&format!(
        "{}{}{}",
        daily("a", "require = \"x\""),
        written("x", "require = [\"y\"]"),
        written("y", "depends_on = [{ job = \"a\", offset = \"-1d\" }]"),
    )), @r#"
    error: jobs depend on one another in a circle: `a` → `x` → `y` → `a`
     --> jobs.toml:4:11
      |
    4 | require = "x"
      |           ^^^ none of them could ever start
    "#);
}

#[test]
fn worth_a_look() {
    assert_snapshot!(warnings(&format!(
        "{}{}{}{}",
        daily("a", "require = [\"x\", \"x\"]\nstart = 2026-11-01\ndepends_on = [{ job = \"b\" }, \"b\", { job = \"b\", covers = \"day\" }]"),
        written("x", "enabled = false"),
        daily("b", "start = 2026-11-05"),
        daily("c", "enabled = false\nrequire = \"x\""),
    )), @r#"
    warning: job `a` requires `x`, which is disabled
     --> jobs.toml:4:12
      |
    4 | require = ["x", "x"]
      |            ^^^

    warning: job `a` names `x` twice in `require`
     --> jobs.toml:4:17
      |
    4 | require = ["x", "x"]
      |                 ^^^

    warning: job `a` starts before `b`, which it depends on
     --> jobs.toml:6:23
      |
    6 | depends_on = [{ job = "b" }, "b", { job = "b", covers = "day" }]
      |                       ^^^ its first dates wait until the first date of `b` is settled

    warning: job `a` names `b` twice in `depends_on`
     --> jobs.toml:6:30
      |
    6 | depends_on = [{ job = "b" }, "b", { job = "b", covers = "day" }]
      |                              ^^^
    "#);
}

#[test]
fn former_names() {
    let registry = format!("{}{}", daily("a", "previously = \"old\""), daily("b", ""));
    let folder = folder(&[("jobs.toml", &registry)]);
    assert_eq!(load(&folder).unwrap().jobs[0].previously.as_ref().map(AsRef::as_ref), Some("old"));
    assert_snapshot!(mistakes(&format!(
        "{}{}{}{}{}{}",
        daily("a", "previously = \"b\""),
        daily("b", "previously = \"b\""),
        daily("c", "previously = \"old\""),
        daily("d", "previously = \"old\""),
        daily("e", "previously = \"my job\""),
        daily("f", "previously = [\"x\"]"),
    )), @r#"
    error: job `a` was previously `b`, which is still there
     --> jobs.toml:4:14
      |
    4 | previously = "b"
      |              ^^^ only the ledger of a job that is gone can be taken over

    error: job `b` was previously `b`, which is its name now
     --> jobs.toml:8:14
      |
    8 | previously = "b"
      |              ^^^

    error: job `d` was previously `old`, and so was `c`
      --> jobs.toml:16:14
       |
    16 | previously = "old"
       |              ^^^^^ only one can take over its ledger; `c` is at jobs.toml:9

    error: job `e`: `previously` is a name that no job had: a job name is made of `A-Z a-z 0-9 . _ -`, without ' '
      --> jobs.toml:20:14
       |
    20 | previously = "my job"
       |              ^^^^^^^^

    error: job `f`: `previously` must be text in quotes, not a list
      --> jobs.toml:24:14
       |
    24 | previously = ["x"]
       |              ^^^^^
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

    error: job `d`: `done_when` must be text in quotes, or a list of it, not a boolean
      --> jobs.toml:16:13
       |
    16 | done_when = true
       |             ^^^^
    "#);
    assert_snapshot!(warnings(&daily("a", "done_when = \"test -e {date}\"")), @r#"
    warning: job `a`: `done_when` is a string, in which `{date` is not filled in
     --> jobs.toml:4:22
      |
    4 | done_when = "test -e {date}"
      |                      ^^^^^ a string goes to the shell as it is: write `$CRONTABBER_SESSION_DATE`, or the command as a list
    "#);
}
