//! Renamed jobs: a new name runs no past of a job that is gone, unless the registry says that it is another job.

use crontabber_core::job::JobName;

use super::View;
use crate::Held;
use crate::ledger::{JobRows, Ledger};
use crate::plan::{Registry, Spec};

/// The jobs that are gone since the last registry and have dates, unless another job takes them over.
fn gone<'a>(ledger: &'a Ledger, registry: &'a Registry) -> impl Iterator<Item = &'a JobName> {
    let is_claimed = |name: &JobName| registry.jobs.values().any(|spec| spec.job.previously.as_ref() == Some(name));
    let has_dates = |rows: &JobRows| rows.record.watermark.is_some() || rows.record.generation > 1;
    let rows = ledger.jobs.iter().filter(move |(_, rows)| rows.record.in_registry && has_dates(rows));
    rows.map(|(name, _)| name).filter(move |name| !registry.jobs.contains_key(*name) && !is_claimed(name))
}

/// Whether a new job may be one that is gone.
pub(super) fn is_probable_rename(spec: &Spec, ledger: &Ledger, registry: &Registry) -> bool {
    let has_past = spec.calendar.start.is_some();
    let is_named = spec.job.previously.as_ref().is_some_and(|before| ledger.jobs.contains_key(before));
    !spec.job.is_new && has_past && !is_named && gone(ledger, registry).next().is_some()
}

/// A job enters as a new one: none that is gone has its action.
pub(super) fn is_new(name: &JobName, view: &View<'_>) -> Held {
    let (ledger, registry) = (view.ledger, &view.context.registry);
    let Some(spec) = registry.jobs.get(name) else { return Ok(()) };
    let has_past = spec.calendar.start.is_some_and(|start| {
        spec.calendar.next(start - super::TICK).is_some_and(|date| spec.calendar.due(date) <= view.context.time)
    });
    let is_same = |gone: &&JobName| ledger.jobs[*gone].record.action == spec.job.action();
    let same = gone(ledger, registry).find(is_same).filter(|_| has_past && spec.job.enabled && !spec.job.is_new);
    match same {
        Some(before) => Err(format!("P1: {name} enters as a new job, and is probably {before}")),
        None => Ok(()),
    }
}

/// The ledger learns what the registry has.
pub(super) fn registered(job: &JobName, action: Option<&str>, view: &View<'_>) -> Held {
    let spec = view.context.registry.jobs.get(job);
    if spec.map(|spec| spec.job.action()).as_deref() == action {
        return Ok(());
    }
    Err(format!("P4: {job} is said to have the action {action:?} in the registry: {:?}", spec.map(|spec| &spec.job)))
}
