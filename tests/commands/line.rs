//! The command line itself: classic flags, exit statuses, help, and readers that stop reading.

use std::io::Read as _;
use std::process::Stdio;

use crate::fixture::{Fixture, at, said, succeeds};

const ONE: &str = "[jobs.load]\nschedule = \"0 0 * * *\"\nstart = 2024-11-01\nend = 2024-11-03\ncommand = \"true\"\n";

fn lived() -> Fixture {
    let place = Fixture::new(ONE);
    place.live(at("2024-11-05T00:00:00Z"), succeeds);
    place
}

#[test]
fn classic_flags_equal_their_commands() {
    let place = lived();
    for (flags, command) in [
        (&["--list-jobs", "-l"][..], "list"),
        (&["--configtest"], "check"),
        (&["--audit-ghosts"], "ghosts"),
        (&["--nagios", "-n"], "health"),
        (&["--version", "-V"], "version"),
    ] {
        for flag in flags {
            assert_eq!(place.ask(&[flag]), place.ask(&[command]), "{flag}");
            assert_eq!(place.ask(&["--json", flag]), place.ask(&[command, "--json"]), "{flag}");
        }
    }
    for flag in ["--job", "-j"] {
        assert_eq!(place.ask(&[flag, "laod"]), place.ask(&["run", "laod"]));
    }
    assert_eq!(place.ask(&["--job=laod", "--force", "--date", "2024-11-02"]), place.ask(&["run", "laod"]));
    for flag in ["--reset-job", "-r"] {
        assert_eq!(place.ask(&[flag, "laod"]), place.ask(&["reset", "laod"]));
    }
    assert_eq!(place.ask(&["--once", "-q"]), place.ask(&["once", "-q"]));
}

#[test]
fn what_cannot_be_meant_exits_with_2() {
    let place = Fixture::new(ONE);
    for wrong in [
        &["--once", "--list-jobs"][..],
        &["--once", "list"],
        &["-j", "load", "list"],
        &["--force"],
        &["--date", "2024-11-02"],
        &["list", "--date", "2024-11-02"],
        &["why"],
        &["why", "nobody"],
        &["explain", "load"],
        &["plan", "no such name"],
        &["plan", "load", "--from", "yesterday"],
        &["plan", "load", "--count", "0"],
        &["log", "load", "--attempt", "1"],
        &["log", "load", "-f", "--json"],
        &["sessions", "--state", "happy"],
        &["sessions", "--last", "yesterday"],
        &["sessions", "--last", "7d", "--from", "2024-11-01"],
        &["sessions", "--from", "2024-11-02", "--to", "2024-11-01"],
        &["sessions", "--csv", "--json"],
        &["sessions", "--before", "load"],
        &["sessions", "load", "--before", "other/1/2024-11-01T00:00:00Z"],
        &["attempts", "load", "2024-11-01", "--last", "7d"],
        &["attempts", "load", "--before", "load/1/2024-11-01T00:00:00Z"],
        &["calendar"],
        &["calendar", "nobody"],
        &["calendar", "load", "--month", "2024-13"],
        &["calendar", "load", "--month", "2024-11", "--last", "7d"],
        &["calendar", "load", "--from", "2004-11-01"],
        &["audit", "nobody"],
        &["audit", "--before", "0"],
        &["status"],
        &["status", "nobody"],
        &["sessions", "--limit", "0"],
        &["run"],
        &["run", "nobody"],
        &["sessions", "nobody"],
        &["list", "--ledger", "mysql://host/database"],
    ] {
        let said = place.ask(wrong);
        assert_eq!((said.exit, said.out.as_str()), (2, ""), "{wrong:?}: {said:?}");
        assert!(said.err.contains("error: "), "{wrong:?}: {said:?}");
    }
    assert_eq!(place.ask(&["sessions", "laod"]).err.lines().last(), Some("hint: did you mean `load`?"));
}

#[test]
fn a_registry_with_mistakes_exits_with_78() {
    let place = Fixture::new(ONE);
    assert_eq!(place.ask(&["check"]).out, "jobs.toml: 1 job, no errors\n");
    assert_eq!(place.ask(&["check", "-q"]).out, "");
    place.write("[jobs.load]\nscedule = \"0 0 * * *\"\ncommand = \"true\"\n");
    for command in ["check", "list", "plan", "ghosts", "sessions", "run load", "reset load"] {
        let said = place.ask(&command.split(' ').collect::<Vec<_>>());
        assert_eq!((said.exit, said.out.as_str()), (78, ""), "{command}");
        assert!(said.err.contains("jobs.toml:2:1"), "{command}: {}", said.err);
    }
    let said = place.ask(&["check", "--json"]);
    assert_eq!((said.exit, said.err.as_str()), (78, ""));
    let json = said.json();
    assert_eq!((&json["ok"], &json["mistakes"][0]["line"]), (&false.into(), &2.into()));
    std::fs::remove_file(place.path("jobs.toml")).unwrap();
    let said = place.ask(&["check", "--config", "elsewhere.toml"]);
    assert_eq!(said.exit, 78);
    assert!(said.err.contains("`elsewhere.toml`"), "{}", said.err);
}

#[test]
fn check_warns_of_a_done_when_whose_program_does_not_exist() {
    let place = Fixture::new(
        "[jobs.load]\nschedule = \"0 0 * * *\"\ncommand = \"true\"\ndone_when = [\"no-such-program\", \"{date}\"]\n\
         [jobs.more]\nschedule = \"0 0 * * *\"\ncommand = \"true\"\ndone_when = [\"/opt/none/done\"]\n\
         [jobs.well]\nschedule = \"0 0 * * *\"\ncommand = \"true\"\ndone_when = [\"true\"]\n",
    );
    let said = place.ask(&["check"]);
    assert_eq!(said.exit, 0);
    insta::assert_snapshot!(said.err, @r#"
    warning: job `load`: `done_when` names `no-such-program`, which is in no folder of `PATH`
     --> jobs.toml:4:14
      |
    4 | done_when = ["no-such-program", "{date}"]
      |              ^^^^^^^^^^^^^^^^^ if the job does not find it either, every date counts as not done, and runs

    warning: job `more`: `done_when` names `/opt/none/done`, which does not exist
     --> jobs.toml:8:14
      |
    8 | done_when = ["/opt/none/done"]
      |              ^^^^^^^^^^^^^^^^ until it exists, it gives no answer, and `on_unknown` decides: the date runs, or is held
    "#);
}

#[test]
fn check_warns_of_programs_folders_and_files_that_do_not_exist() {
    let place = Fixture::new(
        "[jobs.load]\nschedule = \"0 0 * * *\"\ncommand = [\"/opt/none/load\", \"{date}\"]\n\
         working_directory = \"nowhere\"\nenvironment_file = \"load.env\"\ndone_when = [\"/bin/true\"]\n",
    );
    let said = place.ask(&["check"]);
    let folder = place.path("").display().to_string();
    insta::assert_snapshot!(said.err.replace(folder.trim_end_matches('/'), "FOLDER"), @r#"
    warning: job `load`: `command` names `/opt/none/load`, which does not exist
     --> jobs.toml:3:12
      |
    3 | command = ["/opt/none/load", "{date}"]
      |            ^^^^^^^^^^^^^^^^ until it exists, each attempt fails

    warning: job `load`: `working_directory` names `FOLDER/nowhere`, which does not exist
     --> jobs.toml:4:21
      |
    4 | working_directory = "nowhere"
      |                     ^^^^^^^^^ until it exists, each attempt fails

    warning: job `load`: `environment_file` names `FOLDER/load.env`, which does not exist
     --> jobs.toml:5:20
      |
    5 | environment_file = "load.env"
      |                    ^^^^^^^^^^ until it exists, each attempt fails
    "#);
    assert_eq!((said.exit, said.out.as_str()), (0, "jobs.toml: 1 job, no errors, 3 warnings\n"));
    std::fs::create_dir(place.path("nowhere")).unwrap();
    std::fs::write(place.path("load.env"), "A=1\n").unwrap();
    assert_eq!(place.ask(&["check"]).out, "jobs.toml: 1 job, no errors, 1 warning\n");
    assert_eq!(place.ask(&["check", "--json"]).json()["warnings"].as_array().unwrap().len(), 1);
    // Which `PATH` a file sets is not known.
    place.write(
        "[jobs.a]\nschedule = \"@daily\"\ncommand = [\"no-such-program\"]\n\
         [jobs.b]\nschedule = \"@daily\"\ncommand = [\"/etc/passwd\"]\n\
         [jobs.c]\nschedule = \"@daily\"\ncommand = [\"no-such-program\"]\nenvironment = { PATH = \"/opt\" }\n\
         [jobs.d]\nschedule = \"@daily\"\ncommand = [\"no-such-program\"]\nenvironment_file = \"load.env\"\n",
    );
    insta::assert_snapshot!(place.ask(&["check"]).err, @r#"
    warning: job `a`: `command` names `no-such-program`, which is in no folder of `PATH`
     --> jobs.toml:3:12
      |
    3 | command = ["no-such-program"]
      |            ^^^^^^^^^^^^^^^^^ if the job does not find it either, each attempt fails with exit status 127

    warning: job `b`: `command` names `/etc/passwd`, which is not executable
     --> jobs.toml:6:12
      |
    6 | command = ["/etc/passwd"]
      |            ^^^^^^^^^^^^^ a script needs `chmod +x`, or its interpreter in front
    "#);
}

#[test]
fn places_are_found_in_their_order() {
    let place = lived();
    let ask = |variables: &[(&str, &str)], arguments: &[&str]| {
        said(&place.command(arguments).envs(variables.iter().copied()).output().unwrap())
    };
    let missing = ask(&[], &["sessions", "--ledger", "sqlite://other.db"]);
    assert!(missing.err.contains("`sqlite://other.db`"), "{}", missing.err);
    let missing = ask(&[("CRONTABBER_LEDGER", "sqlite://other.db")], &["sessions"]);
    assert!(missing.err.contains("`sqlite://other.db`"), "{}", missing.err);
    let found = ask(&[("CRONTABBER_LEDGER", "")], &["sessions", "--json"]);
    assert_eq!(found.column("job").len(), 3);
    let elsewhere = ask(&[("CRONTABBER_CONFIG", "elsewhere.toml")], &["check"]);
    assert_eq!(elsewhere.exit, 78);
    std::fs::create_dir_all(place.path("xdg/crontabber")).unwrap();
    std::fs::rename(place.path("jobs.toml"), place.path("xdg/crontabber/jobs.toml")).unwrap();
    let xdg = place.path("xdg").display().to_string();
    assert_eq!(ask(&[("XDG_CONFIG_HOME", &xdg)], &["check"]).exit, 0);
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let place = Fixture::new("[jobs.often]\nevery = \"1m\"\ncommand = \"true\"\n");
    for format in ["--json", "-q"] {
        let mut command = place.command(&["plan", "often", "--from", "2020-01-01", "--to", "2026-01-01", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut some = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut some).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{format}");
    }
}

#[test]
fn programs_get_what_they_can_read() {
    let place = Fixture::new(ONE);
    assert!(place.ask(&["schema"]).json().is_object());
    for shell in ["bash", "zsh", "fish"] {
        let said = place.ask(&["completions", shell]);
        assert_eq!(said.exit, 0);
        assert!(said.out.contains("audit-ghosts"), "{shell}");
    }
    let versions = place.ask(&["version", "--json"]).json();
    let (version, tzdata) = (versions["version"].as_str().unwrap(), versions["tzdata"].as_str().unwrap());
    assert_eq!(place.ask(&["-V"]).out, format!("crontabber {version} (tzdata {tzdata})\n"));
}

#[test]
fn a_verb_of_another_tool_is_answered_with_ours() {
    let place = Fixture::new(ONE);
    for (verb, ours) in [
        ("validate", "`crontabber check`"),
        ("tail", "`crontabber log -f JOB`"),
        ("trigger", "`crontabber run JOB`"),
        ("clear", "`crontabber retry JOB DATE`"),
        ("reload", "SIGHUP"),
        ("stop", "SIGTERM"),
    ] {
        let said = place.ask(&[verb, "load"]);
        assert_eq!(said.exit, 2, "{verb}: {said:?}");
        let tips: Vec<&str> = said.err.lines().filter(|line| line.contains("tip: ")).collect();
        assert!(tips[0].contains(ours), "{verb}: {}", said.err);
        assert!(!said.err.contains("similar"), "{verb}: {}", said.err);
    }
    // A misspelled command of ours is still recognized.
    let misspelled = place.ask(&["sesions"]).err;
    assert!(misspelled.contains("similar") && misspelled.contains("'sessions'"), "{misspelled}");
}
