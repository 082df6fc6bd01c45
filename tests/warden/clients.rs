//! Clients that do not behave.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use crontabber::session::{AttemptEnd, Outcome};
use crontabber::warden::journal::Journal;
use crontabber::warden::protocol::{Ended, LONGEST_FRAME, PROTOCOL, Reply, Request};
use minicbor::{CborLen, Encode};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::house::{WardenLocation, Wire, await_that, frame, hello};

/// What a daemon of a later day may say.
#[derive(Encode, CborLen)]
enum Newer {
    #[n(0)]
    Hello(#[n(0)] NewerHello),
    #[n(90)]
    Sing(#[n(0)] String),
}

#[derive(Encode, CborLen)]
#[cbor(map)]
struct NewerHello {
    #[n(0)]
    protocol: u32,
    #[n(1)]
    version: String,
    #[n(2)]
    ledger: String,
    #[n(77)]
    mood: Vec<String>,
}

fn newer(message: &Newer) -> Vec<u8> {
    let mut bytes = Vec::new();
    crontabber::warden::protocol::encode_frame(message, &mut bytes).unwrap();
    bytes
}

fn works(house: &WardenLocation, wire: &mut Wire, attempt: &str, mark: &str) {
    wire.start(house.start(&house.name(attempt, mark), "true"));
    assert_eq!(wire.outcome(), Outcome::Succeeded);
}

#[test]
fn frames_may_come_in_single_bytes() {
    let house = WardenLocation::new();
    let mut wire = house.connect();
    let start = Request::Start(Box::new(house.start(&house.name("job", "one"), "exit 3")));
    for byte in [frame(&hello("one")), frame(&start)].concat() {
        wire.send(&[byte]);
    }
    assert!(matches!(wire.reply(), Some(Reply::Welcome(_))));
    assert_eq!(wire.reply(), Some(Reply::Listed));
    assert_eq!(wire.outcome(), Outcome::Failed { code: 3 });
}

#[test]
fn a_frame_over_the_limit_ends_that_connection_alone() {
    let house = WardenLocation::new();
    let mut other = house.client("other");
    for length in [u32::MAX, u32::try_from(LONGEST_FRAME).unwrap() + 1] {
        let mut wire = house.client("one");
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.resize(100_000, 7);
        _ = wire.stream.write_all(&bytes);
        match wire.reply() {
            Some(Reply::Refused(reason)) => assert!(reason.contains(&length.to_string()), "{reason}"),
            other => panic!("not refused: {other:?}"),
        }
        assert_eq!(wire.reply(), None);
    }
    works(&house, &mut other, "job", "other");
    assert_eq!(house.proc("status").lines().find(|line| line.starts_with("Threads:")), Some("Threads:\t1"));
}

#[test]
fn what_a_newer_daemon_asks_is_answered_and_disturbs_nothing() {
    let house = WardenLocation::new();
    let mut wire = house.connect();
    let hello =
        NewerHello { protocol: 1_000, version: "9.9".to_owned(), ledger: "one".to_owned(), mood: vec!["x".into()] };
    wire.send(&newer(&Newer::Hello(hello)));
    match wire.reply() {
        Some(Reply::Welcome(welcome)) => {
            assert_eq!(welcome.protocol, PROTOCOL, "it says what it speaks");
            assert_eq!(welcome.pid, house.pid());
        }
        other => panic!("not welcome: {other:?}"),
    }
    assert_eq!(wire.reply(), Some(Reply::Listed));
    let start = Request::Start(Box::new(house.start(&house.name("job", "one"), "true")));
    let mut all = newer(&Newer::Sing("a song".to_owned()));
    all.extend(frame(&start));
    // A frame with nothing in it, and one with bytes that are no CBOR.
    all.extend([0, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 0xff]);
    wire.send(&all);
    let (mut troubles, mut ends) = (0, 0);
    while (troubles, ends) != (3, 1) {
        match wire.reply() {
            Some(Reply::Warning(text)) => {
                assert!(text.contains("unknown message"), "{text}");
                troubles += 1;
            }
            Some(Reply::Ended(ended)) => {
                assert_eq!(ended.end().unwrap().outcome, Outcome::Succeeded);
                ends += 1;
            }
            Some(Reply::Running(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_client_that_vanishes_in_the_middle_of_a_frame_is_forgotten() {
    let house = WardenLocation::new();
    let mut other = house.client("other");
    let start = frame(&Request::Start(Box::new(house.start(&house.name("half", "one"), "touch half"))));
    for end in [1, 3, 4, 5, start.len() / 2, start.len() - 1] {
        let mut wire = house.client("one");
        wire.send(&start[..end]);
    }
    works(&house, &mut other, "job", "other");
    assert_eq!(house.client("one").hello("one"), []);
    assert!(!house.path("half").exists());
}

#[test]
fn a_client_that_never_reads_is_let_go() {
    let house = WardenLocation::new();
    let mut other = house.client("other");
    let mut wire = house.client("one");
    let questions = newer(&Newer::Sing(String::new())).repeat(10_000);
    let mut sent = 0;
    // Each is answered, with far more bytes than it has.
    while wire.stream.write_all(&questions).is_ok() {
        sent += questions.len();
        assert!(sent < 64 << 20, "it is let go");
    }
    works(&house, &mut other, "job", "other");
    assert!(house.memory() < 24 << 10, "{} kB", house.memory());
}

#[test]
fn a_hundred_connections_shut_nobody_out() {
    let house = WardenLocation::new();
    let mut first = house.client("first");
    let silent: Vec<Wire> = (0..100).map(|_| house.connect()).collect();
    let mut last = house.connect();
    last.hello("last");
    works(&house, &mut last, "job", "last");
    works(&house, &mut first, "job", "first");
    let open = fs::read_dir(format!("/proc/{}/fd", house.pid())).unwrap().count();
    assert!(open < 60, "{open} descriptors");
    drop(silent);
    works(&house, &mut last, "again", "last");
}

#[test]
fn a_long_list_reaches_its_client_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Journal::open(folder.path()).unwrap();
    let end = AttemptEnd {
        outcome: Outcome::Failed { code: 1 },
        ended_at: chrono::DateTime::from_timestamp(1_793_000_000, 0).unwrap(),
        duration: None,
        detail: Some("x".repeat(8_000)),
        has_log: false,
        usage: None,
    };
    for number in 0..2_000 {
        let name = format!("job-{number}@one");
        spool.begin(&name, "boot");
        spool.end(Ended::new(name, &end));
    }
    spool.flush().unwrap();
    drop(spool);
    let house = WardenLocation::in_folder(folder);
    let mut wire = house.connect();
    let known = wire.hello("one");
    assert_eq!(known.len(), 2_000);
    let names =
        known.iter().map(|reply| if let Reply::Ended(ended) = reply { ended.attempt.clone() } else { panic!() });
    wire.ask(&Request::Forget(names.collect()));
    works(&house, &mut wire, "job", "one");
    assert_eq!(house.client("other").hello("one").len(), 1, "the rest is forgotten");
}

#[test]
fn a_newcomer_takes_the_place_of_the_client_of_its_ledger() {
    let house = WardenLocation::new();
    let mut before = house.client("one");
    let mut other = house.client("other");
    // Its last words are heard.
    before.start(house.start(&house.name("last-words", "one"), "sleep 1000"));
    let mut after = house.connect();
    let known = after.hello("one");
    assert!(matches!(&known[..], [Reply::Running(running)] if running.attempt == house.name("last-words", "one")));
    while before.reply().is_some() {}
    works(&house, &mut other, "job", "other");
}

#[test]
fn clients_of_two_ledgers_hear_of_their_own_attempts_only() {
    let house = WardenLocation::new();
    let (mut one, mut two) = (house.client("one"), house.client("two"));
    for (mark, wire) in [("one", &mut one), ("two", &mut two)] {
        wire.start(house.start(&house.name("slow", mark), &format!("while ! test -e go-{mark}; do sleep 0.02; done")));
        assert_eq!(wire.running().attempt, house.name("slow", mark));
    }
    fs::write(house.path("go-one"), "").unwrap();
    assert_eq!(one.ended().attempt, house.name("slow", "one"));
    works(&house, &mut one, "quick", "one");
    fs::write(house.path("go-two"), "").unwrap();
    assert_eq!(two.ended().attempt, house.name("slow", "two"), "the first that it hears");
    let names = |known: Vec<Reply>| {
        let name = |reply: Reply| if let Reply::Ended(ended) = reply { ended.attempt } else { panic!("{reply:?}") };
        known.into_iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(house.connect().hello("one")), [house.name("quick", "one"), house.name("slow", "one")]);
    assert_eq!(names(house.connect().hello("two")), [house.name("slow", "two")]);
    assert_eq!(names(house.connect().hello("three")), Vec::<String>::new());
}

#[test]
fn a_warden_without_descriptors_left_waits_for_one_and_takes_its_ease() {
    let house = WardenLocation::new();
    let mut first = house.client("first");
    let pid = Pid::from_raw(house.pid());
    works(&house, &mut first, "before", "first");
    // As the warden has inherited it from us.
    let usual = getrlimit(Resource::Nofile);
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(3), ..usual }).unwrap();
    let mut second = house.connect();
    second.ask(&hello("second"));
    for _ in 0..5 {
        // A start fails, and says why; the warden lives.
        first.start(house.start(&house.name("job", "first"), "true"));
        assert!(first.ended().detail.unwrap().contains("Too many open files"));
        first.ask(&Request::Forget(vec![house.name("job", "first")]));
    }
    // One that asked for the connection again and again would never be seen asleep, however busy the machine is.
    let mut asleep = 0;
    await_that("some rest", || {
        asleep += u32::from(house.proc("stat").contains(") S "));
        asleep > 20
    });
    prlimit(pid, Resource::Nofile, usual).unwrap();
    assert!(matches!(second.reply(), Some(Reply::Welcome(_))));
}

#[test]
fn another_user_is_refused() {
    const SOCKET: &str = "CRONTABBER_TEST_SOCKET";
    let test = "clients::another_user_is_refused";
    if let Some(socket) = std::env::var_os(SOCKET) {
        let stream = UnixStream::connect(socket).unwrap();
        let mut wire = Wire::new(stream);
        match wire.reply() {
            Some(Reply::Refused(reason)) => println!("{reason}"),
            other => panic!("not refused: {other:?}"),
        }
        assert_eq!(wire.reply(), None);
        return;
    }
    if !rustix::process::getuid().is_root() {
        println!("not run: {test} (needs root, to be nobody)");
        return;
    }
    let house = WardenLocation::new();
    // The modes alone would keep nobody out: let the warden see who comes. And a binary may be built in a closed folder.
    let program = house.path("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(house.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(house.path("socket"), fs::Permissions::from_mode(0o666)).unwrap();
    let output = Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .env(SOCKET, house.path("socket"))
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("does not serve user 65534"), "{output:?}");
    works(&house, &mut house.client("one"), "job", "one");
}

#[test]
fn a_client_that_says_nothing_keeps_the_warden() {
    let mut house = WardenLocation::new();
    let wire = house.connect();
    // A job that ends at once would let it go after two seconds.
    house.client("one").start(house.start(&house.name("job", "one"), "touch ran"));
    house.await_file("ran");
    let since = Instant::now();
    await_that("more time than it stays alone", || since.elapsed() > Duration::from_millis(2_600));
    assert!(house.warden.try_wait().unwrap().is_none());
    drop(wire);
    assert!(house.end().success());
}
