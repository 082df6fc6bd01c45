//! `health`: one line for a monitor.

use std::io::Write;
use std::process::ExitCode;

use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Output;
use crate::ledger::Reader;
use crate::report::health::Health;
use crate::report::job_filter::JobFilter;

/// Prints the health of the jobs.
pub(super) fn health(context: &Context, filter: &JobFilter, output: &mut Output) -> Result<ExitCode, Failure> {
    let health = match examine(context, filter) {
        Ok(health) => health,
        Err(Failure::Closed) => return Err(Failure::Closed),
        Err(failure) => Health::unknown(&failure.line()),
    };
    if context.json() {
        json::object(output, &health)?;
    } else {
        writeln!(output, "{}", health.line())?;
    }
    Ok(ExitCode::from(health.exit()))
}

fn examine(context: &Context, filter: &JobFilter) -> Result<Health, Failure> {
    let (registry, mistakes) = context.registry_or_in_force()?;
    let mistakes = mistakes.map(|(error, text)| format!("{text}: {error}"));
    // A missing ledger is an error: the monitor may watch the wrong one.
    let mut reader = Reader::open(&context.ledger_url(Some(&registry))?)?;
    Ok(Health::read(registry, filter, mistakes, &mut reader, context.now)?)
}
