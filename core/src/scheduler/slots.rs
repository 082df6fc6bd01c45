//! Who gets the free slots: how many attempts may be open at once, of all jobs and of each pool, and whose turn it is.
//!
//! Dates of schedules and dates of backfills stand in two lines, and have their turns one after the other, so that
//! neither starves; one place at least is left to the schedules.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::job::JobName;
use crate::session::{BackfillId, SessionKey};

/// A job that could start a date now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReadyJob {
    /// The greater priority comes first.
    pub priority: Reverse<i32>,
    /// The step in which the job became ready.
    pub since: u64,
    pub date: DateTime<Utc>,
    pub job: JobName,
    pub pool: Option<String>,
    pub backfill: Option<BackfillId>,
}

/// What holds a place.
#[derive(Debug)]
struct Holder {
    pool: Option<String>,
    is_backfill: bool,
}

/// The offers that wait for a place of one pool, and of one line.
type Line = (Option<String>, bool);

/// The slots, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct Slots {
    most: usize,
    pools: BTreeMap<String, usize>,
    taken: HashMap<SessionKey, Holder>,
    taken_of: HashMap<String, usize>,
    backfills: usize,
    offers: BTreeMap<Line, BTreeSet<ReadyJob>>,
    /// The last place went to a backfill.
    was_backfill: bool,
    /// Nobody gets a place: it is only looked at.
    frozen: bool,
}

impl Slots {
    pub(super) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Sets how many slots there are; those that are taken are left alone.
    pub(super) fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// Gives nobody a place from now on.
    pub(super) fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Sets how many of them each pool has.
    pub(super) fn set_pools(&mut self, pools: BTreeMap<String, usize>) {
        self.pools = pools;
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.len()
    }

    /// How many slots a pool has, and how many of them are taken.
    pub(super) fn pool(&self, pool: &str) -> Option<(usize, usize)> {
        Some((*self.pools.get(pool)?, self.taken_of.get(pool).copied().unwrap_or_default()))
    }

    /// How many slots there are, if all of them are taken.
    pub(super) fn full(&self) -> Option<usize> {
        (self.taken.len() >= self.most).then_some(self.most)
    }

    /// Says whether a pool has no free place. One that the registry does not have is no limit.
    pub(super) fn is_full(&self, pool: &str) -> bool {
        self.pool(pool).is_some_and(|(size, taken)| taken >= size)
    }

    /// Says whether a backfill may take one more place: the last one is kept for what comes due.
    pub(super) fn may_backfill(&self) -> bool {
        self.backfills + 1 < self.most.max(2)
    }

    /// Says whether there is a place now.
    pub(super) fn has_room(&self, pool: Option<&str>, is_backfill: bool) -> bool {
        self.full().is_none() && !pool.is_some_and(|pool| self.is_full(pool)) && (!is_backfill || self.may_backfill())
    }

    pub(super) fn has_offers(&self) -> bool {
        !self.offers.is_empty()
    }

    pub(super) fn offer(&mut self, offer: ReadyJob) {
        self.offers.entry(line(&offer)).or_default().insert(offer);
    }

    pub(super) fn withdraw(&mut self, offer: &ReadyJob) {
        if let Some(offers) = self.offers.get_mut(&line(offer)) {
            offers.remove(offer);
            if offers.is_empty() {
                self.offers.remove(&line(offer));
            }
        }
    }

    /// Takes the offer whose turn it is out of its line, if there is a place for it.
    pub(super) fn next(&mut self) -> Option<ReadyJob> {
        if self.frozen || self.taken.len() >= self.most {
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

    /// Takes a place, whether there is a free one or not.
    pub(super) fn take(&mut self, session: SessionKey, pool: Option<String>, is_backfill: bool) {
        if let Some(pool) = &pool {
            *self.taken_of.entry(pool.clone()).or_default() += 1;
        }
        self.backfills += usize::from(is_backfill);
        self.taken.insert(session, Holder { pool, is_backfill });
    }

    /// Gives a place back.
    pub(super) fn give_back(&mut self, session: &SessionKey) {
        let Some(Holder { pool, is_backfill }) = self.taken.remove(session) else { return };
        if let Some(taken) = pool.and_then(|pool| self.taken_of.get_mut(&pool)) {
            *taken -= 1;
        }
        self.backfills -= usize::from(is_backfill);
    }

    /// Counts what is taken anew, by the pools that the jobs have now; what runs of no job keeps the place that it has.
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

fn line(offer: &ReadyJob) -> Line {
    (offer.pool.clone(), offer.backfill.is_some())
}
