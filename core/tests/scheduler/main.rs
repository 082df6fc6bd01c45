//! The scheduler's stories, without I/O: text in, what was started, written and answered out.

mod backfill;
mod cancel_backfill;
mod catch_up;
mod clock;
mod dependencies;
mod done_when;
mod edits;
mod enable_disable;
mod fixtures;
mod forecast;
mod invariants;
mod limits;
mod memory;
mod pause;
#[path = "../simulation/random.rs"]
mod random;
mod random_histories;
mod recorded_zone;
mod registry_update;
mod requests;
mod reset;
mod retries;
mod retry_kill;
mod run;
mod skip_done;
mod slots;
mod takeover;
#[path = "../support/world.rs"]
mod world;
