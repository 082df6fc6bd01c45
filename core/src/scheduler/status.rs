//! The status of a job, and what blocks it.

use std::iter;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::duration;
use crate::job::{Job, JobName};
use crate::session::{AttemptKey, Disabled, JobRecord, Pause, StandIns, State, TICK};
use crate::text::{in_zone, to_the_second, words};

use super::Scheduler;
use super::job_state::JobState;
use super::queue::Session;

/// Why the oldest unsettled date of a job does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockReason {
    /// Another job has an unsettled date, or has never settled one.
    Dependency {
        /// The other job.
        job: JobName,
        /// Its unsettled date.
        date: Option<DateTime<Utc>>,
    },
    /// A date is held until an operator acts.
    Held {
        date: DateTime<Utc>,
        /// Why it is held.
        reason: String,
    },
    /// A date failed, and waits for its retry.
    Retry {
        date: DateTime<Utc>,
        /// When it is retried.
        at: DateTime<Utc>,
    },
    /// The registry says `enabled = false`.
    Disabled,
    /// An operator disabled the job.
    DisabledBy(Disabled),
    /// An operator paused the job, with others.
    Paused {
        pause: Pause,
        /// More pauses of the job, which end earlier: it waits for the end of each.
        others: Vec<Pause>,
    },
    /// All slots of the job's pool are taken.
    Pool {
        pool: String,
        /// How many slots it has.
        size: usize,
    },
    /// All slots are taken.
    Full { open: usize },
    /// It is new while the clock is too far ahead of what was last seen to be believed.
    ClockHeld {
        /// What was last seen.
        seen: DateTime<Utc>,
        /// How long the clock must run on to be believed.
        wait: Duration,
    },
    /// The job takes over the dates of its former name once an attempt has ended.
    TakesOver { previously: JobName },
    /// The newest recorded date is in the future: the wall clock was wrong once.
    WatermarkAhead { watermark: DateTime<Utc> },
}

/// What is left of a job's backfills.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remaining {
    /// How many backfills have unsettled dates.
    pub backfills: usize,
    /// How many dates are unsettled.
    pub dates: u64,
    /// The next of them.
    pub first: Option<DateTime<Utc>>,
    /// How many of them are held, and the earliest.
    pub held: Option<(u64, DateTime<Utc>)>,
    /// How many of them failed, and the earliest.
    pub failed: Option<(u64, DateTime<Utc>)>,
}

words! {
    /// The state of a job in one word, the most urgent first.
    JobCondition {
        /// A date of it is held, or it is held as a whole, until an operator decides.
        Held => "held",
        /// A date of it failed, and is retried.
        Failed => "failed",
        /// It waits for another job, or its watermark is in the future.
        Blocked => "blocked",
        /// An operator paused it, with others.
        Paused => "paused",
        /// An attempt is open.
        Running => "running",
        /// A date is due, and starts as soon as a slot is free.
        Waiting => "waiting",
        /// No date is due.
        Ok => "ok",
        /// Disabled in the registry or by an operator.
        Disabled => "disabled",
        /// In the ledger, and not in the registry.
        Ghost => "ghost",
    }
}

/// The status of a job.
#[derive(Debug, Clone)]
pub struct JobStatus {
    /// Its record in the ledger.
    pub record: JobRecord,
    /// What it does, or what it waits for.
    pub state: JobCondition,
    /// The first date that is neither recorded nor due, and that will run.
    pub next: Option<DateTime<Utc>>,
    /// How many due dates of the schedule are unsettled, running ones included.
    pub backlog: u64,
    /// The oldest of them.
    pub oldest: Option<DateTime<Utc>>,
    /// The oldest of them that has come due since the ledger knows the job: what is older is caught up on for the first time.
    pub oldest_since_seen: Option<DateTime<Utc>>,
    /// What is left of its backfills.
    pub to_go: Remaining,
    /// How many attempts of the oldest date count against `retry.attempts`.
    pub failures: u32,
    /// Why the oldest date does not start.
    pub blocked_by: Option<BlockReason>,
    /// The date that is blocked, and since when at most: since it was due, and the ledger knows the job.
    pub blocked_at: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The open attempts.
    pub running: Vec<AttemptKey>,
    /// The `disable` in force.
    pub disabled: Option<Disabled>,
    /// The pauses in force, the one that ends last first.
    pub pauses: Vec<Pause>,
    /// The later dates that will be skipped as moved, each with the recorded date that stands for its period.
    pub moved: StandIns,
    /// The dates after the watermark that an operator has settled.
    pub settled_ahead: Vec<DateTime<Utc>>,
}

impl Scheduler {
    /// The status of a job.
    #[must_use]
    pub fn view(&self, name: &JobName) -> Option<JobStatus> {
        let job_state = self.jobs.get(name)?;
        let now = self.believed(self.now);
        let (blocked_at, blocked_by) = job_state.job.as_ref().map_or((None, None), |job| self.block(job_state, job));
        let next =
            job_state.next.filter(|_| job_state.job.is_some()).and_then(|next| self.first_to_run(job_state, next));
        let first = job_state.due(now).next();
        // A disabled job records no dates.
        let (unrecorded, missed) = if job_state.is_active() { (0, None) } else { job_state.missed_to_run(now) };
        let superseded = if missed.is_some() && !job_state.keeps_every_date() { job_state.idle_due(now) } else { 0 };
        let due = |date: DateTime<Utc>| job_state.job.as_ref().map_or(date, |job| job.timetable.due(date));
        let seen_at = job_state.rows().record.seen_at;
        Some(JobStatus {
            state: condition(job_state, first.map(|(_, session)| session), blocked_by.as_ref()),
            record: job_state.rows().record.clone(),
            next,
            backlog: job_state.due(now).count() as u64 - superseded + job_state.unrecorded.max(unrecorded),
            oldest: first.map(|(date, _)| date).filter(|_| superseded == 0).or(missed),
            oldest_since_seen: job_state
                .due(now)
                .map(|(date, _)| date)
                .chain(missed)
                .find(|date| due(*date) >= seen_at),
            to_go: job_state.to_go(),
            failures: first.map_or(0, |(_, session)| session.counted_attempts),
            blocked_by,
            blocked_at: blocked_at.map(|date| (date, due(date).max(seen_at))),
            running: job_state.rows().open.iter().cloned().collect(),
            disabled: job_state.rows().disabled.clone(),
            pauses: job_state.job.as_ref().map_or_else(Vec::new, |job| self.pauses_by_end(job)),
            moved: job_state.rows().stand_ins.clone(),
            settled_ahead: job_state.rows().settled_ahead(),
        })
    }

    /// The first date that is not due, and for whose period no other one stands. More dates may be due than are recorded.
    pub(super) fn first_to_run(&self, job_state: &JobState, next: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (now, timetable) = (self.believed(self.now), &job_state.job.as_ref()?.timetable);
        let from = if timetable.due(next) > now { next } else { timetable.newest_due(now)? + TICK };
        let mut later = timetable.dates(from, DateTime::<Utc>::MAX_UTC).map_while(Result::ok);
        later.find(|date| !job_state.rows().has_row(*date) && !job_state.rows().stand_ins.contains_key(date))
    }

    fn block(&self, job_state: &JobState, job: &Job) -> (Option<DateTime<Utc>>, Option<BlockReason>) {
        if let Some(previously) = job_state.takes_over.clone() {
            return (None, Some(BlockReason::TakesOver { previously }));
        }
        if let Some(disabled) = &job_state.rows().disabled {
            return (None, Some(BlockReason::DisabledBy(disabled.clone())));
        }
        if !job.enabled {
            return (None, Some(BlockReason::Disabled));
        }
        let mut by_end = self.pauses_by_end(job).into_iter();
        let paused = by_end.next().map(|pause| BlockReason::Paused { pause, others: by_end.collect() });
        let mut unsettled =
            job_state.due(self.believed(self.now)).filter(|(_, session)| session.state != State::Running);
        // In independent order a waiting date says more than a failed one.
        let first = if job.date_policy.is_independent() {
            unsettled.min_by_key(|(date, session)| (session.state != State::Waiting, *date))
        } else {
            unsettled.next()
        };
        let Some((date, session)) = first else {
            let ahead = job_state.rows().record.watermark.filter(|watermark| *watermark > self.now);
            let recorded = || job_state.due(self.now).find_map(|(date, of)| self.held_by_clock(job, date, Some(of)));
            let held = || recorded().or_else(|| self.held_by_clock(job, job_state.next?, None));
            let ahead = ahead.map(|watermark| BlockReason::WatermarkAhead { watermark });
            return (None, paused.or(ahead).or_else(held));
        };
        let mut block = self.blocked_by_state(date, &session.state);
        if !matches!(block, Some(BlockReason::Held { .. })) {
            block = paused.or(block).or_else(|| self.block_of(job_state, job, date, false));
        }
        (Some(date), block.or_else(|| self.missing_slot(job).filter(|_| job_state.rows().open.is_empty())))
    }

    /// What a session waits for, as far as its own state says.
    pub(super) fn blocked_by_state(&self, date: DateTime<Utc>, state: &State) -> Option<BlockReason> {
        match state {
            State::Held { reason } => Some(BlockReason::Held { date, reason: reason.clone() }),
            State::Failed { retry_at } if *retry_at > self.now => Some(BlockReason::Retry { date, at: *retry_at }),
            _ => None,
        }
    }

    /// The slots that are missing, of the pool or of all.
    pub(super) fn missing_slot(&self, job: &Job) -> Option<BlockReason> {
        let pool = job.pool.as_ref().filter(|pool| self.slots.is_full(pool));
        pool.and_then(|pool| Some(BlockReason::Pool { pool: pool.clone(), size: self.slots.pool(pool)?.0 }))
            .or_else(|| self.slots.full().map(|open| BlockReason::Full { open }))
    }
}

impl JobState {
    /// The unsettled sessions of the schedule that are due, or have been attempted. Others are recorded ahead of the
    /// clock, or the `delay` has become longer.
    fn due(&self, now: DateTime<Utc>) -> impl Iterator<Item = (DateTime<Utc>, &Session)> {
        let due = move |date: &DateTime<Utc>| self.job.as_ref().map_or(*date, |job| job.timetable.due(*date));
        let sessions = self.rows().main.sessions().iter().map(|(date, session)| (*date, session));
        sessions.filter(move |(date, session)| session.state != State::Waiting || due(date) <= now)
    }

    /// How many of them do not run.
    fn idle_due(&self, now: DateTime<Utc>) -> u64 {
        self.due(now).filter(|(_, session)| session.state != State::Running).count() as u64
    }

    /// How many due dates are not recorded and run once the job is enabled, and the first of them.
    fn missed_to_run(&self, now: DateTime<Utc>) -> (u64, Option<DateTime<Utc>>) {
        let missed = self.unrecorded_due(now);
        match self.job.as_ref().filter(|_| missed.0 > 0 && !self.keeps_every_date()) {
            Some(job) => (1, job.timetable.newest_due(now)),
            None => missed,
        }
    }

    fn to_go(&self) -> Remaining {
        let all = || self.rows().backfills.values().flat_map(|backfill| backfill.queue.sessions());
        let those = |is_so: fn(&State) -> bool| {
            let mut dates = all().filter(|(_, session)| is_so(&session.state)).map(|(date, _)| *date);
            let first = dates.next()?;
            Some(dates.fold((1, first), |(count, first), date| (count + 1, first.min(date))))
        };
        let first = self.rows().backfills.values().find_map(|backfill| {
            if backfill.record.newest_first { backfill.queue.newest() } else { backfill.queue.oldest() }
        });
        Remaining {
            backfills: self.rows().backfills.len(),
            dates: self.backfilling(),
            first,
            held: those(|state| matches!(state, State::Held { .. })),
            failed: those(|state| matches!(state, State::Failed { .. })),
        }
    }
}

fn condition(job_state: &JobState, oldest: Option<&Session>, blocked_by: Option<&BlockReason>) -> JobCondition {
    if !job_state.rows().open.is_empty() {
        return JobCondition::Running;
    }
    match (&job_state.job, blocked_by) {
        (None, _) => JobCondition::Ghost,
        (_, Some(BlockReason::DisabledBy(by))) if by.is_by_itself() => JobCondition::Held,
        (_, Some(BlockReason::Disabled | BlockReason::DisabledBy(_))) => JobCondition::Disabled,
        (_, Some(BlockReason::Held { .. })) => JobCondition::Held,
        (_, Some(BlockReason::Paused { .. })) => JobCondition::Paused,
        (_, Some(BlockReason::Retry { .. })) => JobCondition::Failed,
        (
            _,
            Some(
                BlockReason::Dependency { .. }
                | BlockReason::ClockHeld { .. }
                | BlockReason::TakesOver { .. }
                | BlockReason::WatermarkAhead { .. },
            ),
        ) => JobCondition::Blocked,
        (_, Some(BlockReason::Pool { .. } | BlockReason::Full { .. }) | None) => match oldest {
            Some(session) if session.counted_attempts > 0 => JobCondition::Failed,
            Some(_) => JobCondition::Waiting,
            None => JobCondition::Ok,
        },
    }
}

impl BlockReason {
    /// Whether no date of the job starts for it, new ones included.
    #[must_use]
    pub fn is_of_all_dates(&self) -> bool {
        matches!(self, Self::Disabled | Self::DisabledBy(_) | Self::Paused { .. } | Self::TakesOver { .. })
    }

    /// What the date waits for, as the end of a sentence. `shown` is a date of another job, or of the job itself if none is
    /// named; `zone` is that of other times.
    #[must_use]
    pub fn describe(&self, zone: Tz, shown: impl Fn(Option<&JobName>, DateTime<Utc>) -> String) -> String {
        match self {
            Self::Dependency { job, date: Some(date) } => {
                format!("`{job}`, whose {} is not settled", shown(Some(job), *date))
            }
            Self::Dependency { job, date: None } => format!("`{job}`, which has not settled a date yet"),
            Self::Held { date, reason } => format!("an operator: {} is held, since {reason}", shown(None, *date)),
            Self::Retry { date, at } => {
                format!("the retry of {} at {}", shown(None, *date), to_the_second(*at, zone))
            }
            Self::Disabled => "`enabled = true` in the registry".to_owned(),
            Self::DisabledBy(disabled) if disabled.is_by_itself() => {
                format!("an operator: the job is held, since {}", disabled.reason.as_deref().unwrap_or_default())
            }
            Self::DisabledBy(Disabled { at, until, user, reason, .. }) => {
                let because = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                match until {
                    Some(until) => format!(
                        "{}: {user} disabled it until then, at {}{because}",
                        in_zone(*until, zone),
                        to_the_second(*at, zone)
                    ),
                    None => {
                        format!("an operator to enable it: {user} disabled it at {}{because}", to_the_second(*at, zone))
                    }
                }
            }
            Self::Paused { pause, others } => {
                let which =
                    if others.is_empty() { "a pause".to_owned() } else { format!("{} pauses", others.len() + 1) };
                format!("the end of {which}: {}", Pause::describe_all(iter::once(pause).chain(others), zone))
            }
            Self::Pool { pool, size: 1 } => format!("the only slot of pool `{pool}`, which is taken"),
            Self::Pool { pool, size } => format!("one of the {size} slots of pool `{pool}`, which are all taken"),
            Self::Full { open } => format!("a free slot: {open} attempts are open, as many as `max_running` allows"),
            Self::ClockHeld { seen, wait } => format!(
                "the clock to be confirmed, or to run on for {}: it is far ahead of {}, when it was last believed",
                duration::format(*wait),
                to_the_second(*seen, zone)
            ),
            Self::TakesOver { previously } => {
                format!("its open attempt to end: then it takes over the dates of `{previously}`")
            }
            Self::WatermarkAhead { watermark } => {
                format!("the time to pass {}, its newest recorded date", shown(None, *watermark))
            }
        }
    }
}
