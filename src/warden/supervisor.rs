//! The state machine that owns all processes: it takes requests, exits, output and deadlines, and acts on each.
//!
//! It never waits, and does a bounded piece of work for each attempt in a turn. What it does for processes of its own is
//! in `children`, for those of an earlier warden in `adopted`.

mod adopted;
mod children;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use tracing::{error, warn};

use super::Id;
use super::cgroup::{Delegated, Lingering};
use super::journal::{Journal, JournalError};
use super::network_fs::Mounts;
use super::output::Output;
use super::process::{Adopted, Child, tokens};
use super::protocol::{Ended, Launch, Reply, Running};
use super::spawn::{self, StartFailure};
use crate::clock;
use crate::session::{AttemptEnd, Outcome, ProcessIdentity};

/// How many programs are started before exits are looked at again.
const STARTS: usize = 4;
/// How many may wait for that here; more of them wait in the clients' sockets.
const MOST_WAITING: usize = 16;
/// How much of one job's output is read before the others have their turn: what a pipe holds.
const PIECE: usize = 64 * 1024;
/// A process is looked up and reported once it has lived so long.
const ANNOUNCE_AFTER: Duration = Duration::from_millis(20);
/// The longest wait; shorter than what the kernel takes.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// Between two tries at a spool that cannot be written.
const RETRY: Duration = Duration::from_millis(500);
/// An end is durable after this at the latest: by the ledger's commit, as nearly always, or else by the spool's own flush.
/// To flush the spool before every commit would cost each date a second flush, which is longer than all else we do.
const FLUSH_AFTER: Duration = Duration::from_millis(5);
/// Forgotten attempts are written to the spool with what comes next, or when there is so much of it, in bytes.
const ENOUGH: usize = 4096;

/// The attempts, and all that is to be done for them.
pub(super) struct Supervisor {
    epoll: Rc<OwnedFd>,
    boot_id: String,
    spool: Journal,
    mounts: Mounts,
    delegated: Option<Delegated>,
    lingering: Lingering,
    /// The environment of every job, in the place of what the daemon would have it inherit.
    environment: Option<Vec<(OsString, OsString)>>,
    /// Attempts are numbered as they come; a number is never used again, so that a late event meets nobody.
    last_number: u64,
    numbers: HashMap<Id, u64>,
    waiting: VecDeque<(u64, Box<Launch>)>,
    children: HashMap<u64, Child>,
    adopted: HashMap<u64, Adopted>,
    /// Children that ended after we set out to end them, and whose groups are to be looked at.
    leaving: Vec<u64>,
    /// Pipes of attempts that are over, held by what these left behind.
    leftovers: HashMap<u64, OwnedFd>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// Starts that are not reported yet, in their order.
    unannounced: VecDeque<(Instant, u64)>,
    /// Attempts to watch whose processes must be searched.
    sought: Vec<super::protocol::Watch>,
    /// What is to be said when it is written.
    ended: Vec<Ended>,
    /// What has been said, and is to be flushed then unless the ledger has it before.
    unflushed: VecDeque<(Instant, Id)>,
    replies: Vec<Reply>,
    /// The spool cannot be written, and is tried again then.
    retry_at: Option<Instant>,
    buffer: Vec<u8>,
    /// Whether there is more to do before the next wait.
    busy: bool,
}

impl Supervisor {
    /// Has nothing to do yet but what the spool tells.
    pub(super) fn new(
        epoll: Rc<OwnedFd>,
        boot_id: String,
        spool: Journal,
        mounts: Mounts,
        delegated: Option<Delegated>,
        environment: Option<Vec<(OsString, OsString)>>,
    ) -> Self {
        let mut supervisor = Self {
            epoll,
            boot_id,
            spool,
            mounts,
            delegated,
            lingering: Lingering::default(),
            environment,
            last_number: 0,
            numbers: HashMap::new(),
            waiting: VecDeque::new(),
            children: HashMap::new(),
            adopted: HashMap::new(),
            leaving: Vec::new(),
            leftovers: HashMap::new(),
            deadlines: BTreeSet::new(),
            unannounced: VecDeque::new(),
            sought: Vec::new(),
            ended: Vec::new(),
            unflushed: VecDeque::new(),
            replies: Vec::new(),
            retry_at: None,
            buffer: vec![0; PIECE],
            busy: false,
        };
        supervisor.restore();
        supervisor
    }

    /// Says whether so many programs wait for their start that no more are to be taken from clients.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST_WAITING
    }

    /// Says how many attempts are under way.
    pub(super) fn running(&self) -> usize {
        self.numbers.len()
    }

    /// Says whether nothing is left to be done here.
    pub(super) fn is_idle(&self) -> bool {
        self.numbers.is_empty() && self.ended.is_empty() && self.leftovers.is_empty()
    }

    /// Says whether an end is not written yet, and so not told.
    pub(super) fn has_unreported_exits(&self) -> bool {
        !self.ended.is_empty()
    }

    /// When a spool that cannot be written is tried again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Says how long nothing needs to be done if no event comes; for ever if absent.
    pub(super) fn longest_wait(&self) -> Option<Duration> {
        let until = |when: Instant| when.saturating_duration_since(Instant::now()).min(LONGEST_WAIT);
        let announce = self.unannounced.front().map(|(when, _)| until(*when));
        let deadline = self.deadlines.first().map(|(when, _)| until(*when));
        let retry = self.retry_at.or(self.unflushed.front().map(|(when, _)| *when)).map(until);
        let more = self.busy || !self.waiting.is_empty();
        let lingering = self.lingering.next().map(until);
        let waits = deadline.into_iter().chain(announce).chain(retry).chain(lingering);
        if more { Some(Duration::ZERO) } else { waits.min() }
    }

    /// What is mounted has changed.
    pub(super) fn refresh_mounts(&mut self) {
        self.mounts.refresh();
    }

    /// A daemon of this ledger is here: what is known of its attempts.
    pub(super) fn hello(&mut self, mark: &str) -> Vec<Reply> {
        let of_ledger = |name: &str| super::mark_of(name) == mark;
        let entries = self.spool.entries().iter().filter(|(name, _)| of_ledger(name));
        let waiting = self.waiting.iter().map(|(_, start)| start.attempt.as_str()).filter(|name| of_ledger(name));
        let untold = |name: &str| self.ended.iter().any(|ended| ended.attempt == name);
        let known = entries.filter_map(|(name, entry)| match &entry.end {
            // It is told when it is written.
            Some(_) if untold(name) => None,
            Some(end) => Some(Reply::Ended(Box::new(end.clone()))),
            None => Some(Reply::Running(Running { attempt: name.clone(), process: entry.process.clone() })),
        });
        let waiting = waiting.map(|name| Reply::Running(Running { attempt: name.to_owned(), process: None }));
        known.chain(waiting).collect()
    }

    /// From now on all attempts of this ledger are in the spool. Those to watch came before, and are not among them.
    pub(super) fn ready(&mut self, mark: &str) {
        self.search();
        self.spool.ledger(mark, &self.boot_id);
    }

    /// Acts on an event of the epoll.
    pub(super) fn take_event(&mut self, token: u64) {
        let number = token >> 1;
        if token & 1 == 1 {
            self.read_output(number);
        } else if self.children.contains_key(&number) {
            self.child_ended(number);
        } else if self.adopted.contains_key(&number) {
            self.finish_adopted(number);
        }
    }

    /// Acts on whatever else is due.
    pub(super) fn turn(&mut self) {
        self.busy = false;
        self.search();
        self.launch();
        self.act_on_deadlines();
        self.announce();
        self.look_at_groups();
        self.lingering.look(Instant::now());
    }

    /// Writes down what ended, and says what may be told now: what is written outlives us, whoever kills us. What the
    /// ledger does not take in a moment is made to outlive the machine too.
    ///
    /// # Errors
    /// The spool cannot be written: it is tried again in a moment.
    pub(super) fn settle(&mut self) -> Result<Vec<Reply>, JournalError> {
        let now = Instant::now();
        if self.retry_at.is_some_and(|at| at > now) {
            return Ok(std::mem::take(&mut self.replies));
        }
        let written = if self.is_flush_due(now) {
            self.spool.flush().map(|()| self.unflushed.clear())
        } else if !self.ended.is_empty() || self.spool.unwritten() > ENOUGH || self.retry_at.is_some() {
            self.spool.write()
        } else {
            Ok(())
        };
        if let Err(error) = written {
            self.retry_at = now.checked_add(RETRY);
            return Err(error);
        }
        self.retry_at = None;
        let mut replies = std::mem::take(&mut self.replies);
        for ended in std::mem::take(&mut self.ended) {
            if let Some(at) = now.checked_add(FLUSH_AFTER) {
                self.unflushed.push_back((at, Id::from(ended.attempt.as_str())));
            }
            replies.push(Reply::Ended(Box::new(ended)));
        }
        Ok(replies)
    }

    /// Says whether there is an end that the ledger should have taken by now.
    fn is_flush_due(&mut self, now: Instant) -> bool {
        let entries = self.spool.entries();
        while self.unflushed.pop_front_if(|(_, attempt)| !entries.contains_key(&**attempt)).is_some() {}
        self.unflushed.front().is_some_and(|(at, _)| *at <= now)
    }

    /// Leaves nothing unwritten behind.
    pub(super) fn close(&mut self) {
        if let Err(error) = self.spool.flush() {
            error!(%error, "the spool cannot be written at the end");
        }
        if let Some(delegated) = &self.delegated {
            delegated.sweep();
        }
    }

    /// Has an attempt started, unless it is known.
    pub(super) fn start(&mut self, start: Box<Launch>) {
        if let Some(entry) = self.spool.entries().get(&start.attempt) {
            let untold = self.ended.iter().any(|ended| ended.attempt == start.attempt);
            match &entry.end {
                Some(_) if untold => {}
                Some(end) => self.replies.push(Reply::Ended(Box::new(end.clone()))),
                None => self
                    .replies
                    .push(Reply::Running(Running { attempt: start.attempt.clone(), process: entry.process.clone() })),
            }
        } else if let Some(number) = self.number(&Id::from(start.attempt.as_str())) {
            self.waiting.push_back((number, start));
        }
    }

    /// The ledger has the end of this attempt.
    pub(super) fn forget(&mut self, attempt: &str) {
        if !self.numbers.contains_key(attempt) && !self.ended.iter().any(|ended| ended.attempt == attempt) {
            self.spool.forget(attempt);
        }
    }

    /// Starts some of the programs that wait. What is started is written before: a process must not exist that nobody
    /// knows of.
    fn launch(&mut self) {
        let some: Vec<(u64, Box<Launch>)> = self.waiting.drain(..self.waiting.len().min(STARTS)).collect();
        if some.is_empty() {
            return;
        }
        for (_, start) in &some {
            self.spool.begin(&start.attempt, &self.boot_id);
        }
        let written = self.spool.write();
        for (number, start) in some {
            match &written {
                Ok(()) => self.launch_one(number, &start),
                Err(error) => {
                    let detail = Some(format!("it was not started: {error}"));
                    let outcome = Outcome::Failed { code: spawn::NOT_STARTED };
                    self.ended(&Id::from(start.attempt.as_str()), outcome, detail);
                }
            }
        }
    }

    fn launch_one(&mut self, number: u64, start: &Launch) {
        let attempt = Id::from(start.attempt.as_str());
        let group = self.delegated.as_ref().and_then(|delegated| match delegated.make(number) {
            Ok(group) => Some(group),
            Err(error) => {
                warn!(%attempt, %error, "no control group for an attempt; it runs in the warden's");
                None
            }
        });
        let of_daemon = start.inherited.iter().map(|(name, value)| (OsStr::from_bytes(name), OsStr::from_bytes(value)));
        let own = self.environment.as_deref();
        let own = own.map(|own| own.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())));
        let given = start.environment.iter().map(|(name, value)| (OsStr::from_bytes(name), OsStr::from_bytes(value)));
        let environment: Vec<(&OsStr, &OsStr)> = match own {
            Some(own) => own.chain(given).collect(),
            None => of_daemon.chain(given).collect(),
        };
        let started = Instant::now();
        let (end, output) = tokens(number);
        let watch = spawn::Watch { epoll: &self.epoll, end, output };
        let way = (group.as_ref().map(super::cgroup::Group::path), self.mounts.remote());
        match spawn::spawn(start, &environment, way, watch) {
            Ok(spawned) => {
                let deadline = start.timeout.and_then(|timeout| started.checked_add(timeout));
                self.set_deadline(number, None, deadline);
                self.unannounced.push_back((later(started), number));
                let child = Child {
                    attempt,
                    pid: spawned.pid,
                    pidfd: spawned.pidfd,
                    pipe: Some(spawned.output),
                    output: Output::new(PathBuf::from(OsStr::from_bytes(&start.log)), start.output_limit),
                    trampoline: spawned.trampoline,
                    group,
                    started,
                    kill_grace: start.kill_grace,
                    deadline,
                    ending: None,
                    gone_at: None,
                    survivor: None,
                };
                self.children.insert(number, child);
            }
            Err(StartFailure { code, detail }) => {
                if let Some(group) = group {
                    self.lingering.add(group);
                }
                self.ended(&attempt, Outcome::Failed { code }, Some(detail));
            }
        }
    }

    /// Gives a number to an attempt, unless it has one already: an attempt has one process in its life.
    fn number(&mut self, attempt: &Id) -> Option<u64> {
        if self.numbers.contains_key(attempt) {
            return None;
        }
        self.last_number = self.last_number.saturating_add(1);
        self.numbers.insert(Rc::clone(attempt), self.last_number);
        Some(self.last_number)
    }

    /// Sets out to end an attempt, or makes haste where that is under way.
    pub(super) fn end(&mut self, attempt: &str, outcome: Outcome, at_once: bool) {
        let Some(&number) = self.numbers.get(attempt) else { return };
        if self.children.contains_key(&number) {
            self.end_child(number, outcome, at_once);
        } else if self.adopted.contains_key(&number) {
            self.end_adopted(number, outcome, at_once);
        } else if let Some(index) = self.waiting.iter().position(|&(waiting, _)| waiting == number) {
            self.waiting.remove(index);
            self.ended(&Id::from(attempt), outcome, Some("stopped before it was started".to_owned()));
        }
    }

    /// Ends all attempts, since the warden itself is told to end.
    pub(super) fn end_all(&mut self, at_once: bool) {
        let all: Vec<Id> = self.numbers.keys().cloned().collect();
        for attempt in all {
            self.end(&attempt, Outcome::Interrupted, at_once);
        }
    }

    fn act_on_deadlines(&mut self) {
        let now = Instant::now();
        while let Some(&(when, number)) = self.deadlines.first()
            && when <= now
        {
            self.deadlines.pop_first();
            if self.children.contains_key(&number) {
                self.child_deadline(number);
            } else {
                self.adopted_deadline(number, now);
            }
        }
    }

    /// Puts a new deadline in the place of an old one.
    fn set_deadline(&mut self, number: u64, old: Option<Instant>, new: Option<Instant>) {
        if let Some(old) = old {
            self.deadlines.remove(&(old, number));
        }
        if let Some(new) = new {
            self.deadlines.insert((new, number));
        }
    }

    /// An attempt is over of which no more is known than this.
    fn ended(&mut self, attempt: &Id, outcome: Outcome, detail: Option<String>) {
        let end = AttemptEnd { outcome, ended_at: clock::now(), duration: None, detail, has_log: false, usage: None };
        self.over(attempt, &end);
    }

    /// An attempt is over: it is told once that is written.
    fn over(&mut self, attempt: &Id, end: &AttemptEnd) {
        self.numbers.remove(attempt);
        let ended = Ended::new(attempt.to_string(), end);
        self.spool.end(ended.clone());
        self.ended.push(ended);
    }

    /// The process of an attempt has been looked up.
    fn looked_up(&mut self, attempt: &Id, process: ProcessIdentity) {
        self.spool.process(attempt, process.clone());
        self.replies.push(Reply::Running(Running { attempt: attempt.to_string(), process: Some(process) }));
    }
}

/// When a process that was started at this time is reported.
fn later(than: Instant) -> Instant {
    than.checked_add(ANNOUNCE_AFTER).unwrap_or(than)
}
