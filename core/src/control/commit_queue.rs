//! What the scribe has been told and has not done yet, and in which order it does it. No I/O.
//!
//! All that waits is written in one transaction. Only when that is durable is anything started, and only when all of it
//! was given to the warden is it told: so whoever hears of a commit knows that the warden was asked before.

use std::collections::VecDeque;
use std::mem;

use crate::session::Entry;

/// What the scribe is told to do.
#[derive(Debug)]
pub enum Order<Launch> {
    /// To write entries, and then to start what they open.
    Commit {
        /// As the engine counts commits.
        number: u64,
        /// What to write.
        entries: Vec<Entry>,
        /// What to start then.
        launches: Vec<Launch>,
    },
    /// To write entries that nobody waits for.
    Write(Vec<Entry>),
    /// To look for the operators' requests.
    Requests,
}

/// One thing that the scribe does.
#[derive(Debug)]
pub enum QueueStep<Launch> {
    /// These batches are written in one transaction; nothing else is done until they are durable.
    Write(Vec<Vec<Entry>>),
    /// An attempt is given to the warden.
    Start(Launch),
    /// These are not, since the daemon stops, and the engine is told so.
    Refuse(Vec<Launch>),
    /// The engine is told that the commits up to this number are durable.
    Committed(u64),
    /// The requests are read, and the engine is told.
    Requests,
}

/// Orders that are carried out together.
#[derive(Debug)]
pub struct CommitQueue<Launch> {
    batches: Vec<Vec<Entry>>,
    launches: VecDeque<Launch>,
    newest: Option<u64>,
    asked: bool,
}

impl<Launch> Default for CommitQueue<Launch> {
    fn default() -> Self {
        Self { batches: Vec::new(), launches: VecDeque::new(), newest: None, asked: false }
    }
}

impl<Launch> CommitQueue<Launch> {
    /// Puts an order on the pile.
    pub fn add(&mut self, order: Order<Launch>) {
        match order {
            Order::Commit { number, entries, launches } => {
                self.newest = Some(number);
                self.batches.push(entries);
                self.launches.extend(launches);
            }
            Order::Write(entries) => self.batches.push(entries),
            Order::Requests => self.asked = true,
        }
    }

    /// What is done next, when all before it is done; nothing when the pile is cleared. `stops` says whether the daemon
    /// stops.
    pub fn next(&mut self, stops: bool) -> Option<QueueStep<Launch>> {
        if !self.batches.is_empty() {
            return Some(QueueStep::Write(mem::take(&mut self.batches)));
        }
        if stops && !self.launches.is_empty() {
            return Some(QueueStep::Refuse(mem::take(&mut self.launches).into()));
        }
        if let Some(launch) = self.launches.pop_front() {
            return Some(QueueStep::Start(launch));
        }
        if let Some(number) = self.newest.take() {
            return Some(QueueStep::Committed(number));
        }
        mem::take(&mut self.asked).then_some(QueueStep::Requests)
    }
}
