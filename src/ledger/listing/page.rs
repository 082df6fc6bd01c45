//! One page of rows along an index: a range of the index, and the key after which the page begins.

use std::cmp::Ordering;

use diesel::prelude::*;

use crate::job::JobName;
use crate::ledger::connection::AnyConnection;
use crate::ledger::error::LedgerError;
use crate::ledger::zones::Zones;

/// How many rows a page has.
pub(super) const PAGE: i64 = 1_000;

/// A range of rows that one index has in the order of the list.
#[derive(Clone, Copy)]
pub(in crate::ledger) struct IndexRange<'a> {
    /// One job's generation; all jobs if absent.
    pub(in crate::ledger) job: Option<(i32, i32)>,
    /// Of all jobs, only these; all if empty.
    pub(in crate::ledger) jobs: &'a [i32],
    /// Of all jobs, only the generation in force.
    pub(in crate::ledger) in_force: bool,
    /// The first date.
    pub(in crate::ledger) from: i64,
    /// The first date after the range.
    pub(in crate::ledger) to: i64,
    /// The zones, by their ids, whose dates are in a narrower range, and its ends.
    pub(in crate::ledger) of_zones: &'a [(i16, i64, i64)],
    /// The codes of the states, or of the outcomes (none: still running); any if empty.
    pub(in crate::ledger) codes: &'a [Option<i16>],
}

impl IndexRange<'_> {
    /// The rows of one generation of a job.
    pub(in crate::ledger) fn of(job_id: i32, generation: i32) -> Self {
        Self {
            job: Some((job_id, generation)),
            jobs: &[],
            in_force: false,
            from: i64::MIN,
            to: i64::MAX,
            of_zones: &[],
            codes: &[],
        }
    }
}

/// The key of a row, ordered as the indices by date. A page continues after one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ledger) struct Cursor {
    pub(in crate::ledger) date: i64,
    pub(in crate::ledger) job_id: i32,
    pub(in crate::ledger) generation: i32,
    pub(in crate::ledger) number: i32,
}

impl Cursor {
    /// Before every row.
    pub(in crate::ledger) fn start() -> Self {
        Self::at(i64::MIN)
    }

    /// The key of a session.
    pub(in crate::ledger) fn of_session(date: i64, job_id: i32, generation: i32) -> Self {
        Self { date, job_id, generation, number: 0 }
    }

    /// The primary key of the row's session.
    pub(in crate::ledger) fn session(self) -> (i32, i32, i64) {
        (self.job_id, self.generation, self.date)
    }

    /// Before every row at this date.
    pub(super) fn at(date: i64) -> Self {
        Self { date, job_id: i32::MIN, generation: i32::MIN, number: i32::MIN }
    }

    /// The same position among the rows of one generation of a job: before or after all rows of a date if the cursor is
    /// one of another job or generation.
    pub(super) fn within(self, of: (i32, i32)) -> Self {
        let number = match of.cmp(&(self.job_id, self.generation)) {
            Ordering::Greater => i32::MIN,
            Ordering::Equal => self.number,
            Ordering::Less => i32::MAX,
        };
        Self { number, ..self }
    }

    /// The latest date whose rows are all before the cursor, where a date has one row.
    pub(super) fn before_date(self) -> i64 {
        if self.number == i32::MIN { self.date.saturating_sub(1) } else { self.date }
    }
}

/// A table that is listed by date.
pub(in crate::ledger) trait Listed: Sized {
    /// What a row is read as.
    type Record;

    /// The next rows of a range, ascending.
    fn page(connection: &mut AnyConnection, range: IndexRange<'_>, after: Cursor) -> QueryResult<Vec<Self>>;

    /// The date of the `count`-th newest row of a range; none if it has fewer.
    fn newest(connection: &mut AnyConnection, range: IndexRange<'_>, count: u32) -> QueryResult<Option<i64>>;

    /// How many rows a range has from a date on.
    fn count_from(connection: &mut AnyConnection, range: IndexRange<'_>, date: i64) -> QueryResult<i64>;

    /// The key of the row.
    fn cursor(&self) -> Cursor;

    /// Reads the row.
    fn record(self, job: &JobName, zones: &Zones) -> Result<Self::Record, LedgerError>;
}
