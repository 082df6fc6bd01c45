//! `why`: what happened to a date, what it waits for, and when it is attempted next, in sentences.

use std::io::Write;

use super::arguments::WhyArguments;
use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Output;
use crate::report::why::DateReport;

/// Explains a date.
pub(super) fn why(context: &Context, asked: &WhyArguments, output: &mut Output) -> Result<(), Failure> {
    let registry = context.registry()?;
    let mut reader = context.reader_if_any(Some(&registry))?;
    let logs = context.logs(Some(&registry))?;
    let report = DateReport::read(&asked.job, asked.date, registry, reader.as_mut(), &logs, context.now)?;
    if context.json() {
        json::object(output, &report.row(&logs))?;
    } else {
        for sentence in report.sentences() {
            writeln!(output, "{sentence}")?;
        }
    }
    Ok(())
}
