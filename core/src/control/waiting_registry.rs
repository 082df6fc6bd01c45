//! A registry that was read again and waits for the recorded dates that its edits concern.

use std::time::Duration;

use super::configuration::Configuration;
use crate::session::RecordingRange;

/// A registry that waits to be put in force.
#[derive(Debug)]
pub(super) struct WaitingRegistry {
    pub(super) configuration: Configuration,
    /// The ranges that are being read.
    pub(super) read: Vec<RecordingRange>,
    /// When the ledger is to be read.
    pub(super) due_at: Duration,
}
