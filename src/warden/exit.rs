//! What an exit means for its attempt. Pure.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::session::Outcome;

/// How a process of ours ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Code(i32),
    Signal(i32),
}

impl Exit {
    /// Reads an exit status; nothing if the process has not ended.
    pub(super) fn from_status(status: ExitStatus) -> Option<Self> {
        status.code().map(Self::Code).or_else(|| status.signal().map(Self::Signal))
    }
}

/// Names the outcome of an attempt whose process ended like this, after we set out to end it as `ending` (if we did).
///
/// A job that ends well in spite of a stop has succeeded, and its date must not run again. After a timeout it has not:
/// its time was up.
pub(super) fn outcome(exit: Exit, ending: Option<Outcome>) -> Outcome {
    match (ending, exit) {
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
