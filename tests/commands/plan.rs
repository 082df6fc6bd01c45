//! `plan`: the dates of a range, whatever the ledger holds, and what a wake would start.

use serde_json::json;

use crate::fixture::{Fixture, at, succeeds};

const BERLIN: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.night]
schedule = "30 2 * * *"
command = "true"
[jobs.even]
schedule = "0 */2 * * *"
command = "true"
[jobs.quarters]
schedule = "*/15 2 * * *"
command = "true"
[jobs.late]
every = "1d"
delay = "90m"
start = 2026-11-01
end = 2026-11-03
backfill = true
command = "true"
[jobs.new-york]
schedule = "30 2 * * *"
timezone = "America/New_York"
command = "true"
"#;

fn dates(job: &str, from: &str, to: &str) -> Vec<String> {
    let said = Fixture::new(BERLIN).ask(&["plan", job, "--from", from, "--to", to, "--json"]);
    assert_eq!((said.exit, said.err.as_str()), (0, ""));
    said.column("date")
}

#[test]
fn dates_follow_the_clock_changes() {
    assert_eq!(
        dates("night", "2026-03-28", "2026-03-31"),
        ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    );
    assert_eq!(
        dates("night", "2026-10-24", "2026-10-27"),
        ["2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
    );
    assert_eq!(dates("new-york", "2026-03-08", "2026-03-09"), ["2026-03-08T03:00:00-04:00"]);
    let even = dates("even", "2026-10-25", "2026-10-26");
    assert_eq!(even.len(), 13);
    assert_eq!(even[1..3], ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]);
    assert!(dates("quarters", "2026-03-29", "2026-03-30").is_empty());
    assert_eq!(dates("quarters", "2026-10-25", "2026-10-26").len(), 8);
}

#[test]
fn a_range_has_its_first_instant_and_not_its_last() {
    let night = ["2026-11-03T02:30:00+01:00", "2026-11-04T02:30:00+01:00"];
    assert_eq!(dates("night", "2026-11-03T01:30:00Z", "2026-11-05T01:30:00Z"), night);
    assert_eq!(dates("night", "2026-11-03T02:30", "2026-11-05T02:30"), night);
    assert_eq!(dates("night", "2026-11-03", "2026-11-05"), night);
}

#[test]
fn a_date_is_due_after_its_delay_and_between_start_and_end() {
    let place = Fixture::new(BERLIN);
    let said = place.ask(&["plan", "late", "--from", "2026-10-01", "--to", "2027-01-01", "--json"]);
    let due = |day: u32| {
        json!({
            "job": "late",
            "date": format!("2026-11-0{day}T00:00:00+01:00"),
            "due": format!("2026-11-0{day}T01:30:00+01:00"),
        })
    };
    assert_eq!(said.json(), json!([due(1), due(2), due(3)]));
    assert!(!place.path("ledger.db").exists());
    let said = place.ask(&["plan", "late", "--from", "2026-11-02", "--to", "2026-11-03"]);
    assert_eq!(said.out, "2026-11-02T00:00:00+01:00  due 2026-11-02T01:30:00+01:00  late\n");
}

#[test]
fn the_ledger_makes_no_difference() {
    let place = Fixture::new(BERLIN);
    let ask = || place.ask(&["plan", "late", "--from", "2026-11-01", "--to", "2026-11-09", "--json"]);
    let before = ask();
    place.live(at("2026-11-05T00:00:00Z"), succeeds);
    assert_eq!(ask(), before);
}

#[test]
fn all_jobs_are_told_by_date() {
    let place = Fixture::new(BERLIN);
    let said = place.ask(&["plan", "--from", "2026-11-03", "--to", "2026-11-04", "--json", "--count", "4"]);
    assert_eq!(
        said.column("date"),
        [
            "2026-11-03T00:00:00+01:00",
            "2026-11-03T00:00:00+01:00",
            "2026-11-03T02:00:00+01:00",
            "2026-11-03T02:00:00+01:00"
        ]
    );
    assert_eq!(place.ask(&["plan", "night", "--from", "2026-11-03", "--count", "3", "--json"]).column("date").len(), 3);
    assert_eq!(place.ask(&["plan", "night", "--json"]).column("date").len(), 10);
}

#[test]
fn past_the_years_we_know_is_an_error() {
    let place = Fixture::new(BERLIN);
    let said = place.ask(&["plan", "night", "--from", "2099-12-31", "--to", "2100-01-09", "--json"]);
    assert_eq!(said.exit, 1);
    assert_eq!(said.column("date"), ["2099-12-31T02:30:00+01:00"]);
    assert!(said.err.starts_with("error: no date up to 2099-12-31T23:59:59Z"), "{}", said.err);
    let said = place.ask(&["plan", "night", "--from", "2026-11-03", "--to", "2026-11-01"]);
    assert_eq!(said.exit, 2);
    assert!(said.err.starts_with("error: the range ends before it begins\nhint: "), "{}", said.err);
}

#[test]
fn a_wake_is_told_before_it_happens() {
    let place = Fixture::new(BERLIN);
    let said = place.ask(&["plan", "--json"]);
    let json = said.json();
    let of = |job: &str| json.as_array().unwrap().iter().filter(|row| row["job"] == job).cloned().collect::<Vec<_>>();
    assert_eq!(
        of("late"),
        [json!({
            "job": "late",
            "date": "2026-11-01T00:00:00+01:00",
            "due": "2026-11-01T01:30:00+01:00",
            "starts": "now", "stand_in": null, "paused": false,
            "attempt": 1,
            "trigger": "catch-up",
            "backlog": 3,
        })]
    );
    assert_eq!(of("night")[0]["starts"], "later");
    place.live(at("2026-11-05T00:00:00Z"), succeeds);
    assert!(!place.ask(&["plan", "--json"]).column("job").contains(&"late".to_owned()));
}

#[test]
fn an_empty_range_is_an_error_of_every_command() {
    let place = Fixture::new(BERLIN);
    place.live(at("2026-11-05T00:00:00Z"), succeeds);
    for command in ["plan", "sessions", "attempts", "audit", "calendar night", "plan night"] {
        let mut words: Vec<&str> = command.split(' ').collect();
        words.extend(["--from", "2026-11-03", "--to", "2026-11-03"]);
        let said = place.ask(&words);
        assert_eq!((said.exit, said.out.as_str()), (2, ""), "{command}");
        assert!(said.err.contains("for one day, it is the day after `--from`"), "{command}: {}", said.err);
    }
}

const YEARLY: &str = "[jobs.yearly]\nschedule = \"@yearly\"\nstart = 2026-01-01\ncommand = \"true\"\n";

#[test]
fn a_note_says_why_the_dates_of_a_job_do_not_run() {
    let place = Fixture::new(YEARLY);
    place.live(at("2026-11-05T00:00:00Z"), succeeds);
    let ask = || {
        let said = place.ask(&["plan", "yearly", "--count", "1"]);
        assert_eq!((said.exit, said.out.as_str()), (0, "2027-01-01T00:00:00+00:00  yearly\n"));
        said.err
    };
    assert_eq!(ask(), "");
    place.ask(&["disable", "yearly"]);
    let said = ask();
    assert!(
        said.starts_with("note: no attempt of `yearly` starts yet: it waits for an operator to enable it"),
        "{said}"
    );
    place.ask(&["enable", "yearly"]);
    place.live(at("2098-11-05T00:00:00Z"), succeeds);
    let said = ask();
    assert_eq!(
        said,
        "note: `yearly` has recorded its dates up to 2098-01-01T00:00:00+00:00, which is in the future: what has run up \
         to then does not run again; was the clock wrong?\n"
    );
}

#[test]
fn dates_that_an_operator_has_settled_ahead_are_left_out() {
    let place = Fixture::new(YEARLY);
    place.live(at("2026-11-05T00:00:00Z"), succeeds);
    place.ask(&["skip", "yearly", "--date", "2090-01-01"]);
    let plan = |from: &str, to: &str| place.ask(&["plan", "yearly", "--from", from, "--to", to, "--json"]);
    let said = plan("2089-01-01", "2092-01-01");
    assert_eq!(said.column("date"), ["2089-01-01T00:00:00+00:00", "2091-01-01T00:00:00+00:00"]);
    assert_eq!(said.err, "note: `yearly` does not run 2090-01-01T00:00:00+00:00: `skip` or `done` has settled it\n");
    place.ask(&["done", "yearly", "2091-01-01"]);
    let said = place.ask(&["plan", "yearly", "--from", "2089-01-01", "--count", "2"]);
    assert_eq!(said.out, "2089-01-01T00:00:00+00:00  yearly\n2092-01-01T00:00:00+00:00  yearly\n");
    assert!(
        said.err.contains("2 dates from 2090-01-01T00:00:00+00:00 to 2091-01-01T00:00:00+00:00: `skip` or `done`"),
        "{}",
        said.err
    );
    // What has passed is listed, whatever became of it.
    assert_eq!(plan("2026-01-01", "2027-01-01").column("date"), ["2026-01-01T00:00:00+00:00"]);
}
