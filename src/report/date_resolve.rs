//! Which date of a job a user named: a day may have several dates, and a date may not belong to the job.
//!
//! A date that does not is refused, and the error names the dates before and after it.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use chrono_tz::Tz;

use super::date::DateArgument;
use super::error::ReportError;
use super::sessions::collected;
use super::zones::Zones;
use crate::job::{Job, JobName};
use crate::ledger::{Between, LedgerError, Reader, SessionFilter};
use crate::registry::Registry;
use crate::schedule::{TICK, Timetable};
use crate::session::{SessionRecord, SkipReason, State};
use crate::text::{first_few, in_zone};

/// How many of the dates of a day an error names.
pub(crate) const NAMED: usize = 8;

/// No two zones show days that are further apart.
pub(crate) const MOST_BETWEEN_ZONES: TimeDelta = TimeDelta::hours(27);

/// Among which dates is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dates {
    /// Those of the schedule, also before the job's start, and those that the ledger has.
    All,
    /// Those that the ledger has; else those of the schedule.
    Recorded,
    /// Those at which an attempt is open.
    Running,
    /// Those that the ledger has, also from before a reset.
    OfAllGenerations,
}

/// A job whose dates are chosen from.
pub(crate) struct Choice<'a> {
    pub(crate) name: &'a JobName,
    pub(crate) zone: Tz,
    /// The job of the registry; a ghost has none.
    pub(crate) job: Option<&'a Job>,
}

impl<'a> Choice<'a> {
    pub(crate) fn new(name: &'a JobName, registry: Option<&'a Registry>, zones: &Zones) -> Self {
        let of_registry = zones.successor(name).unwrap_or(name);
        let job = registry.and_then(|registry| registry.jobs.iter().find(|job| job.name == *of_registry));
        Self { name, zone: zones.of(name), job }
    }

    fn timetable(&self) -> Option<&'a Timetable> {
        self.job.map(|job| &job.timetable)
    }

    /// The timetable without the job's start.
    fn unbounded(&self) -> Option<Timetable> {
        self.timetable().map(Timetable::without_start)
    }

    /// The range that a date argument means.
    ///
    /// A local time that the zone skips is refused, and the error names the nearest dates.
    pub(crate) fn range(&self, reader: Option<&mut Reader>, date: DateArgument) -> Result<Between, ReportError> {
        self.range_in(self.timetable(), reader, date)
    }

    fn range_in(
        &self,
        timetable: Option<&Timetable>,
        reader: Option<&mut Reader>,
        date: DateArgument,
    ) -> Result<Between, ReportError> {
        let error = match date.range(self.zone) {
            Ok((from, to)) => return Ok(Between { from: Some(from), to: Some(to) }),
            Err(error) => error,
        };
        let change = Some(date.instant(self.zone));
        let hint = self.nearest(timetable, reader, Between { from: change, to: change })?;
        Err(ReportError::usage(format!("job `{}`: {error}", self.name)).hint(hint))
    }

    /// The argument, or the recorded date of its second. The date of a manual run has a fraction of a second, which need not
    /// be typed where it is the only one.
    pub(crate) fn completed(
        &self,
        reader: &mut Reader,
        date: DateArgument,
        among: Dates,
    ) -> Result<DateArgument, ReportError> {
        let range = match (date, date.range(self.zone)) {
            (DateArgument::Day(_), _) | (_, Err(_)) => return Ok(date),
            (_, Ok((from, to))) => Between { from: Some(from), to: Some(to + TimeDelta::seconds(1)) },
        };
        let unbounded = self.unbounded();
        let mut of_schedule = unbounded.iter().flat_map(|timetable| dates(timetable, range));
        if of_schedule.any(|known| date.means(known, self.zone)) {
            return Ok(date);
        }
        let found = self.recorded_if(reader, date, range, among, |known| known.trunc_subsecs(0))?;
        match found.first_key_value() {
            Some((one, _)) if found.len() == 1 => Ok(DateArgument::Instant(*one)),
            Some((first, zone)) if !date.means(*first, *zone) => Err(self.several(&found)),
            _ => Ok(date),
        }
    }

    /// The date that the argument means. An instant that the ledger does not have is taken as it is.
    pub(crate) fn one(
        &self,
        mut reader: Option<&mut Reader>,
        date: DateArgument,
        among: Dates,
    ) -> Result<DateTime<Utc>, ReportError> {
        let (name, zone) = (self.name, self.zone);
        let date = match reader.as_deref_mut() {
            Some(reader) => self.completed(reader, date, among)?,
            None => date,
        };
        if let DateArgument::Instant(instant) = date {
            return Ok(instant);
        }
        let unbounded = self.unbounded();
        let between = self.range_in(unbounded.as_ref(), reader.as_deref_mut(), date)?;
        let mut found = match &mut reader {
            Some(reader) => self.recorded(reader, date, between, among)?,
            None => BTreeMap::new(),
        };
        // Dates that were recorded with another zone stand for that day; the schedule's are those of today's zone.
        let is_of_schedule = found.values().all(|recorded| *recorded == zone);
        if (among == Dates::All && is_of_schedule) || (among == Dates::Recorded && found.is_empty()) {
            let of_schedule = unbounded.iter().flat_map(|timetable| dates(timetable, between));
            found.extend(of_schedule.filter(|found| date.means(*found, zone)).map(|date| (date, zone)));
        }
        let from = between.from.unwrap_or_default();
        match found.pop_first() {
            Some((one, _)) if found.is_empty() => Ok(one),
            Some((first, zone)) => {
                found.insert(first, zone);
                Err(self.several(&found))
            }
            // A local time that is no date: the caller names the nearest ones.
            None if matches!(date, DateArgument::Wall(_)) => Ok(from),
            None if among == Dates::Running => {
                let day = from.with_timezone(&zone).format("%Y-%m-%d");
                Err(ReportError::new(format!("no attempt of `{name}` is open at a date of {day}")))
            }
            None => Err(self.no_date(reader, between)?),
        }
    }

    /// The dates of the ledger that the argument means, each in the zone that it was recorded with. `range` is what the
    /// argument means in the job's zone.
    fn recorded(
        &self,
        reader: &mut Reader,
        date: DateArgument,
        range: Between,
        among: Dates,
    ) -> Result<BTreeMap<DateTime<Utc>, Tz>, ReportError> {
        self.recorded_if(reader, date, range, among, |known| known)
    }

    /// The dates of the ledger that the argument means once `read` has changed them.
    fn recorded_if(
        &self,
        reader: &mut Reader,
        date: DateArgument,
        range: Between,
        among: Dates,
        read: impl Fn(DateTime<Utc>) -> DateTime<Utc>,
    ) -> Result<BTreeMap<DateTime<Utc>, Tz>, ReportError> {
        let (jobs, all_generations) = (Some(vec![self.name.clone()]), among == Dates::OfAllGenerations);
        let mut dates = range;
        if !matches!(date, DateArgument::Instant(_)) {
            dates.from = dates.from.map(|from| from - MOST_BETWEEN_ZONES);
            dates.to = dates.to.map(|to| to + MOST_BETWEEN_ZONES);
        }
        let rows = collected(reader, &SessionFilter { jobs, dates, all_generations, ..SessionFilter::default() })?;
        let is_meant = |row: &SessionRecord| {
            (among != Dates::Running || row.state == State::Running) && date.means(read(row.key.date), row.zone)
        };
        let (out, standing): (Vec<_>, Vec<_>) = rows.into_iter().filter(is_meant).partition(|row| {
            // Another date of the day stands for what an edit of the registry moved.
            matches!(row.state, State::Skipped { reason: SkipReason::Excluded | SkipReason::Moved })
        });
        let meant = if standing.is_empty() { out } else { standing };
        Ok(meant.into_iter().map(|row| (row.key.date, row.zone)).collect())
    }

    /// The range from the first to the last recorded date that the argument means; what it means in the job's zone if
    /// there is none.
    pub(crate) fn recorded_range(&self, reader: &mut Reader, date: DateArgument) -> Result<Between, ReportError> {
        let range = self.range(Some(reader), date)?;
        let found = self.recorded(reader, date, range, Dates::OfAllGenerations)?;
        let ends = found.first_key_value().zip(found.last_key_value());
        Ok(ends.map_or(range, |((first, _), (last, _))| Between { from: Some(*first), to: Some(*last + TICK) }))
    }

    /// The error for a date that the job does not have, with the nearest dates.
    pub(crate) fn no_date(&self, reader: Option<&mut Reader>, between: Between) -> Result<ReportError, ReportError> {
        let (name, zone) = (self.name, self.zone);
        let from = between.from.unwrap_or_default();
        let is_day = between.to.is_some_and(|to| to - from > TimeDelta::hours(1));
        let text = if is_day {
            format!("`{name}` has no date on {}", from.with_timezone(&zone).format("%Y-%m-%d"))
        } else {
            format!("{} is not a date of `{name}`", in_zone(from, zone))
        };
        Ok(ReportError::usage(text).hint(self.nearest(self.unbounded().as_ref(), reader, between)?))
    }

    /// The error for a day with several dates.
    fn several(&self, found: &BTreeMap<DateTime<Utc>, Tz>) -> ReportError {
        let named: Vec<String> = found.iter().map(|(date, zone)| in_zone(*date, *zone)).collect();
        ReportError::usage(format!("`{}` has {} dates there", self.name, found.len()))
            .hint(Some(format!("name one: {}", first_few(&named, NAMED))))
    }

    /// Refuses a date that neither the ledger nor the schedule has, and names the nearest ones.
    pub(crate) fn must_be_a_date(&self, reader: &mut Reader, date: DateArgument) -> Result<(), ReportError> {
        let (job, zone) = (self.name, self.zone);
        let between = self.range(Some(reader), date)?;
        let has_date = |timetable: &Timetable| dates(timetable, between).any(|known| date.means(known, zone));
        let recorded = self.recorded(reader, date, between, Dates::Recorded)?;
        if !recorded.is_empty() || self.timetable().is_some_and(has_date) {
            return Ok(());
        }
        let (named, text) = match date {
            DateArgument::Day(day) => (day.to_string(), format!("`{job}` has no date on {day}")),
            DateArgument::Wall(_) | DateArgument::Instant(_) => {
                let named = in_zone(date.instant(zone), zone);
                let text = format!("{named} is no date of `{job}`");
                (named, text)
            }
        };
        // The schedule has dates before the job's start too, which a backfill may be for.
        if self.unbounded().as_ref().is_some_and(has_date) {
            return Err(ReportError::usage(format!(
                "{named} is before the start of `{job}`, and was never backfilled"
            ))
            .hint(Some(format!("`crontabber backfill {job} --from {named}` attempts it"))));
        }
        Err(ReportError::usage(text).hint(self.nearest(self.timetable(), Some(reader), between)?))
    }

    /// The hint that names the dates of the ledger and of the schedule before and after a range.
    fn nearest(
        &self,
        timetable: Option<&Timetable>,
        reader: Option<&mut Reader>,
        between: Between,
    ) -> Result<Option<String>, LedgerError> {
        let recorded = reader.map(|reader| reader.beside(self.name, between)).transpose()?;
        let [mut before, mut after] = recorded.unwrap_or_default();
        if let (Some(timetable), Some(from), Some(to)) = (timetable, between.from, between.to) {
            before = before.max(timetable.previous_before(from));
            let of_schedule = timetable.dates(to, DateTime::<Utc>::MAX_UTC).next().and_then(Result::ok);
            after = [after, of_schedule].into_iter().flatten().min();
        }
        let [before, after] = [before, after].map(|date| date.map(|date| in_zone(date, self.zone)));
        Ok(match (before, after) {
            (Some(before), Some(after)) => Some(format!("the nearest dates are {before} and {after}")),
            (Some(before), None) => Some(format!("the date before it is {before}, and there is none after it")),
            (None, Some(after)) => Some(format!("the date after it is {after}, and there is none before it")),
            (None, None) => None,
        })
    }
}

/// The dates of a timetable in a range.
fn dates(timetable: &Timetable, between: Between) -> impl Iterator<Item = DateTime<Utc>> {
    let range = between.from.zip(between.to);
    range.into_iter().flat_map(|(from, to)| timetable.dates(from, to).map_while(Result::ok))
}
