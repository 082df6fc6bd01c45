//! The zones of jobs, in which their dates are written, and the jobs that are known by name.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::error::ReportError;
use crate::job::JobName;
use crate::registry::Registry;
use crate::schedule::Timetable;
use crate::session::JobRecord;
use crate::text::listed;

/// The zone of each job: the registry's, a ghost's from its stored timetable, else UTC.
#[derive(Debug, Default)]
pub(crate) struct Zones(HashMap<JobName, Tz>);

impl Zones {
    /// The zones of all jobs of the registry and the ledger.
    pub(crate) fn new(registry: Option<&Registry>, records: &[JobRecord]) -> Self {
        let jobs = registry.map_or(&[][..], |registry| &registry.jobs);
        let mut zones: HashMap<JobName, Tz> = jobs.iter().map(|job| (job.name.clone(), job.timetable.zone())).collect();
        for record in records {
            zones.entry(record.name.clone()).or_insert_with(|| stored_zone(record));
        }
        Self(zones)
    }

    /// The zone of a job.
    pub(crate) fn of(&self, job: &JobName) -> Tz {
        self.0.get(job).copied().unwrap_or(Tz::UTC)
    }

    /// The jobs of the registry and the ledger.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &JobName> + Clone {
        self.0.keys()
    }

    /// Refuses a job that neither the registry nor the ledger has.
    pub(crate) fn know(&self, job: &JobName) -> Result<(), ReportError> {
        if self.0.contains_key(job) { Ok(()) } else { Err(unknown_job(job.as_str(), self.0.keys())) }
    }
}

/// The zone of a timetable as the ledger keeps it.
pub(crate) fn stored_zone(record: &JobRecord) -> Tz {
    record.timetable.parse::<Timetable>().map_or(Tz::UTC, |timetable| timetable.zone())
}

/// Most names that are suggested for an unknown one.
const OFFERED: usize = 3;

/// There is no such job; the hint names similar ones.
pub(crate) fn unknown_job<'known>(name: &str, known: impl Iterator<Item = &'known JobName>) -> ReportError {
    let hint = nearest(name, known.map(JobName::as_str));
    let hint = hint.unwrap_or_else(|| "`crontabber list` names the jobs".to_owned());
    ReportError::usage(format!("there is no job `{name}`")).hint(Some(hint))
}

/// The hint that names those that are similar to `name`.
pub(crate) fn nearest<'known>(name: &str, known: impl Iterator<Item = &'known str>) -> Option<String> {
    let typed = name.to_lowercase();
    let mut near: Vec<(usize, &str)> = known
        .map(|known| (known, known.to_lowercase()))
        .map(|(known, lower)| (strsim::damerau_levenshtein(&typed, &lower), known, lower.starts_with(&typed)))
        .filter(|(distance, _, begins)| *distance <= (name.len() / 3).max(1) || *begins)
        .map(|(distance, known, _)| (distance, known))
        .collect();
    near.sort_unstable();
    let names: Vec<String> = near.iter().take(OFFERED).map(|(_, name)| format!("`{name}`")).collect();
    Some(format!("did you mean {}?", listed(&names, "or"))).filter(|_| !names.is_empty())
}
