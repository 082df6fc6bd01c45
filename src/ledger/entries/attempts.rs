//! The life of an attempt: its opening, its process and its end. The session goes along in the same transaction, so
//! that a session is running when, and only when, it has an open attempt.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::{Transaction, in_place, place};
use crate::ledger::CommitError;
use crate::ledger::prepared::Prepared;
use crate::ledger::rows::{clean, micros, number, outcome_columns, state_columns};
use crate::ledger::schema::{attempts, sessions};
use crate::session::{AttemptEnd, AttemptKey, ProcessIdentity, State, Trigger};

impl Transaction<'_> {
    pub(super) fn open(
        &mut self,
        attempt: &AttemptKey,
        from: &str,
        trigger: Trigger,
        host: &str,
        started_at: DateTime<Utc>,
    ) -> Result<(), CommitError> {
        let session = &attempt.session;
        if from == State::Running.word() || attempt.number == 0 {
            let place = place(session);
            return Err(CommitError::Conflict(format!("{place}: attempt {} cannot open on `{from}`", attempt.number)));
        }
        let id = self.job_id(&session.job)?;
        let key = (id, number(session.generation), micros(session.date));
        let row = sessions::table
            .find(key)
            .filter(sessions::state.eq(from))
            .filter(sessions::attempts.eq(number(attempt.number - 1)));
        let changed = Prepared(diesel::update(row).set((
            sessions::state.eq(State::Running.word()),
            sessions::attempts.eq(number(attempt.number)),
            sessions::retry_at.eq(None::<i64>),
            sessions::reason.eq(None::<String>),
            sessions::settled_at.eq(None::<i64>),
        )))
        .execute(self.connection)
        .map_err(|error| in_place(&place(session), error))?;
        self.one_session(changed, id, session, &format!("`{from}` after {} attempts", attempt.number - 1))?;
        diesel::insert_into(attempts::table)
            .values((
                attempts::job_id.eq(key.0),
                attempts::generation.eq(key.1),
                attempts::date.eq(key.2),
                attempts::number.eq(number(attempt.number)),
                attempts::trigger.eq(trigger.word()),
                attempts::host.eq(clean(host)),
                attempts::started_at.eq(micros(started_at)),
                attempts::has_log.eq(false),
            ))
            .execute(self.connection)
            .map_err(|error| in_place(&place(session), error))?;
        Ok(())
    }

    /// Notes the process of an attempt, if it is still open.
    pub(super) fn process(&mut self, attempt: &AttemptKey, process: &ProcessIdentity) -> Result<(), CommitError> {
        let session = &attempt.session;
        let id = self.job_id(&session.job)?;
        let row = attempts::table
            .find((id, number(session.generation), micros(session.date), number(attempt.number)))
            .filter(attempts::outcome.is_null());
        Prepared(diesel::update(row).set((
            attempts::pid.eq(Some(process.pid)),
            attempts::start_ticks.eq(Some(process.start_ticks.cast_signed())),
            attempts::boot_id.eq(Some(&process.boot_id)),
        )))
        .execute(self.connection)
        .map_err(|error| in_place(&place(session), error))?;
        Ok(())
    }

    pub(super) fn close(
        &mut self,
        attempt: &AttemptKey,
        end: &AttemptEnd,
        state: &State,
        used: u32,
    ) -> Result<(), CommitError> {
        let session = &attempt.session;
        if *state == State::Running {
            return Err(CommitError::Conflict(format!("{}: no attempt ends in `running`", place(session))));
        }
        let id = self.job_id(&session.job)?;
        let key = (id, number(session.generation), micros(session.date));
        self.end_attempt(attempt, key, end)?;
        let (retry_at, reason) = state_columns(state);
        let row = sessions::table
            .find(key)
            .filter(sessions::state.eq(State::Running.word()))
            .filter(sessions::attempts.eq(number(attempt.number)));
        let changed = Prepared(diesel::update(row).set((
            sessions::state.eq(state.word()),
            sessions::used.eq(number(used)),
            sessions::retry_at.eq(retry_at),
            sessions::reason.eq(reason),
            sessions::settled_at.eq(state.is_settled().then(|| micros(end.ended_at))),
        )))
        .execute(self.connection)
        .map_err(|error| in_place(&place(session), error))?;
        self.one_session(changed, id, session, &format!("`running` attempt {}", attempt.number))?;
        if *state == State::Succeeded { self.succeeded(id, session) } else { Ok(()) }
    }

    fn end_attempt(
        &mut self,
        attempt: &AttemptKey,
        (id, generation, date): (i32, i32, i64),
        end: &AttemptEnd,
    ) -> Result<(), CommitError> {
        let (exit_code, signal) = outcome_columns(end.outcome);
        let micros_taken = end.duration.map(|taken| i64::try_from(taken.as_micros()).unwrap_or(i64::MAX));
        let row =
            attempts::table.find((id, generation, date, number(attempt.number))).filter(attempts::outcome.is_null());
        let changed = Prepared(diesel::update(row).set((
            attempts::ended_at.eq(Some(micros(end.ended_at))),
            attempts::outcome.eq(Some(end.outcome.word())),
            attempts::exit_code.eq(exit_code),
            attempts::signal.eq(signal),
            attempts::duration_micros.eq(micros_taken),
            attempts::detail.eq(end.detail.as_deref().map(clean)),
            attempts::has_log.eq(end.has_log),
        )))
        .execute(self.connection)
        .map_err(|error| in_place(&place(&attempt.session), error))?;
        if changed == 1 {
            return Ok(());
        }
        let place = place(&attempt.session);
        Err(CommitError::Conflict(format!("{place}: attempt {} is to be closed, and is not open", attempt.number)))
    }
}
