//! The trampoline: this binary, started in the place of a job's program, which it then executes.
//!
//! What may block (a program on a file server) blocks the trampoline instead of the warden; and the trampoline enters the
//! job's control group before the job exists.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::program::Program;

/// The first argument of this binary as a trampoline.
pub const TRAMPOLINE: &str = "warden-trampoline";

/// The arguments that start the trampoline for a program.
pub(super) fn arguments<'a>(program: &Program<'a>, group: Option<&'a Path>) -> Vec<&'a OsStr> {
    let path = |path: Option<&'a Path>| path.unwrap_or(Path::new("")).as_os_str();
    let own = [program.name, OsStr::new(TRAMPOLINE), path(group), path(program.directory), program.name];
    own.into_iter().chain(program.arguments.iter().copied()).collect()
}

/// Executes the program that the arguments name, as [`arguments`] puts them: a control group and a working directory (each
/// may be empty), the program and its arguments. Returns only when that failed: the reason was written to standard input,
/// which is a socket of the warden, and the value is the exit status.
#[must_use]
pub fn trampoline(mut arguments: impl Iterator<Item = OsString>) -> u8 {
    let (group, directory) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let arguments: Vec<OsString> = arguments.collect();
    let Some((name, rest)) = arguments.split_first() else { return 2 };
    // Closed by a successful exec.
    let socket = io::stdin().as_fd().try_clone_to_owned();
    if !group.is_empty() {
        // If this fails, the job runs in the warden's group: only its end and its usage are less exact.
        let _ = fs::write(Path::new(&group).join("cgroup.procs"), "0");
    }
    let path = std::env::var_os("PATH");
    let directory = Some(Path::new(&directory)).filter(|folder| !folder.as_os_str().is_empty());
    let arguments = rest.iter().map(OsString::as_os_str).collect();
    let program = Program { name: OsStr::new(name), arguments, directory, path: path.as_deref() };
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
    failure.code
}
