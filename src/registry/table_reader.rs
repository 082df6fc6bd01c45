//! Reads one table of a file key by key. A value of the wrong type is reported and then treated as absent.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::keys::{self, Key, Shape};
use super::source_file::SourceFile;
use super::suggest::Suggester;
use super::wording::{as_integer, kind, quotes};
use crate::duration;
use crate::text::{Hint, did_you_mean, listed, printable, quoted};

pub(super) type Value<'a> = &'a Spanned<DeValue<'a>>;

pub(super) struct TableReader<'a> {
    pub(super) file: &'a SourceFile,
    pub(super) suggester: &'a Suggester,
    /// Names the table in messages: "job `load`".
    pub(super) label: String,
    pub(super) table: &'a DeTable<'a>,
    pub(super) keys: &'static [Key],
}

/// A string and its span.
#[derive(Debug, Clone)]
pub(super) struct StringValue<'a> {
    pub(super) value: &'a str,
    pub(super) span: Range<usize>,
    /// Where the content begins in the file, if it has no escapes.
    start: Option<usize>,
}

impl StringValue<'_> {
    /// The span of a part of the string; the whole span if the string has escapes.
    pub(super) fn part(&self, part: Range<usize>) -> Range<usize> {
        match self.start {
            Some(start) if part.end <= self.value.len() && part.start < part.end => {
                start + part.start..start + part.end
            }
            _ => self.span.clone(),
        }
    }
}

impl<'a> TableReader<'a> {
    /// Reports unknown keys, and returns the keys that they probably stand for.
    pub(super) fn unknown_keys(&self) -> Vec<&'static str> {
        let mut suggested = Vec::new();
        for (key, value) in self.table {
            let name = key.get_ref().as_ref();
            if self.keys.iter().any(|known| known.name == name) {
                continue;
            }
            let suggestion = self.suggester.key(name, self.keys, value.get_ref().is_table());
            let hint = match suggestion {
                Some(suggestion) => Some(did_you_mean(suggestion)),
                None => self.belongs_elsewhere(name, value.get_ref()),
            };
            match value.get_ref().as_table() {
                // In `[jobs.some.name]`, what `some` seems to lack is in `name`.
                Some(table) if std::ptr::eq(self.keys, keys::JOB) && looks_like_a_job(table) => {
                    suggested.extend(["schedule", "command"]);
                }
                _ => suggested.extend(suggestion),
            }
            self.file.error(key.span(), format!("{} has unknown key {}", self.label, quoted(name)), hint);
        }
        suggested
    }

    /// Says where an unknown key belongs.
    fn belongs_elsewhere(&self, name: &str, value: &DeValue<'_>) -> Option<String> {
        let knows = |keys: &[Key]| keys.iter().any(|key| key.name == name);
        let is = |keys: &'static [Key]| std::ptr::eq(self.keys, keys);
        if is(keys::JOB) && knows(keys::DAEMON) {
            return Some(format!("`{name}` belongs in `[daemon]`"));
        }
        if is(keys::TOP) && knows(keys::JOB) && knows(keys::DAEMON) {
            return Some(format!("`{name}` belongs in `[daemon]`, or in a job: `[jobs.NAME]`"));
        }
        if (is(keys::DAEMON) || is(keys::TOP)) && knows(keys::JOB) {
            return Some(format!("`{name}` belongs in a job: `[jobs.NAME]`"));
        }
        if is(keys::TOP) && knows(keys::DAEMON) {
            return Some(format!("`{name}` belongs in `[daemon]`"));
        }
        if is(keys::INCLUDED) && ["daemon", "include"].contains(&name) {
            return Some("an included file may contain only jobs and pools".to_owned());
        }
        match value.as_table() {
            Some(table) if !is(keys::JOB) && looks_like_a_job(table) => {
                Some(format!("a job is declared as `[jobs.{name}]`"))
            }
            Some(table) if is(keys::JOB) && looks_like_a_job(table) => {
                Some("a job whose name has a dot is declared in quotes: `[jobs.\"some.name\"]`".to_owned())
            }
            _ => None,
        }
    }

    /// The value of a key, if it is present.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'a>> {
        debug_assert!(self.keys.iter().any(|known| known.name == key), "`{key}` is in the table of keys");
        // The parser inserts values without a span where it could not parse one.
        self.table.get(key).filter(|value| value.span() != (0..0))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A reader of another table of the file.
    pub(super) fn other(&self, label: String, table: &'a DeTable<'a>, keys: &'static [Key]) -> Self {
        Self { file: self.file, suggester: self.suggester, label, table, keys }
    }

    /// The span of a key that is present.
    pub(super) fn key_span(&self, key: &'static str) -> Range<usize> {
        self.table.get_key_value(key).map_or(0..0, |(key, _)| key.span())
    }

    /// The span of a value; empty if it is absent.
    pub(super) fn value_span(&self, key: &'static str) -> Range<usize> {
        self.get(key).map_or(0..0, Spanned::span)
    }

    /// Reports an invalid value.
    pub(super) fn invalid(&self, span: Range<usize>, key: &str, problem: impl Display, hint: impl Into<Hint>) {
        self.file.error(span, format!("{}: `{key}` {problem}", self.label), hint);
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong_type(&self, key: &'static str, value: Value<'_>, hint: impl Into<Hint>) {
        let expected =
            self.keys.iter().find(|known| known.name == key).map_or("something else", |key| key.shape.expected());
        self.invalid(value.span(), key, format_args!("must be {expected}, not {}", kind(value.get_ref())), hint);
    }

    pub(super) fn string(&self, key: &'static str) -> Option<StringValue<'a>> {
        let value = self.get(key)?;
        let text = self.as_string(value);
        if text.is_none() {
            // The value of `ledger` may contain a password, and a number is not a schedule.
            let can_be_quoted = !value.get_ref().is_bool() && !["ledger", "schedule", "every"].contains(&key);
            self.wrong_type(key, value, quotes(value.get_ref()).filter(|_| can_be_quoted));
        }
        text
    }

    /// Reads a string that is not blank and can be printed on a terminal.
    pub(super) fn non_empty_string(&self, key: &'static str) -> Option<StringValue<'a>> {
        let text = self.string(key)?;
        if text.value.trim().is_empty() {
            self.invalid(text.span, key, "is empty", None);
            return None;
        }
        self.without_control_characters(key, &text, &[])?;
        Some(text)
    }

    /// Reports control characters other than `allowed`.
    pub(super) fn without_control_characters(&self, key: &str, text: &StringValue<'_>, allowed: &[char]) -> Option<()> {
        let Some((at, wrong)) = text.value.char_indices().find(|(_, c)| c.is_control() && !allowed.contains(c)) else {
            return Some(());
        };
        let hint = (wrong == '\r').then(|| "save the file with Unix line endings".to_owned());
        self.invalid(
            text.part(at..at + wrong.len_utf8()),
            key,
            format_args!("contains the control character {wrong:?}"),
            hint,
        );
        None
    }

    /// The value as a string, if it is one.
    pub(super) fn as_string(&self, value: Value<'a>) -> Option<StringValue<'a>> {
        let DeValue::String(decoded) = value.get_ref() else { return None };
        let span = value.span();
        let source = self.file.text.get(span.clone()).unwrap_or_default();
        let start = ["\"\"\"\n", "'''\n", "\"\"\"", "'''", "\"", "'"].iter().find_map(|open| {
            let inner = source.strip_prefix(open)?.strip_suffix(open.trim_end())?;
            (inner == decoded.as_ref()).then(|| span.start + open.len())
        });
        Some(StringValue { value: decoded, span, start })
    }

    /// Reads an array of strings, or a single string if `one` is true. Other items are reported and left out.
    pub(super) fn strings(&self, key: &'static str, one: bool) -> Option<Vec<StringValue<'a>>> {
        let value = self.get(key)?;
        if let (true, Some(text)) = (one, self.as_string(value)) {
            return Some(vec![text]);
        }
        let DeValue::Array(items) = value.get_ref() else {
            let hint = self
                .as_string(value)
                .map(|text| format!("write `{key} = [{}]`", printable(&format!("{:?}", text.value))));
            self.wrong_type(key, value, hint);
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match self.as_string(item) {
                Some(text) => texts.push(text),
                None => self.invalid(
                    item.span(),
                    key,
                    format_args!("must contain only strings, not {}", kind(item.get_ref())),
                    quotes(item.get_ref()),
                ),
            }
        }
        Some(texts)
    }

    pub(super) fn boolean(&self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            let suggested = match value.get_ref().as_str().map(str::to_ascii_lowercase).as_deref() {
                Some("true" | "yes" | "on" | "1") => Some("true"),
                Some("false" | "no" | "off" | "0") => Some("false"),
                _ => None,
            };
            self.wrong_type(
                key,
                value,
                suggested.map(|suggested| format!("write `{key} = {suggested}`, without quotes")),
            );
        }
        flag
    }

    /// Reads an integer of at least 1.
    pub(super) fn count(&self, key: &'static str) -> Option<u32> {
        self.integer(key, 1..=u32::MAX.into()).and_then(|number| u32::try_from(number).ok())
    }

    /// Reads an integer within a range.
    pub(super) fn integer(&self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            let number = value.get_ref().as_str().filter(|text| text.parse::<i64>().is_ok());
            self.wrong_type(key, value, number.map(|number| format!("write `{key} = {number}`, without quotes")));
            return None;
        };
        let too_long = if integer.as_str().starts_with('-') { i64::MIN } else { i64::MAX };
        let number = as_integer(value.get_ref()).unwrap_or(too_long);
        if range.contains(&number) {
            return Some(number);
        }
        let (limit, least_or_most) =
            if number < *range.start() { ("at least", range.start()) } else { ("at most", range.end()) };
        self.invalid(value.span(), key, format_args!("must be {limit} {least_or_most}"), None);
        None
    }

    pub(super) fn duration(&self, key: &'static str) -> Option<Duration> {
        let value = self.get(key)?;
        let Some(text) = self.as_string(value) else {
            let seconds = as_integer(value.get_ref()).filter(|seconds| *seconds >= 0);
            let hint = seconds.map_or("write `\"90s\"` or `\"1h30m\"`, for example".to_owned(), |seconds| {
                format!("write `\"{seconds}s\"`")
            });
            self.wrong_type(key, value, hint);
            return None;
        };
        match duration::parse(text.value) {
            Ok(duration) => Some(duration),
            Err(error) => {
                self.invalid(text.span, key, format_args!("is invalid: {}", error.message), error.hint);
                None
            }
        }
    }

    /// Reads a duration greater than zero.
    pub(super) fn positive_duration(&self, key: &'static str) -> Option<Duration> {
        let duration = self.duration(key)?;
        if duration.is_zero() {
            self.invalid(self.value_span(key), key, "must be greater than zero", None);
            return None;
        }
        Some(duration)
    }

    /// Reads one of the strings that the table of keys allows.
    pub(super) fn choice(&self, key: &'static str) -> Option<&'static str> {
        let value = self.get(key)?;
        let shape = self.keys.iter().find(|known| known.name == key).map(|key| key.shape);
        let Some(Shape::Choice(words)) = shape else { return None };
        let text = value.get_ref().as_str();
        if let Some(word) = words.iter().find(|word| Some(**word) == text) {
            return Some(word);
        }
        let choice: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
        let choice = listed(&choice, "or");
        let found = text.map_or(kind(value.get_ref()).to_owned(), quoted);
        let suggested = text.and_then(|text| self.suggester.closest(text, words.iter().copied()));
        let problem = format!("must be {choice}, not {found}");
        self.invalid(value.span(), key, problem, suggested.map(did_you_mean));
        None
    }

    /// A reader of the table under a key; `hint` is for another value.
    pub(super) fn sub_table(
        &self,
        key: &'static str,
        keys: &'static [Key],
        label: String,
        hint: impl FnOnce(&DeValue<'_>) -> Option<String>,
    ) -> Option<TableReader<'a>> {
        let value = self.get(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(key, value, hint(value.get_ref()));
            return None;
        };
        Some(self.other(label, table, keys))
    }

    /// The jobs or pools of a file, in the order of their lines; `hint` says how one is declared.
    pub(super) fn named_tables(&self, key: &'static str, hint: &str) -> Vec<(&'a Spanned<DeString<'a>>, Value<'a>)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(key, value, hint);
            return Vec::new();
        };
        let mut tables: Vec<_> = table.iter().filter(|(_, value)| value.span() != (0..0)).collect();
        tables.sort_by_key(|(name, _)| name.span().start);
        tables
    }
}

fn looks_like_a_job(table: &DeTable<'_>) -> bool {
    ["command", "schedule", "every"].iter().any(|key| table.contains_key(*key))
}
