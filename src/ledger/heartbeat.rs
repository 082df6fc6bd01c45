//! What the process that holds a ledger reports of itself every few seconds, so that its end and a hang are noticed.
//!
//! Beside an SQLite ledger this is the file `<ledger>.heartbeat`, which is overwritten in place: that needs no space, also
//! on a disk that is full. In PostgreSQL it is the row of the table `heartbeat`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use serde::{Deserialize, Serialize};

use super::connection::AnyConnection;
use super::error::{LedgerError, OpenError};
use super::rows::{instant, micros};
use super::url::LedgerUrl;
use super::{postgres, sqlite};
use crate::session::ClockHold;

/// How often, and at which interval, a file is read again that is being overwritten.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// What the last process that held a ledger reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub host: String,
    pub pid: u32,
    /// Whether it was a daemon, and not a `once`.
    pub is_daemon: bool,
    /// Whether it has ended as it was told to.
    pub is_stopped: bool,
    seen_at: i64,
    clock_seen: Option<i64>,
    /// When the clock is believed if it runs on; absent if it is.
    clock_believed_at: Option<i64>,
    /// The main file of the registry in force, and when it was read.
    pub registry: PathBuf,
    read_at: i64,
    /// The digest of the registry in force.
    pub digest: u64,
}

impl Heartbeat {
    /// The first report of a process, which has just read its registry.
    #[must_use]
    pub fn new(host: String, pid: u32, is_daemon: bool, registry: PathBuf, digest: u64, now: DateTime<Utc>) -> Self {
        let now = micros(now);
        let (is_stopped, clock_seen, clock_believed_at) = (false, None, None);
        Self {
            host,
            pid,
            is_daemon,
            is_stopped,
            seen_at: now,
            clock_seen,
            clock_believed_at,
            registry,
            read_at: now,
            digest,
        }
    }

    /// Notes the newest time that was believed, and until when the clock is not.
    pub fn see_clock(&mut self, seen: Option<DateTime<Utc>>, hold: Option<ClockHold>) {
        self.clock_seen = seen.map(micros);
        self.clock_believed_at = hold.map(|hold| micros(hold.believed_at));
    }

    /// Until when the process does not believe the clock, if it does not.
    #[must_use]
    pub fn clock_hold(&self) -> Option<ClockHold> {
        let believed_at = instant(self.clock_believed_at?).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Some(ClockHold { seen: self.clock_seen()?, believed_at })
    }

    /// The newest time by the wall clock that was believed.
    #[must_use]
    pub fn clock_seen(&self) -> Option<DateTime<Utc>> {
        instant(self.clock_seen?).ok()
    }

    /// Notes that the process has read this registry.
    pub fn read_registry(&mut self, digest: u64, now: DateTime<Utc>) {
        (self.digest, self.read_at) = (digest, micros(now));
    }

    /// Notes that the process works.
    pub fn see(&mut self, now: DateTime<Utc>) {
        self.seen_at = micros(now);
    }

    /// When the process last reported.
    ///
    /// # Errors
    /// The time is outside the calendar.
    pub fn seen_at(&self) -> Result<DateTime<Utc>, LedgerError> {
        instant(self.seen_at)
    }

    /// When the registry in force was read.
    ///
    /// # Errors
    /// The time is outside the calendar.
    pub fn read_at(&self) -> Result<DateTime<Utc>, LedgerError> {
        instant(self.read_at)
    }
}

/// Writes the reports of one process.
pub struct HeartbeatWriter {
    place: Place,
}

enum Place {
    File { path: PathBuf, file: Option<File> },
    Server { url: LedgerUrl, target: String, connection: Option<PgConnection> },
}

impl HeartbeatWriter {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(url: &LedgerUrl) -> Self {
        let place = match url {
            LedgerUrl::Sqlite(path) => Place::File { path: file_path(path), file: None },
            LedgerUrl::Postgres(target) => Place::Server { url: url.clone(), target: target.clone(), connection: None },
        };
        Self { place }
    }

    /// Writes a report. After an error the next call opens the file, or connects, again.
    ///
    /// # Errors
    /// Why it was not written.
    pub fn write(&mut self, heartbeat: &Heartbeat) -> Result<(), String> {
        let text = serde_json::to_string(heartbeat).map_err(|error| error.to_string())?;
        match &mut self.place {
            Place::File { path, file } => {
                let written = overwrite(path, file, &format!("{text}\n"));
                written.inspect_err(|_| *file = None).map_err(|error| format!("{}: {error}", path.display()))
            }
            Place::Server { url, target, connection } => {
                let written = update(url, target, connection, &text);
                written.inspect_err(|_| *connection = None)
            }
        }
    }
}

fn overwrite(path: &Path, file: &mut Option<File>, text: &str) -> io::Result<()> {
    // A file that was removed, or replaced, is nobody's.
    let is_removed = file.as_ref().is_some_and(|_| !path.exists());
    if is_removed {
        *file = None;
    }
    let file = match file {
        Some(file) => file,
        none => {
            let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
            none.insert(options)
        }
    };
    file.write_all_at(text.as_bytes(), 0)?;
    let length = text.len() as u64;
    if file.metadata()?.len() == length { Ok(()) } else { file.set_len(length) }
}

fn update(url: &LedgerUrl, target: &str, connection: &mut Option<PgConnection>, text: &str) -> Result<(), String> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(postgres::connect(url, target, None).map_err(|error: OpenError| error.to_string())?),
    };
    let update = diesel::sql_query("UPDATE heartbeat SET report = $1").bind::<Text, _>(text);
    update.execute(connection).map(drop).map_err(|error| error.to_string())
}

/// What the last process that held a ledger reported of itself.
pub(super) fn read(connection: &mut AnyConnection, url: &LedgerUrl) -> Result<Option<Heartbeat>, LedgerError> {
    match (connection, url) {
        (AnyConnection::Postgres(postgres), _) => of_server(postgres),
        (AnyConnection::Sqlite(_), LedgerUrl::Sqlite(path)) => Ok(of_file(path)),
        (AnyConnection::Sqlite(_), LedgerUrl::Postgres(_)) => Ok(None),
    }
}

/// The report in PostgreSQL.
fn of_server(connection: &mut PgConnection) -> Result<Option<Heartbeat>, LedgerError> {
    let report = diesel::dsl::sql::<Nullable<Text>>("SELECT (SELECT report FROM heartbeat)");
    let text = report.get_result::<Option<String>>(connection)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// The report beside an SQLite ledger. A file that cannot be read counts as none: nothing may depend on it.
fn of_file(ledger: &Path) -> Option<Heartbeat> {
    let path = file_path(ledger);
    for _ in 0..TRIES {
        let text = fs::read_to_string(&path).ok()?;
        // The time changes in place, and what follows it may be a rest of a longer report.
        if let Ok(heartbeat) = serde_json::from_str(text.lines().next().unwrap_or_default()) {
            return Some(heartbeat);
        }
        // Nothing tells when the writer, which takes no lock that could stop it, is done.
        thread::sleep(BETWEEN_TRIES);
    }
    None
}

fn file_path(ledger: &Path) -> PathBuf {
    let mut name = sqlite::real_path(ledger).unwrap_or_else(|_| ledger.to_owned()).into_os_string();
    name.push(".heartbeat");
    PathBuf::from(name)
}
