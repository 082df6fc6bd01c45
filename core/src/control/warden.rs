//! What the daemon asks its warden about, and the events that the warden reports.

use std::time::Duration;

use crate::session::{AttemptEnd, AttemptKey, ProcessIdentity};

/// The attempt number of a probe: a process that tells whether a date is done, and is no attempt.
pub const PROBE: u32 = 0;

/// An attempt that the ledger has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAttempt {
    pub attempt: AttemptKey,
    /// Its process, if the ledger has it.
    pub process: Option<ProcessIdentity>,
    /// How long it may still run.
    pub timeout: Option<Duration>,
    /// Between TERM and KILL.
    pub kill_grace: Duration,
}

/// What a warden knows of our ledger's attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WardenState {
    /// The attempts that run.
    pub running: Vec<AttemptKey>,
    /// The attempts that have ended, and that the warden was not asked to forget.
    pub ended: Vec<(AttemptKey, AttemptEnd)>,
}

/// An event of an attempt, or of the connection to the warden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WardenEvent {
    /// An attempt runs: sent once its process has run for some milliseconds (one that ends sooner is not reported as
    /// started), and in answer to a watch.
    Started {
        attempt: AttemptKey,
        /// Its process, if the warden has looked it up.
        process: Option<ProcessIdentity>,
    },
    /// An attempt has ended; the warden keeps that until it is asked to forget it. May arrive more than once.
    Ended {
        attempt: AttemptKey,
        /// Its outcome and usage.
        end: AttemptEnd,
    },
    /// The connection is closed; the last requests may not have reached the warden.
    Disconnected,
    /// A warden is connected (again).
    Connected(WardenState),
    /// A fault that the operator should know.
    Warning(String),
}
