//! Why a date is where it is: what happened to it, what it waits for, and when it is attempted next.

mod date_report;
mod explanation_text;

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::attempts::{self, AttemptRow};
use crate::session::{SettledBy, State};
use crate::text::in_zone;

pub(crate) use date_report::DateReport;

/// Everything about a date, as programs read it.
#[derive(Debug, Serialize)]
pub(crate) struct WhyRow<'a> {
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
    done_when_unanswered: Vec<Unanswered<'a>>,
    attempts: Vec<AttemptRow<'a>>,
    /// What the newest attempt printed last, if it failed.
    last_lines: &'a [String],
    acts: Vec<ActSummary<'a>>,
    waits: Vec<String>,
    next_attempt: Option<String>,
    /// The date that stands for the period of this one, which an edit of the registry moved.
    stand_in: Option<String>,
    text: Vec<String>,
}

/// A `done_when` without an answer.
#[derive(Debug, Serialize)]
struct Unanswered<'a> {
    at: String,
    /// How it ended.
    answer: &'a str,
}

/// What an operator did.
#[derive(Debug, Serialize)]
struct ActSummary<'a> {
    at: String,
    user: &'a str,
    host: &'a str,
    action: &'a str,
    done: Option<bool>,
    reason: Option<&'a str>,
    answer: Option<&'a str>,
}

impl DateReport {
    /// The report as programs read it.
    pub(crate) fn row(&self, logs: &Path) -> WhyRow<'_> {
        let at = |at: DateTime<Utc>| in_zone(at, self.zone());
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
            due: self.job.as_ref().map(|job| at(job.timetable.due(self.date))),
            state: session.map(|session| session.state.word()),
            reason,
            trigger: session.map(|session| session.trigger.word()),
            recorded_at: session.map(|session| at(session.recorded_at)),
            settled_at: session.and_then(|session| session.settled_at).map(at),
            settled_by: session.and_then(|session| session.settled_by).map(SettledBy::word),
            backfill: backfill.map(|backfill| backfill.name.clone().unwrap_or_else(|| backfill.id.to_string())),
            done_when_unanswered: self
                .unanswered
                .iter()
                .map(|(when, answer)| Unanswered { at: at(*when), answer })
                .collect(),
            attempts: self.attempts.iter().map(|attempt| attempts::row(attempt, logs)).collect(),
            last_lines: &self.last_lines,
            acts: self
                .acts
                .iter()
                .map(|act| ActSummary {
                    at: at(act.at),
                    user: &act.user,
                    host: &act.host,
                    action: &act.action,
                    done: act.done,
                    reason: act.reason.as_deref(),
                    answer: act.answer.as_deref(),
                })
                .collect(),
            waits: self.waits(),
            next_attempt: explanation.and_then(|explanation| explanation.next_attempt).map(at),
            stand_in: self.stand_in.map(at),
            text: self.sentences(),
        }
    }
}
