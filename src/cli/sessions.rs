//! `sessions`: each date of each job, and where it stands.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::arguments::Sessions;
use super::context::{Context, Zones};
use super::date::short;
use super::failure::Failure;
use super::json::Array;
use super::output::Output;
use super::table::{Cell, Column, Table};
use crate::ledger::{Reader, SessionFilter};
use crate::scheduler::in_zone;
use crate::session::{SessionRecord, State};

/// How many rows a table shows unasked.
pub(super) const SHOWN: u32 = 100;

const COLUMNS: [Column; 6] = [
    Column::Cut("JOB"),
    Column::Whole("DATE"),
    Column::Whole("STATE"),
    Column::Number("ATTEMPTS"),
    Column::Whole("TRIGGER"),
    Column::Cut("MORE"),
];

/// A session in JSON.
#[derive(Debug, Serialize)]
struct SessionRow<'a> {
    job: &'a str,
    date: String,
    state: &'static str,
    attempts: u32,
    trigger: &'static str,
    reason: Option<&'a str>,
    retry_at: Option<String>,
    generation: u32,
    recorded_at: String,
    settled_at: Option<String>,
}

/// Lists sessions.
pub(super) fn sessions(context: &Context, asked: &Sessions, output: &mut Output) -> Result<ExitCode, Failure> {
    let registry = context.registry_if_any()?;
    let mut reader = context.reader(registry.as_ref())?;
    let records = reader.as_mut().map(Reader::jobs).transpose()?.unwrap_or_default();
    let zones = Zones::new(registry.as_ref(), &records);
    if let Some(job) = &asked.job {
        zones.know(job)?;
    }
    let limit = asked.limit.map(Into::into);
    let filter = SessionFilter { job: asked.job.clone(), newest: limit, all_generations: asked.all_generations };
    if context.json() {
        stream(reader.as_mut(), &filter, &zones, output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = limit.unwrap_or(SHOWN);
    let mut rows = Vec::new();
    if let Some(reader) = &mut reader {
        // One more than is shown tells whether there are more, without counting them.
        let filter = SessionFilter { newest: Some(shown.saturating_add(1)), ..filter };
        reader.sessions(&filter, &mut |session| {
            rows.push(session);
            ControlFlow::Continue(())
        })?;
    }
    let more = newest_only(&mut rows, shown);
    if rows.is_empty() {
        writeln!(output, "{}", nothing("sessions", asked.job.as_ref(), asked.all_generations))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&rows, &zones, asked.all_generations, output)?;
    if more && !context.global.quiet {
        writeln!(output, "\n{}", more_line("sessions", shown))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Drops the oldest rows beyond `shown`; says whether there were any.
pub(super) fn newest_only<T>(rows: &mut Vec<T>, shown: u32) -> bool {
    let beyond = rows.len().saturating_sub(usize::try_from(shown).unwrap_or(usize::MAX));
    rows.drain(..beyond);
    beyond > 0
}

/// What stands below a table that does not show all.
pub(super) fn more_line(noun: &str, shown: u32) -> String {
    format!("the newest {shown} {noun}; there are more: `--limit N`, or `--json` for all")
}

/// What stands in the place of an empty table.
pub(super) fn nothing(noun: &str, job: Option<&crate::job::JobName>, all_generations: bool) -> String {
    match job {
        Some(job) if all_generations => format!("`{job}` has no {noun} in the ledger"),
        Some(job) => format!("`{job}` has no {noun} in the ledger, or none since its last reset (`--all-generations`)"),
        None => format!("no {noun} in the ledger"),
    }
}

fn stream(
    reader: Option<&mut Reader>,
    filter: &SessionFilter,
    zones: &Zones,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut array = Array::open(output)?;
    let mut written: io::Result<()> = Ok(());
    if let Some(reader) = reader {
        reader.sessions(filter, &mut |session| {
            written = array.push(&row(&session, zones));
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
    }
    written?;
    array.close()?;
    Ok(())
}

fn row<'a>(session: &'a SessionRecord, zones: &Zones) -> SessionRow<'a> {
    let zone = zones.of(&session.key.job);
    let at = |at: DateTime<Utc>| in_zone(at, zone);
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

fn print(rows: &[SessionRecord], zones: &Zones, with_generation: bool, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(&COLUMNS, output);
    for session in rows {
        let zone = zones.of(&session.key.job);
        let mut more = match &session.state {
            State::Held { reason } => reason.clone(),
            State::Skipped { reason } => reason.word().to_owned(),
            State::Failed { retry_at } => format!("again at {}", short(*retry_at, zone)),
            State::Waiting | State::Running => String::new(),
            State::Succeeded => session.settled_at.map(|at| format!("at {}", short(at, zone))).unwrap_or_default(),
        };
        if with_generation && session.key.generation > 1 {
            more = format!("generation {} {more}", session.key.generation);
        }
        let cells = vec![
            Cell::new(session.key.job.as_str()),
            Cell::new(output.date(session.key.date, zone)),
            Cell::word(session.state.word()),
            Cell::number(session.attempts.into()),
            Cell::new(session.trigger.word()),
            Cell::new(more),
        ];
        table.row(cells, None);
    }
    table.print(output)?;
    Ok(())
}
