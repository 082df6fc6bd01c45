//! `test`: the real command of a date, off the record.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Hand;

/// Jobs that print what they are told, and fail in several ways.
const TRIED: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.load]
schedule = "0 3 * * *"
start = 2024-11-01
backfill = true
retry = { after = "3h", attempts = 4 }
environment = { CODE = "7", SECRET = "hunter2" }
command = "echo $CRONTABBER_SESSION_DATE $CRONTABBER_ATTEMPT $CRONTABBER_TRIGGER $PWD; echo trouble >&2; exit $CODE"
[jobs.args]
schedule = "0 3 * * *"
working_directory = "/"
command = ["echo", "{job}", "{date:%d.%m.%Y}"]
[jobs.slow]
schedule = "0 3 * * *"
timeout = "100ms"
command = "sleep 300"
[jobs.stubborn]
schedule = "0 3 * * *"
timeout = "2s"
kill_grace = "200ms"
command = "trap '' TERM; sleep 300"
[jobs.parent]
schedule = "0 3 * * *"
command = "setsid sleep 300 & exit 1"
[jobs.missing]
schedule = "0 3 * * *"
command = ["no-such-program"]
[jobs.asks]
schedule = "0 3 * * *"
done_when = "test $CRONTABBER_SESSION_DATE = 2024-11-03"
command = "echo ran"
[jobs.unsure]
schedule = "0 3 * * *"
done_when = "kill $$"
on_unknown = "hold"
command = "echo ran"
[jobs.by-hand]
command = "echo $CRONTABBER_DATE"
[jobs.waits]
schedule = "0 3 * * *"
command = "echo $$ > pid; sleep 300 & echo $! > child; wait"
"#;

/// What a command says, without the durations and the process numbers.
fn tell(hand: &Hand, line: &str) -> String {
    let folder = fs::canonicalize(hand.place.path("")).unwrap().display().to_string();
    let told = hand.tell(line).replace(&folder, "DIR").replace(&format!("as `{}`", hand.user), "as `USER`");
    let mut words: Vec<String> = Vec::new();
    for word in told.split(' ') {
        let is_number = |word: &str| word.parse::<f64>().is_ok();
        let follows = |before: &str| words.last().is_some_and(|last| last.ends_with(before));
        let is_hidden = is_number(word) && follows("in");
        words.push(if is_hidden { "#".to_owned() } else { word.to_owned() });
    }
    words.join(" ")
}

#[test]
fn a_test_runs_the_date_as_the_daemon_would_and_says_what_would_be_recorded() {
    let hand = Hand::fresh(TRIED);
    insta::assert_snapshot!(tell(&hand, "test load 2024-11-02"), @"
    test load 2024-11-02: 1
    note: this really runs the command of `load` for 2024-11-02T03:00:00+01:00, as `USER` in `DIR`, with the environment of this terminal; nothing is recorded
    trouble
    2024-11-02 1 manual DIR
    would have been recorded: load: 2024-11-02T03:00:00+01:00 attempt 1 failed(7) in # s; retry at 2024-11-05T16:00:00+01:00; 4 attempts at most
    ");
    insta::assert_snapshot!(tell(&hand, "test args 2024-11-04"), @"
    test args 2024-11-04: 0
    note: this really runs the command of `args` for 2024-11-04T03:00:00+01:00, as `USER` in `/`, with the environment of this terminal; nothing is recorded
    args 04.11.2024
    would have been recorded: args: 2024-11-04T03:00:00+01:00 attempt 1 succeeded in # s
    ");
    insta::assert_snapshot!(tell(&hand, "test by-hand 2024-11-04T09:00"), @"
    test by-hand 2024-11-04T09:00: 0
    note: this really runs the command of `by-hand` for 2024-11-04T09:00:00+01:00, as `USER` in `DIR`, with the environment of this terminal; nothing is recorded
    2024-11-04T09:00:00+01:00
    would have been recorded: by-hand: 2024-11-04T09:00:00+01:00 attempt 1 succeeded in # s
    ");
    insta::assert_snapshot!(tell(&hand, "test args 2030-01-31 -q"), @"
    test args 2030-01-31 -q: 0
    args 31.01.2030
    would have been recorded: args: 2030-01-31T03:00:00+01:00 attempt 1 succeeded in # s
    ");
    assert!(!hand.place.path("ledger.db").exists() && !hand.place.path("logs").exists(), "nothing is written");
}

#[test]
fn a_test_of_a_recorded_date_is_its_next_attempt_and_changes_nothing() {
    let hand = Hand::new();
    let before = hand.everything();
    // It failed once, and the ledger says so.
    insta::assert_snapshot!(tell(&hand, "test load 2024-11-03"), @"
    test load 2024-11-03: 0
    note: this really runs the command of `load` for 2024-11-03T03:00:00+01:00, as `USER` in `DIR`, with the environment of this terminal; nothing is recorded
    would have been recorded: load: 2024-11-03T03:00:00+01:00 attempt 2 succeeded in # s
    ");
    // One that has succeeded, one that waits behind another, one before the start.
    insta::assert_snapshot!(tell(&hand, "test load 2024-11-02 -q"), @"
    test load 2024-11-02 -q: 0
    would have been recorded: load: 2024-11-02T03:00:00+01:00 attempt 2 succeeded in # s
    ");
    insta::assert_snapshot!(tell(&hand, "test load 2024-11-05 -q"), @"
    test load 2024-11-05 -q: 0
    would have been recorded: load: 2024-11-05T03:00:00+01:00 attempt 1 succeeded in # s
    ");
    insta::assert_snapshot!(tell(&hand, "test load 2024-10-05 -q"), @"
    test load 2024-10-05 -q: 0
    would have been recorded: load: 2024-10-05T03:00:00+02:00 attempt 1 succeeded in # s
    ");
    assert_eq!(hand.everything(), before);
}

#[test]
fn the_line_is_json_and_the_output_of_the_command_is_not_in_it() {
    let hand = Hand::fresh(TRIED);
    let said = hand.ask(&["test", "load", "2024-11-02", "--json", "-q"]);
    assert_eq!(said.exit, 1);
    let mut json = said.json();
    assert!(json["duration_seconds"].take().as_f64().is_some());
    json["text"].take();
    insta::assert_snapshot!(json, @r#"{"attempt":1,"date":"2024-11-02T03:00:00+01:00","detail":null,"done_when":null,"duration_seconds":null,"exit_code":7,"job":"load","outcome":"failed","retry_at":"2024-11-05T16:00:00+01:00","state":"failed","text":null}"#);
    assert!(said.err.contains("2024-11-02 1 manual") && said.err.contains("trouble"), "{said:?}");
    assert!(!format!("{said:?}").contains("hunter2"), "{said:?}");
}

#[test]
fn a_test_ends_at_the_timeout_with_all_its_processes() {
    let hand = Hand::fresh(TRIED);
    insta::assert_snapshot!(tell(&hand, "test slow 2024-11-04 -q"), @"
    test slow 2024-11-04 -q: 1
    would have been recorded: slow: 2024-11-04T03:00:00+01:00 attempt 1 timed-out in # s; retry at 2024-11-05T13:05:00+01:00
    ");
    insta::assert_snapshot!(tell(&hand, "test stubborn 2024-11-04 -q"), @"
    test stubborn 2024-11-04 -q: 1
    would have been recorded: stubborn: 2024-11-04T03:00:00+01:00 attempt 1 timed-out in # s (it did not end within 200ms of TERM, and was killed); retry at 2024-11-05T13:05:00+01:00
    ");
    let parent = hand.tell("test parent 2024-11-04 -q");
    assert!(
        parent.contains(" failed(1) in ") && parent.contains("(1 process that it left behind was ended: "),
        "{parent}"
    );
    insta::assert_snapshot!(tell(&hand, "test missing 2024-11-04 -q"), @"
    test missing 2024-11-04 -q: 1
    would have been recorded: missing: 2024-11-04T03:00:00+01:00 attempt 1 failed(127) (command `no-such-program` not found in PATH `/bin:/usr/bin`); retry at 2024-11-05T13:05:00+01:00
    ");
}

#[test]
fn done_when_is_asked_first_and_its_answer_is_told() {
    let hand = Hand::fresh(TRIED);
    insta::assert_snapshot!(tell(&hand, "test asks 2024-11-03"), @"
    test asks 2024-11-03: 0
    note: this really runs the command of `asks` for 2024-11-03T03:00:00+01:00, as `USER` in `DIR`, with the environment of this terminal; nothing is recorded
    note: the command was not run; `--force` runs it all the same
    would have been recorded: asks: 2024-11-03T03:00:00+01:00 succeeded without an attempt: its `done_when` says that it is done
    ");
    insta::assert_snapshot!(tell(&hand, "test asks 2024-11-03 --force -q"), @"
    test asks 2024-11-03 --force -q: 0
    ran
    would have been recorded: asks: 2024-11-03T03:00:00+01:00 attempt 1 succeeded in # s
    ");
    insta::assert_snapshot!(tell(&hand, "test asks 2024-11-04"), @"
    test asks 2024-11-04: 0
    note: this really runs the command of `asks` for 2024-11-04T03:00:00+01:00, as `USER` in `DIR`, with the environment of this terminal; nothing is recorded
    note: `done_when` of `asks` says that 2024-11-04T03:00:00+01:00 is not done
    ran
    would have been recorded: asks: 2024-11-04T03:00:00+01:00 attempt 1 succeeded in # s
    ");
    insta::assert_snapshot!(tell(&hand, "test unsure 2024-11-04"), @"
    test unsure 2024-11-04: 1
    note: this really runs the command of `unsure` for 2024-11-04T03:00:00+01:00, as `USER` in `DIR`, with the environment of this terminal; nothing is recorded
    note: the command was not run; `--force` runs it all the same
    would have been recorded: unsure: 2024-11-04T03:00:00+01:00 is held for an operator, because its `done_when` gave no answer: killed by signal 15
    ");
    let json = hand.ask(&["test", "asks", "2024-11-03", "--json"]).json();
    assert_eq!(
        (&json["done_when"], &json["state"], &json["attempt"]),
        (&"done".into(), &"succeeded".into(), &().into())
    );
}

#[test]
fn a_date_that_the_job_does_not_have_is_not_tested() {
    let hand = Hand::fresh(TRIED);
    insta::assert_snapshot!(tell(&hand, "test load 2024-11-02T04:00"), @"
    test load 2024-11-02T04:00: 1
    error: 2024-11-02T04:00:00+01:00 is not a date of `load`; the nearest are 2024-11-02T03:00:00+01:00 and 2024-11-03T03:00:00+01:00
    ");
    insta::assert_snapshot!(tell(&hand, "test laod 2024-11-02"), @"
    test laod 2024-11-02: 2
    error: there is no job `laod`
    hint: did you mean `load`?
    ");
    let hand = Hand::fresh(super::JOBS);
    hand.place.live(super::at("2024-11-05T11:00:00Z"), |_| None);
    insta::assert_snapshot!(tell(&hand, "test load 2024-11-02"), @"
    test load 2024-11-02: 1
    error: job `load` is running: attempt 1 at 2024-11-01T03:00:00+01:00 is open
    ");
}

#[test]
fn an_interrupted_test_ends_its_processes_and_says_so() {
    let hand = Hand::fresh(TRIED);
    let mut command = hand.command(&["test", "waits", "2024-11-04", "-q"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let since = Instant::now();
    let number = |name: &str| fs::read_to_string(hand.place.path(name)).ok()?.trim().parse::<i32>().ok();
    while number("child").is_none() {
        assert!(since.elapsed() < Duration::from_mins(1), "the command does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    let ours = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(ours, Signal::INT).unwrap();
    let said = super::said(&child.wait_with_output().unwrap());
    assert_eq!((said.exit, said.out.as_str()), (1, ""));
    assert_eq!(said.err, "error: the test was interrupted: nothing would have been recorded\n");
    for process in ["pid", "child"] {
        let state = fs::read_to_string(format!("/proc/{}/status", number(process).unwrap())).unwrap_or_default();
        assert!(state.is_empty() || state.contains("State:\tZ"), "{state}");
    }
}
