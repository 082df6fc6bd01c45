//! The arguments of the commands that read the ledger: which job, dates and rows, and in which format.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::failure::Failure;
use crate::duration;
use crate::job::JobName;
use crate::ledger::{Between, LocalBetween};
use crate::report::date::DateArgument;
use crate::report::job_filter::{JobFilter, JobPattern};
use crate::scheduler::JobCondition;
use crate::session::{AttemptKey, AttemptKeyError, OutcomeKind, SessionKey, StateKind};

/// The word for an attempt that has no outcome yet.
const RUNNING: &str = "running";

/// Which jobs.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct Jobs {
    /// The job, or a pattern of names with `*` and `?`, such as `'load-*'` [default: all jobs].
    #[arg(value_name = "JOB")]
    job: Option<JobPattern>,
    /// Only jobs with this tag; repeatable, for jobs with any of them.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

impl Jobs {
    /// The jobs that are meant.
    pub(in crate::cli) fn filter(&self, states: &[JobCondition]) -> JobFilter {
        JobFilter { pattern: self.job.clone(), tags: self.tag.clone(), states: states.to_vec() }
    }
}

/// `list` and `health`.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct ListArguments {
    #[command(flatten)]
    jobs: Jobs,
    /// Only jobs in this state, as `list` shows it; repeatable, or separated by commas.
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = condition())]
    state: Vec<JobCondition>,
}

impl ListArguments {
    /// The jobs that are meant.
    pub(in crate::cli) fn filter(&self) -> JobFilter {
        self.jobs.filter(&self.state)
    }
}

/// `sessions`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SessionsArguments {
    #[command(flatten)]
    pub(in crate::cli) jobs: Jobs,
    /// Only sessions in this state; repeatable, or separated by commas.
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state())]
    pub(in crate::cli) state: Vec<StateKind>,
    #[command(flatten)]
    pub(in crate::cli) range: Range,
    /// Only sessions before this one in the list: JOB/GENERATION/DATE, as printed below a table.
    #[arg(long, value_name = "CURSOR", value_parser = session_cursor)]
    pub(in crate::cli) before: Option<SessionKey>,
    #[command(flatten)]
    pub(in crate::cli) rows: Rows,
    /// Include the generations before a reset.
    #[arg(long)]
    pub(in crate::cli) all_generations: bool,
}

/// `attempts`.
#[derive(Debug, Args)]
pub(in crate::cli) struct AttemptsArguments {
    #[command(flatten)]
    pub(in crate::cli) jobs: Jobs,
    /// The date, or a day with all its dates [default: all dates].
    #[arg(value_name = "DATE", conflicts_with_all = ["from", "to", "last"])]
    pub(in crate::cli) date: Option<DateArgument>,
    /// Only attempts with this outcome, or `running`; repeatable, or separated by commas.
    #[arg(long, value_name = "OUTCOME", value_delimiter = ',', value_parser = outcome())]
    pub(in crate::cli) state: Vec<Option<OutcomeKind>>,
    /// Only attempts that ended since then, or still run: a duration, such as `1h`, or a date.
    #[arg(long, value_name = "WHEN")]
    pub(in crate::cli) since: Option<Since>,
    #[command(flatten)]
    pub(in crate::cli) range: Range,
    /// Only attempts before this one in the list: JOB/GENERATION/DATE/ATTEMPT, as printed below a table.
    #[arg(long, value_name = "CURSOR", value_parser = attempt_cursor)]
    pub(in crate::cli) before: Option<AttemptKey>,
    #[command(flatten)]
    pub(in crate::cli) rows: Rows,
    /// Include the generations before a reset.
    #[arg(long)]
    pub(in crate::cli) all_generations: bool,
}

/// `backfills`.
#[derive(Debug, Args)]
pub(in crate::cli) struct BackfillsArguments {
    /// The job [default: all jobs].
    pub(in crate::cli) job: Option<JobName>,
}

/// `log`.
#[derive(Debug, Args)]
pub(in crate::cli) struct LogArguments {
    /// The job.
    pub(in crate::cli) job: JobName,
    /// The date [default: that of the job's newest attempt].
    pub(in crate::cli) date: Option<DateArgument>,
    /// The number of the attempt [default: the newest].
    #[arg(long, value_name = "N", requires = "date", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) attempt: Option<u32>,
    /// Follow the output until the attempt ends; exit status 0 if it succeeded, else 1.
    #[arg(short, long, conflicts_with = "json")]
    pub(in crate::cli) follow: bool,
}

/// `calendar`.
#[derive(Debug, Args)]
pub(in crate::cli) struct CalendarArguments {
    /// The job.
    pub(in crate::cli) job: JobName,
    /// A month, such as `2026-11`.
    #[arg(long, value_name = "MONTH", value_parser = month, conflicts_with_all = ["from", "to", "last"])]
    pub(in crate::cli) month: Option<NaiveDate>,
    #[command(flatten)]
    pub(in crate::cli) range: Range,
}

/// `audit`.
#[derive(Debug, Args)]
pub(in crate::cli) struct AuditArguments {
    /// The job [default: all jobs].
    pub(in crate::cli) job: Option<JobName>,
    #[command(flatten)]
    pub(in crate::cli) range: Range,
    /// Only acts before this one in the list: its number, as printed below a table.
    #[arg(long, value_name = "CURSOR", value_parser = clap::value_parser!(i64).range(1..))]
    pub(in crate::cli) before: Option<i64>,
    #[command(flatten)]
    pub(in crate::cli) rows: Rows,
}

/// `status`.
#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArguments {
    /// The job.
    pub(in crate::cli) job: JobName,
}

/// An instant in the past: a duration until now, or a date.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) enum Since {
    Ago(Duration),
    Date(DateArgument),
}

impl Since {
    /// The instant that is meant.
    pub(in crate::cli) fn instant(self, zone: Tz, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Ago(length) => before(now, length),
            Self::Date(date) => date.instant(zone),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(date) = text.parse() {
            return Ok(Self::Date(date));
        }
        duration::parse(text).map(Self::Ago).map_err(|_| {
            "write a duration, such as `1h`, a day (`2026-11-03`), a local time (`2026-11-03T02:30`) or an instant"
                .to_owned()
        })
    }
}

/// The instant that is so long before now; the earliest if there is none.
fn before(now: DateTime<Utc>, length: Duration) -> DateTime<Utc> {
    let length = TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(length).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// A range of dates.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct Range {
    /// The first date; a day is in the time zone that a date was recorded with, or in the registry's if no job is named.
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) from: Option<DateArgument>,
    /// The end of the range, exclusive.
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) to: Option<DateArgument>,
    /// The range from this long ago until now, such as `7d`.
    #[arg(long, value_name = "DURATION", value_parser = length, conflicts_with_all = ["from", "to"])]
    pub(in crate::cli) last: Option<Duration>,
}

impl Range {
    /// What is meant among the recorded dates of one job: a day is one of the zone that a date was recorded with.
    pub(in crate::cli) fn of_job(&self, zone: Tz, now: DateTime<Utc>) -> Result<(Between, LocalBetween), Failure> {
        let between = self.between(zone, now)?;
        let local =
            LocalBetween { from: self.from.and_then(DateArgument::local), to: self.to.and_then(DateArgument::local) };
        let from = between.from.filter(|_| local.from.is_none());
        Ok((Between { from, to: between.to.filter(|_| local.to.is_none()) }, local))
    }

    /// The instants that are meant.
    pub(in crate::cli) fn between(&self, zone: Tz, now: DateTime<Utc>) -> Result<Between, Failure> {
        let last = self.last.map(|last| before(now, last));
        let from = last.or(self.from.map(|from| from.instant(zone)));
        let to = self.to.map(|to| to.instant(zone));
        from.zip(to).map_or(Ok(()), |(from, to)| must_have_instants(from, to))?;
        Ok(Between { from, to })
    }
}

/// Refuses a range that ends where it begins, or before.
pub(in crate::cli) fn must_have_instants(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<(), Failure> {
    if from < to {
        return Ok(());
    }
    let text = if from == to { "the range is empty" } else { "the range ends before it begins" };
    Err(Failure::usage(text).hint(Some("`--to` is the end, exclusive: for one day, it is the day after `--from`")))
}

/// How many rows, and in which format.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct Rows {
    /// The number of rows, the newest ones [default: 100, or all with `--json` and `--csv`].
    #[arg(long, value_name = "N", value_parser = limit)]
    pub(in crate::cli) limit: Option<NonZeroU32>,
    /// Print CSV (RFC 4180): a header, then the fields of `--json`.
    #[arg(long, conflicts_with = "json")]
    pub(in crate::cli) csv: bool,
}

/// Reads the state of a job of the registry.
fn condition() -> impl TypedValueParser<Value = JobCondition> {
    let words = JobCondition::ALL.iter().filter(|state| **state != JobCondition::Ghost).map(|state| state.word());
    PossibleValuesParser::new(words).try_map(|word| JobCondition::from_word(&word).ok_or("it is no state"))
}

/// Reads the state of a session.
fn state() -> impl TypedValueParser<Value = StateKind> {
    let words = StateKind::ALL.iter().map(|state| state.word());
    PossibleValuesParser::new(words).try_map(|word| StateKind::from_word(&word).ok_or("it is no state"))
}

/// Reads the outcome of an attempt; none for an attempt that runs.
fn outcome() -> impl TypedValueParser<Value = Option<OutcomeKind>> {
    let words = OutcomeKind::ALL.iter().map(|outcome| outcome.word());
    PossibleValuesParser::new([RUNNING].into_iter().chain(words)).map(|word| OutcomeKind::from_word(&word))
}

fn limit(text: &str) -> Result<NonZeroU32, String> {
    match text.parse::<u32>() {
        Ok(number) => NonZeroU32::new(number).ok_or_else(|| "a limit is at least 1".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn session_cursor(text: &str) -> Result<SessionKey, String> {
    let key = format!("{text}/0").parse::<AttemptKey>().map(|key| key.session);
    key.map_err(|_| "write JOB/GENERATION/DATE, such as `load/1/2026-11-03T01:30:00Z`".to_owned())
}

fn attempt_cursor(text: &str) -> Result<AttemptKey, String> {
    let wrong =
        |_: AttemptKeyError| "write JOB/GENERATION/DATE/ATTEMPT, such as `load/1/2026-11-03T01:30:00Z/2`".to_owned();
    text.parse::<AttemptKey>().map_err(wrong)
}

fn length(text: &str) -> Result<Duration, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{text}` has no unit: write `{text}d` for days, `{text}h` for hours"));
    }
    duration::parse(text).map_err(|error| match &error.hint {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

/// The first day of a month.
fn month(text: &str) -> Result<NaiveDate, &'static str> {
    let is_month = text.len() == 7 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let first = is_month.then(|| NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok()).flatten();
    first.ok_or("write a month, such as `2026-11`")
}

/// `why`.
#[derive(Debug, Args)]
pub(in crate::cli) struct WhyArguments {
    /// The job.
    pub(in crate::cli) job: JobName,
    /// The date [default: the first unsettled one, else the next].
    pub(in crate::cli) date: Option<DateArgument>,
}
