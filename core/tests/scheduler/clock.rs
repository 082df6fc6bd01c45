//! The wall clock is set back or forward.

use crontabber_core::scheduler::{Event, Notification};
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
