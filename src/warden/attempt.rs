//! The names of attempts.

use std::rc::Rc;

/// The name of an attempt: its key, `@`, and the suffix of its ledger, which alone the warden reads.
pub(super) type Id = Rc<str>;

/// The variable with the name of the attempt in the environment of its process. [`find_orphans`](super::find_orphans) uses it to find a process
/// whose warden was killed before it recorded the process.
pub const ATTEMPT_VARIABLE: &str = "CRONTABBER_ATTEMPT_ID";

/// The suffix of the ledger in the name of an attempt.
pub(super) fn ledger_of(attempt: &str) -> &str {
    attempt.rsplit_once('@').map_or("", |(_, ledger)| ledger)
}
