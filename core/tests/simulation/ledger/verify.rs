//! The ledger as `verify` examines it: the rows alone, without what the simulation knows besides.

use crontabber_core::invariants::{Examination, Row, Subject};
use crontabber_core::session::{AttemptKey, AttemptRecord, Operation, SessionRecord};

use super::{JobRows, Ledger};
use crate::Held;

impl Ledger {
    /// Checks every row as `verify` does.
    pub(crate) fn verify(&self) -> Held {
        self.jobs.values().try_for_each(|job| self.verify_job(job))
    }

    fn verify_job(&self, job: &JobRows) -> Held {
        let is_reset = |operation: &Operation| matches!(operation, Operation::Reset { .. });
        let asked = self.requests_about(&job.record.name);
        let resets = asked.filter(|asked| asked.done == Some(true) && is_reset(&asked.request.operation)).count();
        let subject = Subject::new(job.record.clone(), chrono_tz::UTC, resets as u64);
        let mut examination = Examination::new(&subject);
        for dates in job.generations.values() {
            let mut sessions: Vec<&SessionRecord> = dates.settled.values().chain(dates.unsettled.values()).collect();
            sessions.sort_by_key(|session| session.key.date);
            for session in sessions {
                examination.row(Row::Session(session.clone()));
                for attempt in self.attempts_at(session) {
                    examination.row(Row::Attempt(attempt.clone()));
                }
            }
        }
        match examination.finish().0.first() {
            Some(found) => Err(format!("`verify` calls a legal history a violation: {}: {found:?}", job.record.name)),
            None => Ok(()),
        }
    }

    fn attempts_at(&self, session: &SessionRecord) -> impl Iterator<Item = &AttemptRecord> {
        let [first, last] = [0, u32::MAX].map(|number| AttemptKey { session: session.key.clone(), number });
        let ended = self.ended.range(first.clone()..=last.clone());
        ended.chain(self.open.range(first..=last)).map(|(_, attempt)| attempt)
    }
}
