//! Counts the dates of a job by day and state, and finds the dates next to a range.
//!
//! The database counts each day along a range of the primary key; days without a date are skipped.

use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, max, min};
use diesel::prelude::*;

use super::error::LedgerError;
use super::filter::Between;
use super::reader::Reader;
use super::rows::{instant, micros};
use super::schema::{jobs, sessions};
use crate::job::JobName;
use crate::session::StateKind;

/// How many dates are in each state; only states that have any.
pub type StateCounts = Vec<(StateKind, u64)>;

/// The counts of the states that the tables have as codes.
pub(super) fn state_counts(rows: Vec<(i16, i64)>) -> Result<StateCounts, LedgerError> {
    let counted = rows.into_iter().map(|(state, dates)| {
        let kind = StateKind::from_code(state);
        let kind = kind.ok_or_else(|| LedgerError::Corrupt(format!("the state `{state}` is unknown")))?;
        Ok((kind, dates.unsigned_abs()))
    });
    counted.collect()
}

impl Reader {
    /// The dates of a job (in its generation in force) within each of `days`, counted by state. The days ascend, and each
    /// ends where the next begins or before.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn days(
        &mut self,
        job: &JobName,
        days: &[(DateTime<Utc>, DateTime<Utc>)],
    ) -> Result<Vec<StateCounts>, LedgerError> {
        let mut all = vec![StateCounts::new(); days.len()];
        let Some((id, generation)) = self.number_of(job)? else { return Ok(all) };
        // Every date before this instant is counted.
        let mut next = None;
        for (counts, (from, to)) in all.iter_mut().zip(days) {
            let (from, to) = (micros(*from), micros(*to));
            if next.is_some_and(|next| next >= to) {
                continue;
            }
            let of_job = sessions::job_id.eq(id).and(sessions::generation.eq(generation));
            *counts = sessions::table
                .filter(of_job.and(sessions::date.ge(from)).and(sessions::date.lt(to)))
                .group_by(sessions::state)
                .select((sessions::state, count_star()))
                .load::<(i16, i64)>(&mut self.connection)
                .map_err(LedgerError::from)
                .and_then(state_counts)?;
            if counts.is_empty() {
                let after = self.first_from(id, generation, to)?;
                next = Some(after.unwrap_or(i64::MAX));
            }
        }
        Ok(all)
    }

    /// The newest recorded date of a job before `between`, and its oldest after it (in its generation in force).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn beside(&mut self, job: &JobName, between: Between) -> Result<[Option<DateTime<Utc>>; 2], LedgerError> {
        let Some((id, generation)) = self.number_of(job)? else { return Ok([None, None]) };
        let (from, to) = between.micros();
        let before = sessions::table
            .filter(sessions::job_id.eq(id).and(sessions::generation.eq(generation)).and(sessions::date.lt(from)))
            .select(max(sessions::date))
            .first::<Option<i64>>(&mut self.connection)?;
        let after = self.first_from(id, generation, to)?;
        Ok([before.map(instant).transpose()?, after.map(instant).transpose()?])
    }

    fn first_from(&mut self, id: i32, generation: i32, from: i64) -> QueryResult<Option<i64>> {
        sessions::table
            .filter(sessions::job_id.eq(id).and(sessions::generation.eq(generation)).and(sessions::date.ge(from)))
            .select(min(sessions::date))
            .first::<Option<i64>>(&mut self.connection)
    }

    /// The id of a job and its generation in force, if the ledger has it.
    pub(super) fn number_of(&mut self, job: &JobName) -> QueryResult<Option<(i32, i32)>> {
        let of_job = jobs::table.filter(jobs::name.eq(job.as_str())).select((jobs::id, jobs::generation));
        of_job.first::<(i32, i32)>(&mut self.connection).optional()
    }
}
