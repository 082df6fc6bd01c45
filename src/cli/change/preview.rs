//! What would come of a change, asked of the daemon's own scheduler; nothing of it is written.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Plan;
use crate::cli::context::{Question, ask};
use crate::cli::failure::Failure;
use crate::cli::list::coarse;
use crate::job::JobName;
use crate::ledger::Reader;
use crate::scheduler::{Event, Recovered, Scheduler, Step};
use crate::session::{
    AttemptEnd, AttemptKey, Changed, Enabling, Entry, Operation, Outcome, Past, Reply, Request, StateKind,
};

/// So many attempts tell how long one commonly takes.
const MEASURED: u32 = 20;

/// What would come of a change.
pub(super) struct Preview {
    /// What would be answered.
    pub(super) reply: Reply,
    /// Every date that would be changed.
    pub(super) dates: BTreeSet<DateTime<Utc>>,
    /// What the job has missed, and since when.
    pub(super) backlog: u64,
    pub(super) oldest: Option<DateTime<Utc>>,
    pub(super) is_strict: bool,
    /// Whether a date that succeeded would be attempted once more.
    pub(super) repeats: bool,
    /// How long a date commonly takes.
    typical: Option<Duration>,
}

impl Preview {
    /// How long the backlog would take.
    pub(super) fn estimate(&self) -> Option<String> {
        let times = u32::try_from(self.backlog).unwrap_or(u32::MAX);
        self.typical.map(|typical| coarse(typical.saturating_mul(times)))
    }
}

impl Plan<'_> {
    /// Asks what would come of an operation.
    pub(super) fn preview(&mut self, operation: &Operation) -> Result<Preview, Failure> {
        let now = self.context.now;
        let previously = self.job().and_then(|job| job.previously.clone());
        let (recovered, past, typical) = match &mut self.reader {
            Some(reader) => {
                let recovered = reader.recovered()?;
                // The ledger may not have heard of its new name.
                let is_known = |name: &JobName| recovered.jobs.iter().any(|record| record.name == *name);
                let name = previously.filter(|before| !is_known(&self.job) && is_known(before));
                let name = name.unwrap_or_else(|| self.job.clone());
                let past = reader.past(&name, operation)?;
                (recovered, past, typical(reader, &name)?)
            }
            None => (Recovered::default(), Past::default(), None),
        };
        let is_strict = self.job().is_some_and(|job| job.date_policy.is_strict());
        let (mut scheduler, _, _) = ask(recovered, self.registry.clone(), Question::State, now);
        let (backlog, oldest) = scheduler.missed(&self.job);
        let catches_up = matches!(operation, Operation::Enable(Enabling::CatchUp));
        let missed = if catches_up { scheduler.missed_dates(&self.job) } else { Vec::new() };
        let request = Request {
            id: 0,
            job: self.job.clone(),
            operation: operation.clone(),
            at: now,
            user: String::new(),
            host: String::new(),
            reason: self.change.reason.clone(),
            past,
        };
        let mut step = scheduler.handle(Event::Request(request), now);
        let (mut dates, mut reply, mut repeats) = (BTreeSet::new(), None, false);
        loop {
            collect(&step, &mut dates, &mut reply);
            repeats |=
                step.entries.iter().any(|entry| matches!(entry, Entry::Again { from: StateKind::Succeeded, .. }));
            if reply.is_some() || !scheduler.has_pending() || !step.kills.is_empty() {
                break;
            }
            step = scheduler.handle(Event::Tick, now);
        }
        let kills = std::mem::take(&mut step.kills);
        let reply = reply.unwrap_or_else(|| ending(&mut scheduler, kills, now));
        // They are not written by the request, but by what follows from it.
        dates.extend(missed);
        if matches!(operation, Operation::Reset { .. }) {
            dates = scheduler.missed_dates(&self.job).into_iter().collect();
            repeats = true;
        }
        // What is only recorded on the way, since it has come due, is not the operator's doing.
        if let (Some(first), Some(last)) = (reply.dates.first, reply.dates.last) {
            dates.retain(|date| (first..=last).contains(date));
        } else {
            dates.clear();
        }
        Ok(Preview { reply, dates, backlog, oldest, is_strict, repeats, typical })
    }
}

/// Finds the answer, and the dates, in what would be written.
fn collect(step: &Step, dates: &mut BTreeSet<DateTime<Utc>>, reply: &mut Option<Reply>) {
    for entry in &step.entries {
        match entry {
            Entry::Answer { reply: found, .. } => *reply = Some(found.clone()),
            Entry::Record { sessions, .. } => dates.extend(sessions.iter().map(|session| session.date)),
            Entry::Move { session, .. } | Entry::Again { session, .. } | Entry::Done { session, .. } => {
                dates.insert(session.date);
            }
            Entry::Open { attempt, .. } => _ = dates.insert(attempt.session.date),
            _ => {}
        }
    }
    dates.extend(step.kills.iter().map(|attempt| attempt.session.date));
}

/// The answer to a request that is answered only when these attempts have ended, as they will if they heed it.
fn ending(scheduler: &mut Scheduler, kills: Vec<AttemptKey>, now: DateTime<Utc>) -> Reply {
    let mut reply = None;
    for attempt in kills {
        let outcome = Outcome::Cancelled;
        let end = AttemptEnd { outcome, ended_at: now, duration: None, detail: None, has_log: false, usage: None };
        let step = scheduler.handle(Event::Ended { attempt, end }, now);
        collect(&step, &mut BTreeSet::new(), &mut reply);
    }
    reply.unwrap_or_else(|| Reply { done: false, text: "it is not answered yet".to_owned(), dates: Changed::default() })
}

/// How long a date of a job commonly takes: the median of the last ones that succeeded.
fn typical(reader: &mut Reader, job: &JobName) -> Result<Option<Duration>, Failure> {
    let mut durations = reader.durations(job, MEASURED)?;
    durations.sort_unstable();
    Ok(durations.get(durations.len() / 2).copied())
}
