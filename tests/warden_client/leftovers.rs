//! Processes of an attempt that outlive its own process: ended if the attempt was stopped or has failed, named otherwise.

use std::fs;
use std::time::{Duration, Instant};

use crontabber::session::{Outcome, ProcessIdentity};
use crontabber::warden::{is_alive, process_identity};
use crontabber::warden_client::Launch;

use crate::lab::{Lab, await_that, exists, key};

/// Starts a process in a session of its own, which writes its number to `child` and then executes `text`.
fn detached(text: &str) -> String {
    format!("setsid sh -c 'echo $$ > child.new; {text}'")
}

/// The process is ready.
const READY: &str = "mv child.new child; while :; do sleep 0.01; done";

const UNTIL_READY: &str = "while ! test -e child; do sleep 0.01; done";

fn child(lab: &Lab) -> ProcessIdentity {
    lab.await_file("child");
    process_identity(fs::read_to_string(lab.path("child")).unwrap().trim().parse().unwrap()).unwrap()
}

fn kill(process: &ProcessIdentity) {
    let pid = rustix::process::Pid::from_raw(process.pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_timeout_ends_what_left_the_process_group_before_it_is_reported() {
    let lab = Lab::new();
    let tidy = detached(&format!("trap \"sleep 0.2 && echo saved; exit\" TERM; {READY}"));
    let launch = Launch { timeout: Some(Duration::from_millis(500)), ..lab.shell(&format!("{tidy} & wait")) };
    lab.client().start(launch);
    let process = child(&lab);
    let end = lab.end();
    assert!(!is_alive(&process));
    assert_eq!(end.outcome, Outcome::TimedOut);
    assert!(end.detail.unwrap().contains("that it left behind "));
    let printed = lab.printed();
    assert!(printed.ends_with("saved\n"), "its output is kept until it has ended: {printed}");
}

#[test]
fn what_left_the_process_group_and_ignores_term_is_killed_after_the_grace() {
    let lab = Lab::new();
    let deaf = detached(&format!("trap \"\" TERM; {READY}"));
    let kill_grace = Duration::from_millis(150);
    lab.begin(Launch { kill_grace, ..lab.shell(&format!("{deaf} > output 2>&1 & wait")) });
    let process = child(&lab);
    let asked = Instant::now();
    lab.client().stop(&key("job", 1), Outcome::Cancelled, false);
    let end = lab.end();
    assert!(asked.elapsed() >= kill_grace);
    assert!(!is_alive(&process));
    assert_eq!(end.outcome, Outcome::Cancelled);
    let detail = end.detail.unwrap();
    assert!(detail.contains(" killed: ") && detail.contains(&format!("{} sh", process.pid)), "{detail}");
}

#[test]
fn a_kill_at_once_reaches_what_left_the_process_group() {
    let lab = Lab::new();
    let deaf = detached(&format!("trap \"\" TERM; {READY}"));
    lab.begin(lab.shell(&format!("{deaf} & wait")));
    let process = child(&lab);
    lab.client().stop(&key("job", 1), Outcome::Cancelled, false);
    lab.client().stop(&key("job", 1), Outcome::Cancelled, true);
    assert_eq!(lab.end().outcome, Outcome::Cancelled);
    assert!(!is_alive(&process));
}

#[test]
fn a_kill_at_once_reaches_what_has_its_grace_after_the_end_of_its_job() {
    let lab = Lab::new();
    let deaf = detached(&format!("trap \"touch told\" TERM; {READY}"));
    lab.client().start(lab.shell(&format!("{deaf} & {UNTIL_READY}; exit 3")));
    let process = child(&lab);
    lab.await_file("told");
    assert!(is_alive(&process));
    lab.client().stop(&key("job", 1), Outcome::Cancelled, true);
    let end = lab.end();
    assert!(!is_alive(&process));
    assert_eq!(end.outcome, Outcome::Failed { code: 3 });
    assert!(end.detail.unwrap().contains(" killed: "));
}

#[test]
fn a_failed_job_is_reported_once_what_it_left_behind_has_ended() {
    let lab = Lab::new();
    let detached = detached(&format!("trap \"sleep 0.1; touch tidied; exit\" TERM; {READY}"));
    for redirection in ["", "> output 2>&1"] {
        lab.client().start(lab.shell(&format!("{detached} {redirection} & {UNTIL_READY}; exit 3")));
        let process = child(&lab);
        let end = lab.end();
        assert!(!is_alive(&process), "{redirection}");
        assert_eq!(end.outcome, Outcome::Failed { code: 3 });
        let detail = end.detail.unwrap();
        assert!(detail.contains(" ended: ") && detail.contains(&format!("{} sh", process.pid)), "{detail}");
        for name in ["child", "tidied"] {
            fs::remove_file(lab.path(name)).unwrap();
        }
    }
}

#[test]
fn a_job_that_succeeds_leaves_its_processes_and_they_are_named() {
    let lab = Lab::new();
    let end = lab.run(lab.shell(&format!("{} > output 2>&1 & {UNTIL_READY}", detached(READY))));
    let process = child(&lab);
    assert!(is_alive(&process));
    assert_eq!((end.outcome, end.has_log), (Outcome::Succeeded, false));
    let detail = end.detail.unwrap();
    assert!(detail.contains("that it left behind still run"), "{detail}");
    assert!(detail.contains(&format!("{} sh", process.pid)), "{detail}");
    kill(&process);
    await_that("the warden reaps it", || !exists(&process));
}

#[test]
fn the_loss_of_later_output_is_marked() {
    let lab = Lab::new();
    let end = lab.run(lab.shell("(while ! test -e go; do sleep 0.01; done; echo late && touch proof) & printf early"));
    assert_eq!((end.outcome, end.has_log), (Outcome::Succeeded, true));
    let mark = "[crontabber: a process that the attempt left behind has the output open; what it prints from here on is \
                not kept]\n";
    assert_eq!(lab.printed(), format!("early\n{mark}"));
    fs::write(lab.path("go"), "").unwrap();
    lab.await_file("proof");
    // It ends with the folder of the test.
    let end = lab.run(lab.shell("(while test -e proof; do sleep 0.01; done) & :"));
    assert!(end.has_log);
    assert_eq!(lab.printed(), mark);
}

#[test]
fn what_ends_a_moment_after_the_job_is_neither_named_nor_cut() {
    let lab = Lab::new();
    for status in [0, 3] {
        let end = lab.run(lab.shell(&format!("(sleep 0.04; echo late) & echo early; exit {status}")));
        assert_eq!(end.outcome, if status == 0 { Outcome::Succeeded } else { Outcome::Failed { code: status } });
        assert_eq!(end.detail, None);
        assert!(end.duration.unwrap() < Duration::from_millis(40), "its own duration");
        assert_eq!(lab.printed(), "early\nlate\n");
    }
}

#[test]
fn of_many_processes_some_are_named() {
    let lab = Lab::new();
    let end = lab.run(lab.shell("for n in $(seq 300); do sleep 1000 > output & done; exit 3"));
    let detail = end.detail.unwrap();
    assert!(detail.starts_with("300 processes that it left behind were ended: "), "{detail}");
    assert!(detail.ends_with(" sleep, and 295 more"), "{detail}");
    assert_eq!(detail.matches("sleep").count(), 5);
}
