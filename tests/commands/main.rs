//! The commands, as somebody at a terminal or a program sees them: the real binary, on ledgers written by the
//! real writer.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

mod audit;
mod calendar;
mod change;
mod filters;
mod fixture;
mod health;
mod job_filters;
mod line;
mod listing;
mod log;
mod plan;
mod recorded_zones;
mod reference;
mod status;
mod terminal;
mod unscheduled;
mod verify;
