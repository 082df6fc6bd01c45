//! `plan` without a job and a range: what a wake would start now, and the next date of each job.

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::context::{Context, Question, ask};
use crate::cli::failure::Failure;
use crate::cli::json::Array;
use crate::cli::output::{Output, counted};
use crate::cli::table::{Cell, Column, Table};
use crate::job::Job;
use crate::registry::Registry;
use crate::scheduler::{JobStatus, Recovered, Start};
use crate::text::in_zone;

const COLUMNS: [Column; 4] =
    [Column::Cut("JOB"), Column::Whole("STARTS NOW"), Column::Number("BEHIND"), Column::Whole("NEXT DATE")];

/// A date in JSON: one that would start now, or the next of its job.
#[derive(Debug, Serialize)]
struct PlanRow<'a> {
    job: &'a str,
    date: String,
    due: String,
    starts: &'static str,
    attempt: Option<u32>,
    trigger: Option<&'static str>,
    backlog: u64,
}

/// Tells what a wake would do.
pub(super) fn wake(context: &Context, registry: Registry, output: &mut Output) -> Result<ExitCode, Failure> {
    let recovered = match context.reader(Some(&registry))? {
        Some(mut reader) => reader.recovered()?,
        None => Recovered::default(),
    };
    let (scheduler, step, jobs) = ask(recovered, registry, Question::Wake, context.now);
    let mut rows: Vec<(&Job, JobStatus)> =
        jobs.iter().filter_map(|job| Some((job.as_ref(), scheduler.view(&job.name)?))).collect();
    if context.json() {
        rows.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        print_json(&step.starts, &rows, output)?;
    } else if rows.is_empty() {
        writeln!(output, "the registry has no jobs")?;
    } else {
        let starts = |job: &Job| step.starts.iter().any(|start| start.job.name == job.name);
        rows.sort_by_cached_key(|(job, view)| (!starts(job), view.next.is_none(), view.next, job.name.clone()));
        print(&step.starts, &rows, output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_json(starts: &[Start], rows: &[(&Job, JobStatus)], output: &mut Output) -> Result<(), Failure> {
    let mut array = Array::open(output)?;
    for (job, view) in rows {
        let zone = job.timetable.zone();
        for start in starts.iter().filter(|start| start.job.name == job.name) {
            let date = start.attempt.session.date;
            array.push(&PlanRow {
                job: job.name.as_str(),
                date: in_zone(date, zone),
                due: in_zone(job.timetable.due(date), zone),
                starts: "now",
                attempt: Some(start.attempt.number),
                trigger: Some(start.trigger.word()),
                backlog: view.backlog,
            })?;
        }
        if let Some(next) = view.next.filter(|_| job.enabled) {
            array.push(&PlanRow {
                job: job.name.as_str(),
                date: in_zone(next, zone),
                due: in_zone(job.timetable.due(next), zone),
                starts: "later",
                attempt: None,
                trigger: None,
                backlog: view.backlog,
            })?;
        }
    }
    array.close()?;
    Ok(())
}

fn print(starts: &[Start], rows: &[(&Job, JobStatus)], output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(&COLUMNS, output);
    for (job, view) in rows {
        let zone = job.timetable.zone();
        let of_job: Vec<&Start> = starts.iter().filter(|start| start.job.name == job.name).collect();
        let now = match of_job.as_slice() {
            [] => Cell::new("-"),
            [one] => Cell::date(one.attempt.session.date, zone),
            several => Cell::new(counted(several.len() as u64, "date")),
        };
        let cells = vec![
            Cell::new(job.name.as_str()),
            now,
            Cell::number(view.backlog),
            Cell::date_or_dash(view.next.filter(|_| job.enabled), zone),
        ];
        table.row(cells, of_job.first().map(|start| start_line(start)).as_deref());
    }
    table.print(output)?;
    if starts.is_empty() {
        writeln!(output, "\na wake would start nothing now")?;
    }
    Ok(())
}

fn start_line(start: &Start) -> String {
    format!("attempt {}, {}", start.attempt.number, start.trigger)
}
