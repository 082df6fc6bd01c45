//! Random choices from one seed, with weights.

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
}
