//! What can go wrong with a ledger, sorted by what the caller can do about it.

use std::path::PathBuf;

use diesel::result::{DatabaseErrorKind, Error};

use super::LedgerUrl;

/// Why a ledger could not be opened. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another crontabber writes this ledger.
    #[error("another crontabber holds the ledger `{url}`: {version}process {pid} on `{host}`{since}; stop it first")]
    Busy {
        /// The ledger, without a password.
        url: String,
        /// The machine of the one that holds it; `?` if it did not say.
        host: String,
        /// Its process; 0 if it did not say.
        pid: u32,
        /// `crontabber VERSION, `, or nothing.
        version: String,
        /// ` since TIME`, or nothing.
        since: String,
    },
    /// A newer crontabber wrote this ledger.
    #[error(
        "the ledger `{url}` was written by crontabber {theirs} (schema {found}), and this is crontabber {ours} (schema \
         {known}); upgrade crontabber, or name another ledger"
    )]
    Newer {
        /// The ledger, without a password.
        url: String,
        /// The version that opened it last.
        theirs: String,
        /// Its schema.
        found: String,
        /// Our version.
        ours: String,
        /// The newest schema that we know.
        known: String,
    },
    /// An older crontabber wrote this ledger, and only the daemon brings it up to date.
    #[error("the ledger `{url}` is of an older crontabber (schema {found}, needed {needed}); restart the daemon first")]
    Older {
        /// The ledger, without a password.
        url: String,
        /// Its schema.
        found: String,
        /// The schema that we need.
        needed: String,
    },
    /// A database, but not one of ours.
    #[error(
        "`{url}` is a database of something else, not a ledger; name another one (crontabber wants one of its own)"
    )]
    Foreign {
        /// The database, without a password.
        url: String,
    },
    /// The file is not a database, or a damaged one.
    #[error("the ledger `{url}` is damaged, or is no database: {detail}; restore it from a backup, or move it away")]
    Corrupt {
        /// The ledger, without a password.
        url: String,
        /// What the database said.
        detail: String,
    },
    /// The file, or its directory, cannot be written.
    #[error(
        "the ledger `{url}` cannot be written: {detail}; check the owner and the mode of the file and its directory"
    )]
    ReadOnly {
        /// The ledger, without a password.
        url: String,
        /// What the system said.
        detail: String,
    },
    /// The file, or a directory above it, cannot be read by this user.
    #[error(
        "the ledger `{url}` cannot be read by this user: {detail}; ask as the user to whom it belongs, or have them \
         permit it"
    )]
    Unreadable {
        /// The ledger, without a password.
        url: String,
        /// What the system said.
        detail: String,
    },
    /// There is a directory where the file should be.
    #[error("the ledger `{url}` is a directory; name a file in it")]
    Directory {
        /// The ledger.
        url: String,
    },
    /// The directory of the file does not exist, nor the one above.
    #[error("the directory `{}` of the ledger does not exist; create it, or name another ledger", .directory.display())]
    MissingDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// There is no ledger yet (readers only: a writer makes one).
    #[error("there is no ledger at `{url}` yet; start the daemon (or `crontabber once`) first, or name another ledger")]
    Missing {
        /// The ledger, without a password.
        url: String,
    },
    /// The server does not answer; it may later.
    #[error("the ledger `{url}` cannot be reached: {detail}")]
    Unreachable {
        /// The ledger, without a password.
        url: String,
        /// What was said, without a password.
        detail: String,
    },
    /// The server, or the system, will not let us in, now or later.
    #[error("the ledger `{url}` does not let us in: {detail}; check its user, its password and its name")]
    Denied {
        /// The ledger, without a password.
        url: String,
        /// What was said, without a password.
        detail: String,
    },
    /// Something that has no name of its own.
    #[error("the ledger `{url}` cannot be opened: {detail}")]
    Failed {
        /// The ledger, without a password.
        url: String,
        /// What was said, without a password.
        detail: String,
    },
}

impl OpenError {
    /// A ledger that was opened, and could not be read then. A server that goes away just now may come back.
    #[must_use]
    pub fn unread(url: &LedgerUrl, error: &LedgerError) -> Self {
        let text = url.to_string();
        match (url, error) {
            (LedgerUrl::Postgres(_), LedgerError::Unavailable(detail)) => {
                Self::Unreachable { url: text, detail: detail.clone() }
            }
            _ => Self::Failed { url: text, detail: error.to_string() },
        }
    }
}

/// Why a commit was not made, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Try the same batches again later: nothing was written, or the next try will find out that it was.
    #[error("the ledger cannot be written now: {0}")]
    Unavailable(String),
    /// The ledger is not as expected: another writer was here, or there is a bug. Nothing of it was written.
    #[error("the ledger is not as expected: {0}")]
    Conflict(String),
    /// The database is damaged.
    #[error("the ledger is damaged: {0}; restore it from a backup")]
    Corrupt(String),
}

/// Why a read, or a post, failed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Try again later.
    #[error("the ledger cannot be read now: {0}")]
    Unavailable(String),
    /// Another writer took the ledger.
    #[error("the ledger is not as expected: {0}")]
    Conflict(String),
    /// The database is damaged, or holds a word that we do not know.
    #[error("the ledger is damaged: {0}; restore it from a backup")]
    Corrupt(String),
}

/// What a database's error means to us.
pub(super) enum Meaning {
    /// Worth another try.
    Passing,
    /// A rule of the schema was broken.
    Broken,
    /// The file is damaged or no database.
    Damaged,
    /// Cannot be written by us.
    ReadOnly,
}

/// Sorts a database's error. SQLite's messages are fixed English texts, and Diesel hands on nothing else of them.
pub(super) fn meaning(error: &Error) -> Meaning {
    let Error::DatabaseError(kind, information) = error else { return Meaning::Passing };
    match kind {
        DatabaseErrorKind::UniqueViolation
        | DatabaseErrorKind::ForeignKeyViolation
        | DatabaseErrorKind::NotNullViolation
        | DatabaseErrorKind::CheckViolation
        | DatabaseErrorKind::RestrictViolation
        | DatabaseErrorKind::ExclusionViolation => Meaning::Broken,
        _ => {
            let message = information.message();
            if message.contains("malformed") || message.contains("file is not a database") {
                Meaning::Damaged
            } else if message.contains("readonly database") {
                Meaning::ReadOnly
            } else {
                Meaning::Passing
            }
        }
    }
}

/// What a database's error says, in one line.
pub(super) fn text(error: &Error) -> String {
    match error {
        Error::DatabaseError(_, information) => one_line(information.message()),
        other => one_line(&other.to_string()),
    }
}

/// Joins the lines of a message: libpq likes to end them.
pub(super) fn one_line(message: &str) -> String {
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

impl From<Error> for LedgerError {
    fn from(error: Error) -> Self {
        match meaning(&error) {
            Meaning::Passing | Meaning::ReadOnly => Self::Unavailable(text(&error)),
            Meaning::Broken => Self::Conflict(text(&error)),
            Meaning::Damaged => Self::Corrupt(text(&error)),
        }
    }
}

impl From<Error> for CommitError {
    fn from(error: Error) -> Self {
        match meaning(&error) {
            Meaning::Passing | Meaning::ReadOnly => Self::Unavailable(text(&error)),
            Meaning::Broken => Self::Conflict(text(&error)),
            Meaning::Damaged => Self::Corrupt(text(&error)),
        }
    }
}

impl From<OpenError> for CommitError {
    /// A ledger that was open and cannot be opened again.
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Busy { .. } | OpenError::Newer { .. } | OpenError::Older { .. } | OpenError::Foreign { .. } => {
                Self::Conflict(error.to_string())
            }
            OpenError::Corrupt { detail, .. } => Self::Corrupt(detail),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<CommitError> for LedgerError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Unavailable(text) => Self::Unavailable(text),
            CommitError::Conflict(text) => Self::Conflict(text),
            CommitError::Corrupt(text) => Self::Corrupt(text),
        }
    }
}

impl From<LedgerError> for CommitError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Unavailable(text) => Self::Unavailable(text),
            LedgerError::Conflict(text) => Self::Conflict(text),
            LedgerError::Corrupt(text) => Self::Corrupt(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_goes_away_while_it_is_read_is_waited_for() {
        let (server, file) =
            (LedgerUrl::Postgres("postgres:///ledger".to_owned()), LedgerUrl::Sqlite("ledger.db".into()));
        let away = LedgerError::Unavailable("terminating connection due to administrator command".to_owned());
        assert!(matches!(OpenError::unread(&server, &away), OpenError::Unreachable { .. }));
        assert!(matches!(OpenError::unread(&file, &away), OpenError::Failed { .. }));
        let corrupt = LedgerError::Corrupt("a word".to_owned());
        assert!(matches!(OpenError::unread(&server, &corrupt), OpenError::Failed { .. }));
    }
}
