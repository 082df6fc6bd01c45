//! Exits are written to the journal before they are reported: a reported exit survives the death of the warden.

use std::time::{Duration, Instant};

use tracing::error;

use super::Supervisor;
use crate::warden::attempt::Id;
use crate::warden::journal::JournalError;
use crate::warden::protocol::Reply;

/// Between two attempts to write a journal that cannot be written.
const RETRY: Duration = Duration::from_millis(500);
/// An exit is durable after this at the latest: normally by the ledger's commit, or else by a flush of the journal.
/// To flush the journal before every commit would cost each date a second flush, which takes longer than all else.
const FLUSH_AFTER: Duration = Duration::from_millis(5);
/// Records of forgotten attempts are written with other records, or when there are so many bytes of them.
const WRITE_THRESHOLD: usize = 4096;

impl Supervisor {
    /// Writes the journal, and returns the replies that may be sent now.
    ///
    /// # Errors
    /// The journal cannot be written; a later call tries again.
    pub(in crate::warden) fn persist(&mut self) -> Result<Vec<Reply>, JournalError> {
        let now = Instant::now();
        if self.retry_at.is_some_and(|at| at > now) {
            return Ok(std::mem::take(&mut self.replies));
        }
        let written = if self.is_flush_due(now) {
            self.journal.flush().map(|()| self.unflushed.clear())
        } else if self.has_unreported_exits()
            || !self.pending_ends.is_empty()
            || self.journal.unwritten() > WRITE_THRESHOLD
            || self.retry_at.is_some()
        {
            self.journal.write()
        } else {
            Ok(())
        };
        if let Err(error) = written {
            self.retry_at = now.checked_add(RETRY);
            return Err(error);
        }
        self.retry_at = None;
        let mut replies = std::mem::take(&mut self.replies);
        for ended in std::mem::take(&mut self.unreported_exits) {
            if let Some(at) = now.checked_add(FLUSH_AFTER) {
                self.unflushed.push_back((at, Id::from(ended.attempt.as_str())));
            }
            replies.push(Reply::Ended(Box::new(ended)));
        }
        Ok(replies)
    }

    /// Whether the ledger should have had an exit by now.
    fn is_flush_due(&mut self, now: Instant) -> bool {
        let entries = self.journal.entries();
        while self.unflushed.pop_front_if(|(_, attempt)| !entries.contains_key(&**attempt)).is_some() {}
        self.unflushed.front().is_some_and(|(at, _)| *at <= now)
    }

    /// Flushes the journal before the warden exits.
    pub(in crate::warden) fn close(&mut self) {
        if let Err(error) = self.journal.flush() {
            error!(%error, "the journal cannot be written before the warden exits");
        }
        if let Some(delegated) = &self.delegated {
            delegated.sweep();
        }
    }
}
