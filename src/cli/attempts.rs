//! `attempts`: each start of each date, and how it ended.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use super::arguments::AttemptsArguments;
use super::context::Context;
use super::export::{SHOWN, Sink, more_line, newest_only, nothing};
use super::failure::Failure;
use super::output::Output;
use super::sessions::{of_this_list, zone_of_days};
use super::table::{Cell, Column, Fit, Table};
use crate::duration;
use crate::ledger::{AttemptFilter, LocalBetween, Reader};
use crate::report::attempts::{AttemptRow, collected, row};
use crate::report::date_resolve::{Choice, Dates};
use crate::report::job_filter::JobFilter;
use crate::session::{AttemptKey, AttemptRecord};
use crate::text::size;

/// The columns of the table; the last ones only where there is room.
const COLUMNS: [Column; 8] = [
    Column(Fit::Cut, "JOB"),
    Column(Fit::Whole, "DATE"),
    Column(Fit::Whole, "ATTEMPT"),
    Column(Fit::Whole, "STARTED"),
    Column(Fit::Number, "TOOK"),
    Column(Fit::SpareNumber, "CPU"),
    Column(Fit::SpareNumber, "MEMORY"),
    Column(Fit::Spare, "TRIGGER"),
];

/// Below this width instants are written without their year and seconds, and times in one unit.
const NARROW: usize = 110;

/// Lists attempts.
pub(super) fn attempts(context: &Context, asked: &AttemptsArguments, output: &mut Output) -> Result<(), Failure> {
    let (registry, mut reader, zones) = context.ledger(None)?;
    let logs = context.logs(registry.as_ref())?;
    let of_jobs = asked.jobs.filter(&[]);
    let jobs = context.recorded_as(of_jobs.names(registry.as_ref(), zones.jobs())?, &zones);
    of_this_list(jobs.as_deref(), asked.before.as_ref().map(|before| &before.session))?;
    let at_date = match (of_jobs.name(), asked.date) {
        (_, None) => None,
        (Some(job), Some(date)) => Some((Choice::new(zones.recorded_as(job), registry.as_ref(), &zones), date)),
        (None, Some(_)) => {
            return Err(Failure::usage("a date is one of one job, and a pattern names several")
                .hint(Some("`--from` and `--to` narrow the dates of several jobs")));
        }
    };
    let at_date = match (at_date, reader.as_mut()) {
        (Some((choice, date)), Some(reader)) => {
            let date = choice.completed(reader, date, Dates::OfAllGenerations)?;
            Some((choice, date))
        }
        (at_date, _) => at_date,
    };
    let zone = zone_of_days(of_jobs.name(), registry.as_ref(), &zones);
    let anywhere = LocalBetween::default();
    let (dates, local) = match (&at_date, reader.as_mut(), of_jobs.name()) {
        (Some((choice, date)), Some(reader), _) => (choice.recorded_range(reader, *date)?, anywhere),
        (Some((choice, date)), None, _) => (choice.range(None, *date)?, anywhere),
        (None, _, Some(_)) => asked.range.of_job(zone, context.now)?,
        (None, _, None) => (asked.range.between(zone, context.now)?, anywhere),
    };
    let filter = AttemptFilter {
        jobs,
        dates,
        local,
        since: asked.since.map(|since| since.instant(zone, context.now)),
        outcomes: asked.state.clone(),
        before: asked.before.clone(),
        newest: asked.rows.limit.map(Into::into),
        all_generations: asked.all_generations,
    };
    if let (Some(reader), Some((choice, date))) = (&mut reader, &at_date)
        && collected(reader, &AttemptFilter { newest: Some(1), ..filter.clone() })?.is_empty()
    {
        choice.must_be_a_date(reader, *date)?;
    }
    // Where a clock was set back, the instants of a day are not all of that day.
    let is_meant = |attempt: &AttemptRecord| {
        let date = attempt.key.session.date;
        at_date.as_ref().is_none_or(|(_, argument)| argument.means(date, attempt.zone))
    };
    let show = Show { logs: &logs, is_meant: &is_meant };
    let is_any = if context.json() || asked.rows.csv {
        show.export(context, reader.as_mut(), &filter, asked.rows.csv, output)?
    } else {
        show.table(context, reader.as_mut(), &filter, output)?
    };
    // A missing ledger has been noted.
    if !is_any && reader.is_some() {
        context.remark(&match &at_date {
            Some((choice, _)) if filter.since.is_none() && filter.outcomes.is_empty() => {
                format!("`{}` has no attempts at that date in the ledger", choice.name)
            }
            _ => nothing("attempts", of_jobs.name(), asked.all_generations, filter != unnarrowed(&of_jobs, &filter)),
        });
    }
    Ok(())
}

/// The filter of the same list with all its rows.
fn unnarrowed(of_jobs: &JobFilter, filter: &AttemptFilter) -> AttemptFilter {
    let jobs = filter.jobs.clone().filter(|_| of_jobs.name().is_some() && of_jobs.tags.is_empty());
    AttemptFilter { jobs, newest: filter.newest, all_generations: filter.all_generations, ..AttemptFilter::default() }
}

/// What else is needed to show attempts.
struct Show<'a> {
    logs: &'a Path,
    is_meant: &'a dyn Fn(&AttemptRecord) -> bool,
}

impl Show<'_> {
    /// Prints rows for programs; returns whether there were any.
    fn export(
        &self,
        context: &Context,
        mut reader: Option<&mut Reader>,
        filter: &AttemptFilter,
        csv: bool,
        output: &mut Output,
    ) -> Result<bool, Failure> {
        let first = self.stream(reader.as_deref_mut(), filter, csv, output)?;
        if let (Some(first), Some(_), Some(reader)) = (&first, filter.newest, reader) {
            // The first row of the page is where the page before it ends.
            let older = AttemptFilter { before: Some(first.clone()), newest: Some(1), ..filter.clone() };
            if collected(reader, &older)?.iter().any(self.is_meant) {
                context.remark(&format!("there are more before: `--before {first}`"));
            }
        }
        Ok(first.is_some())
    }

    /// Prints a table; returns whether there were any rows.
    fn table(
        &self,
        context: &Context,
        reader: Option<&mut Reader>,
        filter: &AttemptFilter,
        output: &mut Output,
    ) -> Result<bool, Failure> {
        let shown = filter.newest.unwrap_or(SHOWN);
        // One more than is shown: it shows whether there are more, without counting them.
        let filter = AttemptFilter { newest: Some(shown.saturating_add(1)), ..filter.clone() };
        let mut rows = reader.map_or(Ok(Vec::new()), |reader| collected(reader, &filter))?;
        rows.retain(self.is_meant);
        let more = newest_only(&mut rows, shown);
        let Some(first) = rows.first() else { return Ok(false) };
        let cursor = first.key.to_string();
        print(&rows, output)?;
        if more && !context.global.quiet {
            writeln!(output, "\n{}", more_line("attempt", rows.len(), &cursor))?;
        }
        Ok(true)
    }

    /// Prints the rows as they are read; returns the first.
    fn stream(
        &self,
        reader: Option<&mut Reader>,
        filter: &AttemptFilter,
        csv: bool,
        output: &mut Output,
    ) -> Result<Option<AttemptKey>, Failure> {
        let mut sink = Sink::open(output, csv, &AttemptRow::default())?;
        let mut written: io::Result<()> = Ok(());
        let mut first = None;
        if let Some(reader) = reader {
            reader.attempts(filter, &mut |attempt| {
                if !(self.is_meant)(&attempt) {
                    return ControlFlow::Continue(());
                }
                first.get_or_insert_with(|| attempt.key.clone());
                sink.push_or_break(&row(&attempt, self.logs), &mut written)
            })?;
        }
        written?;
        sink.close()?;
        Ok(first)
    }
}

/// Prints a table of attempts.
pub(super) fn print(rows: &[AttemptRecord], output: &mut Output) -> Result<(), Failure> {
    let is_narrow = output.width < NARROW;
    let (instant, took): (&str, fn(Duration) -> String) =
        if is_narrow { ("%m-%dT%H:%M", duration::brief) } else { ("%Y-%m-%dT%H:%M:%S", duration::format) };
    let mut table = Table::new(&COLUMNS, output);
    for attempt in rows {
        let (session, zone) = (&attempt.key.session, attempt.zone);
        let end = attempt.end.as_ref();
        let usage = end.and_then(|end| end.usage);
        let outcome = end.map_or_else(|| "running".to_owned(), |end| end.outcome.to_string());
        let cells = vec![
            Cell::new(session.job.as_str()),
            Cell::date(session.date, zone),
            Cell::numbered(attempt.key.number, &outcome),
            // In the zone of the date beside it.
            Cell::date_as(attempt.started_at, zone, instant),
            Cell::or_dash(end.and_then(|end| end.duration).map(took)),
            Cell::or_dash(usage.map(|usage| duration::brief(usage.cpu_user + usage.cpu_system))),
            Cell::or_dash(usage.map(|usage| size(usage.peak_memory))),
            Cell::new(attempt.trigger.word()),
        ];
        table.row(cells, end.and_then(|end| end.detail.as_deref()));
    }
    table.print(output)?;
    Ok(())
}
