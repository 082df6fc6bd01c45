//! The processes of attempts: children of this warden, and processes that it has adopted from an earlier one.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, pidfd_send_signal, waitid,
};
use tracing::warn;

use super::attempt::Id;
use super::cgroup::Group;
use super::exit::Exit;
use super::output::Output;
use super::procfs::Member;
use crate::session::{Outcome, ProcessIdentity, Usage};

/// The epoll tokens of an attempt: of its exit, and of its output. Numbers begin with 1, so that 0 and 1 are never used.
pub(super) fn tokens(number: u64) -> (u64, u64) {
    let exit = number.wrapping_mul(2);
    (exit, exit | 1)
}

/// A stop or timeout that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Termination {
    /// The outcome that the first request or the timeout gives it.
    pub(super) outcome: Outcome,
    /// KILL was sent.
    pub(super) killed: bool,
    /// It was sent because TERM did not end the attempt in time.
    pub(super) survived_term: bool,
}

impl Termination {
    pub(super) fn new(outcome: Outcome) -> Self {
        Self { outcome, killed: false, survived_term: false }
    }

    /// What an operator should know of it.
    pub(super) fn detail(self, kill_grace: Duration) -> Option<String> {
        self.survived_term.then(|| format!("it did not end within {kill_grace:?} of TERM, and was killed"))
    }
}

/// An attempt whose process is our child, and not reaped.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) attempt: Id,
    /// The process, and its group. The kernel cannot reuse the number until the process is reaped, which removes the child.
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    /// Its output; `None` once all processes have closed it.
    pub(super) pipe: Option<OwnedFd>,
    pub(super) output: Output,
    /// Where a trampoline writes why it could not execute the program.
    pub(super) trampoline: Option<UnixStream>,
    pub(super) group: Option<Group>,
    pub(super) started: Instant,
    pub(super) kill_grace: Duration,
    pub(super) deadline: Option<Instant>,
    pub(super) termination: Option<Termination>,
    /// When it exited, while other processes of its group still have their grace.
    pub(super) exited_at: Option<Instant>,
    /// One of these processes.
    pub(super) survivor: Option<OwnedFd>,
}

impl Child {
    /// Whether the process has exited; it is not reaped.
    pub(super) fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Sends TERM to the group, and CONT, without which a stopped process would not act on it.
    pub(super) fn terminate(&self) {
        signal_group(self.pid, Signal::TERM, &self.attempt);
        signal_group(self.pid, Signal::CONT, &self.attempt);
    }

    /// Sends KILL to the process group and the control group.
    pub(super) fn kill(&mut self) {
        signal_group(self.pid, Signal::KILL, &self.attempt);
        if let Some(group) = &self.group {
            group.kill();
        }
        if let Some(termination) = &mut self.termination {
            termination.killed = true;
        }
    }

    /// Reaps the process, after which the kernel may reuse its number. `None` if it still runs.
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

    /// Why the trampoline could not execute the program, if it failed.
    pub(super) fn trampoline_failure(&mut self) -> Option<String> {
        let mut text = [0; 4096];
        let count = self.trampoline.take()?.read(&mut text).ok()?;
        let text = String::from_utf8_lossy(text.get(..count)?).into_owned();
        if text.is_empty() { None } else { Some(text) }
    }
}

/// An attempt whose process an earlier warden started.
#[derive(Debug)]
pub(super) struct Adopted {
    pub(super) attempt: Id,
    pub(super) process: ProcessIdentity,
    pub(super) pid: Pid,
    /// `None` if the kernel has none to give: then the process is polled.
    pub(super) pidfd: Option<OwnedFd>,
    pub(super) deadline: Option<Instant>,
    pub(super) termination: Option<Termination>,
    pub(super) timeout_at: Option<Instant>,
    pub(super) kill_grace: Duration,
    pub(super) kill_at: Option<Instant>,
}

/// Sends a signal to a process, and to no other one that has its number.
pub(super) fn signal_member(member: Member, signal: Signal) {
    let Some(Ok(pidfd)) = Pid::from_raw(member.pid).map(|pid| pidfd_open(pid, PidfdFlags::empty())) else { return };
    if member.is_alive()
        && let Err(error) = pidfd_send_signal(pidfd, signal)
        && error != Errno::SRCH
    {
        warn!(pid = member.pid, signal = signal.as_raw(), %error, "a process that a job left behind cannot be signalled");
    }
}

/// Sends a signal to a process group. The caller makes sure that its leader still has the number.
pub(super) fn signal_group(group: Pid, signal: Signal, attempt: &Id) {
    match kill_process_group(group, signal) {
        // The group has exited.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => {
            let (group, signal) = (group.as_raw_nonzero(), signal.as_raw());
            warn!(%attempt, group, signal, %error, "a process group cannot be signalled");
        }
    }
}
