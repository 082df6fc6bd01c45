//! Performs what the control decides: only this module sends requests to the warden and reports.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::clock;
use crate::control::{Control, Effect, Exit, Input, Next, Notice, PROBE};
use crate::job::{Command, JobName};
use crate::paths;
use crate::registry::Registry;
use crate::scheduler::{Notification, Start};
use crate::session::AttemptKey;
use crate::systemd::Notifier;
use crate::warden_client::{Launch, WardenClient};

use super::heartbeat::Heartbeat;
use super::launch::{LaunchSettings, prepare};
use super::notices;
use super::reporter::Reporter;

/// What a stop takes besides its graces.
const STOP_SLACK: Duration = Duration::from_secs(15);

/// The timeout of `done_when`, if the job has no `timeout`.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_mins(10);

/// See the module's page.
pub(super) struct Executor {
    pub(super) control: Control,
    pub(super) reporter: Reporter,
    pub(super) notifier: Notifier,
    pub(super) heartbeat: Heartbeat,
    pub(super) warden: WardenClient,
    pub(super) settings: LaunchSettings,
    pub(super) longest_kill_grace: Duration,
}

impl Executor {
    /// Takes an input, and performs what follows.
    pub(super) fn handle(&mut self, input: Input) {
        self.control.handle(input, clock::time());
        self.perform();
    }

    /// Says what the thread that writes does next, and performs what comes before.
    pub(super) fn next(&mut self) -> Next {
        let next = self.control.next(clock::time());
        self.perform();
        if matches!(next, Next::Wait(_)) {
            self.report_rest();
        }
        next
    }

    /// Lets the time take effect, while the thread that writes may be busy. Says how the daemon ends, if it does.
    pub(super) fn advance(&mut self) -> Option<Exit> {
        self.control.advance(clock::time());
        self.perform();
        self.tick();
        self.control.exit()
    }

    /// Reports to the ledger that the daemon works, and what it believes of the clock.
    pub(super) fn tick(&mut self) {
        self.heartbeat.see_clock(&self.control);
        self.heartbeat.tick();
    }

    /// Learns what the registry says of effects.
    pub(super) fn learn(&mut self, registry: &Registry) {
        self.settings.output_limit = registry.daemon.output_limit;
        self.longest_kill_grace = registry.jobs.iter().map(|job| job.kill_grace).max().unwrap_or_default();
        self.reporter.learn(registry.jobs.iter(), registry.daemon.timezone);
    }

    /// Performs the effects: the requests to the warden leave together, before anything is reported.
    pub(super) fn perform(&mut self) {
        let mut notices = Vec::new();
        while let Some(effect) = self.control.next_effect() {
            match effect {
                Effect::Start(start) => self.start(&start, &start.attempt, &start.job.command, start.job.timeout),
                Effect::Probe(probe) => self.probe(&probe),
                Effect::WatchAll(open) => self.warden.watch_all(open),
                Effect::Stop { attempt, outcome, at_once } => self.warden.stop(&attempt, outcome, at_once),
                Effect::Forget(attempts) => self.warden.forget(&attempts),
                Effect::RetireOtherVersion => self.warden.replace_other_version(),
                Effect::Report(notice) => notices.push(notice),
            }
        }
        self.warden.flush();
        for notice in &notices {
            self.report(notice);
        }
    }

    /// Starts the process that checks whether a date is done.
    fn probe(&mut self, probe: &Start) {
        let attempt = AttemptKey { number: PROBE, ..probe.attempt.clone() };
        if let Some(command) = &probe.job.done_when {
            self.start(probe, &attempt, command, Some(probe.job.timeout.unwrap_or(PROBE_TIMEOUT)));
        }
    }

    fn start(&mut self, start: &Start, attempt: &AttemptKey, command: &Command, timeout: Option<Duration>) {
        match prepare(start, attempt, command, &self.settings).map(|launch| Launch { timeout, ..launch }) {
            Ok(launch) => self.warden.start(launch),
            Err(error) => {
                let (attempt, reason) = (attempt.clone(), error.to_string());
                self.control.handle(Input::NotStarted { attempt, reason }, clock::time());
            }
        }
    }

    fn report(&mut self, notice: &Notice) {
        match notice {
            Notice::Scheduler(notification) => {
                if let Notification::Renamed { job, previously, .. } = notification {
                    self.move_logs(previously, job);
                }
                self.reporter.notify(notification);
            }
            Notice::Stopping { grace, .. } => {
                self.notifier.stopping(*grace + self.longest_kill_grace + STOP_SLACK);
                notices::report(notice, &mut self.reporter);
            }
            notice => notices::report(notice, &mut self.reporter),
        }
    }

    /// Says that nothing is left to do for now.
    fn report_rest(&mut self) {
        let Some(next) = self.control.rests_until() else { return };
        let now = clock::now();
        if next.as_ref().is_none_or(|(at, _)| *at - now > chrono::TimeDelta::seconds(2)) {
            self.reporter.rest(next.map(|(at, job)| (job, at)), now);
        }
    }

    /// Moves the logs of the jobs that a registry renames.
    pub(super) fn move_renamed_logs(&mut self, registry: &Registry) {
        for job in &registry.jobs {
            if let Some(previously) = &job.previously {
                self.move_logs(previously, &job.name);
            }
        }
    }

    /// Moves the logs of a job that was renamed. Until the ledger has the new name, they stay.
    fn move_logs(&mut self, from: &JobName, to: &JobName) {
        let scheduler = self.control.scheduler();
        let logs = &self.settings.logs;
        let (old, new) = (logs.join(from.as_str()), logs.join(to.as_str()));
        let Some(view) = scheduler.view(to).filter(|_| scheduler.view(from).is_none()) else { return };
        let moved = if view.record.has_replaced && !paths::replaced_logs(&new).exists() {
            set_replaced_logs_aside(&new, &old)
        } else if old.is_dir() && !new.exists() {
            Ok(())
        } else {
            return;
        };
        if let Err(error) = moved.and_then(|()| std::fs::rename(&old, &new)) {
            let (old, new) = (old.display(), new.display());
            self.reporter.warn(&format!("{to}: its logs stay in `{old}`, they cannot be moved to `{new}`: {error}"));
        }
    }

    /// One line for `systemctl status`.
    pub(super) fn status(&self) -> String {
        let scheduler = self.control.scheduler();
        let base = format!("{} running, {} behind", scheduler.running(), scheduler.behind());
        if !self.control.is_connected() {
            format!("there is no warden: {base}")
        } else if !self.control.is_writable() {
            format!("the ledger cannot be written: {base}")
        } else if self.control.is_stopping() {
            format!("stopping: {base}")
        } else if self.control.clock_hold().is_some() {
            format!("the clock is not believed yet: {base}")
        } else {
            base
        }
    }
}

/// Moves the logs of a job into the folder of the one that replaces it, which may have none yet.
fn set_replaced_logs_aside(job: &Path, by: &Path) -> io::Result<()> {
    std::fs::create_dir_all(by)?;
    let replaced = paths::replaced_logs(by);
    if job.exists() { std::fs::rename(job, replaced) } else { std::fs::create_dir_all(replaced) }
}
