//! What the daemon's own scheduler says about a ledger and a registry, without writing any of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::environment;
use crate::job::{Job, JobName};
use crate::registry::Registry;
use crate::scheduler::{JobStatus, Recovered, Scheduler, Step};
use crate::session::ClockHold;

/// What to ask the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// The state of every job; nothing is started.
    State,
    /// What a wake would start.
    Wake,
}

/// The name of a job in the ledger, which may still have it under its previous name.
pub(crate) fn recorded_as(registry: &Registry, recovered: &Recovered, job: &JobName) -> JobName {
    let is_known = |name: &JobName| recovered.jobs.iter().any(|record| record.name == *name);
    let previously = registry.jobs.iter().find(|known| known.name == *job).and_then(|job| job.previously.as_ref());
    previously.filter(|before| !is_known(job) && is_known(before)).unwrap_or(job).clone()
}

/// What the scheduler says.
pub(crate) struct Decided {
    pub(crate) scheduler: Scheduler,
    /// Its first decisions.
    pub(crate) step: Step,
    pub(crate) jobs: Vec<Arc<Job>>,
    /// What it says once the clock is believed; absent if it is believed now.
    later: Option<Box<(Scheduler, Step)>>,
}

impl Decided {
    /// The status of a job. Dates that wait for the clock to be believed are counted.
    pub(crate) fn view(&self, name: &JobName) -> Option<JobStatus> {
        let view = self.scheduler.view(name)?;
        let Some(later) = self.later.as_ref().and_then(|later| later.0.view(name)) else { return Some(view) };
        let JobStatus { backlog, oldest, next, .. } = later;
        Some(JobStatus { backlog, oldest: view.oldest.or(oldest), next, ..view })
    }

    /// The scheduler and its first decisions once the clock is believed.
    pub(crate) fn once_believed(&self) -> (&Scheduler, &Step) {
        self.later.as_ref().map_or((&self.scheduler, &self.step), |later| (&later.0, &later.1))
    }
}

/// Hands the registry to a scheduler over the ledger's state, and has it decide.
pub(crate) fn ask(mut recovered: Recovered, registry: Registry, question: Question, now: DateTime<Utc>) -> Decided {
    let hold = recovered.clock_hold.take();
    let is_counted = hold.is_some_and(|hold| hold.may_be_outage(now));
    let later = is_counted.then(|| decide(recovered.clone(), registry.clone(), None, Question::State, now));
    let (scheduler, step, jobs) = decide(recovered, registry, hold, question, now);
    Decided { scheduler, step, jobs, later: later.map(|(scheduler, step, _)| Box::new((scheduler, step))) }
}

fn decide(
    recovered: Recovered,
    registry: Registry,
    clock_hold: Option<ClockHold>,
    question: Question,
    now: DateTime<Utc>,
) -> (Scheduler, Step, Vec<Arc<Job>>) {
    let jobs: Vec<Arc<Job>> = registry.jobs.into_iter().map(Arc::new).collect();
    let mut scheduler = Scheduler::new(recovered, &environment::host_name(), registry.daemon.max_running, now);
    scheduler.set_clock_hold(clock_hold);
    scheduler.set_pools(registry.pools);
    scheduler.set_announce_over(registry.daemon.announce_over);
    scheduler.set_timezone(registry.daemon.timezone);
    if question == Question::State {
        scheduler.freeze();
    }
    let step = scheduler.take_registry(jobs.clone(), now);
    (scheduler, step, jobs)
}
