//! Runs `done_when`, which tells whether a date is done: before an attempt, and after a lost one.
//!
//! Nothing is written before the probe: it changes nothing, and runs again after a crash.

use chrono::{DateTime, Utc};

use crate::job::{JobName, OnUnknown};
use crate::session::{AttemptKey, Entry, Outcome, SessionKey, SettledBy, SkipReason, State};

use super::Scheduler;
use super::job_state::JobState;
use super::notification::Notification;
use super::step::{ProbeAnswer, Step};

impl Scheduler {
    /// Starts a probe of a date. A probe takes a slot, as an attempt does.
    pub(super) fn probe(&mut self, name: &JobName, date: DateTime<Utc>, step: &mut Step) {
        let Some(job_state) = self.jobs.get_mut(name) else { return };
        let Some(job) = job_state.job.clone() else { return };
        let Some(session) = job_state.rows().get(date) else { return };
        let (number, trigger) = (session.attempts + 1, job_state.attempt_trigger(date));
        job_state.probing.insert(date);
        let attempt = AttemptKey { session: job_state.rows().key(date), number };
        let is_backfill = job_state.rows().backfill_of(date).is_some();
        self.slots.take(attempt.session.clone(), job.pool.clone(), is_backfill);
        step.probes.push(job_state.start(attempt, trigger, job));
    }

    /// Probes a date that is held because its attempt was lost.
    pub(super) fn probe_if_lost(&mut self, attempt: &AttemptKey, outcome: Outcome, step: &mut Step) {
        let SessionKey { job: name, generation, date } = &attempt.session;
        let Some(job_state) = self.jobs.get(name) else { return };
        let asks = job_state.job.as_ref().is_some_and(|job| job.done_when.is_some());
        let is_held = job_state.rows().get(*date).is_some_and(|session| matches!(session.state, State::Held { .. }));
        if outcome == Outcome::Lost
            && asks
            && is_held
            && job_state.rows().record.generation == *generation
            && !self.stopping
        {
            self.probe(name, *date, step);
        }
    }

    /// Handles the result of a probe.
    pub(super) fn probed(&mut self, session: &SessionKey, answer: &ProbeAnswer, step: &mut Step) {
        let (name, date) = (&session.job, session.date);
        let (now, stopping) = (self.now, self.stopping);
        self.slots.give_back(session);
        let Some(job_state) = self.jobs.get_mut(name) else { return };
        if job_state.rows().record.generation != session.generation || !job_state.probing.remove(&date) {
            self.reconsider(name, step);
            return;
        }
        let state = job_state.rows().get(date).map(|session| session.state.clone());
        match state {
            Some(State::Running) | None => {}
            Some(state) if *answer == ProbeAnswer::Done => {
                let (from, by, zone) = (state.kind(), SettledBy::DoneWhen, job_state.zone_of(date));
                // Before what follows from it: that a backfill is finished.
                step.notes.push(Notification::WasDone { session: session.clone(), zone });
                job_state.write(Entry::Done { session: session.clone(), from, by, at: now }, step);
            }
            // A newer date has superseded it meanwhile.
            Some(_)
                if !job_state.keeps_every_date()
                    && job_state.rows().main.newest() > Some(date)
                    && job_state.rows().main.get(date).is_some() =>
            {
                job_state.skip(date, SkipReason::Superseded, step);
            }
            Some(state) => {
                let is_idle = !matches!(state, State::Held { .. });
                let is_held = match answer {
                    ProbeAnswer::Unknown(text) => job_state.note_unanswered(date, is_idle, text, step),
                    _ => false,
                };
                if is_idle && !is_held && *answer != ProbeAnswer::Lost && !stopping {
                    self.open_if_next(name, date, step);
                }
            }
        }
        self.reconsider(name, step);
        self.reconsider_dependents(name, step);
        self.adopt_successors(name, step);
    }

    /// Opens an attempt at a date that is not done, unless an earlier date, another registry or the time has changed
    /// its turn since the probe began.
    fn open_if_next(&mut self, name: &JobName, date: DateTime<Utc>, step: &mut Step) {
        let Some(job_state) = self.jobs.get_mut(name) else { return };
        let Some(job) = job_state.job.clone() else { return };
        let is_backfill = job_state.rows().backfill_of(date).is_some();
        if self.clock_hold.is_none() {
            job_state.skip_late(step);
        }
        let due_by = self.effective_now();
        let Some(job_state) = self.jobs.get(name) else { return };
        let is_free = self.pauses_of(&job).next().is_none()
            && self.held_by_clock(&job, date, job_state.rows().get(date)).is_none()
            && self.blockers(&job, date, is_backfill).is_empty();
        let is_it = |other: DateTime<Utc>| other == date && is_free;
        let found = job_state.candidates(due_by, |other, _| is_it(other));
        let is_next = found.of_schedule == Some(date) || found.of_backfill.is_some_and(|(found, _)| found == date);
        if is_next && self.slots.has_room(job.pool.as_deref(), is_backfill) {
            let trigger = job_state.attempt_trigger(date);
            self.open(name, date, trigger, step);
        }
    }
}

impl JobState {
    /// Records that `done_when` gave no answer about a date, and holds the date if the registry wants that. Says whether
    /// it is held.
    fn note_unanswered(&mut self, date: DateTime<Utc>, is_idle: bool, answer: &str, step: &mut Step) -> bool {
        let (session, answer) = (self.rows().key(date), answer.to_owned());
        self.write(Entry::Unanswered { session: session.clone(), answer: answer.clone(), at: step.now }, step);
        let holds = self.job.as_ref().is_some_and(|job| job.on_unknown == OnUnknown::Hold);
        let is_held = holds || !is_idle;
        let zone = self.zone_of(date);
        step.notes.push(Notification::DoneWhenUnanswered { session, zone, answer: answer.clone(), is_held });
        if holds && is_idle {
            let reason = format!("its `done_when` gave no answer: {answer}, and the job has on_unknown = \"hold\"");
            self.write_move(date, State::Held { reason }, step);
        }
        is_held
    }
}
