//! `why`: what happened to a date, what it waits for, and when it is tried next, in sentences.

mod explanation_text;

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::arguments::Why;
use super::attempts::{self, AttemptRow};
use super::context::{Context, Question, Zones, ask};
use super::date_resolve::{Choice, Dates};
use super::failure::Failure;
use super::json;
use super::orphans::is_watched;
use super::output::Output;
use super::sessions::collected;
use crate::job::{Job, JobName};
use crate::ledger::{Act, AttemptFilter, AuditFilter, Between, Reader, SessionFilter};
use crate::scheduler::{Explanation, JobStatus, Recovered, Scheduler, Step};
use crate::session::{AttemptRecord, Entry, JobRecord, SessionKey, SessionRecord, SkipReason, State};
use crate::text::in_zone;

/// So many of the newest acts about a job are looked at for those about the date.
const ACTS: usize = 1_000;

/// All that is known of a date.
struct Known<'a> {
    context: &'a Context,
    zone: Tz,
    job: Option<&'a Job>,
    view: &'a JobStatus,
    date: DateTime<Utc>,
    session: Option<SessionRecord>,
    attempts: Vec<AttemptRecord>,
    acts: Vec<Act>,
    explanation: Option<Explanation>,
    /// What becomes of the date once it is recorded, if it is due and is not.
    coming: Option<Coming>,
    is_watched: bool,
}

/// What becomes of a date that is due and not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coming {
    /// It is run, when its turn comes.
    Runs,
    /// It is skipped.
    Skipped(SkipReason),
}

/// The answer in JSON.
#[derive(Debug, Serialize)]
struct WhyRow<'a> {
    job: &'a str,
    date: String,
    due: Option<String>,
    state: Option<&'static str>,
    reason: Option<String>,
    trigger: Option<&'static str>,
    recorded_at: Option<String>,
    settled_at: Option<String>,
    settled_by: Option<&'static str>,
    backfill: Option<String>,
    attempts: Vec<AttemptRow<'a>>,
    acts: Vec<ActRow<'a>>,
    waits: Vec<String>,
    next_attempt: Option<String>,
    text: Vec<String>,
}

/// What an operator did, in JSON.
#[derive(Debug, Serialize)]
struct ActRow<'a> {
    at: String,
    user: &'a str,
    host: &'a str,
    action: &'a str,
    done: Option<bool>,
    reason: Option<&'a str>,
    answer: Option<&'a str>,
}

/// Explains a date.
pub(super) fn why(context: &Context, asked: &Why, output: &mut Output) -> Result<ExitCode, Failure> {
    let registry = context.registry()?;
    let mut reader = context.reader_if_any(Some(&registry))?;
    let recovered = reader.as_mut().map_or_else(|| Ok(Recovered::default()), Reader::recovered)?;
    let zones = Zones::new(Some(&registry), &recovered.jobs);
    zones.know(&asked.job)?;
    let zone = zones.of(&asked.job);
    let logs = context.logs(Some(&registry))?;
    let recorded_until = recovered.jobs.iter().find(|record| record.name == asked.job).map(JobRecord::recorded_until);
    let (scheduler, step, jobs) = ask(recovered, registry, Question::State, context.now);
    let job = jobs.iter().find(|job| job.name == asked.job).map(AsRef::as_ref);
    let view =
        scheduler.view(&asked.job).ok_or_else(|| Failure::new(format!("nothing is known of `{}`", asked.job)))?;
    let choice = Choice { name: &asked.job, zone, job };
    let date = match asked.date {
        Some(date) => choice.one(reader.as_mut(), date, Dates::All)?,
        None => match (first_unsettled(&view), &mut reader) {
            (Some(date), _) => date,
            (None, Some(reader)) => newest(reader, &asked.job)?,
            (None, None) => return Err(Failure::new(format!("`{}` has no date ahead", asked.job))),
        },
    };
    let mut known = Known {
        context,
        zone,
        job,
        view: &view,
        date,
        session: None,
        attempts: Vec::new(),
        acts: Vec::new(),
        explanation: scheduler.explain(&asked.job, date),
        coming: job.and_then(|job| coming(job, &view, recorded_until, date, &step, context.now)),
        is_watched: false,
    };
    if let Some(reader) = &mut reader {
        known.read(reader)?;
    }
    known.must_be_a_date(&choice, reader.as_mut(), &scheduler)?;
    let sentences = known.sentences(&zones);
    if context.json() {
        json::object(output, &known.row(&zones, &logs, sentences))?;
    } else {
        for sentence in sentences {
            writeln!(output, "{sentence}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The date that a person asks about who names none.
fn first_unsettled(view: &JobStatus) -> Option<DateTime<Utc>> {
    let running = view.running.iter().map(|open| open.session.date).min();
    // A backfill stands beside the schedule; what needs a person there comes before what goes on by itself.
    let held = view.to_go.held.map(|(_, first)| first);
    view.oldest.or(held).or(running).or(view.to_go.first).or(view.next).or(view.record.watermark)
}

/// What becomes of a date that came due since a daemon last recorded what is due: as the scheduler decides it now.
fn coming(
    job: &Job,
    view: &JobStatus,
    recorded_until: Option<DateTime<Utc>>,
    date: DateTime<Utc>,
    step: &Step,
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
        _ => Some(Coming::Runs),
    }
}

/// The newest date that the ledger has of a job.
fn newest(reader: &mut Reader, job: &JobName) -> Result<DateTime<Utc>, Failure> {
    let filter = SessionFilter { job: Some(job.clone()), newest: Some(1), ..SessionFilter::default() };
    let newest = collected(reader, &filter)?.pop();
    newest.map(|session| session.key.date).ok_or_else(|| Failure::new(format!("`{job}` has no date, and none ahead")))
}

impl Known<'_> {
    fn read(&mut self, reader: &mut Reader) -> Result<(), Failure> {
        let job = self.view.record.name.clone();
        let key = SessionKey { job: job.clone(), generation: self.view.record.generation, date: self.date };
        self.session = reader.session(&key)?;
        let filter = AttemptFilter {
            job: Some(job.clone()),
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

    /// Refuses an instant that is no date of the job, and names those beside it.
    fn must_be_a_date(
        &self,
        choice: &Choice<'_>,
        reader: Option<&mut Reader>,
        scheduler: &Scheduler,
    ) -> Result<(), Failure> {
        let is_of_schedule = self.job.is_some_and(|job| job.timetable.without_start().includes(self.date));
        let is_ahead = scheduler.explain(&self.view.record.name, self.date).is_some();
        if self.session.is_some() || !self.attempts.is_empty() || is_of_schedule || is_ahead {
            return Ok(());
        }
        Err(choice.no_date(reader, Between::only(self.date))?)
    }

    fn row<'a>(&'a self, zones: &Zones, logs: &std::path::Path, text: Vec<String>) -> WhyRow<'a> {
        let at = |at: DateTime<Utc>| in_zone(at, self.zone);
        let session = self.session.as_ref();
        let reason = session.and_then(|session| match &session.state {
            State::Held { reason } => Some(reason.clone()),
            State::Skipped { reason } => Some(reason.word().to_owned()),
            _ => None,
        });
        let explanation = self.explanation.as_ref();
        let backfill = explanation.and_then(|explanation| explanation.backfill.as_ref());
        WhyRow {
            job: self.view.record.name.as_str(),
            date: at(self.date),
            due: self.job.map(|job| at(job.timetable.due(self.date))),
            state: session.map(|session| session.state.word()),
            reason,
            trigger: session.map(|session| session.trigger.word()),
            recorded_at: session.map(|session| at(session.recorded_at)),
            settled_at: session.and_then(|session| session.settled_at).map(at),
            settled_by: session.and_then(|session| session.settled_by).map(crate::session::SettledBy::word),
            backfill: backfill.map(|backfill| backfill.name.clone().unwrap_or_else(|| backfill.id.to_string())),
            attempts: self.attempts.iter().map(|attempt| attempts::row(attempt, zones, logs)).collect(),
            acts: self
                .acts
                .iter()
                .map(|act| ActRow {
                    at: at(act.at),
                    user: &act.user,
                    host: &act.host,
                    action: &act.action,
                    done: act.done,
                    reason: act.reason.as_deref(),
                    answer: act.answer.as_deref(),
                })
                .collect(),
            waits: self.waits(zones),
            next_attempt: explanation.and_then(|explanation| explanation.next_attempt).map(at),
            text,
        }
    }
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
