//! The open attempts: which the warden has, which are to be killed, and which probes it runs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::mem;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::input::Time;
use crate::session::{AttemptKey, ProcessIdentity, SessionKey};

/// An open attempt.
#[derive(Debug)]
pub(super) struct AttemptState {
    pub(super) started_at: DateTime<Utc>,
    pub(super) process: Option<ProcessIdentity>,
    /// A warden was given it. Before that it is not durable, or no warden was there.
    is_given: bool,
    /// When it started, by the monotonic clock.
    began: Option<Duration>,
    /// When it is too long, by the monotonic clock.
    long_at: Option<Duration>,
    /// It was reported as too long.
    is_too_long: bool,
}

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    pub(super) open: HashMap<AttemptKey, AttemptState>,
    /// What the warden was asked about and has not answered.
    pub(super) unanswered: HashSet<AttemptKey>,
    /// The dates of which a probe was given to the warden.
    pub(super) probed: BTreeSet<SessionKey>,
    /// The given attempts of which it is not known yet when they began.
    unmeasured: Vec<AttemptKey>,
    /// When each given attempt is too long.
    long: BTreeSet<(Duration, AttemptKey)>,
    /// The attempts that operators want ended, and whether the warden was asked to end them.
    pub(super) kills: BTreeMap<AttemptKey, bool>,
}

impl Attempts {
    pub(super) fn open(&mut self, attempt: AttemptKey, started_at: DateTime<Utc>) {
        self.insert(attempt, started_at, None, false);
    }

    /// An attempt that was open when the last daemon ended.
    pub(super) fn restore(&mut self, attempt: AttemptKey, started_at: DateTime<Utc>, process: Option<ProcessIdentity>) {
        self.unmeasured.push(attempt.clone());
        self.insert(attempt, started_at, process, true);
    }

    fn insert(
        &mut self,
        attempt: AttemptKey,
        started_at: DateTime<Utc>,
        process: Option<ProcessIdentity>,
        is_given: bool,
    ) {
        self.open.insert(
            attempt,
            AttemptState { started_at, process, is_given, began: None, long_at: None, is_too_long: false },
        );
    }

    /// Takes out an attempt whose end is reported. Says whether it was open.
    pub(super) fn close(&mut self, attempt: &AttemptKey) -> bool {
        let Some(closed) = self.open.remove(attempt) else { return false };
        if let Some(at) = closed.long_at {
            self.long.remove(&(at, attempt.clone()));
        }
        true
    }

    /// Notes when the attempts began that were given since the last call, or taken up from another daemon, and when each
    /// of them is too long.
    pub(super) fn measure(&mut self, time: Time, max_duration: impl Fn(&AttemptKey) -> Option<Duration>) {
        for attempt in mem::take(&mut self.unmeasured) {
            let Some(opened) = self.open.get_mut(&attempt) else { continue };
            let taken = (time.wall - opened.started_at).to_std().unwrap_or_default();
            let began = *opened.began.get_or_insert(time.monotonic.saturating_sub(taken));
            opened.long_at = max_duration(&attempt).map(|most| began + most);
            self.long.extend(opened.long_at.map(|at| (at, attempt)));
        }
    }

    /// Has all attempts measured again that were not reported as too long: another registry has other limits.
    pub(super) fn measure_again(&mut self) {
        self.long.clear();
        let open = self.open.iter_mut().filter(|(_, opened)| opened.is_given && !opened.is_too_long);
        self.unmeasured = open.map(|(attempt, _)| attempt.clone()).collect();
    }

    /// When an attempt is next too long.
    pub(super) fn long_at(&self) -> Option<Duration> {
        self.long.first().map(|(at, _)| *at)
    }

    /// Takes an attempt that has run too long, to be reported.
    pub(super) fn take_long(&mut self, monotonic: Duration) -> Option<AttemptKey> {
        self.long_at().filter(|at| *at <= monotonic)?;
        let (_, attempt) = self.long.pop_first()?;
        if let Some(opened) = self.open.get_mut(&attempt) {
            (opened.long_at, opened.is_too_long) = (None, true);
        }
        Some(attempt)
    }

    pub(super) fn given(&mut self, attempt: &AttemptKey) {
        if let Some(opened) = self.open.get_mut(attempt) {
            opened.is_given = true;
            self.unmeasured.push(attempt.clone());
        }
    }

    /// The attempts to end that the warden has and was not asked to end.
    pub(super) fn take_kills(&mut self) -> Vec<AttemptKey> {
        let mut taken = Vec::new();
        for (attempt, is_sent) in &mut self.kills {
            if !*is_sent && self.open.get(attempt).is_some_and(|opened| opened.is_given) {
                *is_sent = true;
                taken.push(attempt.clone());
            }
        }
        taken
    }

    /// The open attempts that a warden was given, in order.
    pub(super) fn given_out(&self) -> Vec<AttemptKey> {
        let given = self.open.iter().filter(|(_, opened)| opened.is_given);
        let mut given: Vec<AttemptKey> = given.map(|(attempt, _)| attempt.clone()).collect();
        given.sort();
        given
    }

    /// Says whether a warden was given an open attempt that is not one of these.
    pub(super) fn has_given_other_than(&self, these: &HashSet<AttemptKey>) -> bool {
        self.open.iter().any(|(attempt, opened)| opened.is_given && !these.contains(attempt))
    }
}
