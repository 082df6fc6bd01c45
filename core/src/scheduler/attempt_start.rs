//! What the daemon needs to start an attempt.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::job_state::{JobState, Neighbours};
use super::step::{LastSuccess, Start};
use crate::job::Job;
use crate::session::{AttemptKey, Trigger};

impl JobState {
    pub(super) fn start(&self, attempt: AttemptKey, trigger: Trigger, job: Arc<Job>) -> Start {
        let date = attempt.session.date;
        let Neighbours { previous, next } = self.neighbours(date).unwrap_or_else(|| {
            // Before the job's start, the neighbours are the dates that the schedule would have had.
            let is_before_start = job.timetable.start.is_some_and(|start| date < start);
            let timetable = if is_before_start { job.timetable.without_start() } else { job.timetable.clone() };
            Neighbours { previous: timetable.previous_before(date), next: timetable.next_after(date).ok().flatten() }
        });
        let (zone, idempotency_key) = (self.zone_of(date), self.rows().record.idempotency_key(date));
        let last_success = self.last_success_before(date);
        Start { attempt, zone, idempotency_key, trigger, job, previous, next, last_success }
    }

    /// The newest success before a date.
    pub(super) fn last_success_before(&self, date: DateTime<Utc>) -> LastSuccess {
        let last = self.rows().record.last_success;
        if last.is_none_or(|success| success < date) { LastSuccess::Known(last) } else { LastSuccess::InLedger }
    }
}
