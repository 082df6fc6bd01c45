//! Starts the process of an attempt.
//!
//! By `posix_spawn`, whose cost does not grow with our memory. It is called directly: the standard library's `Command`
//! copies each variable of the environment four times, which takes longer than the call.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::SigSet;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::attempt::ATTEMPT_VARIABLE;
use super::program::{NOT_FOUND, NOT_STARTED, Program, StartFailure};
use super::protocol::{Launch, Variable};
use super::trampoline;

/// The warden's working directory, except for the moment of a start.
pub(super) const WORKING_DIRECTORY: &str = "/";

/// Starts processes. A process inherits our standard streams and our working directory, which are replaced for the moment
/// of its start: glibc calls getrlimit(2) twice for each descriptor that `posix_spawn` is to move, and we have one thread.
#[derive(Debug)]
pub(super) struct Spawner {
    epoll: Rc<OwnedFd>,
    null: OwnedFd,
    /// Our own standard output and standard error.
    stdout: OwnedFd,
    stderr: OwnedFd,
    attributes: PosixSpawnAttr,
    actions: PosixSpawnFileActions,
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
        // The leader of a new process group, with no signal blocked and none ignored.
        let mut attributes = PosixSpawnAttr::init()?;
        let signals = PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF;
        attributes.set_flags(signals | PosixSpawnFlags::POSIX_SPAWN_SETPGROUP)?;
        attributes.set_pgroup(nix::unistd::Pid::from_raw(0))?;
        attributes.set_sigmask(&SigSet::empty())?;
        attributes.set_sigdefault(&SigSet::all())?;
        Ok(Self { epoll, null, stdout, stderr, attributes, actions: PosixSpawnFileActions::init()? })
    }

    /// Starts the program of an attempt as the leader of a new process group, with the inherited variables that the launch
    /// does not override. The epoll reports its exit and its output under `tokens`.
    ///
    /// With a control group, or if a file server `may_block` the start, the trampoline is started instead.
    pub(super) fn spawn(
        &self,
        launch: &Launch,
        inherited: &[Variable],
        (group, may_block): (Option<&Path>, bool),
        (exit_token, output_token): (u64, u64),
    ) -> Result<Spawned, StartFailure> {
        let mut arguments = launch.arguments();
        let Some(name) = arguments.next() else {
            return Err(StartFailure { code: NOT_FOUND, detail: "the command is empty".to_owned() });
        };
        let directory = launch.working_directory.as_ref().map(|folder| Path::new(OsStr::from_bytes(folder)));
        let own = launch.environment.iter().rev();
        let path = own.chain(inherited).find(|(variable, _)| variable.as_slice() == b"PATH");
        let path = path.map(|(_, value)| OsStr::from_bytes(value));
        let program = Program { name, arguments: arguments.collect(), directory, path };
        let (found, arguments, directory, sockets) = if group.is_some() || may_block {
            let sockets = socket_pair().map_err(|error| program.explain(&error, Path::new("")))?;
            (PathBuf::from("/proc/self/exe"), trampoline::arguments(&program, group), None, Some(sockets))
        } else {
            let arguments = [name].into_iter().chain(program.arguments.iter().copied()).collect();
            (program.locate()?, arguments, directory, None)
        };
        let (trampoline, input) = sockets.unzip();
        let started = Command::new(&found, &arguments, launch, inherited)
            .and_then(|command| self.start(&command, directory, input.as_ref()));
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
    fn start(
        &self,
        command: &Command,
        directory: Option<&Path>,
        input: Option<&UnixStream>,
    ) -> io::Result<(Pid, OwnedFd, OwnedFd)> {
        let (output, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&output, true)?;
        let enter = || {
            dup2_stdout(&theirs)?;
            dup2_stderr(&theirs)?;
            input.map_or(Ok(()), dup2_stdin)?;
            directory.map_or(Ok(()), rustix::process::chdir)
        };
        let spawned = enter().map_err(io::Error::from).and_then(|()| {
            let Command { path, arguments, environment } = command;
            let pid = posix_spawn(path.as_c_str(), &self.actions, &self.attributes, arguments, environment)?;
            Pid::from_raw(pid.as_raw()).ok_or_else(|| Errno::ESRCH.into())
        });
        // The pipe is closed once no process has it, so we may not keep it. These calls do not fail.
        let _ = dup2_stdout(&self.stdout);
        let _ = dup2_stderr(&self.stderr);
        if input.is_some() {
            let _ = dup2_stdin(&self.null);
        }
        if directory.is_some() {
            let _ = rustix::process::chdir(WORKING_DIRECTORY);
        }
        Ok((spawned?, output, theirs))
    }
}

/// A program, its arguments and its environment, as the kernel takes them.
struct Command {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Command {
    fn new(path: &Path, arguments: &[&OsStr], launch: &Launch, inherited: &[Variable]) -> io::Result<Self> {
        let own = &launch.environment;
        let is_own = |name: &[u8]| own.iter().any(|(other, _)| other.as_slice() == name);
        let kept = inherited.iter().filter(|(name, _)| !is_own(name)).chain(own);
        let mut environment = Vec::with_capacity(inherited.len().saturating_add(own.len()).saturating_add(1));
        for (name, value) in kept.filter(|(name, _)| name.as_slice() != ATTEMPT_VARIABLE.as_bytes()) {
            environment.push(CString::new([name, &b"="[..], value].concat())?);
        }
        environment.push(CString::new(format!("{ATTEMPT_VARIABLE}={}", launch.attempt))?);
        Ok(Self {
            path: CString::new(path.as_os_str().as_bytes())?,
            arguments: arguments.iter().map(|text| CString::new(text.as_bytes())).collect::<Result<_, _>>()?,
            environment,
        })
    }
}

/// The ends of a socket: ours, which does not block, and the trampoline's.
fn socket_pair() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((ours, theirs))
}

/// Kills a process that cannot be watched: a start that fails is better than a job that the warden cannot see.
fn abandon(pid: Pid, error: rustix::io::Errno) -> StartFailure {
    let _ = kill_process_group(pid, Signal::KILL);
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED) {}
    StartFailure { code: NOT_STARTED, detail: format!("its process could not be watched, and was killed: {error}") }
}
