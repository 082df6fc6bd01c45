//! Slots: how many attempts may be open at once, in all and in each pool, and whose turn it is.
//!
//! Schedules and backfills have two queues that take turns, so that neither starves; one slot is always kept for
//! schedules.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::job::JobName;
use crate::session::{BackfillId, SessionKey};

/// A job that waits for a slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReadyJob {
    /// The greatest priority comes first.
    pub priority: Reverse<i32>,
    /// The step in which the job became ready.
    pub since: u64,
    pub date: DateTime<Utc>,
    pub job: JobName,
    pub pool: Option<String>,
    pub backfill: Option<BackfillId>,
}

/// The owner of a taken slot.
#[derive(Debug)]
struct SlotHolder {
    pool: Option<String>,
    is_backfill: bool,
}

/// A queue: its pool, and whether it is one of backfills.
type QueueKey = (Option<String>, bool);

/// The slots, and the jobs that wait for one.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// How many slots there are. Taken ones are not affected when it changes.
    pub(super) size: usize,
    pub(super) pools: BTreeMap<String, usize>,
    taken: HashMap<SessionKey, SlotHolder>,
    taken_of: HashMap<String, usize>,
    backfills: usize,
    offers: BTreeMap<QueueKey, BTreeSet<ReadyJob>>,
    /// The last slot went to a backfill.
    was_backfill: bool,
    /// No slot is given.
    pub(super) frozen: bool,
}

impl Slots {
    pub(super) fn new(size: usize) -> Self {
        Self { size, ..Self::default() }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.len()
    }

    /// The size of a pool, and how many of its slots are taken.
    pub(super) fn pool(&self, pool: &str) -> Option<(usize, usize)> {
        Some((*self.pools.get(pool)?, self.taken_of.get(pool).copied().unwrap_or_default()))
    }

    /// How many slots there are, if all are taken.
    pub(super) fn full(&self) -> Option<usize> {
        (self.taken.len() >= self.size).then_some(self.size)
    }

    /// Whether a pool has no free slot. An unknown pool has no limit.
    pub(super) fn is_full(&self, pool: &str) -> bool {
        self.pool(pool).is_some_and(|(size, taken)| taken >= size)
    }

    /// Whether a backfill may take a slot: the last free one is kept for schedules.
    pub(super) fn may_backfill(&self) -> bool {
        self.backfills + 1 < self.size.max(2)
    }

    /// Whether a slot is free.
    pub(super) fn has_room(&self, pool: Option<&str>, is_backfill: bool) -> bool {
        self.full().is_none() && !pool.is_some_and(|pool| self.is_full(pool)) && (!is_backfill || self.may_backfill())
    }

    pub(super) fn has_offers(&self) -> bool {
        !self.offers.is_empty()
    }

    pub(super) fn offer(&mut self, offer: ReadyJob) {
        self.offers.entry(queue_key(&offer)).or_default().insert(offer);
    }

    pub(super) fn withdraw(&mut self, offer: &ReadyJob) {
        if let Some(offers) = self.offers.get_mut(&queue_key(offer)) {
            offers.remove(offer);
            if offers.is_empty() {
                self.offers.remove(&queue_key(offer));
            }
        }
    }

    /// Removes the job whose turn it is from its queue, if a slot is free for it.
    pub(super) fn next(&mut self) -> Option<ReadyJob> {
        if self.frozen || self.taken.len() >= self.size {
            return None;
        }
        let first = |is_backfill: bool| {
            let open = self.offers.iter().filter(|((pool, backfill), _)| {
                *backfill == is_backfill && !pool.as_deref().is_some_and(|pool| self.is_full(pool))
            });
            open.filter_map(|(_, offers)| offers.first()).min().cloned()
        };
        let may_backfill = self.may_backfill();
        let (of_schedule, of_backfill) = (first(false), first(true).filter(|_| may_backfill));
        let offer = match (of_schedule, of_backfill) {
            (Some(schedule), Some(backfill)) => Some(if self.was_backfill { schedule } else { backfill }),
            (schedule, backfill) => schedule.or(backfill),
        }?;
        self.was_backfill = offer.backfill.is_some();
        self.withdraw(&offer);
        Some(offer)
    }

    /// Takes a slot, even if none is free.
    pub(super) fn take(&mut self, session: SessionKey, pool: Option<String>, is_backfill: bool) {
        if let Some(pool) = &pool {
            *self.taken_of.entry(pool.clone()).or_default() += 1;
        }
        self.backfills += usize::from(is_backfill);
        self.taken.insert(session, SlotHolder { pool, is_backfill });
    }

    /// Releases a slot.
    pub(super) fn give_back(&mut self, session: &SessionKey) {
        let Some(SlotHolder { pool, is_backfill }) = self.taken.remove(session) else { return };
        if let Some(taken) = pool.and_then(|pool| self.taken_of.get_mut(&pool)) {
            *taken -= 1;
        }
        self.backfills -= usize::from(is_backfill);
    }

    /// Counts the taken slots of each pool again, by the pools of the jobs in the registry. Attempts of removed jobs
    /// keep their pool.
    pub(super) fn assign(&mut self, pool_of: impl Fn(&JobName) -> Option<Option<String>>) {
        self.taken_of.clear();
        for (session, holder) in &mut self.taken {
            if let Some(pool) = pool_of(&session.job) {
                holder.pool = pool;
            }
            if let Some(pool) = &holder.pool {
                *self.taken_of.entry(pool.clone()).or_default() += 1;
            }
        }
    }
}

fn queue_key(offer: &ReadyJob) -> QueueKey {
    (offer.pool.clone(), offer.backfill.is_some())
}
