//! What may start, as the promise and the registry say it: from the rows of the ledger and the calendars alone.

use std::collections::{BTreeMap, BTreeSet};

use crontabber_core::job::{DatePolicy, Job, JobName};
use crontabber_core::session::{AttemptKey, BackfillId, BackfillRecord, JobRecord, SessionKey, SessionRecord, State};

use super::TICK;
use crate::calendar::{At, Calendar, span};
use crate::ledger::{JobRows, Ledger};
use crate::plan::Registry;

/// Says whether the dates of a job come one after the other.
pub(super) fn is_strict(job: &Job) -> bool {
    job.date_policy == DatePolicy::Strict
}

/// Says whether every date of a job matters, and not only the newest.
pub(super) fn keeps(job: &Job) -> bool {
    job.date_policy != DatePolicy::NewestOnly || job.timetable.schedule.is_none()
}

/// Says whether the dates of its schedule do not hold one another.
pub(super) fn is_independent(job: &Job) -> bool {
    keeps(job) && !is_strict(job)
}

/// How many dates of the schedule, or of a backfill, may be attempted at once.
pub(super) fn limit(job: &Job, backfill: Option<&BackfillRecord>) -> usize {
    match backfill {
        _ if is_strict(job) => 1,
        Some(record) => record.parallel as usize,
        None if is_independent(job) => job.date_policy.max_parallel(),
        None => 1,
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

/// The open attempts of a job.
pub(super) fn open_of<'a>(ledger: &'a Ledger, job: &'a JobName) -> impl Iterator<Item = &'a AttemptKey> {
    ledger.open.keys().filter(move |open| open.session.job == *job)
}

/// How many attempts are open at dates of a job's schedule, or of one of its backfills.
pub(super) fn busy(ledger: &Ledger, job: &JobName, backfill: Option<BackfillId>) -> usize {
    open_of(ledger, job).filter(|open| ledger.row(&open.session).is_some_and(|row| row.backfill == backfill)).count()
}

/// How many attempts are open that take places of a pool.
pub(super) fn taken(ledger: &Ledger, pool: &str, registry: &Registry) -> usize {
    ledger.open.keys().filter(|open| registry.pool_of(&open.session.job) == Some(pool)).count()
}

/// How many attempts are open at dates of backfills.
pub(super) fn backfilling(ledger: &Ledger) -> usize {
    ledger.open.keys().filter(|open| ledger.row(&open.session).is_some_and(|row| row.backfill.is_some())).count()
}

/// The instant after which dates are not recorded yet.
pub(super) fn recorded_until(record: &JobRecord) -> At {
    record.watermark.map_or(record.timetable_from, |watermark| watermark.max(record.timetable_from))
}

/// The registry that the daemon has, and every calendar that was ever in force.
#[derive(Clone, Copy)]
pub(super) struct Calendars<'a> {
    pub(super) registry: &'a Registry,
    pub(super) by_timetable: &'a BTreeMap<String, Calendar>,
}

impl<'a> Calendars<'a> {
    /// The calendar of the dates that are not recorded: that of the registry, also while a job is disabled and the ledger
    /// has its former one.
    pub(super) fn of(self, rows: &JobRows) -> Option<&'a Calendar> {
        let in_registry = self.registry.jobs.get(&rows.record.name).map(|spec| &spec.calendar);
        in_registry.or_else(|| self.by_timetable.get(&rows.record.timetable))
    }
}

/// The first date of a job after an instant that the ledger does not have, if its calendar goes so far.
pub(super) fn unrecorded(rows: &JobRows, after: At, calendars: Calendars<'_>) -> Option<At> {
    let calendar = calendars.of(rows)?;
    let mut after = after.max(recorded_until(&rows.record));
    loop {
        after = calendar.next(after)?;
        if rows.dates().get(after).is_none() {
            return Some(after);
        }
    }
}

/// The first job that does not let a date start, and its date.
pub(super) fn missing_need(
    job: &Job,
    (date, is_backfill): (At, bool),
    ledger: &Ledger,
    calendars: Calendars<'_>,
) -> Option<(JobName, Option<At>)> {
    let dependency = job.depends_on.iter().find_map(|dependency| {
        let missing = |date| Some((dependency.job.clone(), date));
        let Some(rows) = ledger.jobs.get(&dependency.job) else { return missing(None) };
        let row = ledger.jobs.get(&job.name).and_then(|rows| rows.dates().get(date));
        let (from, until) = span(dependency, date, row.map_or_else(|| job.timetable.zone(), |row| row.zone));
        let is_failure = |row: &SessionRecord| matches!(row.state, State::Failed { .. } | State::Held { .. });
        let is_needed = |row: &&SessionRecord| {
            let is_there = from.is_none_or(|from| row.key.date >= from) && row.key.date <= until;
            is_there && (row.backfill.is_none() || is_backfill) && !(dependency.ignore_failure && is_failure(row))
        };
        let unsettled = rows.dates().unsettled.values().find(is_needed).map(|row| row.key.date);
        let after = from.map_or(recorded_until(&rows.record), |from| from - TICK);
        let ahead = unrecorded(rows, after, calendars).filter(|date| *date <= until);
        if let Some(date) = unsettled.into_iter().chain(ahead).min() {
            return missing(Some(date));
        }
        let has_any = || {
            let has_failed = dependency.ignore_failure && rows.dates().of(None).any(is_failure);
            !rows.dates().settled.is_empty() || rows.record.last_success.is_some() || has_failed
        };
        if dependency.covers.is_some() || has_any() { None } else { missing(None) }
    });
    dependency.or_else(|| {
        job.require.iter().find_map(|name| {
            let row = ledger.jobs.get(name).and_then(|rows| rows.dates().get(date));
            let is_settled = row.is_some_and(|row| row.settled_at.is_some());
            (!is_settled).then(|| (name.clone(), row.map(|row| row.key.date)))
        })
    })
}

/// What is asked of the rules: the rows, the calendars, and which dates it is being asked of whether they are done.
pub(super) struct Scene<'a> {
    pub(super) now: At,
    pub(super) ledger: &'a Ledger,
    pub(super) calendars: Calendars<'a>,
    pub(super) probing: &'a BTreeSet<SessionKey>,
}

impl Scene<'_> {
    /// The dates that a job could start now, dependencies and all but a free place: one of its schedule, and one of each
    /// of its backfills.
    pub(super) fn candidates(&self, job: &Job) -> Vec<(At, Option<BackfillId>)> {
        let Self { ledger, probing, .. } = *self;
        let Some(rows) = ledger.jobs.get(&job.name) else { return Vec::new() };
        let generation = rows.record.generation;
        let is_disabled = !job.enabled || ledger.disabled.contains_key(&job.name) || ledger.is_paused(job);
        if is_disabled || open_of(ledger, &job.name).any(|open| open.session.generation != generation) {
            return Vec::new();
        }
        let probes = || probing.iter().filter(|session| session.job == job.name);
        if is_strict(job) && (open_of(ledger, &job.name).next().is_some() || probes().next().is_some()) {
            return Vec::new();
        }
        let queues: BTreeSet<Option<BackfillId>> = rows.dates().unsettled.values().map(|row| row.backfill).collect();
        let mut found = Vec::new();
        for queue in queues {
            let record = queue.and_then(|id| ledger.backfills.get(&id));
            let asked = probes().filter(|session| ledger.row(session).is_some_and(|row| row.backfill == queue)).count();
            if busy(ledger, &job.name, queue) + asked >= limit(job, record) {
                continue;
            }
            let is_free = |row: &&SessionRecord| {
                ready_at(row, job).is_some_and(|at| at <= self.now)
                    && !probing.contains(&row.key)
                    && missing_need(job, (row.key.date, queue.is_some()), ledger, self.calendars).is_none()
            };
            let mut dates = rows.dates().of(queue);
            let date = if has_head(job, queue) {
                let newest_first = record.is_some_and(|record| record.newest_first);
                let head = if newest_first { dates.next_back() } else { dates.next() };
                head.filter(is_free)
            } else {
                dates.find(is_free)
            };
            found.extend(date.map(|row| (row.key.date, queue)));
        }
        found
    }
}

/// Says whether only the first date of a schedule, or of a backfill, may be next.
pub(super) fn has_head(job: &Job, queue: Option<BackfillId>) -> bool {
    if queue.is_some() { is_strict(job) } else { !is_independent(job) }
}
