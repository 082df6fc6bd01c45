//! What a job says of other jobs: `depends_on` and `require`.

use std::collections::HashSet;
use std::ops::Range;

use toml::de::DeValue;

use super::keys;
use super::table_reader::{TableReader, Text, Value, kind, quoted, quotes};
use crate::duration;
use crate::job::{Dependency, JobName, Offset, Period};

const DEPENDS_ON: &str = "depends_on";
const REQUIRE: &str = "require";

/// All periods, to find one by its word.
const PERIODS: [Period; 5] = [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Year];

const DAY: u64 = 86_400;

/// A name that somebody wrote, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// Also if it is no good one.
    pub(super) name: String,
    pub(super) span: Range<usize>,
}

/// One entry of `depends_on`.
#[derive(Debug, Clone)]
pub(super) struct Need {
    pub(super) on: Named,
    covers: Option<Period>,
    offset: Offset,
    ignore_failure: bool,
}

impl Named {
    pub(super) fn new(text: &Text<'_>) -> Self {
        Self { name: text.value.to_owned(), span: text.span.clone() }
    }
}

impl Need {
    /// Whether it is on all dates up to the same one, as a bare name is.
    pub(super) fn is_plain(&self) -> bool {
        self.covers.is_none() && self.offset == Offset::default()
    }

    /// The dependency, if its name can be that of a job.
    pub(super) fn dependency(&self) -> Option<Dependency> {
        let job = JobName::new(&self.on.name).ok()?;
        Some(Dependency { job, covers: self.covers, offset: self.offset, ignore_failure: self.ignore_failure })
    }

    /// What tells it from other entries.
    fn says(&self) -> (String, Option<&'static str>, i32, i64, bool) {
        let Offset { days, seconds } = self.offset;
        (self.on.name.clone(), self.covers.map(Period::word), days, seconds, self.ignore_failure)
    }
}

/// Reads `depends_on`: names and tables.
pub(super) fn depends_on(section: &TableReader<'_>) -> Vec<Need> {
    let Some(value) = section.get(DEPENDS_ON) else { return Vec::new() };
    let items: Vec<Value<'_>> = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        DeValue::String(_) | DeValue::Table(_) => vec![value],
        _ => {
            section.wrong_type(DEPENDS_ON, value, Some("write `depends_on = [\"NAME\"]`".to_owned()));
            return Vec::new();
        }
    };
    let mut needs: Vec<Need> = Vec::with_capacity(items.len());
    let mut seen = HashSet::new();
    for need in items.into_iter().filter_map(|item| need(section, item)) {
        if seen.insert(need.says()) {
            needs.push(need);
        } else {
            twice(section, DEPENDS_ON, &need.on);
        }
    }
    needs
}

/// Reads `require`: names.
pub(super) fn require(section: &TableReader<'_>) -> Vec<Named> {
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    for text in section.texts(REQUIRE, true).unwrap_or_default() {
        if seen.insert(text.value) {
            names.push(Named::new(&text));
        } else {
            twice(section, REQUIRE, &Named::new(&text));
        }
    }
    names
}

fn twice(section: &TableReader<'_>, key: &str, named: &Named) {
    let message = format!("{} names {} twice in `{key}`", section.whose, quoted(&named.name));
    section.page.warning(named.span.clone(), message, None);
}

fn need<'a>(section: &TableReader<'a>, item: Value<'a>) -> Option<Need> {
    if let Some(text) = section.as_text(item) {
        let on = Named::new(&text);
        return Some(Need { on, covers: None, offset: Offset::default(), ignore_failure: false });
    }
    let DeValue::Table(table) = item.get_ref() else {
        let problem = format!("must hold names of jobs and tables only, not {}", kind(item.get_ref()));
        section.wrong(item.span(), DEPENDS_ON, problem, quotes(item.get_ref()));
        return None;
    };
    let whose = format!("`{DEPENDS_ON}` of {}", section.whose);
    let entry = TableReader { page: section.page, nearest: section.nearest, whose, table, keys: keys::DEPENDENCY };
    let meant = entry.unknown_keys();
    let covers = entry.word("covers").and_then(|word| PERIODS.into_iter().find(|period| period.word() == word));
    let offset = offset(&entry).unwrap_or_default();
    let ignore_failure = entry.flag("ignore_failure").unwrap_or(false);
    if !table.contains_key("job") && !meant.contains(&"job") {
        let message = format!("{} has a table without `job`", entry.whose);
        section.page.missing(item.span(), message, Some("add `job = \"NAME\"`".to_owned()));
    }
    let on = Named::new(&entry.plain_text("job")?);
    Some(Need { on, covers, offset, ignore_failure })
}

/// Reads how far the date is moved: what is written as weeks and days is of the calendar, the rest is elapsed time.
fn offset(entry: &TableReader<'_>) -> Option<Offset> {
    const KEY: &str = "offset";
    let value = entry.get(KEY)?;
    let Some(text) = entry.as_text(value) else {
        entry.wrong_type(KEY, value, Some("such as `\"-1d\"` for the day before".to_owned()));
        return None;
    };
    let sign = text.value.chars().next().filter(|sign| ['-', '+'].contains(sign));
    let length = sign.map_or(text.value, |sign| &text.value[sign.len_utf8()..]);
    if length.starts_with(['-', '+']) {
        entry.wrong(text.span, KEY, "has two signs", Some("one of them, as in `-1d`".to_owned()));
        return None;
    }
    let moved = match duration::parse(length) {
        Ok(moved) => moved,
        Err(error) => {
            let hint = error.hint().map(|hint| match sign {
                // What is asked back is asked with the sign.
                Some(sign) if hint.ends_with('?') => hint.replacen('`', &format!("`{sign}"), 1),
                _ => hint.to_owned(),
            });
            entry.wrong(text.span, KEY, format_args!("cannot be read: {error}"), hint);
            return None;
        }
    };
    if moved.subsec_nanos() != 0 {
        entry.wrong(text.span, KEY, "is not of whole seconds", Some("dates fall on whole seconds".to_owned()));
        return None;
    }
    // The units stand in their order, so that weeks and days are what comes up to the last of their letters.
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
            keys::Shape::Word(words) => Some(words),
            _ => None,
        });
        assert_eq!(words, Some(PERIODS.map(Period::word).as_slice()));
    }
}
