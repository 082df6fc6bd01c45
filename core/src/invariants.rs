//! Checks the rows of a ledger against the promises P1 to P5.
//!
//! The rows of a job go in by generation, date and number; violations come out. There is no I/O and no clock, and
//! memory does not grow with the rows. A violation is only what no legal history explains. The wall clock alone proves
//! nothing, since it may have been set back between any two rows; evidence are the numbers of attempts, what is open or
//! unsettled now, and the kernel's count of when a process was started. What only looks wrong, and what the rows cannot
//! tell, is returned as [`Unchecked`].

mod attempts;
mod dates;
mod findings;
mod order;
mod subject;

use chrono::{DateTime, Utc};

pub use findings::{Gap, Rule, Unchecked, Violation};
pub use subject::Subject;

use crate::session::{AttemptKey, AttemptRecord, JobRecord, Outcome, REPLACED, SessionKey, SessionRecord, State};
use attempts::SessionSummary;
use dates::RecordedDates;
use findings::Findings;
use order::Order;

/// A row of a job's history.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A session; its attempts follow.
    Session(SessionRecord),
    Attempt(AttemptRecord),
}

/// The examination of one job.
#[derive(Debug)]
pub struct Examination<'a> {
    subject: &'a Subject,
    findings: Findings,
    attempts: Option<SessionSummary>,
    order: Order<'a>,
    dates: RecordedDates<'a>,
    /// The first open attempt, of any generation.
    open: Option<AttemptKey>,
    newest_success: Option<DateTime<Utc>>,
    /// Whether the date noted as the last success has succeeded, perhaps before a reset or before it was repeated.
    has_noted_success: bool,
    /// The newest generation that has rows.
    generation: u32,
}

impl<'a> Examination<'a> {
    /// Begins the examination of a job.
    #[must_use]
    pub fn new(subject: &'a Subject) -> Self {
        let mut findings = Findings::new(subject.zone);
        let JobRecord { generation, .. } = subject.record;
        let explained = subject.resets + 1;
        if explained != u64::from(generation) {
            let text = format!("it is in generation {generation}, and the resets in the audit lead to {explained}");
            findings.broken(Rule::Forward, generation, None, text);
        }
        Self {
            subject,
            findings,
            attempts: None,
            order: Order::new(subject),
            dates: RecordedDates::new(subject),
            open: None,
            newest_success: None,
            has_noted_success: false,
            generation,
        }
    }

    /// Takes the next row: ascending by generation, date and number, a session before its attempts.
    pub fn row(&mut self, row: Row) {
        match row {
            Row::Session(session) => self.session(session),
            Row::Attempt(attempt) => self.attempt(&attempt),
        }
    }

    /// The violations found since the last call.
    pub fn take(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.findings.violations)
    }

    /// The remaining violations, and what the rows cannot tell.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Violation>, Vec<Unchecked>) {
        self.leave();
        let mut unchecked = self.dates.finish(&mut self.findings);
        let (noted, newest) = (self.subject.record.last_success, self.newest_success);
        if noted != newest && !(self.has_noted_success && noted > newest) {
            let shown = |at: Option<DateTime<Utc>>| at.map_or_else(|| "none".to_owned(), |at| self.findings.shown(at));
            let text = format!("its last success is noted as {}, and is {}", shown(noted), shown(newest));
            self.findings.broken(Rule::Rows, self.subject.generation(), None, text);
        }
        unchecked.extend(self.findings.doubts());
        (self.findings.violations, unchecked)
    }

    fn session(&mut self, session: SessionRecord) {
        self.leave();
        let generation = session.key.generation;
        let in_force = self.subject.generation();
        if generation > self.generation {
            self.generation = generation;
            let text = format!("it has rows of generation {generation}, and is in generation {in_force}");
            self.findings.broken(Rule::Forward, generation, None, text);
        }
        if generation == REPLACED {
            // These dates were those of another job, beside this one.
            self.attempts = Some(SessionSummary::new(session));
            return;
        }
        if generation < in_force && session.recorded_at > self.subject.record.seen_at {
            self.findings.doubted(Rule::Forward, session.key.date);
        }
        if generation == in_force && session.state == State::Succeeded {
            self.newest_success = self.newest_success.max(Some(session.key.date));
        }
        // An operator may have marked a repeated date as done before.
        if session.state == State::Succeeded || session.backfill.is_some() {
            self.succeeded(&session.key);
        }
        self.dates.session(&session, &mut self.findings);
        self.order.begin(&session);
        self.attempts = Some(SessionSummary::new(session));
    }

    fn succeeded(&mut self, key: &SessionKey) {
        // It may be of an earlier generation: a reset to an instant keeps its last success.
        self.has_noted_success |= self.subject.record.last_success == Some(key.date);
    }

    fn attempt(&mut self, attempt: &AttemptRecord) {
        let key = &attempt.key;
        if attempt.end.as_ref().is_some_and(|end| end.outcome == Outcome::Succeeded) {
            self.succeeded(&key.session);
        }
        let (generation, date) = (key.session.generation, key.session.date);
        if let Some(attempts) = self.attempts.as_mut().filter(|attempts| attempts.session.key == key.session) {
            attempts.attempt(attempt, &mut self.findings);
            if generation == REPLACED {
                return;
            }
            self.order.attempt(&attempts.session, attempt, &mut self.findings);
        } else {
            let text = format!("attempt {} is at a date that has no row", key.number);
            self.findings.broken(Rule::Rows, generation, date, text);
        }
        if generation < self.subject.generation() && attempt.started_at > self.subject.record.seen_at {
            self.findings.doubted(Rule::Forward, date);
        }
        if attempt.end.is_some() {
            return;
        }
        match &self.open {
            // In other orders, dates and backfills may run in parallel. An earlier generation ends first in all orders.
            Some(open)
                if open.session.generation != generation
                    || open.session != key.session && self.subject.record.is_strict_at(generation, date) =>
            {
                let mut other = self.findings.shown(open.session.date);
                if open.session.generation != generation {
                    other.push_str(&format!(" of generation {}", open.session.generation));
                }
                let text = format!("attempt {} is open, and so is attempt {} at {other}", key.number, open.number);
                self.findings.broken(Rule::Alone, generation, date, text);
            }
            Some(_) => {}
            None => self.open = Some(key.clone()),
        }
    }

    /// Ends the current session.
    fn leave(&mut self) {
        if let Some(attempts) = self.attempts.take() {
            attempts.finish(&mut self.findings);
            if attempts.session.key.generation != REPLACED {
                self.order.leave(&attempts.session);
            }
        }
    }
}
