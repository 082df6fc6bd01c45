//! The environment of jobs.

use std::ffi::OsString;

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
    let is_for_jobs = |name: &OsString| {
        let name = name.to_string_lossy();
        !name.starts_with("CRONTABBER_") && !NOT_FOR_JOBS.contains(&name.as_ref())
    };
    std::env::vars_os().filter(|(name, _)| is_for_jobs(name)).collect()
}
