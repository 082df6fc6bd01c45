//! P1 to P8, held against what really happened: the machine knows the processes, the calendars know the dates, the ledger
//! says what was recorded. Nothing here asks the scheduler.

mod asked;
mod dates;
mod ends;
mod periods;
mod renames;
mod rest;
mod rules;
mod starts;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use crontabber_core::control::PROBE;
use crontabber_core::job::JobName;
use crontabber_core::scheduler::{LastSuccess, Notification, Start};
use crontabber_core::session::{AttemptKey, BackfillOrder, Entry, Operation, Reply, Request, SessionKey};

pub(crate) use rest::Rest;
pub(crate) use starts::spawned;

use crate::Held;
use crate::calendar::{At, Calendar};
use crate::daemon::Context;
use crate::ledger::{Asked, Dates, Ledger};
use crate::machine::Machine;
use rules::Calendars;

/// The least step of an instant.
const TICK: TimeDelta = TimeDelta::microseconds(1);

/// What a check may look at: the ledger as it is before the entry, and what was known when the entry was decided.
pub(crate) struct View<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) machine: &'a Machine,
    pub(crate) calendars: &'a BTreeMap<String, Calendar>,
    pub(crate) context: &'a Context,
    /// The whole commit.
    pub(crate) entries: &'a [Entry],
}

impl View<'_> {
    fn calendars(&self) -> Calendars<'_> {
        Calendars { registry: &self.context.registry, by_timetable: self.calendars }
    }

    /// The calendar that the ledger has in force for a job.
    fn calendar(&self, job: &JobName) -> Result<&Calendar, String> {
        let record = &self.ledger.jobs.get(job).ok_or_else(|| format!("{job} is not in the ledger"))?.record;
        self.named(&record.timetable)
    }

    fn named(&self, timetable: &str) -> Result<&Calendar, String> {
        self.calendars.get(timetable).ok_or_else(|| format!("no registry ever had the timetable {timetable}"))
    }

    /// The operators' requests about a job that this commit says it did.
    fn done(&self, job: &JobName) -> impl Iterator<Item = (&Request, &Reply)> {
        self.entries.iter().filter_map(move |entry| {
            let Entry::Answer { request, reply, .. } = entry else { return None };
            let asked =
                self.ledger.audit.get(request).filter(|asked| reply.done && asked.request.job.as_ref() == Some(job))?;
            Some((&asked.request, reply))
        })
    }

    /// Whether this commit says that it did what operators asked for.
    fn answers(&self, operation: &Operation) -> bool {
        self.entries.iter().any(|entry| {
            let Entry::Answer { request, reply, .. } = entry else { return false };
            reply.done && self.ledger.audit.get(request).is_some_and(|asked| asked.request.operation == *operation)
        })
    }

    /// A request that was not answered before this commit.
    fn asked(&self, id: i64) -> Option<&Asked> {
        let is_answered =
            self.entries.iter().any(|entry| matches!(entry, Entry::Answer { request, .. } if *request == id));
        self.ledger.audit.get(&id).filter(|asked| asked.done.is_none() || is_answered)
    }

    /// The backfills of a job that are being entered.
    fn orders(&self, job: &JobName) -> impl Iterator<Item = (i64, &BackfillOrder)> {
        let ids = self.ledger.audit.keys().filter_map(|id| self.asked(*id));
        let of_job = ids.filter(move |asked| asked.request.job.as_ref() == Some(job));
        of_job.filter_map(|asked| match &asked.request.operation {
            Operation::Backfill(order) => Some((asked.request.id, order)),
            _ => None,
        })
    }

    fn order(&self, job: &JobName, id: i64) -> Option<&BackfillOrder> {
        self.orders(job).find(|(found, _)| *found == id).map(|(_, order)| order)
    }

    fn is_cancelled(&self, backfill: i64) -> bool {
        self.ledger.backfills.get(&backfill).is_some_and(|record| record.cancelled_by.is_some())
    }

    /// Whether an operator has just this date attempted, and if so whether by force.
    fn run_of(&self, job: &JobName, date: At) -> Option<bool> {
        self.done(job).find_map(|(request, reply)| match request.operation {
            Operation::Run { force, .. } if reply.dates.first == Some(date) => Some(force),
            _ => None,
        })
    }
}

/// A job, and whether it is about a date of a backfill.
type WardenClient = (JobName, bool);

/// What the checkers remember.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// How often a job that could start a date (of a backfill, or not) was overtaken by another.
    overtaken: BTreeMap<(WardenClient, WardenClient), u32>,
    /// What the commit at hand has superseded, and recorded.
    superseded: Vec<SessionKey>,
    recorded: Vec<SessionKey>,
}

impl Checks {
    /// Looks at an entry before it is applied.
    pub(crate) fn entry(&mut self, entry: &Entry, view: &View<'_>) -> Held {
        match entry {
            Entry::Enter(record) => dates::entered(record, view),
            Entry::Adopt { .. } => periods::adopted(entry, view),
            Entry::Include { session, .. } => periods::included(session, view),
            Entry::Order { .. } => dates::ordered(entry, view),
            Entry::Registered { job, action } => renames::registered(job, action.as_deref(), view),
            Entry::Reset(record) => dates::reset(record, view),
            Entry::Record { job, generation, sessions, .. } => {
                let key = |date| SessionKey { job: job.clone(), generation: *generation, date };
                self.recorded.extend(sessions.iter().map(|new| key(new.date)));
                dates::clock_is_believed(sessions, view)?;
                dates::recorded(entry, view)
            }
            Entry::Open { .. } => self.opened(entry, view),
            Entry::Close { .. } => ends::closed(entry, view),
            Entry::Move { session, to, .. } => self.moved(session, to, view),
            Entry::Process { .. } => Ok(()),
            other => asked::changed(other, view),
        }
    }

    /// A daemon that begins does not know whose turn it was.
    pub(crate) fn restart(&mut self) {
        self.overtaken.clear();
    }

    /// Looks at the ledger when all entries of a commit are applied.
    pub(crate) fn commit(&mut self, ledger: &Ledger) -> Held {
        for key in std::mem::take(&mut self.superseded) {
            let Some(rows) = ledger.jobs.get(&key.job) else { continue };
            let newest = rows.generations.get(&key.generation).and_then(Dates::newest);
            let took_over = |other: &SessionKey| other.job == key.job && other.date != key.date;
            if newest.is_none_or(|newest| newest <= key.date) && !self.recorded.iter().any(took_over) {
                return Err(format!("P4: {} {} is superseded by no other date", key.job, key.date));
            }
        }
        self.recorded.clear();
        Ok(())
    }
}

/// What people are told is in the ledger.
pub(crate) fn may_tell(ledger: &Ledger, notification: &Notification) -> Held {
    let is_durable = match notification {
        Notification::Opened { attempt, .. } => {
            ledger.open.contains_key(attempt) || ledger.closed.contains_key(attempt)
        }
        Notification::Closed { attempt, end, .. } => ledger.closed.get(attempt) == Some(end),
        _ => true,
    };
    if is_durable { Ok(()) } else { Err(format!("P6: people are told what is not in the ledger: {notification:?}")) }
}

/// The last success that an attempt gets is before its date, and no success is between the two.
pub(crate) fn told_success(start: &Start, ledger: &Ledger) -> Held {
    let (told, date) = (start.last_success, start.attempt.session.date);
    let LastSuccess::Known(told) = told else { return Err(format!("{} is told no last success", start.attempt)) };
    let SessionKey { job, generation, .. } = &start.attempt.session;
    let newest = ledger.newest_success(job, *generation, date);
    // A reset to a date keeps the success before it, and a date that is repeated has succeeded.
    let is_repeated = |told: At| {
        let key = SessionKey { date: told, ..start.attempt.session.clone() };
        ledger.row(&key).is_some_and(|row| row.backfill.is_some())
    };
    let is_kept = |told: At| told < date && (is_repeated(told) || ledger.succeeded_before(job, *generation, told));
    if told == newest || (told > newest && told.is_some_and(is_kept)) {
        Ok(())
    } else {
        Err(format!("{} is told the last success {told:?}, and it is {newest:?}", start.attempt))
    }
}

/// What the warden is told to forget is in the ledger.
pub(crate) fn may_forget(ledger: &Ledger, attempts: &[AttemptKey]) -> Held {
    match attempts.iter().find(|attempt| attempt.number != PROBE && !ledger.closed.contains_key(attempt)) {
        Some(attempt) => Err(format!("P6: the warden is to forget {attempt}, whose end the ledger does not have")),
        None => Ok(()),
    }
}
