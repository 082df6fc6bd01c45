//! The inputs of the control, and what the driver does next.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::configuration::Configuration;
use super::warden::WardenEvent;
use crate::session::{AttemptKey, Entry, JobRecordings, RecordingRange, Request, SessionKey, SuccessesBefore};

/// The time of an input, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// The wall clock, which can be set. Dates go by it.
    pub wall: DateTime<Utc>,
    /// Since some fixed instant; it never goes back. Graces and retries go by it.
    pub monotonic: Duration,
}

/// An input of the control.
#[derive(Debug)]
pub enum Input {
    /// The registry was read again. Ignored while the daemon stops.
    Reload(Configuration),
    /// What the warden reports.
    Warden(WardenEvent),
    /// What [`Next::Write`] gave is durable.
    Written,
    /// What [`Next::Write`] gave could not be written, or nobody knows whether it was.
    WriteFailed {
        /// The same entries, given back.
        entries: Vec<Entry>,
        error: String,
    },
    /// The unanswered requests of operators, by number, as [`Next::ReadRequests`] found them.
    Requests(Vec<Request>),
    /// The requests could not be read.
    RequestsUnread,
    /// What the ledger has in the ranges that [`Next::ReadRecordings`] gave; absent if it cannot be read.
    Recordings(Option<Vec<JobRecordings>>),
    /// The newest success before each date that [`Next::LookUp`] gave; absent if the ledger cannot be read.
    LookedUp(Option<SuccessesBefore>),
    /// The process of an attempt, or of a probe, could not be described: it was not started.
    NotStarted { attempt: AttemptKey, reason: String },
    /// A signal to stop, the first or another.
    Stop,
    /// A signal to look at the time.
    Wake,
}

/// What the driver does when all effects are performed.
#[derive(Debug)]
pub enum Next {
    /// Write these entries in one transaction, and hand in [`Input::Written`] or [`Input::WriteFailed`].
    Write(Vec<Entry>),
    /// Read the unanswered requests, and hand in [`Input::Requests`] or [`Input::RequestsUnread`].
    ReadRequests,
    /// Look up the newest success before each of these dates, and hand in [`Input::LookedUp`].
    LookUp(Vec<SessionKey>),
    /// Read the recorded dates that the edits of a registry concern, and hand in [`Input::Recordings`].
    ReadRecordings(Vec<RecordingRange>),
    /// Wait for an input, at most this long.
    Wait(Duration),
    /// The daemon is done.
    End(Exit),
}

/// How a daemon ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything is recorded.
    Recorded {
        /// A wake was cut short or saw an attempt that failed, or an operator's request was not waited for.
        has_failed: bool,
    },
    /// The ledger cannot be written. The warden keeps the ends for the next start.
    Unwritten {
        /// There are such ends.
        has_ends: bool,
        /// As above.
        has_failed: bool,
    },
    /// It left before every end was recorded.
    Left {
        /// Attempts are open.
        is_running: bool,
    },
}
