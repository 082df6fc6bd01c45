//! Lists backfills, with how many of their dates are in each state.

use chrono::{DateTime, Utc};
use diesel::dsl::count_star;
use diesel::prelude::*;

use super::daily_counts::{StateCounts, state_counts};
use super::error::LedgerError;
use super::listing;
use super::reader::Reader;
use super::rows::{BackfillRow, backfill_record, instant};
use super::schema::{audit, backfills, sessions};
use crate::job::JobName;
use crate::session::BackfillRecord;

/// A backfill that an operator ordered, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillProgress {
    pub record: BackfillRecord,
    /// The first of its dates.
    pub from: Option<DateTime<Utc>>,
    /// The last of its dates.
    pub to: Option<DateTime<Utc>>,
    /// Who ordered it.
    pub user: String,
    /// The dates that belong to it now: a later backfill may have taken others.
    pub counts: StateCounts,
}

impl Reader {
    /// The backfills that operators ordered, of one job or of all, in the order in which they were ordered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn backfills(&mut self, job: Option<&JobName>) -> Result<Vec<BackfillProgress>, LedgerError> {
        let connection = &mut self.connection;
        let names = listing::names(connection)?;
        // The repetition of one date by `retry` is a backfill to the scheduler only.
        let rows = backfills::table
            .inner_join(audit::table.on(audit::id.eq(backfills::id).and(audit::action.eq("backfill"))))
            .order(backfills::id)
            .select((backfills::all_columns, (audit::from_date, audit::to_date, audit::user_name)))
            .load::<(BackfillRow, (Option<i64>, Option<i64>, String))>(connection)?;
        let mut found = Vec::new();
        for (row, (from, to, user)) in rows {
            let (id, job_id, generation) = (row.0, row.1, row.2);
            let Some((name, _)) = names.get(&job_id).filter(|(name, _)| job.is_none_or(|job| job == name)) else {
                continue;
            };
            // The range of the dates spares reading all rows of the job.
            let counts = sessions::table
                .filter(sessions::job_id.eq(job_id).and(sessions::generation.eq(generation)))
                .filter(sessions::date.between(from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX)))
                .filter(sessions::backfill_id.eq(id))
                .group_by(sessions::state)
                .select((sessions::state, count_star()))
                .load::<(i16, i64)>(connection)?;
            found.push(BackfillProgress {
                record: backfill_record(row, name.clone())?,
                from: from.map(instant).transpose()?,
                to: to.map(instant).transpose()?,
                user,
                counts: state_counts(counts)?,
            });
        }
        Ok(found)
    }
}
