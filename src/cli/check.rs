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
use crate::text::counted;

/// The answer in JSON.
#[derive(Debug, Serialize)]
struct Verdict<'a> {
    ok: bool,
    file: &'a Path,
    jobs: usize,
    mistakes: &'a [Diagnostic],
    warnings: &'a [Diagnostic],
}

/// Checks the registry.
pub(super) fn check(context: &Context, output: &mut Output) -> Result<ExitCode, Failure> {
    let path = context.registry_path()?;
    let registry = match Registry::load_and_look_for_paths(&path, context.now) {
        Ok(registry) => registry,
        Err(error) if context.json() => {
            let mistakes = error.diagnostics();
            json::object(output, &Verdict { ok: false, file: &path, jobs: 0, mistakes, warnings: &[] })?;
            return Ok(ExitCode::from(REGISTRY));
        }
        Err(error) => return Err(error.into()),
    };
    // A ledger that cannot be read says nothing of the registry.
    if let Ok(Some(mut reader)) = context.reader_if_any(Some(&registry)) {
        _ = context.warn_about_daemon(&registry, Some(&mut reader));
    }
    let (jobs, warnings) = (registry.jobs.len(), registry.warnings.as_slice());
    if context.json() {
        json::object(output, &Verdict { ok: true, file: &path, jobs, mistakes: &[], warnings })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut err = io::stderr().lock();
    let color = use_color(&err);
    for warning in warnings {
        // A closed stderr cannot be reported.
        let _ = writeln!(err, "{}\n", warning.render(color));
    }
    if !context.global.quiet {
        let files = match registry.files.len() {
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
    Ok(ExitCode::SUCCESS)
}
