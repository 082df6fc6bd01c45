//! The environment of a torture run: a folder for the registry and the jobs' files, a small disk for the ledger, and a
//! database if requested. Dropping it ends every process that it started.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crontabber::clock;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::disk::Disk;
use crate::job_program::{self, lines_of};
use crate::jobs::{TortureJob, registry};
use crate::lab::{Daemon, Lab};
use crate::postgres::Postgres;

/// The ledger under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// See the module.
pub(crate) struct Environment {
    /// The small disk; `None` without the right to mount one. It is unmounted before the lab's folder is removed.
    pub(crate) disk: Option<Disk>,
    pub(crate) lab: Lab,
    pub(crate) server: Option<Postgres>,
    pub(crate) jobs: Vec<(TortureJob, DateTime<Utc>)>,
    seed: u64,
    clock_moves: bool,
    /// The offset of crontabber's clock.
    offset: TimeDelta,
    /// The largest offset so far.
    furthest: TimeDelta,
    /// Every process that used the moved clock: one that is killed leaves files behind.
    pids: RefCell<BTreeSet<i32>>,
}

impl Environment {
    /// An environment for a run of so many seconds.
    pub(crate) fn new(backend: Backend, jobs: &[TortureJob], seed: u64, seconds: f64, clock_moves: bool) -> Self {
        let now = clock::now();
        let jobs: Vec<_> = jobs.iter().map(|job| (*job, job.start(now, seconds))).collect();
        let lab = Lab::new("");
        let state = lab.path("state");
        fs::create_dir(&state).expect("a folder");
        let server = (backend == Backend::Postgres).then(Postgres::start);
        let disk = rustix::process::geteuid().is_root().then(|| Disk::mount(&state, 64 * 1024)).flatten();
        let ledger = match &server {
            Some(server) => server.database(),
            None => format!("sqlite://{}", state.join("ledger.db").display()),
        };
        let lab = lab.with_ledger(&ledger);
        let lab = if clock_moves { lab.with_clock("+0") } else { lab };
        let (offset, furthest) = (TimeDelta::zero(), TimeDelta::zero());
        let pids = RefCell::default();
        let environment = Self { disk, lab, server, jobs, seed, clock_moves, offset, furthest, pids };
        environment.write_registry(0);
        environment
    }

    pub(crate) fn folder(&self) -> &Path {
        self.lab.folder.path()
    }

    pub(crate) fn write_registry(&self, edition: u64) {
        let text = registry(&self.jobs, self.folder(), self.seed, edition);
        // Whoever reads it meanwhile sees a whole one.
        fs::write(self.lab.path("jobs.new"), text).expect("a registry");
        fs::rename(self.lab.path("jobs.new"), self.lab.path("jobs.toml")).expect("a registry");
    }

    pub(crate) fn can_move_clock(&self) -> bool {
        self.clock_moves
    }

    /// Moves the clock of crontabber.
    pub(crate) fn move_clock(&mut self, by: TimeDelta) {
        self.offset += by;
        self.furthest = self.furthest.max(self.offset);
        self.lab.set_clock(&format!("{:+}", self.offset.num_seconds()));
    }

    /// The offset of the clock.
    pub(crate) fn offset(&self) -> TimeDelta {
        self.offset
    }

    /// Sets the clock so that no recorded date is in the future.
    pub(crate) fn settle_clock(&mut self) {
        self.move_clock(self.furthest - self.offset);
    }

    /// The time on crontabber's clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        clock::now() + self.offset
    }

    /// Fills the disk to the last byte.
    pub(crate) fn fill_disk(&self) {
        if let Some(disk) = &self.disk {
            _ = File::create(disk.path("filler")).and_then(|mut filler| io::copy(&mut io::repeat(0), &mut filler));
        }
    }

    pub(crate) fn free_disk(&self) {
        if let Some(disk) = &self.disk {
            _ = fs::remove_file(disk.path("filler"));
        }
    }

    /// The wardens: usually one, and two while one replaces another.
    pub(crate) fn wardens(&self) -> Vec<i32> {
        let folder = self.lab.path("state/warden").display().to_string();
        let mut wanted = b"warden\0--folder\0".to_vec();
        wanted.extend(folder.bytes());
        wanted.push(0);
        let wardens = processes_where(|line| line.windows(wanted.len()).any(|window| window == wanted));
        self.pids.borrow_mut().extend(&wardens);
        wardens
    }

    /// Starts a daemon.
    pub(crate) fn daemon(&self) -> Daemon {
        let daemon = self.lab.daemon();
        self.pids.borrow_mut().insert(daemon.pid());
        daemon
    }

    /// Sends a signal to a warden, if it is one.
    pub(crate) fn signal_warden(&self, pid: i32, signal: Signal) -> bool {
        signal_if(pid, signal, || self.wardens().contains(&pid))
    }

    /// Kills every process that was started here, except the daemon and the database.
    fn end_all(&self) {
        for _ in 0..100 {
            let wardens = self.wardens();
            for pid in &wardens {
                self.signal_warden(*pid, Signal::KILL);
            }
            let jobs = self.running_jobs();
            for pid in &jobs {
                signal_if(*pid, Signal::KILL, || job_program::is_of(*pid, self.folder()));
            }
            if wardens.is_empty() && jobs.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How much the jobs have written, in bytes.
    pub(crate) fn written(&self) -> u64 {
        let length = |file: PathBuf| fs::metadata(file).map_or(0, |file| file.len());
        self.jobs.iter().map(|(job, _)| length(lines_of(self.folder(), job.name))).sum()
    }

    /// How many attempts have ended, as their jobs say.
    pub(crate) fn finished(&self) -> u64 {
        let text = |job: &TortureJob| fs::read_to_string(lines_of(self.folder(), job.name)).unwrap_or_default();
        let ends = |text: String| text.lines().filter(|line| line.starts_with("end ")).count() as u64;
        self.jobs.iter().map(|(job, _)| ends(text(job))).sum()
    }

    /// The processes of jobs.
    pub(crate) fn running_jobs(&self) -> Vec<i32> {
        processes().filter(|pid| job_program::is_of(*pid, self.folder())).collect()
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.end_all();
        for pid in self.pids.take().iter().filter(|_| self.clock_moves) {
            for name in ["faketime_shm_", "sem.faketime_sem_"] {
                _ = fs::remove_file(format!("/dev/shm/{name}{pid}"));
            }
        }
    }
}

/// Sends a signal to a process if it is the one that is meant. False if it is not.
fn signal_if(pid: i32, signal: Signal, is_meant: impl Fn() -> bool) -> bool {
    // The descriptor comes first, so that it is the one that we then look at.
    let descriptor = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    descriptor.is_some_and(|descriptor| is_meant() && pidfd_send_signal(descriptor, signal).is_ok())
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The living processes with such a command line.
pub(crate) fn processes_where(is_wanted: impl Fn(&[u8]) -> bool) -> Vec<i32> {
    let is_one = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| is_wanted(&line));
    processes().filter(is_one).filter(|pid| is_alive(*pid)).collect()
}

/// Whether a process runs; a zombie does not.
pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
