//! What the daemon reports: lines at a terminal, or events in a log.
//!
//! Both have the same words, from [`messages`], and both go through a [`LogQueue`]: a reader that stops reading never
//! stops the daemon.

mod journald;
pub(super) mod messages;
mod output_quotes;
mod progress_bar;
mod terminal;

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::json;
use tracing::{error, info, warn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock;
use crate::job::{Job, JobName};
use crate::log_queue::{LogQueue, dropped_text, write_to_stderr};
use crate::paths;
use crate::report::last_lines::is_quoted;
use crate::scheduler::Notification;
use crate::session::{AttemptEnd, AttemptKey, AttemptRecord, Outcome};
use crate::text::in_zone;
use output_quotes::{Failed, Quote};
use terminal::Terminal;

/// What this process reports, from its first [`Reporter`] on.
static QUEUE: OnceLock<LogQueue> = OnceLock::new();

/// Writes what the process has reported when it is dropped. Does not wait long for a reader that does not read.
pub struct FlushAtEnd;

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        if let Some(queue) = QUEUE.get() {
            output_quotes::flush();
            queue.flush();
        }
    }
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines of text.
    Text,
    /// One JSON object per line.
    Json,
}

/// Reports to a terminal or to the log.
pub struct Reporter {
    zones: HashMap<JobName, Tz>,
    /// The zone of times that belong to no job.
    timezone: Tz,
    terminal: Option<Terminal>,
    /// The log has an object for each line.
    is_json: bool,
    /// The logs of attempts, if the last lines of failed ones are quoted.
    logs: Option<PathBuf>,
}

impl Reporter {
    /// Chooses the terminal, the journal or standard error. With a `format`, always a log on standard error.
    ///
    /// # Errors
    /// The operating system refuses the thread that writes.
    pub fn new(format: Option<LogFormat>, quiet: bool) -> io::Result<Self> {
        let is_terminal = format.is_none() && io::stderr().is_terminal();
        if QUEUE.get().is_none() {
            _ = QUEUE.set(if is_terminal { terminal::queue()? } else { log_queue(format, quiet)? });
        }
        let is_json = format == Some(LogFormat::Json) || (format.is_none() && journald::socket().is_some());
        let terminal = QUEUE.get().filter(|_| is_terminal).map(|queue| Terminal::new(quiet, queue.clone()));
        Ok(Self { zones: HashMap::new(), timezone: Tz::UTC, terminal, is_json, logs: None })
    }

    /// Sets the zone in which each job's dates are shown, and that of times that belong to no job.
    pub fn learn<'a>(&mut self, jobs: impl Iterator<Item = &'a Job>, timezone: Tz) {
        self.timezone = timezone;
        self.zones.extend(jobs.map(|job| (job.name.clone(), job.timetable.zone())));
    }

    /// Quotes the last lines of the output of failed attempts from now on.
    pub fn quote_output(&mut self, logs: PathBuf) {
        self.logs = Some(logs);
    }

    /// Reports something that concerns no date.
    pub fn say(&mut self, text: &str) {
        let Some(terminal) = &mut self.terminal else { return info!("{text}") };
        terminal.line(None, text);
    }

    /// Reports a fault, and what is done about it.
    pub fn warn(&mut self, text: &str) {
        let Some(terminal) = &mut self.terminal else { return warn!("{text}") };
        terminal.warning(text);
    }

    /// Reports the error that ends the daemon.
    pub fn fail(&mut self, text: &str) {
        let Some(terminal) = &mut self.terminal else { return error!("{text}") };
        terminal.error(text);
    }

    /// Reports what the scheduler did.
    pub fn notify(&mut self, notification: &Notification) {
        let of_job = || messages::job_of(notification).and_then(|job| self.zones.get(job)).copied();
        let zone = messages::zone_of(notification).or_else(of_job).unwrap_or(self.timezone);
        match &mut self.terminal {
            Some(terminal) => terminal.notify(notification, zone),
            None => log(notification, zone),
        }
        if let (Notification::Closed { attempt, end, .. }, Some(logs)) = (notification, &self.logs)
            && is_quoted(end)
        {
            let failed = Failed { attempt: attempt.clone(), zone, log: paths::log_file(logs, attempt) };
            let is_json = self.is_json;
            match &self.terminal {
                Some(terminal) => output_quotes::quote(failed, || terminal.quoter()),
                None => output_quotes::quote(failed, || move |quote: &Quote| log_quote(quote, is_json)),
            }
        }
    }

    /// Shows at a terminal that nothing is left to do for now, and when the next date is due.
    pub fn rest(&mut self, next: Option<(&JobName, DateTime<Utc>)>, now: DateTime<Utc>) {
        if let Some(terminal) = &mut self.terminal {
            let zone = next.and_then(|(job, _)| self.zones.get(job)).copied().unwrap_or(Tz::UTC);
            terminal.rest(next, now, zone);
        }
    }
}

/// How an attempt ended, for the operator who asked for it.
#[must_use]
pub fn outcome_line(attempt: &AttemptRecord, end: &AttemptEnd, log: &Path) -> String {
    let output = if end.has_log { format!("its output: {}", log.display()) } else { "it printed nothing".to_owned() };
    format!("attempt {} {}; {output}", attempt.key.number, messages::outcome(end))
}

/// Sends every event of this process to a queue: for the journal, or for standard error.
fn log_queue(format: Option<LogFormat>, quiet: bool) -> io::Result<LogQueue> {
    let journal = if format.is_none() { journald::socket() } else { None };
    let is_json = format == Some(LogFormat::Json) || journal.is_some();
    let queue = match journal {
        Some(socket) => LogQueue::new(move |lines| journald::write(&socket, lines), dropped_event)?,
        None if is_json => LogQueue::new(write_to_stderr, dropped_event)?,
        None => LogQueue::stderr()?,
    };
    let writer = queue.clone();
    let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
    let lines = lines.with_target(false).with_ansi(false);
    let level =
        if quiet { tracing::level_filters::LevelFilter::WARN } else { tracing::level_filters::LevelFilter::INFO };
    let registry = tracing_subscriber::registry().with(level);
    // Fails only where something else in this process has a log already, which then stays.
    _ = if is_json {
        registry.with(lines.json().flatten_event(true)).try_init()
    } else {
        registry.with(lines).try_init()
    };
    Ok(queue)
}

/// Lines that were dropped, as an event in JSON.
fn dropped_event(dropped: usize) -> String {
    let now = clock::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let event = json!({ "timestamp": now, "level": "WARN", "message": dropped_text(dropped), "dropped": dropped });
    format!("{event}\n")
}

/// Logs the last lines of a failed attempt.
fn log_quote(quote: &Quote, is_json: bool) {
    let (AttemptKey { session, number }, text) = (&quote.attempt, quote.sentence());
    let (job, date) = (&session.job, in_zone(session.date, quote.zone));
    if is_json {
        warn!(%job, date, attempt = number, output = quote.lines.join("\n"), "{text}");
    } else {
        warn!(%job, date, attempt = number, "{text}");
    }
}

/// Logs one event: a message that reads alone, and its fields.
fn log(notification: &Notification, zone: Tz) {
    let level = match notification {
        Notification::Opened { .. } => tracing::Level::DEBUG,
        Notification::Closed { end, .. } if end.outcome == Outcome::Succeeded => tracing::Level::INFO,
        _ => tracing::Level::WARN,
    };
    // An event below the level is not formatted: there is one for each date.
    if level > tracing::level_filters::LevelFilter::current() {
        return;
    }
    let text = messages::sentence(notification, zone);
    let job = messages::job_of(notification).map(JobName::as_str);
    match notification {
        Notification::Opened { attempt, trigger, behind, .. } => {
            let (job, date) = (&attempt.session.job, in_zone(attempt.session.date, zone));
            tracing::debug!(%job, date, attempt = attempt.number, %trigger, behind, "{text}");
        }
        Notification::Closed { attempt, end, state, behind, .. } => {
            let (job, date) = (&attempt.session.job, in_zone(attempt.session.date, zone));
            let (number, outcome, state) = (attempt.number, end.outcome.word(), state.word());
            let seconds = end.duration.map(|duration| duration.as_secs_f64());
            if matches!(end.outcome, Outcome::Succeeded | Outcome::Interrupted) {
                info!(%job, date, attempt = number, outcome, state, duration_seconds = seconds, behind, "{text}");
            } else {
                warn!(%job, date, attempt = number, outcome, state, duration_seconds = seconds, behind, "{text}");
            }
        }
        Notification::TooOld { job, count, .. } => warn!(%job, count, "{text}"),
        Notification::Late { session, count, .. } => {
            warn!(job, date = in_zone(session.date, zone), count, "{text}");
        }
        Notification::TooLong { attempt, .. } => {
            warn!(job, date = in_zone(attempt.session.date, zone), attempt = attempt.number, "{text}");
        }
        Notification::Overlapped { job, date, .. } => warn!(%job, date = in_zone(*date, zone), "{text}"),
        Notification::Behind { job, behind, .. } => info!(%job, behind, "{text}"),
        Notification::Answered { user, .. } => info!(job, user, "{text}"),
        other if messages::is_warning(other) => warn!(job, "{text}"),
        _ => info!(job, "{text}"),
    }
}
