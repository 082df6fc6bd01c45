//! Reads the whole history of each job from one snapshot: every session with its attempts, of every generation.
//!
//! The rows are read a page at a time along the primary keys: neither the memory nor the work for a page grows with the
//! ledger.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;

use diesel::dsl::{count_star, min};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::LedgerError;
use super::listing::page::{Cursor, IndexRange, Listed};
use super::rows::{AttemptRow, JobRow, SessionRow};
use super::schema::{attempts, audit, jobs, sessions};
use super::zones::Zones;
use crate::invariants::Row;
use crate::job::JobName;
use crate::session::JobRecord;

/// A ledger at one instant.
pub struct Snapshot<'a> {
    connection: &'a mut AnyConnection,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(connection: &'a mut AnyConnection) -> Self {
        Self { connection }
    }

    /// Every job by name, and the number of its resets in the audit.
    ///
    /// # Errors
    /// When the database cannot be read, or has rows of a missing job.
    pub fn jobs(&mut self) -> Result<Vec<(JobRecord, u64)>, LedgerError> {
        let resets: HashMap<String, i64> = audit::table
            .filter(audit::action.eq("reset"))
            .filter(audit::done.eq(true))
            .group_by(audit::job)
            .select((audit::job, count_star()))
            .load::<(String, i64)>(self.connection)?
            .into_iter()
            .collect();
        let rows = jobs::table.load::<JobRow>(self.connection)?;
        self.know_all(&rows)?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            let resets = resets.get(&row.name).map_or(0, |resets| resets.unsigned_abs());
            records.push((row.record()?, resets));
        }
        records.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        Ok(records)
    }

    /// Passes the rows of a job to `each`, ascending by generation, date and number, each session before its attempts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rows(&mut self, job: &JobName, each: &mut dyn FnMut(Row) -> ControlFlow<()>) -> Result<(), LedgerError> {
        let id = jobs::table.filter(jobs::name.eq(job.as_str())).select(jobs::id).first::<i32>(self.connection)?;
        // A snapshot is one instant: no zone is added meanwhile.
        let zones = Zones::load(self.connection)?;
        let mut generation = i32::MIN;
        while let Some(next) = self.generation_after(id, generation)? {
            generation = next;
            let range = IndexRange::of(id, generation);
            let (mut sessions, mut attempts) = (Stream::<SessionRow>::new(range), Stream::<AttemptRow>::new(range));
            loop {
                let (session, attempt) = (sessions.date(self.connection)?, attempts.date(self.connection)?);
                // A session before the attempts at its date, and those before the next session.
                let is_session = match (session, attempt) {
                    (None, None) => break,
                    (Some(session), Some(attempt)) => session <= attempt,
                    (session, None) => session.is_some(),
                    (None, Some(_)) => false,
                };
                let row = if is_session {
                    sessions.take().map(|row| row.record(job, &zones).map(Row::Session))
                } else {
                    attempts.take().map(|row| row.record(job, &zones).map(Row::Attempt))
                };
                if let Some(row) = row
                    && each(row?).is_break()
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The next generation of a job that has any rows.
    fn generation_after(&mut self, id: i32, generation: i32) -> QueryResult<Option<i32>> {
        let of_sessions = sessions::table
            .filter(sessions::job_id.eq(id).and(sessions::generation.gt(generation)))
            .select(min(sessions::generation))
            .first::<Option<i32>>(self.connection)?;
        let of_attempts = attempts::table
            .filter(attempts::job_id.eq(id).and(attempts::generation.gt(generation)))
            .select(min(attempts::generation))
            .first::<Option<i32>>(self.connection)?;
        Ok([of_sessions, of_attempts].into_iter().flatten().min())
    }

    /// Fails if there are rows of a missing job: no command would list them.
    fn know_all(&mut self, rows: &[JobRow]) -> Result<(), LedgerError> {
        let known: HashSet<i32> = rows.iter().map(|row| row.id).collect();
        let mut after = i32::MIN;
        loop {
            let next = sessions::table
                .filter(sessions::job_id.gt(after))
                .select(min(sessions::job_id))
                .first::<Option<i32>>(self.connection)?;
            let Some(id) = next else { return Ok(()) };
            if !known.contains(&id) {
                return Err(LedgerError::Corrupt(format!("job number {id} has rows, and is not there")));
            }
            after = id;
        }
    }
}

/// An iterator over the rows of a range.
struct Stream<R> {
    range: IndexRange<'static>,
    after: Cursor,
    page: VecDeque<R>,
    is_done: bool,
}

impl<R: Listed> Stream<R> {
    fn new(range: IndexRange<'static>) -> Self {
        Self { range, after: Cursor::start(), page: VecDeque::new(), is_done: false }
    }

    /// The date of the next row.
    fn date(&mut self, connection: &mut AnyConnection) -> QueryResult<Option<i64>> {
        if self.page.is_empty() && !self.is_done {
            self.page = R::page(connection, self.range, self.after)?.into();
            match self.page.back() {
                Some(last) => self.after = last.cursor(),
                None => self.is_done = true,
            }
        }
        Ok(self.page.front().map(|row| row.cursor().date))
    }

    fn take(&mut self) -> Option<R> {
        self.page.pop_front()
    }
}
