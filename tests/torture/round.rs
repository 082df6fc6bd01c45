//! One round of torture, from an empty ledger to the check.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::checker::{Violation, check, shown};
use crate::daemon_supervisor::{DaemonSupervisor, tail};
use crate::database_outages;
use crate::environment::{Backend, Environment};
use crate::fault_log::{FaultLog, Moment};
use crate::faults::{FaultInjector, kill_often};
use crate::job_program::{CALM, lines_of};
use crate::jobs::{TortureJob, mixed, quick};
use crate::lab::stdout;
use crate::ledger::{Rows, is_drained, verify};
use crate::report::Tally;

/// Jobs without progress for so long in the recovery are stuck.
const STUCK: Duration = Duration::from_secs(40);
/// Faults within so long before a violation are shown with it.
const BEFORE: Duration = Duration::from_secs(5);

/// The faults of a round.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plan {
    /// All kinds.
    Mixed(Duration),
    /// Only kills of the daemon, so many, within a time limit if there is one.
    Kills(u64, Option<Duration>),
}

/// A round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) backend: Backend,
    pub(crate) plan: Plan,
    pub(crate) seed: u64,
}

impl Round {
    fn jobs(&self) -> Vec<TortureJob> {
        match self.plan {
            Plan::Mixed(_) => mixed(),
            Plan::Kills(..) => quick(),
        }
    }

    /// Its approximate length.
    fn seconds(&self) -> f64 {
        match self.plan {
            Plan::Mixed(duration) => duration.as_secs_f64(),
            Plan::Kills(kills, limit) => {
                let kills = Duration::from_millis(kills.saturating_mul(100));
                limit.map_or(kills, |limit| limit.min(kills)).as_secs_f64()
            }
        }
    }

    /// Injects faults, waits for the recovery, and checks.
    pub(crate) fn run(&self, over: &AtomicBool) -> Tally {
        let moves = matches!(self.plan, Plan::Mixed(_));
        let mut environment = Environment::new(self.backend, &self.jobs(), self.seed, self.seconds(), moves);
        let fault_log = FaultLog::default();
        let mut supervisor = DaemonSupervisor::default();
        self.torture(&mut environment, &mut supervisor, &fault_log, over);
        let mut tally = Tally { amid: environment.finished(), ..Tally::default() };
        let since = Instant::now();
        let until = drain(&mut environment, &mut supervisor, &mut tally.problems, over);
        supervisor.close(&environment);
        tally.recovery = since.elapsed();
        if !over.load(Ordering::SeqCst) {
            self.judge(&environment, &fault_log, until, &mut tally);
        }
        tally.faults = fault_log.counts();
        tally.ends = std::mem::take(&mut supervisor.ends);
        tally.problems.append(&mut supervisor.problems);
        if tally.is_bad() {
            let kept = keep(&environment, self.seed);
            tally.problems.push(format!("the files of this round are kept in {}", kept.display()));
        }
        tally
    }

    fn torture(
        &self,
        environment: &mut Environment,
        supervisor: &mut DaemonSupervisor,
        fault_log: &FaultLog,
        over: &AtomicBool,
    ) {
        let duration = match self.plan {
            Plan::Mixed(duration) => duration,
            Plan::Kills(kills, limit) => {
                let until = limit.map(|limit| Instant::now() + limit);
                return kill_often(environment, supervisor, fault_log, (kills, self.seed), (until, over));
            }
        };
        let server = environment.server.take();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Also when what follows panics, the thread is to end.
            let _end = SetAtEnd(&done);
            if let Some(server) = &server {
                scope.spawn(|| database_outages::inject(server, fault_log, self.seed, &done));
            }
            FaultInjector::new(environment, supervisor, fault_log, self.seed).run(duration, over);
        });
        environment.server = server;
    }

    fn judge(&self, environment: &Environment, fault_log: &FaultLog, until: i64, tally: &mut Tally) {
        let text = |job: &TortureJob| fs::read_to_string(lines_of(environment.folder(), job.name)).unwrap_or_default();
        let texts: Vec<_> = environment.jobs.iter().map(|(job, start)| (*job, start.timestamp(), text(job))).collect();
        let gaps = fault_log.gaps();
        let mut stories = check(&texts, until, &gaps);
        let rows = Rows::read(environment);
        rows.compare(&mut stories, &gaps);
        tally.lost = rows.count("lost");
        for story in &stories {
            tally.dates += story.successes().len() as u64;
            tally.attempts += story.tries.len() as u64;
            tally.excused += story.excused;
            tally.violations += story.violations.len() as u64;
            for violation in story.violations.iter().take(5) {
                tally.problems.push(told(violation, fault_log));
            }
        }
        for log in ["daemon.log", "state/warden/warden.log"] {
            let text = fs::read(environment.lab.path(log)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let panics = text.lines().filter(|line| line.contains("panicked at"));
            tally.problems.extend(panics.map(|line| format!("{log} has a panic: {line}")));
        }
        tally.problems.extend(verify(environment).map(|found| format!("`crontabber verify` found:\n{found}")));
        if let Plan::Kills(..) = self.plan
            && (tally.lost > 0 || tally.excused > 0)
        {
            let (lost, excused) = (tally.lost, tally.excused);
            tally
                .problems
                .push(format!("only the daemon was killed, and {lost} outcomes were lost, {excused} dates repeated"));
        }
    }
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Waits without faults until all due dates have run. Returns the newest minute that must have run, in seconds since
/// the Unix epoch.
fn drain(
    environment: &mut Environment,
    supervisor: &mut DaemonSupervisor,
    problems: &mut Vec<String>,
    over: &AtomicBool,
) -> i64 {
    fs::write(environment.lab.path(CALM), "").expect("a file");
    environment.free_disk();
    environment.settle_clock();
    let (mut seen, mut since, mut asked) = (environment.written(), Instant::now(), Instant::now());
    while !over.load(Ordering::SeqCst) {
        supervisor.keep(environment);
        std::thread::sleep(Duration::from_millis(20));
        if environment.written() > seen {
            (seen, since) = (environment.written(), Instant::now());
        }
        if asked.elapsed() > Duration::from_millis(700) {
            let now = environment.now().timestamp();
            if is_drained(environment) {
                return now - now.rem_euclid(60);
            }
            asked = Instant::now();
        }
        if since.elapsed() > STUCK {
            let list = stdout(&environment.lab.run(&["list"]));
            problems.push(format!("nothing more gets done\n{list}\n{}", tail(&environment.lab.log())));
            break;
        }
    }
    0
}

/// A violation with the faults before it.
fn told(violation: &Violation, fault_log: &FaultLog) -> String {
    let date = violation.date.map(shown).unwrap_or_default();
    let done = violation.at.map(|at| fault_log.between(at.before(BEFORE), at)).unwrap_or_default();
    let (job, text) = (&violation.job, &violation.text);
    format!("{job} {date}: {text}\n{}\ndone before:\n{}", violation.around.join("\n"), done.join("\n"))
}

/// Copies the files of a failed round.
fn keep(environment: &Environment, seed: u64) -> PathBuf {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("torture-{seed}-{}", Moment::now()));
    // Better a report without the files than none.
    _ = Command::new("cp").arg("-a").arg(environment.folder()).arg(&place).status();
    place
}
