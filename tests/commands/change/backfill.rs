//! `backfill`: past dates, whatever became of them.

use super::Hand;

#[test]
fn dates_before_the_start_are_entered_beside_the_schedule() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("backfill load --from 2024-10-26 --name october"), @"
    dry run, nothing is changed; it would answer: backfill `october` of `load`: 6 dates from 2024-10-26T03:00:00+02:00 to 2024-10-31T03:00:00+01:00, oldest first, one at a time, outside its schedule; 5 dates are left out: settled by attempts, or not settled yet
      2024-10-26T03:00:00+02:00
      2024-10-27T03:00:00+01:00
      2024-10-28T03:00:00+01:00
      2024-10-29T03:00:00+01:00
      2024-10-30T03:00:00+01:00
      2024-10-31T03:00:00+01:00
    ");
    insta::assert_snapshot!(hand.states("load"), @"
    10-26T03:00 waiting
    10-27T03:00 waiting
    10-28T03:00 waiting
    10-29T03:00 waiting
    10-30T03:00 waiting
    10-31T03:00 waiting
    11-01T03:00 succeeded
    11-02T03:00 succeeded
    11-03T03:00 failed
    11-04T03:00 waiting
    11-05T03:00 waiting
    ");
    insta::assert_snapshot!(hand.tell("backfill load --from 2024-10-01 --to 2024-10-10 --name october"), @"
    backfill load --from 2024-10-01 --to 2024-10-10 --name october: 1
    error: there is a backfill of `load` called `october` already: nothing was changed
    ");
    insta::assert_snapshot!(hand.tell("backfill load --from 2024-10-26"), @"
    backfill load --from 2024-10-26: 0
    nothing to backfill of `load`: 11 dates in that range, settled by attempts, or not settled yet
    ");
}

#[test]
fn a_count_is_met_or_refused() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.tell("backfill load --from 2024-10-30 --count 20"), @"
    backfill load --from 2024-10-30 --count 20: 1
    error: `--count 20`, but there are only 7 dates of `load` from 2024-10-30T00:00:00+01:00 on and before its next date
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("backfill load --from 2024-10-20 --count 2 --order desc"), @"
    dry run, nothing is changed; it would answer: backfill of `load`: 2 dates from 2024-10-20T03:00:00+02:00 to 2024-10-21T03:00:00+02:00, newest first, one at a time, outside its schedule
      2024-10-20T03:00:00+02:00
      2024-10-21T03:00:00+02:00
    ");
    insta::assert_snapshot!(hand.tell("backfill load --from 2024-11-05T03:00 --count 2"), @"
    backfill load --from 2024-11-05T03:00 --count 2: 1
    error: `--count 2`, but there is only 1 date of `load` from 2024-11-05T03:00:00+01:00 on and before its next date
    ");
}

#[test]
fn what_failed_is_attempted_again_and_what_succeeded_only_by_all() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("backfill load --from 2024-11-01 --only failed"), @"dry run, nothing is changed; it would answer: backfill of `load`: 2024-11-03T03:00:00+01:00, which failed, run again now, in the order of the schedule; 4 dates are left out: succeeded, never attempted, or wait");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("backfill free --from 2024-11-01 --only failed"), @"dry run, nothing is changed; it would answer: backfill of `free`: 2024-11-02T04:00:00+01:00, which failed, run again now, in the order of the schedule; 4 dates are left out: succeeded, never attempted, or wait");
    let hand = Hand::new();
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("backfill load --from 2024-11-01 --only all"), @"
    dry run, nothing is changed; it would answer: backfill of `load`: 3 dates from 2024-11-01T03:00:00+01:00 to 2024-11-03T03:00:00+01:00, oldest first, one at a time, outside its schedule; 2 dates are repeated that succeeded before; 1 date is in the order of the schedule, and retried there; 2 dates are left out: not settled yet
      2024-11-01T03:00:00+01:00
      2024-11-02T03:00:00+01:00
      2024-11-03T03:00:00+01:00
    succeeded dates run again (this overrides promise P1; the audit records it)
    ");
    insta::assert_snapshot!(hand.tell("backfill load --from 2024-11-01 --only all --dry-run"), @"
    backfill load --from 2024-11-01 --only all --dry-run: 0
    dry run, nothing is changed; it would answer: backfill of `load`: 2024-11-03T03:00:00+01:00, which failed, run again now, in the order of the schedule; 4 dates are left out: not settled yet
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("backfill free --from 2024-11-03 --only all --parallel 2"), @"
    dry run, nothing is changed; it would answer: backfill of `free`: 3 dates from 2024-11-03T04:00:00+01:00 to 2024-11-05T04:00:00+01:00, oldest first, 2 at once, outside its schedule; 3 dates are repeated that succeeded before
      2024-11-03T04:00:00+01:00
      2024-11-04T04:00:00+01:00
      2024-11-05T04:00:00+01:00
    succeeded dates run again (this overrides promise P1; the audit records it)
    ");
    insta::assert_snapshot!(hand.tell("backfill free --from 2024-11-03 --only all --yes"), @"
    backfill free --from 2024-11-03 --only all --yes: 0
    nothing to backfill of `free`: 3 dates in that range, not settled yet
    ");
}

#[test]
fn a_backfill_that_makes_no_sense_is_refused() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.tell_all(&[
        "backfill load --from 2024-11-03 --to 2024-11-01",
        "backfill load --from 2024-11-03 --to 2024-11-03",
        "backfill load --from 2024-11-07",
        "backfill load --from 2024-11-01 --parallel 2",
        "backfill load --from 2024-11-01T04:00 --to 2024-11-02",
        "backfill load --from 2024-11-01 --to 2024-11-02 --count 2",
        "backfill load",
        "backfill laod --from 2024-11-01",
        "backfill load --from yesterday",
        "backfill load --from 2024-11-01 --count 0",
    ]), @r#"
    backfill load --from 2024-11-03 --to 2024-11-01: 2
    error: the range ends before it begins
    hint: `--to` is the end, exclusive: for one day, it is the day after `--from`
    backfill load --from 2024-11-03 --to 2024-11-03: 2
    error: the range is empty
    hint: `--to` is the end, exclusive: for one day, it is the day after `--from`
    backfill load --from 2024-11-07: 1
    error: 2024-11-07T00:00:00+01:00 is not before the next date of `load`, 2024-11-06T03:00:00+01:00: there is nothing to backfill from there on
    backfill load --from 2024-11-01 --parallel 2: 1
    error: the dates of `load` run in strict order, one at a time; `--parallel` needs `order = "independent"`
    backfill load --from 2024-11-01T04:00 --to 2024-11-02: 0
    `load` has no date in that range: there is nothing to backfill
    backfill load --from 2024-11-01 --to 2024-11-02 --count 2: 2
    error: the argument '--to <DATE>' cannot be used with '--count <N>'

    Usage: crontabber backfill --from <DATE> --to <DATE> <JOB>

    For more information, try '--help'.
    backfill load: 2
    error: the following required arguments were not provided:
      --from <DATE>

    Usage: crontabber backfill --from <DATE> <JOB>

    For more information, try '--help'.
    backfill laod --from 2024-11-01: 2
    error: there is no job `laod`
    hint: did you mean `load`?
    backfill load --from yesterday: 2
    error: invalid value 'yesterday' for '--from <DATE>': write a day (`2026-11-03`), a time of the job's zone (`2026-11-03T02:30`) or an instant (`2026-11-03T01:30:00Z`)

    For more information, try '--help'.
    backfill load --from 2024-11-01 --count 0: 2
    error: invalid value '0' for '--count <N>': 0 is not in 1..18446744073709551615

    For more information, try '--help'.
    "#);
    assert_eq!(hand.ask(&["verify"]).exit, 0);
}

#[test]
fn many_dates_are_entered_in_parts_by_the_command_itself() {
    let hand = Hand::fresh(
        "[jobs.minutes]\nschedule = \"* * * * *\"\nstart = 2024-11-05\nbackfill = true\ncommand = \"true\"\n",
    );
    insta::assert_snapshot!(hand.tell("backfill minutes --from 2024-11-02 --to 2024-11-05"), @"
    backfill minutes --from 2024-11-02 --to 2024-11-05: 2
    error: `backfill` would change 4320 dates of `minutes`: backfill of `minutes`: 4320 dates from 2024-11-02T00:00:00+00:00 to 2024-11-04T23:59:00+00:00, oldest first, one at a time, outside its schedule
    hint: `--yes` does it without asking, `--dry-run` shows more; nothing was changed
    ");
    assert!(!hand.place.path("ledger.db").exists(), "nothing was changed");
    insta::assert_snapshot!(hand.tell("backfill minutes --from 2024-11-02 --to 2024-11-05 --yes"), @"
    backfill minutes --from 2024-11-02 --to 2024-11-05 --yes: 0
    note: no daemon is running: dates start when one runs, or with `crontabber once`
    backfill of `minutes`: 4320 dates from 2024-11-02T00:00:00+00:00 to 2024-11-04T23:59:00+00:00, oldest first, one at a time, outside its schedule
    ");
    assert_eq!(hand.sessions().len(), 3 * 1440 + 721);
    insta::assert_snapshot!(hand.tell("backfill minutes --from 2024-11-02 --to 2024-11-05 --yes"), @"
    backfill minutes --from 2024-11-02 --to 2024-11-05 --yes: 0
    nothing to backfill of `minutes`: 4320 dates in that range, settled by attempts, or not settled yet
    ");
}

#[test]
fn a_dependent_job_names_the_dates_that_are_missing_upstream_and_the_command_that_orders_them() {
    let hand = Hand::new();
    let text = hand.does_what_its_dry_run_says("backfill six --from 2024-10-30 --to 2024-11-01");
    insta::assert_snapshot!(text, @"
    dry run, nothing is changed; it would answer: backfill of `six`: 8 dates from 2024-10-30T00:00:00+01:00 to 2024-10-31T18:00:00+01:00, oldest first, one at a time, outside its schedule; `load`, which `six` depends on, has no record of 3 dates from 2024-10-29T03:00:00+01:00 to 2024-10-31T03:00:00+01:00, and nothing waits for them: `crontabber backfill load --from 2024-10-29T03:00:00+01:00 --to 2024-11-01T03:00:00+01:00` orders them, best before this backfill
      2024-10-30T00:00:00+01:00
      2024-10-30T06:00:00+01:00
      2024-10-30T12:00:00+01:00
      2024-10-30T18:00:00+01:00
      2024-10-31T00:00:00+01:00
      2024-10-31T06:00:00+01:00
      2024-10-31T12:00:00+01:00
      2024-10-31T18:00:00+01:00
    ");
    let command = text.split('`').find_map(|part| part.strip_prefix("crontabber ")).unwrap();
    insta::assert_snapshot!(hand.tell(command), @"
    backfill load --from 2024-10-29T03:00:00+01:00 --to 2024-11-01T03:00:00+01:00: 0
    note: no daemon is running: dates start when one runs, or with `crontabber once`
    backfill of `load`: 3 dates from 2024-10-29T03:00:00+01:00 to 2024-10-31T03:00:00+01:00, oldest first, one at a time, outside its schedule
    ");
}
