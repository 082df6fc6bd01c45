//! The real daemon, with real processes, signals, databases and clocks.

mod attempts;
mod backends;
mod broken_registry;
mod clock;
mod crash;
mod dependencies;
#[path = "../support/disk.rs"]
mod disk;
mod edits;
mod follow;
mod health;
mod heartbeat;
mod held;
mod identity;
#[path = "../support/lab.rs"]
mod lab;
mod last_success;
mod limits;
mod log_output;
mod once;
mod other_ledgers;
mod pause;
#[path = "../support/postgres.rs"]
mod postgres;
mod readme;
mod reload;
mod rename;
mod requests;
mod run;
mod start;
mod stop;
mod stopped_readers;
mod verify;
