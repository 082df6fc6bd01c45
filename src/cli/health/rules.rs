//! What is wrong with each job, and how bad that is.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Status;
use crate::cli::context::Zones;
use crate::cli::date::short;
use crate::cli::lateness::lateness;
use crate::cli::list::times;
use crate::job::{Job, JobName};
use crate::scheduler::{BlockReason, JobStatus, Scheduler};
use crate::session::{AttemptRecord, SessionRecord, State};
use crate::text::in_zone;

/// So long after it is due a date may still be about to start.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// What is wrong with a job.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) job: JobName,
    pub(super) status: Status,
    pub(super) date: Option<String>,
    pub(super) message: String,
}

/// All that a judgement is made from.
pub(super) struct Judge<'a> {
    pub(super) scheduler: &'a Scheduler,
    /// The unsettled sessions.
    pub(super) sessions: &'a [SessionRecord],
    /// The open attempts.
    pub(super) open: &'a [AttemptRecord],
    /// The first date of each job that is due and not recorded.
    pub(super) unrecorded: &'a HashMap<JobName, DateTime<Utc>>,
    pub(super) zones: &'a Zones,
    /// A daemon holds the ledger.
    pub(super) is_watched: bool,
    /// As many attempts are open as may be.
    pub(super) is_full: bool,
    pub(super) now: DateTime<Utc>,
}

impl Judge<'_> {
    /// What is wrong with any of the jobs.
    pub(super) fn findings(&self, jobs: &[Arc<Job>]) -> Vec<Finding> {
        let mut sessions: HashMap<&JobName, Vec<&SessionRecord>> = HashMap::new();
        for session in self.sessions {
            sessions.entry(&session.key.job).or_default().push(session);
        }
        let by_name: HashMap<&JobName, &Job> = jobs.iter().map(|job| (&job.name, job.as_ref())).collect();
        let is_enabled =
            |job: &&Arc<Job>| job.enabled && self.scheduler.view(&job.name).is_none_or(|view| view.disabled.is_none());
        let enabled = jobs.iter().filter(is_enabled);
        let judged = enabled.filter_map(|job| {
            let view = self.scheduler.view(&job.name)?;
            let of_job = sessions.get(&job.name).map_or(&[][..], Vec::as_slice);
            let first = self
                .held(job, &view, of_job)
                .or_else(|| self.failed(job, &view, of_job))
                .or_else(|| self.deserted(job))
                .or_else(|| self.blocked(job, &view, &by_name))
                .or_else(|| self.overdue(job, &view));
            // What is late is told where nothing as bad explains it.
            let late =
                self.late(job, &view).filter(|late| first.as_ref().is_none_or(|first| first.status < late.status));
            late.or(first)
        });
        judged.collect()
    }

    fn held(&self, job: &Job, view: &JobStatus, sessions: &[&SessionRecord]) -> Option<Finding> {
        let (date, reason) = match &view.blocked_by {
            Some(BlockReason::Held { date, reason }) => (*date, reason),
            _ => sessions.iter().find_map(|session| match &session.state {
                State::Held { reason } if Self::counts(job, view, session.key.date) => Some((session.key.date, reason)),
                _ => None,
            })?,
        };
        Some(self.finding(job, Status::Critical, Some(date), &format!("is held: {reason}")))
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
        let date = worst.key.date;
        let zone = job.timetable.zone();
        let mut status =
            if job.date_policy.keeps_every_date() && failures < 2 { Status::Warning } else { Status::Critical };
        let is_running = view.running.iter().any(|open| open.session.date == date);
        let then = match worst.state {
            _ if is_running => "attempted again now".to_owned(),
            State::Failed { retry_at } if retry_at + TOLERANCE < self.now && !self.is_full => {
                status = Status::Critical;
                format!("should have been retried at {}{}", short(retry_at, zone), self.nobody())
            }
            State::Failed { retry_at } => format!("next attempt at {}", short(retry_at, zone)),
            _ => "to be attempted again".to_owned(),
        };
        let others = match failed().count() {
            1 => String::new(),
            dates => format!("; {dates} dates failed"),
        };
        Some(self.finding(
            job,
            status,
            Some(date),
            &format!("failed {}, {then}{others}", times(worst.counted_attempts)),
        ))
    }

    /// A job that does not keep the times that its registry expects.
    fn late(&self, job: &Job, view: &JobStatus) -> Option<Finding> {
        let open: Vec<&AttemptRecord> = self.open.iter().filter(|open| open.key.session.job == job.name).collect();
        let late = lateness(job, view, &open, self.now)?;
        let status = if late.is_critical { Status::Critical } else { Status::Warning };
        Some(self.finding(job, status, Some(late.date), &late.text))
    }

    /// An attempt that nobody looks after any more.
    fn deserted(&self, job: &Job) -> Option<Finding> {
        let of_job = self.open.iter().filter(|open| open.key.session.job == job.name);
        let oldest = of_job.min_by_key(|open| open.started_at)?;
        if self.is_watched || oldest.started_at + TOLERANCE >= self.now {
            return None;
        }
        let since = short(oldest.started_at, job.timetable.zone());
        let message = format!("was started at {since}, its end is not recorded, and no daemon runs");
        Some(self.finding(job, Status::Critical, Some(oldest.key.session.date), &message))
    }

    /// A job that waits for another is told of only if nobody else will ever be.
    fn blocked(&self, job: &Job, view: &JobStatus, jobs: &HashMap<&JobName, &Job>) -> Option<Finding> {
        match view.blocked_by.as_ref()? {
            BlockReason::WatermarkAhead { watermark } => {
                let message = "is its newest recorded date, and in the future: was the clock wrong?";
                Some(self.finding(job, Status::Warning, Some(*watermark), message))
            }
            BlockReason::Dependency { job: on, .. } => {
                let why = match jobs.get(on) {
                    None => "is not in the registry",
                    Some(on) if !on.enabled => "is disabled",
                    // Whoever disabled it may not know what waits for it.
                    Some(on) if self.scheduler.view(&on.name).is_some_and(|view| view.disabled.is_some()) => {
                        "is disabled"
                    }
                    Some(_) => return None,
                };
                Some(self.finding(job, Status::Warning, view.oldest, &format!("waits for `{on}`, which {why}")))
            }
            BlockReason::Held { .. }
            | BlockReason::Retry { .. }
            | BlockReason::Disabled
            | BlockReason::DisabledBy(_)
            | BlockReason::Pool { .. }
            | BlockReason::Full { .. } => None,
        }
    }

    fn overdue(&self, job: &Job, view: &JobStatus) -> Option<Finding> {
        // That there is no place is judged below.
        let waits = !matches!(view.blocked_by, None | Some(BlockReason::Full { .. }));
        if waits || !view.running.is_empty() {
            return None;
        }
        let unrecorded = self.unrecorded.get(&job.name).copied().filter(|_| !job.date_policy.keeps_every_date());
        let oldest = [view.oldest, unrecorded].into_iter().flatten().min()?;
        let due = job.timetable.due(oldest);
        // Where there is no free place, whoever takes the places is what is to be looked at.
        if due + TOLERANCE >= self.now || (self.is_full && self.is_watched) {
            return None;
        }
        let due = short(due, job.timetable.zone());
        let message = format!("should have run at {due} and did not{}", self.nobody());
        Some(self.finding(job, Status::Critical, Some(oldest), &message))
    }

    /// Says whether a session still matters: the older dates of a job that is not backfillable do not.
    fn counts(job: &Job, view: &JobStatus, date: DateTime<Utc>) -> bool {
        job.date_policy.keeps_every_date() || view.oldest.is_none_or(|oldest| date >= oldest)
    }

    fn nobody(&self) -> &'static str {
        if self.is_watched { "" } else { ", and no daemon runs" }
    }

    fn finding(&self, job: &Job, status: Status, date: Option<DateTime<Utc>>, message: &str) -> Finding {
        let zone = self.zones.of(&job.name);
        let message = match date {
            Some(date) => format!("{} {message}", short(date, zone)),
            None => message.to_owned(),
        };
        let date = date.map(|date| in_zone(date, zone));
        Finding { job: job.name.clone(), status, date, message }
    }
}
