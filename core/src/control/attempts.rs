//! The open attempts: which the warden has, which are to be killed, and which probes it runs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::session::{AttemptKey, ProcessIdentity, SessionKey};

/// An open attempt.
#[derive(Debug)]
pub(super) struct AttemptState {
    pub(super) started_at: DateTime<Utc>,
    pub(super) process: Option<ProcessIdentity>,
    /// A warden was given it. Before that it is not durable, or no warden was there.
    is_given: bool,
}

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    pub(super) open: HashMap<AttemptKey, AttemptState>,
    /// What the warden was asked about and has not answered.
    pub(super) unanswered: HashSet<AttemptKey>,
    /// The dates of which a probe was given to the warden.
    pub(super) probed: BTreeSet<SessionKey>,
    /// The attempts that operators want ended, and whether the warden was asked to end them.
    pub(super) kills: BTreeMap<AttemptKey, bool>,
}

impl Attempts {
    pub(super) fn open(&mut self, attempt: AttemptKey, started_at: DateTime<Utc>) {
        self.open.insert(attempt, AttemptState { started_at, process: None, is_given: false });
    }

    /// An attempt that was open when the last daemon ended.
    pub(super) fn restore(&mut self, attempt: AttemptKey, started_at: DateTime<Utc>, process: Option<ProcessIdentity>) {
        self.open.insert(attempt, AttemptState { started_at, process, is_given: true });
    }

    pub(super) fn given(&mut self, attempt: &AttemptKey) {
        if let Some(opened) = self.open.get_mut(attempt) {
            opened.is_given = true;
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
