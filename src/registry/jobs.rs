//! One job: reads its keys, and checks them together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use toml::Spanned;

use super::command;
use super::dates::{self, HasSchedule, JobContext, JobDates};
use super::depends_on::{self, DependencyEntry, Named};
use super::retry;
use super::run_policy::{self, RunPolicy};
use super::table_reader::TableReader;
use super::time;
use super::wording::{kind, quoted, quotes};
use crate::duration;
use crate::job::{Command, DEFAULT_KILL_GRACE, Job, JobName, OnLost};
use crate::schedule::Timetable;

/// A job before the jobs of all files are known.
#[derive(Debug)]
pub(super) struct Draft {
    /// The index of its file.
    pub(super) file: usize,
    /// May be an invalid name.
    pub(super) name: String,
    pub(super) name_span: Range<usize>,
    pub(super) has_schedule: HasSchedule,
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) depends_on: Vec<DependencyEntry>,
    pub(super) require: Vec<Named>,
    pub(super) pool: Option<Named>,
    pub(super) previously: Option<Named>,
    pub(super) enabled: bool,
    /// Absent if the job is invalid.
    pub(super) job: Option<Job>,
}

/// Reads a job and reports what is invalid.
pub(super) fn read(
    reader: &TableReader<'_>,
    name: &Spanned<toml::de::DeString<'_>>,
    zone: Tz,
    now: DateTime<Utc>,
    file: usize,
) -> Draft {
    let errors_before = reader.file.errors();
    let job_name = job_name(reader, name);
    let suggested = reader.unknown_keys();
    let context = JobContext { name: name.get_ref(), span: name.span(), zone, suggested: &suggested };
    let JobDates { has_schedule, start, jitter, timetable } = dates::read(reader, &context, now);
    let command = command::required(reader, name.span(), &suggested);
    let mut draft = Draft {
        file,
        name: name.get_ref().to_string(),
        name_span: name.span(),
        has_schedule,
        start,
        depends_on: depends_on::depends_on(reader),
        require: depends_on::require(reader),
        pool: reader.non_empty_string("pool").as_ref().map(Named::new),
        previously: previously(reader),
        enabled: reader.boolean("enabled").unwrap_or(true),
        job: None,
    };
    let job = rest(reader, &draft, jitter);
    let is_good = reader.file.errors() == errors_before;
    if let (Some(name), Some(timetable), Some(command), true) = (job_name, timetable, command, is_good) {
        draft.job = Some(job(name, timetable, command));
    }
    draft
}

/// Reads the other keys and returns a function that builds the job.
fn rest(
    reader: &TableReader<'_>,
    draft: &Draft,
    jitter: Duration,
) -> impl FnOnce(JobName, Timetable, Command) -> Job + use<> {
    let RunPolicy { date_policy, catch_up, overlap, skip_late } = run_policy::read(reader, draft.has_schedule);
    let description = reader.non_empty_string("description").map(|text| text.value.to_owned());
    let working_directory = path(reader, "working_directory");
    let environment = environment(reader);
    let environment_file = path(reader, "environment_file");
    let retry = retry::read(reader);
    let (timeout, max_duration) = limits(reader);
    let kill_grace = reader.duration("kill_grace").unwrap_or(DEFAULT_KILL_GRACE);
    let depends_on = draft.depends_on.iter().filter_map(DependencyEntry::to_dependency).collect();
    let require = draft.require.iter().filter_map(|named| JobName::new(&named.name).ok()).collect();
    let on_lost = if reader.choice("on_lost") == Some("hold") { OnLost::Hold } else { OnLost::Retry };
    let enabled = draft.enabled;
    let tags = tags(reader);
    let pool = draft.pool.as_ref().map(|named| named.name.clone());
    let priority = reader.integer("priority", i32::MIN.into()..=i32::MAX.into());
    let priority = priority.and_then(|priority| i32::try_from(priority).ok()).unwrap_or(0);
    let done_when = command::read(reader, "done_when");
    let expect_by = time::time_of_day(reader, "expect_by");
    let previously = draft.previously.as_ref().and_then(|named| JobName::new(&named.name).ok());
    move |name, timetable, command| Job {
        description,
        date_policy,
        working_directory,
        environment,
        environment_file,
        retry,
        timeout,
        kill_grace,
        depends_on,
        require,
        on_lost,
        enabled,
        tags,
        catch_up,
        overlap,
        skip_late,
        pool,
        priority,
        jitter,
        done_when,
        expect_by,
        max_duration,
        previously,
        ..Job::new(name, timetable, command)
    }
}

/// Reads `timeout` and `max_duration`.
fn limits(reader: &TableReader<'_>) -> (Option<Duration>, Option<Duration>) {
    const KEY: &str = "max_duration";
    let timeout = reader.positive_duration("timeout");
    let max_duration = reader.positive_duration(KEY);
    if let (Some(timeout), Some(max_duration)) = (timeout, max_duration)
        && max_duration >= timeout
    {
        let message =
            format!("{}: `{KEY}` is not shorter than `timeout`, `{}`", reader.label, duration::notation(timeout));
        let span = reader.get(KEY).map_or(0..0, Spanned::span);
        reader.file.warning(
            span,
            message,
            Some("`timeout` ends the attempt first, so it is never reported as long".to_owned()),
        );
    }
    (timeout, max_duration)
}

fn previously(reader: &TableReader<'_>) -> Option<Named> {
    const KEY: &str = "previously";
    let text = reader.non_empty_string(KEY)?;
    if let Err(error) = JobName::new(text.value) {
        reader.invalid(text.span, KEY, format_args!("is not a valid job name: {error}"), None);
        return None;
    }
    Some(Named::new(&text))
}

fn job_name(reader: &TableReader<'_>, name: &Spanned<toml::de::DeString<'_>>) -> Option<JobName> {
    let text = name.get_ref();
    match JobName::new(text) {
        Ok(name) => Some(name),
        Err(error) => {
            let suggested: String =
                text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
            let suggested = suggested.trim_start_matches(['.', '_', '-']);
            let hint = JobName::new(suggested)
                .ok()
                .filter(|_| text.is_ascii())
                .map(|suggested| format!("for example `[jobs.{suggested}]`"));
            reader.file.error(name.span(), format!("a job cannot be named {}: {error}", quoted(text)), hint);
            None
        }
    }
}

/// Reads a path relative to the folder of the file.
fn path(reader: &TableReader<'_>, key: &'static str) -> Option<PathBuf> {
    let text = reader.non_empty_string(key)?;
    if text.value.starts_with('~') {
        let hint = "write the full path: no shell expands it".to_owned();
        reader.invalid(text.part(0..1), key, "starts with `~`", Some(hint));
        return None;
    }
    Some(reader.file.folder.join(text.value))
}

fn environment(reader: &TableReader<'_>) -> BTreeMap<String, String> {
    const KEY: &str = "environment";
    let mut variables = BTreeMap::new();
    let Some(value) = reader.get(KEY) else { return variables };
    let Some(table) = value.get_ref().as_table() else {
        reader.wrong_type(KEY, value, Some("write `environment = { NAME = \"value\" }`".to_owned()));
        return variables;
    };
    for (name, value) in table {
        let span = name.span();
        let name = name.get_ref().as_ref();
        let is_good = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.starts_with("CRONTABBER_") {
            reader.invalid(
                span,
                KEY,
                format_args!("cannot set {}: names that start with `CRONTABBER_` are reserved", quoted(name)),
                None,
            );
        } else if !is_good {
            let hint = "use letters, digits and `_`, and do not start with a digit".to_owned();
            reader.invalid(
                span,
                KEY,
                format_args!("cannot set {}: not a valid variable name", quoted(name)),
                Some(hint),
            );
        }
        match reader.as_string(value) {
            None => {
                let problem = format!("must contain only strings, not {}", kind(value.get_ref()));
                reader.invalid(value.span(), KEY, problem, quotes(value.get_ref()));
            }
            Some(text) if text.value.contains('\0') => {
                reader.invalid(text.span, KEY, "contains the control character '\\0'", None);
            }
            Some(text) => {
                variables.insert(name.to_owned(), text.value.to_owned());
            }
        }
    }
    variables
}

fn tags(reader: &TableReader<'_>) -> Vec<String> {
    let mut tags = Vec::new();
    for text in reader.strings("tags", false).unwrap_or_default() {
        if text.value.trim().is_empty() {
            reader.invalid(text.span, "tags", "contains an empty string", None);
        } else if reader.without_control_characters("tags", &text, &[]).is_some() {
            tags.push(text.value.to_owned());
        }
    }
    tags
}
