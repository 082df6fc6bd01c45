//! Lines that a person can follow, in columns, with a bar while many dates are caught up on.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::messages;
use super::progress_bar::Bar;
use crate::clock;
use crate::duration;
use crate::job::JobName;
use crate::scheduler::Notification;
use crate::session::{Outcome, State};

/// A job with more dates behind than this shows them as a bar, and only what goes wrong as lines.
const MANY: u64 = 30;

const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";
const DIM: &str = "2";

/// Somebody's terminal.
pub(super) struct Terminal {
    quiet: bool,
    colour: bool,
    width: usize,
    bar: Bar,
    resting: bool,
}

impl Terminal {
    pub(super) fn new(quiet: bool) -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { quiet, colour, width: 16, bar: Bar::new(), resting: false }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn line(&mut self, job: Option<&JobName>, text: &str) {
        if !self.quiet {
            self.print(job, text);
        }
    }

    pub(super) fn warning(&mut self, text: &str) {
        let text = format!("{} {text}", self.paint(YELLOW, "warning:"));
        self.print(None, &text);
    }

    pub(super) fn error(&mut self, text: &str) {
        let text = format!("{} {text}", self.paint(RED, "error:"));
        self.print(None, &text);
    }

    fn print(&mut self, job: Option<&JobName>, text: &str) {
        self.resting = false;
        let time = self.paint(DIM, &clock::now().with_timezone(&chrono::Local).format("%H:%M:%S").to_string());
        let line = match job {
            Some(job) => {
                self.width = self.width.max(job.as_str().len()).min(32);
                format!("{time}  {:<width$}  {text}", job.as_str(), width = self.width)
            }
            None => format!("{time}  {text}"),
        };
        // Nobody is left to tell if the terminal is gone.
        self.bar.suspend(|| _ = writeln!(io::stderr(), "{line}"));
    }

    pub(super) fn tell(&mut self, note: &Notification, zone: Tz) {
        let job = messages::job_of(note).cloned();
        match note {
            Notification::Behind { job, behind, .. } => {
                self.line(Some(job), &messages::clause(note, zone));
                if *behind > MANY {
                    self.bar.begin(job, *behind);
                }
            }
            // The line of its end says all; what takes long is shown by the bar and by `list`.
            Notification::Opened { attempt, behind, .. } => {
                if *behind > MANY {
                    self.bar.begin(&attempt.session.job, *behind);
                }
            }
            Notification::Closed { attempt, end, behind, .. } if self.bar.covers(&attempt.session.job) => {
                if end.outcome != Outcome::Succeeded {
                    self.closed(note, zone);
                }
                let finished =
                    self.bar.advance(&attempt.session.job, *behind, &messages::date(attempt.session.date, zone));
                if let Some((count, took)) = finished {
                    let text = format!("caught up: {count} dates in {}", duration::format(took));
                    self.line(Some(&attempt.session.job), &text);
                }
            }
            Notification::Closed { .. } => self.closed(note, zone),
            Notification::ClockSetBack { .. }
            | Notification::WatermarkAhead { .. }
            | Notification::PastDomain { .. }
            | Notification::UnreadableTimetable { .. } => {
                self.warning(&messages::sentence(note, zone));
            }
            _ => self.line(job.as_ref(), &messages::clause(note, zone)),
        }
    }

    fn closed(&mut self, note: &Notification, zone: Tz) {
        let Notification::Closed { attempt, end, state, behind } = note else { return };
        let session = &attempt.session;
        let colour = match (end.outcome, state) {
            (Outcome::Succeeded, _) => GREEN,
            (Outcome::Interrupted, _) => YELLOW,
            _ => RED,
        };
        let mut text = format!("{}  attempt {}  ", messages::date(session.date, zone), attempt.number);
        text.push_str(&self.paint(colour, &messages::outcome(end)));
        match state {
            State::Failed { retry_at } => {
                text.push_str(&format!(", again at {}", messages::clock_time(*retry_at, zone)));
            }
            State::Held { reason } => text.push_str(&format!(", held for a person: {reason}")),
            State::Skipped { .. } => text.push_str(", a newer date takes over"),
            _ => {}
        }
        if *behind > 0 {
            text.push_str(&self.paint(DIM, &format!(", {behind} behind")));
        }
        if self.quiet && end.outcome == Outcome::Succeeded {
            return;
        }
        self.print(Some(&session.job), &text);
    }

    pub(super) fn rest(
        &mut self,
        next: Option<(&JobName, DateTime<Utc>)>,
        running: usize,
        now: DateTime<Utc>,
        zone: Tz,
    ) {
        if self.resting || self.quiet {
            return;
        }
        let text = match next {
            Some((job, at)) => {
                let wait = (at - now).to_std().unwrap_or_default();
                let wait = std::time::Duration::from_secs(wait.as_secs());
                format!("looks again at {} for {job} (in {})", messages::clock_time(at, zone), duration::format(wait))
            }
            None => "no job has a date ahead".to_owned(),
        };
        let text = if running > 0 { format!("{running} running; {text}") } else { text };
        let text = self.paint(DIM, &text);
        self.print(None, &text);
        self.resting = true;
    }
}
