//! One job as the scheduler holds it: its ledger's record, its unsettled dates, its open attempts.
//!
//! A job state decides what concerns its job alone; what needs the other jobs (dependencies, free slots) is the
//! scheduler's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::job::{DatePolicy, Job};
use crate::session::{
    AttemptKey, BackfillId, BackfillRecord, Changed, Disabled, Entry, JobRecord, Reply, Request, SessionKey,
    SessionRecord, SkipReason, State, StateKind, Trigger,
};

use super::notification::Notification;
use super::queue::{Queue, Session, Turn};
use super::slots::ReadyJob;
use super::step::Step;

/// The dates before and after one.
pub(super) struct Neighbours {
    pub previous: Option<DateTime<Utc>>,
    pub next: Option<DateTime<Utc>>,
}

/// The dates of an operator's order that are not settled.
#[derive(Debug)]
pub(super) struct Backfill {
    pub record: BackfillRecord,
    pub queue: Queue,
}

/// An operator who waits for the end of attempts.
#[derive(Debug)]
pub(super) struct Kill {
    pub request: Request,
    pub attempts: Vec<AttemptKey>,
    pub told: Vec<String>,
    pub changed: Changed,
}

/// A date that a backfill has yet to enter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// The date has no row.
    New(DateTime<Utc>),
    /// The date is settled.
    Again { date: DateTime<Utc>, from: StateKind, attempts: u32 },
}

impl Wanted {
    pub(super) fn date(self) -> DateTime<Utc> {
        match self {
            Self::New(date) | Self::Again { date, .. } => date,
        }
    }
}

/// A backfill whose dates are being entered.
#[derive(Debug)]
pub(super) struct Entering {
    pub request: Request,
    pub record: BackfillRecord,
    pub rest: VecDeque<Wanted>,
    /// The job's `first_date` when the operator ordered the backfill.
    pub first_date: DateTime<Utc>,
    pub reply: Reply,
}

/// Which dates of a job state could start now, and when another could.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub of_schedule: Option<DateTime<Utc>>,
    pub of_backfill: Option<(DateTime<Utc>, BackfillId)>,
    pub later: Option<DateTime<Utc>>,
}

/// One job; see the module's page.
#[derive(Debug)]
pub(super) struct JobState {
    /// The job of the registry; a ghost has none.
    pub job: Option<Arc<Job>>,
    pub record: JobRecord,
    /// The unsettled dates of the record's generation, but for those of backfills.
    pub main: Queue,
    pub backfills: BTreeMap<BackfillId, Backfill>,
    /// Settled dates before the first instant of the job's concern, and after its clock. No other settled date is held.
    pub settled_outside_range: BTreeSet<DateTime<Utc>>,
    /// The job's `delay`.
    delay: TimeDelta,
    /// Open attempts, of any generation.
    pub running: Vec<AttemptKey>,
    /// Dates of which it is asked whether they are done.
    pub probing: BTreeSet<DateTime<Utc>>,
    pub has_settled: bool,
    /// How many attempts the dates had had that were settled in the step at hand.
    pub attempts_left: BTreeMap<DateTime<Utc>, u32>,
    /// The first date of the timetable in force that is not recorded.
    pub next: Option<DateTime<Utc>>,
    /// How many dates after `next`'s predecessors are due beyond the window, as last counted.
    pub uncounted: u64,
    /// An operator lets nothing of it run.
    pub disabled: Option<Disabled>,
    /// Backfills whose dates are being entered.
    pub entering: VecDeque<Entering>,
    pub kills: Vec<Kill>,
    /// What the job state offers: a date of its schedule, and one of a backfill.
    pub offers: [Option<ReadyJob>; 2],
    /// Since when it has had something to offer, though not all the time, and not got a place.
    pub since: [Option<u64>; 2],
    /// The job state's entry in the scheduler's timers.
    pub timer: Option<DateTime<Utc>>,
}

impl JobState {
    pub(super) fn new(record: JobRecord) -> Self {
        // What succeeded before the dates of this generation counts, where a reset has kept it.
        let has_settled = record.last_success.is_some();
        Self {
            job: None,
            record,
            main: Queue::default(),
            backfills: BTreeMap::new(),
            settled_outside_range: BTreeSet::new(),
            delay: TimeDelta::zero(),
            running: Vec::new(),
            probing: BTreeSet::new(),
            has_settled,
            attempts_left: BTreeMap::new(),
            next: None,
            uncounted: 0,
            disabled: None,
            entering: VecDeque::new(),
            kills: Vec::new(),
            offers: [None, None],
            since: [None, None],
            timer: None,
        }
    }

    /// Takes up a session of the ledger; the backfills are known by then.
    pub(super) fn restore(&mut self, session: SessionRecord) {
        let SessionRecord { key, state, trigger, attempts, counted_attempts, backfill, .. } = session;
        self.put(key.date, Session { state, trigger, attempts, counted_attempts }, backfill);
    }

    /// Takes up a backfill.
    pub(super) fn begin_backfill(&mut self, record: BackfillRecord) {
        let mut queue = Queue::default();
        queue.set_delay(self.delay);
        self.backfills.insert(record.id, Backfill { record, queue });
    }

    pub(super) fn put(&mut self, date: DateTime<Utc>, session: Session, backfill: Option<BackfillId>) {
        match backfill.and_then(|id| self.backfills.get_mut(&id)) {
            Some(backfill) => backfill.queue.put(date, session),
            None => self.main.put(date, session),
        }
    }

    /// An unsettled session.
    pub(super) fn get(&self, date: DateTime<Utc>) -> Option<&Session> {
        self.main.get(date).or_else(|| self.backfills.values().find_map(|backfill| backfill.queue.get(date)))
    }

    /// The backfill that an unsettled date belongs to.
    pub(super) fn backfill_of(&self, date: DateTime<Utc>) -> Option<BackfillId> {
        self.backfills.iter().find(|(_, backfill)| backfill.queue.get(date).is_some()).map(|(id, _)| *id)
    }

    fn queue_of(&mut self, date: DateTime<Utc>) -> &mut Queue {
        match self.backfill_of(date).and_then(|id| self.backfills.get_mut(&id)) {
            Some(backfill) => &mut backfill.queue,
            None => &mut self.main,
        }
    }

    /// Says whether the ledger has a row at a date that is not between the first instant of the job's concern and its
    /// clock, or whose date is not settled.
    pub(super) fn has_row(&self, date: DateTime<Utc>) -> bool {
        self.get(date).is_some() || self.settled_outside_range.contains(&date)
    }

    /// Gives an unsettled session its new, unsettled state.
    pub(super) fn change(&mut self, date: DateTime<Utc>, state: State) {
        self.change_with(date, state, |_| {});
    }

    /// Gives an unsettled session its new, unsettled state, and what `more` changes of it.
    pub(super) fn change_with(&mut self, date: DateTime<Utc>, state: State, more: impl FnOnce(&mut Session)) {
        self.queue_of(date).change(date, state, more);
    }

    /// Takes the delay of the job that the registry has now.
    pub(super) fn set_delay(&mut self, delay: TimeDelta) {
        self.delay = delay;
        self.main.set_delay(delay);
        self.backfills.values_mut().for_each(|backfill| backfill.queue.set_delay(delay));
    }

    /// Forgets a session that was settled.
    pub(super) fn settle(&mut self, date: DateTime<Utc>, step: &mut Step) {
        let id = self.backfill_of(date);
        let attempts = self.queue_of(date).take(date).map_or(0, |session| session.attempts);
        if attempts > 0 {
            self.attempts_left.insert(date, attempts);
        }
        self.note_settled(date);
        if let Some(id) = id
            && self.backfills.get(&id).is_some_and(|backfill| backfill.queue.is_empty())
            && !self.entering.iter().any(|entering| entering.record.id == id)
            && let Some(Backfill { record, .. }) = self.backfills.remove(&id)
        {
            step.notes.push(Notification::BackfillOver { job: self.record.name.clone(), name: record.name });
        }
    }

    /// Takes note of a date that has a row and is settled.
    pub(super) fn note_settled(&mut self, date: DateTime<Utc>) {
        self.has_settled = true;
        if date < self.record.first_date || self.record.watermark.is_none_or(|watermark| date > watermark) {
            self.settled_outside_range.insert(date);
        }
    }

    /// Forgets what lies no longer after the clock.
    pub(super) fn forget_passed(&mut self) {
        let Some(watermark) = self.record.watermark else { return };
        if self.settled_outside_range.range(self.record.first_date..=watermark).next().is_some() {
            let since = self.record.first_date;
            self.settled_outside_range.retain(|date| *date < since || *date > watermark);
        }
    }

    pub(super) fn key(&self, date: DateTime<Utc>) -> SessionKey {
        SessionKey { job: self.record.name.clone(), generation: self.record.generation, date }
    }

    /// How many dates are due and not settled, but for those of backfills.
    pub(super) fn behind(&self) -> u64 {
        self.main.len() as u64 + self.uncounted
    }

    /// How many dates of backfills are not settled.
    pub(super) fn backfilling(&self) -> u64 {
        let entered: usize = self.backfills.values().map(|backfill| backfill.queue.len()).sum();
        let rest: usize = self.entering.iter().map(|entering| entering.rest.len()).sum();
        (entered + rest) as u64
    }

    /// The instant after which the timetable's dates are not recorded yet.
    pub(super) fn recorded_until(&self) -> DateTime<Utc> {
        self.record.recorded_until()
    }

    /// Says whether the job's dates are recorded and started at all.
    pub(super) fn is_active(&self) -> bool {
        self.disabled.is_none() && self.job.as_ref().is_some_and(|job| job.enabled)
    }

    /// The policy of the job; a ghost has none.
    pub(super) fn date_policy(&self) -> Option<DatePolicy> {
        self.job.as_ref().map(|job| job.date_policy)
    }

    pub(super) fn keeps_every_date(&self) -> bool {
        self.date_policy().is_none_or(DatePolicy::keeps_every_date)
    }

    pub(super) fn is_strict(&self) -> bool {
        self.date_policy().is_some_and(DatePolicy::is_strict)
    }

    pub(super) fn entry(
        &self,
        watermark: Option<DateTime<Utc>>,
        sessions: Vec<crate::session::NewSession>,
        at: DateTime<Utc>,
    ) -> Entry {
        let JobRecord { name, generation, watermark: to, .. } = &self.record;
        Entry::Record { job: name.clone(), generation: *generation, watermark, to: *to, sessions, at }
    }

    /// Settles what waits, failed or is held, but for `but`, since a newer date takes over. What runs is left to end.
    /// Says whether there was any.
    pub(super) fn supersede(&mut self, but: Option<DateTime<Utc>>, at: DateTime<Utc>, step: &mut Step) -> bool {
        let is_idle = |date: &DateTime<Utc>, session: &Session| {
            session.state != State::Running && !self.probing.contains(date) && Some(*date) != but
        };
        let idle: Vec<DateTime<Utc>> = self
            .main
            .sessions()
            .iter()
            .filter(|(date, session)| is_idle(date, session))
            .map(|(date, _)| *date)
            .collect();
        let any = !idle.is_empty();
        for date in idle {
            self.skip(date, SkipReason::Superseded, at, step);
        }
        any
    }

    /// Settles an unsettled date that does not run as skipped.
    pub(super) fn skip(&mut self, date: DateTime<Utc>, reason: SkipReason, at: DateTime<Utc>, step: &mut Step) {
        let from = self.get(date).map_or(StateKind::Waiting, |session| session.state.kind());
        step.entries.push(Entry::Move { session: self.key(date), from, to: State::Skipped { reason }, at });
        self.settle(date, step);
    }

    /// The dates before and after one that belongs to a timetable that is no longer in force, as far as they are known:
    /// the present timetable would name dates that the job never had.
    pub(super) fn neighbours(&self, date: DateTime<Utc>) -> Option<Neighbours> {
        if date > self.record.timetable_from
            || self.record.watermark.is_none_or(|watermark| date > watermark)
            || self.is_first_timetable()
            || self.backfill_of(date).is_some()
        {
            return None;
        }
        let before = self.main.sessions().range(..date).next_back().map(|(date, _)| *date);
        let done = self.record.last_success.filter(|success| *success < date);
        let after = self.main.sessions().range((Excluded(date), Unbounded)).next().map(|(date, _)| *date);
        Some(Neighbours { previous: before.max(done), next: after.or(self.next) })
    }

    fn is_first_timetable(&self) -> bool {
        self.record.timetable_from <= self.record.first_date
    }

    /// Which dates may start, of those that `is_free` (said for dates of the schedule, and of backfills) lets start.
    pub(super) fn candidates(&self, now: DateTime<Utc>, is_free: impl Fn(DateTime<Utc>, bool) -> bool) -> Candidates {
        let mut found = Candidates::default();
        let generation = self.record.generation;
        if !self.is_active() || self.running.iter().any(|open| open.session.generation != generation) {
            return found;
        }
        let is_strict = self.is_strict();
        if is_strict && !(self.running.is_empty() && self.probing.is_empty()) {
            return found;
        }
        let can_start = |date: DateTime<Utc>| !self.probing.contains(&date);
        let mut later = |turn: Turn| match turn {
            Turn::At(at) => found.later = Some(found.later.map_or(at, |later: DateTime<Utc>| later.min(at))),
            Turn::Now(_) | Turn::None => {}
        };
        if self.busy(&self.main) < self.date_policy().map_or(1, DatePolicy::max_parallel) {
            let is_free = |date| can_start(date) && is_free(date, false);
            let turn = if self.date_policy().is_some_and(DatePolicy::is_independent) {
                self.main.turn_of_any(false, now, is_free)
            } else {
                self.main.turn_of_head(false, now, is_free)
            };
            later(turn);
            if let Turn::Now(date) = turn {
                found.of_schedule = Some(date);
            }
        }
        for (id, Backfill { record, queue }) in &self.backfills {
            if self.busy(queue) >= record.parallel as usize {
                continue;
            }
            let is_free = |date| can_start(date) && is_free(date, true);
            let turn = if is_strict {
                queue.turn_of_head(record.newest_first, now, is_free)
            } else {
                queue.turn_of_any(record.newest_first, now, is_free)
            };
            match turn {
                Turn::Now(date) if found.of_backfill.is_none() => found.of_backfill = Some((date, *id)),
                Turn::At(at) => found.later = Some(found.later.map_or(at, |later| later.min(at))),
                _ => {}
            }
        }
        found
    }

    /// How many dates of a queue run, or are asked about.
    pub(super) fn busy(&self, queue: &Queue) -> usize {
        queue.running() + self.probing.iter().filter(|date| queue.get(**date).is_some()).count()
    }

    /// What the next attempt at a session is made by.
    pub(super) fn attempt_trigger(&self, date: DateTime<Utc>) -> Trigger {
        let is_backfill = self.backfill_of(date).is_some();
        self.get(date).map_or(Trigger::Retry, |session| session.next_trigger(is_backfill))
    }

    /// Brings retries nearer that are further away than the job's registry could have put them.
    pub(super) fn shorten_retries(&mut self, now: DateTime<Utc>, step: &mut Step) {
        let Some(job) = self.job.clone() else { return };
        let queues = std::iter::once(&self.main).chain(self.backfills.values().map(|backfill| &backfill.queue));
        let far: Vec<(DateTime<Utc>, DateTime<Utc>)> = queues
            .flat_map(Queue::retries)
            .filter_map(|(date, retry_at, counted_attempts)| {
                let latest = now.checked_add_signed(TimeDelta::from_std(job.retry.wait(counted_attempts)).ok()?)?;
                (retry_at > latest).then_some((date, latest))
            })
            .collect();
        for (date, retry_at) in far {
            let to = State::Failed { retry_at };
            step.entries.push(Entry::Move {
                session: self.key(date),
                from: StateKind::Failed,
                to: to.clone(),
                at: now,
            });
            self.change(date, to);
        }
    }
}
