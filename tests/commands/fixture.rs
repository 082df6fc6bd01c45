//! A folder with a registry and a ledger that has a past, and the binary to ask about it.

use std::collections::VecDeque;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crontabber::ledger::{LedgerUrl, Owner, Writer};
use crontabber::registry::Registry;
use crontabber::scheduler::{Event, Scheduler, Step};
use crontabber::session::{AttemptEnd, AttemptKey, Outcome, Usage};
use serde_json::Value;
use tempfile::TempDir;

/// What every attempt takes.
const USAGE: Usage = Usage {
    cpu_user: Duration::from_millis(1_100),
    cpu_system: Duration::from_micros(87_500),
    peak_memory: 34_123_776,
};

/// A folder with a registry and a ledger.
pub(crate) struct Fixture {
    folder: TempDir,
}

/// What a command said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) exit: i32,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// One field of each object of an array.
    pub(crate) fn column(&self, field: &str) -> Vec<String> {
        let json = self.json();
        let rows = json.as_array().unwrap();
        rows.iter().map(|row| row[field].as_str().map_or_else(|| row[field].to_string(), str::to_owned)).collect()
    }
}

impl Fixture {
    pub(crate) fn new(registry: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.write(registry);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, registry: &str) {
        fs::write(self.path("jobs.toml"), registry).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crontabber"));
        command.env_clear().env("HOME", self.folder.path()).env("STATE_DIRECTORY", self.folder.path());
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Said {
        said(&self.command(arguments).output().unwrap())
    }

    /// What somebody sees at a terminal of so many columns, without its colours.
    pub(crate) fn look(&self, columns: u16, arguments: &[&str]) -> String {
        use rustix::{pty, termios};
        let master = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).unwrap();
        pty::grantpt(&master).unwrap();
        pty::unlockpt(&master).unwrap();
        let name = pty::ptsname(&master, Vec::new()).unwrap();
        let terminal = fs::File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let size = termios::Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        termios::tcsetwinsize(&terminal, size).unwrap();
        let mut command = self.command(arguments);
        let mut child = command.env("NO_COLOR", "1").stdout(terminal).spawn().unwrap();
        // It is read until nobody has the other side: the command is one that had it.
        drop(command);
        let mut seen = Vec::new();
        // That is told as an error.
        _ = fs::File::from(master).read_to_end(&mut seen);
        child.wait().unwrap();
        String::from_utf8(seen).unwrap().replace('\r', "")
    }

    /// Lives through a moment as the daemon would: what is due at `now` is attempted, ends as `ends` says a second
    /// later (or never), and all of it is in the ledger.
    pub(crate) fn live(&self, now: DateTime<Utc>, ends: impl Fn(&AttemptKey) -> Option<Outcome>) {
        let url = LedgerUrl::Sqlite(self.path("ledger.db"));
        let owner = Owner { host: "host".to_owned(), pid: 1, version: "0.1.0".to_owned() };
        let mut writer = Writer::open(&url, &owner, now).unwrap();
        let registry = Registry::load(&self.path("jobs.toml"), now).unwrap();
        let mut scheduler = Scheduler::new(writer.load().unwrap(), "host", 16, now);
        scheduler.set_horizon(now);
        let mut steps =
            VecDeque::from([scheduler.handle(Event::Registry(registry.jobs.into_iter().map(Arc::new).collect()), now)]);
        while let Some(Step { entries, starts, .. }) = steps.pop_front() {
            writer.commit(&entries).unwrap();
            for start in starts {
                let Some(outcome) = ends(&start.attempt) else { continue };
                let ended_at = now + TimeDelta::seconds(1);
                let duration = Some(Duration::from_millis(1_250));
                // Of what was killed nobody measured anything.
                let usage = (!matches!(outcome, Outcome::Killed { .. })).then_some(USAGE);
                let end = AttemptEnd { outcome, ended_at, duration, detail: None, has_log: false, usage };
                let event = Event::Ended { attempt: start.attempt, end };
                let step = scheduler.handle(event, ended_at);
                // Entries name what they expect, so that they are written in the order in which they were decided.
                writer.commit(&step.entries).unwrap();
                steps.push_back(Step { entries: Vec::new(), ..step });
            }
        }
    }
}

pub(crate) fn said(output: &Output) -> Said {
    Said {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        exit: output.status.code().unwrap(),
    }
}

/// An instant in RFC 3339.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Every attempt succeeds.
#[expect(clippy::unnecessary_wraps, reason = "the others may not end")]
pub(crate) fn succeeds(_: &AttemptKey) -> Option<Outcome> {
    Some(Outcome::Succeeded)
}
