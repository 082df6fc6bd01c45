//! Applies entries to the tables, each with a check of the state that it expects.
//!
//! Every UPDATE has the expected state in its condition and must change exactly one row; otherwise the transaction stops.

mod attempts;
mod jobs;
mod operator;
mod sessions;

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use diesel::prelude::*;
use diesel::result::Error;

use super::connection::AnyConnection;
use super::error::LedgerError;
use super::hosts::{self, Host};
use super::prepared::{self, Value};
use super::rows::{job_name, shown};
use super::schema;
use super::zones::Zones;
use crate::job::JobName;
use crate::session::{AttemptKey, Entry, ProcessIdentity, SessionKey};

/// The numbers that the tables have for names.
pub(super) struct Cache {
    jobs: HashMap<JobName, i32>,
    /// The hosts that were looked up.
    hosts: Vec<Host>,
    zones: Zones,
}

impl Cache {
    pub(super) fn load(connection: &mut AnyConnection) -> Result<Self, LedgerError> {
        let rows = schema::jobs::table.select((schema::jobs::name, schema::jobs::id));
        let rows = rows.load::<(String, i32)>(connection)?;
        let jobs = rows.into_iter().map(|(name, id)| Ok((job_name(&name)?, id))).collect::<Result<_, LedgerError>>()?;
        Ok(Self { jobs, hosts: Vec::new(), zones: Zones::load(connection)? })
    }
}

/// Applies the entries of a writer on `host`. After an error, `cache` may have rows that are rolled back.
pub(super) fn apply(
    connection: &mut AnyConnection,
    cache: &mut Cache,
    host: &str,
    entries: &[Entry],
) -> Result<(), LedgerError> {
    let mut transaction = Transaction { connection, cache, host, processes: BTreeMap::new() };
    for entry in entries {
        transaction.apply(entry)?;
    }
    transaction.write_processes()
}

struct Transaction<'a> {
    connection: &'a mut AnyConnection,
    cache: &'a mut Cache,
    /// The host of the writer.
    host: &'a str,
    /// The processes that are not written yet, with the ids of their hosts: an attempt that ends in the same transaction
    /// takes one UPDATE.
    processes: BTreeMap<&'a AttemptKey, (i32, &'a ProcessIdentity)>,
}

impl<'a> Transaction<'a> {
    fn apply(&mut self, entry: &'a Entry) -> Result<(), LedgerError> {
        match entry {
            Entry::Enter(record) => self.enter(record),
            Entry::Adopt { .. } => self.adopt(entry),
            Entry::Order { job, generation, strict_after } => self.order(job, *generation, *strict_after),
            Entry::Registered { job, action } => self.registered(job, action.as_deref()),
            Entry::Reset(record) => self.reset(record),
            Entry::Record { job, generation, watermark, to, zone, sessions, at } => {
                self.move_watermark(job, *generation, *watermark, *to)?;
                self.record(job, *generation, *zone, sessions, *at)
            }
            Entry::Open { attempt, from, trigger, host, started_at } => {
                self.open(attempt, *from, *trigger, host, *started_at)
            }
            Entry::Process { attempt, process } => {
                let host_id = self.host_id(self.host, Some(&process.boot_id))?;
                self.processes.insert(attempt, (host_id, process));
                Ok(())
            }
            Entry::Close { attempt, end, state, counted_attempts } => {
                self.close(attempt, end, state, *counted_attempts)
            }
            Entry::Move { session, from, to, at } => self.move_session(session, *from, to, *at),
            Entry::Done { session, from, by, at } => self.done(session, *from, *by, *at),
            Entry::Unanswered { session, answer, at } => self.unanswered(session, answer, *at),
            Entry::Again { session, from, trigger, backfill, .. } => self.again(session, *from, *trigger, *backfill),
            Entry::Include { session, from, at, .. } => self.include(session, *from, *at),
            Entry::Backfill(record) => self.backfill(record),
            Entry::CancelBackfill { job, backfill, request } => self.cancel_backfill(job, *backfill, *request),
            Entry::Restore { session, from, to, backfill } => self.restore(session, (*from, *to), *backfill),
            Entry::Disable(disabled) => self.disable(disabled),
            Entry::Enable { job } => self.enable(job),
            Entry::Pause(pause) => self.pause(pause),
            Entry::Resume { scope } => self.resume(scope),
            Entry::Rename { from, to, replaces } => {
                self.write_processes()?;
                if *replaces {
                    self.replace(to, from)?;
                }
                self.rename(from, to)
            }
            Entry::Answer { request, reply, at } => self.answer(*request, reply, *at),
        }
    }

    /// Executes a statement about a job or a session, which an error names.
    fn execute<F>(&mut self, about: impl fmt::Display, sql: F, values: &[Value<'_>]) -> Result<usize, LedgerError>
    where
        F: Fn() -> &'static str + Any,
    {
        prepared::execute(self.connection, sql, values).map_err(|error| in_place(about, error))
    }

    /// The id of a job.
    fn job_id(&self, job: &JobName) -> Result<i32, LedgerError> {
        let id = self.cache.jobs.get(job).copied();
        id.ok_or_else(|| LedgerError::Conflict(format!("job `{job}` was never entered")))
    }

    /// The id of a host and its boot, which are inserted if the ledger does not have them.
    fn host_id(&mut self, name: &str, boot_id: Option<&str>) -> QueryResult<i32> {
        if let Some(id) = hosts::known(&self.cache.hosts, name, boot_id) {
            return Ok(id);
        }
        let host = hosts::find_or_insert(self.connection, name, boot_id)?;
        let id = host.id();
        self.cache.hosts.push(host);
        Ok(id)
    }
}

/// Writes the name of a session in a message.
struct Place<'a>(&'a SessionKey);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SessionKey { job, generation, date } = self.0;
        write!(f, "job `{job}`, generation {generation}, date {}", shown(*date))
    }
}

fn in_job(job: &JobName, error: Error) -> LedgerError {
    in_place(format_args!("job `{job}`"), error)
}

/// Adds the place to a database error.
fn in_place(place: impl fmt::Display, error: Error) -> LedgerError {
    match LedgerError::from(error) {
        LedgerError::Conflict(text) => LedgerError::Conflict(format!("{place}: {text}")),
        other => other,
    }
}
