//! Write first, then act: what a step of the scheduler starts and tells is kept back until its entries are durable.

use std::collections::VecDeque;
use std::mem;

use chrono::{DateTime, Utc};

use crate::scheduler::{Event, Note, Scheduler, Start};
use crate::session::Entry;

/// What may be done once a commit is durable.
#[derive(Debug, Default)]
pub struct Acts {
    /// Attempts to start.
    pub starts: Vec<Start>,
    /// What to tell people.
    pub notes: Vec<Note>,
}

/// Entries that must become durable together.
#[derive(Debug)]
pub struct Commit {
    /// Counted from 1; commits become durable in this order.
    pub number: u64,
    /// What to write.
    pub entries: Vec<Entry>,
}

/// The scheduler, and what waits for its entries to be durable. No I/O.
#[derive(Debug)]
pub struct Engine {
    /// Decides.
    pub scheduler: Scheduler,
    gathered: Vec<Entry>,
    acts: Acts,
    waiting: VecDeque<(u64, Acts)>,
    commits: u64,
    durable: u64,
}

impl Engine {
    /// Wraps a scheduler.
    #[must_use]
    pub fn new(scheduler: Scheduler) -> Self {
        Self {
            scheduler,
            gathered: Vec::new(),
            acts: Acts::default(),
            waiting: VecDeque::new(),
            commits: 0,
            durable: 0,
        }
    }

    /// Hands the scheduler an event and gathers what follows; [`Engine::flush`] gives it away.
    pub fn handle(&mut self, event: Event, now: DateTime<Utc>) {
        let step = self.scheduler.handle(event, now);
        self.gathered.extend(step.entries);
        self.acts.starts.extend(step.starts);
        self.acts.notes.extend(step.notes);
    }

    /// Gives what was gathered since the last flush, to be committed.
    pub fn flush(&mut self) -> Option<Commit> {
        let acts = mem::take(&mut self.acts);
        if self.gathered.is_empty() {
            if !acts.starts.is_empty() || !acts.notes.is_empty() {
                // Nothing to write, but still told in order: after what is being written.
                self.waiting.push_back((self.commits, acts));
            }
            return None;
        }
        self.commits += 1;
        self.waiting.push_back((self.commits, acts));
        Some(Commit { number: self.commits, entries: mem::take(&mut self.gathered) })
    }

    /// Takes note that the commits up to `number` are durable, and gives what may be done now.
    pub fn released(&mut self, number: u64) -> Acts {
        self.durable = self.durable.max(number);
        let durable = self.durable;
        let mut released = Acts::default();
        while let Some((_, acts)) = self.waiting.pop_front_if(|(after, _)| *after <= durable) {
            released.starts.extend(acts.starts);
            released.notes.extend(acts.notes);
        }
        released
    }

    /// Says whether nothing is gathered and nothing waits to be durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.gathered.is_empty() && self.waiting.is_empty()
    }
}
