//! What a warden is asked, in any order and more than once.

use std::fs;
use std::time::Duration;

use crontabber::session::{Outcome, ProcessIdentity};
use crontabber::warden::process_identity;
use crontabber::warden::protocol::{Reply, Request, Stop, Watch, outcome_code};
use rustix::process::Signal;

use crate::house::{WardenLocation, await_that, watch};

const SLOW: &str = "echo x >> began; while ! test -e go; do sleep 0.02; done; echo x >> ran";

#[test]
fn an_attempt_is_started_once_however_often_it_is_asked_for() {
    let mut house = WardenLocation::new();
    let name = house.name("job", "one");
    let mut wire = house.client("one");
    wire.start(house.start(&name, SLOW));
    wire.start(house.start(&name, SLOW));
    let process = wire.running().process;
    let process = process.or_else(|| wire.running().process).expect("it has been looked up");
    house.await_file("began");
    wire.start(house.start(&name, SLOW));
    assert_eq!(wire.running().process.as_ref(), Some(&process));

    // Also by the next warden, while it runs.
    house.signal(Signal::KILL);
    house.start_again();
    let mut wire = house.connect();
    assert!(matches!(&wire.hello("one")[..], [Reply::Running(running)] if running.process.as_ref() == Some(&process)));
    wire.start(house.start(&name, SLOW));
    assert_eq!(wire.running().process.as_ref(), Some(&process));
    fs::write(house.path("go"), "").unwrap();
    assert_eq!(wire.outcome(), Outcome::Lost, "its exit status went to another parent");
    wire.start(house.start(&name, SLOW));
    assert_eq!(wire.outcome(), Outcome::Lost);

    // And by the next one, when it has ended.
    house.signal(Signal::KILL);
    house.start_again();
    let mut wire = house.connect();
    assert!(matches!(&wire.hello("one")[..], [Reply::Ended(ended)] if ended.attempt == name));
    wire.start(house.start(&name, SLOW));
    assert_eq!(wire.outcome(), Outcome::Lost);
    assert_eq!((house.text("began"), house.text("ran")), ("x\n".to_owned(), "x\n".to_owned()));
}

#[test]
fn an_end_is_known_until_it_is_forgotten() {
    let mut house = WardenLocation::new();
    let name = house.name("job", "one");
    let mut wire = house.client("one");
    wire.start(house.start(&name, "exit 7"));
    let first = wire.ended();
    for _ in 0..2 {
        // Killed the moment it has told an end.
        house.signal(Signal::KILL);
        house.start_again();
        wire = house.connect();
        assert_eq!(wire.hello("one"), [Reply::Ended(Box::new(first.clone()))]);
    }
    wire.ask(&Request::Forget(vec![name.clone(), name.clone()]));
    wire.start(house.start(&house.name("other", "one"), "true"));
    assert_eq!(wire.outcome(), Outcome::Succeeded);
    house.signal(Signal::KILL);
    house.start_again();
    let known = house.connect().hello("one");
    assert!(matches!(&known[..], [Reply::Ended(ended)] if ended.attempt == house.name("other", "one")), "{known:?}");
}

#[test]
fn what_a_warden_does_not_know_disturbs_nothing() {
    let house = WardenLocation::new();
    let mut wire = house.client("one");
    let unknown = house.name("unknown", "one");
    wire.ask(&Request::Forget(Vec::new()));
    wire.ask(&Request::Forget(vec![unknown.clone(), String::new(), "@".to_owned(), "\0".to_owned()]));
    for outcome in [outcome_code(Outcome::Cancelled).0, outcome_code(Outcome::Failed { code: 1 }).0, 200] {
        wire.ask(&Request::Stop(Stop { attempt: unknown.clone(), outcome, at_once: outcome == 200 }));
    }
    // Nor does a start that cannot be.
    let mut start = house.start(&house.name("empty", "one"), "true");
    start.argv.clear();
    wire.start(start);
    assert_eq!(wire.outcome(), Outcome::Failed { code: 127 });
    let mut start = house.start(&house.name("nul", "one"), "true");
    start.argv.push(b"a\0b".to_vec().into());
    (start.timeout, start.kill_grace, start.output_limit) = (Some(Duration::MAX), Duration::MAX, u64::MAX);
    wire.start(start);
    assert_eq!(wire.outcome(), Outcome::Failed { code: 125 });
    let mut start = house.start(&house.name("long", "one"), "echo x");
    (start.timeout, start.kill_grace, start.output_limit) = (Some(Duration::MAX), Duration::MAX, u64::MAX);
    start.log = Vec::new().into();
    wire.start(start);
    assert_eq!(wire.outcome(), Outcome::Succeeded);
    // An attempt that runs is not forgotten, and ends as nobody knows how it was asked to.
    let name = house.name("job", "one");
    wire.start(house.start(&name, "exec sleep 1000"));
    assert_eq!(wire.running().attempt, name);
    wire.ask(&Request::Forget(vec![name.clone()]));
    wire.ask(&Request::Stop(Stop { attempt: name.clone(), outcome: 200, at_once: true }));
    assert_eq!(wire.outcome(), Outcome::Interrupted);
}

#[test]
fn everything_that_is_watched_is_answered() {
    let house = WardenLocation::new();
    let mut wire = house.client("one");
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
        let attempt = house.name(&format!("lost-{number}"), "one");
        wire.ask(&Request::Watch(Watch {
            process,
            timeout: Some(Duration::ZERO),
            kill_grace: Duration::ZERO,
            ..watch(&attempt)
        }));
        let ended = wire.ended();
        assert_eq!((ended.attempt.as_str(), ended.end().unwrap().outcome), (attempt.as_str(), Outcome::Lost));
    }
    wire.ask(&Request::Ready);
    let never = house.name("never", "one");
    wire.ask(&Request::Watch(watch(&never)));
    let ended = wire.ended();
    assert_eq!((ended.attempt.as_str(), ended.end().unwrap().outcome), (never.as_str(), Outcome::Interrupted));
    assert!(ended.detail.unwrap().contains("never started"));
    // What is known is told as often as it is asked.
    let name = house.name("job", "one");
    wire.start(house.start(&name, SLOW));
    let process = wire.running().process;
    for _ in 0..2 {
        wire.ask(&Request::Watch(watch(&name)));
        let running = wire.running();
        assert_eq!((running.attempt, running.process), (name.clone(), process.clone()));
    }
    fs::write(house.path("go"), "").unwrap();
    assert_eq!(wire.outcome(), Outcome::Succeeded);
    for _ in 0..2 {
        wire.ask(&Request::Watch(Watch { process: process.clone(), ..watch(&name) }));
        assert_eq!(wire.outcome(), Outcome::Succeeded);
    }
}

#[test]
fn a_spool_that_was_damaged_vouches_for_nothing() {
    let mut house = WardenLocation::new();
    let mut wire = house.client("one");
    wire.ask(&Request::Ready);
    wire.start(house.start(&house.name("job", "one"), "exit 7"));
    assert_eq!(wire.outcome(), Outcome::Failed { code: 7 });
    house.signal(Signal::KILL);
    await_that("its end", || house.warden.try_wait().unwrap().is_some());
    let mut bytes = fs::read(house.path("spool")).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    // Eight of its own may be zeros.
    bytes[last + 9] = 1;
    fs::write(house.path("spool"), bytes).unwrap();
    house.start_again();
    let mut wire = house.connect();
    assert_eq!(wire.hello("one").len(), 1, "what is intact counts");
    assert!(matches!(wire.reply(), Some(Reply::Warning(text)) if text.contains("torn or damaged")));
    wire.ask(&Request::Watch(watch(&house.name("unnamed", "one"))));
    assert_eq!(wire.outcome(), Outcome::Lost, "it may have been started, and its record lost");
    assert!(house.text("warden.log").contains("torn or damaged"));
}
