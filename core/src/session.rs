//! Sessions and attempts, and the entries that change them: the words that the scheduler, the ledger and the commands
//! share.
//!
//! A session is one (job, date); an attempt is one try at it. The scheduler decides [`Entry`]s, the ledger writes them,
//! and nothing else changes a ledger. Values only: no I/O, no clock, no rule about what follows from what.

mod entry;
mod request;
mod state;
mod words;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::job::JobName;

pub use entry::{Changed, Entry, NewSession, Reply};
pub use request::{BackfillOrder, Enabling, Only, Operation, Past, Request, Retrying, Skipping};
pub use state::{Outcome, OutcomeKind, SettledBy, SkipReason, State, StateKind, Trigger};
pub(crate) use words::words;

/// The resolution of the ledger's instants.
pub(crate) const TICK: chrono::TimeDelta = chrono::TimeDelta::microseconds(1);

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
    pub first_date: DateTime<Utc>,
    /// The dates of the timetable in force are those after this (and after the clock).
    pub timetable_from: DateTime<Utc>,
    /// The newest recorded date of the schedule.
    pub watermark: Option<DateTime<Utc>>,
    /// The timetable in force, as [`crate::schedule::Timetable`] writes itself.
    pub timetable: String,
    /// The newest date that succeeded.
    pub last_success: Option<DateTime<Utc>>,
}

impl JobRecord {
    /// The instant after which no date of the timetable in force is recorded.
    #[must_use]
    pub fn recorded_until(&self) -> DateTime<Utc> {
        self.watermark.map_or(self.timetable_from, |watermark| watermark.max(self.timetable_from))
    }
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
    pub counted_attempts: u32,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When it was settled.
    pub settled_at: Option<DateTime<Utc>>,
    /// The backfill that it belongs, or belonged, to.
    pub backfill: Option<BackfillId>,
    /// How it succeeded, if none of its attempts did.
    pub settled_by: Option<SettledBy>,
}

/// The number of a backfill: that of the request that ordered it.
pub type BackfillId = i64;

/// An operator's order for past dates, as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillRecord {
    /// Its number.
    pub id: BackfillId,
    /// Whose dates.
    pub job: JobName,
    /// Of which generation.
    pub generation: u32,
    /// What the operator calls it; unique among those of the job.
    pub name: Option<String>,
    /// Whether its dates are attempted from the newest to the oldest.
    pub newest_first: bool,
    /// How many of its dates may be attempted at once; at least 1.
    pub parallel: u32,
    /// When it was entered.
    pub entered_at: DateTime<Utc>,
}

/// Who disabled a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// The job.
    pub job: JobName,
    /// When.
    pub at: DateTime<Utc>,
    /// When it is enabled again unasked.
    pub until: Option<DateTime<Utc>>,
    /// Who.
    pub user: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

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
    /// The settled dates that are not between the first instant of their job's concern and its clock.
    pub settled_outside_range: Vec<(JobName, DateTime<Utc>)>,
    /// The backfills that have unsettled sessions.
    pub backfills: Vec<BackfillRecord>,
    /// The jobs that operators disabled.
    pub disabled: Vec<Disabled>,
}
