//! The rules by which a job is healthy or not.
//!
//! A first failure of a job whose every date matters warns, since it is retried; a second is critical; so is the first
//! of every other job, and a job that should have run and did not. A failure comes before the lateness that it causes, and
//! nothing is late that was due before the ledger knew the job. A job that only waits for another one is not
//! reported: the other one is.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::job::{Job, JobName};
use crate::report::daemon::DaemonFinding;
use crate::report::lateness::lateness;
use crate::report::severity::Severity;
use crate::report::zones::Zones;
use crate::scheduler::{BlockReason, JobStatus, Scheduler};
use crate::session::{AttemptRecord, Disabled, Outcome, SessionRecord, State};
use crate::text::{counted, in_zone, times, to_the_second};

/// A date that has been due for less than this may still be about to start.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// What is wrong with a job.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) job: String,
    pub(crate) status: Severity,
    pub(crate) date: Option<String>,
    pub(crate) message: String,
}

/// The state that the rules look at.
pub(crate) struct Judge<'a> {
    pub(crate) scheduler: &'a Scheduler,
    /// The unsettled sessions.
    pub(crate) sessions: &'a [SessionRecord],
    /// The open attempts.
    pub(crate) open: &'a [AttemptRecord],
    /// The first date of each job that is due and not recorded.
    pub(crate) unrecorded: &'a HashMap<JobName, DateTime<Utc>>,
    /// How the last attempt of a session ended.
    pub(crate) last_outcome: &'a dyn Fn(&SessionRecord) -> Option<Outcome>,
    pub(crate) zones: &'a Zones,
    /// A daemon holds the ledger.
    pub(crate) is_watched: bool,
    /// As many attempts are open as may be.
    pub(crate) is_full: bool,
    pub(crate) now: DateTime<Utc>,
}

impl Judge<'_> {
    /// What is wrong with the jobs that are judged. `jobs` are all of the registry.
    pub(crate) fn findings(&self, jobs: &[Arc<Job>], judged: &[(&Job, JobStatus)]) -> Vec<Finding> {
        let mut sessions: HashMap<&JobName, Vec<&SessionRecord>> = HashMap::new();
        for session in self.sessions {
            sessions.entry(&session.key.job).or_default().push(session);
        }
        let by_name: HashMap<&JobName, &Job> = jobs.iter().map(|job| (&job.name, job.as_ref())).collect();
        let enabled = judged.iter().filter(|(job, _)| job.enabled);
        let findings = enabled.filter_map(|(job, view)| {
            if let Some(disabled) = &view.disabled {
                return self.held_as_a_whole(job, disabled);
            }
            let of_job = sessions.get(self.zones.recorded_as(&job.name)).map_or(&[][..], Vec::as_slice);
            let first = self
                .held(job, view, of_job)
                .or_else(|| self.failed(job, view, of_job))
                .or_else(|| self.orphaned(job))
                .or_else(|| self.blocked(job, view, &by_name))
                .or_else(|| self.overdue(job, view));
            let late = self.late(job, view);
            // What went wrong explains the lateness, and comes first.
            let Some(mut first) = first else { return late };
            if let Some(late) = late {
                first.status = first.status.max(late.status);
                first.message.push_str(&format!("; {}", late.message));
            }
            Some(first)
        });
        findings.collect()
    }

    /// A job that crontabber itself holds until an operator has decided. What an operator has disabled is no fault.
    fn held_as_a_whole(&self, job: &Job, disabled: &Disabled) -> Option<Finding> {
        let reason = disabled.reason.as_ref().filter(|_| disabled.is_by_itself())?;
        Some(self.finding(job, Severity::Warning, None, &format!("is held: {reason}")))
    }

    fn held(&self, job: &Job, view: &JobStatus, sessions: &[&SessionRecord]) -> Option<Finding> {
        let (date, reason) = match &view.blocked_by {
            Some(BlockReason::Held { date, reason }) => (*date, reason),
            _ => sessions.iter().find_map(|session| match &session.state {
                State::Held { reason } if Self::counts(job, view, session.key.date) => Some((session.key.date, reason)),
                _ => None,
            })?,
        };
        Some(self.finding(job, Severity::Critical, Some(date), &format!("is held: {reason}")))
    }

    fn failed(&self, job: &Job, view: &JobStatus, sessions: &[&SessionRecord]) -> Option<Finding> {
        let failed = || {
            let counts =
                |session: &&&SessionRecord| session.counted_attempts > 0 && Self::counts(job, view, session.key.date);
            sessions.iter().filter(counts)
        };
        let worst = failed().max_by_key(|session| (session.counted_attempts, Reverse(session.key.date)))?;
        // A second failure is a second one, also where another date had the first.
        let failures: u32 = failed().map(|session| session.counted_attempts).sum();
        let (date, zone) = (worst.key.date, worst.zone);
        let mut status =
            if job.date_policy.keeps_every_date() && failures < 2 { Severity::Warning } else { Severity::Critical };
        let is_running = view.running.iter().any(|open| open.session.date == date);
        let then = match worst.state {
            _ if is_running => "attempted again now".to_owned(),
            _ if !view.pauses.is_empty() => "to be attempted again when the job is no longer paused".to_owned(),
            State::Failed { retry_at } if retry_at + TOLERANCE < self.now && !self.is_full => {
                status = Severity::Critical;
                format!("should have been retried at {}{}", to_the_second(retry_at, zone), self.no_daemon())
            }
            State::Failed { retry_at } => format!("next attempt at {}", to_the_second(retry_at, zone)),
            _ => "to be attempted again".to_owned(),
        };
        let after = (self.last_outcome)(worst).filter(|outcome| *outcome != Outcome::Succeeded);
        let after = after.map(|outcome| format!(", after {outcome}")).unwrap_or_default();
        let others = match failed().count() {
            1 => String::new(),
            dates => format!("; {dates} dates failed"),
        };
        Some(self.finding(
            job,
            status,
            Some(date),
            &format!("failed {}, {then}{after}{others}", times(worst.counted_attempts)),
        ))
    }

    /// A job that does not keep the times that its registry expects.
    fn late(&self, job: &Job, view: &JobStatus) -> Option<Finding> {
        let open: Vec<&AttemptRecord> =
            self.open.iter().filter(|open| open.key.session.job == *self.zones.recorded_as(&job.name)).collect();
        let late = lateness(job, view, &open, self.now)?;
        let status = if late.is_critical { Severity::Critical } else { Severity::Warning };
        Some(self.finding(job, status, Some(late.date), &late.text))
    }

    /// An orphaned attempt.
    fn orphaned(&self, job: &Job) -> Option<Finding> {
        let of_job = self.open.iter().filter(|open| open.key.session.job == *self.zones.recorded_as(&job.name));
        let oldest = of_job.min_by_key(|open| open.started_at)?;
        if self.is_watched || oldest.started_at + TOLERANCE >= self.now {
            return None;
        }
        let since = to_the_second(oldest.started_at, job.timetable.zone());
        let message = format!("was started at {since}, its end is not recorded, and no daemon runs");
        Some(self.finding(job, Severity::Critical, Some(oldest.key.session.date), &message))
    }

    /// A job that waits for another is reported only if the other one never will be.
    fn blocked(&self, job: &Job, view: &JobStatus, jobs: &HashMap<&JobName, &Job>) -> Option<Finding> {
        match view.blocked_by.as_ref()? {
            BlockReason::WatermarkAhead { watermark } => {
                let message = "is its newest recorded date, and in the future: was the clock wrong?";
                Some(self.finding(job, Severity::Warning, Some(*watermark), message))
            }
            BlockReason::Dependency { job: on, .. } => {
                let why = match jobs.get(on) {
                    None => "is not in the registry",
                    Some(on) if !on.enabled => "is disabled",
                    // The operator who disabled it may not know what waits for it.
                    Some(on) if self.scheduler.view(&on.name).is_some_and(|view| view.disabled.is_some()) => {
                        "is disabled"
                    }
                    Some(_) => return None,
                };
                Some(self.finding(job, Severity::Warning, view.oldest, &format!("waits for `{on}`, which {why}")))
            }
            // A finding of the daemon.
            BlockReason::ClockHeld { .. }
            | BlockReason::Paused { .. }
            | BlockReason::Held { .. }
            | BlockReason::Retry { .. }
            | BlockReason::Disabled
            | BlockReason::DisabledBy(_)
            | BlockReason::Pool { .. }
            | BlockReason::Full { .. }
            | BlockReason::TakesOver { .. } => None,
        }
    }

    /// A pause without an end that makes jobs late: it may have been forgotten.
    pub(crate) fn forgotten_pauses(&self, judged: &[(&Job, JobStatus)], zone: Tz) -> Vec<DaemonFinding> {
        let mut findings = Vec::new();
        for pause in self.scheduler.pauses().filter(|pause| pause.until.is_none()) {
            let is_late = |(job, view): &&(&Job, JobStatus)| {
                let due = view.oldest.map(|oldest| job.timetable.due(oldest).max(pause.at));
                view.pauses.contains(pause) && due.is_some_and(|due| due + TOLERANCE < self.now)
            };
            let late: Vec<&(&Job, JobStatus)> = judged.iter().filter(is_late).collect();
            let dates: u64 = late.iter().map(|(_, view)| view.backlog).sum();
            if dates > 0 {
                let wait = format!("{} of {}", counted(dates, "due date"), counted(late.len() as u64, "job"));
                let message =
                    format!("{wait} wait for the end of a pause: {}; {}", pause.describe(zone), pause.end(zone));
                findings.push(DaemonFinding { status: Severity::Warning, message });
            }
        }
        findings
    }

    fn overdue(&self, job: &Job, view: &JobStatus) -> Option<Finding> {
        // A missing slot is handled below.
        let waits = !matches!(view.blocked_by, None | Some(BlockReason::Full { .. }));
        if waits || !view.running.is_empty() {
            return None;
        }
        let unrecorded = self.unrecorded.get(&job.name).copied().filter(|_| !job.date_policy.keeps_every_date());
        let oldest = [view.oldest, unrecorded].into_iter().flatten().min()?;
        let due = job.timetable.due(oldest);
        // A job that is new could not run earlier. Without a free slot, the attempts that hold the slots are the problem.
        if due.max(view.record.seen_at) + TOLERANCE >= self.now || (self.is_full && self.is_watched) {
            return None;
        }
        let due = in_zone(due, job.timetable.zone());
        let message = format!("should have run at {due} and did not{}", self.no_daemon());
        Some(self.finding(job, Severity::Critical, Some(oldest), &message))
    }

    /// Says whether a session still matters: the older dates of a job that is not backfillable do not.
    fn counts(job: &Job, view: &JobStatus, date: DateTime<Utc>) -> bool {
        job.date_policy.keeps_every_date() || view.oldest.is_none_or(|oldest| date >= oldest)
    }

    fn no_daemon(&self) -> &'static str {
        if self.is_watched { "" } else { ", and no daemon runs" }
    }

    fn finding(&self, job: &Job, status: Severity, date: Option<DateTime<Utc>>, message: &str) -> Finding {
        let date = date.map(|date| self.zones.shown(&job.name, date));
        let message = match &date {
            Some(date) => format!("{date} {message}"),
            None => message.to_owned(),
        };
        Finding { job: job.name.to_string(), status, date, message }
    }
}
