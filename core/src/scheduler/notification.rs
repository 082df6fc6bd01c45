//! What the scheduler tells people, as values: the daemon puts them into words.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::job::JobName;
use crate::session::{AttemptEnd, AttemptKey, SessionKey, State, Trigger};

/// Something that people want to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Notification {
    /// Several dates were found due at once.
    Behind {
        /// The job.
        job: JobName,
        /// How many dates will be attempted, one after the other.
        behind: u64,
        /// The oldest of them.
        oldest: DateTime<Utc>,
        /// How many were recorded as superseded on the way.
        superseded: u64,
    },
    /// An attempt begins.
    Opened {
        /// Which one.
        attempt: AttemptKey,
        /// What made it happen.
        trigger: Trigger,
        /// How many dates of the job are due and not settled, this one included.
        behind: u64,
    },
    /// An attempt ended.
    Closed {
        /// Which one.
        attempt: AttemptKey,
        /// How.
        end: AttemptEnd,
        /// Where its session stands now.
        state: State,
        /// How many dates of the job are still due and not settled.
        behind: u64,
    },
    /// Dates were missed too long ago, or too many of them.
    TooOld {
        /// The job.
        job: JobName,
        /// How many were recorded as skipped.
        count: u64,
        /// The oldest of them.
        oldest: DateTime<Utc>,
    },
    /// The job's `done_when` says that a date is done.
    WasDone {
        /// Which.
        session: SessionKey,
        /// How many dates of the job are still due and not settled.
        behind: u64,
    },
    /// All dates of a backfill are settled.
    BackfillOver {
        /// The job.
        job: JobName,
        /// What the operator called it.
        name: Option<String>,
    },
    /// The time until which an operator had disabled a job has come.
    EnabledAgain {
        /// The job.
        job: JobName,
    },
    /// A job has taken over the ledger of its former name.
    Renamed {
        /// The job.
        job: JobName,
        /// Its former name.
        previously: JobName,
    },
    /// A job takes over the ledger of its former name when what runs under that has ended.
    WaitsToSucceed {
        /// The job.
        job: JobName,
        /// Its former name.
        previously: JobName,
    },
    /// The registry has a job that the last one had not.
    Added {
        /// The job.
        job: JobName,
        /// Which dates that adds.
        adding: Adding,
    },
    /// A job of the registry is not what it was.
    Changed {
        /// The job.
        job: JobName,
        /// The names of the keys that changed.
        keys: Vec<&'static str>,
        /// Which dates that adds.
        adding: Adding,
    },
    /// A job is gone from the registry: a ghost.
    Removed {
        /// The job.
        job: JobName,
        /// How many of its dates are left unsettled.
        unsettled: u64,
    },
    /// The schedule that was in force cannot be read any more.
    UnreadableTimetable {
        /// The job.
        job: JobName,
        /// Why.
        error: String,
    },
    /// A job's clock is ahead of the time, so that nothing of it is due for long.
    WatermarkAhead {
        /// The job.
        job: JobName,
        /// Its newest recorded date.
        watermark: DateTime<Utc>,
    },
    /// The schedule goes past the last date that we can compute.
    PastDomain {
        /// The job.
        job: JobName,
    },
    /// The wall clock was set back.
    ClockSetBack {
        /// By how much.
        by: Duration,
    },
    /// An operator's request was dealt with.
    Answered {
        /// The job.
        job: JobName,
        /// The word of the operation.
        operation: &'static str,
        /// Who asked.
        user: String,
        /// Whether it was done.
        done: bool,
        /// What was done, or why not.
        text: String,
    },
}

/// Which dates a change of the registry adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Adding {
    /// How many dates are due and will be attempted.
    pub due: u64,
    /// The oldest of them.
    pub oldest: Option<DateTime<Utc>>,
    /// The first date that is not due yet.
    pub next: Option<DateTime<Utc>>,
}
