//! The commands that change dates.

use std::num::NonZeroU32;

use clap::{Args, ValueEnum};

use crate::cli::date::DateArgument;
use crate::job::JobName;
use crate::session::Only;

/// What every command that changes something takes.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct Change {
    /// Say what it would do, and change nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Do not ask, however many dates it changes.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

/// `run`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    /// The job.
    #[arg(value_name = "JOB", value_parser = JobName::new)]
    pub(in crate::cli) job: JobName,
    /// The date to attempt; else the one that is next.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) date: Option<DateArgument>,
    /// Do not wait for dependencies, nor for the date to come due, nor for the job to be enabled.
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
    /// Only from this date on; what is settled before it stays so.
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
    /// The first date; may be before the job's start.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) from: DateArgument,
    /// The end, itself not included; else the job's next date.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse, conflicts_with = "count")]
    pub(in crate::cli) to: Option<DateArgument>,
    /// How many dates of the schedule, from the first on.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) count: Option<u64>,
    /// Which of these dates.
    #[arg(long, value_name = "WHICH", value_enum, default_value = "missing")]
    pub(in crate::cli) only: Which,
    /// From the oldest to the newest, or the other way.
    #[arg(long, value_name = "ORDER", value_enum, default_value = "asc")]
    pub(in crate::cli) order: Direction,
    /// How many of them at once; more than one needs a job that is not in strict order.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(in crate::cli) parallel: NonZeroU32,
    /// A name that no other backfill of the job may have: so that none is ordered twice.
    #[arg(long, value_name = "KEY", value_parser = name)]
    pub(in crate::cli) name: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}

/// `--only`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Which {
    /// Those that were never attempted: without a row in the ledger, or skipped.
    Missing,
    /// Those that failed, are held, or were skipped after an attempt.
    Failed,
    /// All of them; those that succeeded are REPEATED.
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
    /// The oldest first.
    Asc,
    /// The newest first.
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
    /// This date; also one that is to come.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) date: Option<DateArgument>,
    /// All dates before this one that are not settled.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) to: Option<DateArgument>,
    /// So many dates, from the job's next one on.
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
    /// Skip what it has missed before this date, and attempt the rest.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) skip_to: Option<DateArgument>,
    /// Skip all that it has missed.
    #[arg(long)]
    pub(in crate::cli) skip_missed: bool,
    /// Attempt all that it has missed.
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
    /// Enable it again then, and catch up on what it has missed.
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
    /// All dates that failed and wait for their time.
    #[arg(long)]
    pub(in crate::cli) failed: bool,
    /// All dates that are held.
    #[arg(long)]
    pub(in crate::cli) held: bool,
    /// Also a date that succeeded: it is REPEATED.
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
    /// The date; else all that run.
    #[arg(value_name = "DATE", value_parser = DateArgument::parse)]
    pub(in crate::cli) date: Option<DateArgument>,
    #[command(flatten)]
    pub(in crate::cli) change: Change,
}
