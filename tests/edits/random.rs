//! Random choices from one seed, so that a case can be repeated.

#[path = "../../core/tests/simulation/random.rs"]
mod generator;

pub(crate) use generator::Random;

impl Random {
    /// One of several by their weights.
    pub(crate) fn weighed<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
        let mut left = self.next() % choices.iter().map(|(weight, _)| weight).sum::<u64>();
        for (weight, choice) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        unreachable!("the number is below the sum of the weights")
    }

    /// An hour or a minute: one of so many, in steps.
    pub(crate) fn clock(&mut self, below: u32, step: u32) -> u32 {
        u32::try_from(self.below((below / step) as usize)).expect("a small number") * step
    }
}
