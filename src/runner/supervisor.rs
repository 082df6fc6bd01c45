//! The state machine that owns all processes: it takes requests, exits, output and deadlines, and acts on each.
//!
//! It never waits: the [`super::crew`] does, and lends it to one thread at a time. It does a bounded piece of work for
//! each attempt in a turn. What it does for processes of its own is in `children`, for those of an earlier crontabber
//! in `adopted`.

mod adopted;
mod children;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use tracing::error;

use super::output::Output;
use super::running::{Adopted, Child, Starting};
use super::spawn::{Spawned, StartFailure};
use super::{Launch, Report, Request};
use crate::clock;
use crate::session::{AttemptEnd, AttemptKey, Outcome};

/// The epoll data of the descriptor that announces requests.
const WAKE: u64 = 0;
/// How many requests are taken before exits are looked at again.
const REQUESTS: usize = 64;
/// How much of one job's output is read before the others have their turn: what a pipe holds.
const PIECE: usize = 64 * 1024;
/// A process is reported, and so recorded, once it has lived so long.
const ANNOUNCE_AFTER: Duration = Duration::from_millis(20);
/// The longest wait; shorter than what the kernel takes.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// When a process that was started, or looked at, at this time is reported.
fn later(than: Instant) -> Instant {
    than.checked_add(ANNOUNCE_AFTER).unwrap_or(than)
}

/// The attempts, and all that is to be done for them.
pub(super) struct Supervisor {
    report: Box<dyn Fn(Report) + Send>,
    requests: Receiver<Request>,
    wake: Arc<OwnedFd>,
    epoll: Arc<OwnedFd>,
    boot_id: String,
    /// How many programs may be started at the same time.
    most_starts: usize,
    /// Attempts are numbered as they come; a number is never used again, so that a late event meets nobody.
    last_number: u64,
    numbers: HashMap<AttemptKey, u64>,
    waiting: VecDeque<(u64, Box<Launch>)>,
    starting: HashMap<u64, Starting>,
    children: HashMap<u64, Child>,
    adopted: HashMap<u64, Adopted>,
    /// Children that ended after we set out to end them, and whose groups are to be looked at.
    leaving: Vec<u64>,
    /// Pipes of attempts that are over, held by what these left behind.
    leftovers: HashMap<u64, OwnedFd>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// Starts that are not reported yet, in their order.
    unannounced: VecDeque<(Instant, u64)>,
    buffer: Vec<u8>,
    /// Whether there is more to do before the next wait.
    busy: bool,
    open: bool,
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("numbers", &self.numbers).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// Puts `wake`, which announces requests, into `epoll`, and has nothing to do yet.
    ///
    /// # Errors
    /// When the kernel refuses that.
    pub(super) fn new(
        report: Box<dyn Fn(Report) + Send>,
        requests: Receiver<Request>,
        wake: Arc<OwnedFd>,
        epoll: Arc<OwnedFd>,
        boot_id: String,
        most_starts: usize,
    ) -> io::Result<Self> {
        epoll::add(&*epoll, &*wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        Ok(Self {
            report,
            requests,
            wake,
            epoll,
            boot_id,
            most_starts,
            last_number: 0,
            numbers: HashMap::new(),
            waiting: VecDeque::new(),
            starting: HashMap::new(),
            children: HashMap::new(),
            adopted: HashMap::new(),
            leaving: Vec::new(),
            leftovers: HashMap::new(),
            deadlines: BTreeSet::new(),
            unannounced: VecDeque::new(),
            buffer: vec![0; PIECE],
            busy: false,
            open: true,
        })
    }

    /// Says whether there is still a [`super::Runner`].
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Says how long nothing needs to be done if no event comes; for ever if absent.
    pub(super) fn longest_wait(&self) -> Option<Duration> {
        let until = |&(when, _): &(Instant, u64)| when.saturating_duration_since(Instant::now()).min(LONGEST_WAIT);
        let announce = self.unannounced.front().map(until);
        let deadline = self.deadlines.first().map(until);
        if self.busy { Some(Duration::ZERO) } else { deadline.into_iter().chain(announce).min() }
    }

    /// Acts on these events of the epoll, and on whatever else is due.
    pub(super) fn turn(&mut self, events: impl Iterator<Item = u64>) {
        self.busy = false;
        for token in events {
            self.take_event(token);
        }
        self.take_requests();
        self.act_on_deadlines();
        self.announce();
        self.look_at_groups();
    }

    /// Gives out the next program to start, if one more may be started now.
    pub(super) fn next_start(&mut self) -> Option<(u64, Box<Launch>)> {
        if !self.open || self.starting.len() >= self.most_starts {
            return None;
        }
        let (number, mut launch) = self.waiting.pop_front()?;
        let started = Instant::now();
        // It counts from here, so that whoever waits for events knows of the deadline before he waits.
        let deadline = launch.timeout.and_then(|timeout| started.checked_add(timeout));
        self.set_deadline(number, None, deadline);
        self.unannounced.push_back((later(started), number));
        let starting = Starting {
            attempt: launch.attempt.clone(),
            started,
            deadline,
            kill_grace: launch.kill_grace,
            output: Output::new(std::mem::take(&mut launch.log), launch.output_limit),
            end_as: None,
        };
        self.starting.insert(number, starting);
        Some((number, launch))
    }

    /// Takes what became of a start that was given out.
    pub(super) fn take_spawned(&mut self, number: u64, result: Result<Spawned, StartFailure>) {
        let Some(starting) = self.starting.remove(&number) else { return };
        match result {
            Ok(spawned) => self.watch_child(number, starting, spawned),
            Err(StartFailure { code, detail }) => {
                self.set_deadline(number, starting.deadline, None);
                self.ended(starting.attempt, Outcome::Failed { code }, Some(detail));
            }
        }
    }

    fn take_event(&mut self, token: u64) {
        let number = token >> 1;
        if token == WAKE {
            // Only the wake-up is taken here; the requests behind it are taken in every turn.
            let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
        } else if token & 1 == 1 {
            self.read_output(number);
        } else if self.children.contains_key(&number) {
            self.child_ended(number);
        } else if self.adopted.contains_key(&number) {
            self.finish_adopted(number);
        }
    }

    fn take_requests(&mut self) {
        for _ in 0..REQUESTS {
            match self.requests.try_recv() {
                Ok(request) => self.take_request(request),
                Err(_) => return,
            }
        }
        self.busy = true;
    }

    fn take_request(&mut self, request: Request) {
        match request {
            Request::Start(launch) => {
                if let Some(number) = self.number(&launch.attempt) {
                    self.waiting.push_back((number, launch));
                }
            }
            Request::Adopt(attempt, process) => {
                if let Some(number) = self.number(&attempt) {
                    self.adopt(number, attempt, process);
                }
            }
            Request::End { attempt, outcome, at_once } => {
                if let Some(&number) = self.numbers.get(&attempt) {
                    self.end(number, outcome, at_once);
                }
            }
            Request::Close => self.open = false,
        }
    }

    /// Gives a number to an attempt, unless it has one already: an attempt has one process in its life.
    fn number(&mut self, attempt: &AttemptKey) -> Option<u64> {
        if self.numbers.contains_key(attempt) {
            error!(%attempt, "an attempt that runs was to be started again; it is left as it is");
            return None;
        }
        self.last_number = self.last_number.wrapping_add(1);
        self.numbers.insert(attempt.clone(), self.last_number);
        Some(self.last_number)
    }

    fn end(&mut self, number: u64, outcome: Outcome, at_once: bool) {
        if let Some(starting) = self.starting.get_mut(&number) {
            let (_, already_at_once) = *starting.end_as.get_or_insert((outcome, at_once));
            starting.end_as = starting.end_as.map(|(first, _)| (first, already_at_once || at_once));
        } else if self.children.contains_key(&number) {
            self.end_child(number, outcome, at_once);
        } else if self.adopted.contains_key(&number) {
            self.end_adopted(number, outcome, at_once);
        } else if let Some(index) = self.waiting.iter().position(|&(waiting, _)| waiting == number)
            && let Some((_, launch)) = self.waiting.remove(index)
        {
            self.ended(launch.attempt, outcome, Some("stopped before it was started".to_owned()));
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
            } else if let Some(starting) = self.starting.get_mut(&number) {
                starting.deadline = None;
                starting.end_as.get_or_insert((Outcome::TimedOut, false));
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

    /// Reports an end of which no more is known than this, and forgets the attempt.
    fn ended(&mut self, attempt: AttemptKey, outcome: Outcome, detail: Option<String>) {
        self.numbers.remove(&attempt);
        let ended_at = clock::now();
        let end = AttemptEnd { outcome, ended_at, duration: None, detail, has_log: false, usage: None };
        (self.report)(Report::Ended { attempt, end });
    }
}
