//! A renamed job that waits for attempts to end, before it takes over the dates of its former name.

use std::sync::Arc;

use crate::job::Job;
use crate::session::Recording;

/// A renamed job that waits for attempts to end.
#[derive(Debug)]
pub(super) struct Successor {
    pub job: Arc<Job>,
    /// What the ledger has of its own dates, if an edit concerns them.
    pub own: Option<Vec<Recording>>,
    /// What it has of those of its former name.
    pub former: Option<Vec<Recording>>,
}
