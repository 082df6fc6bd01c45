//! The entries that change a ledger, and nothing else does.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::pause::{Pause, PauseScope};
use super::state::{SettledBy, State, StateKind, Trigger};
use super::{
    AttemptEnd, AttemptKey, BackfillId, BackfillRecord, Disabled, JobRecord, ProcessIdentity, SessionKey, StandIns,
    StrictAfter,
};
use crate::job::JobName;

/// A session as it enters the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The instant it is for.
    pub date: DateTime<Utc>,
    /// [`State::Waiting`], [`State::Skipped`], or [`State::Succeeded`] if an operator says so.
    pub state: State,
    /// What made it happen.
    pub trigger: Trigger,
    /// The backfill that it belongs to.
    pub backfill: Option<BackfillId>,
}

/// One change of the ledger. A batch of them is one transaction: all or none.
///
/// Each has the state that it expects. Another state means that another writer changed the ledger: an error that stops
/// the daemon before it acts.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A job enters the ledger.
    Enter(JobRecord),
    /// Another timetable is in force, or the same one with another first date.
    Adopt {
        job: JobName,
        generation: u32,
        /// The new timetable.
        timetable: String,
        /// As in [`JobRecord`].
        first_date: DateTime<Utc>,
        /// As in [`JobRecord`].
        timetable_from: DateTime<Utc>,
        /// As in [`JobRecord`].
        complete_after: Option<DateTime<Utc>>,
        /// As in [`JobRecord`].
        has_excluded: bool,
        /// All dates after the watermark whose period has a date, each with the recorded one that stands for it.
        stand_ins: StandIns,
    },
    /// The job's dates are in strict order from now on, or in another order.
    Order {
        job: JobName,
        generation: u32,
        /// As in [`JobRecord`].
        strict_after: Option<StrictAfter>,
    },
    /// A registry is in force that has the job, with this action, or has it no longer.
    Registered { job: JobName, action: Option<String> },
    /// A new generation: `record.generation` is the one expected plus 1.
    Reset(JobRecord),
    /// Dates enter, and the watermark moves from `watermark` to `to` (compare and set).
    Record {
        job: JobName,
        generation: u32,
        /// The expected watermark.
        watermark: Option<DateTime<Utc>>,
        /// The new watermark: the same or later.
        to: Option<DateTime<Utc>>,
        /// The zone of the dates, for the job and for output. A later zone of the job does not change it.
        zone: Tz,
        /// The dates, ascending.
        sessions: Vec<NewSession>,
        at: DateTime<Utc>,
    },
    /// An attempt opens; its session goes from `from` to running.
    Open {
        /// Which one; its number is one more than its session's `attempts`.
        attempt: AttemptKey,
        /// The state so far.
        from: StateKind,
        /// What made it happen.
        trigger: Trigger,
        /// The machine it is started on.
        host: String,
        started_at: DateTime<Utc>,
    },
    /// The process of an open attempt. It may be written with the next batch.
    Process {
        /// Which attempt; nothing is written if it is no longer open.
        attempt: AttemptKey,
        process: ProcessIdentity,
    },
    /// An open attempt closes, and its session goes from running to `state`.
    Close {
        attempt: AttemptKey,
        end: AttemptEnd,
        /// The new state of its session.
        state: State,
        /// The new count of its session.
        counted_attempts: u32,
    },
    /// A session without an open attempt changes its state.
    Move {
        session: SessionKey,
        /// The state so far.
        from: StateKind,
        /// The new state.
        to: State,
        at: DateTime<Utc>,
    },
    /// A session without an open attempt is marked as succeeded.
    Done {
        session: SessionKey,
        /// The state so far.
        from: StateKind,
        /// Who says so.
        by: SettledBy,
        at: DateTime<Utc>,
    },
    /// `done_when` gave no answer about a session without an open attempt.
    Unanswered {
        session: SessionKey,
        /// How it ended.
        answer: String,
        at: DateTime<Utc>,
    },
    /// A session without an open attempt waits again, with no counted attempts.
    Again {
        session: SessionKey,
        /// Its zone, which it keeps.
        zone: Tz,
        /// The state so far.
        from: StateKind,
        /// The new trigger.
        trigger: Trigger,
        /// The new backfill.
        backfill: Option<BackfillId>,
        /// The number of its newest attempt; 0 if it has had none.
        attempts: u32,
    },
    /// An excluded or moved date, or one of a cancelled backfill, is a date of the timetable again: it waits, as if it
    /// were recorded now.
    Include {
        session: SessionKey,
        /// Its zone, which it keeps.
        zone: Tz,
        /// The state so far.
        from: StateKind,
        /// The number of its newest attempt; 0 if it has had none.
        attempts: u32,
        at: DateTime<Utc>,
    },
    /// A backfill is ordered; its dates are entered after it.
    Backfill(BackfillRecord),
    /// A backfill is cancelled: none of its dates is attempted from now on.
    CancelBackfill {
        job: JobName,
        backfill: BackfillId,
        /// The request's number in the audit.
        request: i64,
    },
    /// A session that a backfill let wait again, and that has no open attempt, is again what it was before.
    Restore {
        session: SessionKey,
        /// The state so far.
        from: StateKind,
        /// The settled state that it returns to.
        to: StateKind,
        /// The backfill that it leaves.
        backfill: BackfillId,
    },
    /// An operator disables a job.
    Disable(Disabled),
    /// A disabled job is enabled.
    Enable { job: JobName },
    /// An operator pauses jobs; another pause of the same scope ends.
    Pause(Pause),
    /// A pause ends.
    Resume { scope: PauseScope },
    /// A job is renamed.
    Rename {
        /// The old name.
        from: JobName,
        /// The new name.
        to: JobName,
        /// Whether another job has the new name; its rows become those of generation [`REPLACED`].
        ///
        /// [`REPLACED`]: super::REPLACED
        replaces: bool,
    },
    /// An operator's request is answered.
    Answer {
        /// The request's number in the audit.
        request: i64,
        /// What was done, or why not.
        reply: Reply,
        at: DateTime<Utc>,
    },
}

/// The answer to an operator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Whether it was done.
    pub done: bool,
    /// What was done, or why not; for the operator.
    pub text: String,
    /// The dates that it changed, or would change.
    pub dates: Changed,
}

/// Which dates a request changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changed {
    pub count: u64,
    /// The first of them.
    pub first: Option<DateTime<Utc>>,
    /// The last of them.
    pub last: Option<DateTime<Utc>>,
}

impl Changed {
    /// One date.
    #[must_use]
    pub fn one(date: DateTime<Utc>) -> Self {
        Self { count: 1, first: Some(date), last: Some(date) }
    }

    /// Counts one more date.
    pub fn add(&mut self, date: DateTime<Utc>) {
        self.count += 1;
        self.first = Some(self.first.map_or(date, |first| first.min(date)));
        self.last = self.last.max(Some(date));
    }
}

impl Entry {
    /// Says whether it changes something of a job.
    #[must_use]
    pub fn concerns(&self, name: &JobName) -> bool {
        match self {
            Self::Enter(record) | Self::Reset(record) => record.name == *name,
            Self::Adopt { job, .. }
            | Self::Order { job, .. }
            | Self::Registered { job, .. }
            | Self::Record { job, .. }
            | Self::CancelBackfill { job, .. }
            | Self::Enable { job } => job == name,
            Self::Open { attempt, .. } | Self::Process { attempt, .. } | Self::Close { attempt, .. } => {
                attempt.session.job == *name
            }
            Self::Move { session, .. }
            | Self::Done { session, .. }
            | Self::Again { session, .. }
            | Self::Unanswered { session, .. }
            | Self::Include { session, .. }
            | Self::Restore { session, .. } => session.job == *name,
            Self::Backfill(backfill) => backfill.job == *name,
            Self::Disable(disabled) => disabled.job == *name,
            Self::Pause(_) | Self::Resume { .. } | Self::Answer { .. } => false,
            Self::Rename { from, to, .. } => from == name || to == name,
        }
    }
}
