//! Lists sessions: those of one job along their primary key, those of all jobs along the index by date.

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::page::{Cursor, IndexRange, Listed, PAGE};
use crate::job::JobName;
use crate::ledger::connection::{AnyConnection, MultiBackend};
use crate::ledger::error::LedgerError;
use crate::ledger::rows::SessionRow;
use crate::ledger::schema::{jobs, sessions};
use crate::ledger::zones::Zones;
use crate::session::SessionRecord;

impl Listed for SessionRow {
    type Record = SessionRecord;

    fn page(connection: &mut AnyConnection, range: IndexRange<'_>, after: Cursor) -> QueryResult<Vec<Self>> {
        let rows = sessions_in(range).limit(PAGE);
        if let Some(of) = range.job {
            let before = after.within(of).before_date();
            return rows.filter(sessions::date.gt(before)).order(sessions::date).load(connection);
        }
        let later_here = sessions::job_id.eq(after.job_id).and(sessions::generation.gt(after.generation));
        let beyond = sessions::date.gt(after.date).or(sessions::job_id.gt(after.job_id)).or(later_here);
        let rows = rows.filter(sessions::date.ge(after.date)).filter(beyond);
        rows.order((sessions::date, sessions::job_id, sessions::generation)).load(connection)
    }

    fn newest(connection: &mut AnyConnection, range: IndexRange<'_>, count: u32) -> QueryResult<Option<i64>> {
        let rows = sessions_in(range).filter(sessions::date.ge(range.from));
        let dates = rows.select(sessions::date).order(sessions::date.desc());
        dates.offset(i64::from(count) - 1).limit(1).first(connection).optional()
    }

    fn count_from(connection: &mut AnyConnection, range: IndexRange<'_>, date: i64) -> QueryResult<i64> {
        sessions_in(range).filter(sessions::date.ge(date)).select(diesel::dsl::count_star()).first(connection)
    }

    fn cursor(&self) -> Cursor {
        Cursor::of_session(self.date, self.job_id, self.generation)
    }

    fn record(self, job: &JobName, zones: &Zones) -> Result<Self::Record, LedgerError> {
        Self::record(self, job, zones)
    }
}

fn sessions_in(range: IndexRange<'_>) -> sessions::BoxedQuery<'static, MultiBackend> {
    let mut rows = sessions::table.into_boxed();
    if let Some((job_id, generation)) = range.job {
        rows = rows.filter(sessions::job_id.eq(job_id)).filter(sessions::generation.eq(generation));
    } else if range.in_force {
        let in_force = jobs::id.eq(sessions::job_id).and(jobs::generation.eq(sessions::generation));
        rows = rows.filter(exists(jobs::table.filter(in_force)));
    }
    if !range.jobs.is_empty() {
        // Neither a condition on the session nor `EXISTS`, which becomes a join: SQLite would read and sort all sessions of
        // the jobs, instead of those by date.
        let is_other = jobs::id.eq(sessions::job_id).and(jobs::id.ne_all(range.jobs.to_vec()));
        rows = rows.filter(not(exists(jobs::table.filter(is_other))));
    }
    if range.to < i64::MAX {
        rows = rows.filter(sessions::date.lt(range.to));
    }
    for (zone, from, to) in range.of_zones {
        let within = sessions::date.ge(*from).and(sessions::date.lt(*to));
        rows = rows.filter(sessions::zone_id.ne(*zone).or(within));
    }
    if !range.codes.is_empty() {
        rows = rows.filter(sessions::state.eq_any(range.codes.iter().flatten().copied()));
    }
    rows
}
