//! A control group for each attempt, where systemd has delegated us a part of the hierarchy: then its end takes all of
//! its processes, also those that left its process group, and what they took together is measured.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::session::Usage;

/// The group that we move to ourselves, for one with members cannot be divided further.
const OURS: &str = "warden";

/// Between an attempt's end and the first look whether its group is empty.
const SOON: Duration = Duration::from_millis(20);
/// The longest time between two looks.
const LATE: Duration = Duration::from_mins(1);

/// Our part of the hierarchy.
#[derive(Debug)]
pub(super) struct Delegated {
    root: PathBuf,
}

/// The group of one attempt.
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
}

impl Delegated {
    /// Takes the part of the hierarchy that we are in, and moves us into a group of our own.
    ///
    /// # Errors
    /// There is no hierarchy of version 2, or it is not ours to divide.
    pub(super) fn take() -> io::Result<Self> {
        let root = own_group()?;
        let ours = root.join(OURS);
        match fs::create_dir(&ours) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => fs::write(ours.join("cgroup.procs"), "0")?,
        }
        let available = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        for controller in available.split_whitespace().filter(|name| ["memory", "pids", "cpu"].contains(name)) {
            // Without it less is measured, and nothing else.
            let _ = fs::write(root.join("cgroup.subtree_control"), format!("+{controller}"));
        }
        Ok(Self { root })
    }

    /// Makes the group of an attempt; the program that is started puts itself into it.
    pub(super) fn make(&self, number: u64) -> io::Result<Group> {
        let path = self.root.join(format!("attempt-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Group { path })
    }

    /// Removes the groups that nobody is in any more.
    pub(super) fn sweep(&self) {
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("attempt-") {
                // One that has members stays.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

impl Group {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Kills every process in it. Says whether that was possible.
    pub(super) fn kill(&self) -> bool {
        fs::write(self.path.join("cgroup.kill"), "1").is_ok()
    }

    /// What its processes have taken together; `own` says what was measured of the first of them.
    pub(super) fn usage(&self, own: Option<Usage>) -> Option<Usage> {
        let stat = fs::read_to_string(self.path.join("cpu.stat")).ok();
        let field = |name: &str| {
            let value = stat.as_deref()?.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())?;
            Some(Duration::from_micros(value))
        };
        let peak = fs::read_to_string(self.path.join("memory.peak")).ok();
        let peak = peak.and_then(|peak| peak.trim().parse().ok());
        match (field("user_usec "), field("system_usec ")) {
            (Some(cpu_user), Some(cpu_system)) => {
                let peak_memory = peak.or(own.map(|own| own.peak_memory))?;
                Some(Usage { cpu_user, cpu_system, peak_memory })
            }
            _ => own,
        }
    }

    /// Removes it. Says whether it is gone: not while somebody of the attempt is left in it.
    pub(super) fn remove(&self) -> bool {
        match fs::remove_dir(&self.path) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

/// Groups of attempts that are over, in which somebody is left: for a moment, or for good.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    groups: Vec<Group>,
    /// When they are looked at again, and after how long once more.
    next: Option<(Instant, Duration)>,
}

impl Lingering {
    /// Removes a group, now or when it is empty.
    pub(super) fn add(&mut self, group: Group) {
        if !group.remove() {
            self.groups.push(group);
            self.next = Instant::now().checked_add(SOON).map(|at| (at, SOON));
        }
    }

    /// When they are looked at again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next.map(|(at, _)| at)
    }

    /// Looks at them, if it is time.
    pub(super) fn look(&mut self, now: Instant) {
        if let Some((at, pause)) = self.next
            && at <= now
        {
            self.groups.retain(|group| !group.remove());
            let pause = pause.saturating_mul(2).min(LATE);
            self.next = now.checked_add(pause).map(|at| (at, pause)).filter(|_| !self.groups.is_empty());
        }
    }
}

/// The group that we are in, as a folder.
fn own_group() -> io::Result<PathBuf> {
    let absent = || io::Error::new(io::ErrorKind::NotFound, "no control groups of version 2");
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::")).ok_or_else(absent)?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mount = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        if after.split(' ').next()? != "cgroup2" {
            return None;
        }
        let mut fields = before.split(' ');
        let root = fields.nth(3)?;
        let place = fields.next()?;
        // A mount of a part shows what is below that part.
        let below = group.strip_prefix(root.trim_end_matches('/'))?;
        Some(Path::new(place).join(below.trim_start_matches('/')))
    });
    mount.ok_or_else(absent)
}
