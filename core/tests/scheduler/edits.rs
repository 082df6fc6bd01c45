//! What an edit of the registry does to dates. Each sentence of README.md, "What an edit does to dates", is a story.
//!
//! An edit is seen by a running daemon's reload, or by a daemon that starts with it (`once` is such a start). Most stories
//! are told both ways, and have one outcome.

mod catch_up;
mod excluded;
mod grain;
mod held;
mod one_rule;
mod periods;
mod policies;
mod stands;
mod zones;

use std::fmt::Write as _;
use std::time::Duration;

use chrono_tz::Tz;
use crontabber_core::job::{DatePolicy, Job};
use crontabber_core::schedule::{Schedule, Timetable};
use crontabber_core::scheduler::Notification;
use crontabber_core::session::{SessionRecord, State};

use crate::world::*;

/// A backfillable job from a start on.
fn load_from(start: &str, crontab: &str) -> Job {
    backfill("load", crontab, start)
}

/// A backfillable job from 1 November on, a Sunday.
fn load(crontab: &str) -> Job {
    load_from("2026-11-01 00:00", crontab)
}

/// The same, in a zone.
fn load_in(zone: Tz, crontab: &str) -> Job {
    with_schedule(load(crontab), Schedule::crontab(crontab, zone).expect("a schedule"))
}

fn with_schedule(job: Job, schedule: Schedule) -> Job {
    Job { timetable: Timetable::new(schedule, job.timetable.start, job.timetable.end, Duration::ZERO), ..job }
}

fn with_start(job: Job, start: Option<&str>) -> Job {
    let Timetable { schedule, end, .. } = job.timetable;
    Job { timetable: Timetable::new(schedule, start.map(at), end, Duration::ZERO), ..job }
}

fn with_end(job: Job, end: &str) -> Job {
    let Timetable { schedule, start, .. } = job.timetable;
    Job { timetable: Timetable::new(schedule, start, Some(at(end)), Duration::ZERO), ..job }
}

/// The same job without `backfill = true`.
fn ordinary(job: Job) -> Job {
    Job { date_policy: DatePolicy::NewestOnly, ..job }
}

/// Every so many days.
fn every(days: &str, time: &str) -> Job {
    with_schedule(load("0 3 * * *"), Schedule::every(days, Some(time), Tz::UTC).expect("an interval"))
}

/// How a daemon sees an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    ByReload,
    AtStart,
}

impl Seen {
    /// The registry is edited now. What runs goes on, also beside another daemon.
    fn edit(self, world: &mut World, job: Job) {
        world.notes.clear();
        world.take_started();
        if self == Self::AtStart {
            let running = world.running.clone();
            world.die();
            world.running = running;
        }
        world.reload(vec![job]);
    }

    /// The registry is edited now, and time passes: in a daemon that has reloaded it, or while none runs.
    fn edit_and_pass(self, world: &mut World, job: Job, until: &str) {
        if self == Self::ByReload {
            self.edit(world, job);
        } else {
            world.now = at(until);
            self.edit(world, job);
        }
        world.pass_and_settle(until, succeed);
    }
}

/// The outcome of a story, however the edit is seen.
fn each_way(mut story: impl FnMut(Seen) -> String) -> String {
    let (reloaded, started) = (story(Seen::ByReload), story(Seen::AtStart));
    assert_eq!(reloaded, started, "seen by a reload (left) and at a start (right)");
    reloaded
}

/// What the edit was said to do.
fn said(world: &World) -> String {
    let edited = world.notes.iter().filter_map(|note| match note {
        Notification::Changed { keys, adding, dates, .. } => {
            let dates = if dates.is_empty() { String::new() } else { format!("; {}", dates.describe()) };
            Some(format!("changed: {}; {} due{dates}", keys.join(", "), adding.due))
        }
        Notification::Edited { dates, .. } => Some(dates.describe()),
        _ => None,
    });
    edited.collect::<Vec<_>>().join("\n")
}

/// The rows of `load` with the local time that each is told, one a line.
fn rows(world: &World) -> String {
    let mut text = String::new();
    for SessionRecord { key, zone, state, .. } in world.rows.sessions.values() {
        let seconds = if key.date.timestamp() % 60 == 0 { "" } else { ":%S" };
        let offset = if *zone == Tz::UTC { "" } else { "%:z" };
        let told = key.date.with_timezone(zone).format(&format!("%F %R{seconds}{offset}")).to_string();
        let reason = if let State::Skipped { reason } = state { format!(": {}", reason.word()) } else { String::new() };
        writeln!(text, "{told} {}{reason}", state.word()).expect("memory");
    }
    text
}

/// What the edit was said to do, and the rows that came of it.
fn outcome(world: &World) -> String {
    format!("{}\n{}", said(world), rows(world))
}
