//! Everything about one date of a job: its session, its attempts, what operators did to it, and what it waits for.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::job::{Job, JobName};
use crate::ledger::{Act, AttemptFilter, AuditFilter, Between, Reader, SessionFilter};
use crate::registry::Registry;
use crate::report::attempts;
use crate::report::daemon::startup_state;
use crate::report::date::DateArgument;
use crate::report::date_resolve::{Choice, Dates};
use crate::report::error::ReportError;
use crate::report::last_lines::last_lines_of_failed;
use crate::report::orphans::is_watched;
use crate::report::scheduling::{Question, ask};
use crate::report::sessions::collected;
use crate::report::zones::Zones;
use crate::scheduler::{Explanation, JobStatus, Recovered, Scheduler, Step};
use crate::session::{AttemptRecord, Entry, JobRecord, SessionKey, SessionRecord, SkipReason, State};

/// So many of the newest acts about a job are looked at for those about the date.
const ACTS: usize = 1_000;

/// Everything about one date of a job.
pub(crate) struct DateReport {
    pub(super) now: DateTime<Utc>,
    pub(super) zones: Zones,
    pub(super) job: Option<Arc<Job>>,
    pub(super) view: JobStatus,
    pub(super) date: DateTime<Utc>,
    pub(super) session: Option<SessionRecord>,
    pub(super) attempts: Vec<AttemptRecord>,
    /// When `done_when` gave no answer, and how it ended.
    pub(super) unanswered: Vec<(DateTime<Utc>, String)>,
    /// What the newest attempt printed last, if it failed.
    pub(super) last_lines: Vec<String>,
    pub(super) acts: Vec<Act>,
    pub(super) explanation: Option<Explanation>,
    /// The date that stands for its period, if it is moved.
    pub(super) stand_in: Option<DateTime<Utc>>,
    /// What becomes of the date once it is recorded, if it is due and is not.
    pub(super) coming: Option<Coming>,
    pub(super) is_watched: bool,
}

/// What becomes of a date that is due and not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coming {
    /// It is run, when its turn comes.
    Runs,
    /// It is skipped.
    Skipped(SkipReason),
}

impl DateReport {
    /// Reads everything about a date; without one, about the first that is not settled, else the next.
    pub(crate) fn read(
        name: &JobName,
        date: Option<DateArgument>,
        registry: Registry,
        mut reader: Option<&mut Reader>,
        logs: &Path,
        now: DateTime<Utc>,
    ) -> Result<Self, ReportError> {
        let recovered = match reader.as_deref_mut() {
            Some(reader) => startup_state(reader, &registry, now)?,
            None => Recovered::default(),
        };
        let zones = Zones::of_recovered(Some(&registry), &recovered);
        zones.know(name)?;
        // The ledger may still have its previous name.
        let successor = zones.successor(name).cloned();
        let (name, of_registry) = (&zones.recorded_as(name).clone(), successor.as_ref().unwrap_or(name));
        let recorded_until = recovered.jobs.iter().find(|record| record.name == *name).map(JobRecord::recorded_until);
        let decided = ask(recovered, registry, Question::State, now);
        let job = decided.jobs.iter().find(|job| job.name == *of_registry).cloned();
        let view = decided.view(of_registry).or_else(|| decided.view(name));
        let view = view.ok_or_else(|| ReportError::new(format!("nothing is known of `{name}`")))?;
        let choice = Choice { name, zone: zones.of(name), job: job.as_deref() };
        let date = match date {
            Some(date) => choice.one(reader.as_deref_mut(), date, Dates::All)?,
            None => match (first_unsettled(&view), reader.as_deref_mut()) {
                (Some(date), _) => date,
                (None, Some(reader)) => newest(reader, name)?,
                (None, None) => return Err(ReportError::new(format!("`{name}` has no date ahead"))),
            },
        };
        let explain =
            |scheduler: &Scheduler| scheduler.explain(of_registry, date).or_else(|| scheduler.explain(name, date));
        let explanation = explain(&decided.scheduler);
        // What is due is recorded then.
        let (once_believed, step) = decided.once_believed();
        let is_settled = explain(once_believed).is_none() && view.record.name == *of_registry;
        let mut report = Self {
            now,
            job: job.clone(),
            date,
            session: None,
            attempts: Vec::new(),
            unanswered: Vec::new(),
            last_lines: Vec::new(),
            acts: Vec::new(),
            explanation,
            stand_in: view.moved.get(&date).copied(),
            coming: job.as_ref().and_then(|job| coming(job, &view, recorded_until, date, (step, is_settled), now)),
            is_watched: false,
            zones,
            view,
        };
        if let Some(reader) = reader.as_deref_mut() {
            report.read_ledger(reader)?;
            report.last_lines = last_lines_of_failed(report.attempts.last(), logs);
        }
        report.must_be_a_date(&choice, reader, &decided.scheduler)?;
        Ok(report)
    }

    pub(super) fn zone(&self) -> Tz {
        self.session.as_ref().map_or_else(|| self.zones.of(&self.view.record.name), |session| session.zone)
    }

    fn read_ledger(&mut self, reader: &mut Reader) -> Result<(), ReportError> {
        let job = self.zones.recorded_as(&self.view.record.name).clone();
        let key = SessionKey { job: job.clone(), generation: self.view.record.generation, date: self.date };
        self.session = reader.session(&key)?;
        self.unanswered = reader.unanswered(&key)?;
        self.stand_in = self.stand_in.or(reader.stand_in(&key)?);
        let filter = AttemptFilter {
            jobs: Some(vec![job.clone()]),
            dates: Between::only(self.date),
            all_generations: true,
            ..AttemptFilter::default()
        };
        self.attempts = attempts::collected(reader, &filter)?;
        let (mut seen, mut acts, date) = (0, Vec::new(), self.date);
        reader.audit(&AuditFilter { job: Some(job), ..AuditFilter::default() }, &mut |act| {
            seen += 1;
            if is_about(&act, date) {
                acts.push(act);
            }
            if seen < ACTS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        acts.reverse();
        self.acts = acts;
        self.is_watched = is_watched(reader)?;
        Ok(())
    }

    /// Refuses an instant that is no date of the job, and names the nearest ones.
    fn must_be_a_date(
        &self,
        choice: &Choice<'_>,
        reader: Option<&mut Reader>,
        scheduler: &Scheduler,
    ) -> Result<(), ReportError> {
        let is_of_schedule = self.job.as_ref().is_some_and(|job| job.timetable.without_start().includes(self.date));
        let is_ahead = scheduler.explain(&self.view.record.name, self.date).is_some();
        if self.session.is_some() || !self.attempts.is_empty() || is_of_schedule || is_ahead {
            return Ok(());
        }
        Err(choice.no_date(reader, Between::only(self.date))?)
    }
}

/// The date to report when none is named.
fn first_unsettled(view: &JobStatus) -> Option<DateTime<Utc>> {
    let running = view.running.iter().map(|open| open.session.date).min();
    // A backfill is independent of the schedule; a held date of one needs an operator and comes first.
    let held = view.to_go.held.map(|(_, first)| first);
    view.oldest.or(held).or(running).or(view.to_go.first).or(view.next).or(view.record.watermark)
}

/// What becomes of a date that came due since a daemon last recorded what is due: as the scheduler decides it now, with its
/// first step, and with whether the date is settled once all are recorded.
fn coming(
    job: &Job,
    view: &JobStatus,
    recorded_until: Option<DateTime<Utc>>,
    date: DateTime<Utc>,
    (step, is_settled): (&Step, bool),
    now: DateTime<Utc>,
) -> Option<Coming> {
    let timetable = &job.timetable;
    let is_active = job.enabled && view.disabled.is_none();
    let is_unrecorded = recorded_until.is_none_or(|recorded_until| date > recorded_until) && timetable.includes(date);
    if !is_active || !is_unrecorded || timetable.due(date) > now {
        return None;
    }
    let newest = timetable.newest_due(now);
    if !job.date_policy.keeps_every_date() && newest.is_some_and(|newest| date < newest) {
        return Some(Coming::Skipped(SkipReason::Superseded));
    }
    let recorded = step.entries.iter().find_map(|entry| match entry {
        Entry::Record { job: of, sessions, .. } if *of == job.name => sessions.iter().find(|new| new.date == date),
        _ => None,
    });
    match recorded.map(|new| &new.state) {
        Some(State::Skipped { reason }) => Some(Coming::Skipped(*reason)),
        // A long past is recorded in parts, of which the step has the first.
        None if is_settled => Some(Coming::Skipped(SkipReason::TooOld)),
        _ => Some(Coming::Runs),
    }
}

/// The newest date that the ledger has of a job.
fn newest(reader: &mut Reader, job: &JobName) -> Result<DateTime<Utc>, ReportError> {
    let filter = SessionFilter { jobs: Some(vec![job.clone()]), newest: Some(1), ..SessionFilter::default() };
    let newest = collected(reader, &filter)?.pop();
    newest
        .map(|session| session.key.date)
        .ok_or_else(|| ReportError::new(format!("`{job}` has no date, and none ahead")))
}

/// Says whether something that an operator did concerns a date.
fn is_about(act: &Act, date: DateTime<Utc>) -> bool {
    if act.done != Some(true) {
        return act.from == Some(date);
    }
    let whole_job = ["enable", "disable", "reset"].contains(&act.action.as_str());
    match (act.from, act.to) {
        (Some(from), Some(to)) => from <= date && date <= to,
        (Some(from), None) => from == date || (whole_job && from <= date),
        (None, Some(to)) => date <= to,
        (None, None) => whole_job,
    }
}
