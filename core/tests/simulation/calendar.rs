//! Which dates a job has, as the promise says it: minute by minute and day by day, with nothing of the code under test.

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use std::time::Duration;

use crontabber_core::job::{Dependency, Period};
use crontabber_core::schedule::{Schedule, Timetable};

/// An instant.
pub(crate) type At = DateTime<Utc>;

/// The longest gap that swallows no date: a shorter one only moves it.
const GAP_MINUTES: i64 = 180;

/// When a job has its dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// No schedule: others start it.
    None,
    /// `*/N * * * *`
    Minutes(u32),
    /// `M */N * * *`
    Hours(u32, u32),
    /// `M H * * *`
    Daily(u32, u32),
    /// `M H * * D`
    Weekly(u32, u32, u32),
    /// `M H D * *`
    Monthly(u32, u32, u32),
    /// `every = "Nm"`
    Grid(u32),
    /// `every = "Nd"`, `at = "H:M"`
    Days(u32, u32, u32),
}

/// The dates of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Calendar {
    pub(crate) rule: Rule,
    pub(crate) zone: Tz,
    /// On a whole second.
    pub(crate) start: Option<At>,
    /// On a whole second.
    pub(crate) end: Option<At>,
    pub(crate) delay: TimeDelta,
    /// The day that every N days are counted from, if it is not that of the start.
    pub(crate) counted_from: Option<NaiveDate>,
}

impl Calendar {
    /// The same for the production code.
    pub(crate) fn timetable(&self) -> Timetable {
        let crontab = |text: String| Schedule::crontab(&text, self.zone).expect("a crontab");
        let every =
            |text: String, at: Option<String>| Schedule::every(&text, at.as_deref(), self.zone).expect("an interval");
        let schedule = match self.rule {
            Rule::None => Schedule::none(self.zone),
            Rule::Minutes(step) => crontab(format!("*/{step} * * * *")),
            Rule::Hours(step, minute) => crontab(format!("{minute} */{step} * * *")),
            Rule::Daily(hour, minute) => crontab(format!("{minute} {hour} * * *")),
            Rule::Weekly(day, hour, minute) => crontab(format!("{minute} {hour} * * {day}")),
            Rule::Monthly(day, hour, minute) => crontab(format!("{minute} {hour} {day} * *")),
            Rule::Grid(minutes) => every(format!("{minutes}m"), None),
            Rule::Days(step, hour, minute) => every(format!("{step}d"), Some(format!("{hour:02}:{minute:02}"))),
        };
        Timetable::new(schedule, self.start, self.end, self.delay.to_std().unwrap_or(Duration::ZERO))
    }

    pub(crate) fn due(&self, date: At) -> At {
        date + self.delay
    }

    /// Says whether it is one of the dates.
    pub(crate) fn includes(&self, date: At) -> bool {
        self.next(date - TimeDelta::microseconds(1)) == Some(date)
    }

    /// The same with the dates that it would have had before its start.
    pub(crate) fn unbounded(&self) -> Self {
        Self { start: None, counted_from: Some(self.anchor()), ..self.clone() }
    }

    /// The day that every N days are counted from.
    pub(crate) fn anchor(&self) -> NaiveDate {
        let of_start = || self.start.map_or_else(NaiveDate::default, |start| self.wall(start).date());
        self.counted_from.unwrap_or_else(of_start)
    }

    /// How many days a day is after that one.
    pub(crate) fn number_of(&self, day: NaiveDate) -> i64 {
        day.signed_duration_since(self.anchor()).num_days()
    }

    /// The dates after one instant and up to another.
    pub(crate) fn between(&self, after: At, until: At) -> impl Iterator<Item = At> {
        let mut after = after;
        std::iter::from_fn(move || {
            after = self.next(after).filter(|date| *date <= until)?;
            Some(after)
        })
    }

    /// The first date after `after`.
    pub(crate) fn next(&self, after: At) -> Option<At> {
        let after = self.start.map_or(after, |start| after.max(start - TimeDelta::microseconds(1)));
        // Dates fall on whole seconds.
        let after = DateTime::from_timestamp(after.timestamp(), 0).expect("an instant of this century");
        let date = match self.rule {
            Rule::None => return None,
            Rule::Grid(minutes) => {
                let step = i64::from(minutes) * 60;
                DateTime::from_timestamp((after.timestamp().div_euclid(step) + 1) * step, 0).expect("an instant")
            }
            Rule::Minutes(_) | Rule::Hours(..) => self.next_shown(after),
            _ => self.next_day(after),
        };
        (self.end.is_none_or(|end| date <= end)).then_some(date)
    }

    /// The first minute whose wall time matches. Clocks change on full and half hours, at the most.
    fn next_shown(&self, after: At) -> At {
        let mut minute = after.timestamp().div_euclid(60) + 1;
        loop {
            let at = DateTime::from_timestamp(minute * 60, 0).expect("an instant");
            let wall = self.wall(at);
            let wait = match self.rule {
                Rule::Minutes(step) => (step - wall.minute() % step) % step,
                Rule::Hours(step, wanted) if wall.hour().is_multiple_of(step) => (60 + wanted - wall.minute()) % 60,
                _ => 60 - wall.minute(),
            };
            if wait == 0 {
                return at;
            }
            minute += i64::from(wait).min(30 - minute.rem_euclid(30));
        }
    }

    /// The first matching day whose time comes after `after`.
    fn next_day(&self, after: At) -> At {
        let mut day = self.wall(after).date().pred_opt().expect("a day");
        loop {
            if let Some(at) = self.on(day).filter(|at| *at > after) {
                return at;
            }
            day = day.succ_opt().expect("a day");
        }
    }

    /// The date of a day, if it has one.
    fn on(&self, day: NaiveDate) -> Option<At> {
        let (hour, minute) = match self.rule {
            Rule::Daily(hour, minute) => (hour, minute),
            Rule::Weekly(weekday, hour, minute) if day.weekday().num_days_from_sunday() == weekday => (hour, minute),
            Rule::Monthly(wanted, hour, minute) if day.day() == wanted => (hour, minute),
            Rule::Days(step, hour, minute) => (self.number_of(day) % i64::from(step) == 0).then_some((hour, minute))?,
            _ => return None,
        };
        let wall = day.and_hms_opt(hour, minute, 0)?;
        (0..GAP_MINUTES).find_map(|later| match self.zone.from_local_datetime(&(wall + TimeDelta::minutes(later))) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.to_utc()),
            LocalResult::None => None,
        })
    }

    fn wall(&self, at: At) -> NaiveDateTime {
        at.naive_utc() + self.zone.offset_from_utc_datetime(&at.naive_utc()).fix()
    }
}

/// Which dates of another job a date waits for: the first instant, if there is one, and the last.
pub(crate) fn span(dependency: &Dependency, date: At, zone: Tz) -> (Option<At>, At) {
    let crontabber_core::job::Offset { days, seconds } = dependency.offset;
    let wall = |at: At| at.naive_utc() + zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let mut moved = date;
    if days != 0 {
        let wanted = wall(date) + TimeDelta::days(days.into());
        // The last instant that shows this time; a time that is left out is shown an hour later.
        let show = |wanted: NaiveDateTime| zone.from_local_datetime(&wanted).latest().map(|at| at.to_utc());
        let left_out = || show(wanted + TimeDelta::hours(1));
        moved = show(wanted).or_else(left_out).expect("no gap is so long");
    }
    let moved = moved + TimeDelta::seconds(seconds);
    let Some(period) = dependency.covers else { return (None, moved) };
    let local = wall(moved);
    let day = local.date();
    let begins = |day: NaiveDate| first_instant(day, zone);
    let (from, end) = match period {
        Period::Hour => {
            let into = TimeDelta::seconds(i64::from(local.minute() * 60 + local.second()))
                + TimeDelta::nanoseconds(i64::from(local.nanosecond()));
            (moved - into, moved - into + TimeDelta::hours(1))
        }
        Period::Day => (begins(day), begins(day + TimeDelta::days(1))),
        Period::Week => {
            let monday = day.week(chrono::Weekday::Mon).first_day();
            (begins(monday), begins(monday + TimeDelta::days(7)))
        }
        Period::Month | Period::Year => {
            let same = |other: &NaiveDate| {
                other.year() == day.year() && (period == Period::Year || other.month() == day.month())
            };
            let back = day.iter_days().rev().take_while(same).last().expect("at least that day");
            let after = day.iter_days().find(|other| !same(other)).expect("a later day");
            (begins(back), begins(after))
        }
    };
    (Some(from), end - TimeDelta::microseconds(1))
}

/// The first instant of a day, found by looking at the clock on the wall every quarter of an hour.
fn first_instant(day: NaiveDate, zone: Tz) -> At {
    let mut at = day.and_hms_opt(0, 0, 0).expect("midnight").and_utc() - TimeDelta::hours(15);
    while (at.naive_utc() + zone.offset_from_utc_datetime(&at.naive_utc()).fix()).date() < day {
        at += TimeDelta::minutes(15);
    }
    at
}
