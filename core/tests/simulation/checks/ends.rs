//! P6 and P7: an end is what really happened, and what follows from it has its reason.

use std::time::Duration;

use chrono::TimeDelta;
use crontabber_core::job::{Job, OnLost};
use crontabber_core::session::{AttemptEnd, AttemptKey, Entry, Operation, Outcome, SkipReason, State};

use super::View;
use super::rules::keeps;
use crate::Held;
use crate::ledger::Asked;
use crate::machine::{Exit, Fate, Machine};

/// An attempt is closed.
pub(super) fn closed(entry: &Entry, view: &View<'_>) -> Held {
    let Entry::Close { attempt, end, state, counted_attempts } = entry else { return Ok(()) };
    is_true(attempt, end, view.machine)?;
    let session = &attempt.session;
    let rows = view.ledger.jobs.get(&session.job).ok_or_else(|| format!("{attempt} is of no job"))?;
    if rows.record.generation != session.generation {
        let right = match end.outcome {
            Outcome::Succeeded => State::Succeeded,
            _ => State::Skipped { reason: SkipReason::Operator },
        };
        return if *state == right { Ok(()) } else { Err(format!("P7: {attempt} of an earlier life: {state:?}")) };
    }
    let row = rows.dates().get(session.date).ok_or_else(|| format!("{attempt} has no row"))?;
    let counted = row.counted_attempts + u32::from(end.outcome != Outcome::Interrupted);
    if *counted_attempts != counted {
        return Err(format!("P7: {attempt} is said to be use {counted_attempts} of its date, and is use {counted}"));
    }
    if end.outcome == Outcome::Cancelled {
        is_asked(attempt, view)?;
    }
    let job = view.context.registry.jobs.get(&session.job).map(|spec| &*spec.job);
    let newest = rows.dates().of(None).next_back().filter(|_| row.backfill.is_none());
    let has_newer = newest.is_some_and(|newest| newest.key.date > session.date);
    let gives_way = has_newer && job.is_some_and(|job| !keeps(job));
    if is_killed(attempt, view) && end.outcome != Outcome::Succeeded && !gives_way {
        let is_held = matches!(state, State::Held { .. });
        return if is_held { Ok(()) } else { Err(format!("P7: {attempt} was to be ended, and its date is {state:?}")) };
    }
    let is_held = matches!(state, State::Held { reason } if !reason.is_empty());
    if is_held && kills(attempt, view).any(|asked| asked.done.is_none()) {
        return Ok(());
    }
    if follows(job, end.outcome, state, (*counted_attempts, has_newer), view) {
        Ok(())
    } else {
        Err(format!("P7: {attempt} ended as {}, use {counted_attempts}, and its date is {state:?}", end.outcome))
    }
}

/// The answer to a `kill` of this attempt names its end.
fn is_killed(attempt: &AttemptKey, view: &View<'_>) -> bool {
    let AttemptKey { session, .. } = attempt;
    view.done(&session.job).any(|(request, reply)| {
        let is_kill = matches!(request.operation, Operation::Kill { .. });
        let was_open = view.ledger.audit.get(&request.id).is_some_and(|asked| asked.open.contains(attempt));
        is_kill && was_open && reply.dates.count == 1 && reply.dates.first == Some(session.date)
    })
}

/// An attempt is cancelled only if an operator has asked for it.
fn is_asked(attempt: &AttemptKey, view: &View<'_>) -> Held {
    if kills(attempt, view).next().is_some() {
        Ok(())
    } else {
        Err(format!("P6: {attempt} is cancelled, and nobody asked for it"))
    }
}

/// What operators asked that can be about the end of this attempt.
fn kills<'a>(attempt: &'a AttemptKey, view: &'a View<'_>) -> impl Iterator<Item = &'a Asked> {
    let session = &attempt.session;
    view.ledger.requests_about(&session.job).filter(|asked| match asked.request.operation {
        Operation::Kill { date } => date.is_none_or(|date| date == session.date),
        _ => false,
    })
}

/// Says whether this state follows from that outcome.
fn follows(job: Option<&Job>, outcome: Outcome, state: &State, facts: (u32, bool), view: &View<'_>) -> bool {
    let (counted_attempts, has_newer) = facts;
    let again = |after: TimeDelta, at: chrono::DateTime<chrono::Utc>| view.context.time + after == at;
    match (outcome, state) {
        (Outcome::Succeeded, state) => *state == State::Succeeded,
        (_, State::Skipped { reason: SkipReason::Superseded }) => has_newer && job.is_some_and(|job| !keeps(job)),
        _ if has_newer && job.is_some_and(|job| !keeps(job)) => false,
        (Outcome::Interrupted, state) => *state == State::Waiting,
        (Outcome::Cancelled, state) => matches!(state, State::Held { reason } if !reason.is_empty()),
        (_, State::Held { reason }) => {
            let is_used_up = |job: &Job| job.retry.attempts.is_some_and(|attempts| counted_attempts >= attempts);
            let is_doubtful = |job: &Job| outcome == Outcome::Lost && job.on_lost == OnLost::Hold;
            !reason.is_empty() && job.is_some_and(|job| is_used_up(job) || is_doubtful(job))
        }
        // What was lost is due again at once, also in a wake that has its own time.
        (Outcome::Lost, State::Failed { retry_at }) if *retry_at > view.context.time => false,
        (_, State::Failed { retry_at }) => match job {
            None => outcome == Outcome::Lost || again(TimeDelta::zero(), *retry_at),
            Some(job) => {
                let is_left = job.retry.attempts.is_none_or(|attempts| counted_attempts < attempts);
                let is_held = outcome == Outcome::Lost && job.on_lost == OnLost::Hold;
                is_left && !is_held && (outcome == Outcome::Lost || again(wait(job, counted_attempts), *retry_at))
            }
        },
        _ => false,
    }
}

/// The wait before the next attempt, said once more: each is the last one times the factor, up to the most.
fn wait(job: &Job, counted_attempts: u32) -> TimeDelta {
    let day = Duration::from_hours(24);
    let most = job.retry.at_most.unwrap_or(day.max(job.retry.after)).as_secs_f64();
    let mut seconds = job.retry.after.as_secs_f64();
    for _ in 1..counted_attempts.min(200) {
        seconds = (seconds * job.retry.factor).min(1e12);
    }
    TimeDelta::from_std(Duration::from_secs_f64(seconds.min(most))).expect("not so long")
}

/// Holds an end against what happened.
fn is_true(attempt: &AttemptKey, end: &AttemptEnd, machine: &Machine) -> Held {
    let wrong = |what: &str| Err(format!("P6: {attempt} is recorded as {}: {what}", end.outcome));
    let unknown = Fate::default();
    let fate = machine.fates.get(attempt).unwrap_or(&unknown);
    if machine.find(attempt).is_some() {
        return wrong("it runs");
    }
    if end.outcome == Outcome::Succeeded && fate.exit != Some(Exit::Code(0)) {
        return wrong("it did not succeed");
    }
    if let Some(delivered) = &fate.delivered {
        return if delivered == end { Ok(()) } else { wrong(&format!("it was delivered as {delivered:?}")) };
    }
    if let Some((_, said)) = fate.said.as_ref().filter(|(boot, _)| *boot == machine.boot) {
        return if said == end { Ok(()) } else { wrong(&format!("it was said to be {said:?}")) };
    }
    match end.outcome {
        Outcome::Lost => {
            let survived = fate.boot == machine.boot && fate.warden_knew;
            let is_known = !fate.started && survived && (!fate.begun || fate.deaths == machine.deaths);
            if is_known { wrong("it was never started") } else { Ok(()) }
        }
        Outcome::Interrupted if !fate.started => Ok(()),
        Outcome::Failed { code: 125 } if !fate.begun => Ok(()),
        _ => wrong("nobody delivered that"),
    }
}
