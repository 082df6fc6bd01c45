//! `attempts`: each start of each date, and how it ended.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::arguments::Attempts;
use super::context::{Context, Zones};
use super::date::DateArgument;
use super::failure::Failure;
use super::json::Array;
use super::output::{Output, brief, size};
use super::sessions::{SHOWN, more_line, newest_only, nothing};
use super::table::{Cell, Column, Table};
use crate::job::JobName;
use crate::ledger::{AttemptFilter, LedgerError, Reader};
use crate::scheduler::in_zone;
use crate::session::{AttemptRecord, Outcome};
use crate::{duration, place};

/// How far back a date is looked for at first; then ten times as far, and so on.
const LOOK_BACK: u32 = 1_000;

/// The columns of the table; the last only where there is room.
const COLUMNS: [Column; 8] = [
    Column::Cut("JOB"),
    Column::Whole("DATE"),
    Column::Whole("ATTEMPT"),
    Column::Whole("STARTED"),
    Column::Number("TOOK"),
    Column::Number("CPU"),
    Column::Number("MEMORY"),
    Column::Whole("TRIGGER"),
];

/// From this width on there is room for every column, whatever they hold.
const WIDE: usize = 110;

/// Below this width instants are written without their year and seconds, and times in one unit: 80 columns are enough.
const NARROW: usize = 100;

/// An attempt in JSON.
#[derive(Debug, Serialize)]
struct AttemptRow<'a> {
    job: &'a str,
    date: String,
    attempt: u32,
    outcome: Option<&'static str>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    started_at: String,
    ended_at: Option<String>,
    duration_seconds: Option<f64>,
    cpu_user_seconds: Option<f64>,
    cpu_system_seconds: Option<f64>,
    peak_memory_bytes: Option<u64>,
    trigger: &'static str,
    host: &'a str,
    pid: Option<i32>,
    detail: Option<&'a str>,
    has_log: bool,
    log: Option<PathBuf>,
    generation: u32,
}

/// Lists attempts.
pub(super) fn attempts(context: &Context, asked: &Attempts, output: &mut Output) -> Result<ExitCode, Failure> {
    let registry = context.registry_if_any()?;
    let logs = context.logs(registry.as_ref())?;
    let mut reader = context.reader(registry.as_ref())?;
    let records = reader.as_mut().map(Reader::jobs).transpose()?.unwrap_or_default();
    let zones = Zones::new(registry.as_ref(), &records);
    if let Some(job) = &asked.job {
        zones.know(job)?;
    }
    let limit = asked.limit.map(u32::from);
    let filter =
        AttemptFilter { job: asked.job.clone(), date: None, newest: limit, all_generations: asked.all_generations };
    let at_date = asked.job.as_ref().zip(asked.date);
    if context.json() && at_date.is_none() {
        stream(reader.as_mut(), &filter, &zones, &logs, output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = limit.unwrap_or(if context.json() { u32::MAX } else { SHOWN });
    let mut rows = match (&mut reader, at_date) {
        (None, _) => Vec::new(),
        (Some(reader), Some((job, date))) => {
            at(reader, job, date, asked.all_generations, &zones).map_err(|error| error.into_failure(job))?
        }
        // One more than is shown tells whether there are more, without counting them.
        (Some(reader), None) => collected(reader, &AttemptFilter { newest: Some(shown.saturating_add(1)), ..filter })?,
    };
    let more = newest_only(&mut rows, shown);
    if context.json() {
        let mut array = Array::open(output)?;
        rows.iter().try_for_each(|attempt| array.push(&row(attempt, &zones, &logs)))?;
        array.close()?;
    } else if rows.is_empty() {
        match at_date {
            Some((job, _)) => writeln!(output, "`{job}` has no attempts at that date in the ledger")?,
            None => writeln!(output, "{}", nothing("attempts", asked.job.as_ref(), asked.all_generations))?,
        }
    } else {
        print(&rows, &zones, output)?;
        if more && !context.global.quiet {
            writeln!(output, "\n{}", more_line("attempts", shown))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Why the attempts at a date cannot be told.
#[derive(Debug, thiserror::Error)]
pub(super) enum AtError {
    /// No such time.
    #[error(transparent)]
    Choice(#[from] super::date::ChoiceError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl AtError {
    /// Names the job it is about.
    pub(super) fn into_failure(self, job: &JobName) -> Failure {
        match self {
            Self::Choice(error) => Failure::usage(format!("job `{job}`: {error}")),
            Self::Ledger(error) => error.into(),
        }
    }
}

/// The attempts of a job at the date, or at the dates, that are meant, ascending.
///
/// The ledger is asked, and not the schedule, which may have been another then.
pub(super) fn at(
    reader: &mut Reader,
    job: &JobName,
    date: DateArgument,
    all_generations: bool,
    zones: &Zones,
) -> Result<Vec<AttemptRecord>, AtError> {
    let zone = zones.of(job);
    let (from, _) = date.range(zone)?;
    let mut filter = AttemptFilter { job: Some(job.clone()), date: None, newest: None, all_generations };
    if let DateArgument::Instant(instant) = date {
        return Ok(collected(reader, &AttemptFilter { date: Some(instant), ..filter })?);
    }
    let mut back = Some(LOOK_BACK);
    loop {
        filter.newest = back;
        let (mut seen, mut reached, mut found) = (0, false, Vec::new());
        reader.attempts(&filter, &mut |attempt| {
            seen += 1;
            reached |= attempt.key.session.date < from;
            if date.means(attempt.key.session.date, zone) {
                found.push(attempt);
            }
            ControlFlow::Continue(())
        })?;
        if reached || back.is_none_or(|back| seen < back) {
            return Ok(found);
        }
        back = back.and_then(|back| back.checked_mul(10));
    }
}

fn collected(reader: &mut Reader, filter: &AttemptFilter) -> Result<Vec<AttemptRecord>, LedgerError> {
    let mut rows = Vec::new();
    reader.attempts(filter, &mut |attempt| {
        rows.push(attempt);
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

fn stream(
    reader: Option<&mut Reader>,
    filter: &AttemptFilter,
    zones: &Zones,
    logs: &Path,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut array = Array::open(output)?;
    let mut written: io::Result<()> = Ok(());
    if let Some(reader) = reader {
        reader.attempts(filter, &mut |attempt| {
            written = array.push(&row(&attempt, zones, logs));
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
    }
    written?;
    array.close()?;
    Ok(())
}

fn row<'a>(attempt: &'a AttemptRecord, zones: &Zones, logs: &Path) -> AttemptRow<'a> {
    let key = &attempt.key;
    let zone = zones.of(&key.session.job);
    let at = |at: DateTime<Utc>| in_zone(at, zone);
    let end = attempt.end.as_ref();
    let outcome = end.map(|end| end.outcome);
    let has_log = end.is_some_and(|end| end.has_log);
    let usage = end.and_then(|end| end.usage);
    AttemptRow {
        job: key.session.job.as_str(),
        date: at(key.session.date),
        attempt: key.number,
        outcome: outcome.map(Outcome::word),
        exit_code: match outcome {
            Some(Outcome::Succeeded) => Some(0),
            Some(Outcome::Failed { code }) => Some(code),
            _ => None,
        },
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
        log: has_log.then(|| place::log_file(logs, key)),
        generation: key.session.generation,
    }
}

fn print(rows: &[AttemptRecord], zones: &Zones, output: &mut Output) -> Result<(), Failure> {
    let columns = if output.width < WIDE { &COLUMNS[..COLUMNS.len() - 1] } else { &COLUMNS[..] };
    let is_narrow = output.width < NARROW;
    let (instant, took): (_, fn(Duration) -> String) =
        if is_narrow { ("%m-%d %H:%M", brief) } else { ("%Y-%m-%d %H:%M:%S", duration::format) };
    let mut table = Table::new(columns, output);
    for attempt in rows {
        let session = &attempt.key.session;
        let zone = zones.of(&session.job);
        let end = attempt.end.as_ref();
        let usage = end.and_then(|end| end.usage);
        let outcome = end.map_or_else(|| "running".to_owned(), |end| end.outcome.to_string());
        let mut cells = vec![
            Cell::new(session.job.as_str()),
            Cell::new(output.date(session.date, zone)),
            Cell::numbered(attempt.key.number, &outcome),
            // In the zone of the date beside it.
            Cell::new(attempt.started_at.with_timezone(&zone).format(instant).to_string()),
            Cell::or_dash(end.and_then(|end| end.duration).map(took)),
            Cell::or_dash(usage.map(|usage| brief(usage.cpu_user + usage.cpu_system))),
            Cell::or_dash(usage.map(|usage| size(usage.peak_memory))),
            Cell::new(attempt.trigger.word()),
        ];
        cells.truncate(columns.len());
        table.row(cells, end.and_then(|end| end.detail.as_deref()));
    }
    table.print(output)?;
    Ok(())
}
