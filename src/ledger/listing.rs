//! Lists sessions and attempts of any number in bounded memory: a page at a time, each continuing after the last key.
//!
//! Each page is a read of its own, so that a slow reader never keeps SQLite from emptying its WAL. A row that changes while
//! the list is read appears as it was at its page.

pub(super) mod attempts;
pub(super) mod page;
mod sessions;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::LedgerError;
use super::filter::{Between, Bounds, LocalBetween};
use super::rows::{job_name, micros, number as stored};
use super::schema::jobs;
use super::zones::Zones;
use crate::job::JobName;
use crate::session::{AttemptKey, REPLACED, SessionKey};
use page::{Cursor, IndexRange, Listed, PAGE};

/// The position of a row in a list, which is sorted by the names of the jobs within a date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SortKey<'a> {
    date: i64,
    job: &'a JobName,
    generation: i32,
    number: i32,
}

impl<'a> SortKey<'a> {
    /// The position of a session.
    pub(super) fn of_session(key: &'a SessionKey) -> Self {
        Self { date: micros(key.date), job: &key.job, generation: stored(key.generation), number: 0 }
    }

    /// The position of an attempt.
    pub(super) fn of_attempt(key: &'a AttemptKey) -> Self {
        Self { number: stored(key.number), ..Self::of_session(&key.session) }
    }

    /// The position of a row of a job.
    pub(super) fn of(job: &'a JobName, cursor: Cursor) -> Self {
        Self { date: cursor.date, job, generation: cursor.generation, number: cursor.number }
    }
}

/// Which rows to list.
#[derive(Clone, Copy)]
pub(super) struct Selection<'a> {
    pub(super) jobs: Option<&'a [JobName]>,
    pub(super) dates: Between,
    pub(super) local: LocalBetween,
    pub(super) codes: &'a [Option<i16>],
    pub(super) before: Option<SortKey<'a>>,
    pub(super) newest: Option<u32>,
    pub(super) all_generations: bool,
}

impl Selection<'_> {
    /// The bounds of the dates.
    pub(super) fn bounds(&self, connection: &mut AnyConnection) -> QueryResult<Bounds> {
        // Zones matter to local times alone.
        let zones = if self.local == LocalBetween::default() { Zones::default() } else { Zones::load(connection)? };
        Ok(Bounds::new(self.dates, self.local, &zones))
    }

    /// The numbers of the jobs; all jobs if absent.
    pub(super) fn job_ids(&self, names: &Names) -> Option<Vec<i32>> {
        let jobs: HashSet<&JobName> = self.jobs?.iter().collect();
        Some(names.iter().filter(|(_, (name, _))| jobs.contains(name)).map(|(id, _)| *id).collect())
    }
}

/// The name, and the generation in force, of each job by its number.
pub(super) type Names = HashMap<i32, (JobName, i32)>;

/// The names of all jobs.
pub(super) fn names(connection: &mut AnyConnection) -> Result<Names, LedgerError> {
    let rows = jobs::table.select((jobs::id, jobs::name, jobs::generation)).load::<(i32, String, i32)>(connection)?;
    rows.into_iter().map(|(id, name, generation)| Ok((id, (job_name(&name)?, generation)))).collect()
}

/// The names of a few jobs, looked up one by one, or else of all. A list of jobs asks about each of those that wait.
fn names_of(connection: &mut AnyConnection, asked: Option<&[JobName]>) -> Result<Names, LedgerError> {
    let Some(few) = asked.filter(|jobs| jobs.len() <= FEW) else { return names(connection) };
    let mut found = Names::new();
    for job in few {
        let row = jobs::table.filter(jobs::name.eq(job.as_str())).select((jobs::id, jobs::generation));
        if let Some((id, generation)) = row.first::<(i32, i32)>(connection).optional()? {
            found.insert(id, (job.clone(), generation));
        }
    }
    Ok(found)
}

/// Whether a job has rows of an earlier generation.
fn has_earlier(connection: &mut AnyConnection, names: &Names) -> QueryResult<bool> {
    if names.values().any(|(_, generation)| *generation > 1) {
        return Ok(true);
    }
    let replaced = jobs::table.filter(jobs::has_replaced.eq(true)).select(jobs::id);
    Ok(replaced.first::<i32>(connection).optional()?.is_some())
}

/// Passes the selected rows to `each`, ascending by date, then job.
pub(super) fn list<Row: Listed>(
    connection: &mut AnyConnection,
    selection: Selection<'_>,
    each: &mut dyn FnMut(Row::Record) -> ControlFlow<()>,
) -> Result<(), LedgerError> {
    let mut names = names_of(connection, selection.jobs)?;
    let ids = selection.job_ids(&names);
    let bounds = selection.bounds(connection)?;
    let is_few = ids.as_ref().is_some_and(|ids| ids.len() <= FEW);
    let in_force = !is_few && !selection.all_generations && has_earlier(connection, &names)?;
    let ranges = ranges((&names, in_force), ids.as_deref(), &bounds, selection);
    let Some((mut after, skipped)) = start::<Row>(connection, &names, &ranges, &bounds, selection)? else {
        return Ok(());
    };
    let mut emitter = Emitter { skipped, before: selection.before, zones: Zones::default(), each };
    // The rows at one date, to be sorted by the names of their jobs.
    let mut same_date: Vec<(JobName, Row)> = Vec::new();
    loop {
        let page = page::<Row>(connection, &ranges, after)?;
        let Some(last) = page.last() else { break };
        after = last.cursor();
        emitter.zones = Zones::load(connection)?;
        for row in page {
            let key = row.cursor();
            if same_date.first().is_some_and(|(_, first)| first.cursor().date != key.date)
                && emitter.emit(&mut same_date)?.is_break()
            {
                return Ok(());
            }
            if !names.contains_key(&key.job_id) {
                names = self::names(connection)?;
            }
            let (name, _) = names
                .get(&key.job_id)
                .ok_or_else(|| LedgerError::Corrupt(format!("job number {} has rows, and is not there", key.job_id)))?;
            same_date.push((name.clone(), row));
        }
    }
    emitter.emit(&mut same_date).map(drop)
}

/// The rows of so many jobs are read along their primary keys. Those of more jobs are found in the index by date.
const FEW: usize = 8;

/// The index ranges with the selected rows; `in_force` leaves out those of earlier generations.
fn ranges<'a>(
    (names, in_force): (&Names, bool),
    ids: Option<&'a [i32]>,
    bounds: &'a Bounds,
    selection: Selection<'a>,
) -> Vec<IndexRange<'a>> {
    let Bounds { from, to, of_zones } = bounds;
    let to = selection.before.map_or(*to, |before| before.date.saturating_add(1).min(*to));
    let from = *from;
    let codes = selection.codes;
    let Some(few) = ids.filter(|ids| ids.len() <= FEW) else {
        return vec![IndexRange { job: None, jobs: ids.unwrap_or_default(), in_force, from, to, of_zones, codes }];
    };
    let generations = few.iter().filter_map(|id| Some((*id, names.get(id)?.1))).flat_map(|(id, generation)| {
        let oldest = if selection.all_generations { stored(REPLACED) } else { generation };
        (oldest..=generation).map(move |generation| (id, generation))
    });
    generations.map(|job| IndexRange { job: Some(job), jobs: &[], in_force: true, from, to, of_zones, codes }).collect()
}

/// Where the list begins and how many rows it skips there, so that the newest remain; none if no row is wanted.
fn start<Row: Listed>(
    connection: &mut AnyConnection,
    names: &Names,
    ranges: &[IndexRange<'_>],
    bounds: &Bounds,
    selection: Selection<'_>,
) -> Result<Option<(Cursor, i64)>, LedgerError> {
    let first = bounds.from;
    let wanted = match selection.newest {
        None => return Ok(Some((Cursor::at(first), 0))),
        Some(0) => return Ok(None),
        Some(wanted) => wanted,
    };
    let beyond = match selection.before {
        Some(before) => not_before::<Row>(connection, names, ranges, before)?,
        None => 0,
    };
    let wanted = wanted.saturating_add(beyond);
    // One range has enough rows from this date on, so all ranges have enough from the latest such date on.
    let mut from = None;
    for range in ranges {
        from = from.max(Row::newest(connection, *range, wanted)?);
    }
    if let ([_], None) = (ranges, from) {
        return Ok(Some((Cursor::at(first), 0)));
    }
    let from = from.unwrap_or(first);
    let mut count = 0;
    for range in ranges {
        count += Row::count_from(connection, *range, from)?;
    }
    Ok(Some((Cursor::at(from), (count - i64::from(wanted)).max(0))))
}

/// How many rows at the date of `before` are not before it. The database sorts the rows of a date by job id, the list by
/// the name of the job.
fn not_before<Row: Listed>(
    connection: &mut AnyConnection,
    names: &Names,
    ranges: &[IndexRange<'_>],
    before: SortKey<'_>,
) -> Result<u32, LedgerError> {
    let (mut count, mut after) = (0, Cursor::at(before.date));
    let ranges: Vec<IndexRange<'_>> = ranges.iter().filter(|range| range.from <= before.date).copied().collect();
    loop {
        let page = page::<Row>(connection, &ranges, after)?;
        let Some(last) = page.last() else { return Ok(count) };
        after = last.cursor();
        for cursor in page.iter().map(Row::cursor) {
            let is_before = names.get(&cursor.job_id).is_some_and(|(name, _)| SortKey::of(name, cursor) < before);
            count += u32::from(!is_before);
        }
    }
}

/// The next page of all ranges, ascending; shorter than a page only at the end.
fn page<Row: Listed>(
    connection: &mut AnyConnection,
    ranges: &[IndexRange<'_>],
    after: Cursor,
) -> QueryResult<Vec<Row>> {
    let mut rows = Vec::new();
    for range in ranges {
        rows.extend(Row::page(connection, *range, after)?);
    }
    if ranges.len() > 1 {
        rows.sort_by_key(Row::cursor);
        rows.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    }
    Ok(rows)
}

/// Passes rows to the caller.
struct Emitter<'a, Record> {
    /// How many rows are still skipped.
    skipped: i64,
    /// Where the list ends.
    before: Option<SortKey<'a>>,
    /// Those of all pages so far.
    zones: Zones,
    each: &'a mut dyn FnMut(Record) -> ControlFlow<()>,
}

impl<Record> Emitter<'_, Record> {
    /// Passes on the rows of one date.
    fn emit<Row: Listed<Record = Record>>(
        &mut self,
        same_date: &mut Vec<(JobName, Row)>,
    ) -> Result<ControlFlow<()>, LedgerError> {
        same_date.sort_by(|(a, row), (b, other)| SortKey::of(a, row.cursor()).cmp(&SortKey::of(b, other.cursor())));
        for (job, row) in same_date.drain(..) {
            if self.before.is_some_and(|before| SortKey::of(&job, row.cursor()) >= before) {
                return Ok(ControlFlow::Break(()));
            }
            if self.skipped > 0 {
                self.skipped -= 1;
            } else if (self.each)(row.record(&job, &self.zones)?).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
