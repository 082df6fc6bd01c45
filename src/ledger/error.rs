//! The errors of a ledger, by what the caller can do about them.

use std::fmt;
use std::path::PathBuf;

use diesel::result::{DatabaseErrorKind, Error};

use super::schema::SCHEMA_VERSION;
use super::url::LedgerUrl;

/// Why a ledger could not be opened. Its message says what to do.
#[derive(Debug)]
pub struct OpenError {
    /// The ledger, without a password.
    pub url: String,
    /// What went wrong.
    pub kind: OpenErrorKind,
}

/// What went wrong when a ledger was opened. A `String` alone is the message of the database or the system.
#[derive(Debug)]
pub enum OpenErrorKind {
    /// Another crontabber writes this ledger.
    Busy {
        /// The host of the other; `?` if unknown.
        host: String,
        /// Its process; 0 if unknown.
        pid: u32,
        /// `crontabber VERSION, `, or empty.
        version: String,
        /// ` since TIME`, or empty.
        since: String,
    },
    /// A newer crontabber wrote this ledger.
    Newer {
        /// The version that opened it last.
        theirs: String,
        /// Its schema.
        found: String,
        /// The version of this crontabber.
        ours: String,
    },
    /// An older crontabber wrote this ledger: its schema. Only a writer migrates it.
    Older(String),
    /// A database of another program.
    Foreign,
    /// The file is damaged, or no database.
    Corrupt(String),
    /// The file, or its directory, cannot be written.
    ReadOnly(String),
    /// This user cannot read the file or a directory above it.
    Unreadable(String),
    /// The path is a directory.
    Directory,
    /// The directory of the file does not exist, nor the one above.
    MissingDirectory(PathBuf),
    /// There is no ledger yet (readers only: a writer creates it).
    Missing,
    /// The server does not answer; it may later.
    Unreachable(String),
    /// The server refuses this user, now and later.
    Denied(String),
    /// Any other error.
    Failed(String),
}

impl OpenErrorKind {
    /// The error for a ledger.
    pub(super) fn of(self, url: &LedgerUrl) -> OpenError {
        OpenError { url: url.to_string(), kind: self }
    }
}

impl OpenError {
    /// The error for a ledger that was opened and then could not be read. A server that goes away may come back.
    #[must_use]
    pub fn unread(url: &LedgerUrl, error: &LedgerError) -> Self {
        match (url, error) {
            (LedgerUrl::Postgres(_), LedgerError::Unavailable(detail)) => OpenErrorKind::Unreachable(detail.clone()),
            _ => OpenErrorKind::Failed(error.to_string()),
        }
        .of(url)
    }
}

impl std::error::Error for OpenError {}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use OpenErrorKind as Kind;
        let url = &self.url;
        match &self.kind {
            Kind::Busy { host, pid, version, since } => {
                write!(
                    f,
                    "another crontabber holds the ledger `{url}`: {version}process {pid} on `{host}`{since}; stop it first"
                )
            }
            Kind::Newer { theirs, found, ours } => write!(
                f,
                "the ledger `{url}` was written by crontabber {theirs} (schema {found}), and this is crontabber {ours} \
                 (schema {SCHEMA_VERSION}); upgrade crontabber, or name another ledger"
            ),
            Kind::Older(found) => write!(
                f,
                "the ledger `{url}` is of an older crontabber (schema {found}, needed {SCHEMA_VERSION}); restart the \
                 daemon first"
            ),
            Kind::Foreign => write!(
                f,
                "`{url}` is a database of another program, not a ledger; name another one (crontabber needs a database \
                 of its own)"
            ),
            Kind::Corrupt(detail) => write!(
                f,
                "the ledger `{url}` is damaged, or is no database: {detail}; restore it from a backup, or move it away"
            ),
            Kind::ReadOnly(detail) => write!(
                f,
                "the ledger `{url}` cannot be written: {detail}; check the owner and the mode of the file and its \
                 directory"
            ),
            Kind::Unreadable(detail) => write!(
                f,
                "the ledger `{url}` cannot be read by this user: {detail}; run the command as the owner of the ledger, or \
                 have the owner permit it"
            ),
            Kind::Directory => write!(f, "the ledger `{url}` is a directory; name a file in it"),
            Kind::MissingDirectory(directory) => write!(
                f,
                "the directory `{}` of the ledger does not exist; create it, or name another ledger",
                directory.display()
            ),
            Kind::Missing => write!(
                f,
                "there is no ledger at `{url}` yet; start the daemon (or `crontabber once`) first, or name another ledger"
            ),
            Kind::Unreachable(detail) => write!(f, "the ledger `{url}` cannot be reached: {detail}"),
            Kind::Denied(detail) => {
                write!(f, "the ledger `{url}` refuses access: {detail}; check its user, its password and its name")
            }
            Kind::Failed(detail) => write!(f, "the ledger `{url}` cannot be opened: {detail}"),
        }
    }
}

/// Why a ledger that is open could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// May pass: try again later. After a commit, the next try finds out whether this one was written.
    #[error("the ledger is unavailable: {0}")]
    Unavailable(String),
    /// The ledger has other content than expected: another writer changed it, or there is a bug. Nothing was written.
    #[error("the ledger is not as expected: {0}")]
    Conflict(String),
    /// The database is damaged, or holds a value that this crontabber does not know.
    #[error("the ledger is damaged: {0}; restore it from a backup")]
    Corrupt(String),
}

/// The message of a database error, in one line.
pub(super) fn text(error: &Error) -> String {
    match error {
        Error::DatabaseError(_, information) => one_line(information.message()),
        other => one_line(&other.to_string()),
    }
}

/// Joins the lines of a message: libpq ends messages with a line break.
pub(super) fn one_line(message: &str) -> String {
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

impl From<Error> for LedgerError {
    fn from(error: Error) -> Self {
        let text = text(&error);
        match error {
            Error::DatabaseError(
                DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::RestrictViolation
                | DatabaseErrorKind::ExclusionViolation,
                _,
            ) => Self::Conflict(text),
            // Diesel passes on only the message of SQLite, which is a fixed English text.
            _ if text.contains("malformed") || text.contains("file is not a database") => Self::Corrupt(text),
            _ => Self::Unavailable(text),
        }
    }
}

impl From<OpenError> for LedgerError {
    /// The error for a ledger that was open and cannot be opened again.
    fn from(error: OpenError) -> Self {
        match error.kind {
            OpenErrorKind::Busy { .. }
            | OpenErrorKind::Newer { .. }
            | OpenErrorKind::Older(_)
            | OpenErrorKind::Foreign => Self::Conflict(error.to_string()),
            OpenErrorKind::Corrupt(detail) => Self::Corrupt(detail),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_goes_away_while_it_is_read_may_come_back() {
        let (server, file) =
            (LedgerUrl::Postgres("postgres:///ledger".to_owned()), LedgerUrl::Sqlite("ledger.db".into()));
        let away = LedgerError::Unavailable("terminating connection due to administrator command".to_owned());
        assert!(matches!(OpenError::unread(&server, &away).kind, OpenErrorKind::Unreachable(_)));
        assert!(matches!(OpenError::unread(&file, &away).kind, OpenErrorKind::Failed(_)));
        let corrupt = LedgerError::Corrupt("a word".to_owned());
        assert!(matches!(OpenError::unread(&server, &corrupt).kind, OpenErrorKind::Failed(_)));
    }
}
