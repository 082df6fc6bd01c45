//! The end of an attempt: the state of its session, and the retry.

use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::job::{Job, OnLost};
use crate::session::{AttemptEnd, AttemptKey, Entry, Outcome, SkipReason, State};

use super::job_state::JobState;
use super::notification::Notification;
use super::step::Step;

impl JobState {
    /// Closes an open attempt. `due_by` is the time that decides what is due: a lost attempt is retried then.
    pub(super) fn close(
        &mut self,
        attempt: &AttemptKey,
        zone: Tz,
        end: AttemptEnd,
        due_by: DateTime<Utc>,
        step: &mut Step,
    ) {
        let date = attempt.session.date;
        let current = attempt.session.generation == self.rows().record.generation;
        let is_backfill = current && self.rows().backfill_of(date).is_some();
        let counted_before = self.rows().get(date).map_or(0, |session| session.counted_attempts);
        let (state, counted_attempts) = if current {
            let counted_attempts = counted_before + u32::from(end.outcome != Outcome::Interrupted);
            // A lost attempt is not the job's fault: retry it at once.
            let after = if end.outcome == Outcome::Lost { due_by } else { step.now };
            (self.state_after(attempt, &end, counted_attempts, after), counted_attempts)
        } else {
            // The job was reset while the attempt ran: settle its session in the old generation.
            let state = match end.outcome {
                Outcome::Succeeded => State::Succeeded,
                _ => State::Skipped { reason: SkipReason::Operator },
            };
            (state, u32::from(end.outcome != Outcome::Interrupted))
        };
        let (attempt_key, outcome) = (attempt.clone(), end.clone());
        // Before what follows from it: that a backfill is finished.
        let note_index = step.notes.len();
        self.write(Entry::Close { attempt: attempt_key, end: outcome, state: state.clone(), counted_attempts }, step);
        let behind = if is_backfill { self.backfilling() } else { self.behind(step.now) };
        let leaves = current && !state.is_settled() && self.is_of_cancelled(date);
        let state = if leaves { self.state_after_cancelling(date) } else { state };
        let closed = Notification::Closed { attempt: attempt.clone(), zone, end, state, behind };
        step.notes.insert(note_index, closed);
    }

    /// Whether an operator has asked to end an attempt.
    fn is_unwanted(&self, attempt: &AttemptKey) -> bool {
        self.kills.iter().any(|kill| kill.attempts.contains(attempt))
    }

    fn state_after(&self, attempt: &AttemptKey, end: &AttemptEnd, counted_attempts: u32, now: DateTime<Utc>) -> State {
        let date = attempt.session.date;
        if end.outcome == Outcome::Succeeded {
            return State::Succeeded;
        }
        let newer = self.rows().main.sessions().range((Excluded(date), Unbounded)).next().is_some();
        if newer && !self.keeps_every_date() && self.rows().backfill_of(date).is_none() {
            return State::Skipped { reason: SkipReason::Superseded };
        }
        match end.outcome {
            Outcome::Cancelled => State::Held { reason: "an operator ended its attempt".to_owned() },
            // Whatever the outcome is: retry it only when an operator asks.
            outcome if self.is_unwanted(attempt) => {
                State::Held { reason: format!("an operator asked to kill its attempt, which ended as {outcome}") }
            }
            Outcome::Interrupted => State::Waiting,
            outcome => self
                .job
                .as_ref()
                .map_or(State::Failed { retry_at: now }, |job| retry(job, outcome, counted_attempts, now)),
        }
    }
}

fn retry(job: &Job, outcome: Outcome, counted_attempts: u32, now: DateTime<Utc>) -> State {
    if outcome == Outcome::Lost && job.on_lost == OnLost::Hold {
        let reason =
            format!("the outcome of attempt {counted_attempts} is unknown, and the job has on_lost = \"hold\"");
        return State::Held { reason };
    }
    if !job.retry.allows_another(counted_attempts) {
        let attempts = if counted_attempts == 1 {
            "its one attempt is".to_owned()
        } else {
            format!("its {counted_attempts} attempts are")
        };
        return State::Held { reason: format!("{attempts} used up, the last of them {outcome}") };
    }
    let wait = if outcome == Outcome::Lost { Duration::ZERO } else { job.retry.wait(counted_attempts) };
    let retry_at = TimeDelta::from_std(wait).ok().and_then(|wait| now.checked_add_signed(wait));
    State::Failed { retry_at: retry_at.unwrap_or(now) }
}
