//! `verify`: whether the whole ledger keeps the promise.
//!
//! What is found is printed as it is found, for a ledger may have millions of rows, and as many that are wrong.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::context::Context;
use super::failure::Failure;
use super::json::Array;
use super::output::Output;
use crate::invariants::{Examination, Gap, Row, Rule, Subject, Unchecked, Violation};
use crate::job::JobName;
use crate::ledger::{Reader, Snapshot};
use crate::registry::Registry;
use crate::report::zones::Zones;
use crate::text::{counted, first_few, in_zone};

/// A verification that takes longer than this shows how far it is.
const LONG: Duration = Duration::from_secs(1);

/// Between two looks at the time, in rows.
const GLANCE: u64 = 1_000;

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
struct Tally {
    violations: u64,
    jobs: u64,
    sessions: u64,
    attempts: u64,
}

impl Tally {
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
    let tally = reader.snapshot(|snapshot| {
        let telling = if json { Telling::Json(Array::open(output)?) } else { Telling::Text(&mut *output) };
        examine(snapshot, registry.as_ref(), Teller { telling, progress: Progress::new(context) }, &mut unchecked)
    })??;
    if json {
        finish_json(&tally, &unchecked, output)?;
    } else if !context.global.quiet {
        for note in notes(&unchecked) {
            context.remark(&note);
        }
        match tally.violations {
            0 => writeln!(output, "the promise holds: {}", tally.shown())?,
            broken => writeln!(output, "the promise is broken: {} in {}", counted(broken, "violation"), tally.shown())?,
        }
    }
    Ok(if tally.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Examines job after job.
fn examine(
    snapshot: &mut Snapshot<'_>,
    registry: Option<&Registry>,
    mut teller: Teller<'_>,
    unchecked: &mut Vec<(JobName, Unchecked)>,
) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let jobs = snapshot.jobs()?;
    let records: Vec<_> = jobs.iter().map(|(record, _)| record.clone()).collect();
    let zones = Zones::new(registry, &records);
    let strict: HashMap<&JobName, bool> = registry
        .map_or(&[][..], |registry| &registry.jobs)
        .iter()
        .map(|job| (&job.name, job.date_policy.is_strict()))
        .collect();
    for (record, resets) in jobs {
        let (is_strict, zone) = (strict.get(&record.name).copied(), zones.of(&record.name));
        let subject = Subject::new(record, is_strict, zone, resets);
        let mut examination = Examination::new(&subject);
        let mut told = Ok(());
        tally.jobs += 1;
        snapshot.rows(subject.job(), &mut |row| {
            match &row {
                Row::Session(_) => tally.sessions += 1,
                Row::Attempt(_) => tally.attempts += 1,
            }
            examination.row(row);
            teller.progress.goes_on(tally.sessions + tally.attempts, subject.job());
            told = teller.tell(&subject, &zones, &examination.take(), &mut tally);
            if told.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        told?;
        let (violations, left_out) = examination.finish();
        teller.tell(&subject, &zones, &violations, &mut tally)?;
        unchecked.extend(left_out.into_iter().map(|left_out| (subject.job().clone(), left_out)));
    }
    teller.close()?;
    Ok(tally)
}

/// How violations are told.
enum Telling<'out> {
    Text(&'out mut Output),
    Json(Array<'out, Output>),
}

/// Tells violations, and that it goes on.
struct Teller<'out> {
    telling: Telling<'out>,
    progress: Progress,
}

impl Teller<'_> {
    fn tell(
        &mut self,
        subject: &Subject,
        zones: &Zones,
        violations: &[Violation],
        tally: &mut Tally,
    ) -> io::Result<()> {
        if violations.is_empty() {
            return Ok(());
        }
        tally.violations += violations.len() as u64;
        let (job, zone) = (subject.job(), zones.of(subject.job()));
        let telling = &mut self.telling;
        self.progress.aside(|| {
            for Violation { rule, generation, date, text } in violations {
                match telling {
                    Telling::Json(array) => {
                        let date = date.map(|date| in_zone(date, zone));
                        let (rule, job, generation) = (rule.word(), job.as_str(), *generation);
                        array.push(&ViolationRow { rule, job, date, generation, text })?;
                    }
                    Telling::Text(output) => {
                        let date = date.map(|date| format!(" {}", in_zone(date, zone))).unwrap_or_default();
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
        self.progress.bar.finish_and_clear();
        match self.telling {
            Telling::Json(array) => array.close(),
            Telling::Text(_) => Ok(()),
        }
    }
}

/// How far it is, on a terminal, if it takes long.
struct Progress {
    bar: ProgressBar,
    since: Instant,
    is_wanted: bool,
}

impl Progress {
    fn new(context: &Context) -> Self {
        let template = "{spinner} {human_pos} rows in {elapsed}, now {wide_msg}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_style(style);
        Self { bar, since: Instant::now(), is_wanted: !context.global.quiet }
    }

    fn goes_on(&mut self, rows: u64, job: &JobName) {
        if !self.is_wanted || !rows.is_multiple_of(GLANCE) {
            return;
        }
        if self.bar.is_hidden() && self.since.elapsed() > LONG {
            // Draws nothing where stderr is no terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(rows);
        self.bar.set_message(job.to_string());
    }

    /// Does something while nothing of it is on the screen.
    fn aside<T>(&self, act: impl FnOnce() -> T) -> T {
        self.bar.suspend(act)
    }
}

fn finish_json(tally: &Tally, unchecked: &[(JobName, Unchecked)], output: &mut Output) -> io::Result<()> {
    output.write_all(b",\"unchecked\":")?;
    let mut array = Array::open(output)?;
    for (job, Unchecked { rule, text, .. }) in unchecked {
        array.push(&UncheckedRow { rule: rule.word(), job: job.as_str(), text })?;
    }
    array.close()?;
    let Tally { jobs, sessions, attempts, .. } = tally;
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
            Gap::OrderUnknown => format!("{rule} is not checked where the registry has no such job: {names}"),
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
