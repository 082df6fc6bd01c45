//! The exit codes of every command.

/// The command failed, or what it was asked for was refused.
pub const FAILED: u8 = 1;

/// Usage error.
pub const USAGE: u8 = 2;

/// Another crontabber holds the ledger.
pub const BUSY: u8 = 3;

/// The registry has mistakes or does not exist: systemd need not restart the daemon.
pub const REGISTRY: u8 = 78;
