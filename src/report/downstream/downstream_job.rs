//! The dates of one job that hang below: as data, and in words.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::job::JobName;
use crate::report::zones::JobZones;
use crate::session::Operation;
use crate::text::counted;

/// The dates of one job that hang below.
pub(crate) struct DownstreamJob {
    pub(crate) job: JobName,
    pub(super) zones: JobZones,
    /// What is done about its dates.
    pub(crate) operations: Vec<Operation>,
    /// The dates that this changes.
    pub(crate) dates: BTreeSet<DateTime<Utc>>,
    /// How many of them have succeeded.
    pub(crate) repeated: usize,
    pub(super) left_out: Vec<(DateTime<Utc>, &'static str)>,
}

/// The dates of one job, as programs read them.
#[derive(Debug, Serialize)]
pub(crate) struct DownstreamRow {
    job: String,
    count: usize,
    from: Option<String>,
    to: Option<String>,
    repeated: usize,
    dates: Vec<String>,
    left_out: Vec<LeftOutRow>,
}

/// A date that stays as it is.
#[derive(Debug, Serialize)]
struct LeftOutRow {
    date: String,
    reason: &'static str,
}

impl DownstreamJob {
    pub(crate) fn row(&self) -> DownstreamRow {
        let shown = |date: &DateTime<Utc>| self.zones.shown(*date);
        DownstreamRow {
            job: self.job.to_string(),
            count: self.dates.len(),
            from: self.dates.first().map(shown),
            to: self.dates.last().map(shown),
            repeated: self.repeated,
            dates: self.dates.iter().map(shown).collect(),
            left_out: self.left_out.iter().map(|(date, reason)| LeftOutRow { date: shown(date), reason }).collect(),
        }
    }

    /// What would be changed, a line or more.
    pub(crate) fn lines(&self) -> Vec<String> {
        let shown = |date: &DateTime<Utc>| self.zones.shown(*date);
        let mut lines = Vec::new();
        if let (Some(first), Some(last)) = (self.dates.first(), self.dates.last()) {
            let dates = match self.dates.len() {
                1 => shown(first),
                count => format!("{count} dates from {} to {}", shown(first), shown(last)),
            };
            let repeated = match self.repeated {
                0 => String::new(),
                count if count == self.dates.len() => "; succeeded before, and repeated".to_owned(),
                count => format!("; {count} of them succeeded before, and are repeated"),
            };
            lines.push(format!("`{}`: {dates}{repeated}", self.job));
        }
        let mut reasons: Vec<&'static str> = self.left_out.iter().map(|(_, reason)| *reason).collect();
        reasons.dedup();
        for reason in reasons {
            let of_reason = || self.left_out.iter().filter(|(_, other)| *other == reason);
            let (count, first) = (of_reason().count(), of_reason().next());
            let first = first.map(|(date, _)| shown(date)).unwrap_or_default();
            let dates =
                if count == 1 { first } else { format!("{}, the first {first}", counted(count as u64, "date")) };
            lines.push(format!("`{}`, left out: {dates}: {reason}", self.job));
        }
        lines
    }
}
