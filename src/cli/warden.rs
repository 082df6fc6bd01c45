//! `crontabber warden`: the process that owns the job processes.

use std::io;
use std::process::ExitCode;

use tracing_subscriber::fmt;

use super::arguments::Warden;
use super::failure::Failure;
use crate::paths;
use crate::warden::{Service, serve};

/// Serves until there is nothing to do.
pub(super) fn warden(asked: Warden) -> Result<ExitCode, Failure> {
    // Its log is a file of its own, or the journal by way of it. What cannot be written there is told to nobody: to say so
    // on standard error, which is the same file, would be a panic on a full disk.
    _ = fmt().with_writer(io::stderr).with_target(false).with_ansi(false).log_internal_errors(false).try_init();
    let folder = asked.folder.or_else(paths::warden_of_unit);
    let folder =
        folder.ok_or_else(|| Failure::usage("the warden needs `--folder` or `$STATE_DIRECTORY`".to_owned()))?;
    let service = Service { folder, managed: asked.managed, version: env!("CARGO_PKG_VERSION").to_owned() };
    match serve(service) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::new(error.to_string())),
    }
}
