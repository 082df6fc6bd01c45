//! Patterns of names: `*` stands for any characters, `?` for one.

/// Whether a text is a pattern for [`matches`].
#[must_use]
pub fn has_wildcards(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a name matches a pattern of `*` and `?`. A leading dot must be matched by a dot.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let length = name.chars().count();
    // Which beginnings of the name, by length, match the pattern so far.
    let mut matched = vec![false; length + 1];
    matched[0] = true;
    for wanted in pattern.chars() {
        let mut next = vec![wanted == '*' && matched[0]];
        for (at, character) in name.chars().enumerate() {
            next.push(match wanted {
                '*' => matched[at + 1] || next[at],
                '?' => matched[at],
                _ => matched[at] && wanted == character,
            });
        }
        matched = next;
    }
    matched[length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        for (pattern, name) in
            [("*.toml", "a.toml"), ("*", "a"), ("a?c*", "abc"), ("*a*b", "xaxab"), ("??", "äö"), (".*", ".a")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*.toml", "a.toml~"), ("*.toml", ".a.toml"), ("a?", "a"), ("*a*b", "xaxabx"), ("[a]*", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
