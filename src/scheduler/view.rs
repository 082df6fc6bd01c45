//! What people ask of the scheduler: where each job stands, and what blocks it.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

use crate::job::{Job, JobName};
use crate::session::{AttemptKey, Disabled, JobRecord, State};

use super::Scheduler;
use super::lane::{Lane, is_independent};

/// Why the oldest unsettled date of a job does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Another job has a date that is not settled, or has settled none at all.
    Dependency {
        /// The other job.
        job: JobName,
        /// Its unsettled date.
        date: Option<DateTime<Utc>>,
    },
    /// A date needs a person.
    Held {
        /// The date.
        date: DateTime<Utc>,
        /// Why.
        reason: String,
    },
    /// A date failed, and its next attempt is not due yet.
    Retry {
        /// The date.
        date: DateTime<Utc>,
        /// When it is.
        at: DateTime<Utc>,
    },
    /// The registry says `enabled = false`.
    Disabled,
    /// An operator disabled the job.
    DisabledBy(Disabled),
    /// The job's pool has no free place.
    Pool {
        /// The pool.
        pool: String,
        /// How many places it has.
        size: usize,
    },
    /// As many attempts are open as may be.
    Full {
        /// How many.
        open: usize,
    },
    /// The newest recorded date is in the future: the clock was wrong once.
    ClockAhead {
        /// That date.
        clock: DateTime<Utc>,
    },
}

/// What the backfills of a job have to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToGo {
    /// How many backfills have dates that are not settled.
    pub backfills: usize,
    /// How many dates that are.
    pub dates: u64,
    /// The date that is first in its backfill.
    pub first: Option<DateTime<Utc>>,
    /// How many of them need a person, and the earliest.
    pub held: Option<(u64, DateTime<Utc>)>,
    /// How many of them failed, and the earliest.
    pub failed: Option<(u64, DateTime<Utc>)>,
}

/// Where a job stands.
#[derive(Debug, Clone)]
pub struct JobView {
    /// The job as the ledger knows it.
    pub record: JobRecord,
    /// One of `running`, `held`, `failed`, `blocked`, `waiting`, `ok`, `disabled`, `ghost`.
    pub state: &'static str,
    /// The first date that is neither recorded nor due.
    pub next: Option<DateTime<Utc>>,
    /// How many dates are due and not settled, those that run included, but for those of backfills.
    pub backlog: u64,
    /// The oldest of them.
    pub oldest: Option<DateTime<Utc>>,
    /// What its backfills have to go.
    pub to_go: ToGo,
    /// How many attempts at the oldest date count.
    pub failures: u32,
    /// Why the oldest date does not start.
    pub blocked_by: Option<Block>,
    /// Which date that is about, and since when it could have started.
    pub blocked_at: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The open attempts.
    pub running: Vec<AttemptKey>,
    /// Who disabled the job.
    pub disabled: Option<Disabled>,
}

impl Scheduler {
    /// Where a job stands now.
    #[must_use]
    pub fn view(&self, name: &JobName) -> Option<JobView> {
        let lane = self.lanes.get(name)?;
        let (blocked_at, blocked_by) = lane.job.as_ref().map_or((None, None), |job| self.block(lane, job));
        let next = lane.next.filter(|_| lane.job.is_some()).and_then(|next| self.first_not_due(lane, next));
        let first = lane.main.sessions().iter().next();
        // What a disabled job has missed has no rows yet.
        let (unrecorded, missed) = if lane.is_active() { (0, None) } else { lane.unrecorded_due(self.now) };
        let due = |date: DateTime<Utc>| lane.job.as_ref().map_or(date, |job| job.timetable.due(date));
        Some(JobView {
            state: state_word(lane, blocked_by.as_ref()),
            record: lane.record.clone(),
            next,
            backlog: lane.main.len() as u64 + lane.uncounted.max(unrecorded),
            oldest: first.map(|(date, _)| *date).or(missed),
            to_go: lane.to_go(),
            failures: first.map_or(0, |(_, session)| session.used),
            blocked_by,
            blocked_at: blocked_at.map(|date| (date, due(date))),
            running: lane.running.clone(),
            disabled: lane.disabled.clone(),
        })
    }

    /// The first date of a lane that is not due, where more are due than the lane holds.
    fn first_not_due(&self, lane: &Lane, next: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let timetable = &lane.job.as_ref()?.timetable;
        if timetable.due(next) > self.now {
            return Some(next);
        }
        let mut after = timetable.newest_due(self.now)?;
        loop {
            after = timetable.next_after(after).ok().flatten()?;
            if !lane.has_row(after) {
                return Some(after);
            }
        }
    }

    fn block(&self, lane: &Lane, job: &Job) -> (Option<DateTime<Utc>>, Option<Block>) {
        if let Some(disabled) = &lane.disabled {
            return (None, Some(Block::DisabledBy(disabled.clone())));
        }
        if !job.enabled {
            return (None, Some(Block::Disabled));
        }
        let mut unsettled = lane.main.sessions().iter().filter(|(_, session)| session.state != State::Running);
        // A date that waits is what matters in independent order; whatever comes first does in strict order.
        let first = if is_independent(job) {
            unsettled.min_by_key(|(date, session)| (session.state != State::Waiting, **date))
        } else {
            unsettled.next()
        };
        let Some((date, session)) = first else { return (None, self.clock_ahead(lane)) };
        let block = match &session.state {
            State::Held { reason } => Some(Block::Held { date: *date, reason: reason.clone() }),
            State::Failed { retry_at } if *retry_at > self.now => Some(Block::Retry { date: *date, at: *retry_at }),
            _ => self
                .missing_need(job, *date, false)
                .or_else(|| self.missing_place(job).filter(|_| lane.running.is_empty())),
        };
        (Some(*date), block)
    }

    /// What takes the place that a job could have.
    pub(super) fn missing_place(&self, job: &Job) -> Option<Block> {
        let pool = job.pool.as_ref().filter(|pool| self.places.is_full(pool));
        pool.and_then(|pool| Some(Block::Pool { pool: pool.clone(), size: self.places.pool(pool)?.0 }))
            .or_else(|| self.places.full().map(|open| Block::Full { open }))
    }

    fn clock_ahead(&self, lane: &Lane) -> Option<Block> {
        lane.record.clock.filter(|clock| *clock > self.now).map(|clock| Block::ClockAhead { clock })
    }
}

impl Lane {
    fn to_go(&self) -> ToGo {
        let all = || self.backfills.values().flat_map(|backfill| backfill.queue.sessions());
        let those = |is_so: fn(&State) -> bool| {
            let mut dates = all().filter(|(_, session)| is_so(&session.state)).map(|(date, _)| *date);
            let first = dates.next()?;
            Some(dates.fold((1, first), |(count, first), date| (count + 1, first.min(date))))
        };
        let first = self.backfills.values().find_map(|backfill| {
            if backfill.record.newest_first { backfill.queue.newest() } else { backfill.queue.oldest() }
        });
        ToGo {
            backfills: self.backfills.len(),
            dates: self.backfilling(),
            first,
            held: those(|state| matches!(state, State::Held { .. })),
            failed: those(|state| matches!(state, State::Failed { .. })),
        }
    }
}

fn state_word(lane: &Lane, blocked_by: Option<&Block>) -> &'static str {
    if !lane.running.is_empty() {
        return "running";
    }
    match (&lane.job, blocked_by) {
        (None, _) => "ghost",
        (_, Some(Block::Disabled | Block::DisabledBy(_))) => "disabled",
        (_, Some(Block::Held { .. })) => "held",
        (_, Some(Block::Retry { .. })) => "failed",
        (_, Some(Block::Dependency { .. } | Block::ClockAhead { .. })) => "blocked",
        (_, Some(Block::Pool { .. } | Block::Full { .. }) | None) => match lane.main.sessions().values().next() {
            Some(session) if session.used > 0 => "failed",
            Some(_) => "waiting",
            None => "ok",
        },
    }
}

/// An instant as people and JSON read it: RFC 3339 with the zone's offset.
#[must_use]
pub fn in_zone(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// As [`in_zone`], for the times at which something was done: nobody reads their fractions.
fn to_the_second(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false)
}

impl Block {
    /// What is waited for, as the end of a sentence.
    #[must_use]
    pub fn describe(&self, zone: Tz) -> String {
        match self {
            Self::Dependency { job, date: Some(date) } => {
                format!("`{job}`, whose {} is not settled", in_zone(*date, zone))
            }
            Self::Dependency { job, date: None } => format!("`{job}`, which has not settled a date yet"),
            Self::Held { date, reason } => format!("a person: {} is held, since {reason}", in_zone(*date, zone)),
            Self::Retry { date, at } => {
                format!("the retry of {} at {}", in_zone(*date, zone), to_the_second(*at, zone))
            }
            Self::Disabled => "somebody to enable it in the registry".to_owned(),
            Self::DisabledBy(Disabled { at, until, user, reason, .. }) => {
                let because = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                match until {
                    Some(until) => format!(
                        "{}, until when {user} disabled it at {}{because}",
                        in_zone(*until, zone),
                        to_the_second(*at, zone)
                    ),
                    None => {
                        format!("somebody to enable it: {user} disabled it at {}{because}", to_the_second(*at, zone))
                    }
                }
            }
            Self::Pool { pool, size: 1 } => format!("the one place of the pool `{pool}`, which is taken"),
            Self::Pool { pool, size } => format!("one of the {size} places of the pool `{pool}`, which are all taken"),
            Self::Full { open } => format!("a free place: {open} attempts are open, as many as `max_running` allows"),
            Self::ClockAhead { clock } => {
                format!("the time to pass {}, its newest recorded date", in_zone(*clock, zone))
            }
        }
    }
}
