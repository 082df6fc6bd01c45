//! The line of a diagnostic: truncated, and with secrets masked.

use std::ops::Range;

/// How many bytes of a long line are kept on each side of the span.
const AROUND: usize = 200;

/// Replaces a secret.
const MASK: &str = "***";

/// A line, or the part of it around a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) text: String,
    /// The bytes of `text` to point at.
    pub(super) span: Range<usize>,
}

/// Extracts `line` from `text`, with `span` to point at and the `secrets` masked.
pub(super) fn cut(text: &str, line: Range<usize>, span: Range<usize>, secrets: &[Range<usize>]) -> Excerpt {
    let start = text.floor_char_boundary(span.start.clamp(line.start, line.end));
    let end = text.ceil_char_boundary(span.end.clamp(start, line.end)).min(line.end);
    let from = text.ceil_char_boundary(line.start.max(start.saturating_sub(AROUND)));
    let to = text.floor_char_boundary(line.end.min(start.saturating_add(2 * AROUND)));
    let end = end.min(to);
    let mut hidden: Vec<Range<usize>> = secrets
        .iter()
        .map(|secret| secret.start.max(from)..secret.end.min(to))
        .filter(|part| !part.is_empty())
        .collect();
    // Search also in front of the part that is shown: a secret may extend into it.
    let looked_at = text.ceil_char_boundary(line.start.max(from.saturating_sub(2 * AROUND)));
    let found = secrets_of_line(&text[looked_at..to]);
    hidden.extend(found.into_iter().map(|part| (part.start + looked_at).max(from)..part.end + looked_at));
    hidden.retain(|part| !part.is_empty());
    hidden.sort_by_key(|part| (part.start, part.end));

    let mut excerpt = Masked { text: String::new(), taken: from, shown: start..end, span: None..None };
    if from > line.start {
        excerpt.text.push('…');
    }
    for part in hidden {
        excerpt.copy(text, part.start);
        excerpt.mask(part.end);
    }
    excerpt.copy(text, to);
    let length = excerpt.text.len();
    let span = excerpt.span.start.unwrap_or(length)..excerpt.span.end.unwrap_or(length);
    if to < line.end {
        excerpt.text.push('…');
    }
    // The renderer prints these control characters, which move the cursor of some terminals. The dot is two bytes long,
    // like each of them, so that the span stays valid.
    let text = excerpt.text.replace(|character| ('\u{80}'..='\u{9f}').contains(&character), "·");
    Excerpt { text, span }
}

/// A copy of a text with parts masked, which maps a span of the original to the copy.
struct Masked {
    text: String,
    /// How much of the original is copied or masked.
    taken: usize,
    /// The span in the original.
    shown: Range<usize>,
    /// The span in the copy, as far as it is known.
    span: Range<Option<usize>>,
}

impl Masked {
    fn copy(&mut self, original: &str, to: usize) {
        if to <= self.taken {
            return;
        }
        let begin = self.text.len();
        let place = |position: usize| (self.taken..=to).contains(&position).then(|| begin + position - self.taken);
        let (start, end) = (place(self.shown.start), place(self.shown.end));
        self.text.push_str(&original[self.taken..to]);
        self.span.start = self.span.start.or(start);
        // Prefer the later end: the span ends after a secret that it contains.
        self.span.end = self.span.end.or(end);
        self.taken = to;
    }

    fn mask(&mut self, to: usize) {
        if to <= self.taken {
            return;
        }
        let begin = self.text.len();
        self.text.push_str(MASK);
        if (self.taken..to).contains(&self.shown.start) {
            self.span.start = self.span.start.or(Some(begin));
        }
        if (self.taken..to).contains(&self.shown.end) {
            self.span.end = self.span.end.or(Some(self.text.len()));
        }
        self.taken = to;
    }
}

/// Finds what looks like a password in a line, which need not be valid TOML.
fn secrets_of_line(line: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> =
        line.match_indices("://").filter_map(|(at, _)| secret_of_url(line, at)).collect();
    let lower = line.to_ascii_lowercase();
    for word in ["password", "passwd", "secret", "token"] {
        found.extend(lower.match_indices(word).filter_map(|(at, _)| assigned(line, at + word.len())));
    }
    found
}

/// The password of the URL whose `://` is at `at`. In a line about the ledger, everything that follows: a password may
/// contain characters that end a URL.
fn secret_of_url(line: &str, at: usize) -> Option<Range<usize>> {
    let start = at + "://".len();
    let is_ledger = line[..at].contains("ledger");
    if is_ledger && !line[..at].ends_with("sqlite") {
        return Some(start..line.len());
    }
    let end = line[start..].find(['"', '\'', ' ', '\t']).map_or(line.len(), |length| start + length);
    let userinfo_end = start + line[start..end].rfind('@')?;
    let password = start + line[start..userinfo_end].find(':')? + 1;
    Some(password..userinfo_end)
}

/// The value assigned to the name that ends at `at`: `password=…`, `PGPASSWORD = "…"`.
fn assigned(line: &str, at: usize) -> Option<Range<usize>> {
    let equals = at + line[at..].find('=')?;
    if !line[at..equals].chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '"' | '\'')) {
        return None;
    }
    let value = equals + 1 + line[equals + 1..].find(|c| !matches!(c, ' ' | '"' | '\''))?;
    let end = line[value..].find(['"', '\'', '&', ' ', ',', '}']).map_or(line.len(), |length| value + length);
    (value < end).then_some(value..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, pointed_at: &str) -> (String, String) {
        let start = line.find(pointed_at).unwrap();
        let excerpt = cut(line, 0..line.len(), start..start + pointed_at.len(), &[]);
        let pointed_at = excerpt.text[excerpt.span].to_owned();
        (excerpt.text, pointed_at)
    }

    #[test]
    fn passwords_are_masked_and_the_caret_moves_along() {
        for (line, pointed_at, text, still_pointed_at) in [
            ("ledger = \"postgres://u:p w@h/db\" x", "x", "ledger = \"postgres://***", "***"),
            ("ledger = \"postgres://u:pw@h/db", "ledger", "ledger = \"postgres://***", "ledger"),
            ("ledger = \"sqlite:///l.db\" x", "x", "ledger = \"sqlite:///l.db\" x", "x"),
            (
                "command = \"psql postgres://u:p@w@h/db -c {x}\"",
                "{x}",
                "command = \"psql postgres://u:***@h/db -c {x}\"",
                "{x}",
            ),
            ("PGPASSWORD = 12345", "12345", "PGPASSWORD = ***", "***"),
            ("a = \"host=h password=geheim user=u\"", "user", "a = \"host=h password=*** user=u\"", "user"),
            ("a = { token = \"t\", b = 1 }", "1", "a = { token = \"***\", b = 1 }", "1"),
        ] {
            assert_eq!(shown(line, pointed_at), (text.to_owned(), still_pointed_at.to_owned()), "{line}");
        }
    }

    #[test]
    fn no_control_character_of_a_terminal_is_shown() {
        assert_eq!(shown("a = \u{9b}31m\u{85} x", "x"), ("a = ·31m· x".to_owned(), "x".to_owned()));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}x{}", "ä".repeat(5_000), "ö".repeat(5_000));
        let (text, pointed_at) = shown(&line, "x");
        assert_eq!(pointed_at, "x");
        assert_eq!(text, format!("…{}x{}…", "ä".repeat(100), "ö".repeat(199)));
    }

    #[test]
    fn a_span_over_several_lines_ends_with_the_first() {
        let text = "a = [\n1,\n2]\n";
        assert_eq!(cut(text, 0..5, 4..11, &[]), Excerpt { text: "a = [".to_owned(), span: 4..5 });
    }
}
