//! P1 to P8, held against what really happened: the machine knows the processes, the calendars know the dates, the ledger
//! says what was recorded. Nothing here asks the scheduler.

mod dates;
mod ends;
mod rest;
mod starts;

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;
use crontabber::job::JobName;
use crontabber::scheduler::Note;
use crontabber::session::{AttemptKey, Entry, Operation, SessionKey, SkipReason, State};

pub(crate) use rest::Rest;
pub(crate) use starts::spawned;

use crate::Held;
use crate::calendar::{At, Calendar};
use crate::daemon::Context;
use crate::ledger::{Dates, Ledger};
use crate::machine::Machine;

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
    /// The least and the greatest time of the decision.
    pub(crate) times: (At, At),
}

impl View<'_> {
    /// The calendar that the ledger has in force for a job.
    fn calendar(&self, job: &JobName) -> Result<&Calendar, String> {
        let record = &self.ledger.jobs.get(job).ok_or_else(|| format!("{job} is not in the ledger"))?.record;
        self.named(&record.timetable)
    }

    fn named(&self, timetable: &str) -> Result<&Calendar, String> {
        self.calendars.get(timetable).ok_or_else(|| format!("no registry ever had the timetable {timetable}"))
    }

    /// The operator's request about a job that this commit says it did.
    fn request(&self, job: &JobName) -> Option<&Operation> {
        self.entries.iter().find_map(|entry| {
            let Entry::Answer { request, reply, .. } = entry else { return None };
            let request = Some(request).filter(|_| reply.done)?;
            let request = self.ledger.unanswered.get(request).filter(|request| request.job == *job)?;
            Some(&request.operation)
        })
    }

    fn is_forced(&self, job: &JobName) -> bool {
        matches!(self.request(job), Some(Operation::Run { force: true, .. }))
    }
}

/// What the checkers remember.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// How many attempts at a date were used up.
    used: HashMap<SessionKey, u32>,
    /// How often a job that could start was overtaken by another.
    overtaken: BTreeMap<(JobName, JobName), u32>,
    /// What the commit at hand has superseded, and recorded.
    superseded: Vec<SessionKey>,
    recorded: Vec<SessionKey>,
}

impl Checks {
    /// Looks at an entry before it is applied.
    pub(crate) fn entry(&mut self, entry: &Entry, view: &View<'_>) -> Held {
        match entry {
            Entry::Enter(record) => dates::entered(record, view),
            Entry::Adopt { .. } => dates::adopted(entry, view),
            Entry::Reset(record) => match view.request(&record.name) {
                Some(Operation::Reset { .. }) if record.clock.is_none() => dates::first(record, view),
                _ => Err(format!("P5: {} is reset, and nobody asked for it", record.name)),
            },
            Entry::Record { job, generation, sessions, .. } => {
                let key = |date| SessionKey { job: job.clone(), generation: *generation, date };
                self.recorded.extend(sessions.iter().map(|new| key(new.date)));
                dates::recorded(entry, view)
            }
            Entry::Open { .. } => self.opened(entry, view),
            Entry::Close { .. } => self.closed(entry, view),
            Entry::Move { session, to, .. } => self.moved(session, to, view),
            Entry::Answer { reply, request, .. } if reply.text.is_empty() => Err(format!("P7: no answer to {request}")),
            Entry::Answer { .. } | Entry::Process { .. } => Ok(()),
            other => Err(format!("P7: nobody asked for {other:?}")),
        }
    }

    /// A daemon that begins does not know whose turn it was.
    pub(crate) fn restart(&mut self) {
        self.overtaken.clear();
    }

    fn moved(&mut self, session: &SessionKey, to: &State, view: &View<'_>) -> Held {
        let job = view.context.registry.jobs.get(&session.job).map(|spec| &spec.job);
        let before = view.ledger.row(session).map(|row| &row.state);
        match (to, before, job) {
            (State::Skipped { reason: SkipReason::Superseded }, _, Some(job)) if !job.backfill => {
                self.superseded.push(session.clone());
                Ok(())
            }
            (State::Failed { retry_at }, Some(State::Failed { retry_at: before }), _) if retry_at < before => Ok(()),
            _ => Err(format!("P7: {} {} goes from {before:?} to {to:?}, for no reason", session.job, session.date)),
        }
    }

    /// Looks at the ledger when all entries of a commit are applied.
    pub(crate) fn commit(&mut self, ledger: &Ledger) -> Held {
        for key in std::mem::take(&mut self.superseded) {
            let newest = ledger.jobs[&key.job].generations.get(&key.generation).and_then(Dates::newest);
            let took_over = |other: &SessionKey| other.job == key.job && other.date != key.date;
            if newest.is_none_or(|newest| newest <= key.date) && !self.recorded.iter().any(took_over) {
                return Err(format!("P4: {} {} is superseded by no other date", key.job, key.date));
            }
        }
        self.recorded.clear();
        Ok(())
    }
}

/// What is told to people is in the ledger.
pub(crate) fn may_tell(ledger: &Ledger, notes: &[Note]) -> Held {
    for note in notes {
        let is_durable = match note {
            Note::Opened { attempt, .. } => ledger.open.contains_key(attempt) || ledger.closed.contains_key(attempt),
            Note::Closed { attempt, end, .. } => ledger.closed.get(attempt) == Some(end),
            _ => true,
        };
        if !is_durable {
            return Err(format!("P6: people are told what is not in the ledger: {note:?}"));
        }
    }
    Ok(())
}

/// What the warden is told to forget is in the ledger.
pub(crate) fn may_forget(ledger: &Ledger, attempts: &[AttemptKey]) -> Held {
    match attempts.iter().find(|attempt| !ledger.closed.contains_key(attempt)) {
        Some(attempt) => Err(format!("P6: the warden is to forget {attempt}, whose end the ledger does not have")),
        None => Ok(()),
    }
}
