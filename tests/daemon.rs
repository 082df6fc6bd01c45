//! The real daemon, with real processes, signals, databases and clocks.

#[path = "daemon/backends.rs"]
mod backends;
#[path = "daemon/clock.rs"]
mod clock;
#[path = "daemon/follow.rs"]
mod follow;
#[path = "support/lab.rs"]
mod lab;
#[path = "daemon/life.rs"]
mod life;
#[path = "daemon/needs.rs"]
mod needs;
#[path = "daemon/operator.rs"]
mod operator;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "daemon/readme.rs"]
mod readme;
#[path = "daemon/stopped_readers.rs"]
mod stopped_readers;
#[path = "daemon/verify.rs"]
mod verify;
