//! `why`: what happened to a date, what it waits for, and when it is tried next.

use super::Hand;

#[test]
fn every_date_is_explained() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.tell_all(&["why load", "why load 2024-11-02", "why load 2024-11-05"]), @"
    why load: 0
    load 2024-11-03T03:00:00+01:00 failed once; its next attempt is due at 2024-11-05T15:00:01+01:00
      recorded at 2024-11-05T12:00:00+01:00, after it was missed
      attempt 1 started at 2024-11-05T12:00:01+01:00 on host (catch-up), failed(4) after 1.3 s
    it waits for
      its retry time, 2024-11-05T15:00:01+01:00
    next: an attempt at 2024-11-05T15:00:01+01:00 (no daemon is running)
    why load 2024-11-02: 0
    load 2024-11-02T03:00:00+01:00 succeeded at 2024-11-05T12:00:01+01:00
      recorded at 2024-11-05T12:00:00+01:00, after it was missed
      attempt 1 started at 2024-11-05T12:00:01+01:00 on host (catch-up), succeeded after 1.3 s
    next: nothing; `crontabber retry --again` or `backfill --only all` would repeat it
    why load 2024-11-05: 0
    load 2024-11-05T03:00:00+01:00 waits
      recorded at 2024-11-05T12:00:00+01:00, after it was missed
    it waits for
      2024-11-03T03:00:00+01:00, which comes first and failed; its next attempt is due at 2024-11-05T15:00:01+01:00
      2024-11-04T03:00:00+01:00, which comes first
    next: an attempt, once the above has passed (no daemon is running)
    ");
    insta::assert_snapshot!(hand.tell_all(&["why load 2024-11-06", "why load 2024-11-26", "why load 2024-10-06"]), @"
    why load 2024-11-06: 0
    load 2024-11-06T03:00:00+01:00 is in the future: due at 2024-11-06T03:00:00+01:00
    it waits for
      its time, 2024-11-06T03:00:00+01:00
      2024-11-03T03:00:00+01:00, which comes first and failed; its next attempt is due at 2024-11-05T15:00:01+01:00
      2 dates that come first, the next of them 2024-11-04T03:00:00+01:00
    next: an attempt, once the above has passed (no daemon is running)
    why load 2024-11-26: 0
    load 2024-11-26T03:00:00+01:00 is in the future: due at 2024-11-26T03:00:00+01:00
    it waits for
      its time, 2024-11-26T03:00:00+01:00
      2024-11-03T03:00:00+01:00, which comes first and failed; its next attempt is due at 2024-11-05T15:00:01+01:00
      22 dates that come first, the next of them 2024-11-04T03:00:00+01:00
    next: an attempt, once the above has passed (no daemon is running)
    why load 2024-10-06: 0
    load 2024-10-06T03:00:00+02:00 is before the first date of the job, whose dates are recorded from 2024-11-01T00:00:00+01:00 on
    next: nothing; `crontabber backfill load --from DATE` would run it
    ");
}

#[test]
fn what_is_waited_for_is_named() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.tell_all(&["why six", "why free 2024-11-02", "why newest"]), @"
    why six: 0
    six 2024-11-04T00:00:00+01:00 waits
      recorded at 2024-11-05T12:00:00+01:00, after it was missed
    it waits for
      `load`, whose 2024-11-03T03:00:00+01:00 is not settled (`crontabber why load 2024-11-03T03:00:00+01:00`)
    next: an attempt, once the above has passed (no daemon is running)
    why free 2024-11-02: 0
    free 2024-11-02T04:00:00+01:00 is held: its one attempt is used up, the last of them failed(4)
      recorded at 2024-11-05T12:00:00+01:00, after it was missed
      attempt 1 started at 2024-11-05T12:00:01+01:00 on host (catch-up), failed(4) after 1.3 s
    it waits for
      an operator, since it is held
    next: nothing, until an operator decides: `crontabber retry`, `skip` or `done`, with `free` and its date
    why newest: 0
    newest 2024-11-06T05:00:00+01:00 is in the future: due at 2024-11-06T05:00:00+01:00
    it waits for
      its time, 2024-11-06T05:00:00+01:00
    next: an attempt at 2024-11-06T05:00:00+01:00 (no daemon is running)
    ");
    insta::assert_snapshot!(hand.tell_all(&[
        "why six 2024-11-04",
        "why six 2024-11-03",
        "why load 2024-11-03T04:00",
        "why load 2024-11-03T04:00:00Z",
        "why laod",
        "why load yesterday",
    ]), @"
    why six 2024-11-04: 2
    error: `six` has 4 dates there
    hint: name one: 2024-11-04T00:00:00+01:00, 2024-11-04T06:00:00+01:00, 2024-11-04T12:00:00+01:00, 2024-11-04T18:00:00+01:00
    why six 2024-11-03: 2
    error: `six` has 4 dates there
    hint: name one: 2024-11-03T00:00:00+01:00, 2024-11-03T06:00:00+01:00, 2024-11-03T12:00:00+01:00, 2024-11-03T18:00:00+01:00
    why load 2024-11-03T04:00: 2
    error: 2024-11-03T04:00:00+01:00 is not a date of `load`
    hint: the nearest dates are 2024-11-03T03:00:00+01:00 and 2024-11-04T03:00:00+01:00
    why load 2024-11-03T04:00:00Z: 2
    error: 2024-11-03T05:00:00+01:00 is not a date of `load`
    hint: the nearest dates are 2024-11-03T03:00:00+01:00 and 2024-11-04T03:00:00+01:00
    why laod: 2
    error: there is no job `laod`
    hint: did you mean `load`?
    why load yesterday: 2
    error: invalid value 'yesterday' for '[DATE]': write a day (`2026-11-03`), a time of the job's zone (`2026-11-03T02:30`) or an instant (`2026-11-03T01:30:00Z`)

    For more information, try '--help'.
    ");
}

#[test]
fn what_operators_did_is_told() {
    let hand = Hand::new();
    let did = [
        "skip load --date 2024-11-04 --reason holiday",
        "disable six --until 2024-11-09",
        "done free 2024-11-02",
        "backfill load --from 2024-10-30 --to 2024-11-01 --name october",
    ];
    for line in did {
        assert_eq!(hand.ask(&line.split(' ').collect::<Vec<_>>()).exit, 0, "{line}");
    }
    insta::assert_snapshot!(hand.tell_all(&["why load 2024-11-04", "why six", "why free 2024-11-02", "why load 2024-10-31"]), @"
    why load 2024-11-04: 0
    load 2024-11-04T03:00:00+01:00 was skipped: by an operator
      recorded at 2024-11-05T12:00:00+01:00, after it was missed
      skip by USER at 2024-11-05T13:00:00+01:00 (holiday): `load`: skipped 2024-11-04T03:00:00+01:00; the next date is 2024-11-03T03:00:00+01:00
    next: nothing; `crontabber retry` or `backfill` would run it
    why six: 0
    six 2024-11-04T00:00:00+01:00 waits
      recorded at 2024-11-05T12:00:00+01:00, after it was missed
      disable by USER at 2024-11-05T13:00:00+01:00: job `six` is disabled until 2024-11-09T00:00:00+01:00; then it catches up on its missed dates
    it waits for
      2024-11-09T00:00:00+01:00: USER disabled it until then, at 2024-11-05T13:00:00+01:00
      `load`, whose 2024-11-03T03:00:00+01:00 is not settled (`crontabber why load 2024-11-03T03:00:00+01:00`)
    next: an attempt, once the above has passed (no daemon is running)
    why free 2024-11-02: 0
    free 2024-11-02T04:00:00+01:00 was recorded as succeeded by an operator at 2024-11-05T13:00:00+01:00
      recorded at 2024-11-05T12:00:00+01:00, after it was missed
      attempt 1 started at 2024-11-05T12:00:01+01:00 on host (catch-up), failed(4) after 1.3 s
      done by USER at 2024-11-05T13:00:00+01:00: 2024-11-02T04:00:00+01:00 of `free` is marked as succeeded, and will not run
    next: nothing; `crontabber retry --again` or `backfill --only all` would repeat it
    why load 2024-10-31: 0
    load 2024-10-31T03:00:00+01:00 waits
      recorded at 2024-11-05T13:00:00+01:00, for a backfill
      backfill by USER at 2024-11-05T13:00:00+01:00: backfill `october` of `load`: 2 dates from 2024-10-30T03:00:00+01:00 to 2024-10-31T03:00:00+01:00, oldest first, one at a time, outside its schedule
    it waits for
      2024-10-30T03:00:00+01:00, which comes first
    next: an attempt, once the above has passed (no daemon is running)
    ");
    let json = hand.ask(&["why", "load", "2024-11-04", "--json"]).json();
    assert_eq!((&json["state"], &json["reason"]), (&"skipped".into(), &"operator".into()), "{json}");
    assert_eq!((&json["acts"][0]["action"], &json["acts"][0]["reason"]), (&"skip".into(), &"holiday".into()), "{json}");
}
