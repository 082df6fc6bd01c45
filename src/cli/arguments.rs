//! The grammar of the command line.
//!
//! The classic flags, which old crontabber had, are exact equals of commands: they are translated here, so that
//! nothing else knows them.

pub(super) mod change;
mod reading;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub(super) use reading::{Attempts, Audit, Calendar, Log, Sessions, Status, Why};

use super::date::DateArgument;
use crate::daemon;
use crate::job::JobName;
use change::{Backfill, Change, Disable, Done, Enable, Kill, Reset, Retry, Run, Skip};

const GLOBAL: &str = "Global options";
const CLASSIC: &str = "Classic flags (each the same as a command)";

/// Runs jobs that are about a date: every date of every job, in order, once.
///
/// Without a command it is the daemon, in the foreground, until SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "crontabber", disable_version_flag = true, after_help = AFTER_HELP)]
pub(super) struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(flatten)]
    classic: Classic,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
A date is a day of the job's zone (`2026-11-03`), a time of that zone's clock (`2026-11-03T02:30`),
or an instant (`2026-11-03T02:30:00+01:00`).

Exit status: 0 done; 1 failed; 2 usage; 3 another crontabber holds the ledger; 78 the registry has mistakes.";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// The registry; else `./jobs.toml`, `$XDG_CONFIG_HOME/crontabber/jobs.toml` or `/etc/crontabber/jobs.toml`.
    #[arg(long, global = true, value_name = "FILE", env = "CRONTABBER_CONFIG", hide_env_values = true, help_heading = GLOBAL)]
    #[arg(value_parser = clap::builder::OsStringValueParser::new())]
    pub(super) config: Option<OsString>,
    /// The ledger: `sqlite:///PATH` or `postgres://…`; else the registry's, else `ledger.db` in `$STATE_DIRECTORY` or
    /// `$XDG_STATE_HOME/crontabber`.
    #[arg(long, global = true, value_name = "URL", env = "CRONTABBER_LEDGER", hide_env_values = true, help_heading = GLOBAL)]
    pub(super) ledger: Option<String>,
    /// How the daemon logs when it does not write to a terminal.
    #[arg(long, global = true, value_name = "FORMAT", help_heading = GLOBAL)]
    pub(super) log_format: Option<LogFormat>,
    /// Say only what was asked for, and what went wrong.
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub(super) quiet: bool,
    /// Print JSON, for programs.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(super) json: bool,
}

impl Global {
    /// The registry that was named, if one was.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.config.as_ref().filter(|path| !path.is_empty()).map(PathBuf::from)
    }
}

/// How the daemon logs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people.
    Text,
    /// An object a line.
    Json,
}

impl From<LogFormat> for daemon::LogFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// The flags of old crontabber.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[derive(Debug, Args)]
struct Classic {
    /// The same as `once`.
    #[arg(long, group = "classic", help_heading = CLASSIC)]
    once: bool,
    /// The same as `list`.
    #[arg(short = 'l', long, group = "classic", help_heading = CLASSIC)]
    list_jobs: bool,
    /// The same as `run JOB`.
    #[arg(short = 'j', long, value_name = "JOB", group = "classic", help_heading = CLASSIC, value_parser = JobName::new)]
    job: Option<JobName>,
    /// With `--job`: the date to attempt.
    #[arg(long, value_name = "DATE", requires = "job", help_heading = CLASSIC, value_parser = DateArgument::parse)]
    date: Option<DateArgument>,
    /// With `--job`: do not wait for dependencies, nor for the date to come due.
    #[arg(long, requires = "job", help_heading = CLASSIC)]
    force: bool,
    /// The same as `reset JOB`.
    #[arg(short = 'r', long, value_name = "JOB", group = "classic", help_heading = CLASSIC, value_parser = JobName::new)]
    reset_job: Option<JobName>,
    /// With `--reset-job`: do not ask, however many dates that repeats.
    #[arg(long, requires = "reset_job", help_heading = CLASSIC)]
    yes: bool,
    /// The same as `check`.
    #[arg(long, group = "classic", help_heading = CLASSIC)]
    configtest: bool,
    /// The same as `ghosts`.
    #[arg(long, group = "classic", help_heading = CLASSIC)]
    audit_ghosts: bool,
    /// The same as `health`.
    #[arg(short = 'n', long, group = "classic", help_heading = CLASSIC)]
    nagios: bool,
    /// The same as `version`.
    #[arg(short = 'V', long, action = ArgAction::SetTrue, group = "classic", help_heading = CLASSIC)]
    version: bool,
}

impl Classic {
    /// The command that a flag stands for, if one was given; clap lets at most one pass.
    fn command(self) -> Option<Command> {
        let job = self
            .job
            .map(|job| Command::Run(Run { job, date: self.date, force: self.force, change: Change::default() }));
        let change = Change { yes: self.yes, ..Change::default() };
        let reset = self.reset_job.map(|job| Command::Reset(Reset { job, to: None, change }));
        let flags = [
            (self.once, Command::Once),
            (self.list_jobs, Command::List),
            (self.configtest, Command::Check),
            (self.audit_ghosts, Command::Ghosts),
            (self.nagios, Command::Health),
            (self.version, Command::Version),
        ];
        job.or(reset).or_else(|| flags.into_iter().find_map(|(given, command)| given.then_some(command)))
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// One wake: run all that is due, then exit; 1 if an attempt failed.
    Once,
    /// Every job: schedule, state, last success, next date, dates behind, what blocks it.
    List,
    /// What happened to a date, what it waits for, and when it is tried next.
    ///
    /// Without a date: of the first one that is not settled.
    Why(Why),
    /// Attempt a job now.
    ///
    /// A backfillable job is attempted only at the date that is next in its order.
    Run(Run),
    /// Make a job as if it had never run; says which dates that repeats.
    ///
    /// The old sessions stay in the ledger, as an earlier generation of the job.
    Reset(Reset),
    /// Attempt past dates, also those before the job's start, beside its schedule.
    Backfill(Backfill),
    /// Settle dates as skipped: they are not attempted, and nothing waits for them.
    Skip(Skip),
    /// Settle a date as succeeded: its work is done, by whomever.
    Done(Done),
    /// Attempt dates again that failed or are held: now, whatever their retry time.
    Retry(Retry),
    /// End the attempt that runs; its date is held until you say what becomes of it.
    Kill(Kill),
    /// Let nothing of a job run.
    Disable(Disable),
    /// Let a job run again that was disabled, with or without what it has missed.
    Enable(Enable),
    /// Check the registry; exit 78 when it has mistakes.
    Check,
    /// The jobs that are in the ledger and not in the registry.
    Ghosts,
    /// One line for a monitor: OK, WARNING, CRITICAL or UNKNOWN, and exit 0, 1, 2 or 3.
    ///
    /// A first failure of a backfillable job warns, a second is critical; so are a failure of any other job, a held
    /// date, and a job that should have run and did not.
    Health,
    /// The dates ahead, or in a range; without a job and a range, what a wake would start now.
    ///
    /// Ranges ask the registry alone: what the ledger holds makes no difference.
    Plan(Plan),
    /// The sessions in the ledger: each date of each job, and where it stands.
    ///
    /// By ascending date. A limit keeps the newest, and the line below the table is the command for those before them.
    /// A program takes the first row of a page, whose JOB/GENERATION/DATE is the `--after` of the page before it.
    Sessions(Sessions),
    /// The attempts in the ledger: each start of each date, and how it ended.
    ///
    /// By ascending date and number. A limit keeps the newest, and the line below the table is the command for those
    /// before them. A program takes the first row of a page, whose JOB/GENERATION/DATE/ATTEMPT is the `--after` of the
    /// page before it.
    Attempts(Attempts),
    /// What an attempt printed, as it printed it.
    Log(Log),
    /// A picture of a job's dates: a block a month, a mark and a colour for where each day stands.
    ///
    /// A day with several dates has the mark of the worst of them, and how many are so. Without a range: this month and
    /// the two before it.
    Calendar(Calendar),
    /// All about one job: what the registry says, its clock, its backlog and what blocks it, its last attempts.
    ///
    /// Also how long it takes: the median and the 95th percentile of the newest 100 attempts that succeeded. It is getting
    /// slower if the median of the newest 10 is at least 1.5 times that of the 90 before them (or as many as there are, 10
    /// at least), and at least a second more.
    Status(Status),
    /// What operators did: who, when, from where, to which job and dates, why, and what came of it; the newest first.
    Audit(Audit),
    /// Check that the whole ledger keeps the promise; exit 1 and name what breaks it.
    ///
    /// P1 once: what succeeded was not started again. P2 alone: no two attempts of a job at once. P3 in order: in strict
    /// order, as the registry has it now, no date was started before the earlier ones were settled. P4 none lost: every
    /// date of the schedule in force has a row. P5 forward: the clock went back by resets only. And the rows agree with
    /// one another. What only looks wrong by the wall clock, which may have been set back, is noted and is no violation.
    Verify,
    /// The JSON Schema of the registry, for editors.
    Schema,
    /// Every command, as Markdown: `docs/commands.md`.
    #[command(hide = true)]
    Reference,
    /// The completions of this command line for a shell.
    Completions(Completions),
    /// The version, and that of the time zone rules.
    Version,
    /// The warden, which owns the job processes; the daemon or systemd starts it, with its socket as standard input.
    #[command(hide = true)]
    Warden(Warden),
}

/// `warden`.
#[derive(Debug, Args)]
pub(super) struct Warden {
    /// The folder of its journal; else `warden` in the state directory of its unit.
    #[arg(long, value_name = "FOLDER", env = "CRONTABBER_WARDEN_FOLDER")]
    pub(super) folder: Option<PathBuf>,
    /// It is a unit of systemd's: jobs have its environment, and each a control group below its own.
    #[arg(long)]
    pub(super) managed: bool,
}

/// `plan`.
#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The job; else all jobs, by date.
    #[arg(value_name = "JOB", value_parser = JobName::new)]
    pub(super) job: Option<JobName>,
    /// The first date; else now.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(super) from: Option<DateArgument>,
    /// The end, itself not included.
    #[arg(long, value_name = "DATE", value_parser = DateArgument::parse)]
    pub(super) to: Option<DateArgument>,
    /// How many dates at most; 10 if there is no `--to`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
}

/// `completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
}

/// Reads the command line of this process; says what is wrong with it, and exits with 2, if it is not one of ours.
pub(super) fn read() -> (Global, Option<Command>) {
    let line = CommandLine::parse();
    if line.classic.job.is_none() && (line.classic.force || line.classic.date.is_some()) {
        let text = "`--force` and `--date` go with `--job`, or stand after `run`";
        CommandLine::command().error(ErrorKind::ArgumentConflict, text).exit();
    }
    match (line.command, line.classic.command()) {
        (Some(_), Some(_)) => CommandLine::command()
            .error(ErrorKind::ArgumentConflict, "a classic flag is a command of its own, and there is one already")
            .exit(),
        (command, classic) => (line.global, command.or(classic)),
    }
}
