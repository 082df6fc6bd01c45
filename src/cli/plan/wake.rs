//! `plan` without a job and a range: what a wake would start now, and the next date of each job.

use std::io::Write;

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::json;
use crate::cli::output::Output;
use crate::cli::table::{Cell, Column, Fit, Table};
use crate::registry::Registry;
use crate::report::plan::{self, PlannedJob};
use crate::scheduler::Start;
use crate::text::counted;

const COLUMNS: [Column; 4] = [
    Column(Fit::Cut, "JOB"),
    Column(Fit::Whole, "STARTS NOW"),
    Column(Fit::Number, "BEHIND"),
    Column(Fit::Whole, "NEXT DATE"),
];

/// Prints what a wake would do.
pub(super) fn wake(context: &Context, registry: Registry, output: &mut Output) -> Result<(), Failure> {
    let mut reader = context.reader(Some(&registry))?;
    context.warn_about_daemon(&registry, reader.as_mut())?;
    let mut planned = plan::wake(registry, reader.as_mut(), context.now)?;
    if context.json() {
        json::array(output, planned.iter().flat_map(PlannedJob::rows))?;
    } else {
        planned.sort_by_key(|planned| (planned.starts.is_empty(), planned.view.next.is_none(), planned.view.next));
        print(&planned, output)?;
    }
    Ok(())
}

fn print(planned: &[PlannedJob], output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(&COLUMNS, output);
    for planned in planned {
        let zone = planned.job.timetable.zone();
        let now = match planned.starts.as_slice() {
            [] => Cell::new("-"),
            [one] => Cell::date(one.attempt.session.date, one.zone),
            several => Cell::new(counted(several.len() as u64, "date")),
        };
        let cells = vec![
            Cell::new(planned.job.name.as_str()),
            now,
            Cell::number(planned.view.backlog),
            Cell::date_or_dash(planned.next(), zone),
        ];
        let mut lines: Vec<String> = planned.starts.first().map(start_line).into_iter().collect();
        lines.extend(planned.details());
        table.row(cells, Some(lines.join("; ")).filter(|line| !line.is_empty()).as_deref());
    }
    table.print(output)?;
    if planned.iter().all(|planned| planned.starts.is_empty()) {
        writeln!(output, "\na wake would start nothing now")?;
    }
    Ok(())
}

fn start_line(start: &Start) -> String {
    format!("attempt {}, {}", start.attempt.number, start.trigger)
}
