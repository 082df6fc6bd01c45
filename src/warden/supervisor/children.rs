//! What the supervisor does for processes of its own: from the start to the exit status.
//!
//! A signal goes to a group only while its leader is not reaped, and `finish_child` alone reaps: until then, the number
//! of the group can belong to nobody else.

use std::time::Instant;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tracing::error;

use super::Supervisor;
use crate::clock;
use crate::session::{AttemptEnd, Outcome};
use crate::warden::process::{Termination, tokens};
use crate::warden::{Id, exit, procfs};

/// What one read of a pipe came to.
enum Piece {
    Bytes(usize),
    Nothing,
    End,
}

fn read_piece(pipe: &OwnedFd, buffer: &mut [u8]) -> Piece {
    match rustix::io::read(pipe, buffer) {
        Ok(0) => Piece::End,
        Ok(count) => Piece::Bytes(count),
        Err(Errno::AGAIN | Errno::INTR) => Piece::Nothing,
        Err(_) => Piece::End,
    }
}

impl Supervisor {
    /// Looks up the processes that have lived for a moment, and reports them. To look one up in `/proc`, and to record
    /// it, would cost a job that ends at once a good part of its own time, and nobody will ever ask for it.
    pub(super) fn announce(&mut self) {
        while let Some((_, number)) = self.unannounced.pop_front_if(|(when, _)| *when <= Instant::now()) {
            if let Some(child) = self.children.get(&number)
                && let Ok(process) = procfs::identity_in_boot(child.pid.as_raw_nonzero().get(), self.boot_id.clone())
            {
                let attempt = Id::clone(&child.attempt);
                self.looked_up(&attempt, process);
            }
        }
    }

    /// Reads a piece of what an attempt printed, or of what its leftovers print.
    pub(super) fn read_output(&mut self, number: u64) {
        if let Some(child) = self.children.get_mut(&number) {
            let Some(pipe) = &child.pipe else { return };
            match read_piece(pipe, &mut self.buffer) {
                Piece::Bytes(count) => child.output.write(self.buffer.get(..count).unwrap_or_default()),
                Piece::Nothing => {}
                Piece::End => self.close_pipe(number),
            }
        } else if let Some(pipe) = self.leftovers.get(&number)
            && let Piece::End = read_piece(pipe, &mut self.buffer)
        {
            self.close_pipe(number);
        }
    }

    /// Gives up the pipe of an attempt.
    fn close_pipe(&mut self, number: u64) {
        let child = self.children.get_mut(&number).and_then(|child| child.pipe.take());
        if let Some(pipe) = child.or_else(|| self.leftovers.remove(&number)) {
            let _ = epoll::delete(&*self.epoll, &pipe);
        }
    }

    /// Sets out to end an attempt, or makes haste where that is under way.
    pub(super) fn end_child(&mut self, number: u64, outcome: Outcome, at_once: bool) {
        let Some(child) = self.children.get_mut(&number) else { return };
        let old = child.deadline;
        if child.ending.is_none() {
            if child.has_exited() {
                // It was faster: its end is its own, and is about to be seen.
                return;
            }
            child.ending = Some(Termination::new(outcome));
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
        let linger = child.gone_at.is_some();
        self.set_deadline(number, old, new);
        if at_once && linger {
            self.finish_child(number);
        }
    }

    /// Acts on a timeout, or on the end of a grace.
    pub(super) fn child_deadline(&mut self, number: u64) {
        let Some(child) = self.children.get_mut(&number) else { return };
        child.deadline = None;
        let Some(ending) = &mut child.ending else {
            self.end_child(number, Outcome::TimedOut, false);
            return;
        };
        ending.outlived_term = true;
        child.kill();
        if child.gone_at.is_some() {
            self.finish_child(number);
        }
    }

    /// Acts on the end of a process, or of one of its group that had outlived it.
    pub(super) fn child_ended(&mut self, number: u64) {
        let Some(child) = self.children.get_mut(&number) else { return };
        if child.ending.is_none_or(|ending| ending.killed) {
            self.finish_child(number);
            return;
        }
        // TERM went to the whole group, and so does the grace: a shell that dies at once must not cost its command the
        // time to end well. The leader stays unreaped meanwhile.
        if let Some(survivor) = child.survivor.take() {
            let _ = epoll::delete(&*self.epoll, &survivor);
        } else if child.gone_at.is_none() && child.has_exited() {
            child.gone_at = Some(Instant::now());
            let _ = epoll::delete(&*self.epoll, &child.pidfd);
        } else {
            return;
        }
        self.leaving.push(number);
    }

    /// Finishes those ended attempts of whose groups nobody is left. One pass over `/proc` serves them all.
    pub(super) fn look_at_groups(&mut self) {
        if self.leaving.is_empty() {
            return;
        }
        let groups = procfs::running_groups();
        for number in std::mem::take(&mut self.leaving) {
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
                    self.leaving.push(number);
                    self.busy = true;
                }
                // The end of the grace, at which the group is killed, comes without a descriptor too.
                Err(error) => error!(attempt = %child.attempt, %error, "a process of a job cannot be watched"),
            }
        }
    }

    /// Takes the exit status of a process that has ended, and reports.
    fn finish_child(&mut self, number: u64) {
        let Some(child) = self.children.get_mut(&number) else { return };
        if child.ending.is_some() {
            // Whoever of the group was missed while it was looked at.
            child.kill();
        }
        let Some(exit) = child.reap() else { return };
        let gone_at = child.gone_at.unwrap_or_else(Instant::now);
        self.drain(number);
        let Some(mut child) = self.children.remove(&number) else { return };
        self.set_deadline(number, child.deadline, None);
        let _ = epoll::delete(&*self.epoll, &child.pidfd);
        if let Some(survivor) = &child.survivor {
            let _ = epoll::delete(&*self.epoll, survivor);
        }
        if let Some(pipe) = child.pipe.take() {
            self.leftovers.insert(number, pipe);
        }
        let failure = child.failure();
        let mut details = Vec::new();
        let (outcome, mut usage) = match exit {
            Ok((exit, usage)) => (exit::outcome(exit, child.ending.map(|ending| ending.outcome)), Some(usage)),
            Err(error) => {
                details.push(format!("its exit status went to somebody else: {error}"));
                (Outcome::Lost, None)
            }
        };
        if child.ending.is_some_and(|ending| ending.outlived_term) {
            details.push(format!("it did not end within {:?} of TERM, and was killed", child.kill_grace));
        }
        let (has_log, trouble) = child.output.finish();
        details.extend(trouble);
        if let Some(group) = child.group {
            usage = group.usage(usage);
            self.lingering.add(group);
        }
        let mut duration = Some(gone_at.saturating_duration_since(child.started));
        if let Some(failure) = failure {
            // The stand-in has ended, and not the program: this was a start that failed.
            (duration, usage) = (None, None);
            details = vec![failure];
        }
        let detail = if details.is_empty() { None } else { Some(details.join("; ")) };
        let end = AttemptEnd { outcome, ended_at: clock::now(), duration, detail, has_log, usage };
        self.over(&child.attempt, &end);
        while self.unannounced.pop_front_if(|(_, ended)| *ended == number).is_some() {}
    }

    /// Reads what a process that has ended had printed, and no more: what it left behind may print for ever.
    fn drain(&mut self, number: u64) {
        let Some(child) = self.children.get_mut(&number) else { return };
        let Some(pipe) = &child.pipe else { return };
        let mut rest = rustix::io::ioctl_fionread(pipe).ok().and_then(|rest| usize::try_from(rest).ok()).unwrap_or(0);
        loop {
            let room = rest.min(self.buffer.len()).max(1);
            match read_piece(pipe, self.buffer.get_mut(..room).unwrap_or_default()) {
                Piece::Bytes(count) => {
                    child.output.write(self.buffer.get(..count).unwrap_or_default());
                    rest = rest.saturating_sub(count);
                    if rest == 0 {
                        return;
                    }
                }
                Piece::Nothing => return,
                Piece::End => return self.close_pipe(number),
            }
        }
    }
}
