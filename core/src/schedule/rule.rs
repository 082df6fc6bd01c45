//! From wall times to dates: computes the next date of a rule across clock changes.
//!
//! The result depends only on the given instant, not on earlier calls: the ledger can restart from any stored instant.
//! Instants and wall times are whole seconds, as in [`super::zone`].

use chrono_tz::Tz;

use super::calendar::DaySet;
use super::zone::{DAY, FARTHEST_OFFSET, HOUR, MINUTE, Showing, change_between, first_showing, offset_at};

/// A fixed schedule has no dates for the wall times in a gap of at least this length.
pub(super) const LONG_GAP: i64 = 3 * HOUR;

/// Later days are outside the supported years in every zone.
const LAST_DAY: i64 = 48_000;

/// The rule of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateRule {
    /// Every instant whose wall time matches.
    Wildcard(DaySet, TimeSet),
    /// The first occurrence of every matching wall time.
    Fixed(DaySet, TimeSet),
    /// Every N seconds of elapsed time since 1970-01-01T00:00Z.
    Grid(i64),
    /// Every `step` local days from `anchor` on and before it (days since 1970-01-01), at a second of the day; otherwise
    /// like a fixed schedule.
    Days { step: i64, anchor: i64, time: i64 },
    /// No dates.
    Never,
}

/// The minute and hour fields of a crontab. Bit n stands for the value n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeSet {
    /// Minutes, 0 to 59.
    pub(super) minutes: u64,
    /// Hours, 0 to 23.
    pub(super) hours: u32,
}

/// A period without clock changes in it or shortly before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calm {
    offset: i64,
    /// The first instant after the period.
    until: i64,
}

impl TimeSet {
    /// Returns the first minute of the day in the set at or after `minute`.
    pub(super) fn first_from(self, minute: i64) -> Option<i64> {
        let (hour, minute) = (minute / 60, minute % 60);
        if hour > 23 {
            return None;
        }
        let minutes = self.minutes >> minute;
        if self.hours >> hour & 1 == 1 && minutes != 0 {
            return Some(hour * 60 + minute + i64::from(minutes.trailing_zeros()));
        }
        let hours = self.hours >> hour >> 1;
        if hours == 0 {
            return None;
        }
        Some((hour + 1 + i64::from(hours.trailing_zeros())) * 60 + i64::from(self.minutes.trailing_zeros()))
    }
}

impl DateRule {
    /// Returns the first date after `after`, if there is one.
    pub(super) fn next_after(&self, after: i64, zone: Tz) -> Option<i64> {
        match self {
            Self::Grid(step) => Some((after.div_euclid(*step) + 1) * step),
            Self::Wildcard(..) => self.next_wildcard(after, zone),
            Self::Fixed(..) | Self::Days { .. } => self.next_fixed(after, zone),
            Self::Never => None,
        }
    }

    /// Like [`DateRule::next_after`]. `calm` caches the offset between calls of an enumeration.
    pub(super) fn next_of_many(&self, after: i64, zone: Tz, calm: &mut Option<Calm>) -> Option<i64> {
        if let Self::Grid(_) | Self::Never = self {
            return self.next_after(after, zone);
        }
        if calm.is_none_or(|calm| after >= calm.until) {
            let until = after + 4 * DAY;
            let changes = change_between(zone, after - DAY, until).is_some();
            *calm = (!changes).then(|| Calm { offset: offset_at(zone, after), until });
        }
        // Every wall time occurs exactly once here, so both kinds of schedule have the same dates.
        if let Some(Calm { offset, until }) = *calm
            && let Some(wall) = self.next_wall(after + offset)
            && wall - offset < until
        {
            return Some(wall - offset);
        }
        self.next_after(after, zone)
    }

    /// Returns the first matching wall time after `wall`.
    fn next_wall(&self, wall: i64) -> Option<i64> {
        let minute = wall.div_euclid(MINUTE) + 1;
        let day = minute.div_euclid(DAY / MINUTE);
        match self {
            Self::Wildcard(days, times) | Self::Fixed(days, times) => {
                if day > LAST_DAY {
                    return None;
                }
                let first = days.first_from(day)?;
                let today = if first == day { times.first_from(minute.rem_euclid(DAY / MINUTE)) } else { None };
                if let Some(time) = today {
                    return Some(day * DAY + time * MINUTE);
                }
                let day = if first == day { days.first_from(day + 1)? } else { first };
                Some(day * DAY + times.first_from(0)? * MINUTE)
            }
            Self::Days { step, anchor, time } => {
                let reached = (minute * MINUTE - time + DAY - 1).div_euclid(DAY);
                let day = anchor + (reached - anchor + step - 1).div_euclid(*step) * step;
                (day <= LAST_DAY).then_some(day * DAY + time)
            }
            Self::Grid(_) | Self::Never => None,
        }
    }

    /// For each matching wall time, its first occurrence; if a short gap skips it, the first instant after the gap.
    fn next_fixed(&self, after: i64, zone: Tz) -> Option<i64> {
        // Wall times up to the one at `after` belong to dates that are not later.
        let mut wall = after + offset_at(zone, after);
        loop {
            wall = self.next_wall(wall)?;
            match first_showing(zone, wall) {
                Showing::At(instant) if instant > after => return Some(instant),
                // The clock was set back: this is a second occurrence.
                Showing::At(_) => {}
                Showing::Swallowed { change, gap, .. } if gap < LONG_GAP && change > after => return Some(change),
                Showing::Swallowed { resumes, .. } => wall = resumes - 1,
            }
        }
    }

    /// All instants whose wall time matches: iterates over clock changes.
    fn next_wildcard(&self, after: i64, zone: Tz) -> Option<i64> {
        let mut from = after;
        let mut offset = offset_at(zone, from);
        let mut wall = from + offset;
        loop {
            let next = self.next_wall(wall);
            let instant = next.map(|next| next - offset);
            if let Some(instant) = instant
                && instant - from <= DAY
                && offset_at(zone, instant) == offset
            {
                return Some(instant);
            }
            if let Some(change) = change_between(zone, from, from + DAY) {
                if instant.is_some_and(|instant| instant < change) {
                    return instant;
                }
                from = change;
                offset = offset_at(zone, from);
                // The wall time at the change itself can match, too.
                wall = from + offset - 1;
            } else {
                // No clock changes within a day, and a later change repeats less than a day: the next match is not a wall
                // time of today, so the search can continue shortly before the next matching one.
                from = (from + DAY).max(next? - FARTHEST_OFFSET);
                offset = offset_at(zone, from);
                wall = from + offset;
            }
        }
    }
}
