//! What the supervisor does for processes that an earlier warden started: it waits for their end, and can hasten it.
//!
//! Their exit status goes to another parent, so that their outcome is never guessed: it is lost, but for an end that we
//! brought about ourselves.

use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::Supervisor;
use crate::clock;
use crate::job::DEFAULT_KILL_GRACE;
use crate::session::{AttemptEnd, Outcome, ProcessIdentity};
use crate::warden::process::{Adopted, Termination, signal_group, tokens};
use crate::warden::procfs::{find_orphans, is_alive};
use crate::warden::protocol::{Ended, Reply, Running, Watch};
use crate::warden::{Id, mark_of};

/// How often a process is looked at that the kernel has no descriptor for.
const LOOK: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Takes up what the spool tells of an earlier warden's attempts.
    pub(super) fn restore(&mut self) {
        let open = self.spool.entries().iter().filter(|(_, entry)| entry.end.is_none());
        let open: Vec<_> = open.map(|(name, entry)| (name.clone(), entry.clone())).collect();
        let here = |boot: &str| boot == self.boot_id;
        let nameless = open.iter().filter(|(_, entry)| entry.process.is_none() && here(&entry.boot));
        let nameless: Vec<&str> = nameless.map(|(name, _)| name.as_str()).collect();
        let found = find_orphans(&nameless);
        for (name, entry) in &open {
            let place = nameless.iter().position(|other| other == name);
            let sought = place.and_then(|place| found.get(place).cloned().flatten());
            let process = entry.process.clone().or(sought);
            let attempt = Id::from(name.as_str());
            let lost = |detail: String| (Outcome::Lost, Some(detail));
            let (outcome, detail) = match process {
                _ if entry.boot != self.boot_id => {
                    lost("the machine was started anew while it ran; nobody knows how it ended".to_owned())
                }
                Some(process) => {
                    if self.adopt(&attempt, &process, None, DEFAULT_KILL_GRACE) {
                        if entry.process.is_none() {
                            self.looked_up(&attempt, process);
                        }
                        continue;
                    }
                    lost(format!(
                        "its process {} ended after its warden had been killed; nobody knows how",
                        process.pid
                    ))
                }
                None => {
                    lost("its warden was killed just as it started, or while it ran; nobody knows how it ended".into())
                }
            };
            self.ended(&attempt, outcome, detail);
        }
    }

    /// Watches an attempt that the ledger has open.
    pub(in crate::warden) fn watch(&mut self, watch: Watch) {
        let name = watch.attempt.as_str();
        let entry = self.spool.entries().get(name);
        if let Some(&number) = self.numbers.get(name) {
            let process = entry.and_then(|entry| entry.process.clone());
            self.replies.push(Reply::Running(Running { attempt: watch.attempt.clone(), process }));
            self.limit(number, &watch);
        } else if let Some(end) = entry.and_then(|entry| entry.end.clone()) {
            if !self.ended.iter().any(|ended| ended.attempt == watch.attempt) {
                self.replies.push(Reply::Ended(Box::new(end)));
            }
        } else if let Some(process) = watch.process.clone() {
            self.watch_process(&watch, &process);
        } else {
            self.sought.push(watch);
        }
    }

    /// Searches the processes of attempts of which nothing is known but the name.
    pub(super) fn search(&mut self) {
        let sought = std::mem::take(&mut self.sought);
        if sought.is_empty() {
            return;
        }
        let names: Vec<&str> = sought.iter().map(|watch| watch.attempt.as_str()).collect();
        for (watch, process) in sought.iter().zip(find_orphans(&names)) {
            match process {
                Some(process) => self.watch_process(watch, &process),
                None if self.spool.knows_ledger(mark_of(&watch.attempt), &self.boot_id) => {
                    self.tell(
                        watch,
                        Outcome::Interrupted,
                        "it was never started: the daemon ended before it could say so",
                    );
                }
                // Written down, for the next daemon of this boot would hear that it was never started.
                None => self.ended(
                    &Id::from(watch.attempt.as_str()),
                    Outcome::Lost,
                    Some("the daemon ended before it could say whether it started".to_owned()),
                ),
            }
        }
    }

    fn watch_process(&mut self, watch: &Watch, process: &ProcessIdentity) {
        let attempt = Id::from(watch.attempt.as_str());
        if process.boot_id != self.boot_id {
            let detail = "the machine was started anew while it ran; nobody knows how it ended";
            self.tell(watch, Outcome::Lost, detail);
        } else if self.adopt(&attempt, process, watch.timeout, watch.kill_grace) {
            self.spool.begin(&attempt, &self.boot_id);
            self.looked_up(&attempt, process.clone());
        } else {
            let detail = format!("its process {} ended while no warden watched; nobody knows how", process.pid);
            self.tell(watch, Outcome::Lost, &detail);
        }
    }

    /// Tells the end of an attempt that was never ours, and that would be found again just so.
    fn tell(&mut self, watch: &Watch, outcome: Outcome, detail: &str) {
        let (ended_at, detail) = (clock::now(), Some(detail.to_owned()));
        let end = AttemptEnd { outcome, ended_at, duration: None, detail, has_log: false, usage: None };
        self.replies.push(Reply::Ended(Box::new(Ended::new(watch.attempt.clone(), &end))));
    }

    /// Holds an adopted attempt to its timeout, which only the daemon knows.
    fn limit(&mut self, number: u64, watch: &Watch) {
        let Some(adopted) = self.adopted.get_mut(&number) else { return };
        adopted.kill_grace = watch.kill_grace;
        if adopted.timeout_at.is_none() && adopted.ending.is_none() {
            adopted.timeout_at = watch.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let (old, new) = (adopted.deadline, adopted.next_deadline(Instant::now()));
            adopted.deadline = new;
            self.set_deadline(number, old, new);
        }
    }

    /// Takes up a process, if it lives.
    fn adopt(
        &mut self,
        attempt: &Id,
        process: &ProcessIdentity,
        timeout: Option<Duration>,
        kill_grace: Duration,
    ) -> bool {
        // The first process is nobody's job, and the signal for its group would go to all there are.
        let Some(pid) = Some(process.pid).filter(|pid| *pid > 1).and_then(Pid::from_raw) else { return false };
        let Some(number) = self.number(attempt) else { return true };
        // The descriptor comes first: it holds whoever has the number now, and then we see whether that is the one.
        let opened = self.open(number, pid);
        match opened {
            Ok(pidfd) if is_alive(process) => {
                let mut adopted = Adopted {
                    attempt: Id::clone(attempt),
                    process: process.clone(),
                    pid,
                    pidfd,
                    deadline: None,
                    ending: None,
                    timeout_at: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
                    kill_grace,
                    kill_at: None,
                };
                adopted.deadline = adopted.next_deadline(Instant::now());
                self.set_deadline(number, None, adopted.deadline);
                self.adopted.insert(number, adopted);
                true
            }
            opened => {
                if let Ok(Some(pidfd)) = opened {
                    let _ = epoll::delete(&*self.epoll, &pidfd);
                }
                self.numbers.remove(attempt);
                false
            }
        }
    }

    /// Gets hold of a process that is not ours.
    ///
    /// # Errors
    /// When there is none; what else the kernel may refuse only leaves us without a descriptor.
    fn open(&self, number: u64, pid: Pid) -> Result<Option<OwnedFd>, Errno> {
        let token = EventData::new_u64(tokens(number).0);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(epoll::add(&*self.epoll, &pidfd, token, EventFlags::IN).ok().map(|()| pidfd)),
            Err(Errno::SRCH) => Err(Errno::SRCH),
            Err(_) => Ok(None),
        }
    }

    pub(super) fn end_adopted(&mut self, number: u64, outcome: Outcome, at_once: bool) {
        let Some(adopted) = self.adopted.get_mut(&number) else { return };
        // Another parent reaps it, so it must be seen alive before its number is used; and if it is not, its end is its
        // own.
        if !is_alive(&adopted.process) {
            return;
        }
        let first = adopted.ending.is_none();
        let ending = adopted.ending.get_or_insert(Termination::new(outcome));
        adopted.timeout_at = None;
        if at_once {
            ending.killed = true;
            signal_group(adopted.pid, Signal::KILL, &adopted.attempt);
        } else if first {
            signal_group(adopted.pid, Signal::TERM, &adopted.attempt);
            signal_group(adopted.pid, Signal::CONT, &adopted.attempt);
            adopted.kill_at = Instant::now().checked_add(adopted.kill_grace);
        }
        let (old, new) = (adopted.deadline, adopted.next_deadline(Instant::now()));
        adopted.deadline = new;
        self.set_deadline(number, old, new);
    }

    pub(super) fn adopted_deadline(&mut self, number: u64, now: Instant) {
        let Some(adopted) = self.adopted.get_mut(&number) else { return };
        adopted.deadline = None;
        if !is_alive(&adopted.process) {
            self.finish_adopted(number);
            return;
        }
        if adopted.kill_at.is_some_and(|kill_at| kill_at <= now) {
            adopted.kill_at = None;
            if let Some(ending) = &mut adopted.ending {
                ending.killed = true;
                ending.outlived_term = true;
            }
            signal_group(adopted.pid, Signal::KILL, &adopted.attempt);
        }
        if adopted.timeout_at.is_some_and(|at| at <= now) {
            self.end_adopted(number, Outcome::TimedOut, false);
            return;
        }
        let new = adopted.next_deadline(now);
        adopted.deadline = new;
        self.set_deadline(number, None, new);
    }

    pub(super) fn finish_adopted(&mut self, number: u64) {
        let Some(adopted) = self.adopted.remove(&number) else { return };
        self.set_deadline(number, adopted.deadline, None);
        if let Some(pidfd) = &adopted.pidfd {
            let _ = epoll::delete(&*self.epoll, pidfd);
        }
        let pid = adopted.process.pid;
        let (outcome, detail) = match adopted.ending {
            // It may have ended well after a TERM; only an operator's word weighs more than that doubt.
            Some(ending) if ending.killed || ending.outcome == Outcome::Cancelled => (
                ending.outcome,
                ending
                    .outlived_term
                    .then(|| format!("it did not end within {:?} of TERM, and was killed", adopted.kill_grace)),
            ),
            Some(_) => (
                Outcome::Lost,
                Some(format!(
                    "its process {pid} ended after our TERM; an earlier warden started it, so nobody knows how"
                )),
            ),
            None => (
                Outcome::Lost,
                Some(format!("its process {pid} has ended; an earlier warden started it, so nobody knows how")),
            ),
        };
        self.ended(&adopted.attempt, outcome, detail);
    }
}

impl Adopted {
    /// When it must be looked at again.
    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let look = if self.pidfd.is_none() { now.checked_add(LOOK) } else { None };
        look.into_iter().chain(self.kill_at).chain(self.timeout_at).min()
    }
}
