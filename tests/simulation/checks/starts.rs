//! P1, P2, P3 and P8: what may start, and whose turn it is.

use chrono::TimeDelta;
use crontabber::job::{Dependency, Job, JobName, Order};
use crontabber::session::{AttemptKey, Entry, SessionRecord, State, Trigger};

use super::{Checks, View};
use crate::Held;
use crate::calendar::At;
use crate::daemon::Mode;
use crate::ledger::Ledger;
use crate::machine::Machine;

/// So often a job may be overtaken by another while it could start itself.
const PATIENCE: u32 = 3;

impl Checks {
    /// An attempt is opened.
    pub(super) fn opened(&mut self, entry: &Entry, view: &View<'_>) -> Held {
        let Entry::Open { attempt, trigger, started_at, .. } = entry else { return Ok(()) };
        let (job, date) = (&attempt.session.job, attempt.session.date);
        let wrong = |what: &str| Err(format!("{what}: {attempt} is opened"));
        let Some(start) = view.context.starts.iter().find(|start| start.attempt == *attempt) else {
            return wrong("P8: nobody is told to start it");
        };
        let rows = view.ledger.jobs.get(job).ok_or_else(|| format!("{job} is not in the ledger"))?;
        if rows.record.generation != attempt.session.generation {
            return wrong("P1: it belongs to an earlier life of its job");
        }
        let Some(row) = rows.dates().unsettled.get(&date) else { return wrong("P1: its date is settled or unknown") };
        if view.ledger.open.keys().any(|open| open.session.job == *job) {
            return wrong("P2: another attempt of its job is open");
        }
        let dates = &rows.dates().unsettled;
        if start.job.backfill && start.job.order == Order::Strict && dates.keys().next() != Some(&date) {
            return wrong("P3: an earlier date is not settled");
        }
        let mut newer = dates.range(date..).skip(1);
        if !start.job.backfill && newer.any(|(_, row)| row.trigger != Trigger::Manual) {
            return wrong("P3: a newer date is there");
        }
        if let Some((dependency, unsettled)) = missing_dependency(&start.job, date, view.ledger, view)
            && !view.is_forced(job)
        {
            return wrong(&format!("P3: {dependency} has not settled {unsettled:?}"));
        }
        if *started_at < view.times.0 || *started_at > view.times.1 {
            return wrong("P6: not at its time");
        }
        if *trigger == Trigger::Manual {
            return if view.request(job).is_some() { Ok(()) } else { wrong("P1: nobody asked for it") };
        }
        if !start.job.enabled || view.ledger.open.len() >= view.context.places {
            return wrong("P8: its job is disabled, or no place is free");
        }
        // A clock that is set back by a second or so changes nobody's turn.
        let ready = ready_at(row, &start.job).filter(|ready| *ready <= *started_at + TimeDelta::seconds(3));
        let Some(ready) = ready else { return wrong("P8: it is not due") };
        if start.job.backfill && start.job.order == Order::Independent {
            let first = first_free(&start.job, view.ledger, view);
            if first != Some((ready, date)) {
                return wrong(&format!("P8: {first:?} comes first"));
            }
        }
        // One wake leaves for later what comes due meanwhile.
        if view.context.mode == Mode::Serve { self.overtake(job, *started_at, view) } else { Ok(()) }
    }

    /// A job that could start is not overtaken again and again.
    fn overtake(&mut self, winner: &JobName, now: At, view: &View<'_>) -> Held {
        for (name, spec) in &view.context.registry.jobs {
            let pair = (name.clone(), winner.clone());
            if name == winner {
                self.overtaken.retain(|(loser, _), _| loser != name);
            } else if could_start(&spec.job, now, view.ledger, view).is_some() {
                let times = self.overtaken.entry(pair).or_default();
                *times += 1;
                if *times > PATIENCE {
                    return Err(format!("P8: {name} could start, and {winner} was started {times} times before it"));
                }
            } else {
                self.overtaken.remove(&pair);
            }
        }
        Ok(())
    }
}

/// A process has started.
pub(crate) fn spawned(attempt: &AttemptKey, ledger: &Ledger, machine: &Machine) -> Held {
    if machine.done.contains(&attempt.session) {
        return Err(format!("P1: {attempt} starts, and its date has succeeded"));
    }
    if !ledger.open.contains_key(attempt) {
        return Err(format!("P1: {attempt} starts, and is not open in the ledger"));
    }
    let job = &attempt.session.job;
    let other = |process: &&crate::machine::Process| {
        !process.ended && process.attempt.session.job == *job && process.attempt != *attempt
    };
    let twice = machine.processes.values().filter(|process| !process.ended && process.attempt == *attempt).count();
    match machine.processes.values().find(other) {
        Some(process) => Err(format!("P2: {attempt} starts while {} runs", process.attempt)),
        None if twice > 1 => Err(format!("P2: {attempt} has two processes")),
        None => Ok(()),
    }
}

/// Since when, or from when on, a date may start.
pub(super) fn ready_at(row: &SessionRecord, job: &Job) -> Option<At> {
    match row.state {
        State::Waiting => Some(job.timetable.due(row.key.date)),
        State::Failed { retry_at } => Some(retry_at),
        _ => None,
    }
}

/// The first dependency that does not let a date start, and its date.
pub(super) fn missing_dependency(
    job: &Job,
    date: At,
    ledger: &Ledger,
    calendars: &impl Calendars,
) -> Option<(JobName, Option<At>)> {
    job.depends_on.iter().find_map(|Dependency { job: name, .. }| {
        let Some(rows) = ledger.jobs.get(name) else { return Some((name.clone(), None)) };
        let recorded = rows.dates().unsettled.keys().next().copied();
        let next = calendars.next_date(name, ledger);
        let first = recorded.into_iter().chain(next).min();
        if first.is_some_and(|first| first <= date) {
            Some((name.clone(), first))
        } else {
            rows.dates().settled.is_empty().then(|| (name.clone(), None))
        }
    })
}

/// The date that a job could start now, dependencies and all but a free place.
pub(super) fn could_start(job: &Job, now: At, ledger: &Ledger, calendars: &impl Calendars) -> Option<At> {
    let rows = ledger.jobs.get(&job.name)?;
    if !job.enabled || ledger.open.keys().any(|open| open.session.job == job.name) {
        return None;
    }
    let (_, date) = if job.backfill && job.order == Order::Independent {
        first_free(job, ledger, calendars)
    } else {
        let (date, row) = rows.dates().unsettled.first_key_value()?;
        Some((ready_at(row, job)?, *date))
    }
    .filter(|(at, _)| *at <= now)?;
    missing_dependency(job, date, ledger, calendars).is_none().then_some(date)
}

/// The first date in independent order that its dependencies let start, and since when it is ready.
fn first_free(job: &Job, ledger: &Ledger, calendars: &impl Calendars) -> Option<(At, At)> {
    let dates = &ledger.jobs.get(&job.name)?.dates().unsettled;
    let mut ready: Vec<(At, At)> = dates.iter().filter_map(|(date, row)| Some((ready_at(row, job)?, *date))).collect();
    ready.sort_unstable();
    ready.into_iter().find(|(_, date)| missing_dependency(job, *date, ledger, calendars).is_none())
}

/// Whoever knows the calendars that are in force.
pub(super) trait Calendars {
    /// The first date of a job that is not recorded.
    fn next_date(&self, job: &JobName, ledger: &Ledger) -> Option<At>;
}

impl Calendars for View<'_> {
    fn next_date(&self, job: &JobName, ledger: &Ledger) -> Option<At> {
        self.calendars.next_date(job, ledger)
    }
}

impl Calendars for std::collections::BTreeMap<String, crate::calendar::Calendar> {
    fn next_date(&self, job: &JobName, ledger: &Ledger) -> Option<At> {
        let record = &ledger.jobs.get(job)?.record;
        self.get(&record.timetable)?.next(super::dates::frontier(record))
    }
}
