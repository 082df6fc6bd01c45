//! Dates that are repeated: those of earlier generations, those with a `done_when`, and what `why` says of them.

use super::Hand;

const REGISTRY: &str = r#"
[jobs.load]
schedule = "0 3 * * *"
start = 2024-11-01
backfill = true
command = "true"
[jobs.asks]
schedule = "0 3 * * *"
start = 2024-11-04
backfill = true
done_when = "false"
command = "true"
[jobs.often]
schedule = "*/10 * * * *"
start = 2024-11-04
end = 2024-11-04
backfill = true
command = "true"
[jobs.off]
schedule = "0 3 * * *"
start = 2024-11-02
backfill = true
enabled = false
command = "true"
"#;

/// All dates have succeeded.
fn caught_up() -> Hand {
    let hand = Hand::fresh(REGISTRY);
    hand.ask(&["once", "-q"]);
    hand
}

#[test]
fn a_date_that_succeeded_before_a_reset_stays_settled_and_a_backfill_repeats_it() {
    let hand = caught_up();
    hand.ask(&["reset", "load", "--to", "2024-11-04", "-q"]);
    insta::assert_snapshot!(hand.tell_all(&[
        "retry load 2024-11-02 --again",
        "skip load --date 2024-11-02 -q",
        "done load 2024-11-02 -q",
        "backfill load --from 2024-11-02T03:00:00+00:00 --count 1 --only all -q",
    ]), @"
    retry load 2024-11-02 --again: 1
    error: 2024-11-02T03:00:00+00:00 of `load` succeeded before the job was reset; `crontabber backfill load --from 2024-11-02T03:00:00+00:00 --count 1 --only all` repeats it
    skip load --date 2024-11-02 -q: 1
    error: 2024-11-02T03:00:00+00:00 of `load` succeeded before the job was reset, and stays settled
    done load 2024-11-02 -q: 1
    error: 2024-11-02T03:00:00+00:00 of `load` succeeded before the job was reset, and stays settled
    backfill load --from 2024-11-02T03:00:00+00:00 --count 1 --only all -q: 0
    backfill of `load`: 2024-11-02T03:00:00+00:00, oldest first, one at a time, outside its schedule; 1 date is repeated that succeeded before
    ");
}

#[test]
fn why_of_a_date_that_waits_to_be_repeated_says_that_it_had_succeeded() {
    let hand = caught_up();
    hand.ask(&["retry", "load", "2024-11-02", "--again", "-q"]);
    let why = hand.ask(&["why", "load", "2024-11-02"]).out;
    let lines: Vec<&str> = why.lines().collect();
    assert_eq!(lines[0], "load 2024-11-02T03:00:00+00:00 had succeeded, and waits to run again");
    assert!(lines[1].ends_with(", and repeated by request of an operator"), "{why}");
    let log = hand.ask(&["once"]).err;
    assert!(log.contains("attempt 2 succeeded") && !log.contains("backfill"), "{log}");
}

#[test]
fn an_answer_says_that_done_when_is_asked_first() {
    let hand = caught_up();
    insta::assert_snapshot!(hand.tell_all(&[
        "retry asks 2024-11-04 --again -q",
        "backfill asks --from 2024-11-05 --only all --dry-run",
    ]), @"
    retry asks 2024-11-04 --again -q: 0
    2024-11-04T03:00:00+00:00 of `asks` had succeeded, and runs again now, outside its schedule, unless `done_when` says that a date is done
    backfill asks --from 2024-11-05 --only all --dry-run: 0
    dry run, nothing is changed; it would answer: backfill of `asks`: 2024-11-05T03:00:00+00:00, oldest first, one at a time, outside its schedule, unless `done_when` says that a date is done; 1 date is repeated that succeeded before
    succeeded dates run again (this overrides promise P1; the audit records it)
    ");
}

#[test]
fn a_day_with_many_dates_names_a_few() {
    let hand = caught_up();
    insta::assert_snapshot!(hand.tell_all(&["retry often 2024-11-04 --again", "log often 2024-11-04"]), @"
    retry often 2024-11-04 --again: 2
    error: `often` has 144 dates there
    hint: name one: 2024-11-04T00:00:00+00:00, 2024-11-04T00:10:00+00:00, 2024-11-04T00:20:00+00:00, 2024-11-04T00:30:00+00:00, 2024-11-04T00:40:00+00:00, 2024-11-04T00:50:00+00:00, 2024-11-04T01:00:00+00:00, 2024-11-04T01:10:00+00:00 and 136 more
    log often 2024-11-04: 2
    error: `often` was attempted at 144 dates of that day
    hint: name one: 2024-11-04T00:00:00+00:00, 2024-11-04T00:10:00+00:00, 2024-11-04T00:20:00+00:00, 2024-11-04T00:30:00+00:00, 2024-11-04T00:40:00+00:00, 2024-11-04T00:50:00+00:00, 2024-11-04T01:00:00+00:00, 2024-11-04T01:10:00+00:00 and 136 more
    ");
}

#[test]
fn the_dates_that_a_disabled_job_has_missed_are_no_backfill() {
    let hand = caught_up();
    hand.ask(&["disable", "load", "-q"]);
    insta::assert_snapshot!(hand.tell_all(&[
        "backfill off --from 2024-11-02 --to 2024-11-04",
        "backfill off --from 2024-11-01T12:00 --to 2024-11-04",
        "backfill off --from 2024-11-01 --to 2024-11-02 --dry-run",
        "backfill off --from 2024-11-01 --to 2024-11-04 --dry-run",
        "backfill off --from 2024-11-01 --count 3",
        "backfill off --from 2024-11-01 --count 1 --dry-run",
    ]), @"
    backfill off --from 2024-11-02 --to 2024-11-04: 1
    error: `off` is disabled, and has not recorded its dates from 2024-11-02T03:00:00+00:00 on: they belong to its schedule, and are not ordered; they run after `enabled = true` in the registry
    backfill off --from 2024-11-01T12:00 --to 2024-11-04: 1
    error: `off` is disabled, and has not recorded its dates from 2024-11-02T03:00:00+00:00 on: they belong to its schedule, and are not ordered; they run after `enabled = true` in the registry
    backfill off --from 2024-11-01 --to 2024-11-02 --dry-run: 0
    dry run, nothing is changed; it would answer: backfill of `off`: 2024-11-01T03:00:00+00:00, oldest first, one at a time, outside its schedule; no attempt of `off` starts until `enabled = true` in the registry
    backfill off --from 2024-11-01 --to 2024-11-04 --dry-run: 0
    dry run, nothing is changed; it would answer: backfill of `off`: 2024-11-01T03:00:00+00:00, oldest first, one at a time, outside its schedule; `off` is disabled, and has not recorded its dates from 2024-11-02T03:00:00+00:00 on: they belong to its schedule, and are not ordered; they run after `enabled = true` in the registry; no attempt of `off` starts until `enabled = true` in the registry
    backfill off --from 2024-11-01 --count 3: 1
    error: `--count 3`, but there is only 1 date of `off` from 2024-11-01T00:00:00+00:00 on; `off` is disabled, and has not recorded its dates from 2024-11-02T03:00:00+00:00 on: they belong to its schedule, and are not ordered; they run after `enabled = true` in the registry
    backfill off --from 2024-11-01 --count 1 --dry-run: 0
    dry run, nothing is changed; it would answer: backfill of `off`: 2024-11-01T03:00:00+00:00, oldest first, one at a time, outside its schedule; no attempt of `off` starts until `enabled = true` in the registry
    ");
}
