//! Sessions and attempts, and the entries that change them: the types that the scheduler, the ledger and the commands
//! share.
//!
//! A session is one (job, date); an attempt is one try at it. The scheduler decides [`Entry`]s, the ledger writes them,
//! and nothing else changes a ledger. Values only: no I/O, no clock, no decisions.

mod clock_hold;
mod entry;
mod pause;
mod recording;
mod request;
mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::job::JobName;

pub use clock_hold::ClockHold;
pub use entry::{Changed, Entry, NewSession, Reply};
pub use pause::{Pause, PauseScope};
pub use recording::{JobRecordings, Recording, RecordingRange};
pub use request::{BackfillOrder, Enabling, Only, Operation, Past, Request, Retrying, Skipping};
pub use state::{Outcome, OutcomeKind, SettledBy, SkipReason, State, StateKind, Trigger};

pub(crate) use crate::schedule::TICK;

/// Names one session: a job, its generation (a reset starts a new one) and a date.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
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
    /// Writes `job/generation/date/number`, the date in RFC 3339 UTC: unique, and safe in an environment variable.
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

/// Identifies a process, even after the system has reused its pid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// Also the id of its process group.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: clock ticks since boot.
    pub start_ticks: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}

/// A job in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    pub name: JobName,
    /// Names the job in its idempotency keys: the name under which it was entered, which a rename does not change. If
    /// another job was entered under that name, a number follows, such as `load~2`.
    pub stable_name: String,
    /// Counted from 1; a reset adds 1.
    pub generation: u32,
    /// Whether it took over the dates of a former name late, and has its own dates until then as [`REPLACED`].
    pub has_replaced: bool,
    /// When the job, or this generation of it, was first seen.
    pub seen_at: DateTime<Utc>,
    /// Start of the range of dates that this job covers.
    pub first_date: DateTime<Utc>,
    /// The timetable in force has the dates after this instant and after the watermark.
    pub timetable_from: DateTime<Utc>,
    /// The newest recorded date of the schedule.
    pub watermark: Option<DateTime<Utc>>,
    /// The timetable in force, as [`crate::schedule::Timetable`] writes itself.
    pub timetable: String,
    /// Up to the watermark, every period of the timetable after this instant has a date; absent if the job is not
    /// backfillable.
    pub complete_after: Option<DateTime<Utc>>,
    /// Dates were excluded while the job was disabled; what of them the registry has is decided when it is enabled.
    pub has_excluded: bool,
    /// What the job ran in the last registry that had it: [`crate::job::Job::action`].
    pub action: String,
    /// Whether the last registry in force has it.
    pub in_registry: bool,
    /// The newest date that succeeded.
    pub last_success: Option<DateTime<Utc>>,
    /// The dates after it are in strict order; absent if the job is in another order.
    pub strict_after: Option<StrictAfter>,
}

/// The generation of what a job had recorded before it took over the dates of its former name.
pub const REPLACED: u32 = 0;

/// When a job's dates came to be in strict order, as the newest date that it had then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StrictAfter {
    /// 0 if the job has been in strict order since it was first seen.
    pub generation: u32,
    pub date: DateTime<Utc>,
}

impl JobRecord {
    /// What all attempts at a date of this generation share, and no other date of any job has.
    #[must_use]
    pub fn idempotency_key(&self, date: DateTime<Utc>) -> String {
        format!("{}/{}/{}", self.stable_name, self.generation, date.timestamp_micros())
    }

    /// Whether the dates of the job's former name may count instead: none of its own has succeeded.
    #[must_use]
    pub fn may_be_replaced(&self) -> bool {
        self.generation == 1 && !self.has_replaced && self.last_success.is_none()
    }

    /// Whether a date has been in strict order since it was recorded.
    #[must_use]
    pub fn is_strict_at(&self, generation: u32, date: DateTime<Utc>) -> bool {
        self.strict_after.is_some_and(|after| StrictAfter { generation, date } > after)
    }

    /// The instant after which no date of the timetable in force is recorded.
    #[must_use]
    pub fn recorded_until(&self) -> DateTime<Utc> {
        self.watermark.map_or(self.timetable_from, |watermark| watermark.max(self.timetable_from))
    }
}

/// A session in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    pub key: SessionKey,
    /// The zone of the date, for the job and for output: the job's zone when the date was recorded.
    pub zone: Tz,
    /// Where it stands.
    pub state: State,
    /// What made it happen.
    pub trigger: Trigger,
    /// The number of its newest attempt; 0 before the first.
    pub attempts: u32,
    /// How many of them count against `retry.attempts` (interrupted ones do not).
    pub counted_attempts: u32,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When it was settled.
    pub settled_at: Option<DateTime<Utc>>,
    /// The backfill that it belongs, or belonged, to.
    pub backfill: Option<BackfillId>,
    /// How it succeeded without a successful attempt.
    pub settled_by: Option<SettledBy>,
}

/// Dates, each with the newest success before it.
pub type SuccessesBefore = Vec<(SessionKey, Option<DateTime<Utc>>)>;

/// The id of a backfill: that of its request.
pub type BackfillId = i64;

/// An operator's order for past dates, in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillRecord {
    pub id: BackfillId,
    pub job: JobName,
    /// Of which generation.
    pub generation: u32,
    /// Unique among the backfills of the job.
    pub name: Option<String>,
    /// Whether its dates are attempted from the newest to the oldest.
    pub newest_first: bool,
    /// How many of its dates may be attempted at once; at least 1.
    pub parallel: u32,
    /// When it was entered.
    pub entered_at: DateTime<Utc>,
    /// The request that cancelled it.
    pub cancelled_by: Option<i64>,
}

/// The user of a [`Disabled`] that crontabber itself wrote: an edit of the registry waits for an operator. No user of the
/// system has a space in the name.
pub const ITSELF: &str = "crontabber itself";

/// Who disabled a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    pub job: JobName,
    pub at: DateTime<Utc>,
    /// When the daemon enables it again.
    pub until: Option<DateTime<Utc>>,
    pub user: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

impl Disabled {
    /// Whether crontabber itself holds the job until an operator has decided; then `reason` says what decides.
    #[must_use]
    pub fn is_by_itself(&self) -> bool {
        self.user == ITSELF
    }
}

/// An attempt in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    pub key: AttemptKey,
    /// The zone of its session.
    pub zone: Tz,
    /// What made it happen.
    pub trigger: Trigger,
    /// The host it was started on.
    pub host: String,
    /// Its process, once known.
    pub process: Option<ProcessIdentity>,
    /// When it was opened.
    pub started_at: DateTime<Utc>,
    /// Absent while it is open.
    pub end: Option<AttemptEnd>,
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    pub outcome: Outcome,
    pub ended_at: DateTime<Utc>,
    /// By the monotonic clock; absent if it was not measured.
    pub duration: Option<Duration>,
    /// A sentence for the operator: why it did not start, or why it was lost.
    pub detail: Option<String>,
    /// Whether it printed anything.
    pub has_log: bool,
    /// Absent if it was not measured.
    pub usage: Option<Usage>,
}

/// The resources of an attempt: of its control group where it had one, else of its process and the children that this
/// waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in user mode.
    pub cpu_user: Duration,
    /// CPU time in kernel mode.
    pub cpu_system: Duration,
    /// In bytes.
    pub peak_memory: u64,
}

/// Dates whose period has a date already, each with the recorded one that stands for it.
pub type StandIns = BTreeMap<DateTime<Utc>, DateTime<Utc>>;

/// The startup state of a daemon: what it reads of the ledger to continue where the last one stopped.
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
    /// The settled dates outside [first date, watermark] of their job.
    pub settled_outside_range: Vec<(JobName, DateTime<Utc>)>,
    /// The dates after the watermark of a job whose period has a date.
    pub stand_ins: BTreeMap<JobName, StandIns>,
    /// The backfills that have unsettled sessions.
    pub backfills: Vec<BackfillRecord>,
    /// What the unsettled sessions were that their backfill found settled.
    pub former: Vec<(JobName, DateTime<Utc>, StateKind)>,
    /// The jobs that operators disabled.
    pub disabled: Vec<Disabled>,
    /// The pauses in force, by scope.
    pub pauses: Vec<Pause>,
    /// What the ledger has of the dates that the edits of the registry concern.
    pub recordings: Vec<JobRecordings>,
    /// The daemon that runs beside does not believe the clock. Absent if it does, and in a daemon.
    pub clock_hold: Option<ClockHold>,
}
