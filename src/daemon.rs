//! The daemon: runs the control over the registry, the ledger, the warden, signals and systemd.
//!
//! It decides nothing. Two threads share one [`executor`]: the [`ledger_thread`] is on the way of every date, the
//! [`signal_thread`] takes signals.

mod catch_up_notice;
mod executor;
mod heartbeat;
mod launch;
mod ledger_thread;
mod notices;
mod operate;
mod options;
pub mod reporter;
mod signal_thread;
mod start;
mod test_run;

use std::process::ExitCode;

use crate::control::Mode;
use reporter::FlushAtEnd;
use signal_thread::SignalQueue;

pub(crate) use operate::Operator;
pub use options::Options;
pub use reporter::LogFormat;
pub(crate) use test_run::{Closed, Probed, TestRun};

/// Runs the daemon until it is told to stop.
#[must_use]
pub fn serve(options: Options) -> ExitCode {
    run(options, Mode::Serve)
}

/// Attempts all that is due, and ends. Exit code 1 says that an attempt of this wake failed.
#[must_use]
pub fn once(options: Options) -> ExitCode {
    run(options, Mode::Once)
}

fn run(options: Options, mode: Mode) -> ExitCode {
    let _flush = FlushAtEnd;
    let mut signals = match SignalQueue::new() {
        Ok(signals) => signals,
        Err(error) => return start::fail(&format!("cannot listen to signals: {error}"), 1),
    };
    match signals.runtime.block_on(start::start(options, mode, &mut signals.signals)) {
        Ok(prepared) => signal_thread::run(prepared, &mut signals),
        Err(code) => code,
    }
}
