//! The client of the warden process: finds the warden or starts one, sends requests, and reads events.
//!
//! The warden outlives the daemon, and may be killed itself: then the client finds it again or starts another, and
//! [`WardenEvent::Connected`] says what that one knows. This module never decides what follows from an outcome, and never
//! writes to the ledger.

mod connect;
mod connection;
mod location;
mod spawn;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use connection::Connection;
pub use location::{ConnectError, WardenLocation};

pub use crate::control::{OpenAttempt, WardenEvent, WardenState};
pub use crate::warden::protocol::{Launch, bytes};

use crate::session::{AttemptKey, Outcome};
use crate::warden::protocol::{ProtocolError, Reply, Request, Stop, Watch, encode_frame, outcome_code};
use connection::ReadError;

/// Between two attempts to find a warden.
const RETRY: Duration = Duration::from_millis(500);
/// A warden that reads nothing for so long is disconnected.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// The buffer of unsent requests is shrunk to this when it is empty, in bytes.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Sends requests to the warden: they are queued until [`WardenClient::flush`]. While there is no warden, requests are
/// dropped: the next one is asked about all open attempts.
#[derive(Debug, Clone)]
pub struct WardenClient {
    shared: Arc<ClientState>,
}

/// Reads events from the warden. Dropping it closes the connection; processes go on.
#[derive(Debug)]
pub struct WardenReceiver {
    shared: Arc<ClientState>,
    connection: Option<Connection>,
}

/// What a search for a warden reports.
#[derive(Debug)]
pub enum Search {
    /// No warden can be reached, for this reason; the search goes on.
    Failed(String),
    /// A warden to [attach](WardenReceiver::attach); the search has ended.
    Found(Connection),
}

#[derive(Debug)]
struct ClientState {
    /// The suffix of our ledger in the names of attempts.
    ledger: String,
    location: WardenLocation,
    /// The frame of our hello.
    hello: Vec<u8>,
    link: Mutex<Link>,
    closing: AtomicBool,
}

#[derive(Debug, Default)]
struct Link {
    stream: Option<UnixStream>,
    /// The version of the warden.
    version: String,
    /// The frames of requests, for [`WardenClient::flush`].
    unsent: Vec<u8>,
}

impl WardenClient {
    /// Finds the warden or starts one, and reads what it knows. `ledger` is the suffix of our ledger's attempts, which
    /// inherit these variables.
    ///
    /// # Errors
    /// There is no warden, and none can be started.
    pub fn new(
        location: WardenLocation,
        ledger: &str,
        inherited: &[(OsString, OsString)],
    ) -> Result<(Self, WardenReceiver, WardenState), ConnectError> {
        let hello = connect::hello(ledger, inherited)?;
        let connection = connect::connect(&location, &hello)?;
        let (ledger, link) = (ledger.to_owned(), Mutex::default());
        let shared = Arc::new(ClientState { ledger, location, hello, link, closing: AtomicBool::new(false) });
        let state = shared.state_of(&connection);
        shared.attach(&connection).map_err(ConnectError::Kernel)?;
        let receiver = WardenReceiver { shared: Arc::clone(&shared), connection: Some(connection) };
        Ok((Self { shared }, receiver, state))
    }

    /// Starts an attempt, unless the warden knows it. A start that fails is reported as the attempt's end, with the exit
    /// status that a shell would give (127 not found, 126 not executable, 125 anything else).
    pub fn start(&self, launch: Launch) {
        self.queue(&Request::Start(Box::new(launch)));
    }

    /// Asks what became of attempts that the ledger has open: each is reported as started or as ended.
    pub fn watch(&self, open: Vec<OpenAttempt>) {
        for OpenAttempt { attempt, process, timeout, kill_grace } in open {
            let attempt = attempt_name(&attempt, &self.shared.ledger);
            self.queue(&Request::Watch(Watch { attempt, process, timeout, kill_grace }));
        }
    }

    /// Asks a warden that has just connected about all attempts that the ledger has open. An attempt that it learns of
    /// only afterwards has never been started.
    pub fn watch_all(&self, open: Vec<OpenAttempt>) {
        self.watch(open);
        self.queue(&Request::Ready);
    }

    /// Ends an attempt: TERM to its processes, and KILL after its grace. It is reported as `outcome`, unless it ended by
    /// itself before the signal, or with exit status 0 after it. An attempt that has ended is left alone.
    ///
    /// With `at_once`, KILL comes first. An attempt that was being stopped keeps the outcome it was stopped for.
    pub fn stop(&self, attempt: &AttemptKey, outcome: Outcome, at_once: bool) {
        let attempt = attempt_name(attempt, &self.shared.ledger);
        self.queue(&Request::Stop(Stop { attempt, outcome: outcome_code(outcome).0, at_once }));
    }

    /// Tells the warden that the ledger has the ends of these attempts.
    pub fn forget(&self, attempts: &[AttemptKey]) {
        let names = attempts.iter().map(|attempt| attempt_name(attempt, &self.shared.ledger)).collect();
        self.queue(&Request::Forget(names));
    }

    /// Asks a warden of another version to exit, which it does only if nothing runs.
    pub fn replace_other_version(&self) {
        if self.shared.link().version != env!("CARGO_PKG_VERSION") {
            self.queue(&Request::Retire);
        }
    }

    fn queue(&self, request: &Request) {
        if let Err(error) = encode_frame(request, &mut self.shared.link().unsent) {
            tracing::error!(%error, "a request to the warden cannot be sent");
        }
    }

    /// Sends the queued requests together, so that the warden wakes up once. A failure ends the connection, which the
    /// receiver notices.
    pub fn flush(&self) {
        let mut link = self.shared.link();
        let Link { stream, unsent, .. } = &mut *link;
        let is_sent = stream.as_mut().is_none_or(|stream| write_all(stream, unsent).is_ok());
        unsent.clear();
        unsent.shrink_to(KEPT_CAPACITY);
        if !is_sent {
            link.disconnect();
        }
    }
}

impl WardenReceiver {
    /// The connection, to poll for [`WardenReceiver::read_events`]; `None` while there is no warden. It changes with each
    /// [`WardenReceiver::attach`].
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.connection.as_ref().map(|connection| connection.stream.as_fd())
    }

    /// Reads the events that have arrived, without blocking. After [`WardenEvent::Disconnected`], call
    /// [`WardenReceiver::search`].
    pub fn read_events(&mut self, sink: &mut impl FnMut(WardenEvent)) {
        let Some(connection) = &mut self.connection else { return };
        loop {
            match connection.try_next() {
                Ok(Some(reply)) => self.shared.send_event(reply, sink),
                Ok(None) => return,
                // From a newer warden.
                Err(ReadError::Protocol(ProtocolError::Unknown(_))) => {}
                Err(_) => break,
            }
        }
        self.shared.link().disconnect();
        self.connection = None;
        sink(WardenEvent::Disconnected);
    }

    /// Looks for a warden on a thread of its own, which calls `report`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn search(&self, report: impl Fn(Search) + Send + 'static) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new().name("warden".to_owned()).spawn(move || shared.search(&report)).map(drop)
    }

    /// Uses a connection that the search has found.
    pub fn attach(&mut self, connection: Connection, sink: &mut impl FnMut(WardenEvent)) {
        let state = self.shared.state_of(&connection);
        if self.shared.attach(&connection).is_ok() {
            self.connection = Some(connection);
            sink(WardenEvent::Connected(state));
        } else {
            sink(WardenEvent::Disconnected);
        }
    }
}

impl Drop for WardenReceiver {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.link().disconnect();
    }
}

impl ClientState {
    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends on this connection from now on.
    fn attach(&self, connection: &Connection) -> io::Result<()> {
        let stream = connection.stream.try_clone()?;
        stream.set_nonblocking(true)?;
        *self.link() = Link { stream: Some(stream), version: connection.version.clone(), unsent: Vec::new() };
        Ok(())
    }

    /// Looks for a warden until there is one, or the receiver is dropped.
    fn search(&self, report: &impl Fn(Search)) {
        let mut reported = None;
        while !self.closing.load(Ordering::SeqCst) {
            match connect::connect(&self.location, &self.hello) {
                Ok(connection) => return report(Search::Found(connection)),
                Err(error) => {
                    let text = format!("{error}; retrying until there is one");
                    if reported.as_ref() != Some(&text) {
                        report(Search::Failed(text.clone()));
                        reported = Some(text);
                    }
                }
            }
            thread::sleep(RETRY);
        }
    }

    fn state_of(&self, connection: &Connection) -> WardenState {
        let mut state = WardenState::default();
        for reply in &connection.listed {
            match reply {
                Reply::Running(running) => state.running.extend(self.key(&running.attempt)),
                Reply::Ended(ended) => state.ended.extend(self.key(&ended.attempt).zip(ended.end())),
                _ => {}
            }
        }
        state
    }

    fn send_event(&self, reply: Reply, sink: &mut impl FnMut(WardenEvent)) {
        match reply {
            Reply::Running(running) => {
                if let Some(attempt) = self.key(&running.attempt) {
                    sink(WardenEvent::Started { attempt, process: running.process });
                }
            }
            Reply::Ended(ended) => {
                if let Some((attempt, end)) = self.key(&ended.attempt).zip(ended.end()) {
                    sink(WardenEvent::Ended { attempt, end });
                }
            }
            Reply::Warning(text) => sink(WardenEvent::Warning(format!("the warden: {text}"))),
            Reply::Welcome(_) | Reply::Listed | Reply::Refused(_) => {}
        }
    }

    /// The key of an attempt of our ledger.
    fn key(&self, name: &str) -> Option<AttemptKey> {
        let (key, ledger) = name.rsplit_once('@')?;
        if ledger == self.ledger { key.parse().ok() } else { None }
    }
}

impl Link {
    fn disconnect(&mut self) {
        if let Some(stream) = self.stream.take() {
            _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Writes all of `bytes` to a non-blocking connection, waiting for room.
fn write_all(stream: &mut UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut wait = [PollFd::new(&*stream, PollFlags::OUT)];
                if poll(&mut wait, Timespec::try_from(SEND_TIMEOUT).ok().as_ref())? == 0 {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The name of an attempt outside its ledger: its key, and the suffix of the ledger.
#[must_use]
pub fn attempt_name(attempt: &AttemptKey, ledger: &str) -> String {
    format!("{attempt}@{ledger}")
}

/// The key in the name of an attempt.
#[must_use]
pub fn attempt_key(name: &str) -> Option<AttemptKey> {
    name.rsplit_once('@')?.0.parse().ok()
}
