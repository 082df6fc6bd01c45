//! The command line: what people type, and where it goes.
//!
//! Every command of [`arguments`] is one file beside it. The commands that read do it here, through a registry and a
//! ledger that they only read; those that start something hand on to the daemon. Nothing here decides what runs.

mod arguments;
mod attempts;
mod check;
mod completions;
mod context;
pub mod date;
mod failure;
mod ghosts;
mod health;
mod json;
mod list;
mod log;
mod output;
mod plan;
mod schema;
mod sessions;
mod table;
mod verify;
mod version;
mod warden;

use std::process::ExitCode;

use arguments::{Command, Global, Reset, Run};
use context::{Context, Zones, unknown_job};
use failure::Failure;
use output::Output;

use crate::daemon::{self, Ask};
use crate::ledger::Reader;
use crate::session::Operation;

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let (global, command) = arguments::read();
    let context = Context::new(global);
    let result = match command {
        None => options(&context).map(daemon::serve),
        Some(Command::Once) => options(&context).map(daemon::once),
        Some(Command::Run(asked)) => run(&context, asked),
        Some(Command::Reset(asked)) => reset(&context, asked),
        Some(Command::Warden(asked)) => warden::warden(asked),
        Some(command) => read(&context, &command),
    };
    result.unwrap_or_else(Failure::tell)
}

/// Does a command that only reads; the answer is the exit status.
fn read(context: &Context, command: &Command) -> Result<ExitCode, Failure> {
    let output = &mut Output::stdout();
    let exit = match command {
        Command::List => list::list(context, output),
        Command::Check => check::check(context, output),
        Command::Ghosts => ghosts::ghosts(context, output),
        Command::Health => health::health(context, output),
        Command::Plan(asked) => plan::plan(context, asked, output),
        Command::Sessions(asked) => sessions::sessions(context, asked, output),
        Command::Attempts(asked) => attempts::attempts(context, asked, output),
        Command::Log(asked) => log::log(context, asked, output),
        Command::Verify => verify::verify(context, output),
        Command::Schema => schema::schema(output),
        Command::Completions(asked) => completions::completions(asked, output),
        Command::Version => version::version(context, output),
        Command::Once | Command::Run(_) | Command::Reset(_) | Command::Warden(_) => {
            unreachable!("these do more than read")
        }
    }?;
    output.finish()?;
    Ok(exit)
}

/// Asks for an attempt at a job now.
fn run(context: &Context, asked: Run) -> Result<ExitCode, Failure> {
    let registry = context.registry()?;
    let known = registry.jobs.iter().map(|job| &job.name);
    let job = registry.jobs.iter().find(|job| job.name == asked.job);
    let job = job.ok_or_else(|| unknown_job(asked.job.as_str(), known))?;
    let date = asked.date.map(|date| date.one_of(&job.timetable)).transpose();
    let date = date.map_err(|error| Failure::usage(format!("job `{}`: {error}", asked.job)))?;
    let operation = Operation::Run { date, force: asked.force };
    Ok(daemon::operate(options(context)?, Ask { job: asked.job, operation, reason: asked.reason }))
}

/// Asks for a job to be forgotten; a ghost can be, too, so that the ledger is asked whether it knows it.
fn reset(context: &Context, asked: Reset) -> Result<ExitCode, Failure> {
    let registry = context.registry()?;
    if !registry.jobs.iter().any(|job| job.name == asked.job) {
        let mut reader = context.reader(Some(&registry))?;
        let records = reader.as_mut().map(Reader::jobs).transpose()?.unwrap_or_default();
        Zones::new(Some(&registry), &records).know(&asked.job)?;
    }
    let ask = Ask { job: asked.job, operation: Operation::Reset { to: None }, reason: asked.reason };
    Ok(daemon::operate(options(context)?, ask))
}

/// What the daemon is told of the command line.
fn options(context: &Context) -> Result<daemon::Options, Failure> {
    let Global { ledger, log_format, quiet, json, .. } = &context.global;
    Ok(daemon::Options {
        registry: context.registry_path()?,
        ledger: ledger.clone(),
        log_format: log_format.map(Into::into),
        quiet: *quiet,
        json: *json,
    })
}
