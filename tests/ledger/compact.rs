//! The schema of numbers for words: what an older ledger had is all there afterwards, can be taken back, and is
//! readable for a person who opens the database by hand.

use std::time::Duration;

use crontabber::ledger::{AttemptFilter, LedgerUrl, SessionFilter};
use crontabber::session::{
    AttemptEnd, Entry, NewSession, Outcome, ProcessIdentity, SettledBy, SkipReason, State, StateKind, Trigger, Usage,
};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use insta::assert_snapshot;

use crate::on_both;
use crate::world::*;

on_both! {
    an_older_ledger_keeps_every_row
    the_numbers_can_be_taken_back
    a_person_reads_words_and_instants
    a_machine_that_is_renamed_keeps_the_name_that_it_had
    what_cannot_be_is_refused
}

/// The columns of the third schema, as one text.
const OLD_SESSIONS: &str = "job_id, generation, date, state, trigger, attempts, used, retry_at, reason, recorded_at, \
                            settled_at, backfill_id, settled_by";
const OLD_ATTEMPTS: &str = "job_id, generation, date, number, trigger, host, pid, start_ticks, boot_id, started_at, \
                            ended_at, outcome, exit_code, signal, duration_micros, detail, has_log, cpu_user_micros, \
                            cpu_system_micros, peak_memory_bytes";

/// The third schema, with a row of every state, outcome and trigger that it had.
fn third_schema(world: &World) {
    macro_rules! up {
        ($backend:literal) => {
            concat!(
                include_str!(concat!("../../migrations/", $backend, "/0001_ledger/up.sql")),
                include_str!(concat!("../../migrations/", $backend, "/0002_usage/up.sql")),
                include_str!(concat!("../../migrations/", $backend, "/0003_operator/up.sql")),
            )
        };
    }
    world.tamper(match &world.url {
        LedgerUrl::Sqlite(_) => up!("sqlite"),
        LedgerUrl::Postgres(_) => up!("postgres"),
    });
    let [d1, d2, d3, d4, d5, d6, d7] = [1, 2, 3, 4, 5, 6, 7].map(|day| date(day).timestamp_micros());
    world.tamper(&format!(
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
         run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP); \
         INSERT INTO __diesel_schema_migrations (version) VALUES ('0001'), ('0002'), ('0003'); \
         INSERT INTO jobs (id, name, generation, seen_at, since, anchor, clock, timetable, last_success) \
         VALUES (3, 'a', 2, 1, 1, 1, {d7}, 'every day', {d2}), (8, 'b', 1, 1, 1, 1, {d1}, 'every day', NULL); \
         INSERT INTO sessions ({OLD_SESSIONS}) VALUES \
         (3, 1, {d1}, 'succeeded', 'backfill', 7, 6, NULL, NULL, {d1} + 10, {d1} + 90, 5, NULL), \
         (3, 2, {d1}, 'succeeded', 'schedule', 0, 0, NULL, NULL, {d1} + 10, {d1} - 7, NULL, 'done-when'), \
         (3, 2, {d2}, 'waiting', 'catch-up', 0, 0, NULL, NULL, {d2}, NULL, NULL, NULL), \
         (3, 2, {d3}, 'running', 'manual', 1, 0, NULL, NULL, {d3} + 10, NULL, NULL, NULL), \
         (3, 2, {d4}, 'failed', 'schedule', 1, 1, 99, NULL, {d4} + 10, NULL, NULL, NULL), \
         (3, 2, {d5}, 'held', 'schedule', 0, 0, NULL, 'what''s up', {d5} + 10, NULL, NULL, NULL), \
         (3, 2, {d6}, 'skipped', 'schedule', 0, 0, NULL, 'too-old', {d6} + 10, {d6} + 10, NULL, NULL), \
         (8, 1, {d1}, 'running', 'schedule', 1, 0, NULL, NULL, {d1} + 10, NULL, NULL, NULL); \
         INSERT INTO attempts ({OLD_ATTEMPTS}) VALUES \
         (3, 1, {d1}, 1, 'backfill', 'alpha', 77, 99, 'boot-1', {d1} + 20, {d1} + 30, 'failed', 3, NULL, 10, NULL, TRUE, 1, 2, 3), \
         (3, 1, {d1}, 2, 'retry', 'alpha', 77, 99, 'boot-2', {d1} + 21, {d1} + 31, 'killed', NULL, 9, 10, NULL, TRUE, 0, 0, 0), \
         (3, 1, {d1}, 3, 'retry', 'beta', 77, -1, 'boot-1', {d1} + 22, {d1} + 32, 'timed-out', NULL, NULL, 10, NULL, TRUE, NULL, NULL, NULL), \
         (3, 1, {d1}, 4, 'retry', 'beta', NULL, NULL, NULL, {d1} + 23, {d1} + 33, 'cancelled', NULL, NULL, NULL, 'no', FALSE, NULL, NULL, NULL), \
         (3, 1, {d1}, 5, 'manual', 'alpha', NULL, NULL, NULL, {d1} + 24, {d1} - 34, 'interrupted', NULL, NULL, NULL, NULL, FALSE, NULL, NULL, NULL), \
         (3, 1, {d1}, 6, 'catch-up', 'alpha', 1, 1, 'boot-2', {d1} + 25, {d1} + 35, 'lost', NULL, NULL, NULL, NULL, FALSE, NULL, NULL, NULL), \
         (3, 1, {d1}, 7, 'retry', 'alpha', 1, 1, 'boot-2', {d1} + 26, {d1} + 36, 'succeeded', NULL, NULL, 4, NULL, TRUE, NULL, NULL, NULL), \
         (3, 2, {d3}, 1, 'manual', 'alpha', 1, 2, 'boot-2', {d3} + 20, NULL, NULL, NULL, NULL, NULL, NULL, FALSE, NULL, NULL, NULL), \
         (3, 2, {d4}, 1, 'schedule', 'alpha', NULL, NULL, NULL, {d4} + 20, {d4} + 30, 'failed', 127, NULL, NULL, 'gone', FALSE, NULL, NULL, NULL), \
         (8, 1, {d1}, 1, 'schedule', 'beta', NULL, NULL, NULL, {d1} + 20, NULL, NULL, NULL, NULL, NULL, NULL, FALSE, NULL, NULL, NULL);"
    ));
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Nullable<Text>)]
    line: Option<String>,
}

/// The rows of a table or a view, each in one line.
fn lines(world: &World, columns: &str, table: &str, order: &str) -> String {
    let parts: Vec<String> =
        columns.split(',').map(|column| format!("coalesce(CAST({} AS TEXT), '-')", column.trim())).collect();
    let sql = format!("SELECT {} AS line FROM {table} ORDER BY {order}", parts.join(" || ' ' || "));
    let rows: Vec<Line> = match &world.url {
        LedgerUrl::Sqlite(path) => {
            let mut sqlite = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            diesel::sql_query(sql).load(&mut sqlite).unwrap()
        }
        LedgerUrl::Postgres(url) => diesel::sql_query(sql).load(&mut PgConnection::establish(url).unwrap()).unwrap(),
    };
    let lines: Vec<String> = rows.into_iter().map(|row| row.line.unwrap_or_default()).collect();
    // The one database has a word for yes, the other a number.
    lines.join("\n").replace(" true", " 1").replace(" false", " 0")
}

/// Everything that the third schema had of sessions and attempts.
fn old_rows(world: &World) -> (String, String) {
    (
        lines(world, OLD_SESSIONS, "sessions", "job_id, generation, date"),
        lines(world, OLD_ATTEMPTS, "attempts", "job_id, generation, date, number"),
    )
}

fn an_older_ledger_keeps_every_row(world: &World) {
    third_schema(world);
    let recovered = world.writer().load().unwrap();
    assert_eq!((recovered.sessions.len(), recovered.open.len()), (5, 2));
    let mut reader = world.reader();
    let found = sessions(&mut reader, &SessionFilter { all_generations: true, ..SessionFilter::default() });
    let states: Vec<State> = found.iter().map(|session| session.state.clone()).collect();
    let at = |micros| chrono::DateTime::from_timestamp_micros(micros).unwrap();
    let held = State::Held { reason: "what's up".to_owned() };
    let (failed, skipped) = (State::Failed { retry_at: at(99) }, State::Skipped { reason: SkipReason::TooOld });
    let succeeded = State::Succeeded;
    let expected =
        [succeeded.clone(), succeeded, State::Running, State::Waiting, State::Running, failed, held, skipped];
    assert_eq!(states, expected);
    assert_eq!(found[1].settled_by, Some(SettledBy::DoneWhen));
    assert_eq!((found[0].backfill, found[0].trigger), (Some(5), Trigger::Backfill));
    let after = |session: usize| (found[session].recorded_at - found[session].key.date).num_microseconds().unwrap();
    assert_eq!((after(0), after(3)), (10, 0));
    assert_eq!(found[1].settled_at.unwrap() - found[1].key.date, chrono::TimeDelta::microseconds(-7));
    let found = attempts(&mut reader, &AttemptFilter { all_generations: true, ..AttemptFilter::default() });
    let ended: Vec<String> =
        found.iter().map(|tried| tried.end.as_ref().map_or("open".to_owned(), |end| end.outcome.to_string())).collect();
    let expected =
        ["failed(3)", "killed(9)", "timed-out", "cancelled", "interrupted", "lost", "succeeded", "open", "open"];
    assert_eq!(ended, [&expected[..], &["failed(127)"]].concat());
    let hosts: Vec<(&str, Option<&str>)> = found
        .iter()
        .map(|tried| (tried.host.as_str(), tried.process.as_ref().map(|process| process.boot_id.as_str())))
        .collect();
    let expected = [
        ("alpha", Some("boot-1")),
        ("alpha", Some("boot-2")),
        ("beta", Some("boot-1")),
        ("beta", None),
        ("alpha", None),
        ("alpha", Some("boot-2")),
        ("alpha", Some("boot-2")),
        ("beta", None),
        ("alpha", Some("boot-2")),
        ("alpha", None),
    ];
    assert_eq!(hosts, expected);
    assert_eq!(found[2].process.as_ref().unwrap().start_ticks, u64::MAX);
}

fn the_numbers_can_be_taken_back(world: &World) {
    third_schema(world);
    let before = old_rows(world);
    drop(world.writer());
    world.tamper(match &world.url {
        LedgerUrl::Sqlite(_) => include_str!("../../migrations/sqlite/0004_compact/down.sql"),
        LedgerUrl::Postgres(_) => include_str!("../../migrations/postgres/0004_compact/down.sql"),
    });
    assert_eq!(old_rows(world), before);
    world.tamper("DELETE FROM __diesel_schema_migrations WHERE version = '0004'");
    assert_eq!(reopened(world).load().unwrap().open.len(), 2);
}

fn a_person_reads_words_and_instants(world: &World) {
    let mut writer = world.writer();
    let triggers = [Trigger::Schedule, Trigger::CatchUp, Trigger::Backfill, Trigger::Manual, Trigger::Required];
    let sessions = (1..).zip(triggers).map(|(day, trigger)| NewSession { trigger, ..waiting(day) }).collect();
    let skipped = NewSession { state: State::Skipped { reason: SkipReason::Superseded }, ..waiting(6) };
    let dates = |watermark: Option<i64>, to, sessions| Entry::Record {
        job: name("a"),
        generation: 1,
        watermark: watermark.map(date),
        to: Some(date(to)),
        sessions,
        at: at(10),
    };
    let shift = Entry::Move {
        session: session("a", 4),
        from: StateKind::Waiting,
        to: State::Held { reason: "no".to_owned() },
        at: at(1),
    };
    writer.commit(&[vec![enter("a"), dates(None, 5, sessions), dates(Some(5), 6, vec![skipped]), shift]]).unwrap();
    let outcomes = [
        Outcome::Failed { code: 255 },
        Outcome::Killed { signal: 9 },
        Outcome::TimedOut,
        Outcome::Cancelled,
        Outcome::Interrupted,
        Outcome::Lost,
        Outcome::Succeeded,
    ];
    for (number, outcome) in (1..).zip(outcomes) {
        let state = if outcome == Outcome::Succeeded { State::Succeeded } else { State::Waiting };
        let usage = Usage { cpu_user: Duration::from_micros(7), cpu_system: Duration::from_micros(8), peak_memory: 9 };
        let end = AttemptEnd { usage: Some(usage), ..end(outcome) };
        let attempt = attempt("a", 1, number);
        let process = ProcessIdentity { pid: 99, start_ticks: 5, boot_id: "5f0c".to_owned() };
        let note = Entry::Process { attempt: attempt.clone(), process };
        let close = Entry::Close { attempt, end, state, counted_attempts: 0 };
        let mut opened = open("a", 1, number, StateKind::Waiting);
        if let Entry::Open { trigger, .. } = &mut opened {
            *trigger = if number == 1 { Trigger::Schedule } else { Trigger::Retry };
        }
        writer.commit(&[vec![opened, note, close]]).unwrap();
    }
    writer
        .commit(&[vec![open("a", 2, 1, StateKind::Waiting), fail("a", 2, 1), open("a", 3, 1, StateKind::Waiting)]])
        .unwrap();
    let columns = "job, generation, date, state, trigger, attempts, used, retry_at, reason, recorded_at, settled_at, \
                   backfill_id, settled_by";
    assert_snapshot!(lines(world, columns, "readable_sessions", "date"), @"
    a 1 2026-05-29T20:26:40.123456Z succeeded schedule 7 0 - - 2026-05-28T20:26:50.123456Z 2026-05-28T20:27:10.123456Z - -
    a 1 2026-05-30T20:26:40.123456Z failed catch-up 1 1 2026-05-28T20:31:40.123456Z - 2026-05-28T20:26:50.123456Z - - -
    a 1 2026-05-31T20:26:40.123456Z running backfill 1 0 - - 2026-05-28T20:26:50.123456Z - - -
    a 1 2026-06-01T20:26:40.123456Z held manual 0 0 - no 2026-05-28T20:26:50.123456Z - - -
    a 1 2026-06-02T20:26:40.123456Z waiting required 0 0 - - 2026-05-28T20:26:50.123456Z - - -
    a 1 2026-06-03T20:26:40.123456Z skipped catch-up 0 0 - superseded 2026-05-28T20:26:50.123456Z 2026-05-28T20:26:50.123456Z - -
    ");
    let columns = "job, generation, date, number, trigger, host, pid, start_ticks, boot_id, started_at, ended_at, \
                   outcome, exit_code, signal, duration_micros, detail, has_log, cpu_user_micros, cpu_system_micros, \
                   peak_memory_bytes";
    assert_snapshot!(lines(world, columns, "readable_attempts", "date, number"), @"
    a 1 2026-05-29T20:26:40.123456Z 1 schedule alpha 99 5 5f0c 2026-05-28T20:27:00.123456Z 2026-05-28T20:27:10.123456Z failed 255 - 1500001 - 1 7 8 9
    a 1 2026-05-29T20:26:40.123456Z 2 retry alpha 99 5 5f0c 2026-05-28T20:27:00.123456Z 2026-05-28T20:27:10.123456Z killed - 9 1500001 - 1 7 8 9
    a 1 2026-05-29T20:26:40.123456Z 3 retry alpha 99 5 5f0c 2026-05-28T20:27:00.123456Z 2026-05-28T20:27:10.123456Z timed-out - - 1500001 - 1 7 8 9
    a 1 2026-05-29T20:26:40.123456Z 4 retry alpha 99 5 5f0c 2026-05-28T20:27:00.123456Z 2026-05-28T20:27:10.123456Z cancelled - - 1500001 - 1 7 8 9
    a 1 2026-05-29T20:26:40.123456Z 5 retry alpha 99 5 5f0c 2026-05-28T20:27:00.123456Z 2026-05-28T20:27:10.123456Z interrupted - - 1500001 - 1 7 8 9
    a 1 2026-05-29T20:26:40.123456Z 6 retry alpha 99 5 5f0c 2026-05-28T20:27:00.123456Z 2026-05-28T20:27:10.123456Z lost - - 1500001 - 1 7 8 9
    a 1 2026-05-29T20:26:40.123456Z 7 retry alpha 99 5 5f0c 2026-05-28T20:27:00.123456Z 2026-05-28T20:27:10.123456Z succeeded - - 1500001 - 1 7 8 9
    a 1 2026-05-30T20:26:40.123456Z 1 schedule alpha - - - 2026-05-28T20:27:00.123456Z 2026-05-28T20:27:10.123456Z failed 3 - 1500001 - 1 - - -
    a 1 2026-05-31T20:26:40.123456Z 1 schedule alpha - - - 2026-05-28T20:27:00.123456Z - - - - - - 0 - - -
    ");
}

fn a_machine_that_is_renamed_keeps_the_name_that_it_had(world: &World) {
    let mut writer = world.with_three_dates();
    let opened = |day, machine: &str| {
        let mut entry = open("a", day, 1, StateKind::Waiting);
        if let Entry::Open { host, .. } = &mut entry {
            machine.clone_into(host);
        }
        entry
    };
    let note = |day, boot_id: &str| Entry::Process {
        attempt: attempt("a", day, 1),
        process: ProcessIdentity { pid: 99, start_ticks: 5, boot_id: boot_id.to_owned() },
    };
    writer.commit(&[vec![opened(1, "before"), opened(2, "alpha"), opened(3, "before")]]).unwrap();
    // A transaction that is refused leaves no number behind that the next would believe in.
    writer.commit(&[vec![note(1, "5f0c"), note(2, "5f0c"), opened(2, "gamma")]]).unwrap_err();
    writer.commit(&[vec![note(2, "5f0c"), note(1, "5f0c"), note(1, "60aa")]]).unwrap();
    let found: Vec<_> = attempts(&mut world.reader(), &AttemptFilter::default())
        .into_iter()
        .map(|tried| (tried.host, tried.process.map(|process| process.boot_id)))
        .collect();
    let expected = [("before", Some("60aa")), ("alpha", Some("5f0c")), ("before", None)];
    assert_eq!(found, expected.map(|(host, boot_id)| (host.to_owned(), boot_id.map(str::to_owned))));
    assert_eq!(
        lines(world, "id, host, boot_id", "boots", "id"),
        "-2 alpha -\n-1 before -\n1 alpha 5f0c\n2 before 5f0c\n3 alpha 60aa\n4 before 60aa"
    );
}

fn what_cannot_be_is_refused(world: &World) {
    let mut writer = world.with_three_dates();
    writer
        .commit(&[vec![open("a", 1, 1, StateKind::Waiting), succeed("a", 1, 1), open("a", 2, 1, StateKind::Waiting)]])
        .unwrap();
    let closed = "outcome IS NOT NULL";
    for (table, wrong) in [
        ("sessions", "state = 6".to_owned()),
        ("sessions", "state = -1".to_owned()),
        ("sessions", "trigger = 5".to_owned()),
        ("sessions", "state = 1 WHERE state = 0".to_owned()),
        ("sessions", "state = 3 WHERE state = 2".to_owned()),
        ("sessions", "state = 4 WHERE state = 0".to_owned()),
        ("sessions", "state = 2 WHERE state = 0".to_owned()),
        ("sessions", "state = 5, reason = 'mood' WHERE state = 1".to_owned()),
        ("sessions", "settled_by = 'operator' WHERE state = 0".to_owned()),
        ("sessions", "settled_by = 'mood' WHERE state = 1".to_owned()),
        ("sessions", "settled_after = NULL WHERE state = 1".to_owned()),
        ("sessions", "used = attempts + 1".to_owned()),
        ("attempts", "trigger = 6".to_owned()),
        ("attempts", format!("outcome = 7 WHERE {closed}")),
        ("attempts", format!("outcome = 1 WHERE {closed}")),
        ("attempts", format!("outcome = 2 WHERE {closed}")),
        ("attempts", format!("exit_code = 2 WHERE {closed}")),
        ("attempts", format!("signal = 2 WHERE {closed}")),
        ("attempts", format!("ended_after = NULL WHERE {closed}")),
        ("attempts", "pid = 1".to_owned()),
        ("attempts", "pid = 1, start_ticks = 1".to_owned()),
        ("attempts", "has_log = TRUE WHERE outcome IS NULL".to_owned()),
        ("boots", "boot_id = 'x'".to_owned()),
        ("boots", "id = 1".to_owned()),
    ] {
        let error = world.try_to_tamper(&format!("UPDATE {table} SET {wrong}")).unwrap_err().to_string();
        assert!(error.to_lowercase().contains("check constraint"), "{table}: {wrong}: {error}");
    }
    // One number a machine.
    let twice = world.try_to_tamper("INSERT INTO boots (id, host) VALUES (-9, 'alpha')").unwrap_err().to_string();
    assert!(twice.to_lowercase().contains("unique"), "{twice}");
}
