//! Enters jobs, and changes their timetables, generations and watermarks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::{Transaction, in_job};
use crate::job::JobName;
use crate::ledger::error::LedgerError;
use crate::ledger::rows::{JobRow, count, instant, micros, number, shown};
use crate::ledger::schema::{jobs, stand_ins};
use crate::session::{Entry, JobRecord, SessionKey, StrictAfter};

impl Transaction<'_> {
    pub(super) fn enter(&mut self, record: &JobRecord) -> Result<(), LedgerError> {
        let name = &record.name;
        if self.job_id(name).is_ok() {
            return Err(LedgerError::Conflict(format!("job `{name}` is to be entered, and is there already")));
        }
        let id = self.cache.jobs.values().max().map_or(1, |highest| highest + 1);
        diesel::insert_into(jobs::table)
            .values(JobRow::new(id, record))
            .execute(self.connection)
            .map_err(|error| in_job(name, error))?;
        self.cache.jobs.insert(name.clone(), id);
        Ok(())
    }

    /// Puts a timetable in force, an [`Entry::Adopt`].
    pub(super) fn adopt(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        let Entry::Adopt {
            job,
            generation,
            timetable,
            first_date,
            timetable_from,
            complete_after,
            has_excluded,
            stand_ins,
        } = entry
        else {
            return Ok(());
        };
        let (id, generation) = (self.job_id(job)?, *generation);
        let changed = diesel::update(jobs::table.find(id).filter(jobs::generation.eq(number(generation))))
            .set((
                jobs::timetable.eq(timetable),
                jobs::first_date.eq(micros(*first_date)),
                jobs::timetable_from.eq(micros(*timetable_from)),
                jobs::complete_after.eq(complete_after.map(micros)),
                jobs::has_excluded.eq(has_excluded),
            ))
            .execute(self.connection)
            .map_err(|error| in_job(job, error))?;
        self.one_job(changed, job, generation)?;
        self.set_stand_ins(id, generation, stand_ins).map_err(|error| in_job(job, error))
    }

    /// Replaces the stand-ins of the dates after the watermark; those of recorded dates stay.
    fn set_stand_ins(
        &mut self,
        id: i32,
        generation: u32,
        stand_ins: &BTreeMap<DateTime<Utc>, DateTime<Utc>>,
    ) -> QueryResult<()> {
        let watermark = jobs::table.find(id).select(jobs::watermark).first::<Option<i64>>(self.connection)?;
        let of_job = stand_ins::job_id.eq(id).and(stand_ins::generation.eq(number(generation)));
        let later = stand_ins::date.gt(watermark.unwrap_or(i64::MIN));
        diesel::delete(stand_ins::table.filter(of_job.and(later))).execute(self.connection)?;
        for (date, by) in stand_ins {
            diesel::insert_into(stand_ins::table)
                .values((
                    stand_ins::job_id.eq(id),
                    stand_ins::generation.eq(number(generation)),
                    stand_ins::date.eq(micros(*date)),
                    stand_ins::by_date.eq(micros(*by)),
                ))
                .execute(self.connection)?;
        }
        Ok(())
    }

    /// Notes whether the registry has a job, and what it runs.
    pub(super) fn registered(&mut self, job: &JobName, action: Option<&str>) -> Result<(), LedgerError> {
        let id = self.job_id(job)?;
        let in_registry = jobs::in_registry.eq(action.is_some());
        let row = jobs::table.find(id);
        match action {
            Some(action) => diesel::update(row).set((in_registry, jobs::action.eq(action))).execute(self.connection),
            None => diesel::update(row).set(in_registry).execute(self.connection),
        }
        .map_err(|error| in_job(job, error))?;
        Ok(())
    }

    pub(super) fn order(
        &mut self,
        job: &JobName,
        generation: u32,
        strict_after: Option<StrictAfter>,
    ) -> Result<(), LedgerError> {
        let id = self.job_id(job)?;
        let changed = diesel::update(jobs::table.find(id).filter(jobs::generation.eq(number(generation))))
            .set((
                jobs::strict_after_generation.eq(strict_after.map(|after| number(after.generation))),
                jobs::strict_after.eq(strict_after.map(|after| micros(after.date))),
            ))
            .execute(self.connection)
            .map_err(|error| in_job(job, error))?;
        self.one_job(changed, job, generation)
    }

    pub(super) fn reset(&mut self, record: &JobRecord) -> Result<(), LedgerError> {
        let name = &record.name;
        let id = self.job_id(name)?;
        let before = record.generation.saturating_sub(1);
        let changed = diesel::update(jobs::table.find(id).filter(jobs::generation.eq(number(before))))
            .set(JobRow::new(id, record))
            .execute(self.connection)
            .map_err(|error| in_job(name, error))?;
        self.one_job(changed, name, before)
    }

    /// Sets the watermark if it is what is expected: P5's compare and set.
    pub(super) fn move_watermark(
        &mut self,
        job: &JobName,
        generation: u32,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
    ) -> Result<(), LedgerError> {
        if to < from {
            return Err(LedgerError::Conflict(format!(
                "the watermark of job `{job}` was to go back, which it never does"
            )));
        }
        let id = self.job_id(job)?;
        // No instant is the smallest number, which stands for an unset watermark.
        let changed = self.execute(
            format_args!("job `{job}`"),
            || "UPDATE jobs SET watermark = ? WHERE id = ? AND generation = ? AND coalesce(watermark, ?) = ?",
            &[
                to.map(micros).into(),
                id.into(),
                generation.into(),
                i64::MIN.into(),
                from.map_or(i64::MIN, micros).into(),
            ],
        )?;
        if changed == 1 {
            return Ok(());
        }
        let found = jobs::table
            .find(id)
            .select((jobs::generation, jobs::watermark))
            .first::<(i32, Option<i64>)>(self.connection)
            .optional()?;
        let text = |watermark: Option<DateTime<Utc>>| watermark.map_or_else(|| "unset".to_owned(), shown);
        let found = match found {
            Some((found, at)) => {
                let at = at.map(instant).transpose().ok().flatten();
                format!("is in generation {} with its watermark at {}", count(found), text(at))
            }
            None => "is gone".to_owned(),
        };
        Err(LedgerError::Conflict(format!(
            "job `{job}` {found}; expected was generation {generation} with its watermark at {}",
            text(from)
        )))
    }

    /// Sets the last success of the job, unless a newer date of the generation in force has succeeded.
    pub(super) fn succeeded(&mut self, id: i32, session: &SessionKey) -> Result<(), LedgerError> {
        let date = micros(session.date);
        self.execute(
            format_args!("job `{}`", session.job),
            || {
                "UPDATE jobs SET last_success = ? \
                 WHERE id = ? AND generation = ? AND (last_success IS NULL OR last_success < ?)"
            },
            &[date.into(), id.into(), session.generation.into(), date.into()],
        )?;
        Ok(())
    }

    /// Fails if not exactly one job was changed.
    fn one_job(&mut self, changed: usize, job: &JobName, generation: u32) -> Result<(), LedgerError> {
        if changed == 1 {
            return Ok(());
        }
        let id = self.job_id(job)?;
        let found = jobs::table.find(id).select(jobs::generation).first::<i32>(self.connection).optional()?;
        let found = found.map_or_else(|| "is gone".to_owned(), |found| format!("is in generation {}", count(found)));
        Err(LedgerError::Conflict(format!("job `{job}` {found}; expected was generation {generation}")))
    }
}
