//! Recorded dates of a job, as an edit of its timetable needs to know them.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::entry::NewSession;
use super::state::{SkipReason, State, StateKind, Trigger};
use crate::job::JobName;

/// Which recorded dates of a job to read: those in a range, and all that are excluded or moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingRange {
    pub job: JobName,
    pub generation: u32,
    /// The first and the last instant.
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// The range is widened to this long before the oldest excluded date, and this long after the newest.
    pub around: TimeDelta,
}

/// A recorded date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    pub date: DateTime<Utc>,
    /// The zone that it was recorded with.
    pub zone: Tz,
    pub state: StateKind,
    /// Why it is skipped, if it is.
    pub reason: Option<SkipReason>,
    pub trigger: Trigger,
    /// Whether it belongs, or belonged, to a backfill.
    pub is_backfilled: bool,
    /// The number of its newest attempt.
    pub attempts: u32,
}

/// The recorded dates of a job, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecordings {
    pub job: JobName,
    pub recordings: Vec<Recording>,
}

impl Recording {
    /// A session that enters the ledger with a zone.
    #[must_use]
    pub fn of(session: &NewSession, zone: Tz) -> Self {
        let NewSession { date, state, trigger, backfill } = session;
        let reason = if let State::Skipped { reason } = state { Some(*reason) } else { None };
        let (date, trigger, state) = (*date, *trigger, state.kind());
        Self { date, zone, state, reason, trigger, is_backfilled: backfill.is_some(), attempts: 0 }
    }

    /// Whether a schedule may have made the date: it is a whole minute, or up to two seconds later if its instant was taken.
    /// The date of a manual run has a fraction of a second, with next to no exception.
    #[must_use]
    pub fn is_at_time_of_schedule(&self) -> bool {
        matches!(self.date.timestamp_micros() % 60_000_000, 0 | 1_000_000 | 2_000_000)
    }

    /// Whether an edit of the timetable settled the date unattempted.
    #[must_use]
    pub fn is_edited_out(&self) -> bool {
        matches!(self.reason, Some(SkipReason::Excluded | SkipReason::Moved))
    }
}
