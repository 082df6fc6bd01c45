//! What a request would result in, decided by the daemon's own scheduler; nothing is written.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::duration_stats::typical;
use super::scheduling::{Decided, Question, ask, recorded_as};
use super::zones::{JobZones, Zones};
use crate::duration::about;
use crate::ledger::{LedgerError, Reader};
use crate::registry::Registry;
use crate::scheduler::{Event, Recovered, Scheduler, Step};
use crate::session::{
    AttemptEnd, AttemptKey, Changed, Enabling, Entry, Operation, Outcome, Past, Reply, Request, StateKind,
};

/// What a request would result in.
pub(crate) struct Preview {
    pub(crate) reply: Reply,
    /// Every date that would be changed.
    pub(crate) dates: BTreeSet<DateTime<Utc>>,
    /// How many dates the job has missed, and the oldest.
    pub(crate) backlog: u64,
    pub(crate) oldest: Option<DateTime<Utc>>,
    /// Whether a date that succeeded would be attempted once more.
    pub(crate) repeats: bool,
    /// The zones of the dates.
    pub(crate) zones: JobZones,
    /// How long an attempt typically takes.
    typical: Option<Duration>,
}

impl Preview {
    /// How long the backlog would take, such as `about 3 hours`.
    pub(crate) fn estimate(&self) -> Option<String> {
        let times = u32::try_from(self.backlog).unwrap_or(u32::MAX);
        self.typical.map(|typical| about(typical.saturating_mul(times)))
    }
}

/// Has the daemon's own scheduler decide a request over the ledger as it is.
pub(crate) fn preview(
    request: &Request,
    registry: &Registry,
    reader: Option<&mut Reader>,
) -> Result<Preview, LedgerError> {
    let (now, operation) = (request.at, &request.operation);
    let Some(job) = &request.job else { return preview_of_pause(request, registry, reader) };
    let (recovered, past, typical) = match reader {
        Some(reader) => {
            let recovered = reader.recovered_for(&registry.jobs)?;
            let name = recorded_as(registry, &recovered, job);
            let past = reader.past(&name, operation)?;
            (recovered, past, typical(reader, &name)?)
        }
        None => (Recovered::default(), Past::default(), None),
    };
    let mut zones = Zones::of_recovered(Some(registry), &recovered).of_dates(job);
    zones.record_all(past.settled.iter());
    let Decided { mut scheduler, .. } = ask(recovered, registry.clone(), Question::State, now);
    let (backlog, oldest) = scheduler.missed(job);
    let last_success = scheduler.view(job).and_then(|view| view.record.last_success);
    let catches_up = matches!(operation, Operation::Enable(Enabling::CatchUp));
    let missed = if catches_up { scheduler.missed_dates(job) } else { Vec::new() };
    let decided = Request { past, ..request.clone() };
    let (mut dates, mut reply, mut repeats) = (BTreeSet::new(), None, false);
    let mut step = scheduler.handle(Event::Request(decided.clone()), now);
    collect(&step, &mut dates, &mut reply);
    if reply.is_none() && !scheduler.has_pending() && step.kills.is_empty() {
        // Dates that had come due were recorded first; the request is decided when it comes again.
        step = scheduler.handle(Event::Request(decided), now);
    }
    loop {
        collect(&step, &mut dates, &mut reply);
        repeats |= step.entries.iter().any(|entry| matches!(entry, Entry::Again { from: StateKind::Succeeded, .. }));
        if reply.is_some() || !scheduler.has_pending() || !step.kills.is_empty() {
            break;
        }
        step = scheduler.handle(Event::Tick, now);
    }
    let kills = std::mem::take(&mut step.kills);
    let reply = reply.unwrap_or_else(|| ending(&mut scheduler, kills, now));
    // The request does not write them: they are recorded after it.
    dates.extend(missed);
    if let Operation::Reset { to } = operation {
        dates = scheduler.missed_dates(job).into_iter().collect();
        repeats = last_success.is_some_and(|success| to.is_none_or(|to| success >= to));
    }
    // Dates that are recorded only because they are due are not changed by the request.
    if let (Some(first), Some(last)) = (reply.dates.first, reply.dates.last) {
        dates.retain(|date| (first..=last).contains(date));
    } else {
        dates.clear();
    }
    Ok(Preview { reply, dates, backlog, oldest, repeats, zones, typical })
}

/// A pause changes no date.
fn preview_of_pause(
    request: &Request,
    registry: &Registry,
    reader: Option<&mut Reader>,
) -> Result<Preview, LedgerError> {
    let recovered = reader.map_or_else(|| Ok(Recovered::default()), |reader| reader.recovered_for(&registry.jobs))?;
    let Decided { mut scheduler, .. } = ask(recovered, registry.clone(), Question::State, request.at);
    let (mut dates, mut reply) = (BTreeSet::new(), None);
    collect(&scheduler.handle(Event::Request(request.clone()), request.at), &mut dates, &mut reply);
    let (reply, zones) = (reply.unwrap_or_default(), JobZones::default());
    Ok(Preview { reply, dates: BTreeSet::new(), backlog: 0, oldest: None, repeats: false, zones, typical: None })
}

/// Collects the dates and the answer from the entries of a step.
fn collect(step: &Step, dates: &mut BTreeSet<DateTime<Utc>>, reply: &mut Option<Reply>) {
    for entry in &step.entries {
        match entry {
            Entry::Answer { reply: found, .. } => *reply = Some(found.clone()),
            Entry::Record { sessions, .. } => dates.extend(sessions.iter().map(|session| session.date)),
            Entry::Move { session, .. }
            | Entry::Again { session, .. }
            | Entry::Restore { session, .. }
            | Entry::Done { session, .. } => {
                dates.insert(session.date);
            }
            Entry::Open { attempt, .. } => _ = dates.insert(attempt.session.date),
            _ => {}
        }
    }
    dates.extend(step.kills.iter().map(|attempt| attempt.session.date));
}

/// The answer to a request that is answered once these attempts have ended.
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
