//! The daemon's hand on its jobs: finds the warden or starts it, asks it to start and end attempts, and hears of them.
//!
//! The warden is another process, which outlives us, and may be killed itself: then it is found again, or another is
//! started, and [`WardenEvent::Here`] tells what that one knows. Never here: a decision about what follows from an outcome, a
//! write to the ledger.

mod connect;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use connect::{HireError, WardenLocation};

pub use crate::control::{OpenAttempt, WardenEvent, WardenState};

use crate::session::{AttemptKey, Outcome};
use crate::warden::protocol::{
    self, End, ProtocolError, Reply, Request, Start, Watch, bytes, micros, outcome_number, put,
};
use connect::{Broken, Link};

/// Between two tries at a warden that is not there.
const RETRY: Duration = Duration::from_millis(500);
/// A warden that takes nothing for so long is as good as gone; it is asked again.
const STUCK: Duration = Duration::from_secs(5);

/// Everything that one attempt needs to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Which attempt.
    pub attempt: AttemptKey,
    /// The program, and what follows it; nobody splits or expands them. A program without a slash is searched in the
    /// `PATH` of its own environment.
    pub argv: Vec<OsString>,
    /// What it inherits of our environment; a warden of systemd's has its own in the place of this.
    pub inherited: Vec<(OsString, OsString)>,
    /// What it is given besides.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it is started.
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

/// A handle on the warden: what speaks to it.
#[derive(Debug, Clone)]
pub struct WardenClient {
    shared: Arc<Shared>,
}

/// What listens to the warden. Without it, what is said goes nowhere: when it is dropped the connection ends. Processes
/// are left alone.
#[derive(Debug)]
pub struct WardenReceiver {
    shared: Arc<Shared>,
    link: Option<Link>,
}

/// What became of the search for a warden.
#[derive(Debug)]
pub enum Search {
    /// None is found yet, for this reason; the search goes on.
    Trouble(String),
    /// One is found.
    Found(Found),
}

/// A warden that was found.
#[derive(Debug)]
pub struct Found(Link);

#[derive(Debug)]
struct Shared {
    /// Tells the attempts of our ledger from those of others.
    mark: String,
    house: WardenLocation,
    link: Mutex<Option<UnixStream>>,
    /// The version of the warden.
    version: Mutex<String>,
    closing: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WardenClient {
    /// Finds the warden, or starts one, and hears what it knows. `mark` tells our ledger's attempts from others'.
    ///
    /// # Errors
    /// There is no warden, and none can be started.
    pub fn new(house: WardenLocation, mark: &str) -> Result<(Self, WardenReceiver, WardenState), HireError> {
        let link = connect::connect(&house, mark)?;
        let shared = Arc::new(Shared {
            mark: mark.to_owned(),
            house,
            link: Mutex::new(None),
            version: Mutex::new(String::new()),
            closing: AtomicBool::new(false),
        });
        let known = shared.known(&link);
        shared.pick_up(&link).map_err(HireError::Kernel)?;
        let ear = WardenReceiver { shared: Arc::clone(&shared), link: Some(link) };
        Ok((Self { shared }, ear, known))
    }

    /// Starts an attempt, if the warden does not know it yet. A start that fails is reported as the attempt's end, with
    /// the exit status that a shell would give (127 not found, 126 not executable, 125 anything else). If there is no
    /// warden now, it is not started.
    pub fn start(&self, launch: Launch) {
        let pairs = |pairs: Vec<(OsString, OsString)>| {
            pairs.into_iter().map(|(name, value)| (bytes(name), bytes(value))).collect::<Vec<_>>()
        };
        let start = Start {
            attempt: attempt_name(&launch.attempt, &self.shared.mark),
            argv: launch.argv.into_iter().map(bytes).collect(),
            inherited: pairs(launch.inherited),
            environment: pairs(launch.environment),
            working_directory: launch.working_directory.map(|folder| bytes(folder.into_os_string())),
            timeout: launch.timeout.map(micros),
            kill_grace: micros(launch.kill_grace),
            log: bytes(launch.log.into_os_string()),
            output_limit: launch.output_limit,
        };
        self.shared.send(&[Request::Start(Box::new(start))]);
    }

    /// Has the warden find out about attempts that the ledger has open: each is reported, as started or as ended.
    pub fn watch(&self, open: Vec<OpenAttempt>) {
        self.ask_about(open, None);
    }

    /// Has a warden that is there (again) find out about all attempts that the ledger has open. After this, what it does
    /// not know was never started.
    pub fn greet(&self, open: Vec<OpenAttempt>) {
        self.ask_about(open, Some(Request::Ready));
    }

    fn ask_about(&self, open: Vec<OpenAttempt>, last: Option<Request>) {
        let watch = |open: OpenAttempt| {
            Request::Watch(Watch {
                attempt: attempt_name(&open.attempt, &self.shared.mark),
                process: open.process.as_ref().map(protocol::Process::from),
                timeout: open.timeout.map(micros),
                kill_grace: micros(open.kill_grace),
            })
        };
        let requests: Vec<Request> = open.into_iter().map(watch).chain(last).collect();
        self.shared.send(&requests);
    }

    /// Ends an attempt: TERM to its processes, and KILL after its grace. It is reported as `outcome`, unless it ended by
    /// itself before the signal, or with exit status 0 after it. An attempt that is over is left alone.
    pub fn stop(&self, attempt: &AttemptKey, outcome: Outcome) {
        self.end(attempt, outcome, false);
    }

    /// Ends an attempt as [`WardenClient::stop`] does, but with KILL at once. An attempt that was being stopped keeps the
    /// outcome it was stopped for.
    pub fn kill(&self, attempt: &AttemptKey, outcome: Outcome) {
        self.end(attempt, outcome, true);
    }

    fn end(&self, attempt: &AttemptKey, outcome: Outcome, at_once: bool) {
        let attempt = attempt_name(attempt, &self.shared.mark);
        self.shared.send(&[Request::End(End { attempt, outcome: outcome_number(outcome).0, at_once })]);
    }

    /// The ledger has the ends of these attempts: the warden need not remember them.
    pub fn forget(&self, attempts: &[AttemptKey]) {
        let names = attempts.iter().map(|attempt| attempt_name(attempt, &self.shared.mark)).collect();
        self.shared.send(&[Request::Forget(names)]);
    }

    /// Has a warden of another version make room for one of ours; it does so only if nothing runs.
    pub fn replace_other_version(&self) {
        if *lock(&self.shared.version) != env!("CARGO_PKG_VERSION") {
            self.shared.send(&[Request::Retire]);
        }
    }
}

impl Shared {
    /// Sends requests together. What cannot be sent is not sent later: the next warden is told anew what matters.
    fn send(&self, requests: &[Request]) {
        let mut buffer = Vec::new();
        for request in requests {
            if let Err(error) = put(request, &mut buffer) {
                tracing::error!(%error, "the warden cannot be asked");
            }
        }
        let mut link = lock(&self.link);
        if let Some(stream) = link.as_mut()
            && write(stream, &buffer).is_err()
        {
            // Who listens hears the end of it, and looks for a warden.
            _ = stream.shutdown(Shutdown::Both);
            *link = None;
        }
    }

    fn hang_up(&self) {
        if let Some(stream) = lock(&self.link).take() {
            _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Speaks by this connection from now on.
    fn pick_up(&self, link: &Link) -> io::Result<()> {
        let writing = link.stream.try_clone()?;
        writing.set_nonblocking(true)?;
        lock(&self.version).clone_from(&link.version);
        *lock(&self.link) = Some(writing);
        Ok(())
    }

    /// Looks for a warden until there is one, or until nobody needs it.
    fn seek(&self, tell: &impl Fn(Search)) {
        let mut said = None;
        while !self.closing.load(Ordering::SeqCst) {
            match connect::connect(&self.house, &self.mark) {
                Ok(link) => return tell(Search::Found(Found(link))),
                Err(error) => {
                    let text = format!("{error}; tried again until there is one");
                    if said.as_ref() != Some(&text) {
                        tell(Search::Trouble(text.clone()));
                        said = Some(text);
                    }
                }
            }
            thread::sleep(RETRY);
        }
    }

    fn known(&self, link: &Link) -> WardenState {
        let mut known = WardenState::default();
        for reply in &link.listed {
            match reply {
                Reply::Running(running) => known.running.extend(self.key(&running.attempt)),
                Reply::Ended(ended) => known.ended.extend(self.key(&ended.attempt).zip(ended.end())),
                _ => {}
            }
        }
        known
    }

    fn take(&self, reply: Reply, report: &mut impl FnMut(WardenEvent)) {
        match reply {
            Reply::Running(running) => {
                if let Some(attempt) = self.key(&running.attempt) {
                    report(WardenEvent::Started { attempt, process: running.process.map(Into::into) });
                }
            }
            Reply::Ended(ended) => {
                if let Some((attempt, end)) = self.key(&ended.attempt).zip(ended.end()) {
                    report(WardenEvent::Ended { attempt, end });
                }
            }
            Reply::Trouble(text) => report(WardenEvent::Trouble(format!("the warden: {text}"))),
            Reply::Welcome(_) | Reply::Listed | Reply::Refused(_) => {}
        }
    }

    /// The key of an attempt of our ledger.
    fn key(&self, name: &str) -> Option<AttemptKey> {
        let (key, mark) = name.rsplit_once('@')?;
        if mark == self.mark { key.parse().ok() } else { None }
    }
}

impl WardenReceiver {
    /// The connection, which can be read when there is something to hear (by [`WardenReceiver::hear`] only); nothing while there is no
    /// warden. It does not block.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub fn line(&self) -> io::Result<Option<UnixStream>> {
        self.link.as_ref().map(|link| link.stream.try_clone()).transpose()
    }

    /// Hears what has come, and does not wait for more. After [`WardenEvent::Gone`] another warden is to be sought.
    pub fn hear(&mut self, report: &mut impl FnMut(WardenEvent)) {
        let Some(link) = &mut self.link else { return };
        loop {
            match link.take_now() {
                Ok(Some(reply)) => self.shared.take(reply, report),
                Ok(None) => return,
                // A newer warden says what we do not know.
                Err(Broken::Protocol(ProtocolError::Strange(_))) => {}
                Err(_) => break,
            }
        }
        self.shared.hang_up();
        self.link = None;
        report(WardenEvent::Gone);
    }

    /// Looks for a warden on a thread of its own, which says what it finds.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn seek(&self, tell: impl Fn(Search) + Send + 'static) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new().name("warden".to_owned()).spawn(move || shared.seek(&tell)).map(drop)
    }

    /// Uses a warden that was found.
    pub fn pick_up(&mut self, Found(link): Found, report: &mut impl FnMut(WardenEvent)) {
        let known = self.shared.known(&link);
        if self.shared.pick_up(&link).is_ok() {
            self.link = Some(link);
            report(WardenEvent::Here(known));
        } else {
            report(WardenEvent::Gone);
        }
    }
}

impl Drop for WardenReceiver {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.hang_up();
    }
}

/// Writes all of `bytes` to a connection that does not block, and waits for room where there is none.
fn write(stream: &mut UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut wait = [PollFd::new(&*stream, PollFlags::OUT)];
                if poll(&mut wait, Timespec::try_from(STUCK).ok().as_ref())? == 0 {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How an attempt is named outside of its ledger: by its key, and the mark of the ledger.
#[must_use]
pub fn attempt_name(attempt: &AttemptKey, mark: &str) -> String {
    format!("{attempt}@{mark}")
}
