//! What operators asked for, and the registry says of names: nothing is changed for which nobody asked, and what is
//! answered is what was done.

use crontabber_core::job::{JobName, OnUnknown};
use crontabber_core::session::{
    BackfillOrder, BackfillRecord, Enabling, Entry, ITSELF, NewSession, Only, Operation, Pause, PauseScope, Reply,
    Request, Retrying, SessionKey, SessionRecord, SettledBy, SkipReason, Skipping, State, StateKind, Trigger,
};

use super::rules::{is_strict, keeps, open_of, recorded_until, unrecorded};
use super::{Checks, View, dates, periods};
use crate::Held;
use crate::calendar::At;
use crate::ledger::Asked;
use crate::plan::Spec;

/// A date that an operator settles before it was ever recorded.
pub(super) fn settled(job: &JobName, new: &NewSession, spec: &Spec, view: &View<'_>) -> Held {
    let is_asked = match new.state {
        State::Skipped { reason: SkipReason::Operator } => skips(job, new.date, view),
        State::Succeeded => is_done(job, new.date, view),
        _ => false,
    };
    if is_asked && spec.calendar.unbounded().includes(new.date) {
        Ok(())
    } else {
        Err(format!("P4: {} of {job} enters as {:?}, for which nobody asked", new.date, new.state))
    }
}

/// Says whether an operator has this date skipped.
fn skips(job: &JobName, date: At, view: &View<'_>) -> bool {
    view.done(job).any(|(request, reply)| {
        let is_counted = reply.dates.first <= Some(date) && Some(date) <= reply.dates.last;
        is_counted
            && match request.operation {
                Operation::Skip(Skipping::Date(named)) => named == date,
                Operation::Skip(Skipping::To(to)) | Operation::Enable(Enabling::SkipTo(to)) => date < to,
                Operation::Skip(Skipping::Count(_)) => true,
                Operation::Enable(Enabling::SkipMissed) => date <= view.context.time,
                _ => false,
            }
    })
}

/// Says whether an operator has this date done.
fn is_done(job: &JobName, date: At, view: &View<'_>) -> bool {
    view.done(job).any(|(request, _)| request.operation == Operation::Done { date })
}

fn is_of(order: &BackfillOrder, date: At) -> bool {
    order.from <= date && order.to.is_none_or(|to| date < to)
}

impl Checks {
    /// A date without an open attempt changes its state.
    pub(super) fn moved(&mut self, session: &SessionKey, to: &State, view: &View<'_>) -> Held {
        let job = view.context.registry.jobs.get(&session.job).map(|spec| &spec.job);
        let row = view.ledger.row(session);
        let wrong = || {
            let before = row.map(|row| &row.state);
            Err(format!("P7: {} {} goes from {before:?} to {to:?}, for no reason", session.job, session.date))
        };
        let Some(row) = row else { return wrong() };
        if *to == (State::Skipped { reason: SkipReason::Cancelled }) {
            // A job that is gone from the registry can have its backfill cancelled. What the backfill found settled
            // returns to that instead.
            let backfill = row.backfill.filter(|id| view.is_cancelled(*id));
            let is_new = backfill.is_some_and(|id| !view.ledger.former.contains_key(&(id, row.key.date)));
            return if is_new && !row.state.is_settled() { Ok(()) } else { wrong() };
        }
        let Some(job) = job else { return wrong() };
        if *to == (State::Skipped { reason: SkipReason::Excluded }) {
            return if periods::excluded(session, row, view)? { Ok(()) } else { wrong() };
        }
        let has_reason = match (to, &row.state) {
            (State::Skipped { reason: SkipReason::Superseded }, _) => {
                self.superseded.push(session.clone());
                !keeps(job) && row.backfill.is_none()
            }
            (State::Skipped { reason: SkipReason::Operator }, state) => {
                !state.is_settled() && skips(&session.job, session.date, view)
            }
            (State::Skipped { reason: SkipReason::TooOld }, State::Waiting) => {
                let late = view.context.time - job.timetable.due(session.date);
                let is_scheduled = matches!(row.trigger, Trigger::Schedule | Trigger::CatchUp) && row.attempts == 0;
                let is_over = job.skip_late.is_some_and(|limit| late.to_std().is_ok_and(|late| late > limit));
                is_scheduled && (is_over || dates::is_left_out(row, job, view))
            }
            (State::Held { .. }, State::Waiting | State::Failed { .. }) => {
                job.done_when.is_some() && job.on_unknown == OnUnknown::Hold
            }
            (State::Failed { retry_at }, State::Failed { retry_at: before }) => {
                retry_at < before || retries(&session.job, row, view)
            }
            _ => false,
        };
        if has_reason { Ok(()) } else { wrong() }
    }
}

/// What operators and registries change besides.
pub(super) fn changed(entry: &Entry, view: &View<'_>) -> Held {
    match entry {
        Entry::Again { session, trigger, backfill, .. } => again(session, *trigger, *backfill, view),
        Entry::Done { session, by: SettledBy::Operator, .. } if is_done(&session.job, session.date, view) => Ok(()),
        Entry::Done { session, by: SettledBy::DoneWhen, .. } if view.machine.found_done.contains(session) => Ok(()),
        Entry::Done { session, by, .. } => {
            Err(format!("P6: {} {} is done by {by}, which nobody said", session.job, session.date))
        }
        Entry::Unanswered { .. } => Ok(()),
        Entry::Backfill(record) => ordered(record, view),
        Entry::CancelBackfill { job, backfill, .. } => cancelled(job, *backfill, view),
        Entry::Restore { session, backfill, to, .. } => {
            let skipped = *to == StateKind::Succeeded && skips(&session.job, session.date, view);
            if skipped || view.is_cancelled(*backfill) {
                Ok(())
            } else {
                Err(format!("P7: {} {} leaves backfill {backfill}, for no reason", session.job, session.date))
            }
        }
        Entry::Disable(disabled) => {
            let (job, until) = (&disabled.job, disabled.until);
            let is_asked = view.done(job).any(|(request, _)| request.operation == Operation::Disable { until });
            let is_held = periods::is_held(job, &disabled.user, view);
            if is_asked || is_held { Ok(()) } else { Err(format!("P7: {job} is disabled, and nobody asked for it")) }
        }
        Entry::Enable { job } => enabled(job, view),
        Entry::Pause(pause) => paused(pause, view),
        Entry::Resume { scope } => resumed(scope, view),
        Entry::Rename { from, to, .. } => {
            let of_registry = view.context.registry.jobs.get(to);
            let is_right = of_registry.is_some_and(|spec| spec.job.previously.as_ref() == Some(from))
                && !view.context.registry.jobs.contains_key(from);
            if is_right { Ok(()) } else { Err(format!("P7: {from} is called {to}, which the registry does not say")) }
        }
        Entry::Answer { request, reply, .. } => answered(*request, reply, view),
        other => Err(format!("P7: nobody asked for {other:?}")),
    }
}

/// Says whether an operator wants this unsettled date attempted again.
fn retries(job: &JobName, row: &SessionRecord, view: &View<'_>) -> bool {
    let date = row.key.date;
    let by_retry = view.done(job).any(|(request, _)| match request.operation {
        Operation::Retry(Retrying::Date { date: named, .. }) => named == date,
        Operation::Retry(Retrying::Failed) => matches!(row.state, State::Failed { .. }),
        Operation::Retry(Retrying::Held) => matches!(row.state, State::Held { .. }),
        _ => false,
    });
    by_retry || view.orders(job).any(|(_, order)| order.only != Only::Missing && is_of(order, date))
}

/// P1: a date waits again: one that was settled only if a request names it.
fn again(session: &SessionKey, trigger: Trigger, backfill: Option<i64>, view: &View<'_>) -> Held {
    let SessionKey { job, date, .. } = session;
    let Some(row) = view.ledger.row(session) else { return Err(format!("P1: {job} {date} is to wait again")) };
    let wrong = |what: &str| Err(format!("P1: {job} {date} is {:?}, and is to wait again: {what}", row.state));
    if !row.state.is_settled() {
        let is_first = row.attempts == 0 && row.backfill.is_none();
        let expected = if is_first { Trigger::Manual } else { row.trigger };
        let stays = backfill == row.backfill && trigger == expected;
        let is_held = matches!(row.state, State::Held { .. });
        return if stays && is_held && retries(job, row, view) { Ok(()) } else { wrong("for no reason") };
    }
    let Some(id) = backfill else { return wrong("as one of the schedule's") };
    let has_succeeded = row.state == State::Succeeded;
    let Some(asked) = view.asked(id).filter(|asked| asked.request.job.as_ref() == Some(job)) else {
        return wrong("nobody asked");
    };
    let is_named = match &asked.request.operation {
        Operation::Retry(Retrying::Date { date: named, again }) => named == date && (*again || !has_succeeded),
        Operation::Backfill(order) => {
            is_of(order, *date)
                && match order.only {
                    Only::All => true,
                    Only::Missing => !has_succeeded && row.attempts == 0,
                    Only::Failed => !has_succeeded && row.attempts > 0,
                }
        }
        _ => false,
    };
    if is_named && *date <= view.context.time { Ok(()) } else { wrong("its request does not name it") }
}

/// A backfill begins as it was ordered.
fn ordered(record: &BackfillRecord, view: &View<'_>) -> Held {
    let job = &record.job;
    let wrong = |what: &str| Err(format!("P7: backfill {} of {job} {what}", record.id));
    let Some(asked) = view.asked(record.id).filter(|asked| asked.request.job.as_ref() == Some(job)) else {
        return wrong("was ordered by nobody");
    };
    let of_job = || view.ledger.backfills.values().filter(|known| known.job == *job);
    if record.name.is_some() && of_job().any(|known| known.name == record.name) {
        return wrong("has a name that was used before");
    }
    let is_right = match &asked.request.operation {
        Operation::Backfill(order) => {
            let strict = view.context.registry.jobs.get(job).is_some_and(|spec| is_strict(&spec.job));
            let BackfillOrder { name, newest_first, parallel, .. } = order;
            (name, newest_first, parallel) == (&record.name, &record.newest_first, &record.parallel)
                && (!strict || *parallel == 1)
        }
        Operation::Retry(_) => record.name.is_none() && record.parallel == 1,
        _ => false,
    };
    if is_right { Ok(()) } else { wrong("is not as it was ordered") }
}

/// A backfill is cancelled only if an operator asks for it: by its name, by its number, or as the only one.
fn cancelled(job: &JobName, id: i64, view: &View<'_>) -> Held {
    let name = view.ledger.backfills.get(&id).and_then(|record| record.name.as_deref());
    let is_asked = view.ledger.requests_about(job).any(|asked| match &asked.request.operation {
        Operation::CancelBackfill { name: Some(named) } => name == Some(named) || named.parse() == Ok(id),
        Operation::CancelBackfill { name: None } => true,
        _ => false,
    });
    if is_asked { Ok(()) } else { Err(format!("P7: backfill {id} of {job} is cancelled, and nobody asked for it")) }
}

/// What was cancelled has no date left but those that run or are being asked about.
fn has_left(job: &JobName, view: &View<'_>) -> bool {
    let asks = view.context.registry.jobs.get(job).is_some_and(|spec| spec.job.done_when.is_some());
    let is_left =
        |row: &SessionRecord| row.state != State::Running && row.backfill.is_some_and(|id| view.is_cancelled(id));
    asks || !view.ledger.jobs[job].dates().unsettled.values().any(is_left)
}

/// Jobs are paused: an operator says so.
fn paused(pause: &Pause, view: &View<'_>) -> Held {
    let (scope, until) = (pause.scope.clone(), pause.until);
    if view.answers(&Operation::Pause { scope, until }) {
        return Ok(());
    }
    Err(format!("P7: {} are paused, and nobody asked for it", pause.scope))
}

/// A pause ends: an operator says so, or its time is over.
fn resumed(scope: &PauseScope, view: &View<'_>) -> Held {
    let until = view.ledger.pauses.get(scope).and_then(|pause| pause.until);
    if until.is_some_and(|until| until <= view.context.time)
        || view.answers(&Operation::Resume { scope: scope.clone() })
    {
        return Ok(());
    }
    Err(format!("P7: {scope} are resumed, and nobody asked for it"))
}

/// A job is enabled: an operator says so, and what to do about its backlog; or its time is over.
fn enabled(job: &JobName, view: &View<'_>) -> Held {
    // An edit that waited for an operator may no longer need one.
    if view.ledger.disabled.get(job).is_some_and(|disabled| disabled.user == ITSELF) {
        return Ok(());
    }
    let until = view.ledger.disabled.get(job).and_then(|disabled| disabled.until);
    if until.is_some_and(|until| until <= view.context.time) {
        return Ok(());
    }
    let asked = view.done(job).filter_map(|(request, _)| match request.operation {
        Operation::Enable(enabling) => Some(enabling),
        _ => None,
    });
    let asked: Vec<Enabling> = asked.collect();
    if asked.is_empty() {
        return Err(format!("P7: {job} is enabled, and nobody asked for it"));
    }
    let (rows, calendar) = (&view.ledger.jobs[job], view.calendar(job)?);
    let ahead = unrecorded(rows, recorded_until(&rows.record), view.calendars());
    let backlog = rows.dates().of(None).any(|row| row.state != State::Running)
        || ahead.is_some_and(|date| calendar.due(date) <= view.context.time);
    if backlog && asked.iter().all(|enabling| *enabling == Enabling::Plain) {
        return Err(format!("P7: {job} is enabled with a backlog, and nobody said what becomes of it"));
    }
    Ok(())
}

/// P7: what is answered is what was done.
fn answered(id: i64, reply: &Reply, view: &View<'_>) -> Held {
    let Some(Asked { request, open, .. }) = view.ledger.audit.get(&id) else {
        return Err(format!("P7: request {id} was never asked"));
    };
    let wrong = |what: String| Err(format!("P7: {what}: {request:?} is answered {reply:?}"));
    if reply.text.is_empty() {
        return wrong("no word".to_owned());
    }
    let Request { job, operation, .. } = request;
    let Some(job) = job else {
        let is_true = match operation {
            Operation::Pause { scope, .. } => view.ledger.pauses.contains_key(scope),
            Operation::Resume { scope } => !view.ledger.pauses.contains_key(scope),
            _ => false,
        };
        return if is_true || !reply.done { Ok(()) } else { wrong("that was not done".to_owned()) };
    };
    let Some(rows) = view.ledger.jobs.get(job) else {
        return if reply.done { wrong("its job is not known".to_owned()) } else { Ok(()) };
    };
    if let Operation::Kill { date } = operation {
        let is_meant = |key: &crontabber_core::session::AttemptKey| date.is_none_or(|date| date == key.session.date);
        let runs = if reply.done {
            open.iter().find(|key| is_meant(key) && view.ledger.open.contains_key(key))
        } else {
            open_of(view.ledger, job).find(|key| is_meant(key))
        };
        return runs.map_or(Ok(()), |runs| wrong(format!("{runs} runs")));
    }
    if !reply.done {
        return Ok(());
    }
    let state = |date: At| rows.dates().get(date).map(|row| &row.state);
    let is_true = match operation {
        Operation::Done { date } => state(*date) == Some(&State::Succeeded),
        // A date that a backfill repeats may stay succeeded.
        Operation::Skip(Skipping::Date(date)) => {
            matches!(state(*date), Some(State::Skipped { reason: SkipReason::Operator } | State::Succeeded))
        }
        Operation::CancelBackfill { .. } => has_left(job, view),
        Operation::Skip(Skipping::To(to)) | Operation::Enable(Enabling::SkipTo(to)) => is_skipped_to(job, *to, view),
        Operation::Skip(Skipping::Count(count)) => reply.dates.count == *count,
        Operation::Disable { .. } => view.ledger.disabled.contains_key(job),
        Operation::Enable(_) => {
            let is_over = |until: Option<At>| until.is_some_and(|until| until <= view.context.time);
            view.ledger.disabled.get(job).is_none_or(|disabled| is_over(disabled.until))
        }
        Operation::Retry(Retrying::Date { date, .. }) => state(*date).is_some_and(|state| !state.is_settled()),
        Operation::Reset { .. } => {
            view.entries.iter().any(|entry| matches!(entry, Entry::Reset(it) if it.name == *job))
        }
        Operation::Backfill(order) => is_backfilled(job, order, id, view)?,
        Operation::Run { .. } => reply.dates.first.is_some_and(|date| state(date) == Some(&State::Running)),
        Operation::Retry(_) | Operation::Kill { .. } => true,
        Operation::Pause { .. } | Operation::Resume { .. } => false,
    };
    if is_true { Ok(()) } else { wrong("that was not done".to_owned()) }
}

/// Nothing before this instant is left to do, but what runs or is being asked about.
fn is_skipped_to(job: &JobName, to: At, view: &View<'_>) -> bool {
    let rows = &view.ledger.jobs[job];
    // Nor what another date requires meanwhile.
    let is_other = |spec: &Spec| spec.job.done_when.is_some() || spec.job.timetable.schedule.is_none();
    let asks = view.context.registry.jobs.get(job).is_some_and(is_other);
    let ahead = unrecorded(rows, recorded_until(&rows.record), view.calendars());
    let is_idle = |row: &SessionRecord| row.state != State::Running && row.key.date < to;
    (asks || !rows.dates().of(None).any(is_idle)) && ahead.is_none_or(|date| date >= to)
}

/// Whatever an order is about has a row, and there are as many dates as were counted.
fn is_backfilled(job: &JobName, order: &BackfillOrder, id: i64, view: &View<'_>) -> Result<bool, String> {
    // What was entered in parts may have been ordered by another timetable.
    let begins = view.entries.iter().any(|entry| matches!(entry, Entry::Backfill(record) if record.id == id));
    let rows = &view.ledger.jobs[job];
    let calendar = view.calendar(job)?;
    let next = unrecorded(rows, recorded_until(&rows.record), view.calendars());
    let last = order.to.map_or(view.context.time, |to| view.context.time.min(to - super::TICK));
    let last = next.map_or(last, |next| last.min(next - super::TICK));
    let unbounded = calendar.unbounded();
    let dates = || unbounded.between(order.from - super::TICK, last);
    // What succeeded before a reset is repeated only if all is wanted.
    let earlier = || rows.generations.range(..rows.record.generation).map(|(_, dates)| dates);
    let is_done = |date: At| {
        let succeeded = |row: Option<&SessionRecord>| row.is_some_and(|row| row.state == State::Succeeded);
        date < rows.record.first_date && order.only != Only::All && earlier().any(|dates| succeeded(dates.get(date)))
    };
    let missing = dates().find(|date| rows.dates().get(*date).is_none() && !is_done(*date));
    if let Some(date) = missing.filter(|_| begins && order.only != Only::Failed) {
        return Err(format!("P4: backfill {id} of {job} is said to have entered, and {date} has no row"));
    }
    let latest = order.to.map_or(view.context.time, |to| view.context.time.min(to - super::TICK));
    let count = unbounded.between(order.from - super::TICK, latest).count() as u64;
    Ok(!begins || order.count.is_none_or(|wanted| wanted <= count))
}
