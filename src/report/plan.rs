//! What a wake would start now, and the next date of each job.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::scheduling::{Question, ask};
use crate::job::Job;
use crate::ledger::{LedgerError, Reader};
use crate::registry::Registry;
use crate::scheduler::{JobStatus, Recovered, Start};
use crate::text::in_zone;

/// What a wake would do for one job.
pub(crate) struct PlannedJob {
    pub(crate) job: Arc<Job>,
    pub(crate) view: JobStatus,
    pub(crate) starts: Vec<Start>,
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
    /// The job is paused, so that nothing of it starts for now.
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
    let recovered = match reader {
        Some(reader) => reader.recovered_for(&registry.jobs)?,
        None => Recovered::default(),
    };
    let (scheduler, step, jobs) = ask(recovered, registry, Question::Wake, now);
    let planned = |job: Arc<Job>| {
        let view = scheduler.view(&job.name)?;
        let starts = step.starts.iter().filter(|start| start.job.name == job.name).cloned().collect();
        Some(PlannedJob { job, view, starts })
    };
    let mut planned: Vec<PlannedJob> = jobs.into_iter().filter_map(planned).collect();
    planned.sort_by(|a, b| a.job.name.cmp(&b.job.name));
    Ok(planned)
}

impl PlannedJob {
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
            paused: self.view.paused.is_some(),
            stand_in: None,
        }
    }
}
