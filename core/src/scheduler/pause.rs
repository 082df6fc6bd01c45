//! Pauses: the dates of paused jobs are recorded, and no new attempt starts.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use crate::job::{Job, JobName};
use crate::session::{Entry, Pause, PauseScope};

use super::Scheduler;
use super::notification::Notification;
use super::step::Step;

impl Scheduler {
    /// Whether a job of the registry is paused.
    pub(super) fn is_paused(&self, name: &JobName) -> bool {
        let job = self.jobs.get(name).and_then(|job_state| job_state.job.as_ref());
        job.is_some_and(|job| self.pauses_of(job).next().is_some())
    }

    /// All pauses in force.
    pub fn pauses(&self) -> impl Iterator<Item = &Pause> {
        self.pauses.values()
    }

    /// The pauses of a job of the registry, the one that ends last first.
    pub(super) fn pauses_by_end(&self, job: &Job) -> Vec<Pause> {
        let mut pauses: Vec<Pause> = self.pauses_of(job).cloned().collect();
        pauses.sort_by_key(|pause| Reverse(pause.until.unwrap_or(DateTime::<Utc>::MAX_UTC)));
        pauses
    }

    /// The pauses of a job of the registry; each of them keeps it from running.
    pub(super) fn pauses_of(&self, job: &Job) -> impl Iterator<Item = &Pause> {
        self.pauses.values().filter(|pause| pause.scope.has(job))
    }

    /// When the first pause of a job ends by itself.
    pub(super) fn paused_until(&self, name: &JobName) -> Option<DateTime<Utc>> {
        let job = self.jobs.get(name)?.job.as_ref()?;
        self.pauses_of(job).filter_map(|pause| pause.until).min()
    }

    /// The jobs of the registry that a scope has.
    pub(super) fn jobs_of(&self, scope: &PauseScope) -> Vec<JobName> {
        let jobs = self.jobs.iter().filter(|(_, job_state)| job_state.job.as_ref().is_some_and(|job| scope.has(job)));
        jobs.map(|(name, _)| name.clone()).collect()
    }

    /// How many due dates of a job are unsettled and do not run, those of backfills included.
    pub(super) fn waiting_of(&self, name: &JobName) -> u64 {
        let Some(job_state) = self.jobs.get(name) else { return 0 };
        (job_state.behind(self.now) + job_state.backfilling()).saturating_sub(job_state.rows().open.len() as u64)
    }

    /// Writes a pause or its end, and changes memory in the same way.
    pub(super) fn write_pause(&mut self, entry: Entry, step: &mut Step) {
        let scope = match &entry {
            Entry::Pause(pause) => {
                self.pauses.insert(pause.scope.clone(), pause.clone());
                pause.scope.clone()
            }
            Entry::Resume { scope } => {
                self.pauses.remove(scope);
                scope.clone()
            }
            _ => return,
        };
        step.entries.push(entry);
        for name in self.jobs_of(&scope) {
            self.reconsider(&name, step);
        }
    }

    /// Ends the pauses whose `--until` has passed.
    pub(super) fn end_pauses(&mut self, step: &mut Step) {
        let is_over = |pause: &&Pause| pause.until.is_some_and(|until| until <= step.believed_now);
        let over: Vec<PauseScope> = self.pauses.values().filter(is_over).map(|pause| pause.scope.clone()).collect();
        for scope in over {
            step.notes.push(Notification::PauseOver { scope: scope.clone() });
            self.write_pause(Entry::Resume { scope }, step);
        }
    }

    /// Reports the pauses in force.
    pub(super) fn report_pauses(&self, step: &mut Step) {
        for pause in self.pauses.values() {
            let jobs = self.jobs_of(&pause.scope);
            let waiting = jobs.iter().map(|name| self.waiting_of(name)).sum();
            step.notes.push(Notification::Paused { pause: pause.clone(), jobs: jobs.len() as u64, waiting });
        }
    }
}
