//! The loop of the warden: clients, jobs and deadlines, on one thread.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use tracing::{debug, error, info, warn};

use crate::session::Outcome;
use crate::warden::attempt::ledger_of;
use crate::warden::client::Client;
use crate::warden::protocol::{Hello, PROTOCOL, Reply, Request, Welcome, outcome_from_code};
use crate::warden::supervisor::Supervisor;

/// The epoll token of the listening socket. Attempts have the tokens from 2 on, clients those with the highest bit.
pub(super) const LISTENER: u64 = 0;
/// The epoll token of the pipe that signals are written to.
pub(super) const SIGNALS: u64 = 1;
/// The epoll token of the table of mounts.
pub(super) const MOUNTS: u64 = u64::MAX;
/// The bit in the epoll tokens of clients.
const CLIENT: u64 = 1 << 63;
/// How many clients are served: a daemon, and a few that are about to take over from it.
const MAX_CLIENTS: usize = 32;
/// The pause after a connection could not be accepted.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);
/// How many events are read at once.
const EVENTS: usize = 256;
/// A warden without jobs and clients exits after this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct EventLoop {
    version: String,
    epoll: Rc<OwnedFd>,
    listener: UnixListener,
    signals: UnixStream,
    supervisor: Supervisor,
    clients: BTreeMap<u64, Client>,
    last_client: u64,
    buffer: Vec<u8>,
    /// For the first client: what was wrong with the journal at the start.
    warnings: Vec<String>,
    /// Why the journal cannot be written.
    journal_error: Option<String>,
    /// How many times SIGTERM or SIGINT has arrived.
    terminations: u32,
    /// Exit as soon as no job runs.
    is_retiring: bool,
    idle_since: Option<Instant>,
}

impl EventLoop {
    pub(super) fn new(
        version: String,
        epoll: Rc<OwnedFd>,
        listener: UnixListener,
        signals: UnixStream,
        supervisor: Supervisor,
        warnings: Vec<String>,
    ) -> Self {
        Self {
            version,
            epoll,
            listener,
            signals,
            supervisor,
            clients: BTreeMap::new(),
            last_client: 0,
            buffer: vec![0; 64 * 1024],
            warnings,
            journal_error: None,
            terminations: 0,
            is_retiring: false,
            idle_since: None,
        }
    }

    pub(super) fn run(&mut self) {
        let mut events = Vec::with_capacity(EVENTS);
        while !self.is_done() {
            self.wait(&mut events);
            for event in events.drain(..) {
                self.handle_event(event.data.u64());
            }
            self.read_pending();
            self.supervisor.run_due();
            self.persist();
            self.flush_clients();
            self.supervisor.close_unused();
        }
        self.supervisor.close();
        info!("the warden exits");
    }

    fn is_done(&mut self) -> bool {
        if self.terminations > 0 || self.is_retiring {
            return self.supervisor.running() == 0 && !self.supervisor.has_unreported_exits();
        }
        if !self.clients.is_empty() || !self.supervisor.is_idle() {
            self.idle_since = None;
            return false;
        }
        let since = *self.idle_since.get_or_insert_with(Instant::now);
        since.elapsed() >= IDLE_TIMEOUT && !self.accept()
    }

    fn wait(&mut self, events: &mut Vec<Event>) {
        let idle = self.idle_since.map(|since| IDLE_TIMEOUT.saturating_sub(since.elapsed()));
        let pending = self.clients.values().any(|client| client.has_more).then_some(Duration::ZERO);
        let timeout = self.supervisor.max_wait().into_iter().chain(idle).chain(pending).min();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match epoll::wait(&*self.epoll, rustix::buffer::spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                error!(%error, "the warden cannot wait for events; retrying");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn handle_event(&mut self, token: u64) {
        match token {
            LISTENER => {
                self.accept();
            }
            SIGNALS => self.handle_signal(),
            MOUNTS => self.supervisor.refresh_mounts(),
            token if token & CLIENT != 0 => self.read(token, false),
            token => self.supervisor.handle_event(token),
        }
    }

    /// Accepts the connections that wait; false if there is none.
    fn accept(&mut self) -> bool {
        let mut any = false;
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    // Out of file descriptors: back off.
                    debug!(%error, "a client cannot be accepted");
                    std::thread::sleep(ACCEPT_RETRY);
                    break;
                }
            };
            any = true;
            if self.clients.len() >= MAX_CLIENTS {
                // The oldest client that has not said hello is dropped.
                let silent = self.clients.iter().find(|(_, client)| client.ledger.is_none()).map(|(token, _)| *token);
                if silent.and_then(|token| self.clients.remove(&token)).is_none() {
                    continue;
                }
            }
            self.last_client = self.last_client.saturating_add(1);
            let token = CLIENT | self.last_client;
            match Client::new(stream) {
                Ok(client) => {
                    let interest = EventFlags::IN;
                    if epoll::add(&*self.epoll, client.stream(), EventData::new_u64(token), interest).is_ok() {
                        self.clients.insert(token, client);
                    }
                }
                Err(error) => warn!(%error, "a client cannot be served"),
            }
        }
        any
    }

    /// Stops all jobs; a second signal kills them.
    fn handle_signal(&mut self) {
        let mut count = [0; 64];
        if let Ok(1..) = io::Read::read(&mut &self.signals, &mut count) {
            self.terminations = self.terminations.saturating_add(1);
            info!(running = self.supervisor.running(), "terminated: stopping all jobs");
            self.supervisor.stop_all(self.terminations > 1);
        }
    }

    /// Handles requests that were read in an earlier turn.
    fn read_pending(&mut self) {
        let pending = self.clients.iter().filter(|(_, client)| client.has_more).map(|(token, _)| *token);
        for token in pending.collect::<Vec<_>>() {
            self.read(token, false);
        }
    }

    /// Reads requests of a client: `all` of them, or some, and only while the queue of starts is not full.
    fn read(&mut self, token: u64, all: bool) {
        if !all && self.supervisor.is_full() {
            return;
        }
        let Some(client) = self.clients.get_mut(&token) else { return };
        for request in client.read(&mut self.buffer, all) {
            self.handle_request(token, request);
        }
    }

    fn handle_request(&mut self, token: u64, request: Request) {
        match request {
            Request::Hello(hello) => self.welcome(token, hello),
            Request::Start(launch) => {
                let inherited = self.clients.get(&token).map(|client| Rc::clone(&client.inherited));
                self.supervisor.start(launch, inherited.unwrap_or_default());
                if self.terminations > 0 {
                    self.supervisor.stop_all(self.terminations > 1);
                }
            }
            Request::Watch(watch) => self.supervisor.watch(watch),
            Request::Stop(stop) => {
                // The outcome may be one of a newer version.
                let outcome = outcome_from_code(stop.outcome, None).unwrap_or(Outcome::Interrupted);
                self.supervisor.stop(&stop.attempt, outcome, stop.at_once);
            }
            Request::Forget(attempts) => {
                for attempt in attempts {
                    self.supervisor.forget(&attempt);
                }
            }
            Request::Ready => {
                if let Some(ledger) = self.clients.get(&token).and_then(|client| client.ledger.clone()) {
                    self.supervisor.ready(&ledger);
                }
            }
            Request::Retire => self.is_retiring = self.supervisor.running() == 0,
        }
    }

    /// Answers a hello. The requests of an earlier daemon of the ledger are handled first: it may have sent a start just
    /// before it exited.
    fn welcome(&mut self, token: u64, hello: Hello) {
        let is_earlier = |other: u64, client: &Client| other != token && client.ledger.as_ref() == Some(&hello.ledger);
        let earlier = self.clients.iter().filter(|(other, client)| is_earlier(**other, client));
        for other in earlier.map(|(other, _)| *other).collect::<Vec<u64>>() {
            self.read(other, true);
            if let Some(client) = self.clients.get_mut(&other) {
                client.is_closed = true;
            }
        }
        let known = self.supervisor.known_attempts(&hello.ledger);
        let Some(client) = self.clients.get_mut(&token) else { return };
        client.ledger = Some(hello.ledger);
        client.inherited = hello.inherited.into();
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        client.send(&Reply::Welcome(Welcome { protocol: PROTOCOL, version: self.version.clone(), pid }));
        client.send_list(&known);
        client.send(&Reply::Listed);
        for warning in std::mem::take(&mut self.warnings).into_iter().chain(self.journal_error.clone()) {
            client.send(&Reply::Warning(warning));
        }
    }

    /// Writes the journal, and then reports the exits that it has.
    fn persist(&mut self) {
        match self.supervisor.persist() {
            Ok(replies) => {
                if self.supervisor.retry_at().is_none() {
                    self.journal_error = None;
                }
                for reply in replies {
                    self.send_to_ledger(&reply);
                }
            }
            Err(error) => {
                let text = error.to_string();
                if self.journal_error.as_ref() != Some(&text) {
                    error!("{text}; retrying");
                    for client in self.clients.values_mut() {
                        client.send(&Reply::Warning(text.clone()));
                    }
                    self.journal_error = Some(text);
                }
            }
        }
    }

    /// Sends a reply about an attempt to the daemon of its ledger.
    fn send_to_ledger(&mut self, reply: &Reply) {
        let ledger = match reply {
            Reply::Running(running) => ledger_of(&running.attempt),
            Reply::Ended(ended) => ledger_of(&ended.attempt),
            _ => return,
        };
        for client in self.clients.values_mut().filter(|client| client.ledger.as_deref() == Some(ledger)) {
            client.send(reply);
        }
    }

    /// Writes replies to the sockets, and removes clients that are gone.
    fn flush_clients(&mut self) {
        let mut closed = Vec::new();
        for (token, client) in &mut self.clients {
            let is_blocked = client.flush();
            if is_blocked != client.is_blocked {
                client.is_blocked = is_blocked;
                let interest = if is_blocked { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
                let token = EventData::new_u64(*token);
                client.is_closed |= epoll::modify(&*self.epoll, client.stream(), token, interest).is_err();
            }
            if client.is_closed {
                closed.push(*token);
            }
        }
        for token in closed {
            self.clients.remove(&token);
        }
    }
}
