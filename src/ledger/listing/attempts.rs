//! Attempts as they are listed: those of a job along their own key; those of all jobs along the index that sessions have
//! by date, because one of their own would cost every attempt its key once more.

use diesel::dsl::{IntoBoxed, count_star, exists};
use diesel::prelude::*;

use super::{Cursor, Lane, Listed, PAGE};
use crate::job::JobName;
use crate::ledger::LedgerError;
use crate::ledger::connection::{AnyConnection, MultiBackend};
use crate::ledger::rows::AttemptRow;
use crate::ledger::schema::{attempts, hosts, jobs, sessions};
use crate::session::AttemptRecord;

impl Listed for AttemptRow {
    type Record = AttemptRecord;

    fn page(connection: &mut AnyConnection, lane: Lane<'_>, after: Cursor) -> QueryResult<Vec<Self>> {
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
        let rows = attempts_by_date(lane, after.date).filter(beyond).limit(PAGE);
        rows.order(order).select(Self::as_select()).load(connection)
    }

    fn newest(connection: &mut AnyConnection, lane: Lane<'_>, count: u32) -> QueryResult<Option<i64>> {
        let skipped = i64::from(count) - 1;
        if lane.job.is_some() {
            let rows = attempts_of_job(lane).filter(attempts::date.ge(lane.from));
            let dates = rows.select(attempts::date).order(attempts::date.desc());
            return dates.offset(skipped).limit(1).first(connection).optional();
        }
        let dates = attempts_by_date(lane, lane.from).select(sessions::date).order(sessions::date.desc());
        dates.offset(skipped).limit(1).first(connection).optional()
    }

    fn count_from(connection: &mut AnyConnection, lane: Lane<'_>, date: i64) -> QueryResult<i64> {
        if lane.job.is_some() {
            return attempts_of_job(lane).filter(attempts::date.ge(date)).select(count_star()).first(connection);
        }
        // Not counted by the database: asked for no order, SQLite would begin with all attempts.
        let dates = attempts_by_date(lane, date).select(sessions::date).order(sessions::date.desc());
        let dates = dates.load::<i64>(connection)?;
        Ok(i64::try_from(dates.len()).unwrap_or(i64::MAX))
    }

    fn cursor(&self) -> Cursor {
        Cursor { date: self.date, job_id: self.job_id, generation: self.generation, number: self.number }
    }

    fn record(self, job: &JobName) -> Result<Self::Record, LedgerError> {
        Self::record(self, job)
    }
}

#[diesel::dsl::auto_type(type_case = "PascalCase")]
fn of_job() -> _ {
    attempts::table.inner_join(hosts::table)
}

fn attempts_of_job(lane: Lane<'_>) -> IntoBoxed<'static, OfJob, MultiBackend> {
    let mut rows = of_job().into_boxed();
    if let Some((job_id, generation)) = lane.job {
        rows = rows.filter(attempts::job_id.eq(job_id)).filter(attempts::generation.eq(generation));
    }
    if lane.to < i64::MAX {
        rows = rows.filter(attempts::date.lt(lane.to));
    }
    match ended(lane) {
        (outcomes, true) => rows.filter(attempts::outcome.is_null().or(attempts::outcome.eq_any(outcomes))),
        (outcomes, false) if !outcomes.is_empty() => rows.filter(attempts::outcome.eq_any(outcomes)),
        _ => rows,
    }
}

#[diesel::dsl::auto_type(type_case = "PascalCase")]
fn by_date() -> _ {
    let of_job = attempts::job_id.eq(sessions::job_id).and(attempts::generation.eq(sessions::generation));
    // Every number is at least 1. Told nothing of numbers, SQLite would take a first date for a better start in the key
    // than the session's own, and look at all attempts of the job for each.
    let of_session = of_job.and(attempts::date.eq(sessions::date)).and(attempts::number.ge(1_i32));
    let attempts = sessions::table.inner_join(attempts::table.on(of_session));
    attempts.inner_join(hosts::table.on(hosts::id.eq(attempts::host_id)))
}

/// The first date is always told, though it may be before all: told nothing of dates, SQLite would begin with all attempts
/// and sort them.
fn attempts_by_date(lane: Lane<'_>, from: i64) -> IntoBoxed<'static, ByDate, MultiBackend> {
    let mut rows = by_date().into_boxed().filter(sessions::date.ge(from));
    if lane.in_force {
        let in_force = jobs::id.eq(sessions::job_id).and(jobs::generation.eq(sessions::generation));
        rows = rows.filter(exists(jobs::table.filter(in_force)));
    }
    if lane.to < i64::MAX {
        rows = rows.filter(sessions::date.lt(lane.to));
    }
    match ended(lane) {
        (outcomes, true) => rows.filter(attempts::outcome.is_null().or(attempts::outcome.eq_any(outcomes))),
        (outcomes, false) if !outcomes.is_empty() => rows.filter(attempts::outcome.eq_any(outcomes)),
        _ => rows,
    }
}

/// What stands for the outcomes that a lane has, and whether it has also what is still running.
fn ended(lane: Lane<'_>) -> (Vec<i16>, bool) {
    (lane.codes.iter().flatten().copied().collect(), lane.codes.contains(&None))
}
