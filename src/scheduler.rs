//! What to do now: a state machine without I/O.
//!
//! Events go in ([`Event`]: a tick, an attempt ended, the registry changed, an operator's request), a [`Step`] comes
//! out: the entries to write first, then the attempts to start, and what to tell people. The caller commits the
//! entries of a step before it acts on the rest of it. No clock, no database and no process is touched here, so that a
//! test can run years in a second; the cost of an event grows with the jobs that it concerns, never with the jobs
//! registered or the rows in the ledger.

mod adopt;
mod aftermath;
mod lane;
mod note;
mod request;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::job::{Dependency, Job, JobName};
use crate::session::{AttemptEnd, AttemptKey, Entry, Request, SessionKey, State, Trigger};
use lane::{Lane, Neighbours, Turn};

pub use crate::session::Recovered;
pub use note::{Adding, Note};
pub use view::{Block, JobView, in_zone};

/// A date recorded later than this after it was due counts as missed: its trigger is `catch-up`.
const ON_TIME: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// What the scheduler is told.
#[derive(Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// An attempt ended.
    Ended {
        /// Which one.
        attempt: AttemptKey,
        /// How.
        end: AttemptEnd,
    },
    /// The registry was read.
    Registry(Vec<Arc<Job>>),
    /// An operator asks for something.
    Request(Request),
    /// The daemon stops: nothing is started from now on.
    Stop,
}

/// What follows from an event.
#[derive(Debug, Default)]
pub struct Step {
    /// Written first, in one transaction.
    pub entries: Vec<Entry>,
    /// Started once the entries are durable.
    pub starts: Vec<Start>,
    /// Told to people once the entries are durable.
    pub notes: Vec<Note>,
}

/// An attempt to start.
#[derive(Debug, Clone)]
pub struct Start {
    /// Which one.
    pub attempt: AttemptKey,
    /// What made it happen.
    pub trigger: Trigger,
    /// What to start.
    pub job: Arc<Job>,
    /// The date of the schedule before this one.
    pub previous: Option<DateTime<Utc>>,
    /// The date of the schedule after this one.
    pub next: Option<DateTime<Utc>>,
    /// The newest date that succeeded.
    pub last_success: Option<DateTime<Utc>>,
}

/// The scheduler; see the module's page.
#[derive(Debug)]
pub struct Scheduler {
    host: String,
    max_running: usize,
    lanes: BTreeMap<JobName, Lane>,
    /// Jobs that could start a date now, by whose turn it is: the step in which they became ready, then the date.
    turns: BTreeSet<(u64, DateTime<Utc>, JobName)>,
    /// When each job wants to be looked at again.
    timers: BTreeSet<(DateTime<Utc>, JobName)>,
    dependents: HashMap<JobName, Vec<JobName>>,
    running: usize,
    step: u64,
    now: DateTime<Utc>,
    horizon: Option<DateTime<Utc>>,
    has_registry: bool,
    stopping: bool,
}

impl Scheduler {
    /// Takes up a ledger where it was left. Nothing is decided until the registry is told.
    #[must_use]
    pub fn new(recovered: Recovered, host: &str, max_running: usize, now: DateTime<Utc>) -> Self {
        let mut lanes: BTreeMap<JobName, Lane> =
            recovered.jobs.into_iter().map(|record| (record.name.clone(), Lane::new(record))).collect();
        for session in recovered.sessions {
            if let Some(lane) = lanes.get_mut(&session.key.job) {
                lane.restore(session);
            }
        }
        for name in recovered.settled {
            if let Some(lane) = lanes.get_mut(&name) {
                lane.has_settled = true;
            }
        }
        let mut running = 0;
        for attempt in recovered.open {
            if let Some(lane) = lanes.get_mut(&attempt.key.session.job) {
                lane.running.push(attempt.key);
                running += 1;
            }
        }
        Self {
            host: host.to_owned(),
            max_running,
            lanes,
            turns: BTreeSet::new(),
            timers: BTreeSet::new(),
            dependents: HashMap::new(),
            running,
            step: 0,
            now,
            horizon: None,
            has_registry: false,
            stopping: false,
        }
    }

    /// Lets only what is due at `horizon` run, whatever the time: one wake.
    pub fn set_horizon(&mut self, horizon: DateTime<Utc>) {
        self.horizon = Some(horizon);
    }

    /// Sets how many attempts may run at once; those already running are left alone.
    pub fn set_max_running(&mut self, max_running: usize) {
        self.max_running = max_running;
    }

    /// Decides what follows from `event`. Pure, so that a test can replay any day.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: DateTime<Utc>) -> Step {
        let mut step = Step::default();
        self.step += 1;
        self.notice_time(now, &mut step);
        match event {
            Event::Tick => self.tick(&mut step),
            Event::Ended { attempt, end } => self.ended(&attempt, end, &mut step),
            Event::Registry(jobs) => self.adopt_registry(jobs, &mut step),
            Event::Request(request) => self.answer(&request, &mut step),
            Event::Stop => self.stopping = true,
        }
        self.start_ready(&mut step);
        step
    }

    /// When the next tick can change something, and for which job; `None` if only events can.
    #[must_use]
    pub fn next_wake(&self) -> Option<(DateTime<Utc>, &JobName)> {
        let first = self.timers.first().filter(|(at, _)| self.horizon.is_none_or(|horizon| *at <= horizon));
        first.map(|(at, name)| (*at, name))
    }

    /// A job of the registry in force.
    #[must_use]
    pub fn job(&self, name: &JobName) -> Option<Arc<Job>> {
        self.lanes.get(name)?.job.clone()
    }

    /// The time of the last event.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// How many dates of all jobs are due and not settled.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.lanes.values().filter(|lane| lane.job.is_some()).map(Lane::behind).sum()
    }

    /// The attempts that are open.
    #[must_use]
    pub fn open_attempts(&self) -> Vec<AttemptKey> {
        self.lanes.values().flat_map(|lane| lane.running.iter().cloned()).collect()
    }

    /// Says whether an attempt is open.
    #[must_use]
    pub fn is_open(&self, attempt: &AttemptKey) -> bool {
        self.lanes.get(&attempt.session.job).is_some_and(|lane| lane.running.contains(attempt))
    }

    /// How many attempts are open.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running
    }

    /// Says whether nothing is open, and nothing could be started or recorded by now (or by the horizon).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let due = self.timers.first().is_some_and(|(at, _)| *at <= self.effective_now());
        self.running == 0 && (self.stopping || (self.turns.is_empty() && !due))
    }

    /// The time by which things are due: now, or the horizon if that is earlier.
    fn effective_now(&self) -> DateTime<Utc> {
        self.horizon.map_or(self.now, |horizon| horizon.min(self.now))
    }

    /// Takes note of the time. A clock that was set back would put retries off for as long as it was wrong.
    fn notice_time(&mut self, now: DateTime<Utc>, step: &mut Step) {
        let back = self.now - now;
        self.now = now;
        if back > chrono::TimeDelta::seconds(1) {
            step.notes.push(Note::ClockSetBack { by: back.to_std().unwrap_or_default() });
            let names: Vec<JobName> = self.lanes.keys().cloned().collect();
            for name in names {
                if let Some(lane) = self.lanes.get_mut(&name) {
                    lane.shorten_retries(now, step);
                }
                self.reconsider(&name, step);
            }
        }
    }

    fn tick(&mut self, step: &mut Step) {
        let now = self.effective_now();
        let mut concerned = Vec::new();
        while let Some((at, name)) = self.timers.pop_first() {
            if at > now {
                self.timers.insert((at, name));
                break;
            }
            if let Some(lane) = self.lanes.get_mut(&name) {
                lane.timer = None;
            }
            concerned.push(name);
        }
        for name in concerned {
            self.reconsider(&name, step);
        }
    }

    /// Records what is due of a job, and sees whether it can start a date now, or when to look again.
    fn reconsider(&mut self, name: &JobName, step: &mut Step) {
        let now = self.effective_now();
        let Some(lane) = self.lanes.get_mut(name) else { return };
        let settled = lane.record_due(now, self.now, step);
        let (turn, timer) = (lane.turn.take(), lane.timer.take());
        let recording = lane.next_recording(now);
        let job = lane.job.clone();
        if let Some((number, date)) = turn {
            self.turns.remove(&(number, date, name.clone()));
        }
        if let Some(at) = timer {
            self.timers.remove(&(at, name.clone()));
        }
        let blocked_from = job.and_then(|job| self.blocked_from(&job));
        let candidate = self.lanes.get(name).map_or(Turn::None, |lane| lane.candidate(now, blocked_from));
        let mut at = recording;
        let mut turn_now = None;
        match candidate {
            // A job that was ready before keeps its place among the others.
            Turn::Now(date) => turn_now = Some((turn.map_or(self.step, |(number, _)| number), date)),
            Turn::At(retry) => at = Some(at.map_or(retry, |at| at.min(retry))),
            Turn::None => {}
        }
        if let Some((number, date)) = turn_now {
            self.turns.insert((number, date, name.clone()));
        }
        if let Some(at) = at {
            self.timers.insert((at, name.clone()));
        }
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.turn = turn_now;
            lane.timer = at;
        }
        if settled {
            self.reconsider_dependents(name, step);
        }
    }

    /// The first date that the dependencies of `job` do not let start: it waits, and so does every later one.
    fn blocked_from(&self, job: &Job) -> Option<DateTime<Utc>> {
        let first = |name: &JobName| match self.lanes.get(name) {
            Some(lane) if lane.has_settled => lane.unsettled_until(DateTime::<Utc>::MAX_UTC),
            _ => Some(DateTime::<Utc>::MIN_UTC),
        };
        job.depends_on.iter().filter_map(|dependency| first(&dependency.job)).min()
    }

    /// The first dependency of `job` that does not let `date` start, with the date of it that is not settled.
    fn missing_dependency(&self, job: &Job, date: DateTime<Utc>) -> Option<Block> {
        job.depends_on.iter().find_map(|Dependency { job: name, .. }| {
            let Some(lane) = self.lanes.get(name) else {
                return Some(Block::Dependency { job: name.clone(), date: None });
            };
            match lane.unsettled_until(date) {
                Some(unsettled) => Some(Block::Dependency { job: name.clone(), date: Some(unsettled) }),
                None if !lane.has_settled => Some(Block::Dependency { job: name.clone(), date: None }),
                None => None,
            }
        })
    }

    /// Gives free places to the jobs whose turn it is.
    fn start_ready(&mut self, step: &mut Step) {
        while self.running < self.max_running && !self.stopping {
            let Some((_, date, name)) = self.turns.pop_first() else { break };
            if let Some(lane) = self.lanes.get_mut(&name) {
                lane.turn = None;
                let trigger = lane.attempt_trigger(date);
                self.open(&name, date, trigger, step);
                self.reconsider(&name, step);
            }
        }
    }

    /// Opens an attempt at a date of which the lane has an unsettled session.
    fn open(&mut self, name: &JobName, date: DateTime<Utc>, trigger: Trigger, step: &mut Step) -> Option<AttemptKey> {
        let (now, host) = (self.now, self.host.clone());
        let lane = self.lanes.get_mut(name)?;
        let job = lane.job.clone()?;
        let generation = lane.record.generation;
        let session = lane.sessions.get_mut(&date)?;
        let from = session.state.word();
        session.attempts += 1;
        let key = SessionKey { job: name.clone(), generation, date };
        let attempt = AttemptKey { session: key, number: session.attempts };
        lane.change(date, State::Running);
        lane.running.push(attempt.clone());
        self.running += 1;
        step.entries.push(Entry::Open { attempt: attempt.clone(), from, trigger, host, started_at: now });
        step.notes.push(Note::Opened { attempt: attempt.clone(), trigger, behind: lane.behind() });
        let timetable = &job.timetable;
        let Neighbours { previous, next } = lane.neighbours(date).unwrap_or_else(|| Neighbours {
            previous: timetable.previous_before(date),
            next: timetable.next_after(date).ok().flatten(),
        });
        step.starts.push(Start {
            attempt: attempt.clone(),
            trigger,
            previous,
            next,
            last_success: lane.record.last_success,
            job,
        });
        Some(attempt)
    }

    fn ended(&mut self, attempt: &AttemptKey, end: AttemptEnd, step: &mut Step) {
        let name = attempt.session.job.clone();
        let (now, due_by) = (self.now, self.effective_now());
        let Some(lane) = self.lanes.get_mut(&name) else { return };
        let Some(place) = lane.running.iter().position(|open| open == attempt) else { return };
        lane.running.swap_remove(place);
        self.running -= 1;
        let settled = lane.close(attempt, end, now, due_by, step);
        self.reconsider(&name, step);
        if settled {
            self.reconsider_dependents(&name, step);
        }
    }

    fn reconsider_dependents(&mut self, name: &JobName, step: &mut Step) {
        for dependent in self.dependents.get(name).cloned().unwrap_or_default() {
            self.reconsider(&dependent, step);
        }
    }
}
