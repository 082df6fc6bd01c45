//! What the commands say of a daemon that does not run, hangs, or has not read the registry as it is now.

use rustix::process::Signal;

use crate::lab::{DAILY, Daemon, Lab, stderr, stdout};
use crate::postgres;

/// A lab for each kind of ledger, in which a daemon has done its work.
fn with_daemons(registry: &str, mut test: impl FnMut(&Lab, Daemon)) {
    for lab in [Lab::new(registry), Lab::new(registry).with_ledger(&postgres::database())] {
        let daemon = start(&lab);
        test(&lab, daemon);
    }
}

fn start(lab: &Lab) -> Daemon {
    let daemon = lab.daemon();
    lab.until("the daemon has reported", || {
        lab.lines("ran").len() >= 6 && health(lab) == (0, "OK - 1 job, none behind\n".to_owned())
    });
    daemon
}

fn health(lab: &Lab) -> (i32, String) {
    let health = lab.run(&["health"]);
    (health.status.code().expect("it exits"), stdout(&health))
}

/// What commands warn of; all of them the same.
fn warnings(lab: &Lab) -> String {
    let list = stderr(&lab.run(&["list"]));
    for line in [&["status", "load"][..], &["plan"], &["list", "--json"]] {
        assert_eq!(stderr(&lab.run(line)), list, "{line:?}");
    }
    assert_eq!(stderr(&lab.run(&["list", "--quiet"])), "");
    list
}

#[test]
fn a_daemon_that_was_killed_is_missed_at_once() {
    with_daemons(DAILY, |lab, mut daemon| {
        assert_eq!(warnings(lab), "");
        daemon.kill();
        let (exit, line) = health(lab);
        let expected = "the daemon does not run: it ended without being stopped, and was last seen at ";
        assert!(exit == 2 && line.starts_with(&format!("CRITICAL - {expected}")), "{line}");
        assert!(warnings(lab).starts_with(&format!("warning: {expected}")), "{}", warnings(lab));
        let json = lab.json(&["health"]);
        assert_eq!(json["daemon"][0]["status"], "critical");
        // An operator's request, which no daemon answers, is no daemon.
        lab.ok("disable load");
        assert_eq!(health(lab).0, 2);
        lab.ok("enable load");
        let _daemon = start(lab);
    });
}

#[test]
fn a_daemon_that_was_stopped_is_missed_and_then_critical() {
    let lab = Lab::new(DAILY).with_clock("@2026-11-20 12:00:00");
    let mut daemon = start(&lab);
    assert!(daemon.stop().success());
    let (exit, line) = health(&lab);
    let expected = "the daemon does not run: it was stopped at 2026-11-20T12:0";
    assert!(exit == 1 && line.starts_with(&format!("WARNING - {expected}")), "{line}");
    assert!(warnings(&lab).starts_with(&format!("warning: {expected}")));
    lab.set_clock("@2026-11-20 12:30:00");
    assert_eq!(health(&lab).0, 2);
}

#[test]
fn a_ledger_of_once_misses_no_daemon() {
    let lab = Lab::new(DAILY);
    lab.ok("once");
    assert_eq!((health(&lab).0, warnings(&lab).as_str()), (0, ""));
    with_daemons(DAILY, |lab, mut daemon| {
        daemon.kill();
        assert_eq!(health(lab).0, 2);
        // From now on a timer runs it.
        lab.ok("once");
        assert_eq!((health(lab).0, warnings(lab).as_str()), (0, ""));
    });
}

#[test]
fn a_daemon_that_hangs_is_critical() {
    let lab = Lab::new(DAILY).with_clock("@2026-11-20 12:00:00");
    let daemon = start(&lab);
    daemon.signal(Signal::STOP);
    lab.set_clock("@2026-11-20 12:30:00");
    let (exit, line) = health(&lab);
    let expected = format!("CRITICAL - the daemon (process {} on ", daemon.pid());
    assert!(exit == 2 && line.starts_with(&expected), "{line}");
    assert!(line.contains("hangs: it has not reported since 2026-11-20T12:0"), "{line}");
    daemon.signal(Signal::CONT);
    lab.until("it reports again", || health(&lab).0 == 0);
}

#[test]
fn a_registry_that_the_daemon_has_not_read_is_told() {
    with_daemons(DAILY, |lab, daemon| {
        lab.write_registry(&DAILY.replace("0 3", "0 4"));
        let told = warnings(lab);
        let (path, pid) = (lab.path("jobs.toml").display().to_string(), daemon.pid());
        assert!(told.starts_with(&format!("warning: the daemon has not read `{path}` since it was changed at 20")));
        assert!(told.ends_with(&format!(": `kill -HUP {pid}` reloads it, after `crontabber check`\n")), "{told}");
        let check = lab.run(&["check"]);
        assert!(check.status.success() && stderr(&check) == told, "{check:?}");
        let (exit, line) = health(lab);
        assert!(exit == 1 && line.starts_with("WARNING - the daemon has not read "), "{line}");
        daemon.signal(Signal::HUP);
        lab.until("it is read", || health(lab).0 == 0);
        assert_eq!(warnings(lab), "");
        // Another text that says the same is another text all the same; and one may be put back.
        lab.write_registry(DAILY);
        assert!(!warnings(lab).is_empty());
        lab.write_registry(&DAILY.replace("0 3", "0 4"));
        assert_eq!(warnings(lab), "");
    });
}
