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

mod attempt;
mod cgroup;
mod client;
mod environment;
mod exit;
mod foreground;
pub mod journal;
mod log;
mod network_fs;
mod output;
mod pending_end;
mod pipe;
mod process;
mod procfs;
mod program;
pub mod protocol;
mod reparented;
mod server;
mod signals;
mod spawn;
mod supervisor;
mod trampoline;

pub use attempt::ATTEMPT_VARIABLE;
pub use environment::{environment_of, inherited_environment};
pub use foreground::{Foreground, ForegroundOutput};
pub use log::Log;
pub use procfs::{age, boot_id, find_orphans, is_alive, process_identity};
pub use server::{Service, serve};
pub use trampoline::{TRAMPOLINE, trampoline};
