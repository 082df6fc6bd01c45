//! What a warden does for processes that another one started.

use std::time::Duration;

use crontabber_core::control::OpenAttempt;
use crontabber_core::session::{AttemptEnd, AttemptKey, Outcome, ProcessIdentity};

use super::{Adopted, Termination, Warden, micros};
use crate::link::Tell;
use crate::machine::Machine;

impl Adopted {
    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.kill_at.into_iter().chain(self.timeout_at).min()
    }
}

impl Warden {
    /// Takes up what the spool tells of an earlier warden's attempts.
    pub(super) fn restore(&mut self, machine: &mut Machine) {
        let open = self.entries.iter().filter(|(_, entry)| entry.end.is_none());
        let open: Vec<_> = open.map(|(attempt, entry)| (attempt.clone(), entry.clone())).collect();
        for (attempt, entry) in open {
            let known = entry.process.clone();
            let process = known.clone().or_else(|| machine.identity(machine.find(&attempt)?));
            match process {
                Some(process) if entry.boot == machine.boot && self.adopt(&attempt, &process, None, None, machine) => {
                    if known.is_none() {
                        self.looked_up(&attempt, process);
                    }
                }
                _ => self.over(&attempt, Outcome::Lost, machine),
            }
        }
    }

    pub(super) fn watch(&mut self, open: OpenAttempt, machine: &mut Machine) {
        let attempt = open.attempt.clone();
        let entry = self.entries.get(&attempt).cloned();
        if self.numbers.contains(&attempt) {
            self.replies.push(Tell::Running(attempt, entry.and_then(|entry| entry.process)));
            self.limit(&open, machine);
        } else if let Some(end) = entry.and_then(|entry| entry.end) {
            if !self.ended.iter().any(|(ended, _)| *ended == attempt) {
                self.replies.push(Tell::Ended(attempt, end));
            }
        } else if let Some(process) = open.process.clone() {
            self.watch_process(&open, &process, machine);
        } else {
            self.sought.push(open);
        }
    }

    /// Searches the processes of attempts of which nothing is known but the name.
    pub(super) fn search(&mut self, machine: &mut Machine) {
        for open in std::mem::take(&mut self.sought) {
            match machine.find(&open.attempt).and_then(|pid| machine.identity(pid)) {
                Some(process) => self.watch_process(&open, &process, machine),
                None if self.knows_ledger => self.tell(&open.attempt, Outcome::Interrupted, machine),
                None => self.over(&open.attempt, Outcome::Lost, machine),
            }
        }
    }

    fn watch_process(&mut self, open: &OpenAttempt, process: &ProcessIdentity, machine: &mut Machine) {
        let adopts = process.boot_id == machine.boot_id()
            && self.adopt(&open.attempt, process, open.timeout, Some(open.kill_grace), machine);
        if adopts {
            self.begin(&open.attempt, machine);
            self.looked_up(&open.attempt, process.clone());
        } else {
            self.tell(&open.attempt, Outcome::Lost, machine);
        }
    }

    /// Tells the end of an attempt that was never ours, and that would be found again just so.
    fn tell(&mut self, attempt: &AttemptKey, outcome: Outcome, machine: &Machine) {
        let ended_at = machine.now();
        let end = AttemptEnd { outcome, ended_at, duration: None, detail: None, has_log: false, usage: None };
        self.replies.push(Tell::Ended(attempt.clone(), end));
    }

    fn limit(&mut self, open: &OpenAttempt, machine: &Machine) {
        let Some(adopted) = self.adopted.values_mut().find(|adopted| adopted.attempt == open.attempt) else { return };
        adopted.kill_grace = open.kill_grace;
        if adopted.timeout_at.is_none() && adopted.ending.is_none() {
            adopted.timeout_at = open.timeout.map(|timeout| machine.monotonic + micros(timeout));
        }
    }

    /// Takes up a process, if it lives.
    fn adopt(
        &mut self,
        attempt: &AttemptKey,
        process: &ProcessIdentity,
        timeout: Option<Duration>,
        kill_grace: Option<Duration>,
        machine: &Machine,
    ) -> bool {
        if !machine.is_alive(process) {
            return false;
        }
        if self.numbers.insert(attempt.clone()) {
            let adopted = Adopted {
                attempt: attempt.clone(),
                process: process.clone(),
                kill_grace: kill_grace.unwrap_or(Duration::from_secs(10)),
                timeout_at: timeout.map(|timeout| machine.monotonic + micros(timeout)),
                kill_at: None,
                ending: None,
            };
            self.adopted.insert(process.pid, adopted);
        }
        true
    }

    pub(super) fn end_adopted(&mut self, pid: i32, outcome: Outcome, at_once: bool, machine: &mut Machine) {
        let Some(adopted) = self.adopted.get_mut(&pid) else { return };
        if !machine.is_alive(&adopted.process) {
            return;
        }
        let first = adopted.ending.is_none();
        let ending = adopted.ending.get_or_insert(Termination { outcome, killed: false });
        adopted.timeout_at = None;
        if at_once {
            ending.killed = true;
            machine.signal(pid, true);
        } else if first {
            adopted.kill_at = Some(machine.monotonic + micros(adopted.kill_grace));
            machine.signal(pid, false);
        }
    }

    pub(super) fn adopted_deadline(&mut self, pid: i32, machine: &mut Machine) {
        let Some(adopted) = self.adopted.get_mut(&pid) else { return };
        let now = machine.monotonic;
        if adopted.kill_at.is_some_and(|at| at <= now) {
            adopted.kill_at = None;
            if let Some(ending) = &mut adopted.ending {
                ending.killed = true;
            }
            machine.signal(pid, true);
        }
        if adopted.timeout_at.is_some_and(|at| at <= now) {
            self.end_adopted(pid, Outcome::TimedOut, false, machine);
        }
    }

    pub(super) fn finish_adopted(&mut self, pid: i32, machine: &Machine) {
        let Some(adopted) = self.adopted.remove(&pid) else { return };
        let outcome = match adopted.ending {
            Some(ending) if ending.killed || ending.outcome == Outcome::Cancelled => ending.outcome,
            _ => Outcome::Lost,
        };
        self.over(&adopted.attempt, outcome, machine);
    }
}
