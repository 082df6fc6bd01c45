//! The open attempts: which the warden has, which are to be killed, and what ended.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{Control, Effect, Notice, OpenAttempt, PROBE, Time, WardenEvent, WardenState};
use crate::job::DEFAULT_KILL_GRACE;
use crate::scheduler::Event;
use crate::session::{AttemptEnd, AttemptKey, Entry, Outcome, ProcessIdentity, SessionKey};

#[derive(Debug)]
struct Opened {
    started_at: DateTime<Utc>,
    process: Option<ProcessIdentity>,
    /// A warden was given it. Before that it is not durable, or no warden was there.
    is_given: bool,
}

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    open: HashMap<AttemptKey, Opened>,
    /// What the warden was asked about and has not answered.
    unanswered: HashSet<AttemptKey>,
    /// The dates of which a probe was given to the warden.
    probed: BTreeSet<SessionKey>,
    /// What operators want ended, and whether the warden was told.
    kills: BTreeMap<AttemptKey, bool>,
}

impl Attempts {
    pub(super) fn open(&mut self, attempt: AttemptKey, started_at: DateTime<Utc>) {
        self.open.insert(attempt, Opened { started_at, process: None, is_given: false });
    }

    /// An attempt that was open when the last daemon ended.
    pub(super) fn restore(&mut self, attempt: AttemptKey, started_at: DateTime<Utc>, process: Option<ProcessIdentity>) {
        self.open.insert(attempt, Opened { started_at, process, is_given: true });
    }

    pub(super) fn given(&mut self, attempt: &AttemptKey) {
        if let Some(opened) = self.open.get_mut(attempt) {
            opened.is_given = true;
        }
    }

    pub(super) fn probe(&mut self, session: SessionKey) {
        self.probed.insert(session);
    }

    pub(super) fn kill(&mut self, attempts: Vec<AttemptKey>) {
        self.kills.extend(attempts.into_iter().map(|attempt| (attempt, false)));
    }

    /// The attempts to end that the warden has and was not told of.
    pub(super) fn take_kills(&mut self) -> Vec<AttemptKey> {
        let open = &self.open;
        let is_given = |attempt: &AttemptKey| open.get(attempt).is_some_and(|opened| opened.is_given);
        let untold = self.kills.iter_mut().filter(|(attempt, told)| !**told && is_given(attempt));
        untold
            .map(|(attempt, told)| {
                *told = true;
                attempt.clone()
            })
            .collect()
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

    /// Says whether the warden has answered all that it was asked about.
    pub(super) fn is_certain(&self) -> bool {
        self.unanswered.is_empty()
    }
}

impl Control {
    pub(super) fn take_warden_event(&mut self, event: WardenEvent, time: Time) {
        match event {
            WardenEvent::Started { attempt, process } => {
                self.attempts.unanswered.remove(&attempt);
                if let (Some(process), Some(opened)) = (process, self.attempts.open.get_mut(&attempt))
                    && opened.process.as_ref() != Some(&process)
                {
                    opened.process = Some(process.clone());
                    self.batch.defer(Entry::Process { attempt, process }, time.monotonic);
                }
            }
            WardenEvent::Ended { attempt, end } => {
                if self.ended(&attempt, end, time.wall) {
                    self.effects.push_back(Effect::Forget(vec![attempt]));
                }
            }
            WardenEvent::Disconnected => {
                self.is_connected = false;
                if self.stop.is_none() {
                    self.effects.push_back(Effect::Report(Notice::WardenGone));
                }
            }
            WardenEvent::Connected(known) => {
                self.effects.push_back(Effect::Report(Notice::WardenBack));
                self.greet(known, time.wall);
            }
            WardenEvent::Warning(text) => self.effects.push_back(Effect::Report(Notice::WardenTrouble { text })),
        }
    }

    /// Closes an attempt that no warden reports on.
    pub(super) fn close(&mut self, attempt: &AttemptKey, outcome: Outcome, reason: String, now: DateTime<Utc>) {
        let detail = Some(reason).filter(|reason| !reason.is_empty());
        let end = AttemptEnd { outcome, ended_at: now, duration: None, detail, has_log: false, usage: None };
        self.ended(attempt, end, now);
    }

    /// Records the end of an attempt. Says whether the warden may forget it at once: the ledger has it, or never needs it.
    fn ended(&mut self, attempt: &AttemptKey, end: AttemptEnd, now: DateTime<Utc>) -> bool {
        self.attempts.unanswered.remove(attempt);
        if attempt.number == PROBE {
            self.probe_ended(&attempt.session, end.outcome, now);
            return true;
        }
        self.attempts.kills.remove(attempt);
        if self.attempts.open.remove(attempt).is_some() {
            self.batch.ends.push(attempt.clone());
            self.decide(Event::Ended { attempt: attempt.clone(), end }, now);
            return false;
        }
        !self.batch.ends.contains(attempt) && !self.write.holds_end_of(attempt)
    }

    fn probe_ended(&mut self, session: &SessionKey, outcome: Outcome, now: DateTime<Utc>) {
        if self.attempts.probed.remove(session) {
            let is_done = match outcome {
                Outcome::Succeeded => Some(true),
                Outcome::Lost | Outcome::Interrupted | Outcome::Cancelled => None,
                Outcome::Failed { .. } | Outcome::Killed { .. } | Outcome::TimedOut => Some(false),
            };
            self.decide(Event::Probed { session: session.clone(), is_done }, now);
        }
    }

    /// A warden connected, and knows this. It is asked about every open attempt that a warden was given.
    pub(super) fn greet(&mut self, known: WardenState, now: DateTime<Utc>) {
        self.is_connected = true;
        let mut forget = Vec::new();
        for (attempt, end) in known.ended {
            if self.ended(&attempt, end, now) {
                forget.push(attempt);
            }
        }
        self.attempts.kills.values_mut().for_each(|told| *told = false);
        // A probe that this warden does not know died with the last one.
        let is_known = |session: &SessionKey| known.running.iter().any(|running| running.session == *session);
        let lost: Vec<SessionKey> = self.attempts.probed.iter().filter(|session| !is_known(session)).cloned().collect();
        for session in lost {
            self.probe_ended(&session, Outcome::Lost, now);
        }
        let is_stranger = |attempt: &&AttemptKey| attempt.number != PROBE && !self.attempts.open.contains_key(attempt);
        for attempt in known.running.iter().filter(is_stranger) {
            self.effects.push_back(Effect::Report(Notice::Stranger { attempt: attempt.clone() }));
        }
        if !forget.is_empty() {
            self.effects.push_back(Effect::Forget(forget));
        }
        let watch = self.attempts.given_out().into_iter().filter_map(|attempt| self.watch(attempt, now)).collect();
        self.effects.push_back(Effect::Greet(watch));
        self.start_ready(now);
    }

    fn watch(&mut self, attempt: AttemptKey, now: DateTime<Utc>) -> Option<OpenAttempt> {
        let opened = self.attempts.open.get(&attempt)?;
        let job = self.scheduler.job(&attempt.session.job);
        let taken = (now - opened.started_at).to_std().unwrap_or_default();
        let timeout = job.as_ref().and_then(|job| job.timeout).map(|timeout| timeout.saturating_sub(taken));
        let kill_grace = job.map_or(DEFAULT_KILL_GRACE, |job| job.kill_grace);
        self.attempts.unanswered.insert(attempt.clone());
        Some(OpenAttempt { attempt, process: opened.process.clone(), timeout, kill_grace })
    }
}
