//! `catch_up`, `overlap` and `skip_late`: dates that are skipped.

use std::time::Duration;

use chrono::TimeDelta;
use crontabber_core::job::{CatchUp, DatePolicy, Job, Overlap, Retry};
use crontabber_core::scheduler::Notification;
use crontabber_core::session::{Only, Operation, Outcome};
use insta::assert_snapshot;

use crate::fixtures::{order, with_one_attempt};
use crate::world::*;

#[test]
fn catch_up_is_limited_by_count_and_by_age() {
    let mut few = backfill("few", "0 3 * * *", "2026-10-01 00:00");
    few.catch_up = CatchUp { max_age: None, max_dates: Some(2) };
    let mut young = backfill("young", "0 3 * * *", "2026-10-01 00:00");
    young.catch_up = CatchUp { max_age: Some(Duration::from_hours(48)), max_dates: None };
    let mut world = World::new("2026-11-05 12:00", vec![few, young]);
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"young 11-04T03:00, young 11-05T03:00, few 11-04T03:00, few 11-05T03:00");
    assert_snapshot!(world.rows_of("few").lines().rev().take(4).collect::<Vec<_>>().join("\n"), @"
    11-05T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-03T03:00 skipped: too-old (catch-up, 0 attempts)
    11-02T03:00 skipped: too-old (catch-up, 0 attempts)
    ");
    assert_eq!(world.rows.sessions.len(), 72, "each date has its row");
}

#[test]
fn a_limit_of_dates_holds_for_a_long_past() {
    let mut job = backfill("minutes", "* * * * *", "2026-01-01 00:00");
    job.catch_up.max_dates = Some(100);
    let mut world = World::new("2026-03-01 00:00", vec![job]);
    world.settle(succeed);
    world.pass_and_settle("2026-03-01 00:00", succeed);
    let started = world.take_started();
    assert_eq!(started.split(", ").count(), 100);
    assert_snapshot!(started.split(", ").next().unwrap_or_default(), @"minutes 02-28T22:21");
    assert_eq!(world.rows.sessions.len(), 59 * 1440 + 1);
}

#[test]
fn overlap_skip_skips_dates_that_come_due_while_one_runs() {
    let mut skips = backfill("skips", "0 * * * *", "2026-11-05 12:00");
    skips.overlap = Overlap::Skip;
    let mut world = World::new("2026-11-05 12:00", vec![skips]);
    world.pass_and_settle("2026-11-05 14:30", succeed);
    world.pass_and_settle("2026-11-05 15:30", succeed);
    assert_snapshot!(world.rows_of("skips"), @"
    11-05T12:00 succeeded (schedule, 1 attempts)
    11-05T13:00 skipped: overtime (schedule, 0 attempts)
    11-05T14:00 skipped: overtime (schedule, 0 attempts)
    11-05T15:00 succeeded (schedule, 1 attempts)
    ");
    let reported = world.notes.iter().filter_map(|note| match note {
        Notification::Overlapped { date, .. } => Some(*date),
        _ => None,
    });
    assert_eq!(reported.collect::<Vec<_>>(), [at("2026-11-05 13:00"), at("2026-11-05 14:00")], "each is reported");
}

#[test]
fn skip_late_skips_dates_that_would_start_too_late() {
    let mut job = backfill("late", "0 * * * *", "2026-11-05 12:00");
    job.skip_late = Some(Duration::from_mins(3));
    let mut world = World::new("2026-11-05 12:03", vec![job.clone()]);
    world.settle(succeed);
    // The next one waits behind this one for too long.
    world.pass("2026-11-05 13:00");
    world.pass_and_settle("2026-11-05 14:03", succeed);
    world.now += TimeDelta::seconds(3601);
    world.crash();
    world.settle(succeed);
    assert_snapshot!(world.rows_of("late"), @"
    11-05T12:00 succeeded (catch-up, 1 attempts)
    11-05T13:00 succeeded (schedule, 1 attempts)
    11-05T14:00 succeeded (schedule, 1 attempts)
    11-05T15:00 skipped: too-old (catch-up, 0 attempts)
    ");
}

#[test]
fn skip_late_skips_a_date_that_waited_too_long_for_a_slot() {
    let mut late = backfill("late", "0 3 * * *", "2026-11-05 00:00");
    late.skip_late = Some(Duration::from_mins(10));
    let mut world = World::new("2026-11-05 02:59", vec![backfill("early", "0 3 * * *", "2026-11-05 00:00"), late]);
    world.scheduler.set_max_running(1);
    world.pass_and_settle("2026-11-05 04:00", succeed);
    assert_snapshot!(world.take_started(), @"early 11-05T03:00");
    assert_snapshot!(world.rows_of("late"), @"11-05T03:00 skipped: too-old (schedule, 0 attempts)");
}

#[test]
fn skip_late_skips_dates_after_a_failed_one_in_independent_order() {
    let mut load = backfill("load", "0 * * * *", "2026-11-05 12:00");
    (load.date_policy, load.skip_late) = (DatePolicy::Independent { max_parallel: 1 }, Some(Duration::from_hours(1)));
    load.retry = Retry { after: Duration::from_hours(20), ..Retry::default() };
    let mut world = World::new("2026-11-05 12:00", vec![load]);
    world.settle(fail);
    world.pass_and_settle("2026-11-05 15:30", succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-05T12:00 failed until 11-06T08:00:00 (schedule, 1 attempts)
    11-05T13:00 succeeded (schedule, 1 attempts)
    11-05T14:00 skipped: too-old (schedule, 0 attempts)
    11-05T15:00 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn overlap_skip_ignores_attempts_of_a_backfill() {
    let mut load = backfill("load", "0 3 * * *", "2026-11-05 00:00");
    load.overlap = Overlap::Skip;
    let mut world = World::new("2026-11-05 12:00", vec![load]);
    world.settle(succeed);
    world.request("load", Operation::Backfill(order("2026-11-04 00:00", Only::Missing)));
    world.pass_and_settle("2026-11-06 04:00", succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-04T03:00 succeeded (backfill, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    11-06T03:00 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn a_date_skipped_by_a_limit_in_the_step_of_a_backfill_is_not_entered_twice() {
    let mut job = backfill("load", "0 3 * * *", "2026-11-03 00:00");
    job.catch_up = CatchUp { max_age: None, max_dates: Some(1) };
    let mut world = World::new("2026-11-05 12:00", vec![job]);
    world.settle(succeed);
    world.now = at("2026-11-08 12:00");
    let asked = Operation::Backfill(order("2026-11-05 12:00", Only::All));
    world.ask(1, "load", asked.clone());
    assert!(world.rows.answers.is_empty(), "dates came due in its step: it is decided when it is read again");
    world.ask(1, "load", asked);
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 skipped: too-old (catch-up, 0 attempts)
    11-04T03:00 skipped: too-old (catch-up, 0 attempts)
    11-05T03:00 skipped: too-old (catch-up, 0 attempts)
    11-06T03:00 succeeded (backfill, 1 attempts)
    11-07T03:00 succeeded (backfill, 1 attempts)
    11-08T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn a_late_date_is_reported_once() {
    let expected = |name: &str| Job {
        expect_by: chrono::NaiveTime::from_hms_opt(5, 0, 0),
        ..with_one_attempt(backfill(name, "0 3 * * *", "2026-11-05 00:00"))
    };
    let disabled = Job { enabled: false, ..expected("disabled") };
    let mut world = World::new("2026-11-04 12:00", vec![expected("load"), disabled]);
    let late = |world: &mut World, until: &str| {
        world.pass(until);
        let notes = std::mem::take(&mut world.notes).into_iter().filter_map(|note| match note {
            Notification::Late { session, expected, is_running, count, .. } => {
                Some(format!("{} {} by {expected}, running: {is_running}, {count}", session.job, session.date))
            }
            _ => None,
        });
        notes.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(late(&mut world, "2026-11-05 04:59"), @"");
    assert_snapshot!(late(&mut world, "2026-11-05 05:00"), @"load 2026-11-05 03:00:00 UTC by 2026-11-05 05:00:00 UTC, running: true, 1");
    world.end_first(Outcome::Failed { code: 1 });
    assert_snapshot!(late(&mut world, "2026-11-06 04:00"), @"");
    // The next date waits for the held one, and is late as well. Another daemon reports both.
    assert_snapshot!(late(&mut world, "2026-11-06 06:00"), @"load 2026-11-06 03:00:00 UTC by 2026-11-06 05:00:00 UTC, running: false, 1");
    world.notes.clear();
    world.crash();
    assert_snapshot!(late(&mut world, "2026-11-06 07:00"), @"load 2026-11-05 03:00:00 UTC by 2026-11-05 05:00:00 UTC, running: false, 2");
}

#[test]
fn a_first_catch_up_is_not_late() {
    let load = Job {
        expect_by: chrono::NaiveTime::from_hms_opt(5, 0, 0),
        ..backfill("load", "0 3 * * *", "2026-11-01 00:00")
    };
    let mut world = World::new("2026-11-05 12:00", vec![load]);
    world.pass("2026-11-06 04:59");
    assert!(!world.notes.iter().any(|note| matches!(note, Notification::Late { .. })), "{:?}", world.notes);
    world.pass("2026-11-06 05:00");
    assert!(world.notes.iter().any(|note| matches!(note, Notification::Late { count: 1, .. })), "{:?}", world.notes);
}
