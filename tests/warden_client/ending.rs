//! How attempts are ended: by timeout, stop and kill, and what is left alone.

use std::fs;
use std::time::{Duration, Instant};

use crontabber::session::Outcome;
use crontabber::warden::{is_alive, process_identity};
use crontabber::warden_client::Launch;

use crate::lab::{Lab, await_that, exists, key, name};

/// A job that says so when it is ready, and then waits for ever.
fn patient(trap: &str) -> String {
    format!("{trap}; touch ready; while :; do sleep 0.01; done")
}

#[test]
fn a_stop_is_what_it_was_asked_for_unless_the_job_succeeds() {
    let lab = Lab::new();
    for (trap, asked, outcome) in [
        (":", Outcome::Cancelled, Outcome::Cancelled),
        (":", Outcome::Interrupted, Outcome::Interrupted),
        ("trap 'exit 0' TERM", Outcome::Cancelled, Outcome::Succeeded),
        ("trap 'exit 5' TERM", Outcome::Interrupted, Outcome::Interrupted),
    ] {
        let process = lab.begin(lab.shell(&patient(trap)));
        lab.await_file("ready");
        lab.client().stop(&key("job", 1), asked, false);
        let end = lab.end();
        assert_eq!((end.outcome, end.detail), (outcome, None), "{trap}");
        assert!(!exists(&process));
        fs::remove_file(lab.path("ready")).unwrap();
    }
}

#[test]
fn who_ignores_term_is_killed_after_the_grace() {
    let lab = Lab::new();
    let kill_grace = Duration::from_millis(150);
    let process = lab.begin(Launch { kill_grace, ..lab.shell(&patient("trap '' TERM")) });
    lab.await_file("ready");
    let asked = Instant::now();
    lab.client().stop(&key("job", 1), Outcome::Cancelled, false);
    let end = lab.end();
    assert!(asked.elapsed() >= Duration::from_millis(150));
    assert_eq!(end.outcome, Outcome::Cancelled);
    assert_eq!(end.detail.unwrap(), "it did not end within 150ms of TERM, and was killed");
    assert!(!is_alive(&process));
}

#[test]
fn a_timeout_is_a_timeout_whatever_the_status() {
    let lab = Lab::new();
    for trap in [":", "trap 'exit 0' TERM", "trap 'exit 4' TERM", "trap '' TERM"] {
        let (timeout, kill_grace) = (Some(Duration::from_millis(100)), Duration::from_millis(100));
        let end = lab.run(Launch { timeout, kill_grace, ..lab.shell(&patient(trap)) });
        assert_eq!(end.outcome, Outcome::TimedOut, "{trap}");
        assert!(end.duration.unwrap() >= Duration::from_millis(100));
    }
    let launch = Launch { timeout: Some(Duration::MAX), ..lab.launch(&["/bin/true"]) };
    assert_eq!(lab.run(launch).outcome, Outcome::Succeeded);
}

#[test]
fn a_kill_waits_for_no_grace() {
    let lab = Lab::new();
    let process = lab.begin(lab.shell(&patient("trap '' TERM; sleep 1000 & echo $! > child")));
    lab.await_file("ready");
    lab.client().stop(&key("job", 1), Outcome::Interrupted, false);
    lab.client().stop(&key("job", 1), Outcome::Cancelled, true);
    let end = lab.end();
    assert_eq!((end.outcome, end.detail), (Outcome::Interrupted, None));
    assert!(!is_alive(&process));
    let child: i32 = fs::read_to_string(lab.path("child")).unwrap().trim().parse().unwrap();
    await_that("the group's end", || process_identity(child).map_or(true, |child| !is_alive(&child)));
}

#[test]
fn a_stopped_job_can_be_ended() {
    let lab = Lab::new();
    lab.begin(lab.shell("touch ready; kill -STOP $$"));
    lab.await_file("ready");
    lab.client().stop(&key("job", 1), Outcome::Cancelled, false);
    assert_eq!(lab.end().outcome, Outcome::Cancelled);
}

#[test]
fn the_group_has_its_grace_when_its_leader_dies_first() {
    let lab = Lab::new();
    let text = "(trap 'while [ ! -e go ]; do sleep 0.01; done; echo saved > saved; exit' TERM; \
                touch ready; while :; do sleep 0.01; done) & wait";
    let leader = lab.begin(lab.shell(text));
    lab.await_file("ready");
    lab.client().stop(&key("job", 1), Outcome::Cancelled, false);
    await_that("the leader's end", || !is_alive(&leader));
    assert!(!lab.has_report(), "its command is still at work");
    assert!(exists(&leader), "its number must stay taken");
    fs::write(lab.path("go"), "").unwrap();
    assert_eq!(lab.end().outcome, Outcome::Cancelled);
    assert!(lab.path("saved").exists());
    assert!(!exists(&leader));
}

#[test]
fn who_of_the_group_outlives_the_grace_is_killed() {
    let lab = Lab::new();
    let text = "(trap '' TERM; sh -c 'echo $PPID' > child; touch ready; while :; do sleep 0.01; done) & wait";
    lab.begin(Launch { kill_grace: Duration::from_millis(100), ..lab.shell(text) });
    lab.await_file("ready");
    let child: i32 = fs::read_to_string(lab.path("child")).unwrap().trim().parse().unwrap();
    let child = process_identity(child).unwrap();
    lab.client().stop(&key("job", 1), Outcome::Cancelled, false);
    let end = lab.end();
    assert_eq!(end.outcome, Outcome::Cancelled);
    assert!(end.detail.unwrap().ends_with("was killed"));
    await_that("the group's end", || !is_alive(&child));
}

#[test]
fn what_a_job_leaves_behind_neither_delays_its_end_nor_loses_its_pipe() {
    let lab = Lab::new();
    let text = "(while [ ! -e go ]; do sleep 0.01; done; echo late; echo late && echo well > proof) & echo early";
    let end = lab.run(lab.shell(text));
    assert_eq!(end.outcome, Outcome::Succeeded);
    fs::write(lab.path("go"), "").unwrap();
    lab.await_file("proof");
    let printed = lab.printed();
    assert!(printed.starts_with("early\n[crontabber: ") && !printed.contains("late"), "{printed}");
}

#[test]
fn what_never_started_can_be_stopped() {
    let lab = Lab::new();
    lab.start_sleepers(50);
    for number in 1..=50 {
        lab.client().stop(&key("job", number), Outcome::Interrupted, false);
    }
    for _ in 1..=50 {
        assert_eq!(lab.end().outcome, Outcome::Interrupted);
    }
    lab.client().stop(&key("job", 1), Outcome::Cancelled, false);
    lab.client().stop(&key("nobody", 1), Outcome::Cancelled, true);
    let launch = Launch { attempt: name("job", 51), ..lab.launch(&["/bin/true"]) };
    assert_eq!(lab.run(launch).outcome, Outcome::Succeeded);
}
