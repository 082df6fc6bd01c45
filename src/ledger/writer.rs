//! The single writer of a ledger.
//!
//! Its row is in `writer`: opening the ledger starts a new epoch, and each transaction increments the batch by compare and
//! set. So the writer finds out whether a transaction with an unanswered COMMIT was written, and it can write nothing after
//! another writer has taken the ledger.

use std::collections::HashMap;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::apply::Transaction;
use super::connection::AnyConnection;
use super::error::{LedgerError, OpenError, OpenErrorKind, text};
use super::hosts::Host;
use super::lock::{FileLock, Owner};
use super::prepared::Statement;
use super::rows::{job_name, micros};
use super::schema::{jobs, writer};
use super::sqlite::{self, Purpose};
use super::url::LedgerUrl;
use super::{migrate, postgres, request_queue, startup};
use crate::job::JobName;
use crate::session::{Entry, Operation, Recovered, Request};

/// The single writer of a ledger. It holds the ledger's lock until it is dropped.
pub struct Writer {
    url: LedgerUrl,
    owner: Owner,
    holding: Holding,
    /// Absent after an error; the next call connects again.
    connection: Option<AnyConnection>,
    jobs: HashMap<JobName, i32>,
    /// The hosts that were looked up.
    hosts: Vec<Host>,
    epoch: i64,
    /// The number of the last transaction that is committed.
    batch: i64,
    /// The batches of the transaction after that, if it is unknown whether it was committed.
    doubt: Option<Vec<Vec<Entry>>>,
}

/// What a transaction added to the writer's caches.
struct New {
    /// The new jobs, with their ids.
    entered: Vec<(JobName, i32)>,
    /// The former names of renamed jobs.
    renamed: Vec<JobName>,
    /// The hosts that were looked up.
    hosts: Vec<Host>,
}

/// The lock of the ledger.
enum Holding {
    File { path: PathBuf, _lock: FileLock },
    Server { target: String, backend: i32 },
}

impl Writer {
    /// Opens a ledger to write it: creates it if it is missing (and its directory, if the one above exists), takes its lock
    /// and migrates its tables.
    ///
    /// # Errors
    /// An [`OpenError`], whose message says what to do. [`OpenErrorKind::Unreachable`] may pass; the others stay.
    pub fn open(url: &LedgerUrl, owner: &Owner, now: DateTime<Utc>) -> Result<Self, OpenError> {
        let (mut connection, holding) = match url {
            LedgerUrl::Sqlite(path) => {
                sqlite::make_directory(url, path)?;
                let path = sqlite::real_path(path).map_err(|error| sqlite::refused(url, &error))?;
                let lock = sqlite::take_lock(url, &path, owner, now)?;
                let connection = AnyConnection::Sqlite(sqlite::connect(url, &path, Purpose::Write)?);
                (connection, Holding::File { path, _lock: lock })
            }
            LedgerUrl::Postgres(target) => {
                let (connection, backend) = server(url, target, owner, None)?;
                (connection, Holding::Server { target: target.clone(), backend })
            }
        };
        migrate::migrate(url, &mut connection, &owner.version)?;
        let failed = |error: diesel::result::Error| match url {
            LedgerUrl::Sqlite(_) => sqlite::database_error(url, &error),
            LedgerUrl::Postgres(_) => OpenErrorKind::Unreachable(text(&error)).of(url),
        };
        let epoch = connection.write(|connection| enrol(connection, owner, now)).map_err(failed)?;
        let jobs = job_ids(&mut connection).map_err(|error| OpenError::unread(url, &error))?;
        Ok(Self {
            url: url.clone(),
            owner: owner.clone(),
            holding,
            connection: Some(connection),
            jobs,
            hosts: Vec::new(),
            epoch,
            batch: 0,
            doubt: None,
        })
    }

    /// Reads the startup state of a daemon.
    ///
    /// # Errors
    /// When the database cannot be read, or has unknown values.
    pub fn load(&mut self) -> Result<Recovered, LedgerError> {
        self.read(startup::load)
    }

    /// Writes all batches in one transaction: all or none, and not twice.
    ///
    /// After [`LedgerError::Unavailable`], the caller commits the same batches again (more may follow them): if the first
    /// try was written after all, its batches are not written again.
    ///
    /// # Errors
    /// A [`LedgerError`]; nothing was written, or, after [`LedgerError::Unavailable`], perhaps all of it.
    pub fn commit(&mut self, batches: &[Vec<Entry>]) -> Result<(), LedgerError> {
        if batches.iter().all(Vec::is_empty) && self.doubt.is_none() {
            return Ok(());
        }
        let mut connection = self.take_connection()?;
        let batches = &batches[self.settle_doubt(&mut connection, batches)?..];
        if batches.iter().all(Vec::is_empty) {
            self.connection = Some(connection);
            return Ok(());
        }
        let new = match self.write(&mut connection, batches) {
            Ok(new) => new,
            Err(error) => {
                // A connection that can roll back is kept, because the server's lock belongs to it. Any other is closed,
                // which rolls back too.
                self.connection = connection.rollback().is_ok().then_some(connection);
                return Err(error);
            }
        };
        if let Err(error) = connection.commit() {
            self.doubt = Some(batches.to_vec());
            return Err(error.into());
        }
        self.connection = Some(connection);
        self.batch += 1;
        for name in &new.renamed {
            self.jobs.remove(name);
        }
        self.jobs.extend(new.entered);
        self.hosts.extend(new.hosts);
        Ok(())
    }

    /// Begins a transaction and writes the batches, without the COMMIT.
    fn write(&self, connection: &mut AnyConnection, batches: &[Vec<Entry>]) -> Result<New, LedgerError> {
        connection.begin()?;
        let ours = Statement::new("UPDATE writer SET batch = ? WHERE epoch = ? AND batch = ?");
        if ours.long(self.batch + 1).long(self.epoch).long(self.batch).execute(connection)? != 1 {
            return Err(LedgerError::Conflict("another crontabber took it".to_owned()));
        }
        let (jobs, host, hosts) = (&self.jobs, self.owner.host.as_str(), self.hosts.as_slice());
        let (entered, renamed, new_hosts) = (Vec::new(), Vec::new(), Vec::new());
        let mut transaction = Transaction { connection, jobs, entered, renamed, host, hosts, new_hosts };
        for entry in batches.iter().flatten() {
            transaction.apply(entry)?;
        }
        let renamed = transaction.renamed.into_iter().map(|(from, _)| from).collect();
        Ok(New { entered: transaction.entered, renamed, hosts: transaction.new_hosts })
    }

    /// The operators' requests without an answer, by id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn requests(&mut self) -> Result<Vec<Request>, LedgerError> {
        self.read(|connection| request_queue::unanswered(connection, |_| true))
    }

    /// Those of them that kill attempts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn kills(&mut self) -> Result<Vec<Request>, LedgerError> {
        let kill = Operation::Kill { date: None }.word();
        self.read(|connection| request_queue::unanswered(connection, |action| action == kill))
    }

    /// Reads with the connection, and drops it after an error.
    fn read<T>(&mut self, read: impl FnOnce(&mut AnyConnection) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let mut connection = self.take_connection()?;
        let value = read(&mut connection)?;
        self.connection = Some(connection);
        Ok(value)
    }

    /// Takes the connection, for the caller to put back if it works. Connects again if there is none, and checks that no
    /// other writer has taken the ledger.
    fn take_connection(&mut self) -> Result<AnyConnection, LedgerError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let mut connection = match &mut self.holding {
            Holding::File { path, .. } => AnyConnection::Sqlite(sqlite::connect(&self.url, path, Purpose::Write)?),
            Holding::Server { target, backend } => {
                let (connection, new) = server(&self.url, target, &self.owner, Some(*backend))?;
                *backend = new;
                connection
            }
        };
        let (host, pid, epoch) = writer::table
            .select((writer::host, writer::pid, writer::epoch))
            .first::<(String, i32, i64)>(&mut connection)?;
        if epoch != self.epoch {
            return Err(LedgerError::Conflict(format!("process {pid} on `{host}` took it in the meantime")));
        }
        Ok(connection)
    }

    /// Finds out whether the transaction in doubt was committed; returns how many of `batches` it wrote.
    fn settle_doubt(&mut self, connection: &mut AnyConnection, batches: &[Vec<Entry>]) -> Result<usize, LedgerError> {
        let Some(doubted) = &self.doubt else { return Ok(0) };
        let found = writer::table.select(writer::batch).first::<i64>(connection)?;
        if found == self.batch {
            self.doubt = None;
            return Ok(0);
        }
        if found != self.batch + 1 {
            return Err(self.taken(found));
        }
        if !batches.starts_with(doubted) {
            let text = "the batches in doubt were committed, and others are given now";
            return Err(LedgerError::Conflict(text.to_owned()));
        }
        let written = doubted.len();
        self.jobs = job_ids(connection)?;
        self.doubt = None;
        self.batch = found;
        Ok(written)
    }

    fn taken(&self, found: i64) -> LedgerError {
        LedgerError::Conflict(format!("its last transaction is number {found}, and ours was {}", self.batch))
    }
}

/// How often, and at which interval, a held lock of the server is tried again: the server releases the lock of an ended
/// process with a delay.
const TRIES: u32 = 25;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Connects to the server and takes the lock, if necessary from our previous connection, which the server still holds open.
fn server(
    url: &LedgerUrl,
    target: &str,
    owner: &Owner,
    previous: Option<i32>,
) -> Result<(AnyConnection, i32), OpenError> {
    let mut connection = postgres::connect(url, target, Some(owner))?;
    let unreachable = |error: diesel::result::Error| OpenErrorKind::Unreachable(text(&error)).of(url);
    let mut other = None;
    for _ in 0..TRIES {
        match postgres::take_lock(&mut connection).map_err(unreachable)? {
            Ok(backend) => return Ok((AnyConnection::Postgres(connection), backend)),
            Err(Some(holder)) if Some(holder.backend) == previous => {
                postgres::end_backend(&mut connection, holder.backend).map_err(unreachable)?;
            }
            Err(holder) => other = holder,
        }
        thread::sleep(BETWEEN_TRIES);
    }
    let Some(holder) = other else {
        return Err(OpenErrorKind::Unreachable("the server is busy with our last connection".to_owned()).of(url));
    };
    let (host, pid) = holder.names().unwrap_or_else(|| ("?".to_owned(), 0));
    Err(OpenErrorKind::Busy { host, pid, version: String::new(), since: String::new() }.of(url))
}

/// The id of each job.
fn job_ids(connection: &mut AnyConnection) -> Result<HashMap<JobName, i32>, LedgerError> {
    let rows = jobs::table.select((jobs::name, jobs::id)).load::<(String, i32)>(connection)?;
    rows.into_iter().map(|(name, id)| Ok((job_name(&name)?, id))).collect()
}

/// Registers the writer, and returns the new epoch.
fn enrol(connection: &mut AnyConnection, owner: &Owner, now: DateTime<Utc>) -> QueryResult<i64> {
    let epoch = writer::table.select(writer::epoch).first::<i64>(connection)? + 1;
    diesel::update(writer::table.find(1))
        .set((
            writer::host.eq(&owner.host),
            writer::pid.eq(i32::try_from(owner.pid).unwrap_or(0)),
            writer::version.eq(&owner.version),
            writer::since.eq(micros(now)),
            writer::epoch.eq(epoch),
            writer::batch.eq(0),
        ))
        .execute(connection)?;
    Ok(epoch)
}
