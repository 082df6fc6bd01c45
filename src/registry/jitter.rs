//! The share of its `jitter` that a job gets: not random, but derived from the names of the job and the host.
//!
//! The ledger records the resulting delay, so the result must never change between versions.

use std::time::Duration;

pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns a whole number of seconds from 0 to `jitter`, the same for a job on a host every time.
pub(super) fn part(job: &str, host: &str, jitter: Duration) -> Duration {
    // Names do not contain a zero byte: it separates them.
    let names = job.bytes().chain([0]).chain(host.bytes());
    Duration::from_secs(fnv_1a(names) % jitter.as_secs().saturating_add(1))
}

/// FNV-1a: stable across versions and platforms, and well distributed over seconds.
fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_its_authors() {
        for (text, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(fnv_1a(text.bytes()), hash, "{text:?}");
        }
    }

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
