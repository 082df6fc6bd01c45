//! Schedules with an arithmetic of their own: their text, their dates, and the periods of which each has one date.
//!
//! Nothing here comes from the code under test.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::Tz;

/// An instant.
pub(crate) type At = DateTime<Utc>;

/// The resolution of instants.
pub(crate) const TICK: TimeDelta = TimeDelta::microseconds(1);

/// On which days a schedule with one time of day has dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayRule {
    Yearly {
        month: u32,
        day: u32,
    },
    Quarterly {
        day: u32,
    },
    Monthly {
        day: u32,
    },
    TwiceAMonth,
    Weekly(Weekday),
    OnWeekdays,
    Daily,
    /// `every = "Nd"`, counted from the day of `start`.
    Every(i64),
}

/// The dates of a schedule by its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// At one time of day, hour and minute.
    Once(DayRule, u32, u32),
    /// At one minute of two hours.
    Twice([u32; 2], u32),
    /// At one minute of every Nth hour of the wall clock.
    Hours(u32, u32),
    /// Every so many elapsed hours.
    Elapsed(i64),
}

/// A limit of a job: a day in its zone, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Day(NaiveDate),
    Instant(At),
}

/// When a job has dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timetable {
    pub(crate) rule: Rule,
    pub(crate) zone: Tz,
    pub(crate) start: Option<Bound>,
    pub(crate) end: Option<Bound>,
    pub(crate) delay_minutes: i64,
}

/// The periods of which each has one date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grain {
    Year,
    Month,
    Week,
    Day,
    /// Windows of so many days from an anchor.
    Days(i64, NaiveDate),
    /// Windows of so many elapsed hours.
    Hours(i64),
    Instant,
}

impl Grain {
    /// The period of a date, as text: equal for two dates of one period.
    pub(crate) fn period(self, date: At, zone: Tz) -> String {
        let day = date.with_timezone(&zone).date_naive();
        match self {
            Self::Year => day.format("%Y").to_string(),
            Self::Month => day.format("%Y-%m").to_string(),
            Self::Week => day.format("%G week %V").to_string(),
            Self::Day => day.to_string(),
            Self::Days(step, anchor) => {
                let window = day.signed_duration_since(anchor).num_days().div_euclid(step);
                (anchor + TimeDelta::days(window * step)).format("the days from %F").to_string()
            }
            Self::Hours(step) => {
                let window = date.timestamp().div_euclid(step * 3600);
                DateTime::<Utc>::from_timestamp(window * step * 3600, 0).expect("an instant").to_string()
            }
            Self::Instant => date.to_rfc3339(),
        }
    }

    /// Whether a period is shorter than a day.
    pub(crate) fn is_fine(self) -> bool {
        matches!(self, Self::Hours(_) | Self::Instant)
    }
}

impl Rule {
    /// The lines of the registry.
    pub(crate) fn toml(self) -> String {
        let Self::Once(days, hour, minute) = self else {
            return match self {
                Self::Twice([one, other], minute) => format!("schedule = \"{minute} {one},{other} * * *\"\n"),
                Self::Hours(step, minute) => format!("schedule = \"{minute} */{step} * * *\"\n"),
                Self::Elapsed(hours) => format!("every = \"{hours}h\"\n"),
                Self::Once(..) => unreachable!("it is none"),
            };
        };
        let fields = match days {
            DayRule::Yearly { month, day } => format!("{day} {month} *"),
            DayRule::Quarterly { day } => format!("{day} 1,4,7,10 *"),
            DayRule::Monthly { day } => format!("{day} * *"),
            DayRule::TwiceAMonth => "1,15 * *".to_owned(),
            DayRule::Weekly(weekday) => format!("* * {}", weekday.to_string().to_lowercase()),
            DayRule::OnWeekdays => "* * 1-5".to_owned(),
            DayRule::Daily => "* * *".to_owned(),
            DayRule::Every(days) => return format!("every = \"{days}d\"\nat = \"{hour:02}:{minute:02}\"\n"),
        };
        format!("schedule = \"{minute} {hour} {fields}\"\n")
    }
}

impl Bound {
    pub(crate) fn toml(self) -> String {
        match self {
            Self::Day(day) => day.to_string(),
            Self::Instant(at) => at.format("%FT%TZ").to_string(),
        }
    }

    pub(crate) fn day(self, zone: Tz) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::Instant(at) => at.with_timezone(&zone).date_naive(),
        }
    }
}

impl Timetable {
    pub(crate) fn grain(&self) -> Grain {
        match self.rule {
            Rule::Once(days, ..) => match days {
                DayRule::Yearly { .. } => Grain::Year,
                DayRule::Quarterly { .. } | DayRule::Monthly { .. } => Grain::Month,
                DayRule::Weekly(_) => Grain::Week,
                DayRule::TwiceAMonth | DayRule::OnWeekdays | DayRule::Daily | DayRule::Every(1) => Grain::Day,
                DayRule::Every(step) => Grain::Days(step, self.anchor()),
            },
            Rule::Elapsed(hours) => Grain::Hours(hours),
            Rule::Twice(..) | Rule::Hours(..) => Grain::Instant,
        }
    }

    fn anchor(&self) -> NaiveDate {
        self.start.map_or(NaiveDate::default(), |start| start.day(self.zone))
    }

    /// The first instant that is not before `start`.
    pub(crate) fn start_at(&self) -> Option<At> {
        self.start.map(|start| match start {
            Bound::Day(day) => begin(day, self.zone),
            Bound::Instant(at) => at,
        })
    }

    /// Whether an instant is not before `start` and not after `end`.
    pub(crate) fn is_within(&self, date: At) -> bool {
        let is_before_end = self.end.is_none_or(|end| match end {
            Bound::Day(day) => date < begin(day + Days::new(1), self.zone),
            Bound::Instant(at) => date <= at,
        });
        self.start_at().is_none_or(|start| start <= date) && is_before_end
    }

    /// When a date may start.
    pub(crate) fn due(&self, date: At) -> At {
        date + TimeDelta::minutes(self.delay_minutes)
    }

    /// The dates later than `after` and not later than `until`.
    pub(crate) fn dates(&self, after: At, until: At) -> BTreeSet<At> {
        let mut found = BTreeSet::new();
        if let Rule::Elapsed(hours) = self.rule {
            let step = hours * 3600;
            let first = after.timestamp().div_euclid(step);
            let instant = |window: i64| DateTime::<Utc>::from_timestamp(window * step, 0).expect("an instant");
            found.extend((first..).map(instant).take_while(|date| *date <= until));
        } else {
            // A zone is at most 14 hours from UTC, and a gap at most a day long.
            let mut day = after.date_naive() - Days::new(2);
            while day <= until.date_naive() + Days::new(2) {
                self.dates_of(day, &mut found);
                day = day + Days::new(1);
            }
        }
        found.retain(|date| *date > after && *date <= until && self.is_within(*date));
        found
    }

    fn dates_of(&self, day: NaiveDate, found: &mut BTreeSet<At>) {
        let at = |hour, minute| day.and_time(NaiveTime::from_hms_opt(hour, minute, 0).expect("a time of day"));
        let fixed = |hour, minute| first_showing(at(hour, minute), self.zone);
        match self.rule {
            Rule::Once(days, hour, minute) if self.has_day(days, day) => {
                found.insert(fixed(hour, minute));
            }
            Rule::Twice(hours, minute) => found.extend(hours.map(|hour| fixed(hour, minute))),
            Rule::Hours(step, minute) => {
                for hour in (0..24).step_by(step as usize) {
                    let shown = self.zone.from_local_datetime(&at(hour, minute));
                    found.extend([shown.earliest(), shown.latest()].into_iter().flatten().map(|it| it.to_utc()));
                }
            }
            Rule::Once(..) | Rule::Elapsed(_) => {}
        }
    }

    fn has_day(&self, days: DayRule, day: NaiveDate) -> bool {
        match days {
            DayRule::Yearly { month, day: of_month } => day.month() == month && day.day() == of_month,
            DayRule::Quarterly { day: of_month } => day.month() % 3 == 1 && day.day() == of_month,
            DayRule::Monthly { day: of_month } => day.day() == of_month,
            DayRule::TwiceAMonth => [1, 15].contains(&day.day()),
            DayRule::Weekly(weekday) => day.weekday() == weekday,
            DayRule::OnWeekdays => day.weekday().number_from_monday() <= 5,
            DayRule::Daily => true,
            DayRule::Every(step) => day.signed_duration_since(self.anchor()).num_days().rem_euclid(step) == 0,
        }
    }
}

/// The first instant of a local day.
pub(crate) fn begin(day: NaiveDate, zone: Tz) -> At {
    first_showing(day.and_time(NaiveTime::MIN), zone)
}

/// The first instant at which the wall clock shows a time, or else the first one after the gap that leaves it out.
fn first_showing(wall: chrono::NaiveDateTime, zone: Tz) -> At {
    let mut minutes = (0..24 * 60).map(TimeDelta::minutes);
    let shown = minutes.find_map(|later| zone.from_local_datetime(&(wall + later)).earliest());
    shown.expect("a gap is shorter than a day").to_utc()
}
