//! `ghosts`: the jobs that are in the ledger and not in the registry.

use std::collections::HashMap;
use std::io::Write;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Output;
use super::table::{Cell, Column, Fit, Table};
use crate::job::JobName;
use crate::report::jobs;
use crate::report::zones::stored_zone;
use crate::schedule::Timetable;
use crate::session::JobRecord;
use crate::text::in_zone;

const COLUMNS: [Column; 5] = [
    Column(Fit::Cut, "JOB"),
    Column(Fit::Spare, "SCHEDULE"),
    Column(Fit::Whole, "LAST SUCCESS"),
    Column(Fit::Whole, "NEWEST DATE"),
    Column(Fit::Number, "UNSETTLED"),
];

/// A ghost in JSON.
#[derive(Debug, Serialize)]
struct GhostRow<'a> {
    job: &'a str,
    schedule: Option<String>,
    timezone: &'static str,
    last_success: Option<String>,
    watermark: Option<String>,
    unsettled: u64,
    running: u64,
    generation: u32,
    seen_at: String,
}

/// Lists the ghosts.
pub(super) fn ghosts(context: &Context, output: &mut Output) -> Result<(), Failure> {
    let registry = context.registry()?;
    let recovered = match context.reader(Some(&registry))? {
        Some(mut reader) => reader.recovered()?,
        None => crate::scheduler::Recovered::default(),
    };
    let names = jobs::ghosts(&registry.jobs, &recovered.jobs);
    let mut unsettled: HashMap<&JobName, u64> = HashMap::new();
    for session in &recovered.sessions {
        *unsettled.entry(&session.key.job).or_default() += 1;
    }
    let mut running: HashMap<&JobName, u64> = HashMap::new();
    for open in &recovered.open {
        *running.entry(&open.key.session.job).or_default() += 1;
    }
    let of = |counts: &HashMap<&JobName, u64>, name: &JobName| counts.get(name).copied().unwrap_or_default();
    let mut records: Vec<&JobRecord> =
        recovered.jobs.iter().filter(|record| names.binary_search(&record.name).is_ok()).collect();
    records.sort_by(|a, b| a.name.cmp(&b.name));
    if context.json() {
        let row = |record| row(record, of(&unsettled, &record.name), of(&running, &record.name));
        return Ok(json::array(output, records.into_iter().map(row))?);
    }
    if records.is_empty() {
        writeln!(output, "no ghosts: every job in the ledger is in the registry")?;
        return Ok(());
    }
    let mut table = Table::new(&COLUMNS, output);
    for record in records {
        let zone = stored_zone(record);
        let cells = vec![
            Cell::new(record.name.as_str()),
            Cell::or_dash(schedule(record)),
            Cell::date_or_dash(record.last_success, zone),
            Cell::date_or_dash(record.watermark, zone),
            Cell::number(of(&unsettled, &record.name)),
        ];
        table.row(cells, None);
    }
    table.print(output)?;
    Ok(())
}

fn schedule(record: &JobRecord) -> Option<String> {
    record.timetable.parse::<Timetable>().ok().map(|timetable| timetable.schedule.text())
}

fn row(record: &JobRecord, unsettled: u64, running: u64) -> GhostRow<'_> {
    let zone: Tz = stored_zone(record);
    let at = |at: DateTime<Utc>| in_zone(at, zone);
    GhostRow {
        job: record.name.as_str(),
        schedule: schedule(record),
        timezone: zone.name(),
        last_success: record.last_success.map(at),
        watermark: record.watermark.map(at),
        unsettled,
        running,
        generation: record.generation,
        seen_at: at(record.seen_at),
    }
}
