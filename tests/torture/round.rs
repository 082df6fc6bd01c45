//! One round of torture, from an empty ledger to the check.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::arena::{Arena, Backend};
use crate::checker::{Violation, check, shown};
use crate::faults::{Tormentor, kill_often};
use crate::job::{CALM, lines_of};
use crate::jobs::{TortureJob, mixed, quick};
use crate::journal::{Journal, Moment};
use crate::keeper::{Keeper, tail};
use crate::lab::stdout;
use crate::ledger::{Rows, is_drained, verify};
use crate::outage;
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
        let mut arena = Arena::new(self.backend, &self.jobs(), self.seed, self.seconds(), moves);
        let journal = Journal::default();
        let mut keeper = Keeper::default();
        self.torture(&mut arena, &mut keeper, &journal, over);
        let mut tally = Tally { amid: arena.finished(), ..Tally::default() };
        let since = Instant::now();
        let until = drain(&mut arena, &mut keeper, &mut tally.problems, over);
        keeper.close(&arena);
        tally.recovery = since.elapsed();
        if !over.load(Ordering::SeqCst) {
            self.judge(&arena, &journal, until, &mut tally);
        }
        tally.faults = journal.counts();
        tally.ends = std::mem::take(&mut keeper.ends);
        tally.problems.append(&mut keeper.problems);
        if tally.is_bad() {
            let kept = keep(&arena, self.seed);
            tally.problems.push(format!("the files of this round are kept in {}", kept.display()));
        }
        tally
    }

    fn torture(&self, arena: &mut Arena, keeper: &mut Keeper, journal: &Journal, over: &AtomicBool) {
        let duration = match self.plan {
            Plan::Mixed(duration) => duration,
            Plan::Kills(kills, limit) => {
                let until = limit.map(|limit| Instant::now() + limit);
                return kill_often(arena, keeper, journal, (kills, self.seed), (until, over));
            }
        };
        let server = arena.server.take();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Also when what follows panics, the thread is to end.
            let _end = SetAtEnd(&done);
            if let Some(server) = &server {
                scope.spawn(|| outage::torment(server, journal, self.seed, &done));
            }
            Tormentor::new(arena, keeper, journal, self.seed).run(duration, over);
        });
        arena.server = server;
    }

    fn judge(&self, arena: &Arena, journal: &Journal, until: i64, tally: &mut Tally) {
        let text = |job: &TortureJob| fs::read_to_string(lines_of(arena.folder(), job.name)).unwrap_or_default();
        let texts: Vec<_> = arena.jobs.iter().map(|(job, start)| (*job, start.timestamp(), text(job))).collect();
        let gaps = journal.gaps();
        let mut stories = check(&texts, until, &gaps);
        let rows = Rows::read(arena);
        rows.compare(&mut stories, &gaps);
        tally.lost = rows.count("lost");
        for story in &stories {
            tally.dates += story.successes().len() as u64;
            tally.attempts += story.tries.len() as u64;
            tally.excused += story.excused;
            tally.violations += story.violations.len() as u64;
            for violation in story.violations.iter().take(5) {
                tally.problems.push(told(violation, journal));
            }
        }
        for log in ["daemon.log", "state/warden/warden.log"] {
            let text = fs::read(arena.lab.path(log)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let panics = text.lines().filter(|line| line.contains("panicked at"));
            tally.problems.extend(panics.map(|line| format!("{log} has a panic: {line}")));
        }
        match verify(arena) {
            Ok(note) => tally.verify = note,
            Err(found) => tally.problems.push(format!("`crontabber verify` found:\n{found}")),
        }
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
fn drain(arena: &mut Arena, keeper: &mut Keeper, problems: &mut Vec<String>, over: &AtomicBool) -> i64 {
    fs::write(arena.lab.path(CALM), "").expect("a file");
    arena.free_disk();
    arena.settle_clock();
    let (mut seen, mut since, mut asked) = (arena.written(), Instant::now(), Instant::now());
    while !over.load(Ordering::SeqCst) {
        keeper.keep(arena);
        std::thread::sleep(Duration::from_millis(20));
        if arena.written() > seen {
            (seen, since) = (arena.written(), Instant::now());
        }
        if asked.elapsed() > Duration::from_millis(700) {
            let now = arena.now().timestamp();
            if is_drained(arena) {
                return now - now.rem_euclid(60);
            }
            asked = Instant::now();
        }
        if since.elapsed() > STUCK {
            let list = stdout(&arena.lab.run(&["list"]));
            problems.push(format!("nothing more gets done\n{list}\n{}", tail(&arena.lab.log())));
            break;
        }
    }
    0
}

/// A violation with the faults before it.
fn told(violation: &Violation, journal: &Journal) -> String {
    let date = violation.date.map(shown).unwrap_or_default();
    let done = violation.at.map(|at| journal.between(at.before(BEFORE), at)).unwrap_or_default();
    let (job, text) = (&violation.job, &violation.text);
    format!("{job} {date}: {text}\n{}\ndone before:\n{}", violation.around.join("\n"), done.join("\n"))
}

/// Copies the files of a failed round.
fn keep(arena: &Arena, seed: u64) -> PathBuf {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("torture-{seed}-{}", Moment::now()));
    // Better a report without the files than none.
    _ = Command::new("cp").arg("-a").arg(arena.folder()).arg(&place).status();
    place
}
