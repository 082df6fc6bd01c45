//! Lists unsettled sessions and open attempts, along the partial indices that have only them.
//!
//! Their keys are read first and sorted here: a list by date would scan every settled row.

use std::collections::HashSet;
use std::ops::ControlFlow;

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::LedgerError;
use super::listing::page::{Cursor, Listed};
use super::listing::{self, Names, Selection, SortKey};
use super::rows::SessionRow;
use super::schema::sessions;
use super::startup;
use super::zones::Zones;
use crate::job::JobName;
use crate::session::{AttemptRecord, SessionRecord};

/// Passes the selected sessions to `each`, ascending by date, then job.
pub(super) fn list(
    connection: &mut AnyConnection,
    selection: Selection<'_>,
    each: &mut dyn FnMut(SessionRecord) -> ControlFlow<()>,
) -> Result<(), LedgerError> {
    let names = listing::names(connection)?;
    let bounds = selection.bounds(connection)?;
    let mut rows = sessions::table
        .filter(sessions::settled_at.is_null())
        .filter(sessions::state.eq_any(selection.codes.iter().flatten().copied()))
        .into_boxed();
    if let Some(ids) = selection.job_ids(&names) {
        rows = rows.filter(sessions::job_id.eq_any(ids));
    }
    for (zone, from, to) in bounds.of_zones.iter().copied() {
        let within = sessions::date.ge(from).and(sessions::date.lt(to));
        rows = rows.filter(sessions::zone_id.ne(zone).or(within));
    }
    let keys =
        rows.select((sessions::job_id, sessions::generation, sessions::date)).load::<(i32, i32, i64)>(connection)?;
    let keys = keys.into_iter().filter(|(.., date)| (bounds.from..bounds.to).contains(date));
    let keys = keys.map(|(job_id, generation, date)| Cursor::of_session(date, job_id, generation));
    let zones = Zones::load(connection)?;
    for (name, key) in chosen(keys.map(|key| (key, key)).collect(), &names, selection) {
        let found = sessions::table.find(key.session()).first::<SessionRow>(connection).optional()?;
        // It may have been settled since its key was read.
        if let Some(row) = found.filter(|row| selection.codes.contains(&Some(row.state)))
            && each(row.record(name, &zones)?).is_break()
        {
            break;
        }
    }
    Ok(())
}

/// Passes the selected open attempts to `each`, ascending by date, job and number.
pub(super) fn list_open(
    connection: &mut AnyConnection,
    selection: Selection<'_>,
    each: &mut dyn FnMut(AttemptRecord) -> ControlFlow<()>,
) -> Result<(), LedgerError> {
    let names = listing::names(connection)?;
    let bounds = selection.bounds(connection)?;
    let rows = startup::open_attempts(connection)?.into_iter().filter(|row| bounds.contain(row.date, row.zone_id));
    let zones = Zones::load(connection)?;
    for (name, row) in chosen(rows.map(|row| (row.cursor(), row)).collect(), &names, selection) {
        if each(row.record(name, &zones)?).is_break() {
            break;
        }
    }
    Ok(())
}

/// The selected rows, sorted. Leaves out jobs that entered after the names were read.
pub(super) fn chosen<'a, T>(
    found: Vec<(Cursor, T)>,
    names: &'a Names,
    selection: Selection<'_>,
) -> Vec<(&'a JobName, T)> {
    let ids: Option<HashSet<i32>> = selection.job_ids(names).map(|ids| ids.into_iter().collect());
    let mut placed: Vec<(SortKey<'a>, &'a JobName, T)> = Vec::with_capacity(found.len());
    for (cursor, item) in found {
        let Some((name, in_force)) = names.get(&cursor.job_id) else { continue };
        let is_of_job = ids.as_ref().is_none_or(|ids| ids.contains(&cursor.job_id));
        if is_of_job && (selection.all_generations || cursor.generation == *in_force) {
            placed.push((SortKey::of(name, cursor), name, item));
        }
    }
    if let Some(before) = selection.before {
        placed.retain(|(place, ..)| *place < before);
    }
    placed.sort_by_key(|(place, ..)| *place);
    let newest = selection.newest.map_or(usize::MAX, |newest| usize::try_from(newest).unwrap_or(usize::MAX));
    let skipped = placed.len().saturating_sub(newest);
    placed.into_iter().skip(skipped).map(|(_, name, item)| (name, item)).collect()
}
