//! The grain of a schedule: the periods of which each has one date, so that an edit which keeps the grain neither repeats
//! a period nor loses one.
//!
//! It is read from the schedule's text: `0 6 20 * *` has one date a month, `30 2 * * 1-5` one on each of its days, and
//! each date of `*/10 8-18 * * *` is a period of its own.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;

use super::calendar::DaySet;
use super::rule::{DateRule, TimeSet};
use super::zone::{HOUR, MINUTE};

/// The periods of which each has one date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Calendar years.
    Year,
    /// Calendar months.
    Month,
    /// ISO weeks, from Monday to Sunday.
    Week,
    /// Local days.
    Day,
    /// Every `step` local days, counted from `anchor` (in days since 1970-01-01).
    Days { step: i64, anchor: i64 },
    /// Every so many elapsed seconds.
    Seconds(i64),
    /// Each instant is a period of its own.
    Instant,
}

/// A period of a grain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeriodId(i64);

impl Grain {
    pub(super) fn of(rule: &DateRule) -> Self {
        match rule {
            DateRule::Wildcard(days, times) | DateRule::Fixed(days, times) => of_fields(*days, *times),
            DateRule::Days { step: 1, .. } => Self::Day,
            DateRule::Days { step, anchor, .. } => Self::Days { step: *step, anchor: *anchor },
            DateRule::Grid(MINUTE | HOUR) | DateRule::Never => Self::Instant,
            DateRule::Grid(step) => Self::Seconds(*step),
        }
    }

    /// The period of a date, whose day is that of `zone`.
    #[must_use]
    pub fn period(self, date: DateTime<Utc>, zone: Tz) -> PeriodId {
        let day = || local_day(date, zone);
        let local = || date.with_timezone(&zone);
        PeriodId(match self {
            Self::Year => local().year().into(),
            Self::Month => i64::from(local().year()) * 12 + i64::from(local().month0()),
            // 1970-01-01 was a Thursday.
            Self::Week => (day() + 3).div_euclid(7),
            Self::Day => day(),
            Self::Days { step, anchor } => (day() - anchor).div_euclid(step),
            Self::Seconds(step) => date.timestamp().div_euclid(step),
            Self::Instant => date.timestamp_micros(),
        })
    }

    /// How many days a period is long, at most; 0 if it is shorter than a day.
    #[must_use]
    pub fn days(self) -> i64 {
        match self {
            Self::Year => 366,
            Self::Month => 31,
            Self::Week => 7,
            Self::Day => 1,
            Self::Days { step, .. } => step,
            Self::Seconds(_) | Self::Instant => 0,
        }
    }
}

/// The local day of an instant, in days since 1970-01-01.
pub(super) fn local_day(at: DateTime<Utc>, zone: Tz) -> i64 {
    at.with_timezone(&zone).date_naive().signed_duration_since(NaiveDate::default()).num_days()
}

fn of_fields(days: DaySet, times: TimeSet) -> Grain {
    if times.minutes.count_ones() != 1 || times.hours.count_ones() != 1 {
        return Grain::Instant;
    }
    let (any_day_of_month, any_day_of_week) = days.covers_all_days();
    match (days.days_of_month.count_ones(), days.days_of_week.count_ones(), days.months.count_ones()) {
        (1, _, 1) if any_day_of_week => Grain::Year,
        (1, _, _) if any_day_of_week => Grain::Month,
        (_, 1, _) if any_day_of_month => Grain::Week,
        _ => Grain::Day,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Schedule, Timetable};
    use super::*;

    fn grain(crontab: &str) -> Grain {
        Schedule::crontab(crontab, chrono_tz::UTC).expect("a schedule").grain()
    }

    #[test]
    fn the_grain_is_read_from_the_text() {
        let grains = [
            ("@yearly", Grain::Year),
            ("0 6 24 12 *", Grain::Year),
            ("0 6 20 * *", Grain::Month),
            ("0 6 20 1,4,7,10 *", Grain::Month),
            ("0 6 * * 1", Grain::Week),
            ("0 6 * * mon", Grain::Week),
            ("30 2 * * *", Grain::Day),
            ("30 2 * * 1-5", Grain::Day),
            ("30 2 1,15 * *", Grain::Day),
            ("30 2 13 * 5", Grain::Day),
            ("30 2 13 * */7", Grain::Day),
            ("0 8,20 * * *", Grain::Instant),
            ("0 6,18 20 * *", Grain::Instant),
            ("0 * * * *", Grain::Instant),
            ("*/10 8-18 * * *", Grain::Instant),
        ];
        for (text, expected) in grains {
            assert_eq!(grain(text), expected, "{text}");
        }
        let every = |every: &str, start: Option<&str>| {
            let schedule = Schedule::every(every, None, chrono_tz::UTC).expect("an interval");
            let start = start.map(|start| start.parse().expect("an instant"));
            Timetable::new(schedule, start, None, std::time::Duration::ZERO).schedule.grain()
        };
        assert_eq!([every("1h", None), every("1d", None)], [Grain::Instant, Grain::Day]);
        assert_eq!([every("6h", None), every("90m", None)], [Grain::Seconds(21_600), Grain::Seconds(5_400)]);
        assert_eq!(every("14d", None), Grain::Days { step: 14, anchor: 0 });
        assert_eq!(every("14d", Some("1970-03-02T00:00:00Z")), Grain::Days { step: 14, anchor: 60 });
    }

    #[test]
    fn a_period_is_one_of_the_calendar_in_the_zone() {
        let period = |grain: Grain, date: &str, zone| grain.period(date.parse().expect("an instant"), zone);
        let (utc, berlin) = (chrono_tz::UTC, chrono_tz::Europe::Berlin);
        for (grain, one, same, other) in [
            (Grain::Year, "2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
            (Grain::Month, "2026-11-01T00:00:00Z", "2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z"),
            (Grain::Week, "2026-11-02T00:00:00Z", "2026-11-08T23:59:59Z", "2026-11-09T00:00:00Z"),
            (Grain::Day, "2026-11-02T00:00:00Z", "2026-11-02T23:59:59Z", "2026-11-03T00:00:00Z"),
            (Grain::Seconds(7_200), "2026-11-02T00:00:00Z", "2026-11-02T01:59:59Z", "2026-11-02T02:00:00Z"),
        ] {
            assert_eq!(period(grain, one, utc), period(grain, same, utc), "{grain:?}");
            assert_ne!(period(grain, one, utc), period(grain, other, utc), "{grain:?}");
        }
        let midnight = "2026-11-02T23:00:00Z";
        assert_eq!(period(Grain::Day, midnight, berlin), period(Grain::Day, "2026-11-03T00:00:00Z", utc));
        let window = Grain::Days { step: 14, anchor: 20_514 };
        assert_eq!(period(window, "2026-03-02T06:00:00Z", utc), period(window, "2026-03-15T06:00:00Z", utc));
        assert_ne!(period(window, "2026-03-02T06:00:00Z", utc), period(window, "2026-03-16T06:00:00Z", utc));
    }
}
