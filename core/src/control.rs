//! What the daemon decides, without its I/O: when to write, start, kill, read requests, retry and end.
//!
//! A driver hands in each [`Input`], performs each [`Effect`] in order, and asks [`Control::next`] what to do meanwhile. The
//! daemon and the simulation are two drivers of this one state machine.
//!
//! Write first, then act: a batch of entries is written before what it opens is started, before its notifications are
//! reported, and before the warden forgets the ends that it records. A crash can fall between any two steps, of the
//! daemon and of the warden. So a warden that connects is asked about every open attempt that was given to one before, and
//! an end is accepted however late or often it arrives.

mod attempts;
mod batch;
mod clock;
mod clock_guard;
mod configuration;
mod effect;
mod input;
mod reload;
mod request_reader;
mod requests;
mod start;
mod stop;
mod stop_stage;
mod waiting_registry;
mod warden;
mod warden_events;

use std::collections::{HashSet, VecDeque};
use std::mem;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::job::JobName;
use crate::scheduler::{Event, LastSuccess, Notification, Scheduler, Start};
use crate::session::{AttemptKey, Outcome, SessionKey, SuccessesBefore};

use attempts::Attempts;
use batch::{Batch, Write};
use clock_guard::ClockGuard;
use request_reader::RequestReader;
use stop_stage::StopStage;
use waiting_registry::WaitingRegistry;

pub use clock::clock_hold_of_start;
pub use configuration::{Configuration, Mode, Recovery};
pub use effect::{Effect, Notice};
pub use input::{Exit, Input, Next, Time};
pub use warden::{OpenAttempt, PROBE, WardenEvent, WardenState};
pub use warden_events::probe_answer;

/// The wall clock is read at least this often: it can be set, and the machine can sleep.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Between two requests to a warden of another version to make room.
const RETIRE_INTERVAL: Duration = Duration::from_mins(1);

/// Between two tries to read a ledger that cannot be read.
const LOOK_UP_RETRY: Duration = Duration::from_millis(500);

/// See the module's page.
#[derive(Debug)]
pub struct Control {
    scheduler: Scheduler,
    mode: Mode,
    configuration: Configuration,
    clock: ClockGuard,
    /// Decided, and not being written yet.
    batch: Batch,
    write: Write,
    attempts: Attempts,
    /// Durable, and not given to a warden yet.
    ready: Vec<Start>,
    ready_probes: Vec<Start>,
    /// When the ledger is next read for those of them whose last success is not known.
    look_up_at: Duration,
    requests: RequestReader,
    effects: VecDeque<Effect>,
    is_connected: bool,
    stop: Option<StopStage>,
    saw_failure: bool,
    /// Open attempts of an earlier daemon that this one does not wait for.
    left_alone: HashSet<AttemptKey>,
    asked_to_retire: Option<Duration>,
    /// A registry that is to be put in force.
    reload: Option<WaitingRegistry>,
}

impl Control {
    /// The next effect to perform.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The scheduler, to be read only.
    #[must_use]
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// Takes an input. Its effects wait in [`Control::next_effect`].
    pub fn handle(&mut self, input: Input, time: Time) {
        self.watch_clock(time);
        match input {
            Input::Reload(configuration) if !self.is_stopping() => self.reload(configuration, time),
            Input::Reload(_) => {}
            Input::Recordings(found) => self.take_recordings(found, time),
            Input::Warden(event) => self.take_warden_event(event, time),
            Input::Written => self.written(time),
            Input::WriteFailed { entries, error } => {
                if self.write.failed(entries, time.monotonic) {
                    self.effects.push_back(Effect::Report(Notice::LedgerAway { error }));
                }
            }
            Input::Requests(requests) => self.take_requests(requests, time.wall),
            Input::RequestsUnread => self.requests.end(false),
            Input::LookedUp(found) => self.looked_up(found, time),
            Input::NotStarted { attempt, reason } => {
                self.close(&attempt, Outcome::Failed { code: 125 }, reason, time.wall);
            }
            Input::Stop => self.begin_or_hasten_stop(time),
            Input::Wake => {
                self.confirm_clock();
                self.decide(Event::Tick, time.wall);
            }
        }
    }

    /// Lets the time take effect, and says what to do next. Called by the one driver thread that writes.
    pub fn next(&mut self, time: Time) -> Next {
        self.advance(time);
        if let Some(exit) = self.exit() {
            return Next::End(exit);
        }
        if let Some(entries) = self.write.again(time.monotonic) {
            return Next::Write(entries);
        }
        if let Some(sessions) = self.unknown_successes(time.monotonic) {
            return Next::LookUp(sessions);
        }
        if let Some(ranges) = self.recordings_to_read(time.monotonic) {
            return Next::ReadRecordings(ranges);
        }
        if self.write.is_free() {
            let mut batch = self.batch.take(time.monotonic);
            // A success that was reported after an attempt was opened is recorded with it.
            for start in batch.iter_mut().flat_map(|batch| batch.starts.iter_mut().chain(&mut batch.probes)) {
                self.scheduler.refresh(start);
            }
            match self.write.begin(batch) {
                Some(entries) if !entries.is_empty() => return Next::Write(entries),
                Some(_) => {
                    // Nothing to write: notifications and probes only.
                    self.written(time);
                    return self.next(time);
                }
                None if self.requests_at().is_some_and(|at| at <= time.monotonic) => {
                    self.requests.begin(time.monotonic);
                    return Next::ReadRequests;
                }
                None => {}
            }
        }
        self.retire(time.monotonic);
        Next::Wait(self.pause(time))
    }

    /// Lets the time take effect. A driver thread that does not write calls this too, so that a write that hangs delays
    /// no stop.
    pub fn advance(&mut self, time: Time) {
        self.watch_clock(time);
        self.pursue_stop(time);
        if self.stop.is_none() && self.may_decide() && self.is_due(time.wall) {
            self.decide(Event::Tick, time.wall);
        }
        self.send_kills();
        self.report_too_long(time);
    }

    /// Reports the attempts that have run for longer than `max_duration`.
    fn report_too_long(&mut self, time: Time) {
        let limit = |attempt: &AttemptKey| self.scheduler.job(&attempt.session.job)?.max_duration;
        self.attempts.measure(time, |attempt| limit(attempt).filter(|_| self.mode != Mode::Operate));
        while let Some(attempt) = self.attempts.take_long(time.monotonic) {
            let Some(limit) = limit(&attempt) else { continue };
            let zone = self.scheduler.zone_of(&attempt.session);
            let notification = Notification::TooLong { attempt, zone, limit };
            self.effects.push_back(Effect::Report(Notice::Scheduler(notification)));
        }
    }

    /// Says whether new dates may be decided: the ledger is written, and there is a warden.
    #[must_use]
    pub fn may_decide(&self) -> bool {
        self.is_connected && self.write.is_writable() && (self.write.is_free() || self.batch.is_empty())
    }

    /// Says whether there is a warden.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Says whether the ledger can be written, as far as is known.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.write.is_writable()
    }

    /// Says whether a registry that was read again waits to be put in force.
    #[must_use]
    pub fn is_reloading(&self) -> bool {
        self.reload.is_some()
    }

    /// Says whether the daemon stops, so that it takes no other registry.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// Says whether everything that was decided is durable, and given to the warden.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let is_written = self.batch.is_empty() && self.write.is_free() && self.reload.is_none();
        is_written && self.ready.is_empty() && self.ready_probes.is_empty()
    }

    /// How many entries are decided and not at the writer, without those that nothing waits for.
    #[must_use]
    pub fn gathered(&self) -> usize {
        self.batch.entries.len()
    }

    /// The attempts whose opening is being written.
    pub fn opening(&self) -> impl Iterator<Item = &Start> {
        self.write.starts()
    }

    /// When [`Control::next`] has something to do of itself, by the monotonic clock; requests, which arrive without an
    /// input, are looked for at [`Control::requests_at`].
    #[must_use]
    pub fn due_at(&self, time: Time) -> Option<Duration> {
        if !self.effects.is_empty() || self.exit().is_some() {
            return Some(time.monotonic);
        }
        let retry = self.write.again_at();
        let batch = if self.write.is_free() { self.batch.due_at() } else { None };
        let decides = self.stop.is_none() && self.may_decide();
        let wake = self.scheduler.next_wake().filter(|_| decides).map(|(at, _)| {
            let until = (at - time.wall).to_std().unwrap_or_default();
            time.monotonic.saturating_add(until)
        });
        let set_back = (decides && self.is_set_back(time.wall)).then_some(time.monotonic);
        let look_up = (self.is_connected && self.ready().any(is_unknown)).then_some(self.look_up_at);
        let long = self.attempts.long_at();
        let may_read = self.write.is_free() && self.batch.is_empty();
        let reload = self.reload.as_ref().filter(|_| may_read).map(|reload| reload.due_at);
        let believed = self.clock.is_held().then(|| self.clock.believed_at());
        [retry, batch, wake, set_back, look_up, long, reload, believed, self.stop_due_at()].into_iter().flatten().min()
    }

    /// When the requests are to be read, if they may be.
    #[must_use]
    pub fn requests_at(&self) -> Option<Duration> {
        self.may_read_requests().then_some(self.requests.due_at)
    }

    fn pause(&self, time: Time) -> Duration {
        let due = [self.due_at(time), self.requests_at()].into_iter().flatten().min();
        let until = due.map(|at| at.saturating_sub(time.monotonic));
        until.map_or(LONGEST_WAIT, |until| until.min(LONGEST_WAIT))
    }

    fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.is_set_back(now) || self.scheduler.next_wake().is_some_and(|(at, _)| at <= now)
    }

    fn is_set_back(&self, now: DateTime<Utc>) -> bool {
        now + TimeDelta::seconds(1) < self.scheduler.now()
    }

    /// Has the scheduler decide, and gathers what follows.
    fn decide(&mut self, event: Event, now: DateTime<Utc>) {
        let mut step = self.scheduler.handle(event, now);
        if self.mode == Mode::Operate {
            step.notes.retain(|note| !matches!(note, Notification::Late { .. }));
        }
        for start in &step.starts {
            self.attempts.open(start.attempt.clone(), now);
        }
        self.attempts.kills.extend(mem::take(&mut step.kills).into_iter().map(|attempt| (attempt, false)));
        self.batch.add(step);
    }

    /// The batch that was being written is durable: what it opens is started, and what it says is reported.
    fn written(&mut self, time: Time) {
        let (batch, outage) = self.write.written(time.monotonic);
        if let Some(after) = outage {
            self.effects.push_back(Effect::Report(Notice::LedgerBack { after }));
        }
        self.ready.extend(batch.starts);
        self.ready_probes.extend(batch.probes);
        self.start_ready(time.wall);
        for notification in batch.notes {
            self.saw_failure |= is_failure(&notification);
            self.effects.push_back(Effect::Report(Notice::Scheduler(notification)));
        }
        if !batch.ends.is_empty() {
            self.effects.push_back(Effect::Forget(batch.ends));
        }
    }

    /// Gives what is durable to the warden; a daemon that stops closes it instead.
    fn start_ready(&mut self, now: DateTime<Utc>) {
        if self.stop.is_some() {
            self.ready_probes.clear();
            for start in mem::take(&mut self.ready) {
                let reason = "the daemon was stopped before it was started".to_owned();
                self.close(&start.attempt, Outcome::Interrupted, reason, now);
            }
        } else if self.is_connected {
            for start in self.ready.extract_if(.., |start| !is_unknown(start)) {
                self.attempts.given(&start.attempt);
                self.effects.push_back(Effect::Start(start));
            }
            for probe in self.ready_probes.extract_if(.., |probe| !is_unknown(probe)) {
                self.attempts.probed.insert(probe.attempt.session.clone());
                self.effects.push_back(Effect::Probe(probe));
            }
        }
    }

    /// What is durable, and not given to a warden yet.
    fn ready(&self) -> impl Iterator<Item = &Start> {
        self.ready.iter().chain(&self.ready_probes)
    }

    /// The dates whose newest success before them is to be looked up now.
    fn unknown_successes(&self, monotonic: Duration) -> Option<Vec<SessionKey>> {
        if !self.is_connected || monotonic < self.look_up_at {
            return None;
        }
        let sessions: Vec<_> =
            self.ready().filter(|start| is_unknown(start)).map(|start| start.attempt.session.clone()).collect();
        (!sessions.is_empty()).then_some(sessions)
    }

    fn looked_up(&mut self, found: Option<SuccessesBefore>, time: Time) {
        if found.is_none() {
            self.look_up_at = time.monotonic + LOOK_UP_RETRY;
        }
        for (session, success) in found.into_iter().flatten() {
            for start in self.ready.iter_mut().chain(&mut self.ready_probes) {
                if start.attempt.session == session {
                    start.last_success = LastSuccess::Known(success);
                }
            }
        }
        self.start_ready(time.wall);
    }

    fn send_kills(&mut self) {
        if self.is_connected {
            for attempt in self.attempts.take_kills() {
                self.effects.push_back(Effect::Stop { attempt, outcome: Outcome::Cancelled, at_once: false });
            }
        }
    }

    /// Asks a warden of another version to make room, while nothing runs.
    fn retire(&mut self, monotonic: Duration) {
        let is_early = self.asked_to_retire.is_some_and(|at| monotonic < at + RETIRE_INTERVAL);
        let rests = self.scheduler.running() == 0 && self.is_settled();
        if rests && !is_early && self.is_connected && self.mode == Mode::Serve {
            self.asked_to_retire = Some(monotonic);
            self.effects.push_back(Effect::RetireOtherVersion);
        }
    }

    /// The job that a date is next due of, if nothing is to be done for now.
    #[must_use]
    pub fn rests_until(&self) -> Option<Option<(DateTime<Utc>, &JobName)>> {
        let rests = self.is_settled() && self.scheduler.running() == 0 && self.stop.is_none();
        rests.then(|| self.scheduler.next_wake())
    }
}

fn is_unknown(start: &Start) -> bool {
    start.last_success == LastSuccess::InLedger
}

/// Says whether a wake that reports this has failed. What was lost had been started by an earlier daemon.
fn is_failure(notification: &Notification) -> bool {
    match notification {
        Notification::Closed { end, .. } => {
            !matches!(end.outcome, Outcome::Succeeded | Outcome::Interrupted | Outcome::Lost)
        }
        _ => false,
    }
}
