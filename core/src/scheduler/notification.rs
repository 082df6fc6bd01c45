//! What the scheduler reports, as values; the daemon puts it into words.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::edited_dates::EditedDates;
use crate::job::JobName;
use crate::session::{AttemptEnd, AttemptKey, Pause, PauseScope, SessionKey, State, Trigger};

/// Something to report.
#[derive(Debug, Clone, PartialEq)]
pub enum Notification {
    /// Several dates were due at once.
    Behind {
        job: JobName,
        /// How many of them will run.
        behind: u64,
        /// The oldest of them.
        oldest: DateTime<Utc>,
        /// The zone of the oldest.
        zone: Tz,
        /// How many others were skipped as superseded.
        superseded: u64,
    },
    /// An attempt begins.
    Opened {
        attempt: AttemptKey,
        /// The zone of its session.
        zone: Tz,
        trigger: Trigger,
        /// How many due dates of the job are unsettled, this one included.
        behind: u64,
    },
    /// An attempt ended.
    Closed {
        attempt: AttemptKey,
        /// The zone of its session.
        zone: Tz,
        end: AttemptEnd,
        /// The state of its session now.
        state: State,
        /// How many due dates of the job are still unsettled.
        behind: u64,
    },
    /// Dates were skipped by `catch_up` or `skip_late`.
    TooOld {
        job: JobName,
        count: u64,
        /// The oldest of them.
        oldest: DateTime<Utc>,
        /// The zone of the oldest.
        zone: Tz,
    },
    /// Dates are not settled, although their `expect_by` has passed.
    Late {
        /// The oldest of them.
        session: SessionKey,
        /// The zone of the session.
        zone: Tz,
        /// When it was expected to be settled.
        expected: DateTime<Utc>,
        is_running: bool,
        /// How many there are.
        count: u64,
    },
    /// An attempt has been running for longer than `max_duration`.
    TooLong {
        attempt: AttemptKey,
        /// The zone of its session.
        zone: Tz,
        limit: Duration,
    },
    /// A date was skipped by `overlap = "skip"`: earlier dates still run.
    Overlapped {
        job: JobName,
        date: DateTime<Utc>,
        /// The zone of the date.
        zone: Tz,
    },
    /// `done_when` reports a date as done.
    WasDone {
        session: SessionKey,
        /// The zone of the session.
        zone: Tz,
    },
    /// `done_when` did not say whether a date is done: it was not found, was not executable, was killed, or took too long.
    DoneWhenUnanswered {
        session: SessionKey,
        /// The zone of the session.
        zone: Tz,
        /// How it ended.
        answer: String,
        /// Whether the date is held for it.
        is_held: bool,
    },
    /// All dates of a backfill are settled.
    BackfillOver {
        job: JobName,
        /// The name that the operator gave it.
        name: Option<String>,
    },
    /// A job is enabled again: the `--until` of its `disable` has passed.
    EnabledAgain { job: JobName },
    /// A job has taken over the ledger of its former name.
    Renamed {
        job: JobName,
        /// Its former name.
        previously: JobName,
        /// Whether it had dates of its own, which are an earlier generation now.
        replaces: bool,
    },
    /// A job takes over the ledger of its former name once its open attempts have ended, under either name.
    WaitsToSucceed {
        job: JobName,
        /// Its former name.
        previously: JobName,
    },
    /// A job is new in the registry.
    Added {
        job: JobName,
        /// Which dates that adds.
        adding: Adding,
    },
    /// A job of the registry has changed.
    Changed {
        job: JobName,
        /// The keys that changed.
        keys: Vec<&'static str>,
        /// Which dates are due.
        adding: Adding,
        /// What the edit of its timetable does to dates.
        dates: Box<EditedDates>,
    },
    /// An edit of the registry changes which dates a job has.
    Edited { job: JobName, dates: Box<EditedDates> },
    /// An edit of the registry would add so many past dates that an operator has to decide.
    EditHeld { job: JobName, past: u64, dates: Box<EditedDates> },
    /// A new job is probably one that is gone from the registry: no attempt starts until the registry says so.
    ProbableRename {
        job: JobName,
        /// The job that is gone.
        previously: JobName,
    },
    /// `previously` has no effect: dates of the job have succeeded, or it cannot take over a second job.
    IneffectivePreviously { job: JobName, previously: JobName },
    /// `previously` of a new job has no effect: the ledger has other jobs, and none of that name.
    UnknownPreviously { job: JobName, previously: JobName },
    /// A job that was gone returns with another action: no attempt starts until an operator has decided.
    ReturnHeld { job: JobName },
    /// A job was removed from the registry: it is a ghost now.
    Removed {
        job: JobName,
        /// How many of its dates stay unsettled.
        unsettled: u64,
    },
    /// The ledger holds a timetable that cannot be parsed.
    UnreadableTimetable {
        job: JobName,
        /// The parse error.
        error: String,
    },
    /// A job's watermark is in the future, so that none of its dates comes due until then.
    WatermarkAhead {
        job: JobName,
        /// Its newest recorded date.
        watermark: DateTime<Utc>,
    },
    /// The schedule has no further date within the supported years.
    PastDomain { job: JobName },
    /// The wall clock was set back.
    ClockSetBack {
        /// By how much.
        by: Duration,
    },
    /// Jobs are paused while a registry comes into force.
    Paused {
        pause: Pause,
        /// How many jobs.
        jobs: u64,
        /// How many of their due dates wait.
        waiting: u64,
    },
    /// The `--until` of a pause has passed: what waited runs.
    PauseOver { scope: PauseScope },
    /// A request was answered.
    Answered {
        /// Absent if it was about a pause.
        job: Option<JobName>,
        /// The word of its operation.
        operation: &'static str,
        user: String,
        /// Whether it was done.
        done: bool,
        /// What was done, or why not.
        text: String,
    },
}

/// Which dates a change of the registry adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Adding {
    /// How many dates are due and will run.
    pub due: u64,
    /// The oldest of them.
    pub oldest: Option<DateTime<Utc>>,
    /// The zone of the oldest.
    pub zone: Tz,
    /// The first date that is not due yet.
    pub next: Option<DateTime<Utc>>,
    /// When it is due.
    pub next_due: Option<DateTime<Utc>>,
}
