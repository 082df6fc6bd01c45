//! What an operator asks for: attempt a job now, or forget that it ever ran.

use chrono::{DateTime, TimeDelta, Utc};

use crate::job::{Job, JobName, Order};
use crate::schedule::Timetable;
use crate::session::{Entry, NewSession, Operation, Request, State, Trigger};

use super::adopt::first_record;
use super::lane::{Lane, Session};
use super::view::in_zone;
use super::{Block, Note, Scheduler, Step};

impl Scheduler {
    pub(super) fn answer(&mut self, request: &Request, step: &mut Step) {
        let (name, at) = (request.job.clone(), self.now);
        let result = match request.operation {
            Operation::Run { date, force } => self.run(&name, date, force, step),
            Operation::Reset => self.reset(&name, step),
        };
        let done = result.is_ok();
        let text = result.unwrap_or_else(|refusal| refusal);
        step.entries.push(Entry::Answer { request: request.id, done, text: text.clone(), at });
        let (operation, user) = (request.operation.word(), request.user.clone());
        step.notes.push(Note::Answered { job: name, operation, user, done, text });
    }

    /// Attempts a date now: answers with what was started, or why nothing was.
    fn run(
        &mut self,
        name: &JobName,
        date: Option<DateTime<Utc>>,
        force: bool,
        step: &mut Step,
    ) -> Result<String, String> {
        let now = self.now;
        if self.stopping {
            return Err("the daemon is stopping".to_owned());
        }
        // What has come due in this instant is recorded before anything is chosen.
        self.reconsider(name, step);
        let lane = self.lanes.get_mut(name).ok_or_else(|| format!("job `{name}` is not known"))?;
        let job = lane.job.clone().ok_or_else(|| format!("job `{name}` is not in the registry"))?;
        if !job.enabled && !force {
            return Err(format!("job `{name}` is disabled in the registry; `--force` attempts it all the same"));
        }
        if let Some(open) = lane.running.first() {
            let date = in_zone(open.session.date, job.timetable.zone());
            return Err(format!("job `{name}` is running: attempt {} at {date} is open", open.number));
        }
        let date = lane.choose(&job, date, force, now)?;
        if !force && let Some(block) = self.missing_dependency(&job, date) {
            let because = block.describe(job.timetable.zone());
            return Err(format!("job `{name}` waits for {because}; `--force` attempts it all the same"));
        }
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.ensure_recorded(&job, date, now, step);
        }
        // Whatever place it had among the ready jobs, it is taken now.
        self.reconsider(name, step);
        if let Some(turn) = self.lanes.get_mut(name).and_then(|lane| lane.turn.take()) {
            self.turns.remove(&(turn.0, turn.1, name.clone()));
        }
        let opened = self.open(name, date, Trigger::Manual, step);
        self.reconsider(name, step);
        let attempt = opened.ok_or_else(|| format!("job `{name}` has no date to attempt"))?;
        Ok(format!("attempt {} of `{name}` at {} started", attempt.number, in_zone(date, job.timetable.zone())))
    }

    /// Starts a new generation of a job: answers with which dates that repeats.
    fn reset(&mut self, name: &JobName, step: &mut Step) -> Result<String, String> {
        let now = self.now;
        let lane = self.lanes.get_mut(name).ok_or_else(|| format!("job `{name}` has no ledger to reset"))?;
        let timetable = match &lane.job {
            Some(job) => job.timetable.clone(),
            None => lane.record.timetable.parse::<Timetable>().map_err(|error| error.to_string())?,
        };
        let record = first_record(name, &timetable, lane.record.generation + 1, now);
        let mut fresh = Lane::new(record.clone());
        fresh.job.clone_from(&lane.job);
        fresh.set_delay(TimeDelta::from_std(timetable.delay()).unwrap_or(TimeDelta::MAX));
        fresh.running = std::mem::take(&mut lane.running);
        fresh.turn = lane.turn;
        fresh.timer = lane.timer;
        fresh.seek_next(&timetable, step);
        let next = fresh.next;
        let still_open = fresh.running.len();
        *lane = fresh;
        step.entries.push(Entry::Reset(record));
        self.reconsider(name, step);
        self.reconsider_dependents(name, step);
        let zone = timetable.zone();
        let behind = self.lanes.get(name).map_or(0, Lane::behind);
        let mut text = match next {
            Some(date) if timetable.due(date) <= now && behind > 1 => {
                format!("job `{name}` is reset: {behind} dates from {} on are attempted again", in_zone(date, zone))
            }
            Some(date) => format!("job `{name}` is reset: its first date is {}", in_zone(date, zone)),
            None => format!("job `{name}` is reset: it has no date ahead"),
        };
        if still_open > 0 {
            text.push_str("; the attempt that is open is left to end first");
        }
        Ok(text)
    }
}

impl Lane {
    /// The date that an operator's run is about.
    fn choose(
        &self,
        job: &Job,
        asked: Option<DateTime<Utc>>,
        force: bool,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, String> {
        let (name, timetable) = (&job.name, &job.timetable);
        let zone = timetable.zone();
        let unsettled = if job.backfill { self.sessions.keys().next() } else { self.sessions.keys().last() }.copied();
        let Some(date) = asked else {
            return match (unsettled, self.next) {
                (Some(date), _) => Ok(date),
                // A job of which only the newest date matters may be attempted at any time: its date is now.
                (None, _) if !job.backfill => self.manual_date(name, zone, now),
                (None, Some(next)) if timetable.due(next) <= now || (force && next <= now) => Ok(next),
                (None, Some(next)) => {
                    let shown = in_zone(next, zone);
                    let how = if next <= now { "; `--force` attempts it before it is due" } else { "" };
                    Err(format!("every date of `{name}` that is due is settled; the next is {shown}{how}"))
                }
                (None, None) => Err(format!("job `{name}` has no date ahead")),
            };
        };
        let shown = in_zone(asked.unwrap_or(date), zone);
        if self.sessions.contains_key(&date) {
            let strict = job.backfill && job.order == Order::Strict;
            return match unsettled.filter(|first| strict && *first != date) {
                Some(first) => Err(format!(
                    "{shown} is not the next date of `{name}`: {} comes first, since its dates run in strict order",
                    in_zone(first, zone)
                )),
                None => Ok(date),
            };
        }
        if !timetable.includes(date) {
            let before = timetable.previous_before(date).map(|date| in_zone(date, zone));
            let after = timetable.next_after(date).ok().flatten().map(|date| in_zone(date, zone));
            let near: Vec<String> = [before, after].into_iter().flatten().collect();
            return Err(format!("{shown} is not a date of `{name}`; the nearest are {}", near.join(" and ")));
        }
        if Some(date) == self.next && (unsettled.is_none() || !job.backfill) {
            // A date that has not come is nobody's to give: the clock would be ahead of the time.
            return if date > now {
                Err(format!("{shown} of `{name}` is in the future"))
            } else if force || timetable.due(date) <= now {
                Ok(date)
            } else {
                Err(format!("{shown} of `{name}` is not due yet; `--force` attempts it all the same"))
            };
        }
        if self.record.clock.is_some_and(|clock| date <= clock) && date >= self.record.since {
            return Err(format!("{shown} of `{name}` is settled; a date is not given to its job twice"));
        }
        if date < self.record.since {
            return Err(format!("{shown} is before the first date of `{name}`"));
        }
        let first = unsettled.or(self.next).map_or_else(|| "none".to_owned(), |first| in_zone(first, zone));
        Err(format!("{shown} is not the next date of `{name}`: that is {first}"))
    }

    /// The date of an attempt that is about no date of the schedule.
    fn manual_date(&self, name: &JobName, zone: chrono_tz::Tz, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
        match self.record.clock.filter(|clock| *clock >= now) {
            Some(clock) => Err(format!(
                "the newest recorded date of `{name}`, {}, is in the future; name one of its dates with `--date`",
                in_zone(clock, zone)
            )),
            // Two at one instant have two dates.
            None => Ok(self.newest_manual.map_or(now, |newest| now.max(newest + super::adopt::TICK))),
        }
    }

    /// Sees to it that the date has a session.
    fn ensure_recorded(&mut self, job: &Job, date: DateTime<Utc>, now: DateTime<Utc>, step: &mut Step) {
        if self.sessions.contains_key(&date) {
            return;
        }
        if Some(date) == self.next {
            self.next = self.date_after(&job.timetable, date, step);
            self.record(job, &job.timetable, vec![date], now, step);
            return;
        }
        let trigger = Trigger::Manual;
        self.newest_manual = Some(date);
        self.put(date, Session::waiting(trigger));
        step.entries.push(self.entry(
            self.record.clock,
            vec![NewSession { date, state: State::Waiting, trigger }],
            now,
        ));
    }
}

impl Block {
    /// What is waited for, as the end of a sentence.
    #[must_use]
    pub fn describe(&self, zone: chrono_tz::Tz) -> String {
        match self {
            Self::Dependency { job, date: Some(date) } => {
                format!("`{job}`, whose {} is not settled", in_zone(*date, zone))
            }
            Self::Dependency { job, date: None } => format!("`{job}`, which has not settled a date yet"),
            Self::Held { date, reason } => format!("a person: {} is held, since {reason}", in_zone(*date, zone)),
            Self::Retry { date, at } => {
                format!("the retry of {} at {}", in_zone(*date, zone), in_zone(*at, zone))
            }
            Self::Disabled => "somebody to enable it in the registry".to_owned(),
            Self::ClockAhead { clock } => {
                format!("the time to pass {}, its newest recorded date", in_zone(*clock, zone))
            }
        }
    }
}
