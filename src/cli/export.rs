//! Rows of the ledger as programs read them, JSON or CSV, and how one asks for the rows before them.

use std::env;
use std::io::{self, Write};
use std::ops::ControlFlow;

use serde::Serialize;

use super::csv::Csv;
use super::json::Array;

/// How many rows a table shows unasked.
pub(super) const SHOWN: u32 = 100;

/// Rows on their way to a program.
pub(super) enum Sink<'out, W: Write> {
    /// As JSON.
    Json(Array<'out, W>),
    /// As CSV.
    Csv(Csv<'out, W>),
}

impl<'out, W: Write> Sink<'out, W> {
    /// Begins; `sample` is any row.
    pub(super) fn open(out: &'out mut W, csv: bool, sample: &impl Serialize) -> io::Result<Self> {
        Ok(if csv { Self::Csv(Csv::open(out, sample)?) } else { Self::Json(Array::open(out)?) })
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: &impl Serialize) -> io::Result<()> {
        match self {
            Self::Json(array) => array.push(row),
            Self::Csv(csv) => csv.push(row),
        }
    }

    /// Adds a row, and says whether to go on; what went wrong is kept in `written`.
    pub(super) fn push_or_break(&mut self, row: &impl Serialize, written: &mut io::Result<()>) -> ControlFlow<()> {
        *written = self.push(row);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// Ends.
    pub(super) fn close(self) -> io::Result<()> {
        match self {
            Self::Json(array) => array.close(),
            Self::Csv(_) => Ok(()),
        }
    }
}

/// Drops the oldest rows beyond `shown`; says whether there were any.
pub(super) fn newest_only<T>(rows: &mut Vec<T>, shown: u32) -> bool {
    let beyond = rows.len().saturating_sub(usize::try_from(shown).unwrap_or(usize::MAX));
    rows.drain(..beyond);
    beyond > 0
}

/// What stands below a table that does not show all: what it shows, and the command for the rows before them.
pub(super) fn more_line(noun: &str, shown: usize, cursor: &str) -> String {
    let arguments = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    below(noun, shown, arguments, cursor)
}

/// The same for the arguments of a command: it has the new cursor instead of its own.
fn below(noun: &str, shown: usize, mut arguments: impl Iterator<Item = String>, cursor: &str) -> String {
    let (mut kept, mut which) = (String::new(), "the newest ");
    while let Some(argument) = arguments.next() {
        if argument == "--before" {
            arguments.next();
            which = "";
        } else if argument.starts_with("--before=") {
            which = "";
        } else {
            kept.push_str(&quoted(&argument));
            kept.push(' ');
        }
    }
    let rows = if shown == 1 { noun.to_owned() } else { format!("{noun}s") };
    format!("{which}{shown} {rows}; those before: `crontabber {kept}--before {}`", quoted(cursor))
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

/// What stands in the place of an empty table.
pub(super) fn nothing(noun: &str, job: Option<&crate::job::JobName>, all_generations: bool, narrowed: bool) -> String {
    match job {
        Some(job) if narrowed => format!("`{job}` has no such {noun} in the ledger"),
        Some(job) if all_generations => format!("`{job}` has no {noun} in the ledger"),
        Some(job) => format!("`{job}` has no {noun} in the ledger, or none since its last reset (`--all-generations`)"),
        None if narrowed => format!("no such {noun} in the ledger"),
        None => format!("no {noun} in the ledger"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_command_is_the_last_one_with_another_cursor() {
        let line = |shown, arguments: &[&str]| {
            below("session", shown, arguments.iter().map(|argument| (*argument).to_owned()), "a/1/2024")
        };
        insta::assert_snapshot!(line(5, &["sessions", "--limit", "5"]), @"the newest 5 sessions; those before: `crontabber sessions --limit 5 --before a/1/2024`");
        insta::assert_snapshot!(line(1, &["sessions", "--before", "b/1/2025", "load"]), @"1 session; those before: `crontabber sessions load --before a/1/2024`");
        insta::assert_snapshot!(line(2, &["--before=b", "--config", "it's here", "sessions"]), @r#"2 sessions; those before: `crontabber --config 'it'\''s here' sessions --before a/1/2024`"#);
    }
}
