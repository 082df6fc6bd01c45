//! A registry that was read again. An edit needs what the ledger has of the dates that it concerns: the registry is put
//! in force once that is read, and everything that was decided before is durable.

use std::time::Duration;

use super::Control;
use super::configuration::Configuration;
use super::input::Time;
use super::waiting_registry::WaitingRegistry;
use crate::session::{JobRecordings, RecordingRange};

/// Between two tries to read a ledger that cannot be read.
const RETRY: Duration = Duration::from_millis(500);

impl Control {
    pub(super) fn reload(&mut self, configuration: Configuration, time: Time) {
        self.reload = None;
        if self.scheduler.recordings_needed(&configuration.jobs).is_empty() {
            self.configure(configuration, time.wall);
        } else {
            self.reload = Some(WaitingRegistry { configuration, read: Vec::new(), due_at: time.monotonic });
        }
    }

    /// What is to be read of the ledger now for a registry that waits.
    pub(super) fn recordings_to_read(&mut self, monotonic: Duration) -> Option<Vec<RecordingRange>> {
        let is_durable = self.write.is_free() && self.batch.is_empty();
        let reload = self.reload.as_mut().filter(|reload| is_durable && reload.due_at <= monotonic)?;
        reload.read = self.scheduler.recordings_needed(&reload.configuration.jobs);
        Some(reload.read.clone())
    }

    /// Puts the registry in force that waited for this, unless it needs more by now.
    pub(super) fn take_recordings(&mut self, found: Option<Vec<JobRecordings>>, time: Time) {
        let Some(mut reload) = self.reload.take().filter(|_| !self.is_stopping()) else { return };
        let was_read = |range: &RecordingRange| {
            let same = |read: &&RecordingRange| (&read.job, read.generation) == (&range.job, range.generation);
            reload.read.iter().find(same).is_some_and(|read| read.from <= range.from)
        };
        let needed = self.scheduler.recordings_needed(&reload.configuration.jobs);
        match found {
            Some(recordings) if needed.iter().all(was_read) => {
                self.scheduler.set_recordings(recordings);
                self.configure(reload.configuration, time.wall);
            }
            Some(_) => self.reload = Some(reload),
            None => {
                reload.due_at = time.monotonic + RETRY;
                self.reload = Some(reload);
            }
        }
    }
}
