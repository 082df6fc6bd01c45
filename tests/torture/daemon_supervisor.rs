//! Runs a daemon: restarts it whenever it has exited, and tells requested exits from others.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::environment::Environment;
use crate::lab::{Daemon, signal_process};

/// A daemon exits within this after SIGTERM, whatever other faults there are.
const TO_END: Duration = Duration::from_secs(40);
/// The pause before a daemon that exited by itself is restarted.
const PAUSE: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Default)]
pub(crate) struct DaemonSupervisor {
    daemon: Option<Daemon>,
    restart_at: Option<Instant>,
    told_to_end: Option<Instant>,
    stopped: bool,
    said: usize,
    /// Unrequested exits, by the last line of the log.
    pub(crate) ends: BTreeMap<String, u64>,
    /// Violations.
    pub(crate) problems: Vec<String>,
}

impl DaemonSupervisor {
    /// Starts a daemon if none runs.
    pub(crate) fn keep(&mut self, environment: &Environment) {
        if let Some(daemon) = &mut self.daemon {
            if let Some(status) = daemon.child.try_wait().expect("our child") {
                self.ended(environment, status);
            } else if self.told_to_end.is_some_and(|at| at.elapsed() > TO_END) && !self.stopped {
                self.problems.push(format!(
                    "the daemon does not end {TO_END:?} after SIGTERM\n{}",
                    tail(&environment.lab.log())
                ));
                self.kill(environment, Duration::ZERO);
            }
        } else if self.restart_at.is_none_or(|at| at <= Instant::now()) {
            self.daemon = Some(environment.daemon());
            (self.restart_at, self.told_to_end, self.stopped) = (None, None, false);
        }
    }

    fn ended(&mut self, environment: &Environment, status: ExitStatus) {
        let asked = self.told_to_end.take().is_some();
        self.daemon = None;
        self.restart_at = Some(Instant::now() + PAUSE);
        let log = environment.lab.log();
        let new = log.get(self.said..).unwrap_or_default().to_owned();
        self.said = log.len();
        // A signal can come before it is listened to.
        let is_early = matches!(status.signal(), Some(1 | 15));
        if status.success() && asked || is_early {
            return;
        }
        let last = new.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned();
        if status.code() != Some(1) && status.code() != Some(3) {
            self.problems.push(format!("the daemon ended with {status}\n{}", tail(&new)));
        }
        if last.contains("not as expected") || last.contains("damaged") {
            self.problems.push(format!("the daemon gave up its ledger\n{}", tail(&new)));
        }
        let last = last.replace(&environment.folder().display().to_string(), "DIR");
        *self.ends.entry(format!("{status}: {}", without_numbers(&last))).or_default() += 1;
    }

    /// Kills it; it is restarted after a pause. False if none ran.
    pub(crate) fn kill(&mut self, environment: &Environment, pause: Duration) -> bool {
        let Some(mut daemon) = self.daemon.take() else { return false };
        if let Some(status) = daemon.child.try_wait().expect("our child") {
            // It was faster.
            self.ended(environment, status);
            return false;
        }
        daemon.kill();
        self.restart_at = Some(Instant::now() + pause);
        (self.told_to_end, self.stopped) = (None, false);
        true
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.daemon.as_ref().map(Daemon::pid)
    }

    /// Sends SIGSTOP, until [`DaemonSupervisor::go_on`]. False if none ran.
    pub(crate) fn stop(&mut self) -> bool {
        self.stopped = self.signal(Signal::STOP);
        self.stopped
    }

    /// Sends SIGCONT.
    pub(crate) fn go_on(&mut self) {
        if self.stopped {
            self.signal(Signal::CONT);
            self.stopped = false;
            // It had no time to end meanwhile.
            self.told_to_end = self.told_to_end.map(|_| Instant::now());
        }
    }

    /// Sends SIGTERM. False if none ran or it was sent before.
    pub(crate) fn end(&mut self) -> bool {
        if self.told_to_end.is_some() || !self.signal(Signal::TERM) {
            return false;
        }
        self.told_to_end = Some(Instant::now());
        true
    }

    /// Sends a signal. False if none ran.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        // It is our child, and not waited for yet, so that its number is its own.
        self.pid().map(|pid| signal_process(pid, signal)).is_some()
    }

    /// Terminates it, and waits for its exit.
    pub(crate) fn close(&mut self, environment: &Environment) {
        self.go_on();
        self.restart_at = Some(Instant::now() + TO_END + TO_END);
        self.end();
        while self.daemon.is_some() {
            self.keep(environment);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The end of a text.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

/// A log line without its time and its numbers.
fn without_numbers(line: &str) -> String {
    let line = line.split_once(" ERROR ").map_or(line, |(_, rest)| rest);
    let mut text: String = line.chars().map(|letter| if letter.is_ascii_digit() { '#' } else { letter }).collect();
    while text.contains("##") {
        text = text.replace("##", "#");
    }
    text
}
