//! A new ledger for a registry that has another one: somebody has changed `ledger`, and the past would run again.

use std::fs;

use crate::lab::{Lab, stderr};
use crate::postgres;

const LOAD: &str = r#"
[jobs.load]
schedule = "0 3 * * *"
start = 2026-05-16
backfill = true
command = "echo $CRONTABBER_SESSION_DATE >> DIR/ran"
"#;

const WARNING: &str = "is new, and this registry has another one: ";

fn lab() -> Lab {
    Lab::new(LOAD).with_clock("@2026-05-18 12:00:00")
}

/// What `check`, and then `once`, print on standard error with a ledger.
fn with_ledger(lab: &Lab, ledger: &str) -> [String; 2] {
    ["check", "once"].map(|command| {
        let registry = lab.path("jobs.toml").display().to_string();
        let output = lab.bare().args(["--config", &registry, "--ledger", ledger, command]).output().expect("a process");
        stderr(&output)
    })
}

#[test]
fn a_new_ledger_beside_another_one_is_told_before_anything_runs() {
    let lab = lab();
    lab.ok("once");
    let new = format!("sqlite://{}", lab.path("new.db").display());
    let [check, once] = with_ledger(&lab, &new);
    for said in [&check, &once] {
        assert!(said.contains(&format!("the ledger {new} {WARNING}{} with 1 job;", lab.ledger)), "{said}");
    }
    let decided = once.find("load: new; 3 dates due").unwrap_or_else(|| panic!("{once}"));
    assert!(once.find(WARNING).unwrap() < decided, "{once}");
    for said in with_ledger(&lab, &new) {
        assert!(!said.contains(WARNING), "it is in use now: {said}");
    }
}

#[test]
fn the_daemon_tells_of_the_ledger_in_the_state_directory() {
    let lab = lab();
    fs::create_dir(lab.path("state")).unwrap();
    let registry = lab.path("jobs.toml").display().to_string();
    let output = lab.bare().args(["--config", &registry, "once"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let daemon = lab.with_ledger(&postgres::database());
    let mut child = daemon.daemon();
    daemon.until("the warning", || daemon.log().contains(WARNING));
    assert!(daemon.log().contains("state/ledger.db with 1 job"), "{}", daemon.log());
    child.stop();
}

#[test]
fn a_ledger_in_postgres_is_told_by_the_copy_of_its_registry() {
    let lab = Lab::new("").with_clock("@2026-05-18 12:00:00");
    let url = postgres::database();
    lab.write_registry(&format!("[daemon]\nledger = \"{url}\"\n{LOAD}"));
    let lab = lab.with_ledger(&url);
    fs::create_dir(lab.path("state")).unwrap();
    let mut child = lab.daemon();
    let has_copy = || {
        let files = fs::read_dir(lab.path("state")).unwrap().flatten();
        files.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("registry-"))
    };
    lab.until("the copy of the registry", has_copy);
    child.stop();
    let new = format!("sqlite://{}", lab.path("new.db").display());
    for said in with_ledger(&lab, &new) {
        assert!(said.contains(WARNING) && said.contains("postgres"), "{said}");
    }
}

#[test]
fn a_moved_registry_is_told_and_another_one_is_not() {
    let lab = lab();
    lab.ok("once");
    let new = |name: &str| format!("sqlite://{}", lab.path(name).display());
    // Another registry with the same jobs shares the directory, and so may a third.
    fs::copy(lab.path("jobs.toml"), lab.path("other.toml")).unwrap();
    let other = |ledger: &str| {
        let registry = lab.path("other.toml").display().to_string();
        stderr(&lab.bare().args(["--config", &registry, "--ledger", ledger, "check"]).output().unwrap())
    };
    assert!(!other(&new("a.db")).contains(WARNING), "{}", other(&new("a.db")));
    // The first one has become it.
    fs::remove_file(lab.path("jobs.toml")).unwrap();
    assert!(other(&new("a.db")).contains(WARNING), "{}", other(&new("a.db")));
    // It is another one if it has none of its jobs.
    fs::write(lab.path("other.toml"), LOAD.replace("jobs.load", "jobs.mail")).unwrap();
    assert!(!other(&new("a.db")).contains(WARNING), "{}", other(&new("a.db")));
}
