//! `backfill`: past dates that run beside the schedule.
//!
//! The dates enter in parts, so that a large backfill does not delay due dates. After a crash in between, the
//! unanswered request comes again and continues.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::job::{Job, JobName};
use crate::session::{
    BackfillId, BackfillOrder, BackfillRecord, Changed, Entry, NewSession, Only, Request, State, StateKind, TICK,
    Trigger,
};
use crate::text::in_zone;

use super::{Answer, MAX_DATES, are, describe_dates, done, unless_done};
use crate::scheduler::Scheduler;
use crate::scheduler::job_state::{Entering, JobState, Settled, Wanted};
use crate::scheduler::step::Step;
use crate::text::counted;

/// How many dates enter, or leave, in one step.
pub(super) const DATES_PER_STEP: usize = 2_000;

/// The settled dates in the requested range.
#[derive(Debug)]
struct SettledInRange {
    known: HashMap<DateTime<Utc>, Settled>,
    /// Dates that succeeded in an earlier generation.
    earlier: HashSet<DateTime<Utc>>,
}

/// The dates that a request selects.
#[derive(Debug, Default)]
struct SelectedDates {
    wanted: Vec<Wanted>,
    changed: Changed,
    repeated: u64,
    retried: Vec<DateTime<Utc>>,
    queued: u64,
    left_out: u64,
}

impl Scheduler {
    pub(super) fn backfill(
        &mut self,
        name: &JobName,
        request: &Request,
        order: &BackfillOrder,
        step: &mut Step,
    ) -> Answer {
        let now = self.now;
        let settled = settled_in_range(request);
        let (job, job_state) = self.registered(name)?;
        job_state.refuse_backfill(&job, request, order)?;
        let dates = job_state.dates_of_order(&job, order, now)?;
        let selection = job_state.select(&dates, order.only, &settled, request.id);
        let shown = |date: DateTime<Utc>| job_state.shown(date, settled.known.get(&date).copied());
        let mut text = selection.describe(&job, order, &dates, shown);
        if let Some(missed) = job_state.missed_in_order(&job, order, &dates, now) {
            text.push_str(&format!("; {missed}"));
        }
        if selection.changed.count > 0 {
            text.push_str(&job_state.while_disabled(&job));
        }
        let text = text + &self.missing_upstream(&job, &selection.wanted);
        let (_, job_state) = self.registered(name)?;
        let reply = done(text, selection.changed);
        if selection.wanted.is_empty() && selection.retried.is_empty() {
            return Ok(Some(reply));
        }
        for date in &selection.retried {
            if let Some(state) = job_state.rows().get(*date).map(|session| session.state.clone()) {
                _ = job_state.retry_unsettled(*date, &state, step);
            }
        }
        let BackfillOrder { name: key, newest_first, parallel, .. } = order.clone();
        let record = BackfillRecord { name: key, newest_first, parallel, ..job_state.new_backfill(request.id, step) };
        let is_entered = request.past.namesake.is_some() || request.past.is_entered;
        if selection.wanted.is_empty() {
            if record.name.is_some() && !is_entered {
                // The dates stay in the schedule's queue, but the name is used.
                job_state.write(Entry::Backfill(record), step);
                job_state.forget_backfill(request.id);
            }
            return Ok(Some(reply));
        }
        if !job_state.rows().backfills.contains_key(&request.id) {
            if is_entered {
                job_state.resume_backfill(record.clone());
            } else {
                job_state.write(Entry::Backfill(record.clone()), step);
            }
        }
        let (first_date, rest) = (job_state.rows().record.first_date, selection.wanted.into());
        let is_short = selection.changed.count <= DATES_PER_STEP as u64;
        job_state.entering.push_back(Entering { request: request.clone(), record, rest, first_date, reply });
        self.pending.insert(request.id);
        if is_short {
            self.enter_more(name, step);
        }
        Ok(None)
    }

    /// Enters the next part of a job's backfill, and answers after the last one.
    pub(in crate::scheduler) fn enter_more(&mut self, name: &JobName, step: &mut Step) {
        let Some(job_state) = self.jobs.get_mut(name) else { return };
        let Some(mut entering) = job_state.entering.pop_front() else { return };
        job_state.enter_part(&mut entering, step);
        self.reconsider_dependents(name, step);
        let Some(job_state) = self.jobs.get_mut(name) else { return };
        if entering.rest.is_empty() {
            let Entering { request, reply, .. } = entering;
            self.reply(&request, reply, step);
            self.adopt_successors(name, step);
        } else {
            job_state.entering.push_front(entering);
        }
    }
}

/// The settled dates in the range of a request.
fn settled_in_range(request: &Request) -> SettledInRange {
    let past = &request.past;
    let known = past.settled.iter().map(|row| {
        // A date that this request entered before a crash has settled since.
        let is_entered = row.backfill == Some(request.id);
        let settled = Settled::new(row);
        let state = if is_entered { StateKind::Running } else { settled.state };
        (settled.date, Settled { state, ..settled })
    });
    SettledInRange { known: known.collect(), earlier: past.earlier.iter().copied().collect() }
}

impl JobState {
    /// When the next part can enter.
    pub(in crate::scheduler) fn entering_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        (!self.entering.is_empty()).then_some(now)
    }

    fn refuse_backfill(&self, job: &Job, request: &Request, order: &BackfillOrder) -> Result<(), String> {
        let name = &job.name;
        if self.is_strict() && order.parallel > 1 {
            return Err(format!(
                "the dates of `{name}` run in strict order, one at a time; `--parallel` needs `order = \"independent\"`"
            ));
        }
        if request.past.settled.len() > MAX_DATES {
            return Err(format!("these are more than {MAX_DATES} dates of `{name}`: order them in parts"));
        }
        let Some(key) = &order.name else { return Ok(()) };
        let is_other = |id: BackfillId| id != request.id;
        let here = self
            .rows()
            .backfills
            .values()
            .any(|known| known.record.name.as_ref() == Some(key) && is_other(known.record.id));
        if here || request.past.namesake.is_some_and(is_other) {
            return Err(format!("there is a backfill of `{name}` called `{key}` already: nothing was changed"));
        }
        Ok(())
    }

    /// The past dates of the schedule in the requested range, also before the job's start.
    fn dates_of_order(
        &self,
        job: &Job,
        order: &BackfillOrder,
        now: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, String> {
        let (name, zone) = (&job.name, job.timetable.zone());
        let next = self.next.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let limit = next.min(now + TICK);
        let to = order.to.map_or(limit, |to| to.min(limit));
        let unbounded = job.timetable.without_start();
        let dates = unbounded.dates(order.from, to.max(order.from)).map_while(Result::ok);
        let dates: Vec<DateTime<Utc>> = dates.take(MAX_DATES + 1).collect();
        if let Some(missed) = self.missed_in_order(job, order, &dates, now).filter(|_| dates.is_empty()) {
            return Err(missed);
        }
        if order.from >= limit {
            return Err(format!(
                "{} is not before the next date of `{name}`{}: there is nothing to backfill from there on",
                in_zone(order.from, zone),
                self.next.map(|next| format!(", {}", in_zone(next, zone))).unwrap_or_default()
            ));
        }
        if dates.len() > MAX_DATES {
            return Err(format!("these are more than {MAX_DATES} dates of `{name}`: order them in parts"));
        }
        let found = dates.len() as u64;
        match order.count {
            Some(count) if found < count => {
                let there = if found == 1 {
                    "there is only 1 date".to_owned()
                } else {
                    format!("there are only {found} dates")
                };
                let from = in_zone(order.from, zone);
                let before = self.missed_in_order(job, order, &dates, now);
                let before =
                    before.map_or_else(|| " and before its next date".to_owned(), |missed| format!("; {missed}"));
                Err(format!("`--count {count}`, but {there} of `{name}` from {from} on{before}"))
            }
            _ => Ok(dates),
        }
    }

    /// Says which dates of the requested range are left to `enable`. Only a disabled job has dates that have come due and are
    /// not recorded.
    fn missed_in_order(
        &self,
        job: &Job,
        order: &BackfillOrder,
        dates: &[DateTime<Utc>],
        now: DateTime<Utc>,
    ) -> Option<String> {
        let missed = self.next.filter(|next| job.timetable.due(*next) <= now && !self.is_active())?;
        let is_met = order.count.is_some_and(|count| dates.len() as u64 >= count);
        if is_met || order.to.is_some_and(|to| to <= missed) {
            return None;
        }
        let then = if job.enabled {
            "`crontabber enable` decides about them"
        } else {
            "they run after `enabled = true` in the registry"
        };
        Some(format!(
            "`{}` is disabled, and has not recorded its dates from {} on: they belong to its schedule, and are not \
             ordered; {then}",
            job.name,
            in_zone(missed, job.timetable.zone())
        ))
    }

    fn select(&self, dates: &[DateTime<Utc>], only: Only, settled: &SettledInRange, id: BackfillId) -> SelectedDates {
        let mut selection = SelectedDates::default();
        for date in dates.iter().copied() {
            if let Some(session) = self.rows().get(date) {
                let is_failed = matches!(session.state, State::Failed { .. } | State::Held { .. });
                if self.rows().backfill_of(date) == Some(id) {
                    selection.changed.add(date);
                } else if is_failed && only != Only::Missing && !self.probing.contains(&date) {
                    selection.retried.push(date);
                    selection.changed.add(date);
                } else {
                    selection.queued += 1;
                }
                continue;
            }
            let row = settled.known.get(&date).copied();
            let wanted = match row.map(|row| (row.state, Wanted::Again(row), row.attempts)) {
                None if settled.earlier.contains(&date) => {
                    selection.repeated += u64::from(only == Only::All);
                    (only == Only::All).then_some(Wanted::New(date))
                }
                None => (only != Only::Failed).then_some(Wanted::New(date)),
                Some((StateKind::Succeeded, again, _)) if only == Only::All => {
                    selection.repeated += 1;
                    Some(again)
                }
                Some((StateKind::Skipped, again, attempts)) => {
                    let is_wanted = match only {
                        Only::Missing => attempts == 0,
                        Only::Failed => attempts > 0,
                        Only::All => true,
                    };
                    is_wanted.then_some(again)
                }
                // This request has entered it before.
                Some((StateKind::Running, ..)) => {
                    selection.changed.add(date);
                    continue;
                }
                Some(_) => None,
            };
            match wanted {
                Some(wanted) => {
                    selection.wanted.push(wanted);
                    selection.changed.add(date);
                }
                None => selection.left_out += 1,
            }
        }
        selection
    }

    fn enter_part(&mut self, entering: &mut Entering, step: &mut Step) {
        let id = entering.record.id;
        let mut new = Vec::new();
        let part = entering.rest.len().min(DATES_PER_STEP);
        for wanted in entering.rest.drain(..part) {
            let date = wanted.date();
            // The job's start may have been moved back meanwhile, over dates that were to enter here.
            let is_of_schedule = date >= self.rows().record.first_date && date < entering.first_date;
            if self.rows().get(date).is_some() {
                continue;
            }
            match wanted {
                Wanted::New(_) if is_of_schedule || self.rows().is_settled_outside_range(date) => {}
                Wanted::New(date) => {
                    let (state, trigger) = (State::Waiting, Trigger::Backfill);
                    new.push(NewSession { date, state, trigger, backfill: Some(id) });
                }
                Wanted::Again(settled) => self.reopen(settled, Trigger::Backfill, id, step),
            }
        }
        if !new.is_empty() {
            self.write_sessions(self.rows().record.watermark, new, step);
        }
    }
}

impl SelectedDates {
    /// Describes the backfill for the answer.
    fn describe(
        &self,
        job: &Job,
        order: &BackfillOrder,
        dates: &[DateTime<Utc>],
        shown: impl Fn(DateTime<Utc>) -> String,
    ) -> String {
        let (name, unless) = (&job.name, unless_done(job));
        let called = order.name.as_ref().map(|key| format!(" `{key}`")).unwrap_or_default();
        let why_not = match order.only {
            Only::Missing => "settled by attempts, or not settled yet",
            Only::Failed => "succeeded, never attempted, or wait",
            Only::All => "not settled yet",
        };
        if self.changed.count == 0 {
            return match dates.len() {
                0 => format!("`{name}` has no date in that range: there is nothing to backfill"),
                count => format!(
                    "nothing to backfill of `{name}`: {} in that range, {why_not}",
                    counted(count as u64, "date")
                ),
            };
        }
        let shown = describe_dates(&self.changed, shown);
        let left = match self.left_out + self.queued {
            0 => String::new(),
            left => format!("; {} left out: {why_not}", are(left)),
        };
        if self.wanted.is_empty() && !self.retried.is_empty() {
            return format!(
                "backfill{called} of `{name}`: {shown}, which failed, run again now, in the order of the schedule{unless}{left}"
            );
        }
        let direction = if order.newest_first { "newest first" } else { "oldest first" };
        let at_once = match order.parallel {
            1 => "one at a time".to_owned(),
            many => format!("{many} at once"),
        };
        let mut text =
            format!("backfill{called} of `{name}`: {shown}, {direction}, {at_once}, outside its schedule{unless}");
        if self.repeated > 0 {
            text.push_str(&format!("; {} repeated that succeeded before", are(self.repeated)));
        }
        if !self.retried.is_empty() {
            let retried = are(self.retried.len() as u64);
            text.push_str(&format!("; {retried} in the order of the schedule, and retried there"));
        }
        text + &left
    }
}
