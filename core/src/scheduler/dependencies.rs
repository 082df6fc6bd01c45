//! What blocks a date: `depends_on` and `require`.

use chrono::{DateTime, Utc};

use crate::job::{Dependency, Job, JobName};
use crate::session::{State, Trigger};

use super::Scheduler;
use super::job_state::{Candidates, JobState};
use super::queue::Session;
use super::status::BlockReason;
use super::step::Step;

impl Scheduler {
    /// Which dates of a job may start. Enters missing dates of required jobs first.
    pub(super) fn candidates(&mut self, name: &JobName, step: &mut Step) -> Candidates {
        let now = self.effective_now();
        let Some(job_state) = self.jobs.get(name) else { return Candidates::default() };
        let Some(job) = job_state.job.clone() else { return Candidates::default() };
        if self.pauses_of(&job).next().is_some() {
            return Candidates::default();
        }
        // Each round may find one more date whose required jobs have no such date yet.
        for _ in 0..=job.date_policy.max_parallel() {
            let Some(job_state) = self.jobs.get(name) else { break };
            let found = job_state
                .candidates(now, |date, is_backfill| self.block_of(job_state, &job, date, is_backfill).is_none());
            let dates = [found.of_schedule, found.of_backfill.map(|(date, _)| date)];
            let mut any = false;
            for date in dates.into_iter().flatten() {
                any |= self.enter_required(&job, date, step);
            }
            if !any {
                return found;
            }
        }
        // That is enough for one step. Of the other dates, take those whose required jobs have them.
        let Some(job_state) = self.jobs.get(name) else { return Candidates::default() };
        job_state.candidates(now, |date, is_backfill| {
            let is_there = |name: &JobName| self.jobs.get(name).is_some_and(|job_state| job_state.rows().has_row(date));
            job.require.iter().all(is_there) && self.block_of(job_state, &job, date, is_backfill).is_none()
        })
    }

    /// What blocks a date of a job that is not paused, besides its own state.
    pub(super) fn block_of(
        &self,
        job_state: &JobState,
        job: &Job,
        date: DateTime<Utc>,
        is_backfill: bool,
    ) -> Option<BlockReason> {
        let hold = self.held_by_clock(job, date, job_state.rows().get(date));
        hold.or_else(|| self.first_blocker(job, date, is_backfill))
    }

    /// Enters a date in the required jobs that have none; returns whether there were any.
    fn enter_required(&mut self, job: &Job, date: DateTime<Utc>, step: &mut Step) -> bool {
        let mut entered = Vec::new();
        for name in &job.require {
            let Some(job_state) = self.jobs.get_mut(name).filter(|job_state| !job_state.rows().has_row(date)) else {
                continue;
            };
            job_state.write_waiting(date, Trigger::Required, step);
            entered.push(name.clone());
        }
        for name in &entered {
            self.reconsider(name, step);
        }
        !entered.is_empty()
    }

    /// The first job that blocks `date`, with its unsettled date.
    pub(super) fn first_blocker(&self, job: &Job, date: DateTime<Utc>, is_backfill: bool) -> Option<BlockReason> {
        let mut dependencies = job.depends_on.iter();
        dependencies
            .find_map(|dependency| self.blocked_by_dependency(job, dependency, date, is_backfill))
            .or_else(|| job.require.iter().find_map(|name| self.requirement(name, date)))
    }

    /// All jobs that block `date`.
    pub(super) fn blockers(&self, job: &Job, date: DateTime<Utc>, is_backfill: bool) -> Vec<BlockReason> {
        let dependencies = job
            .depends_on
            .iter()
            .filter_map(|dependency| self.blocked_by_dependency(job, dependency, date, is_backfill));
        let required = job.require.iter().filter_map(|name| {
            // The required job gets the date when its turn comes.
            let is_there = || self.jobs.get(name).is_some_and(|job_state| job_state.rows().has_row(date));
            let ahead = || (!is_there()).then(|| BlockReason::Dependency { job: name.clone(), date: Some(date) });
            self.requirement(name, date).or_else(ahead)
        });
        dependencies.chain(required).collect()
    }

    fn blocked_by_dependency(
        &self,
        job: &Job,
        dependency: &Dependency,
        date: DateTime<Utc>,
        is_backfill: bool,
    ) -> Option<BlockReason> {
        let name = &dependency.job;
        // The dates of a job that is probably renamed are those of its former name.
        let Some(job_state) = self.jobs.get(name).filter(|_| !self.probable_renames.contains_key(name)) else {
            return Some(BlockReason::Dependency { job: name.clone(), date: None });
        };
        let zone = self.jobs.get(&job.name).map_or_else(|| job.timetable.zone(), |dependent| dependent.zone_of(date));
        let span = dependency.span(date, zone);
        let is_done = |session: &Session| {
            dependency.ignore_failure && matches!(session.state, State::Failed { .. } | State::Held { .. })
        };
        let backfilled = || {
            let queues = job_state.rows().backfills.values().filter(|_| is_backfill).map(|backfill| &backfill.queue);
            queues.filter_map(|queue| queue.first_within(span.from, span.until, is_done)).min()
        };
        let unsettled = job_state.unsettled_within(span.from, span.until, is_done).or_else(backfilled);
        match unsettled {
            Some(unsettled) => Some(BlockReason::Dependency { job: name.clone(), date: Some(unsettled) }),
            // A period without any date of the other job blocks nothing.
            None if dependency.covers.is_some() || job_state.rows().has_settled => None,
            None if job_state.rows().main.sessions().values().any(is_done) => None,
            None => Some(BlockReason::Dependency { job: name.clone(), date: None }),
        }
    }

    /// What blocks a date in a required job: it is unsettled there.
    fn requirement(&self, name: &JobName, date: DateTime<Utc>) -> Option<BlockReason> {
        let waits_for = |date| Some(BlockReason::Dependency { job: name.clone(), date });
        // The job may be waiting to take over the ledger of its former name.
        let Some(job_state) = self.jobs.get(name) else { return waits_for(None) };
        job_state.rows().get(date).and_then(|_| waits_for(Some(date)))
    }
}
