//! What `list`, `status` and `why` say of dates that stand beside the schedule.

use crontabber::session::{AttemptKey, Outcome};

use super::Hand;
use crate::place::at;

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
    day  0 3 * * *  ok     2024-11-05 03:00 +01:00  2024-11-06 03:00 +01:00       0
      a backfill has 3 dates to go, the first 2024-11-01 03:00 +01:00
    ");
    insta::assert_snapshot!(lines("status day"), @"
      backfill  true
      backfills     3 dates to go, the first 2024-11-01 03:00 +01:00
    day  2024-11-05 03:00 +01:00  1 succeeded  2024-11-05 11:00:00  1.3 s  1.2 s   34 MB
    ");
    insta::assert_snapshot!(lines("why day"), @"
    day 2024-11-01 03:00 +01:00 waits
      recorded at 2024-11-05 13:00 +01:00, for a backfill
      backfill by USER at 2024-11-05 13:00 +01:00: backfill of `day`: 3 dates from 2024-11-01T03:00:00+01:00 to 2024-11-03T03:00:00+01:00, oldest first, one at a time, beside its schedule
    ");
    hand.place.live(at("2024-11-05T11:00:00Z"), the_second_fails);
    insta::assert_snapshot!(lines("list"), @"
    day  0 3 * * *  ok     2024-11-05 03:00 +01:00  2024-11-06 03:00 +01:00       0
      a backfill has 1 date to go, 1 held, the first 2024-11-02 03:00 +01:00
    ");
    insta::assert_snapshot!(lines("status day"), @"
      backfill  true
      backfills     1 date to go, 1 held, the first 2024-11-02 03:00 +01:00
    day  2024-11-01 03:00 +01:00  1 succeeded  2024-11-05 12:00:00  1.3 s  1.2 s   34 MB
    day  2024-11-02 03:00 +01:00  1 failed(4)  2024-11-05 12:00:01  1.3 s  1.2 s   34 MB
    day  2024-11-03 03:00 +01:00  1 succeeded  2024-11-05 12:00:01  1.3 s  1.2 s   34 MB
    day  2024-11-05 03:00 +01:00  1 succeeded  2024-11-05 11:00:00  1.3 s  1.2 s   34 MB
    ");
    insta::assert_snapshot!(lines("why day"), @"
    day 2024-11-02 03:00 +01:00 is held: its one attempt is used up, the last of them failed(4)
      recorded at 2024-11-05 13:00 +01:00, for a backfill
      attempt 1 started at 2024-11-05 12:00:01 +01:00 on host (backfill), failed(4) after 1.3 s
      backfill by USER at 2024-11-05 13:00 +01:00: backfill of `day`: 3 dates from 2024-11-01T03:00:00+01:00 to 2024-11-03T03:00:00+01:00, oldest first, one at a time, beside its schedule
    ");
}
