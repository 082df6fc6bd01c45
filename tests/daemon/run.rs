//! `run` waits for the end of its attempt, and not for a daemon that has ended.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::lab::{Daemon, Lab, job, stderr, stdout};

const JOBS: &str = r#"
[daemon]
stop_grace = "100ms"
[jobs.m]
command = "touch DIR/began; until test -e DIR/go; do sleep 0.02; done"
"#;

/// A `run` that waits for its attempt.
fn runs(lab: &Lab) -> (Daemon, Child) {
    let daemon = lab.daemon();
    lab.until("the daemon serves", || lab.log().contains(" jobs of ") || lab.log().contains(" job of "));
    let run =
        lab.command(&["run", "m"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    lab.until_file("began");
    (daemon, run)
}

fn expect_an_end(lab: &Lab, run: Child) {
    let since = Instant::now();
    let ended = run.wait_with_output().expect("our child");
    assert!(since.elapsed() < Duration::from_secs(2), "a second, and more for a busy machine: {:?}", since.elapsed());
    assert_eq!(ended.status.code(), Some(1));
    let said = stderr(&ended);
    assert!(said.contains("the daemon has ended while attempt 1 of `m` at "), "{said}");
    assert!(said.contains(" was running; its outcome is known when a daemon starts again"), "{said}");
    fs::write(lab.path("go"), "").expect("a file");
    let _daemon = lab.daemon();
    lab.until("its outcome", || lab.outcomes("m") == ["succeeded"]);
}

#[test]
fn a_daemon_that_dies_ends_the_wait() {
    let lab = Lab::new(JOBS);
    let (mut daemon, run) = runs(&lab);
    daemon.kill();
    expect_an_end(&lab, run);
}

#[test]
fn a_daemon_that_stops_ends_the_wait() {
    let lab = Lab::new(JOBS);
    let (mut daemon, run) = runs(&lab);
    daemon.signal(Signal::TERM);
    daemon.wait();
    expect_an_end(&lab, run);
}

#[test]
fn a_test_beside_a_daemon_has_the_daemons_environment_and_changes_nothing() {
    let lab =
        Lab::new(&job("load", 2, "command = \"echo $COLOR $CRONTABBER_ATTEMPT; exit 3\"\nretry = { attempts = 1 }"));
    let _daemon = Daemon::start(lab.command(&[]).env("COLOR", "blue").stderr(Stdio::null()));
    lab.until("the first date", || lab.sessions("load").first().is_some_and(|row| row.contains("held")));
    let output = lab.command(&["test", "load", "2026-11-01"]).env("COLOR", "red").output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout(&output).starts_with("blue 2\nwould have been recorded: load: "), "{output:?}");
    assert!(stderr(&output).contains("with the environment of the daemon (process "), "{output:?}");
    assert_eq!(lab.sessions("load"), ["2026-11-01 held 1", "2026-11-02 waiting 0"]);
}
