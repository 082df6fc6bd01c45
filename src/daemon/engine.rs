//! Write first, then act: what a step of the scheduler starts goes with its entries, and what it tells is kept back
//! until they are durable.

use std::collections::VecDeque;
use std::mem;

use chrono::{DateTime, Utc};

use crate::scheduler::{Event, Note, Scheduler, Start};
use crate::session::Entry;

/// Entries that must become durable together, and what is started once they are.
#[derive(Debug)]
pub struct Commit {
    /// Counted from 1; commits become durable in this order.
    pub number: u64,
    /// What to write.
    pub entries: Vec<Entry>,
    /// What to start then.
    pub starts: Vec<Start>,
}

/// The scheduler, and what waits for its entries to be durable. No I/O.
#[derive(Debug)]
pub struct Engine {
    /// Decides.
    pub scheduler: Scheduler,
    gathered: Vec<Entry>,
    starts: Vec<Start>,
    notes: Vec<Note>,
    waiting: VecDeque<(u64, Vec<Note>)>,
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
            starts: Vec::new(),
            notes: Vec::new(),
            waiting: VecDeque::new(),
            commits: 0,
            durable: 0,
        }
    }

    /// Hands the scheduler an event and gathers what follows; [`Engine::flush`] gives it away.
    pub fn handle(&mut self, event: Event, now: DateTime<Utc>) {
        let step = self.scheduler.handle(event, now);
        self.gathered.extend(step.entries);
        self.starts.extend(step.starts);
        self.notes.extend(step.notes);
    }

    /// Gives what was gathered since the last flush, to be committed. An attempt always comes with its opening.
    pub fn flush(&mut self) -> Option<Commit> {
        let notes = mem::take(&mut self.notes);
        if self.gathered.is_empty() {
            if !notes.is_empty() {
                // Nothing to write, but still told in order: after what is being written.
                self.waiting.push_back((self.commits, notes));
            }
            return None;
        }
        self.commits += 1;
        self.waiting.push_back((self.commits, notes));
        let (entries, starts) = (mem::take(&mut self.gathered), mem::take(&mut self.starts));
        Some(Commit { number: self.commits, entries, starts })
    }

    /// Takes note that the commits up to `number` are durable, and gives what may be told now.
    pub fn released(&mut self, number: u64) -> Vec<Note> {
        self.durable = self.durable.max(number);
        let durable = self.durable;
        let mut released = Vec::new();
        while let Some((_, notes)) = self.waiting.pop_front_if(|(after, _)| *after <= durable) {
            released.extend(notes);
        }
        released
    }

    /// How many commits are not durable yet.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.commits - self.durable
    }

    /// Says whether the end of an attempt is among what is not durable yet.
    #[must_use]
    pub fn holds_outcomes(&self) -> bool {
        let is_end = |note: &Note| matches!(note, Note::Closed { .. });
        self.notes.iter().chain(self.waiting.iter().flat_map(|(_, notes)| notes)).any(is_end)
    }

    /// Says whether nothing is gathered and nothing waits to be durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.gathered.is_empty() && self.waiting.is_empty()
    }
}
