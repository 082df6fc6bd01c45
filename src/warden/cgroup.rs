//! A control group for each attempt, if systemd has delegated a part of the hierarchy to the warden: then a kill reaches
//! all processes of the attempt, also those that left its process group, and the usage is that of all of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::session::Usage;

/// The group that we move to: one that has processes cannot have subgroups with controllers.
const OWN_GROUP: &str = "warden";

/// Between the end of an attempt and the first check whether its group is empty.
const FIRST_CHECK: Duration = Duration::from_millis(20);
/// The longest time between two checks.
const MAX_PAUSE: Duration = Duration::from_mins(1);

/// The part of the hierarchy that is delegated to us.
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
    /// Moves the warden into a subgroup of its group.
    ///
    /// # Errors
    /// There is no hierarchy of version 2, or its group is not delegated.
    pub(super) fn enter() -> io::Result<Self> {
        let root = own_group()?;
        let own = root.join(OWN_GROUP);
        match fs::create_dir(&own) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => fs::write(own.join("cgroup.procs"), "0")?,
        }
        let available = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        for controller in available.split_whitespace().filter(|name| ["memory", "pids", "cpu"].contains(name)) {
            // Without it only the usage is less exact.
            let _ = fs::write(root.join("cgroup.subtree_control"), format!("+{controller}"));
        }
        Ok(Self { root })
    }

    /// Creates the group of an attempt, which the trampoline enters.
    pub(super) fn create(&self, number: u64) -> io::Result<Group> {
        let path = self.root.join(format!("attempt-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Group { path })
    }

    /// Removes the groups that are empty.
    pub(super) fn sweep(&self) {
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("attempt-") {
                // Fails if it is not empty.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

impl Group {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Kills every process in it; before Linux 5.14 only the process group is killed.
    pub(super) fn kill(&self) {
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
    }

    /// The numbers of its processes.
    pub(super) fn processes(&self) -> Vec<i32> {
        let list = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        list.lines().filter_map(|pid| pid.parse().ok()).filter(|pid| *pid > 1).collect()
    }

    /// The usage of all its processes; `own`, the usage of the first, where the group has no figure.
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

    /// Removes it; false while a process is in it.
    pub(super) fn remove(&self) -> bool {
        match fs::remove_dir(&self.path) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

/// Groups of attempts that have ended, in which processes may be left.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    groups: Vec<Group>,
    /// The time of the next check, and the pause before it.
    next: Option<(Instant, Duration)>,
}

impl Lingering {
    /// Removes a group once it is empty.
    pub(super) fn add(&mut self, group: Group) {
        if !group.remove() {
            self.groups.push(group);
            self.next = Instant::now().checked_add(FIRST_CHECK).map(|at| (at, FIRST_CHECK));
        }
    }

    pub(super) fn next_check(&self) -> Option<Instant> {
        self.next.map(|(at, _)| at)
    }

    /// Checks them, if it is time.
    pub(super) fn check(&mut self, now: Instant) {
        if let Some((at, pause)) = self.next
            && at <= now
        {
            self.groups.retain(|group| !group.remove());
            let pause = pause.saturating_mul(2).min(MAX_PAUSE);
            self.next = now.checked_add(pause).map(|at| (at, pause)).filter(|_| !self.groups.is_empty());
        }
    }
}

/// The folder of the group that we are in.
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
        let mount_point = fields.next()?;
        // A mount may show only a part of the hierarchy.
        let below = group.strip_prefix(root.trim_end_matches('/'))?;
        Some(Path::new(mount_point).join(below.trim_start_matches('/')))
    });
    mount.ok_or_else(absent)
}
