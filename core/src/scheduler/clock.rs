//! What waits while the wall clock is not believed.

use chrono::{DateTime, Utc};

use crate::job::Job;
use crate::session::ClockHold;

use super::Scheduler;
use super::queue::Session;
use super::status::BlockReason;

impl Scheduler {
    /// Records no date, and starts none that was never attempted, while the clock is not believed. Retries, and what
    /// operators order, continue. `None` if the clock is believed.
    pub fn set_clock_hold(&mut self, hold: Option<ClockHold>) {
        let is_released = self.clock_hold.is_some() && hold.is_none();
        self.clock_hold = hold;
        if is_released {
            let at = self.effective_now();
            for (name, job_state) in &mut self.jobs {
                if let Some(timer) = job_state.timer.replace(at) {
                    self.timers.remove(&(timer, name.clone()));
                }
                self.timers.insert((at, name.clone()));
            }
        }
    }

    /// Until when the clock is not believed, if it is not.
    #[must_use]
    pub fn clock_hold(&self) -> Option<ClockHold> {
        self.clock_hold
    }

    /// Whether a date is held since the clock is not believed.
    #[must_use]
    pub fn holds_dates(&self) -> bool {
        let now = self.effective_now();
        self.clock_hold.is_some() && self.jobs.values().any(|job_state| job_state.has_new_date(now))
    }

    /// A time as far as the clock is believed.
    pub(super) fn believed(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.clock_hold.map_or(now, |hold| hold.seen.min(now))
    }

    /// A date that is new while the clock is not believed.
    pub(super) fn held_by_clock(
        &self,
        job: &Job,
        date: DateTime<Utc>,
        session: Option<&Session>,
    ) -> Option<BlockReason> {
        let hold = self.clock_hold.filter(|_| session.is_none_or(Session::is_untouched))?;
        let block = || BlockReason::ClockHeld { seen: hold.seen, wait: hold.wait(self.now) };
        (job.timetable.due(date) <= self.now).then(block)
    }
}
