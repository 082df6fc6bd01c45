//! `status`: everything about one job.

use std::io::Write;

use super::arguments::StatusArguments;
use super::attempts;
use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::{Output, cut};
use crate::report::status::{JobReport, settings};
use crate::text::one_line;

/// Prints everything about a job.
pub(super) fn status(context: &Context, asked: &StatusArguments, output: &mut Output) -> Result<(), Failure> {
    let registry = context.registry_if_any()?;
    let logs = context.logs(registry.as_ref())?;
    let mut reader = context.reader(registry.as_ref())?;
    if let Some(registry) = &registry {
        context.warn_about_daemon(registry, reader.as_mut())?;
    }
    let report = JobReport::read(&asked.job, registry, reader.as_mut(), context.now)?;
    if context.json() {
        json::object(output, &report.row(&logs))?;
    } else {
        print(&report, output)?;
    }
    Ok(())
}

fn print(report: &JobReport, output: &mut Output) -> Result<(), Failure> {
    writeln!(output, "{}: {}", report.view.record.name, report.view.state)?;
    let late = report.late_line();
    for text in report.situation().into_iter().chain(late) {
        for line in text.lines() {
            writeln!(output, "  {}", one_line(line))?;
        }
    }
    match &report.job {
        Some(job) => section("In the registry", &settings(job), output)?,
        None => writeln!(output, "\nNot in the registry: a ghost, which never runs.")?,
    }
    section("In the ledger", &report.ledger(), output)?;
    if let Some(pace) = &report.pace {
        writeln!(output, "\nHow long it takes")?;
        for line in pace.lines() {
            writeln!(output, "  {line}")?;
        }
    }
    if report.attempts.is_empty() {
        writeln!(output, "\nIt was never attempted.")?;
    } else {
        let stuck = if report.is_stuck() { ", and at the dates of backfills that need an operator" } else { "" };
        writeln!(output, "\nThe attempts at the newest dates{stuck}")?;
        attempts::print(&report.attempts, output)?;
    }
    Ok(())
}

/// Prints names and what they say, below a heading.
fn section(heading: &str, lines: &[(&'static str, String)], output: &mut Output) -> Result<(), Failure> {
    writeln!(output, "\n{heading}")?;
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in lines {
        writeln!(output, "{}", cut(&format!("  {name:<width$}  {}", one_line(value)), output.width))?;
    }
    Ok(())
}
