//! The registry as a user meets it: files in, jobs or rendered mistakes out.
#![expect(clippy::too_many_lines, reason = "a table of mistakes is long, and is read from top to bottom")]

use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use crontabber::registry::{Registry, RegistryError};
use insta::assert_snapshot;
use tempfile::TempDir;

#[path = "registry/dates.rs"]
mod dates;
#[path = "registry/needs.rs"]
mod needs;
#[path = "registry/order.rs"]
mod order;
#[path = "registry/pools.rs"]
mod pools;

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().expect("an instant")
}

/// Writes files into a new folder; the first is the registry.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a new folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a path in the folder")).expect("a new folder");
        fs::write(path, text).expect("a new file");
    }
    folder
}

fn load(folder: &TempDir) -> Result<Registry, RegistryError> {
    Registry::load(&folder.path().join("jobs.toml"), now())
}

/// The mistakes of a registry as they are printed, without the folder it is in.
fn mistakes_in(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let error = load(&folder).expect_err("the registry has a mistake");
    without_folder(&error.render(false), folder.path())
}

fn mistakes(text: &str) -> String {
    mistakes_in(&[("jobs.toml", text)])
}

/// The mistakes of a job that is good but for these lines.
fn job(lines: &str) -> String {
    mistakes(&format!("[jobs.load]\nschedule = \"15 1 * * *\"\ncommand = \"true\"\n{lines}\n"))
}

fn warnings(text: &str) -> String {
    let folder = folder(&[("jobs.toml", text)]);
    without_folder(&load(&folder).expect("a registry").render_warnings(false), folder.path())
}

fn without_folder(text: &str, folder: &Path) -> String {
    text.replace(&format!("{}/", folder.display()), "")
}

const DESIGN: &str = r#"
[daemon]
ledger   = "sqlite:///var/lib/crontabber/ledger.db"   # or postgres://…; default: in the state directory
timezone = "Europe/Berlin"                            # default for jobs; default UTC
max_running = 16

[jobs.load]
schedule = "15 1 * * *"
backfill = true
start    = 2026-11-01                                 # a day in the job's zone, or an instant
command  = ["/usr/local/bin/load", "--day", "{date:%Y-%m-%d}"]

[jobs.clean-reports]
description = "fills reports_clean for one day"
every    = "1d"
at       = "02:30"
backfill = true
depends_on = ["load"]
command  = "psql -v ON_ERROR_STOP=1 -c \"select cleanup('$CRONTABBER_SESSION_DATE')\""   # a string goes to /bin/sh -c
retry    = { after = "5m", factor = 2, at_most = "1h" }   # the default: every 5 minutes, for ever
timeout  = "2h"
"#;

mod good {
    use std::path::PathBuf;
    use std::time::Duration;

    use crontabber::job::{Command, DatePolicy, OnLost};

    use super::*;

    #[test]
    fn the_jobs_of_the_design() {
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
        assert_eq!(cleaning.depends_on, [crontabber::job::Dependency::on(loading.name.clone())]);
        assert_eq!(cleaning.retry.after, Duration::from_mins(5));
        assert_eq!(cleaning.retry.at_most, Some(Duration::from_hours(1)));
        assert_eq!(cleaning.retry.attempts, None);
        assert_eq!(cleaning.timeout, Some(Duration::from_hours(2)));
        assert!(matches!(&cleaning.command, Command::Shell(text) if text.ends_with("('$CRONTABBER_SESSION_DATE')\"")));
    }

    #[test]
    fn every_key_of_every_table() {
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
    fn included_files_follow_in_order() {
        let job = |name: &str| format!("[jobs.{name}]\nschedule = \"@daily\"\ncommand = \"true\"\n");
        let folder = folder(&[
            ("jobs.toml", &format!("include = [\"more/last.toml\", \"jobs.d/*.toml\", \"more/*\"]\n{}", job("main"))),
            ("jobs.d/b.toml", &format!("{}{}", job("z"), job("a"))),
            ("jobs.d/a.toml", &job("b")),
            ("jobs.d/.hidden.toml", "no TOML"),
            ("jobs.d/a.toml~", "no TOML"),
            ("jobs.d/folder.toml/x", "no TOML"),
            ("more/last.toml", &job("last")),
        ]);
        let registry = load(&folder).unwrap();
        let names: Vec<&str> = registry.jobs.iter().map(|job| job.name.as_str()).collect();
        assert_eq!(names, ["main", "last", "b", "z", "a"]);
        let files: Vec<_> = registry.files.iter().map(|file| file.strip_prefix(folder.path()).unwrap()).collect();
        assert_eq!(files, ["jobs.toml", "more/last.toml", "jobs.d/a.toml", "jobs.d/b.toml"].map(Path::new));
    }

    #[test]
    fn what_is_worth_a_look() {
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

warning: job `first`: `command` is a string, in which `{date` is not filled in
 --> jobs.toml:6:23
  |
6 | command = "load --day {date:%Y} --job '{job}'"
  |                       ^^^^^ a string goes to the shell as it is: write `$CRONTABBER_SESSION_DATE`, or the command as a list

warning: job `first`: `command` is a string, in which `{job}` is not filled in
 --> jobs.toml:6:40
  |
6 | command = "load --day {date:%Y} --job '{job}'"
  |                                        ^^^^^ a string goes to the shell as it is: write `$CRONTABBER_JOB`, or the command as a list

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

warning: job `second` names `first` twice in `depends_on`
  --> jobs.toml:10:33
   |
10 | depends_on = ["first", "third", "first"]
   |                                 ^^^^^^^

warning: job `second`: `command` is one argument with spaces, which nothing splits
  --> jobs.toml:11:12
   |
11 | command = ["psql -c x"]
   |            ^^^^^^^^^^^ split it into arguments, or drop the brackets to give it to the shell
"#);
    }
}

mod files {
    use super::*;

    #[test]
    fn missing() {
        let error = Registry::load(Path::new("/nonexistent/jobs.toml"), now()).unwrap_err();
        assert!(
            matches!(&error, RegistryError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
        );
        assert_snapshot!(error.render(false), @r#"
        error: cannot read the registry `/nonexistent/jobs.toml`: there is no such file
        --> /nonexistent/jobs.toml
        "#);
        assert_snapshot!(error, @"cannot read the registry `/nonexistent/jobs.toml`: there is no such file");
    }

    #[test]
    fn a_directory() {
        assert_snapshot!(Registry::load(Path::new("/"), now()).unwrap_err().render(false), @r#"
        error: cannot read the registry `/`: it is a directory
        --> /
        "#);
    }

    #[test]
    fn empty() {
        assert_snapshot!(mistakes(""), @r#"
        error: the registry holds no jobs
        --> jobs.toml
         = help: add one: `[jobs.hello]` with `schedule = "0 3 * * *"` and `command = "echo hello"`
        "#);
        assert_snapshot!(mistakes("# nothing\n[jobs]\n"), @r#"
        error: the registry holds no jobs
        --> jobs.toml
         = help: add one: `[jobs.hello]` with `schedule = "0 3 * * *"` and `command = "echo hello"`
        "#);
    }

    #[test]
    fn too_large() {
        assert_snapshot!(mistakes(&"#".repeat(10_000_000)), @r#"
        error: the file has 9.6 MiB, and a registry at most 8 MiB
        --> jobs.toml
         = help: divide it with `include`, if it is a registry
        "#);
        assert!(Registry::load(Path::new("/dev/zero"), now()).unwrap_err().to_string().contains("at most 8 MiB"));
    }

    #[test]
    fn not_utf_8() {
        let folder = folder(&[]);
        fs::write(folder.path().join("jobs.toml"), b"[jobs.a]\ndescription = \"gr\xf6\xdfe\"\n").unwrap();
        assert_snapshot!(without_folder(&load(&folder).unwrap_err().render(false), folder.path()), @r#"
        error: the file is not UTF-8: byte 0xf6
         --> jobs.toml:2:18
          |
        2 | description = "gr��e"
          |                  ^ save it in this encoding; only comments and quoted text may hold more than ASCII
        "#);
    }

    #[test]
    fn mistakes_of_includes() {
        let job = "[jobs.load]\nschedule = \"@daily\"\ncommand = \"true\"\n";
        assert_snapshot!(mistakes_in(&[
            ("jobs.toml", &format!("include = [\"gone.toml\", \"jobs.d\", \"a/*/b.toml\", \"\", \"jobs.toml\", \"jobs.d/*\", 3]\n{job}")),
            ("jobs.d/a.toml", &format!("include = \"x\"\n{job}\n[jobs.b]\ndepends_on = \"laod\"\n[daemon]\nmax_running = 1\n")),
            ("jobs.d/b.toml", "[jobs.c\n"),
            ("jobs.d/c.toml", "[jobs.c]\ncommand = \"\"\n"),
        ]), @r#"
        error: the registry: `include` `gone.toml` cannot be read: `gone.toml`: there is no such file
         --> jobs.toml:1:12
          |
        1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
          |            ^^^^^^^^^^^

        error: the registry: `include` `jobs.d` names a directory
         --> jobs.toml:1:25
          |
        1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
          |                         ^^^^^^^^ write `jobs.d/*.toml`

        error: the registry: `include` `a/*/b.toml` has a wildcard before the last part of the path
         --> jobs.toml:1:35
          |
        1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
          |                                   ^^^^^^^^^^^^ only the last part may hold `*` and `?`

        error: the registry: `include` `""` names no file
         --> jobs.toml:1:49
          |
        1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
          |                                                 ^^ such as `jobs.d/*.toml`

        error: the registry: `include` `jobs.toml` names the file that it stands in
         --> jobs.toml:1:53
          |
        1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
          |                                                     ^^^^^^^^^^^

        error: the registry: `include` must hold text in quotes only, not a whole number
         --> jobs.toml:1:78
          |
        1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
          |                                                                              ^ put it in quotes: `"3"`

        error: the registry has unknown key `include`
         --> jobs.d/a.toml:1:1
          |
        1 | include = "x"
          | ^^^^^^^ an included file holds jobs and pools only

        error: job `load` is declared twice
         --> jobs.d/a.toml:2:7
          |
        2 | [jobs.load]
          |       ^^^^ it is first declared at jobs.toml:2

        error: job `b` has no `command`
         --> jobs.d/a.toml:6:7
          |
        6 | [jobs.b]
          |       ^ add `command = ["/path/to/program", "--day", "{date:%Y-%m-%d}"]`

        error: the registry has unknown key `daemon`
         --> jobs.d/a.toml:8:2
          |
        8 | [daemon]
          |  ^^^^^^ an included file holds jobs and pools only

        error: unclosed table, expected `]`
         --> jobs.d/b.toml:1:8
          |
        1 | [jobs.c
          |        ^

        error: job `c` is declared twice
         --> jobs.d/c.toml:1:7
          |
        1 | [jobs.c]
          |       ^ it is first declared at jobs.d/b.toml:1

        error: job `c`: `command` is empty
         --> jobs.d/c.toml:2:11
          |
        2 | command = ""
          |           ^^
        "#);
    }

    #[cfg(unix)]
    #[test]
    fn at_hand_are_read_as_from_the_disk() {
        let main = "include = \"jobs.d/*\"\n[daemon]\ntimezone = \"Europe/Berlin\"\n[jobs.a]\nschedule = \"@daily\"\n";
        let more = "[jobs.b]\nevery = \"1d\"\ncommand = \"true\"\ndepends_on = \"a\"\nstart = 2026-11-01\n";
        for command in ["", "command = \"true\"\n"] {
            let main = format!("{main}{command}");
            let folder = folder(&[("jobs.toml", &main), ("jobs.d/b.toml", more)]);
            let paths = ["jobs.toml", "jobs.d/b.toml"].map(|name| folder.path().join(name));
            let read = Registry::parse((&paths[0], main.as_bytes()), &[(&paths[1], more.as_bytes())], now());
            match (load(&folder), read) {
                (Ok(loaded), Ok(read)) => assert_eq!((loaded.jobs, loaded.files), (read.jobs, read.files)),
                (Err(loaded), Err(read)) => assert_eq!(loaded.mistakes(), read.mistakes()),
                (loaded, read) => panic!("loaded {loaded:?}, read {read:?}"),
            }
        }
        let large = vec![b'#'; 9 * 1024 * 1024];
        let error = Registry::parse((Path::new("jobs.toml"), &large), &[], now()).unwrap_err();
        assert_eq!(error.to_string(), "jobs.toml: the file has 9.0 MiB, and a registry at most 8 MiB");
    }

    #[test]
    fn a_link_to_nothing() {
        let folder = folder(&[("jobs.toml", "include = \"jobs.d/*\"\n"), ("jobs.d/a", "")]);
        std::os::unix::fs::symlink("nowhere", folder.path().join("jobs.d/b")).unwrap();
        assert_snapshot!(without_folder(&load(&folder).unwrap_err().render(false), folder.path()), @r#"
        error: the registry: `include` `jobs.d/*` cannot be read: `jobs.d/b`: there is no such file
         --> jobs.toml:1:11
          |
        1 | include = "jobs.d/*"
          |           ^^^^^^^^^^
        "#);
    }
}

mod syntax {
    use super::*;

    #[test]
    fn all_that_the_parser_can_see_past() {
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
error: text must stand in quotes
 --> jobs.toml:3:12
  |
3 | timezone = Europe/Berlin
  |            ^^^^^^^^^^^^^ write `"Europe/Berlin"`

error: `max_running` has no value
 --> jobs.toml:4:15
  |
4 | max_running = 
  |               ^

error: text must stand in quotes
 --> jobs.toml:6:12
  |
6 | schedule = 15 1 * * *
  |            ^^^^^^^^^^ write `"15 1 * * *"`

error: this list is never closed
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

error: invalid date, expected day between 01 and 28
  --> jobs.toml:11:9
   |
11 | start = 2026-02-30
   |         ^^^^^^^^^^

error: this text is never closed
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
    fn what_cannot_stand_in_quotes_is_not_offered_in_them() {
        for (value, offered) in [("Europe/Berlin", true), ("\u{1b}[31m", false), ("a\u{9b}b", false), ("a\\b", false)] {
            let text = format!("[daemon]\ntimezone = {value}\n");
            assert_eq!(mistakes(&text).contains(&format!("write `\"{value}\"`")), offered, "{text:?}");
            let folder = folder(&[("jobs.toml", &text)]);
            assert_eq!(load(&folder).unwrap_err().mistakes()[0].hint.is_some(), offered, "{text:?}");
        }
    }

    #[test]
    fn keys_and_tables_declared_twice() {
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
  | ^^^^^^^^ it is first declared in line 3

error: `load` is declared twice
 --> jobs.toml:9:7
  |
9 | [jobs.load]
  |       ^^^^ it is first declared in line 2

error: `command` is declared twice
  --> jobs.toml:14:1
   |
14 | command = "false"
   | ^^^^^^^ it is first declared in line 13
"#);
    }

    #[test]
    fn what_is_never_closed_hides_nothing_else() {
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
error: this list is never closed
 --> jobs.toml:3:14
  |
3 | depends_on = [
  |              ^ close it with `]`

error: this table is never closed
 --> jobs.toml:6:9
  |
6 | retry = { after = "5m"
  |         ^^^^^^^^^^^^^^ close it with `}`

error: job `a`: `timeout` cannot be read: `2x` is not a duration
 --> jobs.toml:7:11
  |
7 | timeout = "2x"
  |           ^^^^ whole numbers with the units `w d h m s ms`, such as `90s` or `1h30m`

error: this list is never closed
 --> jobs.toml:9:11
  |
9 | command = ["x", # [
  |           ^^^^^^^^^ close it with `]`

error: job `c` has unknown key `banana`
  --> jobs.toml:11:1
   |
11 | banana = 1
   | ^^^^^^

error: this list is never closed
  --> jobs.toml:12:8
   |
12 | tags = [
   |        ^ close it with `]`
"#);
    }

    #[test]
    fn an_unclosed_text_hides_the_rest() {
        assert_snapshot!(mistakes("[jobs.a]\ncommand = \"\"\"\nx\n[jobs.b]\ndepends_on = \"c\"\n"), @r#"
        error: this text is never closed
         --> jobs.toml:2:11
          |
        2 | command = """
          |           ^^^
        "#);
    }

    #[test]
    fn deep_nesting() {
        let deep = |open: &str, close: &str| {
            format!("[jobs.a]\ncommand = {}1{}\n", open.repeat(100_000), close.repeat(100_000))
        };
        assert!(mistakes(&deep("[", "]")).starts_with("error: the brackets or keys are nested too deep"));
        assert!(mistakes(&deep("{a=", "}")).starts_with("error: the brackets or keys are nested too deep"));
        assert!(
            mistakes(&format!("[a{}]\n", ".a".repeat(100_000)))
                .starts_with("error: the brackets or keys are nested too deep")
        );
    }

    /// The deepest table that the parser lets through, on the stack of a thread.
    #[test]
    fn as_deep_as_allowed() {
        let dotted = |length: usize| ["a"; 79][..length].join(".");
        let inline = format!("{{{} = ", dotted(79)).repeat(79);
        let text = format!("[{}]\n{} = {inline}1{}\n", dotted(79), dotted(79), "}".repeat(79));
        assert!(mistakes(&text).contains("unknown key `a`"));
    }
}

mod keys {
    use super::*;

    #[test]
    fn unknown() {
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
    fn what_other_tools_call_them() {
        for (foreign, known) in [
            ("cron", "schedule"),
            ("interval", "every"),
            ("tz", "timezone"),
            ("env", "environment"),
            ("cmd", "command"),
            ("cwd", "working_directory"),
            ("workdir", "working_directory"),
            ("retries", "retry"),
            ("catchup", "backfill"),
            ("WorkingDirectory", "working_directory"),
        ] {
            let rendered = job(&format!("{foreign} = 1"));
            assert!(rendered.contains(&format!("did you mean `{known}`?")), "{rendered}");
        }
    }

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
error: the registry: `include` must be a list of text, or one text, not a whole number
 --> jobs.toml:2:11
  |
2 | include = 3
  |           ^

error: `[daemon]`: `ledger` must be text in quotes, not a whole number
 --> jobs.toml:4:10
  |
4 | ledger = ***
  |          ^^^

error: `[daemon]`: `timezone` must be the name of a time zone in quotes, not a boolean
 --> jobs.toml:5:12
  |
5 | timezone = true
  |            ^^^^

error: `[daemon]`: `max_running` must be a whole number, not text
 --> jobs.toml:6:15
  |
6 | max_running = "16"
  |               ^^^^ write `max_running = 16`, without quotes

error: `[daemon]`: `stop_grace` must be a duration in quotes, not a whole number
 --> jobs.toml:7:14
  |
7 | stop_grace = 60
  |              ^^ write `"60s"`

error: `[daemon]`: `output_limit` must be a number of bytes, or text such as `"1MiB"`, not a number with a fraction
 --> jobs.toml:8:16
  |
8 | output_limit = 1.5
  |                ^^^

error: job `a`: `description` must be text in quotes, not a date
  --> jobs.toml:10:15
   |
10 | description = 2026-11-01
   |               ^^^^^^^^^^ put it in quotes: `"2026-11-01"`

error: job `a`: `schedule` must be text in quotes, not a list
  --> jobs.toml:11:12
   |
11 | schedule = ["@daily"]
   |            ^^^^^^^^^^

error: job `a`: `command` must be text in quotes, or a list of it, not a whole number
  --> jobs.toml:12:11
   |
12 | command = 3
   |           ^

error: job `a`: `timezone` must be the name of a time zone in quotes, not a list
  --> jobs.toml:13:12
   |
13 | timezone = ["UTC"]
   |            ^^^^^^^

error: job `a`: `start` must be a day or an instant, not a whole number
  --> jobs.toml:14:9
   |
14 | start = 20261101
   |         ^^^^^^^^ write a day as `start = 2026-11-01`, or an instant as `start = 2026-11-01T06:00:00Z`

error: job `a`: `end` is neither a day nor an instant
  --> jobs.toml:15:7
   |
15 | end = 07:30:00
   |       ^^^^^^^^ write a day as `end = 2026-11-01`, or an instant as `end = 2026-11-01T06:00:00Z`

error: job `a`: `delay` must be a duration in quotes, not a number with a fraction
  --> jobs.toml:16:9
   |
16 | delay = 1.5
   |         ^^^ such as `"90s"` or `"1h30m"`

error: job `a`: `backfill` must be `true` or `false`, not a whole number
  --> jobs.toml:17:12
   |
17 | backfill = 1
   |            ^

error: job `a`: `order` must be `"strict"` or `"independent"`, not a boolean
  --> jobs.toml:18:9
   |
18 | order = true
   |         ^^^^

error: job `a`: `working_directory` must be text in quotes, not a boolean
  --> jobs.toml:19:21
   |
19 | working_directory = false
   |                     ^^^^^

error: job `a`: `environment` must be a table of text, not a list
  --> jobs.toml:20:15
   |
20 | environment = ["A=1"]
   |               ^^^^^^^ write `environment = { NAME = "value" }`

error: job `a`: `environment_file` must be text in quotes, not a table
  --> jobs.toml:21:20
   |
21 | environment_file = {}
   |                    ^^

error: job `a`: `retry` must be a table, not a list
  --> jobs.toml:22:9
   |
22 | retry = []
   |         ^^ write `retry = { after = "5m", factor = 2, at_most = "1h" }`

error: job `a`: `timeout` must be a duration in quotes, not a boolean
  --> jobs.toml:23:11
   |
23 | timeout = false
   |           ^^^^^ such as `"90s"` or `"1h30m"`

error: job `a`: `kill_grace` must be a duration in quotes, not a whole number
  --> jobs.toml:24:14
   |
24 | kill_grace = -5
   |              ^^ such as `"90s"` or `"1h30m"`

error: job `a`: `depends_on` must hold names of jobs and tables only, not a whole number
  --> jobs.toml:25:15
   |
25 | depends_on = [1, "a", {}]
   |               ^ put it in quotes: `"1"`

error: job `a` depends on itself
  --> jobs.toml:25:18
   |
25 | depends_on = [1, "a", {}]
   |                  ^^^ with `backfill = true` a date waits for the earlier ones of its job anyway

error: `depends_on` of job `a` has a table without `job`
  --> jobs.toml:25:23
   |
25 | depends_on = [1, "a", {}]
   |                       ^^ add `job = "NAME"`

error: job `a`: `on_lost` must be `"retry"` or `"hold"`, not a whole number
  --> jobs.toml:26:11
   |
26 | on_lost = 0
   |           ^

error: job `a`: `enabled` must be `true` or `false`, not text
  --> jobs.toml:27:11
   |
27 | enabled = "no"
   |           ^^^^ write `enabled = false`, without quotes

error: job `a`: `tags` must be a list of text, not text
  --> jobs.toml:28:8
   |
28 | tags = "x"
   |        ^^^ write `tags = ["x"]`

error: job `b`: `every` must be text in quotes, not a whole number
  --> jobs.toml:30:9
   |
30 | every = 3
   |         ^

error: job `b`: `at` must be text in quotes, not a date
  --> jobs.toml:31:6
   |
31 | at = 02:30:00
   |      ^^^^^^^^ put it in quotes: `"02:30"`

error: job `b`: `command` must hold text in quotes only, not a whole number
  --> jobs.toml:32:12
   |
32 | command = [1, true, 2026-11-01, ["x"]]
   |            ^ put it in quotes: `"1"`

error: job `b`: `command` must hold text in quotes only, not a boolean
  --> jobs.toml:32:15
   |
32 | command = [1, true, 2026-11-01, ["x"]]
   |               ^^^^ put it in quotes: `"true"`

error: job `b`: `command` must hold text in quotes only, not a date
  --> jobs.toml:32:21
   |
32 | command = [1, true, 2026-11-01, ["x"]]
   |                     ^^^^^^^^^^ put it in quotes: `"2026-11-01"`

error: job `b`: `command` must hold text in quotes only, not a list
  --> jobs.toml:32:33
   |
32 | command = [1, true, 2026-11-01, ["x"]]
   |                                 ^^^^^

error: job `b`: `environment` must hold text in quotes only, not a whole number
  --> jobs.toml:33:21
   |
33 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
   |                     ^ put it in quotes: `"1"`

error: job `b`: `environment` must hold text in quotes only, not a boolean
  --> jobs.toml:33:28
   |
33 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
   |                            ^^^^ put it in quotes: `"true"`

error: job `b`: `environment` cannot set `1C`: no variable has that name
  --> jobs.toml:33:34
   |
33 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
   |                                  ^^^^ letters, digits and `_`, not beginning with a digit

error: job `b`: `environment` cannot set `CRONTABBER_JOB`: such names are crontabber's own
  --> jobs.toml:33:45
   |
33 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
   |                                             ^^^^^^^^^^^^^^

error: job `b`: `environment` cannot set `""`: no variable has that name
  --> jobs.toml:33:67
   |
33 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
   |                                                                   ^^ letters, digits and `_`, not beginning with a digit

error: job `b`: `environment` holds the control character '\0'
  --> jobs.toml:33:80
   |
33 | environment = { A = 1, B = true, "1C" = "", CRONTABBER_JOB = "x", "" = "", D = "\u0000" }
   |                                                                                ^^^^^^^^

error: `retry` of job `b`: `after` must be a duration in quotes, not a whole number
  --> jobs.toml:34:19
   |
34 | retry = { after = 5, factor = "2", at_most = [], attempts = 1.5 }
   |                   ^ write `"5s"`

error: `retry` of job `b`: `factor` must be a number, not text
  --> jobs.toml:34:31
   |
34 | retry = { after = 5, factor = "2", at_most = [], attempts = 1.5 }
   |                               ^^^ write `factor = 2`, without quotes

error: `retry` of job `b`: `at_most` must be a duration in quotes, not a list
  --> jobs.toml:34:46
   |
34 | retry = { after = 5, factor = "2", at_most = [], attempts = 1.5 }
   |                                              ^^ such as `"90s"` or `"1h30m"`

error: `retry` of job `b`: `attempts` must be a whole number, not a number with a fraction
  --> jobs.toml:34:61
   |
34 | retry = { after = 5, factor = "2", at_most = [], attempts = 1.5 }
   |                                                             ^^^
"#);
    }

    #[test]
    fn tables_of_another_type() {
        assert_snapshot!(mistakes("daemon = 3\n[[jobs]]\nname = \"a\"\n"), @r#"
        error: the registry: `daemon` must be a table, not a whole number
         --> jobs.toml:1:10
          |
        1 | daemon = 3
          |          ^

        error: the registry: `jobs` must be a table, not a list of tables
         --> jobs.toml:2:1
          |
        2 | [[jobs]]
          | ^^^^^^^^ a job is declared as `[jobs.NAME]`
        "#);
        assert_snapshot!(mistakes("jobs.a = \"x\"\njobs.b = 3\n[[jobs.c]]\ncommand = \"x\"\n"), @r#"
        error: job `a` must be a table, not text
         --> jobs.toml:1:6
          |
        1 | jobs.a = "x"
          |      ^ a job is declared as `[jobs.NAME]`, with its keys below

        error: job `b` must be a table, not a whole number
         --> jobs.toml:2:6
          |
        2 | jobs.b = 3
          |      ^ a job is declared as `[jobs.NAME]`, with its keys below

        error: job `c` must be a table, not a list of tables
         --> jobs.toml:3:8
          |
        3 | [[jobs.c]]
          |        ^ a job is declared as `[jobs.NAME]`, with its keys below
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
error: `[daemon]`: `timezone` names no time zone: `europe/berlin`
 --> jobs.toml:3:12
  |
3 | timezone = "europe/berlin"
  |            ^^^^^^^^^^^^^^^ did you mean `Europe/Berlin`?

error: `[daemon]`: `max_running` must be at least 1
 --> jobs.toml:4:15
  |
4 | max_running = 0
  |               ^

error: `[daemon]`: `stop_grace` cannot be read: `1 minute` is not a duration
 --> jobs.toml:5:14
  |
5 | stop_grace = "1 minute"
  |              ^^^^^^^^^^ did you mean `1m`?

error: `[daemon]`: `output_limit` cannot be read: `12` is not a size
 --> jobs.toml:6:16
  |
6 | output_limit = "12"
  |                ^^^^ a whole number with `B`, `kB`, `KiB`, `MB`, `MiB`, `GB` or `GiB`, such as `1MiB`

error: job `a`: `timezone` names no time zone: `Berlin`
  --> jobs.toml:10:12
   |
10 | timezone = "Berlin"
   |            ^^^^^^^^ did you mean `Europe/Berlin`?

error: job `a`: `order` must be `"strict"` or `"independent"`, not `strct`
  --> jobs.toml:11:9
   |
11 | order = "strct"
   |         ^^^^^^^ did you mean `strict`?

error: job `a`: `timeout` must be longer than nothing
  --> jobs.toml:12:11
   |
12 | timeout = "0s"
   |           ^^^^

error: job `a`: `delay` cannot be read: a duration cannot be empty
  --> jobs.toml:13:9
   |
13 | delay = ""
   |         ^^ write a number and a unit, such as `90s`

error: job `a`: `kill_grace` cannot be read: `5` is not a duration
  --> jobs.toml:14:14
   |
14 | kill_grace = "5"
   |              ^^^ it has no unit: `5s`?

error: job `a`: `on_lost` must be `"retry"` or `"hold"`, not `ignore`
  --> jobs.toml:15:11
   |
15 | on_lost = "ignore"
   |           ^^^^^^^^

error: job `a`: `tags` holds an empty one
  --> jobs.toml:16:9
   |
16 | tags = ["", "a\u0007"]
   |         ^^

error: job `a`: `tags` holds the control character '\u{7}'
  --> jobs.toml:16:13
   |
16 | tags = ["", "a\u0007"]
   |             ^^^^^^^^^

error: job `a`: `description` is empty
  --> jobs.toml:17:15
   |
17 | description = " "
   |               ^^^

error: job `a`: `working_directory` begins with `~`
  --> jobs.toml:18:22
   |
18 | working_directory = "~/x"
   |                      ^ write the whole path: no shell reads it

error: `retry` of job `a`: `after` must be longer than nothing
  --> jobs.toml:19:19
   |
19 | retry = { after = "0s", factor = 0.5, at_most = "1s", attempts = 0 }
   |                   ^^^^

error: `retry` of job `a`: `factor` must be a number of at least 1
  --> jobs.toml:19:34
   |
19 | retry = { after = "0s", factor = 0.5, at_most = "1s", attempts = 0 }
   |                                  ^^^ waits do not become shorter

error: `retry` of job `a`: `attempts` must be at least 1
  --> jobs.toml:19:66
   |
19 | retry = { after = "0s", factor = 0.5, at_most = "1s", attempts = 0 }
   |                                                                  ^

error: job `b`: `timezone` names no time zone: `Mars/Phobos`
  --> jobs.toml:23:12
   |
23 | timezone = "Mars/Phobos"
   |            ^^^^^^^^^^^^^ a name of the IANA time zone database, such as `Europe/Berlin` or `UTC`

error: job `b`: `order` must be `"strict"` or `"independent"`, not `any`
  --> jobs.toml:25:9
   |
25 | order = "any"
   |         ^^^^^

error: `retry` of job `b`: `factor` must be a number of at least 1
  --> jobs.toml:26:20
   |
26 | retry = { factor = nan, at_most = "1m", attempts = 99999999999 }
   |                    ^^^ waits do not become shorter

error: `retry` of job `b`: `at_most` is shorter than the default of `after`, `5m`
  --> jobs.toml:26:35
   |
26 | retry = { factor = nan, at_most = "1m", attempts = 99999999999 }
   |                                   ^^^^

error: `retry` of job `b`: `attempts` must be at most 4294967295
  --> jobs.toml:26:52
   |
26 | retry = { factor = nan, at_most = "1m", attempts = 99999999999 }
   |                                                    ^^^^^^^^^^^

error: job `c`: `timezone` names no time zone: `PST8`
  --> jobs.toml:30:12
   |
30 | timezone = "PST8"
   |            ^^^^^^ a name of the IANA time zone database, such as `Europe/Berlin` or `UTC`

error: job `c`: `retry` must be a table, not text
  --> jobs.toml:31:9
   |
31 | retry = "30s"
   |         ^^^^^ write `retry = { after = "30s" }`

error: `retry` of job `d`: `at_most` is shorter than `after`, `2m`
  --> jobs.toml:35:35
   |
35 | retry = { after = "2m", at_most = "1m", factor = inf }
   |                                   ^^^^

error: `retry` of job `d`: `factor` must be a number of at least 1
  --> jobs.toml:35:50
   |
35 | retry = { after = "2m", at_most = "1m", factor = inf }
   |                                                  ^^^ waits do not become shorter
"#);
    }

    #[test]
    fn names() {
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
error: a job cannot be named `my job`: a job name is made of `A-Z a-z 0-9 . _ -`, without ' '
 --> jobs.toml:2:7
  |
2 | [jobs."my job"]
  |       ^^^^^^^^ `[jobs.my-job]` would do

error: a job cannot be named `größe`: a job name is made of `A-Z a-z 0-9 . _ -`, without 'ö'
 --> jobs.toml:6:7
  |
6 | [jobs."größe"]
  |       ^^^^^^^

error: a job cannot be named `""`: a job name cannot be empty
 --> jobs.toml:9:7
  |
9 | [jobs.""]
  |       ^^

error: a job cannot be named `.hidden`: a job name begins with a letter or digit, not with '.'
  --> jobs.toml:12:7
   |
12 | [jobs.".hidden"]
   |       ^^^^^^^^^ `[jobs.hidden]` would do

error: a job cannot be named `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`: a job name has at most 100 characters, and this one has 101
  --> jobs.toml:15:7
   |
15 | [jobs.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
"#);
    }
}

mod schedules {
    use super::*;

    #[test]
    fn neither_both_and_at_alone() {
        assert_snapshot!(mistakes(r#"
[jobs.a]
command = "true"
[jobs.b]
schedule = "@daily"
every = "1d"
at = "02:30"
command = "true"
[jobs.c]
at = "02:30"
command = "true"
[jobs.d]
schedule = "@daily"
at = "02:30"
command = "true"
[jobs.e]
"#), @r#"
error: job `b` has both `schedule` and `every`
 --> jobs.toml:6:1
  |
6 | every = "1d"
  | ^^^^^ keep the one you mean

error: job `c`: `at` goes with `every` only
  --> jobs.toml:10:1
   |
10 | at = "02:30"
   | ^^ add `every = "1d"`

error: job `d`: `at` goes with `every` only
  --> jobs.toml:14:1
   |
14 | at = "02:30"
   | ^^ the time of day is part of `schedule`

error: job `e` has no `command`
  --> jobs.toml:16:7
   |
16 | [jobs.e]
   |       ^ add `command = ["/path/to/program", "--day", "{date:%Y-%m-%d}"]`
"#);
    }

    #[test]
    fn the_caret_is_at_the_wrong_characters() {
        assert_snapshot!(mistakes(r#"
[jobs.a]
schedule = "0 99 * * *"
command = "true"
[jobs.b]
schedule = '0 99 * * *'
command = "true"
[jobs.c]
schedule = """
0 99 * * *"""
command = "true"
[jobs.d]
schedule = "0\u0020\u0039\u0039 * * *"
command = "true"
[jobs.e]
every = "1d"
at = "25:99"
command = "true"
[jobs.f]
every = "1.5h"
command = "true"
[jobs.g]
schedule = ""
command = "true"
"#), @r#"
error: job `a`: `schedule` cannot be read: the hour `99` is not in the range 0-23
 --> jobs.toml:3:15
  |
3 | schedule = "0 99 * * *"
  |               ^^ did you mean `23`?

error: job `b`: `schedule` cannot be read: the hour `99` is not in the range 0-23
 --> jobs.toml:6:15
  |
6 | schedule = '0 99 * * *'
  |               ^^ did you mean `23`?

error: job `c`: `schedule` cannot be read: the hour `99` is not in the range 0-23
  --> jobs.toml:10:3
   |
10 | 0 99 * * *"""
   |   ^^ did you mean `23`?

error: job `d`: `schedule` cannot be read: the hour `99` is not in the range 0-23
  --> jobs.toml:13:12
   |
13 | schedule = "0\u0020\u0039\u0039 * * *"
   |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `23`?

error: job `e`: `at` is `25:99`, which is not a time of day `HH:MM`
  --> jobs.toml:17:7
   |
17 | at = "25:99"
   |       ^^^^^ write the hour 00 to 23 and the minute 00 to 59, such as `02:30`

error: job `f`: `every` is `1.5h`, and `.5h` is not a unit
  --> jobs.toml:20:10
   |
20 | every = "1.5h"
   |          ^^^^ write a number and a unit, such as `15m`, `2h` or `1d`

error: job `g`: `schedule` cannot be read: the schedule is empty
  --> jobs.toml:23:12
   |
23 | schedule = ""
   |            ^^ `15 1 * * *` is every day at 01:15
"#);
    }

    #[test]
    fn never_fires() {
        assert_snapshot!(mistakes("[jobs.a]\nschedule = \"0 0 30 2 *\"\ncommand = \"true\"\n"), @r#"
        error: job `a`: `schedule` never fires: no day is like `0 0 30 2 *`
         --> jobs.toml:2:12
          |
        2 | schedule = "0 0 30 2 *"
          |            ^^^^^^^^^^^^
        "#);
    }

    #[test]
    fn a_leap_second_is_no_instant() {
        for text in
            ["2016-12-31T23:59:60Z", "\"2016-12-31T23:59:60Z\"", "\"2016-12-31T23:59:60\"", "2016-12-31T23:59:60"]
        {
            let told = job(&format!("start = {text}"));
            assert!(told.starts_with("error: job `load`: `start` is neither a day nor an instant\n"), "{text}: {told}");
        }
    }

    #[test]
    fn start_and_end() {
        assert_snapshot!(job("start = 2026-11-02\nend = 2026-11-01"), @r#"
        error: job `load`: `end` is before `start`
         --> jobs.toml:5:7
          |
        5 | end = 2026-11-01
          |       ^^^^^^^^^^
        "#);
        assert_snapshot!(job("timezone = \"Europe/Berlin\"\nstart = 2026-07-01T06:00:00\nend = \"2026-11-01 06:00\""), @r#"
        error: job `load`: `start` is a time of day without an offset, which is no instant
         --> jobs.toml:5:9
          |
        5 | start = 2026-07-01T06:00:00
          |         ^^^^^^^^^^^^^^^^^^^ write `start = 2026-07-01T06:00:00+02:00`

        error: job `load`: `end` is a time of day without an offset, which is no instant
         --> jobs.toml:6:7
          |
        6 | end = "2026-11-01 06:00"
          |       ^^^^^^^^^^^^^^^^^^ write `end = 2026-11-01T06:00:00+01:00`
        "#);
        assert_snapshot!(job("start = 1972-12-31\nend = 2100-01-01T00:00:00Z"), @r#"
        error: job `load`: `start` is outside of the years 1973 to 2099, for which dates are known
         --> jobs.toml:4:9
          |
        4 | start = 1972-12-31
          |         ^^^^^^^^^^

        error: job `load`: `end` is outside of the years 1973 to 2099, for which dates are known
         --> jobs.toml:5:7
          |
        5 | end = 2100-01-01T00:00:00Z
          |       ^^^^^^^^^^^^^^^^^^^^
        "#);
        assert_snapshot!(job("start = \"yesterday\"\nend = \"2026-02-30\""), @r#"
        error: job `load`: `start` is neither a day nor an instant
         --> jobs.toml:4:9
          |
        4 | start = "yesterday"
          |         ^^^^^^^^^^^ write a day as `start = 2026-11-01`, or an instant as `start = 2026-11-01T06:00:00Z`

        error: job `load`: `end` is neither a day nor an instant
         --> jobs.toml:5:7
          |
        5 | end = "2026-02-30"
          |       ^^^^^^^^^^^^ write a day as `end = 2026-11-01`, or an instant as `end = 2026-11-01T06:00:00Z`
        "#);
        assert_snapshot!(job("start = \"0001-01-01\"\nend = 9999-12-31"), @r#"
        error: job `load`: `start` is outside of the years 1973 to 2099, for which dates are known
         --> jobs.toml:4:9
          |
        4 | start = "0001-01-01"
          |         ^^^^^^^^^^^^

        error: job `load`: `end` is outside of the years 1973 to 2099, for which dates are known
         --> jobs.toml:5:7
          |
        5 | end = 9999-12-31
          |       ^^^^^^^^^^
        "#);
    }
}

mod commands {
    use super::*;

    fn command(text: &str) -> String {
        mistakes(&format!("[jobs.load]\nschedule = \"@daily\"\ncommand = {text}\n"))
    }

    #[test]
    fn missing_or_empty() {
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
        error: job `load`: `command` begins with an empty argument, which names no program
         --> jobs.toml:3:12
          |
        3 | command = ["", "x"]
          |            ^^
        "#);
    }

    #[test]
    fn control_characters() {
        assert_snapshot!(command(r#""a\u0000b""#), @r#"
        error: job `load`: `command` holds the control character '\0'
         --> jobs.toml:3:11
          |
        3 | command = "a\u0000b"
          |           ^^^^^^^^^^
        "#);
        assert_snapshot!(command(r#"["a", "b\u001bc"]"#), @r#"
        error: job `load`: `command` holds the control character '\u{1b}'
         --> jobs.toml:3:17
          |
        3 | command = ["a", "b\u001bc"]
          |                 ^^^^^^^^^^
        "#);
        assert_snapshot!(command("'''\r\necho\r\n'''"), @r#"
        error: job `load`: `command` holds the control character '\r'
         --> jobs.toml:3:11
          |
        3 | command = '''
          |           ^^^ save the file with Unix line ends
        "#);
    }

    #[test]
    fn templates() {
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
          |                                           ^^ a format as of strftime, such as `{date:%Y-%m-%d}`

        error: job `load`: in `command`, no shell reads an argument of a list, so that nothing replaces this variable
         --> jobs.toml:3:50
          |
        3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
          |                                                  ^^^^^^^ give the command as one string, or double the braces to pass it on as it is

        error: job `load`: in `command`, `{` begins no template
         --> jobs.toml:3:61
          |
        3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
          |                                                             ^ write `{{` for a brace

        error: job `load`: in `command`, `{` begins no template
         --> jobs.toml:3:73
          |
        3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
          |                                                                         ^ write `{{` for a brace

        error: job `load`: in `command`, a date format without `%` shows no date
         --> jobs.toml:3:88
          |
        3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
          |                                                                                        ^^^^^^^^^^^ a format as of strftime, such as `{date:%Y-%m-%d}`

        error: job `load`: in `command`, unknown template `{x}`
         --> jobs.toml:3:102
          |
        3 | command = ["load", "{dat}", "--x={date:%Y-%Q}", "${HOME}", '{"a": 1}', "{print $1}", "ä{date:YYYY}", "\u0041{x}"]
          |                                                                                                      ^^^^^^^^^^^ there are `{date}`, `{date:%Y-%m-%d}` and `{job}`; write `{{` and `}}` for braces
        "#);
    }
}

mod dependencies {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> String {
        edges
            .iter()
            .map(|(name, on)| {
                format!("[jobs.{name}]\nschedule = \"@daily\"\ncommand = \"true\"\ndepends_on = {on:?}\n")
            })
            .collect::<Vec<_>>()
            .concat()
    }

    #[test]
    fn missing_and_self() {
        assert_snapshot!(mistakes(&graph(&[("load", &["loda", "load", "something-else"])])), @r#"
        error: job `load` depends on `loda`, which is no job
         --> jobs.toml:4:15
          |
        4 | depends_on = ["loda", "load", "something-else"]
          |               ^^^^^^ did you mean `load`?

        error: job `load` depends on itself
         --> jobs.toml:4:23
          |
        4 | depends_on = ["loda", "load", "something-else"]
          |                       ^^^^^^ with `backfill = true` a date waits for the earlier ones of its job anyway

        error: job `load` depends on `something-else`, which is no job
         --> jobs.toml:4:31
          |
        4 | depends_on = ["loda", "load", "something-else"]
          |                               ^^^^^^^^^^^^^^^^
        "#);
    }

    #[test]
    fn every_circle_once() {
        assert_snapshot!(mistakes(&graph(&[
            ("x", &["c"]),
            ("c", &["a"]),
            ("a", &["b", "d"]),
            ("b", &["c", "x"]),
            ("d", &["a"]),
            ("alone", &["x", "d"]),
        ])), @r#"
        error: jobs depend on one another in a circle: `x` → `c` → `a` → `b` → `x`
         --> jobs.toml:4:15
          |
        4 | depends_on = ["c"]
          |               ^^^ none of them could ever start

        error: jobs depend on one another in a circle: `c` → `a` → `b` → `c`
         --> jobs.toml:8:15
          |
        8 | depends_on = ["a"]
          |               ^^^ none of them could ever start

        error: jobs depend on one another in a circle: `a` → `d` → `a`
          --> jobs.toml:12:20
           |
        12 | depends_on = ["b", "d"]
           |                    ^^^ none of them could ever start
        "#);
    }

    #[test]
    fn a_long_circle() {
        let names: Vec<String> = (0..10_000).map(|number| format!("j{number}")).collect();
        let text: String =
            (0..names.len()).map(|at| graph(&[(&names[at], &[&names[(at + 1) % names.len()]])])).collect();
        assert_snapshot!(mistakes(&text), @r#"
        error: jobs depend on one another in a circle: `j0` → `j1` → `j2` → `j3` → `j4` → `j5` → `j6` → `j7` → `j8` → `j9` → … 9980 more … → `j9990` → `j9991` → `j9992` → `j9993` → `j9994` → `j9995` → `j9996` → `j9997` → `j9998` → `j9999` → `j0`
         --> jobs.toml:4:15
          |
        4 | depends_on = ["j1"]
          |               ^^^^ none of them could ever start
        "#);
    }

    #[test]
    fn a_job_with_a_mistake_is_a_job() {
        assert_snapshot!(mistakes(&format!("[jobs.broken]\ncommand = 3\nschedule = \"@daily\"\n{}", graph(&[("a", &["broken"])]))), @r#"
        error: job `broken`: `command` must be text in quotes, or a list of it, not a whole number
         --> jobs.toml:2:11
          |
        2 | command = 3
          |           ^
        "#);
    }
}

mod output {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        for text in [
            "[daemon]\nledger = \"postgres://u:geheim@h/db\nx = 1\n",
            "[daemon]\nledger = \"postgres://u:gehe im@h/db\" x\n",
            "[daemon]\nledger = \"mysql://u:geheim@h/db\"\n",
            "[daemon]\nledger = [\"postgres://u:geheim@h/db\"]\n",
            "[daemon]\nledger = \"\"\"postgres://u:\\\n  geheim\\u0001@h/db\"\"\"\n",
            "daemon = { ledger = \"postgres://u:geheim@h/db\", tz = \"UTC\" }\n",
            "daemon.ledgr = \"postgres://u:geheim@h/db\"\n",
            "daemon.url = \"postgres://u:geheim@h/db\"\n",
            "[daemon]\nledger = \"postgres://u@h/db?password=geheim\" 3\n",
            "[daemon]\nledger = \"a\"\nledger = \"postgres://u:geheim@h/db\"\n",
        ] {
            let folder = folder(&[("jobs.toml", text)]);
            let error = load(&folder).unwrap_err();
            let all =
                format!("{}{error}{error:?}{}", error.render(false), serde_json::to_string(error.mistakes()).unwrap());
            assert!(!all.contains("geheim") && !all.contains("gehe im"), "{all}");
        }
    }

    #[test]
    fn as_json() {
        let folder = folder(&[("jobs.toml", "[jobs.a]\nschedule = \"@daily\"\ncommand = \"true\"\nü = 1\ntz = 2\n")]);
        let json = serde_json::to_string_pretty(load(&folder).unwrap_err().mistakes()).unwrap();
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
    fn in_one_line_for_a_log() {
        let folder = folder(&[("jobs.toml", "x = 1\ny = 2\n")]);
        assert_snapshot!(without_folder(&load(&folder).unwrap_err().to_string(), folder.path()), @"the registry has 2 mistakes, the first at jobs.toml:1: the registry has unknown key `x`");
    }

    #[test]
    fn with_color() {
        let folder = folder(&[("jobs.toml", "jobs.a = 1\n")]);
        assert!(load(&folder).unwrap_err().render(true).contains("\u{1b}["));
    }

    #[test]
    fn no_more_than_fifty() {
        let text = (0..280).map(|number| format!("key{number} = 1")).collect::<Vec<_>>().join("\n");
        let rendered = mistakes(&text);
        assert_eq!(rendered.matches("error: ").count(), 50);
        assert!(rendered.ends_with("\n\n… and 230 more"));
    }

    #[test]
    fn columns_count_characters_also_in_a_line_that_is_cut() {
        let text = format!(
            "[jobs]\na = {{ description = \"{}\", schedule = \"0 99 * * *\", command = \"x\", bad = 1 }}\n",
            "ä".repeat(2_000)
        );
        let folder = folder(&[("jobs.toml", &text)]);
        let error = load(&folder).unwrap_err();
        let places: Vec<_> = error.mistakes().iter().map(|mistake| (mistake.line, mistake.column)).collect();
        let column = |part: &str| text.lines().nth(1).unwrap().split(part).next().unwrap().chars().count() + 1;
        assert_eq!(places, [(2, column("99")), (2, column("bad"))]);
        assert!(error.render(false).contains(&format!("jobs.toml:2:{}\n", column("99"))));
    }
}

mod schema {
    use std::collections::BTreeSet;

    use crontabber::registry::schema;
    use serde_json::Value;

    use super::*;

    /// The keys of a table of the schema.
    fn keys(table: &Value) -> BTreeSet<String> {
        table["properties"].as_object().expect("a table").keys().cloned().collect()
    }

    #[test]
    fn has_every_key_with_a_description() {
        let schema = schema();
        for table in [
            &schema,
            &schema["$defs"]["job"],
            &schema["properties"]["daemon"],
            &schema["$defs"]["job"]["properties"]["retry"],
            &schema["$defs"]["job"]["properties"]["catch_up"],
            &schema["$defs"]["job"]["properties"]["depends_on"]["oneOf"][1],
            &schema["properties"]["pools"]["additionalProperties"],
        ] {
            assert_eq!(table["additionalProperties"], false);
            for (key, value) in table["properties"].as_object().unwrap() {
                assert!(value["description"].as_str().is_some_and(|text| text.ends_with('.')), "{key}");
            }
        }
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["properties"]["jobs"]["additionalProperties"]["$ref"], "#/$defs/job");
        let text = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), schema);
    }

    /// A key that the schema has and nobody reads would be accepted with a value of any type.
    #[test]
    fn every_key_is_read() {
        let schema = schema();
        let job = &schema["$defs"]["job"];
        let good = "[jobs.a]\nschedule = \"@daily\"\ncommand = \"true\"\n";
        for (header, table) in [("", &schema), ("[daemon]\n", &schema["properties"]["daemon"])] {
            for key in keys(table) {
                let rendered = mistakes(&format!("{header}{key} = 0.5\n{}", if key == "jobs" { "" } else { good }));
                assert!(rendered.contains(&format!("`{key}`")) && !rendered.contains("unknown key"), "{rendered}");
            }
        }
        for key in keys(job) {
            let rendered = mistakes(&format!("[jobs.a]\n{key} = 0.5\n"));
            assert!(rendered.contains(&format!("`{key}`")) && !rendered.contains("unknown key"), "{rendered}");
        }
        for (table, written) in [
            (&job["properties"]["retry"], "retry"),
            (&job["properties"]["catch_up"], "catch_up"),
            (&job["properties"]["depends_on"]["oneOf"][1], "depends_on"),
            (&schema["properties"]["pools"]["additionalProperties"], "[pools]\nx"),
        ] {
            for key in keys(table) {
                let rendered = super::job(&format!("{written} = {{ {key} = 0.5 }}"));
                assert!(rendered.contains(&format!("`{key}`")) && !rendered.contains("unknown key"), "{rendered}");
            }
        }
    }

    /// A key without a setting would be missing in `status`, and its change in the log.
    #[test]
    fn every_key_of_a_job_is_one_of_its_settings() {
        let folder = folder(&[("jobs.toml", DESIGN)]);
        let registry = load(&folder).unwrap();
        let settings: BTreeSet<String> = registry.jobs[0]
            .settings()
            .into_iter()
            .map(|(key, _)| key.to_owned())
            .chain(["every", "at"].map(str::to_owned))
            .collect();
        assert_eq!(settings, keys(&schema()["$defs"]["job"]));
    }

    #[test]
    fn as_it_is_printed() {
        let schema = schema();
        let job = &schema["$defs"]["job"];
        assert_snapshot!(job["properties"]["timeout"], @r#"{"description":"How long an attempt may take. Default: as long as it likes.","examples":["90s","1h30m","2d"],"pattern":"^(?=.)(\\d+w)?(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?(\\d+ms)?$","type":"string"}"#);
        assert_snapshot!(job["properties"]["command"], @r#"{"description":"What is started: text for `/bin/sh -c`, or a list of arguments in which `{date}`, `{date:STRFTIME}` and `{job}` are filled in.","oneOf":[{"minLength":1,"type":"string"},{"items":{"type":"string"},"minItems":1,"type":"array"}]}"#);
        assert_snapshot!(job["properties"]["depends_on"]["oneOf"][1]["properties"]["offset"], @r#"{"description":"By how much the date is moved first, such as `-1d`: days and weeks of the calendar, the rest as elapsed time.","examples":["-1d","-2h30m","+1w"],"pattern":"^[+-]?(?=\\d)(\\d+w)?(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?$","type":"string"}"#);
        assert_snapshot!(job["dependentSchemas"]["backfill"], @r#"{"anyOf":[{"required":["schedule"]},{"required":["every"]}]}"#);
        assert_snapshot!(schema["properties"]["pools"], @r#"{"additionalProperties":{"additionalProperties":false,"properties":{"size":{"description":"How many attempts of the jobs in this pool may run at once.","minimum":1,"type":"integer"}},"required":["size"],"type":"object"},"description":"What several jobs share, each under its name: no more attempts of them run at once than a pool has places.","propertyNames":{"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},"type":"object"}"#);
        assert_snapshot!(job["not"], @r#"{"required":["schedule","every"]}"#);
    }
}

mod any_text {
    use proptest::prelude::*;

    use super::*;

    /// Loads and prints whatever comes of it.
    fn survives(bytes: &[u8]) {
        let folder = folder(&[]);
        let path = folder.path().join("jobs.toml");
        fs::write(&path, bytes).expect("a new file");
        match Registry::load(&path, now()) {
            Ok(registry) => drop(registry.render_warnings(false)),
            Err(error) => {
                assert!(!error.mistakes().is_empty());
                assert!(!error.render(false).is_empty());
            }
        }
    }

    /// Lines that a registry may have, in any order and with anything among them.
    fn lines() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            Just("[jobs.a]\n"),
            Just("[jobs.b]\n"),
            Just("[jobs]\n"),
            Just("[[jobs.a]]\n"),
            Just("[daemon]\n"),
            Just("[jobs.a.retry]\n"),
            Just("schedule = \"@daily\"\n"),
            Just("schedule = \"0 99 * ä *\"\n"),
            Just("command = [\"{date}\", \"{x\"]\n"),
            Just("command = \"\"\"\n"),
            Just("depends_on = [\"a\", \"b\"]\n"),
            Just("depends_on = [{ job = \"a\", offset = \"-1dä\" }, { covers = \"day\" }]\n"),
            Just("require = \"b\"\n"),
            Just("[pools.a]\nsize = 1\n"),
            Just("pool = \"a\"\n"),
            Just("catch_up.max_dates = 3\n"),
            Just("expect_by = \"7:ä\"\n"),
            Just("jitter = \"10m\"\npreviously = \"b\"\n"),
            Just("start = 2026-11-01\n"),
            Just("end = 2026-13-01\n"),
            Just("retry.after = \"5m\"\n"),
            Just("a.b.c = {d.e = [1, {}]}\n"),
            Just("ledger = 'postgres://u:p@h'\n"),
            Just("x = "),
            Just("environment.A = 1\n"),
            Just("\u{feff}"),
            Just("\"ä\\u00e4\" = 1 # ü\n"),
            Just("timezone = \"Europe/Berln\"\r\n"),
            Just("\0"),
            Just("jobs.a = {"),
            Just("}\n"),
            Just("]"),
            Just("'''"),
            Just("\\"),
            Just(","),
            Just("  "),
            Just("\n"),
        ];
        prop::collection::vec(word, 0..30).prop_map(|words| words.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            survives(&bytes);
        }

        #[test]
        fn nearly_a_registry(text in lines()) {
            survives(text.as_bytes());
        }

        #[test]
        fn a_registry_with_one_change(at in 0..DESIGN.len(), byte in any::<u8>(), keep in any::<bool>()) {
            let mut bytes = DESIGN.as_bytes().to_vec();
            bytes.splice(at..at + usize::from(!keep), [byte]);
            survives(&bytes);
        }
    }
}

#[test]
fn a_wrong_every_does_not_hide_a_wrong_at() {
    let shown = mistakes("[jobs.load]\nevery = \"1x\"\nat = \"25:00\"\ncommand = \"true\"\n");
    assert!(shown.contains("jobs.toml:2:") && shown.contains("jobs.toml:3:"), "{shown}");
    assert_eq!(shown.matches("error: ").count(), 2, "{shown}");
}
