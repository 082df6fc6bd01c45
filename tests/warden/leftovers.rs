//! Processes that outlive their attempt, when the warden is killed before it has ended them.

use std::fs;
use std::time::Duration;

use crontabber::session::Outcome;
use crontabber::warden::protocol::Reply;
use crontabber::warden::{is_alive, process_identity};
use rustix::process::Signal;

use crate::fixture::{TestWarden, await_that};

/// A process in a session of its own that ignores TERM.
const DEAF: &str = "setsid sh -c 'echo $$ > child.new; trap \"touch told\" TERM; mv child.new child; \
                    while :; do sleep 0.01; done' > output 2>&1 &";

/// The next end, and whether the process that ignores TERM has ended before it is reported.
fn end_after_a_crash(script: &str, crash: impl FnOnce(&TestWarden)) -> Outcome {
    let mut warden = TestWarden::new();
    let name = warden.name("job", "one");
    let mut start = warden.start(&name, script);
    start.kill_grace = Duration::from_secs(1000);
    let mut client = warden.client("one");
    client.start(start);
    warden.await_file("child");
    let child = process_identity(warden.text("child").trim().parse().unwrap()).unwrap();
    crash(&warden);
    warden.signal(Signal::KILL);
    warden.start_again();
    let mut client = warden.connect();
    let known = client.hello("one");
    assert!(matches!(&known[..], [Reply::Running(running)] if running.attempt == name), "{known:?}");
    assert!(is_alive(&child));
    // The grace that the new warden gives is not known here.
    rustix::process::kill_process(rustix::process::Pid::from_raw(child.pid).unwrap(), Signal::KILL).unwrap();
    let end = client.ended();
    assert_eq!(end.attempt, name);
    assert!(!is_alive(&child));
    end.end().unwrap().outcome
}

#[test]
fn a_warden_that_is_killed_while_it_ends_leftovers_loses_no_end_and_the_next_one_goes_on() {
    let script = format!("{DEAF} while ! test -e child; do sleep 0.01; done; exit 3");
    let outcome = end_after_a_crash(&script, |warden| {
        warden.await_file("told");
        fs::remove_file(warden.path("told")).unwrap();
    });
    assert_eq!(outcome, Outcome::Failed { code: 3 });
}

#[test]
fn what_a_job_left_behind_is_ended_when_its_end_was_lost_with_the_warden() {
    let script = format!("{DEAF} echo $$ > own; while :; do sleep 0.01; done");
    let outcome = end_after_a_crash(&script, |warden| {
        // The job ends between the two wardens.
        await_that("its number", || !warden.text("own").is_empty());
        warden.signal(Signal::STOP);
        let own = rustix::process::Pid::from_raw(warden.text("own").trim().parse().unwrap()).unwrap();
        rustix::process::kill_process_group(own, Signal::KILL).unwrap();
    });
    assert_eq!(outcome, Outcome::Lost);
}
