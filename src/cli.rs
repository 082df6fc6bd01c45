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
mod version;

use std::process::ExitCode;

use arguments::{Command, Global};
use context::Context;
use failure::Failure;
use output::Output;

use crate::daemon;

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let (global, command) = arguments::read();
    let context = Context::new(global);
    let mut output = Output::stdout();
    let result = perform(&context, command, &mut output).and_then(|exit| {
        output.finish()?;
        Ok(exit)
    });
    match result {
        Ok(exit) => exit,
        Err(failure) => failure.tell(),
    }
}

/// Does one command; the answer is the exit status.
fn perform(context: &Context, command: Option<Command>, output: &mut Output) -> Result<ExitCode, Failure> {
    match command {
        None => Ok(daemon::serve(options(context)?)),
        Some(Command::Once) => Ok(daemon::once(options(context)?)),
        Some(Command::Run(run)) => {
            let registry = context.registry()?;
            let Some(job) = registry.jobs.iter().find(|job| job.name.as_str() == run.job) else {
                return Err(context::unknown_job(&run.job, registry.jobs.iter().map(|job| &job.name)));
            };
            let date = run.date.as_deref().map(|text| date::DateArgument::parse(text)).transpose().map_err(|error| Failure::usage(error.to_string()))?;
            let date = date.map(|date| date.one_of(&job.timetable)).transpose().map_err(|error| Failure::usage(error.to_string()))?;
            let operation = crate::session::Operation::Run { date, force: run.force };
            let ask = daemon::Ask { job: job.name.clone(), operation, reason: run.reason };
            Ok(daemon::operate(options(context)?, ask))
        }
        Some(Command::Reset(reset)) => {
            let job = crate::job::JobName::new(&reset.job).map_err(|error| Failure::usage(error.to_string()))?;
            let ask = daemon::Ask { job, operation: crate::session::Operation::Reset, reason: reset.reason };
            Ok(daemon::operate(options(context)?, ask))
        }
        Some(Command::List) => list::list(context, output),
        Some(Command::Check) => check::check(context, output),
        Some(Command::Ghosts) => ghosts::ghosts(context, output),
        Some(Command::Health) => health::health(context, output),
        Some(Command::Plan(plan)) => plan::plan(context, &plan, output),
        Some(Command::Sessions(sessions)) => sessions::sessions(context, &sessions, output),
        Some(Command::Attempts(attempts)) => attempts::attempts(context, &attempts, output),
        Some(Command::Log(log)) => log::log(context, &log, output),
        Some(Command::Schema) => schema::schema(output),
        Some(Command::Completions(completions)) => completions::completions(&completions, output),
        Some(Command::Version) => version::version(context, output),
    }
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
