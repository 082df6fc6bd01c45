//! Lists sessions and attempts of any number in bounded memory: a page at a time, each going on after the last key.
//!
//! A page is a read of its own, so that a slow reader never keeps SQLite's log from being emptied. A row that changes
//! while the list is read is shown as it was at its page.

mod attempts;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::ControlFlow;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;

use super::LedgerError;
use super::connection::{AnyConnection, MultiBackend};
use super::rows::{SessionRow, job_name, micros, number as stored};
use super::schema::{jobs, sessions};
use crate::job::JobName;
use crate::session::{AttemptKey, OutcomeKind, SessionKey, SessionRecord, StateKind};

/// How many rows a page has.
const PAGE: i64 = 1_000;

/// Which dates: all of them unless bounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Between {
    /// The first instant that may be one.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after them.
    pub to: Option<DateTime<Utc>>,
}

impl Between {
    /// One date.
    #[must_use]
    pub fn only(date: DateTime<Utc>) -> Self {
        Self { from: Some(date), to: date.checked_add_signed(TimeDelta::microseconds(1)) }
    }

    /// The bounds as the ledger keeps instants.
    pub(super) fn micros(self) -> (i64, i64) {
        (self.from.map_or(i64::MIN, micros), self.to.map_or(i64::MAX, micros))
    }
}

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only those of this job.
    pub job: Option<JobName>,
    /// Only those at these dates.
    pub dates: Between,
    /// Only those in one of these states; in any if empty.
    pub states: Vec<StateKind>,
    /// Only those that stand before this one in the list.
    pub before: Option<SessionKey>,
    /// Only this many, the newest by date; all if absent.
    pub newest: Option<u32>,
    /// Those from before a reset too.
    pub all_generations: bool,
}

/// Which attempts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttemptFilter {
    /// Only those of this job.
    pub job: Option<JobName>,
    /// Only those at these dates.
    pub dates: Between,
    /// Only those with one of these outcomes (none: still running); all if empty.
    pub outcomes: Vec<Option<OutcomeKind>>,
    /// Only those that stand before this one in the list.
    pub before: Option<AttemptKey>,
    /// Only this many, the newest by date; all if absent.
    pub newest: Option<u32>,
    /// Those from before a reset too.
    pub all_generations: bool,
}

/// Rows that one index has in the right order.
#[derive(Clone, Copy)]
pub(super) struct Lane<'a> {
    /// One job's generation; all jobs if absent.
    job: Option<(i32, i32)>,
    /// Of all jobs, only the generation in force.
    in_force: bool,
    /// The first date. A page has a place that is no earlier.
    from: i64,
    /// The first date after them.
    to: i64,
    /// The codes of the states, or of the outcomes (none: still running); any if empty.
    codes: &'a [Option<i16>],
}

impl Lane<'_> {
    /// The rows of one generation of a job.
    pub(super) fn of(job_id: i32, generation: i32) -> Self {
        Self { job: Some((job_id, generation)), in_force: false, from: i64::MIN, to: i64::MAX, codes: &[] }
    }
}

/// The key of a row, in the order of the indices by date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor {
    date: i64,
    job_id: i32,
    generation: i32,
    number: i32,
}

impl Cursor {
    /// Before every row.
    pub(super) fn start() -> Self {
        Self::at(i64::MIN)
    }

    /// The key of a session.
    pub(super) fn of_session(date: i64, job_id: i32, generation: i32) -> Self {
        Self { date, job_id, generation, number: 0 }
    }

    /// The row's date.
    pub(super) fn date(self) -> i64 {
        self.date
    }

    /// The number of the row's job.
    pub(super) fn job_id(self) -> i32 {
        self.job_id
    }

    /// The row's generation of its job.
    pub(super) fn generation(self) -> i32 {
        self.generation
    }

    /// The key of the row's session, as its table has it.
    pub(super) fn session(self) -> (i32, i32, i64) {
        (self.job_id, self.generation, self.date)
    }

    /// Before every row at this date.
    fn at(date: i64) -> Self {
        Self { date, job_id: i32::MIN, generation: i32::MIN, number: i32::MIN }
    }

    /// The same place among the rows of one job's generation, which have no number before the place or all.
    fn within(self, generation: i32) -> Self {
        let number = match generation.cmp(&self.generation) {
            Ordering::Greater => i32::MIN,
            Ordering::Equal => self.number,
            Ordering::Less => i32::MAX,
        };
        Self { number, ..self }
    }

    /// The latest date whose rows are all before the place, for rows that are alone at their date.
    fn before_date(self) -> i64 {
        if self.number == i32::MIN { self.date.saturating_sub(1) } else { self.date }
    }
}

/// A table that is listed by date.
pub(super) trait Listed: Sized {
    /// What a row says.
    type Record;

    /// The next rows of a lane, ascending.
    fn page(connection: &mut AnyConnection, lane: Lane<'_>, after: Cursor) -> QueryResult<Vec<Self>>;

    /// The date of the `count`-th newest row of a lane; none if it has fewer.
    fn newest(connection: &mut AnyConnection, lane: Lane<'_>, count: u32) -> QueryResult<Option<i64>>;

    /// How many rows a lane has from a date on.
    fn count_from(connection: &mut AnyConnection, lane: Lane<'_>, date: i64) -> QueryResult<i64>;

    /// The row's key.
    fn cursor(&self) -> Cursor;

    /// What the row says.
    fn record(self, job: &JobName) -> Result<Self::Record, LedgerError>;
}

impl Listed for SessionRow {
    type Record = SessionRecord;

    fn page(connection: &mut AnyConnection, lane: Lane<'_>, after: Cursor) -> QueryResult<Vec<Self>> {
        let rows = sessions_in(lane).limit(PAGE);
        if let Some((_, generation)) = lane.job {
            let before = after.within(generation).before_date();
            return rows.filter(sessions::date.gt(before)).order(sessions::date).load(connection);
        }
        let later_here = sessions::job_id.eq(after.job_id).and(sessions::generation.gt(after.generation));
        let beyond = sessions::date.gt(after.date).or(sessions::job_id.gt(after.job_id)).or(later_here);
        let rows = rows.filter(sessions::date.ge(after.date)).filter(beyond);
        rows.order((sessions::date, sessions::job_id, sessions::generation)).load(connection)
    }

    fn newest(connection: &mut AnyConnection, lane: Lane<'_>, count: u32) -> QueryResult<Option<i64>> {
        let rows = sessions_in(lane).filter(sessions::date.ge(lane.from));
        let dates = rows.select(sessions::date).order(sessions::date.desc());
        dates.offset(i64::from(count) - 1).limit(1).first(connection).optional()
    }

    fn count_from(connection: &mut AnyConnection, lane: Lane<'_>, date: i64) -> QueryResult<i64> {
        sessions_in(lane).filter(sessions::date.ge(date)).select(diesel::dsl::count_star()).first(connection)
    }

    fn cursor(&self) -> Cursor {
        Cursor::of_session(self.date, self.job_id, self.generation)
    }

    fn record(self, job: &JobName) -> Result<Self::Record, LedgerError> {
        Self::record(self, job)
    }
}

fn sessions_in(lane: Lane<'_>) -> sessions::BoxedQuery<'static, MultiBackend> {
    let mut rows = sessions::table.into_boxed();
    if let Some((job_id, generation)) = lane.job {
        rows = rows.filter(sessions::job_id.eq(job_id)).filter(sessions::generation.eq(generation));
    } else if lane.in_force {
        let in_force = jobs::id.eq(sessions::job_id).and(jobs::generation.eq(sessions::generation));
        rows = rows.filter(exists(jobs::table.filter(in_force)));
    }
    if lane.to < i64::MAX {
        rows = rows.filter(sessions::date.lt(lane.to));
    }
    if !lane.codes.is_empty() {
        rows = rows.filter(sessions::state.eq_any(lane.codes.iter().flatten().copied()));
    }
    rows
}

/// A place in a list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place<'a> {
    date: i64,
    job: &'a JobName,
    generation: i32,
    number: i32,
}

impl<'a> Place<'a> {
    /// Where a session stands.
    pub(super) fn of_session(key: &'a SessionKey) -> Self {
        Self { date: micros(key.date), job: &key.job, generation: stored(key.generation), number: 0 }
    }

    /// Where an attempt stands.
    pub(super) fn of_attempt(key: &'a AttemptKey) -> Self {
        Self { number: stored(key.number), ..Self::of_session(&key.session) }
    }

    /// Where a row of a job stands.
    pub(super) fn of(job: &'a JobName, cursor: Cursor) -> Self {
        Self { date: cursor.date, job, generation: cursor.generation, number: cursor.number }
    }
}

/// Which rows to list.
#[derive(Clone, Copy)]
pub(super) struct Selection<'a> {
    pub(super) job: Option<&'a JobName>,
    pub(super) dates: Between,
    pub(super) codes: &'a [Option<i16>],
    pub(super) before: Option<Place<'a>>,
    pub(super) newest: Option<u32>,
    pub(super) all_generations: bool,
}

/// The name, and the generation in force, of each job by its number.
pub(super) type Names = HashMap<i32, (JobName, i32)>;

/// The names of all jobs.
pub(super) fn names(connection: &mut AnyConnection) -> Result<Names, LedgerError> {
    let rows = jobs::table.select((jobs::id, jobs::name, jobs::generation)).load::<(i32, String, i32)>(connection)?;
    rows.into_iter().map(|(id, name, generation)| Ok((id, (job_name(&name)?, generation)))).collect()
}

/// Hands the selected rows to `each`, ascending by date, then job.
pub(super) fn list<Row: Listed>(
    connection: &mut AnyConnection,
    selection: Selection<'_>,
    each: &mut dyn FnMut(Row::Record) -> ControlFlow<()>,
) -> Result<(), LedgerError> {
    let mut names = names(connection)?;
    let lanes = lanes(&names, selection);
    let Some((mut after, skipped)) = start::<Row>(connection, &names, &lanes, selection)? else { return Ok(()) };
    let mut hand = Hand { skipped, before: selection.before, each };
    // The rows at one date, whose jobs' names are in another order than their numbers.
    let mut together: Vec<(JobName, Row)> = Vec::new();
    loop {
        let page = page::<Row>(connection, &lanes, after)?;
        let Some(last) = page.last() else { break };
        after = last.cursor();
        for row in page {
            let key = row.cursor();
            if together.first().is_some_and(|(_, first)| first.cursor().date != key.date)
                && hand.hand_over(&mut together)?.is_break()
            {
                return Ok(());
            }
            if !names.contains_key(&key.job_id) {
                names = self::names(connection)?;
            }
            let (name, _) = names
                .get(&key.job_id)
                .ok_or_else(|| LedgerError::Corrupt(format!("job number {} has rows, and is not there", key.job_id)))?;
            together.push((name.clone(), row));
        }
    }
    hand.hand_over(&mut together).map(drop)
}

/// The lanes that have the selected rows.
fn lanes<'a>(names: &Names, selection: Selection<'a>) -> Vec<Lane<'a>> {
    let (from, to) = selection.dates.micros();
    let to = selection.before.map_or(to, |before| to.min(before.date.saturating_add(1)));
    let codes = selection.codes;
    let Some(job) = selection.job else {
        let in_force = !selection.all_generations && names.values().any(|(_, generation)| *generation > 1);
        return vec![Lane { job: None, in_force, from, to, codes }];
    };
    let Some((id, (_, generation))) = names.iter().find(|(_, (name, _))| name == job) else { return Vec::new() };
    let oldest = if selection.all_generations { 1 } else { *generation };
    let lane = |generation| Lane { job: Some((*id, generation)), in_force: true, from, to, codes };
    (oldest..=*generation).map(lane).collect()
}

/// Where to begin, and how many rows to leave out there, so that the newest remain; nowhere if none are wanted.
fn start<Row: Listed>(
    connection: &mut AnyConnection,
    names: &Names,
    lanes: &[Lane<'_>],
    selection: Selection<'_>,
) -> Result<Option<(Cursor, i64)>, LedgerError> {
    let first = selection.dates.micros().0;
    let wanted = match selection.newest {
        None => return Ok(Some((Cursor::at(first), 0))),
        Some(0) => return Ok(None),
        Some(wanted) => wanted,
    };
    let beyond = match selection.before {
        Some(before) => not_before::<Row>(connection, names, lanes, before)?,
        None => 0,
    };
    let wanted = wanted.saturating_add(beyond);
    // Each lane alone has its newest after this date or at it, so all together have enough from the latest such date.
    let mut from = None;
    for lane in lanes {
        from = from.max(Row::newest(connection, *lane, wanted)?);
    }
    if let ([_], None) = (lanes, from) {
        return Ok(Some((Cursor::at(first), 0)));
    }
    let from = from.unwrap_or(first);
    let mut count = 0;
    for lane in lanes {
        count += Row::count_from(connection, *lane, from)?;
    }
    Ok(Some((Cursor::at(from), (count - i64::from(wanted)).max(0))))
}

/// How many rows at the date of a place do not stand before it. That their jobs are in the order of their names is
/// nothing that the database knows.
fn not_before<Row: Listed>(
    connection: &mut AnyConnection,
    names: &Names,
    lanes: &[Lane<'_>],
    before: Place<'_>,
) -> Result<u32, LedgerError> {
    let (mut count, mut after) = (0, Cursor::at(before.date));
    let lanes: Vec<Lane<'_>> = lanes.iter().filter(|lane| lane.from <= before.date).copied().collect();
    loop {
        let page = page::<Row>(connection, &lanes, after)?;
        let Some(last) = page.last() else { return Ok(count) };
        after = last.cursor();
        for cursor in page.iter().map(Row::cursor) {
            let is_before = names.get(&cursor.job_id).is_some_and(|(name, _)| Place::of(name, cursor) < before);
            count += u32::from(!is_before);
        }
    }
}

/// The next rows of all lanes, ascending. More than a page where there are several lanes, less only at the end.
fn page<Row: Listed>(connection: &mut AnyConnection, lanes: &[Lane<'_>], after: Cursor) -> QueryResult<Vec<Row>> {
    let mut rows = Vec::new();
    for lane in lanes {
        rows.extend(Row::page(connection, *lane, after)?);
    }
    if lanes.len() > 1 {
        rows.sort_by_key(Row::cursor);
        rows.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    }
    Ok(rows)
}

/// Hands rows to whoever wants them.
struct Hand<'a, Record> {
    /// How many rows are still left out.
    skipped: i64,
    /// Where the list ends.
    before: Option<Place<'a>>,
    each: &'a mut dyn FnMut(Record) -> ControlFlow<()>,
}

impl<Record> Hand<'_, Record> {
    /// Hands over the rows of one date.
    fn hand_over<Row: Listed<Record = Record>>(
        &mut self,
        together: &mut Vec<(JobName, Row)>,
    ) -> Result<ControlFlow<()>, LedgerError> {
        together.sort_by(|(a, row), (b, other)| Place::of(a, row.cursor()).cmp(&Place::of(b, other.cursor())));
        for (job, row) in together.drain(..) {
            if self.before.is_some_and(|before| Place::of(&job, row.cursor()) >= before) {
                return Ok(ControlFlow::Break(()));
            }
            if self.skipped > 0 {
                self.skipped -= 1;
            } else if (self.each)(row.record(&job)?).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
