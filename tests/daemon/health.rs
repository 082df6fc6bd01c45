//! `health` after real failures.

use crate::lab::{Lab, job, stdout};

/// Runs a command that exits with this code, and returns what it prints.
fn health(lab: &Lab, argument: &str, code: i32) -> String {
    let health = lab.run(&[argument]);
    assert_eq!(health.status.code(), Some(code), "{}", stdout(&health));
    stdout(&health)
}

#[test]
fn health_warns_at_the_first_failure_and_is_critical_at_the_second() {
    let lab = Lab::new(&job("load", 1, "retry = { after = \"1ms\" }\ncommand = \"exit 3\""));
    lab.fails(1, "once");
    let first = health(&lab, "health", 1);
    assert!(first.starts_with("WARNING"), "{first}");
    lab.fails(1, "once");
    let second = health(&lab, "--nagios", 2);
    assert!(second.starts_with("CRITICAL") && second.contains("load"), "{second}");
}

#[test]
fn health_is_critical_when_two_dates_failed() {
    let lab = Lab::new(&job("load", 2, "order = \"independent\"\ncommand = \"exit 3\""));
    lab.fails(1, "once");
    let health = health(&lab, "health", 2);
    assert!(health.contains("2026-11-01") && health.contains("2 dates failed"), "{health}");
}
