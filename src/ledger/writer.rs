//! The single writer of a ledger.
//!
//! Its place is the row of `writer`: opening the ledger makes a new epoch, and each transaction counts one batch up, by
//! compare and set. So a transaction whose COMMIT was never answered is recognised afterwards, and a writer whose
//! ledger was taken by another can write nothing more.

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::entries::Transaction;
use super::error::text;
use super::lock::FileLock;
use super::rows::{AttemptRow, JobRow, SessionRow, job_name, micros};
use super::schema::{attempts, jobs, sessions, writer};
use super::sqlite::{self, Purpose};
use super::{CommitError, LedgerError, LedgerUrl, OpenError, Owner, desk, migrate, postgres};
use crate::job::JobName;
use crate::session::{Entry, Recovered, Request};

/// The single writer of a ledger. It holds the ledger's lock as long as it lives.
pub struct Writer {
    url: LedgerUrl,
    owner: Owner,
    place: Place,
    /// Gone after any error; the next call makes a new one.
    connection: Option<AnyConnection>,
    jobs: HashMap<JobName, i32>,
    epoch: i64,
    /// The number of the last transaction that is known to be committed.
    batch: i64,
    /// What was in the transaction after that, if nobody knows whether it was committed.
    doubt: Option<Vec<Vec<Entry>>>,
}

/// What makes the ledger ours.
enum Place {
    File { path: PathBuf, _lock: FileLock },
    Server { backend: i32 },
}

impl Writer {
    /// Opens a ledger to write it: makes it if need be (its directory too, if the one above exists), takes its lock and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// An [`OpenError`], whose message says what to do. [`OpenError::Unreachable`] may pass; the others stay.
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
                (connection, Place::Server { backend })
            }
        };
        migrate::migrate(url, &mut connection, &owner.version)?;
        let failed = |error: diesel::result::Error| match url {
            LedgerUrl::Sqlite(_) => sqlite::database_error(url, &error),
            LedgerUrl::Postgres(_) => OpenError::Unreachable { url: url.to_string(), detail: text(&error) },
        };
        let epoch = connection.write(|connection| enrol(connection, owner, now)).map_err(failed)?;
        let names =
            jobs::table.select((jobs::name, jobs::id)).load::<(String, i32)>(&mut connection).map_err(failed)?;
        let mut jobs = HashMap::with_capacity(names.len());
        for (name, id) in names {
            let name = job_name(&name)
                .map_err(|error| OpenError::Corrupt { url: url.to_string(), detail: error.to_string() })?;
            jobs.insert(name, id);
        }
        Ok(Self {
            url: url.clone(),
            owner: owner.clone(),
            place,
            connection: Some(connection),
            jobs,
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
        self.connect()?;
        self.with_connection(load)
    }

    /// Writes all batches in one transaction: all or none, and not twice.
    ///
    /// After [`CommitError::Unavailable`], the same batches (more may follow them) are to be committed again: if the
    /// first try was written after all, its batches are recognised and not written again.
    ///
    /// # Errors
    /// A [`CommitError`]; the ledger is then as it was before, or, after [`CommitError::Unavailable`], perhaps as it was
    /// to be.
    pub fn commit(&mut self, batches: &[Vec<Entry>]) -> Result<(), CommitError> {
        if batches.iter().all(Vec::is_empty) && self.doubt.is_none() {
            return Ok(());
        }
        self.connect()?;
        let batches = &batches[self.settle_doubt(batches)?..];
        if batches.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let mut connection = self.connection.take().expect("`connect` has just made one");
        let entered = write(&mut connection, &self.jobs, self.epoch, self.batch + 1, batches);
        let entered = match entered {
            Ok(entered) => entered,
            Err(error) => {
                // Closing it takes back whatever was written; the next call opens another.
                return Err(error);
            }
        };
        if let Err(error) = connection.commit() {
            self.doubt = Some(batches.to_vec());
            return Err(error.into());
        }
        self.connection = Some(connection);
        self.batch += 1;
        self.jobs.extend(entered);
        Ok(())
    }

    /// The operators' requests without an answer, by number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn requests(&mut self) -> Result<Vec<Request>, LedgerError> {
        self.connect()?;
        self.with_connection(desk::unanswered)
    }

    /// Reads with the connection, and gives it up after an error.
    fn with_connection<T>(
        &mut self,
        read: impl FnOnce(&mut AnyConnection) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut connection = self.connection.take().expect("`connect` has just made one");
        let value = read(&mut connection)?;
        self.connection = Some(connection);
        Ok(value)
    }

    /// Makes a new connection if the last one is gone, and sees to it that the ledger is still ours.
    fn connect(&mut self) -> Result<(), CommitError> {
        if self.connection.is_some() {
            return Ok(());
        }
        let mut connection = match (&self.url, &mut self.place) {
            (LedgerUrl::Postgres(target), Place::Server { backend }) => {
                let (connection, new) = server(&self.url, target, &self.owner, Some(*backend))?;
                *backend = new;
                connection
            }
            (url, Place::File { path, .. }) => AnyConnection::Sqlite(sqlite::connect(url, path, Purpose::Write)?),
            (LedgerUrl::Sqlite(_), Place::Server { .. }) => {
                return Err(CommitError::Conflict("a file has no server".to_owned()));
            }
        };
        let (host, pid, epoch) = writer::table
            .select((writer::host, writer::pid, writer::epoch))
            .first::<(String, i32, i64)>(&mut connection)?;
        if epoch != self.epoch {
            return Err(CommitError::Conflict(format!("process {pid} on `{host}` took it in the meantime")));
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Finds out whether the transaction in doubt was committed, and returns how many of `batches` it wrote.
    fn settle_doubt(&mut self, batches: &[Vec<Entry>]) -> Result<usize, CommitError> {
        let Some(doubted) = &self.doubt else { return Ok(0) };
        let connection = self.connection.as_mut().expect("`connect` has just made one");
        let found =
            writer::table.select(writer::batch).first::<i64>(connection).inspect_err(|_| self.connection = None)?;
        if found == self.batch {
            self.doubt = None;
            return Ok(0);
        }
        if found != self.batch + 1 {
            return Err(self.taken(found));
        }
        if !batches.starts_with(doubted) {
            return Err(CommitError::Conflict(
                "the batches in doubt were committed, and others are given now".to_owned(),
            ));
        }
        let written = doubted.len();
        for entry in doubted.iter().flatten() {
            if let Entry::Enter(record) = entry {
                let id = jobs::table
                    .filter(jobs::name.eq(record.name.as_str()))
                    .select(jobs::id)
                    .first::<i32>(self.connection.as_mut().expect("it has just answered"))?;
                self.jobs.insert(record.name.clone(), id);
            }
        }
        self.doubt = None;
        self.batch = found;
        Ok(written)
    }

    fn taken(&self, found: i64) -> CommitError {
        CommitError::Conflict(format!("its last transaction is number {found}, and ours was {}", self.batch))
    }
}

/// Connects to the server and takes the lock, if need be from a connection of ours that the server still believes in.
fn server(
    url: &LedgerUrl,
    target: &str,
    owner: &Owner,
    previous: Option<i32>,
) -> Result<(AnyConnection, i32), OpenError> {
    let mut connection = postgres::connect(url, target, Some(owner))?;
    let unreachable = |detail: String| OpenError::Unreachable { url: url.to_string(), detail };
    match postgres::take_lock(&mut connection).map_err(|error| unreachable(text(&error)))? {
        Ok(backend) => Ok((AnyConnection::Postgres(connection), backend)),
        Err(None) => Err(unreachable("its lock was released this instant".to_owned())),
        Err(Some(holder)) if Some(holder.backend) == previous => {
            postgres::end_backend(&mut connection, holder.backend).map_err(|error| unreachable(text(&error)))?;
            Err(unreachable("the server is still busy with our last connection".to_owned()))
        }
        Err(Some(holder)) => {
            let (host, pid) = holder.names().unwrap_or_else(|| ("?".to_owned(), 0));
            Err(OpenError::Busy { url: url.to_string(), host, pid, version: String::new(), since: String::new() })
        }
    }
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

/// Begins a transaction and writes everything but its COMMIT; returns the jobs that entered.
fn write(
    connection: &mut AnyConnection,
    jobs: &HashMap<JobName, i32>,
    epoch: i64,
    batch: i64,
    batches: &[Vec<Entry>],
) -> Result<Vec<(JobName, i32)>, CommitError> {
    connection.begin()?;
    let ours = writer::table.filter(writer::epoch.eq(epoch)).filter(writer::batch.eq(batch - 1));
    if diesel::update(ours).set(writer::batch.eq(batch)).execute(connection)? != 1 {
        return Err(CommitError::Conflict("another crontabber took it".to_owned()));
    }
    let mut transaction = Transaction { connection, jobs, entered: Vec::new() };
    for entry in batches.iter().flatten() {
        transaction.apply(entry)?;
    }
    Ok(transaction.entered)
}

pub(super) fn load(connection: &mut AnyConnection) -> Result<Recovered, LedgerError> {
    let mut names = HashMap::new();
    let mut known = Vec::new();
    for row in jobs::table.load::<JobRow>(connection)? {
        let (id, generation) = (row.id, row.generation);
        let record = row.record()?;
        names.insert(id, (record.name.clone(), generation));
        known.push(record);
    }
    known.sort_by(|a, b| a.name.cmp(&b.name));
    let named = |id: i32| {
        names.get(&id).ok_or_else(|| LedgerError::Corrupt(format!("job number {id} has rows, and is not there")))
    };
    let mut settled = Vec::new();
    for (id, (name, generation)) in &names {
        let of_job = sessions::job_id.eq(*id).and(sessions::generation.eq(*generation));
        let any = sessions::table
            .filter(of_job.and(sessions::settled_at.is_not_null()))
            .select(sessions::date)
            .order(sessions::date.asc())
            .first::<i64>(connection)
            .optional()?;
        if any.is_some() {
            settled.push(name.clone());
        }
    }
    settled.sort();
    let mut unsettled = Vec::new();
    for row in sessions::table.filter(sessions::settled_at.is_null()).load::<SessionRow>(connection)? {
        let (name, generation) = named(row.job_id)?;
        if row.generation == *generation {
            unsettled.push(row.record(name)?);
        }
    }
    unsettled.sort_by(|a, b| a.key.cmp(&b.key));
    let mut open = Vec::new();
    for row in attempts::table.filter(attempts::outcome.is_null()).load::<AttemptRow>(connection)? {
        let (name, _) = named(row.job_id)?;
        open.push(row.record(name)?);
    }
    open.sort_by(|a, b| a.key.cmp(&b.key));
    tracing::debug!(jobs = known.len(), unsettled = unsettled.len(), open = open.len(), "the ledger was read");
    Ok(Recovered { jobs: known, sessions: unsettled, open, settled })
}
