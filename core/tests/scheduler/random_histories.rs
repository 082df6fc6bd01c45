//! Random histories keep the promises.

use std::time::Duration;

use chrono::TimeDelta;
use crontabber_core::job::{CatchUp, DatePolicy, Job};
use crontabber_core::schedule::{Schedule, Timetable};
use crontabber_core::scheduler::Event;
use crontabber_core::session::{BackfillOrder, Only, Operation, Outcome, Retrying, Skipping};

use crate::fixtures::name;
use crate::random::Random;
use crate::world::*;

const START: &str = "2026-11-01 00:00";

/// `load` and `free`, whose dates all run, and `plain`, which runs its newest date; `more` stands before them.
fn world(more: Option<Job>) -> World {
    let mut free = backfill("free", "15 * * * *", START);
    free.date_policy = DatePolicy::Independent { max_parallel: 1 };
    let jobs = [backfill("load", "0 * * * *", START), free, job("plain", "*/20 * * * *")];
    World::new("2026-11-01 06:00", jobs.into_iter().chain(more).collect())
}

fn minutes(random: &mut Random, most: i64) -> TimeDelta {
    TimeDelta::minutes(random.between(0, most))
}

/// Gives `load` another schedule and another delay.
fn reload(world: &mut World, random: &mut Random, starts: &[&str]) {
    let (crontab, start) = (*random.pick(&["0 * * * *", "*/30 * * * *", "10 */3 * * *"]), *random.pick(starts));
    let schedule = Schedule::crontab(crontab, chrono_tz::UTC).expect("a schedule");
    let delay = Duration::from_mins(random.below(90) as u64);
    let mut jobs = world.jobs.clone();
    jobs[0].timetable = Timetable::new(schedule, Some(at(start)), None, delay);
    world.reload(jobs);
}

/// Runs settled dates again, or settles unsettled ones.
fn second_thoughts(world: &mut World, random: &mut Random) {
    let name = *random.pick(&["load", "free", "plain"]);
    let dates: Vec<_> = world.rows.sessions.keys().filter(|key| key.job.as_str() == name).map(|key| key.date).collect();
    if dates.is_empty() {
        return;
    }
    let date = *random.pick(&dates);
    let (from, to, only) = (date, Some(date + minutes(random, 300)), *random.pick(&[Only::All, Only::Failed]));
    let newest_first = random.once_in(2);
    let order = BackfillOrder { from, to, count: None, only, newest_first, parallel: 1, name: None };
    let operation = match random.below(5) {
        0 => Operation::Skip(Skipping::Date(date)),
        1 => Operation::Done { date },
        2 => Operation::Backfill(order),
        _ => Operation::Retry(Retrying::Date { date, again: true }),
    };
    world.request(name, operation);
}

/// Gives a job another order of its dates, and another bound of its catch-up.
fn reorder(world: &mut World, random: &mut Random) {
    let mut jobs = world.jobs.clone();
    let independent = DatePolicy::Independent { max_parallel: 2 };
    let index = random.below(jobs.len());
    jobs[index].date_policy = *random.pick(&[DatePolicy::Strict, independent, DatePolicy::NewestOnly]);
    jobs[index].catch_up = *random.pick(&[
        CatchUp::default(),
        CatchUp { max_age: None, max_dates: Some(2) },
        CatchUp { max_age: Some(Duration::from_hours(3)), max_dates: None },
    ]);
    world.reload(jobs);
}

/// Ends the attempt that has run longest; one of so many fails.
fn end(world: &mut World, random: &mut Random, failures: u64) {
    if !world.running.is_empty() {
        let fails = random.once_in(failures);
        world.end_first(if fails { Outcome::Failed { code: 1 } } else { Outcome::Succeeded });
    }
}

#[test]
fn a_crash_at_any_event_keeps_the_promises() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let mut clean = backfill("clean", "30 */2 * * *", START);
        clean.depends_on = vec![name("load").into()];
        let mut world = world(Some(clean));
        let jobs = world.jobs.clone();
        for _ in 0..300 {
            match random.below(10) {
                0 => world.crash(),
                1 => {
                    world.now += minutes(&mut random, 300);
                    world.crash();
                }
                2 => reload(&mut world, &mut random, &[START]),
                3 | 4 => world.pass_to(world.now + minutes(&mut random, 90)),
                _ => end(&mut world, &mut random, 4),
            }
        }
        // In the end everything heals, in order, without anyone asking; a delay would leave a dependent waiting.
        world.reload(jobs);
        world.pass_to(world.now + TimeDelta::hours(2));
        world.settle(succeed);
        world.pass_to(world.now + TimeDelta::minutes(6));
        world.settle(succeed);
        let unsettled = world.rows.recovered().sessions.len();
        assert_eq!(unsettled, 0, "seed {seed}: {unsettled} dates never settled");
    }
}

#[test]
fn operators_registries_and_clocks_keep_the_promises() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut world = world(None);
        for _ in 0..200 {
            // No two moments are the same to the microsecond.
            world.now += TimeDelta::microseconds(random.between(0, 999_999));
            let name = *random.pick(&["load", "free", "plain"]);
            match random.below(20) {
                16..=18 => second_thoughts(&mut world, &mut random),
                19 => reorder(&mut world, &mut random),
                0 => world.crash(),
                1 => world.request(name, Operation::Reset { to: None }),
                2 => world.request(name, Operation::Run { date: None, force: random.once_in(2) }),
                3 => {
                    // The clock is set, forward or back.
                    world.now += TimeDelta::minutes(random.between(-400, 400));
                    world.handle(Event::Tick);
                }
                4 => reload(&mut world, &mut random, &[START, "2026-10-31 12:00"]),
                5..=8 => world.pass_to(world.now + minutes(&mut random, 90)),
                _ => end(&mut world, &mut random, 3),
            }
        }
    }
}
