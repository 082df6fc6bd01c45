//! What to do now: a state machine without I/O.
//!
//! Events go in ([`Event`]: a tick, an attempt ended, the registry changed, an operator's request), a [`Step`] comes
//! out: the entries to write first, then the attempts to start, and what to tell people. The caller commits the
//! entries of a step before it acts on the rest of it. No clock, no database and no process is touched here, so that a
//! test can run years in a second; the cost of an event grows with the jobs that it concerns, never with the jobs
//! registered or the rows in the ledger.

mod attempt_end;
mod dependencies;
mod done_when;
mod explain;
mod job_rows;
mod job_state;
mod materialize;
mod notification;
mod queue;
mod recent;
mod registry_update;
mod request;
mod slots;
mod status;
mod step;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::job::{Job, JobName};
use crate::session::{AttemptEnd, AttemptKey, BackfillId, Entry, State, Trigger};
use job_rows::JobRows;
use job_state::{Candidates, JobState, Neighbours};
use recent::Recent;
use slots::{ReadyJob, Slots};

pub use crate::session::Recovered;
pub use explain::{COUNTED, Explanation, Wait};
pub use notification::{Adding, Notification};
pub use status::{BlockReason, JobCondition, JobStatus, Remaining};
pub use step::{Event, Start, Step};

/// The scheduler; see the module's page.
#[derive(Debug)]
pub struct Scheduler {
    host: String,
    /// Boxed: the nodes of a tree that is filled in order stay half empty.
    jobs: BTreeMap<JobName, Box<JobState>>,
    /// Jobs that could start a date now, and how many may.
    slots: Slots,
    /// When each job wants to be looked at again.
    timers: BTreeSet<(DateTime<Utc>, JobName)>,
    dependents: HashMap<JobName, Vec<JobName>>,
    /// Requests that are taken up and not answered yet.
    pending: HashSet<i64>,
    /// What was answered and settled since the ledger was asked last.
    recent: Recent,
    /// Jobs that take over the ledger of a name under which something still runs.
    successors: Vec<Arc<Job>>,
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
        let jobs = job_rows::load(recovered);
        let mut slots = Slots::new(max_running);
        for rows in jobs.values() {
            for attempt in rows.open() {
                let is_backfill = rows.backfill_of(attempt.session.date).is_some();
                slots.take(attempt.session.clone(), None, is_backfill);
            }
        }
        Self {
            host: host.to_owned(),
            jobs: jobs.into_iter().map(|(name, rows)| (name, Box::new(JobState::new(rows)))).collect(),
            slots,
            timers: BTreeSet::new(),
            dependents: HashMap::new(),
            pending: HashSet::new(),
            recent: Recent::default(),
            successors: Vec::new(),
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

    /// Starts nothing from now on, and goes on to say where everything stands.
    pub fn freeze(&mut self) {
        self.slots.freeze();
    }

    /// Sets how many attempts may run at once; those already running are left alone.
    pub fn set_max_running(&mut self, max_running: usize) {
        self.slots.set_most(max_running);
    }

    /// Sets how many attempts each pool lets run at once. Comes before the registry that has them.
    pub fn set_pools(&mut self, pools: BTreeMap<String, usize>) {
        self.slots.set_pools(pools);
    }

    /// Decides what follows from `event`. Pure, so that a test can replay any day.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: DateTime<Utc>) -> Step {
        let mut step = Step::default();
        self.step += 1;
        self.recent.begin_step();
        self.notice_time(now, &mut step);
        match event {
            Event::Tick => self.tick(&mut step),
            Event::Ended { attempt, end } => self.ended(&attempt, end, &mut step),
            Event::Registry(jobs) => self.adopt_registry(jobs, &mut step),
            Event::Request(request) => self.answer(&request, &mut step),
            Event::Probed { session, is_done } => self.probed(&session, is_done, &mut step),
            Event::Stop => self.stopping = true,
        }
        self.start_ready(&mut step);
        self.remember_settled(&step);
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
        self.jobs.get(name)?.job.clone()
    }

    /// The time of the last event.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// How many dates of all jobs are due and not settled.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.jobs.values().filter(|job_state| job_state.job.is_some()).map(|job_state| job_state.behind()).sum()
    }

    /// How many dates of a job's schedule are held: nothing but a person has them attempted again.
    #[must_use]
    pub fn held(&self, name: &JobName) -> u64 {
        let sessions = self.jobs.get(name).map(|job_state| job_state.rows().main().sessions().values());
        let is_held = |session: &&queue::Session| matches!(session.state, State::Held { .. });
        sessions.map_or(0, |sessions| sessions.filter(is_held).count() as u64)
    }

    /// The attempts that are open.
    #[must_use]
    pub fn open_attempts(&self) -> Vec<AttemptKey> {
        self.jobs.values().flat_map(|job_state| job_state.rows().open().iter().cloned()).collect()
    }

    /// Says whether an attempt is open.
    #[must_use]
    pub fn is_open(&self, attempt: &AttemptKey) -> bool {
        self.jobs.get(&attempt.session.job).is_some_and(|job_state| job_state.rows().open().contains(attempt))
    }

    /// Describes what memory holds of the ledger's rows: for a scheduler that has just loaded them, the text is the same.
    #[must_use]
    pub fn describe_rows(&self) -> String {
        let rows: Vec<&JobRows> = self.jobs.values().map(|job_state| job_state.rows()).collect();
        format!("{rows:#?}")
    }

    /// How many attempts are open, and dates asked about.
    #[must_use]
    pub fn running(&self) -> usize {
        self.slots.taken()
    }

    /// Says whether an operator's request is taken up and not answered yet.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Says whether nothing is open, and nothing could be started or recorded by now (or by the horizon).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let due = self.timers.first().is_some_and(|(at, _)| *at <= self.effective_now());
        self.slots.taken() == 0 && (self.stopping || (!self.slots.has_offers() && !due))
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
            step.notes.push(Notification::ClockSetBack { by: back.to_std().unwrap_or_default() });
            let names: Vec<JobName> = self.jobs.keys().cloned().collect();
            for name in names {
                if let Some(job_state) = self.jobs.get_mut(&name) {
                    job_state.shorten_retries(now, step);
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
            if let Some(job_state) = self.jobs.get_mut(&name) {
                job_state.timer = None;
            }
            concerned.push(name);
        }
        for name in concerned {
            self.enter_more(&name, step);
            self.reconsider(&name, step);
        }
    }

    /// Records what is due of a job, and sees whether it can start a date now, or when to look again.
    fn reconsider(&mut self, name: &JobName, step: &mut Step) {
        let now = self.effective_now();
        let Some(job_state) = self.jobs.get_mut(name) else { return };
        job_state.enable_if_over(self.now, step);
        let mut settled = job_state.record_due(now, self.now, step);
        settled |= job_state.skip_late(self.now, step);
        let mut at = [job_state.next_recording(now), job_state.enabled_at(), job_state.entering_at(now)]
            .into_iter()
            .flatten()
            .min();
        if let Some(timer) = job_state.timer.take() {
            self.timers.remove(&(timer, name.clone()));
        }
        let Candidates { of_schedule, of_backfill, later } = self.candidates(name, step);
        at = [at, later].into_iter().flatten().min();
        self.offer(name, 0, of_schedule.map(|date| (date, None)));
        self.offer(name, 1, of_backfill.map(|(date, id)| (date, Some(id))));
        if let Some(at) = at {
            self.timers.insert((at, name.clone()));
        }
        if let Some(job_state) = self.jobs.get_mut(name) {
            job_state.timer = at;
        }
        if settled {
            self.reconsider_dependents(name, step);
        }
    }

    /// Has a job stand in a line with a date, or in none.
    fn offer(&mut self, name: &JobName, queue: usize, wanted: Option<(DateTime<Utc>, Option<BackfillId>)>) {
        let Some(job_state) = self.jobs.get_mut(name) else { return };
        if let Some(before) = job_state.offers[queue].take() {
            self.slots.withdraw(&before);
        }
        let Some(job) = &job_state.job else { return };
        // Whose turn is put off keeps its place among the others until it gets one: what it waits for comes and goes.
        let Some((date, backfill)) = wanted else { return };
        let since = *job_state.since[queue].get_or_insert(self.step);
        let priority = std::cmp::Reverse(job.priority);
        let offer = ReadyJob { priority, since, date, job: name.clone(), pool: job.pool.clone(), backfill };
        self.slots.offer(offer.clone());
        job_state.offers[queue] = Some(offer);
    }

    /// Gives free slots to the jobs whose turn it is.
    fn start_ready(&mut self, step: &mut Step) {
        while !self.stopping {
            let Some(ReadyJob { date, job: name, backfill, .. }) = self.slots.next() else { break };
            let Some(job_state) = self.jobs.get_mut(&name) else { continue };
            let queue = usize::from(backfill.is_some());
            job_state.offers[queue] = None;
            if job_state.is_too_late(date, self.now) {
                self.reconsider(&name, step);
                continue;
            }
            job_state.since[queue] = None;
            let trigger = job_state.attempt_trigger(date);
            if job_state.job.as_ref().is_some_and(|job| job.done_when.is_some()) {
                self.probe(&name, date, step);
            } else {
                self.open(&name, date, trigger, step);
            }
            self.reconsider(&name, step);
            if trigger == Trigger::Retry {
                // Some ignore a failure, and not what runs.
                self.reconsider_dependents(&name, step);
            }
        }
    }

    /// Opens an attempt at a date of which the `job_state` has an unsettled session.
    fn open(&mut self, name: &JobName, date: DateTime<Utc>, trigger: Trigger, step: &mut Step) -> Option<AttemptKey> {
        let (now, host) = (self.now, self.host.clone());
        let job_state = self.jobs.get_mut(name)?;
        let job = job_state.job.clone()?;
        let from = job_state.rows().get(date)?.state.kind();
        let (session, is_backfill) = (job_state.rows().key(date), job_state.rows().backfill_of(date).is_some());
        let attempt = AttemptKey { session, number: job_state.rows().get(date)?.attempts + 1 };
        self.slots.take(attempt.session.clone(), job.pool.clone(), is_backfill);
        job_state.write(Entry::Open { attempt: attempt.clone(), from, trigger, host, started_at: now }, step);
        let behind = if is_backfill { job_state.backfilling() } else { job_state.behind() };
        step.notes.push(Notification::Opened { attempt: attempt.clone(), trigger, behind });
        step.starts.push(job_state.start(attempt.clone(), trigger, job));
        Some(attempt)
    }

    fn ended(&mut self, attempt: &AttemptKey, end: AttemptEnd, step: &mut Step) {
        let name = attempt.session.job.clone();
        let (now, due_by) = (self.now, self.effective_now());
        let Some(job_state) = self.jobs.get_mut(&name) else { return };
        if !job_state.rows().open().contains(attempt) {
            return;
        }
        self.slots.give_back(&attempt.session);
        let outcome = end.outcome;
        job_state.close(attempt, end, now, due_by, step);
        self.answer_kills(attempt, outcome, step);
        self.probe_if_lost(attempt, outcome, step);
        self.reconsider(&name, step);
        // A failure, too, may be what another job waits for.
        self.reconsider_dependents(&name, step);
        self.adopt_successors(&name, step);
    }

    fn reconsider_dependents(&mut self, name: &JobName, step: &mut Step) {
        for dependent in self.dependents.get(name).cloned().unwrap_or_default() {
            self.reconsider(&dependent, step);
        }
    }
}

impl JobState {
    /// What is started for an attempt.
    fn start(&self, attempt: AttemptKey, trigger: Trigger, job: Arc<Job>) -> Start {
        let date = attempt.session.date;
        let Neighbours { previous, next } = self.neighbours(date).unwrap_or_else(|| {
            // The dates before a job's start are those that it would have had.
            let is_before_start = job.timetable.start().is_some_and(|start| date < start);
            let timetable = if is_before_start { job.timetable.without_start() } else { job.timetable.clone() };
            Neighbours { previous: timetable.previous_before(date), next: timetable.next_after(date).ok().flatten() }
        });
        Start { attempt, trigger, previous, next, last_success: self.rows().record().last_success, job }
    }
}
