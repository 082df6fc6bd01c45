//! What is asked before something is changed: on a terminal a question, elsewhere an error.

use std::io::{self, BufRead, IsTerminal, Write};

use super::below;
use super::{MANY, Target};
use crate::cli::failure::Failure;
use crate::report::downstream::DownstreamJob;
use crate::report::preview::Preview;
use crate::session::{Enabling, Operation};
use crate::text::counted;

impl Target<'_> {
    /// Asks what to do with the backlog; without a terminal that is an error.
    pub(super) fn ask_for_backlog(&self, preview: &Preview) -> Result<Enabling, Failure> {
        let oldest = preview.oldest.map(|oldest| preview.zones.shown(oldest)).unwrap_or_default();
        let backlog = format!("job `{}` has missed {} from {oldest} on", self.job, counted(preview.backlog, "date"));
        let backlog = match preview.estimate() {
            Some(time) => format!("{backlog}, {time} of work"),
            None => backlog,
        };
        if !is_interactive() {
            return Err(Failure::usage(backlog)
                .hint(Some("say `--catch-up`, `--skip-missed` or `--skip-to DATE`; nothing was changed")));
        }
        let mut err = io::stderr().lock();
        loop {
            write!(
                err,
                "{backlog}\n  c  catch up: attempt them all\n  s  skip them all\n  q  change nothing\nwhich? "
            )?;
            err.flush()?;
            match answer()?.as_deref() {
                Some("c") => return Ok(Enabling::CatchUp),
                Some("s") => return Ok(Enabling::SkipMissed),
                Some("q") | None => return Err(Failure::new("nothing was changed")),
                Some(_) => {}
            }
        }
    }

    /// Asks before many dates are changed, or dates of other jobs.
    pub(super) fn confirm(
        &self,
        operation: &Operation,
        preview: &Preview,
        downstream: &[DownstreamJob],
    ) -> Result<(), Failure> {
        self.context.remark_all(&below::lines(downstream));
        // The dates that are attempted are changed too, not only the skipped ones.
        let attempts = if matches!(operation, Operation::Enable(Enabling::SkipTo(_))) { preview.backlog } else { 0 };
        let count = preview.reply.dates.count.max(attempts);
        let is_much = count > MANY || downstream.iter().any(|job| !job.dates.is_empty());
        if !is_much || self.options.yes || !preview.reply.done {
            return Ok(());
        }
        let below = below::summary(downstream);
        let what = format!("`{}` would change {} of `{}`{below}", operation.word(), counted(count, "date"), self.job);
        if !is_interactive() {
            return Err(Failure::usage(format!("{what}: {}", preview.reply.text))
                .hint(Some("`--yes` does it without asking, `--dry-run` shows more; nothing was changed")));
        }
        let mut err = io::stderr().lock();
        write!(err, "{what}: {}\ngo on? [y/N] ", preview.reply.text)?;
        err.flush()?;
        match answer()?.as_deref() {
            Some("y" | "yes") => Ok(()),
            _ => Err(Failure::new("nothing was changed")),
        }
    }
}

/// Whether the terminal is interactive.
fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The line that the operator types; none at the end of the input.
fn answer() -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim().to_lowercase()))
}
