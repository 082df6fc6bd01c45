//! The newest success before a date: `CRONTABBER_LAST_SUCCESS` of a date that is older than the job's newest success.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::LedgerError;
use super::rows::{code, instant, micros, number};
use super::schema::{jobs, sessions};
use crate::session::{SessionKey, StateKind};

/// Reads backwards from the date in the primary key, and stops at the first success. The dates of the generation before
/// count up to where the generation in force begins, as they do for the job's last success after a reset to a date.
pub(super) fn before(
    connection: &mut AnyConnection,
    session: &SessionKey,
) -> Result<Option<DateTime<Utc>>, LedgerError> {
    let job = jobs::table.filter(jobs::name.eq(session.job.as_str())).select((jobs::id, jobs::first_date));
    let Some((id, first_date)) = job.first::<(i32, i64)>(connection).optional()? else { return Ok(None) };
    let date = micros(session.date);
    let mut newest = None;
    let generation = number(session.generation);
    for (generation, end) in [(generation, date), (generation - 1, date.min(first_date))] {
        let of_generation = sessions::job_id.eq(id).and(sessions::generation.eq(generation));
        let found = sessions::table
            .filter(of_generation.and(sessions::date.lt(end)).and(sessions::state.eq(code(StateKind::Succeeded))))
            .order(sessions::date.desc())
            .select(sessions::date)
            .first::<i64>(connection)
            .optional()?;
        newest = newest.max(found);
    }
    newest.map(instant).transpose()
}
