//! Processes of an earlier crontabber.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crontabber::session::{AttemptKey, Outcome, ProcessIdentity};
use crontabber::warden::{ATTEMPT_VARIABLE, find_orphans, is_alive, process_identity};
use crontabber::warden_client::{Launch, OpenAttempt, WardenClient, WardenEvent, WardenState, attempt_name};

use crate::lab::{Flushed, Lab, MARK, await_that, key, listen, location, name};

/// Starts a process as an earlier crontabber would have.
fn orphan(attempt: &AttemptKey, text: &str) -> (Child, ProcessIdentity) {
    let child = Command::new("/bin/sh")
        .args(["-c", text])
        .env(ATTEMPT_VARIABLE, attempt_name(attempt, MARK))
        .process_group(0)
        .spawn()
        .unwrap();
    let identity = process_identity(i32::try_from(child.id()).unwrap()).unwrap();
    (child, identity)
}

fn open(attempt: AttemptKey, process: Option<ProcessIdentity>) -> Vec<OpenAttempt> {
    vec![OpenAttempt { attempt, process, timeout: None, kill_grace: Duration::from_secs(20) }]
}

fn watch(lab: &Lab, attempt: AttemptKey, process: ProcessIdentity) {
    lab.client().watch(open(attempt, Some(process)));
}

fn find_by_attempt(attempt: &AttemptKey) -> Option<ProcessIdentity> {
    find_orphans(&[&attempt_name(attempt, MARK)]).pop().flatten()
}

#[test]
fn the_end_of_an_adopted_process_is_seen_and_lost() {
    let lab = Lab::new();
    let (mut child, process) = orphan(&key("job", 1), "exec sleep 1000");
    watch(&lab, key("job", 1), process.clone());
    watch(&lab, key("other", 1), ProcessIdentity { start_ticks: process.start_ticks + 1, ..process.clone() });
    let (attempt, end) = lab.next_end();
    assert_eq!((attempt, end.outcome), (key("other", 1), Outcome::Lost));
    assert!(end.detail.unwrap().contains("while no warden ran"));
    child.kill().unwrap();
    let (attempt, end) = lab.next_end();
    assert_eq!((attempt, end.outcome, end.duration), (key("job", 1), Outcome::Lost, None));
    assert!(end.detail.unwrap().contains(&format!("process {} exited", process.pid)));
    child.wait().unwrap();
    watch(&lab, key("job", 2), process.clone());
    assert_eq!(lab.end().outcome, Outcome::Lost);
    watch(&lab, key("job", 3), ProcessIdentity { boot_id: "another".to_owned(), ..process });
    assert!(lab.end().detail.unwrap().contains("rebooted"));
}

#[test]
fn an_adopted_process_can_be_ended() {
    let lab = Lab::new();
    for (number, asked, at_once, outcome) in [
        (1, Outcome::Cancelled, false, Outcome::Cancelled),
        (2, Outcome::Interrupted, true, Outcome::Interrupted),
        (3, Outcome::Interrupted, false, Outcome::Lost),
    ] {
        let attempt = key("job", number);
        let (mut child, process) = orphan(&attempt, "exec sleep 1000");
        watch(&lab, attempt.clone(), process.clone());
        lab.client().stop(&attempt, asked, at_once);
        assert_eq!(lab.end().outcome, outcome);
        assert!(!is_alive(&process));
        child.wait().unwrap();
    }
}

#[test]
fn a_process_is_found_by_its_attempt() {
    let (one, two, none) = (key("find", 1), key("find", 2), key("find", 3));
    let (mut first, first_process) = orphan(&one, "sleep 1000; :");
    let (mut second, second_process) = orphan(&two, "exec sleep 1000");
    await_that("the programs", || find_by_attempt(&one).is_some() && find_by_attempt(&two).is_some());
    assert_eq!(find_by_attempt(&one), Some(first_process.clone()));
    assert_eq!(find_by_attempt(&none), None);
    let names = [&two, &none, &one].map(|attempt| attempt_name(attempt, MARK));
    let found = find_orphans(&names.each_ref().map(String::as_str));
    assert_eq!(found, [Some(second_process), None, Some(first_process.clone())]);
    assert_eq!(find_orphans(&[]), []);
    for child in [&mut first, &mut second] {
        let group = rustix::process::Pid::from_child(child);
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    }
    await_that("the end", || !is_alive(&first_process));
    assert_eq!(find_by_attempt(&one), None, "a zombie does not live");
    first.wait().unwrap();
    second.wait().unwrap();
}

#[test]
fn the_runners_own_processes_are_found_by_attempt() {
    let lab = Lab::new();
    let process = lab.begin(Launch { attempt: name("own", 1), ..lab.launch(&["/bin/sleep", "1000"]) });
    assert_eq!(find_by_attempt(&key("own", 1)), Some(process));
    lab.client().stop(&key("own", 1), Outcome::Cancelled, true);
    lab.end();
    assert_eq!(find_by_attempt(&key("own", 1)), None);
}

#[test]
fn what_was_lost_with_the_machine_is_lost_for_the_next_daemon_too() {
    let folder = tempfile::tempdir().unwrap();
    let connect = || {
        let (client, ear, known) = WardenClient::new(location(folder.path()), MARK, &[]).unwrap();
        (client, known, listen(ear))
    };
    // As after a power cut: the ledger has an attempt open of which this warden never heard.
    let (client, known, reports) = connect();
    assert_eq!(known, WardenState::default());
    Flushed(&client).watch(open(key("job", 1), None));
    let outcome = |reports: &Receiver<WardenEvent>| match reports.recv_timeout(Duration::from_secs(20)).unwrap() {
        WardenEvent::Ended { end, .. } => end.outcome,
        other => panic!("not ended: {other:?}"),
    };
    assert_eq!(outcome(&reports), Outcome::Lost);
    // To be asked about one says nothing of the others.
    Flushed(&client).watch(open(key("job", 2), None));
    assert_eq!(outcome(&reports), Outcome::Lost);
    Flushed(&client).watch_all(Vec::new());
    drop(client);
    let (client, known, reports) = connect();
    let ended: Vec<_> = known.ended.into_iter().map(|(attempt, end)| (attempt, end.outcome)).collect();
    assert_eq!(ended, [(key("job", 1), Outcome::Lost), (key("job", 2), Outcome::Lost)]);
    Flushed(&client).watch(open(key("job", 3), None));
    assert_eq!(outcome(&reports), Outcome::Interrupted);
    Flushed(&client).forget(&[key("job", 1), key("job", 2)]);
}
