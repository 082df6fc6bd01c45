//! What is wrong with a text that a user wrote, and what to write instead.

use std::fmt::Display;
use std::ops::Range;

/// What to write instead, if that is known.
#[derive(Debug)]
pub struct Hint(pub Option<String>);

impl From<&str> for Hint {
    fn from(hint: &str) -> Self {
        Self(Some(hint.to_owned()))
    }
}

impl From<String> for Hint {
    fn from(hint: String) -> Self {
        Self(Some(hint))
    }
}

impl From<Option<String>> for Hint {
    fn from(hint: Option<String>) -> Self {
        Self(hint)
    }
}

/// An error in user input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// The closest correct form, if there is one.
    pub hint: Option<String>,
    /// The span of the error, in bytes of the input.
    pub span: Range<usize>,
}

impl SyntaxError {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self { message: message.into(), hint: hint.into().0, span }
    }

    /// The same error with its span up to this byte.
    pub(crate) fn until(self, end: usize) -> Self {
        Self { span: self.span.start..end, ..self }
    }

    /// The same error in an input that contains this one from this byte on.
    pub(crate) fn moved_by(self, bytes: usize) -> Self {
        Self { span: self.span.start + bytes..self.span.end + bytes, ..self }
    }
}

/// A hint with the closest correct form.
#[must_use]
pub fn did_you_mean(form: impl Display) -> String {
    format!("did you mean `{form}`?")
}
