//! The real daemon, with real processes, signals, databases and clocks.

#[path = "daemon/attempts.rs"]
mod attempts;
#[path = "daemon/backends.rs"]
mod backends;
#[path = "daemon/clock.rs"]
mod clock;
#[path = "daemon/crash.rs"]
mod crash;
#[path = "daemon/dependencies.rs"]
mod dependencies;
#[path = "daemon/follow.rs"]
mod follow;
#[path = "daemon/health.rs"]
mod health;
#[path = "support/lab.rs"]
mod lab;
#[path = "daemon/limits.rs"]
mod limits;
#[path = "daemon/log_output.rs"]
mod log_output;
#[path = "daemon/once.rs"]
mod once;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "daemon/readme.rs"]
mod readme;
#[path = "daemon/reload.rs"]
mod reload;
#[path = "daemon/requests.rs"]
mod requests;
#[path = "daemon/start.rs"]
mod start;
#[path = "daemon/stop.rs"]
mod stop;
#[path = "daemon/stopped_readers.rs"]
mod stopped_readers;
#[path = "daemon/verify.rs"]
mod verify;
