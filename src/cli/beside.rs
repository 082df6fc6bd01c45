//! A date that somebody named and that is none of the job's: the dates before and after it are what was meant.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::attempts::meant;
use super::context::Zones;
use super::date::DateArgument;
use super::failure::Failure;
use super::sessions::collected;
use crate::job::JobName;
use crate::ledger::{Between, LedgerError, Reader, SessionFilter};
use crate::registry::Registry;
use crate::schedule::Timetable;
use crate::scheduler::in_zone;

/// Refuses a date that neither the ledger has nor the schedule, and names those beside it.
pub(super) fn must_be_a_date(
    reader: &mut Reader,
    registry: Option<&Registry>,
    job: &JobName,
    date: DateArgument,
    zones: &Zones,
) -> Result<(), Failure> {
    let zone = zones.of(job);
    let between = meant(date, job, zones)?;
    let timetable = registry.and_then(|registry| registry.jobs.iter().find(|known| known.name == *job));
    let timetable = timetable.map(|job| &job.timetable);
    let filter = SessionFilter { job: Some(job.clone()), dates: between, ..SessionFilter::default() };
    let recorded = collected(reader, &filter)?;
    if recorded.iter().any(|session| date.means(session.key.date, zone)) || has_date(timetable, date, between, zone) {
        return Ok(());
    }
    let text = match date {
        DateArgument::Day(day) => format!("`{job}` has no date on {day}"),
        DateArgument::Wall(_) | DateArgument::Instant(_) => {
            format!("{} is no date of `{job}`", in_zone(date.instant(zone), zone))
        }
    };
    let dates = beside(reader, timetable, job, between)?;
    let [before, after] = dates.map(|date| date.map(|date| in_zone(date, zone)));
    let hint = match (before, after) {
        (Some(before), Some(after)) => Some(format!("the dates beside it are {before} and {after}")),
        (Some(before), None) => Some(format!("the date before it is {before}, and there is none after it")),
        (None, Some(after)) => Some(format!("the date after it is {after}, and there is none before it")),
        (None, None) => None,
    };
    Err(Failure::usage(text).hint(hint))
}

fn has_date(timetable: Option<&Timetable>, date: DateArgument, between: Between, zone: Tz) -> bool {
    let (Some(timetable), Some(from), Some(to)) = (timetable, between.from, between.to) else { return false };
    timetable.dates(from, to).map_while(Result::ok).any(|known| date.means(known, zone))
}

/// The nearest dates before and after, of the ledger and of the schedule.
pub(super) fn beside(
    reader: &mut Reader,
    timetable: Option<&Timetable>,
    job: &JobName,
    between: Between,
) -> Result<[Option<DateTime<Utc>>; 2], LedgerError> {
    let [mut before, mut after] = reader.beside(job, between)?;
    if let (Some(timetable), Some(from), Some(to)) = (timetable, between.from, between.to) {
        before = before.max(timetable.previous_before(from));
        let of_schedule = timetable.dates(to, DateTime::<Utc>::MAX_UTC).next().and_then(Result::ok);
        after = [after, of_schedule].into_iter().flatten().min();
    }
    Ok([before, after])
}
