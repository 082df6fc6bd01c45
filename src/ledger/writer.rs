//! The single writer of a ledger.
//!
//! Its place is the row of `writer`: opening the ledger makes a new epoch, and each transaction counts one batch up, by
//! compare and set. So a transaction whose COMMIT was never answered is recognised afterwards, and a writer whose
//! ledger was taken by another can write nothing more.

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

/// The single writer of a ledger. It holds the ledger's lock as long as it lives.
pub struct Writer {
    url: LedgerUrl,
    owner: Owner,
    place: Place,
    /// Gone after any error; the next call makes a new one.
    connection: Option<AnyConnection>,
    jobs: HashMap<JobName, i32>,
    /// The hosts that were written with.
    hosts: Vec<Host>,
    epoch: i64,
    /// The number of the last transaction that is known to be committed.
    batch: i64,
    /// What was in the transaction after that, if nobody knows whether it was committed.
    doubt: Option<Vec<Vec<Entry>>>,
}

/// What a writer knows anew after a transaction.
struct New {
    /// The jobs that entered, with their numbers.
    entered: Vec<(JobName, i32)>,
    /// The names of jobs that are no more.
    renamed: Vec<JobName>,
    /// The hosts that were looked up.
    hosts: Vec<Host>,
}

/// What makes the ledger ours.
enum Place {
    File { path: PathBuf, _lock: FileLock },
    Server { target: String, backend: i32 },
}

impl Writer {
    /// Opens a ledger to write it: makes it if need be (its directory too, if the one above exists), takes its lock and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// An [`OpenError`], whose message says what to do. [`OpenErrorKind::Unreachable`] may pass; the others stay.
    pub fn open(url: &LedgerUrl, owner: &Owner, now: DateTime<Utc>) -> Result<Self, OpenError> {
        let (mut connection, place) = match url {
            LedgerUrl::Sqlite(path) => {
                sqlite::make_directory(url, path)?;
                let path = sqlite::real_path(path).map_err(|error| sqlite::refused(url, &error))?;
                let lock = sqlite::take_lock(url, &path, owner, now)?;
                let connection = AnyConnection::Sqlite(sqlite::connect(url, &path, Purpose::Write)?);
                (connection, Place::File { path, _lock: lock })
            }
            LedgerUrl::Postgres(target) => {
                let (connection, backend) = server(url, target, owner, None)?;
                (connection, Place::Server { target: target.clone(), backend })
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
            place,
            connection: Some(connection),
            jobs,
            hosts: Vec::new(),
            epoch,
            batch: 0,
            doubt: None,
        })
    }

    /// Reads what a daemon must know to go on.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what we do not understand.
    pub fn load(&mut self) -> Result<Recovered, LedgerError> {
        self.read(startup::load)
    }

    /// Writes all batches in one transaction: all or none, and not twice.
    ///
    /// After [`LedgerError::Unavailable`], the same batches (more may follow them) are to be committed again: if the
    /// first try was written after all, its batches are recognised and not written again.
    ///
    /// # Errors
    /// A [`LedgerError`]; the ledger is then as it was before, or, after [`LedgerError::Unavailable`], perhaps as it was
    /// to be.
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
                // A connection that can take back what was written is kept, because the server's lock hangs on it. Any
                // other is closed, which takes back as well.
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

    /// Begins a transaction and writes everything but its COMMIT.
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

    /// The operators' requests without an answer, by number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn requests(&mut self) -> Result<Vec<Request>, LedgerError> {
        self.read(|connection| request_queue::unanswered(connection, |_| true))
    }

    /// Those of them that want attempts ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn kills(&mut self) -> Result<Vec<Request>, LedgerError> {
        let kill = Operation::Kill { date: None }.word();
        self.read(|connection| request_queue::unanswered(connection, |action| action == kill))
    }

    /// Reads with the connection, and gives it up after an error.
    fn read<T>(&mut self, read: impl FnOnce(&mut AnyConnection) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let mut connection = self.take_connection()?;
        let value = read(&mut connection)?;
        self.connection = Some(connection);
        Ok(value)
    }

    /// The connection, to be put back once it was seen to work; a new one if the last is gone. Sees to it that the
    /// ledger is still ours.
    fn take_connection(&mut self) -> Result<AnyConnection, LedgerError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let mut connection = match &mut self.place {
            Place::File { path, .. } => AnyConnection::Sqlite(sqlite::connect(&self.url, path, Purpose::Write)?),
            Place::Server { target, backend } => {
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

    /// Finds out whether the transaction in doubt was committed, and returns how many of `batches` it wrote.
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

/// How often, and how long apart, a held lock of the server is tried again: it gives the lock of a process that ended
/// back a moment later.
const TRIES: u32 = 25;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Connects to the server and takes the lock, if need be from a connection of ours that the server still believes in.
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

/// The number of each job.
fn job_ids(connection: &mut AnyConnection) -> Result<HashMap<JobName, i32>, LedgerError> {
    let rows = jobs::table.select((jobs::name, jobs::id)).load::<(String, i32)>(connection)?;
    rows.into_iter().map(|(name, id)| Ok((job_name(&name)?, id))).collect()
}

/// Makes the ledger ours, and returns the new epoch.
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
