//! Crashes of the daemon and of the warden.

use std::fs;

use crate::lab::{Lab, MANY, SLOW, signal_process};
use rustix::process::Signal;

#[test]
fn a_crash_during_catch_up_repeats_no_succeeded_date() {
    let command = "\"echo $CRONTABBER_UNIXTIME start >> DIR/ran; echo $CRONTABBER_UNIXTIME end >> DIR/ran\"";
    let lab = Lab::new(&MANY.replace("[\"/bin/true\"]", command));
    for crash in 1..=5 {
        let mut daemon = lab.daemon();
        lab.until("more dates", || lab.lines("ran").len() > crash * 20);
        daemon.kill();
    }
    lab.ok("once");
    lab.until("all dates", || {
        lab.run(&["once"]).status.success() && lab.sessions("many").iter().all(|row| row.contains("succeeded"))
    });
    assert_eq!(lab.sessions("many").len(), 144);
    let lines = lab.lines("ran");
    let mut ends: Vec<&str> = lines.iter().filter_map(|line| line.strip_suffix(" end")).collect();
    assert!(ends.is_sorted(), "in order");
    let all = ends.len();
    ends.dedup();
    assert_eq!((ends.len(), all), (144, 144), "each date once");
    assert!(!lab.outcomes("many").contains(&"lost".to_owned()), "every end is known");
}

#[test]
fn an_attempt_that_outlives_a_crash_is_adopted_and_its_outcome_recorded() {
    let lab = Lab::new(SLOW);
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    daemon.kill();
    let _daemon = lab.daemon();
    lab.until("it is found", || lab.log().contains("slow: attempt 1 still runs; the daemon waits for its end"));
    assert_eq!(lab.outcomes("slow"), ["open"]);
    fs::write(lab.path("go"), "").unwrap();
    lab.until("it succeeds", || lab.sessions("slow") == ["2026-11-01 succeeded 1"]);
    assert_eq!(lab.outcomes("slow"), ["succeeded"]);
    assert_eq!(lab.lines("pids").len(), 1, "no second one beside it");
}

#[test]
fn an_attempt_whose_warden_was_killed_is_waited_for_and_then_lost() {
    let lab = Lab::new(&SLOW.replace(", attempts = 1", ""));
    let _daemon = lab.daemon();
    lab.until_file("pids");
    lab.kill_warden();
    lab.until("there is another", || lab.log().contains("there is a warden again"));
    assert_eq!(lab.lines("pids").len(), 1, "no second one beside it");
    assert_eq!(lab.outcomes("slow"), ["open"]);
    fs::write(lab.path("go"), "").unwrap();
    lab.until("it is attempted again", || lab.sessions("slow") == ["2026-11-01 succeeded 2"]);
    assert_eq!(lab.outcomes("slow"), ["lost", "succeeded"]);
}

#[test]
fn a_process_whose_pid_was_never_recorded_is_found() {
    let lab = Lab::new(SLOW);
    // The pid is recorded with the next commit or a moment later: a daemon that is killed at once has not recorded it.
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    daemon.kill();
    lab.kill_warden();
    let mut daemon = lab.daemon();
    lab.until("it is found", || lab.json(&["attempts", "slow"])[0]["pid"].is_number());
    assert_eq!(lab.lines("pids").len(), 1, "no second one beside it");
    signal_process(lab.lines("pids")[0].trim().parse().unwrap(), Signal::KILL);
    lab.until("it is lost", || lab.outcomes("slow") == ["lost"]);
    assert!(daemon.stop().success());
    assert_eq!(lab.sessions("slow"), ["2026-11-01 held 1"], "its one attempt is used up");
}

#[test]
fn two_ledgers_with_the_same_jobs_keep_to_their_own_processes() {
    let (one, other) = (Lab::new(SLOW), Lab::new(SLOW));
    let _first = one.daemon();
    one.until_file("pids");
    let mut second = other.daemon();
    other.until_file("pids");
    assert_ne!(one.warden(), other.warden(), "a warden each");
    // Killed before the pid is recorded: the process is found by its environment, which names its ledger.
    second.kill();
    other.kill_warden();
    let _second = other.daemon();
    other.until("its own process", || other.json(&["attempts", "slow"])[0]["pid"].is_number());
    let own = other.lines("pids")[0].clone();
    assert_eq!(other.json(&["attempts", "slow"])[0]["pid"].to_string(), own);
    fs::write(one.path("go"), "").unwrap();
    one.until("the other's end", || one.outcomes("slow") == ["succeeded"]);
    assert_eq!(other.outcomes("slow"), ["open"]);
    fs::write(other.path("go"), "").unwrap();
    other.until("its own end", || other.outcomes("slow") == ["lost"]);
}
