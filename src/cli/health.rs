//! `health`: one line for a monitor.
//!
//! The rules are old crontabber's: a first failure of a job whose every date matters warns, since it is tried again; a
//! second is critical; so is every other job's first, and a job that should have run and did not. What only waits for a
//! job that is told of is not told of again.

mod rules;

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::context::{Context, Question, Zones, ask};
use super::failure::Failure;
use super::json;
use super::output::{Output, counted, one_line};
use crate::job::JobName;
use crate::ledger::Reader;
use crate::schedule::Timetable;
use crate::session::JobRecord;
use rules::{Finding, Judge};

/// How bad it is, in the order of badness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl Status {
    /// For people, as monitors write it.
    fn title(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// For JSON.
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }

    /// The exit status that monitors expect.
    fn exit(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

/// The answer in JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    status: &'static str,
    exit: u8,
    message: &'a str,
    jobs: Vec<FindingRow<'a>>,
}

/// What is wrong with a job, in JSON.
#[derive(Debug, Serialize)]
struct FindingRow<'a> {
    job: &'a str,
    status: &'static str,
    date: Option<&'a str>,
    message: &'a str,
}

/// Tells how all jobs are.
pub(super) fn health(context: &Context, output: &mut Output) -> Result<ExitCode, Failure> {
    let (status, message, findings) = match examine(context) {
        Ok(examined) => examined,
        Err(Failure::Closed) => return Err(Failure::Closed),
        Err(failure) => (Status::Unknown, one_line(&failure.line()), Vec::new()),
    };
    if context.json() {
        let jobs = findings.iter().map(|finding| FindingRow {
            job: finding.job.as_str(),
            status: finding.status.word(),
            date: finding.date.as_deref(),
            message: &finding.message,
        });
        let report = Report { status: status.word(), exit: status.exit(), message: &message, jobs: jobs.collect() };
        json::object(output, &report)?;
    } else {
        writeln!(output, "{} - {message}", status.title())?;
    }
    Ok(ExitCode::from(status.exit()))
}

/// Looks at every job: how bad it is, the line, and what is wrong, the worst first.
fn examine(context: &Context) -> Result<(Status, String, Vec<Finding>), Failure> {
    let registry = context.registry()?;
    // A monitor that watches the wrong ledger must hear of it, so that one that is missing is no empty one.
    let mut reader = Reader::open(&context.ledger_url(Some(&registry))?)?;
    let recovered = reader.recovered()?;
    let is_watched = reader.owner()?.is_some_and(|owner| owner.alive);
    let zones = Zones::new(Some(&registry), &recovered.jobs);
    let max_running = registry.daemon.max_running;
    let is_full = recovered.open.len() >= max_running;
    let (sessions, open) = (recovered.sessions.clone(), recovered.open.clone());
    let unrecorded = unrecorded(&recovered.jobs, context.now);
    let (scheduler, _, jobs) = ask(recovered, registry, Question::State, context.now);
    let judge = Judge {
        scheduler: &scheduler,
        sessions: &sessions,
        open: &open,
        unrecorded: &unrecorded,
        zones: &zones,
        is_watched,
        is_full,
        now: context.now,
    };
    let mut findings = judge.findings(&jobs);
    findings.sort_by(|a, b| b.status.cmp(&a.status).then_with(|| a.job.cmp(&b.job)));
    let status = findings.first().map_or(Status::Ok, |worst| worst.status);
    let message = if findings.is_empty() {
        // As `list` shows it.
        let behind = jobs.iter().filter_map(|job| scheduler.view(&job.name)).map(|view| view.backlog).sum();
        let behind = if behind == 0 { "none behind".to_owned() } else { format!("{} behind", counted(behind, "date")) };
        format!("{}, {behind}", counted(jobs.len() as u64, "job"))
    } else {
        let lines: Vec<String> =
            findings.iter().map(|finding| format!("{}: {}", finding.job, finding.message)).collect();
        one_line(&lines.join("; "))
    };
    Ok((status, message, findings))
}

/// The first date of each job that is due and that no daemon has recorded. Of a job that is not backfillable only the
/// newest date would be run, which is young wherever the job is frequent, however long nobody has looked after it.
fn unrecorded(records: &[JobRecord], now: DateTime<Utc>) -> HashMap<JobName, DateTime<Utc>> {
    let first = |record: &JobRecord| {
        let timetable: Timetable = record.timetable.parse().ok()?;
        timetable.next_after(record.recorded_until()).ok().flatten().filter(|date| timetable.due(*date) <= now)
    };
    records.iter().filter_map(|record| Some((record.name.clone(), first(record)?))).collect()
}
