//! `--downstream`: the dates of other jobs that depend on those that are changed.

use std::collections::BTreeSet;

use crontabber::session::{AttemptKey, Outcome};
use serde_json::Value;

use super::{Hand, at};

/// `clean` follows `load`, `report` follows `clean`, `weekly` reads the days of its week; nothing depends on `other`.
const CHAIN: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.load]
schedule = "0 3 * * *"
start = 2024-11-01
backfill = true
retry = { attempts = 1 }
command = "echo $CRONTABBER_JOB $CRONTABBER_SESSION_DATE >> order"
[jobs.clean]
schedule = "0 4 * * *"
start = 2024-11-01
backfill = true
retry = { attempts = 1 }
depends_on = ["load"]
command = "echo $CRONTABBER_JOB $CRONTABBER_SESSION_DATE >> order"
[jobs.report]
schedule = "0 5 * * *"
start = 2024-11-01
backfill = true
depends_on = ["clean"]
command = "echo $CRONTABBER_JOB $CRONTABBER_SESSION_DATE >> order"
[jobs.weekly]
schedule = "0 6 * * SUN"
start = 2024-10-27
backfill = true
depends_on = [{ job = "clean", covers = "week" }]
command = "echo $CRONTABBER_JOB $CRONTABBER_SESSION_DATE >> order"
[jobs.other]
schedule = "0 3 * * *"
start = 2024-11-01
backfill = true
command = "echo $CRONTABBER_JOB $CRONTABBER_SESSION_DATE >> order"
"#;

/// All dates up to the fifth have run, in the order of the jobs, and `fails` says which of them failed.
fn lived(fails: impl Fn(&str, &str) -> bool) -> Hand {
    let hand = Hand::fresh(CHAIN);
    hand.place.live(at("2024-11-05T11:00:00Z"), |attempt: &AttemptKey| {
        let date = attempt.session.date.to_rfc3339();
        Some(if fails(attempt.session.job.as_str(), &date[..10]) {
            Outcome::Failed { code: 1 }
        } else {
            Outcome::Succeeded
        })
    });
    hand
}

/// The command changes exactly the dates of its preview, and everything succeeds in the end.
fn does_what_its_preview_says(hand: &Hand, line: &str) -> String {
    let ask = |more: &str| hand.ask(&format!("{line} {more}").split(' ').collect::<Vec<_>>());
    let (before, sessions) = (hand.everything(), hand.sessions());
    let (told, dry) = (ask("--dry-run"), ask("--dry-run --json").json());
    assert_eq!(hand.everything(), before, "a dry run changes nothing");
    assert_eq!(ask("--quiet").exit, 2, "it is confirmed first");
    assert_eq!(hand.everything(), before, "without a yes, nothing is changed");
    let real = ask("--yes --json");
    assert_eq!(real.exit, 0, "{real:?}");
    let dates = |job: &Value| -> Vec<String> {
        let dates = job["dates"].as_array().unwrap().iter();
        dates.map(|date| format!("{} {}", job["job"].as_str().unwrap(), date.as_str().unwrap())).collect()
    };
    let below = dry["downstream"].as_array().unwrap();
    assert_eq!(&dry["downstream"], &real.json()["downstream"]);
    let mut named: BTreeSet<String> = below.iter().flat_map(dates).collect();
    named.extend(dates(&dry));
    let after = hand.sessions();
    let changed: BTreeSet<String> =
        after.iter().filter(|(key, row)| sessions.get(*key) != Some(row)).map(|(key, _)| key.clone()).collect();
    assert_eq!(changed, named, "{line}");
    let audit = hand.ask(&["audit", "--json"]).json();
    let audit: Vec<&Value> = audit.as_array().unwrap().iter().filter(|act| act["job"] != dry["job"]).collect();
    assert!(
        audit.iter().all(|act| act["reason"] == format!("downstream of `{}`", dry["job"].as_str().unwrap())),
        "{audit:?}"
    );
    told.out
}

/// Runs what waits; returns each date in the order in which they ran, having checked that it ran after what it depends on.
fn run_all(hand: &Hand) -> Vec<String> {
    let once = hand.ask(&["once"]);
    assert_eq!(once.exit, 0, "{once:?}");
    let verified = hand.ask(&["verify"]);
    assert_eq!(verified.exit, 0, "{verified:?}");
    let rows = hand.sessions();
    assert!(rows.values().all(|row| row["state"] == "succeeded"), "{rows:?}");
    let order = std::fs::read_to_string(hand.place.path("order")).unwrap();
    let order: Vec<String> = order.lines().map(str::to_owned).collect();
    let place = |job: &str, date: &str| order.iter().position(|line| *line == format!("{job} {date}"));
    for (job, date) in order.iter().filter_map(|line| line.split_once(' ')) {
        let above = match job {
            "clean" => place("load", date),
            "report" | "weekly" => place("clean", date),
            _ => None,
        };
        assert!(above < place(job, date), "{job} {date}: {order:?}");
    }
    order
}

#[test]
fn a_repeated_date_repeats_those_that_hang_below() {
    let hand = lived(|_, _| false);
    insta::assert_snapshot!(does_what_its_preview_says(&hand, "retry load 2024-11-03 --again --downstream"), @"
    dry run, nothing is changed; it would answer: 2024-11-03T03:00:00+01:00 of `load` had succeeded, and runs again now, outside its schedule
    a succeeded date runs again (this overrides promise P1; the audit records it)
    these dates of other jobs depend on them:
      `clean`: 2024-11-03T04:00:00+01:00; succeeded before, and repeated
      `report`: 2024-11-03T05:00:00+01:00; succeeded before, and repeated
      `weekly`: 2024-11-03T06:00:00+01:00; succeeded before, and repeated
    ");
    let mut order = run_all(&hand);
    order.sort_unstable();
    assert_eq!(order, ["clean 2024-11-03", "load 2024-11-03", "report 2024-11-03", "weekly 2024-11-03"]);
}

#[test]
fn a_backfill_takes_what_hangs_below_with_it() {
    let hand = lived(|_, _| false);
    insta::assert_snapshot!(does_what_its_preview_says(&hand, "backfill load --from 2024-10-30 --to 2024-11-03 --only all --downstream"), @"
    dry run, nothing is changed; it would answer: backfill of `load`: 4 dates from 2024-10-30T03:00:00+01:00 to 2024-11-02T03:00:00+01:00, oldest first, one at a time, outside its schedule; 2 dates are repeated that succeeded before
      2024-10-30T03:00:00+01:00
      2024-10-31T03:00:00+01:00
      2024-11-01T03:00:00+01:00
      2024-11-02T03:00:00+01:00
    succeeded dates run again (this overrides promise P1; the audit records it)
    these dates of other jobs depend on them:
      `clean`: 4 dates from 2024-10-30T04:00:00+01:00 to 2024-11-02T04:00:00+01:00; 2 of them succeeded before, and are repeated
      `report`: 4 dates from 2024-10-30T05:00:00+01:00 to 2024-11-02T05:00:00+01:00; 2 of them succeeded before, and are repeated
      `weekly`: 2024-11-03T06:00:00+01:00; succeeded before, and repeated
    ");
    run_all(&hand);
}

#[test]
fn a_held_date_below_runs_after_a_retry_and_is_left_out_of_a_repetition() {
    // `clean` failed at the third, so that its later dates, and those of `report`, wait.
    let hand = lived(|job, date| job == "clean" && date == "2024-11-03");
    insta::assert_snapshot!(hand.tell("retry load 2024-11-03 --again --downstream --dry-run"), @"
    retry load 2024-11-03 --again --downstream --dry-run: 0
    dry run, nothing is changed; it would answer: 2024-11-03T03:00:00+01:00 of `load` had succeeded, and runs again now, outside its schedule
    a succeeded date runs again (this overrides promise P1; the audit records it)
    these dates of other jobs depend on them:
      `clean`, left out: 2024-11-03T04:00:00+01:00: failed or held, and does not wait for a repetition; `crontabber retry` runs it afterwards
    ");
    let hand = lived(|job, date| job == "load" && date == "2024-11-03");
    insta::assert_snapshot!(hand.tell("retry load --held --downstream --dry-run"), @"
    retry load --held --downstream --dry-run: 0
    note: no date of another job hangs below
    dry run, nothing is changed; it would answer: `load`: 2024-11-03T03:00:00+01:00 runs again now
    ");
}

#[test]
fn skipped_dates_take_the_unsettled_ones_below_with_them() {
    let hand = lived(|job, date| job == "load" && date == "2024-11-03");
    insta::assert_snapshot!(does_what_its_preview_says(&hand, "skip load --date 2024-11-03 --downstream"), @"
    dry run, nothing is changed; it would answer: `load`: skipped 2024-11-03T03:00:00+01:00; the next date is 2024-11-04T03:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    these dates of other jobs depend on them:
      `clean`: 2024-11-03T04:00:00+01:00
      `report`: 2024-11-03T05:00:00+01:00
      `weekly`: 2024-11-03T06:00:00+01:00
    ");
    let hand = lived(|job, date| job == "load" && date == "2024-11-03");
    insta::assert_snapshot!(does_what_its_preview_says(&hand, "skip load --to 2024-11-07 --downstream"), @"
    dry run, nothing is changed; it would answer: `load`: skipped 4 dates from 2024-11-03T03:00:00+01:00 to 2024-11-06T03:00:00+01:00; the next date is 2024-11-07T03:00:00+01:00
      2024-11-03T03:00:00+01:00
      2024-11-04T03:00:00+01:00
      2024-11-05T03:00:00+01:00
      2024-11-06T03:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    these dates of other jobs depend on them:
      `clean`: 4 dates from 2024-11-03T04:00:00+01:00 to 2024-11-06T04:00:00+01:00
      `report`: 4 dates from 2024-11-03T05:00:00+01:00 to 2024-11-06T05:00:00+01:00
      `weekly`: 2 dates from 2024-11-03T06:00:00+01:00 to 2024-11-10T06:00:00+01:00
    ");
    assert_eq!(hand.ask(&["verify"]).exit, 0);
}

#[test]
fn what_nothing_depends_on_is_changed_alone() {
    let hand = lived(|_, _| false);
    insta::assert_snapshot!(hand.tell_all(&[
        "retry other 2024-11-03 --again --downstream",
        "retry load 2024-11-03 --again --downstream",
        "backfill load --cancel --downstream",
        "skip load --downstream",
    ]), @"
    retry other 2024-11-03 --again --downstream: 0
    note: no date of another job hangs below
    note: a succeeded date runs again (this overrides promise P1; the audit records it)
    note: no daemon is running: dates start when one runs, or with `crontabber once`
    2024-11-03T03:00:00+01:00 of `other` had succeeded, and runs again now, outside its schedule
    retry load 2024-11-03 --again --downstream: 2
    note: these dates of other jobs depend on them:
      `clean`: 2024-11-03T04:00:00+01:00; succeeded before, and repeated
      `report`: 2024-11-03T05:00:00+01:00; succeeded before, and repeated
      `weekly`: 2024-11-03T06:00:00+01:00; succeeded before, and repeated
    error: `retry` would change 1 date of `load`, and 3 dates of 3 other jobs: 2024-11-03T03:00:00+01:00 of `load` had succeeded, and runs again now, outside its schedule
    hint: `--yes` does it without asking, `--dry-run` shows more; nothing was changed
    backfill load --cancel --downstream: 2
    error: the argument '--cancel [<NAME>]' cannot be used with '--downstream'

    Usage: crontabber backfill --cancel [<NAME>] <JOB>

    For more information, try '--help'.
    skip load --downstream: 2
    error: the following required arguments were not provided:
      <--date <DATE>|--to <DATE>|--count <N>>

    Usage: crontabber skip --downstream <--date <DATE>|--to <DATE>|--count <N>> <JOB>

    For more information, try '--help'.
    ");
}

#[test]
fn a_held_date_that_waits_for_the_retry_is_retried_with_it() {
    let hand = Hand::fresh(
        r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.load]
schedule = "0 3 * * *"
start = 2024-11-01
backfill = true
order = "independent"
retry = { attempts = 1 }
command = "echo $CRONTABBER_JOB $CRONTABBER_SESSION_DATE >> order"
[jobs.clean]
schedule = "0 4 * * *"
start = 2024-11-01
backfill = true
order = "independent"
retry = { attempts = 1 }
depends_on = [{ job = "load", ignore_failure = true }]
command = "echo $CRONTABBER_JOB $CRONTABBER_SESSION_DATE >> order"
"#,
    );
    hand.place.live(at("2024-11-05T11:00:00Z"), |attempt: &AttemptKey| {
        let is_third = attempt.session.date.to_rfc3339().starts_with("2024-11-03");
        Some(if is_third { Outcome::Failed { code: 1 } } else { Outcome::Succeeded })
    });
    insta::assert_snapshot!(does_what_its_preview_says(&hand, "retry load --held --downstream"), @"
    dry run, nothing is changed; it would answer: `load`: 2024-11-03T03:00:00+01:00 runs again now
    these dates of other jobs depend on them:
      `clean`: 2024-11-03T04:00:00+01:00
    ");
    assert_eq!(run_all(&hand), ["load 2024-11-03", "clean 2024-11-03"]);
}

#[test]
fn periods_offsets_and_required_jobs_are_followed() {
    let hand = Hand::fresh(
        r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.hourly]
schedule = "0 * * * *"
start = 2024-11-03
backfill = true
command = "true"
[jobs.of-day]
schedule = "30 9 * * *"
start = 2024-11-03
backfill = true
depends_on = [{ job = "hourly", covers = "day", offset = "-1d" }]
command = "true"
[jobs.three-hourly]
schedule = "15 */3 * * *"
start = 2024-11-03
backfill = true
depends_on = ["hourly"]
command = "true"
[jobs.aux]
command = "true"
[jobs.main]
schedule = "0 6 * * *"
start = 2024-11-03
backfill = true
require = ["aux"]
command = "true"
"#,
    );
    hand.place.live(at("2024-11-05T11:00:00Z"), |_| Some(Outcome::Succeeded));
    let below = |line: &str| -> Vec<String> {
        let json = hand.ask(&format!("{line} --dry-run --json").split(' ').collect::<Vec<_>>()).json();
        let job = |job: &Value| format!("{} {}", job["job"].as_str().unwrap(), job["dates"]);
        json["downstream"].as_array().map(|jobs| jobs.iter().map(job).collect()).unwrap_or_default()
    };
    // The daily job reads the day before; the other one the hours since its previous date.
    insta::assert_snapshot!(below("retry hourly 2024-11-03T12:00 --again --downstream").join("\n"), @r#"
    of-day ["2024-11-04T09:30:00+01:00"]
    three-hourly ["2024-11-03T12:15:00+01:00"]
    "#);
    insta::assert_snapshot!(below("retry hourly 2024-11-03T13:00 --again --downstream").join("\n"), @r#"
    of-day ["2024-11-04T09:30:00+01:00"]
    three-hourly ["2024-11-03T15:15:00+01:00"]
    "#);
    insta::assert_snapshot!(below("backfill hourly --from 2024-11-04T20:00 --to 2024-11-05T01:00 --only all --downstream").join("\n"), @r#"
    of-day ["2024-11-05T09:30:00+01:00"]
    three-hourly ["2024-11-04T21:15:00+01:00","2024-11-05T00:15:00+01:00"]
    "#);
    insta::assert_snapshot!(below("retry aux 2024-11-04T06:00 --again --downstream").join("\n"), @r#"main ["2024-11-04T06:00:00+01:00"]"#);
    // The hours from 13:00 to 15:00, which are not recorded yet, and later dates that are not due.
    insta::assert_snapshot!(below("skip hourly --count 3 --downstream").join("\n"), @r#"
    of-day ["2024-11-06T09:30:00+01:00"]
    three-hourly ["2024-11-05T15:15:00+01:00"]
    "#);
}
