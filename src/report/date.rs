//! Dates as users type them.
//!
//! A day and a wall time mean nothing without the zone of a job, so that reading one takes two steps: its form, when
//! the command line is read, and its instants, once the job is known.

use std::str::FromStr;

use chrono::offset::LocalResult;
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use crate::schedule::{self, TICK};

/// A date as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateArgument {
    /// All dates of a day of the job's zone.
    Day(NaiveDate),
    /// A time on the clock of the job's zone.
    Wall(NaiveDateTime),
    /// One instant.
    Instant(DateTime<Utc>),
}

/// Why a text is no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DateArgumentError {
    #[error(
        "write a day (`2026-11-03`), a time of the job's zone (`2026-11-03T02:30`) or an instant (`2026-11-03T01:30:00Z`)"
    )]
    Form,
    #[error("there is no such day: the month has {days} days")]
    Day { days: u32 },
    #[error("there is no such month")]
    Month,
}

/// Why a date that was typed is not one date of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// The clock of the zone jumped over it.
    #[error("no clock of `{zone}` ever showed {wall}: it was set forward there")]
    Swallowed {
        zone: Tz,
        /// What was typed.
        wall: NaiveDateTime,
    },
    /// The clock of the zone jumped over all of it.
    #[error("no clock of `{zone}` ever showed the day {day}: it was set forward over it")]
    SwallowedDay {
        zone: Tz,
        /// What was typed.
        day: NaiveDate,
    },
}

impl DateArgument {
    /// The first instant that is meant: the start of a day, the first showing of a wall time; of what no clock showed,
    /// when the clock was set forward. For the ends of a range.
    #[must_use]
    pub fn instant(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Instant(instant) => instant,
            Self::Day(day) => schedule::day_start(day, zone),
            Self::Wall(wall) => schedule::wall_start(wall, zone),
        }
    }

    /// The local time at which a day begins, or that is meant; none for an instant.
    #[must_use]
    pub fn local(self) -> Option<NaiveDateTime> {
        match self {
            Self::Instant(_) => None,
            Self::Day(day) => Some(day.and_time(NaiveTime::MIN)),
            Self::Wall(wall) => Some(wall),
        }
    }

    /// The instants that may be meant: from the first on, and before the second.
    ///
    /// # Errors
    /// A wall time, or a day, that the zone never showed.
    pub fn range(self, zone: Tz) -> Result<(DateTime<Utc>, DateTime<Utc>), ChoiceError> {
        match self {
            Self::Instant(instant) => Ok((instant, instant + TICK)),
            Self::Day(day) => {
                let next = day.succ_opt().unwrap_or(day);
                // A clock that is set back shortly after midnight shows the end of the day once more.
                let again = zone.from_local_datetime(&next.and_time(NaiveTime::MIN)).latest();
                let (start, end) = (schedule::day_start(day, zone), schedule::day_start(next, zone));
                if start == end && next > day {
                    return Err(ChoiceError::SwallowedDay { zone, day });
                }
                Ok((start, again.map_or(end, |again| end.max(again.to_utc()))))
            }
            Self::Wall(wall) => match zone.from_local_datetime(&wall) {
                LocalResult::Single(at) => Ok((at.to_utc(), at.to_utc() + TICK)),
                LocalResult::Ambiguous(first, second) => Ok((first.to_utc(), second.to_utc() + TICK)),
                LocalResult::None => Err(ChoiceError::Swallowed { zone, wall }),
            },
        }
    }

    /// Says whether `date` is among what is meant; [`DateArgument::range`] is wider where a clock was set back.
    #[must_use]
    pub fn means(self, date: DateTime<Utc>, zone: Tz) -> bool {
        match self {
            Self::Instant(instant) => date == instant,
            Self::Day(day) => date.with_timezone(&zone).date_naive() == day,
            Self::Wall(wall) => date.with_timezone(&zone).naive_local() == wall,
        }
    }
}

/// Reads the form of a date; also the one that our tables have.
impl FromStr for DateArgument {
    type Err = DateArgumentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some(day) = day(text) {
            return day.map(Self::Day);
        }
        let (stamp, offset) = split_offset(text);
        // RFC 3339 allows a small one.
        let stamp = stamp.replacen('t', "T", 1);
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
        let wall = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(stamp.trim_end(), format).ok());
        // A leap second is none of the instants that we count.
        let is_counted = |wall: &NaiveDateTime| (0..=9999).contains(&wall.year()) && wall.nanosecond() < 1_000_000_000;
        let wall = wall.filter(is_counted).ok_or(DateArgumentError::Form)?;
        match offset {
            None => Ok(Self::Wall(wall)),
            Some(offset) => {
                let offset: FixedOffset = offset.parse().map_err(|_| DateArgumentError::Form)?;
                let instant = wall.and_local_timezone(offset).single().ok_or(DateArgumentError::Form)?;
                Ok(Self::Instant(instant.to_utc()))
            }
        }
    }
}

/// Reads a day, if a text has its form.
fn day(text: &str) -> Option<Result<NaiveDate, DateArgumentError>> {
    let mut numbers = text.split('-').map(|part| part.bytes().all(|byte| byte.is_ascii_digit()).then_some(part));
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if numbers.next().is_some() || [year.len(), month.len(), day.len()] != [4, 2, 2] {
        return None;
    }
    let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let first = NaiveDate::from_ymd_opt(year, month, 1);
    let days = first.map(|first| u32::from(first.num_days_in_month()));
    Some(
        NaiveDate::from_ymd_opt(year, month, day)
            .ok_or_else(|| days.map_or(DateArgumentError::Month, |days| DateArgumentError::Day { days })),
    )
}

/// Splits off `Z` or `+01:00` from the end.
fn split_offset(text: &str) -> (&str, Option<&str>) {
    if let Some(stamp) = text.strip_suffix(['Z', 'z']) {
        return (stamp, Some("+00:00"));
    }
    let Some(place) = text.len().checked_sub(6) else { return (text, None) };
    match text.get(place..) {
        Some(offset) if offset.starts_with(['+', '-']) && offset.as_bytes()[3] == b':' => {
            (&text[..place], Some(offset))
        }
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::schedule::Timetable;
    use crate::text::in_zone;

    const BERLIN: Tz = chrono_tz::Europe::Berlin;

    fn read(text: &str) -> DateArgument {
        text.parse().expect("a date")
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    /// The dates of a timetable that a text means.
    fn of(text: &str, timetable: &Timetable) -> String {
        let (date, zone) = (read(text), timetable.zone());
        let (from, to) = match date.range(zone) {
            Ok(range) => range,
            Err(error) => return error.to_string(),
        };
        let dates = timetable.dates(from, to).map_while(Result::ok).filter(|at| date.means(*at, zone));
        dates.map(|at| in_zone(at, zone)).collect::<Vec<_>>().join(", ")
    }

    fn timetable(crontab: &str) -> Timetable {
        let schedule = schedule::Schedule::crontab(crontab, BERLIN).expect("a crontab");
        Timetable::new(schedule, None, None, Duration::ZERO)
    }

    #[test]
    fn dates_have_three_forms() {
        let instant = DateArgument::Instant(utc("2026-11-03T01:30:00Z"));
        for text in [
            "2026-11-03T01:30:00Z",
            "2026-11-03T02:30:00+01:00",
            "2026-11-03 02:30 +01:00",
            "2026-11-03T01:30Z",
            "2026-11-02T23:00-02:30",
            "2026-11-03t01:30:00z",
        ] {
            assert_eq!(read(text), instant, "{text}");
        }
        let wall = NaiveDate::from_ymd_opt(2026, 11, 3).and_then(|day| day.and_hms_opt(2, 30, 0)).expect("a time");
        for text in ["2026-11-03T02:30", "2026-11-03 02:30:00"] {
            assert_eq!(read(text), DateArgument::Wall(wall), "{text}");
        }
        assert_eq!(read("2026-11-03"), DateArgument::Day(wall.date()));
        for wrong in [
            "",
            "yesterday",
            "2026-11-3",
            "-123-11-03",
            "2026-11-03T",
            "2026-11-03T25:00",
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60",
            "1700000000",
            "é:+00:00",
        ] {
            assert_eq!(wrong.parse::<DateArgument>(), Err(DateArgumentError::Form), "{wrong}");
        }
        for (wrong, error) in [
            ("2026-11-31", DateArgumentError::Day { days: 30 }),
            ("2026-02-29", DateArgumentError::Day { days: 28 }),
            ("2026-13-01", DateArgumentError::Month),
        ] {
            assert_eq!(wrong.parse::<DateArgument>(), Err(error), "{wrong}");
        }
        for wrong in ["2026-11-03T02:30+0100", "2026-11-03T02:30+25:00", "2026-11-03T02:30+aa:00"] {
            assert_eq!(wrong.parse::<DateArgument>(), Err(DateArgumentError::Form), "{wrong}");
        }
    }

    #[test]
    fn a_day_is_its_date() {
        let daily = timetable("30 2 * * *");
        assert_eq!(of("2026-11-03", &daily), "2026-11-03T02:30:00+01:00");
        assert_eq!(of("2026-11-03T02:30", &daily), "2026-11-03T02:30:00+01:00");
        assert_eq!(of("2026-11-03T04:00", &daily), "");
        assert_eq!(of("2026-11-03", &timetable("0 0 * * MON")), "");
        assert_eq!(
            of("2026-11-03", &timetable("0 */8 * * *")),
            "2026-11-03T00:00:00+01:00, 2026-11-03T08:00:00+01:00, 2026-11-03T16:00:00+01:00"
        );
    }

    #[test]
    fn a_repeated_hour_is_asked_about_and_a_swallowed_one_refused() {
        let hourly = timetable("30 * * * *");
        assert_eq!(of("2026-10-25T02:30", &hourly), "2026-10-25T02:30:00+02:00, 2026-10-25T02:30:00+01:00");
        assert_eq!(of("2026-10-25T02:30", &timetable("30 2 * * *")), "2026-10-25T02:30:00+02:00");
        assert_eq!(
            of("2026-03-29T02:30", &hourly),
            "no clock of `Europe/Berlin` ever showed 2026-03-29 02:30:00: it was set forward there"
        );
    }

    #[test]
    fn what_no_clock_showed_ends_a_range_when_the_clock_was_set_forward() {
        let instant = |text: &str, zone: Tz| in_zone(read(text).instant(zone), zone);
        assert_eq!(instant("2026-03-29T01:59", BERLIN), "2026-03-29T01:59:00+01:00");
        for swallowed in ["2026-03-29T02:00", "2026-03-29T02:30", "2026-03-29T02:59:59.5", "2026-03-29T03:00"] {
            assert_eq!(instant(swallowed, BERLIN), "2026-03-29T03:00:00+02:00", "{swallowed}");
        }
        assert_eq!(instant("2026-03-29T03:00:00.5", BERLIN), "2026-03-29T03:00:00.500+02:00");
        assert_eq!(instant("2026-10-25T02:30", BERLIN), "2026-10-25T02:30:00+02:00");
        let apia = chrono_tz::Pacific::Apia;
        for swallowed in ["2011-12-30", "2011-12-30T12:00", "2011-12-31"] {
            assert_eq!(instant(swallowed, apia), "2011-12-31T00:00:00+14:00", "{swallowed}");
        }
        assert_eq!(
            read("2011-12-30").range(apia).unwrap_err().to_string(),
            "no clock of `Pacific/Apia` ever showed the day 2011-12-30: it was set forward over it"
        );
        assert!(read("2011-12-29").range(apia).is_ok());
        assert!(read("9999-12-31").range(apia).is_ok());
    }

    #[test]
    fn a_day_whose_end_comes_once_more_has_all_its_dates() {
        // At 00:01 of the 7th the clock went back to 23:01 of the 6th.
        let zone = chrono_tz::America::Goose_Bay;
        let daily = schedule::Schedule::crontab("30 23 * * *", zone).expect("a crontab");
        let twice = schedule::Schedule::crontab("30 */23 * * *", zone).expect("a crontab");
        let [daily, twice] = [daily, twice].map(|schedule| Timetable::new(schedule, None, None, Duration::ZERO));
        assert_eq!(of("2010-11-06", &daily), "2010-11-06T23:30:00-03:00");
        assert_eq!(
            of("2010-11-06", &twice),
            "2010-11-06T00:30:00-03:00, 2010-11-06T23:30:00-03:00, 2010-11-06T23:30:00-04:00"
        );
        assert_eq!(of("2010-11-07", &twice), "2010-11-07T00:30:00-04:00, 2010-11-07T23:30:00-04:00");
    }
}
