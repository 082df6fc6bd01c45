//! `check`: whether the registry can be used.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Output;
use crate::environment::use_color;
use crate::exit_code::REGISTRY;
use crate::registry::{Diagnostic, Registry};
use crate::report::daemon::DaemonFinding;
use crate::report::edits::{JobEdit, edits};
use crate::report::other_ledgers;
use crate::report::severity::Severity;
use crate::text::counted;

/// The answer in JSON.
#[derive(Debug, Serialize)]
struct Verdict<'a> {
    ok: bool,
    file: &'a Path,
    jobs: usize,
    mistakes: &'a [Diagnostic],
    warnings: &'a [Diagnostic],
    /// What the registry changes, compared with the ledger.
    edits: &'a [JobEdit],
}

/// Checks the registry, and says what it changes of the jobs in the ledger.
pub(super) fn check(context: &Context, output: &mut Output) -> Result<ExitCode, Failure> {
    let path = context.registry_path()?;
    let registry = match Registry::load_and_look_for_paths(&path, context.now) {
        Ok(registry) => registry,
        Err(error) if context.json() => {
            let mistakes = error.diagnostics();
            json::object(output, &Verdict { ok: false, file: &path, jobs: 0, mistakes, warnings: &[], edits: &[] })?;
            return Ok(ExitCode::from(REGISTRY));
        }
        Err(error) => return Err(error.into()),
    };
    let (jobs, warnings, files) = (registry.jobs.len(), registry.warnings.clone(), registry.files.len());
    let edits = edits_beside_ledger(context, &registry);
    if context.json() {
        json::object(
            output,
            &Verdict { ok: true, file: &path, jobs, mistakes: &[], warnings: &warnings, edits: &edits },
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut err = io::stderr().lock();
    let color = use_color(&err);
    for warning in &warnings {
        // A closed stderr cannot be reported.
        let _ = writeln!(err, "{}\n", warning.render(color));
    }
    if !context.global.quiet {
        let files = match files {
            0 | 1 => String::new(),
            files => format!(" in {files} files"),
        };
        let warned = match warnings.len() as u64 {
            0 => String::new(),
            number => format!(", {}", counted(number, "warning")),
        };
        let jobs = counted(jobs as u64, "job");
        writeln!(output, "{}: {jobs}{files}, no errors{warned}", path.display())?;
    }
    for edit in &edits {
        writeln!(output, "{}", edit.line())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the registry changes of the jobs in the ledger. The registry can be checked without one, and beside one that cannot
/// be read.
fn edits_beside_ledger(context: &Context, registry: &Registry) -> Vec<JobEdit> {
    let read = || -> Result<Vec<JobEdit>, Failure> {
        let reader = context.reader_if_any(Some(registry))?;
        let Some(mut reader) = reader else {
            warn_about_other_ledgers(context, registry)?;
            return Ok(Vec::new());
        };
        if reader.jobs()?.is_empty() {
            warn_about_other_ledgers(context, registry)?;
        }
        context.warn_about_daemon(registry, Some(&mut reader))?;
        Ok(edits(registry.clone(), &mut reader, context.now)?)
    };
    read().unwrap_or_else(|error| {
        context.remark(&format!(
            "what the registry changes is not known, because the ledger cannot be read: {}",
            error.line()
        ));
        Vec::new()
    })
}

/// Warns if the ledger is new, and the registry has another one.
fn warn_about_other_ledgers(context: &Context, registry: &Registry) -> Result<(), Failure> {
    let warning = other_ledgers::warning(&context.ledger_url(Some(registry))?, registry, context.now);
    context.warn(&warning.map(|message| DaemonFinding { status: Severity::Warning, message }));
    Ok(())
}
