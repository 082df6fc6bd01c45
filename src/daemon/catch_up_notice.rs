//! Before many missed dates are attempted: how many, of which jobs, and for about how long.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock;
use crate::duration::about;
use crate::job::{Job, JobName};
use crate::ledger::{LedgerUrl, Reader};
use crate::registry::Registry;
use crate::report::duration_stats::typical;
use crate::report::scheduling::{Decided, Question, ask};
use crate::scheduler::{JobCondition, Recovered, Scheduler};

/// So many jobs are named; those with the most dates.
const NAMED: usize = 8;

/// The dates that are announced are counted one by one up to this.
const COUNTED: u64 = 20_000;

/// A clock that is farther ahead is wrong rather than late: nothing is counted for it.
const LONGEST_OUTAGE: TimeDelta = TimeDelta::days(366);

/// What is known before the dates are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missed {
    /// No more dates will be attempted.
    at_most: u64,
    /// They are attempted once the clock is believed.
    is_clock_held: bool,
}

/// How many dates are due of the jobs that may run, and may be required by them. `clock_seen` is when the clock was last
/// believed.
pub(super) fn missed(scheduler: &Scheduler, registry: &Registry, clock_seen: Option<DateTime<Utc>>) -> Missed {
    if scheduler.holds_dates() {
        let is_outage = clock_seen.is_some_and(|seen| scheduler.now() - seen < LONGEST_OUTAGE);
        return Missed { at_most: if is_outage { u64::MAX } else { 0 }, is_clock_held: true };
    }
    let due = |job: &Job| Some(scheduler.view(&job.name)?.backlog.saturating_mul(1 + job.require.len() as u64));
    Missed { at_most: registry.jobs.iter().filter_map(due).sum(), is_clock_held: false }
}

/// The sentence, if more dates than `announce_over` will be attempted.
pub(super) fn text(missed: Missed, registry: &Registry, url: &LedgerUrl) -> Option<String> {
    let most = registry.daemon.announce_over;
    if missed.at_most <= most {
        return None;
    }
    let when = if missed.is_clock_held { "once the clock is believed" } else { "now" };
    let mut reader = Reader::open(url).ok()?;
    let recovered = Recovered { clock_hold: None, ..reader.recovered_for(&registry.jobs).ok()? };
    let Decided { mut scheduler, step: first, .. } = ask(recovered, registry.clone(), Question::Wake, clock::now());
    let backlog = backlogs(&scheduler, registry);
    let forecast = scheduler.forecast(&first, most.saturating_add(COUNTED));
    let roughly = if forecast.has_more { "about " } else { "" };
    let mut missed: BTreeMap<JobName, u64> = forecast.attempts;
    if forecast.has_more {
        for (name, count) in backlog {
            let counted = missed.entry(name).or_default();
            *counted = count.max(*counted);
        }
    }
    let total: u64 = missed.values().sum();
    if total <= most {
        return None;
    }
    let mut missed: Vec<(JobName, u64)> = missed.into_iter().filter(|(_, count)| *count > 0).collect();
    missed.sort_by(|(name, a), (other, b)| b.cmp(a).then_with(|| name.cmp(other)));
    // How long it takes is only said if the ledger knows.
    let mut typical = |name: &JobName| typical(&mut reader, name).ok().flatten();
    let mut parts: Vec<String> = missed
        .iter()
        .take(NAMED)
        .map(|(name, count)| match typical(name) {
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
        "{roughly}{total} dates were missed and are attempted {when}, oldest first: {}; `crontabber skip` or `disable` stops that",
        parts.join(", ")
    ))
}

/// How many dates of each job are due and not held: an estimate of what is attempted.
fn backlogs(scheduler: &Scheduler, registry: &Registry) -> Vec<(JobName, u64)> {
    let due = |job: &Job| {
        let view =
            scheduler.view(&job.name).filter(|view| view.disabled.is_none() && view.state != JobCondition::Disabled)?;
        Some((job.name.clone(), view.backlog.saturating_sub(scheduler.held(&job.name))))
    };
    registry.jobs.iter().filter_map(due).collect()
}
