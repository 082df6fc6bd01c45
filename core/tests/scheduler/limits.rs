//! What the registry says about how much of a job runs, when, and after what, as stories.

use std::collections::BTreeMap;
use std::time::Duration;

use crontabber_core::job::{CatchUp, DatePolicy, Dependency, Job, JobName, Offset, Overlap, Period};
use crontabber_core::schedule::{Schedule, Timetable};
use crontabber_core::scheduler::Wait;
use crontabber_core::session::Outcome;
use insta::assert_snapshot;

use crate::name;
use crate::world::*;

/// A job without a schedule.
fn helper(text: &str) -> Job {
    let mut job = job(text, "0 0 * * *");
    job.timetable = Timetable::new(Schedule::none(chrono_tz::UTC), None, None, Duration::ZERO);
    job
}

fn on(text: &str) -> Dependency {
    Dependency::on(name(text))
}

/// What a date waits for, an entry a line.
fn waits(world: &World, job: &str, date: &str) -> String {
    let explanation = world.scheduler.explain(&name(job), at(date)).expect("not settled");
    let told = explanation.waits.iter().map(|wait| match wait {
        Wait::For(block) => block.describe(chrono_tz::UTC),
        other => format!("{other:?}"),
    });
    told.collect::<Vec<_>>().join("\n")
}

#[test]
fn only_the_newest_missed_dates_are_caught_up_on() {
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
fn ten_years_of_minutes_are_not_caught_up_on_beyond_the_limit() {
    let mut job = backfill("minutes", "* * * * *", "2026-01-01 00:00");
    job.catch_up.max_dates = Some(100);
    let mut world = World::new("2026-03-01 00:00", vec![job]);
    world.settle(succeed);
    world.pass("2026-03-01 00:00");
    world.settle(succeed);
    let started = world.take_started();
    assert_eq!(started.split(", ").count(), 100);
    assert_snapshot!(started.split(", ").next().unwrap_or_default(), @"minutes 02-28T22:21");
    assert_eq!(world.rows.sessions.len(), 59 * 1440 + 1);
}

#[test]
fn a_date_that_comes_due_while_one_runs_is_skipped_if_the_job_says_so() {
    let mut skips = backfill("skips", "0 * * * *", "2026-11-05 12:00");
    skips.overlap = Overlap::Skip;
    let mut world = World::new("2026-11-05 12:00", vec![skips]);
    world.pass("2026-11-05 14:30");
    world.settle(succeed);
    world.pass("2026-11-05 15:30");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("skips"), @"
    11-05T12:00 succeeded (schedule, 1 attempts)
    11-05T13:00 skipped: overtime (schedule, 0 attempts)
    11-05T14:00 skipped: overtime (schedule, 0 attempts)
    11-05T15:00 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn what_is_strictly_too_late_is_skipped() {
    let mut job = backfill("late", "0 * * * *", "2026-11-05 12:00");
    job.skip_late = Some(Duration::from_mins(3));
    let mut world = World::new("2026-11-05 12:03", vec![job.clone()]);
    world.settle(succeed);
    // The next one waits behind this one for too long.
    world.pass("2026-11-05 13:00");
    world.pass("2026-11-05 14:03");
    world.settle(succeed);
    world.now += chrono::TimeDelta::seconds(3601);
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
fn a_pool_lets_no_more_run_than_it_has_places() {
    let mut jobs: Vec<Job> =
        ["a", "b", "c", "d"].iter().map(|name| backfill(name, "0 3 * * *", "2026-11-05 00:00")).collect();
    for job in &mut jobs[..3] {
        job.pool = Some("db".to_owned());
    }
    jobs[2].priority = 5;
    let mut world = World::new("2026-11-05 02:00", jobs);
    world.pools = BTreeMap::from([("db".to_owned(), 1)]);
    world.reload(world.jobs.clone());
    world.pass("2026-11-05 03:00");
    assert_snapshot!(world.take_started(), @"c 11-05T03:00, d 11-05T03:00");
    assert_snapshot!(waits(&world, "a", "2026-11-05 03:00"), @"the one place of the pool `db`, which is taken");
    world.crash();
    assert_snapshot!(world.take_started(), @"c 11-05T03:00, d 11-05T03:00");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"a 11-05T03:00, b 11-05T03:00");
}

#[test]
fn what_runs_of_a_job_that_is_gone_keeps_its_place_in_the_pool() {
    let of_pool = |name: &str| Job { pool: Some("db".to_owned()), ..backfill(name, "0 3 * * *", "2026-11-05 00:00") };
    let mut world = World::new("2026-11-05 02:00", vec![of_pool("a"), of_pool("b")]);
    world.pools = BTreeMap::from([("db".to_owned(), 1)]);
    world.reload(world.jobs.clone());
    world.pass("2026-11-05 03:00");
    // Without its job, and then under the name that it had.
    world.reload(vec![of_pool("b")]);
    let renamed = Job { previously: Some(JobName::new("a").unwrap()), ..of_pool("c") };
    world.reload(vec![of_pool("b"), renamed]);
    assert_snapshot!(world.take_started(), @"a 11-05T03:00");
    assert_snapshot!(waits(&world, "b", "2026-11-05 03:00"), @"the one place of the pool `db`, which is taken");
    // Out of the pool with it, though it waits for its name.
    let elsewhere =
        Job { previously: Some(JobName::new("a").unwrap()), ..backfill("c", "0 3 * * *", "2026-11-05 00:00") };
    world.reload(vec![of_pool("b"), elsewhere]);
    assert_snapshot!(world.take_started(), @"b 11-05T03:00");
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
    world.pass("2026-11-04 23:00");
    world.settle(fail_on("2026-11-04 23:00"));
    assert_snapshot!(world.take_started(), @"hourly 11-04T23:00");
    world.pass("2026-11-04 23:05");
    world.settle(succeed);
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
fn a_failure_need_not_be_waited_for() {
    let mut report = backfill("report", "0 6 * * *", "2026-11-03 00:00");
    report.depends_on = vec![Dependency { ignore_failure: true, ..on("load") }];
    let load = backfill("load", "0 5 * * *", "2026-11-03 00:00");
    let mut world = World::new("2026-11-03 06:30", vec![report, load]);
    assert_snapshot!(waits(&world, "report", "2026-11-03 06:00"), @"`load`, whose 2026-11-03T05:00:00+00:00 is not settled");
    world.settle(
        |start| {
            if start.job.name.as_str() == "load" { Outcome::Failed { code: 1 } } else { Outcome::Succeeded }
        },
    );
    assert_snapshot!(world.take_started(), @"load 11-03T05:00, report 11-03T06:00");
}

#[test]
fn a_required_job_is_started_once_for_a_date() {
    let mut one = backfill("one", "0 6 * * *", "2026-11-03 00:00");
    let mut two = backfill("two", "0 6 * * *", "2026-11-03 00:00");
    (one.require, two.require) = (vec![name("shared")], vec![name("shared")]);
    let mut world = World::new("2026-11-04 06:30", vec![one, two, helper("shared")]);
    assert_snapshot!(world.take_started(), @"shared 11-03T06:00");
    assert_snapshot!(waits(&world, "one", "2026-11-03 06:00"), @"`shared`, whose 2026-11-03T06:00:00+00:00 is not settled");
    world.crash();
    world.settle(succeed);
    world.crash();
    world.pass("2026-11-05 07:00");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"shared 11-03T06:00, one 11-03T06:00, two 11-03T06:00, shared 11-04T06:00, one 11-04T06:00, two 11-04T06:00, shared 11-05T06:00, one 11-05T06:00, two 11-05T06:00");
    assert_snapshot!(world.rows_of("shared"), @"
    11-03T06:00 succeeded (required, 2 attempts)
    11-04T06:00 succeeded (required, 1 attempts)
    11-05T06:00 succeeded (required, 1 attempts)
    ");
}

#[test]
fn a_renamed_job_keeps_its_ledger() {
    let load = backfill("load", "0 3 * * *", "2026-11-03 00:00");
    let mut renamed = backfill("import", "0 3 * * *", "2026-11-03 00:00");
    renamed.previously = Some(name("load"));
    let mut world = World::new("2026-11-05 12:00", vec![load]);
    world.settle(succeed);
    world.pass("2026-11-06 03:00");
    // What runs under the old name ends under it.
    world.reload(vec![renamed]);
    assert_snapshot!(world.rows_of("import"), @"");
    world.settle(succeed);
    world.pass("2026-11-07 04:00");
    world.crash();
    assert_snapshot!(world.rows_of("import"), @"
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    11-06T03:00 succeeded (schedule, 1 attempts)
    11-07T03:00 running (schedule, 2 attempts)
    ");
    assert_snapshot!(world.rows_of("load"), @"");
}
