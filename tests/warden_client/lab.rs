//! A client with a folder of its own, whose reports can be awaited.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use chrono::DateTime;
use crontabber::job::JobName;
use crontabber::session::{AttemptEnd, AttemptKey, ProcessIdentity, SessionKey};
use crontabber::warden_client::{
    Launch, WardenClient, WardenEvent, WardenLocation, WardenReceiver, attempt_name, bytes,
};
use rustix::event::{PollFd, PollFlags, poll};
use tempfile::TempDir;

/// Far longer than anything here takes; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Lab {
    pub(crate) folder: TempDir,
    pub(crate) client: WardenClient,
    reports: Receiver<WardenEvent>,
}

/// A client that is flushed at the end of the statement.
pub(crate) struct Flushed<'a>(pub(crate) &'a WardenClient);

impl Deref for Flushed<'_> {
    type Target = WardenClient;

    fn deref(&self) -> &WardenClient {
        self.0
    }
}

impl Drop for Flushed<'_> {
    fn drop(&mut self) {
        self.0.flush();
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    /// A daemon's hand on the warden of this folder.
    pub(crate) fn in_folder(folder: TempDir) -> Self {
        let (client, receiver, _) = WardenClient::new(location(folder.path()), MARK, &[]).unwrap();
        let reports = listen(receiver);
        let lab = Self { folder, client, reports };
        lab.client().watch_all(Vec::new());
        lab
    }

    /// The client, which sends its requests at the end of the statement.
    pub(crate) fn client(&self) -> Flushed<'_> {
        Flushed(&self.client)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path("logs/job/log")
    }

    pub(crate) fn launch(&self, argv: &[&str]) -> Launch {
        Launch {
            attempt: name("job", 1),
            argv: argv.iter().map(bytes).collect(),
            environment: vec![(bytes("PATH"), bytes("/usr/bin:/bin"))],
            working_directory: Some(bytes(self.folder.path())),
            timeout: None,
            kill_grace: Duration::from_secs(20),
            log: bytes(self.log()),
            output_limit: 1_000_000,
        }
    }

    pub(crate) fn shell(&self, text: &str) -> Launch {
        self.launch(&["/bin/sh", "-c", text])
    }

    /// Starts an attempt and waits for its end.
    pub(crate) fn run(&self, launch: Launch) -> AttemptEnd {
        self.client().start(launch);
        self.end()
    }

    /// Starts attempts with the numbers from 1 to `last` that run until they are ended.
    pub(crate) fn start_sleepers(&self, last: u32) {
        for number in 1..=last {
            let launch = self.launch(&["/bin/sleep", "1000"]);
            self.client().start(Launch { attempt: name("job", number), ..launch });
        }
    }

    /// Starts an attempt and waits until its process lives.
    pub(crate) fn begin(&self, launch: Launch) -> ProcessIdentity {
        self.client().start(launch);
        match self.report() {
            WardenEvent::Started { process: Some(process), .. } => process,
            other => panic!("not started: {other:?}"),
        }
    }

    pub(crate) fn report(&self) -> WardenEvent {
        self.reports.recv_timeout(PATIENCE).expect("a report comes in time")
    }

    pub(crate) fn has_report(&self) -> bool {
        self.reports.try_recv().is_ok()
    }

    /// Waits for the next end.
    pub(crate) fn end(&self) -> AttemptEnd {
        self.next_end().1
    }

    /// Waits for the next end, and returns its attempt too.
    pub(crate) fn next_end(&self) -> (AttemptKey, AttemptEnd) {
        loop {
            if let WardenEvent::Ended { attempt, end } = self.report() {
                // As a daemon does, once its ledger has it.
                self.client().forget(std::slice::from_ref(&attempt));
                return (attempt, end);
            }
        }
    }

    pub(crate) fn printed(&self) -> String {
        String::from_utf8(fs::read(self.log()).unwrap()).unwrap()
    }

    /// Makes a file to be executed. Another process writes it: one of ours that is being started on another thread could
    /// still hold it open for writing, and then nobody may execute it.
    pub(crate) fn program(&self, name: &str, text: &str, mode: &str) {
        let status = Command::new("/bin/sh")
            .args(["-c", "mkdir -p \"$(dirname \"$0\")\" && printf %s \"$1\" > \"$0\" && chmod \"$2\" \"$0\""])
            .args([self.path(name).as_os_str(), text.as_ref(), mode.as_ref()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits until a job has made this file.
    pub(crate) fn await_file(&self, name: &str) {
        let path = self.path(name);
        await_that(name, || path.exists());
    }
}

/// Hears the warden on a thread, until the connection ends.
pub(crate) fn listen(mut receiver: WardenReceiver) -> Receiver<WardenEvent> {
    let (sender, reports) = channel();
    std::thread::spawn(move || {
        let fd = receiver.fd().unwrap().try_clone_to_owned().unwrap();
        let mut open = true;
        while open {
            let mut wait = [PollFd::new(&fd, PollFlags::IN)];
            poll(&mut wait, None).unwrap();
            receiver
                .read_events(&mut |report| open &= report != WardenEvent::Disconnected && sender.send(report).is_ok());
        }
    });
    reports
}

/// The mark of the ledger that these attempts would be in.
pub(crate) const MARK: &str = "lab";

/// The location of a warden, with the binary in the place of this test.
pub(crate) fn location(folder: &Path) -> WardenLocation {
    WardenLocation { program: env!("CARGO_BIN_EXE_crontabber").into(), ..WardenLocation::new(folder.join("warden")) }
}

pub(crate) fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Names attempt `number` at a job; the test's process and thread are part of the name, so that parallel tests do not meet.
pub(crate) fn key(job: &str, number: u32) -> AttemptKey {
    let thread: String = format!("{:?}", std::thread::current().id()).chars().filter(char::is_ascii_digit).collect();
    let job = JobName::new(&format!("{job}-{}-{thread}", std::process::id())).unwrap();
    let date = DateTime::from_timestamp(1_793_000_000, 0).unwrap();
    AttemptKey { session: SessionKey { job, generation: 1, date }, number }
}

/// The name of that attempt.
pub(crate) fn name(job: &str, number: u32) -> String {
    attempt_name(&key(job, number), MARK)
}

pub(crate) fn exists(process: &ProcessIdentity) -> bool {
    Path::new(&format!("/proc/{}", process.pid)).exists()
}

/// Runs one test of this program again, in a shell that has first run `preparation`.
pub(crate) fn again(test: &str, preparation: &str) {
    let output = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("{preparation}; exec \"$0\" --exact {test} --nocapture"))
        .arg(std::env::current_exe().unwrap())
        .env(AGAIN, test)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

/// Says whether this is the test that [`again`] runs.
pub(crate) fn is_again(test: &str) -> bool {
    std::env::var(AGAIN).is_ok_and(|name| name == test)
}

const AGAIN: &str = "CRONTABBER_TEST_AGAIN";
