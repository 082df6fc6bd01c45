//! Before many missed dates are attempted: how many, of which jobs, and for about how long.

use std::time::Duration;

use crate::job::{Job, JobName};
use crate::ledger::{LedgerUrl, Reader};
use crate::registry::Registry;
use crate::scheduler::{JobCondition, Scheduler};

/// So many attempts tell how long one commonly takes.
const MEASURED: u32 = 20;

/// So many jobs are named; those with the most dates.
const NAMED: usize = 8;

/// The jobs that have missed dates which will be attempted, with how many: the most first.
pub(super) fn missed(scheduler: &Scheduler, registry: &Registry) -> Vec<(u64, JobName)> {
    let missed = |job: &Job| {
        let view =
            scheduler.view(&job.name).filter(|view| view.disabled.is_none() && view.state != JobCondition::Disabled)?;
        Some((view.backlog.saturating_sub(scheduler.held(&job.name)), job.name.clone()))
    };
    let mut missed: Vec<(u64, JobName)> =
        registry.jobs.iter().filter_map(missed).filter(|(backlog, _)| *backlog > 0).collect();
    missed.sort_by(|(a, name), (b, other)| b.cmp(a).then_with(|| name.cmp(other)));
    missed
}

/// The sentence, if more dates than `most` will be attempted.
pub(super) fn text(missed: &[(u64, JobName)], most: u64, url: &LedgerUrl) -> Option<String> {
    let total: u64 = missed.iter().map(|(backlog, _)| backlog).sum();
    if total <= most {
        return None;
    }
    // How long it takes is only said if the ledger knows.
    let mut reader = Reader::open(url).ok();
    let mut typical = |name: &JobName| reader.as_mut().and_then(|reader| typical(reader, name));
    let mut parts: Vec<String> = missed
        .iter()
        .take(NAMED)
        .map(|(count, name)| match typical(name) {
            Some(each) => format!("{count} of {name} ({})", about(each, *count)),
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

/// How long a date of a job commonly takes.
fn typical(reader: &mut Reader, name: &JobName) -> Option<Duration> {
    let mut durations = reader.durations(name, MEASURED).ok()?;
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied()
}

/// `about 3 hours`.
fn about(each: Duration, count: u64) -> String {
    let all = each.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)).as_secs();
    match all {
        0..60 => "less than a minute".to_owned(),
        60..7_200 => format!("about {} minutes", all.div_ceil(60)),
        7_200..172_800 => format!("about {} hours", all.div_ceil(3_600)),
        _ => format!("about {} days", all.div_ceil(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_roughly() {
        let told =
            [(1, 1), (60, 2), (3_600, 3), (86_400, 10)].map(|(each, count)| about(Duration::from_secs(each), count));
        insta::assert_snapshot!(told.join(", "), @"less than a minute, about 2 minutes, about 3 hours, about 10 days");
    }
}
