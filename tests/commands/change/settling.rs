//! `skip` and `done`: dates that are settled without an attempt.

use super::Hand;

#[test]
fn a_date_is_skipped_before_and_after_it_has_come() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("skip load --date 2024-11-03"), @"
    dry run, nothing is changed; it would answer: `load`: skipped 2024-11-03T03:00:00+01:00; the next date is 2024-11-04T03:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("skip load --date 2024-11-20"), @"
    dry run, nothing is changed; it would answer: `load`: skipped 2024-11-20T03:00:00+01:00; the next date is 2024-11-04T03:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    ");
    insta::assert_snapshot!(hand.tell_all(&[
        "skip load --date 2024-11-20",
        "skip load --date 2024-11-02",
        "skip load --date 2024-11-03T05:00",
        "skip load --date 2024-11-03T04:00:00Z",
        "skip six --date 2024-11-05",
        "skip six --date 2024-12-24",
        "skip newest --date 2024-11-05",
    ]), @"
    skip load --date 2024-11-20: 1
    error: 2024-11-20T03:00:00+01:00 of `load` was skipped already
    skip load --date 2024-11-02: 1
    error: 2024-11-02T03:00:00+01:00 of `load` has succeeded already
    skip load --date 2024-11-03T05:00: 1
    error: 2024-11-03T05:00:00+01:00 is not a date of `load`; the nearest are 2024-11-03T03:00:00+01:00 and 2024-11-04T03:00:00+01:00
    skip load --date 2024-11-03T04:00:00Z: 1
    error: 2024-11-03T05:00:00+01:00 is not a date of `load`; the nearest are 2024-11-03T03:00:00+01:00 and 2024-11-04T03:00:00+01:00
    skip six --date 2024-11-05: 2
    error: `six` has 4 dates there
    hint: name one: 2024-11-05T00:00:00+01:00, 2024-11-05T06:00:00+01:00, 2024-11-05T12:00:00+01:00, 2024-11-05T18:00:00+01:00
    skip six --date 2024-12-24: 2
    error: `six` has no date on 2024-12-24
    hint: the date before it is 2024-11-07T18:00:00+01:00, and there is none after it
    skip newest --date 2024-11-05: 0
    note: a skipped date counts as settled: later dates and other jobs do not wait for it
    `newest`: skipped 2024-11-05T05:00:00+01:00; the next date is 2024-11-06T05:00:00+01:00
    ");
}

#[test]
fn dates_are_skipped_up_to_an_instant() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.tell_all(&["skip load --to 2024-11-03", "skip load --to 2024-11-03T03:00"]), @"
    skip load --to 2024-11-03: 1
    error: 2024-11-03T00:00:00+01:00 is already past: the next date of `load` is 2024-11-03T03:00:00+01:00, which is not before it
    skip load --to 2024-11-03T03:00: 1
    error: 2024-11-03T03:00:00+01:00 is already past: the next date of `load` is 2024-11-03T03:00:00+01:00, which is not before it
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("skip load --to 2024-11-08"), @"
    dry run, nothing is changed; it would answer: `load`: skipped 5 dates from 2024-11-03T03:00:00+01:00 to 2024-11-07T03:00:00+01:00; the next date is 2024-11-08T03:00:00+01:00
      2024-11-03T03:00:00+01:00
      2024-11-04T03:00:00+01:00
      2024-11-05T03:00:00+01:00
      2024-11-06T03:00:00+01:00
      2024-11-07T03:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    ");
    insta::assert_snapshot!(hand.states("load"), @"
    11-01T03:00 succeeded
    11-02T03:00 succeeded
    11-03T03:00 skipped
    11-04T03:00 skipped
    11-05T03:00 skipped
    11-06T03:00 skipped
    11-07T03:00 skipped
    ");
    insta::assert_snapshot!(hand.tell("skip load --to 2024-11-08"), @"
    skip load --to 2024-11-08: 1
    error: 2024-11-08T00:00:00+01:00 is already past: the next date of `load` is 2024-11-08T03:00:00+01:00, which is not before it
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("skip six --to 2024-11-05T07:00"), @"
    dry run, nothing is changed; it would answer: `six`: skipped 6 dates from 2024-11-04T00:00:00+01:00 to 2024-11-05T06:00:00+01:00; the next date is 2024-11-05T12:00:00+01:00
      2024-11-04T00:00:00+01:00
      2024-11-04T06:00:00+01:00
      2024-11-04T12:00:00+01:00
      2024-11-04T18:00:00+01:00
      2024-11-05T00:00:00+01:00
      2024-11-05T06:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    ");
}

#[test]
fn so_many_dates_are_skipped() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("skip load --count 4"), @"
    dry run, nothing is changed; it would answer: `load`: skipped 4 dates from 2024-11-03T03:00:00+01:00 to 2024-11-06T03:00:00+01:00; the next date is 2024-11-07T03:00:00+01:00
      2024-11-03T03:00:00+01:00
      2024-11-04T03:00:00+01:00
      2024-11-05T03:00:00+01:00
      2024-11-06T03:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    ");
    insta::assert_snapshot!(hand.tell_all(&["skip six --count 50", "skip load --count 0", "skip load", "skip load --count 1 --to 2024-11-09"]), @"
    skip six --count 50: 1
    error: `six` has only 16 dates that could be skipped, not 50
    skip load --count 0: 2
    error: invalid value '0' for '--count <N>': 0 is not in 1..18446744073709551615

    For more information, try '--help'.
    skip load: 2
    error: the following required arguments were not provided:
      <--date <DATE>|--to <DATE>|--count <N>>

    Usage: crontabber skip <--date <DATE>|--to <DATE>|--count <N>> <JOB>

    For more information, try '--help'.
    skip load --count 1 --to 2024-11-09: 2
    error: the argument '--count <N>' cannot be used with '--to <DATE>'

    Usage: crontabber skip <--date <DATE>|--to <DATE>|--count <N>> <JOB>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("skip six --count 16"), @"
    dry run, nothing is changed; it would answer: `six`: skipped 16 dates from 2024-11-04T00:00:00+01:00 to 2024-11-07T18:00:00+01:00; there is no date after that
      2024-11-04T00:00:00+01:00
      2024-11-04T06:00:00+01:00
      2024-11-04T12:00:00+01:00
      2024-11-04T18:00:00+01:00
      2024-11-05T00:00:00+01:00
      2024-11-05T06:00:00+01:00
      2024-11-05T12:00:00+01:00
      2024-11-05T18:00:00+01:00
      2024-11-06T00:00:00+01:00
      2024-11-06T06:00:00+01:00
      2024-11-06T12:00:00+01:00
      2024-11-06T18:00:00+01:00
      2024-11-07T00:00:00+01:00
      2024-11-07T06:00:00+01:00
      2024-11-07T12:00:00+01:00
      2024-11-07T18:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    ");
    insta::assert_snapshot!(hand.tell_all(&["skip six --count 1", "skip six --to 2024-12-01"]), @"
    skip six --count 1: 1
    error: `six` has no date that could be skipped
    skip six --to 2024-12-01: 1
    error: job `six` has no date ahead
    ");
}

#[test]
fn a_date_is_done_though_no_attempt_succeeded() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("done load 2024-11-03"), @"
    dry run, nothing is changed; it would answer: 2024-11-03T03:00:00+01:00 of `load` is marked as succeeded, and will not run
    the date counts as succeeded without a successful attempt: later dates and other jobs do not wait for it
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("done load 2024-10-20"), @"
    dry run, nothing is changed; it would answer: 2024-10-20T03:00:00+02:00 of `load` is marked as succeeded, and will not run
    the date counts as succeeded without a successful attempt: later dates and other jobs do not wait for it
    ");
    insta::assert_snapshot!(hand.tell_all(&[
        "done load 2024-11-03",
        "done load 2024-11-03 --dry-run",
        "done six 2024-11-04",
        "done six 2024-11-04T06:00",
        "done six 2024-11-04T07:00",
        "done load",
        "done laod 2024-11-03",
    ]), @"
    done load 2024-11-03: 0
    2024-11-03T03:00:00+01:00 of `load` has succeeded already
    done load 2024-11-03 --dry-run: 0
    dry run, nothing is changed; it would answer: 2024-11-03T03:00:00+01:00 of `load` has succeeded already
    done six 2024-11-04: 2
    error: `six` has 4 dates there
    hint: name one: 2024-11-04T00:00:00+01:00, 2024-11-04T06:00:00+01:00, 2024-11-04T12:00:00+01:00, 2024-11-04T18:00:00+01:00
    done six 2024-11-04T06:00: 0
    note: the date counts as succeeded without a successful attempt: later dates and other jobs do not wait for it
    2024-11-04T06:00:00+01:00 of `six` is marked as succeeded, and will not run
    done six 2024-11-04T07:00: 1
    error: 2024-11-04T07:00:00+01:00 is not a date of `six`; the nearest are 2024-11-04T06:00:00+01:00 and 2024-11-04T12:00:00+01:00
    done load: 2
    error: the following required arguments were not provided:
      <DATE>

    Usage: crontabber done <JOB> <DATE>

    For more information, try '--help'.
    done laod 2024-11-03: 2
    error: there is no job `laod`
    hint: did you mean `load`?
    ");
}
