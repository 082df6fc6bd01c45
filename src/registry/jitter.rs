//! The part of its `jitter` that a job is given: no chance, but always the same for one job on one machine.
//!
//! The ledger keeps the delay that follows from it, so that this must never change.

use std::time::Duration;

/// The name of this machine.
pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns so many whole seconds of `jitter`, none and all included, as the names of the job and of its machine say.
pub(super) fn part(job: &str, host: &str, jitter: Duration) -> Duration {
    // No name holds a zero byte, so that the two cannot run into one another.
    let names = job.bytes().chain([0]).chain(host.bytes());
    Duration::from_secs(fnv_1a(names) % jitter.as_secs().saturating_add(1))
}

/// The hash FNV-1a of Fowler, Noll and Vo: the same for ever and everywhere, and spread well enough over seconds.
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
