//! Submits an operator's request: previews it, or posts it to the ledger and waits for the answer.
//!
//! The running daemon answers it; where none runs, the caller's [`LocalDaemon`] does. What a request results in, as JSON
//! and as an exit code, is defined here alone.

use std::env;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::environment;
use crate::exit_code::FAILED;
use crate::job::JobName;
use crate::ledger::{Answer, AttemptFilter, Between, LedgerError, LedgerUrl, OpenError, Reader, RequestQueue};
use crate::report::downstream::DownstreamRow;
use crate::report::preview::Preview;
use crate::report::zones::JobZones;
use crate::session::{AttemptKey, AttemptRecord, Operation, Outcome, Past, Reply, Request, Trigger};
use crate::text::in_zone;

/// Between two reads of the ledger while waiting.
const POLL: Duration = Duration::from_millis(40);

/// After this long without an answer, the command says that it waits.
const SLOW: Duration = Duration::from_secs(5);

/// A daemon in this process, for requests to a ledger that no daemon holds.
pub(crate) trait LocalDaemon {
    /// Starts a daemon; if it holds the ledger, calls `post` and runs it until every request is answered. Returns
    /// without either if another process holds the ledger.
    ///
    /// # Errors
    /// The daemon does not start, is stopped, or fails; or `post` fails.
    fn answer_requests(&mut self, post: &mut dyn FnMut() -> Result<(), SubmitError>) -> Result<(), SubmitError>;

    /// Waits for this long; `true` as soon as the operator interrupts it.
    fn is_interrupted_within(&mut self, time: Duration) -> bool;
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    /// The local daemon has printed why.
    #[error("the daemon has printed why")]
    Printed(ExitCode),
    /// The operator interrupted it.
    #[error("{0}")]
    Interrupted(String),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The daemon has ended before the attempt.
    #[error("{0}")]
    DaemonGone(String),
    /// The daemon answered that an attempt started, and the ledger has none.
    #[error("the attempt is not in the ledger; see `crontabber attempts`")]
    NoAttempt,
}

/// What the operator sees before the result.
#[derive(Debug)]
pub(crate) enum Progress<'a> {
    /// The daemon has not answered for [`SLOW`].
    Slow,
    /// An attempt was started: the answer, before its outcome is known.
    Started(&'a str),
}

/// What a request resulted in, or would result in. Serialized, it is the answer of every command that changes dates.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Submitted {
    /// Absent if it is about a pause.
    job: Option<String>,
    /// Of a pause: which jobs, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    operation: &'static str,
    dry_run: bool,
    /// Whether it was done, or refused.
    pub(crate) done: bool,
    /// What was done, or why not.
    pub(crate) text: String,
    pub(crate) count: u64,
    from: Option<String>,
    to: Option<String>,
    /// Every date that would be changed, in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    dates: Option<Vec<String>>,
    date: Option<String>,
    attempt: Option<u32>,
    outcome: Option<&'static str>,
    exit_code: Option<i32>,
    duration_seconds: Option<f64>,
    /// What a failed attempt printed last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) last_lines: Vec<String>,
    /// What hangs below the dates, with `--downstream`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) downstream: Vec<DownstreamRow>,
    /// The requests about what hangs below that were refused, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    downstream_refused: Vec<String>,
    /// The answers about what hangs below.
    #[serde(skip)]
    pub(crate) below: Vec<Reply>,
    /// The attempt that a `run` started, once it has ended.
    #[serde(skip)]
    pub(crate) ended: Option<AttemptRecord>,
}

impl Submitted {
    fn new(request: &Request, reply: &Reply, zones: &JobZones) -> Self {
        let shown = |date: Option<DateTime<Utc>>| date.map(|date| zones.shown(date));
        Self {
            job: request.job.as_ref().map(ToString::to_string),
            tag: match &request.operation {
                Operation::Pause { scope, .. } | Operation::Resume { scope } => scope.tag().map(str::to_owned),
                _ => None,
            },
            operation: request.operation.word(),
            done: reply.done,
            text: reply.text.clone(),
            count: reply.dates.count,
            from: shown(reply.dates.first),
            to: shown(reply.dates.last),
            ..Self::default()
        }
    }

    /// What a request would result in.
    pub(crate) fn dry_run(request: &Request, preview: &Preview) -> Self {
        let dates = preview.dates.iter().map(|date| preview.zones.shown(*date)).collect();
        Self { dry_run: true, dates: Some(dates), ..Self::new(request, &preview.reply, &preview.zones) }
    }

    fn with_attempt(mut self, attempt: AttemptRecord) -> Self {
        let end = attempt.end.as_ref();
        self.date = Some(in_zone(attempt.key.session.date, attempt.zone));
        self.attempt = Some(attempt.key.number);
        self.outcome = end.map(|end| end.outcome.word());
        self.exit_code = end.and_then(|end| end.outcome.exit_code());
        self.duration_seconds = end.and_then(|end| end.duration).map(|duration| duration.as_secs_f64());
        self.ended = Some(attempt);
        self
    }

    /// Success, unless the request was refused or its attempt did not succeed.
    pub(crate) fn exit(&self) -> ExitCode {
        let end = self.ended.as_ref().and_then(|attempt| attempt.end.as_ref());
        let succeeded = self.done
            && self.below.iter().all(|reply| reply.done)
            && end.is_none_or(|end| end.outcome == Outcome::Succeeded);
        if succeeded { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
    }
}

/// A request by the user of this process.
pub(crate) fn request(
    job: Option<JobName>,
    operation: Operation,
    reason: Option<String>,
    now: DateTime<Utc>,
) -> Request {
    // Root may name the user it acts for; any other user is who the system says.
    let before_sudo = env::var("SUDO_USER").ok().filter(|_| rustix::process::getuid().is_root());
    let user = before_sudo.unwrap_or_else(environment::user_name);
    Request { id: 0, job, operation, at: now, user, host: environment::host_name(), reason, past: Past::default() }
}

/// Has a request answered, and, if it starts an attempt, waits for its end.
///
/// # Errors
/// Nobody answers it: the ledger or the local daemon fails, or the operator interrupts it.
///
/// Posts the requests `below` with it, and reports the answers to these too.
pub(crate) fn submit(
    url: &LedgerUrl,
    request: &Request,
    below: &[Request],
    zones: &JobZones,
    daemon: &mut dyn LocalDaemon,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Submitted, SubmitError> {
    let requests: Vec<&Request> = [request].into_iter().chain(below).collect();
    let mut answers = answers(url, &requests, daemon, progress)?.into_iter();
    let answer = answers.next().ok_or(SubmitError::NoAttempt)?;
    let mut submitted = Submitted::new(request, &answer.reply, zones);
    submitted.below = answers.map(|answer| answer.reply).collect();
    let refused = submitted.below.iter().filter(|reply| !reply.done);
    submitted.downstream_refused = refused.map(|reply| reply.text.clone()).collect();
    if !answer.reply.done || !matches!(request.operation, Operation::Run { .. }) {
        return Ok(submitted);
    }
    progress(Progress::Started(&answer.reply.text));
    let attempt = wait_for_end(url, request, &answer, daemon)?;
    Ok(submitted.with_attempt(attempt))
}

/// Posts the requests once, and waits until a daemon, here or elsewhere, has answered them.
fn answers(
    url: &LedgerUrl,
    requests: &[&Request],
    daemon: &mut dyn LocalDaemon,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<Answer>, SubmitError> {
    let (mut posted, mut answers) = (Vec::new(), Vec::new());
    loop {
        if posted.is_empty() && has_daemon(url) {
            posted = RequestQueue::open(url)?.post(requests.iter().copied())?;
        }
        while let Some(id) = posted.get(answers.len())
            && let Some(answer) = wait_for_answer(url, *id, daemon, progress)?
        {
            answers.push(answer);
        }
        if answers.len() == requests.len() {
            return Ok(answers);
        }
        daemon.answer_requests(&mut || {
            if posted.is_empty() {
                posted = RequestQueue::open(url)?.post(requests.iter().copied())?;
            }
            Ok(())
        })?;
    }
}

/// Whether a daemon holds the ledger. A ledger that cannot be read is an error of the local daemon, which explains it.
pub(crate) fn has_daemon(url: &LedgerUrl) -> bool {
    let owner = Reader::open(url).ok().and_then(|mut reader| reader.owner().ok()?);
    owner.is_some_and(|owner| owner.alive)
}

/// Waits for the daemon's answer; `None` if no daemon holds the ledger any more.
fn wait_for_answer(
    url: &LedgerUrl,
    id: i64,
    daemon: &mut dyn LocalDaemon,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Option<Answer>, SubmitError> {
    let mut reader = Reader::open(url)?;
    let (start, mut is_reported) = (Instant::now(), false);
    loop {
        if let Some(answer) = reader.answer(id)? {
            return Ok(Some(answer));
        }
        if !reader.owner()?.is_some_and(|owner| owner.alive) {
            // It may have answered just before it exited.
            return Ok(reader.answer(id)?);
        }
        if start.elapsed() > SLOW && !is_reported {
            is_reported = true;
            progress(Progress::Slow);
        }
        if daemon.is_interrupted_within(POLL) {
            let text = "not waiting for the answer; the request stays in the ledger, and a daemon will answer it";
            return Err(SubmitError::Interrupted(text.to_owned()));
        }
    }
}

/// Waits for the end of the attempt that the request started: the one that was opened with the answer.
///
/// # Errors
/// No daemon holds the ledger any more, so that nobody records the end for now.
fn wait_for_end(
    url: &LedgerUrl,
    request: &Request,
    answer: &Answer,
    daemon: &mut dyn LocalDaemon,
) -> Result<AttemptRecord, SubmitError> {
    let mut reader = Reader::open(url)?;
    let Operation::Run { date, .. } = request.operation else { return Err(SubmitError::NoAttempt) };
    let mut is_unwatched = false;
    // Nearly always among the newest.
    for newest in [Some(200), None] {
        let dates = date.map_or_else(Between::default, Between::only);
        let filter =
            AttemptFilter { jobs: request.job.clone().map(|job| vec![job]), dates, newest, ..AttemptFilter::default() };
        loop {
            let mut ours = None;
            reader.attempts(&filter, &mut |attempt| {
                if attempt.trigger == Trigger::Manual && attempt.started_at == answer.at {
                    ours = Some(attempt);
                }
                ControlFlow::Continue(())
            })?;
            match ours {
                // The daemon may have recorded the end just before it exited: then the second look finds it.
                Some(attempt) if attempt.end.is_none() && is_unwatched => {
                    return Err(SubmitError::DaemonGone(unwatched(&attempt)));
                }
                Some(attempt) if attempt.end.is_none() => {
                    is_unwatched = !reader.owner()?.is_some_and(|owner| owner.alive);
                    if daemon.is_interrupted_within(POLL) {
                        let text = format!(
                            "the attempt keeps running; `crontabber attempts {}` shows how it ends",
                            attempt.key.session.job
                        );
                        return Err(SubmitError::Interrupted(text));
                    }
                }
                Some(ended) => return Ok(ended),
                None => break,
            }
        }
    }
    Err(SubmitError::NoAttempt)
}

fn unwatched(attempt: &AttemptRecord) -> String {
    let AttemptKey { session, number } = &attempt.key;
    let (job, date) = (&session.job, in_zone(session.date, attempt.zone));
    format!(
        "the daemon has ended while attempt {number} of `{job}` at {date} was running; its outcome is known when a daemon \
         starts again, and `crontabber attempts {job}` shows it then"
    )
}
