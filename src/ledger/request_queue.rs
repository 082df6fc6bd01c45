//! The queue of operators' requests to a running daemon: rows of `audit`, which the daemon polls.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::{LedgerError, OpenError};
use super::rows::{clean, instant, job_if_any, micros};
use super::schema::audit;
use super::sqlite::{self, Purpose};
use super::url::LedgerUrl;
use super::{migrate, postgres, request_context, request_json};
use crate::job::JobName;
use crate::session::{Changed, Past, Reply, Request};

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was done, or why not.
    pub reply: Reply,
    pub at: DateTime<Utc>,
}

/// Posts requests to a running daemon.
pub struct RequestQueue {
    connection: AnyConnection,
}

impl RequestQueue {
    /// Opens the queue of a ledger that exists.
    ///
    /// # Errors
    /// [`OpenErrorKind::Missing`] if there is no ledger yet.
    pub fn open(url: &LedgerUrl) -> Result<Self, OpenError> {
        let mut connection = match url {
            LedgerUrl::Sqlite(path) => AnyConnection::Sqlite(sqlite::connect(url, path, Purpose::Post)?),
            LedgerUrl::Postgres(target) => AnyConnection::Postgres(postgres::connect(url, target, None)?),
        };
        migrate::check(url, &mut connection, env!("CARGO_PKG_VERSION"))?;
        Ok(Self { connection })
    }

    /// Posts all of these requests, which have no ids, or none of them. Returns their ids.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn post<'a>(&mut self, requests: impl IntoIterator<Item = &'a Request>) -> Result<Vec<i64>, LedgerError> {
        Ok(self
            .connection
            .write(|connection| requests.into_iter().map(|request| insert(connection, request)).collect())?)
    }
}

fn insert(connection: &mut AnyConnection, request: &Request) -> QueryResult<i64> {
    let (from, to) = request_json::span(&request.operation);
    let detail = request_json::write(&request.operation);
    let row = (
        audit::at.eq(micros(request.at)),
        audit::user_name.eq(clean(&request.user)),
        audit::host.eq(clean(&request.host)),
        audit::action.eq(request.operation.word()),
        audit::job.eq(request.job.as_ref().map_or("", JobName::as_str)),
        audit::from_date.eq(from.map(micros)),
        audit::to_date.eq(to.map(micros)),
        audit::detail.eq(detail.to_string()),
        audit::reason.eq(request.reason.as_deref().map(clean)),
    );
    diesel::insert_into(audit::table).values(row).returning(audit::id).get_result::<i64>(connection)
}

/// The columns of `audit` of a request.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audit)]
struct RequestRow {
    id: i64,
    at: i64,
    user_name: String,
    host: String,
    action: String,
    job: String,
    from_date: Option<i64>,
    detail: String,
    reason: Option<String>,
}

/// The requests without an answer, by id, whose actions `is_meant` selects. Unknown requests are logged and left out.
pub(super) fn unanswered(
    connection: &mut AnyConnection,
    is_meant: impl Fn(&str) -> bool,
) -> Result<Vec<Request>, LedgerError> {
    let rows = audit::table
        .filter(audit::answered_at.is_null())
        .order(audit::id)
        .select(RequestRow::as_select())
        .load::<RequestRow>(connection)?;
    let mut requests = Vec::with_capacity(rows.len());
    for row in rows.into_iter().filter(|row| is_meant(&row.action)) {
        let RequestRow { id, at, user_name: user, host, action, job, from_date, detail, reason } = row;
        let Some(operation) = request_json::read(&action, &detail, from_date) else {
            tracing::debug!(request = id, action, "a request is not understood, and left unanswered");
            continue;
        };
        let (job, at) = (job_if_any(&job)?, instant(at)?);
        let past = match &job {
            Some(job) => request_context::past(connection, job, id, &operation)?,
            None => Past::default(),
        };
        requests.push(Request { id, job, operation, at, user, host, reason, past });
    }
    Ok(requests)
}

/// The answer to a request, if it has one.
pub(super) fn answer(connection: &mut AnyConnection, request: i64) -> Result<Option<Answer>, LedgerError> {
    type Row = (Option<bool>, Option<String>, Option<i64>, Option<i64>, Option<i64>, Option<i64>);
    let row = audit::table
        .find(request)
        .select((audit::done, audit::answer, audit::answered_at, audit::dates, audit::from_date, audit::to_date))
        .first::<Row>(connection)
        .optional()?;
    let Some((Some(done), Some(text), Some(at), count, first, last)) = row else { return Ok(None) };
    let count = count.map_or(0, i64::unsigned_abs);
    let dates = match count {
        0 => Changed::default(),
        count => Changed { count, first: first.map(instant).transpose()?, last: last.map(instant).transpose()? },
    };
    Ok(Some(Answer { reply: Reply { done, text, dates }, at: instant(at)? }))
}
