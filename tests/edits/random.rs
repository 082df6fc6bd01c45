//! Random choices from one seed, so that a case can be repeated.

#[path = "../support/random.rs"]
mod shared;

pub(crate) use shared::Random;

impl Random {
    /// An hour or a minute: one of so many, in steps.
    pub(crate) fn clock(&mut self, below: u32, step: u32) -> u32 {
        u32::try_from(self.below((below / step) as usize)).expect("a small number") * step
    }
}
