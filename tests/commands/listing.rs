//! `list`, `sessions`, `attempts` and `ghosts`: what the ledger holds, for people and for programs.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use chrono::TimeDelta;
use crontabber::session::{AttemptKey, Outcome};
use serde_json::json;

use crate::fixture::{Fixture, at, said, succeeds};

const THREE_DAYS: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.load]
schedule = "30 2 * * *"
start = 2024-11-01
end = 2024-11-03
backfill = true
retry = { after = "10m", attempts = 2 }
command = "true"
[jobs.clean]
schedule = "0 6 * * *"
start = 2024-11-01
end = 2024-11-03
backfill = true
depends_on = ["load"]
description = "tidies up"
tags = ["nightly"]
command = "true"
[jobs.newest]
schedule = "0 0 * * *"
start = 2024-11-01
end = 2024-11-03
command = "true"
"#;

/// `load` fails on the second day.
#[expect(clippy::unnecessary_wraps, reason = "the others may not end")]
fn second_day_fails(attempt: &AttemptKey) -> Option<Outcome> {
    let is_second = attempt.session.date == at("2024-11-02T01:30:00Z");
    Some(if is_second { Outcome::Failed { code: 4 } } else { Outcome::Succeeded })
}

fn lived() -> Fixture {
    let place = Fixture::new(THREE_DAYS);
    place.live(at("2024-11-05T00:00:00Z"), second_day_fails);
    place
}

#[test]
fn sessions_are_told_by_ascending_date() {
    let place = lived();
    let said = place.ask(&["sessions", "load", "--json"]);
    assert_eq!(
        said.json()[1],
        json!({
            "job": "load",
            "date": "2024-11-02T02:30:00+01:00",
            "state": "failed",
            "attempts": 1,
            "trigger": "catch-up",
            "reason": null,
            "retry_at": "2024-11-05T01:10:01+01:00",
            "generation": 1,
            "recorded_at": "2024-11-05T01:00:00+01:00",
            "settled_at": null,
        })
    );
    assert_eq!(said.column("state"), ["succeeded", "failed", "waiting"]);
    let all = place.ask(&["sessions", "--json"]).column("date");
    assert!(all.is_sorted(), "{all:?}");
    let newest = place.ask(&["sessions", "newest", "--json"]);
    assert_eq!(newest.column("reason"), ["superseded", "superseded", "null"]);
    assert_eq!(place.ask(&["sessions", "newest", "--json", "--limit", "1"]).column("state"), ["succeeded"]);
}

#[test]
fn sessions_are_a_table_for_people() {
    let place = lived();
    insta::assert_snapshot!(place.ask(&["sessions", "load"]).out, @"
    JOB   DATE                       STATE      ATTEMPTS  TRIGGER   MORE
    load  2024-11-01T02:30:00+01:00  succeeded         1  catch-up  at 2024-11-05T01:00:01+01:00
    load  2024-11-02T02:30:00+01:00  failed            1  catch-up  again at 2024-11-05T01:10:01+01:00
    load  2024-11-03T02:30:00+01:00  waiting           0  catch-up
    ");
    insta::assert_snapshot!(place.ask(&["sessions", "load", "--limit", "1"]).out, @"
    JOB   DATE                       STATE    ATTEMPTS  TRIGGER   MORE
    load  2024-11-03T02:30:00+01:00  waiting         0  catch-up

    the newest 1 session; those before: `crontabber sessions load --limit 1 --before load/1/2024-11-03T01:30:00Z`
    ");
}

#[test]
fn attempts_are_told_as_they_ended() {
    let place = lived();
    place.live(at("2024-11-05T00:11:00Z"), |_| None);
    let said = place.ask(&["attempts", "load", "2024-11-02", "--json"]);
    let first = json!({
        "job": "load",
        "date": "2024-11-02T02:30:00+01:00",
        "attempt": 1,
        "outcome": "failed",
        "exit_code": 4,
        "signal": null,
        "started_at": "2024-11-05T01:00:01+01:00",
        "ended_at": "2024-11-05T01:00:01+01:00",
        "duration_seconds": 1.25,
        "cpu_user_seconds": 1.1,
        "cpu_system_seconds": 0.0875,
        "peak_memory_bytes": 34_123_776,
        "trigger": "catch-up",
        "host": "host",
        "pid": null,
        "detail": null,
        "has_log": false,
        "log": null,
        "generation": 1,
    });
    assert_eq!(said.json()[0], first);
    assert_eq!(said.json()[1]["outcome"], json!(null));
    assert_eq!(said.json()[1]["trigger"], "retry");
    for field in ["cpu_user_seconds", "cpu_system_seconds", "peak_memory_bytes"] {
        assert_eq!(said.json()[1][field], json!(null), "{field}");
    }
    assert_eq!(place.ask(&["attempts", "load", "--json"]).column("attempt"), ["1", "1", "2"]);
    assert_eq!(place.ask(&["attempts", "load", "2024-11-02T02:30", "--json"]).column("attempt"), ["1", "2"]);
    assert_eq!(place.ask(&["attempts", "load", "2024-11-02T01:30:00Z", "--json"]).column("attempt"), ["1", "2"]);
    insta::assert_snapshot!(place.ask(&["attempts", "load"]).out, @"
    JOB   DATE                       ATTEMPT      STARTED                     TOOK    CPU  MEMORY  TRIGGER
    load  2024-11-01T02:30:00+01:00  1 succeeded  2024-11-05T01:00:00+01:00  1.3 s  1.2 s   34 MB  catch-up
    load  2024-11-02T02:30:00+01:00  1 failed(4)  2024-11-05T01:00:01+01:00  1.3 s  1.2 s   34 MB  catch-up
    load  2024-11-02T02:30:00+01:00  2 running    2024-11-05T01:11:00+01:00      -      -       -  retry
    ");
}

#[test]
fn the_list_has_first_what_needs_a_person() {
    let place = lived();
    place.live(at("2024-11-06T00:00:00Z"), second_day_fails);
    let out = without_days(&place.ask(&["list"]).out);
    insta::assert_snapshot!(out, @"
    JOB     SCHEDULE    STATE    LAST SUCCESS               NEXT DATE  BEHIND
    load    30 2 * * *  held     2024-11-01T02:30:00+01:00  -               2
      blocked at 2024-11-02T02:30:00+01:00 for N days, 2 behind
      needs an operator: its 2 attempts are used up, the last of them failed(4)
    clean   0 6 * * *   blocked  2024-11-01T06:00:00+01:00  -               2
      blocked at 2024-11-02T06:00:00+01:00 for N days, 2 behind
      waits for `load`, whose 2024-11-02T02:30:00+01:00 is not settled
    newest  0 0 * * *   ok       2024-11-03T00:00:00+01:00  -               0
    ");
    let said = place.ask(&["list", "--json"]);
    assert_eq!(said.column("job"), ["clean", "load", "newest"]);
    assert_eq!(
        said.json()[0],
        json!({
            "job": "clean",
            "description": "tidies up",
            "tags": ["nightly"],
            "enabled": true,
            "disabled_by": [],
            "backfill": true,
            "state": "blocked",
            "schedule": "0 6 * * *",
            "timezone": "Europe/Berlin",
            "last_success": "2024-11-01T06:00:00+01:00",
            "next_date": null,
            "next_due": null,
            "backlog": 2,
            "backfilling": 0,
            "last_line": null,
            "late": null,
            "late_because": null,
            "require": [],
            "oldest": "2024-11-02T06:00:00+01:00",
            "blocked_by": { "by": "dependency", "job": "load", "date": "2024-11-02T02:30:00+01:00" },
            "depends_on": ["load"],
            "running": [],
        })
    );
}

#[test]
fn the_list_fits_a_hundred_columns() {
    let [first, second] = ["a", "b"].map(|letter| letter.repeat(100));
    let registry = format!(
        "[jobs.{first}]\nevery = \"1d\"\nat = \"02:30\"\nstart = 2024-11-01\nbackfill = true\ncommand = \"true\"\n\
         [jobs.{second}]\nevery = \"1d\"\nat = \"02:30\"\nstart = 2024-11-01\ndepends_on = [\"{first}\"]\n\
         command = \"true\"\n"
    );
    let place = Fixture::new(&registry);
    place.live(at("2024-11-05T00:00:00Z"), second_day_fails);
    for command in ["list", "sessions", "attempts", "plan"] {
        for line in place.look(100, &[command]).lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
            assert!(!line.contains('\x1b'), "{command}: {line}");
        }
    }
}

#[test]
fn the_attempts_fit_a_terminal() {
    let job = "a".repeat(40);
    let place = Fixture::new(&format!(
        "[daemon]\ntimezone = \"Europe/Berlin\"\n[jobs.{job}]\nschedule = \"30 2 * * *\"\nstart = 2024-11-01\n\
         end = 2024-11-03\nbackfill = true\norder = \"independent\"\ncommand = \"true\"\n"
    ));
    place.live(at("2024-11-05T00:00:00Z"), |attempt| match attempt.session.date {
        first if first == at("2024-11-01T01:30:00Z") => Some(Outcome::Killed { signal: 15 }),
        second if second == at("2024-11-02T01:30:00Z") => Some(Outcome::Failed { code: 127 }),
        _ => None,
    });
    let table = |width: u16| {
        let table = place.look(width, &["attempts"]);
        assert!(table.lines().all(|line| line.chars().count() <= width.into()), "{table}");
        table
    };
    insta::assert_snapshot!(table(80), @"
    JOB                DATE                 ATTEMPT        STARTED       TOOK    CPU
    aaaaaaaaaaaaaaaa…  2024-11-01T02:30:00  1 killed(15)   11-05T01:00  1.3 s      -
    aaaaaaaaaaaaaaaa…  2024-11-02T02:30:00  1 failed(127)  11-05T01:00  1.3 s  1.2 s
    aaaaaaaaaaaaaaaa…  2024-11-03T02:30:00  1 running      11-05T01:00      -      -
    ");
    insta::assert_snapshot!(table(120), @"
    JOB                  DATE                       ATTEMPT        STARTED                     TOOK    CPU  MEMORY  TRIGGER
    aaaaaaaaaaaaaaaaaa…  2024-11-01T02:30:00+01:00  1 killed(15)   2024-11-05T01:00:00+01:00  1.3 s      -       -  catch-up
    aaaaaaaaaaaaaaaaaa…  2024-11-02T02:30:00+01:00  1 failed(127)  2024-11-05T01:00:01+01:00  1.3 s  1.2 s   34 MB  catch-up
    aaaaaaaaaaaaaaaaaa…  2024-11-03T02:30:00+01:00  1 running      2024-11-05T01:00:01+01:00      -      -       -  catch-up
    ");
}

#[test]
fn a_job_gone_from_the_registry_is_a_ghost() {
    let place = lived();
    place.write("[jobs.newest]\nschedule = \"0 0 * * *\"\nstart = 2024-11-01\nend = 2024-11-03\ncommand = \"true\"\n");
    insta::assert_snapshot!(place.ask(&["ghosts"]).out, @"
    JOB    SCHEDULE    LAST SUCCESS               NEWEST DATE                UNSETTLED
    clean  0 6 * * *   2024-11-01T06:00:00+01:00  2024-11-03T06:00:00+01:00          2
    load   30 2 * * *  2024-11-01T02:30:00+01:00  2024-11-03T02:30:00+01:00          2
    ");
    assert_eq!(place.ask(&["ghosts", "--json"]).column("timezone"), ["Europe/Berlin", "Europe/Berlin"]);
    let list = place.ask(&["list"]).out;
    assert_eq!(
        list.lines().last(),
        Some("2 ghosts (in the ledger, not in the registry; see `crontabber ghosts`): clean, load")
    );
    // A ghost's dates keep the zone that they were recorded in.
    assert_eq!(place.ask(&["sessions", "load", "--json"]).column("date")[0], "2024-11-01T02:30:00+01:00");
    place.write(THREE_DAYS);
    assert_eq!(place.ask(&["ghosts"]).out, "no ghosts: every job in the ledger is in the registry\n");
    assert_eq!(place.ask(&["ghosts", "--json"]).out, "[]\n");
}

#[test]
fn a_ledger_that_is_not_there_is_an_empty_one() {
    let place = Fixture::new(THREE_DAYS);
    for command in ["sessions", "attempts"] {
        let said = place.ask(&[command, "--json"]);
        assert_eq!((said.out.as_str(), said.exit), ("[]\n", 0));
        assert!(said.err.contains("there is no ledger"), "{}", said.err);
        assert_eq!(place.ask(&[command, "-q"]).err, "");
        assert_eq!(place.ask(&[command]).out, "");
        assert_eq!(place.ask(&[command]).err, said.err, "one note");
    }
    assert_eq!(place.ask(&["list", "--json"]).column("state"), ["blocked", "waiting", "waiting"]);
    assert!(!place.path("ledger.db").exists());
}

#[test]
fn a_ledger_that_one_may_not_read_is_said_to_be_so() {
    let place = lived();
    // Root may read everything: then somebody else asks, who needs a program that they may run.
    let program = place.path("crontabber");
    std::fs::copy(env!("CARGO_BIN_EXE_crontabber"), &program).unwrap();
    std::fs::set_permissions(place.path(""), Permissions::from_mode(0o755)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    std::fs::set_permissions(place.path("ledger.db"), Permissions::from_mode(if is_root { 0o600 } else { 0 })).unwrap();
    let ask = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        command.env_clear().env("STATE_DIRECTORY", place.path("")).current_dir(place.path("")).args(arguments);
        said(&command.output().unwrap())
    };
    for command in [&["list"][..], &["disable", "load"], &["verify"]] {
        let said = ask(&[command, &["--ledger", "ledger.db"]].concat());
        assert_eq!(said.exit, 1, "{said:?}");
        assert_eq!(
            said.err,
            "error: the ledger `sqlite://ledger.db` cannot be read by this user: Permission denied (os error 13); run \
             the command as the owner of the ledger, or have the owner permit it\n",
            "{command:?}"
        );
    }
}

#[test]
fn a_directory_is_no_ledger() {
    let place = lived();
    for command in [&["list"][..], &["disable", "load"], &["once"]] {
        let said = place.ask(&[command, &["--ledger", "sqlite:///tmp"]].concat());
        assert!(said.err.contains("the ledger `sqlite:///tmp` is a directory; name a file in it"), "{said:?}");
        assert_ne!(said.exit, 0);
    }
}

/// Four slashes are how other programs write an absolute path.
#[test]
fn every_command_takes_a_ledger_with_four_slashes() {
    let place = lived();
    let ledger = format!("sqlite:///{}", place.path("ledger.db").display());
    assert!(ledger.starts_with("sqlite:////"));
    for command in [&["list"][..], &["disable", "load"], &["sessions"], &["verify"]] {
        let said = place.ask(&[command, &["--ledger", &ledger]].concat());
        assert_eq!(said.exit, 0, "{said:?}");
    }
}

#[test]
fn the_ledger_can_be_read_without_a_registry() {
    let place = lived();
    place.write("nonsense");
    assert_eq!(place.ask(&["sessions", "load", "--json"]).exit, 78);
    let said = place.ask(&["sessions", "load", "--json", "--ledger", "ledger.db"]);
    assert_eq!(said.exit, 0);
    assert_eq!(said.column("date")[0], "2024-11-01T02:30:00+01:00");
}

#[test]
fn many_rows_are_streamed_and_shown_in_part() {
    let place =
        Fixture::new("[jobs.often]\nevery = \"1m\"\nstart = 2024-11-01\nend = 2024-11-01\ncommand = \"true\"\n");
    place.live(at("2024-11-01T00:00:00Z") + TimeDelta::days(3), succeeds);
    assert_eq!(place.ask(&["sessions", "--json"]).column("date").len(), 1_440);
    let table = place.ask(&["sessions", "often"]).out;
    assert_eq!(table.lines().count(), 103);
    assert!(table.contains("2024-11-01T23:59:00+00:00") && table.contains("the newest 100"), "{table}");
    assert_eq!(place.ask(&["attempts", "often", "2024-11-01", "--json"]).column("date").len(), 1);
}

/// The text without the number of days that something has lasted until today.
pub(crate) fn without_days(text: &str) -> String {
    let line = |line: &str| match line.split_once(" for ") {
        Some((before, after)) if after.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{before} for N{}\n", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}
