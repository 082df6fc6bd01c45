//! Which date of a job a user named: a day may have several dates, and a date may not belong to the job.
//!
//! A date that does not is refused, and the error names the dates before and after it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::date::{ChoiceError, DateArgument};
use super::error::ReportError;
use super::sessions::collected;
use super::zones::Zones;
use crate::job::{Job, JobName};
use crate::ledger::{Between, LedgerError, Reader, SessionFilter};
use crate::registry::Registry;
use crate::schedule::Timetable;
use crate::session::State;
use crate::text::in_zone;

/// Among which dates is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dates {
    /// Those of the schedule, also before the job's start, and those that the ledger has.
    All,
    /// Those that the ledger has; else those of the schedule.
    Recorded,
    /// Those at which an attempt is open.
    Running,
}

/// A job whose dates are chosen from.
pub(crate) struct Choice<'a> {
    pub(crate) name: &'a JobName,
    pub(crate) zone: Tz,
    /// The job of the registry; a ghost has none.
    pub(crate) job: Option<&'a Job>,
}

impl Choice<'_> {
    /// The date that the argument means. An instant is taken as it is.
    pub(crate) fn one(
        &self,
        reader: Option<&mut Reader>,
        date: DateArgument,
        among: Dates,
    ) -> Result<DateTime<Utc>, ReportError> {
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
            // A local time that is no date: the caller names the nearest ones.
            None if matches!(date, DateArgument::Wall(_)) => Ok(range.0),
            None if among == Dates::Running => {
                let day = range.0.with_timezone(&zone).format("%Y-%m-%d");
                Err(ReportError::new(format!("no attempt of `{name}` is open at a date of {day}")))
            }
            None => Err(self.no_date(reader, between)?),
        }
    }

    /// The dates of the ledger in a range.
    fn recorded(
        &self,
        reader: &mut Reader,
        dates: Between,
        among: Dates,
    ) -> Result<BTreeSet<DateTime<Utc>>, ReportError> {
        let job = Some(self.name.clone());
        let rows = collected(reader, &SessionFilter { job, dates, ..SessionFilter::default() })?;
        let is_meant = |state: &State| among != Dates::Running || *state == State::Running;
        Ok(rows.into_iter().filter(|row| is_meant(&row.state)).map(|row| row.key.date).collect())
    }

    /// The error for a date that the job does not have, with the nearest dates.
    pub(crate) fn no_date(&self, reader: Option<&mut Reader>, between: Between) -> Result<ReportError, ReportError> {
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
        Ok(ReportError::usage(text).hint(hint(near, zone)))
    }

    /// The error for a day with several dates.
    fn several(&self, found: &BTreeSet<DateTime<Utc>>) -> ReportError {
        let named: Vec<String> = found.iter().map(|date| in_zone(*date, self.zone)).collect();
        ReportError::usage(format!("`{}` has {} dates there; nothing was changed", self.name, found.len()))
            .hint(Some(format!("name one: {}", named.join(", "))))
    }
}

/// The range that a date argument means.
///
/// A local time that the zone skips is refused, and the error names the nearest dates.
pub(crate) fn meant(
    reader: Option<&mut Reader>,
    registry: Option<&Registry>,
    job: &JobName,
    date: DateArgument,
    zones: &Zones,
) -> Result<Between, ReportError> {
    let zone = zones.of(job);
    match date.range(zone) {
        Ok((from, to)) => Ok(Between { from: Some(from), to: Some(to) }),
        Err(error) => Err(swallowed(reader, timetable(registry, job), job, date, zone, &error)?),
    }
}

/// The error for a date that the zone skips, with the nearest dates.
pub(crate) fn swallowed(
    reader: Option<&mut Reader>,
    timetable: Option<&Timetable>,
    job: &JobName,
    date: DateArgument,
    zone: Tz,
    error: &ChoiceError,
) -> Result<ReportError, LedgerError> {
    let change = Some(date.instant(zone));
    let dates = beside(reader, timetable, job, Between { from: change, to: change })?;
    Ok(ReportError::usage(format!("job `{job}`: {error}")).hint(hint(dates, zone)))
}

/// The hint that names the dates before and after.
pub(crate) fn hint(dates: [Option<DateTime<Utc>>; 2], zone: Tz) -> Option<String> {
    let [before, after] = dates.map(|date| date.map(|date| in_zone(date, zone)));
    match (before, after) {
        (Some(before), Some(after)) => Some(format!("the nearest dates are {before} and {after}")),
        (Some(before), None) => Some(format!("the date before it is {before}, and there is none after it")),
        (None, Some(after)) => Some(format!("the date after it is {after}, and there is none before it")),
        (None, None) => None,
    }
}

fn timetable<'a>(registry: Option<&'a Registry>, job: &JobName) -> Option<&'a Timetable> {
    let job = registry.and_then(|registry| registry.jobs.iter().find(|known| known.name == *job));
    job.map(|job| &job.timetable)
}

/// Refuses a date that neither the ledger nor the schedule has, and names the nearest ones.
pub(crate) fn must_be_a_date(
    reader: &mut Reader,
    registry: Option<&Registry>,
    job: &JobName,
    date: DateArgument,
    zones: &Zones,
) -> Result<(), ReportError> {
    let zone = zones.of(job);
    let between = meant(Some(reader), registry, job, date, zones)?;
    let timetable = timetable(registry, job);
    let filter = SessionFilter { job: Some(job.clone()), dates: between, ..SessionFilter::default() };
    let recorded = collected(reader, &filter)?;
    let is_recorded = recorded.iter().any(|session| date.means(session.key.date, zone));
    if is_recorded || has_date(timetable, date, between, zone) {
        return Ok(());
    }
    let named = match date {
        DateArgument::Day(day) => day.to_string(),
        DateArgument::Wall(_) | DateArgument::Instant(_) => in_zone(date.instant(zone), zone),
    };
    // The schedule has dates before the job's start too, which a backfill may be for.
    if has_date(timetable.map(Timetable::without_start).as_ref(), date, between, zone) {
        return Err(ReportError::usage(format!("{named} is before the start of `{job}`, and was never backfilled"))
            .hint(Some(format!("`crontabber backfill {job} --from {named}` attempts it"))));
    }
    let text = match date {
        DateArgument::Day(_) => format!("`{job}` has no date on {named}"),
        DateArgument::Wall(_) | DateArgument::Instant(_) => format!("{named} is no date of `{job}`"),
    };
    let dates = beside(Some(reader), timetable, job, between)?;
    Err(ReportError::usage(text).hint(hint(dates, zone)))
}

fn has_date(timetable: Option<&Timetable>, date: DateArgument, between: Between, zone: Tz) -> bool {
    let (Some(timetable), Some(from), Some(to)) = (timetable, between.from, between.to) else { return false };
    timetable.dates(from, to).map_while(Result::ok).any(|known| date.means(known, zone))
}

/// The nearest dates before and after, of the ledger and of the schedule.
pub(crate) fn beside(
    reader: Option<&mut Reader>,
    timetable: Option<&Timetable>,
    job: &JobName,
    between: Between,
) -> Result<[Option<DateTime<Utc>>; 2], LedgerError> {
    let recorded = reader.map(|reader| reader.beside(job, between)).transpose()?;
    let [mut before, mut after] = recorded.unwrap_or_default();
    if let (Some(timetable), Some(from), Some(to)) = (timetable, between.from, between.to) {
        before = before.max(timetable.previous_before(from));
        let of_schedule = timetable.dates(to, DateTime::<Utc>::MAX_UTC).next().and_then(Result::ok);
        after = [after, of_schedule].into_iter().flatten().min();
    }
    Ok([before, after])
}
