//! `test`: runs a date in this terminal, off the record, and says what would have been recorded.

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

use super::arguments::TestArguments;
use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Output;
use crate::daemon::{Closed, Probed, TestRun};
use crate::exit_code::FAILED;
use crate::ledger::Reader;
use crate::report::date_resolve::{Choice, Dates};
use crate::report::zones::Zones;
use crate::scheduler::ProbeAnswer;
use crate::session::{Outcome, State};
use crate::text::in_zone;
use crate::warden::{Foreground, ForegroundOutput};

/// What would have been recorded, as programs read it.
#[derive(Debug, Default, Serialize)]
struct TestRow {
    job: String,
    date: String,
    /// What `done_when` says: `done`, `not-done`, or `unknown`.
    done_when: Option<&'static str>,
    attempt: Option<u32>,
    outcome: Option<&'static str>,
    exit_code: Option<i32>,
    duration_seconds: Option<f64>,
    detail: Option<String>,
    state: &'static str,
    retry_at: Option<String>,
    text: String,
}

/// Runs the date.
pub(super) fn test(context: &Context, asked: &TestArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let registry = context.registry()?;
    let url = context.ledger_url(Some(&registry))?;
    let mut reader = context.reader_if_any(Some(&registry))?;
    let records = reader.as_mut().map(Reader::jobs).transpose()?.unwrap_or_default();
    let zones = Zones::new(Some(&registry), &records);
    zones.know(&asked.job)?;
    let date = Choice::new(&asked.job, Some(&registry), &zones).one(reader.as_mut(), asked.date, Dates::All)?;
    let test_run = TestRun::new(&asked.job, date, registry, reader.as_mut(), &url, context.now)?;
    drop(reader);
    let printed = if context.json() { ForegroundOutput::Stderr } else { ForegroundOutput::Inherited };
    let mut foreground = Foreground::new(printed, test_run.inherited_environment())
        .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    context.remark(&test_run.announcement());
    let mut row = TestRow { job: asked.job.to_string(), date: test_run.date(), ..TestRow::default() };
    let probed = test_run.probe(&mut foreground);
    row.done_when = probed.as_ref().map(|probed| word(&probed.answer));
    let interrupted = || Failure::new("the test was interrupted: nothing would have been recorded");
    if foreground.is_interrupted() {
        return Err(interrupted());
    }
    match probed {
        Some(Probed { instead: Some(state), text, .. }) if !asked.force => {
            context.remark("the command was not run; `--force` runs it all the same");
            row = TestRow { state: state.word(), text, ..row };
        }
        probed => {
            if let Some(Probed { text, .. }) = probed {
                context.remark(&text);
            }
            let closed = test_run.run(&mut foreground)?;
            if foreground.is_interrupted() && closed.end.outcome != Outcome::Succeeded {
                return Err(interrupted());
            }
            row = row.with(closed);
        }
    }
    if context.json() {
        json::object(output, &row)?;
    } else {
        writeln!(output, "would have been recorded: {}", row.text)?;
    }
    let is_success = row.state == State::Succeeded.word();
    Ok(if is_success { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

impl TestRow {
    fn with(self, Closed { attempt, zone, end, state, text }: Closed) -> Self {
        Self {
            attempt: Some(attempt.number),
            outcome: Some(end.outcome.word()),
            exit_code: end.outcome.exit_code(),
            duration_seconds: end.duration.map(|duration| duration.as_secs_f64()),
            detail: end.detail,
            state: state.word(),
            retry_at: match state {
                State::Failed { retry_at } => Some(in_zone(retry_at, zone)),
                _ => None,
            },
            text,
            ..self
        }
    }
}

fn word(answer: &ProbeAnswer) -> &'static str {
    match answer {
        ProbeAnswer::Done => "done",
        ProbeAnswer::NotDone => "not-done",
        ProbeAnswer::Unknown(_) | ProbeAnswer::Lost => "unknown",
    }
}
