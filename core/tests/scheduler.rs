//! The scheduler's stories, without I/O: text in, what was started, written and answered out.

#[path = "scheduler/backfill.rs"]
mod backfill;
#[path = "scheduler/catch_up.rs"]
mod catch_up;
#[path = "scheduler/clock.rs"]
mod clock;
#[path = "scheduler/dependencies.rs"]
mod dependencies;
#[path = "scheduler/done_when.rs"]
mod done_when;
#[path = "scheduler/enable_disable.rs"]
mod enable_disable;
#[path = "scheduler/fixtures.rs"]
mod fixtures;
#[path = "scheduler/invariants.rs"]
mod invariants;
#[path = "scheduler/limits.rs"]
mod limits;
#[path = "scheduler/memory.rs"]
mod memory;
#[path = "scheduler/random.rs"]
mod random;
#[path = "scheduler/registry_update.rs"]
mod registry_update;
#[path = "scheduler/requests.rs"]
mod requests;
#[path = "scheduler/reset.rs"]
mod reset;
#[path = "scheduler/retries.rs"]
mod retries;
#[path = "scheduler/retry_kill.rs"]
mod retry_kill;
#[path = "scheduler/run.rs"]
mod run;
#[path = "scheduler/skip_done.rs"]
mod skip_done;
#[path = "scheduler/slots.rs"]
mod slots;
#[path = "support/world.rs"]
mod world;
