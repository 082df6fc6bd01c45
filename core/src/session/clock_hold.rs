//! What waits while the wall clock is not believed, and for how long.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// A clock that is farther ahead is wrong rather than late: nothing is counted for it.
const LONGEST_OUTAGE: TimeDelta = TimeDelta::days(366);

/// The wall clock is too far ahead of when it was last believed: no later date is recorded or started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockHold {
    /// When it was last believed.
    pub seen: DateTime<Utc>,
    /// What it shows when it is believed, if it runs on until then.
    pub believed_at: DateTime<Utc>,
}

impl ClockHold {
    /// How far the clock is ahead.
    #[must_use]
    pub fn ahead(&self, now: DateTime<Utc>) -> Duration {
        (now - self.seen).to_std().unwrap_or_default()
    }

    /// How long the clock must run on, to the second.
    #[must_use]
    pub fn wait(&self, now: DateTime<Utc>) -> Duration {
        let wait = (self.believed_at - now).to_std().unwrap_or_default();
        Duration::from_secs((wait + Duration::from_millis(500)).as_secs())
    }

    /// Whether an outage may explain the time that is missing, so that the dates since then are counted.
    #[must_use]
    pub fn may_be_outage(&self, now: DateTime<Utc>) -> bool {
        now - self.seen < LONGEST_OUTAGE
    }
}
