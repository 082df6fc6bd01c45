//! The state machine that owns all job processes: it takes requests, exits, output and deadlines, and acts on each.
//!
//! It never blocks, and does a bounded amount of work for each attempt in a turn. `children` has what it does for processes
//! that it started, `adopted` for those of an earlier warden, and `leftovers` for those that outlive their attempt.

mod adopted;
mod children;
mod leftovers;
mod persist;
mod start;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;

use super::attempt::{Id, ledger_of};
use super::cgroup::{Delegated, Lingering};
use super::journal::Journal;
use super::network_fs::Mounts;
use super::pending_end::PendingEnd;
use super::process::{Adopted, Child};
use super::protocol::{Ended, Launch, Reply, Running, Variable, Watch, bytes};
use super::reparented::Reparented;
use super::spawn::Spawner;
use crate::clock;
use crate::session::{AttemptEnd, Outcome, ProcessIdentity};

/// How many starts may be queued; more stay in the clients' sockets.
const QUEUE_LIMIT: usize = 16;
/// How much output of one attempt is read before other events are handled: the capacity of a pipe.
const READ_SIZE: usize = 64 * 1024;
/// The longest wait that the kernel is asked for.
const MAX_WAIT: Duration = Duration::from_hours(1);

/// The attempts, and all that is to be done for them.
pub(super) struct Supervisor {
    epoll: Rc<OwnedFd>,
    spawner: Spawner,
    boot_id: String,
    journal: Journal,
    mounts: Mounts,
    delegated: Option<Delegated>,
    lingering_groups: Lingering,
    /// Used instead of the environment that the daemon sends.
    environment: Option<Rc<[Variable]>>,
    /// Attempts are numbered as they arrive. A number is never reused: an event that arrives late finds no attempt.
    last_number: u64,
    numbers: HashMap<Id, u64>,
    /// Each start with its number, and what its job inherits.
    queue: VecDeque<(u64, Box<Launch>, Rc<[Variable]>)>,
    children: HashMap<u64, Child>,
    adopted: HashMap<u64, Adopted>,
    /// Attempts whose own process has exited, and whose end waits for their other processes.
    pending_ends: HashMap<u64, PendingEnd>,
    reparented: Reparented,
    /// When `/proc` may be searched for leftovers again.
    scan_at: Instant,
    /// Children that have exited after a stop, whose process groups are to be checked.
    exited: Vec<u64>,
    /// Output pipes of attempts that have ended, which processes of these attempts still hold open.
    orphaned_pipes: HashMap<u64, OwnedFd>,
    /// Descriptors to close once the replies are sent, since the daemon waits for these.
    unused: Vec<OwnedFd>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// When to report each start, in this order.
    unreported_starts: VecDeque<(Instant, u64)>,
    /// Watched attempts whose processes are to be located by name.
    unlocated: Vec<Watch>,
    /// Exits that are not yet persisted and reported.
    unreported_exits: Vec<Ended>,
    /// Exits that were reported, and are flushed at this time if the ledger does not have them sooner.
    unflushed: VecDeque<(Instant, Id)>,
    replies: Vec<Reply>,
    /// When the journal is written again after an error.
    retry_at: Option<Instant>,
    buffer: Vec<u8>,
    /// Whether the next turn must not wait.
    is_busy: bool,
}

impl Supervisor {
    /// Starts with the attempts that the journal has.
    pub(super) fn new(
        epoll: Rc<OwnedFd>,
        boot_id: String,
        journal: Journal,
        mounts: Mounts,
        delegated: Option<Delegated>,
        environment: Option<Vec<(OsString, OsString)>>,
    ) -> io::Result<Self> {
        let mut supervisor = Self {
            spawner: Spawner::new(Rc::clone(&epoll))?,
            epoll,
            boot_id,
            journal,
            mounts,
            delegated,
            lingering_groups: Lingering::default(),
            environment: environment.map(|own| own.iter().map(|(name, value)| (bytes(name), bytes(value))).collect()),
            last_number: 0,
            numbers: HashMap::new(),
            queue: VecDeque::new(),
            children: HashMap::new(),
            adopted: HashMap::new(),
            pending_ends: HashMap::new(),
            reparented: Reparented::new()?,
            scan_at: Instant::now(),
            exited: Vec::new(),
            orphaned_pipes: HashMap::new(),
            unused: Vec::new(),
            deadlines: BTreeSet::new(),
            unreported_starts: VecDeque::new(),
            unlocated: Vec::new(),
            unreported_exits: Vec::new(),
            unflushed: VecDeque::new(),
            replies: Vec::new(),
            retry_at: None,
            buffer: vec![0; READ_SIZE],
            is_busy: false,
        };
        supervisor.restore();
        Ok(supervisor)
    }

    /// Whether no more starts are to be taken from clients now.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= QUEUE_LIMIT
    }

    /// The number of attempts that run or are queued.
    pub(super) fn running(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.numbers.is_empty() && self.unreported_exits.is_empty() && self.orphaned_pipes.is_empty()
    }

    /// Whether an exit is not yet persisted and reported.
    pub(super) fn has_unreported_exits(&self) -> bool {
        !self.unreported_exits.is_empty()
    }

    /// When the journal is written again after an error.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// The longest wait for an event; `None` for no limit.
    pub(super) fn max_wait(&self) -> Option<Duration> {
        if self.is_busy || !self.queue.is_empty() || self.reparented.has_exit() {
            return Some(Duration::ZERO);
        }
        let report = self.unreported_starts.front().map(|(when, _)| *when);
        let deadline = self.deadlines.first().map(|(when, _)| *when);
        let journal = self.retry_at.or(self.unflushed.front().map(|(when, _)| *when));
        let leftovers = self.pending_ends.values().map(|pending| pending.check_at).min();
        let lingering = self.lingering_groups.next_check();
        let next = [report, deadline, journal, leftovers, lingering].into_iter().flatten().min();
        next.map(|when| when.saturating_duration_since(Instant::now()).min(MAX_WAIT))
    }

    /// Reads what is mounted again.
    pub(super) fn refresh_mounts(&mut self) {
        self.mounts.refresh();
    }

    /// What is known of the attempts of a ledger.
    pub(super) fn known_attempts(&self, ledger: &str) -> Vec<Reply> {
        let of_ledger = |name: &str| ledger_of(name) == ledger;
        let entries = self.journal.entries().iter().filter(|(name, _)| of_ledger(name));
        let known = entries.filter_map(|(name, entry)| match &entry.end {
            // Reported once it is persisted.
            Some(_) if self.is_unreported(name) => None,
            Some(end) if !self.numbers.contains_key(&**name) => Some(Reply::Ended(end.clone())),
            _ => Some(running(name, entry.process.clone())),
        });
        let queued = self.queue.iter().map(|(_, launch, _)| launch.attempt.as_str()).filter(|name| of_ledger(name));
        known.chain(queued.map(|name| running(name, None))).collect()
    }

    /// Records that from now on all attempts of this ledger are in the journal. The attempts to watch were sent before,
    /// and are located first.
    pub(super) fn ready(&mut self, ledger: &str) {
        self.locate_processes();
        self.journal.ledger(ledger, &self.boot_id);
    }

    /// Handles an event of the epoll.
    pub(super) fn handle_event(&mut self, token: u64) {
        let number = token >> 1;
        if token & 1 == 1 {
            self.read_output(number);
        } else if self.children.contains_key(&number) {
            self.handle_child_exit(number);
        } else if self.adopted.contains_key(&number) {
            self.finish_adopted(number);
        }
    }

    /// Does all that is due.
    pub(super) fn run_due(&mut self) {
        self.is_busy = false;
        self.locate_processes();
        self.start_queued();
        self.handle_deadlines();
        self.report_starts();
        self.check_groups();
        self.check_leftovers();
        self.reap_leftovers();
        self.lingering_groups.check(Instant::now());
    }

    /// The ledger has the end of this attempt.
    pub(super) fn forget(&mut self, attempt: &str) {
        if !self.numbers.contains_key(attempt) && !self.is_unreported(attempt) {
            self.journal.forget(attempt);
        }
    }

    fn is_unreported(&self, attempt: &str) -> bool {
        self.unreported_exits.iter().any(|ended| ended.attempt == attempt)
    }

    /// Numbers an attempt; `None` if it has a number: an attempt has one process in its life.
    fn assign_number(&mut self, attempt: &Id) -> Option<u64> {
        if self.numbers.contains_key(attempt) {
            return None;
        }
        self.last_number = self.last_number.saturating_add(1);
        self.numbers.insert(Rc::clone(attempt), self.last_number);
        Some(self.last_number)
    }

    /// Stops an attempt, or kills one that is being stopped.
    pub(super) fn stop(&mut self, attempt: &str, outcome: Outcome, at_once: bool) {
        let Some(&number) = self.numbers.get(attempt) else { return };
        if self.children.contains_key(&number) {
            self.stop_child(number, outcome, at_once);
        } else if self.adopted.contains_key(&number) {
            self.stop_adopted(number, outcome, at_once);
        } else if self.pending_ends.contains_key(&number) {
            self.stop_leftovers(number, at_once);
        } else if let Some(index) = self.queue.iter().position(|(queued, ..)| *queued == number) {
            self.queue.remove(index);
            self.finish_without_process(&Id::from(attempt), outcome, "stopped before it was started".to_owned());
        }
    }

    /// Stops all attempts, since the warden itself must exit.
    pub(super) fn stop_all(&mut self, at_once: bool) {
        let all: Vec<Id> = self.numbers.keys().cloned().collect();
        for attempt in all {
            self.stop(&attempt, Outcome::Interrupted, at_once);
        }
    }

    fn handle_deadlines(&mut self) {
        let now = Instant::now();
        while let Some(&(when, number)) = self.deadlines.first()
            && when <= now
        {
            self.deadlines.pop_first();
            if self.children.contains_key(&number) {
                self.handle_child_deadline(number);
            } else {
                self.handle_adopted_deadline(number, now);
            }
        }
    }

    /// Replaces a deadline of an attempt.
    fn set_deadline(&mut self, number: u64, old: Option<Instant>, new: Option<Instant>) {
        if let Some(old) = old {
            self.deadlines.remove(&(old, number));
        }
        if let Some(new) = new {
            self.deadlines.insert((new, number));
        }
    }

    fn finish_without_process(&mut self, attempt: &Id, outcome: Outcome, detail: String) {
        self.finish(attempt, &end_without_process(outcome, Some(detail)));
    }

    /// Ends an attempt, which is reported once that is persisted.
    fn finish(&mut self, attempt: &Id, end: &AttemptEnd) {
        self.numbers.remove(attempt);
        let ended = Ended::new(attempt.to_string(), end);
        self.journal.end(ended.clone());
        self.unreported_exits.push(*ended);
    }

    /// Records and reports the process of an attempt.
    fn record_process(&mut self, attempt: &Id, process: ProcessIdentity) {
        self.journal.process(attempt, process.clone());
        self.replies.push(running(attempt, Some(process)));
    }
}

fn running(attempt: &str, process: Option<ProcessIdentity>) -> Reply {
    Reply::Running(Running { attempt: attempt.to_owned(), process })
}

/// An end of which only the outcome is known.
fn end_without_process(outcome: Outcome, detail: Option<String>) -> AttemptEnd {
    AttemptEnd { outcome, ended_at: clock::now(), duration: None, detail, has_log: false, usage: None }
}
