//! The daemon: the production control, driven in single actions as `src/daemon` drives it, so that it can die between any
//! two of them. Nothing is decided here.

pub(crate) mod client;
pub(crate) mod writer;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crontabber_core::control::{
    Configuration, Control, Effect, Input, Mode, Next, Notice, PROBE, Recovery, Time, WardenEvent, WardenState,
};
use crontabber_core::scheduler::{Start, recordings_needed};
use crontabber_core::session::{AttemptKey, Entry, RecordingRange, Recovered, Request, SessionKey};

use crate::Held;
use crate::calendar::At;
use crate::checks;
use crate::link::{Ask, Launch};
use crate::plan::Registry;
use crate::world::World;
use client::Client;
use writer::Writer;

pub(crate) const HOST: &str = "here";

/// How far the wall clock may jump.
pub(crate) const CLOCK_GUARD: Duration = Duration::from_hours(24);

/// The longest time that a probe may take, where the job has no `timeout`.
const LONGEST_PROBE: Duration = Duration::from_mins(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Reload,
    Stop,
    Wake,
}

/// What was known when entries were decided.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) registry: Rc<Registry>,
    pub(crate) mode: Mode,
    /// How many attempts may run at once.
    pub(crate) slots: usize,
    /// How many entries of the batch this and the contexts before it decided.
    pub(crate) end: usize,
    /// The wall clock then.
    pub(crate) time: At,
    /// It was not believed.
    pub(crate) is_clock_held: bool,
    /// What starts when the batch is durable.
    pub(crate) starts: Rc<Vec<Start>>,
}

/// Where the thread that writes is in its loop.
#[derive(Debug)]
enum Stage {
    /// It waits for an input.
    Wait,
    Write(Vec<Entry>),
    ReadRequests,
    LookUp(Vec<SessionKey>),
    ReadRecordings(Vec<RecordingRange>),
    End,
}

pub(crate) struct Daemon {
    pub(crate) mode: Mode,
    pub(crate) control: Control,
    pub(crate) registry: Rc<Registry>,
    /// The registry that was read again, until it is in force.
    reloaded: Option<Rc<Registry>>,
    pub(crate) warden_survives: bool,
    /// What the search for a warden found.
    pub(crate) found: Option<(u64, WardenState)>,
    pub(crate) signals: VecDeque<Signal>,
    writer: Writer,
    pub(crate) client: Client,
    stage: Stage,
    /// An input was taken since the control was asked what is next.
    pub(crate) is_woken: bool,
    /// What was known of the entries that are not at the writer yet.
    gathered: Vec<Context>,
    /// What was known of the entries at the writer.
    contexts: Vec<Context>,
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
        writer: Writer,
    },
    /// And the warden was found.
    Connected {
        registry: Rc<Registry>,
        found: Found,
        writer: Writer,
        client: Client,
        known: WardenState,
    },
    Up(Box<Daemon>),
}

/// The monotonic clock as the control reads it.
fn monotonic(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).expect("after the beginning"))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn configuration(registry: &Registry, warden_survives: bool) -> Configuration {
    Configuration {
        jobs: registry.list(),
        pools: registry.pools.clone(),
        max_running: registry.max_running,
        stop_grace: registry.stop_grace,
        announce_over: registry.announce_over,
        timezone: chrono_tz::Tz::UTC,
        clock_guard: Some(CLOCK_GUARD),
        warden_survives,
    }
}

impl Daemon {
    fn time(world: &World) -> Time {
        Time { wall: world.machine.now(), monotonic: monotonic(world.machine.monotonic) }
    }

    /// When the thread that writes has something to do of itself.
    pub(crate) fn due_at(&self, world: &World) -> Option<i64> {
        match self.stage {
            Stage::Wait => {
                // Requests arrive without a word: they are looked for only when there are some.
                let looks = world.ledger.has_unanswered() || self.mode == Mode::Operate;
                let requests = self.control.requests_at().filter(|_| looks);
                let due = [self.control.due_at(Self::time(world)), requests].into_iter().flatten().min();
                due.map(micros)
            }
            _ => Some(world.machine.monotonic),
        }
    }

    /// Says whether the thread that writes has something to do now.
    pub(crate) fn is_awake(&self, world: &World) -> bool {
        self.is_woken
            || self.found.is_some()
            || self.client.is_readable(&world.links)
            || self.due_at(world).is_some_and(|at| at <= world.machine.monotonic)
    }

    /// Says whether nothing is under way.
    pub(crate) fn rests(&self, world: &World) -> bool {
        let is_idle = !self.is_awake(world) && self.signals.is_empty() && self.control.is_settled();
        let is_idle = is_idle && self.control.clock_hold().is_none();
        is_idle && !self.control.is_stopping() && !world.ledger.has_unanswered()
    }

    fn context(&self, time: Time) -> Context {
        let slots = if self.mode == Mode::Operate { 0 } else { self.registry.max_running };
        let (registry, time) = (self.registry.clone(), time.wall);
        Context {
            registry,
            mode: self.mode,
            slots,
            end: self.control.gathered(),
            time,
            is_clock_held: self.control.clock_hold().is_some(),
            starts: Rc::default(),
        }
    }

    fn handle(&mut self, input: Input, world: &mut World) -> Held {
        let time = Self::time(world);
        self.control.handle(input, time);
        if !self.control.is_reloading()
            && let Some(registry) = self.reloaded.take()
        {
            self.registry = registry;
        }
        self.is_woken = true;
        self.remember_context(time);
        self.perform(world)
    }

    /// Performs all effects. It may be killed before any of them.
    fn perform(&mut self, world: &mut World) -> Held {
        while let Some(effect) = self.control.next_effect() {
            match effect {
                Effect::Start(start) => {
                    let timeout = start.job.timeout;
                    self.launch(&start, start.attempt.clone(), timeout, world)?;
                }
                Effect::Probe(probe) => {
                    let attempt = AttemptKey { number: PROBE, ..probe.attempt.clone() };
                    let timeout = Some(probe.job.timeout.unwrap_or(LONGEST_PROBE));
                    self.launch(&probe, attempt, timeout, world)?;
                }
                Effect::WatchAll(open) => {
                    for open in open {
                        self.ask(Ask::Watch(open), world);
                    }
                    self.ask(Ask::Ready, world);
                }
                Effect::Stop { attempt, outcome, at_once } => self.ask(Ask::End { attempt, outcome, at_once }, world),
                Effect::Forget(attempts) => {
                    checks::may_forget(&world.ledger, &attempts)?;
                    self.ask(Ask::Forget(attempts), world);
                }
                Effect::RetireOtherVersion => self.ask(Ask::Retire, world),
                Effect::Report(Notice::Scheduler(notification)) => checks::may_tell(&world.ledger, &notification)?,
                Effect::Report(Notice::UnknownAttempt { attempt }) => {
                    return Err(format!("P6: {attempt} runs, and the daemon does not know it"));
                }
                Effect::Report(_) => {}
            }
        }
        Ok(())
    }

    fn launch(&mut self, start: &Start, attempt: AttemptKey, timeout: Option<Duration>, world: &mut World) -> Held {
        checks::told_success(start, &world.ledger)?;
        if world.machine.misses() {
            return self.handle(Input::NotStarted { attempt, reason: "no environment".to_owned() }, world);
        }
        self.ask(Ask::Start(Launch { attempt, timeout, kill_grace: start.job.kill_grace }), world);
        Ok(())
    }

    fn ask(&mut self, ask: Ask, world: &mut World) {
        self.dies = self.dies || world.random.once_in(world.odds.fault);
        if !self.dies {
            self.client.send(ask, &mut world.links);
        }
    }

    /// One action of the thread that writes. Says whether the daemon goes on.
    pub(crate) fn step(&mut self, world: &mut World) -> Result<bool, String> {
        match std::mem::replace(&mut self.stage, Stage::Wait) {
            Stage::Wait => self.take_input(world)?,
            Stage::Write(entries) => {
                let is_written = self.writer.commit(&entries, &self.contexts, world)?;
                let input = if is_written {
                    self.contexts.clear();
                    Input::Written
                } else {
                    Input::WriteFailed { entries, error: "it is away".to_owned() }
                };
                self.handle(input, world)?;
            }
            Stage::ReadRequests if world.ledger_is_away() => self.handle(Input::RequestsUnread, world)?,
            Stage::ReadRequests => {
                let requests = world.ledger.unanswered();
                world.trace.note(|| format!("          reads {requests:?}"));
                self.handle(Input::Requests(requests), world)?;
            }
            Stage::LookUp(_) if world.ledger_is_away() => self.handle(Input::LookedUp(None), world)?,
            Stage::LookUp(sessions) => {
                let found = |session: SessionKey| (session.clone(), world.ledger.success_before(&session));
                let found = sessions.into_iter().map(found).collect();
                self.handle(Input::LookedUp(Some(found)), world)?;
            }
            Stage::ReadRecordings(_) if world.ledger_is_away() => self.handle(Input::Recordings(None), world)?,
            Stage::ReadRecordings(ranges) => {
                let recordings = world.ledger.recordings(&ranges);
                self.handle(Input::Recordings(Some(recordings)), world)?;
            }
            Stage::End => return Ok(false),
        }
        if !self.dies {
            self.ask_what_is_next(world)?;
        }
        Ok(true)
    }

    fn take_input(&mut self, world: &mut World) -> Held {
        if let Some((link, known)) = self.found.take() {
            self.client = Client::new(link);
            return self.handle(Input::Warden(WardenEvent::Connected(known)), world);
        }
        for event in self.client.read(&mut world.links) {
            world.trace.note(|| format!("          hears {event:?}"));
            self.handle(Input::Warden(event), world)?;
        }
        Ok(())
    }

    fn ask_what_is_next(&mut self, world: &mut World) -> Held {
        let time = Self::time(world);
        let next = self.control.next(time);
        self.is_woken = false;
        world.note_clock_seen(self.control.clock_seen());
        self.stage = match next {
            Next::Write(entries) => {
                world.trace.note(|| format!("          writes {} entries", entries.len()));
                if self.contexts.is_empty() {
                    self.contexts = std::mem::take(&mut self.gathered);
                    self.contexts.push(Context { end: usize::MAX, ..self.context(time) });
                    let starts = Rc::new(self.control.opening().cloned().collect::<Vec<_>>());
                    self.contexts.iter_mut().for_each(|context| context.starts = Rc::clone(&starts));
                }
                Stage::Write(entries)
            }
            Next::ReadRequests => Stage::ReadRequests,
            Next::LookUp(sessions) => Stage::LookUp(sessions),
            Next::ReadRecordings(ranges) => Stage::ReadRecordings(ranges),
            Next::Wait(_) => Stage::Wait,
            Next::End(_) => Stage::End,
        };
        self.remember_context(time);
        self.perform(world)
    }

    /// Another thread takes a signal, whatever the one that writes is doing.
    pub(crate) fn take_signal(&mut self, world: &mut World) -> Held {
        let Some(signal) = self.signals.pop_front() else { return Ok(()) };
        world.trace.note(|| format!("          takes {signal:?}"));
        let input = match signal {
            Signal::Stop => Input::Stop,
            Signal::Wake => {
                world.machine.believe_clock();
                Input::Wake
            }
            Signal::Reload if !self.control.is_stopping() => {
                let registry = self.reloaded.insert(world.plan.registry.clone());
                Input::Reload(configuration(registry, self.warden_survives))
            }
            Signal::Reload => return Ok(()),
        };
        self.handle(input, world)?;
        if world.random.once_in(2) {
            let time = Self::time(world);
            self.control.advance(time);
            self.remember_context(time);
            self.perform(world)?;
        }
        Ok(())
    }

    fn remember_context(&mut self, time: Time) {
        let context = self.context(time);
        if context.end > self.gathered.last().map_or(0, |last| last.end) {
            self.gathered.push(context);
        }
    }

    /// It dies while a transaction may be on its way.
    pub(crate) fn die(&mut self, world: &mut World) -> Held {
        match &self.stage {
            Stage::Write(entries) => self.writer.die(entries, &self.contexts, world),
            _ => Ok(()),
        }
    }
}

/// A daemon with all that it needs to begin, as far as its first decisions.
pub(crate) fn begin(
    (registry, (mut ledger, kills), warden): (Rc<Registry>, Found, WardenState),
    (writer, client): (Writer, Client),
    mode: Mode,
    world: &mut World,
) -> Result<Daemon, String> {
    let time = Daemon::time(world);
    let warden_survives = world.random.once_in(2);
    let (host, boot_id) = (HOST.to_owned(), Some(world.machine.boot_id()));
    let needed = recordings_needed(&ledger, registry.jobs.values().map(|spec| &*spec.job));
    ledger.recordings = world.ledger.recordings(&needed);
    let recovery = Recovery { ledger, kills, warden, host, boot_id, clock_seen: world.clock_seen };
    let mut daemon = Daemon {
        mode,
        control: Control::start(mode, configuration(&registry, warden_survives), recovery, time),
        registry,
        reloaded: None,
        warden_survives,
        found: None,
        signals: VecDeque::new(),
        writer,
        client,
        stage: Stage::Wait,
        is_woken: true,
        gathered: Vec::new(),
        contexts: Vec::new(),
        dies: false,
    };
    daemon.remember_context(time);
    daemon.perform(world)?;
    Ok(daemon)
}
