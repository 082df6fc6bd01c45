//! The dates of other jobs that hang below some dates of a job, and what would be done about them: `--downstream`.
//!
//! A date hangs below those that it depends on (`depends_on`, `require`), and below what these depend on. Without a period, a
//! date depends on all earlier dates of the other job; it hangs below those since the job's previous date, and at least below
//! the newest of them.

mod downstream_job;
mod search;

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::error::ReportError;
use super::scheduling::{Decided, Question, ask, recorded_as};
use super::zones::Zones;
use crate::job::{Job, JobName};
use crate::ledger::Reader;
use crate::registry::Registry;
use crate::scheduler::Recovered;
use crate::session::{Operation, Request};
pub(crate) use downstream_job::{DownstreamJob, DownstreamRow};
use search::{Affected, Search, sorted};

/// Most dates of other jobs that are skipped together, each by a request of its own.
const MOST_SKIPPED: usize = 1_000;

/// What hangs below the `dates` that a request changes, in the order in which the jobs depend on one another.
///
/// # Errors
/// The ledger cannot be read, or there are too many dates.
pub(crate) fn downstream(
    request: &Request,
    dates: &BTreeSet<DateTime<Utc>>,
    registry: &Registry,
    mut reader: Option<&mut Reader>,
) -> Result<Vec<DownstreamJob>, ReportError> {
    let recovered = reader.as_deref_mut().map_or_else(|| Ok(Recovered::default()), Reader::recovered)?;
    let names = registry.jobs.iter().map(|job| (job.name.clone(), recorded_as(registry, &recovered, &job.name)));
    let names: HashMap<JobName, JobName> = names.collect();
    let zones = Zones::of_recovered(Some(registry), &recovered);
    let Decided { scheduler, .. } = ask(recovered, registry.clone(), Question::State, request.at);
    let mut search = Search { operation: &request.operation, now: request.at, scheduler, zones, names, reader };
    let jobs: HashMap<&JobName, &Job> = registry.jobs.iter().map(|job| (&job.name, job)).collect();
    let mut affected: HashMap<&JobName, Affected> = HashMap::new();
    let mut found = Vec::new();
    for job in sorted(&jobs) {
        if Some(&job.name) == request.job.as_ref() {
            affected.insert(&job.name, search.root(job, dates)?);
        } else if let Some((of_job, hanging)) = search.below(job, &jobs, &affected)? {
            affected.insert(&job.name, hanging);
            found.push(of_job);
        }
    }
    found.retain(|job| !job.dates.is_empty() || !job.left_out.is_empty());
    let skipped: usize = found.iter().map(|job| job.dates.len()).sum();
    if matches!(request.operation, Operation::Skip(_)) && skipped > MOST_SKIPPED {
        return Err(ReportError::new(format!(
            "that would skip {skipped} dates of other jobs, and `--downstream` skips {MOST_SKIPPED} at most: name fewer \
             dates; nothing was changed"
        )));
    }
    Ok(found)
}
