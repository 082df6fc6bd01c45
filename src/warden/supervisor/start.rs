//! Starts of attempts: written to the journal first, so that there is never a process that no record names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tracing::warn;

use super::{Supervisor, running};
use crate::session::Outcome;
use crate::warden::attempt::Id;
use crate::warden::cgroup::Group;
use crate::warden::output::Output;
use crate::warden::process::{Child, tokens};
use crate::warden::procfs;
use crate::warden::program::{NOT_STARTED, StartFailure};
use crate::warden::protocol::{Launch, Reply, Variable};

/// How many programs are started before other events are handled.
const STARTS_PER_TURN: usize = 4;
/// A process is looked up and reported once it has run for so long.
const REPORT_AFTER: Duration = Duration::from_millis(20);

impl Supervisor {
    /// Queues the start of an attempt, or reports one that is known. A warden that systemd starts has an environment of its
    /// own instead of `inherited`.
    pub(in crate::warden) fn start(&mut self, launch: Box<Launch>, inherited: Rc<[Variable]>) {
        let name = launch.attempt.as_str();
        if let Some(entry) = self.journal.entries().get(name) {
            match &entry.end {
                Some(_) if self.is_unreported(name) => {}
                Some(end) if !self.numbers.contains_key(name) => self.replies.push(Reply::Ended(end.clone())),
                _ => self.replies.push(running(name, entry.process.clone())),
            }
        } else if let Some(number) = self.assign_number(&Id::from(name)) {
            let inherited = self.environment.clone().unwrap_or(inherited);
            self.queue.push_back((number, launch, inherited));
        }
    }

    /// Starts some of the queued programs.
    pub(super) fn start_queued(&mut self) {
        let launches: Vec<_> = self.queue.drain(..self.queue.len().min(STARTS_PER_TURN)).collect();
        if launches.is_empty() {
            return;
        }
        for (_, launch, _) in &launches {
            self.journal.begin(&launch.attempt, &self.boot_id);
        }
        let written = self.journal.write();
        for (number, launch, inherited) in launches {
            let attempt = Id::from(launch.attempt.as_str());
            match &written {
                Ok(()) => self.start_process(number, attempt, &launch, &inherited),
                Err(error) => {
                    let outcome = Outcome::Failed { code: NOT_STARTED.into() };
                    self.finish_without_process(&attempt, outcome, format!("it was not started: {error}"));
                }
            }
        }
    }

    fn start_process(&mut self, number: u64, attempt: Id, launch: &Launch, inherited: &[Variable]) {
        let group = self.delegated.as_ref().and_then(|delegated| match delegated.create(number) {
            Ok(group) => Some(group),
            Err(error) => {
                warn!(%attempt, %error, "no control group for an attempt; it runs in the warden's");
                None
            }
        });
        let placement = (group.as_ref().map(Group::path), self.mounts.may_block());
        let started = Instant::now();
        match self.spawner.spawn(launch, inherited, placement, tokens(number)) {
            Ok(spawned) => {
                let deadline = launch.timeout.and_then(|timeout| started.checked_add(timeout));
                self.set_deadline(number, None, deadline);
                self.unreported_starts.push_back((started.checked_add(REPORT_AFTER).unwrap_or(started), number));
                let child = Child {
                    attempt,
                    pid: spawned.pid,
                    pidfd: spawned.pidfd,
                    pipe: Some(spawned.output),
                    output: Output::new(PathBuf::from(OsStr::from_bytes(&launch.log)), launch.output_limit),
                    trampoline: spawned.trampoline,
                    group,
                    started,
                    kill_grace: launch.kill_grace,
                    deadline,
                    termination: None,
                    exited_at: None,
                    survivor: None,
                };
                self.children.insert(number, child);
            }
            Err(StartFailure { code, detail }) => {
                if let Some(group) = group {
                    self.lingering_groups.add(group);
                }
                self.finish_without_process(&attempt, Outcome::Failed { code: code.into() }, detail);
            }
        }
    }

    /// Looks up and reports the processes that have run for a moment. For a job that ends at once this would cost a good
    /// part of its own time, and nothing ever uses it.
    pub(super) fn report_starts(&mut self) {
        while let Some((_, number)) = self.unreported_starts.pop_front_if(|(when, _)| *when <= Instant::now()) {
            if let Some(child) = self.children.get(&number)
                && let Ok(process) = procfs::identity_in_boot(child.pid.as_raw_nonzero().get(), self.boot_id.clone())
            {
                let attempt = Id::clone(&child.attempt);
                self.record_process(&attempt, process);
            }
        }
    }
}
