//! Random registries, and random edits of them.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use chrono_tz::{America, Asia, Australia, Europe, Pacific};

use crate::random::Random;
use crate::registry::{Job, Previously, Registry};
use crate::rules::{At, Bound, DayRule, Rule, Timetable};

const ZONES: [Tz; 8] = [
    Tz::UTC,
    Europe::Berlin,
    America::New_York,
    Asia::Tokyo,
    Asia::Kolkata,
    Pacific::Kiritimati,
    Pacific::Pago_Pago,
    Australia::Lord_Howe,
];

/// When cases begin: before clock changes, the end of a year and of a February, and on an ordinary day.
const BEGINNINGS: [(i32, u32, u32); 6] =
    [(2026, 3, 27), (2026, 10, 23), (2026, 12, 29), (2028, 2, 26), (2026, 3, 6), (2027, 6, 15)];

/// How far the clock is moved in a case, and how rare its dates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Days,
    Weeks,
    Months,
}

/// What a case does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Edit,
    Undo,
    Wait,
    Fail,
    Disable,
    Enable,
    Skip,
    Retry,
    Daemon,
}

/// The random choices of a case.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) random: Random,
    pub(crate) pace: Pace,
    names: u32,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let pace = *random.pick(&[Pace::Days, Pace::Weeks, Pace::Months]);
        Self { random, pace, names: 0 }
    }

    /// When the case begins. The clock is always some minutes away from every date, so that a date does not come due between
    /// two commands.
    pub(crate) fn beginning(&mut self) -> At {
        let (year, month, day) = *self.random.pick(&BEGINNINGS);
        let day = NaiveDate::from_ymd_opt(year, month, day).expect("a day");
        let minutes = self.random.between(0, 3 * 24 * 12 - 1) * 5 + 2;
        day.and_hms_opt(0, 0, 30).expect("a time").and_utc() + TimeDelta::minutes(minutes)
    }

    /// How far the clock is moved.
    pub(crate) fn pause(&mut self) -> TimeDelta {
        let hours = match self.pace {
            Pace::Days => self.random.between(1, 60),
            Pace::Weeks => self.random.between(2, 20 * 24),
            Pace::Months => self.random.between(12, 110 * 24),
        };
        TimeDelta::minutes(hours * 60 + self.random.between(0, 11) * 5)
    }

    pub(crate) fn step(&mut self) -> Step {
        self.random.weighed(&[
            (9, Step::Edit),
            (2, Step::Undo),
            (4, Step::Wait),
            (2, Step::Fail),
            (1, Step::Disable),
            (2, Step::Enable),
            (1, Step::Skip),
            (1, Step::Retry),
            (1, Step::Daemon),
        ])
    }

    pub(crate) fn registry(&mut self, now: At) -> Registry {
        let announce_over = *self.random.pick(&[2, 10, 100, 100]);
        let count = self.random.between(1, 4);
        let jobs = (0..count).map(|_| self.job(now)).collect();
        Registry { announce_over, jobs }
    }

    fn job(&mut self, now: At) -> Job {
        let random = &mut self.random;
        let (backfill, independent) = (!random.once_in(4), random.once_in(3));
        let zone = *random.pick(&ZONES);
        let max_dates = random.once_in(8).then_some(3);
        let attempts = random.once_in(4).then_some(2);
        let delay_minutes = *random.pick(&[0, 0, 0, 90, 25 * 60]);
        let start = (!random.once_in(4)).then(|| self.bound_before(now));
        let end = self.random.once_in(6).then(|| self.bound_after(now));
        let timetable = Timetable { rule: self.rule(), zone, start, end, delay_minutes };
        let (name, enabled, previously) = (self.name(), !self.random.once_in(12), Previously::Unsaid);
        Job {
            name,
            file: self.names,
            edition: 0,
            timetable,
            backfill,
            independent,
            enabled,
            max_dates,
            attempts,
            previously,
        }
    }

    /// How many files the jobs write to, at most.
    pub(crate) fn files(&self) -> u32 {
        self.names
    }

    /// A name that no job has had.
    pub(crate) fn name(&mut self) -> String {
        self.names += 1;
        format!("job{}", self.names)
    }

    fn rule(&mut self) -> Rule {
        let random = &mut self.random;
        let (hour, minute) = (random.clock(24, 1), random.clock(60, 15));
        // The hours of clock changes.
        let hour = if random.once_in(4) { 2 } else { hour };
        let day = u32::try_from(random.between(1, 31)).expect("a day");
        let month = u32::try_from(random.between(1, 12)).expect("a month");
        let weekday = Weekday::try_from(u8::try_from(random.below(7)).expect("a weekday")).expect("a weekday");
        let step = *random.pick(&[2, 3, 5, 14]);
        let of_days = |days| Rule::Once(days, hour, minute);
        let yearly = of_days(DayRule::Yearly { month, day: day.min(28) });
        let monthly = of_days(DayRule::Monthly { day });
        let every = of_days(DayRule::Every(step));
        let (daily, weekly) = (of_days(DayRule::Daily), of_days(DayRule::Weekly(weekday)));
        let choices = match self.pace {
            Pace::Days => vec![
                (4, daily),
                (1, of_days(DayRule::Every(1))),
                (1, of_days(DayRule::OnWeekdays)),
                (1, weekly),
                (1, every),
                (1, Rule::Twice([hour % 12, hour % 12 + 12], minute)),
                (1, Rule::Hours(*random.pick(&[4, 6, 7]), minute)),
                (1, Rule::Elapsed(*random.pick(&[6, 12]))),
            ],
            Pace::Weeks => vec![
                (2, daily),
                (1, of_days(DayRule::OnWeekdays)),
                (1, of_days(DayRule::TwiceAMonth)),
                (3, weekly),
                (3, monthly),
                (2, every),
            ],
            Pace::Months => vec![
                (5, monthly),
                (1, of_days(DayRule::Quarterly { day })),
                (2, yearly),
                (2, weekly),
                (1, of_days(DayRule::Every(14))),
            ],
        };
        random.weighed(&choices)
    }

    /// The same rule at another time or on another day: the periods stay.
    fn moved(&mut self, rule: Rule) -> Rule {
        for _ in 0..40 {
            let other = self.rule();
            let is_same = match (rule, other) {
                (Rule::Once(one, ..), Rule::Once(other, ..)) => match (one, other) {
                    (DayRule::Every(step), DayRule::Every(of_other)) => step == of_other,
                    _ => std::mem::discriminant(&one) == std::mem::discriminant(&other),
                },
                (one, other) => std::mem::discriminant(&one) == std::mem::discriminant(&other),
            };
            if is_same {
                return other;
            }
        }
        rule
    }

    fn days(&mut self) -> u64 {
        let most = match self.pace {
            Pace::Days => 8,
            Pace::Weeks => 45,
            Pace::Months => 400,
        };
        self.random.between(0, most).unsigned_abs()
    }

    fn bound_before(&mut self, now: At) -> Bound {
        let at = now - Days::new(self.days());
        if self.random.once_in(4) { Bound::Instant(at) } else { Bound::Day(at.date_naive()) }
    }

    fn bound_after(&mut self, now: At) -> Bound {
        let at = now + Days::new(self.days() + 1);
        if self.random.once_in(4) { Bound::Instant(at) } else { Bound::Day(at.date_naive()) }
    }

    /// Edits the registry once.
    pub(crate) fn edit(&mut self, registry: &mut Registry, gone: &mut Vec<Job>, now: At) {
        let index = self.random.below(registry.jobs.len());
        let Some(job) = registry.jobs.get(index).cloned() else { return };
        match self.random.below(22) {
            0 if registry.jobs.len() > 1 => gone.push(registry.jobs.remove(index)),
            0 | 1 if !gone.is_empty() => {
                let mut job = gone.remove(self.random.below(gone.len()));
                if self.random.once_in(3) {
                    job.edition += 1;
                }
                if registry.job(&job.name).is_none() {
                    registry.jobs.push(job);
                }
            }
            0 | 1 if registry.jobs.len() < 4 => {
                let job = self.job(now);
                registry.jobs.push(job);
            }
            2 | 3 => {
                let previously = if self.random.once_in(2) { Previously::Name(job.name) } else { Previously::Unsaid };
                let name = self.name();
                registry.jobs[index] = Job { name, previously, ..registry.jobs[index].clone() };
            }
            _ => self.edit_job(&mut registry.jobs[index], now),
        }
    }

    fn edit_job(&mut self, job: &mut Job, now: At) {
        let timetable = &mut job.timetable;
        match self.random.below(16) {
            0..5 => timetable.rule = self.moved(timetable.rule),
            5 => timetable.rule = self.rule(),
            6 | 7 => timetable.zone = *self.random.pick(&ZONES),
            8 => timetable.start = (!self.random.once_in(5)).then(|| self.bound_before(now)),
            9 => timetable.start = Some(self.bound_after(now)),
            10 => timetable.end = self.random.once_in(2).then(|| self.bound_before(now)),
            11 => timetable.end = self.random.once_in(2).then(|| self.bound_after(now)),
            12 => job.backfill = !job.backfill,
            13 => job.independent = !job.independent,
            14 => job.enabled = !job.enabled,
            _ => {
                timetable.delay_minutes = *self.random.pick(&[0, 90, 25 * 60]);
                job.max_dates = self.random.once_in(2).then_some(3);
            }
        }
        let Timetable { zone, start, end, .. } = *timetable;
        // A registry whose end is before its start is refused.
        if let (Some(start), Some(end)) = (start, end)
            && end.day(zone) <= start.day(zone)
        {
            timetable.end = None;
        }
    }
}

/// A time as the clock of a lab takes it.
pub(crate) fn clock(at: DateTime<Utc>) -> String {
    at.format("@%F %T").to_string()
}
