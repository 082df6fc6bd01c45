//! Which one date is meant: a day may have several, and a date may be none of the job's.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::beside::{beside, hint, swallowed};
use super::date::DateArgument;
use super::failure::Failure;
use super::sessions::collected;
use crate::job::{Job, JobName};
use crate::ledger::{Between, Reader, SessionFilter};
use crate::session::State;
use crate::text::in_zone;

/// Among which dates is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dates {
    /// Those of the schedule, also before the job's start, and those that the ledger has.
    All,
    /// Those that the ledger has; else those of the schedule.
    Recorded,
    /// Those at which an attempt is open.
    Running,
}

/// A job whose dates are chosen from.
pub(super) struct Choice<'a> {
    pub(super) name: &'a JobName,
    pub(super) zone: Tz,
    /// The job of the registry; a ghost has none.
    pub(super) job: Option<&'a Job>,
}

impl Choice<'_> {
    /// The one date that is meant. An instant is taken as it is.
    pub(super) fn one(
        &self,
        reader: Option<&mut Reader>,
        date: DateArgument,
        among: Dates,
    ) -> Result<DateTime<Utc>, Failure> {
        let (name, zone) = (self.name, self.zone);
        if let DateArgument::Instant(instant) = date {
            return Ok(instant);
        }
        let unbounded = self.job.map(|job| job.timetable.without_start());
        let range = match date.range(zone) {
            Ok(range) => range,
            Err(error) => return Err(swallowed(reader, unbounded.as_ref(), name, date, zone, &error)?),
        };
        let between = Between { from: Some(range.0), to: Some(range.1) };
        let mut reader = reader;
        let mut found = match &mut reader {
            Some(reader) => self.recorded(reader, between, among)?,
            None => BTreeSet::new(),
        };
        if among == Dates::All || (among == Dates::Recorded && found.is_empty()) {
            let dates = unbounded.iter().flat_map(|timetable| timetable.dates(range.0, range.1).map_while(Result::ok));
            found.extend(dates);
        }
        found.retain(|found| date.means(*found, zone));
        match found.pop_first() {
            Some(one) if found.is_empty() => Ok(one),
            Some(first) => {
                found.insert(first);
                Err(self.several(&found))
            }
            // A wall time that is no date: whoever is asked says which are near.
            None if matches!(date, DateArgument::Wall(_)) => Ok(range.0),
            None if among == Dates::Running => {
                let day = range.0.with_timezone(&zone).format("%Y-%m-%d");
                Err(Failure::new(format!("no attempt of `{name}` is open at a date of {day}")))
            }
            None => Err(self.no_date(reader, between)?),
        }
    }

    /// The dates of the ledger in a range.
    fn recorded(&self, reader: &mut Reader, dates: Between, among: Dates) -> Result<BTreeSet<DateTime<Utc>>, Failure> {
        let job = Some(self.name.clone());
        let rows = collected(reader, &SessionFilter { job, dates, ..SessionFilter::default() })?;
        let is_meant = |state: &State| among != Dates::Running || *state == State::Running;
        Ok(rows.into_iter().filter(|row| is_meant(&row.state)).map(|row| row.key.date).collect())
    }

    /// Says that there is no date, and which are before and after it.
    pub(super) fn no_date(&self, reader: Option<&mut Reader>, between: Between) -> Result<Failure, Failure> {
        let (name, zone) = (self.name, self.zone);
        let from = between.from.unwrap_or_default();
        let is_day = between.to.is_some_and(|to| to - from > chrono::TimeDelta::hours(1));
        let text = if is_day {
            format!("`{name}` has no date on {}", from.with_timezone(&zone).format("%Y-%m-%d"))
        } else {
            format!("{} is not a date of `{name}`", in_zone(from, zone))
        };
        let timetable = self.job.map(|job| job.timetable.without_start());
        let near = beside(reader, timetable.as_ref(), name, between)?;
        Ok(Failure::usage(text).hint(hint(near, zone)))
    }

    /// Says which dates a day has.
    fn several(&self, found: &BTreeSet<DateTime<Utc>>) -> Failure {
        let named: Vec<String> = found.iter().map(|date| in_zone(*date, self.zone)).collect();
        Failure::usage(format!("`{}` has {} dates there, and nothing is done", self.name, found.len()))
            .hint(Some(format!("name one: {}", named.join(", "))))
    }
}
