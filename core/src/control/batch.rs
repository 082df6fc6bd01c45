//! The entries that were decided and are not durable, with what follows once they are.

use std::mem;
use std::time::Duration;

use crate::scheduler::{Notification, Start, Step};
use crate::session::{AttemptKey, Entry};

/// Between two tries at a ledger that cannot be written.
const RETRY: Duration = Duration::from_millis(500);

/// Entries that nothing waits for are written with the next batch, or after this time.
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// Entries that become durable together, and what follows then.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) starts: Vec<Start>,
    pub(super) probes: Vec<Start>,
    pub(super) notes: Vec<Notification>,
    /// The attempts whose ends the warden may forget.
    pub(super) ends: Vec<AttemptKey>,
    /// Entries that nothing waits for.
    deferred: Vec<Entry>,
    deferred_since: Option<Duration>,
}

impl Batch {
    pub(super) fn add(&mut self, step: Step) {
        self.entries.extend(step.entries);
        self.starts.extend(step.starts);
        self.probes.extend(step.probes);
        self.notes.extend(step.notes);
    }

    /// Adds an entry that nothing waits for.
    pub(super) fn defer(&mut self, entry: Entry, monotonic: Duration) {
        self.deferred.push(entry);
        self.deferred_since.get_or_insert(monotonic);
    }

    /// Says whether it answers a request.
    pub(super) fn answers(&self, id: i64) -> bool {
        self.entries.iter().any(|entry| matches!(entry, Entry::Answer { request, .. } if *request == id))
    }

    /// Says whether nothing was decided; deferred entries do not count.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.probes.is_empty() && self.notes.is_empty()
    }

    /// When it is to be written: at once (zero), or when the deferred entries have waited long enough.
    pub(super) fn due_at(&self) -> Option<Duration> {
        if self.is_empty() { self.deferred_since.map(|since| since + LONGEST_DELAY) } else { Some(Duration::ZERO) }
    }

    /// Takes what is to be written now, with the deferred entries first.
    pub(super) fn take(&mut self, monotonic: Duration) -> Option<Self> {
        if self.due_at().is_none_or(|at| monotonic < at) {
            return None;
        }
        let mut batch = mem::take(self);
        if batch.entries.is_empty() && !batch.is_empty() {
            // Notifications need no transaction for the sake of entries that can wait.
            (self.deferred, self.deferred_since) = (mem::take(&mut batch.deferred), batch.deferred_since);
        }
        let mut entries = mem::take(&mut batch.deferred);
        entries.append(&mut batch.entries);
        batch.entries = entries;
        Some(batch)
    }
}

/// The batch that is at the writer. There is one at a time.
#[derive(Debug, Default)]
pub(super) struct Write {
    batch: Option<Batch>,
    /// When the ledger was first found not to be written, and when it is tried again.
    away: Option<(Duration, Duration)>,
}

impl Write {
    /// Says whether another batch may be written.
    pub(super) fn is_free(&self) -> bool {
        self.batch.is_none()
    }

    pub(super) fn is_writable(&self) -> bool {
        self.away.is_none()
    }

    /// Takes a batch, and gives its entries to be written.
    pub(super) fn begin(&mut self, batch: Option<Batch>) -> Option<Vec<Entry>> {
        let batch = self.batch.insert(batch?);
        Some(mem::take(&mut batch.entries))
    }

    /// The batch is durable. Gives it back, and for how long the ledger could not be written before.
    pub(super) fn written(&mut self, monotonic: Duration) -> (Batch, Option<Duration>) {
        let outage = self.away.take().map(|(since, _)| monotonic.saturating_sub(since));
        (self.batch.take().unwrap_or_default(), outage)
    }

    /// The batch is not durable, as far as is known. Says whether this is news.
    pub(super) fn failed(&mut self, entries: Vec<Entry>, monotonic: Duration) -> bool {
        if let Some(batch) = &mut self.batch {
            batch.entries = entries;
        }
        let since = self.away.map_or(monotonic, |(since, _)| since);
        self.away.replace((since, monotonic + RETRY)).is_none()
    }

    /// Gives the entries that failed to be written once more, if it is time.
    pub(super) fn again(&mut self, monotonic: Duration) -> Option<Vec<Entry>> {
        let batch = self.batch.as_mut().filter(|batch| !batch.entries.is_empty())?;
        let is_time = self.away.is_none_or(|(_, at)| at <= monotonic);
        is_time.then(|| mem::take(&mut batch.entries))
    }

    /// When that is.
    pub(super) fn again_at(&self) -> Option<Duration> {
        self.batch.as_ref().filter(|batch| !batch.entries.is_empty())?;
        self.away.map(|(_, at)| at)
    }

    pub(super) fn starts(&self) -> impl Iterator<Item = &Start> {
        self.batch.iter().flat_map(|batch| &batch.starts)
    }

    /// Says whether the end of an attempt is at the writer.
    pub(super) fn holds_end_of(&self, attempt: &AttemptKey) -> bool {
        self.batch.as_ref().is_some_and(|batch| batch.ends.contains(attempt))
    }

    pub(super) fn holds_ends(&self) -> bool {
        self.batch.as_ref().is_some_and(|batch| !batch.ends.is_empty())
    }
}
