//! Schedules from the outside: every edge of the clock by name, the grammar, and a brute-force scanner to agree with.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock_changes;
mod grammar;
mod property;
mod scanner;
mod timetable;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use crontabber_core::schedule::{Schedule, Timetable};
use std::time::Duration;

/// Reads an instant such as `2026-03-29T01:00:00Z`.
fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A crontab in the zone of that name.
fn crontab(text: &str, zone: &str) -> Schedule {
    Schedule::crontab(text, zone.parse().unwrap()).unwrap()
}

/// The dates from `from` on, and before `to`, by asking for the next one over and over.
fn dates_between(schedule: &Schedule, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let mut dates = Vec::new();
    let mut after = from - TimeDelta::nanoseconds(1);
    while let Ok(date) = schedule.next_after(after) {
        if date >= to {
            break;
        }
        dates.push(date);
        after = date;
    }
    dates
}

/// The dates whose wall clock shows that day, as the rule's table counts them.
fn dates_of_local_day(schedule: &Schedule, day: &str) -> Vec<DateTime<Utc>> {
    let day: NaiveDate = day.parse().unwrap();
    let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc();
    let zone = schedule.zone();
    let mut dates = dates_between(schedule, midnight - TimeDelta::days(2), midnight + TimeDelta::days(3));
    dates.retain(|date| date.with_timezone(&zone).date_naive() == day);
    dates
}

/// A schedule without bounds or delay.
fn unbounded(schedule: Schedule) -> Timetable {
    Timetable::new(schedule, None, None, Duration::ZERO)
}

/// Zones whose clocks have done something unusual, and some ordinary ones.
const ZONES: [Tz; 24] = [
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::Europe__Dublin,
    Tz::America__New_York,
    Tz::America__Sao_Paulo,
    Tz::America__St_Johns,
    Tz::America__Scoresbysund,
    Tz::America__Danmarkshavn,
    Tz::Pacific__Apia,
    Tz::Pacific__Kwajalein,
    Tz::Pacific__Chatham,
    Tz::Australia__Lord_Howe,
    Tz::Asia__Kathmandu,
    Tz::Asia__Gaza,
    Tz::Asia__Pyongyang,
    Tz::Asia__UstNera,
    Tz::Asia__Tehran,
    Tz::Africa__Casablanca,
    Tz::Africa__Monrovia,
    Tz::Africa__Cairo,
    Tz::Antarctica__Troll,
    Tz::Antarctica__Casey,
    Tz::Antarctica__Vostok,
    Tz::Atlantic__Azores,
];
