//! What the daemon knows of its warden, and hears from it.

use std::time::Duration;

use crate::session::{AttemptEnd, AttemptKey, ProcessIdentity};

/// An open attempt of the ledger that the warden is to find out about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAttempt {
    /// Which.
    pub attempt: AttemptKey,
    /// Its process, if that was recorded.
    pub process: Option<ProcessIdentity>,
    /// How long it may still take.
    pub timeout: Option<Duration>,
    /// Between TERM and KILL.
    pub kill_grace: Duration,
}

/// What a warden knows of the attempts of our ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WardenState {
    /// Those that run.
    pub running: Vec<AttemptKey>,
    /// Those that are over, and that we have not told it to forget.
    pub ended: Vec<(AttemptKey, AttemptEnd)>,
}

/// What happened to an attempt, or to the warden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WardenEvent {
    /// It runs: told once its process has lived for a moment (one that ends at once is not reported as started), and in
    /// answer to a watch and to a greeting.
    Started {
        /// Which attempt.
        attempt: AttemptKey,
        /// Its process, if it has been looked up yet.
        process: Option<ProcessIdentity>,
    },
    /// It is over, and the warden remembers that until it is told to forget it. May come more than once.
    Ended {
        /// Which attempt.
        attempt: AttemptKey,
        /// How.
        end: AttemptEnd,
    },
    /// The warden is gone; what it was told last may never have reached it.
    Gone,
    /// A warden is here (again), and knows this.
    Here(WardenState),
    /// Something is wrong that people should know.
    Trouble(String),
}
