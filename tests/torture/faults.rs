//! Injects faults in random order, several per second, and repairs each after some time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use rustix::process::Signal;

use crate::arena::{Arena, is_alive};
use crate::chance::Chance;
use crate::journal::{Fault, Gap, Journal, Moment};
use crate::keeper::Keeper;

/// Every kind except those of the database, with its weight.
const KINDS: [(u64, Fault); 9] = [
    (30, Fault::KillDaemon),
    (12, Fault::KillWarden),
    (8, Fault::KillBoth),
    (8, Fault::StopDaemon),
    (8, Fault::StopWarden),
    (6, Fault::EndDaemon),
    (6, Fault::Reload),
    (6, Fault::FillDisk),
    (6, Fault::MoveClock),
];

/// The clock is never further behind than this.
const BEHIND: TimeDelta = TimeDelta::minutes(10);

/// After so many faults without a line of a job, faults pause: on a busy machine a daemon may otherwise be killed
/// before it has started a job, every time.
const FRUITLESS: u32 = 8;
/// The longest such pause.
const RESPITE: Duration = Duration::from_secs(15);

/// The time that a warden needs after a stop to handle the exits that it missed.
const TO_TAKE_UP: Duration = Duration::from_millis(500);

/// A fault that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasting {
    DaemonStopped(i32),
    WardenStopped(i32),
    DiskFull,
}

/// Injects the faults.
pub(crate) struct Tormentor<'a> {
    arena: &'a mut Arena,
    keeper: &'a mut Keeper,
    journal: &'a Journal,
    chance: Chance,
    lasting: Vec<(Instant, Lasting)>,
    /// Which warden was stopped last, since when, and until when.
    warden_stopped: Option<(i32, Moment, Option<Instant>)>,
    edition: u64,
    /// How much the jobs had written when that was last more, and how many faults ago.
    written: (u64, u32),
}

impl<'a> Tormentor<'a> {
    pub(crate) fn new(arena: &'a mut Arena, keeper: &'a mut Keeper, journal: &'a Journal, seed: u64) -> Self {
        let chance = Chance::fork(seed, "faults");
        Self { arena, keeper, journal, chance, lasting: Vec::new(), warden_stopped: None, edition: 0, written: (0, 0) }
    }

    /// Injects faults for so long, or until it must end; then repairs everything.
    pub(crate) fn run(&mut self, duration: Duration, over: &AtomicBool) {
        let until = Instant::now() + duration;
        let mut next = Instant::now();
        while Instant::now() < until && !over.load(Ordering::SeqCst) {
            self.keeper.keep(self.arena);
            self.repair(false);
            if next <= Instant::now() && (self.is_fruitful() || next.elapsed() > RESPITE) {
                // Each fault draws from a chance of its own, so that the next is the same whatever came of this one.
                let mut chance = Chance::new(self.chance.next());
                next = Instant::now() + chance.millis(5, 250);
                self.written.1 += 1;
                self.strike(&mut chance);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.repair(true);
    }

    fn is_fruitful(&mut self) -> bool {
        let written = self.arena.written();
        if written > self.written.0 {
            self.written = (written, 0);
        }
        self.written.1 < FRUITLESS
    }

    fn strike(&mut self, chance: &mut Chance) {
        let fault = chance.weighed(&KINDS);
        let pause = chance.weighed(&[(4, 0), (3, 200), (1, 1500)]);
        let pause = chance.millis(0, pause);
        let while_it_lasts = chance.weighed(&[(10, (20, 400)), (5, (400, 1500)), (2, (1500, 6500))]);
        let while_it_lasts = chance.millis(while_it_lasts.0, while_it_lasts.1);
        let both_first = chance.once_in(2);
        let minutes = TimeDelta::seconds(i64::try_from(chance.below(900)).unwrap_or(0) + 1);
        let is_back = chance.once_in(3);
        match fault {
            Fault::KillDaemon => self.kill_daemon(fault, pause),
            Fault::KillWarden => self.kill_wardens(Some(fault)),
            Fault::KillBoth => {
                if both_first {
                    self.kill_wardens(None);
                }
                self.kill_daemon(fault, pause);
                if !both_first {
                    self.kill_wardens(None);
                }
            }
            Fault::StopDaemon => self.stop_daemon(while_it_lasts),
            Fault::StopWarden => self.stop_warden(while_it_lasts),
            Fault::EndDaemon => {
                if self.keeper.end() {
                    self.journal.did(fault, "");
                }
            }
            Fault::Reload => {
                self.edition += 1;
                self.arena.write_registry(self.edition);
                if self.keeper.signal(Signal::HUP) {
                    self.journal.did(fault, "");
                }
            }
            Fault::FillDisk => self.fill_disk(while_it_lasts),
            Fault::MoveClock => self.move_clock(if is_back { -minutes } else { minutes }),
            Fault::StopDatabase | Fault::KillDatabase => {}
        }
    }

    fn kill_daemon(&mut self, fault: Fault, pause: Duration) {
        let pid = self.keeper.pid();
        if self.keeper.kill(self.arena, pause) {
            self.journal.did(fault, &format!("{pid:?}, again after {pause:?}"));
        }
    }

    /// Kills every warden, and records since when it was stopped.
    fn kill_wardens(&mut self, fault: Option<Fault>) {
        for pid in self.arena.wardens() {
            let is_behind = |until: Option<Instant>| until.is_none_or(|until| until.elapsed() < TO_TAKE_UP);
            let stopped = self.warden_stopped.filter(|(stopped, _, until)| *stopped == pid && is_behind(*until));
            let from = stopped.map_or_else(Moment::now, |(_, since, _)| since);
            if !self.arena.signal_warden(pid, Signal::KILL) {
                continue;
            }
            while is_alive(pid) {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.journal.gap(Gap { from, to: Moment::now() });
            match fault {
                Some(fault) => self.journal.did(fault, &pid.to_string()),
                None => self.journal.note(&format!("with its warden {pid}")),
            }
        }
    }

    fn stop_daemon(&mut self, duration: Duration) {
        if self.lasts(|lasting| matches!(lasting, Lasting::DaemonStopped(_))) {
            return;
        }
        if let Some(pid) = self.keeper.pid()
            && self.keeper.stop()
        {
            self.journal.did(Fault::StopDaemon, &format!("{pid} for {duration:?}"));
            self.lasting.push((Instant::now() + duration, Lasting::DaemonStopped(pid)));
        }
    }

    fn stop_warden(&mut self, duration: Duration) {
        if self.lasts(|lasting| matches!(lasting, Lasting::WardenStopped(_))) {
            return;
        }
        let since = Moment::now();
        if let Some(pid) = self.arena.wardens().first().copied()
            && self.arena.signal_warden(pid, Signal::STOP)
        {
            self.journal.did(Fault::StopWarden, &format!("{pid} for {duration:?}"));
            self.warden_stopped = Some((pid, since, None));
            self.lasting.push((Instant::now() + duration, Lasting::WardenStopped(pid)));
        }
    }

    fn fill_disk(&mut self, duration: Duration) {
        if self.arena.disk.is_some() && !self.lasts(|lasting| lasting == Lasting::DiskFull) {
            self.arena.fill_disk();
            self.journal.did(Fault::FillDisk, &format!("for {duration:?}"));
            self.lasting.push((Instant::now() + duration, Lasting::DiskFull));
        }
    }

    fn move_clock(&mut self, by: TimeDelta) {
        if self.arena.can_move_clock() {
            let by = if self.arena.offset() + by < -BEHIND { -by } else { by };
            self.arena.move_clock(by);
            self.journal.did(Fault::MoveClock, &format!("by {} s", by.num_seconds()));
        }
    }

    fn lasts(&self, is_one: impl Fn(Lasting) -> bool) -> bool {
        self.lasting.iter().any(|(_, lasting)| is_one(*lasting))
    }

    /// Repairs the faults that have lasted long enough, or all.
    fn repair(&mut self, all: bool) {
        let now = Instant::now();
        let (due, rest): (Vec<_>, Vec<_>) = self.lasting.drain(..).partition(|(until, _)| all || *until <= now);
        self.lasting = rest;
        for (_, lasting) in due {
            self.journal.note(&format!("over: {lasting:?}"));
            match lasting {
                Lasting::DaemonStopped(pid) if self.keeper.pid() == Some(pid) => self.keeper.go_on(),
                Lasting::DaemonStopped(_) => {}
                Lasting::WardenStopped(pid) => {
                    self.arena.signal_warden(pid, Signal::CONT);
                    if let Some((_, _, until)) = &mut self.warden_stopped {
                        *until = Some(Instant::now());
                    }
                }
                Lasting::DiskFull => self.arena.free_disk(),
            }
        }
    }
}

/// Only kills the daemon, so many times, as fast as possible.
pub(crate) fn kill_often(
    arena: &Arena,
    keeper: &mut Keeper,
    journal: &Journal,
    (kills, seed): (u64, u64),
    (until, over): (Option<Instant>, &AtomicBool),
) {
    let mut chance = Chance::fork(seed, "kills");
    let is_late = || until.is_some_and(|until| Instant::now() >= until);
    while journal.count(Fault::KillDaemon) < kills && !is_late() && !over.load(Ordering::SeqCst) {
        keeper.keep(arena);
        let pause = if chance.once_in(3) { chance.millis(0, 30) } else { chance.millis(20, 150) };
        std::thread::sleep(pause);
        let pid = keeper.pid();
        if keeper.kill(arena, Duration::ZERO) {
            journal.did(Fault::KillDaemon, &format!("{pid:?}, after {pause:?}"));
        }
    }
}
