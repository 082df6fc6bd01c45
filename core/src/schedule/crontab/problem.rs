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
