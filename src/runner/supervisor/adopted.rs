//! What the supervisor does for processes that an earlier crontabber started: it waits for their end, and can hasten it.
//!
//! Their exit status goes to another parent, so that their outcome is never guessed: it is lost, but for an end that we
//! brought about ourselves.

use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::Supervisor;
use crate::job::DEFAULT_KILL_GRACE;
use crate::runner::identity::is_alive;
use crate::runner::running::{Adopted, Ending, signal_group, tokens};
use crate::session::{AttemptKey, Outcome, ProcessIdentity};

/// How often a process is looked at that the kernel has no descriptor for.
const LOOK: Duration = Duration::from_secs(1);

impl Supervisor {
    pub(super) fn adopt(&mut self, number: u64, attempt: AttemptKey, process: ProcessIdentity) {
        if process.boot_id != self.boot_id {
            let detail = "the machine was started anew while it ran; nobody knows how it ended";
            self.ended(attempt, Outcome::Lost, Some(detail.to_owned()));
            return;
        }
        let opened = Pid::from_raw(process.pid).ok_or(Errno::SRCH).and_then(|pid| Ok((pid, self.open(number, pid)?)));
        // The descriptor comes first: it holds whoever has the number now, and then we see whether that is the one.
        match opened {
            Ok((pid, pidfd)) if is_alive(&process) => {
                let deadline = if pidfd.is_none() { Instant::now().checked_add(LOOK) } else { None };
                self.set_deadline(number, None, deadline);
                let adopted = Adopted { attempt, process, pid, pidfd, deadline, ending: None, kill_at: None };
                self.adopted.insert(number, adopted);
            }
            Ok((_, pidfd)) => {
                if let Some(pidfd) = pidfd {
                    let _ = epoll::delete(&*self.epoll, &pidfd);
                }
                self.lose(attempt, &process);
            }
            Err(_) => self.lose(attempt, &process),
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

    fn lose(&mut self, attempt: AttemptKey, process: &ProcessIdentity) {
        let pid = process.pid;
        let detail = format!("its process {pid} ended while no crontabber watched; nobody knows how");
        self.ended(attempt, Outcome::Lost, Some(detail));
    }

    pub(super) fn end_adopted(&mut self, number: u64, outcome: Outcome, at_once: bool) {
        let Some(adopted) = self.adopted.get_mut(&number) else { return };
        // Another parent reaps it, so it must be seen alive before its number is used; and if it is not, its end is its
        // own.
        if !is_alive(&adopted.process) {
            return;
        }
        let first = adopted.ending.is_none();
        let ending = adopted.ending.get_or_insert(Ending::new(outcome));
        if at_once {
            ending.killed = true;
            signal_group(adopted.pid, Signal::KILL, &adopted.attempt);
        } else if first {
            signal_group(adopted.pid, Signal::TERM, &adopted.attempt);
            signal_group(adopted.pid, Signal::CONT, &adopted.attempt);
            adopted.kill_at = Instant::now().checked_add(DEFAULT_KILL_GRACE);
            let (old, new) = (adopted.deadline, adopted.deadline.or(adopted.kill_at));
            adopted.deadline = new;
            self.set_deadline(number, old, new);
        }
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
        let look = if adopted.pidfd.is_none() { now.checked_add(LOOK) } else { None };
        adopted.deadline = look.or(adopted.kill_at);
        let new = adopted.deadline;
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
                    .then(|| format!("it did not end within {DEFAULT_KILL_GRACE:?} of TERM, and was killed")),
            ),
            Some(_) => (
                Outcome::Lost,
                Some(format!(
                    "its process {pid} ended after our TERM; an earlier crontabber started it, so nobody knows how"
                )),
            ),
            None => (
                Outcome::Lost,
                Some(format!("its process {pid} has ended; an earlier crontabber started it, so nobody knows how")),
            ),
        };
        self.ended(adopted.attempt, outcome, detail);
    }
}
