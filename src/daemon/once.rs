//! One wake: all that is due now, then the end.

use std::process::ExitCode;

use super::start::{self, Mode};
use super::{Options, stop};

/// Attempts all that is due, and ends. Exit code 1 says that an attempt of this wake failed.
#[must_use]
pub fn once(options: Options) -> ExitCode {
    start::with_runtime(async {
        let mut signals = match stop::signals() {
            Ok(signals) => signals,
            Err(error) => return start::fail(&format!("cannot listen to signals: {error}"), 1),
        };
        match start::start(options, Mode::Once, &mut signals).await {
            Ok(mut daemon) => daemon.run(&mut signals).await,
            Err(code) => code,
        }
    })
}
