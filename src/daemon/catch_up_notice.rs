//! Before many missed dates are attempted: how many, of which jobs, and for about how long.

use crate::clock;
use crate::duration::about;
use crate::job::{Job, JobName};
use crate::ledger::{LedgerUrl, Reader};
use crate::registry::Registry;
use crate::report::duration_stats::typical;
use crate::report::scheduling::{Question, ask};
use crate::scheduler::{JobCondition, Scheduler};

/// So many jobs are named; those with the most dates.
const NAMED: usize = 8;

/// The jobs that have missed dates which will be attempted, with how many: the most first.
pub(super) fn missed(scheduler: &Scheduler, registry: &Registry) -> Vec<(u64, JobName)> {
    let missed = |job: &Job| {
        let view =
            scheduler.view(&job.name).filter(|view| view.disabled.is_none() && view.state != JobCondition::Disabled)?;
        let view = Some(view).filter(|view| view.paused.is_none())?;
        Some((view.backlog.saturating_sub(scheduler.held(&job.name)), job.name.clone()))
    };
    let mut missed: Vec<(u64, JobName)> =
        registry.jobs.iter().filter_map(missed).filter(|(backlog, _)| *backlog > 0).collect();
    missed.sort_by(|(a, name), (b, other)| b.cmp(a).then_with(|| name.cmp(other)));
    missed
}

/// The sentence, if more dates than `announce_over` will be attempted.
pub(super) fn text(missed: &[(u64, JobName)], registry: &Registry, url: &LedgerUrl) -> Option<String> {
    let most = registry.daemon.announce_over;
    let total: u64 = missed.iter().map(|(backlog, _)| backlog).sum();
    if total <= most {
        return None;
    }
    let mut reader = Reader::open(url).ok();
    // The count so far is an upper bound: what is superseded or too old is recorded in the steps to come.
    let exact = reader.as_mut().and_then(|reader| reader.recovered_for(&registry.jobs).ok()).map(|recovered| {
        let (scheduler, ..) = ask(recovered, registry.clone(), Question::State, clock::now());
        self::missed(&scheduler, registry)
    });
    let missed = exact.as_deref().unwrap_or(missed);
    let total: u64 = missed.iter().map(|(backlog, _)| backlog).sum();
    if total <= most {
        return None;
    }
    // How long it takes is only said if the ledger knows.
    let mut typical = |name: &JobName| reader.as_mut().and_then(|reader| typical(reader, name).ok()?);
    let mut parts: Vec<String> = missed
        .iter()
        .take(NAMED)
        .map(|(count, name)| match typical(name) {
            Some(each) => {
                format!("{count} of {name} ({})", about(each.saturating_mul(u32::try_from(*count).unwrap_or(u32::MAX))))
            }
            None => format!("{count} of {name}"),
        })
        .collect();
    if missed.len() > NAMED {
        parts.push(format!("and those of {} more jobs", missed.len() - NAMED));
    }
    Some(format!(
        "{total} dates were missed and are attempted now, oldest first: {}; `crontabber skip` or `disable` stops that",
        parts.join(", ")
    ))
}
