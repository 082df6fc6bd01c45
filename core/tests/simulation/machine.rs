//! The machine: its clocks, its processes, its disk, and what really happened to every attempt.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta};
use crontabber_core::control::PROBE;
use crontabber_core::job::JobName;
use crontabber_core::session::{AttemptEnd, AttemptKey, Outcome, ProcessIdentity, REPLACED, SessionKey};

use crate::calendar::At;
use crate::random::Random;

pub(crate) const SECOND: i64 = 1_000_000;

/// Of the kernel's count of when a process was started.
const MICROSECONDS_PER_TICK: u64 = 10_000;

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
}

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) attempt: AttemptKey,
    pub(crate) started: i64,
    pub(crate) ends_at: i64,
    pub(crate) exit: Exit,
    /// It has ended, and its parent has not taken notice.
    pub(crate) ended: bool,
    /// The warden that is its parent; 0 when that one is dead.
    pub(crate) parent: u64,
}

/// What really happened to an attempt.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Fate {
    /// The boot in which its opening was committed, and how many wardens had died by then.
    pub(crate) boot: u32,
    pub(crate) deaths: u64,
    /// The warden knew by then that it knows all attempts of the ledger in this boot.
    pub(crate) warden_knew: bool,
    /// The warden wrote that it was about to start it.
    pub(crate) begun: bool,
    /// It had a process.
    pub(crate) started: bool,
    pub(crate) exit: Option<Exit>,
    /// An end that the warden has written down, and in which boot: it will not forget it while the machine stands.
    pub(crate) said: Option<(u32, AttemptEnd)>,
    /// The ledger has its end.
    pub(crate) recorded: bool,
    /// An end that the warden will never forget.
    pub(crate) delivered: Option<AttemptEnd>,
}

/// A record of the warden's spool.
#[derive(Debug, Clone)]
pub(crate) enum Record {
    Begun(AttemptKey, u32),
    Process(AttemptKey, ProcessIdentity),
    Ended(AttemptKey, AttemptEnd),
    Forgotten(AttemptKey),
    Ledger(u32),
}

/// The warden's spool: what was written, and how much of that outlives the machine.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) records: Vec<Record>,
    pub(crate) flushed: usize,
}

/// What the processes of the simulation do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) fails_once_in: u64,
    /// The program or its environment is not there.
    pub(crate) is_missing_once_in: u64,
    pub(crate) is_long_once_in: u64,
    pub(crate) long_seconds: i64,
}

#[derive(Debug)]
pub(crate) struct Machine {
    /// Microseconds since the simulation began, by the clock that nobody sets.
    pub(crate) monotonic: i64,
    /// What the wall clock is ahead of that, since 1970.
    pub(crate) offset: i64,
    /// The latest time that the wall clock showed before it was set last, and when that was.
    set_from: Option<(At, i64)>,
    pub(crate) boot: u32,
    /// How many wardens have died.
    pub(crate) deaths: u64,
    pub(crate) random: Random,
    pub(crate) workload: Workload,
    pub(crate) processes: BTreeMap<i32, Process>,
    last_pid: i32,
    pub(crate) disk: Disk,
    pub(crate) fates: HashMap<AttemptKey, Fate>,
    /// The dates of which a success was delivered, or that somebody says are done.
    pub(crate) done: HashSet<SessionKey>,
    /// The dates that were ever said to be done by a process that was asked so.
    pub(crate) found_done: HashSet<SessionKey>,
    pub(crate) started: u64,
}

impl Machine {
    pub(crate) fn new(random: Random, workload: Workload, start: At) -> Self {
        Self {
            monotonic: 0,
            offset: start.timestamp_micros(),
            set_from: None,
            boot: 1,
            deaths: 0,
            random,
            workload,
            processes: BTreeMap::new(),
            last_pid: 1,
            disk: Disk::default(),
            fates: HashMap::new(),
            done: HashSet::new(),
            found_done: HashSet::new(),
            started: 0,
        }
    }

    /// What the wall clock shows.
    pub(crate) fn now(&self) -> At {
        DateTime::from_timestamp_micros(self.monotonic + self.offset).expect("an instant")
    }
    pub(crate) fn boot_id(&self) -> String {
        format!("boot-{}", self.boot)
    }

    pub(crate) fn fate(&mut self, attempt: &AttemptKey) -> &mut Fate {
        self.fates.entry(attempt.clone()).or_default()
    }

    /// What is known of the attempts of a job becomes that of generation 0 of another one.
    pub(crate) fn replace(&mut self, job: &JobName, by: &JobName) {
        let of_it: Vec<_> = self.fates.extract_if(|attempt, _| attempt.session.job == *job).collect();
        for (mut attempt, fate) in of_it {
            (attempt.session.job, attempt.session.generation) = (by.clone(), REPLACED);
            self.fates.insert(attempt, fate);
        }
    }

    /// An end that the warden will not forget until it is told to.
    pub(crate) fn deliver(&mut self, attempt: &AttemptKey, end: &AttemptEnd) {
        if attempt.number == PROBE {
            return;
        }
        let fate = self.fates.entry(attempt.clone()).or_default();
        // What the ledger has is known better there than by a warden that lost the last lines of its spool.
        if fate.recorded {
            return;
        }
        fate.delivered.get_or_insert_with(|| end.clone());
        if end.outcome == Outcome::Succeeded {
            self.done.insert(attempt.session.clone());
        }
    }

    pub(crate) fn spawn(&mut self, attempt: &AttemptKey, parent: u64) -> i32 {
        let Workload { fails_once_in, is_long_once_in, long_seconds, .. } = self.workload;
        let seconds = if self.random.once_in(is_long_once_in) {
            self.random.between(1, long_seconds)
        } else {
            self.random.between(0, 90)
        };
        let taken = seconds * SECOND + self.random.between(0, SECOND);
        let exit = match self.random.once_in(fails_once_in) {
            false => Exit::Code(0),
            true if self.random.once_in(4) => Exit::Signal(9),
            true => Exit::Code(1),
        };
        // What asks whether a date is done says mostly that it is not.
        let exit = match exit {
            Exit::Code(0) if attempt.number == PROBE && !self.random.once_in(6) => Exit::Code(1),
            exit => exit,
        };
        self.last_pid += 1;
        self.started += 1;
        self.fate(attempt).started = true;
        let (started, ends_at) = (self.monotonic, self.monotonic + taken);
        let process = Process { attempt: attempt.clone(), started, ends_at, exit, ended: false, parent };
        self.processes.insert(self.last_pid, process);
        self.last_pid
    }

    /// Says whether an attempt cannot be started.
    pub(crate) fn misses(&mut self) -> bool {
        self.random.once_in(self.workload.is_missing_once_in)
    }

    pub(crate) fn identity(&self, pid: i32) -> Option<ProcessIdentity> {
        let started = self.processes.get(&pid)?.started;
        Some(ProcessIdentity {
            pid,
            start_ticks: started.unsigned_abs() / MICROSECONDS_PER_TICK,
            boot_id: self.boot_id(),
        })
    }

    /// The living process of an attempt, by the name in its environment.
    pub(crate) fn find(&self, attempt: &AttemptKey) -> Option<i32> {
        self.processes.iter().find(|(_, process)| !process.ended && process.attempt == *attempt).map(|(pid, _)| *pid)
    }

    pub(crate) fn is_alive(&self, identity: &ProcessIdentity) -> bool {
        let process = self.processes.get(&identity.pid).filter(|process| !process.ended);
        process.is_some() && self.identity(identity.pid).as_ref() == Some(identity)
    }

    /// TERM: it ends some time later, well or not; KILL: at once.
    pub(crate) fn signal(&mut self, pid: i32, kills: bool) {
        let (soon, ends_well) = (self.random.between(0, 20 * SECOND), self.random.once_in(4));
        let Some(process) = self.processes.get_mut(&pid).filter(|process| !process.ended) else { return };
        if kills {
            (process.ends_at, process.exit) = (self.monotonic, Exit::Signal(9));
        } else if self.monotonic + soon < process.ends_at {
            let exit = if ends_well { Exit::Code(0) } else { Exit::Signal(15) };
            (process.ends_at, process.exit) = (self.monotonic + soon, exit);
        }
    }

    /// Says whether the program of the warden is another than that of the daemon.
    pub(crate) fn is_of_other_version(&mut self) -> bool {
        self.random.once_in(20)
    }

    /// Ends what ends now. Nobody takes notice of what has no parent.
    pub(crate) fn end_processes(&mut self) {
        let mut orphans = Vec::new();
        for (pid, process) in &mut self.processes {
            if !process.ended && process.ends_at <= self.monotonic {
                process.ended = true;
                self.fates.entry(process.attempt.clone()).or_default().exit = Some(process.exit);
                if process.attempt.number == PROBE && process.exit == Exit::Code(0) {
                    self.found_done.insert(process.attempt.session.clone());
                }
            }
            if process.ended && process.parent == 0 {
                orphans.push(*pid);
            }
        }
        for pid in orphans {
            self.processes.remove(&pid);
        }
    }

    pub(crate) fn next_end(&self) -> Option<i64> {
        self.processes.values().filter(|process| !process.ended).map(|process| process.ends_at).min()
    }

    /// The warden is dead: what ran goes on, and what had ended is reaped by nobody who cares.
    pub(crate) fn lose_parent(&mut self) {
        self.deaths += 1;
        for process in self.processes.values_mut() {
            process.parent = 0;
        }
        self.end_processes();
    }

    /// The power is gone, and back. Of what was written and not flushed, some may be there.
    pub(crate) fn reboot(&mut self) {
        self.boot += 1;
        self.deaths += 1;
        self.processes.clear();
        let tail = self.disk.records.len() - self.disk.flushed;
        self.disk.records.truncate(self.disk.flushed + self.random.below(tail + 1));
        self.disk.flushed = self.disk.records.len();
    }

    /// A person says that the wall clock is right.
    pub(crate) fn believe_clock(&mut self) {
        self.set_from = Some((self.now(), i64::MIN));
    }

    /// The latest time that the wall clock ever showed before it was set, if that was less than this long ago.
    pub(crate) fn set_within(&self, micros: i64) -> Option<At> {
        self.set_from.filter(|(_, at)| self.monotonic.saturating_sub(*at) < micros).map(|(latest, _)| latest)
    }

    /// Sets the wall clock.
    pub(crate) fn step_clock(&mut self, by: TimeDelta) {
        let latest = self.set_from.map_or(self.now(), |(latest, _)| latest.max(self.now()));
        self.set_from = Some((latest, self.monotonic));
        self.offset += by.num_microseconds().expect("a short step");
    }
}
