//! One case: a registry, a clock, and what people do to both, from one seed.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::Value;

use crate::checker::{Checker, Seen};
use crate::lab::{Lab, stderr, stdout};
use crate::ledger;
use crate::lines;
use crate::plan::{Plan, Step, clock};
use crate::registry::{Job, Registry};
use crate::rules::At;
use crate::service::Service;

/// Far more than a daemon takes to do what is due.
const PATIENCE: Duration = Duration::from_secs(20);
/// So many problems of a case are shown.
const MOST_PROBLEMS: usize = 12;

/// What a case did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) edits: u64,
    pub(crate) daemons: u64,
    pub(crate) attempts: u64,
    pub(crate) excluded: u64,
    pub(crate) moved: u64,
    /// What is wrong, with all steps before it.
    pub(crate) failure: Option<String>,
}

impl Outcome {
    pub(crate) fn add(&mut self, other: &Self) {
        self.edits += other.edits;
        self.daemons += other.daemons;
        self.attempts += other.attempts;
        self.excluded += other.excluded;
        self.moved += other.moved;
    }
}

/// A case while it is played.
pub(crate) struct Case {
    pub(crate) plan: Plan,
    pub(crate) lab: Lab,
    pub(crate) registry: Registry,
    /// The registries before, for an edit that is undone.
    former: Vec<Registry>,
    /// Jobs that were removed, and may return.
    gone: Vec<Job>,
    pub(crate) now: At,
    pub(crate) checker: Checker,
    /// How many lines of each file were read.
    read: Vec<usize>,
    service: Option<Service>,
    trace: Vec<String>,
    pub(crate) problems: Vec<String>,
    outcome: Outcome,
}

/// Plays the case of a seed.
pub(crate) fn play(seed: u64) -> Outcome {
    let mut case = Case::new(seed);
    case.steps();
    if case.problems.is_empty() {
        case.finish();
    }
    case.close(seed)
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut plan = Plan::new(seed);
        let now = plan.beginning();
        let registry = plan.registry(now);
        let lab = Lab::new(&registry.toml()).with_clock(&clock(now));
        lines::write_script(&lab);
        let trace = vec![format!("{}\n{}", clock(now), registry.toml())];
        Self {
            plan,
            lab,
            registry,
            former: Vec::new(),
            gone: Vec::new(),
            now,
            checker: Checker::default(),
            read: Vec::new(),
            service: None,
            trace,
            problems: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    fn steps(&mut self) {
        if self.plan.random.once_in(2) {
            self.choose_failing();
        }
        self.wake();
        for _ in 0..self.plan.random.between(5, 14) {
            if !self.problems.is_empty() {
                return;
            }
            match self.plan.step() {
                Step::Edit => self.edit(),
                Step::Undo => self.undo(),
                Step::Wait => self.wait(),
                Step::Fail => self.let_some_fail(),
                Step::Daemon => self.toggle_daemon(),
                Step::Disable => self.disable(),
                Step::Enable => self.enable_any(),
                Step::Skip => self.skip(),
                Step::Retry => self.retry(),
            }
        }
    }

    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.trace.push(text.into());
    }

    fn edit(&mut self) {
        let mut new = self.registry.clone();
        // An edit is of one thing, or of several.
        for _ in 0..=self.plan.random.below(2) {
            self.plan.edit(&mut new, &mut self.gone, self.now);
        }
        self.change(new);
    }

    /// A typo is corrected.
    fn undo(&mut self) {
        if let Some(former) = self.former.pop() {
            self.say("undo:");
            self.change(former);
            self.former.pop();
        }
    }

    /// Takes another registry, at once or after a time in which nothing runs.
    fn change(&mut self, new: Registry) {
        if new == self.registry {
            return;
        }
        self.outcome.edits += 1;
        if self.service.is_none() && self.plan.random.once_in(2) {
            let time = self.plan.pause();
            self.set_clock(time);
        }
        self.former.push(self.registry.clone());
        self.write(new);
    }

    fn wait(&mut self) {
        let time = self.plan.pause();
        self.pass(time);
    }

    fn let_some_fail(&mut self) {
        if self.plan.random.once_in(3) {
            lines::let_all_succeed(&self.lab);
            self.say("no date fails");
        } else {
            self.choose_failing();
        }
        self.wait();
    }

    fn choose_failing(&mut self) {
        let patterns = lines::let_some_fail(&self.lab, self.plan.files(), &mut self.plan.random);
        self.say(format!("failing, by file and day: {patterns}"));
    }

    fn toggle_daemon(&mut self) {
        if self.service.is_some() {
            self.stop_daemon();
        } else {
            self.say("a daemon is started");
            self.outcome.daemons += 1;
            let check = self.check();
            self.service = Some(Service::start(&self.lab));
            self.await_daemon(&check);
        }
    }

    pub(crate) fn stop_daemon(&mut self) {
        if let Some(service) = self.service.take() {
            self.say("the daemon is stopped");
            self.problems.extend(service.stop());
        }
    }

    /// What `check` says beside the ledger.
    fn check(&mut self) -> Value {
        let output = self.lab.run(&["--json", "check"]);
        if !output.status.success() {
            self.problems.push(format!("the registry is refused: {}{}", stdout(&output), stderr(&output)));
        }
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Every command has its second, unless the clock of a daemon runs.
    fn tick(&mut self) {
        if self.service.is_none() {
            self.now += TimeDelta::seconds(1);
            self.lab.set_clock(&clock(self.now));
        }
    }

    /// Everything that is due is recorded and attempted, by the daemon or by `once`.
    pub(crate) fn wake(&mut self) {
        self.tick();
        let check = self.check();
        if let Some(service) = &self.service {
            service.reload();
            self.await_daemon(&check);
            return;
        }
        let output = self.lab.run(&["once"]);
        self.say("once");
        if !matches!(output.status.code(), Some(0 | 1)) {
            self.problems.push(format!("`once` ended with {}: {}", output.status, stderr(&output)));
        }
        self.see(&check, true);
    }

    /// Waits until the daemon has done what is due. What is wrong then stays wrong.
    fn await_daemon(&mut self, check: &Value) {
        let since = Instant::now();
        loop {
            let mut checker = self.checker.clone();
            let mut read = self.read.clone();
            let lines = lines::read_new(&self.lab, self.plan.files(), &mut read);
            let rows = ledger::read(&self.lab);
            let runs = rows.values().flat_map(|job| job.rows.values()).any(|row| row.state == "running");
            let seen = Seen { now: self.now, registry: &self.registry, is_wake: true, check, rows, lines: &lines };
            let problems = checker.see(seen);
            if (problems.is_empty() && !runs) || since.elapsed() > PATIENCE {
                (self.checker, self.read) = (checker, read);
                self.outcome.attempts += lines.len() as u64;
                self.problems.extend(problems);
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// An operator's command.
    pub(crate) fn operate(&mut self, line: &str) {
        self.say(line);
        self.tick();
        let check = self.check();
        let output = self.lab.run(&line.split(' ').collect::<Vec<_>>());
        if !matches!(output.status.code(), Some(0 | 1)) {
            self.problems.push(format!("`{line}` ended with {}: {}", output.status, stderr(&output)));
        }
        self.say(format!("    {}{}", stdout(&output), stderr(&output)));
        self.see(&check, false);
    }

    fn see(&mut self, check: &Value, is_wake: bool) {
        let lines = lines::read_new(&self.lab, self.plan.files(), &mut self.read);
        self.outcome.attempts += lines.len() as u64;
        let rows = ledger::read(&self.lab);
        let seen = Seen { now: self.now, registry: &self.registry, is_wake, check, rows, lines: &lines };
        let problems = self.checker.see(seen);
        self.problems.extend(problems);
    }

    /// Sets the clock, and does what is due.
    pub(crate) fn pass(&mut self, time: TimeDelta) {
        self.set_clock(time);
        self.wake();
    }

    fn set_clock(&mut self, time: TimeDelta) {
        self.now += time;
        self.lab.set_clock(&clock(self.now));
        self.say(clock(self.now));
    }

    /// Writes the registry without remembering the former one, and does what is due.
    pub(crate) fn write(&mut self, new: Registry) {
        self.say(format!("edit:\n{}", self.registry.difference(&new)));
        self.registry = new;
        self.lab.write_registry(&self.registry.toml());
        self.wake();
    }

    fn close(mut self, seed: u64) -> Outcome {
        self.stop_daemon();
        let output = self.lab.run(&["verify"]);
        if !output.status.success() {
            self.problems.push(format!("`verify`: {}{}", stdout(&output), stderr(&output)));
        }
        let rows = || self.checker.rows().values().flat_map(|job| job.rows.values());
        let count = |state: &str| rows().filter(|row| row.state == state).count() as u64;
        (self.outcome.excluded, self.outcome.moved) = (count("skipped: excluded"), count("skipped: moved"));
        if !self.problems.is_empty() {
            if let Some(folder) = std::env::var_os("EDITS_KEEP") {
                let copied =
                    std::process::Command::new("cp").arg("-a").arg(self.lab.folder.path()).arg(folder).status();
                assert!(copied.expect("cp runs").success(), "the files of the case are kept");
            }
            self.problems.truncate(MOST_PROBLEMS);
            let (steps, problems) = (self.trace.join("\n"), self.problems.join("\nWRONG: "));
            self.outcome.failure = Some(format!("SEED {seed}\n{steps}\nWRONG: {problems}\n"));
        }
        self.outcome
    }
}
