//! The start of a daemon: the ledger's lock, and errors in what it needs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::lab::{DAILY, Lab, days, not_run, stderr};

#[test]
fn a_second_daemon_exits_with_3_and_names_the_first() {
    let lab = Lab::new(DAILY);
    let mut daemon = lab.daemon();
    lab.until("a first daemon", || lab.lines("ran").len() == 6);
    let second = lab.fails(3, "");
    assert!(second.contains(&daemon.pid().to_string()), "{second}");
    lab.fails(3, "once");
    assert!(daemon.stop().success());
    lab.ok("once");
}

#[test]
fn of_two_daemons_started_together_one_runs() {
    let lab = Lab::new(DAILY);
    let pair: Vec<_> =
        (0..2).map(|_| lab.command(&["once"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()).collect();
    let mut codes: Vec<_> = pair.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
    codes.sort_unstable();
    // The second may start after the first has ended.
    assert!(codes == [0, 3] || codes == [0, 0], "{codes:?}");
    assert_eq!(lab.lines("ran"), days(1, 6, ""));
}

#[test]
fn an_invalid_registry_exits_with_78() {
    let lab = Lab::new("");
    for (registry, says) in [
        ("", "no jobs"),
        ("[jobs.a", "jobs.toml:1"),
        ("[jobs.a]\nbackfill = true\ncommand = \"true\"\n", "schedule"),
        ("[jobs.a]\nschedule = \"0 0 30 2 *\"\ncommand = \"true\"\n", "never"),
        ("[jobs.a]\nschedule = \"0 3 * * *\"\ncommand = \"true\"\ndepends_on = [\"a\"]\n", "itself"),
        ("[jobs.a]\nschedule = \"0 3 * * *\"\ncommand = \"true\"\nstart = 2026-11-02\nend = 2026-11-01\n", "end"),
    ] {
        lab.write_registry(registry);
        for line in ["once", "check", "list", ""] {
            let said = lab.fails(78, line);
            assert!(said.contains(says), "{registry:?}: {said}");
        }
    }
    fs::remove_file(lab.path("jobs.toml")).unwrap();
    lab.fails(78, "once");
    assert!(!lab.path("ledger.db").exists(), "nothing was created");
}

/// Runs a command as the user nobody; `None`, with a message, where the tests do not run as root.
fn run_as_nobody(lab: &Lab, arguments: &[&str]) -> Option<std::process::Output> {
    if !rustix::process::getuid().is_root() {
        not_run("root, to be nobody");
        return None;
    }
    // The user nobody may have no access to the build directory.
    let binary = lab.path("crontabber");
    fs::copy(env!("CARGO_BIN_EXE_crontabber"), &binary).expect("a copy");
    fs::set_permissions(lab.folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let mut command = std::process::Command::new(binary);
    command.arg("--config").arg(lab.path("jobs.toml")).args(arguments).env_clear().uid(65534).gid(65534);
    Some(command.current_dir("/").output().expect("the binary runs"))
}

#[test]
fn an_unreadable_registry_exits_with_78() {
    let lab = Lab::new(DAILY);
    fs::set_permissions(lab.path("jobs.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let Some(output) = run_as_nobody(&lab, &["once"]) else { return };
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("jobs.toml") && said.contains("ermission denied"), "{said}");
}

#[test]
fn an_unusable_ledger_is_an_error_that_says_why() {
    let lab = Lab::new(DAILY);
    fs::write(lab.path("ledger.db"), "long enough, and no database".repeat(50)).unwrap();
    let said = lab.fails(1, "once");
    assert!(said.contains("no database"), "{said}");
    let lab = Lab::new(DAILY).with_ledger("sqlite:///nowhere/at/all/ledger.db");
    let said = lab.fails(1, "once");
    assert!(said.contains("does not exist"), "{said}");
    assert!(lab.lines("ran").is_empty());
}

#[test]
fn a_ledger_in_a_read_only_directory_is_an_error() {
    let lab = Lab::new(DAILY);
    let ledger = lab.ledger.clone();
    let Some(output) = run_as_nobody(&lab, &["--ledger", &ledger, "once"]) else { return };
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot be written"), "{}", stderr(&output));
    assert!(lab.lines("ran").is_empty(), "nothing was started");
}

#[test]
fn the_ledger_and_the_logs_are_private() {
    let lab = Lab::new(&DAILY.replace(">> DIR/ran", ""));
    lab.ok("once");
    let mode = |name: &str| fs::metadata(lab.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ledger.db"), mode("logs"), mode("warden")), (0o600, 0o700, 0o700));
    assert_eq!(lab.ok("log load 2026-11-02").trim(), "2026-11-02");
}

#[test]
fn a_command_run_by_root_leaves_the_files_of_the_warden_to_their_owner() {
    let lab = Lab::new(DAILY);
    if !rustix::process::geteuid().is_root() {
        return not_run("root");
    }
    let nobody = Some(65534);
    std::os::unix::fs::chown(lab.folder.path(), nobody, nobody).unwrap();
    lab.ok("once");
    let mut files: Vec<_> = fs::read_dir(lab.path("warden")).unwrap().map(|file| file.unwrap().path()).collect();
    files.push(lab.path("warden"));
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::symlink_metadata(&file).unwrap());
        assert_eq!(Some(owner), nobody, "{}", file.display());
    }
}
