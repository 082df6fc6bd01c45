//! Opens and closes attempts, and records their processes. The session changes in the same transaction: it is running if
//! and only if it has an open attempt.

use std::mem;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::sessions::Change;
use super::{Place, Transaction, in_place};
use crate::ledger::error::LedgerError;
use crate::ledger::prepared;
use crate::ledger::rows::{clean, micros, number, outcome_columns, usage_columns};
use crate::ledger::schema::{attempts, hosts};
use crate::session::{AttemptEnd, AttemptKey, ProcessIdentity, State, StateKind, Trigger};

/// A process, and the id of its host.
type Process<'a> = (i32, &'a ProcessIdentity);

impl Transaction<'_> {
    pub(super) fn open(
        &mut self,
        attempt: &AttemptKey,
        from: StateKind,
        trigger: Trigger,
        host: &str,
        started_at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let AttemptKey { session, number } = attempt;
        if from == StateKind::Running || *number == 0 {
            let place = Place(session);
            return Err(LedgerError::Conflict(format!("{place}: attempt {number} cannot open on `{from}`")));
        }
        let attempts = Some((number - 1, *number));
        let change = Change { attempts, ..Change::new(from, &State::Running, started_at) };
        self.change(session, &change)?;
        let id = self.job_id(&session.job)?;
        let host_id = self.host_id(host, None).map_err(|error| in_place(Place(session), error))?;
        self.execute(
            Place(session),
            || {
                "INSERT INTO attempts (job_id, generation, date, number, trigger, zone_id, host_id, started_at, has_log) \
                 SELECT job_id, generation, date, ?, ?, zone_id, ?, ?, ? FROM sessions \
                 WHERE job_id = ? AND generation = ? AND date = ?"
            },
            &[
                (*number).into(),
                trigger.code().into(),
                host_id.into(),
                micros(started_at).into(),
                false.into(),
                id.into(),
                session.generation.into(),
                micros(session.date).into(),
            ],
        )?;
        Ok(())
    }

    /// Writes the processes of the attempts that did not end in this transaction.
    pub(super) fn write_processes(&mut self) -> Result<(), LedgerError> {
        for (attempt, process) in mem::take(&mut self.processes) {
            self.write_process(attempt, process)?;
        }
        Ok(())
    }

    /// Records the process of an attempt, if it is still open.
    fn write_process(&mut self, attempt: &AttemptKey, (host_id, process): Process<'_>) -> Result<(), LedgerError> {
        let session = &attempt.session;
        let in_session = |error| in_place(Place(session), error);
        let id = self.job_id(&session.job)?;
        let unknown_boot = self.host_id(self.host, None).map_err(in_session)?;
        if self.set_process(id, attempt, (host_id, process), unknown_boot).map_err(in_session)? == 1 {
            return Ok(());
        }
        // It has ended, or it was started when this host had another name, which it keeps.
        let host = attempts::table
            .find((id, number(session.generation), micros(session.date), number(attempt.number)))
            .filter(attempts::outcome.is_null())
            .inner_join(hosts::table)
            .select((hosts::id, hosts::name))
            .first::<(i32, String)>(self.connection)
            .optional()
            .map_err(in_session)?;
        if let Some((old, host)) = host {
            let host_id = self.host_id(&host, Some(&process.boot_id)).map_err(in_session)?;
            self.set_process(id, attempt, (host_id, process), old).map_err(in_session)?;
        }
        Ok(())
    }

    /// Records the process of an attempt, if it is still open and its host is that of the process or `host`.
    fn set_process(
        &mut self,
        id: i32,
        attempt: &AttemptKey,
        (host_id, process): Process<'_>,
        host: i32,
    ) -> QueryResult<usize> {
        prepared::execute(
            self.connection,
            || {
                "UPDATE attempts SET pid = ?, start_ticks = ?, host_id = ? WHERE job_id = ? AND generation = ? \
                 AND date = ? AND number = ? AND outcome IS NULL AND host_id IN (?, ?)"
            },
            &[
                process.pid.into(),
                process.start_ticks.cast_signed().into(),
                host_id.into(),
                id.into(),
                attempt.session.generation.into(),
                micros(attempt.session.date).into(),
                attempt.number.into(),
                host_id.into(),
                host.into(),
            ],
        )
    }

    pub(super) fn close(
        &mut self,
        attempt: &AttemptKey,
        end: &AttemptEnd,
        state: &State,
        counted_attempts: u32,
    ) -> Result<(), LedgerError> {
        let AttemptKey { session, number } = attempt;
        if *state == State::Running {
            return Err(LedgerError::Conflict(format!("{}: no attempt ends in `running`", Place(session))));
        }
        let process = self.processes.remove(attempt);
        let mut changed = self.end_attempt(attempt, end, process)?;
        if let (0, Some(process)) = (changed, process) {
            self.write_process(attempt, process)?;
            changed = self.end_attempt(attempt, end, None)?;
        }
        if changed != 1 {
            let place = Place(session);
            return Err(LedgerError::Conflict(format!("{place}: attempt {number} is to be closed, and is not open")));
        }
        let (attempts, counted_attempts) = (Some((*number, *number)), Some(counted_attempts));
        let change = Change { attempts, counted_attempts, ..Change::new(StateKind::Running, state, end.ended_at) };
        self.change(session, &change)
    }

    /// Ends an attempt if it is open, and records its process if there is one and the attempt has its host.
    fn end_attempt(
        &mut self,
        attempt: &AttemptKey,
        end: &AttemptEnd,
        process: Option<Process<'_>>,
    ) -> Result<usize, LedgerError> {
        let session = &attempt.session;
        let id = self.job_id(&session.job)?;
        let unknown_boot = self.host_id(self.host, None)?;
        let (host_id, process) = process.unzip();
        let (exit_code, signal) = outcome_columns(end.outcome);
        let micros_taken = end.duration.map(|taken| i64::try_from(taken.as_micros()).unwrap_or(i64::MAX));
        let [cpu_user, cpu_system, peak_memory] = usage_columns(end.usage);
        self.execute(
            Place(session),
            || {
                "UPDATE attempts SET ended_at = ?, outcome = ?, exit_code = ?, signal = ?, duration_micros = ?, \
                 detail = ?, has_log = ?, cpu_user_micros = ?, cpu_system_micros = ?, peak_memory_bytes = ?, \
                 pid = coalesce(?, pid), start_ticks = coalesce(?, start_ticks), host_id = coalesce(?, host_id) \
                 WHERE job_id = ? AND generation = ? AND date = ? AND number = ? AND outcome IS NULL \
                 AND host_id IN (?, coalesce(?, host_id))"
            },
            &[
                micros(end.ended_at).into(),
                end.outcome.kind().code().into(),
                exit_code.into(),
                signal.into(),
                micros_taken.into(),
                end.detail.as_deref().map(clean).as_deref().into(),
                end.has_log.into(),
                cpu_user.into(),
                cpu_system.into(),
                peak_memory.into(),
                process.map(|process| process.pid).into(),
                process.map(|process| process.start_ticks.cast_signed()).into(),
                host_id.into(),
                id.into(),
                session.generation.into(),
                micros(session.date).into(),
                attempt.number.into(),
                unknown_boot.into(),
                host_id.into(),
            ],
        )
    }
}
