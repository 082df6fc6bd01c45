//! `status`: all there is to know about one job: what the registry says, what the ledger has, and how long it takes.

mod duration_stats;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::arguments::Status;
use super::attempts::{self, AttemptRow};
use super::context::{Context, Question, Zones, ask};
use super::date::short;
use super::failure::Failure;
use super::json;
use super::lateness::{Late, late};
use super::list::{self, BlockRow};
use super::orphans::is_watched;
use super::output::{Output, counted, cut, one_line};
use crate::job::Job;
use crate::ledger::{AttemptFilter, Between, Reader};
use crate::paths;
use crate::scheduler::{JobStatus, Recovered, Scheduler};
use crate::session::AttemptRecord;
use crate::text::in_zone;
use duration_stats::{LOOKED_AT, Pace, PaceRow};

/// How many attempts at the newest dates are shown.
const ATTEMPTS: u32 = 10;

/// What is known about a job.
struct Known {
    job: Option<Arc<Job>>,
    view: JobStatus,
    is_in_ledger: bool,
    attempts: Vec<AttemptRecord>,
    pace: Option<Pace>,
    is_watched: bool,
    late: Option<Late>,
}

/// A job in JSON.
#[derive(Debug, Serialize)]
struct StatusRow<'a> {
    job: &'a str,
    state: &'static str,
    registry: Option<BTreeMap<&'static str, String>>,
    timezone: &'static str,
    generation: Option<u32>,
    seen_at: Option<String>,
    watermark: Option<String>,
    last_success: Option<String>,
    next_date: Option<String>,
    next_due: Option<String>,
    backlog: u64,
    backfilling: u64,
    oldest: Option<String>,
    blocked_by: Option<BlockRow>,
    late: Option<&'static str>,
    late_because: Option<String>,
    disabled: Option<DisabledRow<'a>>,
    running: Vec<RunningRow>,
    durations: Option<PaceRow>,
    attempts: Vec<AttemptRow<'a>>,
}

/// Who disabled a job, in JSON.
#[derive(Debug, Serialize)]
struct DisabledRow<'a> {
    at: String,
    until: Option<String>,
    user: &'a str,
    reason: Option<&'a str>,
}

/// An open attempt in JSON.
#[derive(Debug, Serialize)]
struct RunningRow {
    date: String,
    attempt: u32,
}

/// Tells all about a job.
pub(super) fn status(context: &Context, asked: &Status, output: &mut Output) -> Result<ExitCode, Failure> {
    let registry = context.registry_if_any()?;
    let logs = context.logs(registry.as_ref())?;
    let mut reader = context.reader(registry.as_ref())?;
    let recovered = reader.as_mut().map_or_else(|| Ok(Recovered::default()), Reader::recovered)?;
    let zones = Zones::new(registry.as_ref(), &recovered.jobs);
    zones.know(&asked.job)?;
    let open = recovered.open.clone();
    let is_in_ledger = recovered.jobs.iter().any(|record| record.name == asked.job);
    // Nothing may be started by looking: what is ready is shown as waiting.
    let (scheduler, jobs) = match registry {
        Some(registry) => {
            let (scheduler, _, jobs) = ask(recovered, registry, Question::State, context.now);
            (scheduler, jobs)
        }
        // All that is in a ledger without a registry is a ghost.
        None => (Scheduler::new(recovered, &paths::host_name(), 0, context.now), Vec::new()),
    };
    let view =
        scheduler.view(&asked.job).ok_or_else(|| Failure::new(format!("nothing is known of `{}`", asked.job)))?;
    let mut known = Known {
        job: jobs.into_iter().find(|job| job.name == asked.job),
        view,
        is_in_ledger,
        attempts: Vec::new(),
        pace: None,
        is_watched: false,
        late: None,
    };
    let of_job: Vec<&AttemptRecord> = open.iter().filter(|open| open.key.session.job == asked.job).collect();
    known.late = known.job.as_ref().and_then(|job| late(job, &known.view, &of_job, context.now));
    if let Some(reader) = &mut reader {
        let filter = AttemptFilter { job: Some(asked.job.clone()), newest: Some(ATTEMPTS), ..AttemptFilter::default() };
        known.attempts = attempts::collected(reader, &filter)?;
        known.add_stuck(reader)?;
        known.is_watched = is_watched(reader)?;
        known.pace = Pace::of(&reader.durations(&asked.job, LOOKED_AT)?);
    }
    if context.json() {
        json::object(output, &row(&known, &zones, &logs))?;
    } else {
        print(&known, &zones, context.now, output)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Known {
    /// The dates of backfills that somebody may want to know of.
    fn stuck(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let to_go = &self.view.to_go;
        [to_go.held, to_go.failed].into_iter().flatten().map(|(_, first)| first)
    }

    fn is_stuck(&self) -> bool {
        self.stuck().next().is_some()
    }

    /// Adds the attempts at the first date of a backfill that is held, and at the first that failed: they may be old.
    fn add_stuck(&mut self, reader: &mut Reader) -> Result<(), Failure> {
        let mut attempts = std::mem::take(&mut self.attempts);
        for date in self.stuck() {
            let dates = Between::only(date);
            let job = Some(self.view.record.name.clone());
            let filter = AttemptFilter { job, dates, newest: Some(ATTEMPTS), ..AttemptFilter::default() };
            attempts.extend(attempts::collected(reader, &filter)?);
        }
        attempts.sort_by(|a, b| a.key.cmp(&b.key));
        attempts.dedup_by(|a, b| a.key == b.key);
        self.attempts = attempts;
        Ok(())
    }
}

fn row<'a>(known: &'a Known, zones: &Zones, logs: &std::path::Path) -> StatusRow<'a> {
    let view = &known.view;
    let record = &view.record;
    let zone = zones.of(&record.name);
    let at = |at: DateTime<Utc>| in_zone(at, zone);
    let in_ledger = known.is_in_ledger.then_some(record);
    let due = |date| known.job.as_ref().map(|job| at(job.timetable.due(date)));
    StatusRow {
        job: record.name.as_str(),
        state: view.state.word(),
        registry: known.job.as_ref().map(|job| settings(job).into_iter().collect()),
        timezone: zone.name(),
        generation: in_ledger.map(|record| record.generation),
        seen_at: in_ledger.map(|record| at(record.seen_at)),
        watermark: in_ledger.and_then(|record| record.watermark).map(at),
        last_success: record.last_success.map(at),
        next_date: view.next.map(at),
        next_due: view.next.and_then(due),
        backlog: view.backlog,
        backfilling: view.to_go.dates,
        oldest: view.oldest.map(at),
        blocked_by: view.blocked_by.as_ref().map(|block| list::block_row(block, zone, zones)),
        late: known.late.as_ref().map(Late::word),
        late_because: known.late.as_ref().map(|late| late.because(zone)),
        disabled: view.disabled.as_ref().map(|disabled| DisabledRow {
            at: at(disabled.at),
            until: disabled.until.map(at),
            user: &disabled.user,
            reason: disabled.reason.as_deref(),
        }),
        running: view
            .running
            .iter()
            .map(|open| RunningRow { date: at(open.session.date), attempt: open.number })
            .collect(),
        durations: known.pace.as_ref().map(Pace::row),
        attempts: known.attempts.iter().map(|attempt| attempts::row(attempt, zones, logs)).collect(),
    }
}

/// What the registry says of a job, without the keys that have their default.
fn settings(job: &Job) -> Vec<(&'static str, String)> {
    job.settings().into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

fn print(known: &Known, zones: &Zones, now: DateTime<Utc>, output: &mut Output) -> Result<(), Failure> {
    let view = &known.view;
    let record = &view.record;
    let zone = zones.of(&record.name);
    writeln!(output, "{}: {}", record.name, view.state)?;
    if let Some(late) = &known.late {
        writeln!(output, "  {}", one_line(&late.line(zone)))?;
    }
    if let Some(why) = known.job.as_ref().and_then(|job| list::why(job, view, known.is_watched, now, zones)) {
        for line in why.lines() {
            writeln!(output, "  {}", one_line(line))?;
        }
    }
    match &known.job {
        Some(job) => section("In the registry", &settings(job), output)?,
        None => writeln!(output, "\nNot in the registry: a ghost, of which nothing runs.")?,
    }
    section("In the ledger", &ledger(known, zone), output)?;
    if let Some(pace) = &known.pace {
        writeln!(output, "\nHow long it takes")?;
        for line in pace.lines() {
            writeln!(output, "  {line}")?;
        }
    }
    if known.attempts.is_empty() {
        writeln!(output, "\nIt was never attempted.")?;
    } else {
        let stuck = if known.is_stuck() { ", and at what is stuck of a backfill" } else { "" };
        writeln!(output, "\nThe attempts at the newest dates{stuck}")?;
        attempts::print(&known.attempts, zones, output)?;
    }
    Ok(())
}

/// Prints names and what they say, below a heading.
fn section(heading: &str, lines: &[(&'static str, String)], output: &mut Output) -> Result<(), Failure> {
    writeln!(output, "\n{heading}")?;
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in lines {
        writeln!(output, "{}", cut(&format!("  {name:<width$}  {}", one_line(value)), output.width))?;
    }
    Ok(())
}

/// What the ledger has of a job, and what follows from it.
fn ledger(known: &Known, zone: Tz) -> Vec<(&'static str, String)> {
    let view = &known.view;
    let record = &view.record;
    let at = |at: Option<DateTime<Utc>>| at.map_or_else(|| "none".to_owned(), |at| short(at, zone));
    let mut lines = Vec::new();
    if known.is_in_ledger {
        let resets = record.generation.saturating_sub(1);
        let generation = match resets {
            0 => format!("first seen at {}", short(record.seen_at, zone)),
            _ => format!("generation {}, reset at {}", record.generation, short(record.seen_at, zone)),
        };
        lines.push(("since", generation));
        lines.push(("newest date", at(record.watermark)));
    } else {
        lines.push(("since", "it was never seen yet".to_owned()));
    }
    lines.push(("last success", at(record.last_success)));
    let due = view.next.zip(known.job.as_ref()).map(|(next, job)| (next, job.timetable.due(next)));
    let due = due.filter(|(next, due)| next != due).map(|(_, due)| format!(", due at {}", short(due, zone)));
    lines.push(("next date", format!("{}{}", at(view.next), due.unwrap_or_default())));
    let backlog = match view.oldest {
        Some(oldest) if view.backlog > 0 => {
            format!("{}, the oldest {}", counted(view.backlog, "date"), short(oldest, zone))
        }
        _ => counted(view.backlog, "date"),
    };
    lines.push(("behind", backlog));
    lines.extend(list::to_go(&view.to_go, zone).map(|to_go| ("backfills", to_go)));
    for open in &view.running {
        lines.push(("running", format!("{}, attempt {}", short(open.session.date, zone), open.number)));
    }
    lines
}
