//! The warden: the parent of all job processes. It owns their output, their timeouts and their exit statuses, so that the
//! daemon can be killed or upgraded while they run.
//!
//! It is one process with one thread, this binary executed again, and waits for clients, jobs and deadlines in one epoll.
//! What must survive it is in the [`journal`]; daemons speak the [`protocol`]. It knows attempts only by name, and decides
//! nothing about them.
//!
//! Nothing in this module may panic, since a panic would lose the exit status of every job that runs; the lints below
//! enforce that. A client that hangs up, a process that has exited and a full disk are normal.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod cgroup;
mod client;
mod exit;
pub mod journal;
mod log;
mod network_fs;
mod output;
mod process;
mod procfs;
mod program;
pub mod protocol;
mod server;
mod signals;
mod spawn;
mod supervisor;
mod trampoline;

use std::ffi::OsString;
use std::rc::Rc;

pub use log::Log;
pub use procfs::{boot_id, find_orphans, is_alive, process_identity};
pub use server::{Service, serve};
pub use trampoline::{TRAMPOLINE, trampoline};

/// The name of an attempt: its key, `@`, and the suffix of its ledger, which alone the warden reads.
type Id = Rc<str>;

/// The variable with the name of the attempt in the environment of its process. [`find_orphans`] uses it to find a process
/// whose warden was killed before it recorded the process.
pub const ATTEMPT_VARIABLE: &str = "CRONTABBER_ATTEMPT_ID";

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

/// The suffix of the ledger in the name of an attempt.
fn ledger_of(attempt: &str) -> &str {
    attempt.rsplit_once('@').map_or("", |(_, ledger)| ledger)
}
