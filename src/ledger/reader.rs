//! Reads a ledger for the commands, on a read-only connection beside the writer.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::{LedgerError, OpenError, OpenErrorKind};
use super::filter::{AttemptFilter, SessionFilter};
use super::heartbeat::{self, Heartbeat};
use super::listing::{self, Selection, SortKey};
use super::request_queue::Answer;
use super::rows::{AttemptRow, JobRow, SessionRow, code, count, instant, micros, number};
use super::schema::{attempts, hosts, jobs, sessions, stand_ins, unanswered, writer};
use super::snapshot::Snapshot;
use super::sqlite::{self, Purpose};
use super::url::LedgerUrl;
use super::zones::Zones;
use super::{
    last_success, lock, migrate, postgres, recent, recordings, request_context, request_queue, startup, unsettled,
};
use crate::job::{Job, JobName};
use crate::scheduler::recordings_needed;
use crate::session::{AttemptKey, AttemptRecord, JobRecord, Operation, Past, Recovered, SessionKey, SessionRecord};

/// The last writer of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerRecord {
    pub host: String,
    pub pid: u32,
    /// The version of crontabber.
    pub version: String,
    pub since: DateTime<Utc>,
    /// Whether the ledger's lock is held now.
    pub alive: bool,
}

/// Reads a ledger.
pub struct Reader {
    url: LedgerUrl,
    pub(super) connection: AnyConnection,
}

impl Reader {
    /// Opens a ledger that exists, to read it.
    ///
    /// # Errors
    /// [`OpenErrorKind::Missing`] if there is no ledger yet.
    pub fn open(url: &LedgerUrl) -> Result<Self, OpenError> {
        let mut connection = match url {
            LedgerUrl::Sqlite(path) => {
                if !sqlite::is_readable(url, path)? {
                    return Err(OpenErrorKind::Missing.of(url));
                }
                let path = sqlite::real_path(path).map_err(|error| sqlite::refused(url, &error))?;
                AnyConnection::Sqlite(sqlite::connect(url, &path, Purpose::Read)?)
            }
            LedgerUrl::Postgres(target) => {
                let mut postgres = postgres::connect(url, target, None)?;
                postgres::only_read(&mut postgres).map_err(|error| OpenErrorKind::Failed(error.to_string()).of(url))?;
                AnyConnection::Postgres(postgres)
            }
        };
        migrate::check(url, &mut connection, env!("CARGO_PKG_VERSION"))?;
        Ok(Self { url: url.clone(), connection })
    }

    /// The startup state of a daemon that started now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn recovered(&mut self) -> Result<Recovered, LedgerError> {
        let mut recovered = startup::load(&mut self.connection)?;
        recovered.clock_hold = self.heartbeat_beside()?.and_then(|report| report.clock_hold());
        Ok(recovered)
    }

    /// As [`Reader::recovered`], with what a daemon reads besides to put a registry in force.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn recovered_for(&mut self, jobs: &[Job]) -> Result<Recovered, LedgerError> {
        let mut recovered = self.recovered()?;
        recovered.recordings = recordings::read(&mut self.connection, &recordings_needed(&recovered, jobs))?;
        Ok(recovered)
    }

    /// Every job of the ledger, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn jobs(&mut self) -> Result<Vec<JobRecord>, LedgerError> {
        let rows = jobs::table.load::<JobRow>(&mut self.connection)?;
        let mut records = rows.into_iter().map(JobRow::record).collect::<Result<Vec<_>, _>>()?;
        records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(records)
    }

    /// One job.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn job(&mut self, name: &JobName) -> Result<Option<JobRecord>, LedgerError> {
        let row = jobs::table.filter(jobs::name.eq(name.as_str())).first::<JobRow>(&mut self.connection).optional()?;
        row.map(JobRow::record).transpose()
    }

    /// Passes sessions to `each`, ascending by date, then job, until it breaks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sessions(
        &mut self,
        filter: &SessionFilter,
        each: &mut dyn FnMut(SessionRecord) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        let SessionFilter { jobs, dates, local, states, before, newest, all_generations } = filter;
        let selection = Selection {
            jobs: jobs.as_deref(),
            dates: *dates,
            local: *local,
            codes: &states.iter().map(|state| Some(code(*state))).collect::<Vec<_>>(),
            before: before.as_ref().map(SortKey::of_session),
            newest: *newest,
            all_generations: *all_generations,
        };
        if !states.is_empty() && !states.iter().any(|state| state.is_settled()) {
            return unsettled::list(&mut self.connection, selection, each);
        }
        listing::list::<SessionRow>(&mut self.connection, selection, each)
    }

    /// One session.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn session(&mut self, key: &SessionKey) -> Result<Option<SessionRecord>, LedgerError> {
        let row = sessions::table
            .inner_join(jobs::table)
            .filter(jobs::name.eq(key.job.as_str()))
            .filter(sessions::generation.eq(number(key.generation)))
            .filter(sessions::date.eq(micros(key.date)))
            .select(sessions::all_columns)
            .first::<SessionRow>(&mut self.connection)
            .optional()?;
        let zones = Zones::load(&mut self.connection)?;
        row.map(|row| row.record(&key.job, &zones)).transpose()
    }

    /// The date that stands for the period of a moved one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn stand_in(&mut self, moved: &SessionKey) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let by = stand_ins::table
            .inner_join(jobs::table)
            .filter(jobs::name.eq(moved.job.as_str()))
            .filter(stand_ins::generation.eq(number(moved.generation)))
            .filter(stand_ins::date.eq(micros(moved.date)))
            .select(stand_ins::by_date)
            .first(&mut self.connection)
            .optional()?;
        by.map(instant).transpose()
    }

    /// Passes attempts to `each`, ascending by date, job and number, until it breaks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn attempts(
        &mut self,
        filter: &AttemptFilter,
        each: &mut dyn FnMut(AttemptRecord) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        let AttemptFilter { jobs, dates, local, since, outcomes, before, newest, all_generations } = filter;
        let selection = Selection {
            jobs: jobs.as_deref(),
            dates: *dates,
            local: *local,
            codes: &outcomes.iter().map(|outcome| outcome.map(|kind| i16::from(kind.code()))).collect::<Vec<_>>(),
            before: before.as_ref().map(SortKey::of_attempt),
            newest: *newest,
            all_generations: *all_generations,
        };
        if outcomes.as_slice() == [None] {
            return unsettled::list_open(&mut self.connection, selection, each);
        }
        if let Some(since) = since {
            return recent::list(&mut self.connection, selection, *since, each);
        }
        listing::list::<AttemptRow>(&mut self.connection, selection, each)
    }

    /// When `done_when` gave no answer about a date, ascending, and how it ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn unanswered(&mut self, session: &SessionKey) -> Result<Vec<(DateTime<Utc>, String)>, LedgerError> {
        let rows = unanswered::table
            .inner_join(jobs::table.on(jobs::id.eq(unanswered::job_id)))
            .filter(jobs::name.eq(session.job.as_str()))
            .filter(unanswered::generation.eq(number(session.generation)))
            .filter(unanswered::date.eq(micros(session.date)))
            .order(unanswered::at)
            .select((unanswered::at, unanswered::answer))
            .load::<(i64, String)>(&mut self.connection)?;
        rows.into_iter().map(|(at, answer)| Ok((instant(at)?, answer))).collect()
    }

    /// One attempt.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn attempt(&mut self, key: &AttemptKey) -> Result<Option<AttemptRecord>, LedgerError> {
        let row = attempts::table
            .inner_join(jobs::table)
            .inner_join(hosts::table)
            .filter(jobs::name.eq(key.session.job.as_str()))
            .filter(attempts::generation.eq(number(key.session.generation)))
            .filter(attempts::date.eq(micros(key.session.date)))
            .filter(attempts::number.eq(number(key.number)))
            .select(AttemptRow::as_select())
            .first::<AttemptRow>(&mut self.connection)
            .optional()?;
        let zones = Zones::load(&mut self.connection)?;
        row.map(|row| row.record(&key.session.job, &zones)).transpose()
    }

    /// The last writer of the ledger, and whether it still holds the ledger; none if it was never written.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn owner(&mut self) -> Result<Option<OwnerRecord>, LedgerError> {
        let row = writer::table
            .select((writer::host, writer::pid, writer::version, writer::since, writer::epoch))
            .first::<(String, i32, String, i64, i64)>(&mut self.connection)?;
        let (host, pid, version, since, epoch) = row;
        if epoch == 0 {
            return Ok(None);
        }
        let alive = match (&mut self.connection, &self.url) {
            (AnyConnection::Postgres(postgres), _) => postgres::holder(postgres)?.is_some(),
            (AnyConnection::Sqlite(_), LedgerUrl::Sqlite(path)) => {
                sqlite::real_path(path).is_ok_and(|path| lock::is_held(&path))
            }
            (AnyConnection::Sqlite(_), LedgerUrl::Postgres(_)) => false,
        };
        Ok(Some(OwnerRecord { host, pid: count(pid), version, since: instant(since)?, alive }))
    }

    /// What the last process that held the ledger reported of itself.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn heartbeat(&mut self) -> Result<Option<Heartbeat>, LedgerError> {
        heartbeat::read(&mut self.connection, &self.url)
    }

    /// What the process reports that holds the ledger now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn heartbeat_beside(&mut self) -> Result<Option<Heartbeat>, LedgerError> {
        let owner = self.owner()?.filter(|owner| owner.alive);
        let is_its = |report: &Heartbeat, owner: &OwnerRecord| owner.pid == report.pid && owner.host == report.host;
        Ok(self.heartbeat()?.filter(|report| owner.is_some_and(|owner| is_its(report, &owner))))
    }

    /// Gives `read` a snapshot of the whole ledger. SQLite cannot empty its WAL meanwhile, so `read` must not wait.
    ///
    /// # Errors
    /// When the database cannot be read; what `read` itself cannot do is in its value.
    pub fn snapshot<T>(&mut self, read: impl FnOnce(&mut Snapshot<'_>) -> T) -> Result<T, LedgerError> {
        self.connection.begin_snapshot()?;
        let value = read(&mut Snapshot::new(&mut self.connection));
        // Ends the snapshot; nothing was written.
        self.connection.rollback()?;
        Ok(value)
    }

    /// What the ledger has of the dates of a request.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn past(&mut self, job: &JobName, operation: &Operation) -> Result<Past, LedgerError> {
        request_context::past(&mut self.connection, job, 0, operation)
    }

    /// The newest success before a date.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn success_before(&mut self, session: &SessionKey) -> Result<Option<DateTime<Utc>>, LedgerError> {
        last_success::before(&mut self.connection, session)
    }

    /// The answer to a request, if it has one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn answer(&mut self, request: i64) -> Result<Option<Answer>, LedgerError> {
        request_queue::answer(&mut self.connection, request)
    }
}
