//! `crontabber warden`: the process that owns the job processes.

use std::io::Write;
use std::process::ExitCode;

use tracing_subscriber::fmt;

use super::arguments::WardenArguments;
use super::failure::Failure;
use crate::paths;
use crate::warden::{Log, Service, serve};

/// Serves until there is nothing to do.
pub(super) fn warden(asked: WardenArguments) -> Result<ExitCode, Failure> {
    let mut log = Log::stderr().map_err(|error| Failure::new(format!("standard error cannot be used: {error}")))?;
    let writer = log.clone();
    _ = fmt().with_writer(move || writer.clone()).with_target(false).with_ansi(false).try_init();
    let folder = asked.folder.or_else(paths::warden_of_unit);
    let folder =
        folder.ok_or_else(|| Failure::usage("the warden needs `--folder` or `$STATE_DIRECTORY`".to_owned()))?;
    let service = Service { folder, managed: asked.managed, version: env!("CARGO_PKG_VERSION").to_owned() };
    let served = serve(service);
    if let Err(error) = &served {
        _ = log.write_all(format!("error: {error}\n").as_bytes());
    }
    log.finish();
    Ok(if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
