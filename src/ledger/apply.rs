//! Applies entries to the tables, each with a check of the state that it expects.
//!
//! Every UPDATE has the expected state in its condition and must change exactly one row; otherwise the transaction stops.

mod attempts;
mod operator;

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::Error;

use super::connection::AnyConnection;
use super::error::LedgerError;
use super::hosts::{self, Host};
use super::prepared::Statement;
use super::rows::{SessionRow, code, count, instant, micros, number, shown, state_columns};
use super::schema::{jobs, sessions};
use crate::job::JobName;
use crate::session::{Entry, JobRecord, NewSession, SessionKey, SettledBy, State, StateKind};

/// How many sessions one INSERT has: a quarter of PostgreSQL's 65,535 bind parameters.
const SESSIONS_AT_ONCE: usize = 1_000;

/// An open transaction.
pub(super) struct Transaction<'a> {
    pub(super) connection: &'a mut AnyConnection,
    /// The id of each job from before this transaction.
    pub(super) jobs: &'a HashMap<JobName, i32>,
    /// The jobs that this transaction inserted.
    pub(super) entered: Vec<(JobName, i32)>,
    /// The jobs that this transaction renamed.
    pub(super) renamed: Vec<(JobName, JobName)>,
    /// The host of the writer.
    pub(super) host: &'a str,
    /// The hosts that were looked up before.
    pub(super) hosts: &'a [Host],
    /// The hosts that were looked up in this transaction.
    pub(super) new_hosts: Vec<Host>,
}

impl Transaction<'_> {
    /// Writes one entry.
    pub(super) fn apply(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        match entry {
            Entry::Enter(record) => self.enter(record),
            Entry::Adopt { job, generation, timetable, first_date, timetable_from } => {
                self.adopt(job, *generation, timetable, *first_date, *timetable_from)
            }
            Entry::Reset(record) => self.reset(record),
            Entry::Record { job, generation, watermark, to, sessions, at } => {
                self.move_watermark(job, *generation, *watermark, *to)?;
                self.record(job, *generation, sessions, *at)
            }
            Entry::Open { attempt, from, trigger, host, started_at } => {
                self.open(attempt, *from, *trigger, host, *started_at)
            }
            Entry::Process { attempt, process } => self.process(attempt, process),
            Entry::Close { attempt, end, state, counted_attempts } => {
                self.close(attempt, end, state, *counted_attempts)
            }
            Entry::Move { session, from, to, at } => self.move_session(session, *from, to, *at),
            Entry::Done { session, from, by, at } => self.done(session, *from, *by, *at),
            Entry::Again { session, from, trigger, backfill, .. } => self.again(session, *from, *trigger, *backfill),
            Entry::Backfill(record) => self.backfill(record),
            Entry::Disable(disabled) => self.disable(disabled),
            Entry::Enable { job } => self.enable(job),
            Entry::Rename { from, to } => self.rename(from, to),
            Entry::Answer { request, reply, at } => self.answer(*request, reply, *at),
        }
    }

    /// The id of a job.
    fn job_id(&self, job: &JobName) -> Result<i32, LedgerError> {
        let entered = || self.entered.iter().rev().find(|(name, _)| name == job).map(|(_, id)| *id);
        let is_renamed = self.renamed.iter().any(|(from, _)| from == job);
        self.jobs
            .get(job)
            .copied()
            .filter(|_| !is_renamed)
            .or_else(entered)
            .ok_or_else(|| LedgerError::Conflict(format!("job `{job}` was never entered")))
    }

    /// The id of a host and its boot, which are inserted if the ledger does not have them.
    fn host_id(&mut self, name: &str, boot_id: Option<&str>) -> QueryResult<i32> {
        let known = |hosts| hosts::known(hosts, name, boot_id);
        if let Some(id) = known(self.hosts).or_else(|| known(&self.new_hosts)) {
            return Ok(id);
        }
        let host = hosts::find_or_insert(self.connection, name, boot_id)?;
        let id = host.id();
        self.new_hosts.push(host);
        Ok(id)
    }

    fn enter(&mut self, record: &JobRecord) -> Result<(), LedgerError> {
        let name = &record.name;
        if self.job_id(name).is_ok() {
            return Err(LedgerError::Conflict(format!("job `{name}` is to be entered, and is there already")));
        }
        let highest = self.jobs.values().chain(self.entered.iter().map(|(_, id)| id)).max();
        let id = highest.map_or(1, |id| id + 1);
        diesel::insert_into(jobs::table)
            .values((
                jobs::id.eq(id),
                jobs::name.eq(name.as_str()),
                jobs::generation.eq(number(record.generation)),
                jobs::seen_at.eq(micros(record.seen_at)),
                jobs::first_date.eq(micros(record.first_date)),
                jobs::timetable_from.eq(micros(record.timetable_from)),
                jobs::watermark.eq(record.watermark.map(micros)),
                jobs::timetable.eq(&record.timetable),
                jobs::last_success.eq(record.last_success.map(micros)),
            ))
            .execute(self.connection)
            .map_err(|error| in_job(name, error))?;
        self.entered.push((name.clone(), id));
        Ok(())
    }

    fn adopt(
        &mut self,
        job: &JobName,
        generation: u32,
        timetable: &str,
        first_date: DateTime<Utc>,
        timetable_from: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let id = self.job_id(job)?;
        let changed = diesel::update(jobs::table.find(id).filter(jobs::generation.eq(number(generation))))
            .set((
                jobs::timetable.eq(timetable),
                jobs::first_date.eq(micros(first_date)),
                jobs::timetable_from.eq(micros(timetable_from)),
            ))
            .execute(self.connection)
            .map_err(|error| in_job(job, error))?;
        self.one_job(changed, job, generation)
    }

    fn reset(&mut self, record: &JobRecord) -> Result<(), LedgerError> {
        let name = &record.name;
        let id = self.job_id(name)?;
        let before = record.generation.saturating_sub(1);
        let changed = diesel::update(jobs::table.find(id).filter(jobs::generation.eq(number(before))))
            .set((
                jobs::generation.eq(number(record.generation)),
                jobs::seen_at.eq(micros(record.seen_at)),
                jobs::first_date.eq(micros(record.first_date)),
                jobs::timetable_from.eq(micros(record.timetable_from)),
                jobs::watermark.eq(record.watermark.map(micros)),
                jobs::timetable.eq(&record.timetable),
                jobs::last_success.eq(record.last_success.map(micros)),
            ))
            .execute(self.connection)
            .map_err(|error| in_job(name, error))?;
        self.one_job(changed, name, before)
    }

    /// Sets the watermark if it is what is expected: P5's compare and set.
    fn move_watermark(
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
        let row = jobs::table.find(id).filter(jobs::generation.eq(number(generation)));
        let to = jobs::watermark.eq(to.map(micros));
        let changed = match from {
            Some(from) => diesel::update(row.filter(jobs::watermark.eq(micros(from)))).set(to).execute(self.connection),
            None => diesel::update(row.filter(jobs::watermark.is_null())).set(to).execute(self.connection),
        }
        .map_err(|error| in_job(job, error))?;
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

    fn record(
        &mut self,
        job: &JobName,
        generation: u32,
        new: &[NewSession],
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let job_id = self.job_id(job)?;
        let mut rows = Vec::with_capacity(new.len().min(SESSIONS_AT_ONCE));
        for chunk in new.chunks(SESSIONS_AT_ONCE) {
            rows.clear();
            for session in chunk {
                let settled_at = match &session.state {
                    State::Waiting => None,
                    State::Skipped { .. } | State::Succeeded => Some(micros(at)),
                    other => {
                        let date = shown(session.date);
                        let word = other.word();
                        return Err(LedgerError::Conflict(format!(
                            "job `{job}`, date {date}: a date enters waiting or settled, not {word}"
                        )));
                    }
                };
                let (retry_at, reason) = state_columns(&session.state);
                rows.push(SessionRow {
                    job_id,
                    generation: number(generation),
                    date: micros(session.date),
                    state: code(session.state.kind()),
                    trigger: i16::from(session.trigger.code()),
                    attempts: 0,
                    counted_attempts: 0,
                    retry_at,
                    reason: reason.map(Cow::into_owned),
                    recorded_at: micros(at),
                    settled_at,
                    backfill_id: session.backfill,
                    // A date enters as succeeded only if an operator marks it.
                    settled_by: (session.state == State::Succeeded).then(|| SettledBy::Operator.word().to_owned()),
                });
            }
            insert_sessions(self.connection, &rows).map_err(|error| {
                let (first, last) = (chunk.first().map(|s| shown(s.date)), chunk.last().map(|s| shown(s.date)));
                in_place(
                    &format!("job `{job}`, dates {} to {}", first.unwrap_or_default(), last.unwrap_or_default()),
                    error,
                )
            })?;
        }
        let newest = new.iter().filter(|session| session.state == State::Succeeded).map(|session| session.date).max();
        match newest {
            Some(date) => self.succeeded(job_id, &SessionKey { job: job.clone(), generation, date }),
            None => Ok(()),
        }
    }

    /// Changes a session that has no open attempt.
    fn move_session(
        &mut self,
        session: &SessionKey,
        from: StateKind,
        to: &State,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        if from == StateKind::Running || *to == State::Running {
            return Err(LedgerError::Conflict(format!(
                "{}: only an attempt's opening and its end make a date running or end that",
                place(session)
            )));
        }
        let id = self.job_id(&session.job)?;
        let (retry_at, reason) = state_columns(to);
        let row = sessions::table.find((id, number(session.generation), micros(session.date)));
        let changed = diesel::update(row.filter(sessions::state.eq(code(from))))
            .set((
                sessions::state.eq(code(to.kind())),
                sessions::retry_at.eq(retry_at),
                sessions::reason.eq(reason),
                sessions::settled_at.eq(to.is_settled().then(|| micros(at))),
                sessions::settled_by.eq(None::<&str>),
            ))
            .execute(self.connection)
            .map_err(|error| in_place(&place(session), error))?;
        self.one_session(changed, id, session, &format!("`{from}`"))?;
        if *to == State::Succeeded { self.succeeded(id, session) } else { Ok(()) }
    }

    /// Sets the last success of the job, unless a newer date of the generation in force has succeeded.
    fn succeeded(&mut self, id: i32, session: &SessionKey) -> Result<(), LedgerError> {
        let date = micros(session.date);
        Statement::new(
            "UPDATE jobs SET last_success = ? WHERE id = ? AND generation = ? AND (last_success IS NULL OR last_success < ?)",
        )
        .long(date)
        .number(id)
        .number(number(session.generation))
        .long(date)
        .execute(self.connection)?;
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

    /// Fails if not exactly one session was changed; the error says what is there instead.
    fn one_session(
        &mut self,
        changed: usize,
        id: i32,
        session: &SessionKey,
        expected: &str,
    ) -> Result<(), LedgerError> {
        if changed == 1 {
            return Ok(());
        }
        let found = sessions::table
            .find((id, number(session.generation), micros(session.date)))
            .select((sessions::state, sessions::attempts))
            .first::<(i16, i32)>(self.connection)
            .optional()?;
        let found = match found {
            Some((state, attempts)) => {
                let state = StateKind::from_code(state).map_or("?", StateKind::word);
                format!("found `{state}` after {attempts} attempts")
            }
            None => "found no such date".to_owned(),
        };
        Err(LedgerError::Conflict(format!("{}: expected {expected}, {found}", place(session))))
    }
}

/// The name of a session in messages.
fn place(session: &SessionKey) -> String {
    format!("job `{}`, generation {}, date {}", session.job, session.generation, shown(session.date))
}

fn in_job(job: &JobName, error: Error) -> LedgerError {
    in_place(&format!("job `{job}`"), error)
}

/// Adds the place to a database error.
fn in_place(place: &str, error: Error) -> LedgerError {
    match LedgerError::from(error) {
        LedgerError::Conflict(text) => LedgerError::Conflict(format!("{place}: {text}")),
        other => other,
    }
}

/// Inserts many sessions. Diesel has no INSERT of many rows for both databases at once.
fn insert_sessions(connection: &mut AnyConnection, rows: &[SessionRow]) -> QueryResult<usize> {
    let insert = diesel::insert_into(sessions::table).values(rows);
    match connection {
        AnyConnection::Sqlite(sqlite) => insert.execute(sqlite),
        AnyConnection::Postgres(postgres) => insert.execute(postgres),
    }
}
