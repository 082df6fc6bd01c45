//! What people ask of the scheduler: where each job stands, and what blocks it.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

use crate::job::{Job, JobName};
use crate::session::{AttemptKey, JobRecord, State};

use super::Scheduler;
use super::lane::Lane;

/// Why the oldest unsettled date of a job does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Another job has a date that is not settled, or has settled none at all.
    Dependency {
        /// The other job.
        job: JobName,
        /// Its unsettled date.
        date: Option<DateTime<Utc>>,
    },
    /// A date needs a person.
    Held {
        /// The date.
        date: DateTime<Utc>,
        /// Why.
        reason: String,
    },
    /// A date failed, and its next attempt is not due yet.
    Retry {
        /// The date.
        date: DateTime<Utc>,
        /// When it is.
        at: DateTime<Utc>,
    },
    /// The registry says `enabled = false`.
    Disabled,
    /// The newest recorded date is in the future: the clock was wrong once.
    ClockAhead {
        /// That date.
        clock: DateTime<Utc>,
    },
}

/// Where a job stands.
#[derive(Debug, Clone)]
pub struct JobView {
    /// The job as the ledger knows it.
    pub record: JobRecord,
    /// One of `running`, `held`, `failed`, `blocked`, `waiting`, `ok`, `disabled`, `ghost`.
    pub state: &'static str,
    /// The first date that is neither recorded nor due.
    pub next: Option<DateTime<Utc>>,
    /// How many dates are due and not settled, those that run included.
    pub backlog: u64,
    /// The oldest of them.
    pub oldest: Option<DateTime<Utc>>,
    /// How many attempts at that one count.
    pub failures: u32,
    /// Why that one does not start.
    pub blocked_by: Option<Block>,
    /// The open attempts.
    pub running: Vec<AttemptKey>,
}

impl Scheduler {
    /// Where a job stands now.
    #[must_use]
    pub fn view(&self, name: &JobName) -> Option<JobView> {
        let lane = self.lanes.get(name)?;
        let blocked_by = lane.job.as_ref().and_then(|job| self.block(lane, job));
        let next = lane.next.filter(|_| lane.job.is_some()).and_then(|next| self.first_not_due(lane, next));
        let first = lane.sessions.iter().next();
        Some(JobView {
            state: state_word(lane, blocked_by.as_ref()),
            record: lane.record.clone(),
            next,
            backlog: lane.behind(),
            oldest: first.map(|(date, _)| *date),
            failures: first.map_or(0, |(_, session)| session.used),
            blocked_by,
            running: lane.running.clone(),
        })
    }

    /// The first date of a lane that is not due, where more are due than the lane holds.
    fn first_not_due(&self, lane: &Lane, next: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let timetable = &lane.job.as_ref()?.timetable;
        if timetable.due(next) > self.now {
            return Some(next);
        }
        let newest = timetable.newest_due(self.now)?;
        timetable.next_after(newest).ok().flatten()
    }

    fn block(&self, lane: &Lane, job: &Job) -> Option<Block> {
        if !job.enabled {
            return Some(Block::Disabled);
        }
        let independent = job.backfill && job.order == crate::job::Order::Independent;
        let mut unsettled = lane.sessions.iter().filter(|(_, session)| session.state != State::Running);
        // A date that waits is what matters in independent order; whatever comes first does in strict order.
        let (date, session) = if independent {
            unsettled.min_by_key(|(date, session)| (session.state != State::Waiting, **date))?
        } else {
            match unsettled.next() {
                Some(first) => first,
                None => return self.clock_ahead(lane),
            }
        };
        match &session.state {
            State::Held { reason } => Some(Block::Held { date: *date, reason: reason.clone() }),
            State::Failed { retry_at } if *retry_at > self.now => Some(Block::Retry { date: *date, at: *retry_at }),
            _ => self.missing_dependency(job, *date),
        }
    }

    fn clock_ahead(&self, lane: &Lane) -> Option<Block> {
        lane.record.clock.filter(|clock| *clock > self.now).map(|clock| Block::ClockAhead { clock })
    }
}

fn state_word(lane: &Lane, blocked_by: Option<&Block>) -> &'static str {
    if !lane.running.is_empty() {
        return "running";
    }
    match (&lane.job, blocked_by) {
        (None, _) => "ghost",
        (_, Some(Block::Disabled)) => "disabled",
        (_, Some(Block::Held { .. })) => "held",
        (_, Some(Block::Retry { .. })) => "failed",
        (_, Some(Block::Dependency { .. } | Block::ClockAhead { .. })) => "blocked",
        (_, None) => match lane.sessions.values().next() {
            Some(session) if session.used > 0 => "failed",
            Some(_) => "waiting",
            None => "ok",
        },
    }
}

/// An instant as people and JSON read it: RFC 3339 with the zone's offset.
#[must_use]
pub fn in_zone(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::AutoSi, false)
}
