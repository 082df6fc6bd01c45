//! The job of the torture: it records its start and its end in a file of its own, and syncs each line before it goes
//! on.
//!
//! It holds a lock while it runs. If the lock is held, another attempt of the same job runs, and it records that: so an
//! overlap is seen even if a process was killed before it recorded its end.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use signal_hook::consts::SIGTERM;

use crate::fault_log::{Moment, born};
use crate::random::Random;

/// The first argument of the torture binary when it runs as a job.
pub(crate) const AS_JOB: &str = "as-job";
/// While this file exists, jobs are quick and succeed.
pub(crate) const CALM: &str = "calm";
/// The timeout of a job that sometimes hangs.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);
/// After so long such a job no longer records a success: it may be killed before it exits, and an exit after the
/// timeout has timed out even with status 0.
const LATE: Duration = Duration::from_millis(500);

/// How a job behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Behaviour {
    /// The longest run, in milliseconds.
    pub(crate) sleep: u64,
    /// It fails once in so many attempts; 0 for never.
    pub(crate) fail: u64,
    /// The most bytes that it prints.
    pub(crate) print: u64,
    /// It hangs once in so many attempts; 0 for never.
    pub(crate) hang: u64,
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.sleep, self.fail, self.print, self.hang)
    }
}

impl Behaviour {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(',').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Self { sleep: next()?, fail: next()?, print: next()?, hang: next()? })
    }
}

/// The file of a job's lines.
pub(crate) fn lines_of(folder: &Path, job: &str) -> PathBuf {
    folder.join(format!("{job}.lines"))
}

/// Is a job: `FOLDER SEED BEHAVIOUR`.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    let seed: u64 = arguments.next().and_then(|seed| seed.parse().ok()).expect("a seed");
    let behaviour = arguments.next().as_deref().and_then(Behaviour::parse).expect("a behaviour");
    let told = |name: &str| std::env::var(format!("CRONTABBER_{name}")).expect("crontabber says what it starts");
    let (job, date, attempt) = (told("JOB"), told("UNIXTIME"), told("ATTEMPT"));
    let mut random = Random::fork(seed, &format!("{job} {date} {attempt}"));
    let calm = folder.join(CALM).exists();
    let hangs = !calm && random.once_in(behaviour.hang);
    let deaf = hangs && random.once_in(3);
    if deaf {
        ignore_term();
    }
    let lock = File::create(folder.join(format!("{job}.lock"))).expect("a lock");
    let alone = match lock.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(error)) => panic!("the lock cannot be taken: {error}"),
    };
    let mut lines = OpenOptions::new().create(true).append(true).open(lines_of(&folder, &job)).expect("a file");
    let mut say = |word: &str, more: String| {
        let line = format!("{word} {date} {attempt} {} {}{more}\n", std::process::id(), Moment::now());
        lines.write_all(line.as_bytes()).and_then(|()| lines.sync_data()).expect("the line is on the disk");
    };
    let born = born().expect("our own process");
    say(if alone { "start" } else { "overlap" }, format!(" {born}"));
    if !calm {
        std::thread::sleep(random.millis(0, behaviour.sleep));
    }
    if !calm {
        print(random.next() % (behaviour.print + 1));
    }
    let mut status = u8::from(!calm && random.once_in(behaviour.fail));
    if hangs {
        std::thread::sleep(if deaf { TIMEOUT * 3 } else { TIMEOUT * 2 });
        status = 3;
    }
    // From here on it can only be killed, or else it could be ended between its line and its exit.
    ignore_term();
    if behaviour.hang > 0 && Moment::now() > born.after(LATE) {
        status = 3;
    }
    say("end", format!(" {status}"));
    ExitCode::from(status)
}

fn ignore_term() {
    signal_hook::flag::register(SIGTERM, Arc::new(AtomicBool::new(false))).expect("a handler");
}

/// Prints its output.
fn print(bytes: u64) {
    let line = "a line of a job that has a lot to say\n";
    let count = usize::try_from(bytes).unwrap_or(0) / line.len();
    // Nobody may listen: our warden can have been killed.
    _ = std::io::stdout().write_all(line.repeat(count).as_bytes());
}

/// Whether a process is a job of the torture in this folder.
pub(crate) fn is_of(pid: i32, folder: &Path) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    line.contains(AS_JOB) && line.contains(&*folder.to_string_lossy())
}
