//! A timetable as one line of text, in which the ledger stores the schedule in force.
//!
//! ```text
//! schedule="15 1 * * *" zone="Europe/Berlin" start="2026-11-01T00:00:00Z" delay="5400"
//! every="1d" at="02:30" zone="UTC" delay="0"
//! schedule="none" zone="UTC" delay="0"
//! ```
//! Keys are in this order, `start` and `end` only if bounded. No value contains a quotation mark: neither grammar
//! accepts one, and zone names have none. So equal timetables have equal texts, and parsing restores an equal timetable. The
//! format must never change, since ledgers contain it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::Timetable;
use crate::schedule::interval::IntervalError;
use crate::schedule::schedule::{NONE, Schedule, Written};
use crate::schedule::zone::tzdata_version;
use crate::text::SyntaxError;

/// Why a text is not a timetable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimetableError {
    /// The text does not have the format of a timetable.
    #[error("`{key}` is missing or misplaced in the recorded timetable `{text}`")]
    Malformed {
        /// The key that was expected.
        key: &'static str,
        /// The whole text.
        text: String,
    },
    /// A value is invalid.
    #[error("`{key}` is `{value}` in a recorded timetable, which cannot be read")]
    Value {
        /// The key of the value.
        key: &'static str,
        value: String,
    },
    /// The zone is not in the zone rules of this version.
    #[error(
        "the recorded time zone `{zone}` is not in the zone rules {} of this crontabber; it may have been dropped or \
         renamed since it was recorded",
        tzdata_version()
    )]
    Zone {
        /// The name of the zone.
        zone: String,
    },
    /// This version does not accept the schedule.
    #[error("the recorded schedule `{schedule}` is not accepted")]
    Crontab {
        /// The schedule.
        schedule: String,
        source: SyntaxError,
    },
    /// This version does not accept the interval.
    #[error("the recorded interval `{every}` is not accepted")]
    Interval {
        /// The interval.
        every: String,
        source: IntervalError,
    },
}

impl fmt::Display for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schedule.0.written {
            Written::Crontab(text) => write!(f, "schedule=\"{text}\"")?,
            Written::Every(every, None) => write!(f, "every=\"{every}\"")?,
            Written::Every(every, Some(at)) => write!(f, "every=\"{every}\" at=\"{at}\"")?,
            // No crontab has this text.
            Written::None => write!(f, "schedule=\"{NONE}\"")?,
        }
        write!(f, " zone=\"{}\"", self.zone().name())?;
        // Debug writes an instant as RFC 3339 without trailing zeros, and the parser reads that back for any year.
        if let Some(start) = self.start {
            write!(f, " start=\"{start:?}\"")?;
        }
        if let Some(end) = self.end {
            write!(f, " end=\"{end:?}\"")?;
        }
        match self.delay.subsec_nanos() {
            0 => write!(f, " delay=\"{}\"", self.delay.as_secs()),
            nanos => write!(f, " delay=\"{}.{nanos:09}\"", self.delay.as_secs()),
        }
    }
}

impl FromStr for Timetable {
    type Err = TimetableError;

    fn from_str(text: &str) -> Result<Self, TimetableError> {
        let mut reader = Reader { whole: text, rest: text };
        let crontab = reader.take("schedule");
        let every = if crontab.is_none() { Some(reader.required("every")?) } else { None };
        let at = every.and_then(|_| reader.take("at"));
        let zone = read_zone(reader.required("zone")?)?;
        let schedule = match (crontab, every) {
            (Some(NONE), _) => Schedule::none(zone),
            (Some(schedule), _) => Schedule::crontab(schedule, zone)
                .map_err(|source| TimetableError::Crontab { schedule: schedule.to_owned(), source })?,
            (None, every) => {
                let every = every.unwrap_or_default();
                Schedule::every(every, at, zone)
                    .map_err(|source| TimetableError::Interval { every: every.to_owned(), source })?
            }
        };
        let start = reader.take("start").map(|value| read_instant("start", value)).transpose()?;
        let end = reader.take("end").map(|value| read_instant("end", value)).transpose()?;
        let delay = read_delay(reader.required("delay")?)?;
        if reader.rest.is_empty() {
            Ok(Self::new(schedule, start, end, delay))
        } else {
            Err(TimetableError::Malformed { key: "end of text", text: text.to_owned() })
        }
    }
}

/// Parses a sequence of `key="value"`.
struct Reader<'text> {
    whole: &'text str,
    rest: &'text str,
}

impl<'text> Reader<'text> {
    /// Parses the value of `key`, if it comes next.
    fn take(&mut self, key: &str) -> Option<&'text str> {
        let rest = if self.rest.len() == self.whole.len() { self.rest } else { self.rest.strip_prefix(' ')? };
        let (value, rest) = rest.strip_prefix(key)?.strip_prefix("=\"")?.split_once('"')?;
        self.rest = rest;
        Some(value)
    }

    fn required(&mut self, key: &'static str) -> Result<&'text str, TimetableError> {
        self.take(key).ok_or_else(|| TimetableError::Malformed { key, text: self.whole.to_owned() })
    }
}

fn read_zone(name: &str) -> Result<Tz, TimetableError> {
    name.parse().map_err(|_| TimetableError::Zone { zone: name.to_owned() })
}

fn read_instant(key: &'static str, value: &str) -> Result<DateTime<Utc>, TimetableError> {
    value.parse().map_err(|_| TimetableError::Value { key, value: value.to_owned() })
}

fn read_delay(value: &str) -> Result<Duration, TimetableError> {
    let (seconds, nanos) = value.split_once('.').unwrap_or((value, "000000000"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let duration = (digits(seconds) && digits(nanos) && nanos.len() == 9)
        .then(|| Some(Duration::new(seconds.parse().ok()?, nanos.parse().ok()?)))
        .flatten();
    duration.ok_or_else(|| TimetableError::Value { key: "delay", value: value.to_owned() })
}
