//! The single writer of a ledger.
//!
//! Its row is in `writer`: opening the ledger starts a new epoch, and each transaction increments the batch by compare and
//! set. So the writer finds out whether a transaction with an unanswered COMMIT was written, and it can write nothing after
//! another writer has taken the ledger.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::apply::{Cache, apply};
use super::connection::AnyConnection;
use super::error::{LedgerError, OpenError, OpenErrorKind, text};
use super::heartbeat::{self, Heartbeat};
use super::lock::{FileLock, Owner};
use super::rows::micros;
use super::schema::writer;
use super::sqlite::{self, Purpose};
use super::url::LedgerUrl;
use super::{last_success, migrate, postgres, prepared, recordings, request_queue, startup};
use crate::session::{
    Entry, JobRecordings, Operation, RecordingRange, Recovered, Request, SessionKey, SuccessesBefore,
};

/// The single writer of a ledger. It holds the ledger's lock until it is dropped.
pub struct Writer {
    url: LedgerUrl,
    owner: Owner,
    holding: Holding,
    /// Absent after an error; the next call connects again.
    connection: Option<AnyConnection>,
    /// Absent after an error; the next commit loads it again.
    cache: Option<Cache>,
    epoch: i64,
    /// The number of the last transaction that is committed.
    batch: i64,
    /// The entries of the transaction after that, if it is unknown whether it was committed.
    doubt: Option<Vec<Entry>>,
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
        let epoch = connection.write(|connection| enrol(connection, owner, now));
        let epoch = epoch.map_err(|error| migrate::failed(url, error))?;
        let cache = Cache::load(&mut connection).map_err(|error| OpenError::unread(url, &error))?;
        Ok(Self {
            url: url.clone(),
            owner: owner.clone(),
            holding,
            connection: Some(connection),
            cache: Some(cache),
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

    /// What the last process that held the ledger reported of itself.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn heartbeat(&mut self) -> Result<Option<Heartbeat>, LedgerError> {
        let url = self.url.clone();
        self.read(|connection| heartbeat::read(connection, &url))
    }

    /// Writes all entries in one transaction: all or none, and not twice.
    ///
    /// After [`LedgerError::Unavailable`], the caller commits the same entries again: if the first try was written after
    /// all, they are not written again.
    ///
    /// # Errors
    /// A [`LedgerError`]; nothing was written, or, after [`LedgerError::Unavailable`], perhaps all of it.
    pub fn commit(&mut self, entries: &[Entry]) -> Result<(), LedgerError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut connection = self.take_connection()?;
        if !self.was_committed(&mut connection, entries)? {
            let written = self.write(&mut connection, entries);
            if written.is_err() {
                self.cache = None;
                // A connection that can roll back is kept, because the server's lock belongs to it. Any other is closed,
                // which rolls back too.
                self.connection = connection.rollback().is_ok().then_some(connection);
                return written;
            }
            if let Err(error) = connection.commit() {
                self.cache = None;
                self.doubt = Some(entries.to_vec());
                return Err(error.into());
            }
            self.batch += 1;
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Begins a transaction and writes the entries, without the COMMIT.
    fn write(&mut self, connection: &mut AnyConnection, entries: &[Entry]) -> Result<(), LedgerError> {
        connection.begin()?;
        let sql = || "UPDATE writer SET batch = ? WHERE epoch = ? AND batch = ?";
        let values = [(self.batch + 1).into(), self.epoch.into(), self.batch.into()];
        if prepared::execute(connection, sql, &values)? != 1 {
            return Err(LedgerError::Conflict("another crontabber took it".to_owned()));
        }
        let cache = match &mut self.cache {
            Some(cache) => cache,
            none => none.insert(Cache::load(connection)?),
        };
        apply(connection, cache, &self.owner.host, entries)
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

    /// The newest success before each of these dates.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn successes_before(&mut self, sessions: &[SessionKey]) -> Result<SuccessesBefore, LedgerError> {
        self.read(|connection| {
            let found = |key: &SessionKey| Ok((key.clone(), last_success::before(connection, key)?));
            sessions.iter().map(found).collect()
        })
    }

    /// What the ledger has of the dates that an edit of the registry concerns.
    ///
    /// # Errors
    /// As [`Writer::load`].
    pub fn recordings(&mut self, ranges: &[RecordingRange]) -> Result<Vec<JobRecordings>, LedgerError> {
        self.read(|connection| recordings::read(connection, ranges))
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

    /// Whether these entries are those of the transaction in doubt, and it was committed.
    fn was_committed(&mut self, connection: &mut AnyConnection, entries: &[Entry]) -> Result<bool, LedgerError> {
        let Some(doubted) = &self.doubt else { return Ok(false) };
        let found = writer::table.select(writer::batch).first::<i64>(connection)?;
        let was_committed = match found - self.batch {
            0 => false,
            1 if entries == doubted => true,
            1 => {
                let text = "the entries in doubt were committed, and others are given now";
                return Err(LedgerError::Conflict(text.to_owned()));
            }
            _ => {
                let text = format!("its last transaction is number {found}, and ours was {}", self.batch);
                return Err(LedgerError::Conflict(text));
            }
        };
        self.doubt = None;
        self.batch = found;
        Ok(was_committed)
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
        // As for the lock of a file: waiting for it would have no end while another daemon runs.
        thread::sleep(BETWEEN_TRIES);
    }
    let Some(holder) = other else {
        return Err(OpenErrorKind::Unreachable("the server is busy with our last connection".to_owned()).of(url));
    };
    let (host, pid) = holder.names().unwrap_or_else(|| ("?".to_owned(), 0));
    Err(OpenErrorKind::Busy { host, pid, version: String::new(), since: String::new() }.of(url))
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
