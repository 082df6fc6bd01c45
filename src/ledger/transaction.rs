//! The transactions of a connection.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::prepared::execute;

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
