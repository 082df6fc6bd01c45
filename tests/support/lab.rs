//! A folder with a registry and a ledger, and the real binary to run in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;
use tempfile::TempDir;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// A strict job for six days of November, which writes each day into `ran`.
pub(crate) const DAILY: &str = r#"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-06
command = "echo $CRONTABBER_SESSION_DATE >> DIR/ran"
"#;

/// A job with 144 dates in one day, each of which succeeds at once.
pub(crate) const MANY: &str = r#"
[jobs.many]
schedule = "*/10 * * * *"
backfill = true
start = 2026-11-01
end = 2026-11-01
command = ["/bin/true"]
"#;

/// A job that reports its process and ends when a test creates the file `go`.
pub(crate) const SLOW: &str = r#"
[jobs.slow]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-01
retry = { after = "1s", attempts = 1 }
command = "echo $$ >> DIR/pids; while ! test -e DIR/go; do sleep 0.05; done; echo done >> DIR/ran"
"#;

/// A job at 03:00 on the first days of November, with further lines of its table.
pub(crate) fn job(name: &str, days: u32, lines: &str) -> String {
    let dates = format!("start = 2026-11-01\nend = 2026-11-{days:02}\n");
    format!("[jobs.{name}]\nschedule = \"0 3 * * *\"\nbackfill = true\n{dates}{lines}\n")
}

/// Lines about consecutive days of November, as [`DAILY`] writes them and as [`Lab::sessions`] returns them.
pub(crate) fn days(from: u32, to: u32, more: &str) -> Vec<String> {
    (from..=to).map(|day| format!("2026-11-{day:02}{more}")).collect()
}

/// A folder with a registry and a ledger.
pub(crate) struct Lab {
    pub(crate) folder: TempDir,
    pub(crate) ledger: String,
    environment: Vec<(String, String)>,
}

impl Lab {
    /// A lab with an SQLite ledger that does not exist yet.
    pub(crate) fn new(registry: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("crontabber-lab").tempdir().expect("a folder");
        let ledger = format!("sqlite://{}", folder.path().join("ledger.db").display());
        let lab = Self { folder, ledger, environment: Vec::new() };
        lab.write_registry(registry);
        lab
    }

    pub(crate) fn with_ledger(mut self, ledger: &str) -> Self {
        ledger.clone_into(&mut self.ledger);
        self
    }

    pub(crate) fn with_environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives crontabber a clock of its own, in UTC, which [`Lab::set_clock`] sets (libfaketime).
    pub(crate) fn with_clock(self, time: &str) -> Self {
        let library = std::env::var("CRONTABBER_FAKETIME").unwrap_or_else(|_| FAKETIME.to_owned());
        assert!(Path::new(&library).exists(), "`{library}` is missing: install Debian's package `faketime`");
        self.set_clock(time);
        let file = self.path("clock").display().to_string();
        self.with_environment("TZ", "UTC")
            .with_environment("LD_PRELOAD", &library)
            .with_environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .with_environment("FAKETIME_NO_CACHE", "1")
            .with_environment("FAKETIME_TIMESTAMP_FILE", &file)
    }

    /// Sets the clock, which runs on from there: `@2026-11-05 12:00:00`, or an offset in seconds, such as `+30`.
    pub(crate) fn set_clock(&self, time: &str) {
        fs::write(self.path("clock.new"), format!("{time}\n")).expect("a clock");
        fs::rename(self.path("clock.new"), self.path("clock")).expect("a clock");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the registry; `DIR` stands for the folder.
    pub(crate) fn write_registry(&self, registry: &str) {
        let registry = registry.replace("DIR", &self.folder.path().display().to_string());
        fs::write(self.path("jobs.toml"), registry).expect("a registry");
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare();
        command.arg("--config").arg(self.path("jobs.toml")).args(["--ledger", &self.ledger]).args(arguments);
        command
    }

    /// The binary without arguments.
    pub(crate) fn bare(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crontabber"));
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM", "CRONTABBER_LEDGER", "CRONTABBER_CONFIG"] {
            command.env_remove(name);
        }
        // Files that are not beside the ledger are in the folder too.
        command.env("STATE_DIRECTORY", self.path("state"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }

    /// Runs a command that succeeds, and returns what it prints.
    pub(crate) fn ok(&self, line: &str) -> String {
        self.exits(0, line).0
    }

    /// Runs a command that fails with this exit code, and returns what it prints to standard error.
    pub(crate) fn fails(&self, code: i32, line: &str) -> String {
        self.exits(code, line).1
    }

    /// Runs a command that exits with this code, and returns what it prints.
    pub(crate) fn exits(&self, code: i32, line: &str) -> (String, String) {
        let output = self.run(&line.split_whitespace().collect::<Vec<_>>());
        let printed = (stdout(&output), stderr(&output));
        assert_eq!(output.status.code(), Some(code), "`{line}`: {}{}", printed.0, printed.1);
        printed
    }

    /// Runs a command and reads its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let output = self.run(&all);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"))
    }

    /// Starts the daemon; its log is in `daemon.log`.
    pub(crate) fn daemon(&self) -> Daemon {
        let log = File::options().create(true).append(true).open(self.path("daemon.log")).expect("a log");
        Daemon::start(self.command(&[]).stdout(log.try_clone().expect("a log")).stderr(log))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// Waits until a condition holds.
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let since = Instant::now();
        while !is_so() {
            assert!(since.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a file is there.
    pub(crate) fn until_file(&self, name: &str) {
        self.until(&format!("a file `{name}`"), || self.path(name).exists());
    }

    /// Checks that the ledger keeps the promise, with or without a daemon.
    pub(crate) fn verify(&self) {
        self.ok("verify");
    }

    /// `date state attempts` of each session of a job.
    pub(crate) fn sessions(&self, job: &str) -> Vec<String> {
        let rows = self.json(&["sessions", job]);
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        rows.as_array()
            .expect("an array")
            .iter()
            .map(|row| format!("{} {} {}", &text(&row["date"])[..10], text(&row["state"]), row["attempts"]))
            .collect()
    }

    /// The outcome of each attempt of a job.
    pub(crate) fn outcomes(&self, job: &str) -> Vec<String> {
        let rows = self.json(&["attempts", job]);
        let outcome = |row: &Value| row["outcome"].as_str().unwrap_or("open").to_owned();
        rows.as_array().expect("an array").iter().map(outcome).collect()
    }

    /// The process of the newest warden.
    pub(crate) fn warden(&self) -> Option<i32> {
        let folder = match self.ledger.strip_prefix("sqlite://") {
            Some(file) => Path::new(file).with_file_name("warden"),
            None => self.path("state/warden"),
        };
        let log = folder.join("warden.log");
        let log = fs::read_to_string(log).ok()?;
        let (_, pid) = log.rsplit_once("serves pid=")?;
        pid.split_whitespace().next()?.parse().ok()
    }

    /// Whether the warden lives.
    pub(crate) fn has_warden(&self) -> bool {
        let is_warden = |pid: i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| is_of(&line, self));
        self.warden().is_some_and(is_warden)
    }

    /// Kills the warden, but not its jobs.
    pub(crate) fn kill_warden(&self) {
        assert!(self.has_warden(), "there is a warden");
        let pid = self.warden().expect("a warden");
        signal_process(pid, Signal::KILL);
        self.until("the warden's end", || !lives(&pid.to_string()));
    }

    /// The lines of a file that jobs write.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.path(name)).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

/// Whether this command line is that of a lab's warden.
fn is_of(line: &[u8], lab: &Lab) -> bool {
    let line = String::from_utf8_lossy(line);
    line.contains("warden") && line.contains(&*lab.folder.path().to_string_lossy())
}

/// Checks at the end of every test that the ledger keeps the promise, if it can still be read.
impl Drop for Lab {
    fn drop(&mut self) {
        let verified = (!std::thread::panicking()).then(|| self.run(&["verify"]));
        // Twice: the second signal kills its jobs.
        for _ in 0..2 {
            if self.has_warden()
                && let Some(pid) = self.warden().and_then(Pid::from_raw)
            {
                _ = rustix::process::kill_process(pid, Signal::TERM);
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        if let Some(output) = verified {
            assert!(!stdout(&output).contains("the promise is broken"), "{}{}", stdout(&output), stderr(&output));
        }
    }
}

/// A daemon. At the end of its test it is stopped, which must succeed.
pub(crate) struct Daemon {
    pub(crate) child: Child,
}

impl Daemon {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self { child: command.spawn().expect("the binary runs") }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process number")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_process(self.pid(), signal);
    }

    /// Waits for the daemon's end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "the daemon does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            _ = self.child.kill();
            _ = self.child.wait();
        } else if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let status = self.stop();
            assert!(status.success(), "the daemon's stop: {status}");
        }
    }
}

/// Says that the test does not run on this machine.
#[expect(clippy::print_stdout, reason = "what is left out is reported by name")]
pub(crate) fn not_run(needs: &str) {
    println!("not run: {} (needs {needs})", std::thread::current().name().unwrap_or("a test"));
}

/// Sends a signal to a process that a test started.
pub(crate) fn signal_process(pid: i32, signal: Signal) {
    rustix::process::kill_process(Pid::from_raw(pid).expect("a process number"), signal).expect("it can be signalled");
}

/// Kills the process group of a job that a test had started.
pub(crate) fn kill_group(leader: i64) {
    let leader = i32::try_from(leader).ok().filter(|leader| *leader > 1).and_then(Pid::from_raw);
    rustix::process::kill_process_group(leader.expect("a process group"), Signal::KILL).expect("it can be killed");
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether a process lives.
pub(crate) fn lives(pid: &str) -> bool {
    Path::new("/proc").join(pid.trim()).join("fd").exists()
}
