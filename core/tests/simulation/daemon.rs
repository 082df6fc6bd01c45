//! The daemon: the production engine and scheduler in a shell as thin as `src/daemon.rs`, taken apart into single actions,
//! so that it can die between any two of them.

pub(crate) mod hand;
pub(crate) mod scribe;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use crontabber_core::control::WardenState;
use crontabber_core::control::commit_queue::Order;
use crontabber_core::control::{Control, Greeting, PROBE};
use crontabber_core::scheduler::{Event, Scheduler, Start};
use crontabber_core::session::{AttemptKey, Outcome, Recovered, Request};

use crate::Held;
use crate::calendar::At;
use crate::checks;
use crate::link::{Ask, Launch, Link};
use crate::machine::SECOND;
use crate::plan::Registry;
use crate::world::World;
use hand::Hand;
use scribe::LedgerThread;

pub(crate) const HOST: &str = "here";

/// So long it may take to say whether a date is done, where the job does not say.
const LONGEST_PROBE: Duration = Duration::from_mins(10);

/// What arrives from the other threads.
#[derive(Debug)]
pub(crate) enum Message {
    /// A warden is there, and knows this.
    Found(u64, WardenState),
    LedgerThread(LedgerEvent),
}

/// What the scribe says.
#[derive(Debug)]
pub(crate) enum LedgerEvent {
    Committed(u64),
    Requests(Vec<Request>),
    NotStarted(Vec<AttemptKey>),
    Trouble,
    Recovered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Reload,
    Stop,
    Wake,
}

/// What a daemon is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Serve,
    /// One wake.
    Once,
    /// To do what operators ask for, where nobody serves.
    Operate,
}

/// How far a stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopping {
    /// What runs may end by itself until then.
    Waiting(i64),
    Terminating,
    Killing,
    HandingOver,
    Leaving,
}

/// Where the daemon is in its loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It waits for something to happen.
    Wait,
    /// It takes all messages there are.
    Drain,
}

/// What was known when the entries of a commit were decided.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) registry: Rc<Registry>,
    pub(crate) mode: Mode,
    /// How many attempts may run at once.
    pub(crate) places: usize,
    pub(crate) starts: Vec<Start>,
    /// The least and the greatest time that the engine was told.
    pub(crate) times: Option<(At, At)>,
}

pub(crate) struct Daemon {
    pub(crate) mode: Mode,
    pub(crate) engine: Control,
    pub(crate) registry: Rc<Registry>,
    pub(crate) inbox: VecDeque<Message>,
    pub(crate) signals: VecDeque<Signal>,
    pub(crate) scribe: LedgerThread,
    pub(crate) hand: Hand,
    pub(crate) stopping: Option<Stopping>,
    /// Open attempts of an earlier daemon that are not waited for.
    left_alone: HashSet<AttemptKey>,
    place: Place,
    /// When it looks again for what comes without a message.
    pub(crate) looks_at: Option<i64>,
    times: Option<(At, At)>,
    /// It was killed in the middle of something.
    pub(crate) dies: bool,
}

/// What is read of the ledger at the start: all that is unsettled, and what operators want ended.
pub(crate) type Found = (Recovered, Vec<Request>);

/// A daemon's beginning.
pub(crate) enum Life {
    Down {
        until: i64,
    },
    /// The registry and the ledger were read.
    Loaded {
        registry: Rc<Registry>,
        found: Found,
        scribe: LedgerThread,
    },
    /// And the warden was found.
    Hired {
        registry: Rc<Registry>,
        found: Found,
        scribe: LedgerThread,
        hand: Hand,
        known: WardenState,
    },
    Up(Box<Daemon>),
}

impl Daemon {
    /// What the engine is told now.
    fn note(&mut self, now: At) -> At {
        let (least, greatest) = self.times.unwrap_or((now, now));
        self.times = Some((least.min(now), greatest.max(now)));
        now
    }

    /// Says whether the loop has something to do now.
    pub(crate) fn is_awake(&self, now: At, monotonic: i64, links: &BTreeMap<u64, Link>) -> bool {
        let due = || self.stopping.is_none() && self.engine.scheduler.next_wake().is_some_and(|(at, _)| at <= now);
        self.place != Place::Wait
            || !self.inbox.is_empty()
            || !self.signals.is_empty()
            || self.hand.has_word(links)
            || self.looks_at.is_some_and(|at| at <= monotonic)
            || (self.engine.may_decide() && due())
            || self.is_done()
    }

    fn is_done(&self) -> bool {
        let written = self.engine.is_settled() || !self.engine.is_writable();
        let is_left = self.stopping == Some(Stopping::HandingOver);
        let waits = || self.engine.given_out().any(|attempt| !self.left_alone.contains(attempt));
        let ended = written && (is_left || !waits());
        let has_served = self.stopping.is_some()
            || match self.mode {
                Mode::Serve => false,
                Mode::Once => self.engine.scheduler.is_idle(),
                Mode::Operate => self.engine.has_heard_requests() && !self.engine.scheduler.has_pending(),
            };
        self.stopping == Some(Stopping::Leaving) || (has_served && ended)
    }

    /// Says whether nothing is under way.
    pub(crate) fn rests(&self) -> bool {
        self.place == Place::Wait && self.inbox.is_empty() && self.engine.is_settled() && self.engine.in_flight() == 0
    }

    fn ask(&mut self, ask: Ask, world: &mut World) {
        // It may be killed before any of several things that it sends.
        self.dies = self.dies || world.random.once_in(world.odds.fault);
        if !self.dies {
            self.hand.send(ask, &mut world.links);
        }
    }

    fn order(&mut self, order: Order<Launch>, context: Option<Context>) {
        if !self.dies {
            self.scribe.order(order, context);
        }
    }

    fn greet(&mut self, greeting: Greeting, world: &mut World) -> Held {
        if let Some(stranger) = greeting.strangers.first() {
            return Err(format!("P6: {stranger} runs, and the daemon does not know it"));
        }
        checks::may_forget(&world.ledger, &greeting.forget)?;
        self.ask(Ask::Forget(greeting.forget), world);
        for open in greeting.watch {
            self.ask(Ask::Watch(open), world);
        }
        self.ask(Ask::Ready, world);
        Ok(())
    }

    pub(crate) fn flush(&mut self, world: &mut World) -> Held {
        for attempt in self.engine.take_kills() {
            self.ask(Ask::End { attempt, outcome: Outcome::Cancelled, at_once: false }, world);
        }
        let Some(commit) = self.engine.flush() else {
            self.times = None;
            return self.release(0, world);
        };
        let mut launches = Vec::new();
        let probes = commit.probes.iter().map(|probe| {
            let attempt = AttemptKey { number: PROBE, ..probe.attempt.clone() };
            (attempt, probe, Some(probe.job.timeout.unwrap_or(LONGEST_PROBE)))
        });
        let starts = commit.starts.iter().map(|start| (start.attempt.clone(), start, start.job.timeout));
        for (attempt, start, timeout) in starts.chain(probes) {
            if world.machine.misses() {
                let (outcome, detail) = (Outcome::Failed { code: 125 }, "its environment cannot be read".to_owned());
                let now = world.machine.now();
                self.note(now);
                self.engine.not_started(&attempt, outcome, detail, now);
            } else {
                launches.push(Launch { attempt, timeout, kill_grace: start.job.kill_grace });
            }
        }
        let (registry, times) = (self.registry.clone(), self.times);
        if launches.len() == commit.starts.len() + commit.probes.len() {
            self.times = None;
        }
        let context = Context { registry, mode: self.mode, places: self.places(), starts: commit.starts, times };
        let order = Order::Commit { number: commit.number, entries: commit.entries, launches };
        self.order(order, Some(context));
        Ok(())
    }

    fn release(&mut self, number: u64, world: &mut World) -> Held {
        let now = world.machine.now();
        let released = self.engine.released(number, now);
        checks::may_tell(&world.ledger, &released.notes)?;
        checks::may_forget(&world.ledger, &released.forget)?;
        if !released.forget.is_empty() {
            self.ask(Ask::Forget(released.forget), world);
        }
        for open in released.watch {
            self.ask(Ask::Watch(open), world);
        }
        Ok(())
    }

    /// One action. Says whether the daemon goes on.
    pub(crate) fn step(&mut self, world: &mut World) -> Result<bool, String> {
        match self.place {
            Place::Wait => {
                self.place = Place::Drain;
                let (listens, hears) = (world.random.once_in(2), world.random.once_in(2));
                if self.hand.has_word(&world.links) && (hears || self.inbox.is_empty()) {
                    self.hear(world)?;
                } else if let Some(signal) = self.signals.pop_front_if(|_| listens || self.inbox.is_empty()) {
                    self.signal(signal, world);
                } else {
                    self.take(world)?;
                }
            }
            Place::Drain if !self.inbox.is_empty() => self.take(world)?,
            Place::Drain => {
                self.look(world)?;
                if self.is_done() {
                    return Ok(false);
                }
                if self.stopping.is_none() {
                    let now = self.note(world.machine.now());
                    self.engine.tick(now);
                }
                self.flush(world)?;
                self.place = Place::Wait;
            }
        }
        Ok(true)
    }

    fn take(&mut self, world: &mut World) -> Held {
        let now = self.note(world.machine.now());
        let message = self.inbox.pop_front();
        world.trace.note(|| format!("          hears {message:?}"));
        match message {
            Some(Message::Found(link, known)) => {
                self.hand = Hand::new(link);
                let greeting = self.engine.greet(known, now);
                self.greet(greeting, world)?;
            }
            Some(Message::LedgerThread(LedgerEvent::Committed(number))) => self.release(number, world)?,
            Some(Message::LedgerThread(LedgerEvent::Requests(requests))) => self.engine.take_requests(requests, now),
            Some(Message::LedgerThread(LedgerEvent::NotStarted(attempts))) => self.engine.refused(attempts, now),
            Some(Message::LedgerThread(LedgerEvent::Trouble)) => self.engine.set_writable(false),
            Some(Message::LedgerThread(LedgerEvent::Recovered)) => self.engine.set_writable(true),
            None => {}
        }
        Ok(())
    }

    /// Hears the warden, which has something to say.
    fn hear(&mut self, world: &mut World) -> Held {
        for report in self.hand.hear(&mut world.links) {
            world.trace.note(|| format!("          hears {report:?}"));
            let now = self.note(world.machine.now());
            if let Some(attempt) = self.engine.hear(report, now) {
                checks::may_forget(&world.ledger, std::slice::from_ref(&attempt))?;
                self.ask(Ask::Forget(vec![attempt]), world);
            }
        }
        self.wants_look(world);
        Ok(())
    }

    fn signal(&mut self, signal: Signal, world: &mut World) {
        let now = self.note(world.machine.now());
        match signal {
            Signal::Stop => self.begin_or_hasten_stop(world),
            Signal::Reload if self.stopping.is_none() => self.adopt(world.plan.registry.clone(), now),
            Signal::Wake => self.engine.handle(Event::Tick, now),
            Signal::Reload => {}
        }
    }

    fn adopt(&mut self, registry: Rc<Registry>, now: At) {
        self.registry = registry;
        self.engine.scheduler.set_max_running(self.places());
        self.engine.scheduler.set_pools(self.registry.pools.clone());
        self.engine.handle(Event::Registry(self.registry.list()), now);
    }

    fn places(&self) -> usize {
        if self.mode == Mode::Operate { 0 } else { self.registry.max_running }
    }

    fn begin_or_hasten_stop(&mut self, world: &mut World) {
        let end = |at_once| move |attempt| Ask::End { attempt, outcome: Outcome::Interrupted, at_once };
        let open = self.engine.scheduler.open_attempts();
        self.stopping = Some(match self.stopping {
            None => {
                self.scribe.stops = true;
                self.engine.handle(Event::Stop, world.machine.now());
                Stopping::Waiting(world.machine.monotonic + world.random.between(0, 60 * SECOND))
            }
            Some(Stopping::Killing | Stopping::Leaving) => Stopping::Leaving,
            Some(before) => {
                open.into_iter().map(end(true)).for_each(|ask| self.ask(ask, world));
                let is_away = !self.engine.is_writable();
                if is_away && before != Stopping::HandingOver { Stopping::Leaving } else { Stopping::Killing }
            }
        });
        self.wants_look(world);
    }

    /// Something may have happened of which nobody sends word.
    pub(crate) fn wants_look(&mut self, world: &World) {
        self.looks_at.get_or_insert(world.machine.monotonic + SECOND);
    }

    fn look(&mut self, world: &mut World) -> Held {
        if let Some(Stopping::Waiting(until)) = self.stopping
            && until <= world.machine.monotonic
        {
            self.stopping = Some(Stopping::HandingOver);
            if world.random.once_in(2) {
                for attempt in self.engine.scheduler.open_attempts() {
                    self.ask(Ask::End { attempt, outcome: Outcome::Interrupted, at_once: false }, world);
                }
                self.stopping = Some(Stopping::Terminating);
            }
        }
        if self.looks_at.is_none_or(|at| at > world.machine.monotonic) {
            return Ok(());
        }
        self.looks_at = None;
        if let Some(entries) = self.engine.take_later() {
            self.order(Order::Write(entries), None);
        }
        self.flush(world)?;
        let is_asked = self.stopping.is_none() && self.engine.wants_requests();
        if is_asked {
            self.order(Order::Requests, None);
        }
        if self.stopping.is_some() || self.mode != Mode::Serve || world.ledger.has_unanswered() {
            self.wants_look(world);
        }
        Ok(())
    }
}

/// A daemon with all that it needs to begin, as far as its first decisions.
pub(crate) fn begin(
    (registry, (recovered, kills), known): (Rc<Registry>, Found, WardenState),
    (scribe, hand): (LedgerThread, Hand),
    mode: Mode,
    world: &mut World,
) -> Result<Daemon, String> {
    let now = world.machine.now();
    let open = recovered.open.clone();
    let mut scheduler = Scheduler::new(recovered, HOST, 0, now);
    if mode == Mode::Once {
        scheduler.set_horizon(now);
    }
    let mut daemon = Daemon {
        mode,
        engine: Control::new(scheduler),
        registry: registry.clone(),
        inbox: VecDeque::new(),
        signals: VecDeque::new(),
        scribe,
        hand,
        stopping: None,
        left_alone: HashSet::new(),
        place: Place::Drain,
        looks_at: Some(world.machine.monotonic + SECOND),
        times: Some((now, now)),
        dies: false,
    };
    daemon.engine.recall(kills, now);
    daemon.adopt(registry, now);
    let greeting = daemon.engine.take_up(open, known, (HOST, Some(&world.machine.boot_id())), now);
    daemon.greet(greeting, world)?;
    if mode == Mode::Operate {
        daemon.left_alone = daemon.engine.scheduler.open_attempts().into_iter().collect();
    }
    daemon.flush(world)?;
    Ok(daemon)
}
