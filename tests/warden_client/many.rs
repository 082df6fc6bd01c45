//! Many attempts at once.

use std::collections::{HashMap, HashSet};

use crontabber::session::Outcome;
use crontabber::warden_client::{WardenEvent, bytes};

use crate::lab::{Lab, exists, key, name};

#[test]
fn two_hundred_at_once_are_each_reported_and_leave_no_zombie() {
    let lab = Lab::new();
    for number in 0..200 {
        let mut launch = lab.shell("touch go.$1; while [ ! -e go ]; do sleep 0.2; done; echo $1; exit $1");
        launch.argv.extend([bytes("sh"), bytes((number % 100).to_string())]);
        launch.attempt = name("many", number);
        launch.log = bytes(lab.path(&format!("{number}.log")));
        lab.client().start(launch);
    }
    let mut processes = HashMap::new();
    while processes.len() < 200 {
        let WardenEvent::Started { attempt, process: Some(process) } = lab.report() else { panic!("none may end yet") };
        processes.insert(attempt, process);
    }
    std::fs::write(lab.path("go"), "").unwrap();
    let mut ended = HashSet::new();
    while ended.len() < 200 {
        let (attempt, end) = lab.next_end();
        let status = i32::try_from(attempt.number % 100).unwrap();
        let wanted = if status == 0 { Outcome::Succeeded } else { Outcome::Failed { code: status } };
        assert_eq!(end.outcome, wanted);
        let printed = std::fs::read_to_string(lab.path(&format!("{}.log", attempt.number))).unwrap();
        assert_eq!(printed, format!("{status}\n"));
        assert!(!exists(&processes[&attempt]), "a zombie is left");
        assert!(ended.insert(attempt), "ended twice");
    }
    assert!(!lab.has_report());
}

#[test]
fn three_hundred_are_stopped_at_once() {
    let lab = Lab::new();
    lab.start_sleepers(300);
    for _ in 0..300 {
        assert!(matches!(lab.report(), WardenEvent::Started { .. }));
    }
    for number in 1..=300 {
        lab.client().stop(&key("job", number), Outcome::Interrupted, false);
    }
    for _ in 0..300 {
        assert_eq!(lab.end().outcome, Outcome::Interrupted);
    }
}
