//! Lists the attempts that ran at or after an instant.
//!
//! The rows of a list are in the order of dates, and no index has all attempts by the time of their end. An attempt that
//! ended within a day after its date is found by its date, and the index `attempts_late` has the others.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable};

use super::connection::AnyConnection;
use super::error::LedgerError;
use super::filter::Bounds;
use super::listing::attempts::{attempts_by_date, ended};
use super::listing::page::{Cursor, IndexRange};
use super::listing::{self, Selection};
use super::rows::{AttemptRow, micros};
use super::schema::{attempts, hosts};
use super::startup;
use super::unsettled::chosen;
use super::zones::Zones;
use crate::session::AttemptRecord;

/// The condition of the index `attempts_late`, word for word: else SQLite does not use the index.
const LATE: &str = "attempts.ended_at > attempts.date + 86400000000";

/// How long after its date an attempt ends that is not late.
const DAY: i64 = 86_400_000_000;

/// A key as the queries select it, with the zone of the date.
type Key = (i16, (i32, i32, i64, i32));

/// Passes the selected attempts that ended since an instant, or still run, to `each`, ascending by date, job and number.
pub(super) fn list(
    connection: &mut AnyConnection,
    selection: Selection<'_>,
    since: DateTime<Utc>,
    each: &mut dyn FnMut(AttemptRecord) -> ControlFlow<()>,
) -> Result<(), LedgerError> {
    let names = listing::names(connection)?;
    let since = micros(since);
    let bounds = selection.bounds(connection)?;
    let mut keys = prompt(connection, selection, &bounds, since)?;
    keys.extend(late(connection, selection, since)?);
    if selection.codes.is_empty() || selection.codes.contains(&None) {
        let open = startup::open_attempts(connection)?;
        keys.extend(open.iter().map(|row| (row.zone_id, (row.job_id, row.generation, row.date, row.number))));
    }
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|(zone, (_, _, date, _))| bounds.contain(*date, *zone));
    let cursors =
        keys.into_iter().map(|(_, (job_id, generation, date, number))| Cursor { date, job_id, generation, number });
    let zones = Zones::load(connection)?;
    for (name, key) in chosen(cursors.map(|cursor| (cursor, cursor)).collect(), &names, selection) {
        let found = attempts::table
            .inner_join(hosts::table)
            .filter(attempts::job_id.eq(key.job_id))
            .filter(attempts::generation.eq(key.generation))
            .filter(attempts::date.eq(key.date))
            .filter(attempts::number.eq(key.number))
            .select(AttemptRow::as_select())
            .first::<AttemptRow>(connection)
            .optional()?;
        // It may have ended since its key was read.
        if let Some(row) = found.filter(|row| selection.codes.is_empty() || selection.codes.contains(&row.outcome))
            && each(row.record(name, &zones)?).is_break()
        {
            break;
        }
    }
    Ok(())
}

/// The keys of attempts that ended since then, and not late.
fn prompt(
    connection: &mut AnyConnection,
    selection: Selection<'_>,
    bounds: &Bounds,
    since: i64,
) -> QueryResult<Vec<Key>> {
    let Bounds { from, to, of_zones } = bounds;
    let from = (*from).max(since.saturating_sub(DAY));
    let range = IndexRange { job: None, jobs: &[], in_force: false, from, to: *to, of_zones, codes: selection.codes };
    let rows = attempts_by_date(range, from).filter(attempts::ended_at.ge(since));
    rows.select((attempts::zone_id, (attempts::job_id, attempts::generation, attempts::date, attempts::number)))
        .load(connection)
}

/// The keys of attempts that ended since then, and late.
fn late(connection: &mut AnyConnection, selection: Selection<'_>, since: i64) -> QueryResult<Vec<Key>> {
    let rows = attempts::table.filter(sql::<Nullable<Bool>>(LATE)).filter(attempts::ended_at.ge(since)).into_boxed();
    let rows = match ended(selection.codes) {
        (outcomes, _) if outcomes.is_empty() => rows,
        (outcomes, _) => rows.filter(attempts::outcome.eq_any(outcomes)),
    };
    rows.select((attempts::zone_id, (attempts::job_id, attempts::generation, attempts::date, attempts::number)))
        .load(connection)
}
