//! A second opinion on the dates of a schedule: it looks at every minute and applies the README's promise word by word.
//!
//! Nothing of it is shared with the code that it checks, and it is only asked about text that was accepted.

use chrono::{DateTime, Datelike, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// What the clock showed so many minutes before tells whether it shows it again: no clock was ever set back so far.
const WARM_UP: i64 = 26 * 60;

/// A gap that is longer swallows its wall times for good.
const LONG_GAP: i64 = 3 * 60;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 8] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// What a schedule says.
pub(crate) enum Said {
    /// Minute, hour, day of month, month, day of week; bit n stands for the value n.
    Fields { sets: [u64; 5], wildcard: bool, both: bool },
    /// Every so many minutes.
    Minutes(i64),
    /// Every so many days, at a minute of the day.
    Days(i64, i64),
}

impl Said {
    /// Reads five fields, or a nickname, that were accepted.
    pub(crate) fn crontab(text: &str) -> Self {
        let text = match text.trim_matches([' ', '\t']) {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            fields => fields,
        };
        let words: Vec<&str> = text.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        let [minute, hour, day_of_month, month, day_of_week] = words[..] else { panic!("{text:?} is no five fields") };
        let mut sets = [
            set(minute, 0, 59, &[], 0),
            set(hour, 0, 23, &[], 0),
            set(day_of_month, 1, 31, &[], 0),
            set(month, 1, 12, &MONTHS, 1),
            set(day_of_week, 0, 7, &DAYS, 0),
        ];
        sets[4] = (sets[4] | sets[4] >> 7) & 0x7f;
        let star = |word: &str| word.starts_with('*');
        Self::Fields { sets, wildcard: star(minute) || star(hour), both: star(day_of_month) || star(day_of_week) }
    }

    /// Reads an interval that was accepted.
    pub(crate) fn every(every: &str, at: Option<&str>) -> Self {
        let every = every.trim_matches([' ', '\t']);
        let number = every[..every.len() - 1].parse().expect("a number");
        let number_of = |text: &str| text.parse::<i64>().expect("two digits");
        let at = at.map_or("00:00", |at| at.trim_matches([' ', '\t']));
        match &every[every.len() - 1..] {
            "m" => Self::Minutes(number),
            "h" => Self::Minutes(number * 60),
            _ => Self::Days(number, number_of(&at[..2]) * 60 + number_of(&at[3..])),
        }
    }

    /// Whether its dates are what the clock shows, however often it shows it.
    fn is_wildcard(&self) -> bool {
        matches!(self, Self::Fields { wildcard: true, .. })
    }

    /// Says whether a minute of the clock on the wall matches.
    fn matches(&self, wall: i64) -> bool {
        let (day, minute) = (wall.div_euclid(DAY), wall.rem_euclid(DAY));
        match self {
            Self::Minutes(step) => wall.rem_euclid(*step) == 0,
            Self::Days(step, at) => day.rem_euclid(*step) == 0 && minute == *at,
            Self::Fields { sets, both, .. } => {
                let holds = |set: u64, value: i64| set >> value & 1 == 1;
                if !holds(sets[0], minute % 60) || !holds(sets[1], minute / 60) {
                    return false;
                }
                let date = at_minute(day * DAY);
                let day_of_month = holds(sets[2], i64::from(date.day()));
                let day_of_week = holds(sets[4], i64::from(date.weekday().num_days_from_sunday()));
                let day = if *both { day_of_month && day_of_week } else { day_of_month || day_of_week };
                holds(sets[3], i64::from(date.month())) && day
            }
        }
    }

    /// The dates from `from` on, and before `to`, in minutes since 1970.
    pub(crate) fn dates(&self, zone: Tz, from: i64, to: i64) -> Vec<DateTime<Utc>> {
        if let Self::Minutes(_) = self {
            return (from..to).filter(|minute| self.matches(*minute)).map(at_minute).collect();
        }
        let walls = walls(zone, from - WARM_UP, to);
        let (mut before, mut latest) = (walls[0] - 1, walls[0] - 1);
        let mut dates = Vec::new();
        for (minute, wall) in (from - WARM_UP..).zip(walls) {
            let swallowed = before + 1..wall;
            let gap = swallowed.end - swallowed.start;
            let is_date = if self.is_wildcard() {
                self.matches(wall)
            } else {
                let first_showing = |wall: i64| wall > latest && self.matches(wall);
                first_showing(wall) || gap < LONG_GAP && swallowed.into_iter().any(first_showing)
            };
            if is_date && minute >= from {
                dates.push(at_minute(minute));
            }
            (before, latest) = (wall, latest.max(wall));
        }
        dates
    }
}

/// What the zone's clock shows at every minute, in minutes since 1970.
fn walls(zone: Tz, from: i64, to: i64) -> Vec<i64> {
    let shown = |minute: i64| {
        let offset = zone.offset_from_utc_datetime(&at_minute(minute).naive_utc()).fix().local_minus_utc();
        minute + i64::from(offset / 60)
    };
    let mut walls = Vec::new();
    let mut hour = from;
    while hour < to {
        let (first, last) = (shown(hour), shown(hour + 59));
        // Two changes of a clock were never within an hour.
        if last - first == 59 {
            walls.extend(first..=last);
        } else {
            walls.extend((hour..hour + 60).map(shown));
        }
        hour += 60;
    }
    walls.truncate(usize::try_from(to - from).expect("an order"));
    walls
}

fn at_minute(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(minute * 60, 0).expect("within these centuries")
}

/// Reads a list of `*`, values and ranges with steps.
fn set(field: &str, least: u64, greatest: u64, names: &[&str], first: u64) -> u64 {
    let value = |word: &str| -> u64 {
        let name = (first..).zip(names).find(|(_, name)| word.eq_ignore_ascii_case(name));
        name.map_or_else(|| word.parse().expect("a number or a name"), |(number, _)| number)
    };
    let mut set = 0;
    for item in field.split(',') {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (from, to) = match range.split_once('-') {
            None if range == "*" => (least, greatest),
            None => (value(range), value(range)),
            // A week may end with its Sunday, and begin with it.
            Some((from, to)) if value(to) < value(from) && to.eq_ignore_ascii_case("sun") => (value(from), 7),
            Some((from, to)) => (value(from), value(to)),
        };
        // A step that is too large for a number is larger than any range.
        let step = step.parse().unwrap_or(u64::MAX);
        for number in from..=to {
            if (number - from).is_multiple_of(step) {
                set |= 1 << number;
            }
        }
    }
    set
}
