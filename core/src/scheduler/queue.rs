//! The unsettled dates of a schedule or of a backfill, in the order in which they run.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::session::{State, StateKind, Trigger};

/// An unsettled session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub state: State,
    pub trigger: Trigger,
    /// The zone that it was recorded with.
    pub zone: Tz,
    pub attempts: u32,
    pub counted_attempts: u32,
    /// The settled state that it had when its backfill let it wait again.
    pub former: Option<StateKind>,
}

impl Session {
    pub(super) fn waiting(trigger: Trigger, zone: Tz) -> Self {
        Self { state: State::Waiting, trigger, zone, attempts: 0, counted_attempts: 0, former: None }
    }

    /// Whether it is a date of the schedule that has never been attempted.
    pub(super) fn is_untouched(&self) -> bool {
        self.state == State::Waiting && self.attempts == 0 && self.trigger.is_scheduled()
    }

    /// Whether it is a date of the schedule that was recorded late and has never been attempted.
    pub(super) fn is_missed(&self) -> bool {
        self.is_untouched() && self.trigger == Trigger::CatchUp
    }

    /// When it may start; absent if it runs or is held. A waiting date is due `delay` after its date, also if the clock
    /// was set back since it was recorded.
    fn ready_at(&self, date: DateTime<Utc>, delay: TimeDelta) -> Option<DateTime<Utc>> {
        match self.state {
            State::Waiting => Some(date.checked_add_signed(delay).unwrap_or(date)),
            State::Failed { retry_at } => Some(retry_at),
            _ => None,
        }
    }

    /// The trigger of its next attempt. A date that an operator repeats has earlier attempts.
    pub(super) fn next_trigger(&self, is_backfill: bool) -> Trigger {
        let is_anew = is_backfill && self.counted_attempts == 0;
        if self.attempts == 0 || is_anew { self.trigger } else { Trigger::Retry }
    }
}

/// Which date may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// This one may start now.
    Now(DateTime<Utc>),
    /// One may start at this time.
    At(DateTime<Utc>),
    /// None, until something else changes.
    None,
}

/// Unsettled dates; see the module's page.
#[derive(Debug, Default)]
pub(super) struct Queue {
    sessions: BTreeMap<DateTime<Utc>, Session>,
    /// The dates that may start now or later, by that time: in independent order a date that fails repeatedly starts
    /// after those that came due meanwhile.
    ready: BTreeSet<(DateTime<Utc>, DateTime<Utc>)>,
    /// How many are waiting.
    waiting: usize,
    /// How many are running.
    running: usize,
    /// The job's `delay`.
    delay: TimeDelta,
}

impl Queue {
    pub(super) fn sessions(&self) -> &BTreeMap<DateTime<Utc>, Session> {
        &self.sessions
    }

    /// The sessions that do not run.
    pub(super) fn idle(&self) -> impl Iterator<Item = (DateTime<Utc>, &Session)> {
        let idle = self.sessions.iter().filter(|(_, session)| session.state != State::Running);
        idle.map(|(date, session)| (*date, session))
    }

    pub(super) fn get(&self, date: DateTime<Utc>) -> Option<&Session> {
        self.sessions.get(&date)
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// How many have come due, or have been attempted.
    pub(super) fn due(&self, now: DateTime<Utc>) -> usize {
        let is_ahead = |date: DateTime<Utc>| date.checked_add_signed(self.delay).is_none_or(|due| due > now);
        let newest = self.sessions.iter().rev().take_while(|(date, _)| is_ahead(**date));
        self.sessions.len() - newest.filter(|(_, session)| session.state == State::Waiting).count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn oldest(&self) -> Option<DateTime<Utc>> {
        self.sessions.keys().next().copied()
    }

    pub(super) fn newest(&self) -> Option<DateTime<Utc>> {
        self.sessions.keys().next_back().copied()
    }

    /// The earliest date from `from` to `until` inclusive that `is_done` does not accept.
    pub(super) fn first_within(
        &self,
        from: Option<DateTime<Utc>>,
        until: DateTime<Utc>,
        is_done: impl Fn(&Session) -> bool,
    ) -> Option<DateTime<Utc>> {
        let from = from.unwrap_or(DateTime::<Utc>::MIN_UTC);
        if from > until {
            return None;
        }
        self.sessions.range(from..=until).find(|(_, session)| !is_done(session)).map(|(date, _)| *date)
    }

    /// Notes the settled state that a session had when its backfill let it wait again.
    pub(super) fn set_former(&mut self, date: DateTime<Utc>, former: StateKind) {
        if let Some(session) = self.sessions.get_mut(&date) {
            session.former = Some(former);
        }
    }

    pub(super) fn put(&mut self, date: DateTime<Utc>, session: Session) {
        self.waiting += usize::from(session.state == State::Waiting);
        self.running += usize::from(session.state == State::Running);
        self.ready.extend(session.ready_at(date, self.delay).map(|at| (at, date)));
        self.sessions.insert(date, session);
    }

    /// Gives a session another unsettled state, and applies `more` to it.
    pub(super) fn change(&mut self, date: DateTime<Utc>, state: State, more: impl FnOnce(&mut Session)) {
        let Some(mut session) = self.take(date) else { return };
        session.state = state;
        more(&mut session);
        self.put(date, session);
    }

    /// Removes a session.
    pub(super) fn take(&mut self, date: DateTime<Utc>) -> Option<Session> {
        let session = self.sessions.remove(&date)?;
        self.waiting -= usize::from(session.state == State::Waiting);
        self.running -= usize::from(session.state == State::Running);
        if let Some(at) = session.ready_at(date, self.delay) {
            self.ready.remove(&(at, date));
        }
        if self.sessions.is_empty() {
            // An empty map may keep the memory of eleven entries. Most jobs have no unsettled session most of the time.
            (self.sessions, self.ready) = Default::default();
        }
        Some(session)
    }

    /// Sets the `delay` of the job.
    pub(super) fn set_delay(&mut self, delay: TimeDelta) {
        if delay != self.delay {
            self.delay = delay;
            let ready = |(date, session): (&DateTime<Utc>, &Session)| Some((session.ready_at(*date, delay)?, *date));
            self.ready = self.sessions.iter().filter_map(ready).collect();
        }
    }

    /// The turn in strict order: only the first date may start, or the last if `newest_first`.
    pub(super) fn turn_of_head(
        &self,
        newest_first: bool,
        now: DateTime<Utc>,
        is_free: impl Fn(DateTime<Utc>) -> bool,
    ) -> Turn {
        let mut ends = self.sessions.iter();
        let head = if newest_first { ends.next_back() } else { ends.next() };
        let ready = head.filter(|(date, _)| is_free(**date)).and_then(|(date, session)| {
            let at = session.ready_at(*date, self.delay)?;
            Some((at, *date))
        });
        turn(ready, now)
    }

    /// The turn in independent order: a blocked date does not block the others.
    pub(super) fn turn_of_any(
        &self,
        newest_first: bool,
        now: DateTime<Utc>,
        is_free: impl Fn(DateTime<Utc>) -> bool,
    ) -> Turn {
        if newest_first {
            let due = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MIN_UTC)..=(now, DateTime::<Utc>::MAX_UTC);
            if let Some((_, date)) = self.ready.range(due).rev().find(|(_, date)| is_free(*date)) {
                return Turn::Now(*date);
            }
        }
        turn(self.ready.iter().find(|(_, date)| is_free(*date)).copied(), now)
    }

    /// The failed dates, each with the time of its retry and its counted attempts.
    pub(super) fn retries(&self) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>, u32)> {
        self.ready.iter().filter_map(|(retry_at, date)| {
            let session = self.sessions.get(date).filter(|session| session.state != State::Waiting)?;
            Some((*date, *retry_at, session.counted_attempts))
        })
    }
}

fn turn(ready: Option<(DateTime<Utc>, DateTime<Utc>)>, now: DateTime<Utc>) -> Turn {
    match ready {
        Some((at, date)) if at <= now => Turn::Now(date),
        Some((at, _)) => Turn::At(at),
        None => Turn::None,
    }
}
