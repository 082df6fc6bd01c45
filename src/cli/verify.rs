//! `verify`: whether the whole ledger keeps the promise.
//!
//! What is found is written as it is found, for a ledger may have millions of rows, and as many that are wrong.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::context::Context;
use super::failure::Failure;
use super::json::{self, Array};
use super::output::Output;
use crate::invariants::{Examination, Gap, Row, Rule, Subject, Unchecked, Violation};
use crate::job::JobName;
use crate::ledger::{Reader, Snapshot};
use crate::registry::Registry;
use crate::report::zones::Zones;
use crate::text::{counted, first_few, in_zone};

/// A verification that takes longer than this shows how far it is.
const LONG: Duration = Duration::from_secs(1);

/// How many rows are read between two updates of the progress.
const BETWEEN_DRAWS: u64 = 1_000;

/// So many jobs are named in a note.
const NAMED: usize = 5;

/// A violation in JSON.
#[derive(Debug, Serialize)]
struct ViolationRow<'a> {
    rule: &'static str,
    job: &'a str,
    date: Option<String>,
    generation: u32,
    text: &'a str,
}

/// What was left unchecked, in JSON.
#[derive(Debug, Serialize)]
struct UncheckedRow<'a> {
    rule: &'static str,
    job: &'a str,
    text: &'a str,
}

/// What was looked at.
#[derive(Debug, Default)]
struct Counts {
    violations: u64,
    jobs: u64,
    sessions: u64,
    attempts: u64,
}

impl Counts {
    fn shown(&self) -> String {
        let Self { jobs, sessions, attempts, .. } = *self;
        format!("{}, {}, {}", counted(jobs, "job"), counted(sessions, "session"), counted(attempts, "attempt"))
    }
}

/// Checks the whole ledger.
pub(super) fn verify(context: &Context, output: &mut Output) -> Result<ExitCode, Failure> {
    let registry = context.registry_if_any()?;
    // A missing ledger is an error: the operator may have named the wrong one.
    let mut reader = Reader::open(&context.ledger_url(registry.as_ref())?)?;
    let json = context.json();
    if json {
        output.write_all(b"{\"violations\":")?;
    }
    let mut unchecked = Vec::new();
    let total = reader.snapshot(|snapshot| {
        let printer = Printer::new(json, output)?;
        examine(snapshot, registry.as_ref(), printer, context.global.quiet, &mut unchecked)
    })??;
    if json {
        finish_json(&total, &unchecked, output)?;
    } else if !context.global.quiet {
        for note in notes(&unchecked) {
            context.remark(&note);
        }
        match total.violations {
            0 => writeln!(output, "the promise holds: {}", total.shown())?,
            broken => writeln!(output, "the promise is broken: {} in {}", counted(broken, "violation"), total.shown())?,
        }
    }
    Ok(if total.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Examines job after job.
fn examine(
    snapshot: &mut Snapshot<'_>,
    registry: Option<&Registry>,
    mut printer: Printer<'_>,
    quiet: bool,
    unchecked: &mut Vec<(JobName, Unchecked)>,
) -> Result<Counts, Failure> {
    let mut total = Counts::default();
    let jobs = snapshot.jobs()?;
    let records: Vec<_> = jobs.iter().map(|(record, _)| record.clone()).collect();
    let zones = Zones::new(registry, &records);
    for (record, resets) in jobs {
        let zone = zones.of(&record.name);
        let subject = Subject::new(record, zone, resets);
        let mut examination = Examination::new(&subject);
        let mut written = Ok(());
        total.jobs += 1;
        snapshot.rows(subject.job(), &mut |row| {
            match &row {
                Row::Session(_) => total.sessions += 1,
                Row::Attempt(_) => total.attempts += 1,
            }
            examination.row(row);
            if !quiet {
                printer.progress(total.sessions + total.attempts, subject.job());
            }
            let violations = examination.take();
            total.violations += violations.len() as u64;
            written = printer.print(&subject, zone, &violations);
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        written?;
        let (violations, left_out) = examination.finish();
        total.violations += violations.len() as u64;
        printer.print(&subject, zone, &violations)?;
        unchecked.extend(left_out.into_iter().map(|left_out| (subject.job().clone(), left_out)));
    }
    printer.close()?;
    Ok(total)
}

/// Where violations are written.
enum Format<'out> {
    Text(&'out mut Output),
    Json(Array<'out, Output>),
}

/// Prints violations as they are found; on a terminal, also the progress if the verification takes long.
struct Printer<'out> {
    format: Format<'out>,
    bar: ProgressBar,
    since: Instant,
}

impl<'out> Printer<'out> {
    fn new(json: bool, output: &'out mut Output) -> io::Result<Self> {
        let template = "{spinner} {human_pos} rows in {elapsed}, now {wide_msg}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_style(style);
        let format = if json { Format::Json(Array::open(output)?) } else { Format::Text(output) };
        Ok(Self { format, bar, since: Instant::now() })
    }

    fn progress(&self, rows: u64, job: &JobName) {
        if !rows.is_multiple_of(BETWEEN_DRAWS) {
            return;
        }
        if self.bar.is_hidden() && self.since.elapsed() > LONG {
            // Draws nothing if stderr is not a terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(rows);
        self.bar.set_message(job.to_string());
    }

    fn print(&mut self, subject: &Subject, zone: Tz, violations: &[Violation]) -> io::Result<()> {
        if violations.is_empty() {
            return Ok(());
        }
        let (job, format) = (subject.job(), &mut self.format);
        self.bar.suspend(|| {
            for Violation { rule, generation, date, text } in violations {
                let date = date.map(|date| in_zone(date, zone));
                match format {
                    Format::Json(array) => {
                        let (rule, job, generation) = (rule.word(), job.as_str(), *generation);
                        array.push(&ViolationRow { rule, job, date, generation, text })?;
                    }
                    Format::Text(output) => {
                        let date = date.map(|date| format!(" {date}")).unwrap_or_default();
                        let older = *generation != subject.generation();
                        let older = if older { format!(" (generation {generation})") } else { String::new() };
                        writeln!(output, "{}: {job}{date}{older}: {text}", rule.title())?;
                    }
                }
            }
            Ok(())
        })
    }

    fn close(self) -> io::Result<()> {
        self.bar.finish_and_clear();
        match self.format {
            Format::Json(array) => array.close(),
            Format::Text(_) => Ok(()),
        }
    }
}

fn finish_json(total: &Counts, unchecked: &[(JobName, Unchecked)], output: &mut Output) -> io::Result<()> {
    output.write_all(b",\"unchecked\":")?;
    let rows = unchecked.iter().map(|(job, Unchecked { rule, text, .. })| {
        let (rule, job) = (rule.word(), job.as_str());
        UncheckedRow { rule, job, text }
    });
    json::array(output, rows)?;
    let Counts { jobs, sessions, attempts, .. } = total;
    writeln!(output, ",\"jobs\":{jobs},\"sessions\":{sessions},\"attempts\":{attempts}}}")
}

/// What was left unchecked, in a line for each rule and reason.
fn notes(unchecked: &[(JobName, Unchecked)]) -> Vec<String> {
    let mut groups: BTreeMap<(Rule, Gap), Vec<&(JobName, Unchecked)>> = BTreeMap::new();
    for each in unchecked {
        groups.entry((each.1.rule, each.1.gap)).or_default().push(each);
    }
    let note = |((rule, gap), group): (&(Rule, Gap), &Vec<&(JobName, Unchecked)>)| {
        let mut names: Vec<&str> = group.iter().map(|(job, _)| job.as_str()).collect();
        names.dedup();
        let (rule, names) = (rule.word(), first_few(&names, NAMED));
        match gap {
            Gap::UnreadableTimetable => {
                format!("{rule} is not checked where the schedule in force cannot be read: {names}")
            }
            Gap::FormerTimetable => {
                format!("{rule} is not checked for dates before a change of schedule or a reset: {names}")
            }
            Gap::WallClock => {
                let (job, Unchecked { text, .. }) = group[0];
                let more = match group.len() {
                    1 => String::new(),
                    jobs => format!(" (and so in {})", counted(jobs as u64 - 1, "other job")),
                };
                format!("{rule}: {job}: {text}{more}")
            }
        }
    };
    groups.iter().map(note).collect()
}
