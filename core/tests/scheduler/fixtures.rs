//! Jobs, requests and worlds that several files of stories begin with.

use std::time::Duration;

use crontabber_core::job::{Command, DatePolicy, Dependency, Job, JobName, Retry, Template};
use crontabber_core::schedule::{Schedule, Timetable};
use crontabber_core::scheduler::Wait;
use crontabber_core::session::{BackfillOrder, Only};

use crate::world::*;

pub(crate) fn name(text: &str) -> JobName {
    JobName::new(text).expect("a name")
}

/// A job in strict order, with three dates due.
pub(crate) fn load() -> World {
    World::new("2026-11-05 12:00", vec![backfill("load", "0 3 * * *", "2026-11-03 00:00")])
}

/// The same, after its three dates have succeeded.
pub(crate) fn caught_up() -> World {
    let mut world = load();
    world.settle(succeed);
    world.take_started();
    world
}

/// A job without a schedule.
pub(crate) fn on_demand(text: &str) -> Job {
    let mut job = job(text, "0 0 * * *");
    job.date_policy = DatePolicy::OnDemand;
    job.timetable = Timetable::new(Schedule::none(chrono_tz::UTC), None, None, Duration::ZERO);
    job
}

pub(crate) fn with_done_when(job: Job) -> Job {
    Job { done_when: Some(Command::Argv(vec![Template::parse("test").expect("a template")])), ..job }
}

pub(crate) fn with_one_attempt(job: Job) -> Job {
    Job { retry: Retry { attempts: Some(1), ..Retry::default() }, ..job }
}

pub(crate) fn with_delay(job: Job, delay: Duration) -> Job {
    let (schedule, start) = (job.timetable.schedule.clone(), job.timetable.start);
    Job { timetable: Timetable::new(schedule, start, None, delay), ..job }
}

pub(crate) fn on(text: &str) -> Dependency {
    Dependency::on(name(text))
}

pub(crate) fn order(from: &str, only: Only) -> BackfillOrder {
    BackfillOrder { from: at(from), to: None, count: None, only, newest_first: false, parallel: 1, name: None }
}

/// What a date waits for, one a line.
pub(crate) fn waits(world: &World, job: &str, date: &str) -> String {
    let explanation = world.scheduler.explain(&name(job), at(date)).expect("an unsettled date");
    let waits = explanation.waits.iter().map(|wait| match wait {
        Wait::For(block) => {
            block.describe(chrono_tz::UTC, |_, date| crontabber_core::text::in_zone(date, chrono_tz::UTC))
        }
        other => format!("{other:?}"),
    });
    waits.collect::<Vec<_>>().join("\n")
}
