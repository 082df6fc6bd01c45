//! What the driver performs.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::warden::OpenAttempt;
use crate::scheduler::{Notification, Start};
use crate::session::{AttemptKey, ClockHold, Outcome};

/// One thing for the driver to do. All but reports go to the warden.
#[derive(Debug)]
pub enum Effect {
    /// Start an attempt.
    Start(Start),
    /// Start the process that tells whether a date is done.
    Probe(Start),
    /// Ask a warden that connected about all open attempts.
    WatchAll(Vec<OpenAttempt>),
    /// End an attempt: TERM, and KILL after its grace.
    Stop {
        attempt: AttemptKey,
        /// How its end is reported.
        outcome: Outcome,
        /// KILL at once.
        at_once: bool,
    },
    /// The ends of these attempts are durable in the ledger.
    Forget(Vec<AttemptKey>),
    /// Ask a warden of another version to make room.
    RetireOtherVersion,
    /// Report to the log or the terminal.
    Report(Notice),
}

/// What the daemon reports.
#[derive(Debug)]
pub enum Notice {
    /// The scheduler says it, and it is durable.
    Scheduler(Notification),
    /// The ledger cannot be written.
    LedgerAway { error: String },
    /// The ledger is written again.
    LedgerBack {
        /// How long it was not.
        after: Duration,
    },
    /// The wall clock is too far ahead of what was last seen: no new date is recorded or started.
    ClockHeld {
        hold: ClockHold,
        /// What the clock shows.
        now: DateTime<Utc>,
    },
    /// The clock has run on, or a person confirmed it: it is believed.
    ClockBelieved,
    /// The clock was set back: what was held is not due.
    ClockSetRight,
    /// The warden is gone.
    WardenGone,
    /// There is a warden again.
    WardenBack,
    /// The warden says that something is wrong.
    WardenTrouble {
        /// What.
        text: String,
    },
    /// The warden runs an attempt that the ledger does not have.
    UnknownAttempt { attempt: AttemptKey },
    /// An attempt of an earlier daemon still runs, and this one waits for its end.
    TakenUp { attempt: AttemptKey },
    /// The daemon stops, and waits for these.
    Stopping {
        running: Vec<AttemptKey>,
        /// How long it may take.
        grace: Duration,
        /// The ledger can be written.
        is_writable: bool,
    },
    /// The grace of a stop has passed: these are ended.
    Terminating { running: Vec<AttemptKey> },
    /// The grace of a stop has passed: these are left to the warden.
    HandingOver { running: Vec<AttemptKey> },
    /// A second signal: these are killed.
    Killing { running: Vec<AttemptKey> },
}
