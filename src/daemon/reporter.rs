//! What the daemon says: lines for a person at a terminal, or events for a log.
//!
//! One place puts notes into words, so that both say the same.

mod messages;
mod progress_bar;
mod terminal;

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::path::Path;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tracing::{error, info, warn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::job::{Job, JobName};
use crate::scheduler::Notification;
use crate::session::{AttemptEnd, AttemptRecord, Outcome};
use terminal::Terminal;

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The daemon's voice; see the module's page.
pub struct Reporter {
    zones: HashMap<JobName, Tz>,
    terminal: Option<Terminal>,
}

impl Reporter {
    /// Chooses: a person at a terminal, the journal, or a pipe. `format` asks for a log whatever is there.
    #[must_use]
    pub fn new(format: Option<LogFormat>, quiet: bool) -> Self {
        if format.is_none() && io::stderr().is_terminal() {
            return Self { zones: HashMap::new(), terminal: Some(Terminal::new(quiet)) };
        }
        let level =
            if quiet { tracing::level_filters::LevelFilter::WARN } else { tracing::level_filters::LevelFilter::INFO };
        let registry = tracing_subscriber::registry().with(level);
        // A second voice in one process (tests) keeps the first one's log.
        let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false).with_ansi(false);
        _ = match (format, journal()) {
            (Some(LogFormat::Json), _) => registry.with(lines.json().flatten_event(true)).try_init(),
            (None, Some(journal)) => registry.with(journal).try_init(),
            (Some(LogFormat::Text) | None, _) => registry.with(lines).try_init(),
        };
        Self { zones: HashMap::new(), terminal: None }
    }

    /// Learns in which zone each job's dates are shown.
    pub fn learn<'a>(&mut self, jobs: impl Iterator<Item = &'a Job>) {
        self.zones.extend(jobs.map(|job| (job.name.clone(), job.timetable.zone())));
    }

    /// Says something that is about no date.
    pub fn say(&mut self, text: &str) {
        if let Some(terminal) = &mut self.terminal {
            terminal.line(None, text);
        } else {
            info!("{text}");
        }
    }

    /// Says that something is wrong, and what is done about it.
    pub fn warn(&mut self, text: &str) {
        if let Some(terminal) = &mut self.terminal {
            terminal.warning(text);
        } else {
            warn!("{text}");
        }
    }

    /// Says what ends the daemon.
    pub fn fail(&mut self, text: &str) {
        if let Some(terminal) = &mut self.terminal {
            terminal.error(text);
        } else {
            error!("{text}");
        }
    }

    /// Says what the scheduler tells.
    pub fn tell(&mut self, note: &Notification) {
        let zone = messages::job_of(note).and_then(|job| self.zones.get(job)).copied().unwrap_or(Tz::UTC);
        match &mut self.terminal {
            Some(terminal) => terminal.tell(note, zone),
            None => log(note, zone),
        }
    }

    /// Says that nothing is left to do for now, and when it looks again.
    pub fn rest(&mut self, next: Option<(&JobName, DateTime<Utc>)>, running: usize, now: DateTime<Utc>) {
        if let Some(terminal) = &mut self.terminal {
            let zone = next.and_then(|(job, _)| self.zones.get(job)).copied().unwrap_or(Tz::UTC);
            terminal.rest(next, running, now, zone);
        }
    }
}

/// How an attempt ended, for the operator who asked for it.
#[must_use]
pub fn outcome_line(attempt: &AttemptRecord, end: &AttemptEnd, log: &Path) -> String {
    let mut text = messages::outcome(end);
    if end.has_log {
        text.push_str(&format!("; its output: {}", log.display()));
    } else {
        text.push_str("; it printed nothing");
    }
    format!("attempt {} {text}", attempt.key.number)
}

/// The journal, if what we print goes there.
fn journal() -> Option<tracing_journald::Layer> {
    std::env::var_os("JOURNAL_STREAM")?;
    Some(
        tracing_journald::layer()
            .ok()?
            .with_field_prefix(Some("CRONTABBER".to_owned()))
            .with_syslog_identifier("crontabber".to_owned()),
    )
}

/// One event of the log: a message that reads alone, and its fields.
fn log(note: &Notification, zone: Tz) {
    let level = match note {
        Notification::Opened { .. } => tracing::Level::DEBUG,
        Notification::Closed { end, .. } if end.outcome == Outcome::Succeeded => tracing::Level::INFO,
        _ => tracing::Level::WARN,
    };
    // What nobody hears is not put into words: it would be said once a date.
    if level > tracing::level_filters::LevelFilter::current() {
        return;
    }
    let text = messages::sentence(note, zone);
    match note {
        Notification::Opened { attempt, trigger, behind } => {
            let (job, date) = (&attempt.session.job, messages::date(attempt.session.date, zone));
            tracing::debug!(%job, date, attempt = attempt.number, %trigger, behind, "{text}");
        }
        Notification::Closed { attempt, end, state, behind } => {
            let (job, date) = (&attempt.session.job, messages::date(attempt.session.date, zone));
            let (number, outcome, state) = (attempt.number, end.outcome.word(), state.word());
            let seconds = end.duration.map(|duration| duration.as_secs_f64());
            if matches!(end.outcome, Outcome::Succeeded | Outcome::Interrupted) {
                info!(%job, date, attempt = number, outcome, state, duration_seconds = seconds, behind, "{text}");
            } else {
                warn!(%job, date, attempt = number, outcome, state, duration_seconds = seconds, behind, "{text}");
            }
        }
        Notification::ClockSetBack { .. } => warn!("{text}"),
        Notification::UnreadableTimetable { job, .. }
        | Notification::WatermarkAhead { job, .. }
        | Notification::PastDomain { job } => {
            warn!(%job, "{text}");
        }
        Notification::TooOld { job, count, .. } => warn!(%job, count, "{text}"),
        Notification::WasDone { session, .. } => info!(job = %session.job, "{text}"),
        Notification::BackfillOver { job, .. }
        | Notification::EnabledAgain { job }
        | Notification::Renamed { job, .. }
        | Notification::WaitsToSucceed { job, .. } => info!(%job, "{text}"),
        Notification::Behind { job, behind, .. } => info!(%job, behind, "{text}"),
        Notification::Added { job, .. } | Notification::Changed { job, .. } | Notification::Removed { job, .. } => {
            info!(%job, "{text}");
        }
        Notification::Answered { job, user, .. } => info!(%job, user, "{text}"),
    }
}
