//! One job: its keys, each checked, and what they say together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use toml::Spanned;

use super::command;
use super::dates::{self, Dated, Of, When};
use super::depends_on::{self, Named, Need};
use super::moment;
use super::retry;
use super::run_policy::{self, RunPolicy};
use super::table_reader::{TableReader, kind, quoted, quotes};
use crate::duration;
use crate::job::{Command, DEFAULT_KILL_GRACE, Job, JobName, OnLost};
use crate::schedule::Timetable;

/// A job as it stands in its file, until the jobs of all files are known.
#[derive(Debug)]
pub(super) struct Draft {
    /// The number of its file.
    pub(super) page: usize,
    /// Its name, also if that is no good one.
    pub(super) name: String,
    pub(super) name_span: Range<usize>,
    pub(super) dated: Dated,
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) depends_on: Vec<Need>,
    pub(super) require: Vec<Named>,
    pub(super) pool: Option<Named>,
    pub(super) previously: Option<Named>,
    pub(super) enabled: bool,
    /// Absent if something is wrong with it.
    pub(super) job: Option<Job>,
}

/// Reads a job; what is wrong with it is noted.
pub(super) fn read(
    section: &TableReader<'_>,
    name: &Spanned<toml::de::DeString<'_>>,
    zone: Tz,
    now: DateTime<Utc>,
    page: usize,
) -> Draft {
    let mistakes_before = section.page.mistakes();
    let job_name = job_name(section, name);
    let meant = section.unknown_keys();
    let of = Of { name: name.get_ref(), span: name.span(), zone, meant: &meant };
    let When { dated, start, jitter, timetable } = dates::read(section, &of, now);
    let command = command::required(section, name.span(), &meant);
    let mut draft = Draft {
        page,
        name: name.get_ref().to_string(),
        name_span: name.span(),
        dated,
        start,
        depends_on: depends_on::depends_on(section),
        require: depends_on::require(section),
        pool: section.plain_text("pool").as_ref().map(Named::new),
        previously: previously(section),
        enabled: section.flag("enabled").unwrap_or(true),
        job: None,
    };
    let job = rest(section, &draft, jitter);
    let is_good = section.page.mistakes() == mistakes_before;
    if let (Some(name), Some(timetable), Some(command), true) = (job_name, timetable, command, is_good) {
        draft.job = Some(job(name, timetable, command));
    }
    draft
}

/// Reads all other keys, and returns what makes the job of them.
fn rest(
    section: &TableReader<'_>,
    draft: &Draft,
    jitter: Duration,
) -> impl FnOnce(JobName, Timetable, Command) -> Job + use<> {
    let RunPolicy { date_policy, catch_up, overlap, skip_late } = run_policy::read(section, draft.dated);
    let description = section.plain_text("description").map(|text| text.value.to_owned());
    let working_directory = path(section, "working_directory");
    let environment = environment(section);
    let environment_file = path(section, "environment_file");
    let retry = retry::read(section);
    let (timeout, max_duration) = limits(section);
    let kill_grace = section.duration("kill_grace").unwrap_or(DEFAULT_KILL_GRACE);
    let depends_on = draft.depends_on.iter().filter_map(Need::dependency).collect();
    let require = draft.require.iter().filter_map(|named| JobName::new(&named.name).ok()).collect();
    let on_lost = if section.word("on_lost") == Some("hold") { OnLost::Hold } else { OnLost::Retry };
    let enabled = draft.enabled;
    let tags = tags(section);
    let pool = draft.pool.as_ref().map(|named| named.name.clone());
    let priority = section.whole("priority", i32::MIN.into()..=i32::MAX.into());
    let priority = priority.and_then(|priority| i32::try_from(priority).ok()).unwrap_or(0);
    let done_when = command::read(section, "done_when");
    let expect_by = moment::time_of_day(section, "expect_by");
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

/// Reads how long an attempt may take, and how long it should.
fn limits(section: &TableReader<'_>) -> (Option<Duration>, Option<Duration>) {
    const KEY: &str = "max_duration";
    let timeout = section.positive_duration("timeout");
    let max_duration = section.positive_duration(KEY);
    if let (Some(timeout), Some(max_duration)) = (timeout, max_duration)
        && max_duration >= timeout
    {
        let message =
            format!("{}: `{KEY}` is not shorter than `timeout`, `{}`", section.whose, duration::notation(timeout));
        let span = section.get(KEY).map_or(0..0, Spanned::span);
        section.page.warning(span, message, Some("an attempt is ended by then, and never reported as long".to_owned()));
    }
    (timeout, max_duration)
}

/// Reads the name that the job had.
fn previously(section: &TableReader<'_>) -> Option<Named> {
    const KEY: &str = "previously";
    let text = section.plain_text(KEY)?;
    if let Err(error) = JobName::new(text.value) {
        section.wrong(text.span, KEY, format_args!("is a name that no job had: {error}"), None);
        return None;
    }
    Some(Named::new(&text))
}

fn job_name(section: &TableReader<'_>, name: &Spanned<toml::de::DeString<'_>>) -> Option<JobName> {
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

/// Reads a path, which is relative to the folder of the file.
fn path(section: &TableReader<'_>, key: &'static str) -> Option<PathBuf> {
    let text = section.plain_text(key)?;
    if text.value.starts_with('~') {
        let hint = "write the whole path: no shell reads it".to_owned();
        section.wrong(text.part(0..1), key, "begins with `~`", Some(hint));
        return None;
    }
    Some(section.page.folder.join(text.value))
}

fn environment(section: &TableReader<'_>) -> BTreeMap<String, String> {
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

fn tags(section: &TableReader<'_>) -> Vec<String> {
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
