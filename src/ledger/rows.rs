//! Converts records to rows and back. Instants are microseconds of UTC.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::prelude::*;

use super::error::LedgerError;
use super::schema::{attempts, hosts, jobs, sessions};
use super::zones::Zones;
use crate::job::JobName;
use crate::session::{
    AttemptEnd, AttemptKey, AttemptRecord, BackfillRecord, JobRecord, Outcome, OutcomeKind, ProcessIdentity,
    SessionKey, SessionRecord, SettledBy, SkipReason, State, StateKind, StrictAfter, Trigger, Usage,
};

/// A row of `jobs`.
#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = jobs, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(super) struct JobRow {
    pub(super) id: i32,
    pub(super) name: String,
    stable_name: String,
    pub(super) generation: i32,
    has_replaced: bool,
    seen_at: i64,
    first_date: i64,
    timetable_from: i64,
    watermark: Option<i64>,
    timetable: String,
    complete_after: Option<i64>,
    has_excluded: bool,
    action: String,
    in_registry: bool,
    last_success: Option<i64>,
    strict_after_generation: Option<i32>,
    strict_after: Option<i64>,
}

/// A row of `sessions`.
#[derive(Queryable, Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub(super) struct SessionRow {
    pub(super) job_id: i32,
    pub(super) generation: i32,
    pub(super) date: i64,
    pub(super) state: i16,
    pub(super) trigger: i16,
    pub(super) zone_id: i16,
    pub(super) attempts: i32,
    pub(super) counted_attempts: i32,
    pub(super) retry_at: Option<i64>,
    pub(super) reason: Option<String>,
    pub(super) recorded_at: i64,
    pub(super) settled_at: Option<i64>,
    pub(super) backfill_id: Option<i64>,
    pub(super) settled_by: Option<String>,
}

/// A row of `attempts`, with its host.
#[derive(Queryable, Selectable)]
#[diesel(table_name = attempts)]
pub(super) struct AttemptRow {
    pub(super) job_id: i32,
    pub(super) generation: i32,
    pub(super) date: i64,
    pub(super) number: i32,
    trigger: i16,
    pub(super) zone_id: i16,
    #[diesel(select_expression = hosts::name)]
    host: String,
    pid: Option<i32>,
    start_ticks: Option<i64>,
    #[diesel(select_expression = hosts::boot_id)]
    boot_id: Option<String>,
    started_at: i64,
    ended_at: Option<i64>,
    pub(super) outcome: Option<i16>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    duration_micros: Option<i64>,
    detail: Option<String>,
    has_log: bool,
    cpu_user_micros: Option<i64>,
    cpu_system_micros: Option<i64>,
    peak_memory_bytes: Option<i64>,
}

impl JobRow {
    pub(super) fn new(id: i32, record: &JobRecord) -> Self {
        Self {
            id,
            name: record.name.as_str().to_owned(),
            stable_name: record.stable_name.clone(),
            generation: number(record.generation),
            has_replaced: record.has_replaced,
            seen_at: micros(record.seen_at),
            first_date: micros(record.first_date),
            timetable_from: micros(record.timetable_from),
            watermark: record.watermark.map(micros),
            timetable: record.timetable.clone(),
            complete_after: record.complete_after.map(micros),
            has_excluded: record.has_excluded,
            action: record.action.clone(),
            in_registry: record.in_registry,
            last_success: record.last_success.map(micros),
            strict_after_generation: record.strict_after.map(|after| number(after.generation)),
            strict_after: record.strict_after.map(|after| micros(after.date)),
        }
    }

    pub(super) fn record(self) -> Result<JobRecord, LedgerError> {
        Ok(JobRecord {
            name: job_name(&self.name)?,
            stable_name: self.stable_name,
            generation: count(self.generation),
            has_replaced: self.has_replaced,
            seen_at: instant(self.seen_at)?,
            first_date: instant(self.first_date)?,
            timetable_from: instant(self.timetable_from)?,
            watermark: self.watermark.map(instant).transpose()?,
            timetable: self.timetable,
            complete_after: self.complete_after.map(instant).transpose()?,
            has_excluded: self.has_excluded,
            action: self.action,
            in_registry: self.in_registry,
            last_success: self.last_success.map(instant).transpose()?,
            strict_after: match (self.strict_after_generation, self.strict_after) {
                (Some(generation), Some(date)) => {
                    Some(StrictAfter { generation: count(generation), date: instant(date)? })
                }
                _ => None,
            },
        })
    }
}

impl SessionRow {
    pub(super) fn record(self, job: &JobName, zones: &Zones) -> Result<SessionRecord, LedgerError> {
        let date = instant(self.date)?;
        let strange = |what: &str, value: &dyn Display| damaged(job, date, what, value);
        let kind = StateKind::from_code(self.state).ok_or_else(|| strange("state", &self.state))?;
        let state = match (kind, self.retry_at, self.reason) {
            (StateKind::Waiting, ..) => State::Waiting,
            (StateKind::Running, ..) => State::Running,
            (StateKind::Succeeded, ..) => State::Succeeded,
            (StateKind::Failed, Some(retry_at), _) => State::Failed { retry_at: instant(retry_at)? },
            (StateKind::Held, _, Some(reason)) => State::Held { reason },
            (StateKind::Skipped, _, Some(reason)) => {
                State::Skipped { reason: SkipReason::from_word(&reason).ok_or_else(|| strange("reason", &reason))? }
            }
            (kind, ..) => return Err(strange("state", &kind)),
        };
        Ok(SessionRecord {
            key: SessionKey { job: job.clone(), generation: count(self.generation), date },
            zone: zones.get(self.zone_id)?,
            state,
            trigger: Trigger::from_code(self.trigger).ok_or_else(|| strange("trigger", &self.trigger))?,
            attempts: count(self.attempts),
            counted_attempts: count(self.counted_attempts),
            recorded_at: instant(self.recorded_at)?,
            settled_at: self.settled_at.map(instant).transpose()?,
            backfill: self.backfill_id,
            settled_by: self
                .settled_by
                .map(|word| SettledBy::from_word(&word).ok_or_else(|| strange("settled_by", &word)))
                .transpose()?,
        })
    }
}

impl AttemptRow {
    fn usage(&self) -> Option<Usage> {
        Some(Usage {
            cpu_user: Duration::from_micros(self.cpu_user_micros?.unsigned_abs()),
            cpu_system: Duration::from_micros(self.cpu_system_micros?.unsigned_abs()),
            peak_memory: self.peak_memory_bytes?.unsigned_abs(),
        })
    }

    pub(super) fn record(self, job: &JobName, zones: &Zones) -> Result<AttemptRecord, LedgerError> {
        let date = instant(self.date)?;
        let strange = |what: &str, value: &dyn Display| damaged(job, date, what, value);
        let usage = self.usage();
        let process = match (self.pid, self.start_ticks, self.boot_id) {
            (Some(pid), Some(ticks), Some(boot_id)) => {
                Some(ProcessIdentity { pid, start_ticks: ticks.cast_unsigned(), boot_id })
            }
            _ => None,
        };
        let end = match (self.outcome, self.ended_at) {
            (Some(code), Some(ended_at)) => Some(AttemptEnd {
                outcome: OutcomeKind::from_code(code)
                    .and_then(|kind| Outcome::new(kind, self.exit_code.or(self.signal)))
                    .ok_or_else(|| strange("outcome", &code))?,
                ended_at: instant(ended_at)?,
                duration: self.duration_micros.map(|micros| Duration::from_micros(micros.unsigned_abs())),
                detail: self.detail,
                has_log: self.has_log,
                usage,
            }),
            _ => None,
        };
        Ok(AttemptRecord {
            key: AttemptKey {
                session: SessionKey { job: job.clone(), generation: count(self.generation), date },
                number: count(self.number),
            },
            zone: zones.get(self.zone_id)?,
            trigger: Trigger::from_code(self.trigger).ok_or_else(|| strange("trigger", &self.trigger))?,
            host: self.host,
            process,
            started_at: instant(self.started_at)?,
            end,
        })
    }
}

/// The code of a state as the column takes it.
pub(super) fn code(kind: StateKind) -> i16 {
    i16::from(kind.code())
}

/// The columns `retry_at` and `reason` of a state.
pub(super) fn state_columns(state: &State) -> (Option<i64>, Option<Cow<'_, str>>) {
    match state {
        State::Waiting | State::Running | State::Succeeded => (None, None),
        State::Failed { retry_at } => (Some(micros(*retry_at)), None),
        State::Held { reason } => (None, Some(clean(reason))),
        State::Skipped { reason } => (None, Some(Cow::Borrowed(reason.word()))),
    }
}

/// The columns `exit_code` and `signal` of an outcome.
pub(super) fn outcome_columns(outcome: Outcome) -> (Option<i32>, Option<i32>) {
    match outcome {
        Outcome::Failed { code } => (Some(code), None),
        other => (None, other.number()),
    }
}

/// The columns `cpu_user_micros`, `cpu_system_micros` and `peak_memory_bytes`: all or none.
pub(super) fn usage_columns(usage: Option<Usage>) -> [Option<i64>; 3] {
    let micros = |taken: Duration| i64::try_from(taken.as_micros()).unwrap_or(i64::MAX);
    usage.map_or([None; 3], |Usage { cpu_user, cpu_system, peak_memory }| {
        let peak_memory = i64::try_from(peak_memory).unwrap_or(i64::MAX);
        [Some(micros(cpu_user)), Some(micros(cpu_system)), Some(peak_memory)]
    })
}

/// The column of an instant.
pub(super) fn micros(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}

/// The instant of a column.
pub(super) fn instant(micros: i64) -> Result<DateTime<Utc>, LedgerError> {
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| LedgerError::Corrupt(format!("{micros} is not an instant that has a date")))
}

/// The job name of a column.
pub(super) fn job_name(name: &str) -> Result<JobName, LedgerError> {
    JobName::new(name).map_err(|error| LedgerError::Corrupt(format!("the job name `{name}`: {error}")))
}

/// The job name of a column that is empty if there is none.
pub(super) fn job_if_any(name: &str) -> Result<Option<JobName>, LedgerError> {
    if name.is_empty() { Ok(None) } else { job_name(name).map(Some) }
}

/// The column of a count; no count reaches the limit.
pub(super) fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The count of a column; the CHECKs refuse negative ones.
pub(super) fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// A text without NUL, which PostgreSQL refuses.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The text of a date in messages.
pub(super) fn shown(date: DateTime<Utc>) -> String {
    date.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn damaged(job: &JobName, date: DateTime<Utc>, what: &str, value: &dyn Display) -> LedgerError {
    LedgerError::Corrupt(format!("job `{job}`, date {}: the {what} `{value}` is unknown here", shown(date)))
}

/// A row of `backfills`.
pub(super) type BackfillRow = (i64, i32, i32, Option<String>, bool, i32, i64, Option<i64>);

/// The backfill of a row.
pub(super) fn backfill_record(row: BackfillRow, job: JobName) -> Result<BackfillRecord, LedgerError> {
    let (id, _, generation, name, newest_first, parallel, entered_at, cancelled_by) = row;
    let (generation, parallel, entered_at) = (count(generation), count(parallel), instant(entered_at)?);
    Ok(BackfillRecord { id, job, generation, name, newest_first, parallel, entered_at, cancelled_by })
}
