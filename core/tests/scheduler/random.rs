//! Random histories keep the promises.

use std::time::Duration;

use chrono::TimeDelta;
use crontabber_core::job::DatePolicy;
use crontabber_core::schedule::{Schedule, Timetable};
use crontabber_core::scheduler::Event;
use crontabber_core::session::{Operation, Outcome};

use crate::fixtures::name;
use crate::world::*;

#[test]
fn a_crash_at_any_event_keeps_the_promises() {
    for seed in 0..60_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut roll = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let start = "2026-11-01 00:00";
        let mut clean = backfill("clean", "30 */2 * * *", start);
        clean.depends_on = vec![name("load").into()];
        let mut free = backfill("free", "15 * * * *", start);
        free.date_policy = DatePolicy::Independent { max_parallel: 1 };
        let jobs = vec![backfill("load", "0 * * * *", start), clean, free, job("plain", "*/20 * * * *")];
        let mut world = World::new("2026-11-01 06:00", jobs.clone());
        for _ in 0..300 {
            match roll(10) {
                0 => world.crash(),
                1 => {
                    world.now += TimeDelta::minutes(i64::try_from(roll(300)).unwrap());
                    world.crash();
                }
                2 => {
                    let every = ["0 * * * *", "*/30 * * * *", "10 */3 * * *"][usize::try_from(roll(3)).unwrap()];
                    let mut jobs = world.jobs.clone();
                    let schedule = Schedule::crontab(every, chrono_tz::UTC).unwrap();
                    jobs[0].timetable =
                        Timetable::new(schedule, Some(at(start)), None, Duration::from_secs(60 * roll(90)));
                    world.reload(jobs);
                }
                3 | 4 => {
                    let minutes = i64::try_from(roll(90)).unwrap();
                    world.pass_to(world.now + TimeDelta::minutes(minutes));
                }
                _ => {
                    if let Some(start) = world.running.first() {
                        let attempt = start.attempt.clone();
                        let outcome = if roll(4) == 0 { Outcome::Failed { code: 1 } } else { Outcome::Succeeded };
                        world.end_attempt(attempt, outcome);
                    }
                }
            }
        }
        // In the end everything heals, in order, without anyone asking; a delay would leave a dependent waiting.
        world.reload(jobs.clone());
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
    for seed in 0..200_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut roll = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let minutes = |minutes: u64| TimeDelta::minutes(i64::try_from(minutes).unwrap());
        let mut free = backfill("free", "15 * * * *", "2026-11-01 00:00");
        free.date_policy = DatePolicy::Independent { max_parallel: 1 };
        let jobs = vec![backfill("load", "0 * * * *", "2026-11-01 00:00"), free, job("plain", "*/20 * * * *")];
        let mut world = World::new("2026-11-01 06:00", jobs);
        for _ in 0..200 {
            // No two moments are the same to the microsecond.
            world.now += TimeDelta::microseconds(i64::try_from(roll(999_999)).unwrap());
            let name = ["load", "free", "plain"][usize::try_from(roll(3)).unwrap()];
            match roll(16) {
                0 => world.crash(),
                1 => world.request(name, Operation::Reset { to: None }),
                2 => world.request(name, Operation::Run { date: None, force: roll(2) == 0 }),
                3 => {
                    // The clock is set, forward or back.
                    world.now = world.now + minutes(roll(400)) - minutes(roll(400));
                    world.handle(Event::Tick);
                }
                4 => {
                    let every = ["0 * * * *", "*/30 * * * *", "10 */3 * * *"][usize::try_from(roll(3)).unwrap()];
                    let start = ["2026-11-01 00:00", "2026-10-31 12:00"][usize::try_from(roll(2)).unwrap()];
                    let schedule = Schedule::crontab(every, chrono_tz::UTC).unwrap();
                    let delay = Duration::from_secs(60 * roll(90));
                    let mut jobs = world.jobs.clone();
                    jobs[0].timetable = Timetable::new(schedule, Some(at(start)), None, delay);
                    world.reload(jobs);
                }
                5..=8 => world.pass_to(world.now + minutes(roll(90))),
                _ => {
                    if let Some(start) = world.running.first() {
                        let attempt = start.attempt.clone();
                        let outcome = if roll(3) == 0 { Outcome::Failed { code: 1 } } else { Outcome::Succeeded };
                        world.end_attempt(attempt, outcome);
                    }
                }
            }
        }
    }
}
