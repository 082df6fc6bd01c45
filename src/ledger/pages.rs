//! Lists sessions and attempts of any number in bounded memory: a page at a time, each going on after the last key.
//!
//! A page is a read of its own, so that a slow reader never keeps SQLite's log from being emptied. A row that changes
//! while the list is read is shown as it was at its page.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use diesel::dsl::{IntoBoxed, exists};
use diesel::prelude::*;

use super::LedgerError;
use super::connection::{AnyConnection, MultiBackend};
use super::rows::{AttemptRow, SessionRow, job_name, micros};
use super::schema::{attempts, boots, jobs, sessions};
use crate::job::JobName;
use crate::session::{AttemptRecord, SessionRecord};

/// How many rows a page has.
const PAGE: i64 = 1_000;

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only those of this job.
    pub job: Option<JobName>,
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
    /// Only those at this date.
    pub date: Option<DateTime<Utc>>,
    /// Only this many, the newest by date; all if absent.
    pub newest: Option<u32>,
    /// Those from before a reset too.
    pub all_generations: bool,
}

/// Rows that one index has in the right order.
#[derive(Clone, Copy)]
pub(super) struct Lane {
    /// One job's generation; all jobs if absent.
    job: Option<(i32, i32)>,
    /// Of all jobs, only the generation in force.
    in_force: bool,
    date: Option<i64>,
}

impl Lane {
    /// The rows of one generation of a job.
    pub(super) fn of(job_id: i32, generation: i32) -> Self {
        Self { job: Some((job_id, generation)), in_force: false, date: None }
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

    /// The row's date.
    pub(super) fn date(self) -> i64 {
        self.date
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
    fn page(connection: &mut AnyConnection, lane: Lane, after: Cursor) -> QueryResult<Vec<Self>>;

    /// The date of the `count`-th newest row of a lane; none if it has fewer.
    fn newest(connection: &mut AnyConnection, lane: Lane, count: u32) -> QueryResult<Option<i64>>;

    /// How many rows a lane has from a date on.
    fn count_from(connection: &mut AnyConnection, lane: Lane, date: i64) -> QueryResult<i64>;

    /// The row's key.
    fn cursor(&self) -> Cursor;

    /// What the row says.
    fn record(self, job: &JobName) -> Result<Self::Record, LedgerError>;
}

impl Listed for SessionRow {
    type Record = SessionRecord;

    fn page(connection: &mut AnyConnection, lane: Lane, after: Cursor) -> QueryResult<Vec<Self>> {
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

    fn newest(connection: &mut AnyConnection, lane: Lane, count: u32) -> QueryResult<Option<i64>> {
        let dates = sessions_in(lane).select(sessions::date).order(sessions::date.desc());
        dates.offset(i64::from(count) - 1).limit(1).first(connection).optional()
    }

    fn count_from(connection: &mut AnyConnection, lane: Lane, date: i64) -> QueryResult<i64> {
        sessions_in(lane).filter(sessions::date.ge(date)).select(diesel::dsl::count_star()).first(connection)
    }

    fn cursor(&self) -> Cursor {
        Cursor { date: self.date, job_id: self.job_id, generation: self.generation, number: 0 }
    }

    fn record(self, job: &JobName) -> Result<Self::Record, LedgerError> {
        Self::record(self, job)
    }
}

fn sessions_in(lane: Lane) -> sessions::BoxedQuery<'static, MultiBackend> {
    let mut rows = sessions::table.into_boxed();
    if let Some((job_id, generation)) = lane.job {
        rows = rows.filter(sessions::job_id.eq(job_id)).filter(sessions::generation.eq(generation));
    } else if lane.in_force {
        let in_force = jobs::id.eq(sessions::job_id).and(jobs::generation.eq(sessions::generation));
        rows = rows.filter(exists(jobs::table.filter(in_force)));
    }
    if let Some(date) = lane.date {
        rows = rows.filter(sessions::date.eq(date));
    }
    rows
}

impl Listed for AttemptRow {
    type Record = AttemptRecord;

    fn page(connection: &mut AnyConnection, lane: Lane, after: Cursor) -> QueryResult<Vec<Self>> {
        if let Some((_, generation)) = lane.job {
            let number = after.within(generation).number;
            let beyond = attempts::date.gt(after.date).or(attempts::number.gt(number));
            let rows = attempts_of_job(lane).filter(attempts::date.ge(after.date)).filter(beyond).limit(PAGE);
            return rows.order((attempts::date, attempts::number)).select(Self::as_select()).load(connection);
        }
        let next = sessions::generation.eq(after.generation).and(attempts::number.gt(after.number));
        let later_here = sessions::job_id.eq(after.job_id).and(sessions::generation.gt(after.generation).or(next));
        let beyond = sessions::date.gt(after.date).or(sessions::job_id.gt(after.job_id)).or(later_here);
        let order = (sessions::date, sessions::job_id, sessions::generation, attempts::number);
        let rows = attempts_by_date(lane).filter(sessions::date.ge(after.date)).filter(beyond).limit(PAGE);
        rows.order(order).select(Self::as_select()).load(connection)
    }

    fn newest(connection: &mut AnyConnection, lane: Lane, count: u32) -> QueryResult<Option<i64>> {
        let skipped = i64::from(count) - 1;
        if lane.job.is_some() {
            let dates = attempts_of_job(lane).select(attempts::date).order(attempts::date.desc());
            return dates.offset(skipped).limit(1).first(connection).optional();
        }
        // Every date is after it; told nothing of dates, SQLite would begin with all attempts, and sort them.
        let dates = attempts_by_date(lane)
            .filter(sessions::date.ge(i64::MIN))
            .select(sessions::date)
            .order(sessions::date.desc());
        dates.offset(skipped).limit(1).first(connection).optional()
    }

    fn count_from(connection: &mut AnyConnection, lane: Lane, date: i64) -> QueryResult<i64> {
        if lane.job.is_some() {
            let rows = attempts_of_job(lane).filter(attempts::date.ge(date));
            return rows.select(diesel::dsl::count_star()).first(connection);
        }
        // A left join, because SQLite would begin an inner one with all attempts.
        let rows = sessions_in(lane).left_join(attempts::table.on(of_session())).filter(sessions::date.ge(date));
        rows.select(diesel::dsl::count(attempts::number.nullable())).first(connection)
    }

    fn cursor(&self) -> Cursor {
        Cursor { date: self.date, job_id: self.job_id, generation: self.generation, number: self.number }
    }

    fn record(self, job: &JobName) -> Result<Self::Record, LedgerError> {
        Self::record(self, job)
    }
}

/// Attempts along their own key.
#[diesel::dsl::auto_type(type_case = "PascalCase")]
fn of_job() -> _ {
    attempts::table.inner_join(boots::table)
}

fn attempts_of_job(lane: Lane) -> IntoBoxed<'static, OfJob, MultiBackend> {
    let mut rows = of_job().into_boxed();
    if let Some((job_id, generation)) = lane.job {
        rows = rows.filter(attempts::job_id.eq(job_id)).filter(attempts::generation.eq(generation));
    }
    if let Some(date) = lane.date {
        rows = rows.filter(attempts::date.eq(date));
    }
    rows
}

/// The attempts of a session.
#[diesel::dsl::auto_type(type_case = "PascalCase")]
fn of_session() -> _ {
    let of_job = attempts::job_id.eq(sessions::job_id).and(attempts::generation.eq(sessions::generation));
    of_job.and(attempts::date.eq(sessions::date))
}

/// Attempts along the index that sessions have by date: one of their own would cost every attempt its key once more.
#[diesel::dsl::auto_type(type_case = "PascalCase")]
fn by_date() -> _ {
    let of_session: OfSession = of_session();
    let attempts = sessions::table.inner_join(attempts::table.on(of_session));
    attempts.inner_join(boots::table.on(boots::id.eq(attempts::boot)))
}

fn attempts_by_date(lane: Lane) -> IntoBoxed<'static, ByDate, MultiBackend> {
    let mut rows = by_date().into_boxed();
    if lane.in_force {
        let in_force = jobs::id.eq(sessions::job_id).and(jobs::generation.eq(sessions::generation));
        rows = rows.filter(exists(jobs::table.filter(in_force)));
    }
    if let Some(date) = lane.date {
        rows = rows.filter(sessions::date.eq(date));
    }
    rows
}

/// Which rows to list.
#[derive(Clone, Copy)]
pub(super) struct Selection<'a> {
    pub(super) job: Option<&'a JobName>,
    pub(super) date: Option<DateTime<Utc>>,
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
    let Some((mut after, mut skipped)) = start::<Row>(connection, &lanes, selection.newest)? else { return Ok(()) };
    // The rows at one date, whose jobs' names are in another order than their numbers.
    let mut together: Vec<(JobName, Row)> = Vec::new();
    loop {
        let page = page::<Row>(connection, &lanes, after)?;
        let Some(last) = page.last() else { break };
        after = last.cursor();
        for row in page {
            let key = row.cursor();
            if together.first().is_some_and(|(_, first)| first.cursor().date != key.date)
                && hand_over(&mut together, &mut skipped, each)?.is_break()
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
    hand_over(&mut together, &mut skipped, each).map(drop)
}

/// The lanes that have the selected rows.
fn lanes(names: &Names, selection: Selection<'_>) -> Vec<Lane> {
    let date = selection.date.map(micros);
    let Some(job) = selection.job else {
        let in_force = !selection.all_generations && names.values().any(|(_, generation)| *generation > 1);
        return vec![Lane { job: None, in_force, date }];
    };
    let Some((id, (_, generation))) = names.iter().find(|(_, (name, _))| name == job) else { return Vec::new() };
    let oldest = if selection.all_generations { 1 } else { *generation };
    (oldest..=*generation).map(|generation| Lane { job: Some((*id, generation)), in_force: true, date }).collect()
}

/// Where to begin, and how many rows to leave out there, so that the newest remain; nowhere if none are wanted.
fn start<Row: Listed>(
    connection: &mut AnyConnection,
    lanes: &[Lane],
    newest: Option<u32>,
) -> QueryResult<Option<(Cursor, i64)>> {
    let all = Some((Cursor::at(i64::MIN), 0));
    let wanted = match newest {
        None => return Ok(all),
        Some(0) => return Ok(None),
        Some(wanted) => wanted,
    };
    // Each lane alone has its newest after this date or at it, so all together have enough from the latest such date.
    let mut from = None;
    for lane in lanes {
        from = from.max(Row::newest(connection, *lane, wanted)?);
    }
    let mut count = 0;
    for lane in lanes {
        count += Row::count_from(connection, *lane, from.unwrap_or(i64::MIN))?;
    }
    Ok(Some((Cursor::at(from.unwrap_or(i64::MIN)), (count - i64::from(wanted)).max(0))))
}

/// The next rows of all lanes, ascending. More than a page where there are several lanes, less only at the end.
fn page<Row: Listed>(connection: &mut AnyConnection, lanes: &[Lane], after: Cursor) -> QueryResult<Vec<Row>> {
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

/// Hands over the rows of one date.
fn hand_over<Row: Listed>(
    together: &mut Vec<(JobName, Row)>,
    skipped: &mut i64,
    each: &mut dyn FnMut(Row::Record) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, LedgerError> {
    together.sort_by(|(a, row), (b, other)| a.cmp(b).then_with(|| row.cursor().cmp(&other.cursor())));
    for (job, row) in together.drain(..) {
        if *skipped > 0 {
            *skipped -= 1;
        } else if each(row.record(&job)?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
