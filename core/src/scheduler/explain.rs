//! Why a date does not start now, and when it will: everything it waits for.

use chrono::{DateTime, Utc};

use crate::job::{Job, JobName};
use crate::session::{AttemptKey, BackfillRecord, State, Trigger};

use super::Scheduler;
use super::job_state::JobState;
use super::queue::{Queue, Session};
use super::status::BlockReason;

/// How many dates and attempts an explanation names.
const NAMED: usize = 5;

/// How many dates an explanation counts.
pub const COUNTED: u64 = 10_000;

/// What a date waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// Something outside the job, or an operator.
    For(BlockReason),
    /// An earlier date of the job that failed or is held.
    Earlier { date: DateTime<Utc>, state: State },
    /// Dates of the job that come first.
    InFront {
        /// How many, up to [`COUNTED`]; one more than that means more.
        count: u64,
        /// The next of them.
        first: DateTime<Utc>,
    },
    /// A required job, which runs when the turn of the date comes.
    Required(JobName),
    /// The time at which it is due.
    Due(DateTime<Utc>),
    /// An open attempt of the job.
    Attempt(AttemptKey),
    /// The result of `done_when`.
    DoneWhen,
    /// A slot for a backfill: the last free slot is kept for schedules.
    LastSlot,
}

/// What the scheduler knows of an unsettled date.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Its state; absent if it is not recorded yet.
    pub state: Option<State>,
    /// What made it happen.
    pub trigger: Option<Trigger>,
    /// The number of its attempts.
    pub attempts: u32,
    /// How many of them count against `retry.attempts`.
    pub counted_attempts: u32,
    pub backfill: Option<BackfillRecord>,
    /// What it waits for; empty if it runs or can start now.
    pub waits: Vec<Wait>,
    /// The earliest time at which it can start, if that is known.
    pub next_attempt: Option<DateTime<Utc>>,
    /// The recorded date that stands for its period, so that it will be skipped as moved.
    pub stand_in: Option<DateTime<Utc>>,
}

impl Scheduler {
    /// Explains an unsettled date of a job: of its schedule, recorded or not, or of a backfill.
    #[must_use]
    pub fn explain(&self, name: &JobName, date: DateTime<Utc>) -> Option<Explanation> {
        let job_state = self.jobs.get(name)?;
        let session = job_state.rows().get(date);
        let is_ahead = session.is_none() && job_state.is_ahead(date);
        if session.is_none() && !is_ahead {
            return None;
        }
        let backfill = job_state.rows().backfill_of(date).and_then(|id| job_state.rows().backfills.get(&id));
        let waits = match (&job_state.job, session) {
            (Some(_), Some(Session { state: State::Running, .. })) | (None, _) => Vec::new(),
            (Some(job), session) => self.waits(job_state, job, date, session),
        };
        let stand_in = job_state.rows().stand_ins.get(&date).copied();
        let next = next_attempt(job_state, date, session, &waits, self.now);
        Some(Explanation {
            state: session.map(|session| session.state.clone()),
            trigger: session.map(|session| session.trigger),
            attempts: session.map_or(0, |session| session.attempts),
            counted_attempts: session.map_or(0, |session| session.counted_attempts),
            backfill: backfill.map(|backfill| backfill.record.clone()),
            next_attempt: next.filter(|_| stand_in.is_none()),
            stand_in,
            waits,
        })
    }

    fn waits(&self, job_state: &JobState, job: &Job, date: DateTime<Utc>, session: Option<&Session>) -> Vec<Wait> {
        let mut waits = Vec::new();
        if let Some(previously) = job_state.takes_over.clone() {
            waits.push(Wait::For(BlockReason::TakesOver { previously }));
        }
        if let Some(disabled) = &job_state.rows().disabled {
            waits.push(Wait::For(BlockReason::DisabledBy(disabled.clone())));
        }
        let pauses = self.pauses_of(job).cloned();
        waits.extend(pauses.map(|pause| Wait::For(BlockReason::Paused { pause, others: Vec::new() })));
        if !job.enabled {
            waits.push(Wait::For(BlockReason::Disabled));
        }
        if let Some(block) = session.and_then(|session| self.blocked_by_state(date, &session.state)) {
            waits.push(Wait::For(block));
        } else if let Some(hold) = self.held_by_clock(job, date, session) {
            waits.push(Wait::For(hold));
        } else if job.timetable.due(date) > self.now {
            waits.push(Wait::Due(job.timetable.due(date)));
        }
        if job_state.probing.contains(&date) {
            waits.push(Wait::DoneWhen);
            return waits;
        }
        let backfill = job_state.rows().backfill_of(date).and_then(|id| job_state.rows().backfills.get(&id));
        if job_state.is_strict() {
            match backfill {
                Some(backfill) => in_front(&backfill.queue, date, backfill.record.newest_first, (0, None), &mut waits),
                None => {
                    in_front(&job_state.rows().main, date, false, job_state.unrecorded_before(job, date), &mut waits);
                }
            }
        }
        let needs = self.blockers(job, date, backfill.is_some());
        waits.extend(needs.into_iter().map(|need| self.need(job, date, need)));
        let is_busy = |queue: &Queue, most: usize| job_state.busy(queue) >= most;
        let is_reset =
            job_state.rows().open.iter().any(|open| open.session.generation != job_state.rows().record.generation);
        let holds = job_state.is_strict()
            || is_reset
            || backfill.map_or_else(
                || is_busy(&job_state.rows().main, job.date_policy.max_parallel()),
                |backfill| is_busy(&backfill.queue, backfill.record.parallel as usize),
            );
        let others = job_state.rows().open.iter().filter(|open| open.session != job_state.rows().key(date) && holds);
        waits.extend(others.take(NAMED).cloned().map(Wait::Attempt));
        let names_one = waits.iter().any(|wait| matches!(wait, Wait::InFront { .. }));
        if holds
            && !names_one
            && let Some(first) = job_state.probing.first()
        {
            waits.push(Wait::InFront { count: job_state.probing.len() as u64, first: *first });
        }
        if waits.is_empty() {
            waits.extend(self.missing_slot(job).map(Wait::For));
        }
        if waits.is_empty() && backfill.is_some() && !self.slots.may_backfill() {
            waits.push(Wait::LastSlot);
        }
        waits
    }

    /// A required job without such a date is not blocked: it runs when the turn of the date comes.
    fn need(&self, job: &Job, date: DateTime<Utc>, need: BlockReason) -> Wait {
        match need {
            BlockReason::Dependency { job: on, date: Some(of) }
                if of == date
                    && job.require.contains(&on)
                    && self.jobs.get(&on).is_some_and(|job_state| !job_state.rows().has_row(of)) =>
            {
                Wait::Required(on)
            }
            need => Wait::For(need),
        }
    }
}

impl JobState {
    /// Whether a date of the schedule is not recorded yet.
    fn is_ahead(&self, date: DateTime<Utc>) -> bool {
        self.next.is_some_and(|next| date >= next)
            && !self.rows().is_settled_outside_range(date)
            && self.job.as_ref().is_some_and(|job| job.timetable.includes(date))
    }

    /// How many dates of the schedule before `date` are not recorded yet, and the first of them.
    fn unrecorded_before(&self, job: &Job, date: DateTime<Utc>) -> (u64, Option<DateTime<Utc>>) {
        let before = self.unrecorded_dates(&job.timetable).take_while(|before| *before < date);
        let count = (0..=COUNTED).zip(before).count() as u64;
        (count, self.next.filter(|next| *next < date))
    }
}

/// Adds what comes before a date in its queue, and the unrecorded dates before it.
fn in_front(
    queue: &Queue,
    date: DateTime<Utc>,
    newest_first: bool,
    (unrecorded, first_unrecorded): (u64, Option<DateTime<Utc>>),
    waits: &mut Vec<Wait>,
) {
    let sessions = queue.sessions();
    let before: Vec<(&DateTime<Utc>, &Session)> = if newest_first {
        let after = (std::ops::Bound::Excluded(date), std::ops::Bound::Unbounded);
        sessions.range(after).rev().collect()
    } else {
        sessions.range(..date).collect()
    };
    let stuck = before
        .iter()
        .filter(|(_, session)| matches!(session.state, State::Held { .. } | State::Failed { .. }))
        .take(NAMED);
    waits.extend(stuck.map(|(date, session)| Wait::Earlier { date: **date, state: session.state.clone() }));
    let mut waiting = before.iter().filter(|(_, session)| session.state == State::Waiting);
    let count = waiting.clone().count() as u64 + unrecorded;
    if let Some(first) = waiting.next().map(|(date, _)| **date).or(first_unrecorded) {
        waits.push(Wait::InFront { count, first });
    }
}

/// The earliest start, which is known if the date waits for time only.
fn next_attempt(
    job_state: &JobState,
    date: DateTime<Utc>,
    session: Option<&Session>,
    waits: &[Wait],
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let job = job_state.job.as_ref()?;
    let mut at = job.timetable.due(date).max(now);
    for wait in waits {
        match wait {
            Wait::Due(due) => at = at.max(*due),
            Wait::For(BlockReason::Retry { at: retry_at, .. }) => at = at.max(*retry_at),
            // Each pause is a wait of its own.
            Wait::For(BlockReason::Paused { pause, .. }) => at = at.max(pause.until?),
            Wait::For(BlockReason::DisabledBy(disabled)) => at = at.max(disabled.until?),
            _ => return None,
        }
    }
    session.is_none_or(|session| session.state != State::Running).then_some(at)
}
