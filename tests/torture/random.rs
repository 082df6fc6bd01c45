//! Random choices from one seed, so that a run can be repeated.

#[expect(dead_code, reason = "the simulation needs more of it")]
#[path = "../support/random.rs"]
mod shared;

use std::time::Duration;

pub(crate) use shared::Random;

impl Random {
    /// An independent generator for a name.
    pub(crate) fn fork(seed: u64, name: &str) -> Self {
        // FNV-1a.
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self::new(name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, step))
    }

    /// Some milliseconds.
    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.next() % (to - from + 1))
    }
}
