//! One job as the scheduler holds it: its ledger's record, its unsettled dates, its open attempts.
//!
//! A lane decides what concerns its job alone; what needs the other jobs (dependencies, free places) is the
//! scheduler's.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::job::{Job, Order};
use crate::schedule::Timetable;
use crate::session::{AttemptKey, Entry, JobRecord, NewSession, SessionKey, SessionRecord, SkipReason, State, Trigger};

use super::{Note, ON_TIME, Step};

/// So many recorded dates wait at once; further dates that are due are recorded when these have run. It bounds what
/// ten years of minutes cost in memory.
const WINDOW: usize = 1000;

/// So many dates are recorded in one step, so that a job with a long past does not hold up the others.
const CHUNK: usize = 5000;

/// So many due dates beyond the recorded ones are counted at the most, for people: ten years of minutes.
const COUNTED: u64 = 6_000_000;

/// So many of them are few enough to be counted again whenever dates are recorded.
const COUNTED_ANEW: u64 = 5_000;

/// An unsettled session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub state: State,
    pub trigger: Trigger,
    pub attempts: u32,
    pub used: u32,
}

impl Session {
    pub(super) fn waiting(trigger: Trigger) -> Self {
        Self { state: State::Waiting, trigger, attempts: 0, used: 0 }
    }

    /// Since when, or from when on, it may start; absent for one that runs or needs a person. What waits is due
    /// `delay` after its date, also if the clock was set back since it was recorded.
    fn ready_at(&self, date: DateTime<Utc>, delay: TimeDelta) -> Option<DateTime<Utc>> {
        match self.state {
            State::Waiting => Some(date.checked_add_signed(delay).unwrap_or(date)),
            State::Failed { retry_at } => Some(retry_at),
            _ => None,
        }
    }
}

/// The dates before and after one.
pub(super) struct Neighbours {
    pub previous: Option<DateTime<Utc>>,
    pub next: Option<DateTime<Utc>>,
}

/// Which date of a lane may start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// This one, now.
    Now(DateTime<Utc>),
    /// One will, then.
    At(DateTime<Utc>),
    /// None, until something else happens.
    None,
}

/// One job; see the module's page.
#[derive(Debug)]
pub(super) struct Lane {
    /// The job of the registry; a ghost has none.
    pub job: Option<Arc<Job>>,
    pub record: JobRecord,
    /// The unsettled sessions of the record's generation.
    pub sessions: BTreeMap<DateTime<Utc>, Session>,
    /// Those of them that may start, now or later, by when: so that in independent order a date that fails again and
    /// again has its turn after those that came due meanwhile.
    ready: BTreeSet<(DateTime<Utc>, DateTime<Utc>)>,
    /// How many of them wait.
    waiting: usize,
    /// The job's `delay`.
    delay: TimeDelta,
    /// Open attempts, of any generation.
    pub running: Vec<AttemptKey>,
    pub has_settled: bool,
    /// The first date of the timetable in force that is not recorded.
    pub next: Option<DateTime<Utc>>,
    /// How many dates after `next`'s predecessors are due beyond the window, as last counted.
    pub uncounted: u64,
    /// The newest date that an operator's run made up.
    pub newest_manual: Option<DateTime<Utc>>,
    /// The lane's entry in the scheduler's turns.
    pub turn: Option<(u64, DateTime<Utc>)>,
    /// The lane's entry in the scheduler's timers.
    pub timer: Option<DateTime<Utc>>,
}

impl Lane {
    pub(super) fn new(record: JobRecord) -> Self {
        Self {
            job: None,
            record,
            sessions: BTreeMap::new(),
            ready: BTreeSet::new(),
            waiting: 0,
            delay: TimeDelta::zero(),
            running: Vec::new(),
            has_settled: false,
            next: None,
            uncounted: 0,
            newest_manual: None,
            turn: None,
            timer: None,
        }
    }

    /// Takes up a session of the ledger.
    pub(super) fn restore(&mut self, session: SessionRecord) {
        let SessionRecord { key, state, trigger, attempts, used, .. } = session;
        self.put(key.date, Session { state, trigger, attempts, used });
    }

    pub(super) fn put(&mut self, date: DateTime<Utc>, session: Session) {
        self.waiting += usize::from(session.state == State::Waiting);
        self.ready.extend(session.ready_at(date, self.delay).map(|at| (at, date)));
        self.sessions.insert(date, session);
    }

    /// Gives an unsettled session its new, unsettled state.
    pub(super) fn change(&mut self, date: DateTime<Utc>, state: State) {
        let Some(session) = self.sessions.get_mut(&date) else { return };
        self.waiting -= usize::from(session.state == State::Waiting);
        self.waiting += usize::from(state == State::Waiting);
        if let Some(at) = session.ready_at(date, self.delay) {
            self.ready.remove(&(at, date));
        }
        session.state = state;
        self.ready.extend(session.ready_at(date, self.delay).map(|at| (at, date)));
    }

    /// Takes the delay of the job that the registry has now.
    pub(super) fn set_delay(&mut self, delay: TimeDelta) {
        if delay != self.delay {
            self.delay = delay;
            let ready = |(date, session): (&DateTime<Utc>, &Session)| Some((session.ready_at(*date, delay)?, *date));
            self.ready = self.sessions.iter().filter_map(ready).collect();
        }
    }

    /// Forgets a session that was settled.
    pub(super) fn settle(&mut self, date: DateTime<Utc>) {
        self.change(date, State::Running);
        self.sessions.remove(&date);
        self.has_settled = true;
    }

    pub(super) fn key(&self, date: DateTime<Utc>) -> SessionKey {
        SessionKey { job: self.record.name.clone(), generation: self.record.generation, date }
    }

    /// How many dates are due and not settled.
    pub(super) fn behind(&self) -> u64 {
        self.sessions.len() as u64 + self.uncounted
    }

    /// The instant after which the timetable's dates are not recorded yet.
    pub(super) fn frontier(&self) -> DateTime<Utc> {
        self.record.clock.map_or(self.record.anchor, |clock| clock.max(self.record.anchor))
    }

    /// Finds the first date that is not recorded.
    pub(super) fn seek_next(&mut self, timetable: &Timetable, step: &mut Step) {
        self.next = self.date_after(timetable, self.frontier(), step);
    }

    pub(super) fn date_after(
        &self,
        timetable: &Timetable,
        after: DateTime<Utc>,
        step: &mut Step,
    ) -> Option<DateTime<Utc>> {
        timetable.next_after(after).unwrap_or_else(|_past_domain| {
            step.notes.push(Note::PastDomain { job: self.record.name.clone() });
            None
        })
    }

    /// Says whether the job's dates are recorded and started at all.
    fn is_active(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.enabled)
    }

    /// The earliest date up to and with `until` that is not settled, recorded or not.
    pub(super) fn unsettled_until(&self, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let recorded = self.sessions.keys().next().copied();
        let earliest = [recorded, self.next].into_iter().flatten().min()?;
        (earliest <= until).then_some(earliest)
    }

    /// Records the dates that are due, as many as fit. `now` is the time by which they are due, `at` the time. Says
    /// whether that settled any.
    pub(super) fn record_due(&mut self, now: DateTime<Utc>, at: DateTime<Utc>, step: &mut Step) -> bool {
        let Some(job) = self.job.clone().filter(|job| job.enabled) else { return false };
        let room = if job.backfill { WINDOW.saturating_sub(self.waiting) } else { CHUNK };
        // Half a window must be free, so that a long catch-up records in batches and not date by date.
        if job.backfill && room < WINDOW / 2 {
            if self.uncounted == 0 {
                self.uncounted = self.count_due(&job.timetable, now);
            }
            return false;
        }
        let dates = self.take_due(&job.timetable, now, room.min(CHUNK), step);
        // A long way to go is counted once, and then counted down.
        let left = self.uncounted.saturating_sub(dates.len() as u64);
        self.uncounted = if left > COUNTED_ANEW { left } else { self.count_due(&job.timetable, now) };
        self.record(&job, &job.timetable, dates, at, step)
    }

    /// Takes up to `room` dates that are due from the timetable.
    pub(super) fn take_due(
        &mut self,
        timetable: &Timetable,
        now: DateTime<Utc>,
        room: usize,
        step: &mut Step,
    ) -> Vec<DateTime<Utc>> {
        let mut dates = Vec::new();
        while let Some(date) = self.next.filter(|date| dates.len() < room && timetable.due(*date) <= now) {
            dates.push(date);
            self.next = self.date_after(timetable, date, step);
        }
        dates
    }

    fn count_due(&self, timetable: &Timetable, now: DateTime<Utc>) -> u64 {
        let (mut next, mut count) = (self.next, 0);
        while let Some(date) = next.filter(|date| count < COUNTED && timetable.due(*date) <= now) {
            count += 1;
            next = timetable.next_after(date).ok().flatten();
        }
        count
    }

    /// Enters dates of a timetable, ascending and newer than the clock, in the ledger.
    pub(super) fn record(
        &mut self,
        job: &Job,
        timetable: &Timetable,
        dates: Vec<DateTime<Utc>>,
        at: DateTime<Utc>,
        step: &mut Step,
    ) -> bool {
        let Some(newest) = dates.last().copied() else { return false };
        let more_to_come = self.uncounted > 0;
        let taken_over = !job.backfill && self.supersede(None, at, step);
        let mut superseded = 0;
        let sessions: Vec<NewSession> = dates
            .into_iter()
            .map(|date| {
                let missed = at - timetable.due(date) > ON_TIME;
                let trigger = if missed { Trigger::CatchUp } else { Trigger::Schedule };
                let runs = job.backfill || (date == newest && !more_to_come);
                superseded += u64::from(!runs);
                let state = if runs { State::Waiting } else { State::Skipped { reason: SkipReason::Superseded } };
                NewSession { date, state, trigger }
            })
            .collect();
        self.take_up(&sessions);
        let clock = self.record.clock;
        self.record.clock = Some(newest);
        let is_whole = job.backfill || !more_to_come;
        if is_whole && (superseded > 0 || sessions.len() > 1) {
            self.note_behind(superseded, step);
        }
        step.entries.push(self.entry(clock, sessions, at));
        taken_over || superseded > 0
    }

    /// Enters dates that are older than every recorded one: the job's start was moved back.
    pub(super) fn record_before(&mut self, job: &Job, dates: &[DateTime<Utc>], at: DateTime<Utc>, step: &mut Step) {
        let reason = SkipReason::Superseded;
        let state = if job.backfill { State::Waiting } else { State::Skipped { reason } };
        let trigger = Trigger::CatchUp;
        let sessions: Vec<NewSession> =
            dates.iter().map(|date| NewSession { date: *date, state: state.clone(), trigger }).collect();
        self.take_up(&sessions);
        let clock = self.record.clock;
        self.record.clock = clock.max(dates.last().copied());
        step.entries.push(self.entry(clock, sessions, at));
    }

    fn take_up(&mut self, sessions: &[NewSession]) {
        for NewSession { date, state, trigger } in sessions {
            if state.is_settled() {
                self.has_settled = true;
            } else {
                self.put(*date, Session { state: state.clone(), ..Session::waiting(*trigger) });
            }
        }
    }

    pub(super) fn entry(&self, clock: Option<DateTime<Utc>>, sessions: Vec<NewSession>, at: DateTime<Utc>) -> Entry {
        let JobRecord { name, generation, clock: to, .. } = &self.record;
        Entry::Record { job: name.clone(), generation: *generation, clock, to: *to, sessions, at }
    }

    fn note_behind(&self, superseded: u64, step: &mut Step) {
        let oldest = self.sessions.keys().next().copied().or(self.record.clock).unwrap_or_default();
        step.notes.push(Note::Behind { job: self.record.name.clone(), behind: self.behind(), oldest, superseded });
    }

    /// Settles what waits, failed or is held, but for `but`, since a newer date takes over. What runs is left to end.
    /// Says whether there was any.
    pub(super) fn supersede(&mut self, but: Option<DateTime<Utc>>, at: DateTime<Utc>, step: &mut Step) -> bool {
        let idle: Vec<DateTime<Utc>> = self
            .sessions
            .iter()
            .filter(|(date, session)| session.state != State::Running && Some(**date) != but)
            .map(|(date, _)| *date)
            .collect();
        let any = !idle.is_empty();
        for date in idle {
            let from = self.sessions.get(&date).map_or("waiting", |session| session.state.word());
            let to = State::Skipped { reason: SkipReason::Superseded };
            step.entries.push(Entry::Move { session: self.key(date), from, to, at });
            self.settle(date);
        }
        any
    }

    /// The newest date that waits, failed or is held.
    pub(super) fn newest_idle(&self) -> Option<DateTime<Utc>> {
        let idle = |(_, session): &(&DateTime<Utc>, &Session)| session.state != State::Running;
        self.sessions.iter().rfind(idle).map(|(date, _)| *date)
    }

    /// The dates before and after one that belongs to a timetable that is no longer in force, as far as they are known:
    /// the present timetable would name dates that the job never had.
    pub(super) fn neighbours(&self, date: DateTime<Utc>) -> Option<Neighbours> {
        if date > self.record.anchor || self.record.clock.is_none_or(|clock| date > clock) || self.is_first_timetable()
        {
            return None;
        }
        let before = self.sessions.range(..date).next_back().map(|(date, _)| *date);
        let done = self.record.last_success.filter(|success| *success < date);
        let after = self.sessions.range((Excluded(date), Unbounded)).next().map(|(date, _)| *date);
        Some(Neighbours { previous: before.max(done), next: after.or(self.next) })
    }

    fn is_first_timetable(&self) -> bool {
        self.record.anchor <= self.record.since
    }

    /// When the next date is to be recorded, unless the window is full.
    pub(super) fn next_recording(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let job = self.job.as_ref().filter(|job| job.enabled)?;
        let due = job.timetable.due(self.next?);
        let full = job.backfill && due <= now && self.waiting > WINDOW / 2;
        (!full).then_some(due)
    }

    /// Which date may start, of those before `blocked_from`, which the job's dependencies hold back.
    pub(super) fn candidate(&self, now: DateTime<Utc>, blocked_from: Option<DateTime<Utc>>) -> Turn {
        if !self.is_active() || !self.running.is_empty() {
            return Turn::None;
        }
        let independent = self.job.as_ref().is_some_and(|job| job.backfill && job.order == Order::Independent);
        let is_free = |date: DateTime<Utc>| blocked_from.is_none_or(|blocked| date < blocked);
        let next = if independent {
            // One that is held back does not hold others in its turn.
            self.ready.iter().find(|(_, date)| is_free(*date)).copied()
        } else {
            let first = self.sessions.first_key_value().filter(|(date, _)| is_free(**date));
            first.and_then(|(date, session)| session.ready_at(*date, self.delay).map(|at| (at, *date)))
        };
        match next {
            Some((at, date)) if at <= now => Turn::Now(date),
            Some((at, _)) => Turn::At(at),
            None => Turn::None,
        }
    }

    /// What the next attempt at a session is made by.
    pub(super) fn attempt_trigger(&self, date: DateTime<Utc>) -> Trigger {
        match self.sessions.get(&date) {
            Some(session) if session.attempts == 0 => session.trigger,
            _ => Trigger::Retry,
        }
    }

    /// Brings retries nearer that are further away than the job's registry could have put them.
    pub(super) fn shorten_retries(&mut self, now: DateTime<Utc>, step: &mut Step) {
        let Some(job) = self.job.clone() else { return };
        let far: Vec<(DateTime<Utc>, DateTime<Utc>)> = self
            .ready
            .iter()
            .filter_map(|(retry_at, date)| {
                let session = self.sessions.get(date).filter(|session| session.state != State::Waiting)?;
                let latest = now.checked_add_signed(TimeDelta::from_std(job.retry.wait(session.used)).ok()?)?;
                (*retry_at > latest).then_some((*date, latest))
            })
            .collect();
        for (date, retry_at) in far {
            let to = State::Failed { retry_at };
            step.entries.push(Entry::Move { session: self.key(date), from: "failed", to: to.clone(), at: now });
            self.change(date, to);
        }
    }
}
