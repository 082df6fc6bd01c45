//! Starts one program, and says in words why one could not be started.
//!
//! Always by `posix_spawn`, whose cost does not grow with our memory. The standard library takes that road only where
//! nothing has to happen in the child: so the program is searched here, and `pre_exec`, user and group are never set.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid};

use super::{ATTEMPT_VARIABLE, Launch};

/// Where a program is searched when its environment has no `PATH`, as execvp(3) does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The exit status that shells give for a command that was not found.
const NOT_FOUND: i32 = 127;
/// The exit status that shells give for a command that cannot be executed.
const NOT_EXECUTABLE: i32 = 126;
/// The exit status that `env` and its like give where the fault is not the command's.
const NOT_STARTED: i32 = 125;

/// A process that was started, and is not yet reaped.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    /// The end of its output that we read; never blocks.
    pub(super) output: OwnedFd,
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

/// Starts the program of an attempt as the leader of a new process group.
///
/// Its descriptors are in the epoll already, though not yet armed: so the one who waits there cannot fail to watch a
/// process that lives.
pub(super) fn spawn(launch: &Launch, watch: Watch<'_>) -> Result<Spawned, StartFailure> {
    let Some((name, arguments)) = launch.program.argv.split_first() else {
        return Err(StartFailure { code: NOT_FOUND, detail: "the command is empty".to_owned() });
    };
    let program = locate(name, launch)?;
    let unstarted = |error: io::Error| explain(&error, name, &program, launch);
    let (output, theirs) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| unstarted(error.into()))?;
    rustix::io::ioctl_fionbio(&output, true).map_err(|error| unstarted(error.into()))?;
    let theirs_too = theirs.try_clone().map_err(unstarted)?;
    let mut command = Command::new(&program);
    command.arg0(name).args(arguments).env_clear().process_group(0);
    command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
    if !launch.environment.iter().any(|(name, _)| name == ATTEMPT_VARIABLE) {
        command.env(ATTEMPT_VARIABLE, launch.attempt.to_string());
    }
    command.stdin(Stdio::null()).stdout(theirs).stderr(theirs_too);
    if let Some(folder) = &launch.working_directory {
        command.current_dir(folder);
    }
    let child = command.spawn().map_err(unstarted)?;
    // Our copies of its output go now, so that the pipe ends when its last holder does.
    drop(command);
    let pid = Pid::from_child(&child);
    take_up(pid, &output, watch).map(|pidfd| Spawned { pid, pidfd, output }).map_err(|error| abandon(pid, &error))
}

/// Gets hold of a process that has just been started.
fn take_up(pid: Pid, output: &OwnedFd, watch: Watch<'_>) -> io::Result<OwnedFd> {
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    epoll::add(watch.epoll, &pidfd, EventData::new_u64(watch.end), EventFlags::ONESHOT)?;
    epoll::add(watch.epoll, output, EventData::new_u64(watch.output), EventFlags::ONESHOT)?;
    Ok(pidfd)
}

/// Ends a process that cannot be watched: better a start that failed than a job that nobody knows of.
fn abandon(pid: Pid, error: &io::Error) -> StartFailure {
    let _ = kill_process_group(pid, Signal::KILL);
    while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED) {}
    StartFailure { code: NOT_STARTED, detail: format!("its process could not be watched, and was killed: {error}") }
}

/// Finds the program that a command means, in the `PATH` of its own environment if it has no slash.
fn locate(name: &OsStr, launch: &Launch) -> Result<PathBuf, StartFailure> {
    if name.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(name));
    }
    let shown = name.display();
    if name.is_empty() {
        return Err(StartFailure { code: NOT_FOUND, detail: "the name of the command is empty".to_owned() });
    }
    let path = launch.environment.iter().rev().find(|(variable, _)| variable == "PATH").map(|(_, value)| value);
    let path = path.map_or(OsStr::new(DEFAULT_PATH), OsString::as_os_str);
    let mut refused = None;
    for folder in std::env::split_paths(path) {
        // An empty entry means the working directory; either way the name must have a slash from here on.
        let candidate = if folder.as_os_str().is_empty() { Path::new(".").join(name) } else { folder.join(name) };
        let seen = in_working_directory(&candidate, launch);
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

fn in_working_directory(path: &Path, launch: &Launch) -> PathBuf {
    launch.working_directory.as_ref().map_or_else(|| path.to_owned(), |folder| folder.join(path))
}

fn may_execute(path: &Path) -> bool {
    accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// Says what an error of the start means. The kernel has one word for many faults, so we look what is there.
fn explain(error: &io::Error, name: &OsStr, program: &Path, launch: &Launch) -> StartFailure {
    let shown = name.display();
    let failure = |code, detail| StartFailure { code, detail };
    if let Some(folder) = &launch.working_directory {
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
    let seen = in_working_directory(program, launch);
    match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::NOTDIR) => match (seen.exists(), interpreter(&seen)) {
            (true, Some(interpreter)) => failure(
                NOT_EXECUTABLE,
                format!("command `{shown}` cannot be executed: its interpreter `{interpreter}` is missing"),
            ),
            (true, None) => {
                failure(NOT_EXECUTABLE, format!("command `{shown}` cannot be executed: the loader it needs is missing"))
            }
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

/// Reads which interpreter a script names.
fn interpreter(script: &Path) -> Option<String> {
    let mut line = Vec::new();
    BufReader::new(File::open(script).ok()?.take(256)).read_until(b'\n', &mut line).ok()?;
    let text = String::from_utf8_lossy(line.strip_prefix(b"#!")?).into_owned();
    text.split_whitespace().next().map(str::to_owned)
}
