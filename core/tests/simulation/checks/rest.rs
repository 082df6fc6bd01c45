//! P7 and P8: when nothing moves there is a reason for it, and in the end everything due is settled.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use crontabber_core::control::PROBE;
use crontabber_core::job::{Job, JobName};
use crontabber_core::scheduler::Scheduler;
use crontabber_core::session::{BackfillId, Pause, SessionKey, SessionRecord, State};

use super::TICK;
use super::renames::is_probable_rename;
use super::rules::{
    self, Calendars, Scene, has_head, is_strict, missing_need, open_of, ready_at, recorded_until, unrecorded,
};
use crate::Held;
use crate::calendar::{At, Calendar};
use crate::ledger::Ledger;
use crate::machine::Machine;
use crate::plan::{Registry, Spec};

/// So many dates may wait before others that are due are recorded.
const WINDOW: usize = 400;

/// A clock that is set back by no more than this is taken for one that stands: what is due by then comes in that time.
const SLACK: TimeDelta = TimeDelta::seconds(2);

/// All there is, when nothing is under way.
pub(crate) struct Rest<'a> {
    pub(crate) now: At,
    pub(crate) ledger: &'a Ledger,
    pub(crate) registry: &'a Registry,
    pub(crate) calendars: &'a BTreeMap<String, Calendar>,
    pub(crate) machine: &'a Machine,
    /// What people are told.
    pub(crate) scheduler: &'a Scheduler,
}

impl Rest<'_> {
    fn calendars(&self) -> Calendars<'_> {
        Calendars { registry: self.registry, by_timetable: self.calendars }
    }

    /// The dates of which a process asks whether they are done.
    fn probing(&self) -> BTreeSet<SessionKey> {
        let live = self.machine.processes.values().filter(|process| !process.ended);
        live.filter(|process| process.attempt.number == PROBE).map(|process| process.attempt.session.clone()).collect()
    }

    /// Nothing is under way: whatever could start has been started, and whatever runs does run.
    pub(crate) fn holds(&self) -> Held {
        let Self { now, ledger, registry, machine, .. } = *self;
        let calendars = self.calendars();
        if let Some(attempt) = ledger.open.keys().find(|attempt| machine.find(attempt).is_none()) {
            return Err(format!("P8: {attempt} is open, has no process, and nobody will ever close it"));
        }
        let is_over = |until: &At| *until + SLACK <= now;
        if let Some(disabled) = ledger.disabled.values().find(|disabled| disabled.until.as_ref().is_some_and(is_over)) {
            return Err(format!("P8: {} was disabled until {:?}, and still is", disabled.job, disabled.until));
        }
        // A pause of no job ends with the next event.
        let has_jobs = |pause: &&Pause| registry.jobs.values().any(|spec| pause.scope.has(&spec.job));
        let mut pauses = ledger.pauses.values().filter(has_jobs);
        if let Some(pause) = pauses.find(|pause| pause.until.as_ref().is_some_and(is_over)) {
            return Err(format!("P8: {} were paused until {:?}, and still are", pause.scope, pause.until));
        }
        let probing = self.probing();
        let scene = Scene { now, ledger, calendars, probing: &probing };
        for (name, spec) in &registry.jobs {
            let Some(rows) = ledger.jobs.get(name) else {
                self.waits_for_its_name(name, spec, &probing)?;
                continue;
            };
            let found = scene.candidates(&spec.job);
            if let Some((date, id)) = found.iter().find(|(_, id)| self.has_place(&spec.job, id.is_some(), &probing)) {
                return Err(format!("P8: {date} of {name}, of backfill {id:?}, could start, and does not"));
            }
            let next = unrecorded(rows, recorded_until(&rows.record), calendars);
            let next = next.filter(|date| spec.calendar.due(*date) <= now);
            let is_enabled = spec.job.enabled && !ledger.disabled.contains_key(name);
            if let Some(date) = next.filter(|_| is_enabled && rows.dates().of(None).count() < WINDOW) {
                return Err(format!("P4: {date} of {name} is due, and is not recorded"));
            }
            self.is_explained(name, &spec.job)?;
        }
        Ok(())
    }

    /// A job that is not in the ledger waits for the end of what runs under the name that it had.
    fn waits_for_its_name(&self, name: &JobName, spec: &Spec, probing: &BTreeSet<SessionKey>) -> Held {
        let runs = |before: &JobName| {
            open_of(self.ledger, before).next().is_some() || probing.iter().any(|session| session.job == *before)
        };
        if spec.job.previously.as_ref().is_some_and(runs) || is_probable_rename(spec, self.ledger, self.registry) {
            return Ok(());
        }
        Err(format!(
            "P4: {name} is in the registry, and not in the ledger: {:?}, {:?}",
            spec.job,
            self.ledger.jobs.values().map(|rows| &rows.record).collect::<Vec<_>>()
        ))
    }

    fn has_place(&self, job: &Job, is_backfill: bool, probing: &BTreeSet<SessionKey>) -> bool {
        let Self { ledger, registry, .. } = *self;
        let taken = ledger.open.len() + probing.len();
        let is_full = |pool: &String| {
            // What runs of a job that is gone may keep its place.
            let is_gone = |name: &JobName| !registry.jobs.contains_key(name);
            let of_it = |name: &JobName| registry.pool_of(name) == Some(pool) || is_gone(name);
            let open = ledger.open.keys().filter(|open| of_it(&open.session.job)).count();
            let asked = probing.iter().filter(|session| of_it(&session.job)).count();
            registry.pools.get(pool).is_some_and(|size| open + asked >= *size)
        };
        let may_backfill = rules::backfilling(ledger) + probing.len() + 1 < registry.max_running.max(2);
        taken < registry.max_running && !job.pool.as_ref().is_some_and(is_full) && (!is_backfill || may_backfill)
    }

    /// Whoever asks why a date does not start is told so.
    fn is_explained(&self, name: &JobName, job: &Job) -> Held {
        let Self { now, ledger, scheduler, .. } = *self;
        let calendars = self.calendars();
        let rows = &ledger.jobs[name];
        let queues: BTreeSet<Option<BackfillId>> = rows.dates().unsettled.values().map(|row| row.backfill).collect();
        let some =
            queues.iter().flat_map(|queue| rows.dates().of(*queue).take(3).chain(rows.dates().of(*queue).next_back()));
        for row in some.filter(|row| row.state != State::Running) {
            let told = scheduler.explain(name, row.key.date);
            let is_told = told.as_ref().is_some_and(|told| {
                told.state.as_ref() == Some(&row.state)
                    && (!told.waits.is_empty() || told.next_attempt.is_some_and(|at| at > now))
            });
            // What is due any moment needs no reason.
            let is_close = ready_at(row, job).is_some_and(|at| at > now - SLACK && at <= now + SLACK);
            if !is_told && !is_close {
                let (date, waits) = (row.key.date, told.as_ref().map(|told| (&told.waits, told.next_attempt)));
                let around = (self.registry.max_running, ledger.open.keys().collect::<Vec<_>>(), self.probing());
                return Err(format!(
                    "P7: nobody is told why {date} of {name}, {:?} of {:?}, does not start: {waits:?}, {around:?}, {:?}, {job:?}",
                    row.state, row.backfill, job.pool
                ));
            }
        }
        let oldest = rows.dates().of(None).next();
        let is_asked = self.probing().iter().any(|session| session.job == *name);
        let runs = is_asked || open_of(ledger, name).next().is_some();
        let Some(row) = oldest.filter(|_| !runs && is_strict(job)) else { return Ok(()) };
        let has_reason = match &row.state {
            State::Held { .. } => true,
            State::Failed { retry_at } if *retry_at > now + SLACK => true,
            _ if ready_at(row, job).is_some_and(|at| at > now) => false,
            _ => !job.enabled || missing_need(job, (row.key.date, false), ledger, calendars).is_some(),
        };
        let told = scheduler.view(name).and_then(|view| view.blocked_by);
        if has_reason && told.is_none() {
            let date = row.key.date;
            return Err(format!("P7: {date} of {name} is {:?}, and nobody is told why it does not start", row.state));
        }
        Ok(())
    }

    /// Failures have stopped, and time has passed.
    pub(crate) fn ends(&self) -> Held {
        let Self { ledger, registry, machine, .. } = *self;
        self.holds()?;
        if let Some(attempt) = ledger.open.keys().next() {
            return Err(format!("P8: {attempt} is open in the end"));
        }
        if let Some(asked) = ledger.audit.values().find(|asked| asked.done.is_none()) {
            return Err(format!("P7: nobody answers {:?}", asked.request));
        }
        for (attempt, fate) in machine.fates.iter().filter(|(attempt, _)| attempt.number != PROBE) {
            let recorded = ledger.closed.get(attempt);
            if (fate.started && recorded.is_none()) || fate.delivered.is_some() && fate.delivered.as_ref() != recorded {
                return Err(format!("P6: {attempt} ended as {:?}, and {recorded:?} is recorded", fate.delivered));
            }
        }
        for (name, spec) in &registry.jobs {
            let Some(rows) = ledger.jobs.get(name) else { continue };
            // Every date has its row, if there was but one timetable.
            if rows.record.timetable_from <= rows.record.first_date
                && let Some(watermark) = rows.record.watermark
                && let Some(calendar) = self.calendars.get(&rows.record.timetable)
                && let Some(date) = calendar
                    .between(rows.record.first_date - TICK, watermark)
                    .find(|date| rows.dates().get(*date).is_none())
            {
                return Err(format!("P4: {date} of {name} has no row"));
            }
            if !spec.job.enabled || ledger.disabled.contains_key(name) || ledger.is_paused(&spec.job) {
                continue;
            }
            if let Some(row) = rows.dates().unsettled.values().find(|row| !self.is_stated(row, &spec.job)) {
                let date = row.key.date;
                return Err(format!("P8: {date} of {name} is {:?} in the end: {:?}", row.state, spec.job));
            }
        }
        Ok(())
    }

    /// Says whether a date has a reason not to be settled in the end.
    fn is_stated(&self, row: &SessionRecord, job: &Job) -> bool {
        let Self { now, ledger, .. } = *self;
        let calendars = self.calendars();
        if let State::Held { reason } = &row.state {
            return !reason.is_empty();
        }
        // Whatever comes first is looked at by itself.
        let mut queue = ledger.jobs[&job.name].dates().of(row.backfill);
        let newest_first = row.backfill.and_then(|id| ledger.backfills.get(&id)).is_some_and(|it| it.newest_first);
        let first = if newest_first { queue.next_back() } else { queue.next() };
        let is_behind = has_head(job, row.backfill) && first.is_some_and(|first| first.key != row.key);
        ready_at(row, job).is_some_and(|at| at > now)
            || is_behind
            || missing_need(job, (row.key.date, row.backfill.is_some()), ledger, calendars).is_some()
    }
}
