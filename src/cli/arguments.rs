//! The grammar of the command line.
//!
//! The classic flags, which old crontabber had, are exact equals of commands: they are translated here, so that
//! nothing else knows them.

pub(super) mod change;
mod other_verbs;
mod reading;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

pub(super) use reading::must_have_instants;
pub(super) use reading::{
    AttemptsArguments, AuditArguments, BackfillsArguments, CalendarArguments, ListArguments, LogArguments,
    SessionsArguments, StatusArguments, WhyArguments,
};

use crate::daemon;
use crate::job::JobName;
use crate::report::date::DateArgument;
use change::{Change, ChangeCommand, ChangeOptions, PauseArguments, ResetArguments, ResumeArguments, RunArguments};
use other_verbs::with_our_verb;

const GLOBAL: &str = "Global options";
const CLASSIC: &str = "Classic flags (each the same as a command)";

/// Runs jobs that are about a date: every date of every job, in order, once.
///
/// Without a command, runs the daemon in the foreground until SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "crontabber", disable_version_flag = true, after_help = AFTER_HELP)]
pub(super) struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(flatten)]
    classic: Classic,
    #[command(subcommand)]
    command: Option<CliCommand>,
}

const AFTER_HELP: &str = "\
A date is a day in the job's time zone (`2026-11-03`), a local time in that zone (`2026-11-03T02:30`),
or an instant (`2026-11-03T02:30:00+01:00`).

Exit status: 0 success; 1 failure; 2 usage error; 3 another crontabber holds the ledger; 78 the registry has mistakes.";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// The registry [default: the first that exists of `./jobs.toml`, `$XDG_CONFIG_HOME/crontabber/jobs.toml` and
    /// `/etc/crontabber/jobs.toml`].
    #[arg(long, global = true, value_name = "FILE", env = "CRONTABBER_CONFIG", hide_env_values = true, help_heading = GLOBAL)]
    #[arg(value_parser = clap::builder::OsStringValueParser::new())]
    pub(super) config: Option<OsString>,
    /// The ledger, `sqlite:///PATH` or `postgres://…` [default: the registry's, else `ledger.db` in `$STATE_DIRECTORY` or
    /// `$XDG_STATE_HOME/crontabber`].
    #[arg(long, global = true, value_name = "URL", env = "CRONTABBER_LEDGER", hide_env_values = true, help_heading = GLOBAL)]
    pub(super) ledger: Option<String>,
    /// The log format of the daemon when it does not write to a terminal.
    #[arg(long, global = true, value_name = "FORMAT", help_heading = GLOBAL, value_parser = log_format())]
    pub(super) log_format: Option<daemon::LogFormat>,
    /// Print only results and errors.
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub(super) quiet: bool,
    /// Print JSON.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(super) json: bool,
}

impl Global {
    /// The registry that was named, if one was.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.config.as_ref().filter(|path| !path.is_empty()).map(PathBuf::from)
    }
}

fn log_format() -> impl TypedValueParser<Value = daemon::LogFormat> {
    let text = PossibleValue::new("text").help("Lines of text");
    let json = PossibleValue::new("json").help("One JSON object per line");
    PossibleValuesParser::new([text, json])
        .map(|word| if word == "json" { daemon::LogFormat::Json } else { daemon::LogFormat::Text })
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
    #[arg(short = 'j', long, value_name = "JOB", group = "classic", help_heading = CLASSIC)]
    job: Option<JobName>,
    /// With `--job`: the date to attempt.
    #[arg(long, value_name = "DATE", requires = "job", help_heading = CLASSIC)]
    date: Option<DateArgument>,
    /// With `--job`: wait neither for dependencies nor for the date to be due.
    #[arg(long, requires = "job", help_heading = CLASSIC)]
    force: bool,
    /// The same as `reset JOB`.
    #[arg(short = 'r', long, value_name = "JOB", group = "classic", help_heading = CLASSIC)]
    reset_job: Option<JobName>,
    /// With `--reset-job`: do not ask for confirmation.
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
    fn command(self) -> Option<CliCommand> {
        let run = self.job.map(|job| {
            let arguments = RunArguments { date: self.date, force: self.force };
            ChangeCommand::Run(Change { job, arguments, options: ChangeOptions::default() })
        });
        let reset = self.reset_job.map(|job| {
            let options = ChangeOptions { yes: self.yes, ..ChangeOptions::default() };
            ChangeCommand::Reset(Change { job, arguments: ResetArguments { to: None }, options })
        });
        let flags = [
            (self.once, CliCommand::Once),
            (self.list_jobs, CliCommand::List(ListArguments::default())),
            (self.configtest, CliCommand::Check),
            (self.audit_ghosts, CliCommand::Ghosts),
            (self.nagios, CliCommand::Health(ListArguments::default())),
            (self.version, CliCommand::Version),
        ];
        let flag = flags.into_iter().find_map(|(given, command)| given.then_some(command));
        run.or(reset).map(CliCommand::Change).or(flag)
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum CliCommand {
    /// Run everything that is due, then exit; exit status 1 if an attempt failed.
    Once,
    /// List every job: schedule, state, last success, next date, dates behind, what blocks it.
    List(ListArguments),
    /// Explain a date: what happened to it, what it waits for, and when it is attempted next.
    ///
    /// Without a date, explains the first one that is not settled.
    Why(WhyArguments),
    #[command(flatten)]
    Change(ChangeCommand),
    /// Pause all jobs, or those with a tag: no new attempt starts; running attempts continue.
    ///
    /// Due dates are recorded meanwhile, and run in order when the pause ends, as after an outage (unlike `disable`, which
    /// records no dates). `run` of a paused job is refused, except with `--force`; `retry` and `backfill` wait. A pause of
    /// all jobs and the pauses of tags are independent; another pause of the same jobs replaces the first.
    Pause(PauseArguments),
    /// End a pause: what waited runs, in order.
    Resume(ResumeArguments),
    /// Run a date's command in this terminal, off the record, to see whether it works.
    ///
    /// It really runs: with the arguments, the variables, the folder, the `timeout` and the exit statuses that the daemon
    /// would use, and with the environment of the daemon if one runs on this machine. Its output goes to the terminal.
    /// Nothing is written to the ledger, no date changes, and no daemon is needed. Neither order nor dependencies are
    /// checked, and a future date is allowed. Ctrl-C ends the command with all its processes; a second Ctrl-C kills them.
    ///
    /// At the end it prints what would have been recorded; exit status 0 if that is a success, else 1. With `--json` the
    /// command's own output goes to standard error.
    Test(TestArguments),
    /// List the backfills that operators ordered: their ranges, and how many dates are done, failed and to go.
    ///
    /// A date counts for the newest backfill that it belonged to. The number stands for a backfill without a name, and
    /// `crontabber backfill JOB --cancel` takes either.
    Backfills(BackfillsArguments),
    /// Check the registry; exit status 78 if it has mistakes.
    Check,
    /// List the jobs that are in the ledger but not in the registry.
    Ghosts,
    /// Print one line for a monitor: OK, WARNING, CRITICAL or UNKNOWN, with exit status 0, 1, 2 or 3.
    ///
    /// The first failure of a backfillable job is a warning, the second is critical. A failure of any other job, a held
    /// date, and a job that should have run and did not are critical.
    ///
    /// A daemon that ended without being stopped, or hangs, is critical at once; one that was stopped is a warning, and
    /// critical after five minutes. A registry that the daemon has not read since it was changed is a warning. A ledger that
    /// only `once` writes needs no daemon.
    ///
    /// With a job, a tag or a state, only these jobs are judged; what is wrong with the daemon is always reported.
    Health(ListArguments),
    /// List the dates to come, or those of a range; without a job and a range, what would start now.
    ///
    /// Dates are computed from the registry. Of a job, the dates to come that an operator has settled or that are moved are
    /// left out, and a note says why.
    Plan(PlanArguments),
    /// List the sessions in the ledger: each date of each job, and its state.
    ///
    /// Sorted by ascending date. A limit keeps the newest rows; the line below the table is the command for the rows before
    /// them. A program passes JOB/GENERATION/DATE of the first row of a page as `--before` to get the previous page.
    Sessions(SessionsArguments),
    /// List the attempts in the ledger: each start of each date, and how it ended.
    ///
    /// Sorted by ascending date and number. A limit keeps the newest rows; the line below the table is the command for the
    /// rows before them. A program passes JOB/GENERATION/DATE/ATTEMPT of the first row of a page as `--before` to get the
    /// previous page.
    Attempts(AttemptsArguments),
    /// Print the output of an attempt.
    Log(LogArguments),
    /// Draw a calendar of a job's dates: one block per month, with a mark and a color for the state of each day.
    ///
    /// A day with several dates has the mark of the worst of them, and the number of dates in that state. Without a range:
    /// this month and the two before it.
    Calendar(CalendarArguments),
    /// Show everything about one job: its configuration, its watermark, its backlog, what blocks it, its last attempts.
    ///
    /// Also shows how long it takes: the median and the 95th percentile of the newest 100 successful attempts. The job is
    /// getting slower if the median of the newest 10 is at least 1.5 times that of the (at least 10, at most 90) attempts
    /// before them, and at least one second longer.
    Status(StatusArguments),
    /// List what operators did: who, when, from where, to which job and dates, why, and the result; newest first.
    Audit(AuditArguments),
    /// Check that the whole ledger keeps the promises; exit status 1 if it does not.
    ///
    /// P1 once: no date that succeeded was started again. P2 alone: no two attempts of a job overlap. P3 in order: in
    /// strict order, no date was started before the earlier ones were settled. P4 none lost: every date of the schedule
    /// in force has a row. P5 forward: only resets move the watermark back. The rows must also agree with one another.
    /// What looks wrong only by the wall clock, which may have been set back, is a note and not a violation.
    Verify,
    /// Print the JSON Schema of the registry, for editors.
    Schema,
    /// Print every command as Markdown: `docs/commands.md`.
    #[command(hide = true)]
    Reference,
    /// Print shell completions.
    Completions(CompletionsArguments),
    /// Print the version, and that of the time zone database.
    Version,
    /// Run the warden, which owns the job processes; the daemon or systemd starts it, with its socket as standard input.
    #[command(hide = true)]
    Warden(WardenArguments),
}

/// `warden`.
#[derive(Debug, Args)]
pub(super) struct WardenArguments {
    /// The folder of its journal; else `warden` in the state directory of its unit.
    #[arg(long, value_name = "FOLDER", env = "CRONTABBER_WARDEN_FOLDER")]
    pub(super) folder: Option<PathBuf>,
    /// It is a unit of systemd's: jobs have its environment, and each a control group below its own.
    #[arg(long)]
    pub(super) managed: bool,
}

/// `plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArguments {
    /// The job [default: all jobs].
    pub(super) job: Option<JobName>,
    /// The first date [default: now].
    #[arg(long, value_name = "DATE")]
    pub(super) from: Option<DateArgument>,
    /// The end of the range, exclusive.
    #[arg(long, value_name = "DATE")]
    pub(super) to: Option<DateArgument>,
    /// Most dates to list [default: 10, or all with `--to`].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
}

/// `test`.
#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// The job.
    pub(super) job: JobName,
    /// The date.
    pub(super) date: DateArgument,
    /// Run the command even if `done_when` says that the date is done, or gives no answer.
    #[arg(long)]
    pub(super) force: bool,
}

/// `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell.
    pub(super) shell: clap_complete::Shell,
}

/// Reads the command line of this process; prints the mistake and exits with 2 if there is one.
pub(super) fn read() -> (Global, Option<CliCommand>) {
    let line = CommandLine::try_parse().unwrap_or_else(|error| with_our_verb(error).exit());
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
