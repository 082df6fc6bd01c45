//! A daemon that answers the requests of operators and then exits, for a ledger that no daemon holds.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use signal_hook_tokio::Signals;
use tokio::runtime::Runtime;

use super::options::Options;
use super::{main_thread, start};
use crate::control::Mode;
use crate::exit_code::BUSY;
use crate::submit::{LocalDaemon, SubmitError};

/// Starts such daemons; see [`LocalDaemon`].
pub(crate) struct Operator {
    options: Options,
    runtime: Runtime,
    signals: Signals,
}

impl Operator {
    /// Begins to catch signals.
    ///
    /// # Errors
    /// The operating system refuses.
    pub(crate) fn new(mut options: Options) -> io::Result<Self> {
        // The operator reads the answer, not the log of a daemon.
        options.quiet = true;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signals = runtime.block_on(async { start::signals() })?;
        Ok(Self { options, runtime, signals })
    }
}

impl LocalDaemon for Operator {
    fn answer_requests(&mut self, post: &mut dyn FnMut() -> Result<(), SubmitError>) -> Result<(), SubmitError> {
        let (options, signals) = (self.options.clone(), &mut self.signals);
        self.runtime.block_on(async {
            let prepared = match start::start(options, Mode::Operate, signals).await {
                Ok(prepared) => prepared,
                Err(code) if code == ExitCode::from(BUSY) => return Ok(()),
                Err(code) => return Err(SubmitError::Printed(code)),
            };
            post()?;
            // What it did is read from the ledger, as if another daemon had done it.
            let code = main_thread::run(prepared, signals).await;
            if code == ExitCode::SUCCESS { Ok(()) } else { Err(SubmitError::Printed(ExitCode::FAILURE)) }
        })
    }

    fn is_interrupted_within(&mut self, time: Duration) -> bool {
        let signals = &mut self.signals;
        self.runtime.block_on(async { tokio::time::timeout(time, signals.next()).await.is_ok() })
    }
}
