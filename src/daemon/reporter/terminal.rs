//! Lines at a terminal, in columns, with progress bars while jobs catch up on many dates.

use std::io;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::messages;
use super::output_quotes::Quote;
use super::progress_bar::ProgressBars;
use crate::clock;
use crate::duration;
use crate::environment::use_color;
use crate::job::JobName;
use crate::log_queue::{LogQueue, dropped_text, write_to_stderr};
use crate::scheduler::Notification;
use crate::session::{AttemptKey, Outcome, State};
use crate::text::{in_zone, to_the_second};

/// A job with more dates behind than this has a progress bar, and lines only for failures.
const MANY: u64 = 30;

const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";
const DIM: &str = "2";

/// The terminal of standard error.
pub(super) struct Terminal {
    quiet: bool,
    style: Style,
    /// Of the column of jobs.
    width: usize,
    queue: LogQueue,
    bars: ProgressBars,
    /// The last line says that nothing is left to do.
    resting: bool,
}

/// Whether lines are in color.
#[derive(Debug, Clone, Copy)]
struct Style {
    color: bool,
}

impl Style {
    fn from_environment() -> Self {
        Self { color: use_color(&std::io::stderr()) }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The time now, which begins every line.
    fn time(self) -> String {
        self.paint(DIM, &clock::now().with_timezone(&chrono::Local).format("%H:%M:%S").to_string())
    }

    fn warning(self, text: &str) -> String {
        format!("{} {text}", self.paint(YELLOW, "warning:"))
    }
}

/// The queue of a terminal's lines and drawings.
///
/// # Errors
/// The operating system refuses the thread that writes.
pub(super) fn queue() -> io::Result<LogQueue> {
    let style = Style::from_environment();
    let notice = move |dropped| format!("{}  {}\n", style.time(), style.warning(&dropped_text(dropped)));
    LogQueue::new(write_to_stderr, notice)
}

impl Terminal {
    pub(super) fn new(quiet: bool, queue: LogQueue) -> Self {
        let bars = ProgressBars::new(queue.clone());
        Self { quiet, style: Style::from_environment(), width: 16, queue, bars, resting: false }
    }

    pub(super) fn line(&mut self, job: Option<&JobName>, text: &str) {
        if !self.quiet {
            self.print(job, text);
        }
    }

    pub(super) fn warning(&mut self, text: &str) {
        self.print(None, &self.style.warning(text));
    }

    pub(super) fn error(&mut self, text: &str) {
        let text = format!("{} {text}", self.style.paint(RED, "error:"));
        self.print(None, &text);
    }

    fn print(&mut self, job: Option<&JobName>, text: &str) {
        self.resting = false;
        let time = self.style.time();
        let line = match job {
            Some(job) => {
                self.width = self.width.max(job.as_str().len()).min(32);
                format!("{time}  {:<width$}  {text}\n", job.as_str(), width = self.width)
            }
            None => format!("{time}  {text}\n"),
        };
        self.bars.suspend(|| self.queue.push(line.into_bytes()));
    }

    pub(super) fn notify(&mut self, notification: &Notification, zone: Tz) {
        let job = messages::job_of(notification).cloned();
        match notification {
            Notification::Behind { job, behind, .. } => {
                self.line(Some(job), &messages::clause(notification, zone));
                if *behind > MANY {
                    self.bars.begin(job, *behind);
                }
            }
            // The line of its end says all; `list` shows what takes long.
            Notification::Opened { attempt, behind, .. } => {
                if *behind > MANY {
                    self.bars.begin(&attempt.session.job, *behind);
                }
            }
            Notification::Closed { attempt, end, behind, .. } if self.bars.covers(&attempt.session.job) => {
                if end.outcome != Outcome::Succeeded {
                    self.closed(notification, zone);
                }
                let date = in_zone(attempt.session.date, zone);
                let finished = self.bars.advance(&attempt.session.job, *behind, &date);
                if let Some((count, took)) = finished {
                    let text = format!("caught up: {count} dates in {}", duration::format(took));
                    self.line(Some(&attempt.session.job), &text);
                }
            }
            Notification::Closed { .. } => self.closed(notification, zone),
            other if messages::is_warning(other) => self.warning(&messages::sentence(notification, zone)),
            _ => self.line(job.as_ref(), &messages::clause(notification, zone)),
        }
    }

    /// Prints the last lines of failed attempts, on another thread.
    pub(super) fn quoter(&self) -> impl Fn(&Quote) + Send + 'static {
        let (style, queue, bars) = (self.style, self.queue.clone(), self.bars.screen());
        move |quote| {
            let AttemptKey { session, number } = &quote.attempt;
            let title = format!("{}  attempt {number} printed last", in_zone(session.date, quote.zone));
            let mut text = format!("{}  {}  {title}\n", style.time(), session.job);
            for line in quote.lines.iter().map(|line| format!("| {line}")).chain([quote.rest()]) {
                text.push_str(&format!("            {}\n", style.paint(DIM, &line)));
            }
            bars.suspend(|| queue.push(text.into_bytes()));
        }
    }

    fn closed(&mut self, notification: &Notification, zone: Tz) {
        let Notification::Closed { attempt, end, state, behind, .. } = notification else { return };
        let session = &attempt.session;
        let color = match (end.outcome, state) {
            (Outcome::Succeeded, _) => GREEN,
            (Outcome::Interrupted, _) => YELLOW,
            _ => RED,
        };
        let mut text = format!("{}  attempt {}  ", in_zone(session.date, zone), attempt.number);
        text.push_str(&self.style.paint(color, &messages::outcome(end)));
        match state {
            State::Failed { retry_at } => text.push_str(&format!(", retry at {}", to_the_second(*retry_at, zone))),
            State::Held { reason } => text.push_str(&format!(", held for an operator: {reason}")),
            State::Skipped { reason } => text.push_str(&format!(", skipped: {}", reason.word())),
            State::Succeeded if end.outcome != Outcome::Succeeded => {
                text.push_str(&format!(", {}", messages::STAYS_SUCCEEDED));
            }
            _ => {}
        }
        if *behind > 0 {
            text.push_str(&self.style.paint(DIM, &format!(", {behind} behind")));
        }
        if self.quiet && end.outcome == Outcome::Succeeded {
            return;
        }
        self.print(Some(&session.job), &text);
    }

    pub(super) fn rest(&mut self, next: Option<(&JobName, DateTime<Utc>)>, now: DateTime<Utc>, zone: Tz) {
        if self.resting || self.quiet {
            return;
        }
        let text = match next {
            Some((job, at)) => {
                let wait = (at - now).to_std().unwrap_or_default();
                let wait = std::time::Duration::from_secs(wait.as_secs());
                format!("next: {job} at {} (in {})", to_the_second(at, zone), duration::format(wait))
            }
            None => "no job has another date".to_owned(),
        };
        let text = self.style.paint(DIM, &text);
        self.print(None, &text);
        self.resting = true;
    }
}
