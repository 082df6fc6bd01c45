//! Injects faults in random order, several per second, and repairs each after some time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use rustix::process::Signal;

use crate::daemon_supervisor::DaemonSupervisor;
use crate::environment::{Environment, is_alive};
use crate::fault_log::{Fault, FaultLog, Gap, Moment};
use crate::random::Random;

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
pub(crate) struct FaultInjector<'a> {
    environment: &'a mut Environment,
    supervisor: &'a mut DaemonSupervisor,
    fault_log: &'a FaultLog,
    random: Random,
    lasting: Vec<(Instant, Lasting)>,
    /// Which warden was stopped last, since when, and until when.
    warden_stopped: Option<(i32, Moment, Option<Instant>)>,
    edition: u64,
    /// How much the jobs had written when that was last more, and how many faults ago.
    written: (u64, u32),
}

impl<'a> FaultInjector<'a> {
    pub(crate) fn new(
        environment: &'a mut Environment,
        supervisor: &'a mut DaemonSupervisor,
        fault_log: &'a FaultLog,
        seed: u64,
    ) -> Self {
        let random = Random::fork(seed, "faults");
        Self {
            environment,
            supervisor,
            fault_log,
            random,
            lasting: Vec::new(),
            warden_stopped: None,
            edition: 0,
            written: (0, 0),
        }
    }

    /// Injects faults for so long, or until it must end; then repairs everything.
    pub(crate) fn run(&mut self, duration: Duration, over: &AtomicBool) {
        let until = Instant::now() + duration;
        let mut next = Instant::now();
        while Instant::now() < until && !over.load(Ordering::SeqCst) {
            self.supervisor.keep(self.environment);
            self.repair(false);
            if next <= Instant::now() && (self.is_fruitful() || next.elapsed() > RESPITE) {
                // Each fault draws from a random of its own, so that the next is the same whatever came of this one.
                let mut random = Random::new(self.random.next());
                next = Instant::now() + random.millis(5, 250);
                self.written.1 += 1;
                self.strike(&mut random);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.repair(true);
    }

    fn is_fruitful(&mut self) -> bool {
        let written = self.environment.written();
        if written > self.written.0 {
            self.written = (written, 0);
        }
        self.written.1 < FRUITLESS
    }

    fn strike(&mut self, random: &mut Random) {
        let fault = random.weighed(&KINDS);
        let pause = random.weighed(&[(4, 0), (3, 200), (1, 1500)]);
        let pause = random.millis(0, pause);
        let while_it_lasts = random.weighed(&[(10, (20, 400)), (5, (400, 1500)), (2, (1500, 6500))]);
        let while_it_lasts = random.millis(while_it_lasts.0, while_it_lasts.1);
        let both_first = random.once_in(2);
        let seconds = TimeDelta::seconds(random.between(1, 900));
        let is_back = random.once_in(3);
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
                if self.supervisor.end() {
                    self.fault_log.did(fault, "");
                }
            }
            Fault::Reload => {
                self.edition += 1;
                self.environment.write_registry(self.edition);
                if self.supervisor.signal(Signal::HUP) {
                    self.fault_log.did(fault, "");
                }
            }
            Fault::FillDisk => self.fill_disk(while_it_lasts),
            Fault::MoveClock => self.move_clock(if is_back { -seconds } else { seconds }),
            Fault::StopDatabase | Fault::KillDatabase => {}
        }
    }

    fn kill_daemon(&mut self, fault: Fault, pause: Duration) {
        let pid = self.supervisor.pid();
        if self.supervisor.kill(self.environment, pause) {
            self.fault_log.did(fault, &format!("{pid:?}, again after {pause:?}"));
        }
    }

    /// Kills every warden, and records since when it was stopped.
    fn kill_wardens(&mut self, fault: Option<Fault>) {
        for pid in self.environment.wardens() {
            let is_behind = |until: Option<Instant>| until.is_none_or(|until| until.elapsed() < TO_TAKE_UP);
            let stopped = self.warden_stopped.filter(|(stopped, _, until)| *stopped == pid && is_behind(*until));
            let from = stopped.map_or_else(Moment::now, |(_, since, _)| since);
            if !self.environment.signal_warden(pid, Signal::KILL) {
                continue;
            }
            while is_alive(pid) {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.fault_log.gap(Gap { from, to: Moment::now() });
            match fault {
                Some(fault) => self.fault_log.did(fault, &pid.to_string()),
                None => self.fault_log.note(&format!("with its warden {pid}")),
            }
        }
    }

    fn stop_daemon(&mut self, duration: Duration) {
        if self.lasts(|lasting| matches!(lasting, Lasting::DaemonStopped(_))) {
            return;
        }
        if let Some(pid) = self.supervisor.pid()
            && self.supervisor.stop()
        {
            self.fault_log.did(Fault::StopDaemon, &format!("{pid} for {duration:?}"));
            self.lasting.push((Instant::now() + duration, Lasting::DaemonStopped(pid)));
        }
    }

    fn stop_warden(&mut self, duration: Duration) {
        if self.lasts(|lasting| matches!(lasting, Lasting::WardenStopped(_))) {
            return;
        }
        let since = Moment::now();
        if let Some(pid) = self.environment.wardens().first().copied()
            && self.environment.signal_warden(pid, Signal::STOP)
        {
            self.fault_log.did(Fault::StopWarden, &format!("{pid} for {duration:?}"));
            self.warden_stopped = Some((pid, since, None));
            self.lasting.push((Instant::now() + duration, Lasting::WardenStopped(pid)));
        }
    }

    fn fill_disk(&mut self, duration: Duration) {
        if self.environment.disk.is_some() && !self.lasts(|lasting| lasting == Lasting::DiskFull) {
            self.environment.fill_disk();
            self.fault_log.did(Fault::FillDisk, &format!("for {duration:?}"));
            self.lasting.push((Instant::now() + duration, Lasting::DiskFull));
        }
    }

    fn move_clock(&mut self, by: TimeDelta) {
        if self.environment.can_move_clock() {
            let by = if self.environment.offset() + by < -BEHIND { -by } else { by };
            self.environment.move_clock(by);
            self.fault_log.did(Fault::MoveClock, &format!("by {} s", by.num_seconds()));
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
            self.fault_log.note(&format!("over: {lasting:?}"));
            match lasting {
                Lasting::DaemonStopped(pid) if self.supervisor.pid() == Some(pid) => self.supervisor.go_on(),
                Lasting::DaemonStopped(_) => {}
                Lasting::WardenStopped(pid) => {
                    self.environment.signal_warden(pid, Signal::CONT);
                    if let Some((_, _, until)) = &mut self.warden_stopped {
                        *until = Some(Instant::now());
                    }
                }
                Lasting::DiskFull => self.environment.free_disk(),
            }
        }
    }
}

/// Only kills the daemon, so many times, as fast as possible.
pub(crate) fn kill_often(
    environment: &Environment,
    supervisor: &mut DaemonSupervisor,
    fault_log: &FaultLog,
    (kills, seed): (u64, u64),
    (until, over): (Option<Instant>, &AtomicBool),
) {
    let mut random = Random::fork(seed, "kills");
    let is_late = || until.is_some_and(|until| Instant::now() >= until);
    while fault_log.count(Fault::KillDaemon) < kills && !is_late() && !over.load(Ordering::SeqCst) {
        supervisor.keep(environment);
        let pause = if random.once_in(3) { random.millis(0, 30) } else { random.millis(20, 150) };
        std::thread::sleep(pause);
        let pid = supervisor.pid();
        if supervisor.kill(environment, Duration::ZERO) {
            fault_log.did(Fault::KillDaemon, &format!("{pid:?}, after {pause:?}"));
        }
    }
}
