//! `log`: what an attempt printed, byte for byte.

mod follow;

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::arguments::LogArguments;
use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Output;
use crate::job::JobName;
use crate::ledger::{AttemptFilter, Reader};
use crate::report::attempts::collected;
use crate::report::date::DateArgument;
use crate::report::date_resolve::{Choice, Dates, NAMED};
use crate::report::orphans::{Process, is_watched};
use crate::report::zones::Zones;
use crate::session::{AttemptKey, AttemptRecord, Outcome};
use crate::text::{first_few, in_zone};
use crate::{duration, paths};
use follow::Followed;

/// Where a log is, in JSON.
#[derive(Debug, Serialize)]
struct LogRow<'a> {
    job: &'a str,
    date: String,
    attempt: u32,
    log: Option<&'a Path>,
}

/// Prints the log of one attempt.
pub(super) fn log(context: &Context, asked: &LogArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let registry = context.registry_if_any()?;
    let logs = context.logs(registry.as_ref())?;
    let Some(mut reader) = context.reader(registry.as_ref())? else {
        return Err(Failure::new(format!("`{}` has no attempts: there is no ledger yet", asked.job)));
    };
    let zones = Zones::new(registry.as_ref(), &reader.jobs()?);
    zones.know(&asked.job)?;
    let job = context.recorded_name(&asked.job, &zones);
    let choice = Choice::new(&job, registry.as_ref(), &zones);
    let attempt = choose(context, &mut reader, asked, &choice)?;
    let key = &attempt.key;
    let date = in_zone(key.session.date, attempt.zone);
    let file = paths::log_file(&logs, key);
    let name = format!("attempt {} of `{}` at {date}", key.number, asked.job);
    if asked.follow {
        return followed(context, &mut reader, &attempt, &file, &name, output);
    }
    let opened = File::open(&file);
    if context.json() {
        let log = opened.is_ok().then_some(file.as_path());
        json::object(output, &LogRow { job: asked.job.as_str(), date, attempt: key.number, log })?;
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = match &attempt.end {
        Some(end) => end.outcome.to_string(),
        None if is_watched(&mut reader)? => "running".to_owned(),
        None => Process::of(&attempt).text().to_owned(),
    };
    match opened {
        Ok(mut log) => {
            context.remark(&format!("{name}: {outcome}{}", detail(&attempt)));
            io::copy(&mut log, output)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => match &attempt.end {
            Some(end) if end.has_log => {
                let text = format!("the log of {name} is gone: `{}` does not exist", file.display());
                return Err(Failure::new(text).hint(Some("was the ledger moved without the folder `logs` beside it?")));
            }
            _ => context.remark(&format!("{name}: {outcome}; it printed nothing{}", detail(&attempt))),
        },
        Err(error) => {
            return Err(Failure::new(format!("the log of {name}, `{}`, cannot be read: {error}", file.display())));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what is printed until the attempt has ended, then says how.
fn followed(
    context: &Context,
    reader: &mut Reader,
    attempt: &AttemptRecord,
    file: &Path,
    name: &str,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    if attempt.end.is_none() {
        context.remark(&format!("{name}: running"));
    }
    let end = match follow::follow(reader, &attempt.key, file, output)? {
        Followed::Ended(end) => end,
        Followed::Deserted(process) => {
            context.remark(&format!("{name}: {}", process.text()));
            return Ok(ExitCode::FAILURE);
        }
    };
    let outcome = end.outcome;
    let took = end.duration.map(|took| format!(" after {}", duration::format(took))).unwrap_or_default();
    context.remark(&format!("{name}: {outcome}{took}{}", detail(&AttemptRecord { end: Some(end), ..attempt.clone() })));
    Ok(if outcome == Outcome::Succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn detail(attempt: &AttemptRecord) -> String {
    let detail = attempt.end.as_ref().and_then(|end| end.detail.as_deref());
    detail.map(|detail| format!(" ({detail})")).unwrap_or_default()
}

/// The attempt that is meant: the newest, unless a number was given.
fn choose(
    context: &Context,
    reader: &mut Reader,
    asked: &LogArguments,
    choice: &Choice<'_>,
) -> Result<AttemptRecord, Failure> {
    let job = choice.name;
    let Some(date) = asked.date else {
        return newest(reader, job)?.ok_or_else(|| Failure::new(format!("`{job}` was never attempted")));
    };
    let date = choice.completed(reader, date, Dates::OfAllGenerations)?;
    let mut attempts = at(reader, choice, date, false)?;
    if attempts.is_empty() {
        attempts = at(reader, choice, date, true)?;
        // A reset begins a new generation, and leaves what was before it.
        let newest = attempts.iter().map(|attempt| attempt.key.session.generation).max();
        attempts.retain(|attempt| Some(attempt.key.session.generation) == newest);
        if !attempts.is_empty() {
            context.remark(&format!("`{job}` was reset: this is from before the reset"));
        }
    }
    let mut dates: Vec<_> = attempts.iter().map(|attempt| (attempt.key.session.date, attempt.zone)).collect();
    dates.dedup();
    if dates.len() > 1 {
        let dates: Vec<String> = dates.into_iter().map(|(date, zone)| in_zone(date, zone)).collect();
        return Err(Failure::usage(format!("`{job}` was attempted at {} dates of that day", dates.len()))
            .hint(Some(format!("name one: {}", first_few(&dates, NAMED)))));
    }
    if attempts.is_empty() {
        choice.must_be_a_date(reader, date)?;
        return Err(Failure::new(format!("`{job}` was never attempted at that date"))
            .hint(Some(format!("`crontabber sessions {job}` lists its dates"))));
    }
    let numbers = attempts.len();
    let chosen = match asked.attempt {
        None => attempts.into_iter().max_by_key(|attempt| attempt.key.number),
        Some(number) => attempts.into_iter().find(|attempt| attempt.key.number == number),
    };
    chosen.ok_or_else(|| Failure::new(format!("`{job}` has no such attempt at that date; it has {numbers}")))
}

/// The attempts of a job at the date, or at the dates, that are meant, ascending.
///
/// The ledger is asked, and not the schedule, which may have been another then.
fn at(
    reader: &mut Reader,
    choice: &Choice<'_>,
    date: DateArgument,
    all_generations: bool,
) -> Result<Vec<AttemptRecord>, Failure> {
    let dates = choice.recorded_range(reader, date)?;
    let filter =
        AttemptFilter { jobs: Some(vec![choice.name.clone()]), dates, all_generations, ..AttemptFilter::default() };
    let mut found = collected(reader, &filter)?;
    found.retain(|attempt| date.means(attempt.key.session.date, attempt.zone));
    Ok(found)
}

/// The attempt of a job that was started last: an old date may have been attempted after a new one.
fn newest(reader: &mut Reader, job: &JobName) -> Result<Option<AttemptRecord>, Failure> {
    let filter = AttemptFilter { jobs: Some(vec![job.clone()]), newest: Some(1_000), ..AttemptFilter::default() };
    let mut newest: Option<AttemptRecord> = None;
    let order = |attempt: &AttemptRecord| -> (chrono::DateTime<chrono::Utc>, AttemptKey) {
        (attempt.started_at, attempt.key.clone())
    };
    reader.attempts(&filter, &mut |attempt| {
        if newest.as_ref().is_none_or(|newest| order(newest) < order(&attempt)) {
            newest = Some(attempt);
        }
        ControlFlow::Continue(())
    })?;
    Ok(newest)
}
