//! The job that is examined.

use chrono_tz::Tz;

use crate::job::JobName;
use crate::schedule::Timetable;
use crate::session::JobRecord;

/// A job to examine.
#[derive(Debug, Clone)]
pub struct Subject {
    pub(super) record: JobRecord,
    pub(super) zone: Tz,
    pub(super) resets: u64,
    pub(super) timetable: Result<Timetable, String>,
}

impl Subject {
    /// `zone` is for instants in texts; `resets` counts those in the audit.
    #[must_use]
    pub fn new(record: JobRecord, zone: Tz, resets: u64) -> Self {
        let timetable = record.timetable.parse::<Timetable>().map_err(|error| error.to_string());
        Self { record, zone, resets, timetable }
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> &JobName {
        &self.record.name
    }

    /// The generation in force.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.record.generation
    }
}
