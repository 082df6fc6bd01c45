//! Timetables: the dates of a job, which are those of its schedule within bounds, and when each is due.
//!
//! Bounds apply to the date, not to the time it is due. Nothing here knows which dates have run.

pub(super) mod text;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::rule::Calm;
use super::schedule::{DOMAIN_END, DOMAIN_START, Inner, PastDomain, Schedule};
use super::zone::{MINUTE, saturating_instant};

/// The smallest difference between instants.
const NANOSECOND: TimeDelta = TimeDelta::nanoseconds(1);

/// A schedule, its bounds (inclusive) and its delay.
#[derive(Debug, Clone, PartialEq)]
pub struct Timetable {
    pub schedule: Schedule,
    /// The first possible date.
    pub start: Option<DateTime<Utc>>,
    /// The last possible date.
    pub end: Option<DateTime<Utc>>,
    /// How long after itself a date is due.
    pub delay: Duration,
}

impl Timetable {
    /// A date is due `delay` after itself. Every N days are counted from `start`, if there is one.
    #[must_use]
    pub fn new(schedule: Schedule, start: Option<DateTime<Utc>>, end: Option<DateTime<Utc>>, delay: Duration) -> Self {
        let schedule = match start {
            Some(start) => schedule.counted_from(start),
            None => schedule,
        };
        Self { schedule, start, end, delay }
    }

    /// The same timetable without its lower bound.
    #[must_use]
    pub fn without_start(&self) -> Self {
        Self { start: None, ..self.clone() }
    }

    /// The zone of the schedule.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.schedule.zone()
    }

    /// Returns the first date after `after`, or None after `end` and for an empty schedule.
    ///
    /// # Errors
    /// If there is no such date in the supported years, and `end` is not the cause.
    pub fn next_after(&self, after: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, PastDomain> {
        if self.schedule.is_none() || self.end.is_some_and(|end| after >= end) {
            return Ok(None);
        }
        match self.schedule.next_after(self.not_before_start(after)) {
            Ok(date) if self.end.is_some_and(|end| date > end) => Ok(None),
            Ok(date) => Ok(Some(date)),
            Err(_) if self.end.is_some_and(|end| end < saturating_instant(DOMAIN_END)) => Ok(None),
            Err(past) => Err(past),
        }
    }

    /// Returns when a date is due: the date plus the delay, or the last possible instant.
    #[must_use]
    pub fn due(&self, date: DateTime<Utc>) -> DateTime<Utc> {
        let delay = TimeDelta::from_std(self.delay).ok();
        delay.and_then(|delay| date.checked_add_signed(delay)).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Returns the last date before `before`, or None if there is none since `start` and 1973.
    ///
    /// It calls [`Schedule::next_after`] a few dozen times, however far back the date is.
    #[must_use]
    pub fn previous_before(&self, before: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.schedule.is_none() {
            return None;
        }
        let before = self.end.and_then(|end| end.checked_add_signed(NANOSECOND)).map_or(before, |end| before.min(end));
        let before = before.min(saturating_instant(DOMAIN_END));
        // Dates are whole seconds: `last` is the last possible one.
        let last = before.checked_sub_signed(NANOSECOND)?.timestamp();
        let first = self.start.map_or(DOMAIN_START, |start| ceiling(start).max(DOMAIN_START));
        let mut window = 2 * MINUTE;
        let mut found = loop {
            let from = (last - window).max(first - 1);
            if from >= last {
                return None;
            }
            match self.schedule.next_after_second(from) {
                Ok(date) if date <= last => break date,
                _ if from < first => return None,
                _ => window = window.saturating_mul(4),
            }
        };
        // Bisect between a date and `last`.
        let mut none_after = last;
        while found < none_after {
            let middle = found + (none_after - found) / 2;
            match self.schedule.next_after_second(middle) {
                Ok(date) if date <= last => found = date,
                _ => none_after = middle,
            }
        }
        Some(saturating_instant(found))
    }

    /// Returns the newest date that is due at `now`.
    #[must_use]
    pub fn newest_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let delay = TimeDelta::from_std(self.delay).ok()?;
        let newest = now.checked_sub_signed(delay)?;
        self.previous_before(newest.checked_add_signed(NANOSECOND).unwrap_or(newest))
    }

    /// Returns the dates from `from` until before `to`, ascending.
    ///
    /// The last item is an error if the supported years end before `to`.
    #[must_use]
    pub fn dates(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Dates<'_> {
        let first = self.start.map_or(from, |start| start.max(from));
        let before_to = to.checked_sub_signed(NANOSECOND).unwrap_or(to);
        let last = self.end.map_or(before_to, |end| end.min(before_to));
        let over = from >= to || first > last || self.schedule.is_none();
        let after = (ceiling(first) - 1).max(DOMAIN_START - 1);
        Dates { schedule: &self.schedule, after, last: last.timestamp(), over, calm: None }
    }

    /// Says whether `date` is a date of the job.
    #[must_use]
    pub fn includes(&self, date: DateTime<Utc>) -> bool {
        self.start.is_none_or(|start| start <= date)
            && self.end.is_none_or(|end| date <= end)
            && self.schedule.includes(date)
    }

    /// Returns `after`, or the last instant before `start`, whichever is later.
    fn not_before_start(&self, after: DateTime<Utc>) -> DateTime<Utc> {
        let before_start = self.start.map(|start| start.checked_sub_signed(NANOSECOND).unwrap_or(start));
        before_start.map_or(after, |before_start| before_start.max(after))
    }
}

/// Rounds up to whole seconds.
fn ceiling(instant: DateTime<Utc>) -> i64 {
    instant.timestamp() + i64::from(instant.timestamp_subsec_nanos() > 0)
}

/// An iterator over the dates of a timetable: see [`Timetable::dates`].
#[derive(Debug, Clone)]
pub struct Dates<'timetable> {
    schedule: &'timetable Schedule,
    /// The last second that was examined.
    after: i64,
    /// The last second that can be a date.
    last: i64,
    over: bool,
    calm: Option<Calm>,
}

impl Iterator for Dates<'_> {
    type Item = Result<DateTime<Utc>, PastDomain>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let Inner { rule, zone, .. } = &*self.schedule.0;
        match rule.next_of_many(self.after, *zone, &mut self.calm) {
            Some(date) if date <= self.last && date < DOMAIN_END => {
                self.after = date;
                Some(Ok(saturating_instant(date)))
            }
            _ => {
                self.over = true;
                (self.last >= DOMAIN_END).then_some(Err(PastDomain(())))
            }
        }
    }
}
