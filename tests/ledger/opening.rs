//! Which ledgers open, and the errors of the others.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crontabber::ledger::{
    LedgerUrl, LedgerUrlError, OpenError, OpenErrorKind, Owner, Reader, RequestQueue, SCHEMA_VERSION, SessionFilter,
    Writer,
};

use crate::on_both;
use crate::world::*;

on_both! {
    a_second_writer_learns_who_holds_the_ledger
    the_last_writer_is_recorded
    a_missing_ledger_is_reported
    a_newer_ledger_is_refused
    an_older_ledger_is_refused_by_readers
    a_migration_that_fails_changes_nothing
    a_database_of_another_program_is_refused
    a_ledger_opens_again_after_its_writer
}

fn open_error(world: &World) -> OpenError {
    match Writer::open(&world.url, &owner(), at(0)) {
        Ok(_) => panic!("{} opened", world.url),
        Err(error) => error,
    }
}

fn a_second_writer_learns_who_holds_the_ledger(world: &World) {
    let first = world.writer();
    let second = Owner { host: "beta".to_owned(), pid: 12, version: "0.1.0".to_owned() };
    match Writer::open(&world.url, &second, at(0)) {
        Err(OpenError { kind: OpenErrorKind::Busy { host, pid, .. }, .. }) => {
            assert_eq!((host.as_str(), pid), ("alpha", 4711));
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two writers"),
    }
    let text = open_error(world).to_string();
    assert!(text.starts_with("another crontabber holds the ledger `"), "{text}");
    assert!(text.contains("process 4711 on `alpha`"), "{text}");
    drop(first);
    drop(reopened(world));
}

fn the_last_writer_is_recorded(world: &World) {
    let writer = world.writer();
    let mut reader = world.reader();
    let found = reader.owner().unwrap().unwrap();
    assert_eq!((found.host.as_str(), found.pid, found.version.as_str()), ("alpha", 4711, "0.1.0"));
    assert!(found.alive && found.since == at(0));
    drop(writer);
    for _ in 0..200 {
        if !reader.owner().unwrap().unwrap().alive {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("a writer that is gone is alive");
}

fn a_missing_ledger_is_reported(world: &World) {
    assert!(matches!(Reader::open(&world.url).err().unwrap().kind, OpenErrorKind::Missing));
    let text = RequestQueue::open(&world.url).err().unwrap().to_string();
    assert!(text.contains("start the daemon"), "{text}");
    assert_eq!(fs::read_dir(world.directory.path()).unwrap().count(), 0, "no file is made by looking");
}

fn a_newer_ledger_is_refused(world: &World) {
    drop(world.writer());
    world.tamper(
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999'); UPDATE writer SET version = '7.0.1'",
    );
    std::thread::sleep(std::time::Duration::from_millis(50));
    let errors =
        [open_error(world), Reader::open(&world.url).err().unwrap(), RequestQueue::open(&world.url).err().unwrap()];
    for error in errors {
        assert!(matches!(error.kind, OpenErrorKind::Newer { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("7.0.1 (schema 9999)") && text.contains(&format!("(schema {SCHEMA_VERSION})")), "{text}");
    }
}

fn an_older_ledger_is_refused_by_readers(world: &World) {
    drop(world.writer());
    world.tamper("UPDATE __diesel_schema_migrations SET version = '0000'");
    for error in [Reader::open(&world.url).err().unwrap(), RequestQueue::open(&world.url).err().unwrap()] {
        assert!(matches!(error.kind, OpenErrorKind::Older { .. }), "{error}");
        assert!(error.to_string().contains(&format!("schema 0000, needed {SCHEMA_VERSION}")), "{error}");
    }
}

fn a_migration_that_fails_changes_nothing(world: &World) {
    // A table of the middle of the migration is in the way.
    let mark = if matches!(world.url, LedgerUrl::Sqlite(_)) { "PRAGMA application_id = 1668445282;" } else { "" };
    world.tamper(&format!("{mark} CREATE TABLE hosts (id INTEGER)"));
    let error = open_error(world);
    assert!(error.to_string().contains("its tables were not made"), "{error}");
    world.tamper("DROP TABLE hosts");
    assert!(world.try_to_tamper("SELECT * FROM jobs").is_err());
    assert_eq!(reopened(world).load().unwrap().jobs, []);
}

fn a_database_of_another_program_is_refused(world: &World) {
    world.tamper("CREATE TABLE jobs (id INTEGER PRIMARY KEY, title TEXT)");
    assert!(matches!(open_error(world).kind, OpenErrorKind::Foreign), "{}", open_error(world));
    assert!(Reader::open(&world.url).is_err());
    world.tamper("INSERT INTO jobs (id, title) VALUES (1, 'still there')");
}

fn a_ledger_opens_again_after_its_writer(world: &World) {
    drop(world.with_three_dates());
    for _ in 0..3 {
        assert_eq!(reopened(world).load().unwrap().sessions.len(), 3);
    }
}

#[test]
fn only_the_owner_can_read_the_files() {
    let mut world = World::sqlite();
    world.url = LedgerUrl::Sqlite(world.directory.path().join("new/ledger.db"));
    let _writer = world.with_three_dates();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    let directory = world.directory.path().join("new");
    assert_eq!(mode(&directory), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["ledger.db", "ledger.db-shm", "ledger.db-wal", "ledger.db.lock"]);
}

#[test]
fn one_missing_directory_is_created_but_not_two() {
    let mut world = World::sqlite();
    world.url = LedgerUrl::Sqlite(world.directory.path().join("x/y/ledger.db"));
    let error = open_error(&world);
    assert!(matches!(error.kind, OpenErrorKind::MissingDirectory { .. }), "{error}");
    assert!(error.to_string().contains("x/y` of the ledger does not exist"), "{error}");
}

#[test]
fn a_symbolic_link_takes_the_same_lock() {
    let mut world = World::sqlite();
    let _first = world.writer();
    let link = world.directory.path().join("link.db");
    std::os::unix::fs::symlink(world.file(), &link).unwrap();
    world.url = LedgerUrl::Sqlite(link);
    assert!(matches!(open_error(&world).kind, OpenErrorKind::Busy { .. }));
}

#[test]
fn a_file_that_is_no_database_is_not_changed() {
    let world = World::sqlite();
    fs::write(world.file(), "dear diary, ".repeat(1_000)).unwrap();
    let error = open_error(&world);
    assert!(matches!(error.kind, OpenErrorKind::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("file is not a database"), "{error}");
    assert!(matches!(Reader::open(&world.url).err().unwrap().kind, OpenErrorKind::Corrupt { .. }));
    assert_eq!(fs::read_to_string(world.file()).unwrap(), "dear diary, ".repeat(1_000));
}

#[test]
fn a_damaged_database_is_reported() {
    let world = World::sqlite();
    drop(world.with_three_dates());
    let mut bytes = fs::read(world.file()).unwrap();
    for byte in &mut bytes[4096..] {
        *byte ^= 0x5a;
    }
    fs::write(world.file(), bytes).unwrap();
    let error = open_error(&world);
    assert!(matches!(error.kind, OpenErrorKind::Corrupt { .. }), "{error}");
}

#[test]
fn a_read_only_directory_can_be_read() {
    let world = World::sqlite();
    drop(world.with_three_dates());
    let set = |mode| fs::set_permissions(world.directory.path(), fs::Permissions::from_mode(mode)).unwrap();
    fs::set_permissions(world.file(), fs::Permissions::from_mode(0o400)).unwrap();
    set(0o500);
    let read = sessions(&mut world.reader(), &SessionFilter::default()).len();
    let write = Writer::open(&world.url, &owner(), at(0)).err();
    set(0o700);
    assert_eq!(read, 3);
    // Root may write everywhere.
    if !rustix::process::geteuid().is_root() {
        let error = write.unwrap();
        assert!(matches!(error.kind, OpenErrorKind::ReadOnly { .. }), "{error}");
    }
}

#[test]
fn an_interrupted_opening_is_repeated() {
    let world = World::sqlite();
    world
        .tamper("CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP)");
    assert!(matches!(Reader::open(&world.url).err().unwrap().kind, OpenErrorKind::Missing));
    world.with_three_dates();
}

#[test]
fn an_empty_file_becomes_a_ledger() {
    let world = World::sqlite();
    fs::write(world.file(), "").unwrap();
    assert!(matches!(Reader::open(&world.url).err().unwrap().kind, OpenErrorKind::Missing));
    world.with_three_dates();
}

#[test]
fn a_path_may_have_any_characters() {
    let mut world = World::sqlite();
    world.url = LedgerUrl::parse(world.directory.path().join("50% #1?.db").to_str().unwrap()).unwrap();
    drop(world.with_three_dates());
    assert!(world.directory.path().join("50% #1?.db").exists());
    assert_eq!(sessions(&mut world.reader(), &SessionFilter::default()).len(), 3);
}

#[test]
fn a_missing_server_is_unreachable() {
    let world = World::at("postgres://ada:secret@/ledger?host=/nonexistent");
    let errors = [open_error(&world), Reader::open(&world.url).err().unwrap()];
    for error in errors {
        assert!(matches!(error.kind, OpenErrorKind::Unreachable { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn a_missing_database_is_denied() {
    let url = crate::postgres::database().replace("/test_", "/no_such_");
    let error = open_error(&World::at(&url));
    assert!(matches!(error.kind, OpenErrorKind::Denied { .. }), "{error}");
    assert!(error.to_string().contains("does not exist"), "{error}");
}

#[test]
fn urls_have_many_spellings() {
    let path = |text: &str| match LedgerUrl::parse(text) {
        Ok(LedgerUrl::Sqlite(path)) => path.to_str().unwrap().to_owned(),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(path("sqlite:///var/lib/crontabber/ledger.db"), "/var/lib/crontabber/ledger.db");
    assert_eq!(path("sqlite://state/ledger.db"), "state/ledger.db");
    assert_eq!(path("sqlite:ledger.db"), "ledger.db");
    assert_eq!(path("sqlite:////var/lib/ledger.db"), "/var/lib/ledger.db", "as other programs want it");
    assert_eq!(path("///var/lib/ledger.db"), "/var/lib/ledger.db");
    assert_eq!(path(" ./a:b.db "), "./a:b.db");
    for good in [
        "postgres:///ledger",
        "postgresql://ada@localhost:5433/ledger",
        "postgres://ada:x@127.0.0.1,[::1]/ledger",
        "postgres:///ledger?host=/run/postgresql",
        "postgres://%2Frun%2Fpostgresql/ledger",
        "postgres://db.example.org/ledger?sslmode=disable",
    ] {
        let url = LedgerUrl::parse(good).unwrap_or_else(|error| panic!("{good}: {error}"));
        assert!(matches!(url, LedgerUrl::Postgres(_)));
    }
}

#[test]
fn an_error_explains_an_invalid_url() {
    let error = |text: &str| LedgerUrl::parse(text).expect_err(text);
    assert_eq!(error(""), LedgerUrlError::Empty);
    assert_eq!(error("sqlite://"), LedgerUrlError::Empty);
    assert!(matches!(error("/var/lib/"), LedgerUrlError::Directory(_)));
    assert!(matches!(error("sqlite:///a.db?mode=ro"), LedgerUrlError::Options(_)));
    assert!(error("mysql://localhost/x").to_string().contains("`sqlite:///path` or `postgres://"));
    assert!(error("postgress://localhost/x").to_string().contains("did you mean `postgres`?"));
    assert!(error("file:///a.db").to_string().contains("write `sqlite:///a.db`"));
    assert_eq!(error("host=db dbname=x"), LedgerUrlError::Pairs);
    for remote in [
        "postgres://db.example.org/x",
        "postgres://ada:secret@db.example.org:5432/x?sslmode=prefer",
        "postgres://localhost,db.example.org/x",
        "postgres:///x?host=10.0.0.7",
        "postgres://localhost/x?hostaddr=10.0.0.7",
        "postgres://%64b.example.org/x",
    ] {
        let error = error(remote);
        assert!(matches!(error, LedgerUrlError::Plaintext(_)), "{remote}: {error}");
        assert!(error.to_string().contains("sslmode=disable"));
        assert!(!error.to_string().contains("secret"));
    }
    assert!(matches!(error("postgres://localhost/x?sslmode=require"), LedgerUrlError::NoTls(_)));
    assert!(matches!(error("postgres://ada:50%@localhost/x"), LedgerUrlError::Malformed(_)));
    assert!(matches!(error("postgres://ada:a/b@localhost/x"), LedgerUrlError::Malformed(_)));
    assert!(matches!(error("postgres://ada:a@b@localhost/x"), LedgerUrlError::Malformed(_)));
}

#[test]
fn a_password_is_never_shown() {
    for text in [
        "postgres://ada:secret@localhost/x",
        "postgres://ada:se%40cret@localhost/x?sslmode=disable",
        "postgres:///x?user=ada&password=secret",
        "postgres:///x?sslpassword=secret&host=/run",
    ] {
        let url = LedgerUrl::parse(text).unwrap();
        for shown in [url.to_string(), format!("{url:?}"), format!("{url:#?}")] {
            assert!(!shown.contains("cret"), "{shown}");
            assert!(shown.contains("***"), "{shown}");
        }
    }
    let plain = "postgres://ada@localhost/x?host=/run";
    assert_eq!(LedgerUrl::parse(plain).unwrap().to_string(), plain);
}
