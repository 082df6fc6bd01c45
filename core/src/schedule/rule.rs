//! From wall times to dates: the next date of a rule, across every clock change.
//!
//! The answer depends on the given instant alone, never on what was asked before: the ledger restarts from any stored
//! instant. Instants and wall times are whole seconds, as in [`super::zone`].

use chrono_tz::Tz;

use super::calendar::DaySet;
use super::zone::{DAY, FARTHEST_OFFSET, HOUR, MINUTE, Showing, change_between, first_showing, offset_at};

/// A gap this long or longer swallows the wall times of a fixed schedule for good.
const LONG_GAP: i64 = 3 * HOUR;

/// No day after this one is asked for: it lies beyond the domain in every zone.
const LAST_DAY: i64 = 48_000;

/// What gives a schedule its dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Every instant whose wall time matches.
    Wildcard(DaySet, TimeSet),
    /// The first showing of every matching wall time.
    Fixed(DaySet, TimeSet),
    /// Every so many seconds of elapsed time, from 1970-01-01T00:00Z.
    Grid(i64),
    /// Every so many local days from 1970-01-01, at a second of the day, as a fixed schedule.
    Days(i64, i64),
    /// Not at all.
    Never,
}

/// What the minute and the hour field of a crontab name. Bit n stands for the value n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeSet {
    /// Minutes, 0 to 59.
    pub(super) minutes: u64,
    /// Hours, 0 to 23.
    pub(super) hours: u32,
}

/// A stretch of time in which the clock does not change, nor shortly before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calm {
    offset: i64,
    /// The first instant of which this is not known.
    until: i64,
}

impl TimeSet {
    /// Returns the first minute of the day in the set, from `minute` on.
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

impl Rule {
    /// Returns the least date after `after`, if there is any that a calendar knows.
    pub(super) fn next_after(&self, after: i64, zone: Tz) -> Option<i64> {
        match self {
            Self::Grid(step) => Some((after.div_euclid(*step) + 1) * step),
            Self::Wildcard(..) => self.next_wildcard(after, zone),
            Self::Fixed(..) | Self::Days(..) => self.next_fixed(after, zone),
            Self::Never => None,
        }
    }

    /// Returns what [`Rule::next_after`] does, remembering in `calm` what spares an enumeration most of the questions.
    pub(super) fn next_of_many(&self, after: i64, zone: Tz, calm: &mut Option<Calm>) -> Option<i64> {
        if let Self::Grid(_) | Self::Never = self {
            return self.next_after(after, zone);
        }
        if calm.is_none_or(|calm| after >= calm.until) {
            let until = after + 4 * DAY;
            let changes = change_between(zone, after - DAY, until).is_some();
            *calm = (!changes).then(|| Calm { offset: offset_at(zone, after), until });
        }
        // No wall time is repeated or swallowed here, so that both kinds of schedule have every matching one once.
        if let Some(Calm { offset, until }) = *calm
            && let Some(wall) = self.next_wall(after + offset)
            && wall - offset < until
        {
            return Some(wall - offset);
        }
        self.next_after(after, zone)
    }

    /// Returns the least matching wall time after `wall`.
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
            Self::Days(step, time) => {
                let reached = (minute * MINUTE - time + DAY - 1).div_euclid(DAY);
                let day = (reached + step - 1).div_euclid(*step) * step;
                (day <= LAST_DAY).then_some(day * DAY + time)
            }
            Self::Grid(_) | Self::Never => None,
        }
    }

    /// For each matching wall time, the first instant that shows it; if a short gap swallowed it, the first after that.
    fn next_fixed(&self, after: i64, zone: Tz) -> Option<i64> {
        // Whatever the clock shows at `after`, or has shown before, belongs to a date that is not later.
        let mut wall = after + offset_at(zone, after);
        loop {
            wall = self.next_wall(wall)?;
            match first_showing(zone, wall) {
                Showing::At(instant) if instant > after => return Some(instant),
                // Shown before the clock was set back, and now once more.
                Showing::At(_) => {}
                Showing::Swallowed { change, gap, .. } if gap < LONG_GAP && change > after => return Some(change),
                Showing::Swallowed { resumes, .. } => wall = resumes - 1,
            }
        }
    }

    /// Exactly the instants whose wall time matches: walks from one clock change to the next.
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
                // The wall time at the change itself counts too.
                wall = from + offset - 1;
            } else {
                // No clock changes within a day, and a later change repeats less than a day: whatever matches next
                // is no wall time of today's, so that the search may go on shortly before the next matching one.
                from = (from + DAY).max(next? - FARTHEST_OFFSET);
                offset = offset_at(zone, from);
                wall = from + offset;
            }
        }
    }
}
