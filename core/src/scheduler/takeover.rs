//! A renamed job takes over the dates of its former name.
//!
//! It may have dates of its own already, if it was entered before the registry said what it was called. While none of
//! them has succeeded they become its generation [`REPLACED`](crate::session::REPLACED), and the dates of the former name
//! count. What runs ends first, under either name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Scheduler;
use super::job_state::JobState;
use super::notification::Notification;
use super::step::Step;
use super::successor::Successor;
use crate::job::{Job, JobName};
use crate::session::{Disabled, Entry};

/// What becomes of the dates of a job's former name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takeover {
    /// The job has no former name with dates that it could take over.
    None,
    /// Attempts are open.
    Waits,
    /// They are the job's now.
    Done,
}

impl Scheduler {
    /// Lets a job take over the dates of its former name, unless attempts are open.
    pub(super) fn take_over(&mut self, job: &Arc<Job>, step: &mut Step) -> Takeover {
        let name = job.name.clone();
        if let Some(own) = self.jobs.get_mut(&name) {
            own.takes_over = None;
        }
        let is_known = |before: &&JobName| self.jobs.get(*before).is_some_and(|former| former.job.is_none());
        let Some(before) = job.previously.clone().filter(|before| is_known(&before)) else { return Takeover::None };
        let replaces = self.jobs.contains_key(&name);
        if replaces && !self.may_replace(&name, &before) {
            step.notes.push(Notification::IneffectivePreviously { job: name, previously: before });
            return Takeover::None;
        }
        if [&before, &name].into_iter().any(|name| self.jobs.get(name).is_some_and(|job_state| job_state.is_busy())) {
            if let Some(own) = self.jobs.get_mut(&name) {
                own.set_job(job.clone());
                own.takes_over = Some(before);
            }
            return Takeover::Waits;
        }
        let by = self.jobs.get(&name).and_then(|own| own.rows().disabled.clone());
        if replaces {
            self.remove(&name, step);
            self.forget(&name);
        }
        let Some(mut job_state) = self.forget(&before) else { return Takeover::None };
        job_state.write(Entry::Rename { from: before.clone(), to: name.clone(), replaces }, step);
        self.former_names.insert(job_state.rows().record.stable_name.clone());
        // What an operator disabled stays so.
        if let Some(disabled) = by.filter(|by| !by.is_by_itself() && job_state.rows().disabled.is_none()) {
            job_state.write(Entry::Disable(Disabled { job: name.clone(), ..disabled }), step);
        }
        self.jobs.insert(name.clone(), job_state);
        step.notes.push(Notification::Renamed { job: name, previously: before, replaces });
        Takeover::Done
    }

    /// Reports the jobs that are new to the ledger, as is their former name. In an empty ledger, as of a copied registry, no
    /// name is known.
    pub(super) fn report_unknown_former_names(
        &self,
        jobs: &[Arc<Job>],
        held: &BTreeMap<JobName, JobName>,
        step: &mut Step,
    ) {
        let is_known = |name: &JobName| self.jobs.contains_key(name);
        let is_new = |name: &JobName| !self.jobs.is_empty() && !is_known(name) && !held.contains_key(name);
        for job in jobs.iter().filter(|job| is_new(&job.name)) {
            if let Some(previously) = job.previously.clone().filter(|previously| !is_known(previously)) {
                step.notes.push(Notification::UnknownPreviously { job: job.name.clone(), previously });
            }
        }
    }

    /// Lets a renamed job wait for attempts to end.
    pub(super) fn wait_for_attempts(&mut self, successor: Successor, step: &mut Step) {
        let (job, previously) = (successor.job.name.clone(), successor.job.previously.clone());
        step.notes.extend(previously.map(|previously| Notification::WaitsToSucceed { job, previously }));
        self.successors.push(successor);
    }

    /// Decides about the renamed jobs that waited for the attempts of `name` to end.
    pub(super) fn adopt_successors(&mut self, name: &JobName, step: &mut Step) {
        let is_its =
            |successor: &mut Successor| successor.job.name == *name || successor.job.previously.as_ref() == Some(name);
        let ready: Vec<Successor> = self.successors.extract_if(.., is_its).collect();
        for successor in ready {
            let name = successor.job.name.clone();
            let recordings = match self.take_over(&successor.job, step) {
                Takeover::Waits => {
                    self.successors.push(successor);
                    continue;
                }
                Takeover::Done => successor.former,
                Takeover::None => successor.own,
            };
            _ = self.adopt(&successor.job, recordings, step);
            self.reconsider(&name, step);
            self.reconsider_dependents(&name, step);
        }
    }

    /// Whether the dates of `before` may count instead of those that a job has of its own.
    fn may_replace(&self, name: &JobName, before: &JobName) -> bool {
        let own = self.jobs.get(name).is_some_and(|own| own.rows().record.may_be_replaced());
        own && self.jobs.get(before).is_some_and(|former| !former.rows().record.has_replaced)
    }

    fn forget(&mut self, name: &JobName) -> Option<Box<JobState>> {
        let mut job_state = self.jobs.remove(name)?;
        if let Some(timer) = job_state.timer.take() {
            self.timers.remove(&(timer, name.clone()));
        }
        Some(job_state)
    }

    /// The name under which attempts of a job are open: its former one, until it has taken over the dates.
    pub(super) fn open_as(&self, name: &JobName) -> JobName {
        let is_open = |name: &JobName| self.jobs.get(name).is_some_and(|job_state| !job_state.rows().open.is_empty());
        let successor = self.successors.iter().find(|successor| successor.job.name == *name);
        let before = successor.and_then(|successor| successor.job.previously.as_ref());
        before.filter(|_| !is_open(name)).unwrap_or(name).clone()
    }

    /// The name that the registry has for a job: its new one, also while the dates have the former one.
    pub(super) fn registered_as(&self, name: &JobName) -> JobName {
        let successor = self.successors.iter().find(|successor| successor.job.previously.as_ref() == Some(name));
        successor.map_or(name, |successor| &successor.job.name).clone()
    }

    /// Why a job that waits for its former name does nothing that is asked of it.
    pub(super) fn refuse_successor(&self, name: &JobName) -> Result<(), String> {
        let successor = self.successors.iter().find(|successor| successor.job.name == *name);
        let Some(before) = successor.and_then(|successor| successor.job.previously.as_ref()) else { return Ok(()) };
        let open = self.open_as(name);
        Err(format!(
            "job `{name}` takes over the dates of `{before}` once the open attempt of `{open}` has ended; \
             `crontabber kill {name}` ends it"
        ))
    }
}

impl JobState {
    /// Whether its dates cannot change hands now.
    fn is_busy(&self) -> bool {
        !self.rows().open.is_empty()
            || !self.probing.is_empty()
            || !self.entering.is_empty()
            || !self.cancelling.is_empty()
    }
}
