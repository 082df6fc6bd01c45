//! Reads the durations of a job's newest attempts.

use std::time::Duration;

use diesel::prelude::*;

use super::error::LedgerError;
use super::reader::Reader;
use super::schema::attempts;
use crate::job::JobName;
use crate::session::OutcomeKind;

impl Reader {
    /// The durations of a job's newest successful attempts (in its generation in force): at most `count`, the newest
    /// date first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn durations(&mut self, job: &JobName, count: u32) -> Result<Vec<Duration>, LedgerError> {
        let Some((id, generation)) = self.number_of(job)? else { return Ok(Vec::new()) };
        let micros = attempts::table
            .filter(attempts::job_id.eq(id).and(attempts::generation.eq(generation)))
            .filter(
                attempts::outcome
                    .eq(i16::from(OutcomeKind::Succeeded.code()))
                    .and(attempts::duration_micros.is_not_null()),
            )
            .order((attempts::date.desc(), attempts::number.desc()))
            .limit(i64::from(count))
            .select(attempts::duration_micros)
            .load::<Option<i64>>(&mut self.connection)?;
        Ok(micros.into_iter().flatten().map(|micros| Duration::from_micros(micros.unsigned_abs())).collect())
    }
}
