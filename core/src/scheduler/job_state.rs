//! One job in the scheduler: its rows, and what follows from the registry and from running processes.
//!
//! It decides what concerns the job alone; what needs other jobs (dependencies, free slots) is up to the scheduler.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::job::{DatePolicy, Job, JobName};
use crate::schedule::Timetable;
use crate::session::{
    AttemptKey, BackfillId, BackfillRecord, Changed, Disabled, Entry, JobRecord, NewSession, Recording, Reply, Request,
    SessionRecord, SkipReason, State, StateKind, Trigger,
};

use super::edited_dates::ZonedDate;
use super::job_rows::{BackfillRows, JobRows};
use super::notification::Notification;
use super::queue::{Queue, Turn};
use super::slots::ReadyJob;
use super::step::Step;

/// The dates of the schedule before and after one.
pub(super) struct Neighbours {
    pub previous: Option<DateTime<Utc>>,
    pub next: Option<DateTime<Utc>>,
}

/// A `kill` request that waits for attempts to end.
#[derive(Debug)]
pub(super) struct PendingKill {
    pub request: Request,
    pub attempts: Vec<AttemptKey>,
    pub ended: Vec<String>,
    pub changed: Changed,
}

/// A settled date, as the ledger has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    pub date: DateTime<Utc>,
    pub state: StateKind,
    pub zone: Tz,
    pub attempts: u32,
}

impl Settled {
    pub(super) fn new(row: &SessionRecord) -> Self {
        Self { date: row.key.date, state: row.state.kind(), zone: row.zone, attempts: row.attempts }
    }
}

/// A date that a backfill has yet to enter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// The date has no row.
    New(DateTime<Utc>),
    /// The date is settled.
    Again(Settled),
}

impl Wanted {
    pub(super) fn date(self) -> DateTime<Utc> {
        match self {
            Self::New(date) | Self::Again(Settled { date, .. }) => date,
        }
    }
}

/// A backfill whose dates are being entered.
#[derive(Debug)]
pub(super) struct Entering {
    pub request: Request,
    pub record: BackfillRecord,
    pub rest: VecDeque<Wanted>,
    /// The job's `first_date` at the time of the request.
    pub first_date: DateTime<Utc>,
    pub reply: Reply,
}

/// Which dates may start now, and when another one may.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub of_schedule: Option<DateTime<Utc>>,
    pub of_backfill: Option<(DateTime<Utc>, BackfillId)>,
    pub later: Option<DateTime<Utc>>,
}

/// One job; see the module's page.
#[derive(Debug)]
pub(super) struct JobState {
    /// What the ledger holds of it; only [`JobState::write`] changes it. A restart loses all the other fields.
    rows: JobRows,
    /// The job in the registry; a ghost has none.
    pub job: Option<Arc<Job>>,
    /// The former name whose dates the job takes over once attempts have ended. Until then nothing of it is recorded or started.
    pub takes_over: Option<JobName>,
    /// What the ledger has of the dates that an edit concerns, if the rows have not been judged by the job in the registry.
    pub recordings: Option<Vec<Recording>>,
    /// Whether `catch_up` has yet to judge the missed dates that wait.
    pub has_new_catch_up: bool,
    /// Dates about which `done_when` is being asked.
    pub probing: BTreeSet<DateTime<Utc>>,
    /// The first date of the timetable in force that is not recorded.
    pub next: Option<DateTime<Utc>>,
    /// How many dates from `next` on are due but not recorded, as last counted; see `materialize`.
    pub unrecorded: u64,
    /// How many dates have been superseded since some that are due were left unrecorded.
    pub superseded: u64,
    /// How many dates have been skipped as too old, while only such dates were recorded, and the oldest of them.
    pub too_old: Option<(u64, DateTime<Utc>)>,
    /// Backfills whose dates are being entered.
    pub entering: VecDeque<Entering>,
    pub kills: Vec<PendingKill>,
    /// The `backfill --cancel` requests that are answered once the dates have left.
    pub cancelling: Vec<(Request, Reply)>,
    /// The dates offered for a slot: one of the schedule, and one of a backfill.
    pub offers: [Option<ReadyJob>; 2],
    /// The step since which each of the two has been ready, perhaps with interruptions, without a slot.
    pub since: [Option<u64>; 2],
    /// The newest date that was reported as late.
    pub reported_late: Option<DateTime<Utc>>,
    /// The job's entry in the scheduler's timers.
    pub timer: Option<DateTime<Utc>>,
}

impl JobState {
    pub(super) fn new(rows: JobRows) -> Self {
        Self {
            rows,
            job: None,
            takes_over: None,
            recordings: None,
            has_new_catch_up: false,
            probing: BTreeSet::new(),
            next: None,
            unrecorded: 0,
            superseded: 0,
            too_old: None,
            entering: VecDeque::new(),
            kills: Vec::new(),
            cancelling: Vec::new(),
            offers: [None, None],
            since: [None, None],
            reported_late: None,
            timer: None,
        }
    }

    pub(super) fn rows(&self) -> &JobRows {
        &self.rows
    }

    /// Whether an entry is about the repetition of one date by `retry`, which is a backfill to the scheduler only.
    fn is_repetition(&self, entry: &Entry) -> bool {
        let date = match entry {
            Entry::Close { attempt, .. } => attempt.session.date,
            Entry::Move { session, .. } | Entry::Done { session, .. } | Entry::Restore { session, .. } => session.date,
            _ => return false,
        };
        let session = self.rows.get(date).filter(|_| self.rows.backfill_of(date).is_some());
        session.is_some_and(|session| session.trigger == Trigger::Manual)
    }

    /// Has an entry written, and changes the rows in memory alike.
    pub(super) fn write(&mut self, entry: Entry, step: &mut Step) {
        let is_repetition = self.is_repetition(&entry);
        let backfill = self.rows.apply(&entry);
        if let (Some(recordings), Entry::Record { zone, sessions, .. }) = (&mut self.recordings, &entry) {
            recordings.extend(sessions.iter().map(|session| Recording::of(session, *zone)));
        }
        step.entries.push(entry);
        let is_entering = |id: &BackfillId| self.entering.iter().any(|entering| entering.record.id == *id);
        if let Some(id) = backfill.filter(|id| !is_entering(id))
            && let Some(BackfillRecord { job, name, cancelled_by: None, .. }) = self.rows.remove_empty_backfill(id)
            && !is_repetition
        {
            step.notes.push(Notification::BackfillOver { job, name });
        }
    }

    /// Enters sessions in the ledger with the zone of the registry, and moves the watermark to `to`.
    pub(super) fn write_sessions(&mut self, to: Option<DateTime<Utc>>, sessions: Vec<NewSession>, step: &mut Step) {
        self.write_sessions_in(self.zone(), to, sessions, step);
    }

    /// Enters sessions in the ledger with a zone, and moves the watermark to `to`.
    pub(super) fn write_sessions_in(
        &mut self,
        zone: Tz,
        to: Option<DateTime<Utc>>,
        sessions: Vec<NewSession>,
        step: &mut Step,
    ) {
        let JobRecord { name, generation, watermark, .. } = &self.rows.record;
        let (job, generation, watermark) = (name.clone(), *generation, *watermark);
        self.write(Entry::Record { job, generation, watermark, to, zone, sessions, at: step.now }, step);
    }

    /// The zone of the job in the registry; of a ghost, that of its last timetable.
    pub(super) fn zone(&self) -> Tz {
        match &self.job {
            Some(job) => job.timetable.zone(),
            None => self.rows.record.timetable.parse::<Timetable>().map_or(Tz::UTC, |timetable| timetable.zone()),
        }
    }

    /// The zone of a date: that of its unsettled session, else that of the job.
    pub(super) fn zone_of(&self, date: DateTime<Utc>) -> Tz {
        self.rows.get(date).map_or_else(|| self.zone(), |session| session.zone)
    }

    /// Enters one session that waits for its first attempt, and leaves the watermark where it is.
    pub(super) fn write_waiting(&mut self, date: DateTime<Utc>, trigger: Trigger, step: &mut Step) {
        let new = NewSession { date, state: State::Waiting, trigger, backfill: None };
        self.write_sessions(self.rows.record.watermark, vec![new], step);
    }

    /// Moves an unsettled session that does not run to another state.
    pub(super) fn write_move(&mut self, date: DateTime<Utc>, to: State, step: &mut Step) {
        let from = self.rows.get(date).map_or(StateKind::Waiting, |session| session.state.kind());
        self.write(Entry::Move { session: self.rows.key(date), from, to, at: step.now }, step);
    }

    /// Disables a job that is not in the ledger.
    pub(super) fn disable_unwritten(&mut self, disabled: Disabled) {
        self.rows.apply(&Entry::Disable(disabled));
    }

    /// Takes up a backfill that the ledger knows, and whose dates are yet to enter.
    pub(super) fn resume_backfill(&mut self, record: BackfillRecord) {
        self.rows.begin_backfill(record);
    }

    /// Forgets a backfill without sessions of its own.
    pub(super) fn forget_backfill(&mut self, id: BackfillId) {
        self.rows.remove_empty_backfill(id);
    }

    /// Takes the job that the registry has now.
    pub(super) fn set_job(&mut self, job: Arc<Job>) -> Option<Arc<Job>> {
        self.rows.set_delay(TimeDelta::from_std(job.timetable.delay).unwrap_or(TimeDelta::MAX));
        self.has_new_catch_up = true;
        self.job.replace(job)
    }

    /// How many due dates of the schedule are unsettled and will run. Of those that are not recorded only the newest may run.
    pub(super) fn behind(&self, now: DateTime<Utc>) -> u64 {
        let unrecorded = if self.keeps_every_date() { self.unrecorded } else { self.unrecorded.min(1) };
        self.rows.main.due(now) as u64 + unrecorded
    }

    /// How many dates of the schedule are unsettled, due or not.
    pub(super) fn unsettled(&self) -> u64 {
        self.rows.main.len() as u64 + self.unrecorded
    }

    /// How many dates of backfills are unsettled.
    pub(super) fn backfilling(&self) -> u64 {
        let entered: usize = self.rows.backfills.values().map(|backfill| backfill.queue.len()).sum();
        let rest: usize = self.entering.iter().map(|entering| entering.rest.len()).sum();
        (entered + rest) as u64
    }

    /// Whether the job is enabled and in the registry, so that its dates are recorded and started.
    pub(super) fn is_active(&self) -> bool {
        self.rows.disabled.is_none() && self.takes_over.is_none() && self.job.as_ref().is_some_and(|job| job.enabled)
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

    /// Skips the idle dates other than `but`, since a newer date supersedes them; returns them.
    pub(super) fn supersede(&mut self, but: Option<DateTime<Utc>>, step: &mut Step) -> Vec<ZonedDate> {
        let idle = self.rows.main.idle().map(|(date, session)| (date, session.zone));
        let idle: Vec<_> = idle.filter(|(date, _)| !self.probing.contains(date) && Some(*date) != but).collect();
        for (date, _) in &idle {
            self.skip(*date, SkipReason::Superseded, step);
        }
        idle
    }

    /// Skips an unsettled date that does not run.
    pub(super) fn skip(&mut self, date: DateTime<Utc>, reason: SkipReason, step: &mut Step) {
        self.write_move(date, State::Skipped { reason }, step);
    }

    /// The neighbours of a date of a former timetable, as far as they are known: the current timetable would name dates
    /// that the job never had.
    pub(super) fn neighbours(&self, date: DateTime<Utc>) -> Option<Neighbours> {
        if date > self.rows.record.timetable_from
            || self.rows.record.watermark.is_none_or(|watermark| date > watermark)
            || self.is_first_timetable()
            || self.rows.backfill_of(date).is_some()
        {
            return None;
        }
        let before = self.rows.main.sessions().range(..date).next_back().map(|(date, _)| *date);
        let done = self.rows.record.last_success.filter(|success| *success < date);
        let after = self.rows.main.sessions().range((Excluded(date), Unbounded)).next().map(|(date, _)| *date);
        Some(Neighbours { previous: before.max(done), next: after.or(self.next) })
    }

    fn is_first_timetable(&self) -> bool {
        self.rows.record.timetable_from <= self.rows.record.first_date
    }

    /// Which dates may start, of those that `is_free` accepts; it gets the date, and whether a backfill has it.
    pub(super) fn candidates(&self, now: DateTime<Utc>, is_free: impl Fn(DateTime<Utc>, bool) -> bool) -> Candidates {
        let mut found = Candidates::default();
        let generation = self.rows.record.generation;
        if !self.is_active() || self.rows.open.iter().any(|open| open.session.generation != generation) {
            return found;
        }
        let is_strict = self.is_strict();
        if is_strict && !(self.rows.open.is_empty() && self.probing.is_empty()) {
            return found;
        }
        let can_start = |date: DateTime<Utc>| !self.probing.contains(&date);
        let mut later = |turn: Turn| match turn {
            Turn::At(at) => found.later = Some(found.later.map_or(at, |later: DateTime<Utc>| later.min(at))),
            Turn::Now(_) | Turn::None => {}
        };
        if self.busy(&self.rows.main) < self.date_policy().map_or(1, DatePolicy::max_parallel) {
            let is_free = |date| can_start(date) && is_free(date, false);
            let turn = if self.date_policy().is_some_and(DatePolicy::is_independent) {
                self.rows.main.turn_of_any(false, now, is_free)
            } else {
                self.rows.main.turn_of_head(false, now, is_free)
            };
            later(turn);
            if let Turn::Now(date) = turn {
                found.of_schedule = Some(date);
            }
        }
        let open = self.rows.backfills.iter().filter(|(_, backfill)| backfill.record.cancelled_by.is_none());
        for (id, BackfillRows { record, queue }) in open {
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

    /// How many dates of a queue run or are being probed.
    pub(super) fn busy(&self, queue: &Queue) -> usize {
        queue.running() + self.probing.iter().filter(|date| queue.get(**date).is_some()).count()
    }

    /// The trigger of the next attempt at a date.
    pub(super) fn attempt_trigger(&self, date: DateTime<Utc>) -> Trigger {
        let is_backfill = self.rows.backfill_of(date).is_some();
        self.rows.get(date).map_or(Trigger::Retry, |session| session.next_trigger(is_backfill))
    }

    /// Brings retries nearer that are later than `retry` in the registry, counted from now, would put them.
    pub(super) fn shorten_retries(&mut self, step: &mut Step) {
        let Some(job) = self.job.clone() else { return };
        let far: Vec<(DateTime<Utc>, DateTime<Utc>)> = self
            .rows
            .queues()
            .flat_map(Queue::retries)
            .filter_map(|(date, retry_at, counted_attempts)| {
                let latest =
                    step.now.checked_add_signed(TimeDelta::from_std(job.retry.wait(counted_attempts)).ok()?)?;
                (retry_at > latest).then_some((date, latest))
            })
            .collect();
        for (date, retry_at) in far {
            self.write_move(date, State::Failed { retry_at }, step);
        }
    }
}
