//! One session and its attempts: P1, P2, and whether they agree.

use chrono::{DateTime, Utc};

use super::findings::{Findings, Rule};
use crate::session::{AttemptRecord, Outcome, SessionRecord, State};

/// A session, and a summary of its attempts so far.
#[derive(Debug)]
pub(super) struct SessionSummary {
    pub(super) session: SessionRecord,
    /// The number of the last attempt.
    newest: u32,
    count: u32,
    /// The first that succeeded.
    succeeded: Option<u32>,
    /// The first that has no end.
    open: Option<u32>,
    /// When the last one ended.
    ended_at: Option<DateTime<Utc>>,
}

impl SessionSummary {
    pub(super) fn new(session: SessionRecord) -> Self {
        Self { session, newest: 0, count: 0, succeeded: None, open: None, ended_at: None }
    }

    pub(super) fn attempt(&mut self, attempt: &AttemptRecord, findings: &mut Findings) {
        let number = attempt.key.number;
        let outcome = attempt.end.as_ref().map(|end| end.outcome);
        // A date that an operator repeats belongs to a backfill from then on.
        if let Some(succeeded) = self.succeeded.filter(|_| self.session.backfill.is_none()) {
            let too = if outcome == Some(Outcome::Succeeded) { ", and succeeded too" } else { "" };
            let text = format!("attempt {number} was opened after attempt {succeeded} had succeeded{too}");
            self.broken(Rule::Once, text, findings);
        }
        if let Some(open) = self.open {
            self.broken(Rule::Alone, format!("attempt {number} was opened while attempt {open} was open"), findings);
        }
        if self.ended_at.is_some_and(|ended_at| attempt.started_at < ended_at) {
            findings.doubted(Rule::Alone, self.session.key.date);
        }
        match outcome {
            None => self.open = self.open.or(Some(number)),
            Some(Outcome::Succeeded) => self.succeeded = self.succeeded.or(Some(number)),
            Some(_) => {}
        }
        self.ended_at = attempt.end.as_ref().map(|end| end.ended_at);
        self.newest = number;
        self.count += 1;
    }

    /// Compares the session with all its attempts.
    pub(super) fn finish(&self, findings: &mut Findings) {
        let SessionRecord { state, attempts, counted_attempts, settled_at, backfill, settled_by, .. } = &self.session;
        let word = state.word();
        match self.succeeded {
            None if *state == State::Succeeded && settled_by.is_none() => {
                self.broken(Rule::Once, "it succeeded, and none of its attempts did".to_owned(), findings);
            }
            // An attempt after the success was reported already.
            Some(number) if *state != State::Succeeded && number == self.newest && backfill.is_none() => {
                self.broken(Rule::Once, format!("attempt {number} succeeded, and the date is {word}"), findings);
            }
            _ => {}
        }
        match self.open {
            None if *state == State::Running => {
                self.broken(Rule::Alone, "it is running, and none of its attempts is open".to_owned(), findings);
            }
            Some(number) if *state != State::Running => {
                self.broken(Rule::Alone, format!("attempt {number} is open, and the date is {word}"), findings);
            }
            _ => {}
        }
        if self.newest != self.count {
            let text = format!("its newest attempt is number {}, and it has {} of them", self.newest, self.count);
            self.broken(Rule::Rows, text, findings);
        }
        if *attempts != self.newest {
            let text = format!("it counts {attempts} attempts, and the newest is number {}", self.newest);
            self.broken(Rule::Rows, text, findings);
        }
        if counted_attempts > attempts {
            self.broken(Rule::Rows, format!("it has used {counted_attempts} of {attempts} attempts"), findings);
        }
        match settled_at {
            None if state.is_settled() => self.broken(Rule::Rows, format!("it is {word}, and not settled"), findings),
            Some(_) if !state.is_settled() => self.broken(Rule::Rows, format!("it is {word}, and settled"), findings),
            _ => {}
        }
    }

    fn broken(&self, rule: Rule, text: String, findings: &mut Findings) {
        findings.broken(rule, self.session.key.generation, self.session.key.date, text);
    }
}
