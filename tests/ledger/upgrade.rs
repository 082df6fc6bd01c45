//! A ledger of an older crontabber: brought up to date by the first writer, with all that is in it.

use std::time::Duration;

use crontabber::ledger::{AttemptFilter, LedgerUrl, OpenError, Reader, SCHEMA_VERSION, SessionFilter, Writer};
use crontabber::session::{Entry, Outcome, State, Usage};

use crate::on_both;
use crate::world::*;

on_both! {
    a_ledger_without_usage_gets_room_for_it
    an_upgrade_that_fails_changes_nothing
    the_usage_is_whole_or_absent
    the_room_for_usage_can_be_taken_back
}

const USAGE: Usage =
    Usage { cpu_user: Duration::from_millis(1_200), cpu_system: Duration::from_micros(7), peak_memory: 34_000_000 };

/// The ledger's first schema, with a job, a date that succeeded, and one whose attempt is open.
fn first_schema(world: &World) {
    world.tamper(match &world.url {
        LedgerUrl::Sqlite(_) => include_str!("../../migrations/sqlite/0001_ledger/up.sql"),
        LedgerUrl::Postgres(_) => include_str!("../../migrations/postgres/0001_ledger/up.sql"),
    });
    world.tamper(
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
         run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP); \
         INSERT INTO __diesel_schema_migrations (version) VALUES ('0001');",
    );
    let (first, second) = (date(1).timestamp_micros(), date(2).timestamp_micros());
    world.tamper(&format!(
        "INSERT INTO jobs (id, name, generation, seen_at, since, anchor, clock, timetable, last_success) \
         VALUES (1, 'a', 1, 1, 1, 1, {second}, 'every day', {first}); \
         INSERT INTO sessions (job_id, generation, date, state, trigger, attempts, used, recorded_at, settled_at) \
         VALUES (1, 1, {first}, 'succeeded', 'schedule', 1, 1, 10, 30), (1, 1, {second}, 'running', 'schedule', 1, 0, 10, NULL); \
         INSERT INTO attempts (job_id, generation, date, number, trigger, host, started_at, ended_at, outcome, \
         duration_micros, detail, has_log) VALUES (1, 1, {first}, 1, 'schedule', 'alpha', 20, 30, 'succeeded', 10, 'well', TRUE), \
         (1, 1, {second}, 1, 'schedule', 'alpha', 40, NULL, NULL, NULL, NULL, FALSE);"
    ));
}

fn a_ledger_without_usage_gets_room_for_it(world: &World) {
    first_schema(world);
    let error = Reader::open(&world.url).err().unwrap();
    assert!(matches!(error, OpenError::Older { .. }), "{error}");
    assert!(error.to_string().contains(&format!("schema 0001, needed {SCHEMA_VERSION}")), "{error}");
    let mut writer = world.writer();
    let mut end = end(Outcome::Succeeded);
    end.usage = Some(USAGE);
    let close =
        Entry::Close { attempt: attempt("a", 2, 1), end: end.clone(), state: State::Succeeded, counted_attempts: 1 };
    writer.commit(&[vec![close]]).unwrap();
    let mut reader = world.reader();
    assert_eq!(sessions(&mut reader, &SessionFilter::default()).len(), 2);
    let found = attempts(&mut reader, &AttemptFilter::default());
    let old = found[0].end.clone().unwrap();
    assert_eq!((old.detail.as_deref(), old.duration, old.usage), (Some("well"), Some(Duration::from_micros(10)), None));
    assert_eq!(found[1].end, Some(end));
}

fn an_upgrade_that_fails_changes_nothing(world: &World) {
    first_schema(world);
    // The second of three columns is in the way.
    world.tamper("ALTER TABLE attempts ADD COLUMN cpu_system_micros INTEGER");
    let error = Writer::open(&world.url, &owner(), at(0)).err().unwrap();
    assert!(error.to_string().contains("its tables were not made"), "{error}");
    world.tamper("ALTER TABLE attempts DROP COLUMN cpu_system_micros");
    assert_eq!(reopened(world).load().unwrap().open.len(), 1);
}

fn the_usage_is_whole_or_absent(world: &World) {
    first_schema(world);
    drop(world.writer());
    for wrong in [
        "cpu_user_micros = 1 WHERE outcome IS NOT NULL",
        "peak_memory_bytes = 1 WHERE outcome IS NOT NULL",
        "cpu_user_micros = 1, peak_memory_bytes = 1 WHERE outcome IS NOT NULL",
        "cpu_user_micros = 1, cpu_system_micros = -1, peak_memory_bytes = 1 WHERE outcome IS NOT NULL",
        "cpu_user_micros = 1, cpu_system_micros = 1, peak_memory_bytes = -1 WHERE outcome IS NOT NULL",
        "cpu_user_micros = 1, cpu_system_micros = 1, peak_memory_bytes = 1 WHERE outcome IS NULL",
    ] {
        let error = world.try_to_tamper(&format!("UPDATE attempts SET {wrong}")).unwrap_err().to_string();
        assert!(error.to_lowercase().contains("check constraint"), "{wrong}: {error}");
    }
    world.tamper(
        "UPDATE attempts SET cpu_user_micros = 0, cpu_system_micros = 0, peak_memory_bytes = 0 WHERE outcome IS NOT NULL",
    );
}

fn the_room_for_usage_can_be_taken_back(world: &World) {
    first_schema(world);
    drop(world.writer());
    world.tamper(match &world.url {
        LedgerUrl::Sqlite(_) => include_str!("../../migrations/sqlite/0004_compact/down.sql"),
        LedgerUrl::Postgres(_) => include_str!("../../migrations/postgres/0004_compact/down.sql"),
    });
    // The same on both.
    world.tamper(include_str!("../../migrations/sqlite/0003_operator/down.sql"));
    world.tamper(match &world.url {
        LedgerUrl::Sqlite(_) => include_str!("../../migrations/sqlite/0002_usage/down.sql"),
        LedgerUrl::Postgres(_) => include_str!("../../migrations/postgres/0002_usage/down.sql"),
    });
    world.tamper("DELETE FROM __diesel_schema_migrations WHERE version >= '0002'");
    assert!(matches!(Reader::open(&world.url).err(), Some(OpenError::Older { .. })));
    let again = reopened(world).load().unwrap();
    assert_eq!((again.sessions.len(), again.open.len()), (1, 1));
}
