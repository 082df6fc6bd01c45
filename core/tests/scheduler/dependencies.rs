//! `depends_on` and `require`.

use std::time::Duration;

use crontabber_core::job::{DatePolicy, Dependency, Job, Offset, Period};
use crontabber_core::session::{Operation, Retrying};
use insta::assert_snapshot;

use crate::fixtures::{name, on, on_demand, waits, with_delay, with_one_attempt};
use crate::world::*;

#[test]
fn a_failed_dependency_blocks_its_date_and_later_ones() {
    let mut clean = backfill("clean", "0 4 * * *", "2026-11-01 00:00");
    clean.depends_on = vec![name("load").into()];
    let load = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    let mut world = World::new("2026-11-03 12:00", vec![clean, load]);
    world.settle(fail_on("2026-11-02 03:00"));
    assert_eq!(world.take_started(), "load 11-01T03:00, clean 11-01T04:00, load 11-02T03:00");
    world.pass_and_settle("2026-11-03 12:05", succeed);
    assert_eq!(world.take_started(), "load 11-02T03:00, clean 11-02T04:00, load 11-03T03:00, clean 11-03T04:00",);
}

#[test]
fn a_dependency_blocks_a_date_until_it_has_caught_up() {
    let mut clean = backfill("clean", "0 2 * * *", "2026-11-01 00:00");
    clean.depends_on = vec![name("load").into()];
    let load = backfill("load", "0 1 * * *", "2026-11-01 00:00");
    let mut world = World::new("2026-11-02 00:00", vec![clean, load]);
    world.settle(succeed);
    world.take_started();
    world.pass("2026-11-02 02:30");
    assert_eq!(world.take_started(), "load 11-02T01:00", "the dependent waits while the dependency runs");
    world.settle(succeed);
    assert_eq!(world.take_started(), "clean 11-02T02:00");
}

#[test]
fn a_dependency_that_never_ran_blocks_every_date() {
    let mut clean = backfill("clean", "0 * * * *", "2026-11-01 00:00");
    clean.depends_on = vec![name("load").into()];
    let mut world = World::new("2026-11-01 05:30", vec![clean, job("load", "0 12 * * *")]);
    world.pass("2026-11-01 11:59");
    assert_eq!(world.take_started(), "");
    world.pass_and_settle("2026-11-01 12:00", succeed);
    assert!(world.take_started().starts_with("load 11-01T12:00, clean 11-01T00:00, clean 11-01T01:00"));
}

#[test]
fn a_superseded_dependency_unblocks_its_dependent() {
    let mut daily = backfill("daily", "0 10 * * *", "2026-11-01 00:00");
    daily.depends_on = vec![name("hourly").into()];
    let mut hourly = job("hourly", "0 * * * *");
    hourly.retry.after = Duration::from_hours(2);
    let mut world = World::new("2026-11-01 08:30", vec![daily, hourly]);
    world.pass_and_settle("2026-11-01 09:00", succeed);
    world.pass_and_settle("2026-11-01 10:00", fail);
    world.take_started();
    world.pass("2026-11-01 11:00");
    assert_eq!(world.take_started(), "daily 11-01T10:00, hourly 11-01T11:00");
}

#[test]
fn a_day_waits_for_all_its_hours() {
    let mut daily = backfill("daily", "0 0 * * *", "2026-11-04 00:00");
    daily.depends_on = vec![Dependency { covers: Some(Period::Day), ..on("hourly") }];
    let mut hourly = backfill("hourly", "0 * * * *", "2026-11-04 00:00");
    hourly.date_policy = DatePolicy::Independent { max_parallel: 1 };
    let mut world = World::new("2026-11-04 22:30", vec![daily, hourly]);
    world.settle(succeed);
    world.take_started();
    assert_snapshot!(waits(&world, "daily", "2026-11-04 00:00"), @"`hourly`, whose 2026-11-04T23:00:00+00:00 is not settled");
    world.pass_and_settle("2026-11-04 23:00", fail_on("2026-11-04 23:00"));
    assert_snapshot!(world.take_started(), @"hourly 11-04T23:00");
    world.pass_and_settle("2026-11-04 23:05", succeed);
    assert_snapshot!(world.take_started(), @"hourly 11-04T23:00, daily 11-04T00:00");
}

#[test]
fn a_day_waits_for_the_day_before() {
    let mut report = backfill("report", "0 6 * * *", "2026-11-03 00:00");
    report.depends_on = vec![Dependency { offset: Offset { days: -1, seconds: 0 }, ..on("load") }];
    let load = backfill("load", "0 7 * * *", "2026-11-01 00:00");
    let mut world = World::new("2026-11-03 06:30", vec![report, load]);
    world.settle(fail_on("2026-11-02 07:00"));
    assert_snapshot!(world.take_started(), @"load 11-01T07:00, load 11-02T07:00, report 11-03T06:00");
    assert_snapshot!(world.rows_of("report"), @"11-03T06:00 succeeded (catch-up, 1 attempts)");
}

#[test]
fn ignore_failure_lets_a_date_run_after_a_failure() {
    let mut report = backfill("report", "0 6 * * *", "2026-11-03 00:00");
    report.depends_on = vec![Dependency { ignore_failure: true, ..on("load") }];
    let load = backfill("load", "0 5 * * *", "2026-11-03 00:00");
    let mut world = World::new("2026-11-03 06:30", vec![report, load]);
    assert_snapshot!(waits(&world, "report", "2026-11-03 06:00"), @"`load`, whose 2026-11-03T05:00:00+00:00 is not settled");
    world.settle(fail_on("2026-11-03 05:00"));
    assert_snapshot!(world.take_started(), @"load 11-03T05:00, report 11-03T06:00");
}

#[test]
fn a_required_job_is_started_once_for_a_date() {
    let mut one = backfill("one", "0 6 * * *", "2026-11-03 00:00");
    let mut two = backfill("two", "0 6 * * *", "2026-11-03 00:00");
    (one.require, two.require) = (vec![name("shared")], vec![name("shared")]);
    let mut world = World::new("2026-11-04 06:30", vec![one, two, on_demand("shared")]);
    assert_snapshot!(world.take_started(), @"shared 11-03T06:00");
    assert_snapshot!(waits(&world, "one", "2026-11-03 06:00"), @"`shared`, whose 2026-11-03T06:00:00+00:00 is not settled");
    world.crash();
    world.settle(succeed);
    world.crash();
    world.pass_and_settle("2026-11-05 07:00", succeed);
    assert_snapshot!(world.take_started(), @"shared 11-03T06:00, one 11-03T06:00, two 11-03T06:00, shared 11-04T06:00, one 11-04T06:00, two 11-04T06:00, shared 11-05T06:00, one 11-05T06:00, two 11-05T06:00");
    assert_snapshot!(world.rows_of("shared"), @"
    11-03T06:00 succeeded (required, 2 attempts)
    11-04T06:00 succeeded (required, 1 attempts)
    11-05T06:00 succeeded (required, 1 attempts)
    ");
}

#[test]
fn a_run_by_hand_that_supersedes_a_date_unblocks_dependents() {
    let extract = with_one_attempt(with_delay(job("extract", "0 3 * * *"), Duration::from_hours(1)));
    let mut load = backfill("load", "0 3 * * *", "2026-11-05 00:00");
    load.depends_on = vec![name("extract").into()];
    let mut world = World::new("2026-11-05 02:00", vec![extract, load]);
    world.pass_and_settle("2026-11-05 05:00", fail);
    world.pass("2026-11-06 03:30");
    world.take_started();
    world.request("extract", Operation::Run { date: Some(at("2026-11-06 03:00")), force: true });
    assert_snapshot!(world.take_started(), @"extract 11-06T03:00, load 11-05T03:00");
}

#[test]
fn ignore_failure_does_not_ignore_a_waiting_date() {
    let mut load = backfill("load", "0 3 * * *", "2026-11-05 00:00");
    let ignore_failure = true;
    load.depends_on = vec![Dependency { ignore_failure, ..on("extract") }];
    let extract = with_one_attempt(backfill("extract", "0 6 * * *", "2026-11-05 00:00"));
    let mut world = World::new("2026-11-05 12:00", vec![extract, load]);
    let before = world.take_started();
    world.settle(fail);
    assert_snapshot!(format!("{before}, then {}", world.take_started()), @"extract 11-05T06:00, then load 11-05T03:00");
}

#[test]
fn a_run_by_hand_whose_requirement_never_ran_needs_force() {
    let mut load = job("load", "0 3 * * *");
    load.require = vec![name("check")];
    let mut world = World::new("2026-11-05 12:00", vec![load, on_demand("check")]);
    world.request("load", Operation::Run { date: None, force: false });
    assert_snapshot!(world.answered(), @"refused (0): job `load` waits for `check`, whose 2026-11-05T12:00:00+00:00 is not settled; `--force` attempts it all the same");
}

#[test]
fn a_repeated_dependency_blocks_a_date_that_is_ready_already() {
    let report = Job { depends_on: vec![name("load").into()], ..backfill("report", "0 3 * * *", "2026-11-03 00:00") };
    let other = job("other", "0 13 * * *");
    let mut world =
        World::new("2026-11-03 12:00", vec![backfill("load", "0 3 * * *", "2026-11-03 00:00"), report, other]);
    world.settle(succeed);
    world.take_started();
    // There is no place until the other one ends.
    world.scheduler.set_max_running(1);
    world.pass("2026-11-03 13:00");
    let again = Operation::Retry(Retrying::Date { date: at("2026-11-03 03:00"), again: true });
    world.request("report", again.clone());
    world.request("load", again);
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"other 11-03T13:00, load 11-03T03:00, report 11-03T03:00");
}
