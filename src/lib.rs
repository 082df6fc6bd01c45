//! A job daemon for jobs that are about a date.
//!
//! The ledger has one row per job and date. The daemon runs failed and missed dates first, oldest first; then it runs the
//! dates that have just come due. `docs/architecture.md` describes threads, crashes and terms.
//!
//! # The promises
//! - P1 **once**: a (job, date) that succeeded is never started again, unless an operator explicitly asks for it.
//! - P2 **alone**: two attempts at one (job, date) never overlap; neither do two dates of a job in strict order.
//! - P3 **in order**: in strict order a date starts only when every earlier date of its job is settled.
//! - P4 **none lost**: every date between a job's start and its watermark has a row in the ledger.
//! - P5 **forward**: the watermark only moves forward, except for an operator's reset, which is recorded.
//! - P6 **true outcomes**: an outcome that cannot be known is recorded as `lost`, never guessed.
//! - P7 **explained**: one command says what happened to a date and what happens next; the audit has every act of an operator.
//! - P8 **self-healing**: failed and missed dates are attempted again without a request.
//!
//! # The data flow
//! [`registry`] (TOML to jobs) → [`schedule`] (job to dates) → [`scheduler`] (what to do now) → [`control`] (in which
//! order) → [`ledger`] (written first) → [`warden_client`] (then started) → [`warden`] (exit status) → [`ledger`].
//!
//! # The modules
//! A module imports only modules of lower layers, and those of its own layer that `tests/tidy.rs` lists.
//!
//! Wiring:
//! - [`cli`]: parses arguments, and prints what `report` and `submit` return
//! - [`daemon`]: the threads that run the control; signals, reload, effects, the log
//! - [`submit`]: previews, posts and awaits an operator's request
//! - [`report`]: what the commands say about jobs and dates, as data
//! - [`exit_code`]: the exit codes of every command
//! - [`systemd`]: readiness, status and watchdog messages
//! - [`paths`]: where the registry, the ledger, the logs and the warden are
//!
//! Shell:
//! - [`registry`]: reads and checks the TOML files
//! - [`ledger`]: reads and writes sessions and attempts, on SQLite or PostgreSQL
//! - [`warden_client`]: finds or starts the warden, sends requests, reads events
//! - [`warden`]: the process that owns the job processes
//! - [`log_queue`]: writes the log on a thread of its own
//! - [`clock`]: the only reader of the wall clock
//! - [`environment`]: host, user, and whether a terminal takes color
//!
//! Core, a crate of its own without I/O ([`crontabber_core`]): [`control`], [`scheduler`], [`invariants`], [`session`], [`job`],
//! [`schedule`], [`duration`], [`text`].

pub use crontabber_core::{control, duration, invariants, job, schedule, scheduler, session, text};

pub mod cli;
pub mod clock;
pub mod daemon;
pub mod environment;
pub mod exit_code;
pub mod ledger;
pub mod log_queue;
pub mod paths;
pub mod registry;
pub mod report;
pub mod submit;
pub mod systemd;
pub mod warden;
pub mod warden_client;
