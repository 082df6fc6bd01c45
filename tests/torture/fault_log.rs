//! The faults that were injected, with times of the monotonic clock.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The unit of process start times in `/proc`, in nanoseconds.
const TICK: u64 = 10_000_000;

/// Nanoseconds since the machine was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    pub(crate) fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
        Self(seconds.unwrap_or(0) * 1_000_000_000 + nanos.unwrap_or(0))
    }

    pub(crate) fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(0)))
    }

    pub(crate) fn after(self, by: Duration) -> Self {
        Self(self.0 + u64::try_from(by.as_nanos()).unwrap_or(0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('.').and_then(|(seconds, nanos)| {
            Some(Self(seconds.parse::<u64>().ok()? * 1_000_000_000 + nanos.parse::<u64>().ok()?))
        });
        parsed.ok_or_else(|| format!("`{text}` is no moment"))
    }
}

/// When the warden started our process group, from the start time of its leader.
pub(crate) fn born() -> Option<Moment> {
    let leader = rustix::process::getpgrp();
    let stat = fs::read_to_string(format!("/proc/{}/stat", leader.as_raw_nonzero())).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks: u64 = rest.split_whitespace().nth(19)?.parse().ok()?;
    Some(Moment(ticks * TICK))
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    KillDaemon,
    KillWarden,
    KillBoth,
    StopDaemon,
    StopWarden,
    EndDaemon,
    Reload,
    FillDisk,
    StopDatabase,
    KillDatabase,
    MoveClock,
}

impl Fault {
    /// All of them with their names, in the order of the table.
    pub(crate) const NAMES: [(Self, &str); 11] = [
        (Self::KillDaemon, "kill -9 of the daemon"),
        (Self::KillWarden, "kill -9 of the warden"),
        (Self::KillBoth, "kill -9 of both"),
        (Self::StopDaemon, "SIGSTOP of the daemon"),
        (Self::StopWarden, "SIGSTOP of the warden"),
        (Self::EndDaemon, "SIGTERM of the daemon"),
        (Self::Reload, "SIGHUP with a changed registry"),
        (Self::FillDisk, "disk full"),
        (Self::StopDatabase, "PostgreSQL stopped"),
        (Self::KillDatabase, "kill -9 of PostgreSQL"),
        (Self::MoveClock, "clock moved"),
    ];

    fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }
}

/// A period in which a warden was stopped and that ended with a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: Moment,
    pub(crate) to: Moment,
}

/// The faults of a run.
#[derive(Debug, Default)]
pub(crate) struct FaultLog {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    counts: BTreeMap<Fault, u64>,
    lines: Vec<(Moment, String)>,
    gaps: Vec<Gap>,
}

impl FaultLog {
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn did(&self, fault: Fault, detail: &str) {
        self.with(|inner| {
            *inner.counts.entry(fault).or_default() += 1;
            inner.lines.push((Moment::now(), format!("{} {detail}", fault.name())));
        });
    }

    /// Records a note.
    pub(crate) fn note(&self, text: &str) {
        self.with(|inner| inner.lines.push((Moment::now(), text.to_owned())));
    }

    /// A warden was killed.
    pub(crate) fn gap(&self, gap: Gap) {
        self.with(|inner| inner.gaps.push(gap));
    }

    pub(crate) fn gaps(&self) -> Vec<Gap> {
        self.with(|inner| inner.gaps.clone())
    }

    pub(crate) fn counts(&self) -> BTreeMap<Fault, u64> {
        self.with(|inner| inner.counts.clone())
    }

    pub(crate) fn count(&self, fault: Fault) -> u64 {
        self.with(|inner| inner.counts.get(&fault).copied().unwrap_or(0))
    }

    /// The faults between two times.
    pub(crate) fn between(&self, from: Moment, to: Moment) -> Vec<String> {
        self.with(|inner| {
            let within = inner.lines.iter().filter(|(at, _)| (from..=to).contains(at));
            within.map(|(at, text)| format!("{at} {text}")).collect()
        })
    }
}
