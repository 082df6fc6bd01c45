//! How bad something is, as monitors grade it.

use serde::Serialize;

/// How bad a finding is, in ascending order: the exit status that monitors expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl Severity {
    /// As monitors write it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}
