//! What the warden reports: ends are recorded, and a warden that connects is asked about every open attempt.

use chrono::{DateTime, Utc};

use super::Control;
use super::effect::{Effect, Notice};
use super::input::Time;
use super::warden::{OpenAttempt, PROBE, WardenEvent, WardenState};
use crate::job::DEFAULT_KILL_GRACE;
use crate::scheduler::{Event, ProbeAnswer};
use crate::session::{AttemptEnd, AttemptKey, Entry, Outcome, SessionKey};

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
                self.warden_connected(known, time.wall);
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
            self.probe_ended(&attempt.session, probe_answer(&end), now);
            return true;
        }
        self.attempts.kills.remove(attempt);
        if self.attempts.close(attempt) {
            self.batch.ends.push(attempt.clone());
            self.decide(Event::Ended { attempt: attempt.clone(), end }, now);
            return false;
        }
        !self.batch.ends.contains(attempt) && !self.write.holds_end_of(attempt)
    }

    fn probe_ended(&mut self, session: &SessionKey, answer: ProbeAnswer, now: DateTime<Utc>) {
        if self.attempts.probed.remove(session) {
            self.decide(Event::Probed { session: session.clone(), answer }, now);
        }
    }

    /// A warden connected, and knows this. It is asked about every open attempt that a warden was given.
    pub(super) fn warden_connected(&mut self, known: WardenState, now: DateTime<Utc>) {
        self.is_connected = true;
        let mut forget = Vec::new();
        for (attempt, end) in known.ended {
            if self.ended(&attempt, end, now) {
                forget.push(attempt);
            }
        }
        self.attempts.kills.values_mut().for_each(|is_sent| *is_sent = false);
        // A probe that this warden does not know died with the last one.
        let is_known = |session: &SessionKey| known.running.iter().any(|running| running.session == *session);
        let lost: Vec<SessionKey> = self.attempts.probed.iter().filter(|session| !is_known(session)).cloned().collect();
        for session in lost {
            self.probe_ended(&session, ProbeAnswer::Lost, now);
        }
        let is_unknown = |attempt: &&AttemptKey| attempt.number != PROBE && !self.attempts.open.contains_key(attempt);
        for attempt in known.running.iter().filter(is_unknown) {
            self.effects.push_back(Effect::Report(Notice::UnknownAttempt { attempt: attempt.clone() }));
        }
        if !forget.is_empty() {
            self.effects.push_back(Effect::Forget(forget));
        }
        let watch = self.attempts.given_out().into_iter().filter_map(|attempt| self.watch(attempt, now)).collect();
        self.effects.push_back(Effect::WatchAll(watch));
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

/// What `done_when` says by the way it ends: exit statuses 126 and 127 mean that the shell did not run its command.
#[must_use]
pub fn probe_answer(end: &AttemptEnd) -> ProbeAnswer {
    let unknown = |how: String, why: Option<&str>| {
        ProbeAnswer::Unknown(why.map_or_else(|| how.clone(), |why| format!("{how} ({why})")))
    };
    let (detail, is_started) = (end.detail.as_deref(), end.duration.is_some());
    match end.outcome {
        Outcome::Succeeded => ProbeAnswer::Done,
        Outcome::Lost | Outcome::Interrupted | Outcome::Cancelled => ProbeAnswer::Lost,
        Outcome::Failed { code: 125 } if !is_started => unknown("it could not be started".to_owned(), detail),
        Outcome::Failed { code: 126 } => unknown("exit 126".to_owned(), detail.or(Some("it cannot be executed"))),
        Outcome::Failed { code: 127 } => unknown("exit 127".to_owned(), detail.or(Some("it was not found"))),
        Outcome::Failed { .. } => ProbeAnswer::NotDone,
        Outcome::Killed { signal } => unknown(format!("killed by signal {signal}"), detail),
        Outcome::TimedOut => unknown("timed out".to_owned(), detail),
    }
}
