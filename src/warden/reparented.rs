//! Orphaned descendants of jobs. The warden is their subreaper (prctl(2)): when the parent of such a process exits, the
//! kernel makes it a child of the warden. So the warden sees at the end of a job, without a pass over `/proc`, whether the
//! job left processes behind. It also has to reap them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::process::{
    Pid, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, getpid, set_child_subreaper, waitid, waitpid,
};
use signal_hook::consts::SIGCHLD;
use tracing::warn;

use super::procfs::{attempt_of, children};

#[derive(Debug)]
pub(super) struct Reparented {
    /// The processes with their attempts. A number is not reused before `update` has reaped its process.
    attempts: HashMap<i32, Option<Vec<u8>>>,
    /// Set by SIGCHLD, which also ends the wait for events.
    has_exit: Arc<AtomicBool>,
}

impl Reparented {
    pub(super) fn new() -> io::Result<Self> {
        let has_exit = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGCHLD, Arc::clone(&has_exit))?;
        if let Err(error) = set_child_subreaper(Some(getpid())) {
            warn!(%error, "what a job leaves behind is not found");
        }
        Ok(Self { attempts: HashMap::new(), has_exit })
    }

    /// Whether a child has exited since the last [`reap`](Self::reap).
    pub(super) fn has_exit(&self) -> bool {
        self.has_exit.load(Ordering::Relaxed)
    }

    /// Reaps those that have exited. `jobs` are the children that are the processes of attempts.
    pub(super) fn reap(&mut self, jobs: impl FnOnce() -> HashSet<i32>) {
        if self.has_exit.swap(false, Ordering::Relaxed) && matches!(exited_child(), Ok(Some(_))) {
            self.update(&jobs());
        }
    }

    /// Whether one of them belongs to this attempt.
    pub(super) fn has_process_of(&mut self, attempt: &str, jobs: impl FnOnce() -> HashSet<i32>) -> bool {
        if let Err(Errno::CHILD) = exited_child() {
            self.attempts.clear();
            return false;
        }
        self.update(&jobs());
        self.attempts.values().flatten().any(|other| other == attempt.as_bytes())
    }

    fn update(&mut self, jobs: &HashSet<i32>) {
        let is_reaped =
            |pid: i32| matches!(waitpid(Pid::from_raw(pid), WaitOptions::NOHANG), Ok(Some(_)) | Err(Errno::CHILD));
        let orphans = children().into_iter().filter(|pid| *pid > 1 && !jobs.contains(pid) && !is_reaped(*pid));
        let mut known = std::mem::take(&mut self.attempts);
        self.attempts = orphans.map(|pid| (pid, known.remove(&pid).unwrap_or_else(|| attempt_of(pid)))).collect();
    }
}

/// A child that has exited and is not reaped.
///
/// # Errors
/// [`Errno::CHILD`]: there are no children.
fn exited_child() -> Result<Option<WaitIdStatus>, Errno> {
    waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG)
}
