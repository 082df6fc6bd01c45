//! Which dates are not settled by the time of day that the registry expects, each reported once.

use std::ops::Bound::{Excluded, Unbounded};

use chrono::{DateTime, Utc};

use crate::session::State;

use super::job_state::JobState;
use super::notification::Notification;
use super::step::Step;

impl JobState {
    /// Reports the dates whose `expect_by` has passed, if any is new. Returns when the next one is late.
    pub(super) fn report_late(&mut self, now: DateTime<Utc>, step: &mut Step) -> Option<DateTime<Utc>> {
        let job = self.job.clone().filter(|_| self.is_active())?;
        job.expect_by?;
        let mut late: Option<(DateTime<Utc>, DateTime<Utc>, u64)> = None;
        let next_late = loop {
            let Some((date, expected)) = self.next_expected() else { break None };
            if expected > now {
                break Some(expected);
            }
            self.reported_late = Some(date);
            late = Some(late.map_or((date, expected, 1), |(first, by, count)| (first, by, count + 1)));
        };
        if let Some((date, expected, count)) = late {
            let is_running = self.rows().get(date).is_some_and(|session| session.state == State::Running);
            let (session, zone) = (self.rows().key(date), self.zone_of(date));
            step.notes.push(Notification::Late { session, zone, expected, is_running, count });
        }
        next_late
    }

    /// The first unsettled date that was not reported late, and when it is. A date that was due before the ledger knew
    /// the job is caught up on for the first time, and never late.
    fn next_expected(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let job = self.job.as_ref()?;
        let after = self.reported_late.map_or(Unbounded, Excluded);
        let dates = self.rows().main.sessions().range((after, Unbounded)).map(|(date, _)| *date);
        let date = dates.into_iter().find(|date| job.timetable.due(*date) >= self.rows().record.seen_at)?;
        Some((date, job.expected_by(date)?))
    }
}
