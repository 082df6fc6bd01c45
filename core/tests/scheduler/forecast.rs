//! What is announced, planned and listed is what then runs: random registries with random histories.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crontabber_core::job::{CatchUp, DatePolicy, Job, JobName};
use crontabber_core::scheduler::{Forecast, Scheduler, Step};
use crontabber_core::session::{BackfillOrder, Only, Operation, Outcome, Retrying, Skipping};

use crate::fixtures::{name, on, on_demand, with_delay, with_one_attempt};
use crate::random::Random;
use crate::world::*;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "hook"];

/// A job of any kind, which may depend on one of those before it and require `hook`.
fn any_job(index: usize, random: &mut Random) -> Job {
    let crontab = *random.pick(&["0 * * * *", "*/20 * * * *", "30 */6 * * *", "0 3 * * *"]);
    let start = *random.pick(&["2026-10-31 00:00", "2026-11-01 00:00", "2026-11-02 07:30"]);
    let mut job = backfill(NAMES[index], crontab, start);
    job.date_policy = *random.pick(&[
        DatePolicy::Strict,
        DatePolicy::Strict,
        DatePolicy::Independent { max_parallel: 1 },
        DatePolicy::Independent { max_parallel: 3 },
        DatePolicy::NewestOnly,
    ]);
    job.catch_up = *random.pick(&[
        CatchUp::default(),
        CatchUp::default(),
        CatchUp { max_age: None, max_dates: Some(4) },
        CatchUp { max_age: Some(Duration::from_hours(9)), max_dates: None },
    ]);
    if !job.date_policy.is_backfillable() {
        job.catch_up.max_dates = None;
    }
    if random.once_in(5) {
        job = with_delay(job, Duration::from_mins(45));
    }
    if random.once_in(3) {
        job = with_one_attempt(job);
    }
    if index > 0 && random.once_in(2) {
        job.depends_on = vec![on(NAMES[random.below(index)])];
    }
    if random.once_in(3) {
        job.require = vec![name("hook")];
    }
    job.enabled = !random.once_in(8);
    job
}

fn any_registry(random: &mut Random) -> Vec<Job> {
    let jobs = (0..5).map(|index| any_job(index, random)).collect::<Vec<_>>();
    jobs.into_iter().chain([on_demand("hook")]).collect()
}

/// An operator asks for something.
fn any_request(world: &mut World, random: &mut Random) {
    let job = *random.pick(&NAMES[..5]);
    let from = at("2026-10-30 00:00") + TimeDelta::minutes(random.between(0, 4 * 1440));
    let to = Some(from + TimeDelta::hours(random.between(1, 20)));
    let only = *random.pick(&[Only::All, Only::Failed]);
    let dates: Vec<DateTime<Utc>> =
        world.rows.sessions.keys().filter(|key| key.job.as_str() == job).map(|key| key.date).collect();
    let operation = match random.below(5) {
        0 => Operation::Backfill(BackfillOrder {
            from,
            to,
            count: None,
            only,
            newest_first: random.once_in(2),
            parallel: 1,
            name: None,
        }),
        1 => Operation::Disable { until: None },
        _ if dates.is_empty() => return,
        2 => Operation::Skip(Skipping::Date(*random.pick(&dates))),
        3 => Operation::Skip(Skipping::To(*random.pick(&dates))),
        _ => Operation::Retry(Retrying::Date { date: *random.pick(&dates), again: random.once_in(2) }),
    };
    world.request(job, operation);
}

/// Days of failures, downtime, edits, requests, and a clock that is set back.
fn any_history(world: &mut World, random: &mut Random) {
    for _ in 0..60 {
        match random.below(12) {
            0 => any_request(world, random),
            1 => {
                world.now += TimeDelta::minutes(random.between(0, 900));
                world.crash();
            }
            2 => {
                world.now -= TimeDelta::minutes(random.between(0, 300));
                world.crash();
            }
            3 if random.once_in(3) => world.reload(any_registry(random)),
            4..=7 => world.pass_to(world.now + TimeDelta::minutes(random.between(0, 120))),
            _ if world.running.is_empty() => {}
            _ => {
                let outcome = if random.once_in(4) { Outcome::Failed { code: 1 } } else { Outcome::Succeeded };
                world.end_first(outcome);
            }
        }
    }
    // What runs ends, and nothing runs for a while.
    world.settle(|_| if random.once_in(5) { Outcome::Failed { code: 1 } } else { Outcome::Succeeded });
    world.now += TimeDelta::minutes(random.between(0, 2000));
}

/// The daemon's own scheduler over the ledger, as previews ask it.
fn asked(world: &World, freeze: bool) -> (Scheduler, Step) {
    let mut scheduler = Scheduler::new(world.rows.recovered(), "here", world.max_running, world.now);
    if freeze {
        scheduler.freeze();
    }
    let jobs: Vec<Arc<Job>> = world.jobs.iter().cloned().map(Arc::new).collect();
    let needed = scheduler.recordings_needed(&jobs);
    scheduler.set_recordings(world.rows.recordings(needed));
    let first = scheduler.take_registry(jobs, world.now);
    (scheduler, first)
}

/// What is said before a wake: by `plan`, by the announcement, and how many dates of each job are behind.
struct Said {
    starts: Vec<String>,
    forecast: Forecast,
    behind: BTreeMap<JobName, u64>,
}

fn behind(world: &World) -> BTreeMap<JobName, u64> {
    let (scheduler, _) = asked(world, true);
    let view = |job: &Job| Some((job.name.clone(), scheduler.view(&job.name)?.backlog));
    world.jobs.iter().filter_map(view).collect()
}

fn said(world: &World) -> Said {
    let (mut scheduler, first) = asked(world, false);
    let starts = first.starts.iter().map(|start| attempt(&start.attempt)).collect();
    Said { starts, forecast: scheduler.forecast(&first, u64::MAX), behind: behind(world) }
}

fn attempt(key: &crontabber_core::session::AttemptKey) -> String {
    format!("{} {} {}", key.session.job, key.session.date.format("%m-%dT%H:%M"), key.number)
}

/// Starts a daemon, and lets everything succeed until nothing is due. Returns its first attempts, and how many there were of
/// each job's schedule.
fn wake(world: &mut World) -> (Vec<String>, BTreeMap<JobName, u64>) {
    world.die();
    world.reload(world.jobs.clone());
    world.pass_to(world.now);
    let first = world.running.iter().map(|start| attempt(&start.attempt)).collect();
    let mut attempts = BTreeMap::new();
    while let Some(start) = world.running.first().cloned() {
        if world.rows.sessions[&start.attempt.session].backfill.is_none() {
            *attempts.entry(start.job.name.clone()).or_default() += 1;
        }
        world.end_first(Outcome::Succeeded);
        world.pass_to(world.now);
    }
    (first, attempts)
}

/// Compares what is said before a wake with what then runs.
fn assert_said_is_done(world: &mut World, seed: u64) {
    let Said { starts, forecast, behind: before } = said(world);
    let (first, attempts) = wake(world);
    assert_eq!(starts, first, "seed {seed}: planned (left) and started (right)");
    assert_eq!(forecast.attempts, attempts, "seed {seed}: announced (left) and attempted (right)");
    let after = behind(world);
    // Dates of a hook enter when they are required.
    for job in world.jobs.iter().filter(|job| job.date_policy != DatePolicy::OnDemand) {
        let ran = attempts.get(&job.name).copied().unwrap_or_default();
        let left = after.get(&job.name).copied().unwrap_or_default();
        assert_eq!(before[&job.name], ran + left, "seed {seed}: dates of {} that were listed as behind", job.name);
    }
}

#[test]
fn what_is_announced_planned_and_listed_is_what_runs() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let jobs = any_registry(&mut random);
        let mut world = World::new("2026-11-01 06:00", jobs);
        any_history(&mut world, &mut random);
        assert_said_is_done(&mut world, seed);
    }
}

#[test]
fn what_is_said_of_many_dates_is_what_runs() {
    for seed in 0..4 {
        let mut random = Random::new(seed);
        let mut minutes = backfill("minutes", "* * * * *", "2026-11-01 00:00");
        minutes.date_policy = *random.pick(&[DatePolicy::Strict, DatePolicy::Independent { max_parallel: 2 }]);
        minutes.catch_up.max_dates = *random.pick(&[None, Some(1500)]);
        let mut newest = job("newest", "* * * * *");
        newest.depends_on = vec![on("minutes")];
        let mut world = World::new("2026-11-01 06:00", vec![minutes, newest]);
        world.settle(succeed);
        world.now += TimeDelta::minutes(5200 + random.between(0, 1500));
        assert_said_is_done(&mut world, seed);
    }
}
