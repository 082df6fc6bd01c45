//! A schedule: a rule in a time zone, and the years in which it has dates.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::grain::{Grain, local_day};
use super::interval::IntervalError;
use super::rule::DateRule;
use super::zone::saturating_instant;
use super::{crontab, interval};
use crate::text::SyntaxError;

/// 1973-01-01T00:00:00Z, the first possible date.
pub(super) const DOMAIN_START: i64 = 94_694_400;

/// 2100-01-01T00:00:00Z, the first instant after the last possible date.
pub(super) const DOMAIN_END: i64 = 4_102_444_800;

/// The rule that generates the dates of a job, in a time zone.
///
/// Two schedules are equal if their texts, except for white space, and their zones are equal. Clones share their
/// memory.
#[derive(Clone, PartialEq)]
pub struct Schedule(pub(super) Arc<Inner>);

#[derive(Debug, PartialEq)]
pub(super) struct Inner {
    pub(super) written: Written,
    pub(super) rule: DateRule,
    pub(super) zone: Tz,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Written {
    /// Five fields of a crontab, or a nickname.
    Crontab(Box<str>),
    /// An interval, with its time of day if given.
    Every(Box<str>, Option<Box<str>>),
    /// No schedule: there are no dates.
    None,
}

/// The text of the empty schedule.
pub(super) const NONE: &str = "none";

impl Schedule {
    /// Parses the five fields of crontab(5), or one of its nicknames.
    ///
    /// # Errors
    /// A text that does not match the grammar, with the closest correct form if there is one.
    pub fn crontab(text: &str, zone: Tz) -> Result<Self, SyntaxError> {
        let rule = crontab::parse(text)?;
        let words: Vec<&str> = crontab::words(text).map(|(_, word)| word).collect();
        let written = Written::Crontab(words.join(" ").into());
        Ok(Self(Arc::new(Inner { written, rule, zone })))
    }

    /// Lists what a text that [`Schedule::crontab`] accepts probably does not mean, with what to write instead.
    #[must_use]
    pub fn crontab_advice(text: &str) -> Vec<SyntaxError> {
        crontab::advice(text)
    }

    /// Parses an interval: `Nm`, `Nh`, or `Nd` with the time of day in `at`, by default 00:00. It is counted from
    /// 1970-01-01; a [`Timetable`](super::Timetable) with a start counts days from there.
    ///
    /// # Errors
    /// A text that does not match the grammar, with the closest correct form if there is one.
    pub fn every(every: &str, at: Option<&str>, zone: Tz) -> Result<Self, IntervalError> {
        let rule = interval::parse(every, at)?;
        let written = Written::Every(every.trim().into(), at.map(|at| at.trim().into()));
        Ok(Self(Arc::new(Inner { written, rule, zone })))
    }

    /// The same schedule, with every N days counted from the local day of `start`.
    pub(super) fn counted_from(self, start: DateTime<Utc>) -> Self {
        let Inner { written, rule, zone } = &*self.0;
        let DateRule::Days { step: step @ 2.., time, .. } = *rule else { return self };
        let rule = DateRule::Days { step, anchor: local_day(start, *zone), time };
        Self(Arc::new(Inner { written: written.clone(), rule, zone: *zone }))
    }

    /// The periods of which each has one date.
    #[must_use]
    pub fn grain(&self) -> Grain {
        Grain::of(&self.0.rule)
    }

    /// The empty schedule, of a job that runs on demand only.
    #[must_use]
    pub fn none(zone: Tz) -> Self {
        Self(Arc::new(Inner { written: Written::None, rule: DateRule::Never, zone }))
    }

    /// Says whether this is [`Schedule::none`], which has no dates.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.written == Written::None
    }

    /// Returns the first date after `after`.
    ///
    /// # Errors
    /// If there is no such date in the supported years.
    pub fn next_after(&self, after: DateTime<Utc>) -> Result<DateTime<Utc>, PastDomain> {
        self.next_after_second(after.timestamp()).map(saturating_instant)
    }

    /// Says whether `at` is a date of this schedule.
    #[must_use]
    pub fn includes(&self, at: DateTime<Utc>) -> bool {
        at.checked_sub_signed(TimeDelta::seconds(1)).is_some_and(|before| self.next_after(before) == Ok(at))
    }

    /// Says whether there is no date after `now`, as for `0 0 30 2 *`.
    #[must_use]
    pub fn never_fires_after(&self, now: DateTime<Utc>) -> bool {
        self.next_after(now).is_err()
    }

    /// The zone of the schedule.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.0.zone
    }

    /// The schedule as written: `15 1 * * *`, `every 1d at 02:30`, `none`.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.0.written {
            Written::Crontab(text) => text.to_string(),
            Written::Every(every, None) => format!("every {every}"),
            Written::Every(every, Some(at)) => format!("every {every} at {at}"),
            Written::None => NONE.to_owned(),
        }
    }

    /// Like [`Schedule::next_after`], in whole seconds.
    pub(super) fn next_after_second(&self, after: i64) -> Result<i64, PastDomain> {
        if after >= DOMAIN_END {
            return Err(PastDomain(()));
        }
        let next = self.0.rule.next_after(after.max(DOMAIN_START - 1), self.0.zone);
        next.filter(|next| *next < DOMAIN_END).ok_or(PastDomain(()))
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({:?} in {})", self.text(), self.zone())
    }
}

/// There is no such date in the supported years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no date up to 2099-12-31T23:59:59Z, the last instant of the years 1973 to 2099 that crontabber knows")]
pub struct PastDomain(pub(super) ());

impl PastDomain {
    /// The last possible date.
    #[must_use]
    pub fn last_instant(self) -> DateTime<Utc> {
        saturating_instant(DOMAIN_END - 1)
    }
}
