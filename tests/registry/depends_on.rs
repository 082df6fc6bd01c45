//! `depends_on` in all its forms, and `require`.

use crontabber::job::{Offset, Period};

use super::*;

/// A daily job `a` with these lines, a daily job `load` and a job `fetch` without a schedule.
fn three(lines: &str) -> String {
    format!("{}{}{}", daily("a", lines), daily("load", "require = \"fetch\""), job_with("fetch", ""))
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
fn mistakes_in_a_table() {
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

    error: `depends_on` of job `a`: `job` must be a string, not an integer
     --> jobs.toml:7:13
      |
    7 |     { job = 3, offset = -1 },
      |             ^ put it in quotes: `"3"`

    error: `depends_on` of job `a`: `offset` must be a signed duration such as `"-1d"`, not an integer
     --> jobs.toml:7:25
      |
    7 |     { job = 3, offset = -1 },
      |                         ^^ such as `"-1d"` for the day before

    error: `depends_on` of job `a`: `job` is empty
     --> jobs.toml:8:13
      |
    8 |     { job = "", ignore_failure = "yes" },
      |             ^^

    error: `depends_on` of job `a`: `ignore_failure` must be `true` or `false`, not a string
     --> jobs.toml:8:34
      |
    8 |     { job = "", ignore_failure = "yes" },
      |                                  ^^^^^ write `ignore_failure = true`, without quotes

    error: job `a` depends on `lod`, which does not exist
     --> jobs.toml:9:13
      |
    9 |     { job = "lod", offset = "-1 day" },
      |             ^^^^^ did you mean `load`?

    error: `depends_on` of job `a`: `offset` is invalid: `1 day` is not a duration
     --> jobs.toml:9:29
      |
    9 |     { job = "lod", offset = "-1 day" },
      |                             ^^^^^^^^ did you mean `-1d`?

    error: `depends_on` of job `a`: `offset` is invalid: `5` is not a duration
      --> jobs.toml:10:30
       |
    10 |     { job = "load", offset = "-5" },
       |                              ^^^^ add a unit: `-5s`?

    error: `depends_on` of job `a`: `offset` has two signs
      --> jobs.toml:11:30
       |
    11 |     { job = "load", offset = "--1d" },
       |                              ^^^^^^ one of them, as in `-1d`

    error: `depends_on` of job `a`: `offset` is invalid: a duration cannot be empty
      --> jobs.toml:12:30
       |
    12 |     { job = "load", offset = "-" },
       |                              ^^^ write a number and a unit, such as `90s`

    error: `depends_on` of job `a`: `offset` is invalid: the units of `1h1d` are out of order
      --> jobs.toml:13:30
       |
    13 |     { job = "load", offset = "1h1d" },
       |                              ^^^^^^ write each unit once, largest first, such as `1h30m`

    error: `depends_on` of job `a`: `offset` must be whole seconds
      --> jobs.toml:14:30
       |
    14 |     { job = "load", offset = "-500ms" },
       |                              ^^^^^^^^ dates fall on whole seconds

    error: `depends_on` of job `a`: `offset` is invalid: `36526d` is longer than a century
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
    error: job `a`: `depends_on` must be an array of jobs or a job, not an integer
     --> jobs.toml:4:14
      |
    4 | depends_on = 3
      |              ^ write `depends_on = ["NAME"]`

    error: job `a`: `require` must be an array of strings or a string, not a table
     --> jobs.toml:5:11
      |
    5 | require = { job = "fetch" }
      |           ^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn unknown_jobs_and_the_job_itself() {
    assert_snapshot!(mistakes(&graph(&[("load", &["loda", "load", "something-else"])])), @r#"
    error: job `load` depends on `loda`, which does not exist
     --> jobs.toml:4:15
      |
    4 | depends_on = ["loda", "load", "something-else"]
      |               ^^^^^^

    error: job `load` depends on itself
     --> jobs.toml:4:23
      |
    4 | depends_on = ["loda", "load", "something-else"]
      |                       ^^^^^^ with `backfill = true` a date waits for the earlier dates of its job anyway

    error: job `load` depends on `something-else`, which does not exist
     --> jobs.toml:4:31
      |
    4 | depends_on = ["loda", "load", "something-else"]
      |                               ^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn an_invalid_job_is_not_reported_as_missing() {
    assert_snapshot!(mistakes(&format!("[jobs.broken]\ncommand = 3\nschedule = \"@daily\"\n{}", graph(&[("a", &["broken"])]))), @r#"
    error: job `broken`: `command` must be a string or an array of strings, not an integer
     --> jobs.toml:2:11
      |
    2 | command = 3
      |           ^
    "#);
}

#[test]
fn dependencies_that_can_never_be_met() {
    assert_snapshot!(mistakes(&format!(
        "{}{}",
        three("depends_on = [\"fetch\", { job = \"a\", offset = \"-1d\" }]\nrequire = [\"load\", \"fetsh\", \"nothing\"]"),
        job_with("x", "require = \"x\""),
    )), @r#"
    error: job `a` depends on `fetch`, which has no schedule
     --> jobs.toml:4:15
      |
    4 | depends_on = ["fetch", { job = "a", offset = "-1d" }]
      |               ^^^^^^^ list it in `require`, which starts it for the same date

    error: job `a` depends on itself
     --> jobs.toml:4:32
      |
    4 | depends_on = ["fetch", { job = "a", offset = "-1d" }]
      |                                ^^^ with `backfill = true` a date waits for the earlier dates of its job anyway

    error: job `a` requires `load`, which has a schedule
     --> jobs.toml:5:12
      |
    5 | require = ["load", "fetsh", "nothing"]
      |            ^^^^^^ list it in `depends_on`, which waits for its dates

    error: job `a` requires `fetsh`, which does not exist
     --> jobs.toml:5:20
      |
    5 | require = ["load", "fetsh", "nothing"]
      |                    ^^^^^^^ did you mean `fetch`?

    error: job `a` requires `nothing`, which does not exist
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
fn warnings_about_dependencies() {
    assert_snapshot!(warnings(&format!(
        "{}{}{}{}",
        daily("a", "require = [\"x\", \"x\"]\nstart = 2026-11-01\ndepends_on = [{ job = \"b\" }, \"b\", { job = \"b\", covers = \"day\" }]"),
        job_with("x", "enabled = false"),
        daily("b", "start = 2026-11-05"),
        daily("c", "enabled = false\nrequire = \"x\""),
    )), @r#"
    warning: job `a` requires `x`, which is disabled
     --> jobs.toml:4:12
      |
    4 | require = ["x", "x"]
      |            ^^^

    warning: job `a` lists `x` twice in `require`
     --> jobs.toml:4:17
      |
    4 | require = ["x", "x"]
      |                 ^^^

    warning: job `a` starts before `b`, which it depends on
     --> jobs.toml:6:23
      |
    6 | depends_on = [{ job = "b" }, "b", { job = "b", covers = "day" }]
      |                       ^^^ its first dates wait until the first date of `b` is settled

    warning: job `a` lists `b` twice in `depends_on`
     --> jobs.toml:6:30
      |
    6 | depends_on = [{ job = "b" }, "b", { job = "b", covers = "day" }]
      |                              ^^^
    "#);
}

#[test]
fn a_dependency_on_a_later_time_of_the_day_is_a_warning() {
    let pair = |up: &str, down: &str, dependency: &str| {
        warnings(&format!(
            "[jobs.up]\ncommand = \"true\"\nschedule = \"{up}\"\n\
             [jobs.down]\ncommand = \"true\"\nschedule = \"{down}\"\ndepends_on = [{dependency}]\n"
        ))
    };
    assert_snapshot!(pair("0 3 * * *", "0 2 * * *", "\"up\""), @r#"
    warning: job `down` is earlier in the day than `up`, which it depends on: it waits for the date of the day before
     --> jobs.toml:7:15
      |
    7 | depends_on = ["up"]
      |               ^^^^ for the same day, write `{ job = "up", covers = "day" }`
    "#);
    assert_snapshot!(pair("0 3 * * 1-5", "0 2 * * *", "{ job = \"up\", covers = \"day\" }"), @r#"
    warning: job `up` has no date on some days of `down`, such as a Saturday
     --> jobs.toml:7:23
      |
    7 | depends_on = [{ job = "up", covers = "day" }]
      |                       ^^^^ on these days it waits for nothing; without `covers` it waits for all dates before
    "#);
    for (up, down, dependency) in [
        ("0 3 * * *", "0 3 * * *", "\"up\""),
        ("0 3 * * *", "0 4 * * *", "\"up\""),
        ("0 * * * *", "30 2 * * *", "\"up\""),
        ("0 3 * * *", "0 * * * *", "\"up\""),
        ("0 3 * * mon", "0 2 * * tue", "\"up\""),
        ("0 3 * * *", "0 2 * * *", "{ job = \"up\", covers = \"day\" }"),
        ("0 3 * * *", "0 2 * * *", "{ job = \"up\", offset = \"-1d\" }"),
        ("0 3 * * *", "0 2 * * *", "{ job = \"up\", covers = \"week\" }"),
    ] {
        assert_eq!(pair(up, down, dependency), "", "{up}, {down}, {dependency}");
    }
}
