//! A job daemon for jobs that are about a date.
//!
//! For every job of a registry and every date of its schedule there is one row in a ledger. On each wake the failed and
//! missed dates are attempted again, oldest first, before the clock advances.
//!
//! # The promise
//! - P1 **once**: a (job, date) that succeeded is never started again, unless an operator says so by name.
//! - P2 **alone**: two attempts at one (job, date) never overlap; neither do two dates of a job in strict order.
//! - P3 **in order**: in strict order a date starts only when every earlier date of its job is settled.
//! - P4 **none lost**: every date between a job's start and its watermark has a row in the ledger.
//! - P5 **the watermark only goes forward**, but for an operator's reset, which is recorded.
//! - P6 **the truth about outcomes**: what cannot be known is recorded as lost, never guessed.
//! - P7 **explained**: one command says what happened to a date and what happens next; operators' acts are audited.
//! - P8 **self-healing**: what failed or was missed is attempted again without anyone asking.
//!
//! # The way of the data
//! [`registry`] (TOML → jobs) → [`schedule`] (job → dates) → [`scheduler`] (what to do now) → [`ledger`] (written
//! first) → [`warden_client`] (then started, by the [`warden`]) → exit status → [`ledger`].
//!
//! # The map
//! Each file imports only what stands in a layer below it.
//! - wiring: [`cli`] (the commands), [`daemon`] (connects all of it, signals), [`systemd`], [`paths`] (where files are)
//! - shell: [`registry`], [`ledger`], [`warden_client`] (asks the [`warden`], the process that owns the jobs), [`clock`],
//!   [`log_queue`] (writes the log without waiting for its reader)
//! - core, a crate of its own without I/O: [`control`] (in which order things are written, done and told), [`scheduler`],
//!   [`invariants`] (whether a ledger keeps the promise), [`session`], [`job`], [`schedule`], [`duration`],
//!   [`text`]

pub use crontabber_core::{control, duration, invariants, job, schedule, scheduler, session, text};

pub mod cli;
pub mod clock;
pub mod daemon;
pub mod ledger;
pub mod log_queue;
pub mod paths;
pub mod registry;
pub mod systemd;
pub mod warden;
pub mod warden_client;
