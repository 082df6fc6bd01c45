//! What `list`, `status` and `why` say of dates that stand beside the schedule.

use crontabber::session::{AttemptKey, Outcome};

use super::Hand;
use crate::fixture::{at, said, succeeds};

const DAY: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.day]
schedule = "0 3 * * *"
start = 2024-11-05
backfill = true
order = "independent"
retry = { attempts = 1 }
command = "true"
"#;

/// `after` needs a date of `day` that is not there yet.
const CHAIN: &str = r#"
[jobs.day]
every = "1h"
start = 2024-11-05
command = "true"
[jobs.after]
every = "1h"
start = 2024-11-05
depends_on = ["day"]
command = "true"
"#;

#[expect(clippy::unnecessary_wraps, reason = "the others may not end")]
fn the_second_fails(attempt: &AttemptKey) -> Option<Outcome> {
    let is_it = attempt.session.date == at("2024-11-02T02:00:00Z");
    Some(if is_it { Outcome::Failed { code: 4 } } else { Outcome::Succeeded })
}

#[test]
fn a_held_date_of_a_backfill_is_seen() {
    let hand = Hand::fresh(DAY);
    hand.place.live(at("2024-11-05T10:00:00Z"), the_second_fails);
    assert_eq!(hand.ask(&["backfill", "day", "--from", "2024-11-01", "--to", "2024-11-04"]).exit, 0);
    let lines = |line: &str| {
        let told = hand.tell(line);
        let told: Vec<&str> =
            told.lines().filter(|line| line.contains("backfill") || line.starts_with("day ")).collect();
        told.join("\n")
    };
    insta::assert_snapshot!(lines("list"), @"
    day  0 3 * * *  ok     2024-11-05T03:00:00+01:00  2024-11-06T03:00:00+01:00       0
      a backfill has 3 dates to go, the first 2024-11-01T03:00:00+01:00
    ");
    insta::assert_snapshot!(lines("status day"), @"
      backfill  true
      backfills     3 dates to go, the first 2024-11-01T03:00:00+01:00
    day  2024-11-05T03:00:00+01:00  1 succeeded  2024-11-05T11:00:00+01:00  1.3 s  1.2 s   34 MB  catch-up
    ");
    insta::assert_snapshot!(lines("why day"), @"
    day 2024-11-01T03:00:00+01:00 waits
      recorded at 2024-11-05T13:00:00+01:00, for a backfill
      backfill by USER at 2024-11-05T13:00:00+01:00: backfill of `day`: 3 dates from 2024-11-01T03:00:00+01:00 to 2024-11-03T03:00:00+01:00, oldest first, one at a time, outside its schedule
    ");
    hand.place.live(at("2024-11-05T11:00:00Z"), the_second_fails);
    insta::assert_snapshot!(lines("list"), @"
    day  0 3 * * *  ok     2024-11-05T03:00:00+01:00  2024-11-06T03:00:00+01:00       0
      a backfill has 1 date to go, 1 held, the first 2024-11-02T03:00:00+01:00
    ");
    insta::assert_snapshot!(lines("status day"), @"
      backfill  true
      backfills     1 date to go, 1 held, the first 2024-11-02T03:00:00+01:00
    The attempts at the newest dates, and at the dates of backfills that need an operator
    day  2024-11-01T03:00:00+01:00  1 succeeded  2024-11-05T12:00:00+01:00  1.3 s  1.2 s   34 MB  backfill
    day  2024-11-02T03:00:00+01:00  1 failed(4)  2024-11-05T12:00:01+01:00  1.3 s  1.2 s   34 MB  backfill
    day  2024-11-03T03:00:00+01:00  1 succeeded  2024-11-05T12:00:01+01:00  1.3 s  1.2 s   34 MB  backfill
    day  2024-11-05T03:00:00+01:00  1 succeeded  2024-11-05T11:00:00+01:00  1.3 s  1.2 s   34 MB  catch-up
    ");
    insta::assert_snapshot!(lines("why day"), @"
    day 2024-11-02T03:00:00+01:00 is held: its one attempt is used up, the last of them failed(4)
      recorded at 2024-11-05T13:00:00+01:00, for a backfill
      attempt 1 started at 2024-11-05T12:00:01+01:00 on host (backfill), failed(4) after 1.3 s
      backfill by USER at 2024-11-05T13:00:00+01:00: backfill of `day`: 3 dates from 2024-11-01T03:00:00+01:00 to 2024-11-03T03:00:00+01:00, oldest first, one at a time, outside its schedule
    ");
}

#[test]
fn what_waits_for_a_disabled_job_is_told_of_whoever_disabled_it() {
    let hand = Hand::fresh(CHAIN);
    hand.place.live(at("2024-11-05T11:00:00Z"), succeeds);
    assert_eq!(hand.ask(&["disable", "day"]).exit, 0);
    insta::assert_snapshot!(hand.tell("health"), @"
    health: 1
    WARNING - after: 2024-11-05T12:00:00+00:00 waits for `day`, which is disabled
    ");
    let enabled = hand.ask(&["enable", "day", "--catch-up"]);
    assert_eq!(enabled.exit, 0, "{enabled:?}");
    hand.place.write(&CHAIN.replacen("command", "enabled = false\ncommand", 1));
    for asked in ["list", "status day"] {
        let told = hand.tell(asked);
        assert!(told.contains("  disabled in the registry (`enabled = false`)"), "{told}");
    }
    insta::assert_snapshot!(hand.tell("health"), @"
    health: 1
    WARNING - after: 2024-11-05T12:00:00+00:00 waits for `day`, which is disabled
    ");
}

#[test]
fn health_counts_what_the_list_shows() {
    let hand = Hand::fresh(DAY);
    hand.place.live(at("2024-11-03T11:00:00Z"), succeeds);
    assert_eq!(hand.ask(&["disable", "day"]).exit, 0);
    assert_eq!(hand.ask(&["list", "--json"]).column("backlog"), ["1"]);
    insta::assert_snapshot!(hand.tell("health"), @"
    health: 0
    OK - 1 job, 1 date behind
    ");
}

#[test]
fn a_date_that_is_due_and_not_recorded_is_explained() {
    let hand = Hand::fresh("[jobs.plain]\nevery = \"1h\"\nstart = 2024-11-05\ncommand = \"true\"\n");
    hand.place.live(at("2024-11-05T09:00:00Z"), succeeds);
    insta::assert_snapshot!(
        hand.tell_all(&["why plain 2024-11-05T10:00", "why plain 2024-11-05T12:00", "why plain 2024-11-05T08:00"]), @"
    why plain 2024-11-05T10:00: 0
    plain 2024-11-05T10:00:00+00:00 is due, and not recorded yet: no daemon runs
    next: it is skipped, since 2024-11-05T12:00:00+00:00 is newer and takes over, once a daemon runs (none is running)
    why plain 2024-11-05T12:00: 0
    plain 2024-11-05T12:00:00+00:00 is due, and not recorded yet: no daemon runs
    next: an attempt now (no daemon is running)
    why plain 2024-11-05T08:00: 0
    plain 2024-11-05T08:00:00+00:00 was skipped: a newer date took over, and only the newest of this job runs
      recorded at 2024-11-05T09:00:00+00:00, after it was missed
    next: nothing; `crontabber retry` or `backfill` would run it
    ");
    hand.place.write("[jobs.plain]\nevery = \"1h\"\nstart = 2024-11-05\nskip_late = \"1s\"\ncommand = \"true\"\n");
    hand.place.live(at("2024-11-05T11:30:00Z"), succeeds);
    insta::assert_snapshot!(hand.tell("why plain 2024-11-05T11:00"), @"
    why plain 2024-11-05T11:00: 0
    plain 2024-11-05T11:00:00+00:00 was skipped: it was too old when it could have run (`skip_late`)
      recorded at 2024-11-05T11:30:00+00:00, after it was missed
    next: nothing; `crontabber retry` or `backfill` would run it
    ");
    let minutes = hand.command(&["why", "plain", "2024-11-05T12:00"]).env("FAKETIME", "2024-11-05 12:10:00").output();
    insta::assert_snapshot!(said(&minutes.unwrap()).out, @"
    plain 2024-11-05T12:00:00+00:00 is due, and not recorded yet: no daemon runs
    next: it is skipped, since it is too old, once a daemon runs (none is running)
    ");
}

#[test]
fn dates_of_a_long_past_that_is_recorded_in_parts_are_explained() {
    let hand = Hand::fresh(
        "[jobs.late]\nevery = \"1m\"\nstart = 2024-10-20\nbackfill = true\nskip_late = \"5m\"\ncommand = \"true\"\n\
         [jobs.few]\nevery = \"1m\"\nstart = 2024-10-20\nbackfill = true\ncatch_up = { max_dates = 7 }\ncommand = \"true\"\n",
    );
    let next = |job: &str, date: &str| {
        let why = hand.tell(&format!("why {job} 2024-{date}"));
        why.lines().last().expect("what is next").trim().to_owned()
    };
    let too_old = "next: it is skipped, since it is too old, once a daemon runs (none is running)";
    for date in ["10-20T01:00", "10-28T01:00", "11-05T11:00"] {
        assert_eq!((next("late", date), next("few", date)), (too_old.to_owned(), too_old.to_owned()), "{date}");
    }
    assert!(next("late", "11-05T11:56").starts_with("next: an attempt"), "{}", next("late", "11-05T11:56"));
    assert!(next("few", "11-05T11:56").starts_with("next: an attempt"), "{}", next("few", "11-05T11:56"));
}

#[test]
fn what_comes_first_is_counted_and_who_must_decide_is_said() {
    let strict = "[jobs.day]\nevery = \"1h\"\nstart = 2024-11-05\nbackfill = true\nretry = { attempts = 1 }\n\
                  command = \"true\"\n";
    let hand = Hand::fresh(strict);
    hand.place.live(at("2024-11-05T02:00:00Z"), |_| Some(Outcome::Failed { code: 4 }));
    insta::assert_snapshot!(
        hand.tell_all(&["why day 2024-11-05T02:00", "why day 2024-11-05T12:00", "why day 2024-11-06T00:00",
            "why day 2026-11-06T00:00"]), @"
    why day 2024-11-05T02:00: 0
    day 2024-11-05T02:00:00+00:00 waits
      recorded at 2024-11-05T02:00:00+00:00, when it was due
    it waits for
      2024-11-05T00:00:00+00:00, which comes first and is held: its one attempt is used up, the last of them failed(4)
      2024-11-05T01:00:00+00:00, which comes first
    next: an attempt, once an operator has decided about 2024-11-05T00:00:00+00:00 (`crontabber retry`, `skip` or `done`) and the rest has passed (no daemon is running)
    why day 2024-11-05T12:00: 0
    day 2024-11-05T12:00:00+00:00 is due, and not recorded yet: no daemon runs
    it waits for
      2024-11-05T00:00:00+00:00, which comes first and is held: its one attempt is used up, the last of them failed(4)
      11 dates that come first, the next of them 2024-11-05T01:00:00+00:00
    next: an attempt, once an operator has decided about 2024-11-05T00:00:00+00:00 (`crontabber retry`, `skip` or `done`) and the rest has passed (no daemon is running)
    why day 2024-11-06T00:00: 0
    day 2024-11-06T00:00:00+00:00 is in the future: due at 2024-11-06T00:00:00+00:00
    it waits for
      its time, 2024-11-06T00:00:00+00:00
      2024-11-05T00:00:00+00:00, which comes first and is held: its one attempt is used up, the last of them failed(4)
      23 dates that come first, the next of them 2024-11-05T01:00:00+00:00
    next: an attempt, once an operator has decided about 2024-11-05T00:00:00+00:00 (`crontabber retry`, `skip` or `done`) and the rest has passed (no daemon is running)
    why day 2026-11-06T00:00: 0
    day 2026-11-06T00:00:00+00:00 is in the future: due at 2026-11-06T00:00:00+00:00
    it waits for
      its time, 2026-11-06T00:00:00+00:00
      2024-11-05T00:00:00+00:00, which comes first and is held: its one attempt is used up, the last of them failed(4)
      more than 10000 dates that come first, the next of them 2024-11-05T01:00:00+00:00
    next: an attempt, once an operator has decided about 2024-11-05T00:00:00+00:00 (`crontabber retry`, `skip` or `done`) and the rest has passed (no daemon is running)
    ");
}

#[test]
fn what_is_required_and_not_there_yet_is_said_to_be_started() {
    let hand = Hand::fresh(
        "[jobs.prov]\ncommand = \"true\"\n[jobs.day]\nevery = \"1h\"\nstart = 2024-11-05\n\
                            backfill = true\nrequire = [\"prov\"]\ncommand = \"true\"\n",
    );
    hand.place.live(at("2024-11-05T02:00:00Z"), |_| None);
    insta::assert_snapshot!(hand.tell("why day 2024-11-05T02:00"), @"
    why day 2024-11-05T02:00: 0
    day 2024-11-05T02:00:00+00:00 waits
      recorded at 2024-11-05T02:00:00+00:00, when it was due
    it waits for
      2 dates that come first, the next of them 2024-11-05T00:00:00+00:00
      `prov`, which is started for it in its turn
    next: an attempt, once the above has passed (no daemon is running)
    ");
}
