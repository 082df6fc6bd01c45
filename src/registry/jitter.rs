//! The share of its `jitter` that a job gets: not random, but derived from the names of the job and the host.
//!
//! The ledger records the resulting delay, so the result must never change between versions.

use std::time::Duration;

use crate::text::fnv_1a;

/// Returns a whole number of seconds from 0 to `jitter`, the same for a job on a host every time.
pub(super) fn part(job: &str, host: &str, jitter: Duration) -> Duration {
    // Names do not contain a zero byte: it separates them.
    let names = job.bytes().chain([0]).chain(host.bytes());
    Duration::from_secs(fnv_1a(names) % jitter.as_secs().saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_keeps_its_part() {
        let ten_minutes = Duration::from_mins(10);
        let parts = [("load", "alpha"), ("load", "beta"), ("clean", "alpha"), ("loada", "lpha")]
            .map(|(job, host)| part(job, host, ten_minutes).as_secs());
        assert_eq!(parts, [125, 152, 469, 290]);
        assert_eq!(part("load", "alpha", Duration::ZERO), Duration::ZERO);
        assert_eq!(part("load", "alpha", Duration::from_millis(999)), Duration::ZERO);
    }

    #[test]
    fn every_part_is_somebodys() {
        let seconds: std::collections::BTreeSet<u64> =
            (0..200).map(|number| part(&format!("job-{number}"), "alpha", Duration::from_secs(9)).as_secs()).collect();
        assert!(seconds.into_iter().eq(0..=9));
    }
}
