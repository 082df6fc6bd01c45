//! A job without a schedule, wherever jobs are listed.

use crontabber::clock;

use crate::fixture::{Fixture, succeeds};

const BY_HAND: &str = r#"
[jobs.by-hand]
timezone = "Europe/Berlin"
command = "true"
[jobs.load]
schedule = "0 3 * * *"
start = 2024-11-01
end = 2024-11-02
backfill = true
command = "true"
"#;

fn lived() -> Fixture {
    let place = Fixture::new(BY_HAND);
    place.live(clock::now(), succeeds);
    place
}

#[test]
fn it_is_listed_as_well() {
    let place = lived();
    insta::assert_snapshot!(place.ask(&["list"]).out, @"
    JOB      SCHEDULE   STATE  LAST SUCCESS               NEXT DATE  BEHIND
    by-hand  none       ok     -                          -               0
    load     0 3 * * *  ok     2024-11-02T03:00:00+00:00  -               0
    ");
    let row = place.ask(&["list", "--json"]).json()[0].clone();
    assert_eq!(row["schedule"], "none");
    assert!(row["next_date"].is_null() && row["next_due"].is_null() && row["backlog"] == 0, "{row}");
    let health = place.ask(&["health"]);
    assert_eq!((health.out.as_str(), health.exit), ("OK - 2 jobs, none behind\n", 0));
    assert_eq!(place.ask(&["verify"]).exit, 0);
}

#[test]
fn it_has_no_dates_ahead() {
    let place = lived();
    insta::assert_snapshot!(place.ask(&["plan"]).out, @"
    JOB      STARTS NOW  BEHIND  NEXT DATE
    by-hand  -                0  -
    load     -                0  -

    a wake would start nothing now
    ");
    insta::assert_snapshot!(place.ask(&["plan", "by-hand"]).out, @"`by-hand` has no schedule: it runs when another job requires it, or an operator runs it");
    assert_eq!(place.ask(&["plan", "--json"]).json(), serde_json::json!([]));
    let range = ["plan", "--from", "2024-11-01", "--to", "2024-11-03", "--json"];
    assert_eq!(place.ask(&range).column("job"), ["load", "load"]);
}

#[test]
fn it_is_checked_with_a_word_about_who_starts_it() {
    let said = lived().ask(&["check"]);
    assert_eq!(said.exit, 0);
    insta::assert_snapshot!(said.err, @"
    warning: job `by-hand` has neither `schedule` nor `every`, and no job requires it
     --> jobs.toml:2:7
      |
    2 | [jobs.by-hand]
      |       ^^^^^^^ only an operator can run it
    ");
}

#[test]
fn it_runs_when_it_is_asked_to() {
    let place = lived();
    let said = place.ask(&["run", "by-hand"]);
    assert_eq!(said.exit, 0, "{said:?}");
    let sessions = place.ask(&["sessions", "by-hand", "--json"]);
    assert_eq!(
        (sessions.column("state"), sessions.column("trigger")),
        (vec!["succeeded".into()], vec!["manual".into()])
    );
    assert_eq!(place.ask(&["verify"]).exit, 0);
}
