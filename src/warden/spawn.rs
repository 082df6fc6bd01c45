//! Starts the process of an attempt.
//!
//! Always by `posix_spawn`, whose cost does not grow with our memory. The standard library uses it only if nothing has to
//! run in the child before the exec: so the program is searched here, and `pre_exec`, user and group are never set.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::attempt::ATTEMPT_VARIABLE;
use super::program::{NOT_FOUND, NOT_STARTED, Program, StartFailure};
use super::protocol::Launch;
use super::trampoline;

/// Starts processes. A process inherits our standard streams, which are replaced for the moment of its start: glibc calls
/// getrlimit(2) twice for each descriptor that `posix_spawn` is to move, and we have one thread.
#[derive(Debug)]
pub(super) struct Spawner {
    epoll: Rc<OwnedFd>,
    null: OwnedFd,
    /// Our own standard output and standard error.
    stdout: OwnedFd,
    stderr: OwnedFd,
}

/// A process that was started, and is not yet reaped.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    /// The end of its output that we read; non-blocking.
    pub(super) output: OwnedFd,
    /// Where a trampoline writes why it could not execute the program.
    pub(super) trampoline: Option<UnixStream>,
}

impl Spawner {
    /// Replaces our standard input by `/dev/null`, which jobs inherit.
    pub(super) fn new(epoll: Rc<OwnedFd>) -> io::Result<Self> {
        let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        dup2_stdin(&null)?;
        let stdout = fcntl_dupfd_cloexec(io::stdout(), 3)?;
        let stderr = fcntl_dupfd_cloexec(io::stderr(), 3)?;
        Ok(Self { epoll, null, stdout, stderr })
    }

    /// Starts the program of an attempt as the leader of a new process group, with this environment and no other. The
    /// epoll reports its exit and its output under `tokens`.
    ///
    /// With a control group, or if a file server `may_block` the start, the trampoline is started instead.
    pub(super) fn spawn(
        &self,
        launch: &Launch,
        environment: &[(&OsStr, &OsStr)],
        (group, may_block): (Option<&Path>, bool),
        (exit_token, output_token): (u64, u64),
    ) -> Result<Spawned, StartFailure> {
        let mut arguments = launch.arguments();
        let Some(name) = arguments.next() else {
            return Err(StartFailure { code: NOT_FOUND, detail: "the command is empty".to_owned() });
        };
        let directory = launch.working_directory.as_ref().map(|folder| Path::new(OsStr::from_bytes(folder)));
        let path = environment.iter().rev().find(|(variable, _)| *variable == "PATH").map(|(_, value)| *value);
        let program = Program { name, arguments: arguments.collect(), directory, path };
        let (mut command, found, sockets) = if group.is_some() || may_block {
            let sockets = socket_pair().map_err(|error| program.explain(&error, Path::new("")))?;
            (trampoline::command(&program, group), PathBuf::from("/proc/self/exe"), Some(sockets))
        } else {
            let found = program.locate()?;
            let mut command = Command::new(&found);
            command.arg0(name);
            if let Some(folder) = directory {
                command.current_dir(folder);
            }
            (command, found, None)
        };
        command.args(&program.arguments).env_clear().process_group(0).envs(environment.iter().copied());
        command.env(ATTEMPT_VARIABLE, &launch.attempt);
        let (trampoline, input) = sockets.unzip();
        let started = self.start(&mut command, input.as_ref());
        let (pid, output, their_output) = started.map_err(|error| program.explain(&error, &found))?;
        let watch = || {
            let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
            epoll::add(&*self.epoll, &pidfd, EventData::new_u64(exit_token), EventFlags::IN)?;
            epoll::add(&*self.epoll, &output, EventData::new_u64(output_token), EventFlags::IN)?;
            Ok(pidfd)
        };
        let watched = watch();
        // Kept until here so that a start fails before it takes the last descriptor, without which the process cannot be
        // looked up.
        drop(their_output);
        match watched {
            Ok(pidfd) => Ok(Spawned { pid, pidfd, output, trampoline }),
            Err(error) => Err(abandon(pid, error)),
        }
    }

    /// Starts a command that reads `input` or nothing; returns both ends of its output.
    fn start(&self, command: &mut Command, input: Option<&UnixStream>) -> io::Result<(Pid, OwnedFd, OwnedFd)> {
        let (output, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&output, true)?;
        let streams = || {
            dup2_stdout(&theirs)?;
            dup2_stderr(&theirs)?;
            input.map_or(Ok(()), dup2_stdin)
        };
        let spawned = streams().map_err(io::Error::from).and_then(|()| command.spawn());
        // The pipe is closed once no process has it, so we may not keep it. These calls do not fail.
        let _ = dup2_stdout(&self.stdout);
        let _ = dup2_stderr(&self.stderr);
        if input.is_some() {
            let _ = dup2_stdin(&self.null);
        }
        Ok((Pid::from_child(&spawned?), output, theirs))
    }
}

/// The ends of a socket: ours, which does not block, and the trampoline's.
fn socket_pair() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((ours, theirs))
}

/// Kills a process that cannot be watched: a start that fails is better than a job that the warden cannot see.
fn abandon(pid: Pid, error: Errno) -> StartFailure {
    let _ = kill_process_group(pid, Signal::KILL);
    while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED) {}
    StartFailure { code: NOT_STARTED, detail: format!("its process could not be watched, and was killed: {error}") }
}
