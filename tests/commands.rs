//! The commands, as somebody at a terminal or a program sees them: the real binary, on ledgers written by the
//! real writer.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

#[path = "commands/audit.rs"]
mod audit;
#[path = "commands/calendar.rs"]
mod calendar;
#[path = "commands/change.rs"]
mod change;
#[path = "commands/fixture.rs"]
mod fixture;
#[path = "commands/health.rs"]
mod health;
#[path = "commands/line.rs"]
mod line;
#[path = "commands/listing.rs"]
mod listing;
#[path = "commands/log.rs"]
mod log;
#[path = "commands/narrowed.rs"]
mod narrowed;
#[path = "commands/plan.rs"]
mod plan;
#[path = "commands/reference.rs"]
mod reference;
#[path = "commands/status.rs"]
mod status;
#[path = "commands/terminal.rs"]
mod terminal;
#[path = "commands/unscheduled.rs"]
mod unscheduled;
#[path = "commands/verify.rs"]
mod verify;
