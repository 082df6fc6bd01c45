//! Opens and closes attempts, and records their processes. The session changes in the same transaction: it is running if
//! and only if it has an open attempt.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::{Transaction, in_place, place};
use crate::ledger::error::LedgerError;
use crate::ledger::prepared::Statement;
use crate::ledger::rows::{clean, micros, number, outcome_columns, state_columns, usage_columns};
use crate::ledger::schema::{attempts, hosts};
use crate::session::{AttemptEnd, AttemptKey, ProcessIdentity, State, StateKind, Trigger};

impl Transaction<'_> {
    pub(super) fn open(
        &mut self,
        attempt: &AttemptKey,
        from: StateKind,
        trigger: Trigger,
        host: &str,
        started_at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let session = &attempt.session;
        if from == StateKind::Running || attempt.number == 0 {
            let place = place(session);
            return Err(LedgerError::Conflict(format!("{place}: attempt {} cannot open on `{from}`", attempt.number)));
        }
        let id = self.job_id(&session.job)?;
        let key = (id, number(session.generation), micros(session.date));
        let changed = Statement::new(
            "UPDATE sessions SET state = ?, attempts = ?, retry_at = NULL, reason = NULL, settled_at = NULL, \
             settled_by = NULL WHERE job_id = ? AND generation = ? AND date = ? AND state = ? AND attempts = ?",
        )
        .code(StateKind::Running.code())
        .number(number(attempt.number))
        .number(key.0)
        .number(key.1)
        .long(key.2)
        .code(from.code())
        .number(number(attempt.number - 1))
        .execute(self.connection)
        .map_err(|error| in_place(&place(session), error))?;
        self.one_session(changed, id, session, &format!("`{from}` after {} attempts", attempt.number - 1))?;
        let host_id = self.host_id(host, None).map_err(|error| in_place(&place(session), error))?;
        Statement::new(
            "INSERT INTO attempts (job_id, generation, date, number, trigger, host_id, started_at, has_log) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .number(key.0)
        .number(key.1)
        .long(key.2)
        .number(number(attempt.number))
        .code(trigger.code())
        .number(host_id)
        .long(micros(started_at))
        .flag(false)
        .execute(self.connection)
        .map_err(|error| in_place(&place(session), error))?;
        Ok(())
    }

    /// Records the process of an attempt, if it is still open.
    pub(super) fn process(&mut self, attempt: &AttemptKey, process: &ProcessIdentity) -> Result<(), LedgerError> {
        let id = self.job_id(&attempt.session.job)?;
        let in_session = |error| in_place(&place(&attempt.session), error);
        let boot_id = Some(process.boot_id.as_str());
        let unknown_boot = self.host_id(self.host, None).map_err(in_session)?;
        let host_id = self.host_id(self.host, boot_id).map_err(in_session)?;
        if self.set_process(id, attempt, process, host_id, (unknown_boot, host_id)).map_err(in_session)? == 1 {
            return Ok(());
        }
        // It has ended, or it was started when this host had another name, which it keeps.
        let (generation, date) = (number(attempt.session.generation), micros(attempt.session.date));
        let host = attempts::table
            .find((id, generation, date, number(attempt.number)))
            .filter(attempts::outcome.is_null())
            .inner_join(hosts::table)
            .select((hosts::id, hosts::name))
            .first::<(i32, String)>(self.connection)
            .optional()
            .map_err(in_session)?;
        if let Some((old, host)) = host {
            let host_id = self.host_id(&host, boot_id).map_err(in_session)?;
            self.set_process(id, attempt, process, host_id, (old, host_id)).map_err(in_session)?;
        }
        Ok(())
    }

    /// Records the process of an attempt, if it is still open and its host is one of two.
    fn set_process(
        &mut self,
        id: i32,
        attempt: &AttemptKey,
        process: &ProcessIdentity,
        host_id: i32,
        from: (i32, i32),
    ) -> QueryResult<usize> {
        Statement::new(
            "UPDATE attempts SET pid = ?, start_ticks = ?, host_id = ? WHERE job_id = ? AND generation = ? AND date = ? \
             AND number = ? AND outcome IS NULL AND host_id IN (?, ?)",
        )
        .number(process.pid)
        .long(process.start_ticks.cast_signed())
        .number(host_id)
        .number(id)
        .number(number(attempt.session.generation))
        .long(micros(attempt.session.date))
        .number(number(attempt.number))
        .number(from.0)
        .number(from.1)
        .execute(self.connection)
    }

    pub(super) fn close(
        &mut self,
        attempt: &AttemptKey,
        end: &AttemptEnd,
        state: &State,
        counted_attempts: u32,
    ) -> Result<(), LedgerError> {
        let session = &attempt.session;
        if *state == State::Running {
            return Err(LedgerError::Conflict(format!("{}: no attempt ends in `running`", place(session))));
        }
        let id = self.job_id(&session.job)?;
        let key = (id, number(session.generation), micros(session.date));
        self.end_attempt(attempt, key, end)?;
        let (retry_at, reason) = state_columns(state);
        let changed = Statement::new(
            "UPDATE sessions SET state = ?, counted_attempts = ?, retry_at = ?, reason = ?, settled_at = ? \
             WHERE job_id = ? AND generation = ? AND date = ? AND state = ? AND attempts = ?",
        )
        .code(state.kind().code())
        .number(number(counted_attempts))
        .long(retry_at)
        .word(reason.as_deref())
        .long(state.is_settled().then(|| micros(end.ended_at)))
        .number(key.0)
        .number(key.1)
        .long(key.2)
        .code(StateKind::Running.code())
        .number(number(attempt.number))
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
    ) -> Result<(), LedgerError> {
        let (exit_code, signal) = outcome_columns(end.outcome);
        let micros_taken = end.duration.map(|taken| i64::try_from(taken.as_micros()).unwrap_or(i64::MAX));
        let detail = end.detail.as_deref().map(clean);
        let [cpu_user, cpu_system, peak_memory] = usage_columns(end.usage);
        let changed = Statement::new(
            "UPDATE attempts SET ended_at = ?, outcome = ?, exit_code = ?, signal = ?, duration_micros = ?, detail = ?, \
             has_log = ?, cpu_user_micros = ?, cpu_system_micros = ?, peak_memory_bytes = ? \
             WHERE job_id = ? AND generation = ? AND date = ? AND number = ? AND outcome IS NULL",
        )
        .long(micros(end.ended_at))
        .code(end.outcome.kind().code())
        .number(exit_code)
        .number(signal)
        .long(micros_taken)
        .word(detail.as_deref())
        .flag(end.has_log)
        .long(cpu_user)
        .long(cpu_system)
        .long(peak_memory)
        .number(id)
        .number(generation)
        .long(date)
        .number(number(attempt.number))
        .execute(self.connection)
        .map_err(|error| in_place(&place(&attempt.session), error))?;
        if changed == 1 {
            return Ok(());
        }
        let place = place(&attempt.session);
        Err(LedgerError::Conflict(format!("{place}: attempt {} is to be closed, and is not open", attempt.number)))
    }
}
