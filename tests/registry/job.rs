//! A job: every key with a valid value, its name, and a table of the wrong type in its place.

use std::path::PathBuf;
use std::time::Duration;

use crontabber::job::{Command, DatePolicy, Dependency, OnLost};

use super::*;

#[test]
fn the_example_of_the_design() {
    let folder = folder(&[("jobs.toml", DESIGN)]);
    let registry = load(&folder).unwrap();
    assert_eq!(registry.daemon.ledger.as_deref(), Some("sqlite:///var/lib/crontabber/ledger.db"));
    assert_eq!(registry.daemon.timezone, chrono_tz::Tz::Europe__Berlin);
    assert_eq!(registry.warnings, []);
    let [loading, cleaning] = registry.jobs.as_slice() else { panic!("two jobs") };
    assert_eq!(loading.name.as_str(), "load");
    assert!(loading.date_policy.is_backfillable() && loading.enabled);
    let Command::Argv(arguments) = &loading.command else { panic!("a list") };
    assert_eq!(arguments[2].to_string(), "{date:%Y-%m-%d}");
    assert_eq!(cleaning.depends_on, [Dependency::on(loading.name.clone())]);
    assert_eq!(cleaning.retry.after, Duration::from_mins(5));
    assert_eq!(cleaning.retry.at_most, Some(Duration::from_hours(1)));
    assert_eq!(cleaning.retry.attempts, None);
    assert_eq!(cleaning.timeout, Some(Duration::from_hours(2)));
    assert!(matches!(&cleaning.command, Command::Shell(text) if text.ends_with("('$CRONTABBER_SESSION_DATE')\"")));
}

#[test]
fn every_key_is_read() {
    let folder = folder(&[(
        "jobs.toml",
        r#"
[daemon]
ledger = "postgres://u:p@localhost/db"
timezone = "America/New_York"
max_running = 0x10
stop_grace = "0s"
output_limit = 65_536

[jobs."a.b"]
description = "all of it"
every = "2d"
at = "02:30"
timezone = "Asia/Kathmandu"
start = "2026-11-01"
end = 2027-01-01T00:00:00+05:45
delay = "1h30m"
backfill = true
order = "independent"
command = """
one
	two"""
working_directory = "work"
environment = { LANG = "C", empty = "" }
environment_file = "/etc/default/load"
timeout = "90s"
kill_grace = "0s"
depends_on = "second"
on_lost = "hold"
enabled = false
tags = ["x", "y"]
[jobs."a.b".retry]
after = "1s"
factor = 1.5
at_most = "1m"
attempts = 3

[jobs]
second = { schedule = "@daily", command = ["echo", "", "{job} {{}}"] }
"#,
    )]);
    // `[jobs]` after `[jobs."a.b"]` is allowed once.
    let registry = load(&folder).unwrap();
    assert_eq!(registry.daemon.stop_grace, Duration::ZERO);
    assert_eq!((registry.daemon.max_running, registry.daemon.output_limit), (16, 65_536));
    let job = &registry.jobs[0];
    assert_eq!(job.command, Command::Shell("one\n\ttwo".to_owned()));
    assert_eq!(job.date_policy, DatePolicy::Independent { max_parallel: 1 });
    assert_eq!(job.on_lost, OnLost::Hold);
    assert_eq!(job.working_directory, Some(folder.path().join("work")));
    assert_eq!(job.environment_file, Some(PathBuf::from("/etc/default/load")));
    assert_eq!(job.environment.len(), 2);
    assert_eq!((job.retry.factor, job.retry.attempts), (1.5, Some(3)));
    assert_eq!(job.kill_grace, Duration::ZERO);
    assert!(!job.enabled);
    assert_eq!(job.tags, ["x", "y"]);
    assert_eq!(registry.jobs[1].name.as_str(), "second");
}

#[test]
fn invalid_job_names() {
    let long = "x".repeat(101);
    assert_snapshot!(mistakes(&format!(r#"
[jobs."my job"]
schedule = "@daily"
command = "true"
depends_on = ["größe", ".hidden"]
[jobs."größe"]
schedule = "@daily"
command = "true"
[jobs.""]
schedule = "@daily"
command = "true"
[jobs.".hidden"]
schedule = "@daily"
command = "true"
[jobs.{long}]
schedule = "@daily"
command = "true"
"#)), @r#"
    error: a job cannot be named `my job`: a job name consists of `A-Z a-z 0-9 . _ -`, not ' '
     --> jobs.toml:2:7
      |
    2 | [jobs."my job"]
      |       ^^^^^^^^ for example `[jobs.my-job]`

    error: a job cannot be named `größe`: a job name consists of `A-Z a-z 0-9 . _ -`, not 'ö'
     --> jobs.toml:6:7
      |
    6 | [jobs."größe"]
      |       ^^^^^^^

    error: a job cannot be named `""`: a job name cannot be empty
     --> jobs.toml:9:7
      |
    9 | [jobs.""]
      |       ^^

    error: a job cannot be named `.hidden`: a job name starts with a letter or digit, not with '.'
      --> jobs.toml:12:7
       |
    12 | [jobs.".hidden"]
       |       ^^^^^^^^^ for example `[jobs.hidden]`

    error: a job cannot be named `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`: a job name has at most 100 characters, and this one has 101
      --> jobs.toml:15:7
       |
    15 | [jobs.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn a_table_of_the_wrong_type() {
    assert_snapshot!(mistakes("daemon = 3\n[[jobs]]\nname = \"a\"\n"), @r#"
    error: the registry: `daemon` must be a table, not an integer
     --> jobs.toml:1:10
      |
    1 | daemon = 3
      |          ^

    error: the registry: `jobs` must be a table, not an array of tables
     --> jobs.toml:2:1
      |
    2 | [[jobs]]
      | ^^^^^^^^ a job is declared as `[jobs.NAME]`
    "#);
    assert_snapshot!(mistakes("jobs.a = \"x\"\njobs.b = 3\n[[jobs.c]]\ncommand = \"x\"\n"), @r#"
    error: job `a` must be a table, not a string
     --> jobs.toml:1:6
      |
    1 | jobs.a = "x"
      |      ^ a job is declared as `[jobs.NAME]`, with its keys below

    error: job `b` must be a table, not an integer
     --> jobs.toml:2:6
      |
    2 | jobs.b = 3
      |      ^ a job is declared as `[jobs.NAME]`, with its keys below

    error: job `c` must be a table, not an array of tables
     --> jobs.toml:3:8
      |
    3 | [[jobs.c]]
      |        ^ a job is declared as `[jobs.NAME]`, with its keys below
    "#);
}
