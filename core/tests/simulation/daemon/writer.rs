//! The ledger's writer, as `src/ledger/writer.rs` has it: a transaction whose answer was lost is found again by its number.

use crontabber_core::session::Entry;

use super::Context;
use crate::Held;
use crate::world::World;

#[derive(Debug)]
pub(crate) struct Writer {
    /// Which writer of the ledger this is.
    epoch: u64,
    /// The number of its last transaction.
    batch: u64,
    /// Whether the last transaction was committed is not known.
    is_in_doubt: bool,
}

impl Writer {
    pub(crate) fn new(epoch: u64) -> Self {
        Self { epoch, batch: 0, is_in_doubt: false }
    }

    /// Tries a transaction. Says whether it is known to be committed.
    pub(crate) fn commit(
        &mut self,
        entries: &[Entry],
        contexts: &[Context],
        world: &mut World,
    ) -> Result<bool, String> {
        if world.ledger_is_away() {
            return Ok(false);
        }
        let fails = world.commit_fails();
        if world.ledger.epoch != self.epoch {
            return Err("conflict: another daemon has the ledger".to_owned());
        }
        let mut is_committed = false;
        if self.is_in_doubt {
            is_committed = world.ledger.batch == self.batch + 1;
            if !is_committed && world.ledger.batch != self.batch {
                return Err(format!("conflict: transaction {} is not ours", world.ledger.batch));
            }
        }
        if !is_committed && (!fails || world.random.once_in(2)) {
            apply(entries, contexts, world)?;
        }
        self.is_in_doubt = fails;
        if !fails {
            self.batch = world.ledger.batch;
        }
        Ok(!fails)
    }

    /// The daemon dies while a transaction may be on its way.
    pub(crate) fn die(&self, entries: &[Entry], contexts: &[Context], world: &mut World) -> Held {
        if !self.is_in_doubt && !world.ledger_is_away() && world.random.once_in(3) {
            apply(entries, contexts, world)?;
        }
        Ok(())
    }
}

fn apply(entries: &[Entry], contexts: &[Context], world: &mut World) -> Held {
    world.ledger.batch += 1;
    world.commit(entries, contexts)
}
