//! The order of dates: P3, and what of P2 and P5 concerns more than one date.
//!
//! Two kinds of evidence hold whatever the wall clock did: an earlier date that is unsettled now, and the kernel's
//! count of ticks at which processes were started, between two processes of one boot of one host.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::findings::{Findings, Rule};
use super::subject::Subject;
use crate::session::{AttemptRecord, SessionRecord, Trigger};

/// A tick of `/proc/PID/stat` is a hundredth of a second on every supported host.
const TICKS_PER_SECOND: u64 = 100;

/// How much longer than its process an attempt may have been measured: measuring begins when the process is requested.
const SLACK_TICKS: u64 = 60 * TICKS_PER_SECOND;

/// How many boots are remembered at once; consecutive dates seldom go back and forth between boots.
const BOOTS: usize = 64;

/// A host, and one of its boots.
type Boot = (String, String);

/// The start of a process.
#[derive(Debug, Clone)]
struct ProcessStart {
    ticks: u64,
    generation: u32,
    date: DateTime<Utc>,
    number: u32,
    of: Earlier,
}

/// A process from its start to its end.
#[derive(Debug)]
struct ProcessSpan {
    boot: Boot,
    start: ProcessStart,
    end_ticks: u64,
}

/// An earlier date, and when its row was recorded.
#[derive(Debug, Clone, Copy)]
struct Earlier {
    date: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    is_in_order: bool,
}

/// What is known of the dates before the current one.
#[derive(Debug)]
pub(super) struct Order<'a> {
    subject: &'a Subject,
    generation: u32,
    /// The last earlier unsettled date that was recorded in the order of the dates, and the last of all others.
    unsettled: Option<Earlier>,
    unsettled_other: Option<Earlier>,
    /// The earlier date that was settled last, by the wall clock.
    settled: Option<(DateTime<Utc>, Earlier)>,
    /// The latest start on each boot, of dates in the order of the schedule: at the current date, and at earlier dates.
    here: HashMap<Boot, ProcessStart>,
    before: HashMap<Boot, ProcessStart>,
    /// The latest start on each boot, of all dates: in the current generation, and in earlier ones.
    generation_starts: HashMap<Boot, ProcessStart>,
    older: HashMap<Boot, ProcessStart>,
    /// The last process whose end is known.
    last: Option<ProcessSpan>,
    /// Whether the current date was reported: once is enough.
    is_reported: bool,
}

impl<'a> Order<'a> {
    pub(super) fn new(subject: &'a Subject) -> Self {
        Self {
            subject,
            generation: 0,
            unsettled: None,
            unsettled_other: None,
            settled: None,
            here: HashMap::new(),
            before: HashMap::new(),
            generation_starts: HashMap::new(),
            older: HashMap::new(),
            last: None,
            is_reported: false,
        }
    }

    /// Begins a session.
    pub(super) fn begin(&mut self, session: &SessionRecord) {
        self.is_reported = false;
        merge(&mut self.before, &mut self.here);
        if session.key.generation != self.generation {
            self.generation = session.key.generation;
            (self.unsettled, self.unsettled_other, self.settled) = (None, None, None);
            self.before.clear();
            merge(&mut self.older, &mut self.generation_starts);
        }
    }

    /// Compares an attempt at the current session with everything before it.
    pub(super) fn attempt(&mut self, session: &SessionRecord, attempt: &AttemptRecord, findings: &mut Findings) {
        let is_strict = self.subject.record.is_strict_at(session.key.generation, session.key.date);
        if is_strict && !self.is_reported && is_in_strict_order(session) {
            self.in_order(session, attempt, findings);
        }
        let Some(process) = &attempt.process else { return };
        let boot = (attempt.host.clone(), process.boot_id.clone());
        let start = ProcessStart {
            ticks: process.start_ticks,
            generation: session.key.generation,
            date: session.key.date,
            number: attempt.key.number,
            of: self.earlier(session),
        };
        if let Some(late) = self.older.get(&boot).filter(|older| older.ticks > start.ticks) {
            let text = format!("attempt {} was started after generation {} had begun", late.number, start.generation);
            findings.broken(Rule::Forward, late.generation, late.date, text);
            self.older.remove(&boot);
        }
        if let Some(duration) = attempt.end.as_ref().and_then(|end| end.duration) {
            let ticks = duration.as_secs().saturating_mul(TICKS_PER_SECOND);
            let span =
                ProcessSpan { boot: boot.clone(), end_ticks: start.ticks.saturating_add(ticks), start: start.clone() };
            if let Some(last) = self.last.as_ref().filter(|last| is_strict && last.overlaps(&span)) {
                let other = findings.shown(last.start.date);
                let text = format!("attempt {} ran beside attempt {} at {other}", start.number, last.start.number);
                findings.broken(Rule::Alone, start.generation, start.date, text);
            }
            self.last = Some(span);
        }
        if is_in_strict_order(session) {
            later(&mut self.here, boot.clone(), start.clone());
        }
        later(&mut self.generation_starts, boot, start);
    }

    /// Ends a session.
    pub(super) fn leave(&mut self, session: &SessionRecord) {
        if !is_in_strict_order(session) {
            return;
        }
        let earlier = self.earlier(session);
        match session.settled_at {
            None if earlier.is_in_order => self.unsettled = Some(earlier),
            None => self.unsettled_other = Some(earlier),
            Some(at) if self.settled.is_none_or(|(last, _)| last < at) => self.settled = Some((at, earlier)),
            Some(_) => {}
        }
    }

    /// What later sessions need to know of this one. Rows are recorded in the order of their dates, whatever the clock
    /// says, except those that a `start` moved back adds: they count as missed, and never belong to the timetable in
    /// force.
    fn earlier(&self, session: &SessionRecord) -> Earlier {
        let SessionRecord { key, trigger, recorded_at, .. } = session;
        let record = &self.subject.record;
        let is_in_force = key.generation == record.generation && key.date > record.timetable_from;
        let is_in_order = match trigger {
            Trigger::Schedule => true,
            Trigger::CatchUp => is_in_force,
            _ => false,
        };
        Earlier { date: key.date, recorded_at: *recorded_at, is_in_order }
    }

    fn in_order(&mut self, session: &SessionRecord, attempt: &AttemptRecord, findings: &mut Findings) {
        let (number, started_at) = (attempt.key.number, attempt.started_at);
        // A row of the same transaction was there before any attempt.
        let was_there = |earlier: &Earlier| {
            let together = earlier.recorded_at == session.recorded_at && session.recorded_at < started_at;
            earlier.is_in_order || together
        };
        let started_before = attempt.process.as_ref().and_then(|process| {
            let boot = (attempt.host.clone(), process.boot_id.clone());
            self.before.get(&boot).filter(|before| before.ticks > process.start_ticks && was_there(&before.of))
        });
        let text = if let Some(earlier) = self.unsettled.or(self.unsettled_other).filter(was_there) {
            let other = findings.shown(earlier.date);
            Some(format!("attempt {number} was started, and {other} before it is not settled"))
        } else if let Some(earlier) = started_before {
            let other = findings.shown(earlier.date);
            let before = earlier.number;
            Some(format!("attempt {number} was started before attempt {before} at {other}, an earlier date"))
        } else {
            None
        };
        if let Some(text) = text {
            self.is_reported = true;
            findings.broken(Rule::InOrder, session.key.generation, session.key.date, text);
            return;
        }
        let looks_wrong = self.settled.is_some_and(|(at, earlier)| at > started_at && earlier.recorded_at < started_at)
            || self.unsettled_other.is_some_and(|earlier| earlier.recorded_at < started_at);
        if number == 1 && looks_wrong {
            findings.doubted(Rule::InOrder, session.key.date);
        }
    }
}

impl ProcessSpan {
    /// Whether both ran at once, for longer than the error of the measurement.
    fn overlaps(&self, other: &Self) -> bool {
        self.boot == other.boot
            && self.start.ticks + SLACK_TICKS < other.end_ticks
            && other.start.ticks + SLACK_TICKS < self.end_ticks
    }
}

/// Whether a date is part of the strict order. Runs, required dates and backfills are not.
fn is_in_strict_order(session: &SessionRecord) -> bool {
    session.backfill.is_none() && !matches!(session.trigger, Trigger::Manual | Trigger::Backfill | Trigger::Required)
}

/// Keeps the later of two starts on a boot.
fn later(starts: &mut HashMap<Boot, ProcessStart>, boot: Boot, start: ProcessStart) {
    if starts.len() >= BOOTS && !starts.contains_key(&boot) {
        // Forgotten starts are not compared.
        starts.clear();
    }
    match starts.get(&boot) {
        Some(known) if known.ticks >= start.ticks => {}
        _ => drop(starts.insert(boot, start)),
    }
}

fn merge(into: &mut HashMap<Boot, ProcessStart>, from: &mut HashMap<Boot, ProcessStart>) {
    for (boot, start) in from.drain() {
        later(into, boot, start);
    }
}
