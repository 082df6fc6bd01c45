//! A ledger to test, and short constructors for entries.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crontabber::job::JobName;
use crontabber::ledger::{AttemptFilter, LedgerUrl, OpenError, OpenErrorKind, Owner, Reader, SessionFilter, Writer};
use crontabber::session::{
    AttemptEnd, AttemptKey, AttemptRecord, Entry, JobRecord, NewSession, Outcome, SessionKey, SessionRecord, State,
    StateKind, Trigger,
};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tempfile::TempDir;

/// Where a test's ledger is.
pub(crate) struct World {
    pub(crate) url: LedgerUrl,
    pub(crate) directory: TempDir,
}

impl World {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = LedgerUrl::Sqlite(directory.path().join("ledger.db"));
        Self { url, directory }
    }

    pub(crate) fn postgres() -> Self {
        Self::at(&crate::postgres::database())
    }

    pub(crate) fn at(url: &str) -> Self {
        Self { url: LedgerUrl::parse(url).unwrap(), directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn file(&self) -> PathBuf {
        match &self.url {
            LedgerUrl::Sqlite(path) => path.clone(),
            LedgerUrl::Postgres(url) => panic!("{url} is no file"),
        }
    }

    pub(crate) fn writer(&self) -> Writer {
        Writer::open(&self.url, &owner(), at(0)).unwrap()
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.url).unwrap()
    }

    /// Runs SQL behind the ledger's back.
    pub(crate) fn tamper(&self, sql: &str) {
        self.try_to_tamper(sql).unwrap();
    }

    pub(crate) fn try_to_tamper(&self, sql: &str) -> QueryResult<()> {
        match &self.url {
            LedgerUrl::Sqlite(path) => SqliteConnection::establish(path.to_str().unwrap()).unwrap().batch_execute(sql),
            LedgerUrl::Postgres(url) => PgConnection::establish(url).unwrap().batch_execute(sql),
        }
    }

    /// A ledger with the job `a` and its dates 1 to 3, waiting.
    pub(crate) fn with_three_dates(&self) -> Writer {
        let mut writer = self.writer();
        writer.commit(&[enter("a"), record("a", None, &[1, 2, 3])]).unwrap();
        writer
    }
}

/// The server gives a lock back a moment after its connection has gone.
pub(crate) fn reopened(world: &World) -> Writer {
    for _ in 0..200 {
        match Writer::open(&world.url, &owner(), at(0)) {
            Err(OpenError { kind: OpenErrorKind::Busy { .. }, .. }) => std::thread::sleep(Duration::from_millis(10)),
            other => return other.unwrap(),
        }
    }
    panic!("the lock is not given back");
}

pub(crate) fn owner() -> Owner {
    Owner { host: "alpha".to_owned(), pid: 4711, version: "0.1.0".to_owned() }
}

pub(crate) fn name(name: &str) -> JobName {
    JobName::new(name).unwrap()
}

/// The `day`-th day of our calendar.
pub(crate) fn date(day: i64) -> DateTime<Utc> {
    at(0) + TimeDelta::days(day)
}

/// Seconds after the beginning.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 123_456_000).unwrap()
}

pub(crate) fn job(job: &str) -> JobRecord {
    JobRecord {
        name: name(job),
        stable_name: job.to_owned(),
        generation: 1,
        has_replaced: false,
        seen_at: at(1),
        first_date: at(2),
        timetable_from: at(3),
        watermark: None,
        timetable: "every day".to_owned(),
        last_success: None,
        complete_after: None,
        has_excluded: false,
        action: "0123456789abcdef".to_owned(),
        in_registry: true,
        strict_after: None,
    }
}

pub(crate) fn enter(name: &str) -> Entry {
    Entry::Enter(job(name))
}

pub(crate) fn waiting(day: i64) -> NewSession {
    NewSession { date: date(day), state: State::Waiting, trigger: Trigger::CatchUp, backfill: None }
}

pub(crate) fn record(job: &str, watermark: Option<i64>, days: &[i64]) -> Entry {
    Entry::Record {
        job: name(job),
        generation: 1,
        watermark: watermark.map(date),
        to: days.last().copied().or(watermark).map(date),
        zone: chrono_tz::UTC,
        sessions: days.iter().copied().map(waiting).collect(),
        at: at(10),
    }
}

pub(crate) fn session(job: &str, day: i64) -> SessionKey {
    SessionKey { job: name(job), generation: 1, date: date(day) }
}

pub(crate) fn attempt(job: &str, day: i64, number: u32) -> AttemptKey {
    AttemptKey { session: session(job, day), number }
}

pub(crate) fn open(job: &str, day: i64, number: u32, from: StateKind) -> Entry {
    Entry::Open {
        attempt: attempt(job, day, number),
        from,
        trigger: Trigger::Schedule,
        host: "alpha".to_owned(),
        started_at: at(20),
    }
}

pub(crate) fn end(outcome: Outcome) -> AttemptEnd {
    AttemptEnd {
        outcome,
        ended_at: at(30),
        duration: Some(Duration::from_micros(1_500_001)),
        detail: None,
        has_log: true,
        usage: None,
    }
}

pub(crate) fn close(job: &str, day: i64, number: u32, outcome: Outcome, state: State) -> Entry {
    Entry::Close { attempt: attempt(job, day, number), end: end(outcome), state, counted_attempts: number }
}

pub(crate) fn succeed(job: &str, day: i64, number: u32) -> Entry {
    close(job, day, number, Outcome::Succeeded, State::Succeeded)
}

pub(crate) fn fail(job: &str, day: i64, number: u32) -> Entry {
    close(job, day, number, Outcome::Failed { code: 3 }, State::Failed { retry_at: at(300) })
}

pub(crate) fn sessions(reader: &mut Reader, filter: &SessionFilter) -> Vec<SessionRecord> {
    let mut all = Vec::new();
    reader
        .sessions(filter, &mut |record| {
            all.push(record);
            ControlFlow::Continue(())
        })
        .unwrap();
    all
}

pub(crate) fn attempts(reader: &mut Reader, filter: &AttemptFilter) -> Vec<AttemptRecord> {
    let mut all = Vec::new();
    reader
        .attempts(filter, &mut |record| {
            all.push(record);
            ControlFlow::Continue(())
        })
        .unwrap();
    all
}
