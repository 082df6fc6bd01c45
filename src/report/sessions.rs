//! Sessions of the ledger as rows.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::ledger::{LedgerError, Reader, SessionFilter};
use crate::session::{SessionRecord, State};
use crate::text::in_zone;

/// A session.
#[derive(Debug, Default, Serialize)]
pub(crate) struct SessionRow<'a> {
    pub(crate) job: &'a str,
    pub(crate) date: String,
    pub(crate) state: &'static str,
    pub(crate) attempts: u32,
    pub(crate) trigger: &'static str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) retry_at: Option<String>,
    pub(crate) generation: u32,
    pub(crate) recorded_at: String,
    pub(crate) settled_at: Option<String>,
}

/// Reads all sessions of a filter.
pub(crate) fn collected(reader: &mut Reader, filter: &SessionFilter) -> Result<Vec<SessionRecord>, LedgerError> {
    let mut rows = Vec::new();
    reader.sessions(filter, &mut |session| {
        rows.push(session);
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

pub(crate) fn row(session: &SessionRecord) -> SessionRow<'_> {
    let at = |at: DateTime<Utc>| in_zone(at, session.zone);
    let (reason, retry_at) = match &session.state {
        State::Held { reason } => (Some(reason.as_str()), None),
        State::Skipped { reason } => (Some(reason.word()), None),
        State::Failed { retry_at } => (None, Some(at(*retry_at))),
        State::Waiting | State::Running | State::Succeeded => (None, None),
    };
    SessionRow {
        job: session.key.job.as_str(),
        date: at(session.key.date),
        state: session.state.word(),
        attempts: session.attempts,
        trigger: session.trigger.word(),
        reason,
        retry_at,
        generation: session.key.generation,
        recorded_at: at(session.recorded_at),
        settled_at: session.settled_at.map(at),
    }
}
