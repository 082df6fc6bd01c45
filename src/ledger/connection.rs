//! One type of connection for both databases, so that every query is written once. Only statements that differ match on the
//! database.

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::prepared::execute;

/// A connection to a ledger.
#[derive(diesel::MultiConnection)]
pub(super) enum AnyConnection {
    /// To a file.
    Sqlite(SqliteConnection),
    /// To a server.
    Postgres(PgConnection),
}

impl AnyConnection {
    /// Begins a transaction that writes: SQLite waits here for its write lock.
    pub(super) fn begin(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(_) => execute(self, || "BEGIN IMMEDIATE", &[]),
            Self::Postgres(_) => execute(self, || "BEGIN", &[]),
        }
        .map(drop)
    }

    /// Begins a transaction that reads one snapshot of the ledger.
    pub(super) fn begin_snapshot(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(sqlite) => sqlite.batch_execute("BEGIN"),
            Self::Postgres(postgres) => {
                postgres.batch_execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            }
        }
    }

    /// Commits the transaction. After an error it is unknown whether it was committed.
    pub(super) fn commit(&mut self) -> QueryResult<()> {
        execute(self, || "COMMIT", &[]).map(drop)
    }

    /// Rolls the transaction back.
    pub(super) fn rollback(&mut self) -> QueryResult<()> {
        self.batch_execute("ROLLBACK")
    }

    /// Runs `work` in a transaction that writes.
    pub(super) fn write<T>(&mut self, work: impl FnOnce(&mut Self) -> QueryResult<T>) -> QueryResult<T> {
        self.begin()?;
        match work(self) {
            Ok(value) => self.commit().map(|()| value),
            Err(error) => {
                // The first error is returned; the owner closes a connection that cannot roll back.
                let _ = self.rollback();
                Err(error)
            }
        }
    }
}
