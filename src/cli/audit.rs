//! `audit`: what operators did, the newest first.

use std::io::{self, Write};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::arguments::AuditArguments;
use super::context::Context;
use super::export::{SHOWN, Sink, more_line};
use super::failure::Failure;
use super::output::Output;
use super::sessions::zone_of_days;
use super::table::{Cell, Column, Fit, Table};
use crate::job::JobName;
use crate::ledger::{Act, AuditFilter, LedgerError, Reader};
use crate::report::zones::Zones;
use crate::text::in_zone;

const COLUMNS: [Column; 6] = [
    Column(Fit::Whole, "AT"),
    Column(Fit::Cut, "WHO"),
    Column(Fit::Whole, "ACTION"),
    Column(Fit::Cut, "JOB"),
    Column(Fit::Whole, "DATES"),
    Column(Fit::Whole, "DONE"),
];

/// The columns where there is little room: the dates, which may be a range of two, are below the act then.
const FEW_COLUMNS: [Column; 5] = [
    Column(Fit::Whole, "AT"),
    Column(Fit::Cut, "WHO"),
    Column(Fit::Whole, "ACTION"),
    Column(Fit::Cut, "JOB"),
    Column(Fit::Whole, "DONE"),
];

/// How many acts are read at once.
const PAGE: usize = 1_000;

/// From this width on every column fits.
const WIDE: usize = 130;

/// What an operator did, in JSON.
#[derive(Debug, Default, Serialize)]
struct ActRow<'a> {
    at: String,
    user: &'a str,
    host: &'a str,
    action: &'a str,
    job: Option<&'a str>,
    from: Option<String>,
    to: Option<String>,
    reason: Option<&'a str>,
    done: Option<bool>,
    answer: Option<&'a str>,
    answered_at: Option<String>,
    dates: Option<u64>,
    id: i64,
}

/// Lists what operators did.
pub(super) fn audit(context: &Context, asked: &AuditArguments, output: &mut Output) -> Result<(), Failure> {
    let (registry, mut reader, mut zones) = context.ledger(None)?;
    let zone = zone_of_days(asked.job.as_ref(), registry.as_ref(), &zones);
    let filter =
        AuditFilter { job: asked.job.clone(), asked: asked.range.between(zone, context.now)?, before: asked.before };
    if let Some(job) = &asked.job
        && !reader.as_mut().map_or(Ok(false), |reader| is_named(reader, &filter))?
    {
        // A job may be known by its audit alone.
        zones.know(job)?;
    }
    let limit = asked.rows.limit.map(u32::from);
    let is_table = !context.json() && !asked.rows.csv;
    let shown = limit.unwrap_or(if is_table { SHOWN } else { u32::MAX });
    if is_table {
        return table(context, reader.as_mut(), &filter, shown, &mut zones, output);
    }
    let mut sink = Sink::open(output, asked.rows.csv, &ActRow::default())?;
    let mut written: io::Result<()> = Ok(());
    let (mut left, mut last, mut page) = (usize::try_from(shown).unwrap_or(usize::MAX), None, filter);
    let mut more = false;
    while let Some(reader) = reader.as_mut().filter(|_| written.is_ok()) {
        let (acts, is_more) = acts(reader, &page, left.min(PAGE))?;
        learn(&mut zones, reader, &acts)?;
        for act in &acts {
            left -= 1;
            last = Some(act.id);
            if sink.push_or_break(&row(act, &zones), &mut written).is_break() {
                break;
            }
        }
        more = is_more;
        page.before = last.or(page.before);
        if left == 0 || !is_more {
            break;
        }
    }
    written?;
    sink.close()?;
    if let Some(last) = last.filter(|_| more) {
        context.remark(&format!("there are more before: `--before {last}`"));
    }
    Ok(())
}

/// The newest acts of a filter, and whether there are more.
fn acts(reader: &mut Reader, filter: &AuditFilter, limit: usize) -> Result<(Vec<Act>, bool), LedgerError> {
    let mut acts = Vec::new();
    // One more than is shown: it shows whether there are more.
    reader.audit(filter, &mut |act| {
        acts.push(act);
        if acts.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let more = acts.len() > limit;
    acts.truncate(limit);
    Ok((acts, more))
}

/// Learns the zones of the dates that acts name.
fn learn(zones: &mut Zones, reader: &mut Reader, acts: &[Act]) -> Result<(), LedgerError> {
    acts.iter().try_for_each(|act| match &act.job {
        Some(job) => zones.learn(reader, job, act.from.into_iter().chain(act.to)),
        None => Ok(()),
    })
}

/// Says whether operators did anything to the job that is asked for.
fn is_named(reader: &mut Reader, filter: &AuditFilter) -> Result<bool, LedgerError> {
    let mut is_named = false;
    reader.audit(&AuditFilter { job: filter.job.clone(), ..AuditFilter::default() }, &mut |_| {
        is_named = true;
        ControlFlow::Break(())
    })?;
    Ok(is_named)
}

fn row<'a>(act: &'a Act, zones: &Zones) -> ActRow<'a> {
    let zone = act.job.as_ref().map_or(Tz::UTC, |job| zones.of(job));
    let at = |at: DateTime<Utc>| in_zone(at, zone);
    let dated = |date: DateTime<Utc>| date_of(act, date, zones);
    ActRow {
        at: at(act.at),
        user: &act.user,
        host: &act.host,
        action: &act.action,
        job: act.job.as_ref().map(JobName::as_str),
        from: act.from.map(dated),
        to: act.to.map(dated),
        reason: act.reason.as_deref(),
        done: act.done,
        answer: act.answer.as_deref(),
        answered_at: act.answered_at.map(at),
        dates: act.dates,
        id: act.id,
    }
}

fn table(
    context: &Context,
    reader: Option<&mut Reader>,
    filter: &AuditFilter,
    shown: u32,
    zones: &mut Zones,
    output: &mut Output,
) -> Result<(), Failure> {
    let shown = usize::try_from(shown).unwrap_or(usize::MAX);
    let (mut acts, mut more) = (Vec::new(), false);
    if let Some(reader) = reader {
        (acts, more) = self::acts(reader, filter, shown)?;
        learn(zones, reader, &acts)?;
    }
    let Some(oldest) = acts.last() else {
        let narrowed = filter.asked != crate::ledger::Between::default() || filter.before.is_some();
        let when = if narrowed { " there" } else { "" };
        match &filter.job {
            Some(job) => writeln!(output, "operators did nothing to `{job}`{when}")?,
            None => writeln!(output, "operators did nothing{when}")?,
        }
        return Ok(());
    };
    let cursor = oldest.id.to_string();
    let is_wide = output.width >= WIDE;
    let mut table = Table::new(if is_wide { &COLUMNS } else { &FEW_COLUMNS }, output);
    for act in &acts {
        let zone = act.job.as_ref().map_or(Tz::UTC, |job| zones.of(job));
        let mut dates = dates(act, |date| date_of(act, date, zones));
        let mut cells = vec![
            Cell::time(act.at, zone),
            Cell::new(format!("{}@{}", act.user, act.host)),
            Cell::new(&act.action),
            Cell::or_dash(act.job.as_ref().map(ToString::to_string)),
        ];
        if is_wide {
            cells.push(Cell::or_dash(dates.take()));
        }
        cells.push(Cell::new(match act.done {
            Some(true) => "yes",
            Some(false) => "refused",
            None => "not yet",
        }));
        let dates = dates.map(|dates| format!("dates: {dates}"));
        let below: Vec<String> = dates.into_iter().chain(below(act)).collect();
        table.row(cells, Some(below.join("\n")).filter(|below| !below.is_empty()).as_deref());
    }
    table.print(output)?;
    if more && !context.global.quiet {
        writeln!(output, "\n{}", more_line("act", shown, &cursor))?;
    }
    Ok(())
}

/// A date that an act names.
fn date_of(act: &Act, date: DateTime<Utc>, zones: &Zones) -> String {
    act.job.as_ref().map_or_else(|| in_zone(date, Tz::UTC), |job| zones.shown(job, date))
}

/// Which dates it is about, and how many it changed, as far as that is known.
fn dates(act: &Act, date: impl Fn(DateTime<Utc>) -> String) -> Option<String> {
    let changed = act.dates.filter(|dates| *dates > 0);
    let range = match (act.from.map(&date), act.to.map(&date)) {
        (Some(from), Some(to)) if from == to => return Some(from),
        (None, None) => return changed.map(|dates| dates.to_string()),
        (Some(from), Some(to)) => format!("{from} .. {to}"),
        (Some(from), None) => format!("from {from}"),
        (None, Some(to)) => format!("to {to}"),
    };
    Some(changed.map_or_else(|| range.clone(), |dates| format!("{range} ({dates})")))
}

/// Why, and what came of it.
fn below(act: &Act) -> Option<String> {
    let reason = act.reason.as_ref().map(|reason| format!("reason: {reason}"));
    let parts: Vec<&str> = reason.as_deref().into_iter().chain(act.answer.as_deref()).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
