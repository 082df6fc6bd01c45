//! What becomes of a job that the ledger does not know: it is new, it has another job's dates, or it waits for a word.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::Rows;
use crate::registry::{Job, Previously, Registry};
use crate::rules::{At, TICK};

/// What is to become of an unknown job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    New,
    /// It takes over the dates of a job, by the name under which that entered the ledger.
    TakesOver(String),
    /// It waits for a word, since it is probably this one.
    Held(String),
}

/// The jobs of the last registry that was read, and their commands.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastRegistry {
    commands: BTreeMap<String, (u32, u32)>,
    in_registry: BTreeSet<String>,
}

impl LastRegistry {
    /// Decides on each job that the ledger does not know, by its name.
    pub(crate) fn fates(&self, registry: &Registry, ledger: &Rows, now: At) -> BTreeMap<String, Fate> {
        let known: BTreeMap<&str, &String> = ledger.iter().map(|(stable, job)| (job.name.as_str(), stable)).collect();
        let unknown: Vec<&Job> = registry.jobs.iter().filter(|job| !known.contains_key(job.name.as_str())).collect();
        let former = |job: &Job| match &job.previously {
            Previously::Name(name) => known.get(name.as_str()).copied().cloned(),
            _ => None,
        };
        let is_gone = |stable: &String| {
            let job = &ledger[stable];
            let is_claimed = registry.jobs.iter().any(|other| other.previously == Previously::Name(job.name.clone()));
            registry.job(&job.name).is_none()
                && !is_claimed
                && job.watermark.is_some()
                && self.in_registry.contains(stable)
        };
        let gone: Vec<String> = ledger.keys().filter(|stable| is_gone(stable)).cloned().collect();
        let candidates = unknown.iter().filter(|job| former(job).is_none()).count();
        let mut fates = BTreeMap::new();
        for job in unknown {
            let has_its_place = |stable: &String| registry.job(&ledger[stable].name).is_none();
            let same = gone.iter().find(|stable| self.commands.get(*stable) == Some(&(job.file, job.edition)));
            let only = gone.first().filter(|_| gone.len() == 1 && candidates == 1);
            let fate = match (former(job), same.or(only)) {
                (Some(stable), _) if has_its_place(&stable) => Fate::TakesOver(stable),
                (None, Some(stable)) if job.previously != Previously::No && has_past(job, now) => {
                    Fate::Held(stable.clone())
                }
                _ => Fate::New,
            };
            fates.insert(job.name.clone(), fate);
        }
        fates
    }

    /// The registry was read, and the ledger has these jobs now.
    pub(crate) fn read(&mut self, registry: &Registry, ledger: &Rows, fates: &BTreeMap<String, Fate>) {
        for (stable, rows) in ledger {
            if let Some(job) = registry.job(&rows.name) {
                self.in_registry.insert(stable.clone());
                // A job that is back with another command is that command once an operator has enabled it.
                if rows.disabled_by.is_none() || !self.commands.contains_key(stable) {
                    self.commands.insert(stable.clone(), (job.file, job.edition));
                }
            } else if !fates.values().any(|fate| *fate == Fate::Held(stable.clone())) {
                self.in_registry.remove(stable);
            }
        }
    }
}

fn has_past(job: &Job, now: At) -> bool {
    let Some(start) = job.timetable.start_at().filter(|_| job.enabled) else { return false };
    job.timetable.dates(start - TICK, now).into_iter().any(|date| job.timetable.due(date) <= now)
}
