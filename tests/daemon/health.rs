//! `health` after real failures.

use crate::lab::{Lab, stdout};

#[test]
fn health_warns_at_the_first_failure_and_is_critical_at_the_second() {
    let lab = Lab::new(
        r#"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-01
retry = { after = "1ms" }
command = "exit 3"
"#,
    );
    lab.run(&["once"]);
    let first = lab.run(&["health"]);
    assert_eq!(first.status.code(), Some(1), "{}", stdout(&first));
    assert!(stdout(&first).starts_with("WARNING"), "{}", stdout(&first));
    lab.run(&["once"]);
    let second = lab.run(&["--nagios"]);
    assert_eq!(second.status.code(), Some(2), "{}", stdout(&second));
    assert!(stdout(&second).starts_with("CRITICAL") && stdout(&second).contains("load"), "{}", stdout(&second));
}

#[test]
fn health_is_critical_when_two_dates_failed() {
    let lab = Lab::new(
        r#"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
order = "independent"
start = 2026-11-01
end = 2026-11-02
command = "exit 3"
"#,
    );
    assert_eq!(lab.run(&["once"]).status.code(), Some(1));
    let health = lab.run(&["health"]);
    assert_eq!(health.status.code(), Some(2), "{}", stdout(&health));
    assert!(
        stdout(&health).contains("2026-11-01") && stdout(&health).contains("2 dates failed"),
        "{}",
        stdout(&health)
    );
}
