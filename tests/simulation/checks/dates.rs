//! P4 and P5: which dates enter the ledger, and when.

use crontabber::job::JobName;
use crontabber::session::{Entry, JobRecord, NewSession, SkipReason, State, Trigger};

use super::{TICK, View};
use crate::Held;
use crate::calendar::{At, Calendar};

/// A job enters, or a new generation of it: with its start, or with the moment.
pub(super) fn first(record: &JobRecord, view: &View<'_>) -> Held {
    let calendar = view.named(&record.timetable)?;
    let (least, greatest) = view.times;
    let is_right = match calendar.start {
        Some(start) => (record.since, record.anchor) == (start, start - TICK),
        None => record.since == record.anchor && (least..=greatest).contains(&record.since),
    };
    if is_right { Ok(()) } else { Err(format!("P4: {} begins at {}, {}", record.name, record.since, record.anchor)) }
}

pub(super) fn entered(record: &JobRecord, view: &View<'_>) -> Held {
    let spec = view.context.registry.jobs.get(&record.name);
    if spec.is_none_or(|spec| spec.job.timetable.to_string() != record.timetable) || record.clock.is_some() {
        return Err(format!("P4: {} enters otherwise than the registry has it", record.name));
    }
    first(record, view)
}

/// The instant after which dates are not recorded yet.
pub(super) fn frontier(record: &JobRecord) -> At {
    record.clock.map_or(record.anchor, |clock| clock.max(record.anchor))
}

/// Another timetable takes effect: the dates due until then are the old one's, and those after it the new one's.
pub(super) fn adopted(entry: &Entry, view: &View<'_>) -> Held {
    let Entry::Adopt { job, timetable, since, anchor, .. } = entry else { return Ok(()) };
    let (least, greatest) = view.times;
    let (old, new) = (view.calendar(job)?, view.named(timetable)?);
    let record = &view.ledger.jobs[job].record;
    let wrong = |what: String| Err(format!("P4: {job} takes another timetable: {what}"));
    if view.context.registry.jobs.get(job).is_none_or(|spec| spec.calendar != *new) {
        return wrong("one that is not in the registry".to_owned());
    }
    if let Some(missed) = old.next(frontier(record)).filter(|date| old.due(*date) <= least) {
        return wrong(format!("{missed} of the old one was due, and is not recorded"));
    }
    if record.clock.is_none() && record.since > least {
        let expected = new.start.map_or(*anchor, |start| start - TICK);
        let is_now = new.start.is_some() || (least..=greatest).contains(anchor);
        return if *anchor == expected && is_now { Ok(()) } else { wrong(format!("it begins at {anchor}")) };
    }
    if *anchor > greatest.max(frontier(record))
        || *anchor < record.anchor
        || (*anchor < least - old.delay && *anchor != record.anchor)
    {
        return wrong(format!("its dates begin after {anchor}"));
    }
    if *since > record.since {
        return wrong(format!("the job's start goes from {} to {since}", record.since));
    }
    let mut after = *since - TICK;
    while let Some(date) = new.next(after).filter(|date| *since < record.since && *date < record.since) {
        if view.ledger.jobs[job].dates().get(date).is_none() {
            return wrong(format!("its start was moved back, and {date} is not recorded"));
        }
        after = date;
    }
    Ok(())
}

/// Dates enter: exactly those that come next.
pub(super) fn recorded(entry: &Entry, view: &View<'_>) -> Held {
    let Entry::Record { job, clock, to, sessions, .. } = entry else { return Ok(()) };
    let rows = view.ledger.jobs.get(job).ok_or_else(|| format!("conflict: {job} was never entered"))?;
    let Some(newest) = sessions.last().map(|new| new.date) else { return Ok(()) };
    let Some(spec) = view.context.registry.jobs.get(job) else {
        return Err(format!("P4: {job} is not in the registry, and {newest} is recorded"));
    };
    if newest > view.times.1 {
        return Err(format!("P4: {newest} of {job} is recorded before it has come"));
    }
    if sessions.len() == 1 && sessions[0].trigger == Trigger::Manual {
        let asked = to == clock && view.request(job).is_some();
        return if asked { Ok(()) } else { Err(format!("P4: nobody asked for {newest} of {job}")) };
    }
    let states = sessions.iter().all(|new| is_right_state(new, newest, spec.job.backfill));
    if !states {
        return Err(format!("P4: dates of {job} enter in a wrong state: {sessions:?}"));
    }
    if newest < rows.record.since {
        let start = spec.calendar.start.ok_or_else(|| format!("P4: {job} has no start, and {newest} is recorded"))?;
        return follow(job, sessions, (&spec.calendar, start - TICK), Some(rows.record.since));
    }
    if *to != Some(newest) {
        return Err(format!("P5: the clock of {job} goes to {to:?}, and its newest date is {newest}"));
    }
    let calendar = view.calendar(job)?;
    let early = sessions.iter().find(|new| calendar.due(new.date) > view.times.1);
    if let Some(early) = early.filter(|_| !view.is_forced(job)) {
        return Err(format!("P4: {} of {job} is recorded before it is due", early.date));
    }
    follow(job, sessions, (calendar, frontier(&rows.record)), None)
}

fn is_right_state(new: &NewSession, newest: At, backfill: bool) -> bool {
    match new.state {
        State::Waiting => backfill || new.date == newest,
        State::Skipped { reason: SkipReason::Superseded } => !backfill,
        _ => false,
    }
}

/// The dates are those of the calendar after an instant, without a gap; up to another one if that is given.
fn follow(job: &JobName, dates: &[NewSession], (calendar, mut after): (&Calendar, At), before: Option<At>) -> Held {
    for new in dates {
        let expected = calendar.next(after);
        if expected != Some(new.date) {
            return Err(format!("P4: {job} records {}, and its next date after {after} is {expected:?}", new.date));
        }
        after = new.date;
    }
    match calendar.next(after).filter(|next| before.is_some_and(|before| *next < before)) {
        Some(missing) => Err(format!("P4: {job} does not record {missing}")),
        None => Ok(()),
    }
}
