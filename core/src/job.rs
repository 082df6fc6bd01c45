//! A job: one entry of the registry, validated and ready to be scheduled.
//!
//! Values only: nothing here reads a file, a clock or a ledger. The registry makes jobs from TOML, the
//! [`crate::scheduler`] decides from them, and the daemon starts their commands.

mod dependency;
mod name;
mod settings;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

pub use dependency::{Dependency, Offset, Period, Span, first_at_or_after};
pub use name::JobName;
pub use template::Template;

use crate::schedule::Timetable;
use crate::text::fnv_1a;

/// The default of [`Retry::after`].
pub const DEFAULT_RETRY_AFTER: Duration = Duration::from_mins(5);

/// The default of [`Job::kill_grace`].
pub const DEFAULT_KILL_GRACE: Duration = Duration::from_secs(10);

/// One entry of the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Unique in the registry, and the key in the ledger.
    pub name: JobName,
    /// Only for display.
    pub description: Option<String>,
    /// The dates of the job, and when each is due.
    pub timetable: Timetable,
    /// Which dates run: `backfill`, `order` and `max_parallel` in the registry.
    pub date_policy: DatePolicy,
    /// What an attempt runs.
    pub command: Command,
    /// The working directory; by default that of the daemon.
    pub working_directory: Option<PathBuf>,
    /// Added to the inherited environment, after `environment_file`.
    pub environment: BTreeMap<String, String>,
    /// A file of `NAME=value` lines, read at every start.
    pub environment_file: Option<PathBuf>,
    /// When a failed date is retried.
    pub retry: Retry,
    /// The longest run time of an attempt.
    pub timeout: Option<Duration>,
    /// The time between TERM and KILL.
    pub kill_grace: Duration,
    /// Jobs whose dates must be settled before a date of this job starts.
    pub depends_on: Vec<Dependency>,
    /// Jobs without a schedule that run once for the same date first.
    pub require: Vec<JobName>,
    /// What follows an attempt with an unknown outcome.
    pub on_lost: OnLost,
    /// A disabled job keeps its watermark: no date is recorded or started until it is enabled.
    pub enabled: bool,
    /// Words to filter jobs by.
    pub tags: Vec<String>,
    /// Which missed dates are too old to run.
    pub catch_up: CatchUp,
    /// What happens to a date that becomes due while the previous one is running.
    pub overlap: Overlap,
    /// A date that could only start later than this after it was due is skipped (`skip_delayed_by` of Digdag).
    pub skip_late: Option<Duration>,
    /// The pool whose slots its attempts use, in addition to those of the daemon.
    pub pool: Option<String>,
    /// Among jobs that are ready, the one with the highest number starts first.
    pub priority: i32,
    /// The longest addition to the delay; the share of this job is part of the delay of the timetable.
    pub jitter: Duration,
    /// Runs before an attempt: with exit status 0, the date is done and is settled without an attempt.
    pub done_when: Option<Command>,
    /// What follows a `done_when` that gives no answer.
    pub on_unknown: OnUnknown,
    /// The time of day, in the job's zone, by which a date should be settled.
    pub expect_by: Option<NaiveTime>,
    /// The expected run time of an attempt. A longer attempt is reported and continues.
    pub max_duration: Option<Duration>,
    /// The former name of the job, whose ledger it takes over.
    pub previously: Option<JobName>,
    /// It had no other name: `previously = false` in the registry.
    pub is_new: bool,
}

impl Job {
    /// A digest of what the job runs and where, which tells a renamed job from another one.
    #[must_use]
    pub fn action(&self) -> String {
        format!("{:016x}", fnv_1a(format!("{:?} {:?}", self.command, self.working_directory).into_bytes()))
    }

    /// When a date should be settled, by `expect_by`.
    #[must_use]
    pub fn expected_by(&self, date: DateTime<Utc>) -> Option<DateTime<Utc>> {
        Some(first_at_or_after(self.timetable.due(date), self.expect_by?, self.timetable.zone()))
    }

    /// A job with the default of every optional key.
    #[must_use]
    pub fn new(name: JobName, timetable: Timetable, command: Command) -> Self {
        Self {
            name,
            description: None,
            date_policy: if timetable.schedule.is_none() { DatePolicy::OnDemand } else { DatePolicy::NewestOnly },
            timetable,
            command,
            working_directory: None,
            environment: BTreeMap::new(),
            environment_file: None,
            retry: Retry::default(),
            timeout: None,
            kill_grace: DEFAULT_KILL_GRACE,
            depends_on: Vec::new(),
            require: Vec::new(),
            on_lost: OnLost::default(),
            enabled: true,
            tags: Vec::new(),
            catch_up: CatchUp::default(),
            overlap: Overlap::default(),
            skip_late: None,
            pool: None,
            priority: 0,
            jitter: Duration::ZERO,
            done_when: None,
            on_unknown: OnUnknown::default(),
            expect_by: None,
            max_duration: None,
            previously: None,
            is_new: false,
        }
    }
}

/// Which missed dates run. The others are recorded as skipped, too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CatchUp {
    /// The oldest missed dates that run, by the time since they were due.
    pub max_age: Option<Duration>,
    /// How many missed dates run, the newest ones.
    pub max_dates: Option<u32>,
}

impl CatchUp {
    /// When a missed date must have been due at the earliest to run.
    #[must_use]
    pub fn oldest(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_sub_signed(TimeDelta::from_std(self.max_age?).ok()?)
    }
}

/// What happens to a date that becomes due while the previous one is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// It waits.
    #[default]
    Wait,
    /// It is skipped (`skip_on_overtime` of Digdag).
    Skip,
}

/// Which dates of a job run, and whether a date waits for the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatePolicy {
    /// Only the newest due date runs: a newer date supersedes the unsettled ones. The default.
    NewestOnly,
    /// Every date runs, one at a time, and only after every earlier date is settled: `backfill = true`.
    Strict,
    /// Every date runs, several at a time, and none waits for an earlier one: `order = "independent"`.
    Independent {
        /// How many run at a time, those of backfills not counted; at least 1.
        max_parallel: u32,
    },
    /// The job has no schedule: its dates are those that other jobs require and that operators ask for.
    OnDemand,
}

impl DatePolicy {
    /// Says whether the registry has `backfill = true` for the job: every date of its schedule runs.
    #[must_use]
    pub fn is_backfillable(self) -> bool {
        matches!(self, Self::Strict | Self::Independent { .. })
    }

    /// Says whether a date stays unsettled until it has run, rather than being superseded by a newer one.
    #[must_use]
    pub fn keeps_every_date(self) -> bool {
        self != Self::NewestOnly
    }

    /// Says whether a date waits until every earlier date is settled.
    #[must_use]
    pub fn is_strict(self) -> bool {
        self == Self::Strict
    }

    /// Says whether a date may start while an earlier one is unsettled.
    #[must_use]
    pub fn is_independent(self) -> bool {
        matches!(self, Self::Independent { .. } | Self::OnDemand)
    }

    /// How many dates may run at once, not counting those of backfills.
    #[must_use]
    pub fn max_parallel(self) -> usize {
        match self {
            Self::Independent { max_parallel } => max_parallel as usize,
            Self::NewestOnly | Self::Strict | Self::OnDemand => 1,
        }
    }
}

/// What an attempt runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A string, passed to `/bin/sh -c` unchanged.
    Shell(String),
    /// The program and its arguments; never empty.
    Argv(Vec<Template>),
}

/// What follows an attempt with an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLost {
    /// The date is retried at once.
    #[default]
    Retry,
    /// The date is held until an operator decides.
    Hold,
}

/// What follows a `done_when` that gives no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnknown {
    /// The date counts as not done, and runs.
    #[default]
    Run,
    /// The date is held until an operator decides.
    Hold,
}

/// When a failed date is retried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// The wait before the second attempt.
    pub after: Duration,
    /// Each further wait is the previous one times this factor; at least 1.
    pub factor: f64,
    /// The longest wait; by default 24 hours, see [`Retry::wait`].
    pub at_most: Option<Duration>,
    /// How many attempts a date has, including the first; then it is held. Unlimited if absent.
    pub attempts: Option<u32>,
}

impl Default for Retry {
    fn default() -> Self {
        Self { after: DEFAULT_RETRY_AFTER, factor: 1.0, at_most: None, attempts: None }
    }
}

impl Retry {
    /// The longest wait without an `at_most`.
    const LONGEST_UNBOUNDED: Duration = Duration::from_hours(24);

    /// Returns how long to wait after this number of failed attempts.
    #[must_use]
    pub fn wait(&self, counted_attempts: u32) -> Duration {
        let limit = self.at_most.unwrap_or(Self::LONGEST_UNBOUNDED.max(self.after));
        let exponent = i32::try_from(counted_attempts.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.after.as_secs_f64() * self.factor.powi(exponent);
        if seconds.is_finite() && seconds < limit.as_secs_f64() { Duration::from_secs_f64(seconds) } else { limit }
    }

    /// Says whether another attempt is allowed after this number of attempts.
    #[must_use]
    pub fn allows_another(&self, counted_attempts: u32) -> bool {
        self.attempts.is_none_or(|attempts| counted_attempts < attempts)
    }
}
