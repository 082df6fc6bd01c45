//! What was recorded: every session and every attempt, on SQLite or PostgreSQL.
//!
//! [`Writer`] is the only thing that changes a ledger's jobs, sessions and attempts. It holds the ledger's lock, and
//! writes batches of [`Entry`](crate::session::Entry)s, each of which names what it expects to find. [`Reader`]s and
//! [`Desk`]s work beside it on connections of their own: the one reads for people, the other posts an operator's
//! requests. No Diesel type leaves this module, and nothing here decides what follows from what.

mod audit;
mod beside;
mod boots;
mod codes;
mod connection;
mod days;
mod desk;
mod detail;
mod durations;
mod entries;
mod error;
mod history;
mod lock;
mod migrate;
mod pages;
mod postgres;
mod reader;
mod rows;
mod schema;
mod sqlite;
mod statement;
mod unsettled;
mod url;
mod writer;

pub use audit::{Act, AuditFilter};
pub use days::Tally;
pub use desk::{Answer, Desk, NewRequest};
pub use error::{CommitError, LedgerError, OpenError};
pub use history::Snapshot;
pub use migrate::SCHEMA_VERSION;
pub use pages::{AttemptFilter, Between, RUNNING, SessionFilter};
pub use reader::{Backlog, OwnerRecord, Reader};
pub use url::{LedgerUrl, LedgerUrlError};
pub use writer::Writer;

/// Who writes a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The version of crontabber.
    pub version: String,
}
