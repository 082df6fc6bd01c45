//! How far the reading of operators' requests is.

use std::time::Duration;

/// Between two reads: operators are answered within a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct RequestReader {
    pub(super) is_reading: bool,
    /// Everything that the last read found was decided.
    is_done: bool,
    due_at: Duration,
}

impl RequestReader {
    /// A read begins.
    pub(super) fn begin(&mut self, monotonic: Duration) {
        (self.is_reading, self.due_at) = (true, monotonic + INTERVAL);
    }

    pub(super) fn failed(&mut self) {
        self.is_reading = false;
    }

    pub(super) fn due_at(&self) -> Duration {
        self.due_at
    }

    /// Says whether all that the last read found was decided.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    pub(super) fn end(&mut self, is_done: bool) {
        (self.is_reading, self.is_done) = (false, is_done);
        if !is_done {
            self.due_at = Duration::ZERO;
        }
    }
}
