//! What the daemon's own scheduler says about a ledger and a registry, without writing any of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::environment;
use crate::job::{Job, JobName};
use crate::registry::Registry;
use crate::scheduler::{Recovered, Scheduler, Step};

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

/// Hands the registry to a scheduler over the ledger's state; returns it with its first decisions.
pub(crate) fn ask(
    recovered: Recovered,
    registry: Registry,
    question: Question,
    now: DateTime<Utc>,
) -> (Scheduler, Step, Vec<Arc<Job>>) {
    let jobs: Vec<Arc<Job>> = registry.jobs.into_iter().map(Arc::new).collect();
    let held_after = recovered.clock_held_after;
    let mut scheduler = Scheduler::new(recovered, &environment::host_name(), registry.daemon.max_running, now);
    scheduler.hold_after(held_after);
    scheduler.set_pools(registry.pools);
    scheduler.set_announce_over(registry.daemon.announce_over);
    scheduler.set_timezone(registry.daemon.timezone);
    if question == Question::State {
        scheduler.freeze();
    }
    let step = scheduler.take_registry(jobs.clone(), now);
    (scheduler, step, jobs)
}
