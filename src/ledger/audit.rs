//! Reads the audit of operators' requests, and the disabled jobs.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::error::LedgerError;
use super::filter::Between;
use super::reader::Reader;
use super::rows::{instant, job_if_any};
use super::schema::{audit, disabled};
use crate::job::JobName;
use crate::session::Disabled;

/// How many rows a page has.
const PAGE: i64 = 1_000;

/// Which requests the audit lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those about this job.
    pub job: Option<JobName>,
    /// Only those requested at these instants.
    pub asked: Between,
    /// Only those older than the one with this id.
    pub before: Option<i64>,
}

/// An operator's request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Ascending in time.
    pub id: i64,
    /// When it was requested.
    pub at: DateTime<Utc>,
    /// Who requested it.
    pub user: String,
    /// The host of the user.
    pub host: String,
    /// The word of the operation.
    pub action: String,
    /// The job that it is about; a pause is about none.
    pub job: Option<JobName>,
    /// The first date that it is about.
    pub from: Option<DateTime<Utc>>,
    /// The last date that it is about.
    pub to: Option<DateTime<Utc>>,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// Whether it was done; absent while it has no answer.
    pub done: Option<bool>,
    /// What was done, or why not.
    pub answer: Option<String>,
    /// When it was answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// How many dates it changed.
    pub dates: Option<u64>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit)]
struct AuditRow {
    id: i64,
    at: i64,
    user_name: String,
    host: String,
    action: String,
    job: String,
    from_date: Option<i64>,
    to_date: Option<i64>,
    reason: Option<String>,
    done: Option<bool>,
    answer: Option<String>,
    answered_at: Option<i64>,
    dates: Option<i64>,
}

impl AuditRow {
    fn act(self) -> Result<Act, LedgerError> {
        Ok(Act {
            id: self.id,
            at: instant(self.at)?,
            user: self.user_name,
            host: self.host,
            action: self.action,
            job: job_if_any(&self.job)?,
            from: self.from_date.map(instant).transpose()?,
            to: self.to_date.map(instant).transpose()?,
            reason: self.reason,
            done: self.done,
            answer: self.answer,
            answered_at: self.answered_at.map(instant).transpose()?,
            dates: self.dates.map(i64::unsigned_abs),
        })
    }
}

impl Reader {
    /// Passes requests to `each`, the newest first, until it breaks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn audit(
        &mut self,
        filter: &AuditFilter,
        each: &mut dyn FnMut(Act) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        let (from, to) = filter.asked.micros();
        let mut before = filter.before.unwrap_or(i64::MAX);
        loop {
            let mut rows = audit::table
                .filter(audit::id.lt(before))
                .filter(audit::at.ge(from).and(audit::at.lt(to)))
                .select(AuditRow::as_select())
                .order(audit::id.desc())
                .limit(PAGE)
                .into_boxed();
            if let Some(job) = &filter.job {
                rows = rows.filter(audit::job.eq(job.as_str()));
            }
            let page = rows.load::<AuditRow>(&mut self.connection)?;
            let Some(last) = page.last() else { return Ok(()) };
            before = last.id;
            for row in page {
                if each(row.act()?).is_break() {
                    return Ok(());
                }
            }
        }
    }

    /// Who disabled a job, if it is disabled at `now`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn disabled(&mut self, job: &JobName, now: DateTime<Utc>) -> Result<Option<Disabled>, LedgerError> {
        let Some((id, _)) = self.number_of(job)? else { return Ok(None) };
        let row = disabled::table
            .find(id)
            .select((disabled::at, disabled::until, disabled::user_name, disabled::reason))
            .first::<(i64, Option<i64>, String, Option<String>)>(&mut self.connection)
            .optional()?;
        let Some((at, until, user, reason)) = row else { return Ok(None) };
        let (at, until) = (instant(at)?, until.map(instant).transpose()?);
        let disabled = Disabled { job: job.clone(), at, until, user, reason };
        Ok(until.is_none_or(|until| until > now).then_some(disabled))
    }
}
