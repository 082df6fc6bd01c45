//! A date keeps the zone that it was recorded with, in every command, after `timezone` is edited.

use crontabber::session::{AttemptKey, Outcome};

use crate::fixture::{Fixture, Said, at, succeeds};

/// `load` depends on `fetch`, whose date on the third day fails and holds the fourth.
const REGISTRY: &str = r#"
[jobs.fetch]
schedule = "30 0 * * *"
timezone = "Asia/Tokyo"
start = 2024-11-01
end = 2024-11-05
backfill = true
retry = { after = "9000d" }
expect_by = "02:00"
command = "true"
[jobs.load]
schedule = "30 0 * * *"
timezone = "Asia/Tokyo"
start = 2024-11-01
end = 2024-11-05
backfill = true
depends_on = ["fetch"]
command = "true"
"#;

/// Recorded in Tokyo; then the registry says New York, where each of these dates is on the day before.
fn moved() -> Fixture {
    let place = Fixture::new(REGISTRY);
    place.live(at("2024-10-30T12:00:00Z"), succeeds);
    place.live(at("2024-11-04T12:00:00Z"), |attempt: &AttemptKey| {
        let is_third = attempt.session.date == at("2024-11-02T15:30:00Z");
        Some(if is_third { Outcome::Failed { code: 4 } } else { Outcome::Succeeded })
    });
    place.write(&REGISTRY.replace("Asia/Tokyo", "America/New_York"));
    place
}

fn ask(place: &Fixture, arguments: &[&str]) -> Said {
    let said = place.ask(arguments);
    assert!(said.err.is_empty(), "{said:?}");
    said
}

#[test]
fn dates_are_shown_as_they_were_recorded() {
    let place = moved();
    let sessions = ask(&place, &["sessions", "fetch", "--json"]).column("date");
    assert_eq!(sessions[2], "2024-11-03T00:30:00+09:00");
    let list = ask(&place, &["list", "--json"]).json();
    let fetch = &list[0];
    assert_eq!((&fetch["job"], &fetch["last_success"]), (&"fetch".into(), &"2024-11-02T00:30:00+09:00".into()));
    assert_eq!(fetch["oldest"], "2024-11-03T00:30:00+09:00");
    assert_eq!(fetch["blocked_by"]["date"], "2024-11-03T00:30:00+09:00");
    assert!(fetch["late_because"].as_str().unwrap().starts_with("2024-11-03T00:30:00+09:00 "), "{fetch}");
    assert_eq!(list[1]["blocked_by"]["date"], "2024-11-03T00:30:00+09:00", "the date of the other job");
    let list = place.ask(&["list"]).out;
    for shown in [
        "2024-11-02T00:30:00+09:00",
        "blocked at 2024-11-03T00:30:00+09:00",
        "waits for `fetch`, whose 2024-11-03T00:30:00+09:00 is not settled",
        "CRITICAL: 2024-11-03T00:30:00+09:00 was expected",
    ] {
        assert!(list.contains(shown), "{shown}\n{list}");
    }
    let health = place.ask(&["health"]).out;
    assert!(health.contains("fetch: 2024-11-03T00:30:00+09:00 failed once"), "{health}");
    let status = place.ask(&["status", "fetch"]).out;
    for shown in ["newest date   2024-11-04T00:30:00+09:00", "last success  2024-11-02T00:30:00+09:00"] {
        assert!(status.contains(shown), "{shown}\n{status}");
    }
    let status = place.ask(&["status", "fetch", "--json"]).json();
    assert_eq!((&status["watermark"], &status["oldest"]), (&"2024-11-04T00:30:00+09:00".into(), &fetch["oldest"]));
    let why = place.ask(&["why", "load", "2024-11-04"]).out;
    assert!(why.contains("`fetch`, whose 2024-11-03T00:30:00+09:00 is not settled"), "{why}");
    assert!(why.contains("2024-11-03T00:30:00+09:00, which comes first"), "{why}");
    let why = place.ask(&["why", "fetch", "2024-11-04"]).out;
    assert!(why.contains("2024-11-03T00:30:00+09:00, which comes first and failed"), "{why}");
}

#[test]
fn days_select_dates_as_they_were_recorded() {
    let place = moved();
    let dates = |arguments: &[&str]| {
        let days = ask(&place, arguments).column("date");
        days.iter().map(|date| date[8..10].to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(dates(&["sessions", "fetch", "--from", "2024-11-02", "--to", "2024-11-04", "--json"]), "02 03");
    assert_eq!(dates(&["sessions", "fetch", "--to", "2024-11-03T00:30", "--limit", "1", "--json", "-q"]), "02");
    assert_eq!(dates(&["sessions", "fetch", "--state", "failed", "--from", "2024-11-03", "--json"]), "03");
    assert_eq!(dates(&["attempts", "fetch", "--from", "2024-11-03", "--to", "2024-11-04", "--json"]), "03");
    let ran = ["attempts", "fetch", "--since", "2024-11-04", "--from", "2024-11-03", "--to", "2024-11-04", "--json"];
    assert_eq!(dates(&ran), "03");
    let days = place.ask(&["calendar", "fetch", "--from", "2024-11-02", "--to", "2024-11-04", "--json"]).json();
    let days: Vec<String> =
        days.as_array().unwrap().iter().map(|day| format!("{} {}", day["day"], day["state"])).collect();
    assert_eq!(days, [r#""2024-11-02" "succeeded""#, r#""2024-11-03" "failed""#]);
}

/// The dates of every hour are the same instants in both zones.
const HOURLY: &str = r#"
[jobs.fetch]
schedule = "0 * * * *"
timezone = "Asia/Tokyo"
start = 2024-11-01T00:00:00+09:00
end = 2024-11-01T04:00:00+09:00
backfill = true
retry = { after = "9000d" }
command = "true"
"#;

#[test]
fn what_is_done_to_dates_names_them_as_they_were_recorded() {
    let place = Fixture::new(HOURLY);
    place.live(at("2024-11-04T12:00:00Z"), |attempt: &AttemptKey| {
        let is_third = attempt.session.date == at("2024-10-31T17:00:00Z");
        Some(if is_third { Outcome::Failed { code: 4 } } else { Outcome::Succeeded })
    });
    place.write(&HOURLY.replace("Asia/Tokyo", "America/New_York"));
    let order = ["--from", "2024-10-31T15:00Z", "--to", "2024-10-31T17:00Z", "--only", "all"];
    let backfill = |more: &[&str]| place.ask(&[&["backfill", "fetch"], &order[..], more].concat());
    let said = backfill(&["--dry-run", "--json"]).json();
    assert_eq!(said["dates"], serde_json::json!(["2024-11-01T00:00:00+09:00", "2024-11-01T01:00:00+09:00"]));
    assert_eq!((&said["from"], &said["to"]), (&said["dates"][0], &said["dates"][1]));
    let said = backfill(&["-q"]);
    assert!(said.out.contains("2 dates from 2024-11-01T00:00:00+09:00 to 2024-11-01T01:00:00+09:00"), "{said:?}");
    let acts = place.ask(&["audit", "fetch"]).out;
    assert!(acts.contains("2024-11-01T00:00:00+09:00 .. 2024-11-01T01:00:00+09:00 (2)"), "{acts}");
    assert_eq!(place.ask(&["audit", "fetch", "--json"]).column("from"), ["2024-11-01T00:00:00+09:00"]);
    assert_eq!(place.ask(&["backfills", "--json"]).column("from"), ["2024-11-01T00:00:00+09:00"]);
    assert!(place.ask(&["backfills"]).out.contains("2024-11-01T01:00:00+09:00"));
    let said = place.ask(&["skip", "fetch", "--to", "2024-10-31T16:00Z"]);
    assert!(said.out.contains("skipped 2024-11-01T00:00:00+09:00"), "{said:?}");
    place.ask(&["disable", "fetch", "-q"]);
    let said = place.ask(&["enable", "fetch"]);
    assert!(said.err.contains("from 2024-11-01T02:00:00+09:00 on"), "{said:?}");
    let said = place.ask(&["enable", "fetch", "--skip-missed"]);
    assert!(said.out.contains("3 dates from 2024-11-01T02:00:00+09:00 to 2024-11-01T04:00:00+09:00"), "{said:?}");
}
