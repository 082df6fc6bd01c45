//! A date that somebody named and that is none of the job's: the dates before and after it are what was meant.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::context::Zones;
use super::date::{ChoiceError, DateArgument};
use super::failure::Failure;
use super::sessions::collected;
use crate::job::JobName;
use crate::ledger::{Between, LedgerError, Reader, SessionFilter};
use crate::registry::Registry;
use crate::schedule::Timetable;
use crate::text::in_zone;

/// The instants among which the dates are that somebody named.
///
/// What no clock ever showed is refused, with the names of the dates before and after it.
pub(super) fn meant(
    reader: Option<&mut Reader>,
    registry: Option<&Registry>,
    job: &JobName,
    date: DateArgument,
    zones: &Zones,
) -> Result<Between, Failure> {
    let zone = zones.of(job);
    match date.range(zone) {
        Ok((from, to)) => Ok(Between { from: Some(from), to: Some(to) }),
        Err(error) => Err(swallowed(reader, timetable(registry, job), job, date, zone, &error)?),
    }
}

/// Says what was wrong with a date, and which are before and after it.
pub(super) fn swallowed(
    reader: Option<&mut Reader>,
    timetable: Option<&Timetable>,
    job: &JobName,
    date: DateArgument,
    zone: Tz,
    error: &ChoiceError,
) -> Result<Failure, LedgerError> {
    let change = Some(date.instant(zone));
    let dates = beside(reader, timetable, job, Between { from: change, to: change })?;
    Ok(Failure::usage(format!("job `{job}`: {error}")).hint(hint(dates, zone)))
}

/// Names the dates beside what is none.
pub(super) fn hint(dates: [Option<DateTime<Utc>>; 2], zone: Tz) -> Option<String> {
    let [before, after] = dates.map(|date| date.map(|date| in_zone(date, zone)));
    match (before, after) {
        (Some(before), Some(after)) => Some(format!("the dates beside it are {before} and {after}")),
        (Some(before), None) => Some(format!("the date before it is {before}, and there is none after it")),
        (None, Some(after)) => Some(format!("the date after it is {after}, and there is none before it")),
        (None, None) => None,
    }
}

fn timetable<'a>(registry: Option<&'a Registry>, job: &JobName) -> Option<&'a Timetable> {
    let job = registry.and_then(|registry| registry.jobs.iter().find(|known| known.name == *job));
    job.map(|job| &job.timetable)
}

/// Refuses a date that neither the ledger has nor the schedule, and names those beside it.
pub(super) fn must_be_a_date(
    reader: &mut Reader,
    registry: Option<&Registry>,
    job: &JobName,
    date: DateArgument,
    zones: &Zones,
) -> Result<(), Failure> {
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
        return Err(Failure::usage(format!("{named} is before the start of `{job}`, and was never backfilled"))
            .hint(Some(format!("`crontabber backfill {job} --from {named}` attempts it"))));
    }
    let text = match date {
        DateArgument::Day(_) => format!("`{job}` has no date on {named}"),
        DateArgument::Wall(_) | DateArgument::Instant(_) => format!("{named} is no date of `{job}`"),
    };
    let dates = beside(Some(reader), timetable, job, between)?;
    Err(Failure::usage(text).hint(hint(dates, zone)))
}

fn has_date(timetable: Option<&Timetable>, date: DateArgument, between: Between, zone: Tz) -> bool {
    let (Some(timetable), Some(from), Some(to)) = (timetable, between.from, between.to) else { return false };
    timetable.dates(from, to).map_while(Result::ok).any(|known| date.means(known, zone))
}

/// The nearest dates before and after, of the ledger and of the schedule.
pub(super) fn beside(
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
