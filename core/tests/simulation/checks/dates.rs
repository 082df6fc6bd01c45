//! P4 and P5: which dates enter the ledger, when, and in which state.

use chrono::TimeDelta;
use crontabber_core::job::{Job, JobName, Overlap};
use crontabber_core::session::{
    Entry, JobRecord, NewSession, Only, Operation, SessionRecord, SkipReason, State, StrictAfter, Trigger,
};

use super::rules::{self, is_strict, keeps, recorded_until};
use super::{TICK, View, asked, periods, renames};
use crate::Held;
use crate::calendar::{At, Calendar};
use crate::daemon::CLOCK_GUARD;
use crate::ledger::JobRows;
use crate::machine::SECOND;
use crate::plan::Spec;
use crontabber_core::control::Mode;

/// A date recorded later than this counts as missed.
const MISSED: TimeDelta = TimeDelta::seconds(60);

/// A clock that jumped ahead must run on for so many microseconds before it is believed.
const DOUBT: i64 = 20 * SECOND;

/// No date is recorded by a clock that has just jumped too far ahead, unless a person asks for it.
pub(super) fn clock_is_believed(sessions: &[NewSession], view: &View<'_>) -> Held {
    let Some(latest) = view.machine.set_within(DOUBT).filter(|_| view.context.mode != Mode::Operate) else {
        return Ok(());
    };
    let guard = TimeDelta::from_std(CLOCK_GUARD).expect("a day");
    let is_asked = |entry: &Entry| matches!(entry, Entry::Answer { .. });
    if view.context.time <= latest + guard || view.entries.iter().any(is_asked) {
        return Ok(());
    }
    match sessions.iter().find(|new| new.date > latest && new.trigger != Trigger::Backfill) {
        Some(new) => Err(format!("P4: {} is recorded by a clock that jumped ahead of {latest}", new.date)),
        None => Ok(()),
    }
}

/// A job enters, or a new generation of it: with its start, or with the moment.
pub(super) fn first(record: &JobRecord, view: &View<'_>) -> Held {
    let calendar = view.named(&record.timetable)?;
    let now = view.context.time;
    let is_right = match calendar.start {
        Some(start) => (record.first_date, record.timetable_from) == (start, start - TICK),
        None => record.first_date == record.timetable_from && record.first_date == now,
    };
    if is_right {
        Ok(())
    } else {
        Err(format!("P4: {} begins at {}, {}", record.name, record.first_date, record.timetable_from))
    }
}

pub(super) fn entered(record: &JobRecord, view: &View<'_>) -> Held {
    let spec = view.context.registry.jobs.get(&record.name);
    if spec.is_none_or(|spec| spec.job.timetable.to_string() != record.timetable) || record.watermark.is_some() {
        return Err(format!("P4: {} enters otherwise than the registry has it", record.name));
    }
    let since_always = StrictAfter { generation: 0, date: record.first_date };
    let complete_after = spec.filter(|spec| spec.job.date_policy.is_backfillable()).map(|_| record.timetable_from);
    if record.complete_after != complete_after {
        return Err(format!("P4: {} enters complete after {:?}", record.name, record.complete_after));
    }
    if record.strict_after != spec.filter(|spec| is_strict(&spec.job)).map(|_| since_always) {
        return Err(format!("P3: {} enters in another order than the registry has", record.name));
    }
    renames::is_new(&record.name, view)?;
    first(record, view)
}

/// An operator has a job begin anew.
pub(super) fn reset(record: &JobRecord, view: &View<'_>) -> Held {
    let asked = view.done(&record.name).filter_map(|(request, _)| match request.operation {
        Operation::Reset { to } => Some(to),
        _ => None,
    });
    let asked: Vec<Option<At>> = asked.filter(|_| record.watermark.is_none()).collect();
    let calendar = view.named(&record.timetable)?;
    // Several may have asked at once.
    let is_right = asked.iter().any(|to| match to {
        None => first(record, view).is_ok(),
        Some(to) => {
            let since = calendar.start.map_or(*to, |start| start.max(*to));
            let is_right =
                record.first_date == since && record.timetable_from == since - TICK && *to <= view.context.time;
            // What is between the date and the start of the job is not repeated.
            is_right && record.last_success.is_none_or(|success| success < since)
        }
    });
    if is_right { Ok(()) } else { Err(format!("P5: asked was for a reset to {asked:?}, and done is {record:?}")) }
}

/// Another order takes effect: only the dates that are recorded from now on have never been in another.
pub(super) fn ordered(entry: &Entry, view: &View<'_>) -> Held {
    let Entry::Order { job, generation, strict_after } = entry else { return Ok(()) };
    let is_right = match strict_after {
        Some(after) => {
            let newest = view.ledger.jobs.get(job).and_then(|rows| rows.dates().newest());
            after.generation == *generation && newest.is_none_or(|newest| newest <= after.date)
        }
        None => true,
    };
    let spec = view.context.registry.jobs.get(job);
    if is_right && spec.is_some_and(|spec| is_strict(&spec.job) == strict_after.is_some()) {
        Ok(())
    } else {
        Err(format!("P3: {job} takes another order than the registry has: {strict_after:?}"))
    }
}

/// Dates enter.
pub(super) fn recorded(entry: &Entry, view: &View<'_>) -> Held {
    let Entry::Record { job, watermark, to, sessions, .. } = entry else { return Ok(()) };
    let rows = view.ledger.jobs.get(job).ok_or_else(|| format!("conflict: {job} was never entered"))?;
    let is_new = |date: At| sessions.iter().any(|new| new.date == date);
    if let Some(reached) = to.filter(|_| to != watermark) {
        // None is left out, and the clock is at one of them.
        let mut passed = view.calendar(job)?.between(recorded_until(&rows.record), reached);
        let is_there = |date: At| is_new(date) || rows.dates().get(date).is_some();
        if let Some(missing) = passed.find(|date| !is_there(*date)) {
            let (record, calendar) = (&rows.record, view.calendar(job)?);
            return Err(format!(
                "P4: the watermark of {job} goes to {reached}, and {missing} is not recorded\n{record:?}\n{calendar:?}"
            ));
        }
        if !is_there(reached) {
            return Err(format!("P5: the watermark of {job} goes to {reached}, which is no date of it"));
        }
    }
    let Some(newest) = sessions.last() else { return Ok(()) };
    let early = sessions.iter().find(|new| !new.state.is_settled() && new.date > view.context.time);
    if let Some(NewSession { date, .. }) = early {
        return Err(format!("P4: {date} of {job} is recorded before it has come"));
    }
    if newest.backfill.is_some() {
        return sessions.iter().try_for_each(|new| of_backfill(job, new, to == watermark, view));
    }
    let Some(spec) = view.context.registry.jobs.get(job) else {
        return Err(format!("P4: {job} is not in the registry, and {} is recorded", newest.date));
    };
    match (newest.trigger, newest.state.is_settled()) {
        (Trigger::Required, _) => required(job, sessions, to == watermark, view),
        (Trigger::Manual, false) => {
            let is_asked = sessions.len() == 1 && to == watermark && view.run_of(job, newest.date).is_some();
            if is_asked { Ok(()) } else { Err(format!("P4: nobody asked for {} of {job}", newest.date)) }
        }
        (Trigger::Manual, true) => sessions.iter().try_for_each(|new| asked::settled(job, new, spec, view)),
        _ if to == watermark => periods::filled(job, sessions, view),
        _ if *to != Some(newest.date) => {
            Err(format!("P5: the watermark of {job} goes to {to:?}, and its newest date is {}", newest.date))
        }
        _ => of_schedule(job, sessions, (spec, rows), view),
    }
}

/// A date that an operator's order is about, and that the ledger did not have.
fn of_backfill(job: &JobName, new: &NewSession, clock_stands: bool, view: &View<'_>) -> Held {
    let wrong = |what: &str| Err(format!("P4: {} of {job} enters for a backfill, {what}", new.date));
    let Some(order) = new.backfill.and_then(|id| view.order(job, id)) else { return wrong("which nobody ordered") };
    let is_meant = order.from <= new.date && order.to.is_none_or(|to| new.date < to) && order.only != Only::Failed;
    if !is_meant || new.date > view.context.time || new.trigger != Trigger::Backfill || new.state != State::Waiting {
        return wrong("whose order is not about it");
    }
    let record = &view.ledger.jobs[job].record;
    let calendar = view.calendar(job)?;
    if new.date >= record.first_date && new.date > recorded_until(record) && calendar.includes(new.date) {
        return wrong("and is one of the schedule's");
    }
    let is_date = view.calendars.values().any(|calendar| calendar.unbounded().includes(new.date));
    if clock_stands && is_date { Ok(()) } else { wrong("and is no date, or moves the clock") }
}

/// A date of a job that has no schedule enters, since another one requires it.
fn required(job: &JobName, sessions: &[NewSession], clock_stands: bool, view: &View<'_>) -> Held {
    let [new] = sessions else { return Err(format!("P4: several dates of {job} are required at once")) };
    let is_required = view.context.registry.jobs.values().any(|spec| {
        let needs = spec.job.require.contains(job);
        let rows = view.ledger.jobs.get(&spec.job.name);
        needs && rows.is_some_and(|rows| rows.dates().unsettled.contains_key(&new.date))
    });
    if is_required && clock_stands && new.state == State::Waiting {
        Ok(())
    } else {
        Err(format!("P4: {} of {job} enters, and no date requires it", new.date))
    }
}

/// The next dates of the calendar in force have come due.
fn of_schedule(job: &JobName, sessions: &[NewSession], (spec, rows): (&Spec, &JobRows), view: &View<'_>) -> Held {
    let calendar = view.calendar(job)?;
    let mut after = recorded_until(&rows.record);
    for new in sessions {
        if new.date <= after || !calendar.includes(new.date) {
            let (record, entry) = (&rows.record, sessions);
            return Err(format!(
                "P4: {job} records {}, which is no date after {after}\n{record:?}\n{entry:?}",
                new.date
            ));
        }
        after = new.date;
        let run = view.run_of(job, new.date);
        if calendar.due(new.date) > view.context.time && run != Some(true) {
            return Err(format!("P4: {} of {job} is recorded before it is due", new.date));
        }
        let is_right = match &new.state {
            State::Waiting if run.is_some() => true,
            state => is_right_state(state, new.date, (spec, calendar, rows), view),
        };
        if !is_right || new.trigger == Trigger::Backfill {
            let record = &rows.record;
            return Err(format!(
                "P4: {} of {job} enters in a wrong state: {:?}\n{record:?}\n{:?}",
                new.date, new.state, rows.stand_ins
            ));
        }
    }
    Ok(())
}

/// Says whether a date that comes due may enter in this state.
fn is_right_state(
    state: &State,
    date: At,
    (spec, calendar, rows): (&Spec, &Calendar, &JobRows),
    view: &View<'_>,
) -> bool {
    let job = &spec.job;
    let now = view.context.time;
    // Those after it that are due, as many as matter, by the latest and by the earliest time of the decision.
    let newer = |now: At| {
        let dates = calendar.between(date, now - calendar.delay);
        u32::try_from(dates.filter(|date| rows.dates().get(*date).is_none()).take(1000).count()).expect("not many")
    };
    let is_over = |now: At, certainly: bool| {
        let late = now - calendar.due(date);
        let beyond = |limit: Option<std::time::Duration>| {
            limit.is_some_and(|limit| late > TimeDelta::from_std(limit).expect("not so long"))
        };
        // One wake counts by a time of its own.
        let counts = !(certainly && view.context.mode == Mode::Once);
        let too_many = job.catch_up.max_dates.is_some_and(|most| counts && late > MISSED && newer(now) >= most);
        beyond(job.catch_up.max_age) || beyond(job.skip_late) || too_many
    };
    // What runs for a backfill is none of the schedule's; of an earlier life, nobody knows whose it is.
    let generation = rows.record.generation;
    let others = rules::open_of(view.ledger, &job.name).filter(|open| open.session.generation != generation).count();
    let (busy, limit) = (rules::busy(view.ledger, &job.name, None), rules::limit(job, None));
    let overlaps = |busy| job.overlap == Overlap::Skip && busy >= limit;
    let is_given = periods::is_given(date, calendar, rows);
    match state {
        State::Skipped { reason: SkipReason::Moved } => is_given,
        _ if is_given => false,
        State::Waiting => !is_over(now, true) && !overlaps(busy) && (keeps(job) || newer(now) == 0),
        State::Skipped { reason: SkipReason::TooOld } => is_over(now, false),
        State::Skipped { reason: SkipReason::Overtime } => overlaps(busy + others),
        State::Skipped { reason: SkipReason::Superseded } => !keeps(job) && newer(now) > 0,
        _ => false,
    }
}

/// Says whether `catch_up` leaves out a missed date that waits for its first attempt.
pub(super) fn is_left_out(row: &SessionRecord, job: &Job, view: &View<'_>) -> bool {
    let rows = &view.ledger.jobs[&job.name];
    let Ok(calendar) = view.calendar(&job.name) else { return false };
    let (now, date) = (view.context.time, row.key.date);
    let is_missed = |row: &SessionRecord| {
        row.state == State::Waiting && row.trigger == Trigger::CatchUp && row.attempts == 0 && row.backfill.is_none()
    };
    let newer = || {
        let recorded = rows.dates().of(None).filter(|other| other.key.date > date && is_missed(other)).count();
        let due = calendar.between(recorded_until(&rows.record), now - calendar.delay);
        let unrecorded = due.filter(|date| rows.dates().get(*date).is_none()).take(1000).count();
        u32::try_from(recorded + unrecorded).expect("not many")
    };
    let too_old = job
        .catch_up
        .max_age
        .is_some_and(|age| now - calendar.due(date) > TimeDelta::from_std(age).expect("not so long"));
    is_missed(row) && (too_old || job.catch_up.max_dates.is_some_and(|most| newer() >= most))
}
