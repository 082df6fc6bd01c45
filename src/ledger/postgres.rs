//! Opens a ledger in PostgreSQL, and takes its lock: an advisory lock of the connection, which ends with it.

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::ConnectionError;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use super::error::{OpenError, OpenErrorKind, one_line, text};
use super::lock::Owner;
use super::url::LedgerUrl;

/// The key of the lock. PostgreSQL separates the databases itself.
const KEY: &str = "hashtextextended('crontabber ledger ' || current_schema(), 0)";

/// The holder of the lock, as the server sees it.
#[derive(QueryableByName)]
pub(super) struct ServerHolder {
    /// The server process of the holder's connection.
    #[diesel(sql_type = Integer)]
    pub(super) backend: i32,
    #[diesel(sql_type = Nullable<Text>)]
    application: Option<String>,
}

impl ServerHolder {
    /// The host and the process in the holder's application name.
    pub(super) fn names(&self) -> Option<(String, u32)> {
        let rest = self.application.as_deref()?.strip_prefix("crontabber ")?;
        let (pid, host) = rest.split_once('@')?;
        Some((host.to_owned(), pid.parse().ok()?))
    }
}

/// Connects, with the owner in the application name if there is one.
pub(super) fn connect(url: &LedgerUrl, target: &str, owner: Option<&Owner>) -> Result<PgConnection, OpenError> {
    let mut postgres = PgConnection::establish(&with_timeouts(target)).map_err(|error| refused(url, &error))?;
    let name =
        owner.map_or_else(|| "crontabber".to_owned(), |owner| format!("crontabber {}@{}", owner.pid, owner.host));
    settle(&mut postgres, &name).map_err(|error| OpenErrorKind::Unreachable(text(&error)).of(url))?;
    Ok(postgres)
}

/// Makes the connection read-only.
pub(super) fn only_read(postgres: &mut PgConnection) -> QueryResult<()> {
    postgres.batch_execute("SET default_transaction_read_only = on")
}

fn settle(postgres: &mut PgConnection, name: &str) -> QueryResult<()> {
    postgres.batch_execute("SET client_min_messages = warning")?;
    // The server truncates longer names.
    diesel::sql_query("SELECT set_config('application_name', $1, false)").bind::<Text, _>(name).execute(postgres)?;
    // A server that may lose the last commits in a crash must not lose ours.
    diesel::sql_query(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    )
    .execute(postgres)?;
    Ok(())
}

/// Adds timeouts for a server that stops answering, unless the URL has its own.
fn with_timeouts(target: &str) -> String {
    let mut target = target.to_owned();
    for (key, value) in [("connect_timeout", "10"), ("tcp_user_timeout", "30000")] {
        if !target.contains(key) {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.extend([key, "=", value]);
        }
    }
    target
}

/// Takes the lock; returns the server process of this connection, or the holder.
pub(super) fn take_lock(postgres: &mut PgConnection) -> QueryResult<Result<i32, Option<ServerHolder>>> {
    let taken = diesel::dsl::sql::<(Bool, Integer)>(&format!("SELECT pg_try_advisory_lock({KEY}), pg_backend_pid()"));
    match taken.get_result::<(bool, i32)>(postgres)? {
        (true, backend) => Ok(Ok(backend)),
        (false, _) => Ok(Err(holder(postgres)?)),
    }
}

/// The current holder of the lock.
pub(super) fn holder(postgres: &mut PgConnection) -> QueryResult<Option<ServerHolder>> {
    diesel::sql_query(format!(
        "SELECT l.pid AS backend, a.application_name AS application \
         FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND ((l.classid::bigint << 32) | l.objid::bigint) = {KEY}"
    ))
    .get_result(postgres)
    .optional()
}

/// Ends the server process of a lost connection.
pub(super) fn end_backend(postgres: &mut PgConnection, backend: i32) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_terminate_backend($1)").bind::<Integer, _>(backend).execute(postgres).map(drop)
}

/// Whether the connection sees a table of this name.
pub(super) fn has_table(postgres: &mut PgConnection, name: &str) -> QueryResult<bool> {
    diesel::dsl::sql::<BigInt>("SELECT count(to_regclass(")
        .bind::<Text, _>(name)
        .sql("))")
        .get_result::<i64>(postgres)
        .map(|count| count > 0)
}

/// The error for a message of libpq: some of them are permanent.
fn refused(url: &LedgerUrl, error: &ConnectionError) -> OpenError {
    let detail = match error {
        ConnectionError::BadConnection(message) => one_line(message),
        other => one_line(&other.to_string()),
    };
    let permanent =
        ["authentication failed", "no pg_hba.conf entry", "no password supplied", "is not permitted to log in"];
    let unknown = detail.contains("does not exist") && detail.contains("FATAL");
    if unknown || permanent.iter().any(|text| detail.contains(text)) {
        OpenErrorKind::Denied(detail).of(url)
    } else {
        OpenErrorKind::Unreachable(detail).of(url)
    }
}
