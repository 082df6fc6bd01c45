//! Everything around the daemon: the machine, the warden, the connections, the ledger, the registry's file, and those
//! who watch.

use std::collections::{BTreeMap, VecDeque};

use chrono::TimeDelta;
use crontabber_core::control::WardenState;
use crontabber_core::session::{Entry, SessionKey, State, StateKind};

use crate::Held;
use crate::calendar::At;
use crate::checks::{Checks, View};
use crate::daemon::Context;
use crate::ledger::Ledger;
use crate::link::Link;
use crate::machine::{Machine, Record, SECOND, Workload};
use crate::plan::{Pace, Plan};
use crate::random::Random;
use crate::warden::Warden;

/// How often something goes wrong, once in so many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Odds {
    /// Actions between faults.
    pub(crate) fault: u64,
    /// Commits that fail.
    pub(crate) commit: u64,
    /// Actions that wait for a moment.
    pub(crate) pause: u64,
}

/// What happened last, for people.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// So many lines are kept.
    pub(crate) length: usize,
    lines: VecDeque<String>,
}

impl Trace {
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.length > 0 {
            if self.lines.len() >= self.length {
                self.lines.pop_front();
            }
            self.lines.push_back(line());
        }
    }

    pub(crate) fn tell(&self) -> String {
        self.lines.iter().flat_map(|line| ["  ", line, "\n"]).collect()
    }
}

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) pace: Pace,
    pub(crate) machine: Machine,
    pub(crate) links: BTreeMap<u64, Link>,
    last_link: u64,
    pub(crate) warden: Option<Warden>,
    wardens: u64,
    pub(crate) ledger: Ledger,
    /// The ledger cannot be reached until then.
    pub(crate) away_until: i64,
    pub(crate) plan: Plan,
    pub(crate) checks: Checks,
    pub(crate) odds: Odds,
    pub(crate) trace: Trace,
    pub(crate) requests: i64,
    pub(crate) resets: u32,
    /// The time that the daemon last reported to believe.
    pub(crate) clock_seen: Option<At>,
    /// When it did.
    reported_at: i64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let pace = Pace::any(&mut random);
        // Any day of some years, so that clocks change now and then.
        let start = crate::at("2024-01-01T00:00:00Z") + TimeDelta::seconds(random.between(0, 100_000_000));
        let plan = Plan::new(&mut random, pace, start);
        let long_seconds = pace.interval().num_seconds() * 3 / 2;
        let (fails_once_in, is_long_once_in) = (2 + random.next() % 30, *random.pick(&[5, 20, 20, 100]));
        let workload = Workload { fails_once_in, is_missing_once_in: 200, is_long_once_in, long_seconds };
        let odds = Odds {
            fault: *random.pick(&[50, 200, 500, 1000, 3000, 3000]),
            commit: *random.pick(&[5, 30, 30, 200]),
            pause: *random.pick(&[4, 20, 100]),
        };
        let machine = Machine::new(Random::new(random.next()), workload, start);
        Self {
            random,
            pace,
            machine,
            links: BTreeMap::new(),
            last_link: 0,
            warden: None,
            wardens: 0,
            ledger: Ledger::default(),
            away_until: 0,
            plan,
            checks: Checks::default(),
            odds,
            trace: Trace::default(),
            requests: 0,
            resets: 0,
            clock_seen: None,
            reported_at: 0,
        }
    }

    pub(crate) fn now(&self) -> At {
        self.machine.now()
    }

    pub(crate) fn ledger_is_away(&self) -> bool {
        self.away_until > self.machine.monotonic
    }

    /// Says whether this commit fails, or its answer is lost.
    pub(crate) fn commit_fails(&mut self) -> bool {
        self.random.once_in(self.odds.commit)
    }

    /// Applies a transaction, and checks each entry before. Entries that nothing waits for come first; `contexts` says what
    /// was known when the others were decided.
    pub(crate) fn commit(&mut self, entries: &[Entry], contexts: &[Context]) -> Held {
        let is_deferred = |entry: &&Entry| matches!(entry, Entry::Process { .. });
        let deferred = entries.iter().take_while(is_deferred).count();
        for (index, entry) in entries.iter().enumerate() {
            let context = contexts.iter().find(|context| index < deferred || index - deferred < context.end);
            let context = context.ok_or_else(|| format!("{entry:?} is written, and nobody decided it"))?;
            let view = View {
                ledger: &self.ledger,
                machine: &self.machine,
                calendars: &self.plan.calendars,
                context,
                entries,
            };
            self.checks.entry(entry, &view)?;
            self.trace.note(|| format!("          {}", told(entry)));
            self.ledger.apply(entry)?;
            self.follow(entry);
        }
        self.checks.commit(&self.ledger)
    }

    /// What an entry that is durable means for what is known of the world.
    fn follow(&mut self, entry: &Entry) {
        let machine = &mut self.machine;
        match entry {
            Entry::Close { attempt, state, .. } => {
                machine.fate(attempt).recorded = true;
                if *state == State::Succeeded {
                    machine.done.insert(attempt.session.clone());
                }
            }
            Entry::Open { attempt, .. } => {
                let (boot, deaths) = (machine.boot, machine.deaths);
                let knows = |record: &Record| matches!(record, Record::Ledger(known) if *known == boot);
                let warden_knew = machine.disk.records.iter().any(knows);
                let fate = machine.fate(attempt);
                (fate.boot, fate.deaths, fate.warden_knew) = (boot, deaths, warden_knew);
            }
            Entry::Done { session, .. } | Entry::Restore { session, to: StateKind::Succeeded, .. } => {
                machine.done.insert(session.clone());
            }
            Entry::Again { session, .. } => _ = machine.done.remove(session),
            Entry::Rename { from, to, replaces } => {
                if *replaces {
                    machine.replace(to, from);
                }
                let of_it: Vec<SessionKey> = machine.done.iter().filter(|key| key.job == *from).cloned().collect();
                machine.done.extend(of_it.into_iter().map(|key| SessionKey { job: to.clone(), ..key }));
            }
            _ => {}
        }
    }

    /// A daemon finds the warden, or starts one, and hears what it knows.
    pub(crate) fn connect(&mut self) -> (u64, WardenState) {
        self.last_link += 1;
        let number = self.last_link;
        self.links.insert(number, Link::new());
        let warden = self.warden.get_or_insert_with(|| {
            self.wardens += 1;
            Warden::new(self.wardens, &mut self.machine)
        });
        let known = warden.hello(number, &mut self.machine, &mut self.links);
        self.links.retain(|_, link| link.has_daemon || link.has_warden);
        self.trace.note(|| format!("connected to warden {}: {known:?}", self.wardens));
        (number, known)
    }

    /// The warden is gone, and with it what it had not read; what it had said may arrive.
    pub(crate) fn lose_warden(&mut self) {
        self.warden = None;
        for link in self.links.values_mut() {
            link.has_warden = false;
            link.asks.clear();
            link.tells.truncate(self.random.below(link.tells.len() + 1));
        }
        self.links.retain(|_, link| link.has_daemon);
    }

    /// The daemon is gone; what it asked may still be read.
    pub(crate) fn lose_daemon(&mut self) {
        for link in self.links.values_mut() {
            link.has_daemon = false;
            link.tells.clear();
        }
        self.links.retain(|_, link| link.has_warden);
    }

    /// The daemon reports every ten seconds which time it believes.
    pub(crate) fn note_clock_seen(&mut self, seen: At) {
        if self.clock_seen.is_none() || self.machine.monotonic >= self.reported_at + 10 * SECOND {
            (self.clock_seen, self.reported_at) = (Some(seen), self.machine.monotonic);
        }
    }

    pub(crate) fn outage(&mut self) {
        let longest = *self.random.pick(&[10, 600, 20_000]);
        self.away_until = self.machine.monotonic + self.random.between(1, longest) * SECOND;
    }
}

/// An entry in a line.
fn told(entry: &Entry) -> String {
    match entry {
        Entry::Record { job, generation, watermark, to, sessions, .. } => {
            let dates: Vec<String> = sessions.iter().map(|new| format!("{} {}", new.date, new.state.word())).collect();
            let more = if dates.len() > 4 { format!(" and {} more", dates.len() - 4) } else { String::new() };
            let some = dates.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
            format!("record {job}/{generation}: {watermark:?} to {to:?}: {some}{more}")
        }
        Entry::Open { attempt, from, trigger, .. } => format!("open {attempt} ({trigger}) from {from}"),
        Entry::Close { attempt, end, state, .. } => format!("close {attempt} as {}: {state:?}", end.outcome),
        other => format!("{other:?}"),
    }
}
