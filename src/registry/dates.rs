//! The dates of a job: `schedule` or `every`, the bounds of its life, and when a date is due.

use std::ops::Range;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use toml::Spanned;

use super::jitter;
use super::keys::NEED_A_SCHEDULE;
use super::moment::{self, Edge};
use super::table_reader::{TableReader, listed, quoted};
use crate::schedule::{Schedule, Timetable};

/// The least step of `jitter`, which is counted in whole seconds.
const LEAST_JITTER: Duration = Duration::from_secs(1);

/// How people write that a job has no schedule.
const NO_SCHEDULE: [&str; 7] = ["none", "never", "manual", "off", "null", "@manual", "@once"];

/// Whether a job has dates of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dated {
    Yes,
    /// It is started by others only: by jobs that require it, and by operators.
    No,
    /// Something else seems to be meant than what is there.
    Unclear,
}

/// What a job says about its dates.
pub(super) struct When {
    pub(super) dated: Dated,
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) jitter: Duration,
    /// Absent if something is wrong with it.
    pub(super) timetable: Option<Timetable>,
}

/// What is known of a job before its dates are read.
pub(super) struct Of<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Where that stands.
    pub(super) span: Range<usize>,
    /// Its zone, if it names none.
    pub(super) zone: Tz,
    /// The keys that unknown ones probably stand for.
    pub(super) meant: &'a [&'static str],
}

/// Reads all that gives a job its dates.
pub(super) fn read(section: &TableReader<'_>, of: &Of<'_>, now: DateTime<Utc>) -> When {
    let dated = dated(section, of);
    let zone = moment::zone(section).unwrap_or(of.zone);
    let schedule = match dated {
        Dated::Yes => schedule(section, zone, now, of.meant),
        Dated::No => Some(Schedule::none(zone)),
        Dated::Unclear => None,
    };
    let start = moment::moment(section, "start", zone, Edge::Start);
    let end = moment::moment(section, "end", zone, Edge::End);
    let delay = section.duration("delay").unwrap_or_default();
    let jitter = jitter(section);
    let part = if jitter.is_zero() { jitter } else { jitter::part(of.name, &jitter::host(), jitter) };
    let due = delay.saturating_add(part);
    let timetable = schedule.map(|schedule| Timetable::new(schedule, start, end, due));
    check_life(section, timetable.as_ref().filter(|_| dated == Dated::Yes), start, end);
    When { dated, start, jitter, timetable }
}

/// Sees whether there is a schedule, and if not, whether there should be one.
fn dated(section: &TableReader<'_>, of: &Of<'_>) -> Dated {
    let is_there = |key: &str| section.table.contains_key(key);
    if is_there("schedule") || is_there("every") {
        return Dated::Yes;
    }
    if of.meant.iter().any(|key| ["schedule", "every"].contains(key)) {
        return Dated::Unclear;
    }
    if is_there("at") {
        let hint = "add `every = \"1d\"`".to_owned();
        section.wrong(section.key_span("at"), "at", "goes with `every` only", Some(hint));
        return Dated::Unclear;
    }
    let keys: Vec<String> = NEED_A_SCHEDULE.iter().filter(|key| is_there(key)).map(|key| format!("`{key}`")).collect();
    if keys.is_empty() {
        return Dated::No;
    }
    let mean = if keys.len() == 1 { "means" } else { "mean" };
    let keys = listed(&keys, "and");
    let message = format!("{} has neither `schedule` nor `every`, without which {keys} {mean} nothing", section.whose);
    let hint = "add `schedule = \"30 2 * * *\"`, or `every = \"1d\"` and `at = \"02:30\"`".to_owned();
    section.page.missing(of.span.clone(), message, Some(hint));
    Dated::Unclear
}

fn jitter(section: &TableReader<'_>) -> Duration {
    const KEY: &str = "jitter";
    let Some(jitter) = section.positive_duration(KEY) else { return Duration::ZERO };
    if jitter < LEAST_JITTER {
        let span = section.get(KEY).map_or(0..0, Spanned::span);
        section.wrong(span, KEY, "is shorter than a second, and counts in whole ones", None);
    }
    jitter
}

/// Reads `schedule`, or `every` with `at`, of which at least one is there.
fn schedule(section: &TableReader<'_>, zone: Tz, now: DateTime<Utc>, meant: &[&str]) -> Option<Schedule> {
    let is_there = |key: &'static str| section.table.contains_key(key);
    if is_there("schedule") && is_there("every") {
        let message = format!("{} has both `schedule` and `every`", section.whose);
        section.page.mistake(section.key_span("every"), message, Some("keep the one you mean".to_owned()));
        return None;
    }
    if is_there("at") && !is_there("every") && !meant.contains(&"every") {
        let hint = "the time of day is part of `schedule`".to_owned();
        section.wrong(section.key_span("at"), "at", "goes with `every` only", Some(hint));
        return None;
    }
    let schedule = if is_there("schedule") { crontab(section, zone) } else { interval(section, zone) }?;
    if let Err(past_domain) = schedule.next_after(now) {
        let key = if is_there("schedule") { "schedule" } else { "every" };
        let text = section.text(key)?;
        let shown = quoted(text.value);
        if schedule.never_fires_after(DateTime::UNIX_EPOCH) {
            section.wrong(text.span, key, format_args!("never fires: no day is like {shown}"), None);
        } else {
            section.wrong(text.span, key, format_args!("{shown} has no date ahead: {past_domain}"), None);
        }
        return None;
    }
    Some(schedule)
}

fn crontab(section: &TableReader<'_>, zone: Tz) -> Option<Schedule> {
    let text = section.text("schedule")?;
    let error = match Schedule::crontab(text.value, zone) {
        Ok(schedule) => return Some(schedule),
        Err(error) => error,
    };
    let problem = format!("cannot be read: {}", error.message());
    let hint = if NO_SCHEDULE.iter().any(|word| text.value.trim().eq_ignore_ascii_case(word)) {
        Some("leave `schedule` out: the job runs when another one requires it, or an operator runs it".to_owned())
    } else {
        error.hint()
    };
    section.wrong(text.part(error.span()), "schedule", problem, hint);
    None
}

fn interval(section: &TableReader<'_>, zone: Tz) -> Option<Schedule> {
    let every = section.text("every");
    let has_at = section.table.contains_key("at");
    let at = section.text("at");
    if has_at && at.is_none() {
        return None;
    }
    let every = every?;
    let clock = at.as_ref().map(|at| at.value);
    let error = match Schedule::every(every.value, clock, zone) {
        Ok(schedule) => return Some(schedule),
        Err(error) => error,
    };
    // A wrong `every` hides what is wrong with `at`.
    let hidden = if error.is_about_at() { None } else { Schedule::every("1d", clock, zone).err() };
    let (mut every, mut at) = (Some(every), at);
    for error in [Some(error), hidden].into_iter().flatten() {
        let text = if error.is_about_at() { at.take() } else { every.take() };
        let Some(text) = text else { continue };
        section.page.mistake(text.part(error.span()), format!("{}: {}", section.whose, error.message()), error.hint());
    }
    None
}

/// Checks that a job has a life between its `start` and its `end`.
fn check_life(
    section: &TableReader<'_>,
    timetable: Option<&Timetable>,
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
) {
    let (Some(start), Some(end)) = (start, end) else { return };
    let span = section.get("end").map_or(0..0, Spanned::span);
    if start > end {
        section.wrong(span, "end", "is before `start`", None);
        return;
    }
    let before = start - chrono::TimeDelta::microseconds(1);
    if timetable.is_some_and(|timetable| matches!(timetable.next_after(before), Ok(None))) {
        section.page.warning(span, format!("{} has no date between its `start` and its `end`", section.whose), None);
    }
}
