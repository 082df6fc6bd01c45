//! The calendar: which days a crontab's three day fields name. The `cron` crate answers, over naive days carried in UTC.
//!
//! It never meets a time zone, nor an hour or a minute. A `cron::Schedule` weighs kilobytes, so that a schedule keeps
//! the [`DaySet`] it is made from, and each thread remembers the calendars it used last.

use std::cell::RefCell;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::zone::DAY;

/// Days of a block, the unit in which the days of a calendar are remembered.
const BLOCK: i64 = 32;

/// How many calendars a thread remembers.
const REMEMBERED: usize = 64;

/// What the three day fields of a crontab name. Bit n stands for the value n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DaySet {
    /// Days of the month, 1 to 31.
    pub(super) days_of_month: u32,
    /// Months, 1 to 12.
    pub(super) months: u16,
    /// Days of the week, 0 (Sunday) to 6.
    pub(super) days_of_week: u8,
    /// Whether a day must satisfy both day fields, rather than either.
    pub(super) both: bool,
}

impl DaySet {
    const EVERY_DAY_OF_MONTH: u32 = 0xFFFF_FFFE;
    const EVERY_MONTH: u16 = 0x1FFE;
    const EVERY_DAY_OF_WEEK: u8 = 0x7F;

    /// Returns the first day of the set from `day` on; days count from 1970-01-01.
    ///
    /// None where `cron`'s own calendar ends, which is after 2100.
    pub(super) fn first_from(self, day: i64) -> Option<i64> {
        thread_local! {
            static CALENDARS: RefCell<Vec<Calendar>> = const { RefCell::new(Vec::new()) };
        }
        CALENDARS.with_borrow_mut(|calendars| {
            let place = calendars.iter().position(|calendar| calendar.days == self).unwrap_or_else(|| {
                calendars.truncate(REMEMBERED - 1);
                calendars.push(Calendar::new(self));
                calendars.len() - 1
            });
            // What was asked for last stands first, and what nobody asked for longest is forgotten.
            calendars[..=place].rotate_right(1);
            calendars[0].first_from(day)
        })
    }

    /// Writes the set as `cron` reads it, at midnight: with a field of seconds, and names for the days of the week,
    /// because `cron` counts those from 1.
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

/// Writes the values of a set with commas between, or `*` for the set of all.
fn list(set: u32, all: u32, word: impl Fn(usize) -> String) -> String {
    if set == all {
        return "*".to_owned();
    }
    let words: Vec<String> = (0..32).filter(|value| set & (1 << value) != 0).map(word).collect();
    words.join(",")
}

/// A day set, `cron`'s view of it, and one block of days that `cron` has answered for.
struct Calendar {
    days: DaySet,
    /// One, or two whose days are merged.
    schedules: Vec<cron::Schedule>,
    /// Number of the remembered block; the days of block n are n × BLOCK and on.
    block: i64,
    /// Bit n stands for the n-th day of the block.
    bits: u32,
    /// The first day after the block.
    beyond: Option<i64>,
}

impl Calendar {
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

    /// Asks `cron` for the days of a block.
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
