//! Reports that the daemon works, and which registry it has in force, from a thread of its own: a disk or a server that
//! hangs delays no date.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::time::{Duration, Instant};
use std::{fs, process, thread};

use chrono::{DateTime, TimeDelta, Utc};

use crate::control::{Control, Mode};
use crate::ledger::{self, HeartbeatWriter, LedgerUrl};
use crate::registry::{Registry, RegistryCopy};
use crate::{clock, environment, paths};

/// Between two reports.
const INTERVAL: Duration = Duration::from_secs(10);

/// While the clock runs on, the time at which it is believed changes by less than this from one report to the next.
const TOLERANCE: TimeDelta = TimeDelta::seconds(2);

/// How many reports wait for a thread that hangs.
const QUEUE: usize = 8;

/// How long a daemon that ends waits for its last report.
const LAST: Duration = Duration::from_millis(500);

/// What the thread writes.
enum Message {
    Registry(RegistryCopy),
    Report(ledger::Heartbeat),
    End(SyncSender<()>),
}

/// See the module's page.
pub(super) struct Heartbeat {
    report: ledger::Heartbeat,
    /// The copy of the registry in force, until the thread has it.
    copy: Option<RegistryCopy>,
    /// Absent in a daemon that only answers an operator.
    thread: Option<SyncSender<Message>>,
    next: Instant,
}

impl Heartbeat {
    /// Starts the thread, and reports for the first time.
    ///
    /// # Errors
    /// The operating system has no thread to give.
    pub(super) fn start(
        mode: Mode,
        url: &LedgerUrl,
        file: &Path,
        registry: &Registry,
        copy: RegistryCopy,
        clock_seen: Option<DateTime<Utc>>,
    ) -> io::Result<Self> {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let is_daemon = mode == Mode::Serve;
        let (host, pid, now) = (environment::host_name(), process::id(), clock::now());
        let mut report = ledger::Heartbeat::new(host, pid, is_daemon, file, registry.digest, now);
        // As the last process left it, until the control has judged the clock.
        report.see_clock(clock_seen, None);
        let thread = match mode {
            Mode::Operate => None,
            Mode::Serve | Mode::Once => Some(spawn(url)?),
        };
        let mut heartbeat = Self { report, copy: Some(copy).filter(|_| is_daemon), thread, next: Instant::now() };
        heartbeat.tick();
        Ok(heartbeat)
    }

    /// Reports a registry that has come into force.
    pub(super) fn read_registry(&mut self, registry: &Registry, copy: RegistryCopy) {
        self.report.read_registry(registry.digest, clock::now());
        self.copy = Some(copy);
        self.next = Instant::now();
        self.tick();
    }

    /// Notes what the control believes of the clock. A change of whether it does, or of until when it does not, is reported
    /// at once.
    pub(super) fn see_clock(&mut self, control: &Control) {
        let (before, hold) = (self.report.clock_hold(), control.clock_hold());
        let is_changed = match (before, hold) {
            (Some(before), Some(hold)) => (hold.believed_at - before.believed_at).abs() > TOLERANCE,
            (before, hold) => before.is_some() != hold.is_some(),
        };
        if is_changed {
            self.next = Instant::now();
        }
        self.report.see_clock(Some(control.clock_seen()), hold);
    }

    /// Reports that the daemon works, if it is time to.
    pub(super) fn tick(&mut self) {
        let Some(thread) = self.thread.as_ref().filter(|_| self.next <= Instant::now()) else { return };
        self.next = Instant::now() + INTERVAL;
        self.report.see(clock::now());
        // A thread that hangs gets it later: nothing waits for it.
        if let Some(copy) = self.copy.take()
            && let Err(TrySendError::Full(Message::Registry(copy))) = thread.try_send(Message::Registry(copy))
        {
            self.copy = Some(copy);
        }
        _ = thread.try_send(Message::Report(self.report.clone()));
    }

    /// Reports that the daemon ends as it was told to.
    pub(super) fn end(&mut self) {
        self.report.is_stopped = true;
        self.next = Instant::now();
        self.tick();
        let (done, is_done) = mpsc::sync_channel(1);
        if self.thread.take().is_some_and(|thread| thread.try_send(Message::End(done)).is_ok()) {
            _ = is_done.recv_timeout(LAST);
        }
    }
}

fn spawn(url: &LedgerUrl) -> io::Result<SyncSender<Message>> {
    let (sender, messages) = mpsc::sync_channel(QUEUE);
    let (writer, copy) = (HeartbeatWriter::new(url), paths::registry_copy(url));
    thread::Builder::new().name("heartbeat".to_owned()).spawn(move || run(&messages, writer, &copy))?;
    Ok(sender)
}

fn run(messages: &Receiver<Message>, mut writer: HeartbeatWriter, copy: &Path) {
    let mut is_reported = false;
    for message in messages {
        let written = match message {
            Message::Registry(registry) => replace(copy, &registry).map_err(|error| error.to_string()),
            Message::Report(report) => writer.write(&report),
            Message::End(done) => {
                _ = done.try_send(());
                return;
            }
        };
        if let Err(error) = written
            && !std::mem::replace(&mut is_reported, true)
        {
            tracing::debug!(%error, "the heartbeat could not be written");
        }
    }
}

/// Writes the copy into a file that only its owner can read. It is whole or absent.
fn replace(path: &Path, registry: &RegistryCopy) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Created anew, so that it has this mode.
    _ = fs::remove_file(&new);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(&registry.to_bytes()?)?;
    fs::rename(&new, path)
}
