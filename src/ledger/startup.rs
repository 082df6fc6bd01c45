//! What a daemon must know beside the unsettled dates: settled ones out of the ordinary range, backfills, and who disabled
//! what; and what the ledger knows of the dates that a request is about.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::LedgerError;
use super::connection::AnyConnection;
use super::rows::{SessionRow, code, count, instant, micros};
use super::schema::{backfills, disabled, jobs, sessions};
use crate::job::JobName;
use crate::session::{BackfillId, BackfillRecord, Disabled, Operation, Past, Retrying, StateKind};

/// No more settled dates than this are read for a request: no request is about more.
const MOST: i64 = 1_000_001;

/// The settled dates, of the generations in force, that are before the first instant of their job's concern or after
/// its clock.
pub(super) fn settled_outside_range(
    connection: &mut AnyConnection,
    names: &HashMap<i32, JobName>,
) -> Result<Vec<(JobName, DateTime<Utc>)>, LedgerError> {
    let in_force = sessions::job_id.eq(jobs::id).and(sessions::generation.eq(jobs::generation));
    let first = sessions::table.filter(in_force.and(sessions::settled_at.is_not_null())).select(sessions::date);
    let before = first.filter(sessions::date.lt(jobs::first_date)).order(sessions::date).limit(1).single_value();
    let after =
        first.filter(sessions::date.nullable().gt(jobs::watermark)).order(sessions::date).limit(1).single_value();
    // One query finds the few jobs that have any: with thousands of jobs, a query for each would be what a start takes.
    let rows = jobs::table
        .select((jobs::id, jobs::generation, jobs::first_date, jobs::watermark, before, after))
        .load::<(i32, i32, i64, Option<i64>, Option<i64>, Option<i64>)>(connection)?;
    let mut found = Vec::new();
    for (id, generation, first_date, watermark, before, after) in rows {
        if watermark.is_some() && before.is_none() && after.is_none() {
            continue;
        }
        let Some(name) = names.get(&id) else { continue };
        let of_job = sessions::job_id.eq(id).and(sessions::generation.eq(generation));
        let settled =
            || sessions::table.filter(of_job).filter(sessions::settled_at.is_not_null()).select(sessions::date);
        let mut dates = match watermark {
            None => settled().load::<i64>(connection)?,
            Some(watermark) => {
                let mut dates = settled().filter(sessions::date.lt(first_date)).load::<i64>(connection)?;
                dates.extend(settled().filter(sessions::date.gt(watermark)).load::<i64>(connection)?);
                dates
            }
        };
        dates.sort_unstable();
        for date in dates {
            found.push((name.clone(), instant(date)?));
        }
    }
    Ok(found)
}

type BackfillRow = (i64, i32, i32, Option<String>, bool, i32, i64);

/// The backfills that have unsettled dates.
pub(super) fn backfills(
    connection: &mut AnyConnection,
    names: &HashMap<i32, JobName>,
) -> Result<Vec<BackfillRecord>, LedgerError> {
    let open = sessions::table
        .filter(sessions::settled_at.is_null())
        .filter(sessions::backfill_id.is_not_null())
        .select(sessions::backfill_id)
        .distinct()
        .load::<Option<i64>>(connection)?;
    let mut found = Vec::new();
    for id in open.into_iter().flatten() {
        let row = backfills::table.find(id).first::<BackfillRow>(connection).optional()?;
        let Some((id, job_id, generation, name, newest_first, parallel, entered_at)) = row else {
            return Err(LedgerError::Corrupt(format!("backfill {id} has dates, and is not there")));
        };
        let Some(job) = names.get(&job_id).cloned() else { continue };
        let (generation, parallel, entered_at) = (count(generation), count(parallel), instant(entered_at)?);
        found.push(BackfillRecord { id, job, generation, name, newest_first, parallel, entered_at });
    }
    found.sort_by_key(|backfill| backfill.id);
    Ok(found)
}

/// The jobs that operators disabled.
pub(super) fn disabled(
    connection: &mut AnyConnection,
    names: &HashMap<i32, JobName>,
) -> Result<Vec<Disabled>, LedgerError> {
    let rows = disabled::table.load::<(i32, i64, Option<i64>, String, Option<String>)>(connection)?;
    let mut found = Vec::with_capacity(rows.len());
    for (id, at, until, user, reason) in rows {
        let Some(job) = names.get(&id).cloned() else { continue };
        found.push(Disabled { job, at: instant(at)?, until: until.map(instant).transpose()?, user, reason });
    }
    found.sort_by(|one, other| one.job.cmp(&other.job));
    Ok(found)
}

/// What the ledger knows of the dates that a request is about.
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
    let mut past = Past { generation: count(generation), ..Past::default() };
    let of_job = sessions::job_id.eq(id).and(sessions::generation.eq(generation));
    if let Some((from, to)) = operation.past() {
        let rows = sessions::table
            .filter(of_job)
            .filter(sessions::date.ge(micros(from)).and(sessions::date.lt(micros(to))))
            .filter(sessions::settled_at.is_not_null())
            .order(sessions::date)
            .limit(MOST)
            .load::<SessionRow>(connection)?;
        past.settled = rows.into_iter().map(|row| row.record(job)).collect::<Result<_, _>>()?;
    }
    match operation {
        Operation::Backfill(order) => {
            let dates = sessions::table
                .filter(sessions::job_id.eq(id).and(sessions::generation.lt(generation)))
                .filter(sessions::date.ge(micros(order.from)).and(sessions::date.lt(first_date)))
                .filter(sessions::state.eq(code(StateKind::Succeeded)))
                .order(sessions::date)
                .select(sessions::date)
                .limit(MOST)
                .load::<i64>(connection)?;
            past.earlier = dates.into_iter().map(instant).collect::<Result<_, _>>()?;
            past.is_entered = is_entered(connection, request)?;
            if let Some(name) = &order.name {
                past.namesake = backfills::table
                    .filter(backfills::job_id.eq(id).and(backfills::name.eq(name)))
                    .select(backfills::id)
                    .first::<BackfillId>(connection)
                    .optional()?;
            }
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
