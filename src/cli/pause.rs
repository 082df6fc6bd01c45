//! `pause` and `resume`: they make a request of the arguments, and submit it.

use std::io::{self, Write};
use std::process::ExitCode;

use super::arguments::change::{PauseArguments, PauseOptions, ResumeArguments};
use super::context::Context;
use super::failure::Failure;
use crate::daemon::Operator;
use crate::registry::Registry;
use crate::report::preview::preview;
use crate::report::zones::JobZones;
use crate::session::{Operation, PauseScope};
use crate::submit::{self, Progress, Submitted};

/// Pauses jobs.
pub(super) fn pause(context: &Context, asked: &PauseArguments) -> Result<ExitCode, Failure> {
    let registry = context.registry()?;
    let until = asked.until.map(|until| until.instant(registry.daemon.timezone));
    let operation = Operation::Pause { scope: scope(asked.tag.as_ref()), until };
    change(context, &registry, operation, &asked.options)
}

/// Ends a pause.
pub(super) fn resume(context: &Context, asked: &ResumeArguments) -> Result<ExitCode, Failure> {
    let registry = context.registry()?;
    change(context, &registry, Operation::Resume { scope: scope(asked.tag.as_ref()) }, &asked.options)
}

fn scope(tag: Option<&String>) -> PauseScope {
    tag.map_or(PauseScope::All, |tag| PauseScope::Tag(tag.clone()))
}

fn change(
    context: &Context,
    registry: &Registry,
    operation: Operation,
    options: &PauseOptions,
) -> Result<ExitCode, Failure> {
    let is_resume = matches!(operation, Operation::Resume { .. });
    let request = submit::request(None, operation, options.reason.clone(), context.now);
    let submitted = if options.dry_run {
        let mut reader = context.reader_if_any(Some(registry))?;
        Submitted::dry_run(&request, &preview(&request, registry, reader.as_mut())?)
    } else {
        let url = context.ledger_url(Some(registry))?;
        let mut local =
            Operator::new(context.daemon_options()?).map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        let mut progress = |progress: Progress<'_>| {
            if matches!(progress, Progress::Slow) {
                context.remark("the daemon has not answered yet; still waiting (Ctrl-C stops the wait only)");
            }
        };
        let submitted = submit::submit(&url, &request, &[], &JobZones::default(), &mut local, &mut progress)?;
        if is_resume && submitted.done && !submit::has_daemon(&url) {
            context.remark("no daemon is running: dates start when one runs, or with `crontabber once`");
        }
        submitted
    };
    let mut out = io::stdout().lock();
    // A closed stdout cannot be reported to anybody.
    if context.json() {
        _ = serde_json::to_writer(&mut out, &submitted);
        _ = writeln!(out);
    } else if !submitted.done {
        return Err(Failure::new(submitted.text));
    } else {
        let dry = if options.dry_run { "dry run, nothing is changed; it would answer: " } else { "" };
        _ = writeln!(out, "{dry}{}", submitted.text);
    }
    Ok(submitted.exit())
}
