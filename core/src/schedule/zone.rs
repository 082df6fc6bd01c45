//! Wall clocks: what a zone's clock shows at an instant, and at which instant it shows a wall time.
//!
//! Everything here is whole seconds: an instant counts from 1970-01-01T00:00Z, a wall time likewise as if its clock
//! stood in UTC. It never decides what becomes of a wall time that a clock change swallowed or repeated: it only says
//! so. It relies on what was measured on every zone of tzdata from 1973 to 2099: clock changes are at least 167 hours
//! apart, fall on whole minutes, and offsets lie between -12 and +14 hours.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// Seconds of a minute.
pub(super) const MINUTE: i64 = 60;

/// Seconds of an hour.
pub(super) const HOUR: i64 = 3600;

/// Seconds of a day whose clock does not change.
pub(super) const DAY: i64 = 24 * HOUR;

/// No offset has ever been this far from UTC.
pub(super) const FARTHEST_OFFSET: i64 = 16 * HOUR;

/// When a wall time is shown for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Showing {
    /// At this instant.
    At(i64),
    /// Never: the clock jumped over it.
    Swallowed {
        /// The first instant after the gap.
        change: i64,
        /// What the clock shows then.
        resumes: i64,
        /// By how much the clock jumped, in seconds.
        gap: i64,
    },
}

/// Returns how far the zone's clock is ahead of UTC at `instant`, in seconds.
pub(super) fn offset_at(zone: Tz, instant: i64) -> i64 {
    let at = saturating_instant(instant).naive_utc();
    i64::from(zone.offset_from_utc_datetime(&at).fix().local_minus_utc())
}

/// Finds the first instant after `after`, up to and including `until`, at which the offset is another.
///
/// The two must be so near one another that at most one change lies between them.
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

/// Returns when the zone's clock first shows `wall`.
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
/// Where the clock jumps over midnight that is the first instant after the gap; of a day that was skipped altogether,
/// likewise.
#[must_use]
pub fn day_start(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp();
    match first_showing(zone, midnight) {
        Showing::At(instant) | Showing::Swallowed { change: instant, .. } => saturating_instant(instant),
    }
}

/// Returns the first instant at which the zone's clock shows `wall` or more: of a time that it jumped over, the first
/// after the gap.
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

/// Returns the last microsecond of a local day: the one before the next day starts.
#[must_use]
pub fn day_end(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    match day.succ_opt() {
        Some(next) => day_start(next, zone) - chrono::TimeDelta::microseconds(1),
        None => DateTime::<Utc>::MAX_UTC,
    }
}

/// Returns the version of the zone rules that this program carries, such as `2025b`.
#[must_use]
pub fn tzdata_version() -> &'static str {
    chrono_tz::IANA_TZDB_VERSION
}

/// Returns the instant, or the nearest one that can be expressed.
pub(super) fn saturating_instant(seconds: i64) -> DateTime<Utc> {
    let farthest = if seconds < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp(seconds, 0).unwrap_or(farthest)
}
