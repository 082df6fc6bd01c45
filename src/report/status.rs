//! Everything about one job: its keys in the registry, its state in the ledger, its last attempts, and how long it takes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::attempts::{self, AttemptRow};
use super::duration_stats::{LOOKED_AT, Pace, PaceRow};
use super::error::ReportError;
use super::jobs::{BlockRow, DisabledRow, RunningRow, block_row, disabled_by, set_age, situation, takes_over, to_go};
use super::lateness::{Late, late};
use super::orphans;
use super::scheduling::{Question, ask};
use super::zones::Zones;
use crate::environment;
use crate::job::{Job, JobName};
use crate::ledger::{AttemptFilter, Between, LedgerError, Reader};
use crate::registry::Registry;
use crate::scheduler::{JobStatus, Recovered, Scheduler};
use crate::session::AttemptRecord;
use crate::text::{counted, in_zone, to_the_second};

/// How many attempts at the newest dates are shown.
const ATTEMPTS: u32 = 10;

/// Everything about a job.
pub(crate) struct JobReport {
    pub(crate) job: Option<Arc<Job>>,
    pub(crate) view: JobStatus,
    pub(crate) attempts: Vec<AttemptRecord>,
    pub(crate) pace: Option<Pace>,
    pub(crate) late: Option<Late>,
    pub(crate) zones: Zones,
    is_in_ledger: bool,
    is_watched: bool,
    now: DateTime<Utc>,
}

/// Everything about a job, as programs read it.
#[derive(Debug, Serialize)]
pub(crate) struct StatusRow<'a> {
    job: &'a str,
    enabled: bool,
    disabled_by: Vec<DisabledRow<'a>>,
    state: &'static str,
    registry: Option<BTreeMap<&'static str, String>>,
    timezone: &'static str,
    generation: Option<u32>,
    seen_at: Option<String>,
    watermark: Option<String>,
    last_success: Option<String>,
    next_date: Option<String>,
    next_due: Option<String>,
    backlog: u64,
    backfilling: u64,
    oldest: Option<String>,
    blocked_by: Option<BlockRow>,
    late: Option<&'static str>,
    late_because: Option<String>,
    running: Vec<RunningRow>,
    durations: Option<PaceRow>,
    attempts: Vec<AttemptRow<'a>>,
}

impl JobReport {
    /// The dates of backfills that need an operator.
    fn stuck(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let to_go = &self.view.to_go;
        [to_go.held, to_go.failed].into_iter().flatten().map(|(_, first)| first)
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck().next().is_some()
    }

    /// Adds the attempts at the first date of a backfill that is held, and at the first that failed: they may be old.
    fn add_stuck(&mut self, reader: &mut Reader) -> Result<(), LedgerError> {
        let mut attempts = std::mem::take(&mut self.attempts);
        for date in self.stuck() {
            let dates = Between::only(date);
            let jobs = Some(vec![self.view.record.name.clone()]);
            let filter = AttemptFilter { jobs, dates, newest: Some(ATTEMPTS), ..AttemptFilter::default() };
            attempts.extend(attempts::collected(reader, &filter)?);
        }
        attempts.sort_by(|a, b| a.key.cmp(&b.key));
        attempts.dedup_by(|a, b| a.key == b.key);
        self.attempts = attempts;
        Ok(())
    }

    /// Reads everything about a job; without a registry it is a ghost.
    pub(crate) fn read(
        name: &JobName,
        registry: Option<Registry>,
        mut reader: Option<&mut Reader>,
        now: DateTime<Utc>,
    ) -> Result<Self, ReportError> {
        let of_registry = registry.as_ref().map(|registry| registry.jobs.as_slice()).unwrap_or_default();
        let recovered = match reader.as_deref_mut() {
            Some(reader) => reader.recovered_for(of_registry)?,
            None => Recovered::default(),
        };
        let mut zones = Zones::of_recovered(registry.as_ref(), &recovered);
        zones.know(name)?;
        // The ledger may still have its previous name.
        let successor = zones.successor(name).cloned();
        let (name, of_registry) = (&zones.recorded_as(name).clone(), successor.as_ref().unwrap_or(name));
        let open = recovered.open.clone();
        let recorded = recovered.jobs.iter().find(|record| record.name == *name).cloned();
        let is_in_ledger = recorded.is_some();
        let (view, jobs) = match registry {
            Some(registry) => {
                let decided = ask(recovered, registry, Question::State, now);
                (decided.view(of_registry).or_else(|| decided.view(name)), decided.jobs)
            }
            None => (Scheduler::new(recovered, &environment::host_name(), 0, now).view(name), Vec::new()),
        };
        let mut view = view.ok_or_else(|| ReportError::new(format!("nothing is known of `{name}`")))?;
        // The scheduler records what is due in memory, and the ledger has not got it yet.
        if let Some(recorded) = recorded {
            view.record.watermark = recorded.watermark;
        }
        if let Some(reader) = reader.as_deref_mut() {
            let known = [view.record.watermark, view.record.last_success];
            zones.learn(reader, name, known.into_iter().flatten())?;
        }
        let job = jobs.into_iter().find(|job| job.name == *of_registry);
        let of_job: Vec<&AttemptRecord> = open.iter().filter(|open| open.key.session.job == *name).collect();
        let late = job.as_ref().and_then(|job| late(job, &view, &of_job, now));
        let (attempts, pace, is_watched) = (Vec::new(), None, false);
        let mut report = Self { job, view, attempts, pace, late, zones, is_in_ledger, is_watched, now };
        if let Some(reader) = reader {
            let filter =
                AttemptFilter { jobs: Some(vec![name.clone()]), newest: Some(ATTEMPTS), ..AttemptFilter::default() };
            report.attempts = attempts::collected(reader, &filter)?;
            report.add_stuck(reader)?;
            set_age(&mut report.view, reader)?;
            report.is_watched = orphans::is_watched(reader)?;
            report.pace = Pace::of(&reader.durations(name, LOOKED_AT)?);
        }
        Ok(report)
    }

    /// What is late about it.
    pub(crate) fn late_line(&self) -> Option<String> {
        let late = self.late.as_ref()?;
        Some(late.line(self.zones.at(&self.view.record.name, late.date)))
    }

    fn zone(&self) -> Tz {
        self.zones.of(&self.view.record.name)
    }

    /// Why the job is not simply ok, in one or two lines.
    pub(crate) fn situation(&self) -> Option<String> {
        let job = self.job.as_ref()?;
        let renamed = (self.view.record.name != job.name).then(|| takes_over(&self.view.record.name));
        let situation = situation(job, &self.view, self.is_watched, self.now, &self.zones);
        renamed.into_iter().chain(situation).reduce(|a, b| format!("{a}\n{b}"))
    }

    /// The report as programs read it.
    pub(crate) fn row(&self, logs: &Path) -> StatusRow<'_> {
        let (view, zones) = (&self.view, &self.zones);
        let record = &view.record;
        let zone = self.zone();
        let at = |at: DateTime<Utc>| in_zone(at, zone);
        let dated = |date: DateTime<Utc>| zones.shown(&record.name, date);
        let in_ledger = self.is_in_ledger.then_some(record);
        let due = |date| self.job.as_ref().map(|job| at(job.timetable.due(date)));
        let disabled_by = disabled_by(self.job.as_deref(), view, zone);
        StatusRow {
            job: record.name.as_str(),
            enabled: disabled_by.is_empty(),
            disabled_by,
            state: view.state.word(),
            registry: self.job.as_ref().map(|job| settings(job).into_iter().collect()),
            timezone: zone.name(),
            generation: in_ledger.map(|record| record.generation),
            seen_at: in_ledger.map(|record| at(record.seen_at)),
            watermark: in_ledger.and_then(|record| record.watermark).map(dated),
            last_success: record.last_success.map(dated),
            next_date: view.next.map(dated),
            next_due: view.next.and_then(due),
            backlog: view.backlog,
            backfilling: view.to_go.dates,
            oldest: view.oldest.map(dated),
            blocked_by: view.blocked_by.as_ref().map(|block| block_row(block, &record.name, zones)),
            late: self.late.as_ref().map(Late::word),
            late_because: self.late.as_ref().map(|late| late.because(zones.at(&record.name, late.date))),
            running: view
                .running
                .iter()
                .map(|open| RunningRow { date: dated(open.session.date), attempt: open.number })
                .collect(),
            durations: self.pace.as_ref().map(Pace::row),
            attempts: self.attempts.iter().map(|attempt| attempts::row(attempt, logs)).collect(),
        }
    }

    /// What the ledger has of the job: names and values.
    pub(crate) fn ledger(&self) -> Vec<(&'static str, String)> {
        let zone = self.zone();
        let view = &self.view;
        let record = &view.record;
        let dated = |date: DateTime<Utc>| self.zones.shown(&record.name, date);
        let at = |date: Option<DateTime<Utc>>| date.map_or_else(|| "none".to_owned(), dated);
        let mut lines = Vec::new();
        if self.is_in_ledger {
            let resets = record.generation.saturating_sub(1);
            let generation = match resets {
                0 => format!("first seen at {}", to_the_second(record.seen_at, zone)),
                _ => format!("generation {}, reset at {}", record.generation, to_the_second(record.seen_at, zone)),
            };
            lines.push(("since", generation));
            lines.push(("newest date", at(record.watermark)));
        } else {
            lines.push(("since", "it was never seen yet".to_owned()));
        }
        lines.push(("last success", at(record.last_success)));
        let due = view.next.zip(self.job.as_ref()).map(|(next, job)| (next, job.timetable.due(next)));
        let due = due.filter(|(next, due)| next != due).map(|(_, due)| format!(", due at {}", in_zone(due, zone)));
        lines.push(("next date", format!("{}{}", at(view.next), due.unwrap_or_default())));
        let backlog = match view.oldest {
            Some(oldest) if view.backlog > 0 => {
                format!("{}, the oldest {}", counted(view.backlog, "date"), dated(oldest))
            }
            _ => counted(view.backlog, "date"),
        };
        lines.push(("behind", backlog));
        lines.extend(to_go(&view.to_go, dated).map(|to_go| ("backfills", to_go)));
        for open in &view.running {
            lines.push(("running", format!("{}, attempt {}", dated(open.session.date), open.number)));
        }
        lines
    }
}

/// The keys of a job and their values, without those that have their default.
pub(crate) fn settings(job: &Job) -> Vec<(&'static str, String)> {
    job.settings().into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}
