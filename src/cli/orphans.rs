//! Open attempts that nobody looks after: the ledger has them as running, and no daemon is there to record their ends.

use crate::ledger::{LedgerError, Reader};
use crate::paths;
use crate::session::AttemptRecord;
use crate::warden::is_alive;

/// What became of the process of such an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    /// It runs.
    Runs,
    /// It is there no more.
    Gone,
    /// It cannot be looked for: it was started on another machine, or its number was not written in time.
    Unknown,
}

impl Process {
    /// Looks for the process of an attempt.
    pub(super) fn of(attempt: &AttemptRecord) -> Self {
        match &attempt.process {
            Some(process) if is_alive(process) => Self::Runs,
            Some(_) if attempt.host == paths::host_name() => Self::Gone,
            _ => Self::Unknown,
        }
    }

    /// What is known of the attempt, as the end of a sentence.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Runs => "running; no daemon runs, and its end is recorded when one does",
            Self::Gone => "no daemon runs, its process is gone, and how it ended is not known yet",
            Self::Unknown => "no daemon runs, and whether it still runs or how it ended is not known yet",
        }
    }
}

/// Says whether a daemon holds the ledger.
pub(super) fn is_watched(reader: &mut Reader) -> Result<bool, LedgerError> {
    Ok(reader.owner()?.is_some_and(|owner| owner.alive))
}
