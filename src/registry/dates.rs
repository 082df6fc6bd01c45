//! The dates of a job: `schedule` or `every`, `start` and `end`, and when a date is due.

use std::ops::Range;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use toml::Spanned;
use toml::de::DeString;

use super::jitter;
use super::keys::NEED_A_SCHEDULE;
use super::table_reader::TableReader;
use super::time;
use crate::environment::host_name;
use crate::schedule::{IntervalError, Schedule, Timetable, day_end, day_start};
use crate::text::{listed, quoted};

/// Jitter counts in whole seconds.
const LEAST_JITTER: Duration = Duration::from_secs(1);

/// Words that other tools use for "no schedule".
const NO_SCHEDULE: [&str; 7] = ["none", "never", "manual", "off", "null", "@manual", "@once"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HasSchedule {
    Yes,
    /// The job runs only when another job requires it or an operator runs it.
    No,
    /// Another key seems to be a misspelt `schedule` or `every`.
    Unclear,
}

pub(super) struct JobDates {
    pub(super) has_schedule: HasSchedule,
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) jitter: Duration,
    /// Absent if it is invalid.
    pub(super) timetable: Option<Timetable>,
}

/// Reads the dates of a job. `zone` is the default, and `suggested` are the keys that unknown keys probably stand for.
pub(super) fn read(
    reader: &TableReader<'_>,
    name: &Spanned<DeString<'_>>,
    zone: Tz,
    suggested: &[&str],
    now: DateTime<Utc>,
) -> JobDates {
    let has_schedule = has_schedule(reader, name.span(), suggested);
    let zone = time::zone(reader).unwrap_or(zone);
    let schedule = match has_schedule {
        HasSchedule::Yes => schedule(reader, zone, now, suggested),
        HasSchedule::No => Some(Schedule::none(zone)),
        HasSchedule::Unclear => None,
    };
    let start = time::day_or_instant(reader, "start", zone, day_start);
    let end = time::day_or_instant(reader, "end", zone, day_end);
    let delay = reader.duration("delay").unwrap_or_default();
    let jitter = jitter(reader);
    let part = if jitter.is_zero() { jitter } else { jitter::part(name.get_ref(), &host_name(), jitter) };
    let due = delay.saturating_add(part);
    let timetable = schedule.map(|schedule| Timetable::new(schedule, start, end, due));
    check_jitter(reader, timetable.as_ref(), jitter, now);
    check_bounds(reader, timetable.as_ref().filter(|_| has_schedule == HasSchedule::Yes), start, end);
    JobDates { has_schedule, start, jitter, timetable }
}

/// Finds out whether there is a schedule, and reports one that is missing.
fn has_schedule(reader: &TableReader<'_>, name_span: Range<usize>, suggested: &[&str]) -> HasSchedule {
    if reader.has("schedule") || reader.has("every") {
        return HasSchedule::Yes;
    }
    if suggested.iter().any(|key| ["schedule", "every"].contains(key)) {
        return HasSchedule::Unclear;
    }
    if reader.has("at") {
        let hint = "add `every = \"1d\"`";
        reader.invalid(reader.key_span("at"), "at", "is allowed only with `every`", hint);
        return HasSchedule::Unclear;
    }
    let keys: Vec<String> =
        NEED_A_SCHEDULE.iter().filter(|key| reader.has(key)).map(|key| format!("`{key}`")).collect();
    if keys.is_empty() {
        return HasSchedule::No;
    }
    let have = if keys.len() == 1 { "has" } else { "have" };
    let keys = listed(&keys, "and");
    let message = format!("{} has neither `schedule` nor `every`, without which {keys} {have} no effect", reader.label);
    let hint = "add `schedule = \"30 2 * * *\"`, or `every = \"1d\"` and `at = \"02:30\"`";
    reader.file.missing(name_span, message, hint);
    HasSchedule::Unclear
}

fn jitter(reader: &TableReader<'_>) -> Duration {
    const KEY: &str = "jitter";
    let Some(jitter) = reader.positive_duration(KEY) else { return Duration::ZERO };
    if jitter < LEAST_JITTER {
        reader.invalid(reader.value_span(KEY), KEY, "must be at least one second", None);
    }
    jitter
}

/// Warns of a `jitter` that is longer than the time between two dates.
fn check_jitter(reader: &TableReader<'_>, timetable: Option<&Timetable>, jitter: Duration, now: DateTime<Utc>) {
    let mut dates = timetable.into_iter().flat_map(|timetable| timetable.dates(now, DateTime::<Utc>::MAX_UTC));
    let (Some(Ok(first)), Some(Ok(second))) = (dates.next(), dates.next()) else { return };
    if (second - first).to_std().is_ok_and(|between| jitter > between) {
        let message = format!("{}: `jitter` is longer than the time between two dates", reader.label);
        let hint = "a jitter of less than that spreads the starts as well, and delays no date beyond the next one";
        reader.file.warning(reader.value_span("jitter"), message, hint.to_owned());
    }
}

/// Reads `schedule`, or `every` with `at`; at least one of them is present.
fn schedule(reader: &TableReader<'_>, zone: Tz, now: DateTime<Utc>, suggested: &[&str]) -> Option<Schedule> {
    if reader.has("schedule") && reader.has("every") {
        let message = format!("{} has both `schedule` and `every`", reader.label);
        reader.file.error(reader.key_span("every"), message, "keep only one of them");
        return None;
    }
    if reader.has("at") && !reader.has("every") && !suggested.contains(&"every") {
        let hint = "`schedule` contains the time of day";
        reader.invalid(reader.key_span("at"), "at", "is allowed only with `every`", hint);
        return None;
    }
    let schedule = if reader.has("schedule") { crontab(reader, zone) } else { interval(reader, zone) }?;
    if let Err(past_domain) = schedule.next_after(now) {
        let key = if reader.has("schedule") { "schedule" } else { "every" };
        let text = reader.string(key)?;
        let shown = quoted(text.value);
        if schedule.never_fires_after(DateTime::UNIX_EPOCH) {
            reader.invalid(text.span, key, format_args!("never fires: no date matches {shown}"), None);
        } else {
            reader.invalid(text.span, key, format_args!("{shown} has no future date: {past_domain}"), None);
        }
        return None;
    }
    Some(schedule)
}

fn crontab(reader: &TableReader<'_>, zone: Tz) -> Option<Schedule> {
    let text = reader.string("schedule")?;
    let error = match Schedule::crontab(text.value, zone) {
        Ok(schedule) => {
            for advice in Schedule::crontab_advice(text.value) {
                let message = format!("{}: {}", reader.label, advice.message);
                reader.file.warning(text.part(advice.span), message, advice.hint);
            }
            return Some(schedule);
        }
        Err(error) => error,
    };
    let problem = format!("is invalid: {error}");
    let hint = if NO_SCHEDULE.iter().any(|word| text.value.trim().eq_ignore_ascii_case(word)) {
        Some("omit `schedule`: the job then runs when another job requires it or an operator runs it".to_owned())
    } else {
        error.hint
    };
    reader.invalid(text.part(error.span), "schedule", problem, hint);
    None
}

fn interval(reader: &TableReader<'_>, zone: Tz) -> Option<Schedule> {
    let every = reader.string("every");
    let has_at = reader.has("at");
    let at = reader.string("at");
    if has_at && at.is_none() {
        return None;
    }
    let every = every?;
    let clock = at.as_ref().map(|at| at.value);
    let error = match Schedule::every(every.value, clock, zone) {
        Ok(schedule) => return Some(schedule),
        Err(error) => error,
    };
    // An error in `every` hides one in `at`: check `at` by itself.
    let hidden = match error {
        IntervalError::Every(_) => Schedule::every("1d", clock, zone).err(),
        IntervalError::At(_) => None,
    };
    for error in [Some(error), hidden].into_iter().flatten() {
        let (text, error) = match error {
            IntervalError::Every(error) => (Some(&every), error),
            IntervalError::At(error) => (at.as_ref(), error),
        };
        let Some(text) = text else { continue };
        reader.file.error(text.part(error.span), format!("{}: {}", reader.label, error.message), error.hint);
    }
    None
}

/// Checks that `start` and `end` leave at least one date.
fn check_bounds(
    reader: &TableReader<'_>,
    timetable: Option<&Timetable>,
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
) {
    let (Some(start), Some(end)) = (start, end) else { return };
    let span = reader.value_span("end");
    if start > end {
        reader.invalid(span, "end", "is before `start`", None);
        return;
    }
    let before = start - chrono::TimeDelta::microseconds(1);
    if timetable.is_some_and(|timetable| matches!(timetable.next_after(before), Ok(None))) {
        reader.file.warning(span, format!("{} has no date between its `start` and its `end`", reader.label), None);
    }
}
