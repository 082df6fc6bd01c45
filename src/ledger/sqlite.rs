//! Opens a ledger in an SQLite file: its directory, its mode, its lock and the settings of every connection.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;

use super::error::{LedgerError, OpenError, OpenErrorKind};
use super::lock::{self, FileHolder, FileLock, LockFailure, Owner};
use super::url::LedgerUrl;

/// The mark of a ledger (`PRAGMA application_id`), "crtb": the same number as in the first migration.
const APPLICATION_ID: i64 = 0x6372_7462;

/// The purpose of a connection.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Purpose {
    /// To write: the file is created if it is missing.
    Write,
    /// To post a request beside the writer.
    Post,
    /// To read beside the writer.
    Read,
}

/// Whether a file is an SQLite database with the mark of a ledger. Not for a ledger that this process has open: closing the
/// file would release its locks.
#[must_use]
pub fn is_ledger_file(path: &Path) -> bool {
    let mut header = [0; 72];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header.starts_with(b"SQLite format 3\0") && header[68..] == APPLICATION_ID.to_be_bytes()[4..]
}

/// The path of the ledger without symbolic links, because its lock is beside it.
pub(super) fn real_path(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let absolute = std::path::absolute(path)?;
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => Ok(fs::canonicalize(parent)?.join(name)),
        _ => Ok(absolute),
    }
}

/// Creates the last missing directory of `path`, with mode 0700.
pub(super) fn make_directory(url: &LedgerUrl, path: &Path) -> Result<(), OpenError> {
    let absolute = std::path::absolute(path).map_err(|error| refused(url, &error))?;
    if absolute.is_dir() {
        return Err(OpenErrorKind::Directory.of(url));
    }
    let Some(directory) = absolute.parent() else { return Ok(()) };
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(OpenErrorKind::MissingDirectory(directory.to_owned()).of(url))
        }
        Err(error) if directory.is_dir() => {
            tracing::debug!(%error, "the ledger's directory exists");
            Ok(())
        }
        Err(error) => Err(refused(url, &error)),
    }
}

/// Takes the lock of the ledger at `path`.
pub(super) fn take_lock(
    url: &LedgerUrl,
    path: &Path,
    owner: &Owner,
    now: DateTime<Utc>,
) -> Result<FileLock, OpenError> {
    lock::take(path, owner, now).map_err(|failure| match failure {
        LockFailure::Io(error) => refused(url, &error),
        LockFailure::Held(FileHolder { host, pid, version, since }) => OpenErrorKind::Busy {
            host: host.unwrap_or_else(|| "?".to_owned()),
            pid: pid.unwrap_or(0),
            version: version.map_or_else(String::new, |version| format!("crontabber {version}, ")),
            since: since.map_or_else(String::new, |since| format!(" since {since}")),
        }
        .of(url),
    })
}

/// Opens the file.
pub(super) fn connect(url: &LedgerUrl, path: &Path, purpose: Purpose) -> Result<SqliteConnection, OpenError> {
    match purpose {
        Purpose::Write => {
            // Created before SQLite opens it, because SQLite gives its `-wal` and `-shm` files the mode of this one.
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(path)
                .map_err(|error| refused(url, &error))?;
            prepared(url, path, "rw", purpose)
        }
        Purpose::Post | Purpose::Read if !is_readable(url, path)? => Err(OpenErrorKind::Missing.of(url)),
        Purpose::Post => prepared(url, path, "rw", purpose),
        Purpose::Read => prepared(url, path, "rw", purpose)
            .or_else(|error| if is_final(&error) { Err(error) } else { prepared(url, path, "ro", purpose) })
            .or_else(|error| {
                if is_final(&error) || has_log(path) {
                    return Err(error);
                }
                // The directory is not writable and there is no writer, so the file does not change.
                prepared(url, path, "ro&immutable=1", purpose)
            }),
    }
}

/// Whether there is a readable file. Does not open it: closing it would release SQLite's locks.
pub(super) fn is_readable(url: &LedgerUrl, path: &Path) -> Result<bool, OpenError> {
    let found = fs::metadata(path).and_then(|file| {
        let is_readable = rustix::fs::access(path, rustix::fs::Access::READ_OK);
        is_readable.map(|()| file).map_err(io::Error::from)
    });
    match found {
        Ok(file) if file.is_dir() => Err(OpenErrorKind::Directory.of(url)),
        Ok(_) => Ok(true),
        Err(error) => unread(url, &error),
    }
}

/// The error of the system for a reader; a missing ledger is no error.
fn unread(url: &LedgerUrl, error: &io::Error) -> Result<bool, OpenError> {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(false),
        io::ErrorKind::PermissionDenied => Err(OpenErrorKind::Unreadable(error.to_string()).of(url)),
        _ => Err(OpenErrorKind::Failed(error.to_string()).of(url)),
    }
}

/// Whether every way of opening fails with this error.
fn is_final(error: &OpenError) -> bool {
    matches!(error.kind, OpenErrorKind::Corrupt(_) | OpenErrorKind::Foreign | OpenErrorKind::Missing)
}

fn has_log(path: &Path) -> bool {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    fs::metadata(PathBuf::from(name)).is_ok_and(|log| log.len() > 0)
}

fn prepared(url: &LedgerUrl, path: &Path, mode: &str, purpose: Purpose) -> Result<SqliteConnection, OpenError> {
    let Some(name) = path.to_str() else {
        return Err(OpenErrorKind::Failed("its path is not UTF-8".to_owned()).of(url));
    };
    let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let mut sqlite = SqliteConnection::establish(&format!("file:{name}?mode={mode}"))
        .map_err(|error| OpenErrorKind::Failed(error.to_string()).of(url))?;
    settle(&mut sqlite, purpose).map_err(|error| database_error(url, error))?;
    match identity(&mut sqlite).map_err(|error| database_error(url, error))? {
        (APPLICATION_ID, _) => {}
        (0, 0) if purpose == Purpose::Write => {}
        (0, 0) => return Err(OpenErrorKind::Missing.of(url)),
        _ => return Err(OpenErrorKind::Foreign.of(url)),
    }
    if purpose == Purpose::Write {
        log_ahead(&mut sqlite).map_err(|error| database_error(url, error))?;
    }
    Ok(sqlite)
}

/// Applies the settings that do not change the file.
fn settle(sqlite: &mut SqliteConnection, purpose: Purpose) -> QueryResult<()> {
    sqlite.batch_execute(
        "PRAGMA page_size = 1024; PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;",
    )?;
    match purpose {
        // Only for a command: the cache of a daemon would grow to this size.
        Purpose::Read => sqlite.batch_execute("PRAGMA query_only = ON; PRAGMA cache_size = -8000;"),
        Purpose::Write | Purpose::Post => sqlite.batch_execute("PRAGMA cache_size = -1000;"),
    }
}

/// The mark of the file, and the number of its tables and indices.
fn identity(sqlite: &mut SqliteConnection) -> QueryResult<(i64, i64)> {
    // Without the table that Diesel creates before the first migration: an earlier opening may have stopped there.
    const COUNT: &str = "(SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '__diesel_schema_migrations')";
    // The count comes first: it fails on a file that is no database, whose mark reads as 0.
    let objects = diesel::select(diesel::dsl::sql::<BigInt>(COUNT)).get_result(sqlite)?;
    let mark = diesel::dsl::sql::<BigInt>("SELECT application_id FROM pragma_application_id").get_result(sqlite)?;
    Ok((mark, objects))
}

/// Sets the write-ahead log: readers never wait for the writer, and a commit is one flush.
fn log_ahead(sqlite: &mut SqliteConnection) -> QueryResult<()> {
    let mode = diesel::dsl::sql::<Text>("PRAGMA journal_mode = WAL").get_result::<String>(sqlite)?;
    if mode != "wal" {
        tracing::warn!(mode, "the ledger's file system has no write-ahead log: readers may wait");
    }
    sqlite.batch_execute("PRAGMA journal_size_limit = 67108864;")
}

/// The error for a message of the system.
pub(super) fn refused(url: &LedgerUrl, error: &io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OpenErrorKind::ReadOnly(error.to_string())
        }
        _ => OpenErrorKind::Failed(error.to_string()),
    }
    .of(url)
}

/// The error for a message of SQLite.
pub(super) fn database_error(url: &LedgerUrl, error: diesel::result::Error) -> OpenError {
    match LedgerError::from(error) {
        LedgerError::Corrupt(text) => OpenErrorKind::Corrupt(text),
        LedgerError::Unavailable(text) if text.contains("readonly database") => OpenErrorKind::ReadOnly(text),
        LedgerError::Unavailable(text) | LedgerError::Conflict(text) => OpenErrorKind::Failed(text),
    }
    .of(url)
}
