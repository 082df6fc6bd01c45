//! What the command line says about a daemon.

use std::path::PathBuf;

use super::reporter::LogFormat;

/// What the command line says about a daemon.
#[derive(Debug, Clone)]
pub struct Options {
    pub registry: PathBuf,
    /// The ledger, as said on the command line or in the environment.
    pub ledger: Option<String>,
    /// How to write the log.
    pub log_format: Option<LogFormat>,
    /// Log warnings and errors only.
    pub quiet: bool,
}
