//! `health`: the line and the exit status that a monitor gets.

use chrono::{DateTime, TimeDelta, Utc};
use crontabber::clock;
use crontabber::session::{AttemptKey, Outcome};

use crate::fixture::{Fixture, succeeds};

#[expect(clippy::unnecessary_wraps, reason = "the others may not end")]
fn fails(_: &AttemptKey) -> Option<Outcome> {
    Some(Outcome::Failed { code: 1 })
}

/// One date, at the last midnight; a failure is tried again in an hour.
fn daily(midnight: DateTime<Utc>, more: &str) -> Fixture {
    let day = midnight.date_naive();
    Fixture::new(&format!(
        "[jobs.load]\nschedule = \"0 0 * * *\"\nstart = {day}\nend = {day}\nretry = {{ after = \"1h\" }}\n{more}\n\
         command = \"true\"\n"
    ))
}

/// The last midnight that is long past.
fn midnight() -> DateTime<Utc> {
    let day = (clock::now() - TimeDelta::hours(3)).date_naive();
    day.and_hms_opt(0, 0, 0).unwrap().and_utc()
}

fn health(place: &Fixture) -> (i32, String) {
    let said = place.ask(&["health"]);
    assert_eq!(said.err, "");
    assert_eq!(said.out.lines().count(), 1);
    let json = place.ask(&["health", "--json"]);
    assert_eq!(json.exit, said.exit);
    assert_eq!(json.json()["exit"], said.exit);
    (said.exit, said.out.trim_end().to_owned())
}

#[test]
fn a_job_whose_every_date_matters_warns_and_then_is_critical() {
    let place = daily(midnight(), "backfill = true");
    let now = clock::now();
    place.live(now - TimeDelta::minutes(70), fails);
    // Its retry should have been ten minutes ago, and there is nobody who would do it.
    let (exit, line) = health(&place);
    assert_eq!(exit, 2);
    assert!(
        line.starts_with("CRITICAL - load: ") && line.contains("failed once, should have been retried at"),
        "{line}"
    );
    place.live(now, fails);
    let (exit, line) = health(&place);
    assert_eq!(exit, 2);
    assert!(line.contains("failed twice, next attempt at"), "{line}");
    place.live(now + TimeDelta::hours(2), succeeds);
    assert_eq!(health(&place), (0, "OK - 1 job, none behind".to_owned()));

    let place = daily(midnight(), "backfill = true");
    place.live(now, fails);
    let (exit, line) = health(&place);
    assert_eq!(exit, 1);
    let date = midnight().format("%Y-%m-%dT00:00:00+00:00");
    assert!(line.starts_with(&format!("WARNING - load: {date} failed once, next attempt at ")), "{line}");
}

#[test]
fn any_other_job_is_critical_at_once() {
    let place = daily(midnight(), "");
    place.live(clock::now(), fails);
    let (exit, line) = health(&place);
    assert_eq!(exit, 2);
    assert!(line.starts_with("CRITICAL - load: "), "{line}");
}

#[test]
fn a_held_date_is_critical() {
    let place = daily(midnight(), "backfill = true");
    place.write(&std::fs::read_to_string(place.path("jobs.toml")).unwrap().replace("\"1h\"", "\"1h\", attempts = 1"));
    place.live(clock::now(), fails);
    let (exit, line) = health(&place);
    assert_eq!(exit, 2);
    assert!(line.contains("is held: "), "{line}");
}

#[test]
fn a_job_that_should_have_run_and_did_not_is_critical() {
    let place = daily(midnight(), "backfill = true");
    // The ledger knows of the job from before its date.
    place.live(midnight() - TimeDelta::hours(1), succeeds);
    let (exit, line) = health(&place);
    assert_eq!(exit, 2);
    let date = midnight().format("%Y-%m-%dT00:00:00+00:00");
    let expected = format!("CRITICAL - load: {date} should have run at {date} and did not, and no daemon runs");
    assert_eq!(line, expected);
}

#[test]
fn a_frequent_job_that_nobody_looks_after_is_critical_too() {
    let plain = |minutes: i64| {
        let place = Fixture::new("[jobs.plain]\nevery = \"1m\"\ncommand = \"true\"\n");
        let past = clock::now() - TimeDelta::minutes(minutes);
        place.live(past - TimeDelta::minutes(1), succeeds);
        place.live(past, succeeds);
        health(&place)
    };
    let (exit, line) = plain(15);
    assert_eq!(exit, 2, "{line}");
    assert!(line.ends_with(" and did not, and no daemon runs"), "{line}");
    let (exit, line) = plain(3);
    assert_eq!(exit, 0, "{line}");
    // So many that they are not recorded at once.
    assert_eq!(plain(6_000).0, 2);
}

#[test]
fn an_attempt_that_nobody_looks_after_is_critical() {
    let place = daily(midnight(), "backfill = true");
    place.live(clock::now() - TimeDelta::minutes(10), |_| None);
    let (exit, line) = health(&place);
    assert_eq!(exit, 2);
    assert!(line.contains("its end is not recorded, and no daemon runs"), "{line}");
}

#[test]
fn what_waits_for_a_job_that_is_told_of_is_not_told_of() {
    let place = daily(midnight(), "backfill = true");
    let registry = std::fs::read_to_string(place.path("jobs.toml")).unwrap();
    let dependent = registry.replace("[jobs.load]", "[jobs.clean]\ndepends_on = [\"load\"]");
    place.write(&format!("{registry}{dependent}"));
    place.live(clock::now(), fails);
    let said = place.ask(&["health", "--json"]);
    let jobs = said.json()["jobs"].as_array().unwrap().clone();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0]["job"], "load");
    assert_eq!(jobs[0]["status"], "warning");
}

#[test]
fn what_cannot_be_seen_is_unknown() {
    let place = daily(midnight(), "");
    let (exit, line) = health(&place);
    assert_eq!(exit, 3);
    assert!(line.starts_with("UNKNOWN - there is no ledger"), "{line}");
    place.write("nonsense");
    let (exit, line) = health(&place);
    assert_eq!(exit, 3);
    assert!(line.starts_with("UNKNOWN - jobs.toml:1"), "{line}");
}

#[test]
fn what_is_late_is_late_and_then_critical() {
    let late = |place: &Fixture| place.ask(&["list", "--json"]).json()[0]["late"].clone();
    let ago = |minutes: i64| clock::now() - TimeDelta::minutes(minutes);
    for (most, word) in [("40m", None), ("20m", Some("late")), ("10m", Some("critical"))] {
        let place = daily(midnight(), &format!("max_duration = \"{most}\""));
        place.live(ago(30), |_| None);
        assert_eq!(late(&place).as_str(), word, "{most}");
        assert_eq!(place.ask(&["status", "load", "--json"]).json()["late"].as_str(), word, "{most}");
        for asked in ["status", "why"] {
            let said = place.ask(&[asked, "load"]).out;
            assert_eq!(said.contains("longer than `max_duration`, "), word.is_some(), "{most}: {said}");
        }
    }
    // An hour after it was expected a date is no longer late, but missing.
    let due = midnight();
    for minutes in [30, 90] {
        let place = daily(due, &format!("expect_by = \"{}\"", ago(minutes).format("%H:%M:%S")));
        place.live(due, |_| None);
        let is_of_that_day = ago(minutes) - due < TimeDelta::hours(24);
        let word = if minutes == 30 && is_of_that_day { "late" } else { "critical" };
        assert_eq!(late(&place), word, "{minutes}");
        let said = [place.ask(&["list"]).out, place.ask(&["status", "load"]).out];
        assert!(said.iter().all(|said| said.contains("was expected by ")), "{said:?}");
        let [list, status] =
            [&["list", "--json"][..], &["status", "load", "--json"]].map(|line| place.ask(line).json());
        assert_eq!(status["late_because"], list[0]["late_because"]);
        let (_, line) = health(&place);
        assert!(line.contains("load: "), "{line}");
    }
    let place = daily(due, "expect_by = \"00:00\"");
    place.live(due, succeeds);
    assert_eq!(late(&place).as_str(), None);
}

/// The lines of `list` and of `status`, one below the other.
fn told(place: &Fixture) -> String {
    place.ask(&["list"]).out + &place.ask(&["status", "load"]).out
}

#[test]
fn a_first_catch_up_is_not_late() {
    let start = (midnight() - TimeDelta::days(40)).date_naive();
    let registry = |expect_by: &str| {
        format!(
            "[jobs.load]\nschedule = \"0 0 * * *\"\nstart = {start}\nbackfill = true\nexpect_by = \"{expect_by}\"\n\
             command = \"true\"\n"
        )
    };
    // A job that nobody has seen yet, beside one that the ledger has.
    let other = "[jobs.other]\nschedule = \"0 0 1 1 *\"\ncommand = \"true\"\n";
    let place = Fixture::new(other);
    place.live(clock::now(), succeeds);
    place.write(&format!("{other}{}", registry("00:00")));
    assert_eq!(health(&place).0, 0, "{}", health(&place).1);
    // Its first date runs.
    let place = Fixture::new(&registry("00:00"));
    place.live(clock::now() - TimeDelta::minutes(4), |_| None);
    let (exit, line) = health(&place);
    assert!(exit == 0 && line.ends_with("dates behind"), "{line}");
    assert!(!told(&place).contains("was expected"), "{}", told(&place));
    // It still does, after a date of the present was expected: that is late, and nothing that wakes somebody.
    let place = Fixture::new(&registry("00:01"));
    place.live(midnight() - TimeDelta::hours(1), |_| None);
    let late = place.ask(&["list", "--json"]).json()[0]["late_because"].to_string();
    assert!(late.contains(&format!("{}T00:00:00+00:00 was expected by ", midnight().date_naive())), "{late}");
    assert_eq!(place.ask(&["list", "--json"]).json()[0]["late"], "late");
}

#[test]
fn a_failure_comes_before_the_lateness_that_it_causes() {
    let place = daily(midnight(), "backfill = true\nexpect_by = \"00:30\"");
    place.live(midnight() - TimeDelta::hours(1), succeeds);
    place.live(midnight() + TimeDelta::minutes(1), |_| Some(Outcome::Failed { code: 4 }));
    place.live(clock::now(), |_| Some(Outcome::Failed { code: 5 }));
    let (exit, line) = health(&place);
    assert_eq!(exit, 2);
    let date = midnight().format("%Y-%m-%dT00:00:00+00:00");
    assert!(line.starts_with(&format!("CRITICAL - load: {date} failed twice, next attempt at ")), "{line}");
    assert!(line.contains(", after failed(5); ") && line.contains(" was expected by "), "{line}");
    let told = told(&place);
    let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text}: {told}"));
    assert!(at("failed twice") < at("was expected by"), "{told}");
}

#[test]
fn a_job_is_blocked_since_it_is_and_not_since_its_date() {
    let start = (midnight() - TimeDelta::days(40)).date_naive();
    let place = Fixture::new(&format!(
        "[jobs.load]\nschedule = \"0 0 * * *\"\nstart = {start}\nbackfill = true\nretry = {{ after = \"1h\" }}\ncommand = \"true\"\n\
         [jobs.clean]\nschedule = \"0 0 * * *\"\nstart = {start}\nbackfill = true\ndepends_on = [\"load\"]\ncommand = \"true\"\n"
    ));
    place.live(clock::now() - TimeDelta::seconds(130), fails);
    let blocked = format!("blocked at {start}T00:00:00+00:00 for 2 minutes");
    let told = told(&place);
    assert_eq!(told.matches(&blocked).count(), 3, "{blocked}: {told}");
    // A date of long ago whose last attempt failed three minutes ago.
    let place = daily(midnight(), "backfill = true");
    place.live(midnight() + TimeDelta::seconds(1), fails);
    place.live(clock::now() - TimeDelta::seconds(190), fails);
    let blocked = midnight().format("blocked at %Y-%m-%dT00:00:00+00:00 for 3 minutes").to_string();
    let told = self::told(&place);
    assert_eq!(told.matches(&blocked).count(), 2, "{blocked}: {told}");
}
