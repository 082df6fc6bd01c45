//! `max_running`, pools and priorities: whose turn it is.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use crontabber_core::job::{DatePolicy, Dependency, Job, Retry};
use crontabber_core::scheduler::Event;
use crontabber_core::session::{BackfillOrder, Only, Operation, Outcome};
use insta::assert_snapshot;

use crate::fixtures::{name, order, waits, with_done_when};
use crate::world::*;

#[test]
fn a_running_job_does_not_block_other_jobs() {
    let mut world = World::new("2026-11-01 12:00", vec![job("a", "* * * * *"), job("b", "* * * * *")]);
    world.pass("2026-11-01 12:01");
    let b = world.running.iter().find(|start| start.job.name.as_str() == "b").unwrap().attempt.clone();
    world.end_attempt(b, Outcome::Succeeded);
    world.pass("2026-11-01 12:02");
    assert_eq!(world.take_started(), "a 11-01T12:01, b 11-01T12:01, b 11-01T12:02");
}

#[test]
fn a_job_far_behind_shares_slots_with_the_others() {
    let jobs = vec![
        backfill("big", "* * * * *", "2026-11-01 00:00"),
        backfill("small", "0 0 * * *", "2026-11-01 00:00"),
        backfill("tiny", "0 0 * * *", "2026-11-03 00:00"),
    ];
    let mut world = World::new("2026-10-31 00:00", jobs);
    world.max_running = 1;
    world.scheduler.set_max_running(1);
    world.pass("2026-11-04 12:00");
    for _ in 0..8 {
        world.end_first(Outcome::Succeeded);
    }
    let started = world.take_started();
    assert_snapshot!(started.replace(", ", "\n"), @r"
    big 11-01T00:00
    small 11-01T00:00
    tiny 11-03T00:00
    big 11-01T00:01
    small 11-02T00:00
    tiny 11-04T00:00
    big 11-01T00:02
    small 11-03T00:00
    big 11-01T00:03
    ");
}

#[test]
fn max_running_limits_open_attempts() {
    let jobs = (0..10).map(|n| job(&format!("j{n}"), "* * * * *")).collect();
    let mut world = World::new("2026-11-01 12:00", jobs);
    world.scheduler.set_max_running(3);
    world.pass("2026-11-01 12:01");
    assert_eq!(world.running.len(), 3);
    world.settle(succeed);
    assert_eq!(world.started.len(), 10);
}

#[test]
fn a_tick_is_cheap_with_ten_thousand_jobs_that_are_not_due() {
    let jobs = (0..10_000).map(|n| job(&format!("job{n}"), &format!("{} 3 * * *", n % 60))).collect();
    let mut world = World::new("2026-11-01 12:00", jobs);
    let since = std::time::Instant::now();
    for _ in 0..100_000 {
        world.handle(Event::Tick);
    }
    let per_tick = since.elapsed() / 100_000;
    assert!(per_tick < Duration::from_micros(50), "{per_tick:?} a tick");
}

#[test]
fn a_pool_limits_open_attempts() {
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
    assert_snapshot!(waits(&world, "a", "2026-11-05 03:00"), @"the only slot of pool `db`, which is taken");
    world.crash();
    assert_snapshot!(world.take_started(), @"c 11-05T03:00, d 11-05T03:00");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"a 11-05T03:00, b 11-05T03:00");
}

#[test]
fn an_attempt_of_a_removed_job_keeps_its_slot_in_the_pool() {
    let of_pool = |name: &str| Job { pool: Some("db".to_owned()), ..backfill(name, "0 3 * * *", "2026-11-05 00:00") };
    let mut world = World::new("2026-11-05 02:00", vec![of_pool("a"), of_pool("b")]);
    world.pools = BTreeMap::from([("db".to_owned(), 1)]);
    world.reload(world.jobs.clone());
    world.pass("2026-11-05 03:00");
    // Without its job, and then under the name that it had.
    world.reload(vec![of_pool("b")]);
    let renamed = Job { previously: Some(name("a")), ..of_pool("c") };
    world.reload(vec![of_pool("b"), renamed]);
    assert_snapshot!(world.take_started(), @"a 11-05T03:00");
    assert_snapshot!(waits(&world, "b", "2026-11-05 03:00"), @"the only slot of pool `db`, which is taken");
    // Out of the pool with it, though it waits for its name.
    let elsewhere = Job { previously: Some(name("a")), ..backfill("c", "0 3 * * *", "2026-11-05 00:00") };
    world.reload(vec![of_pool("b"), elsewhere]);
    assert_snapshot!(world.take_started(), @"b 11-05T03:00");
}

#[test]
fn a_ready_job_keeps_its_turn_while_its_dependency_runs_again() {
    let mut load = Job {
        date_policy: DatePolicy::Independent { max_parallel: 1 },
        ..backfill("load", "0 * * * *", "2026-11-05 10:00")
    };
    load.retry = Retry { after: Duration::from_secs(1), ..Retry::default() };
    let mut report = backfill("report", "0 12 * * *", "2026-11-05 00:00");
    report.depends_on = vec![Dependency { ignore_failure: true, ..name("load").into() }];
    let mut world = World::new("2026-11-05 12:00", vec![load, report]);
    // Another place would let the report wait for what is retried there.
    world.max_running = 1;
    world.scheduler.set_max_running(1);
    for _ in 0..6 {
        // By the end of its last date, others of them are due again.
        world.now += TimeDelta::milliseconds(600);
        world.end_first(Outcome::Failed { code: 1 });
    }
    assert_snapshot!(world.take_started(), @"load 11-05T10:00, load 11-05T11:00, load 11-05T12:00, load 11-05T10:00, report 11-05T12:00, load 11-05T11:00, load 11-05T12:00");
}

#[test]
fn explain_names_the_slot_or_the_answer_that_a_date_waits_for() {
    let mut load = backfill("load", "0 3 * * *", "2026-11-04 00:00");
    load.date_policy = DatePolicy::Independent { max_parallel: 1 };
    let mut world = World::new("2026-11-05 12:00", vec![load.clone()]);
    world.settle(succeed);
    world.scheduler.set_max_running(2);
    world.request(
        "load",
        Operation::Backfill(BackfillOrder { parallel: 2, ..order("2026-11-01 00:00", Only::Missing) }),
    );
    assert_snapshot!(waits(&world, "load", "2026-11-02 03:00"), @"LastSlot");
    let world = World::new("2026-11-05 12:00", vec![with_done_when(load)]);
    assert_snapshot!(waits(&world, "load", "2026-11-05 03:00"), @"InFront { count: 1, first: 2026-11-04T03:00:00Z }");
}
