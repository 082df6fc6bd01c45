//! Whether a job keeps the times that its registry expects: a date settled by `expect_by`, an attempt over within
//! `max_duration`. Lateness is reported; nothing is killed for it.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::duration;
use crate::job::Job;
use crate::scheduler::JobStatus;
use crate::session::AttemptRecord;
use crate::text::in_zone;
use crate::warden;

/// A date that is this much later than expected is critical.
const CRITICAL: TimeDelta = TimeDelta::hours(1);

/// What is late about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Late {
    /// Whether it is so late that an operator must act.
    pub(crate) is_critical: bool,
    /// The date it is about.
    pub(crate) date: DateTime<Utc>,
    /// What is late, after the date.
    pub(crate) text: String,
}

impl Late {
    /// For programs.
    pub(crate) fn word(&self) -> &'static str {
        if self.is_critical { "critical" } else { "late" }
    }

    /// What is late, with the date that it is about.
    pub(crate) fn because(&self, zone: Tz) -> String {
        format!("{} {}", in_zone(self.date, zone), self.text)
    }

    /// The same for people, and how bad it is.
    pub(crate) fn line(&self, zone: Tz) -> String {
        let word = if self.is_critical { "CRITICAL" } else { "late" };
        format!("{word}: {}", self.because(zone))
    }
}

/// What is late about a job that is not disabled.
pub(crate) fn late(job: &Job, view: &JobStatus, open: &[&AttemptRecord], now: DateTime<Utc>) -> Option<Late> {
    lateness(job, view, open, now).filter(|_| view.disabled.is_none() && job.enabled)
}

/// What is late about a job, the worst of it.
pub(crate) fn lateness(job: &Job, view: &JobStatus, open: &[&AttemptRecord], now: DateTime<Utc>) -> Option<Late> {
    let mut found: Vec<Late> = open.iter().filter_map(|attempt| too_long(job, attempt, now)).collect();
    found.extend(unexpected(job, view, now));
    // The first of the worst.
    found.sort_by_key(|late| !late.is_critical);
    found.into_iter().next()
}

/// A date that should have been settled by now.
fn unexpected(job: &Job, view: &JobStatus, now: DateTime<Utc>) -> Option<Late> {
    // What the ledger has never expected is a first catch-up, which takes as long as it takes.
    let date = view.oldest_since_seen?;
    let expected = job.expected_by(date)?;
    let is_catching_up = view.oldest != Some(date);
    let zone = job.timetable.zone();
    if now <= expected {
        return None;
    }
    let by = (now - expected).to_std().unwrap_or_default();
    let is_running = view.running.iter().any(|open| open.session.date == date);
    let state = if is_running { "is still running" } else { "is not settled" };
    let text = format!("was expected by {} and {state}, {} later", in_zone(expected, zone), duration::rough(by));
    Some(Late { is_critical: now - expected > CRITICAL && !is_catching_up, date, text })
}

/// An attempt that takes longer than it should.
pub(crate) fn too_long(job: &Job, attempt: &AttemptRecord, now: DateTime<Utc>) -> Option<Late> {
    let most = job.max_duration?;
    // Not by the wall clock, which can be set, while the process is there to ask.
    let by_wall_clock = || (now - attempt.started_at).to_std().unwrap_or_default();
    let taken = attempt.process.as_ref().and_then(warden::age).unwrap_or_else(by_wall_clock);
    if taken <= most {
        return None;
    }
    let (taken_text, most_text) = (duration::rough(taken), duration::format(most));
    let text = format!(
        "attempt {} has been running for {taken_text}, longer than `max_duration`, {most_text}",
        attempt.key.number
    );
    Some(Late { is_critical: taken > most.saturating_mul(2), date: attempt.key.session.date, text })
}
