//! What follows a failed, lost or interrupted attempt.

use std::time::Duration;

use chrono::TimeDelta;
use crontabber_core::job::{DatePolicy, OnLost, Retry};
use crontabber_core::session::Outcome;
use insta::assert_snapshot;

use crate::fixtures::name;
use crate::world::*;

#[test]
fn a_failure_is_retried_before_the_next_date() {
    let mut world = World::new("2026-11-05 02:00", vec![job("daily", "0 3 * * *")]);
    world.pass_and_settle("2026-11-05 03:00", fail);
    world.take_started();
    world.pass("2026-11-05 03:04");
    assert_eq!(world.take_started(), "");
    world.pass("2026-11-05 03:05");
    assert_eq!(world.take_started(), "daily 11-05T03:00");
}

#[test]
fn retries_back_off_and_a_date_without_retries_left_is_held() {
    let mut flaky = job("flaky", "0 3 * * *");
    let (after, at_most) = (Duration::from_mins(1), Some(Duration::from_secs(200)));
    flaky.retry = Retry { after, factor: 2.0, at_most, attempts: Some(4) };
    let mut world = World::new("2026-11-05 02:00", vec![flaky]);
    let mut seen = Vec::new();
    world.pass("2026-11-05 03:00");
    for _ in 0..4 {
        world.settle(fail);
        seen.push(world.rows_of("flaky"));
        let next = world.scheduler.next_wake().expect("a retry or a date").0;
        world.pass_to(next.min(at("2026-11-05 23:00")));
    }
    assert_snapshot!(seen.concat(), @r"
    11-05T03:00 failed until 11-05T03:01:00 (schedule, 1 attempts)
    11-05T03:00 failed until 11-05T03:03:00 (schedule, 2 attempts)
    11-05T03:00 failed until 11-05T03:06:20 (schedule, 3 attempts)
    11-05T03:00 held: its 4 attempts are used up, the last of them failed(1) (schedule, 4 attempts)
    ");
}

#[test]
fn the_first_date_of_a_new_job_is_retried() {
    let mut world = World::new("2026-11-01 12:00", vec![backfill("new", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(fail);
    world.pass_and_settle("2026-11-01 12:05", succeed);
    assert_snapshot!(world.rows_of("new"), @"11-01T03:00 succeeded (catch-up, 2 attempts)");
}

#[test]
fn a_long_attempt_blocks_only_its_own_job() {
    let mut world = World::new("2026-11-01 12:00", vec![backfill("stuck", "0 3 * * *", "2026-11-01 00:00")]);
    world.pass("2026-11-02 13:00");
    let open = world.rows.recovered().open;
    assert_eq!(world.now - open[0].started_at, TimeDelta::hours(25));
    // It holds its own job for as long as it runs, and is lost only when its process is seen to be gone.
    assert_eq!(world.take_started(), "stuck 11-01T03:00");
}

#[test]
fn a_lost_attempt_is_retried_at_once_or_held() {
    let mut hold = backfill("hold", "0 3 * * *", "2026-11-01 00:00");
    hold.on_lost = OnLost::Hold;
    let retry = backfill("retry", "0 3 * * *", "2026-11-01 00:00");
    let mut world = World::new("2026-11-01 12:00", vec![hold, retry]);
    world.crash();
    assert_eq!(world.running.len(), 1);
    assert_snapshot!(world.rows_of("hold"), @r#"11-01T03:00 held: the outcome of attempt 1 is unknown, and the job has on_lost = "hold" (catch-up, 1 attempts)"#);
    assert_snapshot!(world.rows_of("retry"), @"11-01T03:00 running (catch-up, 2 attempts)");
}

#[test]
fn an_interrupted_attempt_does_not_count() {
    let mut once = backfill("once", "0 3 * * *", "2026-11-01 00:00");
    once.retry.attempts = Some(1);
    let mut world = World::new("2026-11-01 12:00", vec![once]);
    world.end_first(Outcome::Interrupted);
    world.settle(succeed);
    assert_snapshot!(world.rows_of("once"), @"11-01T03:00 succeeded (catch-up, 2 attempts)");
}

#[test]
fn in_independent_order_failing_dates_do_not_starve_others() {
    let mut load = backfill("load", "0 * * * *", "2026-11-01 00:00");
    load.date_policy = DatePolicy::Independent { max_parallel: 1 };
    load.retry.after = Duration::from_mins(1);
    let mut world = World::new("2026-11-01 01:30", vec![load]);
    // Each attempt takes longer than the wait for a retry.
    for _ in 0..60 {
        world.pass_to(world.now + TimeDelta::minutes(5));
        if let Some(start) = world.running.first().cloned() {
            let fails = start.attempt.session.date <= at("2026-11-01 01:00");
            world.end_attempt(start.attempt, if fails { Outcome::Failed { code: 1 } } else { Outcome::Succeeded });
        }
    }
    let rows = world.rows_of("load");
    assert!(rows.lines().filter(|row| row.contains("succeeded")).count() >= 4, "{rows}");
}

#[test]
fn in_independent_order_a_blocked_date_does_not_block_the_retry_of_another() {
    let mut load = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    load.retry.attempts = Some(1);
    let mut free = backfill("free", "0 4 * * *", "2026-11-01 00:00");
    (free.date_policy, free.depends_on) = (DatePolicy::Independent { max_parallel: 1 }, vec![name("load").into()]);
    let mut world = World::new("2026-11-03 12:00", vec![free, load]);
    world.settle(|start| match (start.attempt.session.job.as_str(), start.attempt.session.date) {
        ("load", date) if date < at("2026-11-02 00:00") => Outcome::Succeeded,
        _ => Outcome::Failed { code: 1 },
    });
    assert_eq!(world.take_started(), "load 11-01T03:00, free 11-01T04:00, load 11-02T03:00", "load is held on Monday");
    world.pass("2026-11-03 12:05");
    assert_eq!(world.take_started(), "free 11-01T04:00", "and Sunday is tried again");
}
