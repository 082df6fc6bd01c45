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

    let mut shown = String::from(if from > line.start { "…" } else { "" });
    // Each part of the line, where its copy begins, and whether it is masked there.
    let mut parts = Vec::new();
    let mut taken = from;
    let mut take = |to: usize, is_masked: bool| {
        if to > taken {
            parts.push((taken..to, shown.len(), is_masked));
            shown.push_str(if is_masked { MASK } else { &text[taken..to] });
            taken = to;
        }
    };
    for part in hidden {
        take(part.start, false);
        take(part.end, true);
    }
    take(to, false);
    let position = |of: usize, in_mask: usize| {
        let found = parts.iter().find_map(|(part, copy, is_masked)| match is_masked {
            true => part.contains(&of).then_some(copy + in_mask),
            false => (part.start..=part.end).contains(&of).then(|| copy + of - part.start),
        });
        found.unwrap_or(shown.len())
    };
    let span = position(start, 0)..position(end, MASK.len());
    if to < line.end {
        shown.push('…');
    }
    // The renderer prints these control characters, which move the cursor of some terminals. The dot is two bytes long,
    // like each of them, so that the span stays valid.
    let text = shown.replace(|character| ('\u{80}'..='\u{9f}').contains(&character), "·");
    Excerpt { text, span }
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
