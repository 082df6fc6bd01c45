//! A warden of a test's own, and a client that says to it what it likes.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crontabber::session::{AttemptEnd, Outcome};
use crontabber::warden::protocol::{
    Ended, FrameDecoder, Hello, Launch, PROTOCOL, Reply, Request, Running, Watch, encode_frame,
};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::lab::signal_process;

/// Far longer than anything here takes; reached only by a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A warden, the socket that it serves, and its folder.
pub(crate) struct TestWarden {
    pub(crate) folder: TempDir,
    listener: UnixListener,
    pub(crate) process: Child,
}

impl TestWarden {
    pub(crate) fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    /// A warden for what an earlier one left in this folder.
    pub(crate) fn in_folder(folder: TempDir) -> Self {
        Self::start_in(folder, ":")
    }

    /// A warden of a shell that has executed `commands`.
    pub(crate) fn started_by_a_shell(commands: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), commands)
    }

    fn start_in(folder: TempDir, commands: &str) -> Self {
        let socket = folder.path().join("socket");
        _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let process = start_warden(&listener, &folder, commands);
        Self { folder, listener, process }
    }

    /// Another warden at the same socket, once the last one is gone.
    pub(crate) fn start_again(&mut self) {
        self.process.wait().unwrap();
        self.process = start_warden(&self.listener, &self.folder, ":");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_process(self.pid(), signal);
    }

    /// Waits for the warden's end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        await_that("the warden's end", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub(crate) fn connect(&self) -> TestClient {
        TestClient::new(UnixStream::connect(self.path("socket")).unwrap())
    }

    /// A daemon of the ledger with this mark.
    pub(crate) fn client(&self, mark: &str) -> TestClient {
        let mut client = self.connect();
        client.hello(mark);
        client
    }

    /// An attempt of a ledger; the folder is in its name, so that tests at the same time do not meet.
    pub(crate) fn name(&self, attempt: &str, mark: &str) -> String {
        format!("{attempt}#{}@{mark}", self.folder.path().file_name().unwrap().display())
    }

    /// A start of a shell that runs in the folder.
    pub(crate) fn start(&self, attempt: &str, script: &str) -> Launch {
        let text = |text: &str| text.as_bytes().to_vec().into();
        let folder = || self.folder.path().to_str().unwrap();
        Launch {
            attempt: attempt.to_owned(),
            argv: ["/bin/sh", "-c", script].map(text).into(),
            environment: vec![(text("PATH"), text("/usr/bin:/bin"))],
            working_directory: Some(text(folder())),
            timeout: None,
            kill_grace: Duration::from_secs(20),
            log: text(&format!("{}/logs/log", folder())),
            output_limit: 100_000,
        }
    }

    pub(crate) fn await_file(&self, name: &str) {
        await_that(name, || self.path(name).exists());
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The state of the warden as `/proc` tells it.
    pub(crate) fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.pid())).unwrap()
    }

    /// The memory that the warden has for itself and no file, in kilobytes.
    pub(crate) fn memory(&self) -> u64 {
        let rollup = self.proc("smaps_rollup");
        let anonymous = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
        anonymous.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

fn start_warden(listener: &UnixListener, folder: &TempDir, commands: &str) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.path().join("warden.log")).unwrap();
    Command::new("/bin/sh")
        .args(["-c", &format!("{commands}; exec \"$0\" \"$@\"")])
        .args([env!("CARGO_BIN_EXE_crontabber"), "warden", "--folder"])
        .arg(folder.path())
        .stdin(OwnedFd::from(listener.try_clone().unwrap()))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for TestWarden {
    fn drop(&mut self) {
        // Twice: what still runs is killed with it.
        for _ in 0..2 {
            if let Ok(None) = self.process.try_wait() {
                self.signal(Signal::TERM);
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        _ = self.process.wait();
    }
}

/// A connection to a warden.
pub(crate) struct TestClient {
    pub(crate) stream: UnixStream,
    frames: FrameDecoder,
}

impl TestClient {
    pub(crate) fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, frames: FrameDecoder::default() }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn ask(&mut self, request: &Request) {
        self.send(&frame(request));
    }

    /// Starts an attempt.
    pub(crate) fn start(&mut self, start: Launch) {
        self.ask(&Request::Start(Box::new(start)));
    }

    /// Says hello, and hears what is known.
    pub(crate) fn hello(&mut self, mark: &str) -> Vec<Reply> {
        self.ask(&hello(mark));
        assert!(matches!(self.reply(), Some(Reply::Welcome(welcome)) if welcome.protocol == PROTOCOL));
        let mut known = Vec::new();
        loop {
            match self.reply().expect("a list") {
                Reply::Listed => return known,
                reply => known.push(reply),
            }
        }
    }

    /// The next message; nothing once the warden has hung up.
    pub(crate) fn reply(&mut self) -> Option<Reply> {
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(reply) = self.frames.decode_next().unwrap() {
                return Some(reply);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.frames.push(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no answer: {error}"),
            }
        }
    }

    /// Why the warden refuses this client.
    pub(crate) fn refusal(&mut self) -> String {
        match self.reply() {
            Some(Reply::Refused(reason)) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn running(&mut self) -> Running {
        match self.reply() {
            Some(Reply::Running(running)) => running,
            other => panic!("it does not run: {other:?}"),
        }
    }

    /// Waits for the next end, whatever starts before.
    pub(crate) fn ended(&mut self) -> Ended {
        loop {
            match self.reply() {
                Some(Reply::Ended(ended)) => return *ended,
                Some(Reply::Running(_)) => {}
                other => panic!("it does not end: {other:?}"),
            }
        }
    }

    pub(crate) fn outcome(&mut self) -> Outcome {
        self.ended().end().unwrap().outcome
    }
}

pub(crate) fn hello(mark: &str) -> Request {
    Request::Hello(Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ledger: mark.to_owned(),
        inherited: Vec::new(),
    })
}

/// The end of an attempt that failed.
pub(crate) fn failed(code: i32) -> AttemptEnd {
    let ended_at = chrono::DateTime::from_timestamp(1_793_000_000, 0).unwrap();
    let outcome = Outcome::Failed { code };
    AttemptEnd { outcome, ended_at, duration: None, detail: None, has_log: false, usage: None }
}

pub(crate) fn watch(attempt: &str) -> Watch {
    Watch { attempt: attempt.to_owned(), process: None, timeout: None, kill_grace: Duration::from_secs(20) }
}

pub(crate) fn frame(request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_frame(request, &mut bytes).unwrap();
    bytes
}
