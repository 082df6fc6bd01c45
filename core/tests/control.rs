//! Stories of the control: which effects follow which inputs, in which order.

// Only the makers of jobs are used of it.
#[expect(dead_code, reason = "the control has no use for the world of the scheduler's stories")]
#[path = "support/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use crontabber_core::control::{
    Configuration, Control, Effect, Exit, Input, Mode, Next, Notice, Recovery, Time, WardenEvent, WardenState,
};
use crontabber_core::job::{DatePolicy, Job, JobName};
use crontabber_core::scheduler::{LastSuccess, Notification};
use crontabber_core::session::{AttemptEnd, AttemptKey, Entry, Operation, Outcome, Past, Recovered, Request, Skipping};
use insta::assert_snapshot;
use world::{at, backfill};

/// A control, and what it did since it was last asked.
struct Driver {
    control: Control,
    time: Time,
    story: Vec<String>,
    /// What the control gave to be written.
    entries: Vec<Entry>,
    /// What the newest attempt is told.
    last_success: LastSuccess,
}

fn load() -> Vec<Job> {
    vec![backfill("load", "0 3 * * *", "2026-11-03 00:00")]
}

fn configuration(jobs: Vec<Job>, warden_survives: bool) -> Configuration {
    Configuration {
        jobs: jobs.into_iter().map(Arc::new).collect(),
        max_running: 16,
        stop_grace: Duration::from_secs(10),
        warden_survives,
        ..Configuration::default()
    }
}

fn recovery(warden: WardenState) -> Recovery {
    let (ledger, kills, host, boot_id) = (Recovered::default(), Vec::new(), "here".to_owned(), None);
    Recovery { ledger, kills, warden, host, boot_id, clock_seen: None }
}

fn attempt(text: &str) -> AttemptKey {
    text.parse().expect("the name of an attempt")
}

fn end(outcome: Outcome) -> AttemptEnd {
    let ended_at = at("2026-11-05 12:00");
    AttemptEnd { outcome, ended_at, duration: None, detail: None, has_log: false, usage: None }
}

fn request(id: i64, job: &str, operation: Operation) -> Request {
    let (job, at, user, host) =
        (Some(JobName::new(job).expect("a name")), at("2026-11-05 12:00"), "ann".to_owned(), "here".to_owned());
    Request { id, job, operation, at, user, host, reason: None, past: Past::default() }
}

impl Driver {
    fn new(mode: Mode, jobs: Vec<Job>) -> Self {
        Self::with_warden(mode, configuration(jobs, true), WardenState::default())
    }

    fn with_warden(mode: Mode, configuration: Configuration, warden: WardenState) -> Self {
        let time = Time { wall: at("2026-11-05 12:00"), monotonic: Duration::from_hours(1) };
        let control = Control::start(mode, configuration, recovery(warden), time);
        let mut driver =
            Self { control, time, story: Vec::new(), entries: Vec::new(), last_success: LastSuccess::InLedger };
        driver.perform();
        driver
    }

    fn perform(&mut self) {
        while let Some(effect) = self.control.next_effect() {
            let text = match effect {
                Effect::Start(start) => {
                    self.last_success = start.last_success;
                    format!("start {}", start.attempt)
                }
                Effect::Report(Notice::Scheduler(Notification::TooLong { attempt, limit, .. })) => {
                    format!("{attempt} has run for longer than {limit:?}")
                }
                Effect::Report(Notice::Scheduler(_)) => continue,
                Effect::Report(notice) => format!("report {}", notice_text(&notice)),
                Effect::Forget(attempts) => format!("forget {}", list(&attempts)),
                Effect::Stop { attempt, outcome, at_once } => {
                    format!("{} {attempt} as {outcome}", if at_once { "kill" } else { "terminate" })
                }
                Effect::WatchAll(open) => format!("watch {} open", open.len()),
                other => format!("{other:?}"),
            };
            self.story.push(text);
        }
    }

    fn handle(&mut self, input: Input) -> &mut Self {
        self.control.handle(input, self.time);
        self.perform();
        self
    }

    fn next(&mut self) -> &mut Self {
        let next = self.control.next(self.time);
        self.perform();
        let text = match next {
            Next::Write(entries) => {
                let words: Vec<String> = entries.iter().map(word).collect();
                self.entries = entries;
                format!("write {}", words.join(", "))
            }
            Next::ReadRequests => "read requests".to_owned(),
            Next::LookUp(sessions) => format!("look up {} successes", sessions.len()),
            Next::ReadRecordings(ranges) => format!("read the recordings of {} jobs", ranges.len()),
            Next::Wait(_) => "wait".to_owned(),
            Next::End(exit) => format!("end {exit:?}"),
        };
        self.story.push(text);
        self
    }

    fn pass(&mut self, seconds: u32) -> &mut Self {
        self.time.monotonic += Duration::from_secs(seconds.into());
        self.time.wall += TimeDelta::seconds(seconds.into());
        self
    }

    fn written(&mut self) -> &mut Self {
        self.handle(Input::Written)
    }

    fn write_failed(&mut self) -> &mut Self {
        let (entries, error) = (std::mem::take(&mut self.entries), "disk full".to_owned());
        self.handle(Input::WriteFailed { entries, error })
    }

    fn ended(&mut self, name: &str, outcome: Outcome) -> &mut Self {
        self.handle(Input::Warden(WardenEvent::Ended { attempt: attempt(name), end: end(outcome) }))
    }

    fn story(&mut self) -> String {
        std::mem::take(&mut self.story).join("\n")
    }
}

fn list(attempts: &[AttemptKey]) -> String {
    attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn notice_text(notice: &Notice) -> String {
    match notice {
        Notice::Stopping { running, grace, is_writable } => {
            format!("stopping, {} may take {grace:?}, writable: {is_writable}", list(running))
        }
        Notice::Terminating { running } => format!("terminating {}", list(running)),
        Notice::HandingOver { running } => format!("handing over {}", list(running)),
        Notice::Killing { running } => format!("killing {}", list(running)),
        other => format!("{other:?}"),
    }
}

fn word(entry: &Entry) -> String {
    match entry {
        Entry::Enter(record) => format!("enter {}", record.name),
        Entry::Record { sessions, .. } => format!("record {}", sessions.len()),
        Entry::Open { attempt, .. } => format!("open {attempt}"),
        Entry::Close { attempt, end, .. } => format!("close {attempt} {}", end.outcome),
        Entry::Answer { request, .. } => format!("answer {request}"),
        Entry::Move { session, .. } => format!("move {}", session.date),
        other => format!("{other:?}"),
    }
}

const FIRST: &str = "load/1/2026-11-03T03:00:00Z/1";

#[test]
fn an_attempt_starts_and_its_end_is_forgotten_only_when_that_is_durable() {
    let mut driver = Driver::new(Mode::Once, load());
    driver.next().written().next();
    assert_snapshot!(driver.story(), @"
    watch 0 open
    write enter load, record 3, open load/1/2026-11-03T03:00:00Z/1
    start load/1/2026-11-03T03:00:00Z/1
    read requests
    ");
    driver.ended(FIRST, Outcome::Succeeded).next().written();
    assert_snapshot!(driver.story(), @"
    write close load/1/2026-11-03T03:00:00Z/1 succeeded, open load/1/2026-11-04T03:00:00Z/1
    start load/1/2026-11-04T03:00:00Z/1
    forget load/1/2026-11-03T03:00:00Z/1
    ");
}

#[test]
fn what_ends_while_the_ledger_is_written_goes_with_the_next_batch() {
    let mut driver = Driver::new(Mode::Serve, load());
    driver.next().written().next().ended(FIRST, Outcome::Succeeded).next();
    driver.story();
    driver.ended(FIRST, Outcome::Succeeded);
    assert_snapshot!(driver.story(), @"");
    driver.write_failed().next().pass(1).next();
    assert_snapshot!(driver.story(), @r#"
    report LedgerAway { error: "disk full" }
    wait
    write close load/1/2026-11-03T03:00:00Z/1 succeeded, open load/1/2026-11-04T03:00:00Z/1
    "#);
    driver.written().next();
    assert_snapshot!(driver.story(), @"
    report LedgerBack { after: 1s }
    start load/1/2026-11-04T03:00:00Z/1
    forget load/1/2026-11-03T03:00:00Z/1
    wait
    ");
}

#[test]
fn what_is_durable_waits_for_a_warden() {
    let mut driver = Driver::new(Mode::Serve, load());
    driver.next().handle(Input::Warden(WardenEvent::Disconnected)).written().next();
    assert_snapshot!(driver.story(), @"
    watch 0 open
    write enter load, record 3, open load/1/2026-11-03T03:00:00Z/1
    report WardenGone
    read requests
    ");
    driver.handle(Input::Warden(WardenEvent::Connected(WardenState::default()))).next();
    assert_snapshot!(driver.story(), @"
    report WardenBack
    watch 0 open
    start load/1/2026-11-03T03:00:00Z/1
    wait
    ");
}

#[test]
fn a_stop_closes_what_was_not_started() {
    let mut driver = Driver::new(Mode::Serve, load());
    driver.next().handle(Input::Stop).written().next().written().next();
    assert_snapshot!(driver.story(), @"
    watch 0 open
    write enter load, record 3, open load/1/2026-11-03T03:00:00Z/1
    report stopping, load/1/2026-11-03T03:00:00Z/1 may take 10s, writable: true
    write close load/1/2026-11-03T03:00:00Z/1 interrupted
    forget load/1/2026-11-03T03:00:00Z/1
    end Recorded { has_failed: false }
    ");
}

#[test]
fn a_stop_waits_then_leaves_what_runs_to_a_warden_that_survives() {
    let mut driver = Driver::new(Mode::Serve, load());
    driver.next().written().next();
    driver.story();
    driver.handle(Input::Stop).next().pass(9).next().pass(1).next();
    assert_snapshot!(driver.story(), @"
    report stopping, load/1/2026-11-03T03:00:00Z/1 may take 10s, writable: true
    wait
    wait
    report handing over load/1/2026-11-03T03:00:00Z/1
    end Recorded { has_failed: false }
    ");
}

#[test]
fn a_stop_ends_what_runs_where_the_warden_does_not_survive() {
    let mut driver = Driver::with_warden(Mode::Serve, configuration(load(), false), WardenState::default());
    driver.next().written().next();
    driver.story();
    driver
        .handle(Input::Stop)
        .pass(10)
        .next()
        .handle(Input::Stop)
        .ended(FIRST, Outcome::Interrupted)
        .next()
        .written()
        .next();
    assert_snapshot!(driver.story(), @"
    report stopping, load/1/2026-11-03T03:00:00Z/1 may take 10s, writable: true
    terminate load/1/2026-11-03T03:00:00Z/1 as interrupted
    report terminating load/1/2026-11-03T03:00:00Z/1
    wait
    report killing load/1/2026-11-03T03:00:00Z/1
    kill load/1/2026-11-03T03:00:00Z/1 as interrupted
    write close load/1/2026-11-03T03:00:00Z/1 interrupted
    forget load/1/2026-11-03T03:00:00Z/1
    end Recorded { has_failed: false }
    ");
}

#[test]
fn a_second_signal_leaves_a_ledger_that_cannot_be_written() {
    let mut driver = Driver::new(Mode::Serve, load());
    driver.next().written().next().ended(FIRST, Outcome::Succeeded).next().write_failed();
    driver.story();
    driver.handle(Input::Stop).next();
    assert_snapshot!(driver.story(), @"
    report stopping, load/1/2026-11-04T03:00:00Z/1 may take 10s, writable: false
    end Unwritten { has_ends: true, has_failed: false }
    ");
}

#[test]
fn a_third_signal_leaves_a_write_that_hangs() {
    let mut driver = Driver::new(Mode::Serve, load());
    driver.next().written().next().ended(FIRST, Outcome::Succeeded).next();
    for _ in 0..3 {
        driver.handle(Input::Stop);
        driver.control.advance(driver.time);
    }
    assert!(matches!(driver.control.exit(), Some(Exit::Left { .. })));
}

#[test]
fn requests_are_read_when_everything_is_durable_and_again_when_one_changed_its_job() {
    let mut driver = Driver::new(Mode::Serve, Vec::new());
    driver.handle(Input::Reload(configuration(load(), true))).next().written().next();
    driver.story();
    let skip = || Operation::Skip(Skipping::Count(1));
    driver.next().handle(Input::Requests(vec![request(1, "load", skip()), request(2, "load", skip())])).next();
    assert_snapshot!(driver.story(), @"
    wait
    write move 2026-11-04 03:00:00 UTC, answer 1
    ");
    driver.written().next().handle(Input::Requests(vec![request(2, "load", skip())])).next();
    assert_snapshot!(driver.story(), @"
    read requests
    write move 2026-11-05 03:00:00 UTC, answer 2
    ");
}

#[test]
fn requests_are_not_decided_by_what_was_true_before_a_reload() {
    let mut driver = Driver::new(Mode::Serve, Vec::new());
    driver.next();
    assert_snapshot!(driver.story(), @"
    watch 0 open
    read requests
    ");
    driver.handle(Input::Reload(configuration(load(), true)));
    driver.handle(Input::Requests(vec![request(1, "load", Operation::Skip(Skipping::Count(1)))])).next();
    assert_snapshot!(driver.story(), @"write enter load, record 3, open load/1/2026-11-03T03:00:00Z/1");
}

#[test]
fn an_operators_request_neither_starts_other_dates_nor_waits_for_what_runs() {
    let mut driver = Driver::new(Mode::Operate, load());
    driver.next().written().next().handle(Input::Requests(Vec::new())).next();
    assert_snapshot!(driver.story(), @"
    watch 0 open
    write enter load, record 3
    read requests
    end Recorded { has_failed: false }
    ");
}

#[test]
fn an_end_that_the_warden_kept_is_not_taken_for_that_of_a_new_job_with_the_same_name() {
    let known = WardenState { running: Vec::new(), ended: vec![(attempt(FIRST), end(Outcome::Succeeded))] };
    let mut driver = Driver::with_warden(Mode::Serve, configuration(load(), true), known);
    driver.next();
    assert_snapshot!(driver.story(), @"
    forget load/1/2026-11-03T03:00:00Z/1
    watch 0 open
    write enter load, record 3, open load/1/2026-11-03T03:00:00Z/1
    ");
}

#[test]
fn an_attempt_that_runs_too_long_is_reported_once_whatever_the_wall_clock_says() {
    let limited = |minutes| {
        let jobs = load().into_iter().map(|job| Job { max_duration: Some(Duration::from_mins(minutes)), ..job });
        configuration(jobs.collect(), true)
    };
    let mut driver = Driver::with_warden(Mode::Serve, limited(20), WardenState::default());
    driver.next().written().next();
    driver.story();
    // The clock is set forward by hours.
    driver.time.wall += TimeDelta::hours(3);
    driver.pass(60).next();
    assert!(!driver.story().contains("longer"), "it has run for one minute");
    driver.pass(19 * 60).next().pass(3600).next();
    assert_eq!(driver.story().matches("longer").count(), 1);
    // A registry with another limit does not have it reported again; an attempt that was not yet too long is.
    driver.handle(Input::Reload(limited(30))).pass(3600).next();
    assert!(!driver.story().contains("longer"), "it was reported");
    driver.ended(FIRST, Outcome::Succeeded).next().written().next().pass(60).next();
    driver.handle(Input::Reload(limited(1))).next().written().next();
    assert_snapshot!(driver.story(), @"
    write close load/1/2026-11-03T03:00:00Z/1 succeeded, open load/1/2026-11-04T03:00:00Z/1
    start load/1/2026-11-04T03:00:00Z/1
    forget load/1/2026-11-03T03:00:00Z/1
    wait
    wait
    load/1/2026-11-04T03:00:00Z/1 has run for longer than 60s
    wait
    wait
    ");
}

#[test]
fn a_start_waits_for_the_last_success_that_only_the_ledger_has() {
    let mut driver = Driver::new(Mode::Serve, load());
    driver.next().written().next();
    driver.handle(Input::Requests(vec![request(1, "load", Operation::Done { date: at("2026-11-05 03:00") })])).next();
    driver.written().ended(FIRST, Outcome::Succeeded).next().written();
    driver.story();
    driver.next().handle(Input::LookedUp(None)).next();
    assert_snapshot!(driver.story(), @"
    look up 1 successes
    wait
    ");
    driver.pass(1).next();
    let session = attempt("load/1/2026-11-04T03:00:00Z/1").session;
    driver.handle(Input::LookedUp(Some(vec![(session, Some(at("2026-11-03 03:00")))]))).next();
    assert_snapshot!(driver.story(), @"
    look up 1 successes
    start load/1/2026-11-04T03:00:00Z/1
    read requests
    ");
}

#[test]
fn a_success_that_is_recorded_with_a_later_date_is_its_last_success() {
    let load = backfill("load", "0 3 * * *", "2026-11-03 00:00");
    let load = Job { date_policy: DatePolicy::Independent { max_parallel: 2 }, ..load };
    let mut driver = Driver::new(Mode::Serve, vec![load]);
    driver.next().written().next();
    // The end of the first date opens the third; the success of the second is in the same batch.
    driver.ended(FIRST, Outcome::Succeeded).ended("load/1/2026-11-04T03:00:00Z/1", Outcome::Succeeded);
    driver.next().written();
    assert_eq!(driver.last_success, LastSuccess::Known(Some(at("2026-11-04 03:00"))));
}

#[test]
fn a_reload_with_another_guard_lets_a_held_clock_be_believed() {
    let guarded = |guard: Option<Duration>| Configuration { clock_guard: guard, ..configuration(load(), true) };
    for guard in [None, Some(Duration::from_hours(72))] {
        let mut driver =
            Driver::with_warden(Mode::Serve, guarded(Some(Duration::from_hours(1))), WardenState::default());
        driver.next().written().ended(FIRST, Outcome::Succeeded).next().written();
        driver.time.wall += TimeDelta::days(2);
        driver.pass(1).next();
        assert!(driver.story().contains("report ClockHeld"));
        driver.handle(Input::Reload(guarded(guard))).next();
        assert_eq!(driver.story(), "report ClockBelieved\nwrite record 2");
    }
}
