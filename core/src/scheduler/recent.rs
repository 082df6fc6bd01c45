//! What the ledger may not have known when it was asked for requests: those that were answered since, and the dates that
//! were settled since.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::job::JobName;
use crate::session::{BackfillRecord, Entry, SessionKey, State};

use super::Scheduler;
use super::step::Step;

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct Recent {
    answered: HashSet<i64>,
    /// Each with the number of its newest attempt.
    settled: Vec<(SessionKey, State, u32)>,
    /// The names of backfills that were used, with their jobs.
    named: HashSet<(JobName, String)>,
    /// How many of the entries of the step at hand were looked at.
    seen: usize,
}

impl Recent {
    /// Another step begins.
    pub(super) fn begin_step(&mut self) {
        self.seen = 0;
    }

    /// A request is answered.
    pub(super) fn answer(&mut self, request: i64) {
        self.answered.insert(request);
    }

    /// Says whether a request was answered since the ledger was asked.
    pub(super) fn has_answered(&self, request: i64) -> bool {
        self.answered.contains(&request)
    }

    /// Says whether a backfill of a job was given this name since the ledger was asked.
    pub(super) fn has_named(&self, job: &JobName, name: &str) -> bool {
        self.named.iter().any(|(of, known)| of == job && known == name)
    }

    /// The dates of a job's generation that were settled, each with the number of its newest attempt, as far as known.
    pub(super) fn settled(&self, job: &JobName, generation: u32) -> HashMap<DateTime<Utc>, (State, u32)> {
        let of_it = |(key, ..): &&(SessionKey, State, u32)| key.job == *job && key.generation == generation;
        let mut found: HashMap<DateTime<Utc>, (State, u32)> = HashMap::new();
        for (key, state, attempts) in self.settled.iter().filter(of_it) {
            let before = found.get(&key.date).map_or(0, |(_, attempts)| *attempts);
            found.insert(key.date, (state.clone(), before.max(*attempts)));
        }
        found
    }
}

impl Scheduler {
    /// Takes note that the ledger is asked now for requests, and for what they are about: what is answered and settled
    /// from now on may be missing in what it tells.
    pub fn ledger_is_asked(&mut self) {
        self.recent.answered.clear();
        self.recent.settled.clear();
        self.recent.named.clear();
    }

    /// Takes note of what the step at hand has settled so far.
    pub(super) fn remember_settled(&mut self, step: &Step) {
        for entry in &step.entries[self.recent.seen..] {
            match entry {
                Entry::Close { attempt, state, .. } if state.is_settled() => {
                    self.attempts_left(&attempt.session);
                    self.recent.settled.push((attempt.session.clone(), state.clone(), attempt.number));
                }
                Entry::Move { session, to, .. } if to.is_settled() => {
                    let attempts = self.attempts_left(session);
                    self.recent.settled.push((session.clone(), to.clone(), attempts));
                }
                Entry::Backfill(BackfillRecord { job, name: Some(name), .. }) => {
                    self.recent.named.insert((job.clone(), name.clone()));
                }
                Entry::Done { session, .. } => {
                    let attempts = self.attempts_left(session);
                    self.recent.settled.push((session.clone(), State::Succeeded, attempts));
                }
                Entry::Record { job, generation, sessions, .. } => {
                    for new in sessions.iter().filter(|new| new.state.is_settled()) {
                        let key = SessionKey { job: job.clone(), generation: *generation, date: new.date };
                        self.recent.settled.push((key, new.state.clone(), 0));
                    }
                }
                _ => {}
            }
        }
        self.recent.seen = step.entries.len();
    }

    /// How many attempts a date had had when it was settled.
    fn attempts_left(&mut self, session: &SessionKey) -> u32 {
        let job_state = self.jobs.get_mut(&session.job);
        job_state.and_then(|job_state| job_state.attempts_left.remove(&session.date)).unwrap_or_default()
    }
}
