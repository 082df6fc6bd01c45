//! The environment of jobs.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// What systemd sets for the daemon alone.
const NOT_FOR_JOBS: [&str; 11] = [
    "CREDENTIALS_DIRECTORY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "MAINPID",
    "NOTIFY_SOCKET",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// The part of our environment that jobs inherit: without our own variables, one of which may hold a password.
#[must_use]
pub fn inherited_environment() -> Vec<(OsString, OsString)> {
    for_jobs(std::env::vars_os())
}

/// The part of the environment that jobs inherit from the daemon with this process number; `None` if it cannot be read.
#[must_use]
pub fn environment_of(pid: u32) -> Option<Vec<(OsString, OsString)>> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variables = environment.split(|&byte| byte == 0).filter_map(|variable| {
        let equals = variable.iter().position(|&byte| byte == b'=')?;
        let (name, value) = variable.split_at_checked(equals)?;
        let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        Some((text(name), text(value.strip_prefix(b"=")?)))
    });
    Some(for_jobs(variables))
}

fn for_jobs(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let is_for_jobs = |name: &OsString| {
        let name = name.to_string_lossy();
        !name.starts_with("CRONTABBER_") && !NOT_FOR_JOBS.contains(&name.as_ref())
    };
    variables.filter(|(name, _)| is_for_jobs(name)).collect()
}
