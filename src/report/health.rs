//! The health of all jobs, as a monitor wants it.

mod rules;

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::daemon::{self, DaemonFinding};
use super::error::ReportError;
use super::job_filter::JobFilter;
use super::jobs::ghosts;
use super::scheduling::{Question, ask};
use super::severity::Severity;
use super::zones::Zones;
use crate::job::{Job, JobName};
use crate::ledger::Reader;
use crate::registry::Registry;
use crate::schedule::Timetable;
use crate::scheduler::JobStatus;
use crate::session::{AttemptKey, JobRecord, SessionRecord};
use crate::text::{counted, one_line};
use rules::{Finding, Judge};

/// The worst finding, all of them in a line, and each, the worst first.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    status: Severity,
    exit: u8,
    message: String,
    daemon: Vec<DaemonFinding>,
    jobs: Vec<Finding>,
}

impl Health {
    fn new(status: Severity, message: String, daemon: Vec<DaemonFinding>, jobs: Vec<Finding>) -> Self {
        Self { status, exit: status as u8, message, daemon, jobs }
    }

    /// The health cannot be determined.
    pub(crate) fn unknown(message: &str) -> Self {
        Self::new(Severity::Unknown, one_line(message), Vec::new(), Vec::new())
    }

    /// Applies the rules to every job that `filter` is about. `mistakes` says what is wrong with the files of the registry, if they cannot be used.
    pub(crate) fn read(
        registry: Registry,
        filter: &JobFilter,
        mistakes: Option<String>,
        reader: &mut Reader,
        now: DateTime<Utc>,
    ) -> Result<Self, ReportError> {
        let zone = registry.daemon.timezone;
        let mut daemon = daemon::findings(reader, &registry, now)?;
        daemon.extend(mistakes.map(|message| DaemonFinding { status: Severity::Warning, message }));
        let recovered = reader.recovered_for(&registry.jobs)?;
        let mut zones = Zones::of_recovered(Some(&registry), &recovered);
        zones.learn_newest(reader)?;
        let ghosts = ghosts(&registry.jobs, &recovered.jobs);
        filter.know_listed(&registry, &ghosts)?;
        daemon.extend(daemon::vanished(&registry, &ghosts));
        let is_watched = reader.owner()?.is_some_and(|owner| owner.alive);
        let is_full = recovered.open.len() >= registry.daemon.max_running;
        let (sessions, open) = (recovered.sessions.clone(), recovered.open.clone());
        let unrecorded = unrecorded(&recovered.jobs, now);
        let decided = ask(recovered, registry, Question::State, now);
        let jobs = &decided.jobs;
        let reader = RefCell::new(reader);
        let last_outcome = |session: &SessionRecord| {
            let attempt = AttemptKey { session: session.key.clone(), number: session.attempts };
            // Without it the failure is reported all the same.
            reader.borrow_mut().attempt(&attempt).ok()??.end.map(|end| end.outcome)
        };
        let judge = Judge {
            scheduler: &decided.scheduler,
            sessions: &sessions,
            open: &open,
            unrecorded: &unrecorded,
            last_outcome: &last_outcome,
            zones: &zones,
            is_watched,
            is_full,
            now,
        };
        let judged: Vec<(&Job, JobStatus)> = jobs
            .iter()
            .filter_map(|job| {
                let view = decided.view(&job.name).or_else(|| decided.view(zones.recorded_as(&job.name)))?;
                Some((job.as_ref(), view))
            })
            .filter(|(job, view)| filter.has(job, view.state))
            .collect();
        daemon.extend(judge.forgotten_pauses(&judged, zone));
        let mut findings = judge.findings(jobs, &judged);
        findings.sort_by(|a, b| b.status.cmp(&a.status).then_with(|| a.job.cmp(&b.job)));
        let worst = daemon.iter().map(|finding| finding.status).chain(findings.iter().map(|finding| finding.status));
        let Some(worst) = worst.max() else {
            // As `list` shows it.
            let behind = judged.iter().map(|(_, view)| view.backlog).sum();
            let behind =
                if behind == 0 { "none behind".to_owned() } else { format!("{} behind", counted(behind, "date")) };
            let message = format!("{}, {behind}", counted(judged.len() as u64, "job"));
            return Ok(Self::new(Severity::Ok, message, daemon, findings));
        };
        let of_jobs = findings.iter().map(|finding| format!("{}: {}", finding.job, finding.message));
        let lines: Vec<String> = daemon.iter().map(|finding| finding.message.clone()).chain(of_jobs).collect();
        Ok(Self::new(worst, one_line(&lines.join("; ")), daemon, findings))
    }

    /// The exit status that monitors expect.
    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }

    /// In one line, as monitors write it.
    pub(crate) fn line(&self) -> String {
        format!("{} - {}", self.status.title(), self.message)
    }
}

/// The first date of each job that is due and that no daemon has recorded. Of a job that is not backfillable only the
/// newest date would run, which is always recent for a frequent job, however long no daemon has run.
fn unrecorded(records: &[JobRecord], now: DateTime<Utc>) -> HashMap<JobName, DateTime<Utc>> {
    let first = |record: &JobRecord| {
        let timetable: Timetable = record.timetable.parse().ok()?;
        timetable.next_after(record.recorded_until()).ok().flatten().filter(|date| timetable.due(*date) <= now)
    };
    records.iter().filter_map(|record| Some((record.name.clone(), first(record)?))).collect()
}
