//! Starts one program, and says in words why one could not be started.
//!
//! Always by `posix_spawn`, whose cost does not grow with our memory. The standard library takes that road only where
//! nothing has to happen in the child: so the program is searched here, and `pre_exec`, user and group are never set.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid};

use super::ATTEMPT_VARIABLE;
use super::protocol::Launch;

/// Where a program is searched when its environment has no `PATH`, as execvp(3) does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The exit status that shells give for a command that was not found.
const NOT_FOUND: i32 = 127;
/// The exit status that shells give for a command that cannot be executed.
const NOT_EXECUTABLE: i32 = 126;
/// The exit status that `env` and its like give where the fault is not the command's.
pub(super) const NOT_STARTED: i32 = 125;

/// A process that was started, and is not yet reaped.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    /// The end of its output that we read; never blocks.
    pub(super) output: OwnedFd,
    /// Where a stand-in says why it could not start the program.
    pub(super) trampoline: Option<UnixStream>,
}

/// Why an attempt has no process, as an exit status and a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StartFailure {
    pub(super) code: i32,
    pub(super) detail: String,
}

/// Where the events of a process go: an epoll, and the data for its end and its output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch<'a> {
    pub(super) epoll: &'a OwnedFd,
    pub(super) end: u64,
    pub(super) output: u64,
}

/// What is to be executed: a program with its arguments, where, and where it is searched.
#[derive(Debug)]
pub(super) struct Program<'a> {
    pub(super) name: &'a OsStr,
    pub(super) arguments: Vec<&'a OsStr>,
    pub(super) directory: Option<&'a Path>,
    pub(super) path: Option<&'a OsStr>,
}

/// Starts the program of an attempt as the leader of a new process group, with this environment and no other.
///
/// With `group` (a control group) or `slow` (a file server may hold it up) our own program is started in its place, and
/// turns into it: what could take its time then takes its time over there.
pub(super) fn spawn(
    start: &Launch,
    environment: &[(&OsStr, &OsStr)],
    (group, slow): (Option<&Path>, bool),
    watch: Watch<'_>,
) -> Result<Spawned, StartFailure> {
    let mut arguments = start.arguments();
    let Some(name) = arguments.next() else {
        return Err(StartFailure { code: NOT_FOUND, detail: "the command is empty".to_owned() });
    };
    let directory = start.working_directory.as_ref().map(|folder| Path::new(OsStr::from_bytes(folder)));
    let path = environment.iter().rev().find(|(variable, _)| *variable == "PATH").map(|(_, value)| *value);
    let program = Program { name, arguments: arguments.collect(), directory, path };
    let unstarted = |error: &io::Error, found: &Path| program.explain(error, found);
    let (mut command, found, trampoline) = if group.is_some() || slow {
        let (ours, theirs) = UnixStream::pair().map_err(|error| unstarted(&error, Path::new("")))?;
        ours.set_nonblocking(true).map_err(|error| unstarted(&error, Path::new("")))?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0(name).arg(TRAMPOLINE).arg(group.unwrap_or(Path::new(""))).arg(directory.unwrap_or(Path::new("")));
        command.arg(name).stdin(OwnedFd::from(theirs));
        (command, PathBuf::from("/proc/self/exe"), Some(ours))
    } else {
        let found = program.locate()?;
        let mut command = Command::new(&found);
        command.arg0(name).stdin(Stdio::null());
        if let Some(folder) = directory {
            command.current_dir(folder);
        }
        (command, found, None)
    };
    command.args(&program.arguments).env_clear().process_group(0).envs(environment.iter().copied());
    command.env(ATTEMPT_VARIABLE, &start.attempt);
    let piped = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from).and_then(|(output, theirs)| {
        rustix::io::ioctl_fionbio(&output, true)?;
        let theirs_too = theirs.try_clone()?;
        Ok((output, theirs, theirs_too))
    });
    let (output, theirs, theirs_too) = piped.map_err(|error| unstarted(&error, &found))?;
    let child = command.stdout(theirs).stderr(theirs_too).spawn().map_err(|error| unstarted(&error, &found))?;
    // Our copies of its output go now, so that the pipe ends when its last holder does.
    drop(command);
    let pid = Pid::from_child(&child);
    let spawned = take_up(pid, &output, watch).map(|pidfd| Spawned { pid, pidfd, output, trampoline });
    spawned.map_err(|error| abandon(pid, &error))
}

/// Gets hold of a process that has just been started.
fn take_up(pid: Pid, output: &OwnedFd, watch: Watch<'_>) -> io::Result<OwnedFd> {
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    epoll::add(watch.epoll, &pidfd, EventData::new_u64(watch.end), EventFlags::IN)?;
    epoll::add(watch.epoll, output, EventData::new_u64(watch.output), EventFlags::IN)?;
    Ok(pidfd)
}

/// Ends a process that cannot be watched: better a start that failed than a job that nobody knows of.
fn abandon(pid: Pid, error: &io::Error) -> StartFailure {
    let _ = kill_process_group(pid, Signal::KILL);
    while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED) {}
    StartFailure { code: NOT_STARTED, detail: format!("its process could not be watched, and was killed: {error}") }
}

/// The first argument of our own program where it stands in for another until it turns into that.
pub const TRAMPOLINE: &str = "warden-stand-in";

/// Turns this process into the program that its arguments name, as [`spawn`] puts them: [`TRAMPOLINE`], a control group, a
/// folder (each may be empty), the program and its arguments. Comes back only when that failed: then the reason was
/// written to our input, which is the warden's socket, and this is the exit status.
#[must_use]
pub fn trampoline(mut arguments: impl Iterator<Item = OsString>) -> u8 {
    let (group, directory) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let arguments: Vec<OsString> = arguments.collect();
    let Some((name, rest)) = arguments.split_first() else { return 2 };
    // It closes by itself when the program takes our place.
    let socket = io::stdin().as_fd().try_clone_to_owned();
    if !group.is_empty() {
        // In the warden's own group it runs as well; only its group's end and measure are less exact.
        let _ = fs::write(Path::new(&group).join("cgroup.procs"), "0");
    }
    let path = std::env::var_os("PATH");
    let directory = Some(Path::new(&directory)).filter(|folder| !folder.as_os_str().is_empty());
    let arguments = rest.iter().map(OsString::as_os_str).collect();
    let program = Program { name, arguments, directory, path: path.as_deref() };
    let failure = match program.locate() {
        Ok(found) => {
            let mut command = Command::new(&found);
            command.arg0(name).args(&program.arguments).stdin(Stdio::null());
            if let Some(folder) = directory {
                command.current_dir(folder);
            }
            program.explain(&command.exec(), &found)
        }
        Err(failure) => failure,
    };
    if let Ok(socket) = socket {
        let _ = File::from(socket).write_all(failure.detail.as_bytes());
    }
    u8::try_from(failure.code).unwrap_or(u8::MAX)
}

impl Program<'_> {
    /// Finds the program, in the `PATH` of its own environment if it has no slash.
    fn locate(&self) -> Result<PathBuf, StartFailure> {
        let name = self.name;
        if name.as_bytes().contains(&b'/') {
            return Ok(PathBuf::from(name));
        }
        let shown = name.display();
        if name.is_empty() {
            return Err(StartFailure { code: NOT_FOUND, detail: "the name of the command is empty".to_owned() });
        }
        let path = self.path.unwrap_or(OsStr::new(DEFAULT_PATH));
        let mut refused = None;
        for folder in std::env::split_paths(path) {
            // An empty entry means the working directory; either way the name must have a slash from here on.
            let candidate = if folder.as_os_str().is_empty() { Path::new(".").join(name) } else { folder.join(name) };
            let seen = self.seen(&candidate);
            if !fs::metadata(&seen).is_ok_and(|metadata| metadata.is_file()) {
                continue;
            }
            if may_execute(&seen) {
                return Ok(candidate);
            }
            refused.get_or_insert(candidate);
        }
        Err(match refused {
            Some(found) => StartFailure {
                code: NOT_EXECUTABLE,
                detail: format!("command `{shown}` is not executable: `{}` is the only one in PATH", found.display()),
            },
            None => StartFailure {
                code: NOT_FOUND,
                detail: format!("command `{shown}` not found in PATH `{}`", path.display()),
            },
        })
    }

    /// A path of the program as we see it from where we are.
    fn seen(&self, path: &Path) -> PathBuf {
        self.directory.map_or_else(|| path.to_owned(), |folder| folder.join(path))
    }

    /// Says what an error of the start means. The kernel has one word for many faults, so we look what is there.
    fn explain(&self, error: &io::Error, program: &Path) -> StartFailure {
        let shown = self.name.display();
        let failure = |code, detail| StartFailure { code, detail };
        if let Some(folder) = self.directory {
            let reason = match fs::metadata(folder) {
                Err(error) => Some(error.to_string()),
                Ok(metadata) if !metadata.is_dir() => Some("not a directory".to_owned()),
                Ok(_) if !may_execute(folder) => Some("permission denied".to_owned()),
                Ok(_) => None,
            };
            if let Some(reason) = reason {
                return failure(
                    NOT_STARTED,
                    format!("working directory `{}` cannot be entered: {reason}", folder.display()),
                );
            }
        }
        let seen = self.seen(program);
        match Errno::from_io_error(error) {
            Some(Errno::NOENT | Errno::NOTDIR) => match (seen.exists(), interpreter(&seen)) {
                (true, Some(interpreter)) => failure(
                    NOT_EXECUTABLE,
                    format!("command `{shown}` cannot be executed: its interpreter `{interpreter}` is missing"),
                ),
                (true, None) => failure(
                    NOT_EXECUTABLE,
                    format!("command `{shown}` cannot be executed: the loader it needs is missing"),
                ),
                (false, _) => failure(NOT_FOUND, format!("command `{shown}` not found")),
            },
            Some(Errno::ACCESS | Errno::ISDIR | Errno::PERM) => {
                let reason = if seen.is_dir() { "it is a directory".to_owned() } else { error.to_string() };
                failure(NOT_EXECUTABLE, format!("command `{shown}` is not executable: {reason}"))
            }
            Some(Errno::NOEXEC) => failure(
                NOT_EXECUTABLE,
                format!(
                    "command `{shown}` cannot be executed: it is neither a program of this machine nor begins with `#!`"
                ),
            ),
            Some(Errno::TXTBSY | Errno::TOOBIG | Errno::LOOP | Errno::NAMETOOLONG) => {
                failure(NOT_EXECUTABLE, format!("command `{shown}` cannot be executed: {error}"))
            }
            _ => failure(NOT_STARTED, format!("command `{shown}` could not be started: {error}")),
        }
    }
}

fn may_execute(path: &Path) -> bool {
    accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// Reads which interpreter a script names.
fn interpreter(script: &Path) -> Option<String> {
    let mut line = Vec::new();
    BufReader::new(File::open(script).ok()?.take(256)).read_until(b'\n', &mut line).ok()?;
    let text = String::from_utf8_lossy(line.strip_prefix(b"#!")?).into_owned();
    text.split_whitespace().next().map(str::to_owned)
}
