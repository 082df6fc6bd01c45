//! Processes that an earlier warden started: this warden waits for their exit, and can stop them.
//!
//! Their exit status goes to another parent, and is never guessed: the outcome is lost, except for a stop of our own.

use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::{Supervisor, end_without_process, running};
use crate::job::DEFAULT_KILL_GRACE;
use crate::session::{AttemptEnd, Outcome, ProcessIdentity};
use crate::warden::attempt::{Id, ledger_of};
use crate::warden::journal::Entry;
use crate::warden::pending_end::PendingEnd;
use crate::warden::process::{Adopted, Termination, signal_group, tokens};
use crate::warden::procfs::{find_orphans, is_alive};
use crate::warden::protocol::{Ended, Reply, Watch};

/// How often a process is polled that the kernel has no descriptor for.
const POLL: Duration = Duration::from_secs(1);

const REBOOTED: &str = "the machine was rebooted while it ran; its exit status is unknown";

impl Supervisor {
    /// Adopts the attempts that the journal of an earlier warden has open.
    pub(super) fn restore(&mut self) {
        let open = self.journal.entries().iter().filter(|(_, entry)| entry.end.is_none());
        let open: Vec<(String, Entry)> = open.map(|(name, entry)| (name.clone(), entry.clone())).collect();
        let unlocated = open.iter().filter(|(_, entry)| entry.process.is_none() && entry.boot == self.boot_id);
        let unlocated: Vec<&str> = unlocated.map(|(name, _)| name.as_str()).collect();
        let located = find_orphans(&unlocated);
        let mut ends = self.unsuccessful_ends();
        for (name, entry) in &open {
            let index = unlocated.iter().position(|other| other == name);
            let orphan = index.and_then(|index| located.get(index).cloned().flatten());
            let attempt = Id::from(name.as_str());
            let detail = match entry.process.clone().or(orphan) {
                _ if entry.boot != self.boot_id => REBOOTED.to_owned(),
                Some(process) => {
                    if self.adopt(&attempt, &process, None, DEFAULT_KILL_GRACE) {
                        if entry.process.is_none() {
                            self.record_process(&attempt, process);
                        }
                        continue;
                    }
                    format!(
                        "its process {} exited after its warden was killed; its exit status is unknown",
                        process.pid
                    )
                }
                None => "its warden was killed when it started or while it ran; its exit status is unknown".to_owned(),
            };
            let end = end_without_process(Outcome::Lost, Some(detail));
            if entry.boot == self.boot_id {
                ends.push((attempt, end));
            } else {
                self.finish(&attempt, &end);
            }
        }
        for (attempt, end) in self.hold_with_leftovers(ends, DEFAULT_KILL_GRACE) {
            if self.journal.entries().get(&*attempt).is_some_and(|entry| entry.end.is_none()) {
                self.finish(&attempt, &end);
            }
        }
    }

    /// The ends that the journal has, except successes: an earlier warden may have been killed while it ended leftovers.
    fn unsuccessful_ends(&self) -> Vec<(Id, AttemptEnd)> {
        let entries = self.journal.entries().iter().filter(|(_, entry)| entry.boot == self.boot_id);
        let ends = entries.filter_map(|(name, entry)| Some((Id::from(name.as_str()), entry.end.as_ref()?.end()?)));
        ends.filter(|(_, end)| end.outcome != Outcome::Succeeded).collect()
    }

    /// Watches an attempt that the ledger has open.
    pub(in crate::warden) fn watch(&mut self, watch: Watch) {
        let name = watch.attempt.as_str();
        let entry = self.journal.entries().get(name);
        if let Some(&number) = self.numbers.get(name) {
            let process = entry.and_then(|entry| entry.process.clone());
            self.replies.push(running(name, process));
            self.set_timeout(number, &watch);
        } else if let Some(end) = entry.and_then(|entry| entry.end.clone()) {
            if !self.is_unreported(name) {
                self.replies.push(Reply::Ended(end));
            }
        } else if let Some(process) = watch.process.clone() {
            self.watch_process(&watch, &process);
        } else {
            self.unlocated.push(watch);
        }
    }

    /// Locates the processes of watched attempts of which only the name is known.
    pub(super) fn locate_processes(&mut self) {
        let unlocated = std::mem::take(&mut self.unlocated);
        if unlocated.is_empty() {
            return;
        }
        let names: Vec<&str> = unlocated.iter().map(|watch| watch.attempt.as_str()).collect();
        for (watch, process) in unlocated.iter().zip(find_orphans(&names)) {
            match process {
                Some(process) => self.watch_process(watch, &process),
                None if self.journal.knows_ledger(ledger_of(&watch.attempt), &self.boot_id) => {
                    let detail = "it was never started: the daemon ended before it sent the start";
                    self.reply_ended(watch, Outcome::Interrupted, detail.to_owned());
                }
                // Recorded, since from now on the journal has all attempts of this ledger: without the record, the next
                // daemon of this boot would be told that it was never started.
                None => self.finish_without_process(
                    &Id::from(watch.attempt.as_str()),
                    Outcome::Lost,
                    "the daemon ended before it recorded whether the attempt had started".to_owned(),
                ),
            }
        }
    }

    fn watch_process(&mut self, watch: &Watch, process: &ProcessIdentity) {
        let attempt = Id::from(watch.attempt.as_str());
        if process.boot_id != self.boot_id {
            self.reply_ended(watch, Outcome::Lost, REBOOTED.to_owned());
        } else if self.adopt(&attempt, process, watch.timeout, watch.kill_grace) {
            self.journal.begin(&attempt, &self.boot_id);
            self.record_process(&attempt, process.clone());
        } else {
            let detail = format!("its process {} exited while no warden ran; its exit status is unknown", process.pid);
            self.reply_ended(watch, Outcome::Lost, detail);
        }
    }

    /// Reports the end of an attempt that this warden never had. It is not recorded: a later watch gives the same result.
    fn reply_ended(&mut self, watch: &Watch, outcome: Outcome, detail: String) {
        let ended = Ended::new(watch.attempt.clone(), &end_without_process(outcome, Some(detail)));
        self.replies.push(Reply::Ended(ended));
    }

    /// Sets the timeout of an adopted attempt, which only the daemon knows.
    fn set_timeout(&mut self, number: u64, watch: &Watch) {
        let Some(adopted) = self.adopted.get_mut(&number) else { return };
        adopted.kill_grace = watch.kill_grace;
        if adopted.timeout_at.is_none() && adopted.termination.is_none() {
            adopted.timeout_at = watch.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let (old, new) = (adopted.deadline, adopted.next_deadline(Instant::now()));
            adopted.deadline = new;
            self.set_deadline(number, old, new);
        }
    }

    /// Adopts a process; false if it has exited.
    fn adopt(
        &mut self,
        attempt: &Id,
        process: &ProcessIdentity,
        timeout: Option<Duration>,
        kill_grace: Duration,
    ) -> bool {
        // Process 1 is never a job, and a signal to its group would reach every process.
        let Some(pid) = Some(process.pid).filter(|pid| *pid > 1).and_then(Pid::from_raw) else { return false };
        let Some(number) = self.assign_number(attempt) else { return true };
        // The descriptor is opened first: it refers to whichever process has the number now, which is then compared.
        let opened = self.open_pidfd(number, pid);
        match opened {
            Ok(pidfd) if is_alive(process) => {
                let mut adopted = Adopted {
                    attempt: Id::clone(attempt),
                    process: process.clone(),
                    pid,
                    pidfd,
                    deadline: None,
                    termination: None,
                    timeout_at: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
                    kill_grace,
                    kill_at: None,
                };
                adopted.deadline = adopted.next_deadline(Instant::now());
                self.set_deadline(number, None, adopted.deadline);
                self.adopted.insert(number, adopted);
                true
            }
            _ => {
                self.numbers.remove(attempt);
                false
            }
        }
    }

    /// Opens a descriptor of a process that is not our child; `None` if the kernel has none to give.
    ///
    /// # Errors
    /// There is no such process.
    fn open_pidfd(&self, number: u64, pid: Pid) -> Result<Option<OwnedFd>, Errno> {
        let token = EventData::new_u64(tokens(number).0);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(epoll::add(&*self.epoll, &pidfd, token, EventFlags::IN).ok().map(|()| pidfd)),
            Err(Errno::SRCH) => Err(Errno::SRCH),
            Err(_) => Ok(None),
        }
    }

    pub(super) fn stop_adopted(&mut self, number: u64, outcome: Outcome, at_once: bool) {
        let Some(adopted) = self.adopted.get_mut(&number) else { return };
        // Another parent reaps it, so its number may be used only while it is alive.
        if !is_alive(&adopted.process) {
            return;
        }
        let is_first = adopted.termination.is_none();
        let termination = adopted.termination.get_or_insert(Termination::new(outcome));
        adopted.timeout_at = None;
        if at_once {
            termination.killed = true;
            signal_group(adopted.pid, Signal::KILL, &adopted.attempt);
        } else if is_first {
            signal_group(adopted.pid, Signal::TERM, &adopted.attempt);
            signal_group(adopted.pid, Signal::CONT, &adopted.attempt);
            adopted.kill_at = Instant::now().checked_add(adopted.kill_grace);
        }
        let (old, new) = (adopted.deadline, adopted.next_deadline(Instant::now()));
        adopted.deadline = new;
        self.set_deadline(number, old, new);
    }

    pub(super) fn handle_adopted_deadline(&mut self, number: u64, now: Instant) {
        let Some(adopted) = self.adopted.get_mut(&number) else { return };
        adopted.deadline = None;
        if !is_alive(&adopted.process) {
            self.finish_adopted(number);
            return;
        }
        if adopted.kill_at.is_some_and(|kill_at| kill_at <= now) {
            adopted.kill_at = None;
            if let Some(termination) = &mut adopted.termination {
                termination.killed = true;
                termination.survived_term = true;
            }
            signal_group(adopted.pid, Signal::KILL, &adopted.attempt);
        }
        if adopted.timeout_at.is_some_and(|at| at <= now) {
            self.stop_adopted(number, Outcome::TimedOut, false);
            return;
        }
        let new = adopted.next_deadline(now);
        adopted.deadline = new;
        self.set_deadline(number, None, new);
    }

    pub(super) fn finish_adopted(&mut self, number: u64) {
        let Some(adopted) = self.adopted.remove(&number) else { return };
        self.set_deadline(number, adopted.deadline, None);
        let pid = adopted.process.pid;
        let (outcome, detail) = match adopted.termination {
            // After TERM it may have exited with 0; only an operator's stop counts all the same.
            Some(stopped) if stopped.killed || stopped.outcome == Outcome::Cancelled => {
                let killed = || format!("it did not end within {:?} of TERM, and was killed", adopted.kill_grace);
                (stopped.outcome, stopped.survived_term.then(killed))
            }
            Some(_) => (
                Outcome::Lost,
                Some(format!(
                    "its process {pid} exited after our TERM; an earlier warden started it, so its exit status is unknown"
                )),
            ),
            None => (
                Outcome::Lost,
                Some(format!("its process {pid} exited; an earlier warden started it, so its exit status is unknown")),
            ),
        };
        let end = end_without_process(outcome, detail);
        let termination = adopted.termination.unwrap_or(Termination::new(outcome));
        self.hold(number, PendingEnd::new(adopted.attempt, end, adopted.kill_grace, Some(termination)));
    }
}

impl Adopted {
    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let poll = if self.pidfd.is_none() { now.checked_add(POLL) } else { None };
        poll.into_iter().chain(self.kill_at).chain(self.timeout_at).min()
    }
}
