//! Starts the process of an attempt, watches it, bounds its output and ends it.
//!
//! Every process is known to one state machine, which one thread at a time may touch, and one thread at a time waits
//! for all of them together (see `crew`). A job's exit status is taken there only, so that a signal can never meet a
//! process group whose number has passed to another.
//!
//! Never here: a decision about what follows from an outcome, a read of the wall clock, a write to the ledger. Nothing
//! in this module may panic, for a panic would lose the exit status of every job that runs: the lints below hold it to
//! that.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod crew;
mod exit;
mod identity;
mod output;
mod running;
mod signals;
mod spawn;
mod supervisor;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

pub use identity::{attempt_name, boot_id, find_by_attempt, find_orphans, is_alive, process_identity};

use crate::session::{AttemptEnd, AttemptKey, Outcome, ProcessIdentity};
use supervisor::Supervisor;

/// Set in the environment of every attempt, to the attempt's key as it writes itself: by it [`find_orphans`] knows a
/// process that was started by a crontabber that died before it could record the process.
pub const ATTEMPT_VARIABLE: &str = "CRONTABBER_ATTEMPT_ID";

/// A program with its arguments; nobody splits or expands them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program, and what follows it. A program without a slash is searched in the `PATH` of its own environment.
    pub argv: Vec<OsString>,
}

impl From<Vec<OsString>> for Program {
    fn from(argv: Vec<OsString>) -> Self {
        Self { argv }
    }
}

/// Everything that one attempt needs to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Which attempt.
    pub attempt: AttemptKey,
    /// What is started.
    pub program: Program,
    /// The whole environment; nothing is inherited. [`ATTEMPT_VARIABLE`] is added if it is not there.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it is started; our own directory if absent.
    pub working_directory: Option<PathBuf>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Between TERM and KILL.
    pub kill_grace: Duration,
    /// Where its output goes. Made at the first byte, so that a silent job leaves no file.
    pub log: PathBuf,
    /// How many bytes of its output are kept: the first half, and the last half.
    pub output_limit: u64,
}

/// What happened to an attempt. Those of one attempt come in order: `Started` (unless it never was), then `Ended`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Its process lives, and has for a moment: one that ends at once is not reported as started.
    Started {
        /// Which attempt.
        attempt: AttemptKey,
        /// Its process.
        process: ProcessIdentity,
    },
    /// It is over; nothing more will be said of it.
    Ended {
        /// Which attempt.
        attempt: AttemptKey,
        /// How.
        end: AttemptEnd,
    },
}

/// What the supervisor is asked or told from outside its thread.
#[derive(Debug)]
enum Request {
    Start(Box<Launch>),
    Adopt(AttemptKey, ProcessIdentity),
    End { attempt: AttemptKey, outcome: Outcome, at_once: bool },
    Close,
}

/// The way to the supervisor: a queue, and the descriptor that wakes it.
#[derive(Debug, Clone)]
struct Inbox {
    sender: Sender<Request>,
    wake: Arc<OwnedFd>,
}

impl Inbox {
    fn send(&self, request: Request) {
        if self.sender.send(request).is_err() {
            return;
        }
        // It fails only when the counter is full, and then the supervisor is awake already.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }
}

/// The supervisor, as others hold it. When the last clone is dropped the supervisor ends; processes are left alone.
#[derive(Debug, Clone)]
pub struct Runner {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inbox: Inbox,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.inbox.send(Request::Close);
    }
}

impl Runner {
    /// Begins to supervise. `report` is called in the midst of the
    /// supervisor's work: it must neither block nor panic.
    ///
    /// # Errors
    /// When the kernel refuses the descriptors or the threads that it needs, or `/proc` is not mounted.
    pub fn new(report: impl Fn(Report) + Send + 'static) -> io::Result<Self> {
        signals::prepare()?;
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (sender, receiver) = channel();
        let inbox = Inbox { sender, wake: Arc::clone(&wake) };
        let epoll = Arc::new(epoll::create(CreateFlags::CLOEXEC)?);
        let (boot_id, most) = (boot_id()?, crew::starts_at_once());
        let supervisor = Supervisor::new(Box::new(report), receiver, wake, Arc::clone(&epoll), boot_id, most)?;
        crew::muster(supervisor, epoll)?;
        Ok(Self { shared: Arc::new(Shared { inbox }) })
    }

    /// Starts an attempt. Returns at once; a start that fails is reported as the attempt's end, with the exit status
    /// that a shell would give (127 not found, 126 not executable, 125 anything else).
    pub fn start(&self, launch: Launch) {
        self.shared.inbox.send(Request::Start(Box::new(launch)));
    }

    /// Watches a process that an earlier crontabber started. Its exit status went to another parent, so that its end is
    /// reported as [`Outcome::Lost`], at once if it is gone already.
    pub fn adopt(&self, attempt: AttemptKey, process: ProcessIdentity) {
        self.shared.inbox.send(Request::Adopt(attempt, process));
    }

    /// Ends an attempt: TERM to its process group, and KILL after its grace. It is reported as `outcome`, unless it
    /// ended by itself before the signal, or with exit status 0 after it. An attempt that is over is left alone.
    pub fn stop(&self, attempt: &AttemptKey, outcome: Outcome) {
        self.shared.inbox.send(Request::End { attempt: attempt.clone(), outcome, at_once: false });
    }

    /// Ends an attempt as [`Runner::stop`] does, but with KILL at once. An attempt that was being stopped keeps the
    /// outcome it was stopped for.
    pub fn kill(&self, attempt: &AttemptKey, outcome: Outcome) {
        self.shared.inbox.send(Request::End { attempt: attempt.clone(), outcome, at_once: true });
    }
}
