//! Enters due dates in the ledger: those that run, and those that are skipped, each with its reason.
//!
//! A job keeps at most [`WINDOW`] waiting dates in memory. Further due dates stay unrecorded until there is room, and
//! are only counted (`unrecorded`), so that ten years of minutes cost little memory.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use crate::job::{Job, Overlap};
use crate::schedule::Timetable;
use crate::session::{AttemptKey, NewSession, SkipReason, State, TICK, Trigger};

use super::job_state::JobState;
use super::notification::Notification;
use super::queue::Session;
use super::step::{ON_TIME, Step};

/// How many recorded dates of a job may wait.
const WINDOW: usize = 1000;

/// How many dates one step records, so that a job with a long past does not delay the others.
const CHUNK: usize = 5000;

/// Counting stops here: ten years of minutes.
const MAX_COUNTED: usize = 6_000_000;

/// Up to this, `unrecorded` is counted again whenever dates are recorded; above, it is counted down.
const RECOUNT_UP_TO: u64 = 5_000;

impl JobState {
    /// Sets `next`, the first date that is not recorded.
    pub(super) fn seek_next(&mut self, timetable: &Timetable, step: &mut Step) {
        self.next = self.date_after(timetable, self.rows().record.recorded_until(), step);
    }

    /// The first date after an instant that has no row.
    pub(super) fn date_after(
        &self,
        timetable: &Timetable,
        after: DateTime<Utc>,
        step: &mut Step,
    ) -> Option<DateTime<Utc>> {
        let mut after = after;
        loop {
            match timetable.next_after(after) {
                Ok(Some(date)) if self.rows().has_row(date) => after = date,
                Ok(next) => return next,
                Err(_past_domain) => {
                    step.notes.push(Notification::PastDomain { job: self.rows().record.name.clone() });
                    return None;
                }
            }
        }
    }

    /// The earliest unsettled date from `from` to `until` inclusive, recorded or not. Leaves out dates of backfills,
    /// and those that `is_done` accepts.
    pub(super) fn unsettled_within(
        &self,
        from: Option<DateTime<Utc>>,
        until: DateTime<Utc>,
        is_done: impl Fn(&Session) -> bool,
    ) -> Option<DateTime<Utc>> {
        let recorded = self.rows().main.first_within(from, until, is_done);
        let unrecorded = self.next.filter(|next| *next <= until).and_then(|next| {
            let Some(from) = from.filter(|from| next < *from) else { return Some(next) };
            let timetable = &self.job.as_ref()?.timetable;
            let mut dates = timetable.dates(from, until + TICK).map_while(Result::ok);
            dates.find(|date| !self.rows().has_row(*date))
        });
        [recorded, unrecorded].into_iter().flatten().min()
    }

    /// Whether a date is due that is not recorded, or has never been attempted.
    pub(super) fn has_new_date(&self, now: DateTime<Utc>) -> bool {
        let Some(job) = self.job.as_ref().filter(|_| self.is_active()) else { return false };
        let new = self.rows().main.sessions().iter().filter(|(_, session)| session.is_untouched());
        self.next.into_iter().chain(new.map(|(date, _)| *date)).any(|date| job.timetable.due(date) <= now)
    }

    /// Records as many due dates as fit; returns whether that settled any. `now` decides what is due.
    pub(super) fn record_due(&mut self, now: DateTime<Utc>, step: &mut Step) -> bool {
        let Some(job) = self.job.clone().filter(|_| self.is_active()) else { return false };
        let waiting = self.rows().main.waiting();
        let room = if job.date_policy.is_backfillable() { WINDOW.saturating_sub(waiting) } else { CHUNK };
        // Wait until half the window is free, so that a long catch-up records in batches.
        if job.date_policy.is_backfillable() && room < WINDOW / 2 {
            if self.unrecorded == 0 {
                self.unrecorded = self.count_due(&job.timetable, now);
            }
            return false;
        }
        let room = match self.too_many(&job, now) {
            0 => room,
            // Skipped dates take no room.
            too_many => usize::try_from(too_many).unwrap_or(CHUNK),
        };
        let dates = self.take_due(&job.timetable, now, room.min(CHUNK), step);
        // A long past is counted once, and then counted down.
        let left = self.unrecorded.saturating_sub(dates.len() as u64);
        self.unrecorded = if left > RECOUNT_UP_TO { left } else { self.count_due(&job.timetable, now) };
        self.record_dates(&job, &job.timetable, dates, step)
    }

    /// How many of the due dates exceed `catch_up.max_dates`; these are the oldest.
    fn too_many(&mut self, job: &Job, now: DateTime<Utc>) -> u64 {
        let Some(most) = job.catch_up.max_dates else { return 0 };
        if self.unrecorded <= RECOUNT_UP_TO {
            self.unrecorded = self.count_due(&job.timetable, now);
        }
        self.unrecorded.saturating_sub(most.into())
    }

    /// Takes up to `room` due dates, from `next` on.
    pub(super) fn take_due(
        &mut self,
        timetable: &Timetable,
        now: DateTime<Utc>,
        room: usize,
        step: &mut Step,
    ) -> Vec<DateTime<Utc>> {
        let mut dates = Vec::new();
        while let Some(date) = self.next.filter(|date| dates.len() < room && timetable.due(*date) <= now) {
            dates.push(date);
            self.next = self.date_after(timetable, date, step);
        }
        dates
    }

    /// The dates of a timetable that are not recorded: from `next` on, without a row.
    pub(super) fn unrecorded_dates(&self, timetable: &Timetable) -> impl Iterator<Item = DateTime<Utc>> {
        let later = |next| timetable.dates(next + TICK, DateTime::<Utc>::MAX_UTC).map_while(Result::ok);
        // Lazy: no date after `next` is computed unless `next` is due.
        let dates = self.next.into_iter().chain(self.next.into_iter().flat_map(later));
        dates.filter(|date| !self.rows().has_row(*date))
    }

    fn count_due(&self, timetable: &Timetable, now: DateTime<Utc>) -> u64 {
        self.unrecorded_dates(timetable).take_while(|date| timetable.due(*date) <= now).take(MAX_COUNTED).count() as u64
    }

    /// The due dates that are not recorded and will not be skipped as moved, also by an edit that is not in force yet.
    pub(super) fn unmoved_due(&self, timetable: &Timetable, now: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        let (from, stand_ins) = match self.later_by_edit(now) {
            Some((from, stand_ins)) => (from, Cow::Owned(stand_ins)),
            None => (DateTime::<Utc>::MIN_UTC, Cow::Borrowed(&self.rows().stand_ins)),
        };
        let due = self.unrecorded_dates(timetable).take_while(move |date| timetable.due(*date) <= now);
        due.filter(move |date| *date > from && !stand_ins.contains_key(date)).take(MAX_COUNTED)
    }

    /// How many due dates are not recorded, and the first of them: what a disabled job has missed.
    pub(super) fn unrecorded_due(&self, now: DateTime<Utc>) -> (u64, Option<DateTime<Utc>>) {
        let Some(job) = &self.job else { return (0, None) };
        let mut due = self.unmoved_due(&job.timetable, now);
        let first = due.next();
        (u64::from(first.is_some()) + due.count() as u64, first)
    }

    /// Enters dates of a timetable, ascending and newer than the watermark; returns whether that settled any.
    pub(super) fn record_dates(
        &mut self,
        job: &Job,
        timetable: &Timetable,
        dates: Vec<DateTime<Utc>>,
        step: &mut Step,
    ) -> bool {
        let Some(newest) = dates.last().copied() else { return false };
        let more_to_come = self.unrecorded > 0;
        let taken_over = if job.date_policy.keeps_every_date() { 0 } else { self.supersede(None, step).len() as u64 };
        let total = dates.len() as u64 + self.unrecorded;
        let (mut superseded, mut too_old) = (taken_over, 0);
        let sessions: Vec<NewSession> = dates
            .into_iter()
            .zip(0..)
            .map(|(date, index)| {
                let late = step.now - timetable.due(date);
                let trigger = if late > ON_TIME { Trigger::CatchUp } else { Trigger::Schedule };
                let runs = job.date_policy.keeps_every_date() || (date == newest && !more_to_come);
                let skipped = if self.rows().stand_ins.contains_key(&date) {
                    Some(SkipReason::Moved)
                } else if runs {
                    self.skipped_when_recorded(job, late, total - index)
                } else {
                    Some(SkipReason::Superseded)
                };
                superseded += u64::from(skipped == Some(SkipReason::Superseded));
                too_old += u64::from(skipped == Some(SkipReason::TooOld));
                if skipped == Some(SkipReason::Overtime) {
                    let (job, zone) = (job.name.clone(), timetable.zone());
                    step.notes.push(Notification::Overlapped { job, date, zone });
                }
                let state = skipped.map_or(State::Waiting, |reason| State::Skipped { reason });
                NewSession { date, state, trigger, backfill: None }
            })
            .collect();
        let (count, skips) = (sessions.len() as u64, sessions.iter().any(|session| session.state.is_settled()));
        let is_too_old = |session: &&NewSession| session.state == State::Skipped { reason: SkipReason::TooOld };
        let oldest = sessions.iter().find(is_too_old).map(|session| session.date);
        self.write_sessions_in(timetable.zone(), Some(newest), sessions, step);
        self.superseded += superseded;
        let is_whole = job.date_policy.keeps_every_date() || !more_to_come;
        let superseded = if is_whole { std::mem::take(&mut self.superseded) } else { 0 };
        // A disabled job whose timetable changes records its dates, and runs none.
        if is_whole && self.is_active() && (superseded > 0 || count > 1) && too_old < count {
            let unsettled = self.rows().main.oldest();
            let zone = unsettled.map_or_else(|| timetable.zone(), |oldest| self.zone_of(oldest));
            let oldest = unsettled.or(self.rows().record.watermark).unwrap_or_default();
            let (job, behind) = (self.rows().record.name.clone(), self.behind(step.now));
            step.notes.push(Notification::Behind { job, behind, oldest, zone, superseded });
        }
        if let Some(oldest) = oldest {
            let (before, oldest) = self.too_old.unwrap_or((0, oldest));
            self.too_old = Some((before + too_old, oldest));
        }
        let is_last = !more_to_come || too_old < count;
        if let Some((count, oldest)) = self.too_old.take_if(|_| is_last) {
            let (job, zone) = (self.rows().record.name.clone(), timetable.zone());
            step.notes.push(Notification::TooOld { job, count, oldest, zone });
        }
        taken_over > 0 || skips
    }

    /// Enters the next date for a `run` request, whatever the job's limits are.
    pub(super) fn record_this(&mut self, job: &Job, date: DateTime<Utc>, step: &mut Step) {
        if !job.date_policy.keeps_every_date() {
            self.supersede(None, step);
        }
        let missed = step.now - job.timetable.due(date) > ON_TIME;
        let trigger = if missed { Trigger::CatchUp } else { Trigger::Schedule };
        let new = NewSession { date, state: State::Waiting, trigger, backfill: None };
        self.write_sessions(Some(date), vec![new], step);
        self.unrecorded = self.unrecorded.saturating_sub(1);
    }

    /// Why a due date is skipped, if it is. `rank` is 1 for the newest due date.
    fn skipped_when_recorded(&self, job: &Job, late: TimeDelta, rank: u64) -> Option<SkipReason> {
        let beyond = |limit: Option<std::time::Duration>| {
            limit.and_then(|limit| TimeDelta::from_std(limit).ok()).is_some_and(|limit| late > limit)
        };
        let is_missed = late > ON_TIME;
        let too_many = is_missed && job.catch_up.max_dates.is_some_and(|most| rank > most.into());
        if beyond(job.catch_up.max_age) || beyond(job.skip_late) || too_many {
            return Some(SkipReason::TooOld);
        }
        (job.overlap == Overlap::Skip && self.is_full()).then_some(SkipReason::Overtime)
    }

    /// Whether the schedule runs as many dates as it may. Attempts of backfills do not count.
    fn is_full(&self) -> bool {
        let most = self.job.as_ref().map_or(1, |job| job.date_policy.max_parallel());
        let is_of_schedule = |open: &&AttemptKey| {
            open.session.generation != self.rows().record.generation
                || self.rows().backfill_of(open.session.date).is_none()
        };
        self.rows().open.iter().filter(is_of_schedule).count() >= most
    }

    /// Skips the next dates if they have never been attempted and are later than `skip_late`.
    pub(super) fn skip_late(&mut self, step: &mut Step) -> bool {
        let Some(job) = self.job.clone().filter(|_| self.is_active()) else { return false };
        if job.skip_late.is_none() {
            return false;
        }
        // A date blocks the later ones, except in independent order.
        let holds = !job.date_policy.is_independent();
        let dates = self.rows().main.sessions().keys().copied().take_while(|date| is_late(&job, *date, step.now));
        let late: Vec<DateTime<Utc>> = if holds {
            dates.take_while(|date| self.is_too_late(*date, step.now)).collect()
        } else {
            dates.filter(|date| self.is_too_late(*date, step.now)).collect()
        };
        for date in &late {
            self.skip(*date, SkipReason::TooOld, step);
        }
        !late.is_empty()
    }

    /// Whether a date of the schedule has never been attempted and is later than `skip_late`.
    pub(super) fn is_too_late(&self, date: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let Some(job) = self.job.as_ref().filter(|job| is_late(job, date, now)) else { return false };
        let is_asked = self.probing.contains(&date);
        job.skip_late.is_some() && !is_asked && self.rows().main.get(date).is_some_and(Session::is_untouched)
    }

    /// When to record the next date, unless the window is full.
    pub(super) fn next_recording(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let job = self.job.as_ref().filter(|_| self.is_active())?;
        let due = job.timetable.due(self.next?);
        let full = job.date_policy.is_backfillable() && due <= now && self.rows().main.waiting() > WINDOW / 2;
        (!full).then_some(due)
    }
}

/// Whether a date came due longer ago than `skip_late`.
fn is_late(job: &Job, date: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let limit = job.skip_late.and_then(|limit| TimeDelta::from_std(limit).ok());
    limit.is_some_and(|limit| now - job.timetable.due(date) > limit)
}
