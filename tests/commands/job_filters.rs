//! `list`, `health`, `sessions` and `attempts` of some jobs: by name or pattern, tag and state; `attempts --since`.

use chrono::TimeDelta;
use crontabber::clock;
use crontabber::session::{AttemptKey, Outcome};

use crate::fixture::{Fixture, at};

const REGISTRY: &str = r#"
[jobs.load-orders]
schedule = "0 2 * * *"
start = 2024-11-01
end = 2024-11-02
backfill = true
tags = ["shop", "nightly"]
retry = { after = "9000d" }
command = "true"
[jobs.load-users]
schedule = "0 3 * * *"
start = 2024-11-01
end = 2024-11-02
backfill = true
tags = ["people"]
command = "true"
[jobs.clean]
schedule = "0 4 * * *"
start = 2024-11-01
end = 2024-11-01
backfill = true
tags = ["nightly"]
command = "true"
"#;

/// `load-orders` fails on its first day, which holds the second; the others succeed.
fn lived() -> Fixture {
    let place = Fixture::new(REGISTRY);
    place.live(at("2024-11-08T00:00:00Z"), |attempt: &AttemptKey| match attempt.session.job.as_str() {
        "load-orders" => Some(Outcome::Failed { code: 4 }),
        _ => Some(Outcome::Succeeded),
    });
    place
}

/// The jobs of a list, in its order.
fn jobs(place: &Fixture, arguments: &[&str]) -> String {
    let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let said = place.ask(&all);
    assert_eq!(said.exit, 0, "{said:?}");
    let mut jobs = said.column("job");
    jobs.dedup();
    jobs.join(" ")
}

#[test]
fn a_list_has_the_jobs_that_meet_every_condition() {
    let place = lived();
    assert_eq!(jobs(&place, &["list"]), "clean load-orders load-users");
    assert_eq!(jobs(&place, &["list", "clean"]), "clean");
    assert_eq!(jobs(&place, &["list", "load-*"]), "load-orders load-users");
    assert_eq!(jobs(&place, &["list", "l?ad*", "--tag", "people"]), "load-users");
    assert_eq!(jobs(&place, &["list", "--tag", "nightly"]), "clean load-orders");
    assert_eq!(jobs(&place, &["list", "--tag", "people", "--tag", "shop"]), "load-orders load-users");
    assert_eq!(jobs(&place, &["list", "--state", "failed"]), "load-orders");
    assert_eq!(jobs(&place, &["list", "--state", "failed,ok", "--tag", "nightly"]), "clean load-orders");
    let said = place.ask(&["list", "load-*", "--tag", "people"]);
    insta::assert_snapshot!(said.out, @"
    JOB         SCHEDULE   STATE  LAST SUCCESS               NEXT DATE  BEHIND
    load-users  0 3 * * *  ok     2024-11-02T03:00:00+00:00  -               0
    ");
    let said = place.ask(&["list", "clean", "--state", "failed"]);
    assert_eq!((said.out.as_str(), said.exit), ("", 0));
    insta::assert_snapshot!(said.err, @"note: no job meets all these conditions");
    let said = place.ask(&["list", "clean", "--state", "failed", "--json"]);
    assert_eq!((said.out.trim(), said.exit), ("[]", 0));
}

#[test]
fn sessions_and_attempts_are_those_of_the_jobs() {
    let place = lived();
    assert_eq!(jobs(&place, &["sessions", "load-*"]), "load-orders load-users load-orders load-users");
    assert_eq!(jobs(&place, &["sessions", "--tag", "nightly"]), "load-orders clean load-orders");
    assert_eq!(jobs(&place, &["sessions", "--tag", "nightly", "--state", "succeeded"]), "clean");
    assert_eq!(jobs(&place, &["sessions", "load-*", "--tag", "people", "--from", "2024-11-02"]), "load-users");
    assert_eq!(jobs(&place, &["attempts", "--tag", "nightly", "--state", "failed"]), "load-orders");
    assert_eq!(jobs(&place, &["attempts", "c*"]), "clean");
    for command in ["sessions", "attempts"] {
        let said = place.ask(&[command, "--tag", "people", "--from", "2025-01-01"]);
        assert_eq!((said.out.as_str(), said.exit), ("", 0));
        assert_eq!(said.err, format!("note: no such {command} in the ledger\n"));
    }
    let said = place.ask(&["attempts", "load-*", "2024-11-01"]);
    insta::assert_snapshot!(said.err, @"
    error: a date is one of one job, and a pattern names several
    hint: `--from` and `--to` narrow the dates of several jobs
    ");
    let said = place.ask(&["sessions", "--tag", "people", "--before", "clean/1/2024-11-01T04:00:00Z"]);
    insta::assert_snapshot!(said.err, @"
    error: `--before` names a date of `clean`, and these are those of `load-users`
    hint: a cursor belongs to the list that it was printed below
    ");
}

#[test]
fn a_job_a_pattern_and_a_tag_that_nothing_has_are_errors() {
    let place = lived();
    for command in ["list", "sessions", "attempts"] {
        let said = place.ask(&[command, "load-order"]);
        assert_eq!((said.exit, said.out.as_str()), (2, ""), "{said:?}");
        assert_eq!(said.err, "error: there is no job `load-order`\nhint: did you mean `load-orders`?\n");
        let said = place.ask(&[command, "x*"]);
        assert_eq!(said.err, "error: no job matches `x*`\nhint: `crontabber list` names the jobs\n");
        let said = place.ask(&[command, "--tag", "nightli"]);
        assert_eq!(said.err, "error: no job has the tag `nightli`\nhint: did you mean `nightly`?\n");
        let said = place.ask(&[command, "--tag", "nobody"]);
        let hint = "hint: the tags are `nightly`, `people`, `shop`";
        assert_eq!(said.err, format!("error: no job has the tag `nobody`\n{hint}\n"));
        assert_eq!(said.exit, 2);
    }
    let said = place.ask(&["list", "a b*"]);
    assert_eq!(said.exit, 2);
    insta::assert_snapshot!(said.err.lines().next().unwrap(), @"error: invalid value 'a b*' for '[JOB]': a job name consists of `A-Z a-z 0-9 . _ -`, not ' '");
    // A ghost has sessions, and is no job of the registry.
    place.write(&REGISTRY.replace("[jobs.clean]", "[jobs.tidy]"));
    assert_eq!(jobs(&place, &["sessions", "clean"]), "clean");
    let said = place.ask(&["list", "clean"]);
    insta::assert_snapshot!(said.err, @"
    error: `clean` is not in the registry: a ghost, which never runs
    hint: `crontabber status clean` shows what it did
    ");
    let said = place.ask(&["health", "clean"]);
    assert_eq!(said.exit, 3, "a monitor of a job that is gone must not be green");
    insta::assert_snapshot!(said.out, @"UNKNOWN - `clean` is not in the registry: a ghost, which never runs");
}

#[test]
fn health_judges_the_jobs_that_are_meant() {
    let place = lived();
    let said = place.ask(&["health"]);
    assert_eq!(said.exit, 1);
    insta::assert_snapshot!(said.out, @"WARNING - load-orders: 2024-11-01T02:00:00+00:00 failed once, next attempt at 2049-06-30T00:00:01+00:00, after failed(4)");
    let said = place.ask(&["health", "--tag", "people"]);
    assert_eq!(said.exit, 0);
    insta::assert_snapshot!(said.out, @"OK - 1 job, none behind");
    assert_eq!(place.ask(&["health", "load-*", "--tag", "nightly"]).exit, 1);
    assert_eq!(place.ask(&["health", "--state", "ok"]).out, "OK - 2 jobs, none behind\n");
    assert_eq!(place.ask(&["health", "--tag", "x"]).exit, 3);
    let json = place.ask(&["health", "clean", "--json"]).json();
    assert_eq!((json["status"].as_str(), json["jobs"].as_array().unwrap().len()), (Some("ok"), 0));
}

#[test]
fn attempts_are_those_that_ran_since() {
    let place = lived();
    // A fortnight ago is the past of what ran in 2024.
    assert_eq!(jobs(&place, &["attempts", "--since", "14d"]), "");
    let said = place.ask(&["attempts", "--since", "1h30m", "--state", "failed"]);
    assert_eq!((said.out.as_str(), said.exit), ("", 0));
    assert_eq!(said.err, "note: no such attempts in the ledger\n");
    assert_eq!(jobs(&place, &["attempts", "--since", "2024-11-08", "--state", "failed"]), "load-orders");
    assert_eq!(jobs(&place, &["attempts", "--since", "2024-11-08T00:00:02Z"]), "");
    assert_eq!(jobs(&place, &["attempts", "--since", "2024-11-08T00:00:01Z", "c*"]), "clean");
    // Dates of years ago that ran now.
    let now = clock::now();
    place.write(&REGISTRY.replace("[jobs.clean]", "[jobs.late]\npreviously = false"));
    place.live(now - TimeDelta::minutes(20), |attempt| {
        (attempt.session.job.as_str() == "late").then_some(Outcome::Failed { code: 1 })
    });
    assert_eq!(jobs(&place, &["attempts", "--since", "1h", "--state", "failed"]), "late");
    assert_eq!(jobs(&place, &["attempts", "--since", "10m", "--state", "failed"]), "");
    assert_eq!(jobs(&place, &["attempts", "--last", "1h"]), "", "that is about the dates");
    let said = place.ask(&["attempts", "--since", "7"]);
    assert_eq!(said.exit, 2);
    insta::assert_snapshot!(said.err.lines().next().unwrap(), @"error: invalid value '7' for '--since <WHEN>': write a duration, such as `1h`, a day (`2026-11-03`), a local time (`2026-11-03T02:30`) or an instant");
}
