//! How far a stop has come.

use std::time::Duration;

/// How far a stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopStage {
    /// What runs may end by itself until then.
    Waiting { until: Duration },
    /// What runs was sent TERM; the warden sends KILL after `kill_grace`.
    Terminating,
    /// What runs was sent KILL.
    Killing,
    /// What runs is left to the warden, and the next daemon takes it up.
    HandingOver,
    /// The daemon ends now, whatever is not recorded.
    Leaving,
}
