//! Applies operators' changes: backfills, disabled jobs, new names, answers, and dates that are marked as succeeded or
//! repeated.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::{Transaction, in_job, in_place, place};
use crate::job::JobName;
use crate::ledger::error::LedgerError;
use crate::ledger::prepared::Statement;
use crate::ledger::rows::{clean, micros, number};
use crate::ledger::schema::{audit, backfills, disabled, jobs};
use crate::session::{BackfillId, BackfillRecord, Disabled, Reply, SessionKey, SettledBy, StateKind, Trigger};

impl Transaction<'_> {
    /// Marks a session without an open attempt as succeeded.
    pub(super) fn done(
        &mut self,
        session: &SessionKey,
        from: StateKind,
        by: SettledBy,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        if [StateKind::Running, StateKind::Succeeded].contains(&from) {
            return Err(LedgerError::Conflict(format!(
                "{}: a date that is {from} cannot be marked as succeeded",
                place(session)
            )));
        }
        let id = self.job_id(&session.job)?;
        let changed = Statement::new(
            "UPDATE sessions SET state = ?, retry_at = NULL, reason = NULL, settled_at = ?, settled_by = ? \
             WHERE job_id = ? AND generation = ? AND date = ? AND state = ?",
        )
        .code(StateKind::Succeeded.code())
        .long(micros(at))
        .word(by.word())
        .number(id)
        .number(number(session.generation))
        .long(micros(session.date))
        .code(from.code())
        .execute(self.connection)
        .map_err(|error| in_place(&place(session), error))?;
        self.one_session(changed, id, session, &format!("`{from}`"))?;
        self.succeeded(id, session)
    }

    /// Sets a session without an open attempt to waiting, with no counted attempts.
    pub(super) fn again(
        &mut self,
        session: &SessionKey,
        from: StateKind,
        trigger: Trigger,
        backfill: Option<BackfillId>,
    ) -> Result<(), LedgerError> {
        if from == StateKind::Running {
            return Err(LedgerError::Conflict(format!("{}: a running date cannot wait", place(session))));
        }
        let id = self.job_id(&session.job)?;
        let changed = Statement::new(
            "UPDATE sessions SET state = ?, trigger = ?, counted_attempts = 0, retry_at = NULL, reason = NULL, \
             settled_at = NULL, settled_by = NULL, backfill_id = ? \
             WHERE job_id = ? AND generation = ? AND date = ? AND state = ?",
        )
        .code(StateKind::Waiting.code())
        .code(trigger.code())
        .long(backfill)
        .number(id)
        .number(number(session.generation))
        .long(micros(session.date))
        .code(from.code())
        .execute(self.connection)
        .map_err(|error| in_place(&place(session), error))?;
        self.one_session(changed, id, session, &format!("`{from}`"))
    }

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
        match diesel::delete(disabled::table.find(id)).execute(self.connection)? {
            1 => Ok(()),
            _ => Err(LedgerError::Conflict(format!("job `{job}` is not disabled"))),
        }
    }

    pub(super) fn rename(&mut self, from: &JobName, to: &JobName) -> Result<(), LedgerError> {
        let id = self.job_id(from)?;
        if self.job_id(to).is_ok() {
            return Err(LedgerError::Conflict(format!("job `{from}` is to be called `{to}`, which is another job")));
        }
        let row = jobs::table.find(id).filter(jobs::name.eq(from.as_str()));
        let changed = diesel::update(row).set(jobs::name.eq(to.as_str())).execute(self.connection);
        if changed.map_err(|error| in_job(from, error))? != 1 {
            return Err(LedgerError::Conflict(format!("job `{from}` is gone")));
        }
        // The audit of the job follows its name.
        let answered = audit::job.eq(from.as_str()).and(audit::answered_at.is_not_null());
        diesel::update(audit::table.filter(answered)).set(audit::job.eq(to.as_str())).execute(self.connection)?;
        self.renamed.push((from.clone(), to.clone()));
        self.entered.push((to.clone(), id));
        Ok(())
    }

    pub(super) fn answer(&mut self, request: i64, reply: &Reply, at: DateTime<Utc>) -> Result<(), LedgerError> {
        let Reply { done, text, dates } = reply;
        let row = audit::table.find(request).filter(audit::answered_at.is_null());
        let count = i64::try_from(dates.count).unwrap_or(i64::MAX);
        let changed = diesel::update(row)
            .set((
                audit::answered_at.eq(Some(micros(at))),
                audit::done.eq(Some(*done)),
                audit::answer.eq(Some(clean(text))),
                audit::dates.eq(Some(count)),
            ))
            .execute(self.connection)?;
        if count > 0 {
            // The changed dates replace the requested ones.
            diesel::update(audit::table.find(request))
                .set((audit::from_date.eq(dates.first.map(micros)), audit::to_date.eq(dates.last.map(micros))))
                .execute(self.connection)?;
        }
        if changed == 1 {
            return Ok(());
        }
        Err(LedgerError::Conflict(format!("request {request} is not there, or was answered already")))
    }
}
