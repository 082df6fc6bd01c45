//! What a wake would start now, and the next date of each job.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::daemon::startup_state;
use super::jobs::takes_over;
use super::scheduling::{Question, ask, recorded_as};
use super::zones::Zones;
use crate::job::{Job, JobName};
use crate::ledger::{LedgerError, Reader};
use crate::registry::Registry;
use crate::scheduler::{BlockReason, JobStatus, Recovered, Start};
use crate::text::{counted, in_zone};

/// What a wake would do for one job.
pub(crate) struct PlannedJob {
    pub(crate) job: Arc<Job>,
    pub(crate) view: JobStatus,
    pub(crate) starts: Vec<Start>,
    /// Which due dates wait for the clock.
    held: Option<String>,
}

/// A date: one that would start now, or the next of its job.
#[derive(Debug, Serialize)]
pub(crate) struct PlanRow<'a> {
    job: &'a str,
    date: String,
    due: String,
    starts: &'static str,
    attempt: Option<u32>,
    trigger: Option<&'static str>,
    backlog: u64,
    /// The job is paused: no attempt starts for now.
    paused: bool,
    /// The recorded date that stands for its period: it will be skipped as moved.
    stand_in: Option<String>,
}

/// What a wake would do for every job, by name.
pub(crate) fn wake(
    registry: Registry,
    reader: Option<&mut Reader>,
    now: DateTime<Utc>,
) -> Result<Vec<PlannedJob>, LedgerError> {
    let recovered = reader.map_or_else(|| Ok(Recovered::default()), |reader| startup_state(reader, &registry, now))?;
    let zones = Zones::of_recovered(Some(&registry), &recovered);
    let recorded: Vec<JobName> =
        registry.jobs.iter().map(|job| recorded_as(&registry, &recovered, &job.name)).collect();
    let decided = ask(recovered, registry, Question::Wake, now);
    let planned = |(job, recorded): (Arc<Job>, JobName)| {
        // A job whose ledger still has its previous name has no dates of its own yet.
        let view = decided.view(&job.name).or_else(|| {
            let view = decided.view(&recorded)?;
            let newest = job.timetable.newest_due(now).unwrap_or(DateTime::<Utc>::MIN_UTC);
            Some(JobStatus { next: job.timetable.next_after(newest).ok().flatten(), ..view })
        })?;
        let starts = decided.step.starts.iter().filter(|start| start.job.name == job.name).cloned().collect();
        let held = view.blocked_by.as_ref().filter(|block| matches!(block, BlockReason::ClockHeld { .. }));
        let held = held.map(|block| held_dates(&job, &view, block, &zones));
        Some(PlannedJob { job, view, starts, held })
    };
    let mut planned: Vec<PlannedJob> = decided.jobs.iter().cloned().zip(recorded).filter_map(planned).collect();
    planned.sort_by(|a, b| a.job.name.cmp(&b.job.name));
    Ok(planned)
}

/// Says how many dates of a job wait for the clock.
fn held_dates(job: &Job, view: &JobStatus, block: &BlockReason, zones: &Zones) -> String {
    let shown = |of: Option<&JobName>, date| zones.shown(of.unwrap_or(&job.name), date);
    let what = block.describe(job.timetable.zone(), shown);
    match (view.backlog, view.oldest) {
        (1, Some(date)) => format!("{} waits for {what}", shown(None, date)),
        (many, Some(oldest)) => format!("{many} dates, from {} on, wait for {what}", shown(None, oldest)),
        // Of a clock that is years ahead, nothing is counted.
        (_, None) => format!("it waits for {what}"),
    }
}

/// Why the dates of a job to come do not all run: they are those of the timetable.
#[derive(Debug, Default)]
pub(crate) struct Caveats {
    /// One reason a line.
    pub(crate) lines: Vec<String>,
    /// The dates that do not run: an operator has settled them, or another date stands for them.
    pub(crate) left_out: BTreeSet<DateTime<Utc>>,
}

/// Why the dates of a job to come do not all run.
pub(crate) fn caveats(
    registry: Registry,
    reader: &mut Reader,
    job: &Job,
    now: DateTime<Utc>,
) -> Result<Caveats, LedgerError> {
    let (name, zone) = (&job.name, job.timetable.zone());
    let recovered = startup_state(reader, &registry, now)?;
    let recorded = recorded_as(&registry, &recovered, name);
    let zones = Zones::of_recovered(Some(&registry), &recovered);
    let decided = ask(recovered, registry, Question::State, now);
    let Some(view) = decided.view(name).or_else(|| decided.view(&recorded)) else { return Ok(Caveats::default()) };
    let mut lines = Vec::new();
    if view.record.name != *name {
        lines.push(format!("`{name}` {}", takes_over(&view.record.name)));
    }
    if let Some(block @ BlockReason::ClockHeld { .. }) = &view.blocked_by {
        lines.push(format!("`{name}`: {}", held_dates(job, &view, block, &zones)));
    }
    if let Some(block) = view.blocked_by.filter(BlockReason::is_of_all_dates) {
        let shown = |_: Option<&JobName>, date: DateTime<Utc>| zones.shown(name, date);
        lines.push(format!("no attempt of `{name}` starts yet: it waits for {}", block.describe(zone, shown)));
    }
    if let Some(watermark) = view.record.watermark.filter(|watermark| *watermark > now) {
        lines.push(format!(
            "`{name}` has recorded its dates up to {}, which is in the future: what has run up to then does not run \
             again; was the clock wrong?",
            zones.shown(name, watermark)
        ));
    }
    let is_ahead = |date: &DateTime<Utc>| job.timetable.includes(*date) && job.timetable.due(*date) > now;
    let settled: Vec<DateTime<Utc>> = view.settled_ahead.into_iter().filter(is_ahead).collect();
    lines.extend(settled_ahead(name, &settled, zone));
    lines.extend(view.moved.iter().map(|(date, by)| moved(*date, *by, zone)));
    Ok(Caveats { lines, left_out: settled.into_iter().chain(view.moved.into_keys()).collect() })
}

/// Says which dates to come an operator has settled.
fn settled_ahead(name: &JobName, dates: &[DateTime<Utc>], zone: Tz) -> Option<String> {
    let why = "`skip` or `done` has settled";
    match dates {
        [] => None,
        [date] => Some(format!("`{name}` does not run {}: {why} it", in_zone(*date, zone))),
        [first, .., last] => Some(format!(
            "`{name}` does not run {} from {} to {}: {why} them",
            counted(dates.len() as u64, "date"),
            in_zone(*first, zone),
            in_zone(*last, zone)
        )),
    }
}

/// Says that a date to come does not run.
pub(crate) fn moved(date: DateTime<Utc>, by: DateTime<Utc>, zone: Tz) -> String {
    format!("{} will be skipped as moved: {} stands for it", in_zone(date, zone), in_zone(by, zone))
}

impl PlannedJob {
    /// The lines below the job, but for what starts now.
    pub(crate) fn details(&self) -> Vec<String> {
        let (before, zone) = (&self.view.record.name, self.job.timetable.zone());
        let renamed = (*before != self.job.name).then(|| takes_over(before));
        let paused =
            self.view.pauses.iter().map(|pause| format!("paused: {}; {}", pause.describe(zone), pause.end(zone)));
        let moved = self.view.moved.iter().map(|(date, by)| moved(*date, *by, zone));
        renamed.into_iter().chain(self.held.clone()).chain(paused).chain(moved).collect()
    }

    /// The next date that does not start now; a job that the registry disables has none.
    pub(crate) fn next(&self) -> Option<DateTime<Utc>> {
        self.view.next.filter(|_| self.job.enabled)
    }

    /// The dates as programs read them.
    pub(crate) fn rows(&self) -> Vec<PlanRow<'_>> {
        let now = self.starts.iter().map(|start| self.row(start.attempt.session.date, Some(start)));
        let moved = self.view.moved.iter().map(|(date, by)| PlanRow {
            starts: "never",
            stand_in: Some(in_zone(*by, self.job.timetable.zone())),
            ..self.row(*date, None)
        });
        now.chain(moved).chain(self.next().map(|next| self.row(next, None))).collect()
    }

    fn row(&self, date: DateTime<Utc>, start: Option<&Start>) -> PlanRow<'_> {
        let zone = start.map_or_else(|| self.job.timetable.zone(), |start| start.zone);
        PlanRow {
            job: self.job.name.as_str(),
            date: in_zone(date, zone),
            due: in_zone(self.job.timetable.due(date), zone),
            starts: if start.is_some() { "now" } else { "later" },
            attempt: start.map(|start| start.attempt.number),
            trigger: start.map(|start| start.trigger.word()),
            backlog: self.view.backlog,
            paused: !self.view.pauses.is_empty(),
            stand_in: None,
        }
    }
}
