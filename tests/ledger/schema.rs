//! The tables and views for an operator who opens the database by hand: views show words, constraints refuse impossible
//! rows.

use std::time::Duration;

use crontabber::ledger::{AttemptFilter, LedgerUrl};
use crontabber::session::{
    AttemptEnd, Entry, NewSession, Outcome, ProcessIdentity, SkipReason, State, StateKind, Trigger, Usage,
};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use insta::assert_snapshot;

use crate::on_both;
use crate::world::*;

on_both! {
    views_show_words_and_instants
    a_renamed_host_keeps_its_name_in_earlier_attempts
    constraints_refuse_impossible_rows
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

fn views_show_words_and_instants(world: &World) {
    let mut writer = world.writer();
    let triggers = [Trigger::Schedule, Trigger::CatchUp, Trigger::Backfill, Trigger::Manual, Trigger::Required];
    let sessions = (1..).zip(triggers).map(|(day, trigger)| NewSession { trigger, ..waiting(day) }).collect();
    let skipped = NewSession { state: State::Skipped { reason: SkipReason::Superseded }, ..waiting(6) };
    let dates = |watermark: Option<i64>, to, sessions| Entry::Record {
        job: name("a"),
        generation: 1,
        watermark: watermark.map(date),
        to: Some(date(to)),
        zone: chrono_tz::UTC,
        sessions,
        at: at(10),
    };
    let shift = Entry::Move {
        session: session("a", 4),
        from: StateKind::Waiting,
        to: State::Held { reason: "no".to_owned() },
        at: at(1),
    };
    writer.commit(&[enter("a"), dates(None, 5, sessions), dates(Some(5), 6, vec![skipped]), shift]).unwrap();
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
        writer.commit(&[opened, note, close]).unwrap();
    }
    writer
        .commit(&[open("a", 2, 1, StateKind::Waiting), fail("a", 2, 1), open("a", 3, 1, StateKind::Waiting)])
        .unwrap();
    let columns = "job, generation, date, state, trigger, attempts, counted_attempts, retry_at, reason, recorded_at, settled_at, \
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

fn a_renamed_host_keeps_its_name_in_earlier_attempts(world: &World) {
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
    writer.commit(&[opened(1, "before"), opened(2, "alpha"), opened(3, "before")]).unwrap();
    // A transaction that is refused leaves no number behind that the next would believe in.
    writer.commit(&[note(1, "5f0c"), note(2, "5f0c"), opened(2, "gamma")]).unwrap_err();
    writer.commit(&[note(2, "5f0c"), note(1, "5f0c")]).unwrap();
    // Also of an attempt that ends in the same transaction.
    writer.commit(&[note(1, "60aa"), note(3, "60aa"), succeed("a", 3, 1)]).unwrap();
    let found: Vec<_> = attempts(&mut world.reader(), &AttemptFilter::default())
        .into_iter()
        .map(|tried| (tried.host, tried.process.map(|process| process.boot_id)))
        .collect();
    let expected = [("before", Some("60aa")), ("alpha", Some("5f0c")), ("before", Some("60aa"))];
    assert_eq!(found, expected.map(|(host, boot_id)| (host.to_owned(), boot_id.map(str::to_owned))));
    assert_eq!(
        lines(world, "id, name, boot_id", "hosts", "id"),
        "-2 alpha -\n-1 before -\n1 alpha 5f0c\n2 before 5f0c\n3 alpha 60aa\n4 before 60aa"
    );
}

fn constraints_refuse_impossible_rows(world: &World) {
    let mut writer = world.with_three_dates();
    writer
        .commit(&[open("a", 1, 1, StateKind::Waiting), succeed("a", 1, 1), open("a", 2, 1, StateKind::Waiting)])
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
        ("sessions", "settled_at = NULL WHERE state = 1".to_owned()),
        ("sessions", "counted_attempts = attempts + 1".to_owned()),
        ("attempts", "trigger = 6".to_owned()),
        ("attempts", format!("outcome = 7 WHERE {closed}")),
        ("attempts", format!("outcome = 1 WHERE {closed}")),
        ("attempts", format!("outcome = 2 WHERE {closed}")),
        ("attempts", format!("exit_code = 2 WHERE {closed}")),
        ("attempts", format!("signal = 2 WHERE {closed}")),
        ("attempts", format!("ended_at = NULL WHERE {closed}")),
        ("attempts", "pid = 1".to_owned()),
        ("attempts", "pid = 1, start_ticks = 1".to_owned()),
        ("attempts", "has_log = TRUE WHERE outcome IS NULL".to_owned()),
        // The usage is whole or absent.
        ("attempts", format!("cpu_user_micros = 1 WHERE {closed}")),
        ("attempts", format!("peak_memory_bytes = 1 WHERE {closed}")),
        ("attempts", format!("cpu_user_micros = 1, peak_memory_bytes = 1 WHERE {closed}")),
        ("attempts", format!("cpu_user_micros = 1, cpu_system_micros = -1, peak_memory_bytes = 1 WHERE {closed}")),
        ("attempts", format!("cpu_user_micros = 1, cpu_system_micros = 1, peak_memory_bytes = -1 WHERE {closed}")),
        (
            "attempts",
            "cpu_user_micros = 1, cpu_system_micros = 1, peak_memory_bytes = 1 WHERE outcome IS NULL".to_owned(),
        ),
        ("hosts", "boot_id = 'x'".to_owned()),
        ("hosts", "id = 1".to_owned()),
    ] {
        let error = world.try_to_tamper(&format!("UPDATE {table} SET {wrong}")).unwrap_err().to_string();
        assert!(error.to_lowercase().contains("check constraint"), "{table}: {wrong}: {error}");
    }
    let usage = "cpu_user_micros = 0, cpu_system_micros = 0, peak_memory_bytes = 0";
    world.tamper(&format!("UPDATE attempts SET {usage} WHERE {closed}"));
    // One row for each host without a boot.
    let twice = world.try_to_tamper("INSERT INTO hosts (id, name) VALUES (-9, 'alpha')").unwrap_err().to_string();
    assert!(twice.to_lowercase().contains("unique"), "{twice}");
}
