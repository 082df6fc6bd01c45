//! `sessions`: each date of each job, and where it stands.

use std::io::{self, Write};

use chrono_tz::Tz;

use super::arguments::SessionsArguments;
use super::context::Context;
use super::export::{SHOWN, Sink, more_line, newest_only, nothing};
use super::failure::Failure;
use super::output::Output;
use super::table::{Cell, Column, Fit, Table};
use crate::job::JobName;
use crate::ledger::{Between, LocalBetween, Reader, SessionFilter};
use crate::registry::Registry;
use crate::report::sessions::{SessionRow, collected, row};
use crate::report::zones::Zones;
use crate::session::{AttemptKey, SessionKey, SessionRecord, State};
use crate::text::to_the_second;

const COLUMNS: [Column; 6] = [
    Column(Fit::Cut, "JOB"),
    Column(Fit::Whole, "DATE"),
    Column(Fit::Whole, "STATE"),
    Column(Fit::Number, "ATTEMPTS"),
    Column(Fit::Spare, "TRIGGER"),
    Column(Fit::Cut, "MORE"),
];

/// Lists sessions.
pub(super) fn sessions(context: &Context, asked: &SessionsArguments, output: &mut Output) -> Result<(), Failure> {
    let (registry, mut reader, zones) = context.ledger(None)?;
    let of_jobs = asked.jobs.filter(&[]);
    let jobs = context.recorded_as(of_jobs.names(registry.as_ref(), zones.jobs())?, &zones);
    of_this_list(jobs.as_deref(), asked.before.as_ref())?;
    let (dates, local) = match of_jobs.name() {
        Some(job) => asked.range.of_job(zones.of(job), context.now)?,
        None => {
            (asked.range.between(zone_of_days(None, registry.as_ref(), &zones), context.now)?, LocalBetween::default())
        }
    };
    let filter = SessionFilter {
        jobs,
        dates,
        local,
        states: asked.state.clone(),
        before: asked.before.clone(),
        newest: asked.rows.limit.map(Into::into),
        all_generations: asked.all_generations,
    };
    let is_named = filter.jobs.is_some() && of_jobs.name().is_none();
    let is_narrowed = is_named
        || (filter.dates, filter.local) != (Between::default(), LocalBetween::default())
        || !filter.states.is_empty()
        || filter.before.is_some();
    let has_ledger = reader.is_some();
    let nothing = || {
        // A missing ledger has been noted.
        if has_ledger {
            context.remark(&nothing("sessions", of_jobs.name(), asked.all_generations, is_narrowed));
        }
    };
    if context.json() || asked.rows.csv {
        let first = stream(reader.as_mut(), &filter, asked.rows.csv, output)?;
        if first.is_none() {
            nothing();
        }
        if let (Some(first), Some(_), Some(reader)) = (first, filter.newest, &mut reader) {
            // The first row of the page is where the page before it ends.
            let older = SessionFilter { before: Some(first.clone()), newest: Some(1), ..filter };
            if !collected(reader, &older)?.is_empty() {
                context.remark(&format!("there are more before: `--before {}`", cursor(&first)));
            }
        }
        return Ok(());
    }
    let shown = filter.newest.unwrap_or(SHOWN);
    // One more than is shown: it shows whether there are more, without counting them.
    let filter = SessionFilter { newest: Some(shown.saturating_add(1)), ..filter };
    let mut rows = reader.as_mut().map_or(Ok(Vec::new()), |reader| collected(reader, &filter))?;
    let more = newest_only(&mut rows, shown);
    let Some(first) = rows.first() else {
        nothing();
        return Ok(());
    };
    let cursor = cursor(&first.key);
    print(&rows, asked.all_generations, output)?;
    if more && !context.global.quiet {
        writeln!(output, "\n{}", more_line("session", rows.len(), &cursor))?;
    }
    Ok(())
}

/// The zone in which days are read: the job's, else the registry's.
pub(super) fn zone_of_days(job: Option<&JobName>, registry: Option<&Registry>, zones: &Zones) -> Tz {
    let of_registry = || registry.map_or(Tz::UTC, |registry| registry.daemon.timezone);
    job.map_or_else(of_registry, |job| zones.of(job))
}

/// Refuses a cursor of a job that is not listed.
pub(super) fn of_this_list(jobs: Option<&[JobName]>, before: Option<&SessionKey>) -> Result<(), Failure> {
    match (jobs, before) {
        (Some(jobs), Some(before)) if !jobs.contains(&before.job) => {
            let these = match jobs {
                [job] => format!("these are those of `{job}`"),
                _ => "it is none of these jobs".to_owned(),
            };
            let text = format!("`--before` names a date of `{}`, and {these}", before.job);
            Err(Failure::usage(text).hint(Some("a cursor belongs to the list that it was printed below")))
        }
        _ => Ok(()),
    }
}

/// The `--before` that continues the list before a session.
fn cursor(key: &SessionKey) -> String {
    let text = AttemptKey { session: key.clone(), number: 0 }.to_string();
    text.trim_end_matches("/0").to_owned()
}

/// Prints the rows as they are read; returns the first.
fn stream(
    reader: Option<&mut Reader>,
    filter: &SessionFilter,
    csv: bool,
    output: &mut Output,
) -> Result<Option<SessionKey>, Failure> {
    let mut sink = Sink::open(output, csv, &SessionRow::default())?;
    let mut written: io::Result<()> = Ok(());
    let mut first = None;
    if let Some(reader) = reader {
        reader.sessions(filter, &mut |session| {
            first.get_or_insert_with(|| session.key.clone());
            sink.push_or_break(&row(&session), &mut written)
        })?;
    }
    written?;
    sink.close()?;
    Ok(first)
}

fn print(rows: &[SessionRecord], with_generation: bool, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(&COLUMNS, output);
    for session in rows {
        let zone = session.zone;
        let mut more = match &session.state {
            State::Held { reason } => reason.clone(),
            State::Skipped { reason } => reason.word().to_owned(),
            State::Failed { retry_at } => format!("again at {}", to_the_second(*retry_at, zone)),
            State::Waiting | State::Running => String::new(),
            State::Succeeded => {
                session.settled_at.map(|at| format!("at {}", to_the_second(at, zone))).unwrap_or_default()
            }
        };
        if with_generation && session.key.generation != 1 {
            more = format!("generation {} {more}", session.key.generation);
        }
        let cells = vec![
            Cell::new(session.key.job.as_str()),
            Cell::date(session.key.date, zone),
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
