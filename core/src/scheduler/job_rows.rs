//! What the ledger holds of one job, as far as the scheduler needs it: its record, its unsettled sessions, its open
//! attempts.
//!
//! Once loaded, the rows change only by the entries that are written ([`JobRows::apply`]), so that memory holds what a
//! restart would load: a job's state lends its rows out for reading only. The one difference: a restart does not know of
//! a backfill without unsettled sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::queue::{Queue, Session};
use crate::job::JobName;
use crate::session::{
    AttemptKey, BackfillId, BackfillRecord, Disabled, Entry, JobRecord, NewSession, Recovered, SessionKey,
    SessionRecord, StandIns, State, Trigger,
};

/// The unsettled sessions of a backfill.
#[derive(Debug)]
pub(super) struct BackfillRows {
    pub record: BackfillRecord,
    pub queue: Queue,
}

/// The rows of one job; see the module's page.
pub(super) struct JobRows {
    pub record: JobRecord,
    /// The unsettled sessions of the record's generation, without those of backfills.
    pub main: Queue,
    pub backfills: BTreeMap<BackfillId, BackfillRows>,
    /// Open attempts, of any generation.
    pub open: BTreeSet<AttemptKey>,
    /// Settled dates before `first_date` and after the watermark. No other settled date is held.
    settled_outside_range: BTreeSet<DateTime<Utc>>,
    /// A date of the generation was settled, or the generation began with one that had succeeded.
    pub has_settled: bool,
    /// The dates after the watermark whose period has a date, each with the recorded one that stands for it.
    pub stand_ins: StandIns,
    pub disabled: Option<Disabled>,
    /// The `delay` of the job in the registry, by which the queues are ordered. It is not in the ledger.
    delay: TimeDelta,
}

/// Loads the rows of all jobs.
pub(super) fn load(recovered: Recovered) -> BTreeMap<JobName, JobRows> {
    let jobs = recovered.jobs.into_iter();
    let mut jobs: BTreeMap<_, _> = jobs.map(|record| (record.name.clone(), JobRows::new(record))).collect();
    for backfill in recovered.backfills {
        if let Some(rows) = jobs.get_mut(&backfill.job) {
            rows.begin_backfill(backfill);
        }
    }
    for SessionRecord { key, zone, state, trigger, attempts, counted_attempts, backfill, .. } in recovered.sessions {
        if let Some(rows) = jobs.get_mut(&key.job) {
            rows.put(key.date, Session { state, trigger, zone, attempts, counted_attempts, former: None }, backfill);
        }
    }
    for (name, date, state) in recovered.former {
        if let Some(rows) = jobs.get_mut(&name) {
            rows.queue_of(date).set_former(date, state);
        }
    }
    for name in recovered.settled {
        if let Some(rows) = jobs.get_mut(&name) {
            rows.has_settled = true;
        }
    }
    for (name, date) in recovered.settled_outside_range {
        if let Some(rows) = jobs.get_mut(&name) {
            rows.settled_outside_range.insert(date);
        }
    }
    for (name, stand_ins) in recovered.stand_ins {
        if let Some(rows) = jobs.get_mut(&name) {
            rows.stand_ins = stand_ins;
        }
    }
    for disabled in recovered.disabled {
        if let Some(rows) = jobs.get_mut(&disabled.job) {
            rows.disabled = Some(disabled);
        }
    }
    for attempt in recovered.open {
        if let Some(rows) = jobs.get_mut(&attempt.key.session.job) {
            rows.open.insert(attempt.key);
        }
    }
    jobs
}

impl JobRows {
    /// The rows of a generation of a job that has no session yet.
    pub(super) fn new(record: JobRecord) -> Self {
        Self {
            has_settled: record.last_success.is_some(),
            record,
            main: Queue::default(),
            backfills: BTreeMap::new(),
            open: BTreeSet::new(),
            settled_outside_range: BTreeSet::new(),
            stand_ins: BTreeMap::new(),
            disabled: None,
            delay: TimeDelta::zero(),
        }
    }

    /// Changes the rows as the ledger changes its own when it writes the entry. Returns the backfill whose session
    /// this settles.
    pub(super) fn apply(&mut self, entry: &Entry) -> Option<BackfillId> {
        match entry {
            Entry::Enter(record) => self.record = record.clone(),
            Entry::Adopt { timetable, first_date, timetable_from, complete_after, has_excluded, stand_ins, .. } => {
                self.record.timetable.clone_from(timetable);
                (self.record.first_date, self.record.timetable_from) = (*first_date, *timetable_from);
                (self.record.complete_after, self.record.has_excluded) = (*complete_after, *has_excluded);
                self.stand_ins.clone_from(stand_ins);
                self.forget_within_range();
            }
            Entry::Registered { action, .. } => {
                self.record.in_registry = action.is_some();
                if let Some(action) = action {
                    self.record.action.clone_from(action);
                }
            }
            Entry::Order { strict_after, .. } => self.record.strict_after = *strict_after,
            Entry::Reset(record) => self.reset(record),
            Entry::Record { to, zone, sessions, .. } => {
                self.record.watermark = *to;
                for new in sessions {
                    self.enter(new, *zone);
                }
                self.stand_ins.retain(|date, _| to.is_none_or(|watermark| *date > watermark));
                self.forget_within_range();
            }
            Entry::Open { attempt, .. } => {
                let count = |session: &mut Session| session.attempts = attempt.number;
                self.queue_of(attempt.session.date).change(attempt.session.date, State::Running, count);
                self.open.insert(attempt.clone());
            }
            Entry::Close { attempt, state, counted_attempts, .. } => {
                self.open.remove(attempt);
                if self.open.is_empty() {
                    // As in `Queue::take`.
                    self.open = BTreeSet::new();
                }
                // The generation of the attempt ended when the job was reset: its sessions are not held.
                if attempt.session.generation == self.record.generation {
                    let count = |session: &mut Session| session.counted_attempts = *counted_attempts;
                    return self.set_state(attempt.session.date, state, count);
                }
            }
            Entry::Move { session, to, .. } => return self.set_state(session.date, to, |_| {}),
            Entry::Done { session, .. } => return self.set_state(session.date, &State::Succeeded, |_| {}),
            Entry::Again { session, zone, from, trigger, backfill, attempts } => {
                let former = if from.is_settled() {
                    backfill.and(Some(*from))
                } else {
                    self.get(session.date).and_then(|session| session.former)
                };
                let again = Session { attempts: *attempts, former, ..Session::waiting(*trigger, *zone) };
                self.wait_again(session.date, again, *backfill);
            }
            Entry::Include { session, zone, attempts, .. } => {
                let waiting = Session { attempts: *attempts, ..Session::waiting(Trigger::CatchUp, *zone) };
                self.wait_again(session.date, waiting, None);
            }
            Entry::Restore { session, .. } => return self.settle(session.date),
            Entry::CancelBackfill { backfill, request, .. } => self.cancel_backfill(*backfill, *request),
            Entry::Backfill(record) => self.begin_backfill(record.clone()),
            Entry::Disable(disabled) => self.disabled = Some(disabled.clone()),
            Entry::Enable { .. } => self.disabled = None,
            Entry::Process { .. }
            | Entry::Unanswered { .. }
            | Entry::Pause(_)
            | Entry::Resume { .. }
            | Entry::Answer { .. } => {}
            Entry::Rename { to, replaces, .. } => self.rename(to, *replaces),
        }
        None
    }

    fn reset(&mut self, record: &JobRecord) {
        let delay = self.delay;
        let (open, disabled) = (std::mem::take(&mut self.open), self.disabled.take());
        *self = Self { open, disabled, ..Self::new(record.clone()) };
        self.set_delay(delay);
    }

    fn enter(&mut self, new: &NewSession, zone: Tz) {
        let NewSession { date, state, trigger, backfill } = new;
        if *state == State::Succeeded {
            self.record.last_success = self.record.last_success.max(Some(*date));
        }
        if state.is_settled() {
            self.note_settled(*date);
        } else {
            self.put(*date, Session { state: state.clone(), ..Session::waiting(*trigger, zone) }, *backfill);
        }
    }

    /// Gives a session another state, and changes what else `more` does of one that stays unsettled.
    fn set_state(&mut self, date: DateTime<Utc>, state: &State, more: impl FnOnce(&mut Session)) -> Option<BackfillId> {
        if *state == State::Succeeded {
            self.record.last_success = self.record.last_success.max(Some(date));
        }
        if !state.is_settled() {
            self.queue_of(date).change(date, state.clone(), more);
            return None;
        }
        self.settle(date)
    }

    /// Drops a session that is settled now; returns the backfill that had it.
    fn settle(&mut self, date: DateTime<Utc>) -> Option<BackfillId> {
        let backfill = self.backfill_of(date);
        self.queue_of(date).take(date);
        self.note_settled(date);
        backfill
    }

    fn wait_again(&mut self, date: DateTime<Utc>, again: Session, backfill: Option<BackfillId>) {
        self.queue_of(date).take(date);
        self.settled_outside_range.remove(&date);
        self.put(date, again, backfill);
    }

    fn rename(&mut self, to: &JobName, replaces: bool) {
        self.record.name = to.clone();
        self.record.has_replaced |= replaces;
        if let Some(disabled) = &mut self.disabled {
            disabled.job = to.clone();
        }
        for backfill in self.backfills.values_mut() {
            backfill.record.job = to.clone();
        }
    }

    fn cancel_backfill(&mut self, id: BackfillId, request: i64) {
        if let Some(backfill) = self.backfills.get_mut(&id) {
            backfill.record.cancelled_by = Some(request);
        }
    }

    /// Adds a backfill, whose sessions are to follow.
    pub(super) fn begin_backfill(&mut self, record: BackfillRecord) {
        let mut queue = Queue::default();
        queue.set_delay(self.delay);
        self.backfills.entry(record.id).or_insert(BackfillRows { record, queue });
    }

    /// Removes a backfill that has no unsettled session.
    pub(super) fn remove_empty_backfill(&mut self, id: BackfillId) -> Option<BackfillRecord> {
        self.backfills.get(&id).filter(|backfill| backfill.queue.is_empty())?;
        self.backfills.remove(&id).map(|backfill| backfill.record)
    }

    /// Orders the queues by the `delay` that the job has in the registry now.
    pub(super) fn set_delay(&mut self, delay: TimeDelta) {
        self.delay = delay;
        self.main.set_delay(delay);
        self.backfills.values_mut().for_each(|backfill| backfill.queue.set_delay(delay));
    }

    fn put(&mut self, date: DateTime<Utc>, session: Session, backfill: Option<BackfillId>) {
        match backfill.and_then(|id| self.backfills.get_mut(&id)) {
            Some(backfill) => backfill.queue.put(date, session),
            None => self.main.put(date, session),
        }
    }

    fn queue_of(&mut self, date: DateTime<Utc>) -> &mut Queue {
        match self.backfill_of(date).and_then(|id| self.backfills.get_mut(&id)) {
            Some(backfill) => &mut backfill.queue,
            None => &mut self.main,
        }
    }

    fn note_settled(&mut self, date: DateTime<Utc>) {
        self.has_settled = true;
        if !self.is_within_range(date) {
            self.settled_outside_range.insert(date);
        }
    }

    /// The newest date of the generation that has a row, or may have one.
    pub(super) fn newest_date(&self) -> DateTime<Utc> {
        let unsettled = self.queues().filter_map(Queue::newest).max();
        let settled = self.settled_outside_range.last().copied();
        let JobRecord { first_date, watermark, .. } = self.record;
        [unsettled, settled, watermark].into_iter().flatten().max().unwrap_or(first_date).max(first_date)
    }

    fn is_within_range(&self, date: DateTime<Utc>) -> bool {
        date >= self.record.first_date && self.record.watermark.is_some_and(|watermark| date <= watermark)
    }

    fn forget_within_range(&mut self) {
        let Some(watermark) = self.record.watermark.filter(|watermark| *watermark >= self.record.first_date) else {
            return;
        };
        if self.settled_outside_range.range(self.record.first_date..=watermark).next().is_some() {
            let mut outside = std::mem::take(&mut self.settled_outside_range);
            outside.retain(|date| !self.is_within_range(*date));
            self.settled_outside_range = outside;
        }
    }

    /// Whether a date is settled that is before `first_date` or after the watermark.
    pub(super) fn is_settled_outside_range(&self, date: DateTime<Utc>) -> bool {
        self.settled_outside_range.contains(&date)
    }

    /// The settled dates after the watermark.
    pub(super) fn settled_ahead(&self) -> Vec<DateTime<Utc>> {
        let is_ahead = |date: &&DateTime<Utc>| {
            **date >= self.record.first_date && self.record.watermark.is_none_or(|watermark| **date > watermark)
        };
        self.settled_outside_range.iter().filter(is_ahead).copied().collect()
    }

    /// The queue of the schedule, and those of the backfills.
    pub(super) fn queues(&self) -> impl Iterator<Item = &Queue> {
        std::iter::once(&self.main).chain(self.backfills.values().map(|backfill| &backfill.queue))
    }

    /// An unsettled session.
    pub(super) fn get(&self, date: DateTime<Utc>) -> Option<&Session> {
        self.queues().find_map(|queue| queue.get(date))
    }

    /// The zones of the unsettled sessions that were not recorded with `zone`.
    pub(super) fn zones_other_than(&self, zone: Tz) -> BTreeMap<DateTime<Utc>, Tz> {
        let sessions = self.queues().flat_map(|queue| queue.sessions().iter());
        sessions.filter(|(_, session)| session.zone != zone).map(|(date, session)| (*date, session.zone)).collect()
    }

    /// The backfill of an unsettled session.
    pub(super) fn backfill_of(&self, date: DateTime<Utc>) -> Option<BackfillId> {
        self.backfills.iter().find(|(_, backfill)| backfill.queue.get(date).is_some()).map(|(id, _)| *id)
    }

    /// Whether the ledger has a row of a date that is unsettled, or not between `first_date` and the watermark.
    pub(super) fn has_row(&self, date: DateTime<Utc>) -> bool {
        self.get(date).is_some() || self.is_settled_outside_range(date)
    }

    pub(super) fn key(&self, date: DateTime<Utc>) -> SessionKey {
        SessionKey { job: self.record.name.clone(), generation: self.record.generation, date }
    }
}

/// Writes what a restart would load too: no backfill without unsettled sessions. Whether a date was settled matters only
/// while none is unsettled, and a date that an edit excludes and includes again was not.
impl fmt::Debug for JobRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backfills = self.backfills.values().filter(|backfill| !backfill.queue.is_empty());
        let backfills: Vec<_> = backfills.map(|backfill| (&backfill.record, backfill.queue.sessions())).collect();
        f.debug_struct("JobRows")
            .field("record", &self.record)
            .field("sessions", self.main.sessions())
            .field("open", &self.open)
            .field("settled_outside_range", &self.settled_outside_range)
            .field("stand_ins", &self.stand_ins)
            .field("has_settled", &(self.has_settled || self.queues().any(|queue| !queue.is_empty())))
            .field("disabled", &self.disabled)
            .field("backfills", &backfills)
            .finish_non_exhaustive()
    }
}
