//! What follows when the registry was read, at the start and at each reload.

use std::sync::Arc;

use crate::clock;
use crate::job::{Job, JobName};
use crate::registry::Registry;
use crate::scheduler::Event;

use super::start::Mode;
use super::{Daemon, catch_up_notice};

impl Daemon {
    /// Has the scheduler take a registry, and takes what is the daemon's of it.
    pub(super) fn adopt(&mut self, registry: Registry) {
        // Whoever types a command reads its answer; `check` and the daemon tell the warnings.
        for warning in registry.warnings.iter().filter(|_| self.mode != Mode::Operate) {
            let text = warning.render(false);
            self.voice.warn(text.strip_prefix("warning: ").unwrap_or(&text));
        }
        if self.ledger_named != registry.daemon.ledger {
            self.voice.warn("the registry names another ledger: that takes effect when the daemon is restarted");
        }
        self.output_limit = registry.daemon.output_limit;
        self.stop_grace = registry.daemon.stop_grace;
        // An operator's run takes a place of its own, and must not start the others.
        let places = if self.mode == Mode::Operate { 0 } else { registry.daemon.max_running };
        self.engine.scheduler.set_max_running(places);
        self.engine.scheduler.set_pools(registry.pools.clone());
        self.longest_kill_grace = registry.jobs.iter().map(|job| job.kill_grace).max().unwrap_or_default();
        self.voice.learn(registry.jobs.iter());
        let (names, most) = (catch_up_notice::names(&registry), registry.daemon.announce_over);
        let jobs: Vec<Arc<Job>> = registry.jobs.into_iter().map(Arc::new).collect();
        let renamed: Vec<(JobName, JobName)> =
            jobs.iter().filter_map(|job| Some((job.previously.clone()?, job.name.clone()))).collect();
        self.engine.handle(Event::Registry(jobs), clock::now());
        for (from, to) in renamed {
            self.move_logs(&from, &to);
        }
        // Said before any of it is started.
        let announced = catch_up_notice::announcement(&self.engine.scheduler, &names, most, &self.ledger);
        if let Some(text) = announced.filter(|_| self.mode != Mode::Operate) {
            self.voice.warn(&text);
        }
    }

    /// Has the logs of a job that was renamed where its name is now; until the ledger has the name, they stay.
    pub(super) fn move_logs(&mut self, from: &JobName, to: &JobName) {
        let scheduler = &self.engine.scheduler;
        let (old, new) = (self.logs.join(from.as_str()), self.logs.join(to.as_str()));
        if scheduler.view(from).is_some() || scheduler.view(to).is_none() || !old.is_dir() || new.exists() {
            return;
        }
        if let Err(error) = std::fs::rename(&old, &new) {
            let (old, new) = (old.display(), new.display());
            self.voice.warn(&format!("{to}: its logs stay in `{old}`, since they cannot be moved to `{new}`: {error}"));
        }
    }
}
