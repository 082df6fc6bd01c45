//! Children of this warden: their output, stop, exit and result.
//!
//! A signal is sent to a process group only while its leader is not reaped, and only `finish_child` reaps: until then no
//! other group can have the number.

use std::time::Instant;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use tracing::error;

use super::Supervisor;
use crate::clock;
use crate::session::{AttemptEnd, Outcome, Usage};
use crate::warden::exit::{self, Exit};
use crate::warden::pending_end::PendingEnd;
use crate::warden::pipe::{PipeRead, drain, read_pipe};
use crate::warden::process::{Child, Termination, signal_group, tokens};
use crate::warden::procfs;

impl Supervisor {
    /// Reads once from the pipe of an attempt, or from its orphaned pipe.
    pub(super) fn read_output(&mut self, number: u64) {
        let attempt = match self.children.get_mut(&number) {
            Some(child) => Some((&mut child.pipe, &mut child.output)),
            None => self.pending_ends.get_mut(&number).and_then(PendingEnd::output),
        };
        if let Some((open, output)) = attempt {
            let Some(pipe) = &*open else { return };
            match read_pipe(pipe, &mut self.buffer) {
                PipeRead::Bytes(count) => output.write(self.buffer.get(..count).unwrap_or_default()),
                PipeRead::Empty => {}
                PipeRead::Closed => self.unused.extend(open.take()),
            }
        } else if let Some(pipe) = self.orphaned_pipes.get(&number)
            && let PipeRead::Closed = read_pipe(pipe, &mut self.buffer)
        {
            self.orphaned_pipes.remove(&number);
        }
    }

    /// Stops a child, or kills one that is being stopped.
    pub(super) fn stop_child(&mut self, number: u64, outcome: Outcome, at_once: bool) {
        let Some(child) = self.children.get_mut(&number) else { return };
        let old = child.deadline;
        if child.termination.is_none() {
            if child.has_exited() {
                // It exited before the stop, and the epoll is about to report that.
                return;
            }
            child.termination = Some(Termination::new(outcome));
            child.deadline = if at_once { None } else { Instant::now().checked_add(child.kill_grace) };
            if !at_once {
                child.terminate();
            }
        }
        if at_once {
            child.deadline = None;
            child.kill();
        }
        let new = child.deadline;
        let leader_has_exited = child.exited_at.is_some();
        self.set_deadline(number, old, new);
        if at_once && leader_has_exited {
            self.finish_child(number);
        }
    }

    /// Handles a timeout, or the end of a grace.
    pub(super) fn handle_child_deadline(&mut self, number: u64) {
        let Some(child) = self.children.get_mut(&number) else { return };
        child.deadline = None;
        let Some(termination) = &mut child.termination else {
            self.stop_child(number, Outcome::TimedOut, false);
            return;
        };
        termination.survived_term = true;
        child.kill();
        if child.exited_at.is_some() {
            self.finish_child(number);
        }
    }

    /// Handles the exit of a child, or of the survivor of its group that is watched.
    pub(super) fn handle_child_exit(&mut self, number: u64) {
        let Some(child) = self.children.get_mut(&number) else { return };
        if child.termination.is_none_or(|termination| termination.killed) {
            self.finish_child(number);
            return;
        }
        // TERM went to the whole group, and so does the grace: if a shell exits at once, its command still has time to
        // clean up. The leader stays unreaped meanwhile.
        if child.survivor.take().is_some() {
            self.exited.push(number);
        } else if child.exited_at.is_none() && child.has_exited() {
            child.exited_at = Some(Instant::now());
            let _ = epoll::delete(&*self.epoll, &child.pidfd);
            self.exited.push(number);
        }
    }

    /// Finishes the stopped attempts whose groups have exited. One pass over `/proc` serves them all.
    pub(super) fn check_groups(&mut self) {
        if self.exited.is_empty() {
            return;
        }
        let groups = procfs::running_groups();
        for number in std::mem::take(&mut self.exited) {
            let Some(child) = self.children.get_mut(&number) else { continue };
            let Some(survivor) = groups.get(&child.pid.as_raw_nonzero().get()).copied().and_then(Pid::from_raw) else {
                self.finish_child(number);
                continue;
            };
            let token = EventData::new_u64(tokens(number).0);
            let watched = pidfd_open(survivor, PidfdFlags::empty())
                .and_then(|pidfd| epoll::add(&*self.epoll, &pidfd, token, EventFlags::IN).map(|()| pidfd));
            match watched {
                Ok(pidfd) => child.survivor = Some(pidfd),
                Err(Errno::SRCH) => {
                    self.exited.push(number);
                    self.is_busy = true;
                }
                // The group is killed at the end of the grace all the same.
                Err(error) => error!(attempt = %child.attempt, %error, "a process of a job cannot be watched"),
            }
        }
    }

    /// Closes the descriptors of processes that have exited.
    pub(in crate::warden) fn close_unused(&mut self) {
        self.unused.clear();
    }

    /// Reaps a child that has exited, and ends its attempt.
    fn finish_child(&mut self, number: u64) {
        let Some(child) = self.children.get_mut(&number) else { return };
        match child.termination {
            Some(Termination { killed: true, .. }) => child.kill(),
            // A process that was forked during the check of the group.
            Some(_) => signal_group(child.pid, Signal::KILL, &child.attempt),
            None => {}
        }
        let Some(exit) = child.reap() else { return };
        drain(&mut child.pipe, &mut child.output, &mut self.buffer);
        let Some(mut child) = self.children.remove(&number) else { return };
        self.set_deadline(number, child.deadline, None);
        let end = end_of(&mut child, exit);
        self.unused.push(child.pidfd);
        let stopped = child.termination.map(|_| child.pid.as_raw_nonzero().get());
        let pending = PendingEnd::new(child.attempt, end, child.kill_grace, child.termination);
        self.end_child(number, pending.of_child(child.output, child.pipe, child.group).of_stopped(stopped));
        while self.unreported_starts.pop_front_if(|(_, ended)| *ended == number).is_some() {}
    }
}

/// The end of an attempt whose child was reaped, without its output.
fn end_of(child: &mut Child, exit: std::io::Result<(Exit, Usage)>) -> AttemptEnd {
    let exited_at = child.exited_at.unwrap_or_else(Instant::now);
    let mut details = Vec::new();
    let (outcome, mut usage) = match exit {
        Ok((exit, usage)) => {
            (exit::outcome(exit, child.termination.map(|termination| termination.outcome)), Some(usage))
        }
        Err(error) => {
            details.push(format!("its exit status cannot be read: {error}"));
            (Outcome::Lost, None)
        }
    };
    details.extend(child.termination.and_then(|termination| termination.detail(child.kill_grace)));
    let mut duration = Some(exited_at.saturating_duration_since(child.started));
    if let Some(failure) = child.trampoline_failure() {
        // The program was not started.
        (duration, usage) = (None, None);
        details = vec![failure];
    }
    let detail = if details.is_empty() { None } else { Some(details.join("; ")) };
    AttemptEnd { outcome, ended_at: clock::now(), duration, detail, has_log: false, usage }
}
