//! The numbers that stand for words in `sessions` and `attempts`, where a word would cost every date its length. They
//! leave this module's folder nowhere; the views of the ledger, and its migrations, have the same table.

use crate::session::{Outcome, Trigger};

/// What stands for each state. The most frequent are 0 and 1, which SQLite keeps without room in the row.
pub(super) mod state {
    pub(in crate::ledger) const WAITING: i16 = 0;
    pub(in crate::ledger) const SUCCEEDED: i16 = 1;
    pub(in crate::ledger) const RUNNING: i16 = 2;
    pub(in crate::ledger) const FAILED: i16 = 3;
    pub(in crate::ledger) const HELD: i16 = 4;
    pub(in crate::ledger) const SKIPPED: i16 = 5;
}

/// The words of the states, each in the place of its number.
const STATES: [&str; 6] = ["waiting", "succeeded", "running", "failed", "held", "skipped"];

/// The triggers, each in the place of its number.
const TRIGGERS: [Trigger; 6] =
    [Trigger::Schedule, Trigger::CatchUp, Trigger::Backfill, Trigger::Manual, Trigger::Required, Trigger::Retry];

/// The words of the outcomes, each in the place of its number.
const OUTCOMES: [&str; 7] = ["succeeded", "failed", "killed", "timed-out", "cancelled", "interrupted", "lost"];

/// What stands for the outcome of an attempt that succeeded.
pub(super) const SUCCEEDED: i16 = 0;

/// What stands for a state's word. No row has what stands for a word that is none.
pub(super) fn state(word: &str) -> i16 {
    place(&STATES, |state| *state == word)
}

/// What stands for each of several states' words.
pub(super) fn states(words: &[&str]) -> Vec<i16> {
    words.iter().map(|word| state(word)).collect()
}

/// The word that a number stands for.
pub(super) fn state_word(code: i16) -> &'static str {
    usize::try_from(code).ok().and_then(|place| STATES.get(place)).copied().unwrap_or("?")
}

/// What stands for a trigger.
pub(super) fn trigger(trigger: Trigger) -> i16 {
    place(&TRIGGERS, |other| *other == trigger)
}

/// The trigger that a number stands for.
pub(super) fn trigger_of(code: i16) -> Option<Trigger> {
    TRIGGERS.get(usize::try_from(code).ok()?).copied()
}

/// What stands for an outcome.
pub(super) fn outcome(outcome: Outcome) -> i16 {
    match outcome {
        Outcome::Succeeded => SUCCEEDED,
        Outcome::Failed { .. } => 1,
        Outcome::Killed { .. } => 2,
        Outcome::TimedOut => 3,
        Outcome::Cancelled => 4,
        Outcome::Interrupted => 5,
        Outcome::Lost => 6,
    }
}

/// What stands for each of several outcomes' words.
pub(super) fn outcomes(words: &[&str]) -> Vec<i16> {
    words.iter().map(|word| place(&OUTCOMES, |outcome| outcome == word)).collect()
}

/// The outcome that a number stands for, with what is told of it besides.
pub(super) fn outcome_of(code: i16, exit_code: Option<i32>, signal: Option<i32>) -> Option<Outcome> {
    Some(match code {
        SUCCEEDED => Outcome::Succeeded,
        1 => Outcome::Failed { code: exit_code? },
        2 => Outcome::Killed { signal: signal? },
        3 => Outcome::TimedOut,
        4 => Outcome::Cancelled,
        5 => Outcome::Interrupted,
        6 => Outcome::Lost,
        _ => return None,
    })
}

fn place<T>(all: &[T], is_it: impl Fn(&T) -> bool) -> i16 {
    all.iter().position(is_it).and_then(|place| i16::try_from(place).ok()).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::State;

    #[test]
    fn every_number_stands_for_its_word() {
        use state as code;
        let named = [code::WAITING, code::SUCCEEDED, code::RUNNING, code::FAILED, code::HELD, code::SKIPPED];
        assert_eq!(named.map(state_word), STATES);
        assert_eq!(STATES.map(state), named);
        assert_eq!(state(State::Succeeded.word()), code::SUCCEEDED);
        assert_eq!((state("unheard-of"), state_word(6), state_word(-1)), (-1, "?", "?"));
        for expected in TRIGGERS {
            assert_eq!(trigger_of(trigger(expected)), Some(expected));
        }
        assert_eq!((trigger_of(6), trigger_of(-1)), (None, None));
        for code in 0..7 {
            let found = outcome_of(code, Some(1), Some(1)).unwrap();
            assert_eq!((outcome(found), outcomes(&[found.word()])), (code, vec![code]));
        }
        assert_eq!((outcome_of(7, None, None), outcome_of(1, None, None)), (None, None));
    }
}
