//! What the command line says when it cannot do what was asked, and with which exit status.
//!
//! The one form of an error: what failed, the chain of causes, a hint. Nothing else writes errors.

use std::error::Error;
use std::io::{self, Write};
use std::iter;
use std::process::ExitCode;

use crate::environment::use_color;
use crate::exit_code::{BUSY, FAILED, REGISTRY, USAGE};
use crate::ledger::{LedgerError, OpenError, OpenErrorKind};
use crate::paths::PlaceError;
use crate::registry::RegistryError;
use crate::report::error::ReportError;
use crate::submit::SubmitError;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Printed as an error message.
    Message(Box<ErrorMessage>),
    /// The registry's mistakes, each shown with its line.
    Registry(RegistryError),
    /// The reader has closed our output: it has all it wants.
    Closed,
    /// The message is already printed.
    Printed(ExitCode),
}

/// The message, and the exit code.
#[derive(Debug)]
pub(super) struct ErrorMessage {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    exit: u8,
}

impl Failure {
    /// Something failed.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self::Message(Box::new(ErrorMessage { message: message.into(), causes: Vec::new(), hint: None, exit: FAILED }))
    }

    /// Usage error.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(message).exit(USAGE)
    }

    fn of(error: &dyn Error) -> Self {
        let causes = iter::successors(error.source(), |&cause| cause.source()).map(<dyn Error>::to_string).collect();
        Self::new(error.to_string()).with(|message| message.causes = causes)
    }

    /// Says what to do about it.
    pub(super) fn hint(self, hint: Option<impl Into<String>>) -> Self {
        self.with(|message| message.hint = hint.map(Into::into))
    }

    fn exit(self, exit: u8) -> Self {
        self.with(|message| message.exit = exit)
    }

    fn with(mut self, change: impl FnOnce(&mut ErrorMessage)) -> Self {
        if let Self::Message(message) = &mut self {
            change(message);
        }
        self
    }

    /// The failure in one line, for a monitor.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Message(error) => {
                let parts: Vec<&str> = iter::once(&error.message).chain(&error.causes).map(String::as_str).collect();
                parts.join(": ")
            }
            Self::Registry(error) => error.to_string(),
            Self::Closed | Self::Printed(_) => "the output is closed".to_owned(),
        }
    }

    /// Prints the failure to stderr, and returns the exit code.
    pub(super) fn print(self) -> ExitCode {
        let mut err = io::stderr().lock();
        // An error about stderr cannot be reported.
        match self {
            Self::Closed => ExitCode::SUCCESS,
            Self::Printed(code) => code,
            Self::Registry(error) => {
                _ = writeln!(err, "{}", error.render(use_color(&err)));
                ExitCode::from(REGISTRY)
            }
            Self::Message(error) => {
                _ = writeln!(err, "error: {}", error.message);
                for cause in &error.causes {
                    _ = writeln!(err, "  because: {cause}");
                }
                if let Some(hint) = &error.hint {
                    _ = writeln!(err, "hint: {hint}");
                }
                ExitCode::from(error.exit)
            }
        }
    }
}

impl From<io::Error> for Failure {
    /// An error about what we print.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::new(format!("the output cannot be written: {error}")),
        }
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl From<PlaceError> for Failure {
    fn from(error: PlaceError) -> Self {
        let exit = match error {
            PlaceError::NoRegistry { .. } | PlaceError::Registry(_) => REGISTRY,
            PlaceError::Given(_) => USAGE,
            PlaceError::NoStateDirectory => FAILED,
        };
        Self::of(&error).hint(error.hint()).exit(exit)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let exit = if matches!(error.kind, OpenErrorKind::Busy { .. }) { BUSY } else { FAILED };
        Self::of(&error).exit(exit)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::of(&error)
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Usage { message, hint } => Self::usage(message).hint(hint),
            ReportError::Failed { message, hint } => Self::new(message).hint(hint),
            ReportError::Ledger(error) => error.into(),
        }
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Printed(code) => Self::Printed(code),
            SubmitError::Open(error) => error.into(),
            SubmitError::Ledger(error) => error.into(),
            error @ (SubmitError::Interrupted(_) | SubmitError::DaemonGone(_) | SubmitError::NoAttempt) => {
                Self::of(&error)
            }
        }
    }
}
