//! Operators' requests.

use chrono::{DateTime, Utc};

use super::pause::PauseScope;
use super::{BackfillId, SessionRecord};
use crate::job::JobName;
use crate::schedule::TICK;
use crate::text::words;

/// The operation of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Attempt the job now.
    Run {
        /// The date to attempt; the next one if absent.
        date: Option<DateTime<Utc>>,
        /// Ignore dependencies, and that the date is not due.
        force: bool,
    },
    /// Start a new generation of the job, as if it had never run.
    Reset {
        /// As if it had run up to this instant.
        to: Option<DateTime<Utc>>,
    },
    /// Attempt past dates.
    Backfill(BackfillOrder),
    /// Cancel a backfill: the dates that it has not run leave it.
    CancelBackfill {
        /// The name of the backfill, or its number; the only one of the job if absent.
        name: Option<String>,
    },
    /// Settle dates as skipped.
    Skip(Skipping),
    /// Enable the job.
    Enable(Enabling),
    /// Start no new attempt of some jobs, and keep recording their dates.
    Pause {
        scope: PauseScope,
        /// Until this instant.
        until: Option<DateTime<Utc>>,
    },
    /// End a pause.
    Resume { scope: PauseScope },
    /// Disable the job.
    Disable {
        /// Until this instant.
        until: Option<DateTime<Utc>>,
    },
    /// Mark a date as succeeded.
    Done { date: DateTime<Utc> },
    /// Attempt dates again that failed or are held, now.
    Retry(Retrying),
    /// Kill running attempts.
    Kill {
        /// At this date; at all dates if absent.
        date: Option<DateTime<Utc>>,
    },
}

/// Which past dates a backfill attempts, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillOrder {
    /// The first instant.
    pub from: DateTime<Utc>,
    /// The first instant after the last; up to the job's next date if absent.
    pub to: Option<DateTime<Utc>>,
    /// How many dates of the schedule the operator expects in the range.
    pub count: Option<u64>,
    /// Which of the dates in the range.
    pub only: Only,
    /// From the newest to the oldest.
    pub newest_first: bool,
    /// How many at once.
    pub parallel: u32,
    /// The name of the backfill.
    pub name: Option<String>,
}

words! {
    /// Which dates of its range a backfill attempts.
    Only {
        /// Dates that were never attempted: without a row, or skipped.
        Missing => "missing",
        /// Dates that failed, are held, or were skipped after an attempt.
        Failed => "failed",
        /// All dates, including succeeded ones.
        All => "all",
    }
}

/// Which dates to skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipping {
    Date(DateTime<Utc>),
    /// Every unsettled one before this instant.
    To(DateTime<Utc>),
    /// This many, from the first unsettled one on.
    Count(u64),
}

/// What happens to the backlog of a job that is enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enabling {
    /// The job must have none.
    Plain,
    /// It is attempted.
    CatchUp,
    /// It is skipped.
    SkipMissed,
    /// Every date before this instant is skipped.
    SkipTo(DateTime<Utc>),
}

/// Which dates to retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retrying {
    Date {
        date: DateTime<Utc>,
        /// Even if it succeeded.
        again: bool,
    },
    /// All failed dates.
    Failed,
    /// All held dates.
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
            Self::CancelBackfill { .. } => "cancel-backfill",
            Self::Skip(_) => "skip",
            Self::Enable(_) => "enable",
            Self::Disable { .. } => "disable",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Done { .. } => "done",
            Self::Retry(_) => "retry",
            Self::Kill { .. } => "kill",
        }
    }

    /// The range whose settled dates the scheduler must know, without its end.
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

/// What the ledger has of the dates of a request, besides the unsettled ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// The settled sessions in the range of [`Operation::past`], ascending.
    pub settled: Vec<SessionRecord>,
    /// The backfill of the job with the requested name.
    pub namesake: Option<BackfillId>,
    /// Whether the backfill of the request, or its cancellation, is in the ledger, perhaps without all its dates.
    pub is_entered: bool,
    /// The dates in the range of [`Operation::past`], before the first date, that succeeded in an earlier generation.
    pub earlier: Vec<DateTime<Utc>>,
    /// The newest date that succeeded before the one to reset to.
    pub last_success: Option<DateTime<Utc>>,
}

/// An operator's request, in the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number in the audit; 0 before it is posted.
    pub id: i64,
    /// Absent if it is about a pause.
    pub job: Option<JobName>,
    pub operation: Operation,
    /// When it was requested.
    pub at: DateTime<Utc>,
    /// Who requested it.
    pub user: String,
    /// The host of the user.
    pub host: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// What the ledger has of its dates; empty before it is posted.
    pub past: Past,
}
