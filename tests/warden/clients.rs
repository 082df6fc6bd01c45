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
use crontabber::warden::protocol::{Ended, LONGEST_FRAME, PROTOCOL, Reply, Request, bytes};
use minicbor::{CborLen, Encode};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::fixture::{TestClient, TestWarden, await_that, failed, frame, hello};
use crate::lab::not_run;

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

fn works(warden: &TestWarden, client: &mut TestClient, attempt: &str, mark: &str) {
    client.start(warden.start(&warden.name(attempt, mark), "true"));
    assert_eq!(client.outcome(), Outcome::Succeeded);
}

/// The attempts of these ends.
fn ended_attempts(known: Vec<Reply>) -> Vec<String> {
    let attempt = |reply| if let Reply::Ended(ended) = reply { ended.attempt } else { panic!("{reply:?}") };
    known.into_iter().map(attempt).collect()
}

#[test]
fn frames_may_come_in_single_bytes() {
    let warden = TestWarden::new();
    let mut client = warden.connect();
    let start = Request::Start(Box::new(warden.start(&warden.name("job", "one"), "exit 3")));
    for byte in [frame(&hello("one")), frame(&start)].concat() {
        client.send(&[byte]);
    }
    assert!(matches!(client.reply(), Some(Reply::Welcome(_))));
    assert_eq!(client.reply(), Some(Reply::Listed));
    assert_eq!(client.outcome(), Outcome::Failed { code: 3 });
}

#[test]
fn a_frame_over_the_limit_ends_that_connection_alone() {
    let warden = TestWarden::new();
    let mut other = warden.client("other");
    for length in [u32::MAX, u32::try_from(LONGEST_FRAME).unwrap() + 1] {
        let mut client = warden.client("one");
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.resize(100_000, 7);
        _ = client.stream.write_all(&bytes);
        let reason = client.refusal();
        assert!(reason.contains(&length.to_string()), "{reason}");
        assert_eq!(client.reply(), None);
    }
    works(&warden, &mut other, "job", "other");
    assert_eq!(warden.proc("status").lines().find(|line| line.starts_with("Threads:")), Some("Threads:\t1"));
}

#[test]
fn a_job_inherits_the_environment_of_its_own_daemon_and_may_override_it() {
    let warden = TestWarden::new();
    let mut clients = ["one", "two"].map(|mark| {
        let Request::Hello(mut hello) = hello(mark) else { panic!("not a hello") };
        hello.inherited = vec![(bytes("DAEMON"), bytes(mark)), (bytes("PATH"), bytes("/nowhere"))];
        let mut client = warden.connect();
        client.ask(&Request::Hello(hello));
        (mark, client)
    });
    for (mark, client) in &mut clients {
        client.start(warden.start(&warden.name("job", mark), "echo $DAEMON $PATH > $DAEMON"));
    }
    for (mark, _) in clients {
        let expected = format!("{mark} /usr/bin:/bin\n");
        await_that(mark, || warden.text(mark) == expected);
    }
}

#[test]
fn a_job_blocks_and_ignores_no_signal_although_its_warden_ignores_some() {
    // A background process of a shell without job control ignores SIGINT and SIGQUIT; the warden itself ignores SIGPIPE.
    let warden = TestWarden::started_by_a_shell("trap '' INT QUIT HUP USR1");
    // The two signals that glibc keeps for itself are ignored in every process that posix_spawn starts.
    let of_glibc = 0b11 << 31;
    let mask = |status: &str, name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap() & !of_glibc
    };
    // Once it answers, it is the warden and no longer the shell.
    let mut client = warden.client("one");
    assert_ne!(mask(&warden.proc("status"), "SigIgn:"), 0);
    client.start(warden.start(&warden.name("job", "one"), "grep -E '^Sig(Blk|Ign):' /proc/self/status > signals"));
    await_that("signals", || warden.text("signals").lines().count() == 2);
    assert_eq!(["SigBlk:", "SigIgn:"].map(|name| mask(&warden.text("signals"), name)), [0, 0]);
}

#[test]
fn what_a_newer_daemon_asks_is_answered_and_disturbs_nothing() {
    let warden = TestWarden::new();
    let mut client = warden.connect();
    let hello =
        NewerHello { protocol: 1_000, version: "9.9".to_owned(), ledger: "one".to_owned(), mood: vec!["x".into()] };
    client.send(&newer(&Newer::Hello(hello)));
    let Some(Reply::Welcome(welcome)) = client.reply() else { panic!("not welcome") };
    assert_eq!((welcome.protocol, welcome.pid), (PROTOCOL, warden.pid()), "it says what it speaks");
    assert_eq!(client.reply(), Some(Reply::Listed));
    let start = Request::Start(Box::new(warden.start(&warden.name("job", "one"), "true")));
    let mut all = newer(&Newer::Sing("a song".to_owned()));
    all.extend(frame(&start));
    // A frame with nothing in it, and one with bytes that are no CBOR.
    all.extend([0, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 0xff]);
    client.send(&all);
    let (mut troubles, mut ends) = (0, 0);
    while (troubles, ends) != (3, 1) {
        match client.reply() {
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
    let warden = TestWarden::new();
    let mut other = warden.client("other");
    let start = frame(&Request::Start(Box::new(warden.start(&warden.name("half", "one"), "touch half"))));
    for end in [1, 3, 4, 5, start.len() / 2, start.len() - 1] {
        let mut client = warden.client("one");
        client.send(&start[..end]);
    }
    works(&warden, &mut other, "job", "other");
    assert_eq!(warden.client("one").hello("one"), []);
    assert!(!warden.path("half").exists());
}

#[test]
fn a_client_that_never_reads_is_let_go() {
    let warden = TestWarden::new();
    let mut other = warden.client("other");
    let mut client = warden.client("one");
    let questions = newer(&Newer::Sing(String::new())).repeat(10_000);
    let mut sent = 0;
    // Each is answered, with far more bytes than it has.
    while client.stream.write_all(&questions).is_ok() {
        sent += questions.len();
        assert!(sent < 64 << 20, "it is let go");
    }
    works(&warden, &mut other, "job", "other");
    assert!(warden.memory() < 24 << 10, "{} kB", warden.memory());
}

#[test]
fn a_hundred_connections_shut_nobody_out() {
    let warden = TestWarden::new();
    let mut first = warden.client("first");
    let silent: Vec<TestClient> = (0..100).map(|_| warden.connect()).collect();
    let mut last = warden.connect();
    last.hello("last");
    works(&warden, &mut last, "job", "last");
    works(&warden, &mut first, "job", "first");
    let open = fs::read_dir(format!("/proc/{}/fd", warden.pid())).unwrap().count();
    assert!(open < 60, "{open} descriptors");
    drop(silent);
    works(&warden, &mut last, "again", "last");
}

#[test]
fn a_long_list_reaches_its_client_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(folder.path()).unwrap();
    let end = AttemptEnd { detail: Some("x".repeat(8_000)), ..failed(1) };
    for number in 0..2_000 {
        let name = format!("job-{number}@one");
        journal.begin(&name, "boot");
        journal.end(Ended::new(name, &end));
    }
    journal.flush().unwrap();
    drop(journal);
    let warden = TestWarden::in_folder(folder);
    let mut client = warden.connect();
    let names = ended_attempts(client.hello("one"));
    assert_eq!(names.len(), 2_000);
    client.ask(&Request::Forget(names));
    works(&warden, &mut client, "job", "one");
    assert_eq!(warden.client("other").hello("one").len(), 1, "the rest is forgotten");
}

#[test]
fn a_newcomer_takes_the_place_of_the_client_of_its_ledger() {
    let warden = TestWarden::new();
    let mut before = warden.client("one");
    let mut other = warden.client("other");
    // Its last words are heard.
    before.start(warden.start(&warden.name("last-words", "one"), "sleep 1000"));
    let mut after = warden.connect();
    let known = after.hello("one");
    assert!(matches!(&known[..], [Reply::Running(running)] if running.attempt == warden.name("last-words", "one")));
    while before.reply().is_some() {}
    works(&warden, &mut other, "job", "other");
}

#[test]
fn clients_of_two_ledgers_hear_of_their_own_attempts_only() {
    let warden = TestWarden::new();
    let (mut one, mut two) = (warden.client("one"), warden.client("two"));
    for (mark, client) in [("one", &mut one), ("two", &mut two)] {
        client.start(
            warden.start(&warden.name("slow", mark), &format!("while ! test -e go-{mark}; do sleep 0.02; done")),
        );
        assert_eq!(client.running().attempt, warden.name("slow", mark));
    }
    fs::write(warden.path("go-one"), "").unwrap();
    assert_eq!(one.ended().attempt, warden.name("slow", "one"));
    works(&warden, &mut one, "quick", "one");
    fs::write(warden.path("go-two"), "").unwrap();
    assert_eq!(two.ended().attempt, warden.name("slow", "two"), "the first that it hears");
    assert_eq!(
        ended_attempts(warden.connect().hello("one")),
        [warden.name("quick", "one"), warden.name("slow", "one")]
    );
    assert_eq!(ended_attempts(warden.connect().hello("two")), [warden.name("slow", "two")]);
    assert_eq!(ended_attempts(warden.connect().hello("three")), Vec::<String>::new());
}

#[test]
fn a_warden_without_descriptors_left_waits_for_one_and_takes_its_ease() {
    let warden = TestWarden::new();
    let mut first = warden.client("first");
    let pid = Pid::from_raw(warden.pid());
    works(&warden, &mut first, "before", "first");
    // As the warden has inherited it from us.
    let usual = getrlimit(Resource::Nofile);
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(3), ..usual }).unwrap();
    let mut second = warden.connect();
    second.ask(&hello("second"));
    for _ in 0..5 {
        // A start fails, and says why; the warden lives.
        first.start(warden.start(&warden.name("job", "first"), "true"));
        assert!(first.ended().detail.unwrap().contains("Too many open files"));
        first.ask(&Request::Forget(vec![warden.name("job", "first")]));
    }
    // One that asked for the connection again and again would never be seen asleep, however busy the machine is.
    let mut asleep = 0;
    await_that("some rest", || {
        asleep += u32::from(warden.proc("stat").contains(") S "));
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
        let mut client = TestClient::new(UnixStream::connect(socket).unwrap());
        println!("{}", client.refusal());
        assert_eq!(client.reply(), None);
        return;
    }
    if !rustix::process::getuid().is_root() {
        return not_run("root, to be nobody");
    }
    let warden = TestWarden::new();
    // The modes alone would keep nobody out: let the warden see who comes. And a binary may be built in a closed folder.
    let program = warden.path("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(warden.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(warden.path("socket"), fs::Permissions::from_mode(0o666)).unwrap();
    let output = Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .env(SOCKET, warden.path("socket"))
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("does not serve user 65534"), "{output:?}");
    works(&warden, &mut warden.client("one"), "job", "one");
}

#[test]
fn a_client_that_says_nothing_keeps_the_warden() {
    let mut warden = TestWarden::new();
    let client = warden.connect();
    // A job that ends at once would let it go after two seconds.
    warden.client("one").start(warden.start(&warden.name("job", "one"), "touch ran"));
    warden.await_file("ran");
    let since = Instant::now();
    await_that("more time than it stays alone", || since.elapsed() > Duration::from_millis(2_600));
    assert!(warden.process.try_wait().unwrap().is_none());
    drop(client);
    assert!(warden.end().success());
}
