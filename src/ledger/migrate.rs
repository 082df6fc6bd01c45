//! Migrates the tables of a ledger, and refuses those of a newer crontabber.

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::AnyConnection;
use super::error::{OpenError, OpenErrorKind, text};
use super::schema::{SCHEMA_VERSION, writer};
use super::url::LedgerUrl;
use super::{postgres, sqlite};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Runs the missing migrations, all in one transaction.
pub(super) fn migrate(url: &LedgerUrl, connection: &mut AnyConnection, version: &str) -> Result<(), OpenError> {
    match found(url, connection)? {
        Some(found) if found.as_str() > SCHEMA_VERSION => return Err(newer(url, connection, found, version)),
        Some(found) if found == SCHEMA_VERSION => return Ok(()),
        _ => {}
    }
    run_pending(connection).map_err(|error| OpenErrorKind::Failed(format!("its tables were not made: {error}")).of(url))
}

fn run_pending(connection: &mut AnyConnection) -> diesel::migration::Result<()> {
    match connection {
        AnyConnection::Sqlite(sqlite) => {
            sqlite.immediate_transaction(|sqlite| sqlite.run_pending_migrations(SQLITE).map(drop))
        }
        AnyConnection::Postgres(postgres) => {
            postgres.transaction(|postgres| postgres.run_pending_migrations(POSTGRES).map(drop))
        }
    }
}

/// Checks that the ledger has the schema of this crontabber, without a change.
pub(super) fn check(url: &LedgerUrl, connection: &mut AnyConnection, version: &str) -> Result<(), OpenError> {
    match found(url, connection)? {
        None => Err(OpenErrorKind::Missing.of(url)),
        Some(found) if found.as_str() > SCHEMA_VERSION => Err(newer(url, connection, found, version)),
        Some(found) if found.as_str() < SCHEMA_VERSION => Err(OpenErrorKind::Older(found).of(url)),
        Some(_) => Ok(()),
    }
}

/// The newest migration in the ledger.
fn found(url: &LedgerUrl, connection: &mut AnyConnection) -> Result<Option<String>, OpenError> {
    let migrated = has_table(connection, "__diesel_schema_migrations").map_err(|error| failed(url, error))?;
    let ours = has_table(connection, "writer").map_err(|error| failed(url, error))?;
    let others = has_table(connection, "jobs").map_err(|error| failed(url, error))?;
    match (migrated, ours) {
        (true, true) => {}
        // Migrations of another program, or its tables under our names.
        (true, false) if others || !is_empty(connection).map_err(|error| failed(url, error))? => {
            return Err(OpenErrorKind::Foreign.of(url));
        }
        (false, true) => return Err(OpenErrorKind::Foreign.of(url)),
        (false, false) if others => return Err(OpenErrorKind::Foreign.of(url)),
        _ => return Ok(None),
    }
    let newest = diesel::dsl::sql::<Text>("SELECT max(version) FROM __diesel_schema_migrations");
    newest.get_result(connection).map(Some).map_err(|error| failed(url, error))
}

/// Whether no migration has run: a first opening that is interrupted leaves the table empty.
fn is_empty(connection: &mut AnyConnection) -> QueryResult<bool> {
    let count = diesel::dsl::sql::<diesel::sql_types::BigInt>("SELECT count(*) FROM __diesel_schema_migrations");
    Ok(count.get_result::<i64>(connection)? == 0)
}

fn has_table(connection: &mut AnyConnection, name: &str) -> QueryResult<bool> {
    match connection {
        AnyConnection::Sqlite(sqlite) => {
            diesel::dsl::sql::<diesel::sql_types::BigInt>("SELECT count(*) FROM sqlite_schema WHERE name = ")
                .bind::<Text, _>(name)
                .get_result::<i64>(sqlite)
                .map(|count| count > 0)
        }
        AnyConnection::Postgres(postgres) => postgres::has_table(postgres, name),
    }
}

fn newer(url: &LedgerUrl, connection: &mut AnyConnection, found: String, version: &str) -> OpenError {
    let theirs = writer::table.select(writer::version).first::<String>(connection);
    let theirs = theirs.unwrap_or_else(|_| "of a later version".to_owned());
    OpenErrorKind::Newer { theirs, found, ours: version.to_owned() }.of(url)
}

/// The error for a database that was opened and then failed.
pub(super) fn failed(url: &LedgerUrl, error: diesel::result::Error) -> OpenError {
    match url {
        LedgerUrl::Sqlite(_) => sqlite::database_error(url, error),
        LedgerUrl::Postgres(_) => OpenErrorKind::Unreachable(text(&error)).of(url),
    }
}

#[cfg(test)]
mod tests {
    use diesel::migration::{Migration, MigrationSource};
    use diesel::pg::Pg;
    use diesel::sqlite::Sqlite;

    use super::*;

    #[test]
    fn the_version_is_that_of_the_newest_migration() {
        let sqlite: Vec<Box<dyn Migration<Sqlite>>> = SQLITE.migrations().expect("they are part of the program");
        let postgres: Vec<Box<dyn Migration<Pg>>> = POSTGRES.migrations().expect("they are part of the program");
        let newest = [
            sqlite.iter().map(|migration| migration.name().version().to_string()).max(),
            postgres.iter().map(|migration| migration.name().version().to_string()).max(),
        ];
        assert_eq!(newest, [Some(SCHEMA_VERSION.to_owned()), Some(SCHEMA_VERSION.to_owned())]);
    }
}
