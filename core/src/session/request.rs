//! What operators ask for, beside a running daemon or without one.

use chrono::{DateTime, Utc};

use super::words::words;
use super::{BackfillId, SessionRecord, TICK};
use crate::job::JobName;

/// What an operator asks for through the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Attempt the job now.
    Run {
        /// The date to attempt; the one that is next if absent.
        date: Option<DateTime<Utc>>,
        /// Do not wait for dependencies, nor for the date to come due.
        force: bool,
    },
    /// As if the job had never run.
    Reset {
        /// As if it had run up to there, and not from there on.
        to: Option<DateTime<Utc>>,
    },
    /// Attempt past dates.
    Backfill(BackfillOrder),
    /// Settle dates as skipped.
    Skip(Skipping),
    /// Let the job run again.
    Enable(Enabling),
    /// Let nothing of the job run.
    Disable {
        /// Until then.
        until: Option<DateTime<Utc>>,
    },
    /// Settle a date as succeeded.
    Done {
        /// Which.
        date: DateTime<Utc>,
    },
    /// Attempt dates again that failed or are held, now.
    Retry(Retrying),
    /// End what runs.
    Kill {
        /// At this date; at all dates if absent.
        date: Option<DateTime<Utc>>,
    },
}

/// Which past dates an operator wants attempted, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillOrder {
    /// The first instant.
    pub from: DateTime<Utc>,
    /// The first instant after the last; up to the job's next date if absent.
    pub to: Option<DateTime<Utc>>,
    /// How many dates of the schedule there must be in between, if the operator counted.
    pub count: Option<u64>,
    /// Which of the dates in between.
    pub only: Only,
    /// From the newest to the oldest.
    pub newest_first: bool,
    /// How many at once.
    pub parallel: u32,
    /// What the operator calls it.
    pub name: Option<String>,
}

words! {
    /// Which dates a backfill is about.
    Only {
        /// Those that were never attempted: without a row, or skipped.
        Missing => "missing",
        /// Those that failed, are held, or were skipped after an attempt.
        Failed => "failed",
        /// All of them, those that succeeded included.
        All => "all",
    }
}

/// Which dates an operator wants skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipping {
    /// This one.
    Date(DateTime<Utc>),
    /// Every unsettled one before this instant.
    To(DateTime<Utc>),
    /// So many, from the first unsettled one on.
    Count(u64),
}

/// What becomes of the backlog of a job that is enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enabling {
    /// There may be none.
    Plain,
    /// It is attempted.
    CatchUp,
    /// It is skipped.
    SkipMissed,
    /// Every date before this instant is skipped.
    SkipTo(DateTime<Utc>),
}

/// Which dates an operator wants attempted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retrying {
    /// This one.
    Date {
        /// Which.
        date: DateTime<Utc>,
        /// Also if it succeeded.
        again: bool,
    },
    /// All that failed.
    Failed,
    /// All that are held.
    Held,
}

impl Operation {
    /// The word for it in the audit.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Run { .. } => "run",
            Self::Reset { .. } => "reset",
            Self::Backfill(_) => "backfill",
            Self::Skip(_) => "skip",
            Self::Enable(_) => "enable",
            Self::Disable { .. } => "disable",
            Self::Done { .. } => "done",
            Self::Retry(_) => "retry",
            Self::Kill { .. } => "kill",
        }
    }

    /// The instants between which the scheduler must know what is settled: from the first on, and before the second.
    #[must_use]
    pub fn past(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let one = |date: DateTime<Utc>| Some((date, date + TICK));
        match self {
            Self::Backfill(order) => Some((order.from, order.to.unwrap_or(DateTime::<Utc>::MAX_UTC))),
            Self::Done { date } | Self::Retry(Retrying::Date { date, .. }) | Self::Skip(Skipping::Date(date)) => {
                one(*date)
            }
            _ => None,
        }
    }
}

/// What the ledger knows of the dates that a request is about, beside what is unsettled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// The generation that was in force.
    pub generation: u32,
    /// The settled sessions between the instants that were asked for, ascending.
    pub settled: Vec<SessionRecord>,
    /// The backfill of the job that has the name that is asked for.
    pub namesake: Option<BackfillId>,
    /// The backfill that the request orders is in the ledger, perhaps not with all its dates.
    pub is_entered: bool,
    /// The dates that succeeded in an earlier life of the job, and are before the first instant of this one's concern.
    pub earlier: Vec<DateTime<Utc>>,
    /// The newest date that succeeded before the one to reset to.
    pub last_success: Option<DateTime<Utc>>,
}

/// An operator's request, as the audit keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number in the audit.
    pub id: i64,
    /// The job it is about.
    pub job: JobName,
    /// What is asked.
    pub operation: Operation,
    /// When it was asked.
    pub at: DateTime<Utc>,
    /// Who asked.
    pub user: String,
    /// From which machine.
    pub host: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// What the ledger knows of the dates that it is about.
    pub past: Past,
}
