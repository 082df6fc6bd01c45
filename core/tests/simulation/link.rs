//! What the daemon and a warden say to one another, and the connection that it goes over.

use std::collections::VecDeque;
use std::time::Duration;

use crontabber_core::control::OpenAttempt;
use crontabber_core::session::{AttemptEnd, AttemptKey, Outcome, ProcessIdentity};

/// An attempt as it is given to the warden.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) attempt: AttemptKey,
    pub(crate) timeout: Option<Duration>,
    pub(crate) kill_grace: Duration,
}

/// What the daemon asks.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Start(Launch),
    Watch(OpenAttempt),
    Ready,
    End {
        attempt: AttemptKey,
        outcome: Outcome,
        at_once: bool,
    },
    Forget(Vec<AttemptKey>),
    /// Make room for a warden of another version.
    Retire,
}

/// What the warden says.
#[derive(Debug, Clone)]
pub(crate) enum Tell {
    Running(AttemptKey, Option<ProcessIdentity>),
    Ended(AttemptKey, AttemptEnd),
}

/// A connection. What was sent before it broke may still arrive.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) asks: VecDeque<Ask>,
    pub(crate) tells: VecDeque<Tell>,
    /// The daemon listens.
    pub(crate) has_daemon: bool,
    /// The warden listens.
    pub(crate) has_warden: bool,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self { asks: VecDeque::new(), tells: VecDeque::new(), has_daemon: true, has_warden: true }
    }
}
