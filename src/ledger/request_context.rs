//! What the ledger has of the dates of a request, for the scheduler to decide on it.

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::LedgerError;
use super::rows::{SessionRow, code, instant, micros};
use super::schema::{backfills, jobs, sessions};
use super::zones::Zones;
use crate::job::JobName;
use crate::session::{BackfillId, Operation, Past, Retrying, StateKind};

/// The most settled dates that are read for a request: no request is about more.
const MOST: i64 = 1_000_001;

/// Reads what the ledger has of the dates of a request.
pub(super) fn past(
    connection: &mut AnyConnection,
    job: &JobName,
    request: i64,
    operation: &Operation,
) -> Result<Past, LedgerError> {
    let found = jobs::table
        .filter(jobs::name.eq(job.as_str()))
        .select((jobs::id, jobs::generation, jobs::first_date))
        .first::<(i32, i32, i64)>(connection)
        .optional()?;
    let Some((id, generation, first_date)) = found else { return Ok(Past::default()) };
    let mut past = Past::default();
    let of_job = sessions::job_id.eq(id).and(sessions::generation.eq(generation));
    if let Some((from, to)) = operation.past() {
        let rows = sessions::table
            .filter(of_job)
            .filter(sessions::date.ge(micros(from)).and(sessions::date.lt(micros(to))))
            .filter(sessions::settled_at.is_not_null())
            .order(sessions::date)
            .limit(MOST)
            .load::<SessionRow>(connection)?;
        let zones = Zones::load(connection)?;
        past.settled = rows.into_iter().map(|row| row.record(job, &zones)).collect::<Result<_, _>>()?;
        let earlier = sessions::table
            .filter(sessions::job_id.eq(id).and(sessions::generation.lt(generation)))
            .filter(sessions::date.ge(micros(from)).and(sessions::date.lt(micros(to).min(first_date))))
            .filter(sessions::state.eq(code(StateKind::Succeeded)))
            .order(sessions::date)
            .select(sessions::date)
            .limit(MOST)
            .load::<i64>(connection)?;
        past.earlier = earlier.into_iter().map(instant).collect::<Result<_, _>>()?;
    }
    match operation {
        Operation::Backfill(order) => {
            past.is_entered = is_entered(connection, request)?;
            if let Some(name) = &order.name {
                past.namesake = backfills::table
                    .filter(backfills::job_id.eq(id).and(backfills::name.eq(name)))
                    .select(backfills::id)
                    .first::<BackfillId>(connection)
                    .optional()?;
            }
        }
        Operation::CancelBackfill { .. } => {
            let cancelled = backfills::table.filter(backfills::cancelled_by.eq(request)).select(backfills::id);
            past.is_entered = cancelled.first::<i64>(connection).optional()?.is_some();
        }
        Operation::Retry(Retrying::Date { .. }) => past.is_entered = is_entered(connection, request)?,
        Operation::Reset { to: Some(to) } => {
            let newest = sessions::table
                .filter(of_job)
                .filter(sessions::date.lt(micros(*to)).and(sessions::state.eq(code(StateKind::Succeeded))))
                .order(sessions::date.desc())
                .select(sessions::date)
                .first::<i64>(connection)
                .optional()?;
            past.last_success = newest.map(instant).transpose()?;
        }
        _ => {}
    }
    Ok(past)
}

fn is_entered(connection: &mut AnyConnection, request: i64) -> Result<bool, LedgerError> {
    let found = backfills::table.find(request).select(backfills::id).first::<i64>(connection).optional()?;
    Ok(found.is_some())
}
