//! What breaks the promise is named: the rows of a good story, each time with something wrong put into them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crontabber_core::invariants::Gap;
use crontabber_core::job::DatePolicy;
use crontabber_core::session::{
    AttemptEnd, AttemptKey, AttemptRecord, BackfillOrder, JobRecord, Only, Operation, Outcome, Retrying, SessionKey,
    SessionRecord, SkipReason, Skipping, State, Trigger,
};
use insta::assert_snapshot;

use crate::fixtures::name;
use crate::world::{Rows, World, at, backfill, fail, fail_on, succeed};

/// A ledger without a daemon.
struct Tampered {
    rows: Rows,
    resets: u64,
}

/// Three dates that succeeded, the second after a failure, and a fourth that waits for its retry.
fn lived() -> Tampered {
    let mut world = World::new("2026-11-04 02:30", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(fail_on("2026-11-02 03:00"));
    world.pass_and_settle("2026-11-04 02:40", succeed);
    world.pass_and_settle("2026-11-04 03:00", fail_on("2026-11-04 03:00"));
    Tampered::of(world)
}

/// The same, and all of it again after a reset.
fn lived_twice() -> Tampered {
    let mut world = World::new("2026-11-04 02:30", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    world.pass("2026-11-04 02:45");
    world.request("load", Operation::Reset { to: None });
    world.settle(succeed);
    Tampered::of(world)
}

fn day(day: u32) -> DateTime<Utc> {
    at(&format!("2026-11-{day:02} 03:00"))
}

impl Tampered {
    fn of(mut world: World) -> Self {
        let rows = std::mem::take(&mut world.rows);
        let resets = u64::from(rows.jobs[&name("load")].generation) - 1;
        Self { rows, resets }
    }

    fn job(&mut self) -> &mut JobRecord {
        self.rows.jobs.get_mut(&name("load")).expect("it is known")
    }

    fn key(&self, date: u32) -> SessionKey {
        SessionKey { job: name("load"), generation: self.rows.jobs[&name("load")].generation, date: day(date) }
    }

    fn session(&mut self, date: u32) -> &mut SessionRecord {
        let key = self.key(date);
        self.rows.sessions.get_mut(&key).expect("it is recorded")
    }

    fn attempt(&mut self, date: u32, number: u32) -> &mut AttemptRecord {
        let key = AttemptKey { session: self.key(date), number };
        self.rows.attempts.get_mut(&key).expect("it was opened")
    }

    /// One more attempt like the last, a minute later.
    fn again(&mut self, date: u32, number: u32) -> &mut AttemptRecord {
        let mut attempt = self.attempt(date, number - 1).clone();
        attempt.key.number = number;
        attempt.started_at += TimeDelta::minutes(1);
        if let Some(end) = &mut attempt.end {
            end.ended_at += TimeDelta::minutes(1);
        }
        self.session(date).attempts = number;
        self.rows.attempts.entry(attempt.key.clone()).or_insert(attempt)
    }

    fn remove(&mut self, date: u32) {
        let key = self.key(date);
        self.rows.sessions.remove(&key);
        self.rows.attempts.retain(|attempt, _| attempt.session != key);
    }

    /// What is found, a line each.
    fn found(&self) -> String {
        let (violations, _) = self.rows.examine(&self.rows.jobs[&name("load")], self.resets);
        let line = |violation: &crontabber_core::invariants::Violation| {
            let date = violation.date.map_or_else(|| "-".to_owned(), |date| date.format("%m-%dT%H:%M").to_string());
            let (rule, generation) = (violation.rule.word(), violation.generation);
            format!("{rule} {date} generation {generation}: {}", violation.text)
        };
        violations.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// What the rows cannot tell.
    fn unchecked(&self) -> Vec<(Gap, String)> {
        let (_, unchecked) = self.rows.examine(&self.rows.jobs[&name("load")], self.resets);
        unchecked.into_iter().map(|unchecked| (unchecked.gap, unchecked.text)).collect()
    }
}

#[test]
fn a_good_story_has_nothing_wrong_and_nothing_unchecked() {
    assert_eq!(lived().found(), "");
    assert_eq!(lived().unchecked(), []);
    assert_eq!(lived_twice().found(), "");
    let unchecked = lived_twice().unchecked();
    assert_eq!(unchecked.iter().map(|(gap, _)| *gap).collect::<Vec<_>>(), [Gap::FormerTimetable]);
}

#[test]
fn once_what_succeeded_is_not_started_again() {
    let mut rows = lived();
    rows.again(1, 2).end.as_mut().unwrap().outcome = Outcome::Failed { code: 1 };
    assert_snapshot!(rows.found(), @"P1 11-01T03:00 generation 1: attempt 2 was opened after attempt 1 had succeeded");
    rows.session(1).state = State::Failed { retry_at: day(5) };
    rows.session(1).settled_at = None;
    // Its state makes it an earlier date that is not settled, too.
    rows.job().strict_after = None;
    rows.job().last_success = Some(day(3));
    assert_snapshot!(rows.found(), @"P1 11-01T03:00 generation 1: attempt 2 was opened after attempt 1 had succeeded");
    let mut rows = lived();
    rows.again(1, 2);
    assert_snapshot!(rows.found(), @"P1 11-01T03:00 generation 1: attempt 2 was opened after attempt 1 had succeeded, and succeeded too");
}

#[test]
fn once_a_success_has_its_attempt_and_an_attempt_its_success() {
    let mut rows = lived();
    rows.attempt(1, 1).end.as_mut().unwrap().outcome = Outcome::Failed { code: 1 };
    assert_snapshot!(rows.found(), @"P1 11-01T03:00 generation 1: it succeeded, and none of its attempts did");
    let mut rows = lived();
    rows.session(3).state = State::Skipped { reason: SkipReason::Operator };
    rows.job().last_success = Some(day(2));
    assert_snapshot!(rows.found(), @"P1 11-03T03:00 generation 1: attempt 1 succeeded, and the date is skipped");
}

#[test]
fn alone_attempts_at_a_date_do_not_overlap() {
    let mut rows = lived();
    rows.attempt(2, 1).end = None;
    assert_snapshot!(rows.found(), @"
    P2 11-02T03:00 generation 1: attempt 2 was opened while attempt 1 was open
    P2 11-02T03:00 generation 1: attempt 1 is open, and the date is succeeded
    ");
    let mut rows = lived();
    rows.again(4, 2).end = None;
    assert_snapshot!(rows.found(), @"P2 11-04T03:00 generation 1: attempt 2 is open, and the date is failed");
    let mut rows = lived();
    rows.session(4).state = State::Running;
    assert_snapshot!(rows.found(), @"P2 11-04T03:00 generation 1: it is running, and none of its attempts is open");
}

#[test]
fn alone_an_attempt_of_before_a_reset_counts_too() {
    let mut rows = lived_twice();
    let key = SessionKey { generation: 1, ..rows.key(3) };
    rows.rows.sessions.get_mut(&key).unwrap().state = State::Running;
    rows.rows.sessions.get_mut(&key).unwrap().settled_at = None;
    rows.rows.attempts.get_mut(&AttemptKey { session: key, number: 1 }).unwrap().end = None;
    rows.session(3).state = State::Running;
    rows.session(3).settled_at = None;
    rows.attempt(3, 1).end = None;
    rows.job().last_success = Some(day(2));
    assert_snapshot!(rows.found(), @"P2 11-03T03:00 generation 2: attempt 1 is open, and so is attempt 1 at 2026-11-03T03:00:00+00:00 of generation 1");
}

#[test]
fn alone_processes_of_two_dates_do_not_overlap() {
    let mut rows = lived();
    let ends = |attempt: &mut AttemptRecord, ticks: u64| {
        attempt.process.as_mut().unwrap().start_ticks = ticks;
        attempt.end.as_mut().unwrap().duration = Some(Duration::from_hours(1));
    };
    ends(rows.attempt(1, 1), 100_000);
    ends(rows.attempt(2, 1), 460_000);
    assert_eq!(
        rows.found(),
        "P3 11-02T03:00 generation 1: attempt 2 was started before attempt 1 at \
                              2026-11-01T03:00:00+00:00, an earlier date\n\
                              P3 11-03T03:00 generation 1: attempt 1 was started before attempt 1 at \
                              2026-11-02T03:00:00+00:00, an earlier date\n\
                              P3 11-04T03:00 generation 1: attempt 1 was started before attempt 1 at \
                              2026-11-02T03:00:00+00:00, an earlier date",
        "one after the other"
    );
    rows.job().strict_after = None;
    assert_eq!(rows.found(), "");
    ends(rows.attempt(2, 1), 400_000);
    assert_snapshot!(rows.found(), @"");
    // Another boot counts from its own start.
    rows.attempt(2, 1).process.as_mut().unwrap().boot_id = "another".to_owned();
    assert_eq!(rows.found(), "");
}

#[test]
fn in_order_a_date_waits_for_those_before_it() {
    let held = |rows: &mut Tampered| {
        rows.session(2).state = State::Held { reason: "its 1 attempt is used up".to_owned() };
        rows.session(2).settled_at = None;
        (rows.session(2).attempts, rows.session(2).counted_attempts) = (1, 1);
        let second = AttemptKey { session: rows.key(2), number: 2 };
        rows.rows.attempts.remove(&second);
    };
    let mut rows = lived();
    held(&mut rows);
    assert_snapshot!(rows.found(), @"
    P3 11-03T03:00 generation 1: attempt 1 was started, and 2026-11-02T03:00:00+00:00 before it is not settled
    P3 11-04T03:00 generation 1: attempt 1 was started, and 2026-11-02T03:00:00+00:00 before it is not settled
    ");
    rows.job().strict_after = None;
    assert_eq!(rows.found(), "");
}

#[test]
fn in_order_by_the_kernels_count() {
    let mut rows = lived();
    rows.attempt(3, 1).process.as_mut().unwrap().start_ticks = 2;
    assert_snapshot!(rows.found(), @"P3 11-03T03:00 generation 1: attempt 1 was started before attempt 2 at 2026-11-02T03:00:00+00:00, an earlier date");
}

#[test]
fn what_only_the_wall_clock_says_is_a_doubt() {
    let mut rows = lived();
    rows.attempt(3, 1).started_at = at("2026-11-04 02:35");
    rows.attempt(2, 2).started_at = at("2026-11-04 02:29");
    assert_eq!(rows.found(), "");
    let unchecked: Vec<String> = rows.unchecked().into_iter().map(|(_, text)| text).collect();
    assert_snapshot!(unchecked.join("\n"), @"
    attempts began before the one before them had ended, unless the wall clock was set back: 1, the first at 2026-11-02T03:00:00+00:00
    dates were started before an earlier one was settled, unless the wall clock was set back: 1, the first at 2026-11-03T03:00:00+00:00
    ");
}

#[test]
fn none_lost_every_date_has_a_row() {
    let mut rows = lived();
    rows.remove(2);
    assert_snapshot!(rows.found(), @"P4 11-02T03:00 generation 1: it is a date of the timetable in force, and has no row");
    rows.remove(3);
    rows.job().last_success = Some(day(1));
    assert_snapshot!(rows.found(), @"P4 11-02T03:00 generation 1: 2 dates of the timetable in force, up to 2026-11-03T03:00:00+00:00, have no row");
    let mut rows = lived();
    rows.remove(1);
    rows.remove(4);
    assert_snapshot!(rows.found(), @"
    P4 11-01T03:00 generation 1: it is a date of the timetable in force, and has no row
    P4 11-04T03:00 generation 1: it is a date of the timetable in force, and has no row
    ");
}

#[test]
fn none_lost_the_clock_has_a_row() {
    let mut rows = lived();
    rows.job().watermark = Some(at("2026-11-04 12:00"));
    assert_snapshot!(rows.found(), @"P4 11-04T12:00 generation 1: the job's watermark is at it, and it has no row");
    rows.job().timetable = "every fortnight".to_owned();
    assert_snapshot!(rows.found(), @"P4 11-04T12:00 generation 1: the job's watermark is at it, and it has no row");
    assert_eq!(rows.unchecked()[0].0, Gap::UnreadableTimetable);
}

#[test]
fn none_lost_dates_of_another_timetable_are_not_asked_for() {
    // Recorded by other rules of the zone, an hour off.
    let mut rows = lived();
    let moved = |key: &SessionKey| SessionKey { date: key.date + TimeDelta::hours(1), ..key.clone() };
    let second = rows.key(2);
    let mut session = rows.rows.sessions.remove(&second).unwrap();
    session.key = moved(&second);
    rows.rows.sessions.insert(session.key.clone(), session);
    let attempts: Vec<_> = rows.rows.attempts.keys().filter(|key| key.session == second).cloned().collect();
    for key in attempts {
        let mut attempt = rows.rows.attempts.remove(&key).unwrap();
        attempt.key.session = moved(&second);
        rows.rows.attempts.insert(attempt.key.clone(), attempt);
    }
    assert_eq!(rows.found(), "");
    assert_eq!(rows.unchecked()[0].0, Gap::FormerTimetable);
}

#[test]
fn forward_no_row_is_ahead_of_the_clock() {
    let mut rows = lived();
    rows.job().watermark = Some(day(2));
    assert_snapshot!(rows.found(), @"
    P5 11-03T03:00 generation 1: it is recorded, and the job's watermark is at 2026-11-02T03:00:00+00:00
    P5 11-04T03:00 generation 1: it is recorded, and the job's watermark is at 2026-11-02T03:00:00+00:00
    ");
    // What an operator's run makes up does not move the clock.
    rows.session(3).trigger = Trigger::Manual;
    rows.session(4).trigger = Trigger::Manual;
    assert_eq!(rows.found(), "");
}

#[test]
fn forward_generations_follow_one_another() {
    let mut rows = lived_twice();
    rows.resets = 0;
    assert_snapshot!(rows.found(), @"P5 - generation 2: it is in generation 2, and the resets in the audit lead to 1");
    let mut rows = lived_twice();
    rows.job().generation = 1;
    rows.resets = 0;
    assert_snapshot!(rows.found(), @"P5 - generation 2: it has rows of generation 2, and is in generation 1");
}

#[test]
fn forward_nothing_is_started_in_a_generation_that_is_over() {
    let mut rows = lived_twice();
    let key = AttemptKey { session: SessionKey { generation: 1, ..rows.key(2) }, number: 1 };
    rows.rows.attempts.get_mut(&key).unwrap().process.as_mut().unwrap().start_ticks = 1_000;
    assert_snapshot!(rows.found(), @"P5 11-02T03:00 generation 1: attempt 1 was started after generation 2 had begun");
    let mut rows = lived_twice();
    rows.rows.attempts.get_mut(&key).unwrap().started_at = day(9);
    assert_eq!(rows.found(), "");
    assert_eq!(rows.unchecked().last().unwrap().0, Gap::WallClock);
}

#[test]
fn rows_agree_with_one_another() {
    let mut rows = lived();
    let first = AttemptKey { session: rows.key(2), number: 1 };
    rows.rows.attempts.remove(&first);
    assert_snapshot!(rows.found(), @"rows 11-02T03:00 generation 1: its newest attempt is number 2, and it has 1 of them");
    let mut rows = lived();
    rows.session(1).attempts = 7;
    rows.session(1).counted_attempts = 8;
    rows.session(1).settled_at = None;
    rows.session(4).settled_at = Some(day(4));
    assert_snapshot!(rows.found(), @"
    rows 11-01T03:00 generation 1: it counts 7 attempts, and the newest is number 1
    rows 11-01T03:00 generation 1: it has used 8 of 7 attempts
    rows 11-01T03:00 generation 1: it is succeeded, and not settled
    P3 11-02T03:00 generation 1: attempt 1 was started, and 2026-11-01T03:00:00+00:00 before it is not settled
    P3 11-03T03:00 generation 1: attempt 1 was started, and 2026-11-01T03:00:00+00:00 before it is not settled
    P3 11-04T03:00 generation 1: attempt 1 was started, and 2026-11-01T03:00:00+00:00 before it is not settled
    rows 11-04T03:00 generation 1: it is failed, and settled
    ");
    let mut rows = lived();
    rows.job().last_success = Some(day(4));
    assert_snapshot!(rows.found(), @"rows - generation 1: its last success is noted as 2026-11-04T03:00:00+00:00, and is 2026-11-03T03:00:00+00:00");
}

#[test]
fn rows_have_no_attempt_without_its_session() {
    let mut rows = lived();
    let mut attempt = rows.attempt(1, 1).clone();
    attempt.key.session.date = at("2026-11-02 12:00");
    let end = AttemptEnd { outcome: Outcome::Lost, ..attempt.end.clone().unwrap() };
    let record = rows.rows.jobs[&name("load")].clone();
    let subject = crontabber_core::invariants::Subject::new(record, chrono_tz::UTC, 0);
    let mut examination = crontabber_core::invariants::Examination::new(&subject);
    examination.row(crontabber_core::invariants::Row::Attempt(AttemptRecord { end: Some(end), ..attempt }));
    let found = examination.take();
    assert_eq!((found.len(), found[0].text.as_str()), (1, "attempt 1 is at a date that has no row"));
}

/// What `verify` says of each job of a world.
fn violations(world: &World) -> Vec<String> {
    let records = world.rows.jobs.values();
    let found = records.flat_map(|record| world.rows.examine(record, u64::from(record.generation) - 1).0);
    found.map(|violation| violation.text).collect()
}

/// Three dates of `load` that have succeeded, one after the other.
fn three_dates() -> World {
    let mut world = World::new("2026-11-03 04:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.pass_and_settle("2026-11-03 04:01", succeed);
    world
}

#[test]
fn a_repeated_date_is_no_violation() {
    let mut world = three_dates();
    world.request("load", Operation::Retry(Retrying::Date { date: day(1), again: true }));
    world.settle(succeed);
    assert_eq!(violations(&world), [""; 0]);
    world.pass_and_settle("2026-11-05 04:00", fail_on("2026-11-04 03:00"));
    world.request("load", Operation::Skip(Skipping::Date(day(4))));
    world.settle(succeed);
    world.request("load", Operation::Retry(Retrying::Date { date: day(4), again: false }));
    world.settle(succeed);
    assert_eq!(violations(&world), [""; 0]);
    let (from, to, only) = (day(2), Some(day(4)), Only::All);
    let order = BackfillOrder { from, to, only, count: None, newest_first: true, parallel: 1, name: None };
    world.request("load", Operation::Backfill(order));
    world.settle(fail_on("2026-11-03 03:00"));
    assert_eq!(violations(&world), [""; 0]);
}

#[test]
fn a_changed_order_is_no_violation() {
    let strict = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    let mut independent = strict.clone();
    independent.date_policy = DatePolicy::Independent { max_parallel: 2 };
    let mut world = World::new("2026-11-04 02:30", vec![independent.clone()]);
    world.end_first(Outcome::Failed { code: 1 });
    world.pass_and_settle("2026-11-04 02:40", fail_on("2026-11-01 03:00"));
    // The first date still fails, and later dates have succeeded.
    world.reload(vec![strict.clone()]);
    world.pass_and_settle("2026-11-04 03:30", fail_on("2026-11-01 03:00"));
    assert_eq!(violations(&world), [""; 0]);
    // After that, dates wait for it; in independent order again they do not.
    world.crash();
    world.reload(vec![independent]);
    world.settle(fail_on("2026-11-01 03:00"));
    world.reload(vec![strict]);
    world.pass_and_settle("2026-11-05 03:30", fail);
    assert_eq!(violations(&world), [""; 0]);
}

#[test]
fn two_dates_that_ran_together_before_the_order_was_strict_are_no_violation() {
    let strict = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    let mut independent = strict.clone();
    independent.date_policy = DatePolicy::Independent { max_parallel: 2 };
    let mut world = World::new("2026-11-02 03:30", vec![independent]);
    assert_eq!(world.running.len(), 2);
    world.reload(vec![strict]);
    assert_eq!(violations(&world), [""; 0]);
    world.settle(succeed);
    assert_eq!(violations(&world), [""; 0]);
}

#[test]
fn a_date_that_overtakes_once_the_order_is_strict_is_a_violation() {
    let strict = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    let mut independent = strict.clone();
    independent.date_policy = DatePolicy::Independent { max_parallel: 1 };
    let mut world = World::new("2026-11-02 03:30", vec![independent.clone()]);
    world.settle(fail_on("2026-11-01 03:00"));
    world.reload(vec![strict]);
    // What no scheduler does: it starts dates beside the first although the ledger says that their order is strict.
    let record = world.rows.jobs[&name("load")].clone();
    world.reload(vec![independent]);
    world.pass_and_settle("2026-11-03 03:30", fail_on("2026-11-01 03:00"));
    let mut rows = Tampered::of(world);
    let JobRecord { watermark, last_success, .. } = rows.job().clone();
    *rows.job() = JobRecord { watermark, last_success, ..record };
    assert_snapshot!(rows.found(), @"P3 11-03T03:00 generation 1: attempt 1 was started, and 2026-11-01T03:00:00+00:00 before it is not settled");
}
