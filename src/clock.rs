//! The one place that reads the wall clock.
//!
//! Everything else is handed the time, so that a test can hand it another.

use chrono::{DateTime, SubsecRound, Utc};

/// Returns the time, to the microsecond: what the ledger stores is what we decided by.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
