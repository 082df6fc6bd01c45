//! The ledger's conformance suite: one body, run on SQLite and on PostgreSQL.
//!
//! Needs a PostgreSQL server on the machine; without one the tests fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

mod cancelled;
mod entries;
mod failures;
mod filters;
mod history;
mod opening;
mod reading;
mod schema;
mod world;

#[path = "../support/postgres.rs"]
mod postgres;

/// Makes two tests of each function that takes a world: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident)+) => {
        mod on_sqlite { $(#[test] fn $name() { super::$name(&$crate::world::World::sqlite()); })+ }
        mod on_postgres { $(#[test] fn $name() { super::$name(&$crate::world::World::postgres()); })+ }
    };
}
pub(crate) use on_both;
