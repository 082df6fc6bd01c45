//! Why something cannot be reported.

use crate::ledger::LedgerError;

/// Why something cannot be reported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// The request makes no sense for this registry and ledger.
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    /// There is nothing to report.
    #[error("{message}")]
    Failed { message: String, hint: Option<String> },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl ReportError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, text: Option<impl Into<String>>) -> Self {
        match &mut self {
            Self::Usage { hint, .. } | Self::Failed { hint, .. } => *hint = text.map(Into::into),
            Self::Ledger(_) => {}
        }
        self
    }
}
