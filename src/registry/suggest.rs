//! Suggestions for unknown words.

use std::cell::Cell;

use super::keys::{Key, Shape};
use crate::job::JobName;
use crate::text::did_you_mean;

/// How many cells of distance tables may be computed per registry, which takes about 0.1 s.
///
/// A file with ten thousand misspelt names gets suggestions for the first ones only, and is checked as fast as any other.
const EFFORT: usize = 20_000_000;

/// Finds the closest known word within a work budget.
#[derive(Debug)]
pub(super) struct Suggester {
    effort_left: Cell<usize>,
}

impl Suggester {
    pub(super) fn new() -> Self {
        Self { effort_left: Cell::new(EFFORT) }
    }

    /// The one of `known` that is closest to `word`; the first of several.
    pub(super) fn closest<'k>(&self, word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
        if word.len() > 100 {
            return None;
        }
        let word = plain(word);
        let tolerated = (word.chars().count() / 3).max(1);
        let mut best: Option<(usize, &str)> = None;
        for candidate in known {
            let plain_candidate = plain(candidate);
            if plain_candidate.len().abs_diff(word.len()) > tolerated {
                continue;
            }
            let effort = (plain_candidate.len() + 1) * (word.len() + 1);
            self.effort_left.set(self.effort_left.get().checked_sub(effort)?);
            let distance = strsim::damerau_levenshtein(&word, &plain_candidate);
            if distance <= tolerated && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }

    /// Suggests the closest of `known` that is a valid name.
    pub(super) fn name<'k>(&self, word: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
        self.closest(word, known.filter(|name| JobName::new(name).is_ok())).map(did_you_mean)
    }

    /// The one of `keys` that `word` probably stands for: by its name in other tools, or by its letters.
    ///
    /// A table never stands for a key that is not a table: `catchup = true` elsewhere is not our `catch_up`.
    pub(super) fn key(&self, word: &str, keys: &'static [Key], is_table: bool) -> Option<&'static str> {
        let plain_word = plain(word);
        let is_alike = |key: &Key| plain(key.name) == plain_word && is_table == matches!(key.shape, Shape::Table(_));
        if let Some(alike) = keys.iter().find(|key| is_alike(key)) {
            return Some(alike.name);
        }
        let translated = keys.iter().find(|key| key.foreign.contains(&plain_word.as_str()));
        translated.map(|key| key.name).or_else(|| self.closest(word, keys.iter().map(|key| key.name)))
    }
}

/// Normalizes: `dependsOn`, `depends-on` and `DEPENDS_ON` are one word.
fn plain(word: &str) -> String {
    word.chars().filter(|character| !matches!(character, '_' | '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect()
}
