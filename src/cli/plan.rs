//! `plan`: the dates ahead or in a range, and what a wake would start now.
//!
//! A range asks the timetables alone. For one job, as far as its ledger can be read, a note says why its dates do not all run,
//! and those that an operator has settled or that are moved are left out.
//! What a wake would do is asked of the daemon's own scheduler.

mod wake;

use std::collections::BTreeSet;
use std::io::{self, Write};

use chrono::{DateTime, TimeDelta, Utc};

use super::arguments::{PlanArguments, must_have_instants};
use super::context::Context;
use super::failure::Failure;
use super::json::Array;
use super::output::{Output, cut};
use crate::job::{DatePolicy, Job};
use crate::report::merged_dates::Merged;
use crate::report::plan::caveats;
use crate::report::zones::unknown_job;
use crate::schedule::TICK;
use crate::text::{in_zone, write_in_zone};

/// How many dates are listed by default.
const COUNT: u64 = 10;

/// Prints the dates, or what a wake would do.
pub(super) fn plan(context: &Context, asked: &PlanArguments, output: &mut Output) -> Result<(), Failure> {
    let registry = context.registry_of_files()?;
    let is_range = asked.from.is_some() || asked.to.is_some() || asked.count.is_some();
    let jobs: Vec<&Job> = match &asked.job {
        None if !is_range => return wake::wake(context, registry, output),
        None => registry.jobs.iter().collect(),
        Some(name) => match registry.jobs.iter().find(|job| job.name == *name) {
            Some(job) => vec![job],
            None => return Err(unknown_job(name.as_str(), registry.jobs.iter().map(|job| &job.name)).into()),
        },
    };
    let mut left_out = BTreeSet::new();
    if let (Some(_), [job]) = (&asked.job, jobs.as_slice())
        && let Ok(Some(mut reader)) = context.reader_if_any(Some(&registry))
    {
        let caveats = caveats(registry.clone(), &mut reader, job, context.now)?;
        for line in caveats.lines {
            context.remark(&line);
        }
        left_out = caveats.left_out;
    }
    let ranges = jobs.iter().map(|job| range(job, asked, context.now)).collect::<Result<Vec<_>, _>>()?;
    let at_most = asked.count.or_else(|| asked.to.is_none().then_some(COUNT)).unwrap_or(u64::MAX);
    let mut dates = Merged::new(jobs.iter().zip(&ranges).map(|(job, (from, to))| job.timetable.dates(*from, *to)));
    let to_run = dates.by_ref().filter(|(_, date)| left_out.is_empty() || !left_out.contains(date));
    let shown = to_run.take(usize::try_from(at_most).unwrap_or(usize::MAX));
    let count = if context.json() { print_json(&jobs, shown, output)? } else { print(&jobs, shown, output)? };
    if count < at_most
        && let Some(past) = dates.past()
    {
        // The dates that were found are printed all the same.
        output.flush()?;
        return Err(Failure::new(past.to_string()).hint(Some("ask for a range that ends earlier")));
    }
    if count == 0 && !context.json() {
        writeln!(output, "{}", nothing(asked, &jobs))?;
    }
    Ok(())
}

/// From when on, and before when, the dates of a job are listed.
fn range(job: &Job, asked: &PlanArguments, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Failure> {
    let zone = job.timetable.zone();
    let from = match asked.from {
        Some(from) => from.instant(zone),
        // Ahead is what is not due yet, though its date may have passed.
        None => TimeDelta::from_std(job.timetable.delay)
            .ok()
            .and_then(|delay| now.checked_sub_signed(delay))
            .map_or(now, |at| at + TICK),
    };
    let to = asked.to.map_or(DateTime::<Utc>::MAX_UTC, |to| to.instant(zone));
    if asked.from.is_some() {
        must_have_instants(from, to)?;
    }
    Ok((from, to))
}

fn nothing(asked: &PlanArguments, jobs: &[&Job]) -> String {
    if let (Some(name), [job]) = (&asked.job, jobs)
        && job.date_policy == DatePolicy::OnDemand
    {
        return format!("`{name}` has no schedule: it runs when another job requires it, or an operator runs it");
    }
    let whose = asked.job.as_ref().map_or_else(|| "no job".to_owned(), |job| format!("`{job}`"));
    let verb = if asked.job.is_some() { "has no dates" } else { "has a date" };
    match asked.to {
        Some(_) => format!("{whose} {verb} in that range"),
        None => format!("{whose} {verb} from then on (see `end` in the registry)"),
    }
}

/// A date, with the position of its job.
type Planned = (usize, DateTime<Utc>);

/// Writes an object per date, by hand, since there may be millions; returns how many there were.
fn print_json(jobs: &[&Job], dates: impl Iterator<Item = Planned>, output: &mut Output) -> io::Result<u64> {
    let heads = jobs
        .iter()
        .map(|job| serde_json::to_string(job.name.as_str()).map(|name| format!("{{\"job\":{name},\"date\":\"")));
    let heads = heads.collect::<Result<Vec<String>, _>>()?;
    let mut array = Array::open(output)?;
    let (mut count, mut text, mut stamp) = (0, Vec::new(), Vec::new());
    for (place, date) in dates {
        let timetable = &jobs[place].timetable;
        let due = timetable.due(date);
        stamp.clear();
        write_in_zone(&mut stamp, date, timetable.zone());
        text.clear();
        text.extend_from_slice(heads[place].as_bytes());
        text.extend_from_slice(&stamp);
        text.extend_from_slice(b"\",\"due\":\"");
        if due == date {
            text.extend_from_slice(&stamp);
        } else {
            write_in_zone(&mut text, due, timetable.zone());
        }
        text.extend_from_slice(b"\"}");
        array.push_raw(&text)?;
        count += 1;
    }
    array.close()?;
    Ok(count)
}

/// Writes a line per date; returns how many there were.
fn print(jobs: &[&Job], dates: impl Iterator<Item = Planned>, output: &mut Output) -> io::Result<u64> {
    let mut count = 0;
    for (place, date) in dates {
        let job = jobs[place];
        let zone = job.timetable.zone();
        let due = match job.timetable.due(date) {
            due if due == date => String::new(),
            due => format!("  due {}", in_zone(due, zone)),
        };
        let line = format!("{}{due}  {}", in_zone(date, zone), job.name);
        writeln!(output, "{}", cut(&line, output.width))?;
        count += 1;
    }
    Ok(count)
}
