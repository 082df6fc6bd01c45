//! The thread on the way of a date: it reads the warden's events, writes what the control decides, and sends what is
//! durable, without handing a date to another thread.
//!
//! It holds the executor's lock except while it waits and while it writes. So a write that hangs delays no signal.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use crate::control::{Exit, Input, Next, WardenEvent};
use crate::ledger::{LedgerError, Writer};
use crate::session::Entry;
use crate::warden_client::{Search, WardenReceiver};

use super::executor::Executor;

/// Why the daemon must not go on.
pub(super) type Fatal = String;

/// What another thread needs to share the executor.
#[derive(Clone)]
pub(super) struct Shared {
    executor: Arc<Mutex<Executor>>,
    wake: Arc<OwnedFd>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Executor> {
        self.executor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the thread ask the control what is next.
    pub(super) fn wake(&self) {
        // A counter that is full wakes as well.
        _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }
}

/// See the module's page.
pub(super) struct LedgerThread {
    shared: Shared,
    writer: Writer,
    receiver: WardenReceiver,
    /// What the search for a warden finds.
    found: Receiver<Search>,
    sender: Sender<Search>,
}

impl LedgerThread {
    /// Prepares the thread, which does nothing yet.
    ///
    /// # Errors
    /// The operating system has no descriptor to give.
    pub(super) fn new(executor: Executor, writer: Writer, receiver: WardenReceiver) -> io::Result<Self> {
        let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let shared = Shared { executor: Arc::new(Mutex::new(executor)), wake };
        let (sender, found) = channel();
        Ok(Self { shared, writer, receiver, found, sender })
    }

    /// The executor, for the other thread.
    pub(super) fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// Runs the daemon to its end, and gives the ledger back.
    ///
    /// # Errors
    /// The daemon must not go on.
    pub(super) fn run(mut self) -> Result<Exit, Fatal> {
        let mut next = self.shared.lock().next();
        loop {
            let input = match next {
                Next::Write(entries) => Some(self.write(entries)?),
                Next::ReadRequests => Some(match self.writer.requests() {
                    Ok(requests) => Input::Requests(requests),
                    // An error here is an error of the next commit too, which reports it.
                    Err(_) => Input::RequestsUnread,
                }),
                Next::LookUp(sessions) => Some(Input::LookedUp(match self.writer.successes_before(&sessions) {
                    Ok(found) => Some(found),
                    // Tried again; as with a commit, any other error stays.
                    Err(LedgerError::Unavailable(_)) => None,
                    Err(error) => return Err(error.to_string()),
                })),
                Next::ReadRecordings(ranges) => Some(Input::Recordings(match self.writer.recordings(&ranges) {
                    Ok(recordings) => Some(recordings),
                    Err(LedgerError::Unavailable(_)) => None,
                    Err(error) => return Err(error.to_string()),
                })),
                Next::Wait(pause) => {
                    self.wait(pause).map_err(|error| format!("cannot wait for the warden: {error}"))?;
                    None
                }
                Next::End(exit) => return Ok(exit),
            };
            let shared = self.shared.clone();
            let mut executor = shared.lock();
            match input {
                Some(input) => executor.handle(input),
                None => self.take_events(&mut executor)?,
            }
            next = executor.next();
        }
    }

    fn write(&mut self, entries: Vec<Entry>) -> Result<Input, Fatal> {
        match self.writer.commit(&entries) {
            Ok(()) => Ok(Input::Written),
            Err(LedgerError::Unavailable(error)) => Ok(Input::WriteFailed { entries, error }),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Waits for the warden, for another thread, or for the time.
    fn wait(&mut self, pause: Duration) -> io::Result<()> {
        let mut waits = vec![PollFd::new(&*self.shared.wake, PollFlags::IN)];
        waits.extend(self.receiver.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut waits, Timespec::try_from(pause).ok().as_ref()) {
            Err(error) if error != Errno::INTR => return Err(error.into()),
            _ => {}
        }
        if !waits[0].revents().is_empty() {
            _ = rustix::io::read(&*self.shared.wake, &mut [0; 8]);
        }
        Ok(())
    }

    /// Takes what the warden reports, and what the search for one found.
    fn take_events(&mut self, executor: &mut Executor) -> Result<(), Fatal> {
        let mut events = Vec::new();
        while let Ok(search) = self.found.try_recv() {
            match search {
                Search::Failed(text) => executor.reporter.warn(&text),
                Search::Found(connection) => self.receiver.attach(connection, &mut |event| events.push(event)),
            }
        }
        self.receiver.read_events(&mut |event| events.push(event));
        for event in events {
            let is_gone = event == WardenEvent::Disconnected;
            executor.handle(Input::Warden(event));
            if is_gone {
                self.search().map_err(|error| format!("cannot look for a warden: {error}"))?;
            }
        }
        Ok(())
    }

    fn search(&self) -> io::Result<()> {
        let (sender, shared) = (self.sender.clone(), self.shared.clone());
        self.receiver.search(move |search| {
            // The other end closes only when the daemon ends.
            _ = sender.send(search);
            shared.wake();
        })
    }
}
