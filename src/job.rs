//! What a job is: one entry of the registry, checked and ready to be scheduled.
//!
//! Values only. Nothing here reads a file, a clock or a ledger: [`crate::registry`] makes jobs from TOML, the
//! [`crate::scheduler`] decides from them, and the daemon starts what they describe.

mod name;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

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
    /// Whether every date matters (crontabber's word), or only the newest.
    pub backfill: bool,
    /// Whether a date waits for the earlier ones of its job; means something for backfillable jobs only.
    pub order: Order,
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
    /// Jobs whose dates up to D must be settled before D starts.
    pub depends_on: Vec<JobName>,
    /// What follows an attempt whose outcome cannot be known.
    pub on_lost: OnLost,
    /// A disabled job keeps its clock: nothing is recorded and nothing runs until it is enabled.
    pub enabled: bool,
    /// For people and for filters.
    pub tags: Vec<String>,
}

/// Whether the dates of a backfillable job hold one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// A date starts only when every earlier date is settled.
    #[default]
    Strict,
    /// A failed date does not hold the later ones.
    Independent,
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
    pub fn wait(&self, used: u32) -> Duration {
        let limit = self.at_most.unwrap_or(Self::LONGEST_UNBOUNDED.max(self.after));
        let exponent = i32::try_from(used.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.after.as_secs_f64() * self.factor.powi(exponent);
        if seconds.is_finite() && seconds < limit.as_secs_f64() { Duration::from_secs_f64(seconds) } else { limit }
    }

    /// Says whether a date that used up `used` attempts may be attempted again.
    #[must_use]
    pub fn allows_another(&self, used: u32) -> bool {
        self.attempts.is_none_or(|attempts| used < attempts)
    }
}
