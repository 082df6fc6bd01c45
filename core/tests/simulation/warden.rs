//! A warden as `src/warden` is one, but for real processes and disks: it starts an attempt once, writes that it is about
//! to, tells an end when it is durable, and knows afterwards what its spool tells it.

mod spool;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crontabber_core::control::{OpenAttempt, WardenState};
use crontabber_core::session::{AttemptEnd, AttemptKey, Outcome, ProcessIdentity};

use crate::link::{Ask, Launch, Link, Tell};
use crate::machine::{Exit, Machine, Process, Record};

/// How many programs are started before exits are looked at again.
const STARTS: usize = 4;
/// A process is reported once it has lived so long.
const ANNOUNCE_AFTER: i64 = 20_000;
/// So many starts may wait; more of them wait in the connection.
const MOST_WAITING: usize = 16;
/// An end is durable after this, if the ledger has not taken it before.
const FLUSH_AFTER: i64 = 5_000;
/// So many records are written without need.
const ENOUGH: usize = 30;

/// That the warden set out to end an attempt.
#[derive(Debug, Clone, Copy)]
struct Termination {
    outcome: Outcome,
    killed: bool,
}

#[derive(Debug)]
struct Child {
    attempt: AttemptKey,
    started: i64,
    announced: bool,
    kill_grace: Duration,
    /// The end of its time, or of its grace.
    deadline: Option<i64>,
    ending: Option<Termination>,
}

#[derive(Debug)]
struct Adopted {
    attempt: AttemptKey,
    process: ProcessIdentity,
    kill_grace: Duration,
    timeout_at: Option<i64>,
    kill_at: Option<i64>,
    ending: Option<Termination>,
}

#[derive(Debug, Default, Clone)]
struct Entry {
    boot: u32,
    process: Option<ProcessIdentity>,
    end: Option<AttemptEnd>,
}

/// How far the ends have come on their way to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settling {
    No,
    Written,
}

/// What a warden can do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    Read(u64),
    Search,
    Launch,
    Spawn,
    Announce(i32),
    Deadline(i32),
    Exit(i32),
    Settle,
    Flush,
}

#[derive(Debug)]
pub(crate) struct Warden {
    /// Which one this is; counted from 1.
    serial: u64,
    entries: BTreeMap<AttemptKey, Entry>,
    /// A daemon was here in this boot, and from then on all its attempts are in the spool.
    knows_ledger: bool,
    pending: Vec<Record>,
    numbers: BTreeSet<AttemptKey>,
    waiting: VecDeque<Launch>,
    /// Written down as begun; their processes come next.
    launching: VecDeque<Launch>,
    children: BTreeMap<i32, Child>,
    adopted: BTreeMap<i32, Adopted>,
    sought: Vec<OpenAttempt>,
    ended: Vec<(AttemptKey, AttemptEnd)>,
    /// What has been said, and is flushed then unless the ledger has it before.
    unflushed: VecDeque<(i64, AttemptKey)>,
    replies: Vec<Tell>,
    settling: Settling,
    /// It ends, to make room for another.
    pub(crate) retires: bool,
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).expect("not so long")
}

impl Warden {
    /// A warden begins with what the spool tells.
    pub(crate) fn new(serial: u64, machine: &mut Machine) -> Self {
        let mut warden = Self {
            serial,
            entries: BTreeMap::new(),
            knows_ledger: false,
            pending: Vec::new(),
            numbers: BTreeSet::new(),
            waiting: VecDeque::new(),
            launching: VecDeque::new(),
            children: BTreeMap::new(),
            adopted: BTreeMap::new(),
            sought: Vec::new(),
            ended: Vec::new(),
            unflushed: VecDeque::new(),
            replies: Vec::new(),
            settling: Settling::No,
            retires: false,
        };
        warden.read_spool(machine);
        warden.restore(machine);
        warden
    }

    /// Says whether it is in the middle of something, and nobody can speak with it.
    pub(crate) fn is_busy(&self) -> bool {
        !self.launching.is_empty() || self.settling != Settling::No
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.numbers.is_empty() && self.ended.is_empty()
    }

    /// What it could do now.
    pub(crate) fn moves(&self, machine: &Machine, links: &BTreeMap<u64, Link>, moves: &mut Vec<Move>) {
        if !self.launching.is_empty() {
            moves.push(Move::Spawn);
            return;
        }
        if self.settling != Settling::No {
            moves.push(Move::Settle);
            return;
        }
        let is_full = self.waiting.len() >= MOST_WAITING;
        let heard = links.iter().filter(|(_, link)| link.has_warden && !link.asks.is_empty() && !is_full);
        moves.extend(heard.map(|(number, _)| Move::Read(*number)));
        moves.extend((!self.sought.is_empty()).then_some(Move::Search));
        moves.extend((!self.waiting.is_empty()).then_some(Move::Launch));
        let has_ended = |pid: &i32| machine.processes.get(pid).is_none_or(|process| process.ended);
        let now = machine.monotonic;
        for (pid, child) in &self.children {
            if has_ended(pid) {
                moves.push(Move::Exit(*pid));
            } else if !child.announced && child.started + ANNOUNCE_AFTER <= now {
                moves.push(Move::Announce(*pid));
            }
            if child.deadline.is_some_and(|at| at <= now) {
                moves.push(Move::Deadline(*pid));
            }
        }
        for (pid, adopted) in &self.adopted {
            if has_ended(pid) {
                moves.push(Move::Exit(*pid));
            } else if adopted.next_deadline().is_some_and(|at| at <= now) {
                moves.push(Move::Deadline(*pid));
            }
        }
        let settles = !self.ended.is_empty() || !self.replies.is_empty() || self.pending.len() > ENOUGH;
        moves.extend(settles.then_some(Move::Settle));
        moves.extend(self.flush_at().is_some_and(|at| at <= now).then_some(Move::Flush));
    }

    /// When it will want to do something by itself.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        let announce =
            self.children.values().filter(|child| !child.announced).map(|child| child.started + ANNOUNCE_AFTER);
        let children = self.children.values().filter_map(|child| child.deadline);
        let adopted = self.adopted.values().filter_map(Adopted::next_deadline);
        announce.chain(children).chain(adopted).chain(self.flush_at()).min()
    }

    /// Makes a move. Answers with the attempt whose process that started.
    pub(crate) fn make(
        &mut self,
        next: Move,
        machine: &mut Machine,
        links: &mut BTreeMap<u64, Link>,
    ) -> Option<AttemptKey> {
        match next {
            Move::Read(number) => {
                if let Some(ask) = links.get_mut(&number).and_then(|link| link.asks.pop_front()) {
                    self.take(ask, machine);
                }
            }
            Move::Search => self.search(machine),
            Move::Launch => {
                let some = self.waiting.len().min(STARTS);
                self.launching.extend(self.waiting.drain(..some));
                for launch in self.launching.clone() {
                    self.begin(&launch.attempt, machine);
                }
                self.write(machine);
            }
            Move::Spawn => return self.spawn(machine),
            Move::Announce(pid) => {
                if let (Some(child), Some(process)) = (self.children.get_mut(&pid), machine.identity(pid)) {
                    child.announced = true;
                    let attempt = child.attempt.clone();
                    self.looked_up(&attempt, process);
                }
            }
            Move::Deadline(pid) if self.children.contains_key(&pid) => self.child_deadline(pid, machine),
            Move::Deadline(pid) => self.adopted_deadline(pid, machine),
            Move::Exit(pid) if self.children.contains_key(&pid) => self.reap(pid, machine),
            Move::Exit(pid) => self.finish_adopted(pid, machine),
            Move::Settle => self.settle(machine, links),
            Move::Flush => self.flush_all(machine),
        }
        None
    }

    /// A daemon is here. What the one before it had asked is done first.
    pub(crate) fn hello(&mut self, number: u64, machine: &mut Machine, links: &mut BTreeMap<u64, Link>) -> WardenState {
        let mut asks = Vec::new();
        for (other, link) in links.iter_mut() {
            if *other != number {
                asks.extend(link.asks.drain(..));
                link.has_warden = false;
            }
        }
        for ask in asks {
            self.take(ask, machine);
        }
        let mut known = WardenState::default();
        for (attempt, entry) in &self.entries {
            match &entry.end {
                Some(_) if self.ended.iter().any(|(ended, _)| ended == attempt) => {}
                Some(end) => known.ended.push((attempt.clone(), end.clone())),
                None => known.running.push(attempt.clone()),
            }
        }
        known.running.extend(self.waiting.iter().map(|launch| launch.attempt.clone()));
        known
    }

    fn take(&mut self, ask: Ask, machine: &mut Machine) {
        match ask {
            Ask::Start(launch) => self.start(launch),
            Ask::Retire => self.retires = self.is_idle() && machine.is_of_other_version(),
            Ask::Watch(open) => self.watch(open, machine),
            Ask::Ready => {
                self.search(machine);
                if !self.knows_ledger {
                    self.knows_ledger = true;
                    self.pending.push(Record::Ledger(machine.boot));
                }
            }
            Ask::End { attempt, outcome, at_once } => self.end(&attempt, outcome, at_once, machine),
            Ask::Forget(attempts) => {
                for attempt in attempts {
                    self.forget(&attempt);
                }
            }
        }
    }

    fn start(&mut self, launch: Launch) {
        let attempt = &launch.attempt;
        if let Some(entry) = self.entries.get(attempt) {
            match entry.end.clone() {
                Some(_) if self.ended.iter().any(|(ended, _)| ended == attempt) => {}
                Some(end) => self.replies.push(Tell::Ended(attempt.clone(), end)),
                None => self.replies.push(Tell::Running(attempt.clone(), entry.process.clone())),
            }
        } else if self.numbers.insert(attempt.clone()) {
            self.waiting.push_back(launch);
        }
    }

    fn spawn(&mut self, machine: &mut Machine) -> Option<AttemptKey> {
        let Launch { attempt, timeout, kill_grace } = self.launching.pop_front()?;
        if machine.misses() {
            // The program is not there.
            self.over(&attempt, Outcome::Failed { code: 127 }, machine);
            return None;
        }
        let pid = machine.spawn(&attempt, self.serial);
        let (started, ending) = (machine.monotonic, None);
        let deadline = timeout.map(|timeout| started + micros(timeout));
        let child = Child { attempt: attempt.clone(), started, announced: false, kill_grace, deadline, ending };
        self.children.insert(pid, child);
        Some(attempt)
    }

    /// Takes the exit status of a child.
    fn reap(&mut self, pid: i32, machine: &mut Machine) {
        let Some(child) = self.children.remove(&pid) else { return };
        let Some(Process { exit, .. }) = machine.processes.remove(&pid) else { return };
        let outcome = match (child.ending.map(|ending| ending.outcome), exit) {
            (Some(Outcome::TimedOut), _) => Outcome::TimedOut,
            (_, Exit::Code(0)) => Outcome::Succeeded,
            (Some(wanted), _) => wanted,
            (None, Exit::Code(code)) => Outcome::Failed { code },
            (None, Exit::Signal(signal)) => Outcome::Killed { signal },
        };
        let taken = u64::try_from(machine.monotonic - child.started).expect("it began before it ended");
        let duration = Some(Duration::from_micros(taken));
        let ended_at = machine.now();
        self.ended(
            &child.attempt,
            AttemptEnd { outcome, ended_at, duration, detail: None, has_log: false, usage: None },
        );
    }

    fn child_deadline(&mut self, pid: i32, machine: &mut Machine) {
        let Some(child) = self.children.get_mut(&pid) else { return };
        child.deadline = None;
        if let Some(ending) = &mut child.ending {
            ending.killed = true;
            machine.signal(pid, true);
        } else {
            let attempt = child.attempt.clone();
            self.end(&attempt, Outcome::TimedOut, false, machine);
        }
    }

    /// Sets out to end an attempt, or makes haste.
    fn end(&mut self, attempt: &AttemptKey, outcome: Outcome, at_once: bool, machine: &mut Machine) {
        if let Some((pid, child)) = self.children.iter_mut().find(|(_, child)| child.attempt == *attempt) {
            if machine.processes.get(pid).is_none_or(|process| process.ended) {
                return;
            }
            let first = child.ending.is_none();
            let ending = child.ending.get_or_insert(Termination { outcome, killed: false });
            if at_once {
                ending.killed = true;
                child.deadline = None;
                machine.signal(*pid, true);
            } else if first {
                child.deadline = Some(machine.monotonic + micros(child.kill_grace));
                machine.signal(*pid, false);
            }
        } else if let Some(pid) =
            self.adopted.iter().find(|(_, adopted)| adopted.attempt == *attempt).map(|(pid, _)| *pid)
        {
            self.end_adopted(pid, outcome, at_once, machine);
        } else if let Some(place) = self.waiting.iter().position(|launch| launch.attempt == *attempt) {
            self.waiting.remove(place);
            self.over(attempt, outcome, machine);
        }
    }

    /// An attempt is over, and nobody measured it.
    fn over(&mut self, attempt: &AttemptKey, outcome: Outcome, machine: &Machine) {
        let ended_at = machine.now();
        self.ended(
            attempt,
            AttemptEnd { outcome, ended_at, duration: None, detail: None, has_log: false, usage: None },
        );
    }

    fn ended(&mut self, attempt: &AttemptKey, end: AttemptEnd) {
        self.numbers.remove(attempt);
        self.entries.entry(attempt.clone()).or_default().end = Some(end.clone());
        self.pending.push(Record::Ended(attempt.clone(), end.clone()));
        self.ended.push((attempt.clone(), end));
    }

    fn looked_up(&mut self, attempt: &AttemptKey, process: ProcessIdentity) {
        if let Some(entry) = self.entries.get_mut(attempt) {
            entry.process = Some(process.clone());
            self.pending.push(Record::Process(attempt.clone(), process.clone()));
        }
        self.replies.push(Tell::Running(attempt.clone(), Some(process)));
    }

    /// When the warden goes by itself, nothing is left unwritten.
    pub(crate) fn close(&mut self, machine: &mut Machine) {
        self.write(machine);
        Self::flush(machine);
    }
}
