//! Orphaned attempts: open in the ledger, while no daemon runs that could record their ends.

use crate::environment;
use crate::ledger::{LedgerError, Reader};
use crate::session::AttemptRecord;
use crate::warden::is_alive;

/// The state of the process of an orphaned attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    Runs,
    /// It has exited.
    Gone,
    /// It was started on another machine, or its process number was not recorded.
    Unknown,
}

impl Process {
    /// Looks for the process of an attempt.
    pub(crate) fn of(attempt: &AttemptRecord) -> Self {
        match &attempt.process {
            Some(process) if is_alive(process) => Self::Runs,
            Some(_) if attempt.host == environment::host_name() => Self::Gone,
            _ => Self::Unknown,
        }
    }

    /// The state, as the end of a sentence.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Runs => "running; no daemon runs, and its end is recorded when one does",
            Self::Gone => "no daemon runs, its process is gone, and how it ended is not known yet",
            Self::Unknown => "no daemon runs, and whether it still runs or how it ended is not known yet",
        }
    }
}

/// Says whether a daemon holds the ledger.
pub(crate) fn is_watched(reader: &mut Reader) -> Result<bool, LedgerError> {
    Ok(reader.owner()?.is_some_and(|owner| owner.alive))
}
