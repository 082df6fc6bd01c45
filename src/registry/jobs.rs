//! One job: reads its keys, and checks them together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::command;
use super::dates::{self, HasSchedule, JobDates};
use super::depends_on::{self, DependencyEntry, Named};
use super::keys;
use super::retry;
use super::run_policy::{self, RunPolicy};
use super::table_reader::TableReader;
use super::time;
use super::wording::{kind, quotes};
use crate::duration;
use crate::job::{Command, DEFAULT_KILL_GRACE, Job, JobName, OnLost, OnUnknown};
use crate::schedule::{Schedule, Timetable};
use crate::text::quoted;

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
    is_new: bool,
    pub(super) enabled: bool,
    /// Absent if the job is invalid.
    pub(super) job: Option<Job>,
}

/// Reads the jobs of a file, in the order of their lines.
pub(super) fn read(top: &TableReader<'_>, zone: Tz, now: DateTime<Utc>, file: usize, drafts: &mut Vec<Draft>) {
    for (name, value) in top.named_tables("jobs", "a job is declared as `[jobs.NAME]`") {
        let label = format!("job {}", quoted(name.get_ref()));
        if let DeValue::Table(table) = value.get_ref() {
            drafts.push(job(&top.other(label, table, keys::JOB), name, zone, now, file));
        } else {
            let message = format!("{label} must be a table, not {}", kind(value.get_ref()));
            top.file.error(name.span(), message, "a job is declared as `[jobs.NAME]`, with its keys below");
        }
    }
}

/// Reads a job and reports what is invalid.
fn job(reader: &TableReader<'_>, name: &Spanned<DeString<'_>>, zone: Tz, now: DateTime<Utc>, file: usize) -> Draft {
    let errors_before = reader.file.errors();
    let job_name = job_name(reader, name);
    let suggested = reader.unknown_keys();
    let JobDates { has_schedule, start, jitter, timetable } = dates::read(reader, name, zone, &suggested, now);
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
        is_new: is_new(reader),
        enabled: reader.boolean("enabled").unwrap_or(true),
        job: None,
    };
    let required = job_name.zip(timetable).zip(command);
    let is_complete = required.is_some();
    let ((name, timetable), command) = required.unwrap_or_else(|| placeholder(zone));
    let job = with_optional_keys(Job::new(name, timetable, command), reader, &draft, jitter);
    draft.job = Some(job).filter(|_| is_complete && reader.file.errors() == errors_before);
    draft
}

/// Stands for the required values of an invalid job, so that its other keys can be checked, too.
fn placeholder(zone: Tz) -> ((JobName, Timetable), Command) {
    let timetable = Timetable::new(Schedule::none(zone), None, None, Duration::ZERO);
    let name = JobName::new("invalid").expect("a valid name");
    ((name, timetable), Command::Shell(String::new()))
}

/// Reads the optional keys of a job.
fn with_optional_keys(job: Job, reader: &TableReader<'_>, draft: &Draft, jitter: Duration) -> Job {
    let RunPolicy { date_policy, catch_up, overlap, skip_late } = run_policy::read(reader, draft.has_schedule);
    let (timeout, max_duration) = limits(reader);
    let priority = reader.integer("priority", i32::MIN.into()..=i32::MAX.into());
    Job {
        description: reader.non_empty_string("description").map(|text| text.value.to_owned()),
        date_policy,
        working_directory: path(reader, "working_directory"),
        environment: environment(reader),
        environment_file: path(reader, "environment_file"),
        retry: retry::read(reader),
        timeout,
        kill_grace: reader.duration("kill_grace").unwrap_or(DEFAULT_KILL_GRACE),
        depends_on: draft.depends_on.iter().filter_map(DependencyEntry::to_dependency).collect(),
        require: draft.require.iter().filter_map(|named| JobName::new(&named.name).ok()).collect(),
        on_lost: if reader.choice("on_lost") == Some("hold") { OnLost::Hold } else { OnLost::Retry },
        enabled: draft.enabled,
        tags: tags(reader),
        catch_up,
        overlap,
        skip_late,
        pool: draft.pool.as_ref().map(|named| named.name.clone()),
        priority: priority.and_then(|priority| i32::try_from(priority).ok()).unwrap_or(0),
        jitter,
        done_when: command::read(reader, "done_when"),
        on_unknown: on_unknown(reader),
        expect_by: time::time_of_day(reader, "expect_by"),
        max_duration,
        previously: draft.previously.as_ref().and_then(|named| JobName::new(&named.name).ok()),
        is_new: draft.is_new,
        ..job
    }
}

fn on_unknown(reader: &TableReader<'_>) -> OnUnknown {
    const KEY: &str = "on_unknown";
    let choice = reader.choice(KEY);
    if choice.is_some() && !reader.has("done_when") {
        let hint = "add `done_when`, or remove it; after an attempt with an unknown outcome `on_lost` decides";
        reader.invalid(reader.key_span(KEY), KEY, "has no effect without `done_when`", hint);
    }
    if choice == Some("hold") { OnUnknown::Hold } else { OnUnknown::Run }
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
        reader.file.warning(
            reader.value_span(KEY),
            message,
            "`timeout` ends the attempt first, so it is never reported as long",
        );
    }
    (timeout, max_duration)
}

/// Whether the job says that it had no other name: `previously = false`.
fn is_new(reader: &TableReader<'_>) -> bool {
    reader.get("previously").is_some_and(|value| value.get_ref().as_bool() == Some(false))
}

fn previously(reader: &TableReader<'_>) -> Option<Named> {
    const KEY: &str = "previously";
    if is_new(reader) {
        return None;
    }
    let text = reader.non_empty_string(KEY)?;
    if let Err(error) = JobName::new(text.value) {
        reader.invalid(text.span, KEY, format_args!("is not a valid job name: {error}"), None);
        return None;
    }
    Some(Named::new(&text))
}

fn job_name(reader: &TableReader<'_>, name: &Spanned<DeString<'_>>) -> Option<JobName> {
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
        let hint = "write the full path: no shell expands it";
        reader.invalid(text.part(0..1), key, "starts with `~`", hint);
        return None;
    }
    let path = reader.file.folder.join(text.value);
    reader.file.look_for(text.span, &reader.label, key, &path);
    Some(path)
}

fn environment(reader: &TableReader<'_>) -> BTreeMap<String, String> {
    const KEY: &str = "environment";
    let mut variables = BTreeMap::new();
    let Some(value) = reader.get(KEY) else { return variables };
    let Some(table) = value.get_ref().as_table() else {
        reader.wrong_type(KEY, value, "write `environment = { NAME = \"value\" }`");
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
            let hint = "use letters, digits and `_`, and do not start with a digit";
            reader.invalid(span, KEY, format_args!("cannot set {}: not a valid variable name", quoted(name)), hint);
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
                if let Some(at) = text.value.find("{date") {
                    let message = format!("{}: in `{KEY}`, `{{date` is not replaced", reader.label);
                    let hint = "use `$CRONTABBER_SESSION_DATE` in the job";
                    reader.file.warning(text.part(at..at + "{date".len()), message, hint);
                }
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
