//! `command` and `done_when`: a string for the shell, or a list of arguments.

use std::ops::Range;

use super::table_reader::{TableReader, Text, quoted};
use crate::job::{Command, Template};

/// A script may have lines and indents.
const ALLOWED: &[char] = &['\n', '\t'];

/// Reads the command of a job; `meant` are keys that unknown ones probably stand for.
pub(super) fn required(section: &TableReader<'_>, name_span: Range<usize>, meant: &[&str]) -> Option<Command> {
    const KEY: &str = "command";
    if !section.table.contains_key(KEY) {
        if !meant.contains(&KEY) {
            let hint = "add `command = [\"/path/to/program\", \"--day\", \"{date:%Y-%m-%d}\"]`".to_owned();
            section.page.missing(name_span, format!("{} has no `command`", section.whose), Some(hint));
        }
        return None;
    }
    read(section, KEY)
}

/// Reads a command, if the key is there.
pub(super) fn read(section: &TableReader<'_>, key: &'static str) -> Option<Command> {
    let value = section.get(key)?;
    if let Some(text) = section.as_text(value) {
        return shell(section, key, &text);
    }
    if !value.get_ref().is_array() {
        section.wrong_type(key, value, None);
        return None;
    }
    if value.get_ref().as_array().is_some_and(|items| items.is_empty()) {
        section.wrong(value.span(), key, "is empty", None);
        return None;
    }
    argv(section, key, &section.texts(key, false)?)
}

fn shell(section: &TableReader<'_>, key: &str, text: &Text<'_>) -> Option<Command> {
    if text.value.trim().is_empty() {
        section.wrong(text.span.clone(), key, "is empty", None);
        return None;
    }
    section.without_control_characters(key, text, ALLOWED)?;
    for (template, variable) in [("{date", "$CRONTABBER_SESSION_DATE"), ("{job}", "$CRONTABBER_JOB")] {
        if let Some(at) = text.value.find(template)
            && !text.value[..at].ends_with(['$', '{'])
        {
            let hint = format!("a string goes to the shell as it is: write `{variable}`, or the command as a list");
            let message =
                format!("{}: `{key}` is a string, in which {} is not filled in", section.whose, quoted(template));
            section.page.warning(text.part(at..at + template.len()), message, Some(hint));
        }
    }
    Some(Command::Shell(text.value.to_owned()))
}

fn argv(section: &TableReader<'_>, key: &str, arguments: &[Text<'_>]) -> Option<Command> {
    let mut templates = Vec::with_capacity(arguments.len());
    for (number, argument) in arguments.iter().enumerate() {
        if section.without_control_characters(key, argument, ALLOWED).is_none() {
            continue;
        }
        if number == 0 && argument.value.trim().is_empty() {
            section.wrong(argument.span.clone(), key, "begins with an empty argument, which names no program", None);
            continue;
        }
        match Template::parse(argument.value) {
            Ok(template) => templates.push(template),
            Err(error) => {
                let hint = error.hint().map(str::to_owned);
                let message = format!("{}: in `{key}`, {}", section.whose, error.message());
                section.page.mistake(argument.part(error.span.clone()), message, hint);
            }
        }
    }
    if let [only] = arguments
        && only.value.contains(' ')
    {
        let hint = "split it into arguments, or drop the brackets to give it to the shell".to_owned();
        let message = format!("{}: `{key}` is one argument with spaces, which nothing splits", section.whose);
        section.page.warning(only.span.clone(), message, Some(hint));
    }
    (templates.len() == arguments.len()).then_some(Command::Argv(templates))
}
