//! Lists attempts: those of one job along their primary key, those of all jobs along the index of sessions by date. An
//! index of attempts by date would store the key of every attempt twice.

use diesel::dsl::{IntoBoxed, count_star, exists, not};
use diesel::prelude::*;

use super::page::{Cursor, IndexRange, Listed, PAGE};
use crate::job::JobName;
use crate::ledger::connection::{AnyConnection, MultiBackend};
use crate::ledger::error::LedgerError;
use crate::ledger::rows::AttemptRow;
use crate::ledger::schema::{attempts, hosts, jobs, sessions};
use crate::ledger::zones::Zones;
use crate::session::AttemptRecord;

impl Listed for AttemptRow {
    type Record = AttemptRecord;

    fn page(connection: &mut AnyConnection, range: IndexRange<'_>, after: Cursor) -> QueryResult<Vec<Self>> {
        if let Some(of) = range.job {
            let number = after.within(of).number;
            let beyond = attempts::date.gt(after.date).or(attempts::number.gt(number));
            let rows = attempts_of_job(range).filter(attempts::date.ge(after.date)).filter(beyond).limit(PAGE);
            return rows.order((attempts::date, attempts::number)).select(Self::as_select()).load(connection);
        }
        let next = sessions::generation.eq(after.generation).and(attempts::number.gt(after.number));
        let later_here = sessions::job_id.eq(after.job_id).and(sessions::generation.gt(after.generation).or(next));
        let beyond = sessions::date.gt(after.date).or(sessions::job_id.gt(after.job_id)).or(later_here);
        let order = (sessions::date, sessions::job_id, sessions::generation, attempts::number);
        let rows = attempts_by_date(range, after.date).filter(beyond).limit(PAGE);
        rows.order(order).select(Self::as_select()).load(connection)
    }

    fn newest(connection: &mut AnyConnection, range: IndexRange<'_>, count: u32) -> QueryResult<Option<i64>> {
        let skipped = i64::from(count) - 1;
        if range.job.is_some() {
            let rows = attempts_of_job(range).filter(attempts::date.ge(range.from));
            let dates = rows.select(attempts::date).order(attempts::date.desc());
            return dates.offset(skipped).limit(1).first(connection).optional();
        }
        let dates = attempts_by_date(range, range.from).select(sessions::date).order(sessions::date.desc());
        dates.offset(skipped).limit(1).first(connection).optional()
    }

    fn count_from(connection: &mut AnyConnection, range: IndexRange<'_>, date: i64) -> QueryResult<i64> {
        if range.job.is_some() {
            return attempts_of_job(range).filter(attempts::date.ge(date)).select(count_star()).first(connection);
        }
        // Counted here: without an order in the query, SQLite scans all attempts.
        let dates = attempts_by_date(range, date).select(sessions::date).order(sessions::date.desc());
        let dates = dates.load::<i64>(connection)?;
        Ok(i64::try_from(dates.len()).unwrap_or(i64::MAX))
    }

    fn cursor(&self) -> Cursor {
        Cursor { date: self.date, job_id: self.job_id, generation: self.generation, number: self.number }
    }

    fn record(self, job: &JobName, zones: &Zones) -> Result<Self::Record, LedgerError> {
        Self::record(self, job, zones)
    }
}

#[diesel::dsl::auto_type(type_case = "PascalCase")]
fn of_job() -> _ {
    attempts::table.inner_join(hosts::table)
}

fn attempts_of_job(range: IndexRange<'_>) -> IntoBoxed<'static, OfJob, MultiBackend> {
    let mut rows = of_job().into_boxed();
    if let Some((job_id, generation)) = range.job {
        rows = rows.filter(attempts::job_id.eq(job_id)).filter(attempts::generation.eq(generation));
    }
    if range.to < i64::MAX {
        rows = rows.filter(attempts::date.lt(range.to));
    }
    for (zone, from, to) in range.of_zones {
        let within = attempts::date.ge(*from).and(attempts::date.lt(*to));
        rows = rows.filter(attempts::zone_id.ne(*zone).or(within));
    }
    match ended(range.codes) {
        (outcomes, true) => rows.filter(attempts::outcome.is_null().or(attempts::outcome.eq_any(outcomes))),
        (outcomes, false) if !outcomes.is_empty() => rows.filter(attempts::outcome.eq_any(outcomes)),
        _ => rows,
    }
}

#[diesel::dsl::auto_type(type_case = "PascalCase")]
fn by_date() -> _ {
    let of_job = attempts::job_id.eq(sessions::job_id).and(attempts::generation.eq(sessions::generation));
    // Every number is at least 1. Without this condition, SQLite prefers the bound of the range to the date of the session
    // in the primary key, and scans all attempts of the job for each session.
    let of_session = of_job.and(attempts::date.eq(sessions::date)).and(attempts::number.ge(1_i32));
    let attempts = sessions::table.inner_join(attempts::table.on(of_session));
    attempts.inner_join(hosts::table.on(hosts::id.eq(attempts::host_id)))
}

/// The query always has a first date: without one, SQLite scans all attempts and sorts them.
pub(in crate::ledger) fn attempts_by_date(
    range: IndexRange<'_>,
    from: i64,
) -> IntoBoxed<'static, ByDate, MultiBackend> {
    let mut rows = by_date().into_boxed().filter(sessions::date.ge(from));
    if range.in_force {
        let in_force = jobs::id.eq(sessions::job_id).and(jobs::generation.eq(sessions::generation));
        rows = rows.filter(exists(jobs::table.filter(in_force)));
    }
    if !range.jobs.is_empty() {
        let is_other = jobs::id.eq(sessions::job_id).and(jobs::id.ne_all(range.jobs.to_vec()));
        rows = rows.filter(not(exists(jobs::table.filter(is_other))));
    }
    if range.to < i64::MAX {
        rows = rows.filter(sessions::date.lt(range.to));
    }
    for (zone, from, to) in range.of_zones {
        let within = attempts::date.ge(*from).and(attempts::date.lt(*to));
        rows = rows.filter(attempts::zone_id.ne(*zone).or(within));
    }
    match ended(range.codes) {
        (outcomes, true) => rows.filter(attempts::outcome.is_null().or(attempts::outcome.eq_any(outcomes))),
        (outcomes, false) if !outcomes.is_empty() => rows.filter(attempts::outcome.eq_any(outcomes)),
        _ => rows,
    }
}

/// The codes of the outcomes, and whether attempts that still run are meant too.
pub(in crate::ledger) fn ended(codes: &[Option<i16>]) -> (Vec<i16>, bool) {
    (codes.iter().flatten().copied().collect(), codes.contains(&None))
}
