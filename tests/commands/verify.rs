//! `verify`: what it says of a ledger that is well, of one that was tampered with, and of what it cannot know.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::json;

use crate::fixture::{Fixture, at, succeeds};

const TWO_JOBS: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.load]
schedule = "30 2 * * *"
start = 2024-11-01
end = 2024-11-03
backfill = true
command = "true"
[jobs.newest]
schedule = "0 0 * * *"
start = 2024-11-01
end = 2024-11-03
command = "true"
"#;

fn lived() -> Fixture {
    let place = Fixture::new(TWO_JOBS);
    place.live(at("2024-11-05T00:00:00Z"), succeeds);
    place
}

fn tamper(place: &Fixture, sql: &str) {
    let file = place.path("ledger.db");
    let mut sqlite = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    sqlite.batch_execute(&format!("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; {sql}")).unwrap();
}

/// `load` lost its second date, and its first was started again.
fn broken() -> Fixture {
    let place = lived();
    let [first, second] = ["2024-11-01T01:30:00Z", "2024-11-02T01:30:00Z"].map(|date| at(date).timestamp_micros());
    tamper(
        &place,
        &format!(
            "DELETE FROM attempts WHERE date = {second}; DELETE FROM sessions WHERE date = {second}; \
             UPDATE sessions SET attempts = 2 WHERE date = {first}; \
             INSERT INTO attempts (job_id, generation, date, number, trigger, zone_id, host_id, started_at, ended_at, \
             outcome, exit_code, has_log) SELECT job_id, generation, date, 2, 3, zone_id, host_id, started_at + 1000000, \
             ended_at + 1000000, 1, 1, 0 FROM attempts WHERE date = {first} AND number = 1"
        ),
    );
    place
}

#[test]
fn a_ledger_that_is_well_keeps_the_promise() {
    let place = lived();
    let said = place.ask(&["verify"]);
    assert_eq!((said.exit, said.err.as_str()), (0, ""));
    assert_eq!(said.out, "the promise holds: 2 jobs, 6 sessions, 4 attempts\n");
    let quiet = place.ask(&["verify", "-q"]);
    assert_eq!((quiet.exit, quiet.out.as_str(), quiet.err.as_str()), (0, "", ""));
    let json = place.ask(&["verify", "--json"]);
    assert_eq!(json.exit, 0);
    let expected = json!({ "violations": [], "unchecked": [], "jobs": 2, "sessions": 6, "attempts": 4 });
    assert_eq!(json.json(), expected);
}

#[test]
fn every_violation_is_named() {
    let place = broken();
    let said = place.ask(&["verify"]);
    assert_eq!((said.exit, said.err.as_str()), (1, ""));
    insta::assert_snapshot!(said.out, @"
    P1 once: load 2024-11-01T02:30:00+01:00: attempt 2 was opened after attempt 1 had succeeded
    P4 none lost: load 2024-11-02T02:30:00+01:00: it is a date of the timetable in force, and has no row
    the promise is broken: 2 violations in 2 jobs, 5 sessions, 4 attempts
    ");
    let quiet = place.ask(&["verify", "-q"]);
    assert_eq!(quiet.exit, 1);
    assert_eq!(quiet.out.lines().count(), 2, "{}", quiet.out);
    let json = place.ask(&["verify", "--json"]);
    assert_eq!(json.exit, 1);
    let found = json.json();
    assert_eq!(
        found["violations"],
        json!([
            {
                "rule": "P1",
                "job": "load",
                "date": "2024-11-01T02:30:00+01:00",
                "generation": 1,
                "text": "attempt 2 was opened after attempt 1 had succeeded",
            },
            {
                "rule": "P4",
                "job": "load",
                "date": "2024-11-02T02:30:00+01:00",
                "generation": 1,
                "text": "it is a date of the timetable in force, and has no row",
            },
        ])
    );
    assert_eq!((&found["jobs"], &found["sessions"], &found["attempts"]), (&json!(2), &json!(5), &json!(4)));
}

#[test]
fn what_is_not_checked_is_said() {
    let place = lived();
    place.write("[jobs.newest]\nschedule = \"0 0 * * *\"\nstart = 2024-11-01\nend = 2024-11-03\ncommand = \"true\"\n");
    // The ledger has the order of a job's dates, whether the registry has the job or not.
    let said = place.ask(&["verify"]);
    assert_eq!((said.exit, said.err.as_str()), (0, ""));
    place.write("nonsense");
    assert_eq!(place.ask(&["verify"]).exit, 78);
    let said = place.ask(&["verify", "--ledger", "ledger.db"]);
    assert_eq!(said.exit, 0);
    assert!(!said.err.contains("not checked"), "{said:?}");
    // A registry with another schedule makes no difference: the ledger knows the one in force.
    place.write(&TWO_JOBS.replace("30 2", "45 2"));
    assert_eq!(place.ask(&["verify"]).out, "the promise holds: 2 jobs, 6 sessions, 4 attempts\n");
    place.live(at("2024-11-05T01:00:00Z"), succeeds);
    let said = place.ask(&["verify"]);
    insta::assert_snapshot!(said.err, @"note: P4 is not checked for dates before a change of schedule or a reset: load");
    assert_eq!(said.exit, 0);
    assert_eq!(place.ask(&["verify", "-q"]).err, "");
    let unchecked = place.ask(&["verify", "--json"]).json()["unchecked"].clone();
    assert_eq!((&unchecked[0]["rule"], &unchecked[0]["job"]), (&json!("P4"), &json!("load")));
}

#[test]
fn a_wall_clock_that_was_set_back_is_no_violation() {
    let place = lived();
    let third = at("2024-11-03T01:30:00Z").timestamp_micros();
    tamper(&place, &format!("UPDATE attempts SET started_at = started_at - 1000 WHERE date = {third}"));
    tamper(&place, &format!("UPDATE sessions SET recorded_at = recorded_at - 10000000 WHERE date < {third}"));
    let said = place.ask(&["verify"]);
    insta::assert_snapshot!(said.err, @"note: P3: load: dates were started before an earlier one was settled, unless the wall clock was set back: 1, the first at 2024-11-03T02:30:00+01:00");
    assert_eq!(said.exit, 0);
}

#[test]
fn a_ledger_that_cannot_be_read_is_not_well() {
    let place = Fixture::new(TWO_JOBS);
    let said = place.ask(&["verify"]);
    assert_eq!((said.exit, said.out.as_str()), (1, ""));
    assert!(said.err.contains("there is no ledger"), "{}", said.err);
    assert!(!place.path("ledger.db").exists());
    let place = lived();
    tamper(&place, "UPDATE sessions SET state = 9");
    let said = place.ask(&["verify"]);
    assert_eq!(said.exit, 1);
    assert!(said.err.contains("the ledger is damaged"), "{}", said.err);
}
