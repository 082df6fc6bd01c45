//! The mode of a daemon, its configuration, and what it finds when it starts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::warden::WardenState;
use crate::job::Job;
use crate::scheduler::Recovered;
use crate::session::Request;

/// What a daemon does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Runs until it is stopped.
    Serve,
    /// Attempts what is due now.
    Once,
    /// Carries out the requests of operators, and nothing else.
    Operate,
}

/// What a daemon takes from the registry, and from where it runs.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// The jobs.
    pub jobs: Vec<Arc<Job>>,
    /// How many attempts each pool lets run at once.
    pub pools: BTreeMap<String, usize>,
    /// How many attempts may run at once.
    pub max_running: usize,
    /// How many past dates an edit of the registry may add before it is held for an operator.
    pub announce_over: u64,
    /// The zone of times that belong to no job.
    pub timezone: Tz,
    /// How far ahead of what was last seen the wall clock is believed at once; absent if it always is.
    pub clock_guard: Option<Duration>,
    /// How long what runs may take when the daemon stops.
    pub stop_grace: Duration,
    /// The warden outlives the daemon, so that what runs can be left to it.
    pub warden_survives: bool,
}

/// What a daemon finds when it starts.
#[derive(Debug)]
pub struct Recovery {
    /// What the ledger has.
    pub ledger: Recovered,
    /// The requests to kill that nobody has answered.
    pub kills: Vec<Request>,
    /// What the warden has.
    pub warden: WardenState,
    /// The name of this machine.
    pub host: String,
    /// Which boot of it this is, if that is known.
    pub boot_id: Option<String>,
    /// The newest time that the last process believed, if that is known.
    pub clock_seen: Option<DateTime<Utc>>,
}
