//! Unknown keys, and what was probably meant.

use super::*;

#[test]
fn unknown_keys_with_suggestions() {
    assert_snapshot!(mistakes(r#"
timezone = "UTC"
retry = 1
[demon]
x = 1
[load]
schedule = "@daily"
command = "true"
[jobs.nightly-report]
scedule = "0 3 * * *"
cmd = "true"
max_running = 3
banana = 1
"bad\nkey" = 1
dependsOn = "x"
[jobs.nightly-report.retry]
max_attempts = 3
[jobs.with.dot]
schedule = "@daily"
command = "true"
"#), @r#"
error: the registry has unknown key `timezone`
 --> jobs.toml:2:1
  |
2 | timezone = "UTC"
  | ^^^^^^^^ `timezone` belongs in `[daemon]`, or in a job: `[jobs.NAME]`

error: the registry has unknown key `retry`
 --> jobs.toml:3:1
  |
3 | retry = 1
  | ^^^^^ `retry` belongs in a job: `[jobs.NAME]`

error: the registry has unknown key `demon`
 --> jobs.toml:4:2
  |
4 | [demon]
  |  ^^^^^ did you mean `daemon`?

error: the registry has unknown key `load`
 --> jobs.toml:6:2
  |
6 | [load]
  |  ^^^^ a job is declared as `[jobs.load]`

error: job `nightly-report` has unknown key `scedule`
  --> jobs.toml:10:1
   |
10 | scedule = "0 3 * * *"
   | ^^^^^^^ did you mean `schedule`?

error: job `nightly-report` has unknown key `cmd`
  --> jobs.toml:11:1
   |
11 | cmd = "true"
   | ^^^ did you mean `command`?

error: job `nightly-report` has unknown key `max_running`
  --> jobs.toml:12:1
   |
12 | max_running = 3
   | ^^^^^^^^^^^ `max_running` belongs in `[daemon]`

error: job `nightly-report` has unknown key `banana`
  --> jobs.toml:13:1
   |
13 | banana = 1
   | ^^^^^^

error: job `nightly-report` has unknown key `bad\nkey`
  --> jobs.toml:14:1
   |
14 | "bad\nkey" = 1
   | ^^^^^^^^^^

error: job `nightly-report` has unknown key `dependsOn`
  --> jobs.toml:15:1
   |
15 | dependsOn = "x"
   | ^^^^^^^^^ did you mean `depends_on`?

error: `retry` of job `nightly-report` has unknown key `max_attempts`
  --> jobs.toml:17:1
   |
17 | max_attempts = 3
   | ^^^^^^^^^^^^ did you mean `attempts`?

error: job `with` has unknown key `dot`
  --> jobs.toml:18:12
   |
18 | [jobs.with.dot]
   |            ^^^ a job whose name has a dot is declared in quotes: `[jobs."some.name"]`
"#);
}

#[test]
fn keys_of_other_tools_get_a_suggestion() {
    for (foreign, known) in [
        ("cron = 1", "schedule"),
        ("interval = 1", "every"),
        ("tz = 1", "timezone"),
        ("env = 1", "environment"),
        ("cmd = 1", "command"),
        ("cwd = 1", "working_directory"),
        ("workdir = 1", "working_directory"),
        ("retries = 1", "retry"),
        ("catchup = 1", "backfill"),
        ("WorkingDirectory = 1", "working_directory"),
        ("catchup = true", "backfill"),
        ("catchup = { max_age = \"7d\" }", "catch_up"),
        ("catchUp.max_age = \"7d\"", "catch_up"),
        ("concurrency = 3", "max_parallel"),
        ("concurrencyPolicy = \"Forbid\"", "overlap"),
        ("skip_delayed_by = \"3m\"", "skip_late"),
        ("maxDuration = \"3m\"", "max_duration"),
        ("RandomizedDelaySec = 300", "jitter"),
        ("requires = \"x\"", "require"),
        ("sla = \"07:30\"", "expect_by"),
        ("renamed_from = \"x\"", "previously"),
    ] {
        let rendered = mistakes_in_job(foreign);
        assert!(rendered.contains(&format!("did you mean `{known}`?")), "{rendered}");
    }
}
