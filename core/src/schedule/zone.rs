//! Wall clocks: the wall time of a zone at an instant, and the instant of a wall time.
//!
//! All values are whole seconds: an instant since 1970-01-01T00:00Z, a wall time in the same way as if it were UTC. This
//! module only reports that a clock change skips or repeats a wall time; the rules decide what follows. It relies on
//! a measurement over all zones of tzdata, 1973 to 2099: clock changes are at least 167 hours apart and fall on whole minutes;
//! offsets lie between -12 and +14 hours.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::TICK;

/// Seconds of a minute.
pub(super) const MINUTE: i64 = 60;

/// Seconds of an hour.
pub(super) const HOUR: i64 = 3600;

/// Seconds of a day whose clock does not change.
pub(super) const DAY: i64 = 24 * HOUR;

/// No offset was ever larger.
pub(super) const FARTHEST_OFFSET: i64 = 16 * HOUR;

/// The first occurrence of a wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Showing {
    /// At this instant.
    At(i64),
    /// None: the clock skips it.
    Swallowed {
        /// The first instant after the gap.
        change: i64,
        /// The wall time at that instant.
        resumes: i64,
        /// The length of the gap in seconds.
        gap: i64,
    },
}

/// Returns the offset from UTC at `instant`, in seconds.
pub(super) fn offset_at(zone: Tz, instant: i64) -> i64 {
    let at = saturating_instant(instant).naive_utc();
    i64::from(zone.offset_from_utc_datetime(&at).fix().local_minus_utc())
}

/// Finds the first instant after `after`, up to and including `until`, with another offset.
///
/// At most one clock change may lie between the two.
pub(super) fn change_between(zone: Tz, after: i64, until: i64) -> Option<i64> {
    let before = offset_at(zone, after);
    if offset_at(zone, until) == before {
        return None;
    }
    let (mut low, mut high) = (after, until);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if offset_at(zone, middle) == before { low = middle } else { high = middle }
    }
    Some(high)
}

/// Returns the first occurrence of `wall`.
pub(super) fn first_showing(zone: Tz, wall: i64) -> Showing {
    let (early, late) = (wall - FARTHEST_OFFSET, wall + FARTHEST_OFFSET);
    let before = offset_at(zone, early);
    let Some(change) = change_between(zone, early, late) else {
        return Showing::At(wall - before);
    };
    let after = offset_at(zone, change);
    if wall < change + before {
        Showing::At(wall - before)
    } else if wall >= change + after {
        Showing::At(wall - after)
    } else {
        Showing::Swallowed { change, resumes: change + after, gap: after - before }
    }
}

/// Returns the first instant of a local day.
///
/// If the clock skips midnight, the first instant after the gap. The same applies to a day that is skipped as a whole.
#[must_use]
pub fn day_start(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp();
    match first_showing(zone, midnight) {
        Showing::At(instant) | Showing::Swallowed { change: instant, .. } => saturating_instant(instant),
    }
}

/// Returns the first instant with a wall time of `wall` or later; if the clock skips `wall`, the first instant after the
/// gap.
#[must_use]
pub fn wall_start(wall: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let part = chrono::TimeDelta::nanoseconds(wall.and_utc().timestamp_subsec_nanos().into());
    match first_showing(zone, wall.and_utc().timestamp()) {
        Showing::At(instant) => {
            saturating_instant(instant).checked_add_signed(part).unwrap_or(DateTime::<Utc>::MAX_UTC)
        }
        Showing::Swallowed { change, .. } => saturating_instant(change),
    }
}

/// Returns the last microsecond of a local day.
#[must_use]
pub fn day_end(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    match day.succ_opt() {
        Some(next) => day_start(next, zone) - TICK,
        None => DateTime::<Utc>::MAX_UTC,
    }
}

/// Returns the version of the built-in zone rules, such as `2025b`.
#[must_use]
pub fn tzdata_version() -> &'static str {
    chrono_tz::IANA_TZDB_VERSION
}

/// Returns the instant, or the closest one that can be represented.
pub(super) fn saturating_instant(seconds: i64) -> DateTime<Utc> {
    let farthest = if seconds < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp(seconds, 0).unwrap_or(farthest)
}
