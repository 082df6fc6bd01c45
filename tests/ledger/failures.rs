//! Databases that fail, fill up or lose an answer: nothing is lost, and nothing is written twice.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crontabber::ledger::{LedgerError, SessionFilter, Writer};
use crontabber::session::{Entry, StateKind};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::postgres::Postgres;
use crate::world::*;

/// Set in the child of the test that has no room.
const NO_ROOM: &str = "CRONTABBER_TEST_NO_ROOM";

/// The connections of a writer, as the server sees them.
const OURS: &str = "FROM pg_stat_activity WHERE application_name LIKE 'crontabber 4711@%'";

fn unavailable(result: Result<(), LedgerError>) -> String {
    match result {
        Err(LedgerError::Unavailable(text)) => text,
        other => panic!("expected unavailable, got {other:?}"),
    }
}

fn conflict(result: Result<(), LedgerError>) -> String {
    match result {
        Err(LedgerError::Conflict(text)) => text,
        other => panic!("expected a conflict, got {other:?}"),
    }
}

/// Tries until it is done, as the daemon does.
fn insist(writer: &mut Writer, entries: &[Entry]) {
    let begun = Instant::now();
    loop {
        match writer.commit(entries) {
            Ok(()) => return,
            Err(LedgerError::Unavailable(_)) if begun.elapsed() < Duration::from_secs(20) => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_lost_connection_is_replaced() {
    let server = Postgres::start();
    let url = server.database();
    let world = World::at(&url);
    let mut writer = world.with_three_dates();
    server.sql("test_1", &format!("SELECT pg_terminate_backend(pid) {OURS}"));
    let entries = [open("a", 1, 1, StateKind::Waiting)];
    unavailable(writer.commit(&entries));
    insist(&mut writer, &entries);
    server.sql("test_1", &format!("SELECT pg_terminate_backend(pid) {OURS}"));
    assert!(matches!(writer.requests(), Err(LedgerError::Unavailable(_))));
    assert_eq!(writer.requests().unwrap(), []);
    // Its lock is there again as well.
    assert!(world.reader().owner().unwrap().unwrap().alive);

    server.stop();
    let next = [succeed("a", 1, 1), open("a", 2, 1, StateKind::Waiting)];
    unavailable(writer.commit(&next));
    unavailable(writer.commit(&next));
    server.resume();
    insist(&mut writer, &next);
    assert!(world.reader().owner().unwrap().unwrap().alive);
    assert_eq!(writer.load().unwrap().open.len(), 1);

    a_commit_without_an_answer(&server, &world, &mut writer);
    a_writer_that_was_replaced(&server, &world, writer);
}

/// The server commits, and waits for a standby that never comes: the connection is cut before the answer.
fn a_commit_without_an_answer(server: &Postgres, world: &World, writer: &mut Writer) {
    let standby = |name: &str| {
        server.sql("test_1", &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
        server.sql("test_1", "SELECT pg_reload_conf()");
    };
    let lose_answer = |writer: &mut Writer, entries: &[Entry]| {
        standby("nobody");
        // The server's checkpointer takes note of it in its own time, and nothing tells when it has.
        thread::sleep(Duration::from_millis(500));
        thread::scope(|scope| {
            let commit = scope.spawn(|| writer.commit(entries));
            let waits = format!("SELECT count(*) {OURS} AND wait_event = 'SyncRep'");
            while server.sql("test_1", &waits) == "0" {
                assert!(!commit.is_finished(), "the commit did not wait");
                thread::sleep(Duration::from_millis(10));
            }
            server.sql("test_1", &format!("SELECT pg_terminate_backend(pid) {OURS}"));
            unavailable(commit.join().unwrap());
        });
        standby("");
    };
    let first = [enter("b"), record("b", None, &[1]), succeed("a", 2, 1)];
    lose_answer(writer, &first);
    assert!(world.reader().job(&name("b")).unwrap().is_some(), "it was committed");
    // The same entries again are recognised, and others after them are written.
    insist(writer, &first);
    insist(writer, &[open("b", 1, 1, StateKind::Waiting)]);
    assert_eq!(writer.load().unwrap().open.len(), 1);
    insist(writer, &[succeed("b", 1, 1)]);

    // Other entries than those in doubt would be written in the belief that the first were not.
    let last = [open("a", 3, 1, StateKind::Waiting)];
    lose_answer(writer, &last);
    let mut other = writer.commit(&[enter("c")]);
    while matches!(other, Err(LedgerError::Unavailable(_))) {
        other = writer.commit(&[enter("c")]);
    }
    assert!(conflict(other).contains("in doubt"));
    insist(writer, &last);
}

/// Another crontabber takes the ledger while ours has no connection.
fn a_writer_that_was_replaced(server: &Postgres, world: &World, mut writer: Writer) {
    server.sql("test_1", &format!("SELECT pg_terminate_backend(pid) {OURS}"));
    let mut usurper = None;
    let begun = Instant::now();
    while usurper.is_none() && begun.elapsed() < Duration::from_secs(10) {
        let other = crontabber::ledger::Owner { host: "gamma".to_owned(), pid: 5, version: "0.1.0".to_owned() };
        usurper = Writer::open(&world.url, &other, at(0)).ok();
    }
    let usurper = usurper.expect("the lock was free");
    let entries = [enter("d")];
    unavailable(writer.commit(&entries));
    let text = conflict(writer.commit(&entries));
    assert!(text.contains("process 5 on `gamma`"), "{text}");
    drop(usurper);
    let begun = Instant::now();
    let text = loop {
        let text = conflict(writer.commit(&entries));
        if !text.contains("holds the ledger") {
            break text;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{text}");
        thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(text, "process 5 on `gamma` took it in the meantime");
    assert_eq!(world.reader().job(&name("d")).unwrap(), None);
}

#[test]
fn a_writer_whose_lock_was_ignored_writes_nothing() {
    let world = World::sqlite();
    let mut first = world.with_three_dates();
    std::fs::remove_file(world.directory.path().join("ledger.db.lock")).unwrap();
    let mut second = world.writer();
    let text = conflict(first.commit(&[open("a", 1, 1, StateKind::Waiting)]));
    assert_eq!(text, "another crontabber took it");
    second.commit(&[open("a", 1, 1, StateKind::Waiting)]).unwrap();
}

#[test]
fn a_commit_waits_for_a_locked_ledger() {
    let world = World::sqlite();
    let mut writer = world.with_three_dates();
    let mut other = SqliteConnection::establish(world.file().to_str().unwrap()).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let entries = [open("a", 1, 1, StateKind::Waiting)];
    thread::scope(|scope| {
        let commit = scope.spawn(|| writer.commit(&entries));
        assert_eq!(sessions(&mut world.reader(), &SessionFilter::default()).len(), 3, "readers do not wait");
        other.batch_execute("ROLLBACK").unwrap();
        commit.join().unwrap().unwrap();
    });
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let next = [succeed("a", 1, 1)];
    let text = unavailable(writer.commit(&next));
    assert_eq!(text, "database is locked");
    other.batch_execute("ROLLBACK").unwrap();
    writer.commit(&next).unwrap();
}

#[test]
fn a_commit_waits_for_room_on_the_disk() {
    if std::env::var_os(NO_ROOM).is_some() {
        return without_room();
    }
    // A limit of a process, so a process of its own. The signal is ignored, so that the write fails instead.
    let this = std::env::current_exe().unwrap();
    let output = Command::new("/bin/sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" --exact failures::a_commit_waits_for_room_on_the_disk --nocapture"])
        .arg(this)
        .env(NO_ROOM, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

fn without_room() {
    let world = World::sqlite();
    let mut writer = world.with_three_dates();
    let full = Rlimit { current: Some(64 * 1024), ..getrlimit(Resource::Fsize) };
    let roomy = getrlimit(Resource::Fsize);
    let days: Vec<i64> = (1..=5_000).collect();
    let entries = [enter("b"), record("b", None, &days), open("a", 1, 1, StateKind::Waiting)];
    setrlimit(Resource::Fsize, full).unwrap();
    for _ in 0..3 {
        let text = unavailable(writer.commit(&entries));
        assert!(text.contains("disk"), "{text}");
        assert_eq!(sessions(&mut world.reader(), &SessionFilter::default()).len(), 3);
    }
    setrlimit(Resource::Fsize, roomy).unwrap();
    writer.commit(&entries).unwrap();
    assert_eq!(writer.load().unwrap().sessions.len(), 5_003);
}
