//! Which periods of a job need a date, by the README's section on edits: none has two, and none is lost.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Days;

use crate::ledger::{JobRows, Row};
use crate::registry::Job;
use crate::rules::{At, TICK, Timetable, begin};

/// What the ledger has to have of a job.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// The timetable in force.
    timetable: Timetable,
    backfill: bool,
    first: At,
    /// Every period of a later date has a row.
    complete_after: At,
    /// Later rows stand for their period.
    stands_after: At,
    /// Later rows are of different periods.
    single_after: At,
}

impl Expected {
    /// A job that enters the ledger.
    pub(crate) fn new(job: &Job, now: At) -> Self {
        let first = job.timetable.start_at().unwrap_or(now);
        let after = if job.timetable.start.is_some() { first - TICK } else { now };
        Self {
            timetable: job.timetable,
            backfill: job.backfill,
            first,
            complete_after: after,
            stands_after: after,
            single_after: after,
        }
    }

    /// Whether the edited job is in force in the ledger.
    pub(crate) fn is_in_force(&self, job: &Job, before: &JobRows, after: &JobRows) -> bool {
        let has_changed = before.timetable != after.timetable;
        (self.timetable == job.timetable || has_changed) && job.backfill == after.is_backfillable
    }

    /// The job of the registry takes effect. `watermark` is that before the edit.
    pub(crate) fn adopt(&mut self, job: &Job, watermark: Option<At>, now: At) {
        let (former, was_backfill) = (self.timetable, self.backfill);
        if (former, was_backfill) == (job.timetable, job.backfill) {
            return;
        }
        let was_due = watermark.is_some() || self.first <= now;
        if !was_due {
            *self = Self::new(job, now);
            return;
        }
        (self.timetable, self.backfill) = (job.timetable, job.backfill);
        let earlier = job.timetable.start_at().filter(|start| *start < self.first);
        if !job.backfill || !was_backfill {
            // From the edit on. What a backfillable job has of the time before may stand for a period, or not.
            (self.complete_after, self.single_after) = (now, now);
            self.stands_after = watermark.map_or(At::MIN_UTC, |watermark| watermark.min(now) - TICK);
        } else if let Some(watermark) = watermark
            && former.grain() != job.timetable.grain()
        {
            let zone = job.timetable.zone;
            let next_day = watermark.with_timezone(&former.zone).date_naive() + Days::new(1);
            let is_fine = job.timetable.grain().is_fine();
            let after = if is_fine { watermark } else { watermark.max(begin(next_day, zone) - TICK) };
            (self.complete_after, self.stands_after, self.single_after) = (after, after, after);
        } else if let Some(start) = earlier {
            if self.complete_after < self.first {
                let after = start - TICK;
                (self.complete_after, self.stands_after, self.single_after) = (after, after, after);
            }
            self.first = start;
        }
    }

    /// The due dates whose period has no row.
    pub(crate) fn lost(&self, job: &JobRows, now: At) -> Vec<String> {
        let grain = self.timetable.grain();
        let standing: BTreeSet<String> = job
            .rows
            .range(self.stands_after + TICK..)
            .filter(|(_, row)| !row.is_out())
            .map(|(date, row)| grain.period(*date, row.zone))
            .collect();
        let dates = self.timetable.dates(self.complete_after, now);
        let due = dates.into_iter().filter(|date| self.timetable.due(*date) <= now);
        let is_lost = |date: &At| {
            if self.backfill {
                !standing.contains(&grain.period(*date, self.timetable.zone))
            } else {
                !job.rows.contains_key(date)
            }
        };
        let shown = |date: At| format!("{}: {date} was due, and its period has no date", job.name);
        due.filter(is_lost).map(shown).collect()
    }

    /// The periods that have two dates. What an operator repeated does not count.
    pub(crate) fn twice(&self, job: &JobRows, is_asked: impl Fn(At) -> bool) -> Vec<String> {
        if !self.backfill {
            return Vec::new();
        }
        let grain = self.timetable.grain();
        let mut periods: BTreeMap<String, At> = BTreeMap::new();
        let mut found = Vec::new();
        let counts = |(date, row): &(&At, &Row)| {
            matches!(row.trigger.as_str(), "schedule" | "catch-up") && !row.is_out() && !is_asked(**date)
        };
        for (date, row) in job.rows.range(self.single_after + TICK..).filter(counts) {
            let period = grain.period(*date, row.zone);
            if let Some(other) = periods.insert(period.clone(), *date) {
                found.push(format!("{}: {period} has two dates: {other} and {date}", job.name));
            }
        }
        found
    }
}
