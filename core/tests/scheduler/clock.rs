//! The wall clock is set back or forward.

use std::time::Duration;

use crontabber_core::job::Job;
use crontabber_core::scheduler::{BlockReason, Event, Notification, Wait};
use crontabber_core::session::{ClockHold, Outcome};
use insta::assert_snapshot;

use crate::fixtures::name;
use crate::world::*;

#[test]
fn a_clock_set_back_an_hour_records_nothing_twice() {
    let mut world = World::new("2026-11-01 12:30", vec![backfill("load", "*/30 * * * *", "2026-11-01 12:00")]);
    world.settle(fail_on("2026-11-01 12:30"));
    world.now = at("2026-11-01 11:31");
    world.pass_and_settle("2026-11-01 11:36", succeed);
    world.pass_and_settle("2026-11-01 13:00", succeed);
    assert_snapshot!(world.rows_of("load"), @r"
    11-01T12:00 succeeded (catch-up, 1 attempts)
    11-01T12:30 succeeded (schedule, 2 attempts)
    11-01T13:00 succeeded (schedule, 1 attempts)
    ");
    assert!(world.notes.iter().any(|note| matches!(note, Notification::ClockSetBack { .. })));
}

#[test]
fn a_clock_set_forward_a_year_and_back_loses_nothing() {
    let mut world = World::new("2026-11-01 12:00", vec![backfill("load", "0 3 1 * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    world.pass_and_settle("2027-11-01 12:00", succeed);
    assert_eq!(world.started.len(), 13);
    world.now = at("2026-11-01 12:00");
    world.crash();
    assert_eq!(world.started.len(), 13);
    assert!(world.notes.iter().any(|note| matches!(note, Notification::WatermarkAhead { .. })));
}

#[test]
fn a_clock_set_back_starts_nothing_that_is_no_longer_due() {
    let mut world = World::new("2026-11-01 12:30", vec![backfill("load", "0 * * * *", "2026-11-01 12:00")]);
    world.pass("2026-11-01 18:30");
    world.now = at("2026-11-01 13:30");
    world.handle(Event::Tick);
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T12:00, load 11-01T13:00");
    world.pass_and_settle("2026-11-01 14:00", succeed);
    assert_eq!(world.take_started(), "load 11-01T14:00");
}

#[test]
fn a_schedule_changed_while_the_watermark_is_ahead_fills_its_gaps_up_to_the_watermark() {
    let mut world = World::new("2026-11-01 12:30", vec![backfill("load", "0 * * * *", "2026-11-01 12:00")]);
    world.pass_and_settle("2026-11-01 18:30", succeed);
    world.take_started();
    world.now = at("2026-11-01 13:30");
    world.reload(vec![backfill("load", "*/30 * * * *", "2026-11-01 12:00")]);
    assert_eq!(world.rows.jobs[&name("load")].watermark, Some(at("2026-11-01 18:00")));
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T12:30, load 11-01T13:30");
    world.pass_and_settle("2026-11-01 18:30", succeed);
    assert_snapshot!(world.take_started(), @"load 11-01T14:30, load 11-01T15:30, load 11-01T16:30, load 11-01T17:30, load 11-01T18:30");
}

#[test]
fn a_clock_that_is_not_believed_records_skips_and_starts_nothing_new() {
    let load = backfill("load", "0 * * * *", "2026-11-01 12:00");
    let strict = Job { skip_late: Some(Duration::from_hours(1)), ..backfill("late", "0 * * * *", "2026-11-01 12:00") };
    let mut world = World::new("2026-11-01 12:30", vec![load, strict, job("newest", "0 * * * *")]);
    world.settle(fail);
    world.take_started();
    world.scheduler.set_clock_hold(Some(hold("2026-11-01 12:30")));
    // A retry of what failed is due by any clock.
    world.pass("2026-11-05 12:30");
    assert_eq!(world.take_started(), "late 11-01T12:00, load 11-01T12:00");
    world.settle(succeed);
    assert_eq!(world.take_started(), "");
    assert_eq!(world.scheduler.behind(), 0);
    let view = world.scheduler.view(&name("load")).unwrap();
    assert_eq!(view.blocked_by, Some(held("2026-11-01 12:30")));
    assert_eq!((view.backlog, view.next), (0, Some(at("2026-11-01 13:00"))));
    let explanation = world.scheduler.explain(&name("load"), at("2026-11-02 13:00")).unwrap();
    assert!(explanation.waits.contains(&Wait::For(held("2026-11-01 12:30"))));
    assert_eq!(explanation.next_attempt, None);
    world.assert_memory_is_as_loaded();
    // It is believed: all is decided as if it had never been held.
    world.scheduler.set_clock_hold(None);
    world.handle(Event::Tick);
    world.settle(succeed);
    assert_eq!(world.rows_of("load").lines().filter(|row| row.contains("succeeded")).count(), 97);
    assert_eq!(world.rows_of("late").lines().filter(|row| row.contains("too-old")).count(), 95);
    assert_eq!(world.rows_of("newest").lines().filter(|row| row.contains("succeeded")).count(), 1);
}

#[test]
fn dates_recorded_by_a_wrong_clock_wait_when_it_is_wrong_again() {
    let mut world = World::new("2026-11-01 12:30", vec![backfill("load", "0 * * * *", "2026-11-01 12:00")]);
    world.settle(succeed);
    world.pass("2026-11-05 12:30");
    world.end_first(Outcome::Succeeded);
    world.now = at("2026-11-01 13:30");
    world.crash();
    world.take_started();
    world.scheduler.set_clock_hold(Some(hold("2026-11-01 13:30")));
    world.now = at("2026-11-05 12:30");
    world.handle(Event::Tick);
    world.settle(succeed);
    assert_eq!(world.take_started(), "");
    let wait = Wait::For(held("2026-11-01 13:30"));
    let waits = world.scheduler.explain(&name("load"), at("2026-11-01 15:00")).unwrap().waits;
    assert!(waits.contains(&wait), "{waits:?}");
    let view = world.scheduler.view(&name("load")).unwrap();
    assert_eq!(view.blocked_by, Some(held("2026-11-01 13:30")));
}

/// The clock was last believed at this time, and is two minutes after the time of these tests.
fn hold(seen: &str) -> ClockHold {
    ClockHold { seen: at(seen), believed_at: at("2026-11-05 12:32") }
}

fn held(seen: &str) -> BlockReason {
    BlockReason::ClockHeld { seen: at(seen), wait: Duration::from_mins(2) }
}
