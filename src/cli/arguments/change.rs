//! The commands that change dates.

use std::num::NonZeroU32;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use crate::job::JobName;
use crate::report::date::DateArgument;
use crate::session::Only;

/// A command that changes dates.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ChangeCommand {
    /// Run a job now.
    ///
    /// A backfillable job runs only for the next date in its order.
    Run(Change<RunArguments>),
    /// Reset a job to the state before its first run.
    ///
    /// Prints which dates are repeated. The old sessions stay in the ledger, as an earlier generation of the job.
    Reset(Change<ResetArguments>),
    /// Run past dates in addition to the schedule, including dates before the job's start; or cancel that.
    ///
    /// `--cancel` calls off what a backfill has not run. Its dates that had succeeded before stay succeeded; those that
    /// only the backfill has recorded are skipped (`cancelled`), and another backfill can run them. A running date ends by
    /// itself; `kill` ends it. `crontabber backfills` lists the names.
    Backfill(Change<BackfillArguments>),
    /// Mark dates as skipped: they do not run, and nothing waits for them.
    Skip(Change<SkipArguments>),
    /// Mark a date as succeeded without running it.
    Done(Change<DoneArguments>),
    /// Retry failed or held dates now, before their retry time.
    Retry(Change<RetryArguments>),
    /// Kill a running attempt; its date is held until you retry, skip or mark it as done.
    Kill(Change<KillArguments>),
    /// Disable a job: none of its dates run.
    Disable(Change<DisableArguments>),
    /// Enable a disabled job, with or without the dates that it has missed.
    Enable(Change<EnableArguments>),
}

/// `pause`.
#[derive(Debug, Args)]
pub(in crate::cli) struct PauseArguments {
    /// Only the jobs that have this tag, also if they get it later.
    #[arg(long, value_name = "TAG")]
    pub(in crate::cli) tag: Option<String>,
    /// Resume at this time, in the zone of `[daemon]`.
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) until: Option<DateArgument>,
    #[command(flatten)]
    pub(in crate::cli) options: PauseOptions,
}

/// `resume`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResumeArguments {
    /// End the pause of the jobs that have this tag [default: end the pause of all jobs].
    #[arg(long, value_name = "TAG")]
    pub(in crate::cli) tag: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) options: PauseOptions,
}

/// The options of `pause` and `resume`.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct PauseOptions {
    /// Print what would change, and change nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// The reason, for the audit.
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

/// The arguments of a command that changes dates.
#[derive(Debug, Args)]
pub(in crate::cli) struct Change<T: Args> {
    /// The job.
    pub(in crate::cli) job: JobName,
    #[command(flatten)]
    pub(in crate::cli) arguments: T,
    #[command(flatten)]
    pub(in crate::cli) options: ChangeOptions,
}

/// The options of every command that changes dates.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct ChangeOptions {
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
pub(in crate::cli) struct RunArguments {
    /// The date to run [default: the next one].
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) date: Option<DateArgument>,
    /// Run even if dependencies are not met, the `delay` has not passed, or the job is disabled or paused; a date in the
    /// future is refused all the same.
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

/// `reset`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResetArguments {
    /// Reset only the dates from this one on.
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) to: Option<DateArgument>,
}

/// `backfill`.
#[derive(Debug, Args)]
pub(in crate::cli) struct BackfillArguments {
    /// The first date, which may be before the job's start.
    #[arg(long, value_name = "DATE", required_unless_present = "cancel")]
    pub(in crate::cli) from: Option<DateArgument>,
    /// The end of the range, exclusive [default: the job's next date].
    #[arg(long, value_name = "DATE", conflicts_with = "count")]
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
    /// Also run the dates of other jobs that depend on these dates, directly or through others; those that succeeded are
    /// REPEATED.
    #[arg(long)]
    pub(in crate::cli) downstream: bool,
    /// A unique name, which prevents the same backfill from being requested twice.
    #[arg(long, value_name = "KEY", value_parser = name)]
    pub(in crate::cli) name: Option<String>,
    /// Cancel the backfill of this name or number [default: the only one of the job].
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    #[arg(conflicts_with_all = ["from", "to", "count", "only", "order", "parallel", "name", "downstream"])]
    #[expect(clippy::option_option, reason = "clap's type for an option with an optional value")]
    pub(in crate::cli) cancel: Option<Option<String>>,
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
#[group(skip)]
#[command(group(ArgGroup::new("which").required(true).args(["date", "to", "count"])))]
pub(in crate::cli) struct SkipArguments {
    /// The date, which may be in the future.
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) date: Option<DateArgument>,
    /// All unsettled dates before this one, also those of backfills.
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) to: Option<DateArgument>,
    /// The number of dates, from the job's next one on.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) count: Option<u64>,
    /// Also skip the unsettled dates of other jobs that depend on these dates, directly or through others.
    #[arg(long)]
    pub(in crate::cli) downstream: bool,
}

/// `enable`.
#[derive(Debug, Args)]
#[group(id = "backlog", required = false, multiple = false)]
pub(in crate::cli) struct EnableArguments {
    /// Skip the missed dates before this one, and run the rest.
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) skip_to: Option<DateArgument>,
    /// Skip all missed dates.
    #[arg(long)]
    pub(in crate::cli) skip_missed: bool,
    /// Run all missed dates that `catch_up` does not leave out.
    #[arg(long)]
    pub(in crate::cli) catch_up: bool,
}

/// `disable`.
#[derive(Debug, Args)]
pub(in crate::cli) struct DisableArguments {
    /// Enable the job again at this time, and run the dates that it has missed.
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) until: Option<DateArgument>,
}

/// `done`.
#[derive(Debug, Args)]
pub(in crate::cli) struct DoneArguments {
    /// The date.
    pub(in crate::cli) date: DateArgument,
}

/// `retry`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[derive(Debug, Args)]
#[group(skip)]
#[command(group(ArgGroup::new("retried").required(true).args(["date", "failed", "held"])))]
pub(in crate::cli) struct RetryArguments {
    /// The date.
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
    /// Also run the dates of other jobs that depend on these dates, directly or through others; those that succeeded are
    /// REPEATED.
    #[arg(long)]
    pub(in crate::cli) downstream: bool,
}

/// `kill`.
#[derive(Debug, Args)]
pub(in crate::cli) struct KillArguments {
    /// The date [default: all running dates].
    pub(in crate::cli) date: Option<DateArgument>,
}
