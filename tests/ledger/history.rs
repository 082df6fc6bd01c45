//! The whole history as `verify` reads it: complete, in order, from one snapshot; and every violation is found.

use std::ops::ControlFlow;

use chrono::{DateTime, TimeDelta, Utc};
use crontabber::invariants::{Examination, Row, Subject};
use crontabber::ledger::{LedgerUrl, Writer};
use crontabber::session::{Entry, JobRecord, Outcome, State, StateKind, StrictAfter};

use crate::on_both;
use crate::world::*;

on_both! {
    all_rows_are_read_in_order
    a_snapshot_is_of_one_instant
    a_good_ledger_keeps_the_promise
    every_violation_is_named
}

/// Each job with its rows: `s` a session, `a` an attempt, with generation, day and number.
fn history(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let day = |date: DateTime<Utc>| (date - at(0)).num_days();
    let read = world.reader().snapshot(|snapshot| {
        for (record, _) in snapshot.jobs().unwrap() {
            let name = record.name;
            let each = &mut |row: Row| {
                found.push(match row {
                    Row::Session(session) => format!("{name} s{}:{}", session.key.generation, day(session.key.date)),
                    Row::Attempt(attempt) => {
                        let key = attempt.key;
                        format!("{name} a{}:{}:{}", key.session.generation, day(key.session.date), key.number)
                    }
                });
                ControlFlow::Continue(())
            };
            snapshot.rows(&name, each).unwrap();
        }
    });
    read.unwrap();
    found
}

/// A second generation of a job, as a reset makes it.
fn reset(name: &str) -> Entry {
    Entry::Reset(JobRecord { generation: 2, ..job(name) })
}

fn all_rows_are_read_in_order(world: &World) {
    let mut writer = world.writer();
    let days: Vec<i64> = (1..=2_100).collect();
    let mut again = record("a", None, &[1, 2]);
    if let Entry::Record { generation, .. } = &mut again {
        *generation = 2;
    }
    let attempts = (1..=1_100).flat_map(|number| {
        let from = if number == 1 { StateKind::Waiting } else { StateKind::Failed };
        [open("a", 7, number, from), fail("a", 7, number)]
    });
    let first = [enter("b"), record("b", None, &[1]), enter("a"), record("a", None, &days)];
    let last = [open("a", 9, 1, StateKind::Waiting), reset("a"), again];
    writer.commit(&first.into_iter().chain(attempts).chain(last).collect::<Vec<_>>()).unwrap();
    let mut expected = Vec::new();
    for day in days {
        expected.push(format!("a s1:{day}"));
        match day {
            7 => expected.extend((1..=1_100).map(|number| format!("a a1:7:{number}"))),
            9 => expected.push("a a1:9:1".to_owned()),
            _ => {}
        }
    }
    expected.extend(["a s2:1", "a s2:2", "b s1:1"].map(str::to_owned));
    let found = history(world);
    assert!(found == expected, "{} rows, {} expected", found.len(), expected.len());
}

fn a_snapshot_is_of_one_instant(world: &World) {
    let mut writer = world.with_three_dates();
    let seen = world.reader().snapshot(|snapshot| {
        let jobs = snapshot.jobs().unwrap();
        writer.commit(&[open("a", 1, 1, StateKind::Waiting), record("a", Some(3), &[4]), enter("b")]).unwrap();
        let mut rows = Vec::new();
        let each = &mut |row| {
            rows.push(row);
            ControlFlow::Continue(())
        };
        snapshot.rows(&name("a"), each).unwrap();
        (jobs.len(), rows.len(), matches!(&rows[0], Row::Session(session) if session.state == State::Waiting))
    });
    assert_eq!(seen.unwrap(), (1, 3, true));
    assert_eq!(history(world).len(), 5, "and the next snapshot has what came since");
}

/// A daily job on its fourth date, which runs, after a success, a retried failure and a success.
fn good(world: &World) -> Writer {
    let mut writer = world.writer();
    let mut record = job("a");
    record.timetable = format!("every=\"1d\" at=\"{}\" zone=\"UTC\" delay=\"0\"", at(0).format("%H:%M"));
    record.strict_after = Some(StrictAfter { generation: 0, date: day(1) });
    (record.first_date, record.timetable_from) = (day(1), day(1) - TimeDelta::microseconds(1));
    let sessions = (1..=4).map(|n| crontabber::session::NewSession { date: day(n), ..waiting(n) }).collect();
    let dates = Entry::Record {
        job: name("a"),
        generation: 1,
        watermark: None,
        to: Some(day(4)),
        zone: chrono_tz::UTC,
        sessions,
        at: at(10),
    };
    let mut entries = vec![Entry::Enter(record), dates];
    let run = |n: i64, number, from, close: Entry| {
        let mut pair = [open("a", n, number, from), close];
        for entry in &mut pair {
            if let Entry::Open { attempt, .. } | Entry::Close { attempt, .. } = entry {
                attempt.session.date = day(n);
            }
        }
        pair
    };
    entries.extend(run(1, 1, StateKind::Waiting, succeed("a", 1, 1)));
    entries.extend(run(2, 1, StateKind::Waiting, fail("a", 2, 1)));
    entries.extend(run(2, 2, StateKind::Failed, succeed("a", 2, 2)));
    entries.extend(run(3, 1, StateKind::Waiting, succeed("a", 3, 1)));
    entries.extend(run(4, 1, StateKind::Waiting, close("a", 4, 1, Outcome::Lost, State::Failed { retry_at: at(90) })));
    writer.commit(&entries).unwrap();
    writer
}

/// The n-th date of that job, on a whole minute as every date is.
fn day(n: i64) -> DateTime<Utc> {
    let minute = at(0).timestamp() / 60 * 60;
    DateTime::from_timestamp(minute, 0).unwrap() + TimeDelta::days(n)
}

/// What is found, as `rule day`.
fn found(world: &World) -> Vec<String> {
    let read = world.reader().snapshot(|snapshot| {
        let mut found = Vec::new();
        for (record, resets) in snapshot.jobs().unwrap() {
            let subject = Subject::new(record, chrono_tz::UTC, resets);
            let mut examination = Examination::new(&subject);
            let each = &mut |row| {
                examination.row(row);
                ControlFlow::Continue(())
            };
            snapshot.rows(subject.job(), each).unwrap();
            for violation in examination.finish().0 {
                let day = violation.date.map_or_else(|| "-".to_owned(), |date| (date - day(0)).num_days().to_string());
                found.push(format!("{} {day}", violation.rule.word()));
            }
        }
        found
    });
    read.unwrap()
}

fn a_good_ledger_keeps_the_promise(world: &World) {
    drop(good(world));
    assert_eq!(found(world), [""; 0]);
}

/// Runs SQL that the schema would not let in.
fn force(world: &World, sql: &str) {
    let free = match &world.url {
        LedgerUrl::Sqlite(_) => {
            "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; DROP INDEX IF EXISTS attempts_open; "
        }
        LedgerUrl::Postgres(_) => {
            "DROP INDEX IF EXISTS attempts_open; \
             DO $$ DECLARE c record; BEGIN \
             FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype IN ('c', 'f') \
             AND connamespace = current_schema()::regnamespace LOOP \
             EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname); END LOOP; END $$; "
        }
    };
    world.tamper(&format!("{free}{sql}"));
}

fn every_violation_is_named(world: &World) {
    drop(good(world));
    let [d1, d2, d3, d4] = [1, 2, 3, 4].map(|n| day(n).timestamp_micros());
    // Each with what sets it right again.
    let cases = [
        (
            format!(
                "UPDATE sessions SET attempts = 2 WHERE date = {d1}; \
                     INSERT INTO attempts (job_id, generation, date, number, trigger, zone_id, host_id, started_at, has_log) \
                     VALUES (1, 1, {d1}, 2, 3, 0, -1, {d1} + 50, FALSE)"
            ),
            format!(
                "DELETE FROM attempts WHERE date = {d1} AND number = 2; UPDATE sessions SET attempts = 1 WHERE date = {d1}"
            ),
            &["P1 1", "P2 1"][..],
        ),
        (
            format!("UPDATE attempts SET outcome = 6 WHERE date = {d3}"),
            format!("UPDATE attempts SET outcome = 0 WHERE date = {d3}"),
            &["P1 3"],
        ),
        (
            format!("UPDATE attempts SET outcome = NULL, ended_at = NULL WHERE date = {d4}"),
            format!("UPDATE attempts SET outcome = 6, ended_at = {d4} + 30 WHERE date = {d4}"),
            &["P2 4"],
        ),
        (
            format!("UPDATE sessions SET state = 2 WHERE date = {d4}"),
            format!("UPDATE sessions SET state = 3 WHERE date = {d4}"),
            &["P2 4"],
        ),
        (
            format!("UPDATE sessions SET state = 0, settled_at = NULL WHERE date = {d2}"),
            format!("UPDATE sessions SET state = 1, settled_at = {d2} + 30 WHERE date = {d2}"),
            &["P1 2", "P3 3", "P3 4"],
        ),
        (format!("UPDATE jobs SET watermark = {d3}"), format!("UPDATE jobs SET watermark = {d4}"), &["P5 4"]),
        (
            "UPDATE jobs SET generation = 2, watermark = NULL, last_success = NULL".to_owned(),
            format!("UPDATE jobs SET generation = 1, watermark = {d4}, last_success = {d3}"),
            &["P5 -"],
        ),
        (
            format!("UPDATE sessions SET counted_attempts = 9 WHERE date = {d1}"),
            format!("UPDATE sessions SET counted_attempts = 1 WHERE date = {d1}"),
            &["rows 1"],
        ),
        ("UPDATE jobs SET last_success = NULL".to_owned(), format!("UPDATE jobs SET last_success = {d3}"), &["rows -"]),
        (
            format!(
                "UPDATE attempts SET number = 3 WHERE date = {d2} AND number = 2; UPDATE sessions SET attempts = 3 WHERE date = {d2}"
            ),
            format!(
                "UPDATE attempts SET number = 2 WHERE date = {d2} AND number = 3; UPDATE sessions SET attempts = 2 WHERE date = {d2}"
            ),
            &["rows 2"],
        ),
    ];
    for (wrong, right, expected) in cases {
        force(world, &wrong);
        assert_eq!(found(world), expected, "{wrong}");
        force(world, &right);
        assert_eq!(found(world), [""; 0], "{right}");
    }
    force(world, &format!("DELETE FROM sessions WHERE date = {d2}"));
    assert_eq!(found(world), ["rows 2", "rows 2", "P4 2"], "its attempts are left alone");
}
