//! An operator's request: handed to the running daemon through the ledger, or dealt with here when there is none.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::json;
use signal_hook_tokio::Signals;

use crate::control::Mode;
use crate::job::JobName;
use crate::ledger::{
    Answer, AttemptFilter, Between, LedgerError, LedgerUrl, NewRequest, OpenError, Reader, RequestQueue,
};
use crate::session::{AttemptRecord, Operation, Outcome, Trigger};
use crate::text::in_zone;
use crate::{clock, paths};

use super::options::{EXIT_BUSY, Options};
use super::{main_thread, start};

/// Between two looks at the ledger while somebody else works.
const POLL: Duration = Duration::from_millis(40);

/// A daemon that has not answered by then is said to be slow.
const SLOW: Duration = Duration::from_secs(5);

/// What an operator asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// About which job.
    pub job: JobName,
    /// What.
    pub operation: Operation,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// Has a request done, and says how it went. Exit code 1 says that it was refused, or that its attempt failed.
#[must_use]
pub fn operate(mut options: Options, ask: Ask) -> ExitCode {
    // What the operator wants to read is the answer, not the log of a daemon.
    options.quiet = true;
    start::with_runtime(async {
        match work(options, ask).await {
            Ok(code) | Err(OperateError::Said(code)) => code,
            Err(error) => start::fail(&error, 1),
        }
    })
}

#[derive(Debug, thiserror::Error)]
enum OperateError {
    /// It was said already.
    #[error("exit")]
    Said(ExitCode),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the attempt is not in the ledger; `crontabber attempts` may tell more")]
    NoAttempt,
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
}

async fn work(options: Options, ask: Ask) -> Result<ExitCode, OperateError> {
    let registry = start::read_registry(&options).map_err(OperateError::Said)?;
    let url = start::find_ledger(&options, &registry).map_err(OperateError::Said)?;
    let job = registry.jobs.iter().find(|job| job.name == ask.job);
    let zone = job.map_or(chrono_tz::UTC, |job| job.timetable.zone());
    let mut signals = start::signals().map_err(OperateError::Signals)?;
    let asked_at = clock::now();
    let mut posted = None;
    let answer = loop {
        // Beside a daemon nobody else need try to be one.
        if posted.is_none() && is_watched(&url) {
            posted = Some(post(&url, &ask, asked_at)?);
        }
        if let Some(id) = posted {
            let answer = tokio::select! {
                answer = wait_for_answer(&url, id) => answer?,
                _ = futures_util::StreamExt::next(&mut signals) => {
                    _ = writeln!(io::stderr(), "not waited for; the request stays, and is dealt with when a daemon can");
                    return Err(OperateError::Said(ExitCode::FAILURE));
                }
            };
            if let Some(answer) = answer {
                break answer;
            }
        }
        let here = start::start(options.clone(), Mode::Operate, &mut signals).await;
        if posted.is_none() {
            posted = Some(post(&url, &ask, asked_at)?);
        }
        match here {
            Ok(prepared) => {
                // What it does is read back from the ledger below, as if a daemon had done it.
                let code = main_thread::run(prepared, &mut signals).await;
                if code != ExitCode::SUCCESS {
                    return Err(OperateError::Said(ExitCode::FAILURE));
                }
            }
            Err(code) if code == ExitCode::from(EXIT_BUSY) => {}
            Err(code) => return Err(OperateError::Said(code)),
        }
    };
    report(&options, &url, &ask, &answer, zone, &mut signals).await
}

/// Says whether a daemon holds the ledger; what is wrong with that, the start of one says better.
fn is_watched(url: &LedgerUrl) -> bool {
    let owner = Reader::open(url).ok().and_then(|mut reader| reader.owner().ok()?);
    owner.is_some_and(|owner| owner.alive)
}

fn post(url: &LedgerUrl, ask: &Ask, at: DateTime<Utc>) -> Result<i64, OperateError> {
    // Whoever is root may have said who they were before; anybody else is who the system says.
    let before_sudo = std::env::var("SUDO_USER").ok().filter(|_| rustix::process::getuid().is_root());
    let user = before_sudo.unwrap_or_else(paths::user_name);
    let request = NewRequest {
        job: ask.job.clone(),
        operation: ask.operation.clone(),
        at,
        user,
        host: paths::host_name(),
        reason: ask.reason.clone(),
    };
    Ok(RequestQueue::open(url)?.post(&request)?)
}

/// Waits for the daemon's answer; `None` says that there is no daemon any more.
async fn wait_for_answer(url: &LedgerUrl, id: i64) -> Result<Option<Answer>, OperateError> {
    let mut reader = Reader::open(url)?;
    let (since, mut said) = (Instant::now(), false);
    loop {
        if let Some(answer) = reader.answer(id)? {
            return Ok(Some(answer));
        }
        if !reader.owner()?.is_some_and(|owner| owner.alive) {
            // It may have answered with its last breath.
            return Ok(reader.answer(id)?);
        }
        if since.elapsed() > SLOW && !said {
            said = true;
            _ = writeln!(
                io::stderr(),
                "the daemon has not answered yet; it will when it can, whether this waits or not"
            );
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn report(
    options: &Options,
    url: &LedgerUrl,
    ask: &Ask,
    answer: &Answer,
    zone: chrono_tz::Tz,
    signals: &mut Signals,
) -> Result<ExitCode, OperateError> {
    let attempt = if answer.done && matches!(ask.operation, Operation::Run { .. }) {
        if !options.json {
            say(&answer.text);
        }
        tokio::select! {
            ended = wait_for_end(url, ask, answer) => Some(ended?),
            _ = futures_util::StreamExt::next(signals) => {
                _ = writeln!(io::stderr(), "the attempt goes on; `crontabber attempts {}` tells how it ends", ask.job);
                return Ok(ExitCode::FAILURE);
            }
        }
    } else {
        None
    };
    let end = attempt.as_ref().and_then(|attempt| attempt.end.as_ref());
    let succeeded = answer.done && end.is_none_or(|end| end.outcome == Outcome::Succeeded);
    if options.json {
        let exit_code = end.and_then(|end| match end.outcome {
            Outcome::Succeeded => Some(0),
            Outcome::Failed { code } => Some(code),
            _ => None,
        });
        let date = |attempt: &AttemptRecord| in_zone(attempt.key.session.date, zone);
        say(&json!({
            "job": ask.job.as_str(),
            "date": attempt.as_ref().map(date),
            "operation": ask.operation.word(),
            "dry_run": false,
            "done": answer.done,
            "text": answer.text,
            "count": answer.dates.count,
            "from": answer.dates.first.map(|first| in_zone(first, zone)),
            "to": answer.dates.last.map(|last| in_zone(last, zone)),
            "attempt": attempt.as_ref().map(|attempt| attempt.key.number),
            "outcome": end.map(|end| end.outcome.word()),
            "exit_code": exit_code,
            "duration_seconds": end.and_then(|end| end.duration).map(|duration| duration.as_secs_f64()),
        })
        .to_string());
    } else if let Some((attempt, end)) = attempt.as_ref().zip(end) {
        say(&super::reporter::outcome_line(attempt, end, &paths::log_file(&paths::logs(url), &attempt.key)));
    } else if answer.done {
        if attempt.is_none() && !matches!(ask.operation, Operation::Run { .. }) {
            say(&answer.text);
        }
    } else {
        return Ok(start::fail(&answer.text, 1));
    }
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(text: &str) {
    // Nobody is left to tell if stdout is gone.
    _ = writeln!(io::stdout(), "{text}");
}

/// Waits for the end of the attempt that the request started: the one that was opened with the answer.
async fn wait_for_end(url: &LedgerUrl, ask: &Ask, answer: &Answer) -> Result<AttemptRecord, OperateError> {
    let mut reader = Reader::open(url)?;
    let Operation::Run { date, .. } = ask.operation else { return Err(OperateError::NoAttempt) };
    // First where it nearly always is.
    for newest in [Some(200), None] {
        let dates = date.map_or_else(Between::default, Between::only);
        let filter = AttemptFilter { job: Some(ask.job.clone()), dates, newest, ..AttemptFilter::default() };
        loop {
            let mut ours = None;
            reader.attempts(&filter, &mut |attempt| {
                if attempt.trigger == Trigger::Manual && attempt.started_at == answer.at {
                    ours = Some(attempt);
                }
                ControlFlow::Continue(())
            })?;
            match ours {
                Some(attempt) if attempt.end.is_none() => tokio::time::sleep(POLL).await,
                Some(ended) => return Ok(ended),
                None => break,
            }
        }
    }
    Err(OperateError::NoAttempt)
}
