//! Calendar days: which days the three day fields of a crontab match. The `cron` crate decides, on naive days as UTC.
//!
//! Knows no time zone, hour or minute. A `cron::Schedule` takes kilobytes, so a schedule stores only its [`DaySet`], and
//! each thread caches the calendars that it used last.

use std::cell::RefCell;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::zone::DAY;

/// The days of a block, the unit of the cache.
const BLOCK: i64 = 32;

/// How many calendars a thread caches.
const REMEMBERED: usize = 64;

/// The three day fields of a crontab. Bit n stands for the value n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DaySet {
    /// Days of the month, 1 to 31.
    pub(super) days_of_month: u32,
    /// Months, 1 to 12.
    pub(super) months: u16,
    /// Days of the week, 0 (Sunday) to 6.
    pub(super) days_of_week: u8,
    /// Whether a day must match both day fields, rather than one.
    pub(super) both: bool,
}

impl DaySet {
    const EVERY_DAY_OF_MONTH: u32 = 0xFFFF_FFFE;
    const EVERY_MONTH: u16 = 0x1FFE;
    const EVERY_DAY_OF_WEEK: u8 = 0x7F;

    /// Returns the first day of the set at or after `day`, in days since 1970-01-01.
    ///
    /// None after the end of the calendar of `cron`, which is after 2100.
    pub(super) fn first_from(self, day: i64) -> Option<i64> {
        thread_local! {
            static CALENDARS: RefCell<Vec<CachedCalendar>> = const { RefCell::new(Vec::new()) };
        }
        CALENDARS.with_borrow_mut(|calendars| {
            let place = calendars.iter().position(|calendar| calendar.days == self).unwrap_or_else(|| {
                calendars.truncate(REMEMBERED - 1);
                calendars.push(CachedCalendar::new(self));
                calendars.len() - 1
            });
            // Most recently used first; the last one is evicted.
            calendars[..=place].rotate_right(1);
            calendars[0].first_from(day)
        })
    }

    /// Whether the set has every day of the month, and every day of the week.
    pub(super) fn covers_all_days(self) -> (bool, bool) {
        (self.days_of_month == Self::EVERY_DAY_OF_MONTH, self.days_of_week == Self::EVERY_DAY_OF_WEEK)
    }

    /// Whether the set has every day of every month.
    pub(super) fn is_every_day(self) -> bool {
        self.months == Self::EVERY_MONTH && self.covers_all_days() == (true, true)
    }

    /// Writes the set in the syntax of `cron`, at midnight: with seconds, and with names for the days of the week,
    /// which `cron` counts from 1.
    fn text(self, with_days_of_month: bool, with_days_of_week: bool) -> String {
        const NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        let numbers = |set: u32, all: u32| list(set, all, |value| value.to_string());
        let mut text = String::from("0 0 0 ");
        let days_of_month = if with_days_of_month { self.days_of_month } else { Self::EVERY_DAY_OF_MONTH };
        let days_of_week = if with_days_of_week { self.days_of_week } else { Self::EVERY_DAY_OF_WEEK };
        write!(
            text,
            "{} {} {}",
            numbers(days_of_month, Self::EVERY_DAY_OF_MONTH),
            numbers(u32::from(self.months), u32::from(Self::EVERY_MONTH)),
            list(u32::from(days_of_week), u32::from(Self::EVERY_DAY_OF_WEEK), |value| NAMES[value].to_owned()),
        )
        .expect("writing to a string cannot fail");
        text
    }
}

/// Writes the values of a set with commas, or `*` for all values.
fn list(set: u32, all: u32, word: impl Fn(usize) -> String) -> String {
    if set == all {
        return "*".to_owned();
    }
    let words: Vec<String> = (0..32).filter(|value| set & (1 << value) != 0).map(word).collect();
    words.join(",")
}

/// A day set, its `cron` schedules, and one cached block of days.
struct CachedCalendar {
    days: DaySet,
    /// One, or two whose days are merged.
    schedules: Vec<cron::Schedule>,
    /// The number of the cached block: block n starts at day n × BLOCK.
    block: i64,
    /// Bit n stands for the n-th day of the block.
    bits: u32,
    /// The first day after the block.
    beyond: Option<i64>,
}

impl CachedCalendar {
    fn new(days: DaySet) -> Self {
        let texts =
            if days.both { vec![days.text(true, true)] } else { vec![days.text(true, false), days.text(false, true)] };
        let schedules = texts
            .iter()
            .map(|text| text.parse().expect("explicit lists of values in range are a schedule of `cron`"))
            .collect();
        Self { days, schedules, block: i64::MIN, bits: 0, beyond: None }
    }

    fn first_from(&mut self, day: i64) -> Option<i64> {
        let block = day.div_euclid(BLOCK);
        if block != self.block {
            self.remember(block);
        }
        let left = self.bits >> day.rem_euclid(BLOCK);
        if left == 0 { self.beyond } else { Some(day + i64::from(left.trailing_zeros())) }
    }

    /// Computes the days of a block with `cron`.
    fn remember(&mut self, block: i64) {
        let first = block * BLOCK;
        (self.block, self.bits, self.beyond) = (block, 0, None);
        let Some(before) = DateTime::<Utc>::from_timestamp(first * DAY - 1, 0) else {
            return;
        };
        for schedule in &self.schedules {
            for midnight in schedule.after(&before) {
                let day = midnight.timestamp().div_euclid(DAY);
                if day >= first + BLOCK {
                    self.beyond = Some(self.beyond.map_or(day, |beyond| beyond.min(day)));
                    break;
                }
                self.bits |= 1 << (day - first);
            }
        }
    }
}
