//! The zones of jobs, in which their dates are written, and the jobs that are known by name.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::error::ReportError;
use crate::job::JobName;
use crate::ledger::{LedgerError, Reader};
use crate::registry::Registry;
use crate::schedule::Timetable;
use crate::session::{JobRecord, Recovered, SessionRecord};
use crate::text::{in_zone, listed};

/// The zone of each job: the registry's, a ghost's from its stored timetable, else UTC. A recorded date keeps its zone.
#[derive(Debug, Default)]
pub(crate) struct Zones {
    jobs: HashMap<JobName, JobZones>,
    /// The jobs whose ledger still has their previous name, by their new names.
    previous: HashMap<JobName, JobName>,
}

/// The zone of a job, and those of its dates that were recorded with another one, as far as they are known.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobZones {
    of_job: Tz,
    of_dates: BTreeMap<DateTime<Utc>, Tz>,
}

impl JobZones {
    fn new(of_job: Tz) -> Self {
        Self { of_job, of_dates: BTreeMap::new() }
    }

    /// Learns the zone of a recorded date.
    fn record(&mut self, date: DateTime<Utc>, zone: Tz) {
        if zone != self.of_job {
            self.of_dates.insert(date, zone);
        }
    }

    /// The zone of the job.
    pub(crate) fn of_job(&self) -> Tz {
        self.of_job
    }

    /// The zone of a date.
    pub(crate) fn at(&self, date: DateTime<Utc>) -> Tz {
        self.of_dates.get(&date).copied().unwrap_or(self.of_job)
    }

    /// A date in its zone.
    pub(crate) fn shown(&self, date: DateTime<Utc>) -> String {
        in_zone(date, self.at(date))
    }

    /// Learns the zones of dates that are known without their rows.
    pub(crate) fn learn(
        &mut self,
        reader: &mut Reader,
        job: &JobName,
        dates: impl IntoIterator<Item = DateTime<Utc>>,
    ) -> Result<(), LedgerError> {
        for date in dates {
            if let Some(zone) = reader.zone_at(job, date)? {
                self.record(date, zone);
            }
        }
        Ok(())
    }

    /// Learns the zones of sessions.
    pub(crate) fn record_all<'a>(&mut self, sessions: impl Iterator<Item = &'a SessionRecord>) {
        for session in sessions {
            self.record(session.key.date, session.zone);
        }
    }
}

impl Zones {
    /// The zones of all jobs of the registry and the ledger.
    pub(crate) fn new(registry: Option<&Registry>, records: &[JobRecord]) -> Self {
        let jobs = registry.map_or(&[][..], |registry| &registry.jobs);
        let of_registry = jobs.iter().map(|job| (job.name.clone(), JobZones::new(job.timetable.zone())));
        let mut zones: HashMap<JobName, JobZones> = of_registry.collect();
        for record in records {
            zones.entry(record.name.clone()).or_insert_with(|| JobZones::new(stored_zone(record)));
        }
        let mut previous = HashMap::new();
        let is_recorded = |name: &JobName| records.iter().any(|record| record.name == *name);
        for (name, before) in jobs.iter().filter_map(|job| Some((&job.name, job.previously.as_ref()?))) {
            let is_gone = !jobs.iter().any(|other| other.name == *before);
            if is_gone && is_recorded(before) && !is_recorded(name) {
                previous.insert(name.clone(), before.clone());
            }
        }
        Self { jobs: zones, previous }
    }

    /// The same, with the zones of the unsettled dates.
    pub(crate) fn of_recovered(registry: Option<&Registry>, recovered: &Recovered) -> Self {
        let mut zones = Self::new(registry, &recovered.jobs);
        for session in &recovered.sessions {
            zones.record(&session.key.job, session.key.date, session.zone);
        }
        zones
    }

    /// The name under which the ledger has a job: its previous one, until it has taken over that ledger.
    pub(crate) fn recorded_as<'a>(&'a self, job: &'a JobName) -> &'a JobName {
        self.previous.get(job).unwrap_or(job)
    }

    /// The job that takes over the ledger of this one.
    pub(crate) fn successor(&self, job: &JobName) -> Option<&JobName> {
        self.previous.iter().find(|(_, before)| *before == job).map(|(after, _)| after)
    }

    fn record(&mut self, job: &JobName, date: DateTime<Utc>, zone: Tz) {
        let successor = self.successor(job).cloned();
        for name in [Some(job), successor.as_ref()].into_iter().flatten() {
            if let Some(zones) = self.jobs.get_mut(name) {
                zones.record(date, zone);
            }
        }
    }

    /// Learns the zones of each job's newest success and watermark.
    pub(crate) fn learn_newest(&mut self, reader: &mut Reader) -> Result<(), LedgerError> {
        for (job, date, zone) in reader.newest_zones()? {
            self.record(&job, date, zone);
        }
        Ok(())
    }

    /// Learns the zones of dates of a job that are known without their rows.
    pub(crate) fn learn(
        &mut self,
        reader: &mut Reader,
        job: &JobName,
        dates: impl IntoIterator<Item = DateTime<Utc>>,
    ) -> Result<(), LedgerError> {
        self.jobs.get_mut(job).map_or(Ok(()), |zones| zones.learn(reader, job, dates))
    }

    /// The zone of a job.
    pub(crate) fn of(&self, job: &JobName) -> Tz {
        self.jobs.get(job).map_or(Tz::UTC, JobZones::of_job)
    }

    /// The zones of a job and its dates.
    pub(crate) fn of_dates(&self, job: &JobName) -> JobZones {
        self.jobs.get(job).cloned().unwrap_or_default()
    }

    /// A date of a job in the zone that it was recorded with.
    pub(crate) fn shown(&self, job: &JobName, date: DateTime<Utc>) -> String {
        in_zone(date, self.at(job, date))
    }

    /// The zone of a date of a job: the one that it was recorded with.
    pub(crate) fn at(&self, job: &JobName, date: DateTime<Utc>) -> Tz {
        self.jobs.get(job).map_or(Tz::UTC, |zones| zones.at(date))
    }

    /// The jobs of the registry and the ledger.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &JobName> + Clone {
        self.jobs.keys()
    }

    /// Refuses a job that neither the registry nor the ledger has.
    pub(crate) fn know(&self, job: &JobName) -> Result<(), ReportError> {
        if self.jobs.contains_key(job) { Ok(()) } else { Err(unknown_job(job.as_str(), self.jobs.keys())) }
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
