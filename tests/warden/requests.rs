//! What a warden is asked, in any order and more than once.

use std::fs;
use std::time::Duration;

use crontabber::session::{Outcome, ProcessIdentity};
use crontabber::warden::process_identity;
use crontabber::warden::protocol::{Reply, Request, Stop, Watch, outcome_code};
use rustix::process::Signal;

use crate::fixture::{TestWarden, await_that, watch};

const SLOW: &str = "echo x >> began; while ! test -e go; do sleep 0.02; done; echo x >> ran";

#[test]
fn an_attempt_is_started_once_however_often_it_is_asked_for() {
    let mut warden = TestWarden::new();
    let name = warden.name("job", "one");
    let mut client = warden.client("one");
    client.start(warden.start(&name, SLOW));
    client.start(warden.start(&name, SLOW));
    let process = client.running().process;
    let process = process.or_else(|| client.running().process).expect("it has been looked up");
    warden.await_file("began");
    client.start(warden.start(&name, SLOW));
    assert_eq!(client.running().process.as_ref(), Some(&process));

    // Also by the next warden, while it runs.
    warden.signal(Signal::KILL);
    warden.start_again();
    let mut client = warden.connect();
    assert!(
        matches!(&client.hello("one")[..], [Reply::Running(running)] if running.process.as_ref() == Some(&process))
    );
    client.start(warden.start(&name, SLOW));
    assert_eq!(client.running().process.as_ref(), Some(&process));
    fs::write(warden.path("go"), "").unwrap();
    assert_eq!(client.outcome(), Outcome::Lost, "its exit status went to another parent");
    client.start(warden.start(&name, SLOW));
    assert_eq!(client.outcome(), Outcome::Lost);

    // And by the next one, when it has ended.
    warden.signal(Signal::KILL);
    warden.start_again();
    let mut client = warden.connect();
    assert!(matches!(&client.hello("one")[..], [Reply::Ended(ended)] if ended.attempt == name));
    client.start(warden.start(&name, SLOW));
    assert_eq!(client.outcome(), Outcome::Lost);
    assert_eq!((warden.text("began"), warden.text("ran")), ("x\n".to_owned(), "x\n".to_owned()));
}

#[test]
fn an_end_is_known_until_it_is_forgotten() {
    let mut warden = TestWarden::new();
    let name = warden.name("job", "one");
    let mut client = warden.client("one");
    client.start(warden.start(&name, "exit 7"));
    let first = client.ended();
    for _ in 0..2 {
        // Killed the moment it has told an end.
        warden.signal(Signal::KILL);
        warden.start_again();
        client = warden.connect();
        assert_eq!(client.hello("one"), [Reply::Ended(Box::new(first.clone()))]);
    }
    client.ask(&Request::Forget(vec![name.clone(), name.clone()]));
    client.start(warden.start(&warden.name("other", "one"), "true"));
    assert_eq!(client.outcome(), Outcome::Succeeded);
    warden.signal(Signal::KILL);
    warden.start_again();
    let known = warden.connect().hello("one");
    assert!(matches!(&known[..], [Reply::Ended(ended)] if ended.attempt == warden.name("other", "one")), "{known:?}");
}

#[test]
fn what_a_warden_does_not_know_disturbs_nothing() {
    let warden = TestWarden::new();
    let mut client = warden.client("one");
    let unknown = warden.name("unknown", "one");
    client.ask(&Request::Forget(Vec::new()));
    client.ask(&Request::Forget(vec![unknown.clone(), String::new(), "@".to_owned(), "\0".to_owned()]));
    for outcome in [outcome_code(Outcome::Cancelled).0, outcome_code(Outcome::Failed { code: 1 }).0, 200] {
        client.ask(&Request::Stop(Stop { attempt: unknown.clone(), outcome, at_once: outcome == 200 }));
    }
    // Nor does a start that cannot be.
    let mut start = warden.start(&warden.name("empty", "one"), "true");
    start.argv.clear();
    client.start(start);
    assert_eq!(client.outcome(), Outcome::Failed { code: 127 });
    let mut start = warden.start(&warden.name("nul", "one"), "true");
    start.argv.push(b"a\0b".to_vec().into());
    (start.timeout, start.kill_grace, start.output_limit) = (Some(Duration::MAX), Duration::MAX, u64::MAX);
    client.start(start);
    assert_eq!(client.outcome(), Outcome::Failed { code: 125 });
    let mut start = warden.start(&warden.name("long", "one"), "echo x");
    (start.timeout, start.kill_grace, start.output_limit) = (Some(Duration::MAX), Duration::MAX, u64::MAX);
    start.log = Vec::new().into();
    client.start(start);
    assert_eq!(client.outcome(), Outcome::Succeeded);
    // An attempt that runs is not forgotten, and ends as nobody knows how it was asked to.
    let name = warden.name("job", "one");
    client.start(warden.start(&name, "exec sleep 1000"));
    assert_eq!(client.running().attempt, name);
    client.ask(&Request::Forget(vec![name.clone()]));
    client.ask(&Request::Stop(Stop { attempt: name.clone(), outcome: 200, at_once: true }));
    assert_eq!(client.outcome(), Outcome::Interrupted);
}

#[test]
fn everything_that_is_watched_is_answered() {
    let warden = TestWarden::new();
    let mut client = warden.client("one");
    let ours = process_identity(i32::try_from(std::process::id()).unwrap()).unwrap();
    let process = |pid: i32| ProcessIdentity { pid, start_ticks: ours.start_ticks + 1, boot_id: ours.boot_id.clone() };
    let first = process_identity(1).unwrap();
    let processes = [
        None,
        Some(process(0)),
        Some(process(-1)),
        Some(process(i32::MIN)),
        Some(process(i32::MAX)),
        Some(process(ours.pid)),
        // To end that would end everything.
        Some(first),
        Some(ProcessIdentity { boot_id: "another".to_owned(), ..process(ours.pid) }),
        Some(ProcessIdentity { boot_id: String::new(), ..process(ours.pid) }),
    ];
    for (number, process) in processes.into_iter().enumerate() {
        let attempt = warden.name(&format!("lost-{number}"), "one");
        client.ask(&Request::Watch(Watch {
            process,
            timeout: Some(Duration::ZERO),
            kill_grace: Duration::ZERO,
            ..watch(&attempt)
        }));
        let ended = client.ended();
        assert_eq!((ended.attempt.as_str(), ended.end().unwrap().outcome), (attempt.as_str(), Outcome::Lost));
    }
    client.ask(&Request::Ready);
    let never = warden.name("never", "one");
    client.ask(&Request::Watch(watch(&never)));
    let ended = client.ended();
    assert_eq!((ended.attempt.as_str(), ended.end().unwrap().outcome), (never.as_str(), Outcome::Interrupted));
    assert!(ended.detail.unwrap().contains("never started"));
    // What is known is told as often as it is asked.
    let name = warden.name("job", "one");
    client.start(warden.start(&name, SLOW));
    let process = client.running().process;
    for _ in 0..2 {
        client.ask(&Request::Watch(watch(&name)));
        let running = client.running();
        assert_eq!((running.attempt, running.process), (name.clone(), process.clone()));
    }
    fs::write(warden.path("go"), "").unwrap();
    assert_eq!(client.outcome(), Outcome::Succeeded);
    for _ in 0..2 {
        client.ask(&Request::Watch(Watch { process: process.clone(), ..watch(&name) }));
        assert_eq!(client.outcome(), Outcome::Succeeded);
    }
}

#[test]
fn a_journal_that_was_damaged_vouches_for_nothing() {
    let mut warden = TestWarden::new();
    let mut client = warden.client("one");
    client.ask(&Request::Ready);
    client.start(warden.start(&warden.name("job", "one"), "exit 7"));
    assert_eq!(client.outcome(), Outcome::Failed { code: 7 });
    warden.signal(Signal::KILL);
    await_that("its end", || warden.process.try_wait().unwrap().is_some());
    let mut bytes = fs::read(warden.path("journal")).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    // Eight of its own may be zeros.
    bytes[last + 9] = 1;
    fs::write(warden.path("journal"), bytes).unwrap();
    warden.start_again();
    let mut client = warden.connect();
    assert_eq!(client.hello("one").len(), 1, "what is intact counts");
    assert!(matches!(client.reply(), Some(Reply::Warning(text)) if text.contains("is damaged: its intact records")));
    client.ask(&Request::Watch(watch(&warden.name("unnamed", "one"))));
    assert_eq!(client.outcome(), Outcome::Lost, "it may have been started, and its record lost");
    assert!(warden.text("warden.log").contains("is damaged: its intact records"));
}
