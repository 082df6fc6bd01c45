//! `list`: every job, those that need an operator first.

use std::io::Write;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::{Output, cut};
use super::table::{Cell, Column, Fit, Table};
use crate::job::JobName;
use crate::report::job_filter::JobFilter;
use crate::report::jobs::JobList;
use crate::text::counted;

const COLUMNS: [Column; 6] = [
    Column(Fit::Cut, "JOB"),
    Column(Fit::Spare, "SCHEDULE"),
    Column(Fit::Whole, "STATE"),
    Column(Fit::Whole, "LAST SUCCESS"),
    Column(Fit::Whole, "NEXT DATE"),
    Column(Fit::Number, "BEHIND"),
];

/// Lists the jobs.
pub(super) fn list(context: &Context, filter: &JobFilter, output: &mut Output) -> Result<(), Failure> {
    let registry = context.registry()?;
    let mut reader = context.reader(Some(&registry))?;
    context.warn_about_daemon(&registry, reader.as_mut())?;
    let logs = context.logs(Some(&registry))?;
    let list = JobList::read(registry, filter, reader.as_mut(), &logs, context.now)?;
    context.warn(list.vanished.iter());
    if list.jobs.is_empty() && !filter.is_all() {
        context.remark("no job meets all these conditions");
    }
    if context.json() {
        return Ok(json::array(output, list.rows())?);
    }
    if !list.jobs.is_empty() {
        print(&list, output)?;
    } else if filter.is_all() {
        writeln!(output, "the registry has no jobs")?;
    }
    if filter.is_all() && !list.ghosts.is_empty() && !context.global.quiet {
        let names: Vec<&str> = list.ghosts.iter().map(JobName::as_str).collect();
        let many = counted(names.len() as u64, "ghost");
        let line =
            format!("{many} (in the ledger, not in the registry; see `crontabber ghosts`): {}", names.join(", "));
        writeln!(output, "\n{}", cut(&line, output.width))?;
    }
    Ok(())
}

fn print(list: &JobList, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(&COLUMNS, output);
    for listed in &list.jobs {
        let (job, view) = (&listed.job, &listed.view);
        let date = |date: Option<DateTime<Utc>>| {
            Cell::date_or_dash(date, date.map_or(Tz::UTC, |date| list.zones.at(&job.name, date)))
        };
        let cells = vec![
            Cell::new(job.name.as_str()),
            Cell::new(job.timetable.schedule.text()),
            Cell::word(view.state.word()),
            date(view.record.last_success),
            date(view.next),
            Cell::number(view.backlog),
        ];
        let below = list.details(listed).join("\n");
        table.row(cells, Some(below.as_str()).filter(|below| !below.is_empty()));
    }
    table.print(output)?;
    Ok(())
}
