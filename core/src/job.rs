//! What a job is: one entry of the registry, checked and ready to be scheduled.
//!
//! Values only. Nothing here reads a file, a clock or a ledger: [`crate::registry`] makes jobs from TOML, the
//! [`crate::scheduler`] decides from them, and the daemon starts what they describe.

mod dependency;
mod name;
mod settings;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveTime;

pub use dependency::{Dependency, Offset, Period, Span, first_at_or_after};
pub use name::{JobName, JobNameError};
pub use template::{Template, TemplateError};

use crate::schedule::Timetable;

/// Waited before a failed date is attempted again, where the registry does not say: old crontabber's 300 seconds.
pub const DEFAULT_RETRY_AFTER: Duration = Duration::from_mins(5);

/// Between TERM and KILL, where the registry does not say.
pub const DEFAULT_KILL_GRACE: Duration = Duration::from_secs(10);

/// One entry of the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Unique in the registry, and the key of the job's ledger.
    pub name: JobName,
    /// For people; nothing is decided by it.
    pub description: Option<String>,
    /// Which dates the job has, and when each is due.
    pub timetable: Timetable,
    /// Which dates run: `backfill`, `order` and `max_parallel` in the registry.
    pub date_policy: DatePolicy,
    /// What is started.
    pub command: Command,
    /// Where it is started; the daemon's own directory if absent.
    pub working_directory: Option<PathBuf>,
    /// Added to the inherited environment, after `environment_file`.
    pub environment: BTreeMap<String, String>,
    /// `NAME=value` lines, read afresh at every start.
    pub environment_file: Option<PathBuf>,
    /// When a failed date is attempted again.
    pub retry: Retry,
    /// How long an attempt may take.
    pub timeout: Option<Duration>,
    /// Between TERM and KILL.
    pub kill_grace: Duration,
    /// Jobs whose dates must be settled before one of this job starts.
    pub depends_on: Vec<Dependency>,
    /// Jobs without a schedule that are started for the same date when nobody has, and waited for.
    pub require: Vec<JobName>,
    /// What follows an attempt whose outcome cannot be known.
    pub on_lost: OnLost,
    /// A disabled job keeps its clock: nothing is recorded and nothing runs until it is enabled.
    pub enabled: bool,
    /// For people and for filters.
    pub tags: Vec<String>,
    /// Which missed dates are too old to be run.
    pub catch_up: CatchUp,
    /// What becomes of a date that comes due while the one before it still runs.
    pub overlap: Overlap,
    /// A date that could be attempted only more than this after it was due is skipped (Digdag's `skip_delayed_by`).
    pub skip_late: Option<Duration>,
    /// The pool whose places its attempts take, beside the daemon's.
    pub pool: Option<String>,
    /// Of two jobs that could start, the one with the greater number does.
    pub priority: i32,
    /// Part of the timetable's delay: how much of it the job's and the machine's name may add.
    pub jitter: Duration,
    /// Asks whether a date is done already: exit status 0 says that it is, and the date is settled without a start.
    pub done_when: Option<Command>,
    /// The time of day, in the job's zone, by which a date should be settled.
    pub expect_by: Option<NaiveTime>,
    /// How long an attempt should take; one that takes longer is reported, and goes on.
    pub max_duration: Option<Duration>,
    /// The name that the job had: its ledger is taken over.
    pub previously: Option<JobName>,
}

impl Job {
    /// A job with nothing said of it but what must be.
    #[must_use]
    pub fn new(name: JobName, timetable: Timetable, command: Command) -> Self {
        Self {
            name,
            description: None,
            date_policy: if timetable.schedule().is_none() { DatePolicy::OnDemand } else { DatePolicy::NewestOnly },
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
            expect_by: None,
            max_duration: None,
            previously: None,
        }
    }
}

/// Which missed dates are run: those beyond a limit are recorded as skipped, too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CatchUp {
    /// How long ago a date may have come due.
    pub max_age: Option<Duration>,
    /// How many missed dates are run; the newest.
    pub max_dates: Option<u32>,
}

/// What becomes of a date that comes due while the one before it still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// It waits.
    #[default]
    Wait,
    /// It is skipped (Digdag's `skip_on_overtime`).
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

/// What an attempt starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A string, handed to `/bin/sh -c` as it is.
    Shell(String),
    /// Arguments, split by nobody; never empty. The first is the program.
    Argv(Vec<Template>),
}

/// What follows an attempt whose outcome cannot be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLost {
    /// The date is attempted again, at once.
    #[default]
    Retry,
    /// The date is held until a person decides.
    Hold,
}

/// When a failed date is attempted again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Before the second attempt.
    pub after: Duration,
    /// Each further wait is the last one times this; at least 1.
    pub factor: f64,
    /// The longest wait; no limit of its own if absent (but see [`Retry::wait`]).
    pub at_most: Option<Duration>,
    /// How many attempts a date has, the first included; for ever if absent. Then it is held.
    pub attempts: Option<u32>,
}

impl Default for Retry {
    fn default() -> Self {
        Self { after: DEFAULT_RETRY_AFTER, factor: 1.0, at_most: None, attempts: None }
    }
}

impl Retry {
    /// The longest wait of a growing retry without an `at_most`, so that no date is put off for ever.
    const LONGEST_UNBOUNDED: Duration = Duration::from_hours(24);

    /// Returns how long to wait after the `used`-th attempt (counted from 1) has failed.
    #[must_use]
    pub fn wait(&self, counted_attempts: u32) -> Duration {
        let limit = self.at_most.unwrap_or(Self::LONGEST_UNBOUNDED.max(self.after));
        let exponent = i32::try_from(counted_attempts.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.after.as_secs_f64() * self.factor.powi(exponent);
        if seconds.is_finite() && seconds < limit.as_secs_f64() { Duration::from_secs_f64(seconds) } else { limit }
    }

    /// Says whether a date that used up `used` attempts may be attempted again.
    #[must_use]
    pub fn allows_another(&self, counted_attempts: u32) -> bool {
        self.attempts.is_none_or(|attempts| counted_attempts < attempts)
    }
}
