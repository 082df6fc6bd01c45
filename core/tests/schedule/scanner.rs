//! An independent scanner: it looks at every minute of a window and applies the promise word by word.
//!
//! Nothing of it is shared with the code under test, and nothing in it is clever.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock};

use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// Days of a window before and after its middle.
const REACH: i64 = 5;

/// Days at the start of a window that only tell what was shown before.
const WARM_UP: i64 = 2;

/// What one item of a field's list says.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Star(u32),
    Value(u32),
    Range(u32, u32, u32),
}

impl Item {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Star(1) => "*".into(),
            Self::Star(step) => format!("*/{step}"),
            Self::Value(value) => value.to_string(),
            Self::Range(from, to, 1) => format!("{from}-{to}"),
            Self::Range(from, to, step) => format!("{from}-{to}/{step}"),
        }
    }

    fn holds(&self, value: u32, least: u32) -> bool {
        match self {
            Self::Star(step) => (value - least).is_multiple_of(*step),
            Self::Value(wanted) => value == *wanted,
            Self::Range(from, to, step) => value >= *from && value <= *to && (value - from).is_multiple_of(*step),
        }
    }
}

/// What a schedule says.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// Minute, hour, day of month, month, day of week.
    Crontab([Vec<Item>; 5]),
    /// Every so many days, at an hour and a minute.
    Days(i64, u32, u32),
}

impl Said {
    pub(crate) fn crontab_text(fields: &[Vec<Item>; 5]) -> String {
        let field = |items: &Vec<Item>| items.iter().map(Item::text).collect::<Vec<_>>().join(",");
        fields.iter().map(field).collect::<Vec<_>>().join(" ")
    }

    fn is_wildcard(&self) -> bool {
        match self {
            Self::Crontab(fields) => fields[..2].iter().any(|items| matches!(items[0], Item::Star(_))),
            Self::Days(..) => false,
        }
    }

    pub(crate) fn matches(&self, wall: NaiveDateTime) -> bool {
        match self {
            Self::Days(step, hour, minute) => {
                let number = wall.and_utc().timestamp().div_euclid(86_400);
                number.rem_euclid(*step) == 0 && wall.hour() == *hour && wall.minute() == *minute
            }
            Self::Crontab([minutes, hours, days_of_month, months, days_of_week]) => {
                let any = |items: &[Item], value, least| items.iter().any(|item| item.holds(value, least));
                let number = wall.weekday().num_days_from_sunday();
                let day_of_month_holds = any(days_of_month, wall.day(), 1);
                let day_of_week_holds = any(days_of_week, number, 0) || number == 0 && any(days_of_week, 7, 0);
                let star = |items: &[Item]| matches!(items[0], Item::Star(_));
                let day = if star(days_of_month) || star(days_of_week) {
                    day_of_month_holds && day_of_week_holds
                } else {
                    day_of_month_holds || day_of_week_holds
                };
                any(minutes, wall.minute(), 0) && any(hours, wall.hour(), 0) && any(months, wall.month(), 1) && day
            }
        }
    }
}

/// Every minute around an instant, with what the zone's clock shows.
pub(crate) struct Window {
    minutes: Vec<(DateTime<Utc>, NaiveDateTime)>,
}

impl Window {
    pub(crate) fn around(zone: Tz, middle: DateTime<Utc>) -> Arc<Self> {
        type Known = Mutex<HashMap<(Tz, DateTime<Utc>), Arc<Window>>>;
        static KNOWN: OnceLock<Known> = OnceLock::new();
        let mut known = KNOWN.get_or_init(Known::default).lock().unwrap();
        let window = known.entry((zone, middle)).or_insert_with(|| {
            let first = middle - TimeDelta::days(REACH);
            let minutes = (0..REACH * 2 * 1440).map(|minute| first + TimeDelta::minutes(minute));
            Arc::new(Self { minutes: minutes.map(|at| (at, wall_clock(zone, at))).collect() })
        });
        Arc::clone(window)
    }

    /// The first instant that the scanner answers for.
    pub(crate) fn from(&self) -> DateTime<Utc> {
        self.minutes[0].0 + TimeDelta::days(WARM_UP)
    }

    /// The first instant that it no longer answers for.
    pub(crate) fn to(&self) -> DateTime<Utc> {
        self.minutes[self.minutes.len() - 1].0 + TimeDelta::minutes(1)
    }

    pub(crate) fn dates(&self, said: &Said) -> Vec<DateTime<Utc>> {
        let mut dates = if said.is_wildcard() {
            self.minutes.iter().filter(|(_, wall)| said.matches(*wall)).map(|(at, _)| *at).collect()
        } else {
            self.first_showings(said)
        };
        dates.retain(|date| *date >= self.from());
        dates
    }

    fn first_showings(&self, said: &Said) -> Vec<DateTime<Utc>> {
        let minute = TimeDelta::minutes(1);
        let mut dates = Vec::new();
        let mut shown = HashSet::new();
        let mut previous = self.minutes[0].1 - minute;
        for &(at, wall) in &self.minutes {
            let gap = wall - previous - minute;
            let mut is_date = said.matches(wall) && !shown.contains(&wall);
            if gap > TimeDelta::zero() && gap < TimeDelta::hours(3) {
                let mut swallowed = previous + minute;
                while swallowed < wall {
                    is_date |= said.matches(swallowed) && !shown.contains(&swallowed);
                    swallowed += minute;
                }
            }
            if is_date {
                dates.push(at);
            }
            shown.insert(wall);
            previous = wall;
        }
        dates
    }
}

/// What the zone's clock shows.
pub(crate) fn wall_clock(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.naive_utc() + zone.offset_from_utc_datetime(&at.naive_utc()).fix()
}

/// The first days of a zone, from 1973 to 2045, that begin with another offset than the day before did.
pub(crate) fn clock_changes(zone: Tz) -> Vec<DateTime<Utc>> {
    let first: DateTime<Utc> = "1973-01-10T00:00:00Z".parse().unwrap();
    let offset = |day: i64| zone.offset_from_utc_datetime(&(first + TimeDelta::days(day)).naive_utc()).fix();
    (1..72 * 365).filter(|day| offset(*day) != offset(day - 1)).map(|day| first + TimeDelta::days(day)).collect()
}
