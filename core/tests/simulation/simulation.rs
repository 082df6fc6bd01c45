//! One simulation: from a seed to its end, or to the first promise that is broken.

use crontabber_core::control::Mode;

use crate::Held;
use crate::checks::{self, Rest};
use crate::daemon::client::{Client, Receiver};
use crate::daemon::writer::Writer;
use crate::daemon::{self, Daemon, Life, Signal};
use crate::machine::SECOND;
use crate::plan::Pace;
use crate::warden::{Move, Warden};
use crate::world::World;

const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// So many attempts are enough for one simulation.
const ATTEMPTS: u64 = 3000;
/// So many actions without an end are a circle.
const ACTIONS: u64 = 3_000_000;
/// In the end failures stop for so long: longer than any retry waits.
const CALM: i64 = 26 * HOUR;

/// Who acts next.
#[derive(Debug, Clone, Copy)]
enum Actor {
    /// The daemon begins.
    Life,
    /// The thread of the daemon that writes.
    Daemon,
    /// The thread of the daemon that takes signals.
    Signals,
    /// The thread of the daemon that searches for a warden.
    Search,
    Warden(Move),
}

/// What a simulation came to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) seeds: u64,
    pub(crate) actions: u64,
    pub(crate) attempts: u64,
    /// Deaths of the daemon, of the warden and of the machine.
    pub(crate) crashes: u64,
    /// Microseconds, for each job of the registry.
    pub(crate) job_time: i128,
}

impl Figures {
    pub(crate) fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.actions += other.actions;
        self.attempts += other.attempts;
        self.crashes += other.crashes;
        self.job_time += other.job_time;
    }
}

pub(crate) struct Simulation {
    pub(crate) world: World,
    life: Life,
    /// When somebody outside does something next.
    outside_at: i64,
    /// Failures have stopped.
    calm: bool,
    /// It is over when nothing is under way after that.
    over_at: i64,
    is_over: bool,
    pub(crate) figures: Figures,
    choices: Vec<Actor>,
    moves: Vec<Move>,
}

impl Simulation {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            world: World::new(seed),
            life: Life::Down { until: 0 },
            outside_at: HOUR,
            calm: false,
            over_at: i64::MAX,
            is_over: false,
            figures: Figures { seeds: 1, ..Figures::default() },
            choices: Vec::new(),
            moves: Vec::new(),
        }
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self) -> Held {
        let days = match self.world.pace {
            Pace::Days => self.world.random.between(200, 2500),
            Pace::Hours => self.world.random.between(40, 300),
            Pace::Minutes => self.world.random.between(2, 12),
        };
        while self.world.machine.monotonic < days * DAY && self.world.machine.started < ATTEMPTS {
            self.step()?;
        }
        self.world.ledger.verify()?;
        self.become_calm();
        // What is held by then, or became so by what was under way, is seen to twice.
        self.over_at = self.world.machine.monotonic + HOUR;
        while !self.is_over {
            self.step()?;
        }
        self.is_over = false;
        self.set_right();
        self.over_at = self.world.machine.monotonic + CALM;
        while !self.is_over {
            self.step()?;
        }
        self.figures.attempts = self.world.machine.started;
        self.rest().map_or(Ok(()), |rest| rest.ends())?;
        self.world.ledger.verify()
    }

    /// From now on nothing fails.
    fn become_calm(&mut self) {
        let world = &mut self.world;
        world.trace.note(|| "failures have stopped".to_owned());
        self.calm = true;
        world.away_until = 0;
        (world.odds.commit, world.odds.fault) = (0, 0);
        world.machine.workload.fails_once_in = 0;
        world.machine.workload.is_missing_once_in = 0;
        world.machine.workload.is_long_once_in = 0;
        // A clock that is wrong is set right.
        let clocks = world.ledger.jobs.values().filter_map(|job| job.record.watermark).max();
        if let Some(ahead) =
            clocks.map(|watermark| watermark - world.machine.now()).filter(|ahead| ahead.num_seconds() > 0)
        {
            world.machine.step_clock(ahead);
        }
        if let Life::Up(daemon) = &mut self.life {
            daemon.signals.push_back(Signal::Reload);
        }
        self.set_right();
    }

    /// People see to what waits for them.
    fn set_right(&mut self) {
        self.world.set_right();
    }

    /// Says whether nothing is under way.
    fn rests(&self) -> bool {
        let Life::Up(daemon) = &self.life else { return false };
        let nothing_runs = self.world.ledger.open.is_empty() && self.world.machine.next_end().is_none();
        daemon.rests(&self.world) && daemon.mode == Mode::Serve && self.choices.is_empty() && nothing_runs
    }

    /// One action of somebody.
    fn step(&mut self) -> Held {
        self.figures.actions += 1;
        if self.figures.actions > ACTIONS {
            return Err("P8: it never comes to rest".to_owned());
        }
        self.world.machine.monotonic += self.world.random.between(1, 200);
        self.world.machine.end_processes();
        if !self.calm && self.outside_at <= self.world.machine.monotonic {
            return self.act_outside();
        }
        self.find_choices();
        if self.choices.is_empty() {
            self.look_at_rest()?;
            self.is_over = self.over_at <= self.world.machine.monotonic && self.rests();
            if !self.is_over {
                self.wait();
            }
            return Ok(());
        }
        if !self.calm && self.world.random.once_in(self.world.odds.pause) {
            let pause = *self.world.random.pick(&[SECOND / 100, SECOND / 10, SECOND, 10 * SECOND]);
            self.world.machine.monotonic += self.world.random.between(1, pause);
            return Ok(());
        }
        if !self.calm && self.world.random.once_in(self.world.odds.fault) {
            return self.fault();
        }
        let actor = *self.world.random.pick(&self.choices);
        self.act(actor)
    }

    fn find_choices(&mut self) {
        self.choices.clear();
        let world = &self.world;
        let monotonic = world.machine.monotonic;
        let warden_is_busy = world.warden.as_ref().is_some_and(Warden::is_busy);
        match &self.life {
            Life::Down { until } if *until > monotonic => {}
            Life::Loaded { .. } if warden_is_busy => {}
            Life::Up(daemon) => {
                self.choices.extend(daemon.is_awake(world).then_some(Actor::Daemon));
                self.choices.extend((!daemon.signals.is_empty()).then_some(Actor::Signals));
                let searches = daemon.client.receiver == Receiver::Searches && !warden_is_busy;
                self.choices.extend(searches.then_some(Actor::Search));
            }
            _ => self.choices.push(Actor::Life),
        }
        if let Some(warden) = &world.warden {
            self.moves.clear();
            warden.moves(&world.machine, &world.links, &mut self.moves);
            self.choices.extend(self.moves.iter().map(|next| Actor::Warden(*next)));
        }
    }

    /// Nobody can do anything now; time passes until somebody can.
    fn wait(&mut self) {
        let world = &mut self.world;
        let mut times = vec![world.machine.next_end(), world.warden.as_ref().and_then(Warden::next_deadline)];
        times.push((!self.calm).then_some(self.outside_at));
        match &self.life {
            Life::Down { until } => times.push(Some(*until)),
            Life::Up(daemon) => times.push(daemon.due_at(world)),
            _ => {}
        }
        let next = times.into_iter().flatten().min().unwrap_or(i64::MAX);
        let longest = world.machine.monotonic + if self.calm { HOUR } else { 30 * DAY };
        let next = next.clamp(world.machine.monotonic, longest);
        let jobs = i128::try_from(world.plan.registry.jobs.len()).expect("a few");
        self.figures.job_time += i128::from(next - world.machine.monotonic) * jobs;
        world.machine.monotonic = next;
    }

    fn look_at_rest(&self) -> Held {
        let Life::Up(daemon) = &self.life else { return Ok(()) };
        if !daemon.rests(&self.world) || daemon.mode != Mode::Serve || !daemon.control.may_decide() {
            return Ok(());
        }
        self.rest().map_or(Ok(()), |rest| rest.holds())
    }

    /// What is looked at when nothing is under way.
    fn rest(&self) -> Option<Rest<'_>> {
        let Life::Up(daemon) = &self.life else { return None };
        let (now, ledger, machine) = (self.world.now(), &self.world.ledger, &self.world.machine);
        let (registry, calendars, scheduler) =
            (&*daemon.registry, &self.world.plan.calendars, daemon.control.scheduler());
        Some(Rest { now, ledger, registry, calendars, machine, scheduler })
    }

    fn act(&mut self, actor: Actor) -> Held {
        let world = &mut self.world;
        world.trace.note(|| format!("{:>9} {}", world.machine.monotonic / 1000, name(actor, &world.machine.now())));
        match (actor, &mut self.life) {
            (Actor::Warden(next), _) => {
                let Some(mut warden) = world.warden.take() else { return Ok(()) };
                if let Move::Read(link) = next {
                    world.trace.note(|| format!("          reads {:?}", world.links[&link].asks.front()));
                }
                let spawned = warden.make(next, &mut world.machine, &mut world.links);
                if warden.retires {
                    warden.close(&mut world.machine);
                    world.lose_warden();
                } else {
                    world.warden = Some(warden);
                }
                if let Some(attempt) = spawned {
                    world.trace.note(|| format!("          {attempt} runs"));
                    checks::spawned(&attempt, &world.ledger, &world.machine)?;
                }
            }
            (Actor::Daemon, Life::Up(daemon)) => {
                if !daemon.step(world)? {
                    world.trace.note(|| "the daemon has ended".to_owned());
                    world.lose_daemon();
                    let until = world.machine.monotonic + world.random.between(0, 100 * SECOND);
                    self.life = Life::Down { until };
                }
            }
            (Actor::Signals, Life::Up(daemon)) => daemon.take_signal(world)?,
            (Actor::Search, Life::Up(daemon)) => {
                daemon.client.receiver = Receiver::HasFound;
                daemon.found = Some(world.connect());
            }
            _ => self.begin()?,
        }
        if let Life::Up(daemon) = &self.life
            && daemon.dies
        {
            self.world.trace.note(|| "killed meanwhile".to_owned());
            return self.kill_daemon(0);
        }
        Ok(())
    }

    /// A daemon begins, one step after the other.
    fn begin(&mut self) -> Held {
        let world = &mut self.world;
        let monotonic = world.machine.monotonic;
        self.life = match std::mem::replace(&mut self.life, Life::Down { until: monotonic }) {
            Life::Down { .. } if world.ledger_is_away() => Life::Down { until: monotonic + 2 * SECOND },
            Life::Down { .. } => {
                let found = (world.ledger.take(), world.ledger.kills());
                world.checks.restart();
                let writer = Writer::new(world.ledger.epoch);
                Life::Loaded { registry: world.plan.registry.clone(), found, writer }
            }
            Life::Loaded { registry, found, writer } => {
                let (link, known) = world.connect();
                Life::Connected { registry, found, writer, client: Client::new(link), known }
            }
            Life::Connected { registry, found, writer, client, known } => {
                let mode = match world.random.below(12) {
                    0 if !self.calm => Mode::Once,
                    1 if !self.calm => Mode::Operate,
                    _ => Mode::Serve,
                };
                world.trace.note(|| format!("{mode:?}"));
                Life::Up(Box::new(daemon::begin((registry, found, known), (writer, client), mode, world)?))
            }
            up @ Life::Up(_) => up,
        };
        Ok(())
    }

    /// The daemon is killed.
    pub(crate) fn kill_daemon(&mut self, until: i64) -> Held {
        self.figures.crashes += 1;
        let world = &mut self.world;
        let life = std::mem::replace(&mut self.life, Life::Down { until });
        if let Life::Up(mut daemon) = life {
            daemon.die(world)?;
        }
        world.lose_daemon();
        Ok(())
    }

    pub(crate) fn daemon(&mut self) -> Option<(&mut Daemon, &mut World)> {
        match &mut self.life {
            Life::Up(daemon) => Some((daemon, &mut self.world)),
            _ => None,
        }
    }

    pub(crate) fn come_back(&mut self, at: i64) {
        self.outside_at = at;
    }

    /// Where the daemon stands, for people.
    pub(crate) fn tell_daemon(&self) -> String {
        let Life::Up(daemon) = &self.life else { return "no daemon".to_owned() };
        format!(
            "{} entries not written, next wake {:?}",
            daemon.control.gathered(),
            daemon.control.scheduler().next_wake()
        )
    }
}

fn name(actor: Actor, now: &crate::calendar::At) -> String {
    format!("{} {actor:?}", now.format("%Y-%m-%d %H:%M:%S%.3f"))
}
