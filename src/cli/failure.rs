//! What the command line says when it cannot do what was asked, and with which exit status.
//!
//! The one form of an error: what failed, the chain of causes, a hint. Nothing else writes errors.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::environment::use_color;
use crate::exit_code::{BUSY, FAILED, REGISTRY, USAGE};
use crate::ledger::{LedgerError, OpenError, OpenErrorKind};
use crate::paths::PlaceError;
use crate::registry::RegistryError;
use crate::report::error::ReportError;
use crate::submit::SubmitError;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// Told in our form.
    Told(Box<Telling>),
    /// The registry's mistakes, each shown with its line.
    Registry(RegistryError),
    /// The reader has closed our output: it has all it wants.
    Closed,
    /// The message is already printed.
    Printed(ExitCode),
}

/// The message, and the exit code.
#[derive(Debug)]
pub(super) struct Telling {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    exit: u8,
}

impl Failure {
    /// Something failed.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self::Told(Box::new(Telling { message: message.into(), causes: Vec::new(), hint: None, exit: FAILED }))
    }

    /// Usage error.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(message).exit(USAGE)
    }

    fn of(error: &dyn Error) -> Self {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        let Self::Told(mut telling) = Self::new(error.to_string()) else { unreachable!("it was just made so") };
        telling.causes = causes;
        Self::Told(telling)
    }

    /// Says what to do about it.
    pub(super) fn hint(mut self, hint: Option<impl Into<String>>) -> Self {
        if let Self::Told(telling) = &mut self {
            telling.hint = hint.map(Into::into);
        }
        self
    }

    fn exit(mut self, exit: u8) -> Self {
        if let Self::Told(telling) = &mut self {
            telling.exit = exit;
        }
        self
    }

    /// Says it in one line, as a monitor wants it.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Told(telling) => {
                let mut parts = vec![telling.message.clone()];
                parts.extend(telling.causes.iter().cloned());
                parts.join(": ")
            }
            Self::Registry(error) => error.to_string(),
            Self::Closed | Self::Printed(_) => "the output is closed".to_owned(),
        }
    }

    /// Tells it on stderr; the answer is the exit status.
    pub(super) fn tell(self) -> ExitCode {
        let mut err = io::stderr().lock();
        // An error about stderr cannot be reported.
        match self {
            Self::Closed => ExitCode::SUCCESS,
            Self::Printed(code) => code,
            Self::Registry(error) => {
                let _ = writeln!(err, "{}", error.render(use_color(&err)));
                ExitCode::from(REGISTRY)
            }
            Self::Told(telling) => {
                let _ = writeln!(err, "error: {}", telling.message);
                for cause in &telling.causes {
                    let _ = writeln!(err, "  because: {cause}");
                }
                if let Some(hint) = &telling.hint {
                    let _ = writeln!(err, "hint: {hint}");
                }
                ExitCode::from(telling.exit)
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
            error @ (SubmitError::Interrupted(_) | SubmitError::NoAttempt) => Self::of(&error),
        }
    }
}
