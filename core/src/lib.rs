//! What crontabber decides, without I/O: no clock is read, no database and no process is touched here.
//!
//! - [`schedule`] (a job's dates), [`job`] (an entry of the registry), [`session`] (sessions, attempts, and the entries that
//!   change them), [`duration`] and [`text`] (how durations and instants are written)
//! - [`scheduler`]: what to do now, as a state machine
//! - [`control`]: in which order things are written, done and told
//! - [`invariants`]: whether a ledger keeps the promises P1 to P5

pub mod control;
pub mod duration;
pub mod invariants;
pub mod job;
pub mod schedule;
pub mod scheduler;
pub mod session;
pub mod text;
