//! How far the reading of operators' requests is.

use std::time::Duration;

/// Between two reads: operators are answered within a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct RequestReader {
    pub(super) is_reading: bool,
    /// Everything that the last read found is answered or pending.
    pub(super) is_done: bool,
    pub(super) due_at: Duration,
}

impl RequestReader {
    /// A read begins.
    pub(super) fn begin(&mut self, monotonic: Duration) {
        (self.is_reading, self.due_at) = (true, monotonic + INTERVAL);
    }

    /// Ends the read. If a request stays undecided, the next read follows after the interval.
    pub(super) fn end(&mut self, is_done: bool) {
        (self.is_reading, self.is_done) = (false, is_done);
    }

    /// The rest of what was read is read again, once what was decided is durable.
    pub(super) fn read_again(&mut self) {
        self.end(false);
        self.due_at = Duration::ZERO;
    }
}
