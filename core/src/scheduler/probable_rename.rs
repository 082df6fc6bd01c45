//! Jobs that a registry probably has under another name, or under the same name for another purpose: they wait for a word of
//! the operator, since a new name would run the whole past again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Scheduler;
use super::job_rows::JobRows;
use super::job_state::JobState;
use super::notification::Notification;
use super::registry_update::first_record;
use super::step::Step;
use crate::job::{Job, JobName};
use crate::session::{Disabled, Entry, ITSELF};

impl Scheduler {
    /// The new jobs that are probably one of those that are gone: they have a past, and the same action; or one is gone and
    /// one is new.
    pub(super) fn find_probable_renames(
        &self,
        jobs: &[Arc<Job>],
        gone: &BTreeSet<JobName>,
    ) -> BTreeMap<JobName, JobName> {
        let is_known = |name: &JobName| self.jobs.contains_key(name);
        let is_renamed = |job: &Arc<Job>| job.previously.as_ref().is_some_and(is_known);
        let new: Vec<&Arc<Job>> = jobs.iter().filter(|job| !is_known(&job.name) && !is_renamed(job)).collect();
        let claimed: BTreeSet<&JobName> = jobs.iter().filter_map(|job| job.previously.as_ref()).collect();
        let has_dates = |name: &&JobName| {
            let record = self.jobs.get(*name).map(|gone| &gone.rows().record);
            record.is_some_and(|record| record.in_registry && (record.watermark.is_some() || record.generation > 1))
        };
        let gone: Vec<&JobName> = gone.iter().filter(|name| !claimed.contains(name)).filter(has_dates).collect();
        let is_only_one = gone.len() == 1 && new.len() == 1;
        let of_job = |job: &Arc<Job>| {
            let action = job.action();
            let is_same =
                |name: &&&JobName| self.jobs.get(**name).is_some_and(|gone| gone.rows().record.action == action);
            let same = gone.iter().find(is_same).or_else(|| gone.first().filter(|_| is_only_one))?;
            Some((job.name.clone(), (*same).clone()))
        };
        new.into_iter().filter(|job| !job.is_new && has_past(job, self.now)).filter_map(of_job).collect()
    }

    /// Shows a job that is probably renamed; nothing of it is in the ledger.
    pub(super) fn hold_probable_rename(&mut self, job: &Arc<Job>, previously: &JobName, step: &mut Step) {
        let name = job.name.clone();
        let mut record = first_record(&name, name.to_string(), &job.timetable, 1, self.now);
        record.action = job.action();
        let reason = format!(
            "it is probably `{previously}`, which is gone: `previously = \"{previously}\"` or `previously = false` in the \
             registry decides"
        );
        let disabled =
            Disabled { job: name.clone(), at: self.now, until: None, user: ITSELF.to_owned(), reason: Some(reason) };
        let mut job_state = Box::new(JobState::new(JobRows::new(record)));
        job_state.disable_unwritten(disabled);
        job_state.set_job(job.clone());
        job_state.seek_next(&job.timetable, step);
        self.jobs.insert(name.clone(), job_state);
        step.notes.push(Notification::ProbableRename { job: name.clone(), previously: previously.clone() });
        self.probable_renames.insert(name, previously.clone());
    }

    /// Forgets the jobs that waited for a word in the registry: it is read again.
    pub(super) fn forget_probable_renames(&mut self) {
        for name in std::mem::take(&mut self.probable_renames).into_keys() {
            if let Some(timer) = self.jobs.remove(&name).and_then(|mut job_state| job_state.timer.take()) {
                self.timers.remove(&(timer, name));
            }
        }
    }

    /// Why nothing can be asked of a job that is probably renamed.
    pub(super) fn refuse_probable_rename(&self, name: &JobName) -> Result<(), String> {
        match self.probable_renames.get(name) {
            None => Ok(()),
            Some(previously) => Err(format!(
                "job `{name}` is new, and `{previously}` is gone: write `previously = \"{previously}\"` in the registry if it \
                 is the same job, else `previously = false`"
            )),
        }
    }
}

/// Whether the job has dates that are due already.
fn has_past(job: &Job, now: DateTime<Utc>) -> bool {
    let Some(start) = job.timetable.start.filter(|_| job.enabled) else { return false };
    let first = job.timetable.dates(start, DateTime::<Utc>::MAX_UTC).map_while(Result::ok).next();
    first.is_some_and(|first| job.timetable.due(first) <= now)
}

impl JobState {
    /// Whether the job was gone from the registry, and has another action since it is back.
    pub(super) fn returns_changed(&self) -> bool {
        let record = &self.rows().record;
        !record.in_registry && self.job.as_ref().is_some_and(|job| job.action() != record.action)
    }

    /// Notes that the registry has the job, and what it runs. One that returns changed is noted once it is enabled.
    pub(super) fn note_registered(&mut self, step: &mut Step) {
        let Some(job) = self.job.as_ref().filter(|_| self.is_active() || !self.returns_changed()) else { return };
        let (record, action) = (&self.rows().record, job.action());
        if !record.in_registry || record.action != action {
            let job = record.name.clone();
            self.write(Entry::Registered { job, action: Some(action) }, step);
        }
    }
}
