//! The attempts that the supervisor holds, by what it can know of them.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tracing::warn;

use super::Id;
use super::cgroup::Group;
use super::exit::Exit;
use super::output::Output;
use crate::session::{Outcome, ProcessIdentity, Usage};

/// Returns the data of the two epoll entries of an attempt: for its end, and for its output. 0 stays free.
pub(super) fn tokens(number: u64) -> (u64, u64) {
    let end = number.wrapping_mul(2);
    (end, end | 1)
}

/// That we set out to end an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Termination {
    /// As what; the first who asks decides.
    pub(super) outcome: Outcome,
    /// Whether KILL was sent, and not TERM alone.
    pub(super) killed: bool,
    /// Whether it was sent because TERM did not help.
    pub(super) outlived_term: bool,
}

impl Termination {
    pub(super) fn new(outcome: Outcome) -> Self {
        Self { outcome, killed: false, outlived_term: false }
    }
}

/// An attempt whose process is our child, and not reaped.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) attempt: Id,
    /// The process, and its group. The number is ours until we reap: the one place that does also forgets the child.
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    /// Its output; absent after its end.
    pub(super) pipe: Option<OwnedFd>,
    pub(super) output: Output,
    /// Where a stand-in said why it could not turn into the program.
    pub(super) trampoline: Option<UnixStream>,
    /// Its control group.
    pub(super) group: Option<Group>,
    pub(super) started: Instant,
    pub(super) kill_grace: Duration,
    pub(super) deadline: Option<Instant>,
    pub(super) ending: Option<Termination>,
    /// When it was seen to have ended, while others of its group still have their grace.
    pub(super) gone_at: Option<Instant>,
    /// One of those others.
    pub(super) survivor: Option<OwnedFd>,
}

impl Child {
    /// Says whether the process has ended, and leaves it to be reaped.
    pub(super) fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Sends TERM to the group; also to those of it that are stopped, which would not notice it otherwise.
    pub(super) fn terminate(&self) {
        signal_group(self.pid, Signal::TERM, &self.attempt);
        signal_group(self.pid, Signal::CONT, &self.attempt);
    }

    /// Sends KILL to all that belong to it.
    pub(super) fn kill(&mut self) {
        signal_group(self.pid, Signal::KILL, &self.attempt);
        if let Some(group) = &self.group {
            group.kill();
        }
        if let Some(ending) = &mut self.ending {
            ending.killed = true;
        }
    }

    /// Takes the exit status and what it cost, and with it gives the number of the process back to the kernel. Nothing if
    /// it still runs.
    pub(super) fn reap(&self) -> Option<io::Result<(Exit, Usage)>> {
        let number = u32::try_from(self.pid.as_raw_nonzero().get()).unwrap_or(0);
        match wait4::try_wait4_pid(number) {
            Ok(ended) => {
                let ended = ended?;
                let usage = ended.rusage;
                let (cpu_user, cpu_system, peak_memory) = (usage.utime, usage.stime, usage.maxrss);
                Exit::from_status(ended.status).map(|exit| Ok((exit, Usage { cpu_user, cpu_system, peak_memory })))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Takes what a stand-in said of its failure.
    pub(super) fn failure(&mut self) -> Option<String> {
        let mut text = [0; 4096];
        let count = self.trampoline.take()?.read(&mut text).ok()?;
        let text = String::from_utf8_lossy(text.get(..count)?).into_owned();
        if text.is_empty() { None } else { Some(text) }
    }
}

/// An attempt whose process an earlier crontabber started.
#[derive(Debug)]
pub(super) struct Adopted {
    pub(super) attempt: Id,
    pub(super) process: ProcessIdentity,
    pub(super) pid: Pid,
    /// Absent where the kernel had none to give: then the process is looked at from time to time.
    pub(super) pidfd: Option<OwnedFd>,
    pub(super) deadline: Option<Instant>,
    pub(super) ending: Option<Termination>,
    /// When its time is up.
    pub(super) timeout_at: Option<Instant>,
    pub(super) kill_grace: Duration,
    pub(super) kill_at: Option<Instant>,
}

/// Sends a signal to a process group whose leader is known to hold its number.
pub(super) fn signal_group(group: Pid, signal: Signal, attempt: &Id) {
    match kill_process_group(group, signal) {
        // A group that is gone is what the signal was for.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => {
            let (group, signal) = (group.as_raw_nonzero(), signal.as_raw());
            warn!(%attempt, group, signal, %error, "a process group cannot be signalled");
        }
    }
}
