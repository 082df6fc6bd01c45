//! P1, P2, P3 and P8: what may start, and whose turn it is.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use crontabber_core::control::{Mode, PROBE};
use crontabber_core::session::{AttemptKey, Entry, SessionRecord, State, Trigger};

use super::rules::{self, Scene, has_head, is_independent, is_strict, keeps, missing_need, open_of, ready_at};
use super::{Checks, View};
use crate::Held;
use crate::calendar::At;
use crate::ledger::Ledger;
use crate::machine::Machine;

/// So often a job may be overtaken by another while it could start itself; more often by one that stands in the other
/// line, where each of them has its turns.
const PATIENCE: (u32, u32) = (3, 12);

/// A clock that is set back by a second or so changes nobody's turn.
const SLACK: TimeDelta = TimeDelta::seconds(3);

impl Checks {
    /// An attempt is opened.
    pub(super) fn opened(&mut self, entry: &Entry, view: &View<'_>) -> Held {
        let Entry::Open { attempt, trigger, started_at, .. } = entry else { return Ok(()) };
        let (job, date) = (&attempt.session.job, attempt.session.date);
        let wrong = |what: &str| Err(format!("{what}: {attempt} is opened"));
        let Some(start) = view.context.starts.iter().find(|start| start.attempt == *attempt) else {
            return wrong("P8: nobody is told to start it");
        };
        let rows = view.ledger.jobs.get(job).ok_or_else(|| format!("{job} is not in the ledger"))?;
        if rows.record.generation != attempt.session.generation {
            return wrong("P1: it belongs to an earlier life of its job");
        }
        if rows.record.strict_after.is_some() != is_strict(&start.job) {
            return wrong("P3: the ledger has another order than the registry");
        }
        let Some(row) = rows.dates().unsettled.get(&date) else { return wrong("P1: its date is settled or unknown") };
        is_alone(attempt, row, start, view)?;
        let run = view.run_of(job, date);
        is_next(attempt, row, start, run.is_some(), view)?;
        let missing = missing_need(&start.job, (date, row.backfill.is_some()), view.ledger, view.calendars());
        if let Some((need, unsettled)) = missing.filter(|_| run != Some(true)) {
            return wrong(&format!("P3: {need} has not settled {unsettled:?}"));
        }
        if *started_at != view.context.time {
            return wrong("P6: not at its time");
        }
        if run.is_some() {
            return Ok(());
        }
        if *trigger == Trigger::Manual && row.trigger != Trigger::Manual {
            return wrong("P1: nobody asked for it");
        }
        if view.context.is_clock_held && row.state == State::Waiting && row.attempts == 0 && row.trigger.is_scheduled()
        {
            return wrong("P4: the clock is not believed");
        }
        if !start.job.enabled || view.ledger.disabled.contains_key(job) {
            return wrong("P8: its job is disabled");
        }
        if view.ledger.is_paused(&start.job) {
            return wrong("P8: its job is paused");
        }
        has_slot(attempt, row, start, view)?;
        if ready_at(row, &start.job).is_none_or(|ready| ready > *started_at + SLACK) {
            return wrong("P8: it is not due");
        }
        if view.context.is_clock_held {
            // New dates, which could come first, wait.
            return Ok(());
        }
        is_in_turn(attempt, row, start, view)?;
        let waited = view.context.time - start.job.timetable.due(date);
        let limit = start.job.skip_late.and_then(|limit| TimeDelta::from_std(limit).ok());
        let is_first = row.state == State::Waiting && row.attempts == 0 && row.backfill.is_none();
        let is_scheduled = is_first && matches!(row.trigger, Trigger::Schedule | Trigger::CatchUp);
        if is_scheduled && start.job.done_when.is_none() && limit.is_some_and(|limit| waited > limit + SLACK) {
            return wrong("P4: it is too late, and should have been skipped");
        }
        // One wake leaves for later what comes due meanwhile.
        if view.context.mode == Mode::Serve { self.overtake(row, *started_at, view) } else { Ok(()) }
    }

    /// A job that could start is not overtaken again and again.
    fn overtake(&mut self, winner: &SessionRecord, now: At, view: &View<'_>) -> Held {
        let registry = &view.context.registry;
        let name = &winner.key.job;
        let of_backfill = winner.backfill.is_some();
        let priority = registry.jobs.get(name).map(|spec| spec.job.priority);
        let highest = registry.jobs.values().map(|spec| spec.job.priority).max();
        self.overtaken.retain(|((loser, line), _), _| loser != name || *line != of_backfill);
        let none = BTreeSet::new();
        let scene = Scene { now, ledger: view.ledger, calendars: view.calendars(), probing: &none };
        let others = registry.jobs.values().filter(|spec| spec.job.name != *name && spec.job.done_when.is_none());
        for spec in others {
            let mut found = scene.candidates(&spec.job);
            let limit = spec.job.skip_late.and_then(|limit| TimeDelta::from_std(limit).ok());
            found
                .retain(|(date, id)| id.is_some() || limit.is_none_or(|limit| now - spec.calendar.due(*date) <= limit));
            for line in [false, true] {
                let key = ((spec.job.name.clone(), line), (name.clone(), of_backfill));
                let is_same = line == of_backfill;
                let may =
                    if is_same { Some(spec.job.priority) >= priority } else { Some(spec.job.priority) == highest };
                let could = found.iter().any(|(_, id)| id.is_some() == line) && may;
                // Who asks whether a date is done has a place, of which the ledger does not know.
                let may_ask = |pool: &Option<String>| {
                    registry
                        .jobs
                        .values()
                        .any(|other| other.job.done_when.is_some() && (line || other.job.pool == *pool))
                };
                let is_unsure = (line || spec.job.pool.is_some()) && may_ask(&spec.job.pool);
                if !could || is_unsure || slot_missing(&spec.job, line, view).is_some() {
                    // Whatever it waits for, its turn comes after that.
                    self.overtaken.retain(|(loser, _), _| *loser != key.0);
                    continue;
                }
                let times = self.overtaken.entry(key).or_default();
                *times += 1;
                if *times > if is_same { PATIENCE.0 } else { PATIENCE.1 } {
                    return Err(format!(
                        "P8: {} could start, and {name} was started {times} times before it",
                        spec.job.name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// P2: how many attempts of a job may be open.
fn is_alone(
    attempt: &AttemptKey,
    row: &SessionRecord,
    start: &crontabber_core::scheduler::Start,
    view: &View<'_>,
) -> Held {
    let name = &attempt.session.job;
    let other = open_of(view.ledger, name).find(|open| {
        is_strict(&start.job)
            || open.session.date == attempt.session.date
            || open.session.generation != attempt.session.generation
    });
    if let Some(other) = other {
        return Err(format!("P2: {attempt} is opened while {other} is open"));
    }
    let record = row.backfill.and_then(|id| view.ledger.backfills.get(&id));
    let busy = rules::busy(view.ledger, name, row.backfill);
    if busy >= rules::limit(&start.job, record) {
        return Err(format!("P2: {attempt} is opened beside {busy} others of backfill {:?}", row.backfill));
    }
    Ok(())
}

/// P3: nothing comes before it.
fn is_next(
    attempt: &AttemptKey,
    row: &SessionRecord,
    start: &crontabber_core::scheduler::Start,
    is_run: bool,
    view: &View<'_>,
) -> Held {
    let (dates, date) = (view.ledger.jobs[&attempt.session.job].dates(), attempt.session.date);
    let mut queue = dates.of(row.backfill);
    if is_strict(&start.job) {
        let newest_first = row.backfill.and_then(|id| view.ledger.backfills.get(&id)).is_some_and(|it| it.newest_first);
        let first = if newest_first { queue.next_back() } else { queue.next() };
        // An operator who names a date of a backfill has it out of its turn.
        let is_named = is_run && row.backfill.is_some();
        if !is_named && first.is_none_or(|first| first.key.date != date) {
            return Err(format!("P3: an earlier date is not settled: {attempt} is opened"));
        }
    } else if !keeps(&start.job) && row.backfill.is_none() {
        let mut newer = queue.filter(|other| other.key.date > date && other.trigger != Trigger::Manual);
        if let Some(newer) = newer.next() {
            return Err(format!("P3: {attempt} is opened, and {} is newer", newer.key.date));
        }
    }
    Ok(())
}

/// P8: places are given to as many as there are.
fn has_slot(
    attempt: &AttemptKey,
    row: &SessionRecord,
    start: &crontabber_core::scheduler::Start,
    view: &View<'_>,
) -> Held {
    match slot_missing(&start.job, row.backfill.is_some(), view) {
        Some(what) => Err(format!("P2: {what}, and {attempt} is opened")),
        None => Ok(()),
    }
}

fn slot_missing(job: &crontabber_core::job::Job, is_backfill: bool, view: &View<'_>) -> Option<String> {
    let (ledger, places) = (view.ledger, view.context.slots);
    if ledger.open.len() >= places {
        return Some(format!("{} are open of {places}", ledger.open.len()));
    }
    let registry = &view.context.registry;
    if let Some(pool) = &job.pool
        && let Some(size) = registry.pools.get(pool)
        && rules::taken(ledger, pool, registry) >= *size
    {
        return Some(format!("the pool {pool} is full"));
    }
    let is_last = is_backfill && rules::backfilling(ledger) + 1 >= places.max(2);
    is_last.then(|| "the last place is the schedules'".to_owned())
}

/// P8: in independent order, whatever is ready first is first.
fn is_in_turn(
    attempt: &AttemptKey,
    row: &SessionRecord,
    start: &crontabber_core::scheduler::Start,
    view: &View<'_>,
) -> Held {
    let job = &start.job;
    let newest_first = row.backfill.and_then(|id| view.ledger.backfills.get(&id)).is_some_and(|it| it.newest_first);
    if has_head(job, row.backfill) || job.done_when.is_some() || newest_first {
        return Ok(());
    }
    let dates = view.ledger.jobs[&attempt.session.job].dates();
    let ready = |row: &SessionRecord| Some((ready_at(row, job)?, row.key.date));
    let mut all: Vec<(At, At)> = dates.of(row.backfill).filter_map(ready).collect();
    all.sort_unstable();
    let is_backfill = row.backfill.is_some();
    let is_free =
        |(_, date): &(At, At)| missing_need(job, (*date, is_backfill), view.ledger, view.calendars()).is_none();
    let first = all.into_iter().find(is_free);
    if first.is_some_and(|(_, date)| date == attempt.session.date) {
        return Ok(());
    }
    Err(format!("P8: {first:?} comes first: {attempt} is opened, independent: {}", is_independent(job)))
}

/// A process has started.
pub(crate) fn spawned(attempt: &AttemptKey, ledger: &Ledger, machine: &Machine) -> Held {
    if attempt.number == PROBE {
        return Ok(());
    }
    if machine.done.contains(&attempt.session) {
        return Err(format!("P1: {attempt} starts, and its date has succeeded"));
    }
    let Some(opened) = ledger.open.get(attempt) else {
        return Err(format!("P1: {attempt} starts, and is not open in the ledger"));
    };
    let live = || machine.processes.values().filter(|process| !process.ended && process.attempt.number != PROBE);
    let (session, date) = (&attempt.session, attempt.session.date);
    let is_other = |open: &AttemptKey| open.session.job == session.job && open.session.date == date;
    if let Some(other) = live().find(|process| is_other(&process.attempt) && process.attempt != *attempt) {
        return Err(format!("P2: {attempt} starts while {} runs", other.attempt));
    }
    // Whatever runs of the job is open in the ledger, where it is looked at how many there are.
    let of_job = |process: &&crate::machine::Process| process.attempt.session.job == session.job;
    if let Some(stray) = live().filter(of_job).find(|process| !ledger.open.contains_key(&process.attempt)) {
        return Err(format!("P2: {attempt}, opened at {}, starts while {} runs", opened.started_at, stray.attempt));
    }
    if live().filter(|process| process.attempt == *attempt).count() > 1 {
        return Err(format!("P2: {attempt} has two processes"));
    }
    Ok(())
}
