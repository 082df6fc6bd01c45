//! An error in the text of a crontab.

use std::ops::Range;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// In bytes of the parsed part; [`Problem::moved_by`] converts it to the enclosing text.
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Problem {
    pub(super) fn new(span: Range<usize>, message: String, hint: Option<String>) -> Self {
        Self { span, message, hint }
    }

    /// Moves the span by `bytes`.
    pub(super) fn moved_by(self, bytes: usize) -> Self {
        Self { span: self.span.start + bytes..self.span.end + bytes, ..self }
    }
}

pub(super) fn did_you_mean(form: &str) -> String {
    format!("did you mean `{form}`?")
}

/// Quotes user input for a message: truncated, without control characters.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
