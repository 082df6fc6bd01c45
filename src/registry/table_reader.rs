//! One table of a file, read key by key: what has the wrong type is noted and then treated as if it were not there.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Key, Shape};
use super::source_file::SourceFile;
use super::suggest::Nearest;
use crate::duration;

/// A value and where it stands.
pub(super) type Value<'a> = &'a Spanned<DeValue<'a>>;

/// A table with the keys that it may have.
pub(super) struct TableReader<'a> {
    pub(super) page: &'a SourceFile,
    pub(super) nearest: &'a Nearest,
    /// For messages: "job `load`".
    pub(super) whose: String,
    pub(super) table: &'a DeTable<'a>,
    pub(super) keys: &'static [Key],
}

/// Text and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    pub(super) value: &'a str,
    pub(super) span: Range<usize>,
    /// Where the text itself begins in the file, if it stands there letter by letter.
    start: Option<usize>,
}

impl Text<'_> {
    /// Where a part of the text stands in the file; the whole of it if that cannot be told.
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
    /// Notes every key that the table may not have, and returns the keys that were probably meant.
    pub(super) fn unknown_keys(&self) -> Vec<&'static str> {
        let mut meant = Vec::new();
        for (key, value) in self.table {
            let name = key.get_ref().as_ref();
            if self.keys.iter().any(|known| known.name == name) {
                continue;
            }
            let nearest = self.nearest.key(name, self.keys, value.get_ref().is_table());
            let hint = match nearest {
                Some(nearest) => Some(format!("did you mean `{nearest}`?")),
                None => self.belongs_elsewhere(name, value.get_ref()),
            };
            match value.get_ref().as_table() {
                // Of `[jobs.some.name]`, what `some` seems to lack stands in `name`.
                Some(table) if std::ptr::eq(self.keys, keys::JOB) && looks_like_a_job(table) => {
                    meant.extend(["schedule", "command"]);
                }
                _ => meant.extend(nearest),
            }
            self.page.mistake(key.span(), format!("{} has unknown key {}", self.whose, quoted(name)), hint);
        }
        meant
    }

    /// Says where an unknown key would be at home.
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
            return Some("an included file holds jobs and pools only".to_owned());
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

    /// What a key holds, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'a>> {
        debug_assert!(self.keys.iter().any(|known| known.name == key), "`{key}` is in the table of keys");
        // The parser puts a value without a place where it could not read one.
        self.table.get(key).filter(|value| value.span() != (0..0))
    }

    /// Where a key that is there stands.
    pub(super) fn key_span(&self, key: &'static str) -> Range<usize> {
        self.table.get_key_value(key).map_or(0..0, |(key, _)| key.span())
    }

    /// Notes a mistake about what a key holds.
    pub(super) fn wrong(&self, span: Range<usize>, key: &str, problem: impl Display, hint: Option<String>) {
        self.page.mistake(span, format!("{}: `{key}` {problem}", self.whose), hint);
    }

    /// Notes that a key holds a value of another type than it should.
    pub(super) fn wrong_type(&self, key: &'static str, value: Value<'_>, hint: Option<String>) {
        let expected =
            self.keys.iter().find(|known| known.name == key).map_or("something else", |key| key.shape.expected());
        self.wrong(value.span(), key, format_args!("must be {expected}, not {}", kind(value.get_ref())), hint);
    }

    /// Reads text.
    pub(super) fn text(&self, key: &'static str) -> Option<Text<'a>> {
        let value = self.get(key)?;
        let text = self.as_text(value);
        if text.is_none() {
            // What is written for the ledger may hold a password, and a number is no schedule.
            let can_be_quoted = !value.get_ref().is_bool() && !["ledger", "schedule", "every"].contains(&key);
            self.wrong_type(key, value, quotes(value.get_ref()).filter(|_| can_be_quoted));
        }
        text
    }

    /// Reads text that is not empty and can be shown on a terminal.
    pub(super) fn plain_text(&self, key: &'static str) -> Option<Text<'a>> {
        let text = self.text(key)?;
        if text.value.trim().is_empty() {
            self.wrong(text.span, key, "is empty", None);
            return None;
        }
        self.without_control_characters(key, &text, &[])?;
        Some(text)
    }

    /// Refuses control characters but those that are `allowed`.
    pub(super) fn without_control_characters(&self, key: &str, text: &Text<'_>, allowed: &[char]) -> Option<()> {
        let Some((at, wrong)) = text.value.char_indices().find(|(_, c)| c.is_control() && !allowed.contains(c)) else {
            return Some(());
        };
        let hint = (wrong == '\r').then(|| "save the file with Unix line ends".to_owned());
        self.wrong(
            text.part(at..at + wrong.len_utf8()),
            key,
            format_args!("holds the control character {wrong:?}"),
            hint,
        );
        None
    }

    /// Sees a value as text.
    pub(super) fn as_text(&self, value: Value<'a>) -> Option<Text<'a>> {
        let DeValue::String(decoded) = value.get_ref() else { return None };
        let span = value.span();
        let source = self.page.text.get(span.clone()).unwrap_or_default();
        let start = ["\"\"\"\n", "'''\n", "\"\"\"", "'''", "\"", "'"].iter().find_map(|open| {
            let inner = source.strip_prefix(open)?.strip_suffix(open.trim_end())?;
            (inner == decoded.as_ref()).then(|| span.start + open.len())
        });
        Some(Text { value: decoded, span, start })
    }

    /// Reads a list of text, or one text if `one` may stand for a list; what is no text in it is noted and left out.
    pub(super) fn texts(&self, key: &'static str, one: bool) -> Option<Vec<Text<'a>>> {
        let value = self.get(key)?;
        if let (true, Some(text)) = (one, self.as_text(value)) {
            return Some(vec![text]);
        }
        let DeValue::Array(items) = value.get_ref() else {
            let hint =
                self.as_text(value).map(|text| format!("write `{key} = [{}]`", shown(&format!("{:?}", text.value))));
            self.wrong_type(key, value, hint);
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match self.as_text(item) {
                Some(text) => texts.push(text),
                None => self.wrong(
                    item.span(),
                    key,
                    format_args!("must hold text in quotes only, not {}", kind(item.get_ref())),
                    quotes(item.get_ref()),
                ),
            }
        }
        Some(texts)
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            let meant = match value.get_ref().as_str().map(str::to_ascii_lowercase).as_deref() {
                Some("true" | "yes" | "on" | "1") => Some("true"),
                Some("false" | "no" | "off" | "0") => Some("false"),
                _ => None,
            };
            self.wrong_type(key, value, meant.map(|meant| format!("write `{key} = {meant}`, without quotes")));
        }
        flag
    }

    /// Reads a whole number of at least 1.
    pub(super) fn count(&self, key: &'static str) -> Option<u32> {
        self.whole(key, 1..=u32::MAX.into()).and_then(|number| u32::try_from(number).ok())
    }

    /// Reads a whole number of a range.
    pub(super) fn whole(&self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            let number = value.get_ref().as_str().filter(|text| text.parse::<i64>().is_ok());
            self.wrong_type(key, value, number.map(|number| format!("write `{key} = {number}`, without quotes")));
            return None;
        };
        let too_long = if integer.as_str().starts_with('-') { i64::MIN } else { i64::MAX };
        let number = whole_number(value.get_ref()).unwrap_or(too_long);
        if range.contains(&number) {
            return Some(number);
        }
        let (limit, least_or_most) =
            if number < *range.start() { ("at least", range.start()) } else { ("at most", range.end()) };
        self.wrong(value.span(), key, format_args!("must be {limit} {least_or_most}"), None);
        None
    }

    /// Reads a duration.
    pub(super) fn duration(&self, key: &'static str) -> Option<Duration> {
        let value = self.get(key)?;
        let Some(text) = self.as_text(value) else {
            let seconds = whole_number(value.get_ref()).filter(|seconds| *seconds >= 0);
            let hint = seconds
                .map_or("such as `\"90s\"` or `\"1h30m\"`".to_owned(), |seconds| format!("write `\"{seconds}s\"`"));
            self.wrong_type(key, value, Some(hint));
            return None;
        };
        match duration::parse(text.value) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let hint = error.hint().map(str::to_owned);
                self.wrong(text.span, key, format_args!("cannot be read: {error}"), hint);
                None
            }
        }
    }

    /// Reads a duration that is longer than nothing.
    pub(super) fn positive_duration(&self, key: &'static str) -> Option<Duration> {
        let duration = self.duration(key)?;
        if duration.is_zero() {
            let span = self.get(key).map_or(0..0, Spanned::span);
            self.wrong(span, key, "must be longer than nothing", None);
            return None;
        }
        Some(duration)
    }

    /// Reads one of the words that the table of keys has for the key.
    pub(super) fn word(&self, key: &'static str) -> Option<&'static str> {
        let value = self.get(key)?;
        let shape = self.keys.iter().find(|known| known.name == key).map(|key| key.shape);
        let Some(Shape::Word(words)) = shape else { return None };
        let text = value.get_ref().as_str();
        if let Some(word) = words.iter().find(|word| Some(**word) == text) {
            return Some(word);
        }
        let choice: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
        let choice = listed(&choice, "or");
        let found = text.map_or(kind(value.get_ref()).to_owned(), quoted);
        let meant = text.and_then(|text| self.nearest.among(text, words.iter().copied()));
        let hint = meant.map(|meant| format!("did you mean `{meant}`?"));
        self.wrong(value.span(), key, format_args!("must be {choice}, not {found}"), hint);
        None
    }

    /// Opens the table under a key.
    pub(super) fn section(&self, key: &'static str, keys: &'static [Key], whose: String) -> Option<TableReader<'a>> {
        let value = self.get(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, value, None);
        }
        Some(TableReader { page: self.page, nearest: self.nearest, whose, table: table?, keys })
    }
}

fn looks_like_a_job(table: &DeTable<'_>) -> bool {
    ["command", "schedule", "every"].iter().any(|key| table.contains_key(*key))
}

/// The value as a whole number, if it is one that fits.
pub(super) fn whole_number(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// Puts a few things one after the other, as a sentence does: `a, b or c`.
pub(super) fn listed(things: &[String], last_by: &str) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {last_by} {last}", first.join(", ")),
    }
}

/// Names the type of a value for people.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(array) if array.iter().all(|item| item.get_ref().is_table()) && !array.is_empty() => {
            "a list of tables"
        }
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Says how a value that is not text becomes text.
pub(super) fn quotes(value: &DeValue<'_>) -> Option<String> {
    let literal = match value {
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) if date.date.is_none() => {
            let time = date.to_string();
            time.strip_suffix(":00").filter(|time| time.contains(':')).unwrap_or(&time).to_owned()
        }
        DeValue::Datetime(date) => date.to_string(),
        _ => return None,
    };
    (literal.len() < 40).then(|| format!("put it in quotes: `\"{literal}\"`"))
}

/// What a user wrote, for a message: in backticks, without control characters, and not too long.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "`\"\"`".to_owned();
    }
    format!("`{}`", shown(text))
}

fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (number, character) in text.chars().enumerate() {
        if number == 60 {
            shown.push('…');
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
    }
    shown
}
