//! `once`: one wake, real processes, on SQLite.

use std::fs;
use std::process::Stdio;

use crate::lab::{DAILY, Daemon, Lab, SLOW, days, kill_group};
use rustix::process::Signal;

#[test]
fn once_runs_every_due_date_in_order_and_none_again() {
    let lab = Lab::new(DAILY);
    lab.ok("once");
    assert_eq!(lab.lines("ran"), days(1, 6, ""));
    assert_eq!(lab.sessions("load"), days(1, 6, " succeeded 1"));
    lab.ok("once");
    assert_eq!(lab.lines("ran").len(), 6, "a succeeded date does not run again");
}

#[test]
fn once_exits_with_1_when_an_attempt_failed() {
    let lab = Lab::new(&DAILY.replace("echo", "test $CRONTABBER_SESSION_DATE != 2026-11-03 && echo"));
    lab.fails(1, "once");
    let mut expected = days(1, 2, " succeeded 1");
    expected.push("2026-11-03 failed 1".to_owned());
    expected.extend(days(4, 6, " waiting 0"));
    assert_eq!(lab.sessions("load"), expected);
    // It is not due again yet, and nothing failed.
    lab.ok("once");
}

#[test]
fn once_exits_with_1_when_it_is_interrupted() {
    let lab = Lab::new(SLOW);
    let log = fs::File::create(lab.path("daemon.log")).unwrap();
    let mut once = Daemon::start(lab.command(&["once"]).stdout(Stdio::null()).stderr(log));
    lab.until_file("pids");
    once.signal(Signal::INT);
    lab.until("the stop", || lab.log().contains("stopping"));
    once.signal(Signal::INT);
    assert_eq!(once.wait().code(), Some(1));
    assert_eq!(lab.outcomes("slow"), ["interrupted"]);
}

#[test]
fn once_retries_an_attempt_that_a_crash_lost() {
    let lab = Lab::new(&DAILY.replace("echo", "test -e DIR/go || sleep 100; echo"));
    let mut daemon = lab.daemon();
    lab.until("an attempt", || lab.outcomes("load") == ["open"]);
    lab.until("its process", || lab.json(&["attempts", "load"])[0]["pid"].is_number());
    let pid = lab.json(&["attempts", "load"])[0]["pid"].as_i64().unwrap();
    daemon.kill();
    lab.kill_warden();
    kill_group(pid);
    fs::write(lab.path("go"), "").unwrap();
    lab.ok("once");
    assert_eq!(lab.lines("ran"), days(1, 6, ""));
}
