//! How long a warden lives, what it costs, how it is ended, and what it does while no daemon is there.

use std::fs;
use std::time::{Duration, Instant};

use crontabber::session::{AttemptEnd, Outcome};
use crontabber::warden::journal::{Journal, entries_of};
use crontabber::warden::protocol::{Ended, Reply, Request};
use rustix::process::Signal;

use crate::fixture::{TestWarden, await_that, failed, watch};
use crate::lab::{Lab, SLOW, job, kill_group, lives, stderr};

#[test]
fn a_warden_is_one_small_thread_in_a_session_of_its_own() {
    let warden = TestWarden::new();
    let mut client = warden.client("one");
    for number in 0..50 {
        client.start(
            warden.start(&warden.name(&format!("job-{number}"), "one"), "head -c 100000 /dev/zero; exec sleep 1000"),
        );
    }
    for _ in 0..50 {
        client.running();
    }
    assert_eq!(fs::read_dir(format!("/proc/{}/task", warden.pid())).unwrap().count(), 1);
    let stat = warden.proc("stat");
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[3], warden.pid().to_string(), "its session");
    assert_eq!(fs::read_link(format!("/proc/{}/cwd", warden.pid())).unwrap().to_str(), Some("/"));
    let memory = warden.memory();
    assert!(memory < 4_000, "{memory} kB for 50 jobs");
}

#[test]
fn a_warden_goes_away_two_seconds_after_its_last_client() {
    let mut warden = TestWarden::new();
    let client = warden.client("one");
    drop(client);
    let since = Instant::now();
    assert!(warden.end().success());
    assert!(since.elapsed() > Duration::from_millis(1_900), "{:?}", since.elapsed());
    assert!(warden.text("warden.log").contains("the warden exits"));
}

#[test]
fn a_warden_stays_while_a_job_runs() {
    let mut warden = TestWarden::new();
    let name = warden.name("job", "one");
    warden.client("one").start(warden.start(&name, "sleep 3; exit 5"));
    assert!(warden.end().success());
    let journal = entries_of(&fs::read(warden.path("journal")).unwrap()).unwrap();
    let end = journal[&name].end.as_ref().unwrap().end().unwrap();
    assert_eq!(end.outcome, Outcome::Failed { code: 5 }, "it has seen the end");
    warden.start_again();
    assert!(matches!(&warden.connect().hello("one")[..], [Reply::Ended(ended)] if ended.attempt == name));
}

fn outcomes(warden: &TestWarden) -> Vec<(String, Outcome, Option<String>)> {
    let entries = entries_of(&fs::read(warden.path("journal")).unwrap()).unwrap();
    let end = |entry: &crontabber::warden::journal::Entry| entry.end.as_ref().unwrap().end().unwrap();
    let name = |name: &str| name.split('#').next().unwrap().to_owned();
    entries.iter().map(|(attempt, entry)| (name(attempt), end(entry).outcome, end(entry).detail)).collect()
}

#[test]
fn a_warden_that_is_told_to_end_ends_its_jobs_and_writes_that_down() {
    let mut warden = TestWarden::new();
    let mut client = warden.client("one");
    let mut start = |attempt: &str, grace: u64, script: &str| {
        let mut start = warden.start(&warden.name(attempt, "one"), script);
        start.kill_grace = Duration::from_millis(grace);
        client.start(start);
        client.running();
    };
    let waits = "touch $0; while :; do sleep 0.02; done";
    start("deaf", 200, &format!("trap '' TERM; {}", waits.replace("$0", "deaf")));
    start("tidy", 20_000, &format!("trap 'touch tidied; exit 1' TERM; {}", waits.replace("$0", "tidy")));
    start("well", 20_000, &format!("trap 'exit 0' TERM; {}", waits.replace("$0", "well")));
    for name in ["deaf", "tidy", "well"] {
        warden.await_file(name);
    }
    warden.signal(Signal::TERM);
    assert!(warden.end().success());
    let found = outcomes(&warden);
    let detail = Some("it did not end within 200ms of TERM, and was killed".to_owned());
    assert_eq!(
        found,
        [
            ("deaf".to_owned(), Outcome::Interrupted, detail),
            ("tidy".to_owned(), Outcome::Interrupted, None),
            ("well".to_owned(), Outcome::Succeeded, None),
        ]
    );
    assert!(warden.path("tidied").exists());
}

#[test]
fn a_warden_that_is_told_twice_kills_at_once() {
    let mut warden = TestWarden::new();
    let mut client = warden.client("one");
    let name = warden.name("deaf", "one");
    client.start(warden.start(&name, "trap 'touch told' TERM; touch deaf; while :; do sleep 0.02; done"));
    warden.await_file("deaf");
    warden.signal(Signal::TERM);
    warden.await_file("told");
    // What is asked for now is not started any more.
    let late = warden.name("late", "one");
    client.start(warden.start(&late, "touch late"));
    assert_eq!(client.ended().attempt, late);
    let since = Instant::now();
    warden.signal(Signal::TERM);
    assert!(warden.end().success());
    assert!(since.elapsed() < Duration::from_secs(10), "its grace is twenty");
    let found = outcomes(&warden);
    assert_eq!(found[0], ("deaf".to_owned(), Outcome::Interrupted, None));
    assert_eq!(found[1].1, Outcome::Interrupted);
    assert!(!warden.path("late").exists());
}

#[test]
fn a_timeout_holds_while_the_daemon_is_down() {
    let command = "timeout = \"1s\"\ncommand = \"echo $$ > DIR/pid.new; mv DIR/pid.new DIR/pid; exec sleep 1000\"";
    let lab = Lab::new(&job("late", 1, command));
    let mut daemon = lab.daemon();
    lab.until_file("pid");
    daemon.kill();
    let pid = lab.lines("pid")[0].clone();
    lab.until("the job's end", || !lives(&pid));
    assert_eq!(lab.outcomes("late"), ["open"], "nobody has told the ledger");
    lab.fails(1, "once");
    assert_eq!(lab.outcomes("late"), ["timed-out"]);
    let duration = lab.json(&["attempts", "late"])[0]["duration_seconds"].as_f64().unwrap();
    assert!((1.0..20.0).contains(&duration), "{duration}");
}

#[test]
fn after_a_boot_what_ran_is_lost_and_what_ended_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(folder.path()).unwrap();
    let end = AttemptEnd { duration: Some(Duration::from_secs(3)), has_log: true, ..failed(9) };
    let us = crontabber::warden::process_identity(i32::try_from(std::process::id()).unwrap()).unwrap();
    journal.ledger("one", "another boot");
    for name in ["ended@one", "nameless@one", "ran@one"] {
        journal.begin(name, "another boot");
    }
    // The number has come to somebody else, who even started at the same tick.
    journal.process("ran@one", crontabber::session::ProcessIdentity { boot_id: "another boot".to_owned(), ..us });
    journal.end(Ended::new("ended@one".to_owned(), &end));
    journal.flush().unwrap();
    drop(journal);
    let warden = TestWarden::in_folder(folder);
    let mut client = warden.connect();
    let mut found: Vec<Ended> = Vec::new();
    for reply in client.hello("one") {
        let Reply::Ended(ended) = reply else { panic!("{reply:?}") };
        found.push(*ended);
    }
    while found.len() < 3 {
        found.push(client.ended());
    }
    found.sort_by(|one, other| one.attempt.cmp(&other.attempt));
    assert_eq!(found[0], *Ended::new("ended@one".to_owned(), &end));
    for lost in &found[1..] {
        assert_eq!(lost.end().unwrap().outcome, Outcome::Lost);
        assert!(lost.detail.as_ref().unwrap().contains("the machine was rebooted"), "{lost:?}");
    }
    // What is not in the journal was not vouched for in this boot.
    client.ask(&Request::Watch(watch("unnamed@one")));
    assert_eq!(client.outcome(), Outcome::Lost);
    await_that("no job", || !warden.path("logs").exists());
}

#[test]
fn the_next_daemon_after_a_boot_takes_what_the_journal_knows() {
    let lab = Lab::new(SLOW);
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    lab.until("its process in the ledger", || lab.json(&["attempts", "slow"])[0]["pid"].is_number());
    daemon.kill();
    lab.kill_warden();
    let pid: i64 = lab.lines("pids")[0].parse().unwrap();
    kill_group(pid);
    fs::write(lab.path("go"), "").unwrap();
    // The same journal, had the machine been started anew.
    let (before, _) = Journal::open(&lab.path("warden")).unwrap();
    let names: Vec<String> = before.entries().keys().cloned().collect();
    assert_eq!(names.len(), 1);
    drop(before);
    fs::remove_file(lab.path("warden/journal")).unwrap();
    let (mut journal, _) = Journal::open(&lab.path("warden")).unwrap();
    journal.begin(&names[0], "another boot");
    journal.flush().unwrap();
    drop(journal);
    let output = lab.run(&["once"]);
    assert!(stderr(&output).contains("attempt 1 lost"), "{}", stderr(&output));
    let attempts = lab.json(&["attempts", "slow"]);
    let lost = attempts.as_array().unwrap().iter().find(|row| row["outcome"] == "lost").expect("it is lost");
    assert!(lost["detail"].as_str().unwrap().contains("rebooted"), "{lost}");
}
