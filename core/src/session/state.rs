//! The states of a session, the outcomes of an attempt, and the words and codes of both.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::text::{codes, words};

words! {
    /// The state of a session, without its details.
    StateKind {
        // SQLite stores the codes 0 and 1 in no bytes, so the most frequent states have them.
        /// [`State::Waiting`]
        Waiting = 0 => "waiting",
        /// [`State::Running`]
        Running = 2 => "running",
        /// [`State::Succeeded`]
        Succeeded = 1 => "succeeded",
        /// [`State::Failed`]
        Failed = 3 => "failed",
        /// [`State::Held`]
        Held = 4 => "held",
        /// [`State::Skipped`]
        Skipped = 5 => "skipped",
    }
}

words! {
    /// What made a session, or an attempt, happen.
    Trigger {
        /// The date came due while the daemon ran.
        Schedule = 0 => "schedule",
        /// The date was missed, and is run without a request.
        CatchUp = 1 => "catch-up",
        /// An operator asked for a past date.
        Backfill = 2 => "backfill",
        /// An operator asked for it now.
        Manual = 3 => "manual",
        /// A date of another job requires it.
        Required = 4 => "required",
        /// An earlier attempt did not succeed (attempts only).
        Retry = 5 => "retry",
    }
}

words! {
    /// How an attempt ended, without the exit status or the signal.
    OutcomeKind {
        /// [`Outcome::Succeeded`]
        Succeeded = 0 => "succeeded",
        /// [`Outcome::Failed`]
        Failed = 1 => "failed",
        /// [`Outcome::Killed`]
        Killed = 2 => "killed",
        /// [`Outcome::TimedOut`]
        TimedOut = 3 => "timed-out",
        /// [`Outcome::Cancelled`]
        Cancelled = 4 => "cancelled",
        /// [`Outcome::Interrupted`]
        Interrupted = 5 => "interrupted",
        /// [`Outcome::Lost`]
        Lost = 6 => "lost",
    }
}

codes!(StateKind, Trigger, OutcomeKind);

words! {
    /// Why a session was skipped.
    SkipReason {
        /// A newer date replaced it: the job runs only its newest date.
        Superseded => "superseded",
        /// Older than the job's catch-up limit.
        TooOld => "too-old",
        /// An operator skipped it.
        Operator => "operator",
        /// It came due while the previous date still ran.
        Overtime => "overtime",
        /// An operator cancelled the backfill that recorded it.
        Cancelled => "cancelled",
        /// An edit of the registry took it out of the job's timetable.
        Excluded => "excluded",
        /// An edit of the registry moved it, and another date stands for its period.
        Moved => "moved",
    }
}

words! {
    /// Why a session has succeeded without a successful attempt.
    SettledBy {
        /// An operator marked it as succeeded.
        Operator => "operator",
        /// The job's `done_when` reported it as done.
        DoneWhen => "done-when",
    }
}

/// The state of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Recorded, and not attempted yet (or only by attempts that were interrupted).
    Waiting,
    /// An attempt is open.
    Running,
    /// Settled with success.
    Succeeded,
    /// The last attempt failed.
    Failed {
        /// The earliest start of the next attempt.
        retry_at: DateTime<Utc>,
    },
    /// Needs an operator.
    Held {
        /// Why, in a sentence for the operator.
        reason: String,
    },
    /// Settled without success.
    Skipped {
        /// Why it does not run.
        reason: SkipReason,
    },
}

impl Trigger {
    /// Whether the schedule made it, and no operator and no other job.
    #[must_use]
    pub fn is_scheduled(self) -> bool {
        matches!(self, Self::Schedule | Self::CatchUp)
    }
}

impl State {
    /// The state without its details.
    #[must_use]
    pub fn kind(&self) -> StateKind {
        match self {
            Self::Waiting => StateKind::Waiting,
            Self::Running => StateKind::Running,
            Self::Succeeded => StateKind::Succeeded,
            Self::Failed { .. } => StateKind::Failed,
            Self::Held { .. } => StateKind::Held,
            Self::Skipped { .. } => StateKind::Skipped,
        }
    }

    /// The word for it in tables, JSON and the ledger.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.kind().word()
    }

    /// As [`StateKind::is_settled`].
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.kind().is_settled()
    }
}

impl StateKind {
    /// Whether the session changes no more unless an operator asks for it.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped)
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Exit status 0.
    Succeeded,
    /// Another exit status; 127 and 126 also stand for a command that was not found or not executable.
    Failed {
        /// The exit status.
        code: i32,
    },
    /// Ended by a signal that crontabber did not send.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// Ended by crontabber: it took longer than its `timeout`.
    TimedOut,
    /// Ended by an operator.
    Cancelled,
    /// Ended by the stop of crontabber; it does not count as an attempt.
    Interrupted,
    /// Unknown.
    Lost,
}

impl Outcome {
    /// The outcome of a kind, with its exit status or signal if it has one; nothing if that is missing.
    #[must_use]
    pub fn new(kind: OutcomeKind, number: Option<i32>) -> Option<Self> {
        Some(match kind {
            OutcomeKind::Succeeded => Self::Succeeded,
            OutcomeKind::Failed => Self::Failed { code: number? },
            OutcomeKind::Killed => Self::Killed { signal: number? },
            OutcomeKind::TimedOut => Self::TimedOut,
            OutcomeKind::Cancelled => Self::Cancelled,
            OutcomeKind::Interrupted => Self::Interrupted,
            OutcomeKind::Lost => Self::Lost,
        })
    }

    /// The outcome without its number.
    #[must_use]
    pub fn kind(self) -> OutcomeKind {
        match self {
            Self::Succeeded => OutcomeKind::Succeeded,
            Self::Failed { .. } => OutcomeKind::Failed,
            Self::Killed { .. } => OutcomeKind::Killed,
            Self::TimedOut => OutcomeKind::TimedOut,
            Self::Cancelled => OutcomeKind::Cancelled,
            Self::Interrupted => OutcomeKind::Interrupted,
            Self::Lost => OutcomeKind::Lost,
        }
    }

    /// The exit status or the signal, where the kind has one.
    #[must_use]
    pub fn number(self) -> Option<i32> {
        match self {
            Self::Failed { code: number } | Self::Killed { signal: number } => Some(number),
            _ => None,
        }
    }

    /// The exit status, if the process exited.
    #[must_use]
    pub fn exit_code(self) -> Option<i32> {
        match self {
            Self::Succeeded => Some(0),
            Self::Failed { code } => Some(code),
            _ => None,
        }
    }

    /// The word for it in tables, JSON and the ledger.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.kind().word()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            Some(number) => write!(f, "{}({number})", self.word()),
            None => f.write_str(self.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_and_code_reads_back() {
        for kind in StateKind::ALL {
            assert_eq!(
                (StateKind::from_word(kind.word()), StateKind::from_code(kind.code())),
                (Some(*kind), Some(*kind))
            );
        }
        for trigger in Trigger::ALL {
            assert_eq!(
                (Trigger::from_word(trigger.word()), Trigger::from_code(trigger.code())),
                (Some(*trigger), Some(*trigger))
            );
        }
        for kind in OutcomeKind::ALL {
            assert_eq!(OutcomeKind::from_code(kind.code()), Some(*kind));
            let outcome = Outcome::new(*kind, Some(9)).unwrap();
            assert_eq!((outcome.kind(), Outcome::new(*kind, outcome.number())), (*kind, Some(outcome)));
        }
        assert_eq!(
            (StateKind::from_word("unknown"), StateKind::from_code(6), StateKind::from_code(-1)),
            (None, None, None)
        );
        assert_eq!(Outcome::new(OutcomeKind::Failed, None), None);
    }
}
