//! Which sessions and attempts a list has.

use chrono::{DateTime, TimeDelta, Utc};

use super::rows::micros;
use crate::job::JobName;
use crate::session::{AttemptKey, OutcomeKind, SessionKey, StateKind};

/// A range of dates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Between {
    /// The first instant in the range; unbounded if absent.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after the range; unbounded if absent.
    pub to: Option<DateTime<Utc>>,
}

impl Between {
    /// The range with this date alone.
    #[must_use]
    pub fn only(date: DateTime<Utc>) -> Self {
        Self { from: Some(date), to: date.checked_add_signed(TimeDelta::microseconds(1)) }
    }

    /// The bounds in microseconds.
    pub(super) fn micros(self) -> (i64, i64) {
        (self.from.map_or(i64::MIN, micros), self.to.map_or(i64::MAX, micros))
    }
}

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only those of these jobs; of all if absent.
    pub jobs: Option<Vec<JobName>>,
    /// Only those at these dates.
    pub dates: Between,
    /// Only those in one of these states; in any if empty.
    pub states: Vec<StateKind>,
    /// Only those before this one in the list.
    pub before: Option<SessionKey>,
    /// Only this many, the newest by date; all if absent.
    pub newest: Option<u32>,
    /// Also those from before a reset.
    pub all_generations: bool,
}

/// Which attempts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttemptFilter {
    /// Only those of these jobs; of all if absent.
    pub jobs: Option<Vec<JobName>>,
    /// Only those at these dates.
    pub dates: Between,
    /// Only those that ran at or after this instant: that ended since then, or still run.
    pub since: Option<DateTime<Utc>>,
    /// Only those with one of these outcomes (none: still running); all if empty.
    pub outcomes: Vec<Option<OutcomeKind>>,
    /// Only those before this one in the list.
    pub before: Option<AttemptKey>,
    /// Only this many, the newest by date; all if absent.
    pub newest: Option<u32>,
    /// Also those from before a reset.
    pub all_generations: bool,
}
