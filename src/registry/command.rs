//! `command` and `done_when`: a string for the shell, or a list of arguments.

use std::ops::Range;
use std::path::Path;

use super::table_reader::{StringValue, TableReader};
use crate::job::{Command, Template};
use crate::text::quoted;

/// A script may have several lines and indentation.
const ALLOWED: &[char] = &['\n', '\t'];

/// The programs that replace `${NAME}` in their arguments, also if another program starts them, such as `env` or `sudo`.
const SHELLS: [&str; 6] = ["ash", "bash", "dash", "ksh", "sh", "zsh"];

/// Reads the required `command`. `suggested` are the keys that unknown keys probably stand for.
pub(super) fn required(reader: &TableReader<'_>, name_span: Range<usize>, suggested: &[&str]) -> Option<Command> {
    const KEY: &str = "command";
    if !reader.has(KEY) {
        if !suggested.contains(&KEY) {
            let hint = "add `command = [\"/path/to/program\", \"--day\", \"{date:%Y-%m-%d}\"]`";
            reader.file.missing(name_span, format!("{} has no `command`", reader.label), hint);
        }
        return None;
    }
    read(reader, KEY)
}

/// Reads a command, if the key is present.
pub(super) fn read(reader: &TableReader<'_>, key: &'static str) -> Option<Command> {
    let value = reader.get(key)?;
    if let Some(text) = reader.as_string(value) {
        return shell(reader, key, &text);
    }
    if !value.get_ref().is_array() {
        reader.wrong_type(key, value, None);
        return None;
    }
    if value.get_ref().as_array().is_some_and(|items| items.is_empty()) {
        reader.invalid(value.span(), key, "is empty", None);
        return None;
    }
    argv(reader, key, &reader.strings(key, false)?)
}

fn shell(reader: &TableReader<'_>, key: &str, text: &StringValue<'_>) -> Option<Command> {
    if text.value.trim().is_empty() {
        reader.invalid(text.span.clone(), key, "is empty", None);
        return None;
    }
    reader.without_control_characters(key, text, ALLOWED)?;
    for (template, variable) in [("{date", "$CRONTABBER_SESSION_DATE"), ("{job}", "$CRONTABBER_JOB")] {
        if let Some(at) = text.value.find(template)
            && !text.value[..at].ends_with(['$', '{'])
        {
            let hint = format!("write `{variable}`, or the command as a list");
            let message =
                format!("{}: `{key}` is a shell string, in which {} is not replaced", reader.label, quoted(template));
            reader.file.warning(text.part(at..at + template.len()), message, hint);
        }
    }
    Some(Command::Shell(text.value.to_owned()))
}

/// Whether the job may have another `PATH` than the daemon.
fn has_own_path(reader: &TableReader<'_>) -> bool {
    let environment = reader.get("environment").and_then(|value| value.get_ref().as_table());
    reader.has("environment_file") || environment.is_some_and(|variables| variables.contains_key("PATH"))
}

fn argv(reader: &TableReader<'_>, key: &str, arguments: &[StringValue<'_>]) -> Option<Command> {
    let is_shell =
        |argument: &StringValue<'_>| argument.value.rsplit('/').next().is_some_and(|program| SHELLS.contains(&program));
    let shell = arguments.iter().position(is_shell).unwrap_or(arguments.len());
    let mut templates = Vec::with_capacity(arguments.len());
    for (number, argument) in arguments.iter().enumerate() {
        if reader.without_control_characters(key, argument, ALLOWED).is_none() {
            continue;
        }
        if number == 0 && argument.value.trim().is_empty() {
            reader.invalid(argument.span.clone(), key, "starts with an empty argument, which is not a program", None);
            continue;
        }
        let parsed =
            if number > shell { Template::parse_of_shell(argument.value) } else { Template::parse(argument.value) };
        match parsed {
            Ok(template) => templates.push(template),
            Err(error) => {
                let message = format!("{}: in `{key}`, {error}", reader.label);
                reader.file.error(argument.part(error.span), message, error.hint);
            }
        }
    }
    // A relative path starts at the folder where the job runs.
    if let Some(first) = arguments.first().filter(|first| first.value.starts_with('/') && !first.value.contains('{')) {
        reader.file.look_for(first.span.clone(), &reader.label, key, Path::new(first.value));
    }
    let is_name = |first: &&StringValue<'_>| !first.value.contains(['/', '{', ' ']);
    if let Some(first) = arguments.first().filter(is_name).filter(|_| !has_own_path(reader)) {
        reader.file.look_for_program(first.span.clone(), &reader.label, key, first.value);
    }
    if let [only] = arguments
        && only.value.contains(' ')
    {
        let hint = "split it into arguments, or remove the brackets to pass it to the shell";
        let message = format!("{}: `{key}` is a single argument that contains spaces", reader.label);
        reader.file.warning(only.span.clone(), message, hint);
    }
    (templates.len() == arguments.len()).then_some(Command::Argv(templates))
}
