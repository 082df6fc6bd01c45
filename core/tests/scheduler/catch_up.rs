//! Which dates run, and in which order, after dates were missed.

use crontabber_core::job::DatePolicy;
use crontabber_core::scheduler::Notification;
use crontabber_core::session::Outcome;
use insta::assert_snapshot;

use crate::fixtures::name;
use crate::world::*;

#[test]
fn a_new_newest_only_job_runs_its_first_date_after_it_was_seen() {
    let mut world = World::new("2026-11-05 12:00", vec![job("hourly", "0 * * * *")]);
    world.pass("2026-11-05 12:59");
    assert_eq!(world.take_started(), "");
    world.pass("2026-11-05 13:00");
    assert_eq!(world.take_started(), "hourly 11-05T13:00");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("hourly"), @"11-05T13:00 succeeded (schedule, 1 attempts)");
}

#[test]
fn a_new_backfillable_job_runs_every_date_since_its_start_in_order() {
    let mut world = World::new("2026-11-04 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T03:00, load 11-02T03:00, load 11-03T03:00, load 11-04T03:00");
    assert_snapshot!(world.rows_of("load"), @r"
    11-01T03:00 succeeded (catch-up, 1 attempts)
    11-02T03:00 succeeded (catch-up, 1 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    ");
    world.pass_and_settle("2026-11-05 03:00", succeed);
    assert_eq!(world.take_started(), "load 11-05T03:00");
}

#[test]
fn a_strict_job_resumes_at_its_failed_date() {
    let jobs = vec![backfill("foo", "0 3 * * *", "2026-11-02 00:00")];
    let mut world = World::new("2026-11-02 03:00", jobs);
    world.settle(succeed);
    world.pass_and_settle("2026-11-03 03:00", fail);
    world.take_started();
    world.pass("2026-11-03 03:04");
    // Down until Thursday.
    world.now = at("2026-11-05 09:00");
    world.crash();
    world.settle(fail_on("2026-11-04 03:00"));
    assert_eq!(world.take_started(), "foo 11-03T03:00, foo 11-04T03:00", "Wednesday's failure holds Thursday");
    assert_snapshot!(world.rows_of("foo"), @r"
    11-02T03:00 succeeded (schedule, 1 attempts)
    11-03T03:00 succeeded (schedule, 2 attempts)
    11-04T03:00 failed until 11-05T09:05:00 (catch-up, 1 attempts)
    11-05T03:00 waiting (catch-up, 0 attempts)
    ");
    world.pass_and_settle("2026-11-05 09:05", succeed);
    assert_eq!(world.take_started(), "foo 11-04T03:00, foo 11-05T03:00");
}

#[test]
fn a_slow_job_keeps_its_dates() {
    let mut world = World::new("2026-11-05 10:00", vec![backfill("slow", "*/10 * * * *", "2026-11-05 10:00")]);
    world.pass_and_settle("2026-11-05 10:14", succeed);
    world.pass_and_settle("2026-11-05 10:47", succeed);
    assert_snapshot!(world.rows_of("slow"), @r"
    11-05T10:00 succeeded (schedule, 1 attempts)
    11-05T10:10 succeeded (schedule, 1 attempts)
    11-05T10:20 succeeded (schedule, 1 attempts)
    11-05T10:30 succeeded (schedule, 1 attempts)
    11-05T10:40 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn a_crash_during_catch_up_repeats_no_succeeded_date() {
    let mut world = World::new("2026-11-10 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    for _ in 0..4 {
        world.end_first(Outcome::Succeeded);
    }
    world.take_started();
    world.crash();
    world.settle(succeed);
    // The fifth was open at the crash: it is lost, and attempted again at once.
    assert_eq!(
        world.take_started(),
        "load 11-05T03:00, load 11-06T03:00, load 11-07T03:00, load 11-08T03:00, load 11-09T03:00, load 11-10T03:00",
    );
}

#[test]
fn a_newest_only_job_skips_older_due_dates() {
    let mut world = World::new("2026-11-01 12:00", vec![job("hourly", "0 * * * *")]);
    world.pass_and_settle("2026-11-01 13:00", fail);
    world.now = at("2026-11-01 16:30");
    world.crash();
    world.settle(succeed);
    assert_snapshot!(world.rows_of("hourly"), @r"
    11-01T13:00 skipped: superseded (schedule, 1 attempts)
    11-01T14:00 skipped: superseded (catch-up, 0 attempts)
    11-01T15:00 skipped: superseded (catch-up, 0 attempts)
    11-01T16:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn a_newest_only_job_that_outlasts_its_dates_runs_the_newest_when_it_ends() {
    let mut world = World::new("2026-11-01 12:00", vec![job("slow", "*/10 * * * *")]);
    world.pass_and_settle("2026-11-01 12:45", fail);
    assert_eq!(world.take_started(), "slow 11-01T12:10, slow 11-01T12:40");
    assert_snapshot!(world.rows_of("slow"), @r"
    11-01T12:10 skipped: superseded (schedule, 1 attempts)
    11-01T12:20 skipped: superseded (schedule, 0 attempts)
    11-01T12:30 skipped: superseded (schedule, 0 attempts)
    11-01T12:40 failed until 11-01T12:50:00 (schedule, 1 attempts)
    ");
}

#[test]
fn in_independent_order_a_failed_date_does_not_block_later_ones() {
    let mut load = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    load.date_policy = DatePolicy::Independent { max_parallel: 1 };
    let mut world = World::new("2026-11-03 12:00", vec![load]);
    world.settle(fail_on("2026-11-01 03:00"));
    assert_snapshot!(world.rows_of("load"), @r"
    11-01T03:00 failed until 11-03T12:05:00 (catch-up, 1 attempts)
    11-02T03:00 succeeded (catch-up, 1 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn more_dates_than_the_window_holds_all_run_once_in_order() {
    let mut world = World::new("2026-11-03 12:00", vec![backfill("big", "* * * * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    let expected = 2 * 1440 + 12 * 60 + 1;
    assert_eq!(world.started.len(), expected);
    assert_eq!(world.rows.sessions.len(), expected);
    assert!(world.started.is_sorted());
}

#[test]
fn the_backlog_includes_dates_beyond_the_window() {
    let start = "2026-11-01 00:00";
    let mut world = World::new("2026-11-03 00:00", vec![backfill("big", "* * * * *", start)]);
    world.settle(fail);
    assert_eq!(world.scheduler.view(&name("big")).unwrap().backlog, 2881);
    world.crash();
    assert_eq!(world.scheduler.view(&name("big")).unwrap().backlog, 2881);
}

#[test]
fn a_long_past_of_a_newest_only_job_is_counted_as_a_whole() {
    let mut frequent = backfill("frequent", "* * * * *", "2026-11-01 00:00");
    frequent.date_policy = DatePolicy::NewestOnly;
    let mut world = World::new("2026-11-27 12:00", vec![frequent]);
    world.pass_and_settle("2026-11-27 12:00", succeed);
    let said = |world: &World| {
        let counts = world.notes.iter().filter_map(|note| match note {
            Notification::Added { adding, .. } => {
                Some(format!("new: {} due, from {}", adding.due, adding.oldest?.format("%m-%dT%H:%M")))
            }
            Notification::Behind { behind, oldest, superseded, .. } => {
                Some(format!("{behind} behind, from {}, {superseded} superseded", oldest.format("%m-%dT%H:%M")))
            }
            _ => None,
        });
        counts.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(said(&world), @"
    new: 1 due, from 11-27T12:00
    1 behind, from 11-27T12:00, 38160 superseded
    ");
    world.notes.clear();
    world.now = at("2026-12-27 12:00");
    world.crash();
    world.pass_and_settle("2026-12-27 12:00", succeed);
    assert_eq!(said(&world), "1 behind, from 12-27T12:00, 43199 superseded");
}
