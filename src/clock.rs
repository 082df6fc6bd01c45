//! The one place that reads the wall clock.
//!
//! Everything else is handed the time, so that a test can hand it another.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};

use crate::control::Time;

/// Returns the time, to the microsecond: what the ledger stores is what we decided by.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// Returns the time by both clocks.
#[must_use]
pub fn time() -> Time {
    let monotonic = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let nanoseconds = u32::try_from(monotonic.tv_nsec).unwrap_or_default();
    let monotonic = Duration::new(u64::try_from(monotonic.tv_sec).unwrap_or_default(), nanoseconds);
    Time { wall: now(), monotonic }
}
