//! Schedules: the rule that generates the dates of a job in its time zone, across clock changes.
//!
//! The grammar is that of crontab(5), or `every`. The README documents the behaviour. A schedule reads no clock, and its
//! next date depends only on the given instant, so that the ledger can restart from any stored one. The supported years
//! are 1973 to 2099.

mod calendar;
mod comparison;
mod crontab;
mod grain;
mod interval;
mod rule;
#[expect(clippy::module_inception, reason = "the file of the type `Schedule`")]
mod schedule;
mod timetable;
mod zone;

use chrono::TimeDelta;

pub use grain::{Grain, PeriodId};
pub use interval::IntervalError;
pub use schedule::{PastDomain, Schedule};
pub use timetable::text::TimetableError;
pub use timetable::{Dates, Timetable};
pub use zone::{day_end, day_start, tzdata_version, wall_start};

/// The smallest step between two instants that the ledger keeps.
pub const TICK: TimeDelta = TimeDelta::microseconds(1);
