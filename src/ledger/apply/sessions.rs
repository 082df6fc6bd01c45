//! Records sessions, and changes their states.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;

use super::{Place, Transaction, in_job, in_place};
use crate::job::JobName;
use crate::ledger::connection::AnyConnection;
use crate::ledger::error::LedgerError;
use crate::ledger::prepared;
use crate::ledger::rows::{SessionRow, clean, code, micros, number, shown, state_columns};
use crate::ledger::schema::{sessions, unanswered};
use crate::session::{BackfillId, NewSession, SessionKey, SettledBy, State, StateKind, Trigger};

/// How many sessions one INSERT has: a quarter of PostgreSQL's 65,535 bind parameters.
const SESSIONS_AT_ONCE: usize = 1_000;

/// A change of a session's state.
pub(super) struct Change<'a> {
    pub(super) from: StateKind,
    pub(super) to: &'a State,
    pub(super) at: DateTime<Utc>,
    pub(super) settled_by: Option<SettledBy>,
    /// The expected number of attempts, and the new one.
    pub(super) attempts: Option<(u32, u32)>,
    pub(super) counted_attempts: Option<u32>,
}

impl<'a> Change<'a> {
    pub(super) fn new(from: StateKind, to: &'a State, at: DateTime<Utc>) -> Self {
        Self { from, to, at, settled_by: None, attempts: None, counted_attempts: None }
    }
}

impl Transaction<'_> {
    pub(super) fn record(
        &mut self,
        job: &JobName,
        generation: u32,
        zone: Tz,
        new: &[NewSession],
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let job_id = self.job_id(job)?;
        let zone_id = self.cache.zones.find_or_insert(self.connection, zone).map_err(|error| in_job(job, error))?;
        let row = |session: &NewSession| {
            let settled_at = match &session.state {
                State::Waiting => None,
                State::Skipped { .. } | State::Succeeded => Some(micros(at)),
                other => {
                    let (date, word) = (shown(session.date), other.word());
                    return Err(LedgerError::Conflict(format!(
                        "job `{job}`, date {date}: a date enters waiting or settled, not {word}"
                    )));
                }
            };
            let (retry_at, reason) = state_columns(&session.state);
            Ok(SessionRow {
                job_id,
                generation: number(generation),
                date: micros(session.date),
                state: code(session.state.kind()),
                trigger: i16::from(session.trigger.code()),
                zone_id,
                attempts: 0,
                counted_attempts: 0,
                retry_at,
                reason: reason.map(Cow::into_owned),
                recorded_at: micros(at),
                settled_at,
                backfill_id: session.backfill,
                // A date enters as succeeded only if an operator marks it.
                settled_by: (session.state == State::Succeeded).then(|| SettledBy::Operator.word().to_owned()),
            })
        };
        for chunk in new.chunks(SESSIONS_AT_ONCE) {
            let rows = chunk.iter().map(row).collect::<Result<Vec<_>, _>>()?;
            insert(self.connection, &rows).map_err(|error| {
                let [first, last] = [chunk.first(), chunk.last()].map(|s| s.map(|s| shown(s.date)).unwrap_or_default());
                in_place(format_args!("job `{job}`, dates {first} to {last}"), error)
            })?;
        }
        let newest = new.iter().filter(|session| session.state == State::Succeeded).map(|session| session.date).max();
        match newest {
            Some(date) => self.succeeded(job_id, &SessionKey { job: job.clone(), generation, date }),
            None => Ok(()),
        }
    }

    /// Changes a session that has no open attempt.
    pub(super) fn move_session(
        &mut self,
        session: &SessionKey,
        from: StateKind,
        to: &State,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        if from == StateKind::Running || *to == State::Running {
            return Err(LedgerError::Conflict(format!(
                "{}: only an attempt's opening and its end make a date running or end that",
                Place(session)
            )));
        }
        self.change(session, &Change::new(from, to, at))
    }

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
                Place(session)
            )));
        }
        self.change(session, &Change { settled_by: Some(by), ..Change::new(from, &State::Succeeded, at) })
    }

    /// Changes the state of a session, and the last success of its job.
    pub(super) fn change(&mut self, session: &SessionKey, change: &Change<'_>) -> Result<(), LedgerError> {
        let id = self.job_id(&session.job)?;
        let (retry_at, reason) = state_columns(change.to);
        let (before, attempts) = change.attempts.unzip();
        let changed = self.execute(
            Place(session),
            || {
                "UPDATE sessions SET state = ?, attempts = coalesce(?, attempts), \
                 counted_attempts = coalesce(?, counted_attempts), retry_at = ?, reason = ?, settled_at = ?, \
                 settled_by = ? \
                 WHERE job_id = ? AND generation = ? AND date = ? AND state = ? AND attempts = coalesce(?, attempts)"
            },
            &[
                change.to.kind().code().into(),
                attempts.into(),
                change.counted_attempts.into(),
                retry_at.into(),
                reason.as_deref().into(),
                change.to.is_settled().then(|| micros(change.at)).into(),
                change.settled_by.map(SettledBy::word).into(),
                id.into(),
                session.generation.into(),
                micros(session.date).into(),
                change.from.code().into(),
                before.into(),
            ],
        )?;
        self.one_session(changed, id, session, change.from, before)?;
        if *change.to == State::Succeeded { self.succeeded(id, session) } else { Ok(()) }
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
            return Err(LedgerError::Conflict(format!("{}: a running date cannot wait", Place(session))));
        }
        let id = self.job_id(&session.job)?;
        if let Some(backfill) = backfill.filter(|_| from.is_settled()) {
            self.note_former(id, session, backfill)?;
        }
        let changed = self.execute(
            Place(session),
            || {
                "UPDATE sessions SET state = ?, trigger = ?, counted_attempts = 0, retry_at = NULL, reason = NULL, \
                 settled_at = NULL, settled_by = NULL, backfill_id = ? \
                 WHERE job_id = ? AND generation = ? AND date = ? AND state = ?"
            },
            &[
                StateKind::Waiting.code().into(),
                trigger.code().into(),
                backfill.into(),
                id.into(),
                session.generation.into(),
                micros(session.date).into(),
                from.code().into(),
            ],
        )?;
        self.one_session(changed, id, session, from, None)
    }

    pub(super) fn unanswered(
        &mut self,
        session: &SessionKey,
        answer: &str,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let id = self.job_id(&session.job)?;
        diesel::insert_into(unanswered::table)
            .values((
                unanswered::job_id.eq(id),
                unanswered::generation.eq(number(session.generation)),
                unanswered::date.eq(micros(session.date)),
                unanswered::at.eq(micros(at)),
                unanswered::answer.eq(clean(answer)),
            ))
            .execute(self.connection)
            .map_err(|error| in_place(Place(session), error))?;
        Ok(())
    }

    /// Sets a settled session to waiting as if it were recorded now.
    pub(super) fn include(
        &mut self,
        session: &SessionKey,
        from: StateKind,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let id = self.job_id(&session.job)?;
        let changed = self.execute(
            Place(session),
            || {
                "UPDATE sessions SET state = ?, trigger = ?, counted_attempts = 0, reason = NULL, settled_at = NULL, \
                 settled_by = NULL, backfill_id = NULL, recorded_at = ? \
                 WHERE job_id = ? AND generation = ? AND date = ? AND state = ? AND settled_at IS NOT NULL"
            },
            &[
                StateKind::Waiting.code().into(),
                Trigger::CatchUp.code().into(),
                micros(at).into(),
                id.into(),
                session.generation.into(),
                micros(session.date).into(),
                from.code().into(),
            ],
        )?;
        self.one_session(changed, id, session, from, None)
    }

    /// Notes what a settled session is before a backfill lets it wait again.
    fn note_former(&mut self, id: i32, session: &SessionKey, backfill: BackfillId) -> Result<(), LedgerError> {
        self.execute(
            Place(session),
            || {
                "INSERT INTO former_states (backfill_id, date, state, trigger, attempts, counted_attempts, reason, \
                 settled_at, former_id, settled_by) \
                 SELECT ?, date, state, trigger, attempts, counted_attempts, reason, settled_at, backfill_id, settled_by \
                 FROM sessions WHERE job_id = ? AND generation = ? AND date = ? AND settled_at IS NOT NULL"
            },
            &[backfill.into(), id.into(), session.generation.into(), micros(session.date).into()],
        )?;
        Ok(())
    }

    /// Returns a session without an open attempt to what it was before its backfill. One that the backfill attempted
    /// stays a date of it.
    pub(super) fn restore(
        &mut self,
        session: &SessionKey,
        (from, to): (StateKind, StateKind),
        backfill: BackfillId,
    ) -> Result<(), LedgerError> {
        if from == StateKind::Running || !to.is_settled() {
            let place = Place(session);
            return Err(LedgerError::Conflict(format!("{place}: a date that is {from} cannot return to {to}")));
        }
        let id = self.job_id(&session.job)?;
        let date = micros(session.date);
        let changed = self.execute(
            Place(session),
            || {
                "UPDATE sessions SET state = f.state, counted_attempts = f.counted_attempts, retry_at = NULL, \
                 reason = f.reason, settled_at = f.settled_at, settled_by = f.settled_by, \
                 trigger = CASE WHEN sessions.attempts = f.attempts THEN f.trigger ELSE sessions.trigger END, \
                 backfill_id = CASE WHEN sessions.attempts = f.attempts THEN f.former_id ELSE sessions.backfill_id END \
                 FROM former_states AS f WHERE f.backfill_id = ? AND f.date = ? AND f.state = ? \
                 AND sessions.job_id = ? AND sessions.generation = ? AND sessions.date = ? AND sessions.state = ? \
                 AND sessions.backfill_id = f.backfill_id"
            },
            &[
                backfill.into(),
                date.into(),
                to.code().into(),
                id.into(),
                session.generation.into(),
                date.into(),
                from.code().into(),
            ],
        )?;
        self.one_session(changed, id, session, from, None)?;
        let sql = || "DELETE FROM former_states WHERE backfill_id = ? AND date = ?";
        self.execute(Place(session), sql, &[backfill.into(), date.into()])?;
        Ok(())
    }

    /// Fails if not exactly one session was changed; the error says what is there instead.
    fn one_session(
        &mut self,
        changed: usize,
        id: i32,
        session: &SessionKey,
        expected: StateKind,
        attempts: Option<u32>,
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
                format!("`{state}` after {attempts} attempts")
            }
            None => "no such date".to_owned(),
        };
        let after = attempts.map(|attempts| format!(" after {attempts} attempts")).unwrap_or_default();
        Err(LedgerError::Conflict(format!("{}: expected `{expected}`{after}, found {found}", Place(session))))
    }
}

/// Inserts sessions: one by one with a prepared statement, except for PostgreSQL, where each statement is a round trip.
fn insert(connection: &mut AnyConnection, rows: &[SessionRow]) -> QueryResult<()> {
    if let (AnyConnection::Postgres(postgres), [_, _, ..]) = (&mut *connection, rows) {
        return diesel::insert_into(sessions::table).values(rows).execute(postgres).map(|_| ());
    }
    let sql = || {
        "INSERT INTO sessions (job_id, generation, date, state, trigger, zone_id, attempts, counted_attempts, retry_at, \
         reason, recorded_at, settled_at, backfill_id, settled_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    };
    for row in rows {
        let values = [
            row.job_id.into(),
            row.generation.into(),
            row.date.into(),
            i32::from(row.state).into(),
            i32::from(row.trigger).into(),
            i32::from(row.zone_id).into(),
            row.attempts.into(),
            row.counted_attempts.into(),
            row.retry_at.into(),
            row.reason.as_deref().into(),
            row.recorded_at.into(),
            row.settled_at.into(),
            row.backfill_id.into(),
            row.settled_by.as_deref().into(),
        ];
        prepared::execute(connection, sql, &values)?;
    }
    Ok(())
}
