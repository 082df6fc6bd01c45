//! Applies operators' changes of jobs: backfills, disabled jobs, new names, and answers.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::{Transaction, in_job, in_place};
use crate::job::JobName;
use crate::ledger::error::LedgerError;
use crate::ledger::rows::{SessionRow, clean, micros, number};
use crate::ledger::schema::{attempts, audit, backfills, disabled, jobs, pauses, sessions, stand_ins, unanswered};
use crate::session::{BackfillId, BackfillRecord, Disabled, Pause, PauseScope, REPLACED, Reply};

impl Transaction<'_> {
    pub(super) fn backfill(&mut self, record: &BackfillRecord) -> Result<(), LedgerError> {
        let id = self.job_id(&record.job)?;
        diesel::insert_into(backfills::table)
            .values((
                backfills::id.eq(record.id),
                backfills::job_id.eq(id),
                backfills::generation.eq(number(record.generation)),
                backfills::name.eq(record.name.as_deref().map(clean)),
                backfills::newest_first.eq(record.newest_first),
                backfills::parallel.eq(number(record.parallel)),
                backfills::entered_at.eq(micros(record.entered_at)),
            ))
            .execute(self.connection)
            .map_err(|error| in_job(&record.job, error))?;
        Ok(())
    }

    pub(super) fn cancel_backfill(
        &mut self,
        job: &JobName,
        backfill: BackfillId,
        request: i64,
    ) -> Result<(), LedgerError> {
        let id = self.job_id(job)?;
        let sql = || "UPDATE backfills SET cancelled_by = ? WHERE id = ? AND job_id = ? AND cancelled_by IS NULL";
        match self.execute(format_args!("job `{job}`"), sql, &[request.into(), backfill.into(), id.into()])? {
            1 => Ok(()),
            _ => Err(LedgerError::Conflict(format!(
                "backfill {backfill} of job `{job}` is not there, or was cancelled already"
            ))),
        }
    }

    pub(super) fn disable(&mut self, by: &Disabled) -> Result<(), LedgerError> {
        let id = self.job_id(&by.job)?;
        diesel::delete(disabled::table.find(id)).execute(self.connection)?;
        diesel::insert_into(disabled::table)
            .values((
                disabled::job_id.eq(id),
                disabled::at.eq(micros(by.at)),
                disabled::until.eq(by.until.map(micros)),
                disabled::user_name.eq(clean(&by.user)),
                disabled::reason.eq(by.reason.as_deref().map(clean)),
            ))
            .execute(self.connection)
            .map_err(|error| in_job(&by.job, error))?;
        Ok(())
    }

    pub(super) fn enable(&mut self, job: &JobName) -> Result<(), LedgerError> {
        let id = self.job_id(job)?;
        let sql = || "DELETE FROM disabled WHERE job_id = ?";
        match self.execute(format_args!("job `{job}`"), sql, &[id.into()])? {
            1 => Ok(()),
            _ => Err(LedgerError::Conflict(format!("job `{job}` is not disabled"))),
        }
    }

    pub(super) fn pause(&mut self, pause: &Pause) -> Result<(), LedgerError> {
        let tag = pause.scope.tag().unwrap_or_default();
        diesel::delete(pauses::table.find(tag)).execute(self.connection)?;
        diesel::insert_into(pauses::table)
            .values((
                pauses::tag.eq(tag),
                pauses::at.eq(micros(pause.at)),
                pauses::until.eq(pause.until.map(micros)),
                pauses::user_name.eq(clean(&pause.user)),
                pauses::reason.eq(pause.reason.as_deref().map(clean)),
            ))
            .execute(self.connection)
            .map_err(|error| in_place(&pause.scope, error))?;
        Ok(())
    }

    pub(super) fn resume(&mut self, scope: &PauseScope) -> Result<(), LedgerError> {
        match diesel::delete(pauses::table.find(scope.tag().unwrap_or_default())).execute(self.connection)? {
            1 => Ok(()),
            _ => Err(LedgerError::Conflict(format!("{scope} are not paused"))),
        }
    }

    pub(super) fn rename(&mut self, from: &JobName, to: &JobName) -> Result<(), LedgerError> {
        let id = self.job_id(from)?;
        if self.job_id(to).is_ok() {
            return Err(LedgerError::Conflict(format!("job `{from}` is to be called `{to}`, which is another job")));
        }
        let (old, new) = (from.as_str(), to.as_str());
        let about = format_args!("job `{from}`");
        let sql = || "UPDATE jobs SET name = ? WHERE id = ? AND name = ?";
        if self.execute(about, sql, &[new.into(), id.into(), old.into()])? != 1 {
            return Err(LedgerError::Conflict(format!("job `{from}` is gone")));
        }
        // The audit of the job follows its name.
        let sql = || "UPDATE audit SET job = ? WHERE job = ? AND answered_at IS NOT NULL";
        self.execute(about, sql, &[new.into(), old.into()])?;
        self.cache.jobs.remove(from);
        self.cache.jobs.insert(to.clone(), id);
        Ok(())
    }

    /// Gives the rows of a job to another one, as those of its generation [`REPLACED`]; the job is gone then.
    pub(super) fn replace(&mut self, job: &JobName, by: &JobName) -> Result<(), LedgerError> {
        let (old, new) = (self.job_id(job)?, self.job_id(by)?);
        let row = jobs::table.find(new).filter(jobs::has_replaced.eq(false));
        if diesel::update(row).set(jobs::has_replaced.eq(true)).execute(self.connection)? != 1 {
            return Err(LedgerError::Conflict(format!("job `{by}` has replaced another job already")));
        }
        self.give_rows(old, new).map_err(|error| in_job(job, error))?;
        self.cache.jobs.remove(job);
        Ok(())
    }

    fn give_rows(&mut self, old: i32, new: i32) -> QueryResult<()> {
        let replaced = number(REPLACED);
        // Attempts refer to sessions, so that these enter before the attempts move, and are deleted after it.
        for row in sessions::table.filter(sessions::job_id.eq(old)).load::<SessionRow>(self.connection)? {
            let row = SessionRow { job_id: new, generation: replaced, ..row };
            diesel::insert_into(sessions::table).values(row).execute(self.connection)?;
        }
        diesel::update(attempts::table.filter(attempts::job_id.eq(old)))
            .set((attempts::job_id.eq(new), attempts::generation.eq(replaced)))
            .execute(self.connection)?;
        diesel::update(unanswered::table.filter(unanswered::job_id.eq(old)))
            .set((unanswered::job_id.eq(new), unanswered::generation.eq(replaced)))
            .execute(self.connection)?;
        diesel::delete(sessions::table.filter(sessions::job_id.eq(old))).execute(self.connection)?;
        let names = backfills::table.filter(backfills::job_id.eq(new).and(backfills::name.is_not_null()));
        for name in names.select(backfills::name).load::<Option<String>>(self.connection)? {
            // A name is unique among the backfills of a job.
            let namesake = backfills::table.filter(backfills::job_id.eq(old).and(backfills::name.eq(name)));
            diesel::update(namesake).set(backfills::name.eq(None::<String>)).execute(self.connection)?;
        }
        diesel::update(backfills::table.filter(backfills::job_id.eq(old)))
            .set((backfills::job_id.eq(new), backfills::generation.eq(replaced)))
            .execute(self.connection)?;
        diesel::delete(stand_ins::table.filter(stand_ins::job_id.eq(old))).execute(self.connection)?;
        diesel::delete(disabled::table.filter(disabled::job_id.eq(old))).execute(self.connection)?;
        diesel::delete(jobs::table.find(old)).execute(self.connection)?;
        Ok(())
    }

    pub(super) fn answer(&mut self, request: i64, reply: &Reply, at: DateTime<Utc>) -> Result<(), LedgerError> {
        let Reply { done, text, dates } = reply;
        let changed = diesel::update(audit::table.find(request).filter(audit::answered_at.is_null()))
            .set((
                audit::answered_at.eq(Some(micros(at))),
                audit::done.eq(Some(*done)),
                audit::answer.eq(Some(clean(text))),
                audit::dates.eq(Some(i64::try_from(dates.count).unwrap_or(i64::MAX))),
                // The changed dates replace the requested ones.
                dates.first.map(|first| audit::from_date.eq(micros(first))),
                dates.last.map(|last| audit::to_date.eq(micros(last))),
            ))
            .execute(self.connection)?;
        if changed == 1 {
            return Ok(());
        }
        Err(LedgerError::Conflict(format!("request {request} is not there, or was answered already")))
    }
}
