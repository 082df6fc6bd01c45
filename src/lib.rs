//! A job daemon for jobs that are about a date.
//!
//! For every job of a registry and every date of its schedule there is one row in a ledger. On each wake the failed and
//! missed dates are attempted again, oldest first, before the clock advances.
//!
//! # The promise
//! - P1 **once**: a (job, date) that succeeded is never started again, unless an operator says so by name.
//! - P2 **alone**: two attempts at one (job, date) never overlap; neither do two dates of a job in strict order.
//! - P3 **in order**: in strict order a date starts only when every earlier date of its job is settled.
//! - P4 **none lost**: every date between a job's start and its clock has a row in the ledger.
//! - P5 **the clock only goes forward**, but for an operator's reset, which is recorded.
//! - P6 **the truth about outcomes**: what cannot be known is recorded as lost, never guessed.
//! - P7 **explained**: one command says what happened to a date and what happens next; operators' acts are audited.
//! - P8 **self-healing**: what failed or was missed is attempted again without anyone asking.
//!
//! # The way of the data
//! [`registry`] (TOML → jobs) → [`schedule`] (job → dates) → [`scheduler`] (what to do now) → [`ledger`] (written
//! first) → [`runner`] (then started, by the [`warden`]) → exit status → [`ledger`].
//!
//! # The map
//! Each file imports only what stands in a layer below it.
//! - wiring: [`cli`] (the commands), [`daemon`] (connects all of it, signals), [`systemd`], [`place`] (where things are)
//! - shell: [`registry`], [`ledger`], [`runner`] (asks the [`warden`], the process that owns the jobs), [`clock`]
//! - core, without I/O: [`scheduler`], [`promise`] (whether a ledger keeps it), [`session`], [`job`], [`schedule`],
//!   [`duration`]

pub mod cli;
pub mod clock;
pub mod daemon;
pub mod duration;
pub mod job;
pub mod ledger;
pub mod place;
pub mod promise;
pub mod registry;
pub mod runner;
pub mod schedule;
pub mod scheduler;
pub mod session;
pub mod systemd;
pub mod warden;
