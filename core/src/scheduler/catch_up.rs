//! `catch_up` of the registry, for missed dates that are recorded already: it decides about them as if they were recorded
//! now.
//!
//! A missed date is one that was recorded late (trigger `catch-up`). What an operator or another job ordered, what has
//! been attempted, and what was recorded on time stays.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::session::SkipReason;

use super::job_state::JobState;
use super::step::{ON_TIME, Step};

impl JobState {
    /// Skips the missed dates that wait for their first attempt and that `catch_up` leaves out, once after each reading of
    /// the registry and after the job was enabled. Returns whether there were any.
    pub(super) fn leave_out_too_old(&mut self, step: &mut Step) -> bool {
        if !self.is_active() || !std::mem::take(&mut self.has_new_catch_up) {
            return false;
        }
        let too_old = self.missed_too_old(step.now);
        let too_old: Vec<(DateTime<Utc>, Tz)> = too_old.into_iter().map(|date| (date, self.zone_of(date))).collect();
        for (date, _) in &too_old {
            self.skip(*date, SkipReason::TooOld, step);
        }
        let is_any = !too_old.is_empty();
        if is_any {
            step.edited_dates(&self.rows().record.name).too_old = too_old;
        }
        is_any
    }

    /// How many due dates `catch_up` leaves out, recorded or not.
    pub(super) fn count_too_old(&self, now: DateTime<Utc>) -> u64 {
        let Some(job) = self.job.as_ref() else { return 0 };
        let waiting = self.missed_too_old(now).len() as u64;
        let oldest = job.catch_up.oldest(now);
        let due = || self.unmoved_due(&job.timetable, now);
        let too_many = job.catch_up.max_dates.map_or(0, |most| (due().count() as u64).saturating_sub(most.into()));
        let is_too_old = |date: &DateTime<Utc>| oldest.is_some_and(|oldest| job.timetable.due(*date) < oldest);
        waiting + too_many.max(due().take_while(is_too_old).count() as u64)
    }

    /// The missed dates that wait for their first attempt and that `catch_up` leaves out, ascending.
    fn missed_too_old(&self, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let Some(job) = self.job.as_ref() else { return Vec::new() };
        let (timetable, limits) = (&job.timetable, job.catch_up);
        if limits.max_age.is_none() && limits.max_dates.is_none() {
            return Vec::new();
        }
        let sessions = self.rows().main.sessions().iter();
        let is_missed = |date: &DateTime<Utc>| now - timetable.due(*date) > ON_TIME;
        let waiting = sessions.filter(|(date, session)| session.is_missed() && !self.probing.contains(date));
        let missed: Vec<DateTime<Utc>> = waiting.map(|(date, _)| *date).filter(is_missed).collect();
        let too_many = limits.max_dates.map_or(0, |most| {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            // Those that are yet to be recorded are newer.
            let newer = self.unrecorded_dates(timetable).take_while(is_missed).take(most).count();
            missed.len().saturating_sub(most - newer)
        });
        let oldest = limits.oldest(now);
        let is_too_old = |date: DateTime<Utc>| oldest.is_some_and(|oldest| timetable.due(date) < oldest);
        let ranked = missed.into_iter().enumerate();
        ranked.filter(|(index, date)| *index < too_many || is_too_old(*date)).map(|(_, date)| date).collect()
    }
}
