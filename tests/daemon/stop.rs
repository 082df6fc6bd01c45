//! The stop of a daemon: signals, `stop_grace`, and what runs.

use std::fs::{self, File};
use std::process::Command;

use crate::lab::{DAILY, Daemon, Lab, SLOW, lives};
use rustix::process::Signal;

#[test]
fn a_stop_waits_for_running_attempts() {
    let lab = Lab::new(SLOW);
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    daemon.signal(Signal::TERM);
    lab.until("the stop", || lab.log().contains("stopping"));
    fs::write(lab.path("go"), "").unwrap();
    assert!(daemon.wait().success());
    assert_eq!(lab.sessions("slow"), ["2026-11-01 succeeded 1"]);
}

#[test]
fn a_second_signal_kills_running_attempts_and_uses_up_no_attempt() {
    let lab = Lab::new(SLOW);
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    daemon.signal(Signal::TERM);
    lab.until("the stop", || lab.log().contains("stopping"));
    daemon.signal(Signal::TERM);
    assert!(daemon.wait().success());
    assert!(!lives(&lab.lines("pids")[0]));
    assert_eq!(lab.outcomes("slow"), ["interrupted"]);
    fs::write(lab.path("go"), "").unwrap();
    lab.ok("once");
    assert_eq!(lab.sessions("slow"), ["2026-11-01 succeeded 2"], "though its retry has one attempt only");
}

#[test]
fn an_attempt_that_outlives_the_stop_grace_is_left_to_the_warden_and_adopted() {
    let lab = Lab::new(&format!("[daemon]\nstop_grace = \"100ms\"\n{SLOW}"));
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    assert!(daemon.stop().success());
    assert!(lab.log().contains("left to the warden: slow"), "{}", lab.log());
    assert_eq!(lab.outcomes("slow"), ["open"]);
    // It ends while only the warden runs.
    fs::write(lab.path("go"), "").unwrap();
    lab.until_file("ran");
    let _daemon = lab.daemon();
    lab.until("its end is known", || lab.sessions("slow") == ["2026-11-01 succeeded 1"]);
    assert_eq!(lab.lines("pids").len(), 1, "no second one beside it");
}

#[test]
fn an_attempt_that_outlives_the_stop_grace_is_interrupted_where_the_warden_ends_too() {
    let lab = Lab::new(&format!("[daemon]\nstop_grace = \"100ms\"\n{SLOW}"));
    let command = lab.command(&[]);
    // As a service of systemd's without a unit for the warden.
    let mut service = Command::new("/bin/sh");
    service.args(["-c", "SYSTEMD_EXEC_PID=$$ exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    let mut daemon = Daemon::start(service.stderr(File::create(lab.path("daemon.log")).unwrap()));
    lab.until_file("pids");
    assert!(daemon.stop().success());
    assert_eq!(lab.outcomes("slow"), ["interrupted"]);
    assert_eq!(lab.sessions("slow"), ["2026-11-01 waiting 1"], "it uses up no attempt");
}

#[test]
fn sigusr1_wakes_and_sigint_stops() {
    let lab = Lab::new(DAILY);
    let mut daemon = lab.daemon();
    lab.until("its work", || lab.lines("ran").len() == 6);
    daemon.signal(Signal::USR1);
    lab.until("it is woken", || lab.log().contains("woken by a signal"));
    daemon.signal(Signal::INT);
    assert!(daemon.wait().success());
    assert!(lab.log().contains("stopped"), "{}", lab.log());
    assert_eq!(lab.lines("ran").len(), 6);
}
