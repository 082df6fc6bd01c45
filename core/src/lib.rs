//! What crontabber decides. No I/O: this crate reads no clock, and touches no file, database or process.
//!
//! - [`control`]: what the daemon does and in which order; a state machine that the daemon and the simulation drive
//! - [`scheduler`]: which dates are recorded, started, retried and settled; a state machine
//! - [`invariants`]: checks the promises P1 to P5 on the rows of a ledger
//! - [`session`]: sessions, attempts, requests, and the entries that change a ledger
//! - [`job`]: an entry of the registry, validated
//! - [`schedule`]: the dates of a job, across clock changes
//! - [`duration`]: how durations are written
//! - [`text`]: how dates, counts, lists and user input are written

pub mod control;
pub mod duration;
pub mod invariants;
pub mod job;
pub mod schedule;
pub mod scheduler;
pub mod session;
pub mod text;
