//! What a scheduler would do next, without writing any of it: for previews, lists and announcements.
//!
//! The scheduler itself decides, over a copy of the rows. Nothing here decides anything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Scheduler;
use super::step::{Event, ProbeAnswer, Start, Step};
use crate::job::{Job, JobName};
use crate::session::{AttemptEnd, AttemptKey, Outcome};

/// How many steps record a past at most: ten million dates.
const STEPS: usize = 2_000;

/// How many dates are attempted if the clock stands still and every attempt succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forecast {
    /// By job: dates of the schedule, and dates that other jobs require. Those of backfills are not counted.
    pub attempts: BTreeMap<JobName, u64>,
    /// There are more, which were not counted.
    pub has_more: bool,
}

impl Forecast {
    fn total(&self) -> u64 {
        self.attempts.values().sum()
    }
}

impl Scheduler {
    /// Hands the registry to the scheduler, and has it record what is due. Returns its first decisions, with all that it
    /// would start at once.
    pub fn take_registry(&mut self, jobs: Vec<Arc<Job>>, now: DateTime<Utc>) -> Step {
        let mut first = self.handle(Event::Registry(jobs), now);
        // A long past is recorded in several steps.
        for _ in 0..STEPS {
            let Some(Step { starts, probes, .. }) = self.tick_if_due(now) else { break };
            first.starts.extend(starts);
            first.probes.extend(probes);
        }
        first
    }

    /// Lets everything succeed that is open, and that follows from it, while the clock stands still. Counts the dates that
    /// are attempted from `first` on, up to `most`.
    pub fn forecast(&mut self, first: &Step, most: u64) -> Forecast {
        let mut forecast = Forecast::default();
        let mut open: VecDeque<AttemptKey> = self.open_attempts().into();
        let mut probes: VecDeque<Start> = first.probes.iter().cloned().collect();
        self.count(&first.starts, &mut forecast);
        loop {
            let step = if let Some(probe) = probes.pop_front() {
                self.handle(Event::Probed { session: probe.attempt.session, answer: ProbeAnswer::NotDone }, self.now)
            } else if let Some(attempt) = open.pop_front() {
                let end = AttemptEnd {
                    outcome: Outcome::Succeeded,
                    ended_at: self.now,
                    duration: None,
                    detail: None,
                    has_log: false,
                    usage: None,
                };
                self.handle(Event::Ended { attempt, end }, self.now)
            } else if let Some(step) = self.tick_if_due(self.now) {
                step
            } else {
                return forecast;
            };
            self.count(&step.starts, &mut forecast);
            if forecast.total() >= most {
                forecast.has_more = true;
                return forecast;
            }
            open.extend(step.starts.into_iter().map(|start| start.attempt));
            probes.extend(step.probes);
        }
    }

    /// What follows from the time alone; `None` if nothing does.
    fn tick_if_due(&mut self, now: DateTime<Utc>) -> Option<Step> {
        self.next_wake().filter(|(at, _)| *at <= now)?;
        let step = self.handle(Event::Tick, now);
        let is_empty = step.entries.is_empty() && step.starts.is_empty() && step.probes.is_empty();
        (!is_empty).then_some(step)
    }

    fn count(&self, starts: &[Start], forecast: &mut Forecast) {
        for Start { attempt: AttemptKey { session, .. }, .. } in starts {
            let job_state = self.jobs.get(&session.job);
            if job_state.is_some_and(|job_state| job_state.rows().backfill_of(session.date).is_none()) {
                *forecast.attempts.entry(session.job.clone()).or_default() += 1;
            }
        }
    }
}
