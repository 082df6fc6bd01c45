//! What to do now: a state machine without I/O.
//!
//! An [`Event`] goes in, a [`Step`] comes out: the entries to write first, then the attempts to start, and what to
//! report. The caller commits the entries of a step before it acts on the rest. The scheduler touches no clock, no
//! database and no process, so that a test can run years in a second; the cost of an event grows with the jobs that it
//! concerns, not with the jobs registered or the rows in the ledger.

mod attempt_end;
mod attempt_start;
mod catch_up;
mod clock;
mod dependencies;
mod done_when;
mod edit;
mod edited_dates;
mod explain;
mod forecast;
mod job_rows;
mod job_state;
mod lateness;
mod materialize;
mod notification;
mod pause;
mod probable_rename;
mod queue;
mod registry_update;
mod request;
mod slots;
mod status;
mod step;
mod successor;
mod takeover;
mod timetable_edit;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::job::{Job, JobName};
use crate::session::{
    AttemptEnd, AttemptKey, BackfillId, ClockHold, Entry, JobRecordings, Pause, PauseScope, Recording, RecordingRange,
    SessionKey, State, Trigger,
};
use job_rows::JobRows;
use job_state::{Candidates, JobState};
use slots::{ReadyJob, Slots};
use successor::Successor;

pub use crate::session::Recovered;
pub use edited_dates::{EditedDates, ZonedDate};
pub use explain::{COUNTED, Explanation, Wait};
pub use forecast::Forecast;
pub use notification::{Adding, Notification};
pub use status::{BlockReason, JobCondition, JobStatus, Remaining};
pub use step::{Event, LastSuccess, ProbeAnswer, Start, Step};
pub use timetable_edit::recordings_needed;

/// The scheduler; see the module's page.
#[derive(Debug)]
pub struct Scheduler {
    host: String,
    /// Boxed: the nodes of a tree that is filled in order stay half empty.
    jobs: BTreeMap<JobName, Box<JobState>>,
    /// Which jobs are ready, and how many may start.
    slots: Slots,
    /// When the scheduler has to look at each job again.
    timers: BTreeSet<(DateTime<Utc>, JobName)>,
    dependents: HashMap<JobName, Vec<JobName>>,
    /// The pauses in force; only [`Scheduler::write_pause`] changes them.
    pauses: BTreeMap<PauseScope, Pause>,
    /// Requests that are being carried out and not answered yet.
    pending: HashSet<i64>,
    /// Jobs that wait to take over the ledger of their former name, until its open attempts have ended, with the recorded
    /// dates that their edit needs.
    successors: Vec<Successor>,
    /// New jobs that probably are jobs that are gone: they wait for `previously` in the registry.
    probable_renames: BTreeMap<JobName, JobName>,
    /// The stable names of jobs that have another name now. A scan of all jobs for each new one would dominate a first start.
    former_names: HashSet<String>,
    /// The recorded dates that the edits of the next registry need, by the job's name in the ledger.
    recordings: HashMap<JobName, Vec<Recording>>,
    /// An edit that adds more past dates than this is held for an operator.
    announce_over: u64,
    /// The zone of times that belong to no job.
    timezone: Tz,
    step: u64,
    now: DateTime<Utc>,
    horizon: Option<DateTime<Utc>>,
    /// See [`Scheduler::set_clock_hold`].
    clock_hold: Option<ClockHold>,
    has_registry: bool,
    stopping: bool,
}

impl Scheduler {
    /// Continues from what the ledger holds. Nothing starts before the first [`Event::Registry`].
    #[must_use]
    pub fn new(mut recovered: Recovered, host: &str, max_running: usize, now: DateTime<Utc>) -> Self {
        let recordings = std::mem::take(&mut recovered.recordings);
        let pauses = std::mem::take(&mut recovered.pauses);
        let jobs = job_rows::load(recovered);
        let mut slots = Slots::new(max_running);
        for rows in jobs.values() {
            for attempt in &rows.open {
                let is_backfill = rows.backfill_of(attempt.session.date).is_some();
                slots.take(attempt.session.clone(), None, is_backfill);
            }
        }
        let renamed = jobs.values().filter(|rows| rows.record.stable_name != rows.record.name.as_str());
        let former_names = renamed.map(|rows| rows.record.stable_name.clone()).collect();
        Self {
            host: host.to_owned(),
            former_names,
            jobs: jobs.into_iter().map(|(name, rows)| (name, Box::new(JobState::new(rows)))).collect(),
            slots,
            timers: BTreeSet::new(),
            dependents: HashMap::new(),
            pauses: pauses.into_iter().map(|pause| (pause.scope.clone(), pause)).collect(),
            pending: HashSet::new(),
            successors: Vec::new(),
            probable_renames: BTreeMap::new(),
            recordings: by_job(recordings),
            announce_over: u64::MAX,
            timezone: Tz::UTC,
            step: 0,
            now,
            horizon: None,
            clock_hold: None,
            has_registry: false,
            stopping: false,
        }
    }

    /// Runs only the dates that are due at `horizon`, however late it gets: one wake.
    pub fn set_horizon(&mut self, horizon: DateTime<Utc>) {
        self.horizon = Some(horizon);
    }

    /// Starts nothing from now on, and still answers questions.
    pub fn freeze(&mut self) {
        self.slots.frozen = true;
    }

    /// Sets how many attempts may run at once; running attempts are not affected.
    pub fn set_max_running(&mut self, max_running: usize) {
        self.slots.size = max_running;
    }

    /// Sets how many attempts each pool lets run at once. Call it before the registry that uses them.
    pub fn set_pools(&mut self, pools: BTreeMap<String, usize>) {
        self.slots.pools = pools;
    }

    /// Which recorded dates a registry needs: those that its edits concern.
    #[must_use]
    pub fn recordings_needed(&self, jobs: &[Arc<Job>]) -> Vec<RecordingRange> {
        timetable_edit::needed_of(jobs.iter().map(|job| &**job), |name| {
            self.jobs.get(name).map(|job_state| &job_state.rows().record)
        })
    }

    /// Sets what the ledger has in the ranges of [`Scheduler::recordings_needed`]. Call it before the registry that was
    /// edited.
    pub fn set_recordings(&mut self, recordings: Vec<JobRecordings>) {
        self.recordings = by_job(recordings);
    }

    /// Sets how many past dates an edit of the registry may add before it is held for an operator.
    pub fn set_announce_over(&mut self, announce_over: u64) {
        self.announce_over = announce_over;
    }

    /// Sets the zone in which answers show times that belong to no job.
    pub fn set_timezone(&mut self, timezone: Tz) {
        self.timezone = timezone;
    }

    /// Decides what follows from `event`. Pure, so that a test can replay any day.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: DateTime<Utc>) -> Step {
        let mut step = Step { now, believed_now: self.believed(now), ..Step::default() };
        self.step += 1;
        self.notice_time(&mut step);
        self.end_pauses(&mut step);
        match event {
            Event::Tick => self.tick(&mut step),
            Event::Ended { attempt, end } => self.ended(&attempt, end, &mut step),
            Event::Registry(jobs) => self.adopt_registry(jobs, &mut step),
            Event::Request(request) => self.answer(&request, &mut step),
            Event::Probed { session, answer } => self.probed(&session, &answer, &mut step),
            Event::Stop => self.stopping = true,
        }
        self.start_ready(&mut step);
        // A paused job does not catch up.
        step.notes.retain(|note| !matches!(note, Notification::Behind { job, .. } if self.is_paused(job)));
        step
    }

    /// When the next tick can change something, and for which job; `None` if only other events can.
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

    /// How many due dates of all jobs are unsettled.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.jobs.values().filter(|job_state| job_state.job.is_some()).map(|job_state| job_state.behind(self.now)).sum()
    }

    /// How many dates of a job's schedule are held: only an operator can retry them.
    #[must_use]
    pub fn held(&self, name: &JobName) -> u64 {
        let sessions = self.jobs.get(name).map(|job_state| job_state.rows().main.sessions().values());
        let is_held = |session: &&queue::Session| matches!(session.state, State::Held { .. });
        sessions.map_or(0, |sessions| sessions.filter(is_held).count() as u64)
    }

    /// The zone of a session: recorded with it while it is unsettled, else that of the job.
    #[must_use]
    pub fn zone_of(&self, session: &SessionKey) -> Tz {
        self.jobs.get(&session.job).map_or(Tz::UTC, |job_state| job_state.zone_of(session.date))
    }

    /// The open attempts.
    #[must_use]
    pub fn open_attempts(&self) -> Vec<AttemptKey> {
        self.jobs.values().flat_map(|job_state| job_state.rows().open.iter().cloned()).collect()
    }

    /// Whether an attempt is open.
    #[must_use]
    pub fn is_open(&self, attempt: &AttemptKey) -> bool {
        self.jobs.get(&attempt.session.job).is_some_and(|job_state| job_state.rows().open.contains(attempt))
    }

    /// Brings what an attempt is told up to date with what was decided since it was opened.
    pub fn refresh(&self, start: &mut Start) {
        let session = &start.attempt.session;
        if let Some(job_state) = self.jobs.get(&session.job) {
            start.last_success = job_state.last_success_before(session.date);
        }
    }

    /// Describes the ledger rows in memory. A scheduler that has just loaded the ledger returns the same text.
    #[must_use]
    pub fn describe_rows(&self) -> String {
        let rows: Vec<&JobRows> = self.jobs.values().map(|job_state| job_state.rows()).collect();
        format!("{rows:#?}{:#?}", self.pauses)
    }

    /// How many slots are taken: by open attempts, and by dates about which `done_when` is being asked.
    #[must_use]
    pub fn running(&self) -> usize {
        self.slots.taken()
    }

    /// Whether this request is being carried out and not answered yet.
    #[must_use]
    pub fn is_pending(&self, request: i64) -> bool {
        self.pending.contains(&request)
    }

    /// Whether a request is being carried out and not answered yet.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether nothing is open, and nothing can be started or recorded now (or at the horizon).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let due = self.timers.first().is_some_and(|(at, _)| *at <= self.effective_now());
        self.slots.taken() == 0 && (self.stopping || (!self.slots.has_offers() && !due))
    }

    /// The time that decides what is due: now, or the horizon if that is earlier.
    fn effective_now(&self) -> DateTime<Utc> {
        self.horizon.map_or(self.now, |horizon| horizon.min(self.now))
    }

    /// Sets the time. If the clock was set back, brings retries nearer that the later time had put off.
    fn notice_time(&mut self, step: &mut Step) {
        let back = self.now - step.now;
        self.now = step.now;
        if back > chrono::TimeDelta::seconds(1) {
            step.notes.push(Notification::ClockSetBack { by: back.to_std().unwrap_or_default() });
            let names: Vec<JobName> = self.jobs.keys().cloned().collect();
            for name in names {
                if let Some(job_state) = self.jobs.get_mut(&name) {
                    job_state.shorten_retries(step);
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

    /// Records the due dates of a job, offers its next dates for slots, and sets its timer.
    fn reconsider(&mut self, name: &JobName, step: &mut Step) {
        let now = self.effective_now();
        let believed = self.believed(now);
        let paused_until = self.paused_until(name);
        let Some(job_state) = self.jobs.get_mut(name) else { return };
        job_state.enable_if_due(self.announce_over, step);
        let mut settled = false;
        // What is superseded or too late depends on the clock.
        if self.clock_hold.is_none() {
            settled |= job_state.leave_out_too_old(step);
            settled |= job_state.record_due(now, step);
            settled |= job_state.skip_late(step);
        }
        let (have_left, more_leave) = job_state.leave_cancelled(step);
        settled |= have_left;
        let leaving_at = more_leave.then_some(now);
        let answers = if more_leave { Vec::new() } else { std::mem::take(&mut job_state.cancelling) };
        let recording_at = job_state.next_recording(now).filter(|_| self.clock_hold.is_none());
        let late_at = job_state.report_late(believed, step);
        let by_clock = [recording_at, job_state.enabled_at(), paused_until, late_at];
        // What has come due by a clock that is not believed waits for `set_clock_hold`.
        let by_clock = by_clock.into_iter().flatten().filter(|at| *at <= believed || *at > now);
        let mut at = by_clock.chain(job_state.entering_at(now)).chain(leaving_at).min();
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
        if !answers.is_empty() {
            for (request, reply) in answers {
                self.reply(&request, reply, step);
            }
            self.adopt_successors(name, step);
        }
        if settled {
            self.reconsider_dependents(name, step);
        }
    }

    /// Sets or clears the date that a job offers for a slot.
    fn offer(&mut self, name: &JobName, queue: usize, wanted: Option<(DateTime<Utc>, Option<BackfillId>)>) {
        let Some(job_state) = self.jobs.get_mut(name) else { return };
        if let Some(before) = job_state.offers[queue].take() {
            self.slots.withdraw(&before);
        }
        let Some(job) = &job_state.job else { return };
        // A job keeps its turn while what it waits for comes and goes.
        let Some((date, backfill)) = wanted else { return };
        let since = *job_state.since[queue].get_or_insert(self.step);
        let priority = std::cmp::Reverse(job.priority);
        let offer = ReadyJob { priority, since, date, job: name.clone(), pool: job.pool.clone(), backfill };
        self.slots.offer(offer.clone());
        job_state.offers[queue] = Some(offer);
    }

    /// Starts ready jobs in turn while slots are free.
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
                // A dependent may ignore the failure of this date, but not its retry.
                self.reconsider_dependents(&name, step);
            }
        }
    }

    /// Opens an attempt at an unsettled date.
    fn open(&mut self, name: &JobName, date: DateTime<Utc>, trigger: Trigger, step: &mut Step) -> Option<AttemptKey> {
        let (now, host) = (self.now, self.host.clone());
        let job_state = self.jobs.get_mut(name)?;
        let job = job_state.job.clone()?;
        let from = job_state.rows().get(date)?.state.kind();
        let (session, is_backfill) = (job_state.rows().key(date), job_state.rows().backfill_of(date).is_some());
        let attempt = AttemptKey { session, number: job_state.rows().get(date)?.attempts + 1 };
        self.slots.take(attempt.session.clone(), job.pool.clone(), is_backfill);
        job_state.write(Entry::Open { attempt: attempt.clone(), from, trigger, host, started_at: now }, step);
        let behind = if is_backfill { job_state.backfilling() } else { job_state.behind(now) };
        let zone = job_state.zone_of(date);
        step.notes.push(Notification::Opened { attempt: attempt.clone(), zone, trigger, behind });
        step.starts.push(job_state.start(attempt.clone(), trigger, job));
        Some(attempt)
    }

    fn ended(&mut self, attempt: &AttemptKey, end: AttemptEnd, step: &mut Step) {
        let name = attempt.session.job.clone();
        let due_by = self.effective_now();
        let Some(job_state) = self.jobs.get_mut(&name) else { return };
        if !job_state.rows().open.contains(attempt) {
            return;
        }
        self.slots.give_back(&attempt.session);
        let outcome = end.outcome;
        // Memory forgets the zone of a date that settles.
        let zone = job_state.zone_of(attempt.session.date);
        job_state.close(attempt, zone, end, due_by, step);
        self.answer_kills(attempt, zone, outcome, step);
        self.probe_if_lost(attempt, outcome, step);
        self.reconsider(&name, step);
        // Dependents may wait for a failure, too.
        self.reconsider_dependents(&name, step);
        self.adopt_successors(&name, step);
    }

    fn reconsider_dependents(&mut self, name: &JobName, step: &mut Step) {
        for dependent in self.dependents.get(name).cloned().unwrap_or_default() {
            self.reconsider(&dependent, step);
        }
    }
}

fn by_job(recordings: Vec<JobRecordings>) -> HashMap<JobName, Vec<Recording>> {
    recordings.into_iter().map(|JobRecordings { job, recordings }| (job, recordings)).collect()
}
