//! One job: its keys, each checked, and what they say together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use toml::Spanned;
use toml::de::DeValue;

use super::command;
use super::keys;
use super::moment::{self, Edge};
use super::section::{Section, kind, quoted, quotes, whole_number};
use crate::duration;
use crate::job::{DEFAULT_KILL_GRACE, DEFAULT_RETRY_AFTER, Dependency, Job, JobName, OnLost, Order, Retry};
use crate::schedule::{Schedule, Timetable};

/// A job as it stands in its file, until the jobs of all files are known.
#[derive(Debug)]
pub(super) struct Draft {
    /// The number of its file.
    pub(super) page: usize,
    /// Its name, also if that is no good one.
    pub(super) name: String,
    pub(super) name_span: Range<usize>,
    pub(super) depends_on: Vec<(String, Range<usize>)>,
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) enabled: bool,
    /// Absent if something is wrong with it.
    pub(super) job: Option<Job>,
}

/// Reads a job; what is wrong with it is noted.
pub(super) fn read(
    section: &Section<'_>,
    name: &Spanned<toml::de::DeString<'_>>,
    default_zone: Tz,
    now: DateTime<Utc>,
    page: usize,
) -> Draft {
    let mistakes_before = section.page.mistakes();
    let job_name = job_name(section, name);
    let meant = section.unknown_keys();
    let zone = moment::zone(section).unwrap_or(default_zone);
    let schedule = schedule(section, name.span(), zone, now, &meant);
    let start = moment::moment(section, "start", zone, Edge::Start);
    let end = moment::moment(section, "end", zone, Edge::End);
    let delay = section.duration("delay").unwrap_or_default();
    let timetable = schedule.map(|schedule| Timetable::new(schedule, start, end, delay));
    check_life(section, timetable.as_ref(), start, end);
    let depends_on = depends_on(section);
    let enabled = section.flag("enabled").unwrap_or(true);
    let command = command::read(section, name.span(), &meant);
    let backfill = section.flag("backfill").unwrap_or(false);
    let order = order(section, backfill);
    let description = section.plain_text("description").map(|text| text.value.to_owned());
    let working_directory = path(section, "working_directory");
    let environment = environment(section);
    let environment_file = path(section, "environment_file");
    let retry = retry(section);
    let timeout = section.positive_duration("timeout");
    let kill_grace = section.duration("kill_grace").unwrap_or(DEFAULT_KILL_GRACE);
    let on_lost = if section.word("on_lost") == Some("hold") { OnLost::Hold } else { OnLost::Retry };
    let tags = tags(section);
    let is_good = section.page.mistakes() == mistakes_before;
    let names = depends_on.iter().filter_map(|(name, _)| JobName::new(name).ok().map(Dependency::on)).collect();
    let job = match (job_name, timetable, command) {
        (Some(name), Some(timetable), Some(command)) if is_good => Some(Job {
            description,
            backfill,
            order,
            working_directory,
            environment,
            environment_file,
            retry,
            timeout,
            kill_grace,
            depends_on: names,
            on_lost,
            enabled,
            tags,
            ..Job::new(name, timetable, command)
        }),
        _ => None,
    };
    Draft { page, name: name.get_ref().to_string(), name_span: name.span(), depends_on, start, enabled, job }
}

fn job_name(section: &Section<'_>, name: &Spanned<toml::de::DeString<'_>>) -> Option<JobName> {
    let text = name.get_ref();
    match JobName::new(text) {
        Ok(name) => Some(name),
        Err(error) => {
            let meant: String =
                text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
            let meant = meant.trim_start_matches(['.', '_', '-']);
            let hint =
                JobName::new(meant).ok().filter(|_| text.is_ascii()).map(|meant| format!("`[jobs.{meant}]` would do"));
            section.page.mistake(name.span(), format!("a job cannot be named {}: {error}", quoted(text)), hint);
            None
        }
    }
}

/// Reads `schedule`, or `every` with `at`. `meant` are keys that unknown ones probably stand for.
fn schedule(
    section: &Section<'_>,
    name_span: Range<usize>,
    zone: Tz,
    now: DateTime<Utc>,
    meant: &[&str],
) -> Option<Schedule> {
    let is_there = |key: &'static str| section.table.contains_key(key);
    if is_there("schedule") && is_there("every") {
        let message = format!("{} has both `schedule` and `every`", section.whose);
        section.page.mistake(section.key_span("every"), message, Some("keep the one you mean".to_owned()));
        return None;
    }
    if is_there("at") && !is_there("every") && !meant.contains(&"every") {
        let hint = if is_there("schedule") { "the time of day is part of `schedule`" } else { "add `every = \"1d\"`" };
        section.wrong(section.key_span("at"), "at", "goes with `every` only", Some(hint.to_owned()));
        return None;
    }
    if !is_there("schedule") && !is_there("every") {
        if !meant.iter().any(|key| ["schedule", "every"].contains(key)) {
            let hint = "add `schedule = \"30 2 * * *\"`, or `every = \"1d\"` and `at = \"02:30\"`".to_owned();
            section.page.missing(
                name_span,
                format!("{} has neither `schedule` nor `every`", section.whose),
                Some(hint),
            );
        }
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

fn crontab(section: &Section<'_>, zone: Tz) -> Option<Schedule> {
    let text = section.text("schedule")?;
    let error = match Schedule::crontab(text.value, zone) {
        Ok(schedule) => return Some(schedule),
        Err(error) => error,
    };
    let problem = format!("cannot be read: {}", error.message());
    section.wrong(text.part(error.span()), "schedule", problem, error.hint());
    None
}

fn interval(section: &Section<'_>, zone: Tz) -> Option<Schedule> {
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
    section: &Section<'_>,
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

fn order(section: &Section<'_>, backfill: bool) -> Order {
    let order = match section.word("order") {
        None => return Order::default(),
        Some("independent") => Order::Independent,
        Some(_) => Order::Strict,
    };
    // A `backfill` of the wrong type was noted already.
    let says_no = section.get("backfill").is_none_or(|value| value.get_ref().is_bool());
    if !backfill && says_no {
        let hint = "add `backfill = true`, or drop `order`: without it only the newest date runs".to_owned();
        section.wrong(section.key_span("order"), "order", "means nothing without `backfill`", Some(hint));
    }
    order
}

fn depends_on(section: &Section<'_>) -> Vec<(String, Range<usize>)> {
    let mut names: Vec<(String, Range<usize>)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for text in section.texts("depends_on", true).unwrap_or_default() {
        if seen.insert(text.value) {
            names.push((text.value.to_owned(), text.span));
        } else {
            section.page.warning(
                text.span,
                format!("{} names {} twice in `depends_on`", section.whose, quoted(text.value)),
                None,
            );
        }
    }
    names
}

/// Reads a path, which is relative to the folder of the file.
fn path(section: &Section<'_>, key: &'static str) -> Option<PathBuf> {
    let text = section.plain_text(key)?;
    if text.value.starts_with('~') {
        let hint = "write the whole path: no shell reads it".to_owned();
        section.wrong(text.part(0..1), key, "begins with `~`", Some(hint));
        return None;
    }
    Some(section.page.folder.join(text.value))
}

fn environment(section: &Section<'_>) -> BTreeMap<String, String> {
    const KEY: &str = "environment";
    let mut variables = BTreeMap::new();
    let Some(value) = section.get(KEY) else { return variables };
    let Some(table) = value.get_ref().as_table() else {
        section.wrong_type(KEY, value, Some("write `environment = { NAME = \"value\" }`".to_owned()));
        return variables;
    };
    for (name, value) in table {
        let span = name.span();
        let name = name.get_ref().as_ref();
        let is_good = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.starts_with("CRONTABBER_") {
            section.wrong(
                span,
                KEY,
                format_args!("cannot set {}: such names are crontabber's own", quoted(name)),
                None,
            );
        } else if !is_good {
            let hint = "letters, digits and `_`, not beginning with a digit".to_owned();
            section.wrong(
                span,
                KEY,
                format_args!("cannot set {}: no variable has that name", quoted(name)),
                Some(hint),
            );
        }
        match section.as_text(value) {
            None => {
                let problem = format!("must hold text in quotes only, not {}", kind(value.get_ref()));
                section.wrong(value.span(), KEY, problem, quotes(value.get_ref()));
            }
            Some(text) if text.value.contains('\0') => {
                section.wrong(text.span, KEY, "holds the control character '\\0'", None);
            }
            Some(text) => {
                variables.insert(name.to_owned(), text.value.to_owned());
            }
        }
    }
    variables
}

fn retry(section: &Section<'_>) -> Retry {
    if let Some(value) = section.get("retry")
        && !value.get_ref().is_table()
    {
        let hint = match value.get_ref() {
            DeValue::String(text) if duration::parse(text).is_ok() => {
                format!("write `retry = {{ after = \"{text}\" }}`")
            }
            value if whole_number(value).is_some() => {
                format!("write `retry = {{ attempts = {} }}`", whole_number(value).unwrap_or(3).max(1))
            }
            DeValue::Boolean(false) => "write `retry = { attempts = 1 }`".to_owned(),
            _ => "write `retry = { after = \"5m\", factor = 2, at_most = \"1h\" }`".to_owned(),
        };
        section.wrong_type("retry", value, Some(hint));
        return Retry::default();
    }
    let Some(retry) = section.section("retry", keys::RETRY, format!("`retry` of {}", section.whose)) else {
        return Retry::default();
    };
    retry.unknown_keys();
    let after = retry.positive_duration("after");
    let at_most = retry.positive_duration("at_most");
    let has_after = retry.table.contains_key("after");
    let least = after.or((!has_after).then_some(DEFAULT_RETRY_AFTER));
    if let (Some(least), Some(at_most)) = (least, at_most)
        && at_most < least
    {
        let span = retry.get("at_most").map_or(0..0, Spanned::span);
        let whose = if has_after { "`after`" } else { "the default of `after`" };
        let problem = format!("is shorter than {whose}, `{}`", duration::notation(least));
        retry.wrong(span, "at_most", problem, None);
    }
    Retry {
        after: after.unwrap_or(DEFAULT_RETRY_AFTER),
        factor: factor(&retry),
        at_most,
        attempts: retry.count("attempts"),
    }
}

fn factor(retry: &Section<'_>) -> f64 {
    const KEY: &str = "factor";
    let Some(value) = retry.get(KEY) else { return 1.0 };
    let number = match value.get_ref() {
        DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
        DeValue::Integer(_) => {
            whole_number(value.get_ref()).and_then(|number| i32::try_from(number).ok()).map(f64::from)
        }
        _ => {
            let number = value.get_ref().as_str().filter(|text| text.parse::<f64>().is_ok_and(f64::is_finite));
            retry.wrong_type(KEY, value, number.map(|number| format!("write `factor = {number}`, without quotes")));
            return 1.0;
        }
    };
    match number {
        Some(number) if number.is_finite() && number >= 1.0 => number,
        _ => {
            retry.wrong(
                value.span(),
                KEY,
                "must be a number of at least 1",
                Some("waits do not become shorter".to_owned()),
            );
            1.0
        }
    }
}

fn tags(section: &Section<'_>) -> Vec<String> {
    let mut tags = Vec::new();
    for text in section.texts("tags", false).unwrap_or_default() {
        if text.value.trim().is_empty() {
            section.wrong(text.span, "tags", "holds an empty one", None);
        } else if section.without_control_characters("tags", &text, &[]).is_some() {
            tags.push(text.value.to_owned());
        }
    }
    tags
}
