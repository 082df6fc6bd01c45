//! The outcome of an exit. Pure.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::session::Outcome;

/// How a process exited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Code(i32),
    Signal(i32),
}

impl Exit {
    /// `None` if the process has not exited.
    pub(super) fn from_status(status: ExitStatus) -> Option<Self> {
        status.code().map(Self::Code).or_else(|| status.signal().map(Self::Signal))
    }
}

/// The outcome of an attempt whose process exited like this, after it was stopped as `stopped` (if it was).
///
/// A job that exits with 0 in spite of a stop has succeeded, and its date must not run again. After a timeout it has not.
pub(super) fn outcome(exit: Exit, stopped: Option<Outcome>) -> Outcome {
    match (stopped, exit) {
        (Some(Outcome::TimedOut), _) => Outcome::TimedOut,
        (_, Exit::Code(0)) => Outcome::Succeeded,
        (Some(wanted), _) => wanted,
        (None, Exit::Code(code)) => Outcome::Failed { code },
        (None, Exit::Signal(signal)) => Outcome::Killed { signal },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_is_a_success_unless_the_time_was_up() {
        assert_eq!(outcome(Exit::Code(0), Some(Outcome::Cancelled)), Outcome::Succeeded);
        assert_eq!(outcome(Exit::Code(0), Some(Outcome::TimedOut)), Outcome::TimedOut);
        assert_eq!(outcome(Exit::Code(0), None), Outcome::Succeeded);
    }

    #[test]
    fn our_signal_is_not_the_jobs_failure() {
        assert_eq!(outcome(Exit::Signal(15), Some(Outcome::Interrupted)), Outcome::Interrupted);
        assert_eq!(outcome(Exit::Code(143), Some(Outcome::Cancelled)), Outcome::Cancelled);
        assert_eq!(outcome(Exit::Signal(15), None), Outcome::Killed { signal: 15 });
        assert_eq!(outcome(Exit::Code(143), None), Outcome::Failed { code: 143 });
    }
}
