//! `list`: every job, and first what needs a person.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::context::{Context, Question, Zones, ask};
use super::date::short;
use super::failure::Failure;
use super::json::Array;
use super::lateness::{Late, late};
use super::orphans;
use super::output::{Output, counted, cut};
use super::table::{Cell, Column, Table};
use crate::job::{Job, JobName};
use crate::scheduler::{BlockReason, JobCondition, JobStatus, Remaining};
use crate::session::{AttemptRecord, JobRecord};
use crate::text::in_zone;

const COLUMNS: [Column; 6] = [
    Column::Cut("JOB"),
    Column::Spare("SCHEDULE"),
    Column::Whole("STATE"),
    Column::Whole("LAST SUCCESS"),
    Column::Whole("NEXT DATE"),
    Column::Number("BEHIND"),
];

/// A job in JSON.
#[derive(Debug, Serialize)]
struct JobRow<'a> {
    job: &'a str,
    description: Option<&'a str>,
    tags: &'a [String],
    enabled: bool,
    backfill: bool,
    state: &'static str,
    schedule: String,
    timezone: &'static str,
    last_success: Option<String>,
    next_date: Option<String>,
    next_due: Option<String>,
    backlog: u64,
    backfilling: u64,
    oldest: Option<String>,
    blocked_by: Option<BlockRow>,
    late: Option<&'static str>,
    late_because: Option<String>,
    depends_on: Vec<&'a str>,
    require: Vec<&'a str>,
    running: Vec<RunningRow>,
}

/// An open attempt in JSON.
#[derive(Debug, Serialize)]
struct RunningRow {
    date: String,
    attempt: u32,
}

/// What a job waits for, in JSON: `by` says which of the other fields there are.
#[derive(Debug, Default, Serialize)]
pub(super) struct BlockRow {
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

/// Lists the jobs.
pub(super) fn list(context: &Context, output: &mut Output) -> Result<ExitCode, Failure> {
    let registry = context.registry()?;
    let (recovered, is_watched) = match context.reader(Some(&registry))? {
        Some(mut reader) => (reader.recovered()?, orphans::is_watched(&mut reader)?),
        None => (crate::scheduler::Recovered::default(), false),
    };
    let zones = Zones::new(Some(&registry), &[]);
    let ghosts = ghosts(&registry.jobs, &recovered.jobs);
    let open = recovered.open.clone();
    // Nothing may be started by looking: what is ready is shown as waiting.
    let (scheduler, _, jobs) = ask(recovered, registry, Question::State, context.now);
    let listed = |job: &'_ Arc<Job>| {
        let view = scheduler.view(&job.name)?;
        let of_job: Vec<&AttemptRecord> = open.iter().filter(|open| open.key.session.job == job.name).collect();
        let late = late(job, &view, &of_job, context.now);
        Some(Listed { job: job.clone(), view, late })
    };
    let mut rows: Vec<Listed> = jobs.iter().filter_map(listed).collect();
    rows.sort_by(|a, b| a.job.name.cmp(&b.job.name));
    if context.json() {
        let mut array = Array::open(output)?;
        for listed in &rows {
            array.push(&row(listed, &zones))?;
        }
        array.close()?;
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        writeln!(output, "the registry has no jobs")?;
    } else {
        rows.sort_by_key(urgency);
        print(&rows, &zones, is_watched, context.now, output)?;
    }
    if !ghosts.is_empty() && !context.global.quiet {
        let names: Vec<&str> = ghosts.iter().map(JobName::as_str).collect();
        let many = counted(ghosts.len() as u64, "ghost");
        let line =
            format!("{many} (in the ledger, not in the registry; see `crontabber ghosts`): {}", names.join(", "));
        writeln!(output, "\n{}", cut(&line, output.width))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The jobs of the ledger that the registry does not have.
pub(super) fn ghosts(jobs: &[Job], records: &[JobRecord]) -> Vec<JobName> {
    let known: std::collections::HashSet<&JobName> = jobs.iter().map(|job| &job.name).collect();
    let mut ghosts: Vec<JobName> =
        records.iter().filter(|record| !known.contains(&record.name)).map(|record| record.name.clone()).collect();
    ghosts.sort_unstable();
    ghosts
}

/// A job, where it stands, and what is late about it.
struct Listed {
    job: Arc<Job>,
    view: JobStatus,
    late: Option<Late>,
}

fn urgency(listed: &Listed) -> usize {
    let of_state = listed.view.state as usize;
    // What is late is as urgent as what is blocked; so is a backfill that a person must look at.
    if listed.late.is_some() || listed.view.to_go.held.is_some() {
        of_state.min(JobCondition::Blocked as usize)
    } else {
        of_state
    }
}

fn row<'a>(listed: &'a Listed, zones: &Zones) -> JobRow<'a> {
    let Listed { job, view, late } = listed;
    let zone = job.timetable.zone();
    let date = |at: DateTime<Utc>| in_zone(at, zone);
    JobRow {
        job: job.name.as_str(),
        description: job.description.as_deref(),
        tags: &job.tags,
        enabled: job.enabled,
        backfill: job.date_policy.is_backfillable(),
        state: view.state.word(),
        schedule: job.timetable.schedule().text(),
        timezone: zone.name(),
        last_success: view.record.last_success.map(date),
        next_date: view.next.map(date),
        next_due: view.next.map(|next| date(job.timetable.due(next))),
        backlog: view.backlog,
        backfilling: view.to_go.dates,
        oldest: view.oldest.map(date),
        blocked_by: view.blocked_by.as_ref().map(|block| block_row(block, zone, zones)),
        late: late.as_ref().map(Late::word),
        late_because: late.as_ref().map(|late| late.because(zone)),
        depends_on: job.depends_on.iter().map(|dependency| dependency.job.as_str()).collect(),
        require: job.require.iter().map(JobName::as_str).collect(),
        running: view
            .running
            .iter()
            .map(|open| RunningRow { date: date(open.session.date), attempt: open.number })
            .collect(),
    }
}

/// What a job waits for, in JSON.
pub(super) fn block_row(block: &BlockReason, zone: Tz, zones: &Zones) -> BlockRow {
    match block {
        BlockReason::Dependency { job, date } => BlockRow {
            by: "dependency",
            job: Some(job.to_string()),
            date: date.map(|date| in_zone(date, zones.of(job))),
            ..BlockRow::default()
        },
        BlockReason::Held { date, reason } => BlockRow {
            by: "held",
            date: Some(in_zone(*date, zone)),
            reason: Some(reason.clone()),
            ..BlockRow::default()
        },
        BlockReason::Retry { date, at } => BlockRow {
            by: "retry",
            date: Some(in_zone(*date, zone)),
            retry_at: Some(in_zone(*at, zone)),
            ..BlockRow::default()
        },
        BlockReason::Disabled => BlockRow { by: "disabled", ..BlockRow::default() },
        BlockReason::DisabledBy(disabled) => BlockRow {
            by: "operator",
            user: Some(disabled.user.clone()),
            since: Some(in_zone(disabled.at, zone)),
            until: disabled.until.map(|until| in_zone(until, zone)),
            reason: disabled.reason.clone(),
            ..BlockRow::default()
        },
        BlockReason::Pool { pool, .. } => BlockRow { by: "pool", pool: Some(pool.clone()), ..BlockRow::default() },
        BlockReason::Full { .. } => BlockRow { by: "max-running", ..BlockRow::default() },
        BlockReason::WatermarkAhead { watermark } => {
            BlockRow { by: "clock-ahead", date: Some(in_zone(*watermark, zone)), ..BlockRow::default() }
        }
    }
}

fn print(
    rows: &[Listed],
    zones: &Zones,
    is_watched: bool,
    now: DateTime<Utc>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut table = Table::new(&COLUMNS, output);
    for Listed { job, view, late } in rows {
        let zone = job.timetable.zone();
        let cells = vec![
            Cell::new(job.name.as_str()),
            Cell::new(job.timetable.schedule().text()),
            Cell::word(view.state.word()),
            Cell::date_or_dash(view.record.last_success, zone),
            Cell::date_or_dash(view.next, zone),
            Cell::number(view.backlog),
        ];
        let late = late.as_ref().map(|late| late.line(zone));
        let below =
            [late, why(job, view, is_watched, now, zones), to_go(&view.to_go, zone).map(backfills_have(&view.to_go))];
        let below: Vec<String> = below.into_iter().flatten().collect();
        table.row(cells, Some(below.join("\n")).filter(|below| !below.is_empty()).as_deref());
    }
    table.print(output)?;
    Ok(())
}

/// What a person wants to know of a job that is not simply well.
pub(super) fn why(job: &Job, view: &JobStatus, is_watched: bool, now: DateTime<Utc>, zones: &Zones) -> Option<String> {
    let zone = job.timetable.zone();
    if let [open, others @ ..] = view.running.as_slice() {
        let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
        let nobody = if is_watched { "" } else { ", and no daemon runs: whether it ended is not known" };
        return Some(format!("{}, attempt {}{more}{nobody}", short(open.session.date, zone), open.number));
    }
    let blocked = || {
        let (date, since) = view.blocked_at?;
        let time = (now - since).to_std().unwrap_or_default();
        let behind = if view.backlog > 1 { format!(", {} behind", view.backlog) } else { String::new() };
        Some(format!("blocked at {} for {}{behind}\n", short(date, zone), coarse(time)))
    };
    let blocked = || blocked().unwrap_or_default();
    match view.blocked_by.as_ref() {
        Some(BlockReason::Dependency { job, date: Some(date) }) => {
            Some(format!("{}waits for `{job}`, whose {} is not settled", blocked(), short(*date, zones.of(job))))
        }
        Some(BlockReason::Dependency { job, date: None }) => {
            Some(format!("{}waits for `{job}`, which has settled no date yet", blocked()))
        }
        Some(BlockReason::Held { reason, .. }) => Some(format!("{}needs a person: {reason}", blocked())),
        Some(BlockReason::Retry { at, .. }) => {
            let times = times(view.failures);
            Some(format!("{}failed {times}; next attempt at {}", blocked(), short(*at, zone)))
        }
        Some(block @ (BlockReason::Pool { .. } | BlockReason::Full { .. })) => {
            Some(format!("{}waits for {}", blocked(), block.describe(zone)))
        }
        Some(BlockReason::WatermarkAhead { watermark }) => Some(format!(
            "its newest recorded date, {}, is in the future: was the clock wrong?",
            short(*watermark, zone)
        )),
        Some(BlockReason::DisabledBy(by)) => {
            let until = by.until.map(|until| format!(" until {}", short(until, zone))).unwrap_or_default();
            let reason = by.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            Some(format!("disabled by {} at {}{until}{reason}", by.user, short(by.at, zone)))
        }
        Some(BlockReason::Disabled) => Some("disabled in the registry (`enabled = false`)".to_owned()),
        None => match view.oldest {
            Some(oldest) if view.failures > 0 => {
                Some(format!("{} failed {}; its next attempt is due", short(oldest, zone), times(view.failures)))
            }
            Some(oldest) => Some(format!("{} is due and not started", short(oldest, zone))),
            None => None,
        },
    }
}

/// What the backfills of a job have to go, and what of it does not go on by itself.
pub(super) fn to_go(to_go: &Remaining, zone: Tz) -> Option<String> {
    let Remaining { dates, first, held, failed, .. } = to_go;
    let mut text = Some(*dates).filter(|dates| *dates > 0).map(|dates| format!("{} to go", counted(dates, "date")))?;
    let stuck = [(held, "held"), (failed, "failed")];
    for (stuck, word) in stuck.into_iter().filter_map(|(stuck, word)| stuck.map(|stuck| (stuck, word))) {
        let (count, first) = stuck;
        text.push_str(&format!(", {count} {word}, the first {}", short(first, zone)));
    }
    if let (Some(first), None, None) = (first, held, failed) {
        text.push_str(&format!(", the first {}", short(*first, zone)));
    }
    Some(text)
}

/// Says in a sentence which have it to go.
fn backfills_have(to_go: &Remaining) -> impl Fn(String) -> String {
    let have =
        if to_go.backfills == 1 { "a backfill has".to_owned() } else { format!("{} backfills have", to_go.backfills) };
    move |dates| format!("{have} {dates}")
}

/// A time in its greatest unit: `3 days`, `5 hours`, `20 minutes`, `a moment`.
pub(super) fn coarse(time: std::time::Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        0..60 => return "a moment".to_owned(),
        60..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    counted(count, unit)
}

/// `once`, `twice`, `3 times`.
pub(super) fn times(number: u32) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        many => format!("{many} times"),
    }
}
