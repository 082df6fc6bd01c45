//! The commands that change dates.

use std::num::NonZeroU32;

use clap::{Args, ValueEnum};

use crate::job::JobName;
use crate::report::date::DateArgument;
use crate::session::Only;

/// The options of every command that changes dates.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct Change {
    /// Print what would change, and change nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Do not ask for confirmation.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// The reason, for the audit.
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

/// `run`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    /// The job.
    #[arg(value_name = "JOB", value_parser = JobName::new)]
    pub(in crate::cli) job: JobName,
    /// The date to run [default: the next one].
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) date: Option<DateArgument>,
    /// Run even if dependencies are not met, the date is not due, or the job is disabled.
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}

/// `reset`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Reset {
    /// The job.
    #[arg(value_name = "JOB", value_parser = JobName::new)]
    pub(in crate::cli) job: JobName,
    /// Reset only the dates from this one on.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) to: Option<DateArgument>,
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}

/// `backfill`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Backfill {
    /// The job.
    #[arg(value_name = "JOB", value_parser = JobName::new)]
    pub(in crate::cli) job: JobName,
    /// The first date, which may be before the job's start.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) from: DateArgument,
    /// The end of the range, exclusive [default: the job's next date].
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse, conflicts_with = "count")]
    pub(in crate::cli) to: Option<DateArgument>,
    /// The number of dates, from the first one on.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) count: Option<u64>,
    /// Which of these dates to run.
    #[arg(long, value_name = "WHICH", value_enum, default_value = "missing")]
    pub(in crate::cli) only: Which,
    /// The order of the dates.
    #[arg(long, value_name = "ORDER", value_enum, default_value = "asc")]
    pub(in crate::cli) order: Direction,
    /// Most dates that run at once; more than one requires a job that is not in strict order.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(in crate::cli) parallel: NonZeroU32,
    /// A unique name, which prevents the same backfill from being requested twice.
    #[arg(long, value_name = "KEY", value_parser = name)]
    pub(in crate::cli) name: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}

/// `--only`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Which {
    /// Dates that were never attempted: not in the ledger, or skipped.
    Missing,
    /// Dates that failed, are held, or were skipped after an attempt.
    Failed,
    /// All dates; those that succeeded are REPEATED.
    All,
}

impl From<Which> for Only {
    fn from(which: Which) -> Self {
        match which {
            Which::Missing => Self::Missing,
            Which::Failed => Self::Failed,
            Which::All => Self::All,
        }
    }
}

/// `--order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Direction {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

fn name(text: &str) -> Result<String, &'static str> {
    match text {
        "" => Err("a name cannot be empty"),
        text if text.chars().any(char::is_control) => Err("a name cannot hold control characters"),
        text if text.chars().count() > 200 => Err("a name has 200 characters at most"),
        text => Ok(text.to_owned()),
    }
}

/// `skip`.
#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = false, args = ["date", "to", "count"])]
pub(in crate::cli) struct Skip {
    /// The job.
    #[arg(value_name = "JOB", value_parser = JobName::new)]
    pub(in crate::cli) job: JobName,
    /// The date, which may be in the future.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) date: Option<DateArgument>,
    /// All unsettled dates before this one.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) to: Option<DateArgument>,
    /// The number of dates, from the job's next one on.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) count: Option<u64>,
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}

/// `enable`.
#[derive(Debug, Args)]
#[group(id = "backlog", required = false, multiple = false, args = ["skip_to", "skip_missed", "catch_up"])]
pub(in crate::cli) struct Enable {
    /// The job.
    #[arg(value_name = "JOB", value_parser = JobName::new)]
    pub(in crate::cli) job: JobName,
    /// Skip the missed dates before this one, and run the rest.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) skip_to: Option<DateArgument>,
    /// Skip all missed dates.
    #[arg(long)]
    pub(in crate::cli) skip_missed: bool,
    /// Run all missed dates.
    #[arg(long)]
    pub(in crate::cli) catch_up: bool,
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}

/// `disable`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Disable {
    /// The job.
    #[arg(value_name = "JOB", value_parser = JobName::new)]
    pub(in crate::cli) job: JobName,
    /// Enable the job again at this time, and run the dates that it has missed.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) until: Option<DateArgument>,
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}

/// `done`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Done {
    /// The job.
    #[arg(value_name = "JOB", value_parser = JobName::new)]
    pub(in crate::cli) job: JobName,
    /// The date.
    #[arg(value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) date: DateArgument,
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}

/// `retry`.
#[derive(Debug, Args)]
#[group(id = "retried", required = true, multiple = false, args = ["date", "failed", "held"])]
pub(in crate::cli) struct Retry {
    /// The job.
    #[arg(value_name = "JOB", value_parser = JobName::new)]
    pub(in crate::cli) job: JobName,
    /// The date.
    #[arg(value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) date: Option<DateArgument>,
    /// All failed dates that wait for their retry time.
    #[arg(long)]
    pub(in crate::cli) failed: bool,
    /// All held dates.
    #[arg(long)]
    pub(in crate::cli) held: bool,
    /// Also retry a date that succeeded: it is REPEATED.
    #[arg(long, requires = "date")]
    pub(in crate::cli) again: bool,
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}

/// `kill`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Kill {
    /// The job.
    #[arg(value_name = "JOB", value_parser = JobName::new)]
    pub(in crate::cli) job: JobName,
    /// The date [default: all running dates].
    #[arg(value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) date: Option<DateArgument>,
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}
