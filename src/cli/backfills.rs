//! `backfills`: the backfills that operators ordered, and how far each is.

use std::io::Write;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::arguments::BackfillsArguments;
use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Output;
use super::table::{Cell, Column, Fit, Table};
use crate::ledger::BackfillProgress;
use crate::report::zones::Zones;
use crate::session::StateKind;
use crate::text::{in_zone, to_the_second};

const COLUMNS: [Column; 10] = [
    Column(Fit::Cut, "JOB"),
    Column(Fit::Cut, "NAME"),
    Column(Fit::Whole, "FROM"),
    Column(Fit::Whole, "TO"),
    Column(Fit::Whole, "STATE"),
    Column(Fit::Number, "DONE"),
    Column(Fit::SpareNumber, "SKIPPED"),
    Column(Fit::Number, "FAILED"),
    Column(Fit::Number, "TO GO"),
    Column(Fit::Spare, "ENTERED"),
];

/// A backfill in JSON.
#[derive(Debug, Serialize)]
struct BackfillRow<'a> {
    job: &'a str,
    /// What `--cancel` takes where it has no name.
    number: i64,
    name: Option<&'a str>,
    generation: u32,
    from: Option<String>,
    to: Option<String>,
    state: &'static str,
    /// Dates that succeeded.
    done: u64,
    skipped: u64,
    /// Dates that failed or are held; they are among those to go.
    failed: u64,
    to_go: u64,
    running: u64,
    newest_first: bool,
    parallel: u32,
    entered_at: String,
    user: &'a str,
    /// The number of the request that cancelled it.
    cancelled_by: Option<i64>,
}

/// Lists backfills.
pub(super) fn backfills(context: &Context, asked: &BackfillsArguments, output: &mut Output) -> Result<(), Failure> {
    let (_, mut reader, mut zones) = context.ledger(asked.job.as_ref())?;
    let found = reader.as_mut().map(|reader| reader.backfills(asked.job.as_ref())).transpose()?.unwrap_or_default();
    if let Some(reader) = &mut reader {
        for backfill in &found {
            zones.learn(reader, &backfill.record.job, backfill.from.into_iter().chain(backfill.to))?;
        }
    }
    if context.json() {
        return Ok(json::array(output, found.iter().map(|backfill| row(backfill, &zones)))?);
    }
    if found.is_empty() {
        let of_job = asked.job.as_ref().map(|job| format!(" of `{job}`")).unwrap_or_default();
        writeln!(output, "no backfills{of_job}")?;
        return Ok(());
    }
    let mut table = Table::new(&COLUMNS, output);
    for backfill in &found {
        let zone = zones.of(&backfill.record.job);
        let date = |date: Option<DateTime<Utc>>| {
            Cell::date_or_dash(date, date.map_or(zone, |date| zones.at(&backfill.record.job, date)))
        };
        let row = row(backfill, &zones);
        let cells = vec![
            Cell::new(row.job),
            Cell::new(row.name.map_or_else(|| row.number.to_string(), str::to_owned)),
            date(backfill.from),
            date(backfill.to),
            Cell::word(row.state),
            Cell::number(row.done),
            Cell::number(row.skipped),
            Cell::number(row.failed),
            Cell::number(row.to_go),
            Cell::new(to_the_second(backfill.record.entered_at, zone)),
        ];
        table.row(cells, None);
    }
    table.print(output)?;
    Ok(())
}

fn row<'a>(backfill: &'a BackfillProgress, zones: &Zones) -> BackfillRow<'a> {
    let BackfillProgress { record, from, to, user, counts } = backfill;
    let zone = zones.of(&record.job);
    let of = |kinds: &[StateKind]| counts.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, count)| count).sum();
    let to_go = of(&[StateKind::Waiting, StateKind::Running, StateKind::Failed, StateKind::Held]);
    let state = match (record.cancelled_by, to_go) {
        (Some(_), _) => "cancelled",
        (None, 0) => "finished",
        (None, _) => "open",
    };
    BackfillRow {
        job: record.job.as_str(),
        number: record.id,
        name: record.name.as_deref(),
        generation: record.generation,
        from: from.map(|from| zones.shown(&record.job, from)),
        to: to.map(|to| zones.shown(&record.job, to)),
        state,
        done: of(&[StateKind::Succeeded]),
        skipped: of(&[StateKind::Skipped]),
        failed: of(&[StateKind::Failed, StateKind::Held]),
        to_go,
        running: of(&[StateKind::Running]),
        newest_first: record.newest_first,
        parallel: record.parallel,
        entered_at: in_zone(record.entered_at, zone),
        user,
        cancelled_by: record.cancelled_by,
    }
}
