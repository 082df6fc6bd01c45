//! What `--downstream` adds to a change: requests about other jobs, and their preview.

use std::io::{self, Write};

use crate::job::JobName;
use crate::report::downstream::DownstreamJob;
use crate::session::{Operation, Reply, Request};
use crate::text::counted;

/// The requests about the dates that hang below those of `request`.
pub(super) fn requests(request: &Request, downstream: &[DownstreamJob]) -> Vec<Request> {
    let reason = request
        .reason
        .clone()
        .unwrap_or_else(|| format!("downstream of `{}`", request.job.as_ref().map_or("", JobName::as_str)));
    let of_job = |job: &DownstreamJob| -> Vec<Request> {
        let reason = Some(reason.clone());
        let with =
            |operation| Request { job: Some(job.job.clone()), operation, reason: reason.clone(), ..request.clone() };
        job.operations.iter().cloned().map(with).collect()
    };
    downstream.iter().flat_map(of_job).collect()
}

/// The preview: each job with its dates.
pub(super) fn lines(downstream: &[DownstreamJob]) -> Vec<String> {
    let mut lines: Vec<String> =
        downstream.iter().flat_map(DownstreamJob::lines).map(|line| format!("  {line}")).collect();
    if !lines.is_empty() {
        lines.insert(0, "these dates of other jobs depend on them:".to_owned());
    }
    lines
}

/// `, and 12 dates of 2 other jobs`, if there are any.
pub(super) fn summary(downstream: &[DownstreamJob]) -> String {
    let changed = || downstream.iter().map(|job| job.dates.len()).filter(|count| *count > 0);
    match (changed().count(), changed().sum::<usize>()) {
        (0, _) => String::new(),
        (jobs, dates) => {
            let jobs = if jobs == 1 { "another job".to_owned() } else { format!("{jobs} other jobs") };
            format!(", and {} of {jobs}", counted(dates as u64, "date"))
        }
    }
}

/// Prints the answers; those about many skipped dates of a job in one line.
pub(super) fn print(downstream: &[DownstreamJob], replies: &[Reply]) {
    let mut replies = replies.iter();
    for job in downstream {
        let of_job: Vec<&Reply> = replies.by_ref().take(job.operations.len()).collect();
        let is_short = matches!(job.operations.as_slice(), [Operation::Skip(_), Operation::Skip(_), ..]);
        let done = of_job.iter().filter(|reply| reply.done);
        // A closed stdout or stderr cannot be reported to anybody.
        if is_short {
            let count = counted(done.count() as u64, "date");
            _ = writeln!(io::stdout(), "`{}`: skipped {count}, each by a request of its own", job.job);
        } else {
            done.for_each(|reply| _ = writeln!(io::stdout(), "{}", reply.text));
        }
        for refused in of_job.iter().filter(|reply| !reply.done) {
            _ = writeln!(io::stderr(), "error: {}", refused.text);
        }
    }
}
