//! `backfill --cancel`, `backfills`, and `skip` of backfilled dates.

use super::Hand;

#[test]
fn a_backfill_is_cancelled_and_what_had_succeeded_stays_succeeded() {
    let hand = Hand::new();
    hand.tell("backfill free --from 2024-10-28 --only all --name oops");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("backfill free --cancel oops"), @"
    dry run, nothing is changed; it would answer: backfill `oops` of `free` is cancelled: 8 dates from 2024-10-28T04:00:00+01:00 to 2024-11-05T04:00:00+01:00 leave it; 4 dates that had succeeded before stay succeeded; 4 dates are skipped, and `crontabber backfill free` can order them again
      2024-10-28T04:00:00+01:00
      2024-10-29T04:00:00+01:00
      2024-10-30T04:00:00+01:00
      2024-10-31T04:00:00+01:00
      2024-11-01T04:00:00+01:00
      2024-11-03T04:00:00+01:00
      2024-11-04T04:00:00+01:00
      2024-11-05T04:00:00+01:00
    ");
    insta::assert_snapshot!(hand.states("free"), @"
    10-28T04:00 skipped
    10-29T04:00 skipped
    10-30T04:00 skipped
    10-31T04:00 skipped
    11-01T04:00 succeeded
    11-02T04:00 waiting
    11-03T04:00 succeeded
    11-04T04:00 succeeded
    11-05T04:00 succeeded
    ");
    insta::assert_snapshot!(hand.tell_all(&[
        "backfill free --cancel oops",
        "backfill free --cancel",
        "backfill free --cancel --from 2024-10-28",
        "backfill free",
        "backfill none --cancel",
        "why free 2024-10-28",
        "verify",
    ]), @"
    backfill free --cancel oops: 1
    error: `free` has no backfill `oops` with dates to go
    backfill free --cancel: 1
    error: `free` has no backfill with dates to go: there is nothing to cancel
    backfill free --cancel --from 2024-10-28: 2
    error: the argument '--cancel [<NAME>]' cannot be used with '--from <DATE>'

    Usage: crontabber backfill --cancel [<NAME>] <JOB>

    For more information, try '--help'.
    backfill free: 2
    error: the following required arguments were not provided:
      --from <DATE>

    Usage: crontabber backfill --from <DATE> <JOB>

    For more information, try '--help'.
    backfill none --cancel: 2
    error: there is no job `none`
    hint: `crontabber list` names the jobs
    why free 2024-10-28: 0
    free 2024-10-28T04:00:00+01:00 was skipped: its backfill was cancelled before it succeeded
      recorded at 2024-11-05T13:00:00+01:00, for a backfill
      backfill by USER at 2024-11-05T13:00:00+01:00: backfill `oops` of `free`: 9 dates from 2024-10-28T04:00:00+01:00 to 2024-11-05T04:00:00+01:00, oldest first, one at a time, outside its schedule; 4 dates are repeated that succeeded before; 1 date is in the order of the schedule, and retried there
      cancel-backfill by USER at 2024-11-05T13:00:00+01:00 (a-reason): backfill `oops` of `free` is cancelled: 8 dates from 2024-10-28T04:00:00+01:00 to 2024-11-05T04:00:00+01:00 leave it; 4 dates that had succeeded before stay succeeded; 4 dates are skipped, and `crontabber backfill free` can order them again
    next: nothing; `crontabber retry` or `backfill` would run it
    verify: 0
    the promise holds: 4 jobs, 21 sessions, 8 attempts
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("backfill free --from 2024-10-28"), @"
    dry run, nothing is changed; it would answer: backfill of `free`: 4 dates from 2024-10-28T04:00:00+01:00 to 2024-10-31T04:00:00+01:00, oldest first, one at a time, outside its schedule; 5 dates are left out: settled by attempts, or not settled yet
      2024-10-28T04:00:00+01:00
      2024-10-29T04:00:00+01:00
      2024-10-30T04:00:00+01:00
      2024-10-31T04:00:00+01:00
    ");
}

#[test]
fn of_several_backfills_the_operator_says_which() {
    let hand = Hand::new();
    hand.tell("backfill load --from 2024-10-28 --to 2024-10-30 --name spring");
    hand.tell("backfill load --from 2024-10-20 --to 2024-10-22");
    hand.tell("backfill free --from 2024-10-28 --only all --name oops --parallel 2 --order desc");
    hand.tell("retry newest 2024-11-05 --again");
    insta::assert_snapshot!(hand.tell("backfills"), @"
    backfills: 0
    JOB   NAME    FROM                       TO                         STATE  DONE  SKIPPED  FAILED  TO GO  ENTERED
    load  spring  2024-10-28T03:00:00+01:00  2024-10-29T03:00:00+01:00  open      0        0       0      2  2024-11-05T13:00:00+01:00
    load  2       2024-10-20T03:00:00+02:00  2024-10-21T03:00:00+02:00  open      0        0       0      2  2024-11-05T13:00:00+01:00
    free  oops    2024-10-28T04:00:00+01:00  2024-11-05T04:00:00+01:00  open      0        0       0      8  2024-11-05T13:00:00+01:00
    ");
    insta::assert_snapshot!(hand.tell_all(&[
        "backfill load --cancel",
        "backfill load --cancel autumn",
        "backfill load --cancel 2 --reason wrong",
        "backfill load --cancel",
    ]), @"
    backfill load --cancel: 1
    error: `load` has 2 backfills: say which with `crontabber backfill load --cancel NAME`: `spring` (2 dates to go), 2 (without a name, 2 dates to go)
    backfill load --cancel autumn: 1
    error: `load` has no backfill `autumn` with dates to go; it has `spring` (2 dates to go), 2 (without a name, 2 dates to go)
    backfill load --cancel 2 --reason wrong: 0
    backfill of `load` is cancelled: 2 dates from 2024-10-20T03:00:00+02:00 to 2024-10-21T03:00:00+02:00 leave it; 2 dates are skipped, and `crontabber backfill load` can order them again
    backfill load --cancel: 0
    backfill `spring` of `load` is cancelled: 2 dates from 2024-10-28T03:00:00+01:00 to 2024-10-29T03:00:00+01:00 leave it; 2 dates are skipped, and `crontabber backfill load` can order them again
    ");
    hand.tell("done load 2024-10-28");
    insta::assert_snapshot!(hand.tell_all(&["backfills load", "backfills newest", "backfills none"]), @"
    backfills load: 0
    JOB   NAME    FROM                       TO                         STATE      DONE  SKIPPED  FAILED  TO GO  ENTERED
    load  spring  2024-10-28T03:00:00+01:00  2024-10-29T03:00:00+01:00  cancelled     1        1       0      0  2024-11-05T13:00:00+01:00
    load  2       2024-10-20T03:00:00+02:00  2024-10-21T03:00:00+02:00  cancelled     0        2       0      0  2024-11-05T13:00:00+01:00
    backfills newest: 0
    no backfills of `newest`
    backfills none: 2
    error: there is no job `none`
    hint: `crontabber list` names the jobs
    ");
    let mut free = hand.ask(&["backfills", "free", "--json"]).json();
    assert_eq!(free[0]["user"].take(), hand.user.as_str());
    insta::assert_snapshot!(free, @r#"[{"cancelled_by":null,"done":0,"entered_at":"2024-11-05T13:00:00+01:00","failed":0,"from":"2024-10-28T04:00:00+01:00","generation":1,"job":"free","name":"oops","newest_first":true,"number":3,"parallel":2,"running":0,"skipped":0,"state":"open","to":"2024-11-05T04:00:00+01:00","to_go":8,"user":null}]"#);
    assert_eq!(Hand::fresh(super::JOBS).ask(&["backfills", "--json"]).out, "[]\n");
    insta::assert_snapshot!(hand.states("load"), @"
    10-20T03:00 skipped
    10-21T03:00 skipped
    10-28T03:00 succeeded
    10-29T03:00 skipped
    11-01T03:00 succeeded
    11-02T03:00 succeeded
    11-03T03:00 failed
    11-04T03:00 waiting
    11-05T03:00 waiting
    ");
}

#[test]
fn skip_takes_the_dates_of_backfills() {
    let hand = Hand::new();
    hand.tell("backfill free --from 2024-10-28 --only all");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("skip free --date 2024-11-03"), @"
    dry run, nothing is changed; it would answer: `free`: skipped 2024-11-03T04:00:00+01:00, which had succeeded before and stays succeeded; the next date is 2024-11-02T04:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("skip free --to 2024-11-01"), @"
    dry run, nothing is changed; it would answer: `free`: skipped 4 dates from 2024-10-28T04:00:00+01:00 to 2024-10-31T04:00:00+01:00; the next date is 2024-11-02T04:00:00+01:00
      2024-10-28T04:00:00+01:00
      2024-10-29T04:00:00+01:00
      2024-10-30T04:00:00+01:00
      2024-10-31T04:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("retry free 2024-10-28"), @"dry run, nothing is changed; it would answer: 2024-10-28T04:00:00+01:00 of `free` was skipped, and runs again now, outside its schedule");
    insta::assert_snapshot!(hand.states("free"), @"
    10-28T04:00 waiting
    10-29T04:00 skipped
    10-30T04:00 skipped
    10-31T04:00 skipped
    11-01T04:00 waiting
    11-02T04:00 waiting
    11-03T04:00 succeeded
    11-04T04:00 waiting
    11-05T04:00 waiting
    ");
}

#[test]
fn a_backfill_is_listed_with_the_second_when_it_was_entered() {
    let hand = Hand::new();
    let arguments = ["backfill", "load", "--from", "2024-10-28", "--to", "2024-10-30"];
    let entered = hand.command(&arguments).env("FAKETIME", "2024-11-05 12:00:00.25").output().unwrap();
    assert!(entered.status.success(), "{entered:?}");
    let list = hand.tell("backfills");
    assert!(list.ends_with("2024-11-05T13:00:00+01:00"), "{list}");
    assert_eq!(hand.ask(&["backfills", "--json"]).column("entered_at"), ["2024-11-05T13:00:00.250+01:00"]);
}
