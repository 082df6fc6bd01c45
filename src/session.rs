//! Sessions and attempts, and the entries that change them: the words that the scheduler, the ledger and the commands
//! share.
//!
//! A session is one (job, date); an attempt is one try at it. The scheduler decides [`Entry`]s, the ledger writes them,
//! and nothing else changes a ledger. Values only: no I/O, no clock, no rule about what follows from what.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::job::JobName;

/// Names one session: a job, its generation (a reset starts a new one) and a date.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The job.
    pub job: JobName,
    /// Counted from 1; a reset adds 1.
    pub generation: u32,
    /// The instant the session is for.
    pub date: DateTime<Utc>,
}

/// Names one attempt: its session, and its number counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptKey {
    /// The session that is attempted.
    pub session: SessionKey,
    /// Counted from 1.
    pub number: u32,
}

impl fmt::Display for AttemptKey {
    /// Writes `job/generation/date/number`, the date in RFC 3339 UTC: unique for ever, and safe in an environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SessionKey { job, generation, date } = &self.session;
        write!(f, "{job}/{generation}/{}/{}", date.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true), self.number)
    }
}

/// A text that names no attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no attempt: job/generation/date/number")]
pub struct AttemptKeyError(String);

impl FromStr for AttemptKey {
    type Err = AttemptKeyError;

    /// Reads what [`AttemptKey`] writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.rsplitn(4, '/');
            let (number, date, generation, job) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let date = DateTime::parse_from_rfc3339(date).ok()?.to_utc();
            let session = SessionKey { job: JobName::new(job).ok()?, generation: generation.parse().ok()?, date };
            Some(Self { session, number: number.parse().ok()? })
        };
        parse().ok_or_else(|| AttemptKeyError(text.to_owned()))
    }
}

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Recorded, and not attempted yet (or only by attempts that were interrupted).
    Waiting,
    /// An attempt is open.
    Running,
    /// Done, for ever.
    Succeeded,
    /// The last attempt failed; the next starts no earlier than this.
    Failed {
        /// When it may be attempted again.
        retry_at: DateTime<Utc>,
    },
    /// Needs a person.
    Held {
        /// Why, in a sentence for that person.
        reason: String,
    },
    /// Settled without success.
    Skipped {
        /// Why it will not run.
        reason: SkipReason,
    },
}

impl State {
    /// The word for it in tables, JSON and the ledger.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Held { .. } => "held",
            Self::Skipped { .. } => "skipped",
        }
    }

    /// Says whether nothing more will happen to the session unasked.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped { .. })
    }
}

/// Declares an enum that is stored and printed as one word, with the word of each variant.
macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$inner])* $variant,)+ }

        impl $name {
            /// The word for it in tables, JSON and the ledger.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value that a word stands for.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// Why a session was skipped.
    SkipReason {
        /// A newer date of a job that is not backfillable took over.
        Superseded = "superseded",
        /// Older than the job's catch-up allows.
        TooOld = "too-old",
        /// An operator said so.
        Operator = "operator",
        /// It came due while the previous date still ran.
        Overtime = "overtime",
    }
}

words! {
    /// How a date succeeded of which no attempt did.
    SettledBy {
        /// An operator says that it is done.
        Operator = "operator",
        /// The job's `done_when` says so.
        DoneWhen = "done-when",
    }
}

words! {
    /// What made a session, or an attempt, happen.
    Trigger {
        /// The date came due while we watched.
        Schedule = "schedule",
        /// The date was missed, and is run unasked.
        CatchUp = "catch-up",
        /// An operator asked for a past date.
        Backfill = "backfill",
        /// An operator asked for it now.
        Manual = "manual",
        /// A job that requires this one, which has no schedule, had a date of its own to start.
        Required = "required",
        /// An earlier attempt did not succeed (attempts only).
        Retry = "retry",
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
    /// Ended by a signal that was not ours.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// We ended it: it took longer than its `timeout`.
    TimedOut,
    /// An operator ended it.
    Cancelled,
    /// Our own stop ended it; it uses up no attempt.
    Interrupted,
    /// Nobody can know.
    Lost,
}

impl Outcome {
    /// The word for it in tables, JSON and the ledger.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Killed { .. } => "killed",
            Self::TimedOut => "timed-out",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { code } => write!(f, "failed({code})"),
            Self::Killed { signal } => write!(f, "killed({signal})"),
            other => f.write_str(other.word()),
        }
    }
}

/// What tells a process from all others, also after its number was given to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// Its number; also the number of its process group.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: clock ticks since boot.
    pub start_ticks: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}

/// A job as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// The job.
    pub name: JobName,
    /// Counted from 1; a reset adds 1.
    pub generation: u32,
    /// When the job, or this generation of it, was first seen.
    pub seen_at: DateTime<Utc>,
    /// The first instant whose dates are the job's concern.
    pub since: DateTime<Utc>,
    /// The dates of the timetable in force are those after this (and after the clock).
    pub anchor: DateTime<Utc>,
    /// The newest recorded date of the schedule.
    pub clock: Option<DateTime<Utc>>,
    /// The timetable in force, as [`crate::schedule::Timetable`] writes itself.
    pub timetable: String,
    /// The newest date that succeeded.
    pub last_success: Option<DateTime<Utc>>,
}

/// A session as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Which one.
    pub key: SessionKey,
    /// Where it stands.
    pub state: State,
    /// What made it happen.
    pub trigger: Trigger,
    /// The number of its newest attempt; 0 before the first.
    pub attempts: u32,
    /// How many of them count against `retry.attempts` (those interrupted do not).
    pub used: u32,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When it was settled.
    pub settled_at: Option<DateTime<Utc>>,
    /// The backfill that it belongs, or belonged, to.
    pub backfill: Option<BackfillId>,
    /// How it succeeded, if none of its attempts did.
    pub settled_by: Option<SettledBy>,
}

/// The number of a backfill in its ledger.
pub type BackfillId = i32;

/// An attempt as the ledger knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    /// Which one.
    pub key: AttemptKey,
    /// What made it happen.
    pub trigger: Trigger,
    /// The machine it was started on.
    pub host: String,
    /// Its process, once known.
    pub process: Option<ProcessIdentity>,
    /// When it was opened.
    pub started_at: DateTime<Utc>,
    /// How it ended; absent while it is open.
    pub end: Option<AttemptEnd>,
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub ended_at: DateTime<Utc>,
    /// How long it took, by a clock that nobody sets; absent where nobody measured it.
    pub duration: Option<Duration>,
    /// A sentence for people: why it could not be started, why it was lost.
    pub detail: Option<String>,
    /// Whether it printed anything, so that there is a log to show.
    pub has_log: bool,
    /// What it took of the machine; absent where nobody measured it.
    pub usage: Option<Usage>,
}

/// What an attempt took of the machine: its process, and those that this waited for; all of its control group where it
/// had one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in its own code.
    pub cpu_user: Duration,
    /// Processor time in the kernel on its behalf.
    pub cpu_system: Duration,
    /// The most memory that it held at a time, in bytes.
    pub peak_memory: u64,
}

/// What a crontabber must know of a ledger to go on where the last one stopped.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recovered {
    /// Every job, by name.
    pub jobs: Vec<JobRecord>,
    /// The unsettled sessions of each job's generation, ascending by job and date.
    pub sessions: Vec<SessionRecord>,
    /// The attempts without an end, of any generation, ascending by job and date.
    pub open: Vec<AttemptRecord>,
    /// The jobs that have at least one settled session in their generation.
    pub settled: Vec<JobName>,
}

/// A session as it enters the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The instant it is for.
    pub date: DateTime<Utc>,
    /// [`State::Waiting`] or [`State::Skipped`].
    pub state: State,
    /// What made it happen.
    pub trigger: Trigger,
}

/// One change of the ledger. A batch of them is one transaction: all or none.
///
/// Each names what it expects to find; finding something else means that another writer was here, and is an error
/// that stops the daemon before it acts on what it believed.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A job that the ledger has never seen.
    Enter(JobRecord),
    /// Another timetable is in force (or the same one with another `since`).
    Adopt {
        /// The job.
        job: JobName,
        /// Its generation.
        generation: u32,
        /// The timetable from now on.
        timetable: String,
        /// As in [`JobRecord`].
        since: DateTime<Utc>,
        /// As in [`JobRecord`].
        anchor: DateTime<Utc>,
    },
    /// A new generation: `record.generation` is the one expected plus 1.
    Reset(JobRecord),
    /// Dates enter, and the clock goes from `clock` to `to` (compare and set).
    Record {
        /// The job.
        job: JobName,
        /// Its generation.
        generation: u32,
        /// The clock that is expected.
        clock: Option<DateTime<Utc>>,
        /// The clock from now on: `clock` or later.
        to: Option<DateTime<Utc>>,
        /// The dates, ascending.
        sessions: Vec<NewSession>,
        /// When.
        at: DateTime<Utc>,
    },
    /// An attempt begins; its session is expected in `from`, and is running from now on.
    Open {
        /// Which one; its number is one more than its session's `attempts`.
        attempt: AttemptKey,
        /// The word of the session's state so far.
        from: &'static str,
        /// What made it happen.
        trigger: Trigger,
        /// The machine it is started on.
        host: String,
        /// When.
        started_at: DateTime<Utc>,
    },
    /// The process of an open attempt. Not urgent: it may be written with the next batch.
    Process {
        /// Which attempt; nothing is written if it is no longer open.
        attempt: AttemptKey,
        /// Its process.
        process: ProcessIdentity,
    },
    /// An open attempt ends, and its session goes from running to `state`.
    Close {
        /// Which one.
        attempt: AttemptKey,
        /// How.
        end: AttemptEnd,
        /// Where its session stands from now on.
        state: State,
        /// How many attempts of the session count from now on.
        used: u32,
    },
    /// A session without an open attempt changes its state.
    Move {
        /// Which one.
        session: SessionKey,
        /// The word of its state so far.
        from: &'static str,
        /// Its state from now on.
        to: State,
        /// When.
        at: DateTime<Utc>,
    },
    /// An operator's request was dealt with.
    Answer {
        /// The request's number in the audit.
        request: i64,
        /// Whether it was done.
        done: bool,
        /// What was done, or why not; for the operator.
        text: String,
        /// When.
        at: DateTime<Utc>,
    },
}

/// What an operator asks for through the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Attempt the job now.
    Run {
        /// The date to attempt; the one that is next if absent.
        date: Option<DateTime<Utc>>,
        /// Do not wait for dependencies, nor for the date to come due.
        force: bool,
    },
    /// As if the job had never run.
    Reset,
}

impl Operation {
    /// The word for it in the audit.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Run { .. } => "run",
            Self::Reset => "reset",
        }
    }
}

/// An operator's request, as the audit keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number in the audit.
    pub id: i64,
    /// The job it is about.
    pub job: JobName,
    /// What is asked.
    pub operation: Operation,
    /// When it was asked.
    pub at: DateTime<Utc>,
    /// Who asked.
    pub user: String,
    /// From which machine.
    pub host: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}
