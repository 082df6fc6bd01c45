//! What goes wrong, and what people do meanwhile.

use chrono::TimeDelta;

use crate::Held;
use crate::daemon::Signal;
use crate::link::Tell;
use crate::machine::SECOND;
use crate::simulation::Simulation;

impl Simulation {
    /// Something goes wrong, between any two actions.
    pub(crate) fn fault(&mut self) -> Held {
        let roll = self.world.random.below(24);
        let downtime = self.downtime();
        let world = &mut self.world;
        let until = world.machine.monotonic + downtime;
        world.trace.note(|| format!("fault {roll}"));
        match roll {
            0..=7 => return self.kill_daemon(until),
            8..=11 => {
                if world.warden.is_some() {
                    self.figures.crashes += 1;
                    world.lose_warden();
                    world.machine.lose_parent();
                }
            }
            12 => {
                self.kill_daemon(until)?;
                self.world.lose_warden();
                self.world.machine.reboot();
            }
            13 | 14 => {
                // The connection breaks, and both live on.
                if let Some((daemon, world)) = self.daemon() {
                    if let Some(link) = daemon.client.link.and_then(|number| world.links.get_mut(&number)) {
                        link.has_daemon = false;
                        let some = world.random.below(link.tells.len() + 1);
                        link.tells.truncate(some);
                    }
                    daemon.client.link = None;
                }
            }
            15 | 16 => self.say_twice(),
            17 => world.outage(),
            18 => self.step_clock(),
            19..=22 => world.post_about_running(),
            _ => self.signal(Signal::Stop),
        }
        Ok(())
    }

    /// The warden says an end once more.
    fn say_twice(&mut self) {
        let world = &mut self.world;
        let Some(link) = world.links.values_mut().find(|link| link.has_daemon && link.has_warden) else { return };
        let known = world.machine.disk.records[..world.machine.disk.flushed].iter().filter_map(|record| match record {
            crate::machine::Record::Ended(attempt, end) => Some(Tell::Ended(attempt.clone(), end.clone())),
            _ => None,
        });
        let known: Vec<Tell> = known.collect();
        if !known.is_empty() {
            link.tells.push_back(world.random.pick(&known).clone());
        }
    }

    /// How long a daemon stays away.
    fn downtime(&mut self) -> i64 {
        let world = &mut self.world;
        let interval = world.pace.interval().num_microseconds().expect("short");
        let longest = *world.random.pick(&[0, SECOND, SECOND, 60 * SECOND, interval, 8 * interval]);
        world.random.between(0, longest)
    }

    fn step_clock(&mut self) {
        let world = &mut self.world;
        let interval = world.pace.interval().num_seconds();
        let most = *world.random.pick(&[2, 100, 3700, interval, 4 * interval]);
        let by = TimeDelta::seconds(world.random.between(-most, most));
        world.trace.note(|| format!("the clock is set by {by}"));
        world.machine.step_clock(by);
        if let Some((daemon, _)) = self.daemon() {
            daemon.is_woken = true;
        }
    }

    fn signal(&mut self, signal: Signal) {
        self.world.trace.note(|| format!("signal {signal:?}"));
        if let Some((daemon, _)) = self.daemon() {
            daemon.signals.push_back(signal);
        }
    }

    /// Somebody outside does something.
    pub(crate) fn act_outside(&mut self) -> Held {
        let interval = self.world.pace.interval().num_microseconds().expect("short");
        let pause = self.world.random.between(0, 20 * interval);
        self.come_back(self.world.machine.monotonic + pause);
        let now = self.world.now();
        match self.world.random.below(20) {
            0..=4 => {
                let world = &mut self.world;
                world.plan.edit(&mut world.random, now);
                world.trace.note(|| format!("the registry is edited: {:?}", world.plan.registry.jobs.keys()));
                if !self.world.random.once_in(4) {
                    self.signal(Signal::Reload);
                }
            }
            5..=10 => {
                self.world.post();
            }
            11 => self.signal(Signal::Stop),
            12 => self.signal(Signal::Wake),
            13 | 14 => self.step_clock(),
            15 | 16 => {
                let downtime = self.downtime();
                return self.kill_daemon(self.world.machine.monotonic + downtime);
            }
            17 => self.world.outage(),
            18 => {
                // A warden with nobody to serve goes.
                let world = &mut self.world;
                let is_free = world.links.values().all(|link| !link.has_daemon && link.asks.is_empty());
                if let Some(mut warden) =
                    world.warden.take_if(|warden| is_free && warden.is_idle() && !warden.is_busy())
                {
                    warden.close(&mut world.machine);
                    world.lose_warden();
                }
            }
            _ => return self.fault(),
        }
        Ok(())
    }
}
