//! Dependencies: which dates of another job must be settled before a date may start.
//!
//! Days, weeks, months and years are calendar periods in the zone of the dependent job, so that they stay correct across
//! clock changes. Nothing here knows which dates have run.

use chrono::offset::LocalResult;
use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use super::name::JobName;
use crate::schedule::{TICK, day_start};
use crate::text::words;

/// One entry of `depends_on`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The other job.
    pub job: JobName,
    /// Only its dates within this period around the date; if absent, all dates up to it.
    pub covers: Option<Period>,
    /// Shifts the date first.
    pub offset: Offset,
    /// Failed and held dates count as settled.
    pub ignore_failure: bool,
}

words! {
    /// A calendar period.
    Period {
        /// A calendar hour.
        Hour => "hour",
        Day => "day",
        /// From Monday to Sunday.
        Week => "week",
        Month => "month",
        Year => "year",
    }
}

/// A shift of a date: first by calendar days, at the same time of day, then by elapsed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offset {
    /// Calendar days; negative for the past.
    pub days: i32,
    /// Elapsed seconds; negative for the past.
    pub seconds: i64,
}

/// Which dates of another job must be settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first instant; absent if there is no lower bound.
    pub from: Option<DateTime<Utc>>,
    /// The last instant, inclusive.
    pub until: DateTime<Utc>,
}

impl Dependency {
    /// The dependency for a bare name in `depends_on`: on all dates up to the same one.
    #[must_use]
    pub fn on(job: JobName) -> Self {
        Self { job, covers: None, offset: Offset::default(), ignore_failure: false }
    }

    /// Which dates of the other job must be settled before `date` may start. Days are days of `zone`.
    ///
    /// A later date never needs fewer dates of the other job.
    #[must_use]
    pub fn span(&self, date: DateTime<Utc>, zone: Tz) -> Span {
        let date = self.offset.applied(date, zone);
        match self.covers {
            None => Span { from: None, until: date },
            Some(period) => {
                let (from, end) = bounds(period, date, zone);
                Span { from: Some(from), until: end - TICK }
            }
        }
    }
}

impl From<JobName> for Dependency {
    fn from(job: JobName) -> Self {
        Self::on(job)
    }
}

impl Offset {
    fn applied(self, date: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        let moved = if self.days == 0 { date } else { moved_days(date, self.days, zone) };
        moved.checked_add_signed(Duration::seconds(self.seconds)).unwrap_or(moved)
    }
}

/// The same time of day some days away; if the clock skips that time, the first instant after the gap.
fn moved_days(date: DateTime<Utc>, days: i32, zone: Tz) -> DateTime<Utc> {
    let local = date.with_timezone(&zone).naive_local();
    let count = Days::new(days.unsigned_abs().into());
    let moved = if days < 0 { local.checked_sub_days(count) } else { local.checked_add_days(count) };
    let Some(moved) = moved else { return date };
    match zone.from_local_datetime(&moved) {
        LocalResult::Single(at) => at.to_utc(),
        // The later one, so that no date of the other job is left out.
        LocalResult::Ambiguous(_, later) => later.to_utc(),
        LocalResult::None => {
            let shifted = zone.from_local_datetime(&(moved + TimeDelta::hours(1))).latest();
            shifted.map_or(date + TimeDelta::days(i64::from(days)), |at| at.to_utc())
        }
    }
}

/// The bounds of the period around an instant: its first instant, and the first one after it.
fn bounds(period: Period, at: DateTime<Utc>, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    let local = at.with_timezone(&zone);
    let day = local.date_naive();
    let days = |from: NaiveDate, to: Option<NaiveDate>| {
        let end = to.map_or(DateTime::<Utc>::MAX_UTC, |to| day_start(to, zone));
        (day_start(from, zone), end)
    };
    match period {
        Period::Hour => {
            // In some zones, offsets include parts of an hour. An hour begins when the local minutes are 0.
            let into = TimeDelta::seconds(i64::from(local.minute() * 60 + local.second()))
                + TimeDelta::nanoseconds(i64::from(local.nanosecond()));
            (at - into, at - into + TimeDelta::hours(1))
        }
        Period::Day => days(day, day.succ_opt()),
        Period::Week => {
            let monday = day - TimeDelta::days(i64::from(day.weekday().num_days_from_monday()));
            days(monday, monday.checked_add_days(Days::new(7)))
        }
        Period::Month => {
            let first = day.with_day(1).unwrap_or(day);
            days(first, first.checked_add_months(chrono::Months::new(1)))
        }
        Period::Year => {
            let first = day.with_ordinal(1).unwrap_or(day);
            days(first, first.checked_add_months(chrono::Months::new(12)))
        }
    }
}

/// The first occurrence of a time of day at or after an instant.
#[must_use]
pub fn first_at_or_after(at: DateTime<Utc>, time: NaiveTime, zone: Tz) -> DateTime<Utc> {
    let day = at.with_timezone(&zone).date_naive();
    let shown = |day: NaiveDate| {
        let wall = day.and_time(time);
        let shown = zone.from_local_datetime(&wall).earliest();
        shown.or_else(|| zone.from_local_datetime(&(wall + TimeDelta::hours(1))).earliest())
    };
    let today = shown(day).map(|shown| shown.to_utc()).filter(|shown| *shown >= at);
    today.or_else(|| day.succ_opt().and_then(shown).map(|shown| shown.to_utc())).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn span(covers: Option<Period>, days: i32, seconds: i64, date: &str) -> String {
        let offset = Offset { days, seconds };
        let job = JobName::new("load").unwrap();
        let span = Dependency { job, covers, offset, ignore_failure: false }.span(at(date), chrono_tz::Europe::Berlin);
        let from = span.from.map_or_else(|| "-".to_owned(), |from| from.to_string());
        format!("{from} to {}", span.until)
    }

    #[test]
    fn a_period_is_one_of_the_calendar() {
        let date = "2026-10-25T01:30:00Z";
        let spans = [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Year]
            .map(|period| format!("{} {}", period.word(), span(Some(period), 0, 0, date)));
        insta::assert_snapshot!(spans.join("\n"), @"
        hour 2026-10-25 01:00:00 UTC to 2026-10-25 01:59:59.999999 UTC
        day 2026-10-24 22:00:00 UTC to 2026-10-25 22:59:59.999999 UTC
        week 2026-10-18 22:00:00 UTC to 2026-10-25 22:59:59.999999 UTC
        month 2026-09-30 22:00:00 UTC to 2026-10-31 22:59:59.999999 UTC
        year 2025-12-31 23:00:00 UTC to 2026-12-31 22:59:59.999999 UTC
        ");
    }

    #[test]
    fn yesterday_is_yesterday_whatever_the_clock_did() {
        // Midnight in Berlin after the end of daylight saving time, and after its start.
        assert_eq!(span(None, -1, 0, "2026-10-25T23:00:00Z"), "- to 2026-10-24 22:00:00 UTC");
        assert_eq!(span(None, -1, 0, "2026-03-29T22:00:00Z"), "- to 2026-03-28 23:00:00 UTC");
        assert_eq!(span(None, 0, -3600, "2026-10-25T23:00:00Z"), "- to 2026-10-25 22:00:00 UTC");
        // The clock skipped 02:30 on the day before.
        assert_eq!(span(None, -1, 0, "2026-03-30T00:30:00Z"), "- to 2026-03-29 01:30:00 UTC");
        assert_eq!(
            span(Some(Period::Day), -1, 0, "2026-03-30T00:30:00Z"),
            "2026-03-28 23:00:00 UTC to 2026-03-29 21:59:59.999999 UTC"
        );
    }

    #[test]
    fn what_is_expected_is_expected_once_a_day() {
        let expected = |due: &str| {
            let time = NaiveTime::from_hms_opt(7, 30, 0).unwrap();
            first_at_or_after(at(due), time, chrono_tz::Europe::Berlin).to_string()
        };
        assert_eq!(expected("2026-11-03T00:30:00Z"), "2026-11-03 06:30:00 UTC");
        assert_eq!(expected("2026-11-03T06:30:00Z"), "2026-11-03 06:30:00 UTC");
        assert_eq!(expected("2026-11-03T06:30:01Z"), "2026-11-04 06:30:00 UTC");
    }
}
