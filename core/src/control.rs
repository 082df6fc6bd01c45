//! Write first, then act: what a step of the scheduler starts goes with its entries, what it tells is kept back until they
//! are durable, and the warden is told to forget an end when the ledger has it.
//!
//! Between the ledger and the warden a crash can fall anywhere, of us and of either. So whenever a warden is there (again)
//! it is asked about every attempt that is open, unless its opening is still being written; and an end is taken however
//! late or often it comes.

pub mod commit_queue;
mod warden;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::mem;

use chrono::{DateTime, Utc};

use crate::job::DEFAULT_KILL_GRACE;
use crate::scheduler::{Event, Notification, Scheduler, Start};
use crate::session::{AttemptEnd, AttemptKey, AttemptRecord, Entry, Outcome, ProcessIdentity, Request, SessionKey};

pub use warden::{OpenAttempt, WardenEvent, WardenState};

/// Nothing new is recorded while so many commits are under way: what is decided must not outrun what is written.
const IN_FLIGHT: u64 = 4;

/// What the warden runs under this number is no attempt: it tells whether a date is done.
pub const PROBE: u32 = 0;

/// Entries that must become durable together, and what is started once they are.
#[derive(Debug)]
pub struct Commit {
    /// Counted from 1; commits become durable in this order.
    pub number: u64,
    /// What to write.
    pub entries: Vec<Entry>,
    /// What to start then.
    pub starts: Vec<Start>,
    /// Of which it is then asked whether they are done.
    pub probes: Vec<Start>,
}

/// What may be done now.
#[derive(Debug, Default)]
pub struct Released {
    /// To tell people.
    pub notes: Vec<Notification>,
    /// The ledger has their ends.
    pub forget: Vec<AttemptKey>,
    /// What became of these is not known: they were being written while the warden was replaced.
    pub watch: Vec<OpenAttempt>,
}

/// What to ask of a warden that is there (again).
#[derive(Debug, Default)]
pub struct Greeting {
    /// What became of these is not known.
    pub watch: Vec<OpenAttempt>,
    /// The ledger has their ends.
    pub forget: Vec<AttemptKey>,
    /// These run, and the ledger does not have them open: it was put back to an earlier state, or replaced.
    pub strangers: Vec<AttemptKey>,
}

/// An open attempt.
#[derive(Debug)]
struct Opened {
    /// The commit that opens it; 0 for one of an earlier daemon.
    commit: u64,
    started_at: DateTime<Utc>,
    process: Option<ProcessIdentity>,
}

/// How it stands with the operators' requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requests {
    Unasked,
    Asked,
    Arrived,
}

/// The scheduler, and what waits for its entries to be durable. No I/O.
#[derive(Debug)]
pub struct Control {
    /// Decides.
    pub scheduler: Scheduler,
    gathered: Vec<Entry>,
    starts: Vec<Start>,
    probes: Vec<Start>,
    notes: Vec<Notification>,
    waiting: VecDeque<(u64, Vec<Notification>)>,
    commits: u64,
    durable: u64,
    open: HashMap<AttemptKey, Opened>,
    /// Ends that are not durable yet, with their commits.
    closing: VecDeque<(u64, AttemptKey)>,
    /// Openings that were being written when the warden was replaced, with their commits.
    doubtful: VecDeque<(u64, AttemptKey)>,
    /// What the warden has been asked about and has not answered.
    unanswered: HashSet<AttemptKey>,
    /// The dates of which it is asked whether they are done.
    asked: BTreeSet<SessionKey>,
    /// What operators want ended, and whether the warden was told.
    kills: BTreeMap<AttemptKey, bool>,
    /// Entries that nobody waits for: they go with the next commit, or a second later.
    later: Vec<Entry>,
    requests: Requests,
    /// There is a warden.
    connected: bool,
    /// The ledger is written.
    writable: bool,
}

impl Control {
    /// Wraps a scheduler.
    #[must_use]
    pub fn new(scheduler: Scheduler) -> Self {
        Self {
            scheduler,
            gathered: Vec::new(),
            starts: Vec::new(),
            probes: Vec::new(),
            notes: Vec::new(),
            waiting: VecDeque::new(),
            commits: 0,
            durable: 0,
            open: HashMap::new(),
            closing: VecDeque::new(),
            doubtful: VecDeque::new(),
            unanswered: HashSet::new(),
            asked: BTreeSet::new(),
            kills: BTreeMap::new(),
            later: Vec::new(),
            requests: Requests::Unasked,
            connected: true,
            writable: true,
        }
    }

    /// Takes up what operators wanted ended when the last daemon ended, and were not answered. Comes before anything is
    /// started, which they did not mean, and before an end is heard, which they did.
    pub fn recall(&mut self, kills: Vec<Request>, now: DateTime<Utc>) {
        for kill in kills {
            self.handle(Event::Request(kill), now);
        }
    }

    /// Takes up the attempts that were open when the last daemon ended, with what the warden knows of them.
    pub fn take_up(
        &mut self,
        open: Vec<AttemptRecord>,
        mut known: WardenState,
        (host, boot_id): (&str, Option<&str>),
        now: DateTime<Utc>,
    ) -> Greeting {
        // What has just been decided may be called as something was whose end the ledger has had for long: a name can be
        // used again.
        let were_open: HashSet<AttemptKey> = open.iter().map(|record| record.key.clone()).collect();
        let is_news = |attempt: &AttemptKey| attempt.number == PROBE || were_open.contains(attempt);
        let over: Vec<_> = known.ended.extract_if(.., |(attempt, _)| !is_news(attempt)).collect();
        for AttemptRecord { key, host: its_host, process, started_at, .. } in open {
            let is_known = known.running.contains(&key) || known.ended.iter().any(|(ended, _)| *ended == key);
            // A machine may have got another name, and is still the same until it is booted again.
            let here = its_host == host || process.as_ref().is_some_and(|its| Some(its.boot_id.as_str()) == boot_id);
            self.open.insert(key.clone(), Opened { commit: 0, started_at, process });
            if !is_known && !here {
                self.lose(&key, format!("it ran on {its_host}, which cannot be asked"), now);
            }
        }
        let mut greeting = self.greet(known, now);
        greeting.forget.extend(over.into_iter().map(|(attempt, _)| attempt));
        greeting
    }

    fn lose(&mut self, attempt: &AttemptKey, detail: String, now: DateTime<Utc>) {
        let (outcome, detail) = (Outcome::Lost, Some(detail));
        let end = AttemptEnd { outcome, ended_at: now, duration: None, detail, has_log: false, usage: None };
        _ = self.ended(attempt, end, now);
    }

    /// Hands the scheduler an event and gathers what follows; [`Control::flush`] gives it away.
    pub fn handle(&mut self, event: Event, now: DateTime<Utc>) {
        let step = self.scheduler.handle(event, now);
        for start in &step.starts {
            let opened = Opened { commit: self.commits + 1, started_at: now, process: None };
            self.open.insert(start.attempt.clone(), opened);
        }
        self.gathered.extend(step.entries);
        self.starts.extend(step.starts);
        self.asked.extend(step.probes.iter().map(|probe| probe.attempt.session.clone()));
        self.probes.extend(step.probes);
        self.kills.extend(step.kills.into_iter().map(|attempt| (attempt, false)));
        self.notes.extend(step.notes);
    }

    /// Lets the scheduler see the time if something is due, and if what follows could be written and started.
    pub fn tick(&mut self, now: DateTime<Utc>) {
        let is_due = self.scheduler.next_wake().is_some_and(|(at, _)| at <= now);
        let set_back = now + chrono::TimeDelta::seconds(1) < self.scheduler.now();
        if (is_due || set_back) && self.may_decide() {
            self.handle(Event::Tick, now);
        }
    }

    /// Says whether new dates may be decided: there is somebody to write them and somebody to run them.
    #[must_use]
    pub fn may_decide(&self) -> bool {
        self.connected && self.writable && self.in_flight() < IN_FLIGHT
    }

    /// Says whether there is a warden, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Takes note of whether the ledger can be written.
    pub fn set_writable(&mut self, writable: bool) {
        self.writable = writable;
    }

    /// Says whether the ledger can be written, as far as is known.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Takes what the warden reports of an attempt. Gives it back if the warden may forget it at once.
    pub fn hear(&mut self, report: WardenEvent, now: DateTime<Utc>) -> Option<AttemptKey> {
        match report {
            WardenEvent::Started { attempt, process } => {
                self.unanswered.remove(&attempt);
                if let (Some(process), Some(opened)) = (process, self.open.get_mut(&attempt))
                    && opened.process.as_ref() != Some(&process)
                {
                    opened.process = Some(process.clone());
                    self.later.push(Entry::Process { attempt, process });
                }
                None
            }
            WardenEvent::Ended { attempt, end } => self.ended(&attempt, end, now),
            WardenEvent::Disconnected => {
                self.connected = false;
                None
            }
            WardenEvent::Connected(_) | WardenEvent::Warning(_) => None,
        }
    }

    /// An attempt is over. Gives it back if the ledger has known that before.
    fn ended(&mut self, attempt: &AttemptKey, end: AttemptEnd, now: DateTime<Utc>) -> Option<AttemptKey> {
        self.unanswered.remove(attempt);
        if attempt.number == PROBE {
            self.probed(&attempt.session, end.outcome, now);
            return Some(attempt.clone());
        }
        self.kills.remove(attempt);
        if self.open.remove(attempt).is_some() {
            self.closing.push_back((self.commits + 1, attempt.clone()));
            self.handle(Event::Ended { attempt: attempt.clone(), end }, now);
            return None;
        }
        // It may be on its way into the ledger; then it is forgotten when it is there.
        let is_closing = self.closing.iter().any(|(_, closing)| closing == attempt);
        (!is_closing).then(|| attempt.clone())
    }

    /// It was asked whether a date is done.
    fn probed(&mut self, session: &SessionKey, outcome: Outcome, now: DateTime<Utc>) {
        if self.asked.remove(session) {
            let is_done = match outcome {
                Outcome::Succeeded => Some(true),
                Outcome::Lost | Outcome::Interrupted | Outcome::Cancelled => None,
                Outcome::Failed { .. } | Outcome::Killed { .. } | Outcome::TimedOut => Some(false),
            };
            self.handle(Event::Probed { session: session.clone(), is_done }, now);
        }
    }

    /// The attempts to end that the warden has and was not told of: operators want that.
    pub fn take_kills(&mut self) -> Vec<AttemptKey> {
        let (durable, open, connected) = (self.durable, &self.open, self.connected);
        let is_there = |attempt: &AttemptKey| open.get(attempt).is_some_and(|opened| opened.commit <= durable);
        let untold = self.kills.iter_mut().filter(|(attempt, told)| !**told && connected && is_there(attempt));
        untold
            .map(|(attempt, told)| {
                *told = true;
                attempt.clone()
            })
            .collect()
    }

    /// An attempt was not given to the warden, for this reason.
    pub fn not_started(&mut self, attempt: &AttemptKey, outcome: Outcome, detail: String, now: DateTime<Utc>) {
        let detail = Some(detail);
        let end = AttemptEnd { outcome, ended_at: now, duration: None, detail, has_log: false, usage: None };
        _ = self.ended(attempt, end, now);
    }

    /// The scribe did not give these to the warden, since the daemon stops.
    pub fn refused(&mut self, attempts: Vec<AttemptKey>, now: DateTime<Utc>) {
        for attempt in attempts {
            let detail = "the daemon was stopped before it was started".to_owned();
            self.not_started(&attempt, Outcome::Interrupted, detail, now);
        }
    }

    /// Says whether the scribe is to look for operators' requests now, and takes it that it will. Nothing gathered may be
    /// left behind by then: a request whose answer is not on its way would be seen a second time.
    pub fn wants_requests(&mut self) -> bool {
        let wants = self.requests != Requests::Asked && self.is_certain();
        if wants {
            self.requests = Requests::Asked;
            self.scheduler.ledger_is_asked();
        }
        wants
    }

    /// Takes the requests that nobody has answered.
    pub fn take_requests(&mut self, requests: Vec<Request>, now: DateTime<Utc>) {
        self.requests = Requests::Arrived;
        for request in requests {
            self.handle(Event::Request(request), now);
        }
    }

    /// Says whether what was asked last has arrived.
    #[must_use]
    pub fn has_heard_requests(&self) -> bool {
        self.requests == Requests::Arrived
    }

    /// A warden is there (again), and knows this.
    pub fn greet(&mut self, known: WardenState, now: DateTime<Utc>) -> Greeting {
        self.connected = true;
        let mut greeting = Greeting::default();
        for (attempt, end) in known.ended {
            greeting.forget.extend(self.ended(&attempt, end, now));
        }
        self.kills.values_mut().for_each(|told| *told = false);
        // The answers of those that the last warden was asked, and this one does not know, are lost.
        let is_known = |session: &SessionKey| known.running.iter().any(|running| running.session == *session);
        let durable = self.durable;
        let lost: Vec<SessionKey> = self.asked.iter().filter(|session| !is_known(session)).cloned().collect();
        for session in lost {
            self.probed(&session, Outcome::Lost, now);
        }
        let is_stranger = |attempt: &AttemptKey| attempt.number != PROBE && !self.open.contains_key(attempt);
        greeting.strangers = known.running.iter().filter(|attempt| is_stranger(attempt)).cloned().collect();
        // What is being written has not been given to it yet, or has been given to the one before it.
        let (sure, doubtful): (Vec<_>, Vec<_>) = self
            .open
            .iter()
            .map(|(attempt, opened)| (opened.commit, attempt.clone()))
            .partition(|(commit, _)| *commit <= durable);
        self.doubtful = doubtful.into();
        self.doubtful.make_contiguous().sort();
        greeting.watch = sure.into_iter().filter_map(|(_, attempt)| self.watch(&attempt, now)).collect();
        greeting.watch.sort_by(|one, other| one.attempt.cmp(&other.attempt));
        greeting
    }

    fn watch(&mut self, attempt: &AttemptKey, now: DateTime<Utc>) -> Option<OpenAttempt> {
        let opened = self.open.get(attempt)?;
        let job = self.scheduler.job(&attempt.session.job);
        let taken = (now - opened.started_at).to_std().unwrap_or_default();
        let timeout = job.as_ref().and_then(|job| job.timeout).map(|timeout| timeout.saturating_sub(taken));
        let kill_grace = job.map_or(DEFAULT_KILL_GRACE, |job| job.kill_grace);
        self.unanswered.insert(attempt.clone());
        Some(OpenAttempt { attempt: attempt.clone(), process: opened.process.clone(), timeout, kill_grace })
    }

    /// The open attempts whose opening is durable: those that the warden may have started.
    pub fn given_out(&self) -> impl Iterator<Item = &AttemptKey> {
        self.open.iter().filter(|(_, opened)| opened.commit <= self.durable).map(|(attempt, _)| attempt)
    }

    /// Says whether the warden has answered all that it was asked about.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.unanswered.is_empty()
    }

    /// Gives what was gathered since the last flush, to be committed. An attempt always comes with its opening.
    pub fn flush(&mut self) -> Option<Commit> {
        let notes = mem::take(&mut self.notes);
        if self.gathered.is_empty() && self.probes.is_empty() {
            if !notes.is_empty() {
                // Nothing to write, but still told in order: after what is being written.
                self.waiting.push_back((self.commits, notes));
            }
            return None;
        }
        self.commits += 1;
        self.waiting.push_back((self.commits, notes));
        let mut entries = mem::take(&mut self.later);
        entries.append(&mut self.gathered);
        let (starts, probes) = (mem::take(&mut self.starts), mem::take(&mut self.probes));
        Some(Commit { number: self.commits, entries, starts, probes })
    }

    /// Gives the entries that nobody waits for, if the ledger can be written.
    pub fn take_later(&mut self) -> Option<Vec<Entry>> {
        (self.writable && !self.later.is_empty()).then(|| mem::take(&mut self.later))
    }

    /// Takes note that the commits up to `number` are durable and what they open was given to the warden, and says what
    /// may be done now.
    pub fn released(&mut self, number: u64, now: DateTime<Utc>) -> Released {
        self.durable = self.durable.max(number);
        let durable = self.durable;
        let mut released = Released::default();
        while let Some((_, notes)) = self.waiting.pop_front_if(|(after, _)| *after <= durable) {
            released.notes.extend(notes);
        }
        while let Some((_, attempt)) = self.closing.pop_front_if(|(commit, _)| *commit <= durable) {
            released.forget.push(attempt);
        }
        while let Some((_, attempt)) = self.doubtful.pop_front_if(|(commit, _)| *commit <= durable) {
            released.watch.extend(self.watch(&attempt, now));
        }
        released
    }

    /// How many commits are not durable yet.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.commits - self.durable
    }

    /// Says whether the end of an attempt is among what is not durable yet.
    #[must_use]
    pub fn holds_outcomes(&self) -> bool {
        !self.closing.is_empty()
    }

    /// Says whether nothing is gathered and nothing waits to be durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.gathered.is_empty() && self.probes.is_empty() && self.waiting.is_empty()
    }
}
