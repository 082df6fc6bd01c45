//! Whether a dependency waits for the dates that its author probably means.

use chrono::{DateTime, TimeDelta, Utc};

use super::depends_on::DependencyEntry;
use super::jobs::Draft;
use crate::job::{Job, Period};
use crate::schedule::{Timetable, day_end, day_start};
use crate::text::quoted;

/// How many dates of a job are looked at: two weeks of a daily job.
const SAMPLES: usize = 14;

/// The message and the hint for a dependency that never waits for the date of the same day, or not on each date.
pub(super) fn warning(draft: &Draft, needed: &Draft, entry: Option<&DependencyEntry>) -> Option<(String, String)> {
    let (job, upstream, entry) = (draft.job.as_ref()?, needed.job.as_ref()?, entry?);
    let names = (quoted(&draft.name), quoted(&needed.name));
    if entry.is_plain() {
        is_later_in_each_day(job, upstream).then(|| of_a_later_time(names, &needed.name))
    } else if entry.covers() == Some(Period::Day) {
        day_without_date(job, upstream, entry).map(|weekday| of_an_empty_day(names, &weekday))
    } else {
        None
    }
}

fn of_a_later_time((name, needed): (String, String), needed_name: &str) -> (String, String) {
    let message = format!(
        "job {name} is earlier in the day than {needed}, which it depends on: it waits for the date of the day before"
    );
    (message, format!("for the same day, write `{{ job = \"{needed_name}\", covers = \"day\" }}`"))
}

fn of_an_empty_day((name, needed): (String, String), weekday: &str) -> (String, String) {
    let message = format!("job {needed} has no date on some days of {name}, such as a {weekday}");
    (message, "on these days it waits for nothing; without `covers` it waits for all dates before".to_owned())
}

/// The dates of a job without its bounds, from a Monday on.
fn samples(job: &Job) -> Vec<DateTime<Utc>> {
    let timetable = unbounded(job);
    let mut after = start();
    let next = std::iter::from_fn(|| {
        after = timetable.next_after(after).ok().flatten()?;
        Some(after)
    });
    next.take(SAMPLES).collect()
}

fn unbounded(job: &Job) -> Timetable {
    Timetable { end: None, ..job.timetable.without_start() }
}

/// A Monday, far from clock changes.
fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_472)
}

/// Whether both jobs have dates on the same days, and those of `upstream` are always later.
fn is_later_in_each_day(job: &Job, upstream: &Job) -> bool {
    let (zone, needed) = (job.timetable.zone(), unbounded(upstream));
    let mut is_later = false;
    let dates = samples(job);
    for (date, next) in dates.iter().zip(dates.iter().skip(1)) {
        let day = date.with_timezone(&zone).date_naive();
        if next.with_timezone(&zone).date_naive() == day {
            return false;
        }
        let before = day_start(day, zone) - TimeDelta::microseconds(1);
        match needed.next_after(before) {
            Ok(Some(first)) if first <= *date => return false,
            Ok(Some(first)) => is_later |= first <= day_end(day, zone),
            _ => return false,
        }
    }
    is_later
}

/// A weekday on which the job has a date and `upstream` has none, if there are others on which it has one.
fn day_without_date(job: &Job, upstream: &Job, entry: &DependencyEntry) -> Option<String> {
    let (zone, needed, dependency) = (job.timetable.zone(), unbounded(upstream), entry.to_dependency()?);
    let has_date = |date: &DateTime<Utc>| {
        let span = dependency.span(*date, zone);
        let before = span.from.map_or(DateTime::<Utc>::MIN_UTC, |from| from - TimeDelta::microseconds(1));
        matches!(needed.next_after(before), Ok(Some(first)) if first <= span.until)
    };
    let (with, without): (Vec<DateTime<Utc>>, Vec<_>) = samples(job).into_iter().partition(has_date);
    let empty = without.first().filter(|_| !with.is_empty())?;
    Some(empty.with_timezone(&zone).format("%A").to_string())
}
