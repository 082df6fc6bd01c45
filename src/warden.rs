//! The warden: the parent of all job processes. It owns their output, their time limits and their ends, so that the daemon
//! can be killed or upgraded while they run.
//!
//! One process with one thread, our own binary re-executed: it waits for its clients, its jobs and their deadlines all at
//! once. What must survive it is in the [`spool`]; what it says is in the [`protocol`]. It knows attempts by name only,
//! and decides nothing about them.
//!
//! Nothing in this module may panic, for a panic would lose the exit status of every job that runs: the lints below hold
//! it to that. A client that vanishes, a process that is gone and a disk that is full are ordinary events.
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
pub mod protocol;
mod server;
mod signals;
mod spawn;
mod supervisor;

use std::ffi::OsString;
use std::rc::Rc;

pub use log::Log;
pub use procfs::{boot_id, find_orphans, is_alive, process_identity};
pub use server::{Service, serve};
pub use spawn::{TRAMPOLINE, trampoline};

/// The name of an attempt, as it came: the warden reads nothing out of it but the mark of its ledger.
type Id = Rc<str>;

/// Set in the environment of every attempt, to its name: by it [`find_orphans`] knows a process whose warden died before
/// it could write down whom it had started.
pub const ATTEMPT_VARIABLE: &str = "CRONTABBER_ATTEMPT_ID";

/// What systemd told us, and nobody else; and where the ledger is, with its password maybe.
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

/// What jobs inherit of our environment.
#[must_use]
pub fn inherited_environment() -> Vec<(OsString, OsString)> {
    let is_for_jobs = |name: &OsString| {
        let name = name.to_string_lossy();
        !name.starts_with("CRONTABBER_") && !NOT_FOR_JOBS.contains(&name.as_ref())
    };
    std::env::vars_os().filter(|(name, _)| is_for_jobs(name)).collect()
}

/// The mark of the ledger in the name of an attempt: what follows the last `@`.
#[must_use]
pub fn mark_of(attempt: &str) -> &str {
    attempt.rsplit_once('@').map_or("", |(_, mark)| mark)
}
