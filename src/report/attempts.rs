//! Attempts of the ledger as rows.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::ledger::{AttemptFilter, LedgerError, Reader};
use crate::paths;
use crate::session::{AttemptRecord, Outcome};
use crate::text::in_zone;

/// An attempt.
#[derive(Debug, Default, Serialize)]
pub(crate) struct AttemptRow<'a> {
    pub(crate) job: &'a str,
    pub(crate) date: String,
    pub(crate) attempt: u32,
    pub(crate) outcome: Option<&'static str>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) started_at: String,
    pub(crate) ended_at: Option<String>,
    pub(crate) duration_seconds: Option<f64>,
    pub(crate) cpu_user_seconds: Option<f64>,
    pub(crate) cpu_system_seconds: Option<f64>,
    pub(crate) peak_memory_bytes: Option<u64>,
    pub(crate) trigger: &'static str,
    pub(crate) host: &'a str,
    pub(crate) pid: Option<i32>,
    pub(crate) detail: Option<&'a str>,
    pub(crate) has_log: bool,
    pub(crate) log: Option<PathBuf>,
    pub(crate) generation: u32,
}

/// Reads all attempts of a filter.
pub(crate) fn collected(reader: &mut Reader, filter: &AttemptFilter) -> Result<Vec<AttemptRecord>, LedgerError> {
    let mut rows = Vec::new();
    reader.attempts(filter, &mut |attempt| {
        rows.push(attempt);
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

pub(crate) fn row<'a>(attempt: &'a AttemptRecord, logs: &Path) -> AttemptRow<'a> {
    let key = &attempt.key;
    let at = |at: DateTime<Utc>| in_zone(at, attempt.zone);
    let end = attempt.end.as_ref();
    let outcome = end.map(|end| end.outcome);
    let has_log = end.is_some_and(|end| end.has_log);
    let usage = end.and_then(|end| end.usage);
    AttemptRow {
        job: key.session.job.as_str(),
        date: at(key.session.date),
        attempt: key.number,
        outcome: outcome.map(Outcome::word),
        exit_code: outcome.and_then(Outcome::exit_code),
        signal: match outcome {
            Some(Outcome::Killed { signal }) => Some(signal),
            _ => None,
        },
        started_at: at(attempt.started_at),
        ended_at: end.map(|end| at(end.ended_at)),
        duration_seconds: end.and_then(|end| end.duration).map(|duration| duration.as_secs_f64()),
        cpu_user_seconds: usage.map(|usage| usage.cpu_user.as_secs_f64()),
        cpu_system_seconds: usage.map(|usage| usage.cpu_system.as_secs_f64()),
        peak_memory_bytes: usage.map(|usage| usage.peak_memory),
        trigger: attempt.trigger.word(),
        host: &attempt.host,
        pid: attempt.process.as_ref().map(|process| process.pid),
        detail: end.and_then(|end| end.detail.as_deref()),
        has_log,
        log: has_log.then(|| paths::log_file(logs, key)),
        generation: key.session.generation,
    }
}
