//! `retry`, `kill` and `run`: attempts that an operator wants now, or does not want any more.

use super::Hand;

#[test]
fn a_date_that_failed_is_due_now() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("retry load 2024-11-03"), @"dry run, nothing is changed; it would answer: 2024-11-03T03:00:00+01:00 of `load` runs again now");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("retry free --held"), @"dry run, nothing is changed; it would answer: `free`: 2024-11-02T04:00:00+01:00 runs again now");
    insta::assert_snapshot!(hand.states("free"), @"
    11-01T04:00 succeeded
    11-02T04:00 waiting
    11-03T04:00 succeeded
    11-04T04:00 succeeded
    11-05T04:00 succeeded
    ");
    insta::assert_snapshot!(hand.tell_all(&[
        "retry free --held",
        "retry load 2024-11-04",
        "retry load 2024-11-02",
        "retry load 2024-11-12",
        "retry load 2024-10-12",
        "retry load 2024-11-03T04:00",
        "retry load",
        "retry load --again",
        "retry load --failed --held",
    ]), @"
    retry free --held: 0
    `free` has no held date: nothing was changed
    retry load 2024-11-04: 1
    error: 2024-11-04T03:00:00+01:00 of `load` waits for its turn: there is nothing to retry
    retry load 2024-11-02: 1
    error: 2024-11-02T03:00:00+01:00 of `load` has succeeded; `--again` repeats it all the same
    retry load 2024-11-12: 1
    error: 2024-11-12T03:00:00+01:00 of `load` has not been attempted yet
    retry load 2024-10-12: 1
    error: 2024-10-12T03:00:00+02:00 of `load` was never attempted; `crontabber backfill` attempts it
    retry load 2024-11-03T04:00: 1
    error: 2024-11-03T04:00:00+01:00 is not a date of `load`; the nearest are 2024-11-03T03:00:00+01:00 and 2024-11-04T03:00:00+01:00
    retry load: 2
    error: the following required arguments were not provided:
      <DATE|--failed|--held>

    Usage: crontabber retry <DATE|--failed|--held> <JOB>

    For more information, try '--help'.
    retry load --again: 2
    error: the following required arguments were not provided:
      <DATE|--failed|--held>

    Usage: crontabber retry --again <DATE|--failed|--held> <JOB>

    For more information, try '--help'.
    retry load --failed --held: 2
    error: the argument '--failed' cannot be used with '--held'

    Usage: crontabber retry <DATE|--failed|--held> <JOB>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("retry load 2024-11-02 --again"), @"
    dry run, nothing is changed; it would answer: 2024-11-02T03:00:00+01:00 of `load` had succeeded, and runs again now, outside its schedule
    a succeeded date runs again (this overrides promise P1; the audit records it)
    ");
}

#[test]
fn all_that_failed_is_due_now() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("retry load --failed"), @"dry run, nothing is changed; it would answer: `load`: 2024-11-03T03:00:00+01:00 runs again now");
    insta::assert_snapshot!(hand.tell("retry newest --failed"), @"
    retry newest --failed: 0
    `newest` has no failed date: nothing was changed
    ");
}

#[test]
fn what_does_not_run_cannot_be_ended() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.tell_all(&[
        "kill load",
        "kill load 2024-11-03",
        "kill load 2024-11-03T03:00",
        "kill laod",
        "kill load --dry-run",
        "kill load --json",
    ]), @r#"
    kill load: 1
    error: `load` is not running
    kill load 2024-11-03: 1
    error: no attempt of `load` is open at a date of 2024-11-03
    kill load 2024-11-03T03:00: 1
    error: 2024-11-03T03:00:00+01:00 of `load` is not running
    kill laod: 2
    error: there is no job `laod`
    hint: did you mean `load`?
    kill load --dry-run: 1
    error: dry run: `load` is not running
    kill load --json: 1
    {"job":"load","operation":"kill","dry_run":false,"done":false,"text":"`load` is not running","count":0,"from":null,"to":null,"date":null,"attempt":null,"outcome":null,"exit_code":null,"duration_seconds":null}
    "#);
}

#[test]
fn a_date_is_attempted_by_the_command_itself() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.tell_all(&[
        "run load --date 2024-11-04",
        "run load --date 2024-11-02",
        "run load --date 2024-11-06",
        "run load --date 2024-10-06",
        "run load --date 2024-11-03T04:00",
        "run six --dry-run",
        "run load --dry-run",
        "run newest --dry-run --json",
    ]), @r#"
    run load --date 2024-11-04: 1
    error: 2024-11-04T03:00:00+01:00 is not the next date of `load`: 2024-11-03T03:00:00+01:00 comes first, since its dates run in strict order
    run load --date 2024-11-02: 1
    error: 2024-11-02T03:00:00+01:00 of `load` is settled; `crontabber retry --again` repeats it
    run load --date 2024-11-06: 1
    error: 2024-11-06T03:00:00+01:00 is not the next date of `load`: that is 2024-11-03T03:00:00+01:00
    run load --date 2024-10-06: 1
    error: 2024-10-06T03:00:00+02:00 is before the first date of `load`; `crontabber backfill` attempts it
    run load --date 2024-11-03T04:00: 1
    error: 2024-11-03T04:00:00+01:00 is not a date of `load`; the nearest are 2024-11-03T03:00:00+01:00 and 2024-11-04T03:00:00+01:00
    run six --dry-run: 1
    error: dry run: job `six` waits for `load`, whose 2024-11-03T03:00:00+01:00 is not settled; `--force` attempts it all the same
    run load --dry-run: 0
    dry run, nothing is changed; it would answer: attempt 2 of `load` at 2024-11-03T03:00:00+01:00 started
    run newest --dry-run --json: 0
    {"job":"newest","operation":"run","dry_run":true,"done":true,"text":"attempt 1 of `newest` at 2024-11-05T13:00:00+01:00 started","count":1,"from":"2024-11-05T13:00:00+01:00","to":"2024-11-05T13:00:00+01:00","dates":["2024-11-05T13:00:00+01:00"],"date":null,"attempt":null,"outcome":null,"exit_code":null,"duration_seconds":null}
    "#);
    let said = hand.ask(&["run", "load", "--json", "--reason", "for the report"]);
    assert_eq!(said.exit, 0, "{said:?}");
    let json = said.json();
    assert_eq!(json["outcome"], "succeeded", "{json}");
    assert_eq!(json["text"], "attempt 2 of `load` at 2024-11-03T03:00:00+01:00 started");
    insta::assert_snapshot!(hand.states("load"), @"
    11-01T03:00 succeeded
    11-02T03:00 succeeded
    11-03T03:00 succeeded
    11-04T03:00 waiting
    11-05T03:00 waiting
    ");
    assert_eq!(hand.ask(&["audit", "--json"]).json()[0]["reason"], "for the report");
}

#[test]
fn the_date_of_a_manual_run_is_named_to_the_second() {
    let hand = Hand::new();
    let run_at = |time: &str| {
        let ran = hand.command(&["run", "newest", "-q"]).env("FAKETIME", time).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    };
    run_at("2024-11-05 11:59:30.25");
    let [wall, instant] = ["2024-11-05T12:59:30", "2024-11-05T12:59:30+01:00"];
    for date in [wall, instant] {
        assert_eq!(hand.ask(&["why", "newest", date, "--json"]).json()["date"], "2024-11-05T12:59:30.250+01:00");
        assert_eq!(hand.ask(&["attempts", "newest", date, "--json"]).column("date").len(), 1);
        assert_eq!(hand.ask(&["log", "newest", date]).exit, 0);
    }
    insta::assert_snapshot!(hand.tell("retry newest 2024-11-05T12:59:30 --again --dry-run"), @"
    retry newest 2024-11-05T12:59:30 --again --dry-run: 0
    dry run, nothing is changed; it would answer: 2024-11-05T12:59:30.250+01:00 of `newest` had succeeded, and runs again now, outside its schedule
    a succeeded date runs again (this overrides promise P1; the audit records it)
    ");
    run_at("2024-11-05 11:59:30.75");
    insta::assert_snapshot!(hand.tell("retry newest 2024-11-05T12:59:30 --again --dry-run"), @"
    retry newest 2024-11-05T12:59:30 --again --dry-run: 2
    error: `newest` has 2 dates there
    hint: name one: 2024-11-05T12:59:30.250+01:00, 2024-11-05T12:59:30.750+01:00
    ");
    // Neither the next second, nor a date of the schedule, is another one.
    insta::assert_snapshot!(hand.tell_all(&[
        "retry newest 2024-11-05T12:59:31 --again --dry-run",
        "retry load 2024-11-05T03:00 --again --dry-run",
    ]), @"
    retry newest 2024-11-05T12:59:31 --again --dry-run: 1
    error: dry run: 2024-11-05T12:59:31+01:00 is not a date of `newest`; the nearest are 2024-11-05T05:00:00+01:00 and 2024-11-06T05:00:00+01:00
    retry load 2024-11-05T03:00 --again --dry-run: 1
    error: dry run: 2024-11-05T03:00:00+01:00 of `load` waits for its turn: there is nothing to retry
    ");
}
