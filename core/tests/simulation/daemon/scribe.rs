//! The scribe: what the production code says it does next, done on the ledger in memory, one thing at a time.

use std::collections::VecDeque;

use crontabber_core::control::commit_queue::{CommitQueue, Order, QueueStep};
use crontabber_core::session::Entry;

use super::{Context, LedgerEvent, Message};
use crate::Held;
use crate::link::{Ask, Launch};
use crate::machine::SECOND;
use crate::world::World;

/// Between two tries at a ledger that is away.
const RETRY: i64 = SECOND / 2;

/// A transaction under way.
#[derive(Debug)]
struct Writing {
    batches: Vec<Vec<Entry>>,
    /// How many of the batches are in a transaction of which nobody knows whether it was committed.
    doubt: Option<usize>,
    has_told: bool,
    again_at: i64,
}

#[derive(Debug)]
pub(crate) struct LedgerThread {
    orders: VecDeque<Order<Launch>>,
    /// What goes with the batches, in their order.
    contexts: VecDeque<Option<Context>>,
    pile: Option<CommitQueue<Launch>>,
    writing: Option<Writing>,
    pub(crate) stops: bool,
    /// The writer's place in the ledger.
    epoch: u64,
    batch: u64,
}

impl LedgerThread {
    pub(crate) fn new(epoch: u64) -> Self {
        let (orders, contexts) = (VecDeque::new(), VecDeque::new());
        Self { orders, contexts, pile: None, writing: None, stops: false, epoch, batch: 0 }
    }

    pub(crate) fn order(&mut self, order: Order<Launch>, context: Option<Context>) {
        if !matches!(order, Order::Requests) {
            self.contexts.push_back(context);
        }
        self.orders.push_back(order);
    }

    pub(crate) fn is_awake(&self, monotonic: i64) -> bool {
        let waits = self.writing.as_ref().is_some_and(|writing| writing.again_at > monotonic);
        !waits && (self.writing.is_some() || self.pile.is_some() || !self.orders.is_empty())
    }

    pub(crate) fn again_at(&self) -> Option<i64> {
        self.writing.as_ref().map(|writing| writing.again_at)
    }

    /// One action; the answer is what the daemon is told.
    pub(crate) fn step(&mut self, asks: &mut Vec<Ask>, world: &mut World) -> Result<Option<Message>, String> {
        if self.writing.is_some() {
            return self.write(world).map(|word| word.map(Message::LedgerThread));
        }
        let Some(pile) = &mut self.pile else {
            let mut pile = CommitQueue::default();
            self.orders.drain(..).for_each(|order| pile.add(order));
            self.pile = Some(pile);
            return Ok(None);
        };
        let deed = pile.next(self.stops);
        world.trace.note(|| format!("          does {}", deed.as_ref().map_or("nothing".to_owned(), name)));
        let message = match deed {
            Some(QueueStep::Write(batches)) => {
                self.writing = Some(Writing { batches, doubt: None, has_told: false, again_at: 0 });
                None
            }
            Some(QueueStep::Start(launch)) => {
                asks.push(Ask::Start(launch));
                None
            }
            Some(QueueStep::Refuse(launches)) => {
                Some(LedgerEvent::NotStarted(launches.into_iter().map(|launch| launch.attempt).collect()))
            }
            Some(QueueStep::Committed(number)) => Some(LedgerEvent::Committed(number)),
            Some(QueueStep::Requests) if world.ledger_is_away() => Some(LedgerEvent::Requests(Vec::new())),
            Some(QueueStep::Requests) => Some(LedgerEvent::Requests(world.ledger.unanswered())),
            None => {
                self.pile = None;
                None
            }
        };
        Ok(message.map(Message::LedgerThread))
    }

    /// A try at the transaction.
    fn write(&mut self, world: &mut World) -> Result<Option<LedgerEvent>, String> {
        let (away, fails) = (world.ledger_is_away(), world.commit_fails());
        let Some(writing) = &mut self.writing else { return Ok(None) };
        if !away {
            if world.ledger.epoch != self.epoch {
                return Err("conflict: another daemon has the ledger".to_owned());
            }
            let mut from = 0;
            if let Some(doubt) = writing.doubt.take() {
                // The number of the last transaction tells.
                if world.ledger.batch == self.batch + 1 {
                    (from, self.batch) = (doubt, world.ledger.batch);
                } else if world.ledger.batch != self.batch {
                    return Err(format!("conflict: transaction {} is not ours", world.ledger.batch));
                }
            }
            let is_applied = !fails || world.random.once_in(2);
            if is_applied && from < writing.batches.len() {
                world.ledger.batch += 1;
                self.apply(from, world)?;
            }
            if !fails {
                self.batch = world.ledger.batch;
                let has_told = self.writing.take().is_some_and(|writing| writing.has_told);
                return Ok(has_told.then_some(LedgerEvent::Recovered));
            }
            writing_in_doubt(self.writing.as_mut(), from);
        }
        let Some(writing) = &mut self.writing else { return Ok(None) };
        writing.again_at = world.machine.monotonic + RETRY;
        let is_first = !writing.has_told;
        writing.has_told = true;
        Ok(is_first.then_some(LedgerEvent::Trouble))
    }

    fn apply(&mut self, from: usize, world: &mut World) -> Held {
        let Some(writing) = &self.writing else { return Ok(()) };
        for batch in &writing.batches[from..] {
            let context = self.contexts.pop_front().flatten();
            world.commit(batch, context.as_ref())?;
        }
        Ok(())
    }

    /// The machine or the daemon dies while a transaction may be on its way.
    pub(crate) fn die(&mut self, world: &mut World) -> Held {
        let in_doubt = self.writing.as_ref().is_some_and(|writing| writing.doubt.is_none());
        if in_doubt && !world.ledger_is_away() && world.random.once_in(3) {
            world.ledger.batch += 1;
            self.apply(0, world)?;
        }
        Ok(())
    }
}

/// A deed in a few words.
fn name(deed: &QueueStep<Launch>) -> String {
    match deed {
        QueueStep::Write(batches) => format!("write {} batches", batches.len()),
        QueueStep::Start(launch) => format!("start {}", launch.attempt),
        other => format!("{other:?}"),
    }
}

fn writing_in_doubt(writing: Option<&mut Writing>, from: usize) {
    if let Some(writing) = writing {
        // What an earlier try wrote is not tried again.
        writing.batches.drain(..from);
        writing.doubt = Some(writing.batches.len());
    }
}
