//! One type of connection for both databases, so that every query is written once. Only statements that differ match on the
//! database.

use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

/// A connection to a ledger.
#[derive(diesel::MultiConnection)]
pub(super) enum AnyConnection {
    /// To a file.
    Sqlite(SqliteConnection),
    /// To a server.
    Postgres(PgConnection),
}
