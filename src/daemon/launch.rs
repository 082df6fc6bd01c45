//! Prepares the launch of an attempt: its command, its environment and its log.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::job::{Command, Job};
use crate::paths;
use crate::scheduler::{LastSuccess, Start};
use crate::session::AttemptKey;
use crate::text::in_zone;
use crate::warden_client::{Launch, attempt_name, bytes};

/// Why an attempt could not be prepared.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    /// The file cannot be read.
    #[error("environment_file `{}` cannot be read: {source}", path.display())]
    EnvironmentFile { path: PathBuf, source: io::Error },
    /// A line is not an assignment.
    #[error("environment_file `{}`, line {line}: not `NAME=value`", path.display())]
    EnvironmentLine {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// The arguments and the environment are longer than the kernel allows.
    #[error(
        "its command and its environment have {0} bytes together, and no program can be started with more than {MOST_BYTES}"
    )]
    TooLong(usize),
}

/// The kernel's own limit is 6 MB at most, and commonly 2 MB.
const MOST_BYTES: usize = 3_000_000;

/// Prepares an attempt, or a probe, under the name `attempt`.
///
/// # Errors
/// The job's `environment_file` cannot be used, or the environment and the arguments are too long.
pub(super) fn prepare(
    start: &Start,
    attempt: &AttemptKey,
    command: &Command,
    settings: &LaunchSettings,
) -> Result<Launch, PrepareError> {
    let job = &start.job;
    let date = start.attempt.session.date.with_timezone(&start.zone);
    let argv = argv(job, command, date);
    let environment = environment(start, attempt, &settings.ledger_id)?;
    let length = settings.inherited_length
        + length_of(&environment)
        + argv.iter().map(|argument| argument.len() + 1).sum::<usize>();
    if length > MOST_BYTES {
        return Err(PrepareError::TooLong(length));
    }
    let pair = |(name, value): &(OsString, OsString)| (bytes(name), bytes(value));
    Ok(Launch {
        attempt: attempt_name(attempt, &settings.ledger_id),
        argv: argv.iter().map(bytes).collect(),
        environment: environment.iter().map(pair).collect(),
        working_directory: job.working_directory.as_deref().or(settings.home.as_deref()).map(bytes),
        timeout: job.timeout,
        kill_grace: job.kill_grace,
        log: bytes(paths::log_file(&settings.logs, attempt)),
        output_limit: settings.output_limit,
    })
}

/// The length of an environment, as the kernel counts it.
pub(super) fn length_of(environment: &[(OsString, OsString)]) -> usize {
    environment.iter().map(|(name, value)| name.len() + value.len() + 2).sum()
}

/// The settings that all attempts of a daemon share.
pub(super) struct LaunchSettings {
    /// The [length](length_of) of what jobs inherit from our environment.
    pub(super) inherited_length: usize,
    /// The default working directory.
    pub(super) home: Option<PathBuf>,
    /// The id of our ledger in the names of attempts.
    pub(super) ledger_id: String,
    /// The folder of the logs.
    pub(super) logs: PathBuf,
    /// How many bytes of output are kept for an attempt.
    pub(super) output_limit: u64,
}

fn argv(job: &Job, command: &Command, date: DateTime<Tz>) -> Vec<OsString> {
    match command {
        Command::Shell(text) => vec!["/bin/sh".into(), "-c".into(), text.into()],
        Command::Argv(templates) => templates.iter().map(|template| template.render(&job.name, date).into()).collect(),
    }
}

/// The job's own environment.
fn environment(
    start: &Start,
    attempt: &AttemptKey,
    ledger_id: &str,
) -> Result<Vec<(OsString, OsString)>, PrepareError> {
    let mut all: BTreeMap<OsString, OsString> = BTreeMap::new();
    if let Some(path) = &start.job.environment_file {
        all.extend(environment_file(path)?);
    }
    all.extend(start.job.environment.iter().map(|(name, value)| (name.into(), value.into())));
    all.extend(session_environment(start, attempt, ledger_id));
    Ok(all.into_iter().collect())
}

fn environment_file(path: &Path) -> Result<Vec<(OsString, OsString)>, PrepareError> {
    let text =
        fs::read_to_string(path).map_err(|source| PrepareError::EnvironmentFile { path: path.to_owned(), source })?;
    let mut pairs = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let bad_line = || PrepareError::EnvironmentLine { path: path.to_owned(), line: index + 1 };
        let (name, value) = line.split_once('=').ok_or_else(bad_line)?;
        if name.is_empty() || name.contains(char::is_whitespace) || value.contains('\0') {
            return Err(bad_line());
        }
        pairs.push((name.into(), unquoted(value.trim()).into()));
    }
    Ok(pairs)
}

/// Removes one pair of quotes, as systemd's `EnvironmentFile=` does.
fn unquoted(value: &str) -> &str {
    ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value)
}

/// The variables that describe the session and the attempt.
fn session_environment(start: &Start, named: &AttemptKey, ledger_id: &str) -> Vec<(OsString, OsString)> {
    let Start { attempt, zone, idempotency_key, trigger, previous, next, last_success, .. } = start;
    let session = &attempt.session;
    let last_success = match last_success {
        LastSuccess::Known(success) => success,
        LastSuccess::InLedger => &None,
    };
    let shown = |date: &Option<DateTime<Utc>>| date.map(|date| in_zone(date, *zone)).unwrap_or_default();
    [
        ("JOB", session.job.to_string()),
        ("DATE", in_zone(session.date, *zone)),
        ("SESSION_DATE", session.date.with_timezone(zone).date_naive().to_string()),
        ("UNIXTIME", session.date.timestamp().to_string()),
        ("PREVIOUS_DATE", shown(previous)),
        ("NEXT_DATE", shown(next)),
        ("LAST_SUCCESS", shown(last_success)),
        ("ATTEMPT", attempt.number.to_string()),
        ("ATTEMPT_ID", attempt_name(named, ledger_id)),
        ("TRIGGER", trigger.to_string()),
        ("IDEMPOTENCY_KEY", idempotency_key.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (format!("CRONTABBER_{name}").into(), value.into()))
    .collect()
}
