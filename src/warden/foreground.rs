//! Runs a launch as a child of the command line, for `crontabber test`: as the warden would run it, but with the terminal
//! as its output, and without a journal.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process_group, pidfd_open, set_child_subreaper};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::exit::{self, Exit};
use super::pending_end::{PendingEnd, Stage};
use super::process::Termination;
use super::procfs::{Member, find_members, running_groups};
use super::program::{NOT_FOUND, NOT_STARTED, Program, StartFailure};
use super::protocol::Launch;
use crate::clock;
use crate::session::{AttemptEnd, Outcome};

/// Between two looks at processes that outlive the attempt's own process.
const PAUSE: Duration = Duration::from_millis(20);

/// Where the output of a launch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForegroundOutput {
    /// To our own standard output and standard error.
    Inherited,
    /// All of it to our standard error.
    Stderr,
}

/// Runs launches one after the other; see the module's page.
#[derive(Debug)]
pub struct Foreground {
    output: ForegroundOutput,
    inherited: Vec<(OsString, OsString)>,
    /// A byte for each signal that should end the command.
    signals: UnixStream,
    is_interrupted: bool,
}

impl Foreground {
    /// Begins to catch the signals that end the command: one is TERM for the launch, a second one KILL.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn new(output: ForegroundOutput, inherited: Vec<(OsString, OsString)>) -> io::Result<Self> {
        let (signals, sender) = UnixStream::pair()?;
        signals.set_nonblocking(true)?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
        }
        // So that what the job leaves behind stays our descendant, and is found.
        let _ = set_child_subreaper(Some(getpid()));
        Ok(Self { output, inherited, signals, is_interrupted: false })
    }

    /// Whether a signal came that should end the command.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    /// Runs a launch to its end. As the warden does, it ends the whole process group at the timeout, and what a failed attempt
    /// leaves behind.
    pub fn run(&mut self, launch: &Launch) -> AttemptEnd {
        let (mut child, group, pidfd) = match self.spawn(launch) {
            Ok(spawned) => spawned,
            Err(StartFailure { code, detail }) => {
                let (outcome, detail) = (Outcome::Failed { code: code.into() }, Some(detail));
                return AttemptEnd { detail, ..end(outcome, None) };
            }
        };
        let started = Instant::now();
        let mut termination: Option<Termination> = None;
        let mut deadline = launch.timeout.and_then(|timeout| started.checked_add(timeout));
        loop {
            let has_exited = !matches!(child.try_wait(), Ok(None));
            // While TERM has its grace, the whole group has it.
            let is_over = termination.is_none_or(|termination| termination.killed) || !has_members(group);
            if has_exited && is_over {
                break;
            }
            let is_interrupted = self.take_signal();
            let is_late = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if is_interrupted || is_late {
                let (signal, next) = match &mut termination {
                    None => {
                        let outcome = if is_interrupted { Outcome::Cancelled } else { Outcome::TimedOut };
                        termination = Some(Termination::new(outcome));
                        (Signal::TERM, Instant::now().checked_add(launch.kill_grace))
                    }
                    Some(termination) => {
                        (termination.killed, termination.survived_term) = (true, is_late);
                        (Signal::KILL, None)
                    }
                };
                deadline = next;
                let _ = kill_process_group(group, signal);
                // A stopped process acts on TERM only when it continues.
                let _ = kill_process_group(group, Signal::CONT);
            } else if has_exited {
                thread::sleep(PAUSE);
            } else {
                self.wait(&pidfd, deadline);
            }
        }
        let duration = started.elapsed();
        let exit = child.wait().ok().and_then(Exit::from_status);
        let stopped = termination.map(|termination| termination.outcome);
        let outcome = exit.map_or(Outcome::Lost, |exit| exit::outcome(exit, stopped));
        let detail = termination.and_then(|termination| termination.detail(launch.kill_grace));
        let end = AttemptEnd { detail, ..end(outcome, Some(duration)) };
        let pending = PendingEnd::new(launch.attempt.as_str().into(), end, launch.kill_grace, termination)
            .of_stopped(termination.map(|_| group.as_raw_nonzero().get()));
        self.end_leftovers(launch, pending)
    }

    fn spawn(&self, launch: &Launch) -> Result<(Child, Pid, OwnedFd), StartFailure> {
        let mut arguments = launch.arguments();
        let Some(name) = arguments.next() else {
            return Err(StartFailure { code: NOT_FOUND, detail: "the command is empty".to_owned() });
        };
        let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        let own = launch.environment.iter().map(|(name, value)| (text(name), text(value)));
        let mut environment = self.inherited.clone();
        environment.extend(own);
        let path = environment.iter().rev().find(|(variable, _)| variable == "PATH").map(|(_, path)| path.clone());
        let directory = launch.working_directory.as_ref().map(|folder| Path::new(OsStr::from_bytes(folder)));
        let program = Program { name, arguments: arguments.collect(), directory, path: path.as_deref() };
        let found = program.locate()?;
        let mut command = Command::new(&found);
        command.arg0(name).args(&program.arguments).env_clear().envs(environment).stdin(Stdio::null()).process_group(0);
        if let Some(folder) = directory {
            command.current_dir(folder);
        }
        if self.output == ForegroundOutput::Stderr {
            command.stdout(io::stderr());
        }
        let child = command.spawn().map_err(|error| program.explain(&error, &found))?;
        let watched = i32::try_from(child.id()).ok().and_then(Pid::from_raw).and_then(|pid| {
            let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
            Some((pid, pidfd))
        });
        let unwatched = || StartFailure { code: NOT_STARTED, detail: "its process cannot be watched".to_owned() };
        watched.map(|(pid, pidfd)| (child, pid, pidfd)).ok_or_else(unwatched)
    }

    /// Waits for the exit of the process, for a signal, or for the time.
    fn wait(&self, pidfd: &OwnedFd, until: Option<Instant>) {
        let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
        let rest = rest.and_then(|rest| Timespec::try_from(rest).ok());
        let mut waits = [PollFd::new(pidfd, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        // A signal ends the wait early, and nothing else follows from it.
        let _ = poll(&mut waits, rest.as_ref());
    }

    /// Takes one of the signals that came.
    fn take_signal(&mut self) -> bool {
        let is_there = matches!(self.signals.read(&mut [0]), Ok(1));
        self.is_interrupted |= is_there;
        is_there
    }

    /// Ends what an attempt has left behind, or only names it if the attempt succeeded.
    fn end_leftovers(&mut self, launch: &Launch, mut pending: PendingEnd) -> AttemptEnd {
        let names = HashSet::from([launch.attempt.as_bytes()]);
        loop {
            let left: Vec<Member> = find_members(&names, false).into_values().flatten().collect();
            let now = Instant::now();
            if self.take_signal() {
                pending.stop(true);
            }
            let is_settling = matches!(pending.stage, Stage::Settling(until) if now < until) && !left.is_empty();
            if !is_settling && !pending.act(&left, now) {
                let details: Vec<String> = pending.end.detail.take().into_iter().chain(pending.fate(&left)).collect();
                let detail = if details.is_empty() { None } else { Some(details.join("; ")) };
                return AttemptEnd { detail, ..pending.end };
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Whether a process of the group runs.
fn has_members(group: Pid) -> bool {
    running_groups().contains_key(&group.as_raw_nonzero().get())
}

fn end(outcome: Outcome, duration: Option<Duration>) -> AttemptEnd {
    AttemptEnd { outcome, ended_at: clock::now(), duration, detail: None, has_log: false, usage: None }
}
