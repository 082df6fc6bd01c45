//! A daemon that answers the requests of operators and then exits, for a ledger that no daemon holds.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;

use super::options::Options;
use super::signal_thread::{self, SignalQueue};
use super::start;
use crate::control::Mode;
use crate::exit_code::BUSY;
use crate::submit::{LocalDaemon, SubmitError};

/// Starts such daemons; see [`LocalDaemon`].
pub(crate) struct Operator {
    options: Options,
    signals: SignalQueue,
}

impl Operator {
    /// Begins to catch signals.
    ///
    /// # Errors
    /// The operating system refuses.
    pub(crate) fn new(mut options: Options) -> io::Result<Self> {
        // The operator reads the answer, not the log of a daemon.
        options.quiet = true;
        Ok(Self { options, signals: SignalQueue::new()? })
    }
}

impl LocalDaemon for Operator {
    fn answer_requests(&mut self, post: &mut dyn FnMut() -> Result<(), SubmitError>) -> Result<(), SubmitError> {
        let SignalQueue { runtime, signals } = &mut self.signals;
        let prepared = match runtime.block_on(start::start(self.options.clone(), Mode::Operate, signals)) {
            Ok(prepared) => prepared,
            Err(code) if code == ExitCode::from(BUSY) => return Ok(()),
            Err(code) => return Err(SubmitError::Printed(code)),
        };
        post()?;
        // What it did is read from the ledger, as if another daemon had done it.
        let code = signal_thread::run(prepared, &mut self.signals);
        if code == ExitCode::SUCCESS { Ok(()) } else { Err(SubmitError::Printed(ExitCode::FAILURE)) }
    }

    fn is_interrupted_within(&mut self, time: Duration) -> bool {
        let SignalQueue { runtime, signals } = &mut self.signals;
        runtime.block_on(async { tokio::time::timeout(time, signals.next()).await.is_ok() })
    }
}
