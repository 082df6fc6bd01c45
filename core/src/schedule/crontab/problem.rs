//! One mistake in a crontab's text, and the words for it.

use std::ops::Range;

/// What is wrong, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// Bytes of the text at hand; [`Problem::moved_by`] makes them bytes of the text around it.
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Problem {
    pub(super) fn new(span: Range<usize>, message: String, hint: Option<String>) -> Self {
        Self { span, message, hint }
    }

    /// The same problem of a text that has `bytes` more in front.
    pub(super) fn moved_by(self, bytes: usize) -> Self {
        Self { span: self.span.start + bytes..self.span.end + bytes, ..self }
    }
}

/// Asks whether a correct form was meant.
pub(super) fn did_you_mean(form: &str) -> String {
    format!("did you mean `{form}`?")
}

/// Returns a text as it may stand in a message: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
