//! References to other jobs: `depends_on` and `require`.

use std::collections::HashSet;
use std::ops::Range;

use toml::de::DeValue;

use super::keys;
use super::table_reader::{StringValue, TableReader, Value};
use super::wording::{kind, quotes};
use crate::duration;
use crate::job::{Dependency, JobName, Offset, Period};
use crate::text::quoted;

const DEPENDS_ON: &str = "depends_on";
const REQUIRE: &str = "require";

const PERIODS: [Period; 5] = [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Year];

const DAY: u64 = 86_400;

/// A name as written, with its span.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// May be an invalid name.
    pub(super) name: String,
    pub(super) span: Range<usize>,
}

/// One entry of `depends_on`.
#[derive(Debug, Clone)]
pub(super) struct DependencyEntry {
    pub(super) on: Named,
    covers: Option<Period>,
    offset: Offset,
    ignore_failure: bool,
}

impl Named {
    pub(super) fn new(text: &StringValue<'_>) -> Self {
        Self { name: text.value.to_owned(), span: text.span.clone() }
    }
}

impl DependencyEntry {
    /// Whether the entry is equivalent to a bare name: all dates up to the same one.
    pub(super) fn is_plain(&self) -> bool {
        self.covers.is_none() && self.offset == Offset::default()
    }

    pub(super) fn covers(&self) -> Option<Period> {
        self.covers
    }

    /// The dependency, if its name is a valid job name.
    pub(super) fn to_dependency(&self) -> Option<Dependency> {
        let job = JobName::new(&self.on.name).ok()?;
        Some(Dependency { job, covers: self.covers, offset: self.offset, ignore_failure: self.ignore_failure })
    }

    /// Entries with equal identities are duplicates.
    fn identity(&self) -> (String, Option<&'static str>, i32, i64, bool) {
        let Offset { days, seconds } = self.offset;
        (self.on.name.clone(), self.covers.map(Period::word), days, seconds, self.ignore_failure)
    }
}

pub(super) fn depends_on(reader: &TableReader<'_>) -> Vec<DependencyEntry> {
    let Some(value) = reader.get(DEPENDS_ON) else { return Vec::new() };
    let items: Vec<Value<'_>> = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        DeValue::String(_) | DeValue::Table(_) => vec![value],
        _ => {
            reader.wrong_type(DEPENDS_ON, value, "write `depends_on = [\"NAME\"]`");
            return Vec::new();
        }
    };
    let mut entries: Vec<DependencyEntry> = Vec::with_capacity(items.len());
    let mut seen = HashSet::new();
    for dependency in items.into_iter().filter_map(|item| dependency(reader, item)) {
        if seen.insert(dependency.identity()) {
            entries.push(dependency);
        } else {
            twice(reader, DEPENDS_ON, &dependency.on);
        }
    }
    entries
}

pub(super) fn require(reader: &TableReader<'_>) -> Vec<Named> {
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    for text in reader.strings(REQUIRE, true).unwrap_or_default() {
        if seen.insert(text.value) {
            names.push(Named::new(&text));
        } else {
            twice(reader, REQUIRE, &Named::new(&text));
        }
    }
    names
}

fn twice(reader: &TableReader<'_>, key: &str, named: &Named) {
    let message = format!("{} lists {} twice in `{key}`", reader.label, quoted(&named.name));
    reader.file.warning(named.span.clone(), message, None);
}

fn dependency<'a>(reader: &TableReader<'a>, item: Value<'a>) -> Option<DependencyEntry> {
    if let Some(text) = reader.as_string(item) {
        let on = Named::new(&text);
        return Some(DependencyEntry { on, covers: None, offset: Offset::default(), ignore_failure: false });
    }
    let DeValue::Table(table) = item.get_ref() else {
        let problem = format!("must contain only job names and tables, not {}", kind(item.get_ref()));
        reader.invalid(item.span(), DEPENDS_ON, problem, quotes(item.get_ref()));
        return None;
    };
    let label = format!("`{DEPENDS_ON}` of {}", reader.label);
    let entry = reader.other(label, table, keys::DEPENDENCY);
    let suggested = entry.unknown_keys();
    let covers = entry.choice("covers").and_then(|word| PERIODS.into_iter().find(|period| period.word() == word));
    let offset = offset(&entry).unwrap_or_default();
    let ignore_failure = entry.boolean("ignore_failure").unwrap_or(false);
    if !table.contains_key("job") && !suggested.contains(&"job") {
        let message = format!("{} has a table without `job`", entry.label);
        reader.file.missing(item.span(), message, "add `job = \"NAME\"`");
    }
    let on = Named::new(&entry.non_empty_string("job")?);
    Some(DependencyEntry { on, covers, offset, ignore_failure })
}

/// Reads `offset`. Weeks and days are calendar days, the rest is elapsed time.
fn offset(entry: &TableReader<'_>) -> Option<Offset> {
    const KEY: &str = "offset";
    let value = entry.get(KEY)?;
    let Some(text) = entry.as_string(value) else {
        entry.wrong_type(KEY, value, "such as `\"-1d\"` for the day before");
        return None;
    };
    let sign = text.value.chars().next().filter(|sign| ['-', '+'].contains(sign));
    let length = sign.map_or(text.value, |sign| &text.value[sign.len_utf8()..]);
    if length.starts_with(['-', '+']) {
        entry.invalid(text.span, KEY, "has two signs", "one of them, as in `-1d`");
        return None;
    }
    let moved = match duration::parse(length) {
        Ok(moved) => moved,
        Err(error) => {
            let hint = error.hint.as_deref().map(|hint| match sign {
                // The suggestion keeps the sign.
                Some(sign) if hint.ends_with('?') => hint.replacen('`', &format!("`{sign}"), 1),
                _ => hint.to_owned(),
            });
            entry.invalid(text.span, KEY, format_args!("is invalid: {error}"), hint);
            return None;
        }
    };
    if moved.subsec_nanos() != 0 {
        entry.invalid(text.span, KEY, "must be whole seconds", "dates fall on whole seconds");
        return None;
    }
    // Units are in order, so weeks and days are everything up to the last `w` or `d`.
    let calendar = length.rfind(['w', 'd']).map_or("0d", |last| &length[..=last]);
    let days = duration::parse(calendar).ok()?.as_secs() / DAY;
    let seconds = i64::try_from(moved.as_secs() - days * DAY).ok()?;
    let days = i32::try_from(days).ok()?;
    Some(if sign == Some('-') { Offset { days: -days, seconds: -seconds } } else { Offset { days, seconds } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_period_has_its_word() {
        let words = keys::DEPENDENCY.iter().find_map(|key| match key.shape {
            keys::Shape::Choice(words) => Some(words),
            _ => None,
        });
        assert_eq!(words, Some(PERIODS.map(Period::word).as_slice()));
    }
}
