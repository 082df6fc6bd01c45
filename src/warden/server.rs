//! The loop of the warden: clients, jobs and deadlines, one after another, on one thread.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tracing::{debug, error, info, warn};

use super::cgroup::Delegated;
use super::client::Client;
use super::journal::{Journal, JournalError};
use super::network_fs::Mounts;
use super::procfs::boot_id;
use super::protocol::{Hello, PROTOCOL, Reply, Request, Welcome, outcome_from_code};
use super::signals;
use super::supervisor::Supervisor;
use crate::session::Outcome;

/// The epoll data of the listening socket. Attempts use those from 2 on, clients those with the highest bit.
const LISTENER: u64 = 0;
/// The epoll data of the pipe that signals come through.
const SIGNAL: u64 = 1;
/// The epoll data of the table of mounts.
const MOUNTS: u64 = u64::MAX;
/// What tells the epoll data of clients.
const CLIENT: u64 = 1 << 63;
/// How many clients are served: a daemon, and a few who are about to take its place.
const MOST_CLIENTS: usize = 32;
/// Between two tries at a connection that cannot be taken.
const BREATH: Duration = Duration::from_millis(10);
/// How many events are taken at once.
const EVENTS: usize = 256;
/// A warden with nothing to do and nobody connected goes away after this.
const IDLE: Duration = Duration::from_secs(2);
/// How long a spool is waited for that another warden keeps; one of systemd's waits as long as it takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(50);

/// How a warden serves.
#[derive(Debug, Clone)]
pub struct Service {
    /// The folder of its spool.
    pub folder: PathBuf,
    /// It was started by systemd: jobs have its own environment, and it may divide its control group.
    pub managed: bool,
    /// The version of this crontabber.
    pub version: String,
}

/// Why a warden cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its input is not a listening socket.
    #[error("a warden is started by the daemon or by systemd, with a listening socket as its input: {0}")]
    NoSocket(io::Error),
    /// Its spool.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The kernel.
    #[error("cannot start: {0}")]
    Kernel(#[from] io::Error),
}

/// Serves until there is nothing to do and nobody is connected.
///
/// # Errors
/// It could not begin.
pub fn serve(service: Service) -> Result<(), ServeError> {
    let listener = io::stdin().as_fd().try_clone_to_owned().map_err(ServeError::NoSocket)?;
    let listens = rustix::net::sockopt::socket_acceptconn(&listener);
    match listens {
        Ok(true) => {}
        Ok(false) => return Err(ServeError::NoSocket(io::Error::other("it does not listen"))),
        Err(error) => return Err(ServeError::NoSocket(error.into())),
    }
    let listener = UnixListener::from(listener);
    listener.set_nonblocking(true)?;
    // What it was started as is `exe`, which tells an operator nothing.
    let _ = rustix::thread::set_name(c"crontabber");
    // A terminal's signals are not for us, and no folder is kept from being unmounted. A leader of its own session, as
    // systemd starts us, is refused the first and has it already.
    let _ = rustix::process::setsid();
    std::env::set_current_dir("/")?;
    signals::prepare()?;
    signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))?;
    let (spool, told) = open_spool(&service)?;
    let epoll = Rc::new(epoll::create(CreateFlags::CLOEXEC).map_err(io::Error::from)?);
    let add = |descriptor: &dyn AsFd, data| {
        epoll::add(&*epoll, descriptor.as_fd(), EventData::new_u64(data), EventFlags::IN).map_err(io::Error::from)
    };
    let (signal, handler) = UnixStream::pair()?;
    signal.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGTERM, handler.try_clone()?)?;
    signal_hook::low_level::pipe::register(SIGINT, handler)?;
    add(&listener, LISTENER)?;
    add(&signal, SIGNAL)?;
    let mounts = Mounts::new(&epoll, MOUNTS);
    let delegated = if service.managed { delegated() } else { None };
    let environment: Option<Vec<(OsString, OsString)>> = service.managed.then(super::inherited_environment);
    let supervisor = Supervisor::new(Rc::clone(&epoll), boot_id()?, spool, mounts, delegated, environment);
    let mut warden = Warden {
        version: service.version,
        epoll,
        listener,
        signal,
        supervisor,
        clients: BTreeMap::new(),
        last_client: 0,
        buffer: vec![0; 64 * 1024],
        told,
        trouble: None,
        terms: 0,
        retires: false,
        idle_since: None,
    };
    info!(pid = std::process::id(), version = warden.version, "the warden serves");
    warden.run();
    Ok(())
}

fn delegated() -> Option<Delegated> {
    match Delegated::take() {
        Ok(delegated) => {
            delegated.sweep();
            Some(delegated)
        }
        Err(error) => {
            info!(%error, "no control groups for the attempts: process groups are used, and wait4(2) measures");
            None
        }
    }
}

/// Opens the spool; another warden may be just about to leave it.
fn open_spool(service: &Service) -> Result<(Journal, Vec<String>), JournalError> {
    let since = Instant::now();
    let mut said = false;
    loop {
        match Journal::open(&service.folder) {
            Ok((spool, told)) => {
                for line in &told {
                    warn!("{line}");
                }
                return Ok((spool, told));
            }
            Err(error @ JournalError::Busy(_)) if service.managed || since.elapsed() < PATIENCE => {
                if !said {
                    info!("{error}; waiting until it leaves");
                    said = true;
                }
                std::thread::sleep(LOOK);
            }
            Err(error) => return Err(error),
        }
    }
}

/// The warden.
struct Warden {
    version: String,
    epoll: Rc<OwnedFd>,
    listener: UnixListener,
    signal: UnixStream,
    supervisor: Supervisor,
    clients: BTreeMap<u64, Client>,
    last_client: u64,
    buffer: Vec<u8>,
    /// What was found out about the spool at the start and nobody has heard yet.
    told: Vec<String>,
    /// What was said last of the spool.
    trouble: Option<String>,
    /// How often we were told to end.
    terms: u32,
    /// We were told to go when idle.
    retires: bool,
    idle_since: Option<Instant>,
}

impl Warden {
    fn run(&mut self) {
        let mut events = Vec::with_capacity(EVENTS);
        while !self.is_done() {
            self.wait(&mut events);
            for event in events.drain(..) {
                self.take_event(event.data.u64());
            }
            self.read_more();
            self.supervisor.turn();
            self.settle();
            self.write();
        }
        self.supervisor.close();
        info!("the warden leaves");
    }

    /// Says whether we may go: nothing to do, and nobody to do it for.
    fn is_done(&mut self) -> bool {
        if self.terms > 0 || self.retires {
            return self.supervisor.running() == 0 && !self.supervisor.has_unreported_exits();
        }
        if !self.clients.is_empty() || !self.supervisor.is_idle() {
            self.idle_since = None;
            return false;
        }
        let since = *self.idle_since.get_or_insert_with(Instant::now);
        since.elapsed() >= IDLE && !self.accept()
    }

    fn wait(&mut self, events: &mut Vec<Event>) {
        let idle = self.idle_since.map(|since| IDLE.saturating_sub(since.elapsed()));
        let more = self.clients.values().any(|client| client.has_more).then_some(Duration::ZERO);
        let timeout = self.supervisor.longest_wait().into_iter().chain(idle).chain(more).min();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match epoll::wait(&*self.epoll, rustix::buffer::spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                error!(%error, "the warden cannot wait for its jobs, and tries again");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn take_event(&mut self, token: u64) {
        match token {
            LISTENER => {
                self.accept();
            }
            SIGNAL => self.signalled(),
            MOUNTS => self.supervisor.refresh_mounts(),
            token if token & CLIENT != 0 => self.read(token, false),
            token => self.supervisor.take_event(token),
        }
    }

    /// Takes the connections that wait. Says whether there was one.
    fn accept(&mut self) -> bool {
        let mut any = false;
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    // No descriptors are left. The client waits until there is one, and we do not burn a processor.
                    debug!(%error, "a client cannot be accepted");
                    std::thread::sleep(BREATH);
                    break;
                }
            };
            any = true;
            if self.clients.len() >= MOST_CLIENTS {
                // Whoever has been here longest without a hello makes room.
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

    /// We are told to end: with us, what runs.
    fn signalled(&mut self) {
        let mut count = [0; 64];
        if let Ok(1..) = io::Read::read(&mut &self.signal, &mut count) {
            self.terms = self.terms.saturating_add(1);
            info!(running = self.supervisor.running(), "told to end: the jobs are told so too");
            self.supervisor.end_all(self.terms > 1);
        }
    }

    /// Reads the clients of whom more was read than was taken.
    fn read_more(&mut self) {
        let more = self.clients.iter().filter(|(_, client)| client.has_more).map(|(token, _)| *token);
        for token in more.collect::<Vec<_>>() {
            self.read(token, false);
        }
    }

    /// Reads what a client sent. `last` reads all that there is; otherwise starts that wait are started first.
    fn read(&mut self, token: u64, last: bool) {
        if !last && self.supervisor.is_full() {
            return;
        }
        let Some(client) = self.clients.get_mut(&token) else { return };
        for request in client.read(&mut self.buffer, last) {
            self.take_request(token, request);
        }
    }

    fn take_request(&mut self, token: u64, request: Request) {
        match request {
            Request::Hello(hello) => self.hello(token, &hello),
            Request::Start(start) => {
                self.supervisor.start(start);
                if self.terms > 0 {
                    self.supervisor.end_all(self.terms > 1);
                }
            }
            Request::Watch(watch) => self.supervisor.watch(watch),
            Request::Stop(stop) => {
                // In a way that we do not know: it is ended, and that is all that can be said.
                let outcome = outcome_from_code(stop.outcome, None).unwrap_or(Outcome::Interrupted);
                self.supervisor.end(&stop.attempt, outcome, stop.at_once);
            }
            Request::Forget(attempts) => {
                for attempt in attempts {
                    self.supervisor.forget(&attempt);
                }
            }
            Request::Ready => {
                if let Some(mark) = self.clients.get(&token).and_then(|client| client.ledger.clone()) {
                    self.supervisor.ready(&mark);
                }
            }
            Request::Retire => self.retires = self.supervisor.running() == 0,
        }
    }

    /// A daemon is here. What the one before it still had to say is heard first: it may have asked for a start with its
    /// last breath.
    fn hello(&mut self, token: u64, hello: &Hello) {
        let before = self
            .clients
            .iter()
            .filter(|(other, client)| **other != token && client.ledger.as_ref() == Some(&hello.ledger));
        let before: Vec<u64> = before.map(|(other, _)| *other).collect();
        for other in before {
            self.read(other, true);
            if let Some(client) = self.clients.get_mut(&other) {
                client.over = true;
            }
        }
        // So that it is known by its process, or by its end.
        let known = self.supervisor.hello(&hello.ledger);
        let Some(client) = self.clients.get_mut(&token) else { return };
        client.ledger = Some(hello.ledger.clone());
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        client.say(&Reply::Welcome(Welcome { protocol: PROTOCOL, version: self.version.clone(), pid }));
        client.list(&known);
        client.say(&Reply::Listed);
        for line in std::mem::take(&mut self.told) {
            client.say(&Reply::Warning(line));
        }
        if let Some(trouble) = &self.trouble {
            client.say(&Reply::Warning(trouble.clone()));
        }
    }

    /// Tells what ended, once it is written.
    fn settle(&mut self) {
        match self.supervisor.settle() {
            Ok(replies) => {
                if self.supervisor.retry_at().is_none() {
                    self.trouble = None;
                }
                for reply in replies {
                    self.tell(&reply);
                }
            }
            Err(error) => {
                let text = error.to_string();
                if self.trouble.as_ref() != Some(&text) {
                    error!("{text}; tried again until it can be");
                    for client in self.clients.values_mut() {
                        client.say(&Reply::Warning(text.clone()));
                    }
                    self.trouble = Some(text);
                }
            }
        }
    }

    /// Says something of an attempt to the daemon of its ledger.
    fn tell(&mut self, reply: &Reply) {
        let mark = match reply {
            Reply::Running(running) => super::mark_of(&running.attempt),
            Reply::Ended(ended) => super::mark_of(&ended.attempt),
            _ => return,
        };
        for client in self.clients.values_mut().filter(|client| client.ledger.as_deref() == Some(mark)) {
            client.say(reply);
        }
    }

    /// Sends what is to be said, and lets go of who is gone.
    fn write(&mut self) {
        let mut over = Vec::new();
        for (token, client) in &mut self.clients {
            let more = client.write();
            if more != client.waits_for_room {
                client.waits_for_room = more;
                let interest = if more { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
                let token = EventData::new_u64(*token);
                client.over |= epoll::modify(&*self.epoll, client.stream(), token, interest).is_err();
            }
            if client.over {
                over.push(*token);
            }
        }
        for token in over {
            self.clients.remove(&token);
        }
    }
}
