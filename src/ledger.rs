//! The record of every session and every attempt, on SQLite or PostgreSQL.
//!
//! Only a [`Writer`] changes jobs, sessions and attempts. It holds the ledger's lock and writes batches of
//! [`Entry`](crate::session::Entry)s, each with the state that it expects. [`Reader`]s and [`RequestQueue`]s have
//! connections of their own: a reader serves the commands, a queue posts operators' requests. No Diesel type leaves this
//! module, and nothing here decides what follows from an entry.

mod apply;
mod audit;
mod backfills;
mod connection;
mod daily_counts;
mod durations;
mod error;
mod filter;
mod heartbeat;
mod hosts;
mod last_success;
mod listing;
mod lock;
mod migrate;
mod postgres;
mod prepared;
mod reader;
mod recent;
mod recorded_zones;
mod recordings;
mod request_context;
mod request_json;
mod request_queue;
mod rows;
mod schema;
mod snapshot;
mod sqlite;
mod startup;
mod transaction;
mod unsettled;
mod url;
mod writer;
mod zones;

pub use audit::{Act, AuditFilter};
pub use backfills::BackfillProgress;
pub use daily_counts::StateCounts;
pub use error::{LedgerError, OpenError, OpenErrorKind};
pub use filter::{AttemptFilter, Between, LocalBetween, SessionFilter};
pub use heartbeat::{Heartbeat, HeartbeatWriter};
pub use lock::Owner;
pub use reader::{OwnerRecord, Reader};
pub use request_queue::{Answer, RequestQueue};
pub use schema::SCHEMA_VERSION;
pub use snapshot::Snapshot;
pub use sqlite::is_ledger_file;
pub use url::{LedgerUrl, LedgerUrlError};
pub use writer::Writer;
