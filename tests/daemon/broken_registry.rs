//! Commands beside a daemon, when the files of the registry have mistakes, or are away.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::lab::{Lab, SLOW, stderr, stdout};
use crate::postgres;

/// A job that runs, in a registry with a secret.
fn running() -> String {
    format!("{}environment = {{ TOKEN = \"hunter2\" }}\n", SLOW.replace("end = 2026-11-01", "end = 2026-11-03"))
}

/// Runs a command that succeeds, and points at the mistake.
fn goes_on(lab: &Lab, line: &str) -> String {
    let output = lab.run(&line.split_whitespace().collect::<Vec<_>>());
    let told = stderr(&output);
    assert!(output.status.success(), "{line}: {}{told}", stdout(&output));
    assert!(told.contains("scedule = \"0 3 * * *\"") && told.contains("did you mean `schedule`?"), "{line}: {told}");
    assert!(told.contains("cannot be used; the daemon goes on with what it read at 20"), "{line}: {told}");
    assert!(!told.contains("hunter2"), "{told}");
    stdout(&output)
}

#[test]
fn a_mistake_in_the_registry_disarms_no_operator() {
    let registry = running();
    let broken = registry.replace("schedule", "scedule");
    for lab in [Lab::new(&registry), Lab::new(&registry).with_ledger(&postgres::database())] {
        let mut daemon = lab.daemon();
        lab.until("it runs", || lab.lines("pids").len() == 1 && lab.ok("why slow").contains("running"));
        lab.write_registry(&broken);
        for command in ["check", "plan", "once"] {
            assert!(lab.fails(78, command).contains("did you mean `schedule`?"), "{command}");
        }
        daemon.signal(Signal::HUP);
        lab.until("the daemon refuses it", || lab.log().contains("the registry in force stays"));
        assert!(goes_on(&lab, "list").contains("slow"));
        assert!(goes_on(&lab, "status slow").contains("0 3 * * *"));
        assert!(goes_on(&lab, "why slow").contains("running"));
        for line in ["sessions slow", "attempts slow", "calendar slow", "ghosts", "verify"] {
            goes_on(&lab, line);
        }
        goes_on(&lab, "disable slow --reason typo");
        goes_on(&lab, "enable slow --catch-up");
        goes_on(&lab, "skip slow --date 2026-11-03");
        goes_on(&lab, "done slow 2026-11-02");
        goes_on(&lab, "kill slow");
        goes_on(&lab, "retry slow 2026-11-01");
        fs::write(lab.path("go"), "").unwrap();
        lab.until("its end", || lab.sessions("slow")[0].contains("succeeded"));
        goes_on(&lab, "backfill slow --from 2026-11-01 --to 2026-11-03 --only all --dry-run");
        let health = lab.run(&["health"]);
        assert_eq!(health.status.code(), Some(1), "{health:?}");
        let line = stdout(&health);
        assert!(line.starts_with("WARNING - `") && line.contains("unknown key"), "{line}");
        // Nobody has it in force any more.
        assert!(daemon.stop().success());
        lab.fails(78, "list");
        lab.fails(78, "kill slow");
    }
}

#[test]
fn the_registry_in_force_is_found_without_the_name_of_its_ledger() {
    let registry = format!("[daemon]\nledger = \"sqlite://l.db\"\n{}", running());
    let lab = Lab::new(&registry);
    let command = |line: &[&str]| {
        let mut command = lab.bare();
        command.current_dir(lab.path("")).args(line);
        command
    };
    let mut daemon =
        command(&[]).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let kill = || command(&["kill", "slow"]).output().unwrap();
    lab.until_file("pids");
    lab.until_file("l.db.registry");
    let mode = fs::metadata(lab.path("l.db.registry")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    lab.write_registry(&registry.replace("schedule", "scedule").replace("[jobs.slow]", "[jobs.slow"));
    let killed = kill();
    assert!(killed.status.success(), "{}", stderr(&killed));
    assert!(stderr(&killed).contains("[jobs.slow\n"), "{}", stderr(&killed));
    crate::lab::signal_process(i32::try_from(daemon.id()).unwrap(), Signal::TERM);
    assert!(daemon.wait().unwrap().success());
}

#[test]
fn files_that_are_away_are_told() {
    let main = "include = [\"jobs.d/*.toml\"]\n[jobs.here]\nevery = \"1d\"\nstart = 2026-11-01\ncommand = \"true\"\n";
    let lab = Lab::new(main);
    let folder = |name: &str| lab.path(name);
    fs::create_dir(folder("jobs.d")).unwrap();
    fs::write(folder("jobs.d/a.toml"), main.lines().skip(1).collect::<Vec<_>>().join("\n").replace("here", "there"))
        .unwrap();
    let daemon = lab.daemon();
    lab.until("both", || lab.json(&["health"])["message"] == "2 jobs, none behind");
    assert_eq!(stderr(&lab.run(&["list"])), "");
    fs::rename(folder("jobs.d"), folder("away")).unwrap();
    daemon.signal(Signal::HUP);
    let gone = "`include` `jobs.d/*.toml` matches no file of the registry, and 1 job of the ledger never run: `there`";
    lab.until("it is gone", || lab.log().contains("there: gone from the registry"));
    let health = lab.run(&["health"]);
    assert_eq!((health.status.code(), stdout(&health)), (Some(1), format!("WARNING - {gone}\n")));
    assert_eq!(stderr(&lab.run(&["list"])), format!("warning: {gone}\n"));
    // The pattern is the only source of jobs.
    lab.write_registry("include = [\"jobs.d/*.toml\"]\n");
    let refused = lab.fails(78, "check");
    assert!(refused.contains("the registry has no jobs: `include` `jobs.d/*.toml` matches no file"), "{refused}");
    daemon.signal(Signal::HUP);
    lab.until("the daemon says so", || lab.log().contains("has no jobs: `include` `jobs.d/*.toml` matches no file"));
    fs::rename(folder("away"), folder("jobs.d")).unwrap();
    lab.write_registry(main);
    daemon.signal(Signal::HUP);
    lab.until("both are back", || lab.json(&["health"])["message"] == "2 jobs, none behind");
}
