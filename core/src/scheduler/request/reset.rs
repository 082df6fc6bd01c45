//! `reset`: a new generation of a job.

use chrono::{DateTime, Utc};

use crate::job::JobName;
use crate::schedule::Timetable;
use crate::session::{Changed, Entry, Reply, Request, TICK};
use crate::text::in_zone;

use super::{Answer, done};
use crate::scheduler::Scheduler;
use crate::scheduler::job_state::JobState;
use crate::scheduler::registry_update::first_record;
use crate::scheduler::step::Step;

impl Scheduler {
    /// Starts a new generation of a job, and answers which dates run again.
    pub(super) fn reset(
        &mut self,
        name: &JobName,
        request: &Request,
        to: Option<DateTime<Utc>>,
        step: &mut Step,
    ) -> Answer {
        let now = self.now;
        let job_state = self.jobs.get_mut(name).ok_or_else(|| format!("job `{name}` has no ledger to reset"))?;
        let timetable = match &job_state.job {
            Some(job) => job.timetable.clone(),
            None => job_state.rows().record.timetable.parse::<Timetable>().map_err(|error| error.to_string())?,
        };
        let zone = timetable.zone();
        if let Some(to) = to.filter(|to| *to > now) {
            return Err(format!("{} is in the future: there is nothing to repeat from there on", in_zone(to, zone)));
        }
        let to = to.map(|to| timetable.start.map_or(to, |start| start.max(to)));
        if let Some(to) = to {
            job_state.refuse_to_forget(&timetable, to, now)?;
        }
        job_state.begin_generation(&timetable, to, request.past.last_success, step);
        self.reconsider(name, step);
        let Some(job_state) = self.jobs.get(name) else { return Err(format!("job `{name}` is gone")) };
        Ok(Some(job_state.describe_reset(&timetable, to, now)))
    }
}

impl JobState {
    /// Begins a generation that covers the dates from `to` on. `success` is the newest date before it that succeeded.
    fn begin_generation(
        &mut self,
        timetable: &Timetable,
        to: Option<DateTime<Utc>>,
        success: Option<DateTime<Utc>>,
        step: &mut Step,
    ) {
        let before = &self.rows().record;
        let mut record =
            first_record(&before.name, before.stable_name.clone(), timetable, before.generation + 1, step.now);
        record.strict_after = before.strict_after;
        (record.action, record.in_registry) = (before.action.clone(), before.in_registry);
        record.has_replaced = before.has_replaced;
        let is_backfillable = before.complete_after.is_some();
        if let Some(to) = to {
            (record.first_date, record.timetable_from) = (to, to - TICK);
            record.last_success = before.last_success.filter(|success| *success < to).max(success);
        }
        record.complete_after = is_backfillable.then_some(record.timetable_from);
        self.write(Entry::Reset(record), step);
        self.recordings = None;
        self.probing.clear();
        self.unrecorded = 0;
        self.seek_next(timetable, step);
    }

    fn describe_reset(&self, timetable: &Timetable, to: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Reply {
        let (name, zone) = (&self.rows().record.name, timetable.zone());
        let is_disabled = self.rows().disabled.is_some();
        let behind = if is_disabled { self.missed(now).0 } else { self.behind(now) };
        let first = self.first_unsettled();
        let mut text = match first {
            Some(date) if timetable.due(date) <= now && behind > 0 => {
                let when = if is_disabled { ", once it is enabled" } else { "" };
                let from = in_zone(date, zone);
                let dates = match behind {
                    1 => format!("{from} is attempted again"),
                    _ => format!("{behind} dates from {from} on are attempted again"),
                };
                format!("job `{name}` is reset: {dates}{when}")
            }
            Some(date) => format!("job `{name}` is reset: its first date is {}", in_zone(date, zone)),
            None => format!("job `{name}` is reset: it has no date ahead"),
        };
        if let Some(to) = to {
            let to = in_zone(to, zone);
            text.push_str(&format!("; dates settled before {to} stay settled (`--all-generations` shows them)"));
        }
        if !self.rows().open.is_empty() {
            text.push_str("; the open attempt ends first");
        }
        let first = first.filter(|_| behind > 0);
        let last = timetable.newest_due(now).filter(|_| behind > 0);
        done(text, Changed { count: behind, first, last })
    }

    /// Refuses a reset to an instant if dates before it are unsettled: they would be in no generation.
    fn refuse_to_forget(&self, timetable: &Timetable, to: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), String> {
        let is_due = |date: &DateTime<Utc>| timetable.due(*date) <= now;
        let of_schedule = [self.rows().main.oldest(), self.next.filter(is_due)].into_iter().flatten();
        let of_backfills = self.rows().backfills.values().filter_map(|backfill| backfill.queue.oldest());
        let first = of_schedule.filter(|_| self.keeps_every_date()).chain(of_backfills).min();
        let Some(first) = first.filter(|first| *first < to) else { return Ok(()) };
        let (name, zone) = (&self.rows().record.name, timetable.zone());
        let (first, to) = (in_zone(first, zone), in_zone(to, zone));
        Err(format!(
            "{first} of `{name}` is before {to} and unsettled, and would be lost: settle the dates before {to} first \
             (`crontabber skip`, `done`), or reset to an earlier date"
        ))
    }
}
