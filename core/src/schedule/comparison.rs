//! Where the dates of two schedules lie in different periods: seldom anywhere but at the ends, if only the time of day or
//! the zone of a schedule was edited. So a long past needs no walk over all its dates.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::calendar::DaySet;
use super::rule::{DateRule, LONG_GAP};
use super::schedule::Schedule;
use super::zone::{DAY, HOUR, change_between, offset_at, saturating_instant};

/// Clock changes are farther apart, in every zone.
const STEP: i64 = 6 * DAY;

/// The local days of a rule that has one time of day.
#[derive(PartialEq, Eq)]
enum Days {
    Every { step: i64, anchor: i64 },
    Set(DaySet),
}

impl Schedule {
    /// Spans of `from..=to`, in no order: outside of them, each date of this schedule is in a period of a date of `former`.
    /// Both have the same grain, and `around` is how far two dates of a period can be apart.
    #[must_use]
    pub(crate) fn spans_unlike(
        &self,
        former: &Self,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        around: TimeDelta,
    ) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let seconds = (from.timestamp(), to.timestamp());
        if self.has_dates_of(former, seconds) {
            return Vec::new();
        }
        let have_same_days = days(&self.0.rule).is_some_and(|own| days(&former.0.rule) == Some(own));
        if self.grain().days() == 0 || !have_same_days {
            return vec![(from, to)];
        }
        let changes = [self.0.zone, former.0.zone].into_iter().flat_map(|zone| unusual_changes(zone, seconds));
        let around_changes = changes.map(saturating_instant).map(|change| (change - around, change + around));
        let ends = [(from, from + around), (to - around, to)];
        let within = |(begin, end): (DateTime<Utc>, DateTime<Utc>)| (begin.max(from), end.min(to));
        ends.into_iter().chain(around_changes).map(within).collect()
    }

    /// Whether both schedules have the same dates in a span.
    fn has_dates_of(&self, former: &Self, span: (i64, i64)) -> bool {
        let (own, other) = (&self.0, &former.0);
        if own.rule != other.rule {
            return false;
        }
        let is_hourly = match own.rule {
            DateRule::Grid(_) | DateRule::Never => return true,
            DateRule::Wildcard(days, times) => days.is_every_day() && times.hours.count_ones() == 24,
            DateRule::Fixed(..) | DateRule::Days { .. } => false,
        };
        let has_whole_hours = |zone: Tz| offsets(zone, span).all(|(_, offset)| offset % HOUR == 0);
        own.zone == other.zone || (is_hourly && has_whole_hours(own.zone) && has_whole_hours(other.zone))
    }
}

/// The days of a rule that has a date on each, except where a clock change swallows the day.
fn days(rule: &DateRule) -> Option<Days> {
    match rule {
        DateRule::Fixed(days, _) if days.is_every_day() => Some(Days::Every { step: 1, anchor: 0 }),
        DateRule::Fixed(days, _) => Some(Days::Set(*days)),
        DateRule::Days { step: 1, .. } => Some(Days::Every { step: 1, anchor: 0 }),
        DateRule::Days { step, anchor, .. } => Some(Days::Every { step: *step, anchor: *anchor }),
        DateRule::Wildcard(..) | DateRule::Grid(_) | DateRule::Never => None,
    }
}

/// The offset at the beginning of a span, and at each of its clock changes.
fn offsets(zone: Tz, (from, to): (i64, i64)) -> impl Iterator<Item = (i64, i64)> {
    let steps = (from..=to).step_by(usize::try_from(STEP).unwrap_or(usize::MAX));
    let changes = steps.filter_map(move |at| change_between(zone, at, at + STEP));
    std::iter::once(from).chain(changes).map(move |at| (at, offset_at(zone, at)))
}

/// The clock changes that can move a date to another day, or leave a day without one.
fn unusual_changes(zone: Tz, span: (i64, i64)) -> impl Iterator<Item = i64> {
    let mut before = offset_at(zone, span.0);
    offsets(zone, span).skip(1).filter_map(move |(change, after)| {
        let (last, first) = (change - 1 + before, change + after);
        let gap = after - before;
        before = after;
        (gap >= LONG_GAP || last.div_euclid(DAY) != first.div_euclid(DAY)).then_some(change)
    })
}
