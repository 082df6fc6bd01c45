//! The lock of an SQLite ledger: a lock of the operating system on `<ledger>.lock`, which ends with its process.
//!
//! The file also names the holder, for the error message of a second crontabber. It is never removed: a lock on a removed
//! file protects nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// How often, and at which interval, a held lock is tried again: a status check holds it for an instant.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// The writer of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub host: String,
    pub pid: u32,
    /// The version of crontabber.
    pub version: String,
}

/// The lock, held until it is dropped.
pub(super) struct FileLock {
    _file: File,
}

/// The holder of the lock, as far as the file names it.
#[derive(Debug, Default)]
pub(super) struct FileHolder {
    pub(super) host: Option<String>,
    pub(super) pid: Option<u32>,
    pub(super) version: Option<String>,
    pub(super) since: Option<String>,
}

/// Why the lock was not taken.
pub(super) enum LockFailure {
    Held(FileHolder),
    Io(io::Error),
}

/// Takes the lock of the ledger at `path`.
pub(super) fn take(path: &Path, owner: &Owner, since: DateTime<Utc>) -> Result<FileLock, LockFailure> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(lock_path(path))
        .map_err(LockFailure::Io)?;
    for attempt in 1.. {
        match file.try_lock() {
            Ok(()) => break,
            // A lock that waits has no timeout, and a daemon may hold it for years.
            Err(TryLockError::WouldBlock) if attempt < TRIES => thread::sleep(BETWEEN_TRIES),
            Err(TryLockError::WouldBlock) => return Err(LockFailure::Held(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(LockFailure::Io(error)),
        }
    }
    let text = serde_json::json!({
        "host": owner.host,
        "pid": owner.pid,
        "version": owner.version,
        "since": since.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    // A full disk must not keep the daemon from its ledger: the text is only for messages.
    if let Err(error) = rewrite(&mut file, &format!("{text}\n")) {
        tracing::warn!(%error, file = %lock_path(path).display(), "the lock file could not be written");
    }
    Ok(FileLock { _file: file })
}

/// Whether the lock of the ledger at `path` is held.
pub(super) fn is_held(path: &Path) -> bool {
    File::open(lock_path(path)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn rewrite(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

fn holder(file: &mut File) -> FileHolder {
    let mut text = String::new();
    if file.read_to_string(&mut text).is_err() {
        return FileHolder::default();
    }
    let value = serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default();
    let word = |key: &str| value[key].as_str().map(str::to_owned);
    let pid = value["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    FileHolder { host: word("host"), pid, version: word("version"), since: word("since") }
}
