//! Tables on terminals that are narrow, and in pipes, where nothing is cut.

use crontabber::session::{AttemptKey, Outcome};

use crate::fixture::{Fixture, at, succeeds};
use crate::listing::without_days;

/// Names that are longer than 80 columns have room for.
const WAREHOUSE: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.warehouse-load-customer-orders]
schedule = "*/30 * * * *"
start = 2024-11-01
end = 2024-11-02
backfill = true
retry = { after = "10m", attempts = 2 }
command = "true"
[jobs.warehouse-clean-customer-orders]
schedule = "0 6 * * *"
start = 2024-11-01
end = 2024-11-03
backfill = true
depends_on = ["warehouse-load-customer-orders"]
command = "true"
[jobs.zz]
schedule = "0 6 * * *"
start = 2024-11-01
end = 2024-11-02
backfill = true
retry = { after = "10m", attempts = 2 }
command = "true"
"#;

#[expect(clippy::unnecessary_wraps, reason = "the others may not end")]
fn fails(_: &AttemptKey) -> Option<Outcome> {
    Some(Outcome::Failed { code: 4 })
}

fn warehouse() -> Fixture {
    let place = Fixture::new(WAREHOUSE);
    place.live(at("2024-11-05T00:00:00Z"), fails);
    place
}

#[test]
fn what_is_below_a_row_stays_there_however_narrow_the_terminal_is() {
    let place = warehouse();
    insta::assert_snapshot!(without_days(&place.look(80, &["list"])), @"
    JOB                        SCHEDULE     STATE    LAST SUCCESS  NEXT DATE  BEHIND
    warehouse-load-customer-…  */30 * * *…  failed   -             -              96
      2024-11-01T00:00:00+01:00 failed once; its next attempt is due
    zz                         0 6 * * *    failed   -             -               2
      2024-11-01T06:00:00+01:00 failed once; its next attempt is due
    warehouse-clean-customer…  0 6 * * *    blocked  -             -               3
      blocked at 2024-11-01T06:00:00+01:00 for N days, 3 behind
      waits for `warehouse-load-customer-orders`, whose 2024-11-01T00:00:00+01:00 i…
    ");
    insta::assert_snapshot!(without_days(&place.look(60, &["list"])), @"
    JOB                 STATE    LAST SUCCESS  NEXT DATE  BEHIND
    warehouse-load-cu…  failed   -             -              96
      2024-11-01T00:00:00+01:00 failed once; its next attempt i…
    zz                  failed   -             -               2
      2024-11-01T06:00:00+01:00 failed once; its next attempt i…
    warehouse-clean-c…  blocked  -             -               3
      blocked at 2024-11-01T06:00:00+01:00 for N days, 3 behi…
      waits for `warehouse-load-customer-orders`, whose 2024-11…
    ");
}

#[test]
fn in_a_pipe_nothing_is_cut() {
    let place = warehouse();
    insta::assert_snapshot!(without_days(&place.ask(&["list"]).out), @"
    JOB                              SCHEDULE      STATE    LAST SUCCESS  NEXT DATE  BEHIND
    warehouse-load-customer-orders   */30 * * * *  failed   -             -              96
      2024-11-01T00:00:00+01:00 failed once; its next attempt is due
    zz                               0 6 * * *     failed   -             -               2
      2024-11-01T06:00:00+01:00 failed once; its next attempt is due
    warehouse-clean-customer-orders  0 6 * * *     blocked  -             -               3
      blocked at 2024-11-01T06:00:00+01:00 for N days, 3 behind
      waits for `warehouse-load-customer-orders`, whose 2024-11-01T00:00:00+01:00 is not settled
    ");
    insta::assert_snapshot!(place.ask(&["attempts", "warehouse-load-customer-orders"]).out, @"
    JOB                             DATE                       ATTEMPT      STARTED                     TOOK    CPU  MEMORY  TRIGGER
    warehouse-load-customer-orders  2024-11-01T00:00:00+01:00  1 failed(4)  2024-11-05T01:00:00+01:00  1.3 s  1.2 s   34 MB  catch-up
    ");
}

#[test]
fn the_audit_fits_into_a_terminal() {
    let place = crate::audit::lived();
    insta::assert_snapshot!(place.look(80, &["audit"]), @"
    AT                         WHO        ACTION  JOB   DONE
    2024-11-07T10:00:00+01:00  ada@alpha  run     load  not yet
    2024-11-06T09:00:00+00:00  ada@alpha  reset   gone  refused
      there is no such job
    2024-11-05T10:00:00+01:00  ada@alpha  run     load  yes
      dates: 2024-11-02T00:00:00+01:00
      reason: the disk was full; attempt 2 was started
    ");
}

/// Every half hour of a night in which an hour came twice.
const TWICE: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.load]
schedule = "*/30 * * * *"
start = 2024-10-27T02:00:00+02:00
end = 2024-10-27T03:00:00+01:00
backfill = true
command = "true"
"#;

#[test]
fn an_hour_that_came_twice_is_told_apart() {
    let place = Fixture::new(TWICE);
    place.live(at("2024-10-27T06:00:00Z"), succeeds);
    insta::assert_snapshot!(place.look(80, &["sessions", "load"]), @"
    JOB   DATE                       STATE      ATTEMPTS  TRIGGER   MORE
    load  2024-10-27T02:00:00+02:00  succeeded         1  catch-up  at 2024-10-27T0…
    load  2024-10-27T02:30:00+02:00  succeeded         1  catch-up  at 2024-10-27T0…
    load  2024-10-27T02:00:00+01:00  succeeded         1  catch-up  at 2024-10-27T0…
    load  2024-10-27T02:30:00+01:00  succeeded         1  catch-up  at 2024-10-27T0…
    load  2024-10-27T03:00:00+01:00  succeeded         1  catch-up  at 2024-10-27T0…
    ");
    insta::assert_snapshot!(place.look(80, &["attempts", "load"]), @"
    JOB   DATE                       ATTEMPT      STARTED             TOOK    CPU
    load  2024-10-27T02:00:00+02:00  1 succeeded  10-27T07:00+01:00  1.3 s  1.2 s
    load  2024-10-27T02:30:00+02:00  1 succeeded  10-27T07:00+01:00  1.3 s  1.2 s
    load  2024-10-27T02:00:00+01:00  1 succeeded  10-27T07:00+01:00  1.3 s  1.2 s
    load  2024-10-27T02:30:00+01:00  1 succeeded  10-27T07:00+01:00  1.3 s  1.2 s
    load  2024-10-27T03:00:00+01:00  1 succeeded  10-27T07:00+01:00  1.3 s  1.2 s
    ");
    insta::assert_snapshot!(place.look(80, &["sessions", "load", "--from", "2024-10-27T02:00:00+01:00"]), @"
    JOB   DATE                 STATE      ATTEMPTS  TRIGGER   MORE
    load  2024-10-27T02:00:00  succeeded         1  catch-up  at 2024-10-27T07:00:0…
    load  2024-10-27T02:30:00  succeeded         1  catch-up  at 2024-10-27T07:00:0…
    load  2024-10-27T03:00:00  succeeded         1  catch-up  at 2024-10-27T07:00:0…
    ");
    insta::assert_snapshot!(place.ask(&["attempts", "load", "--limit", "1"]).out, @"
    JOB   DATE                       ATTEMPT      STARTED                     TOOK    CPU  MEMORY  TRIGGER
    load  2024-10-27T03:00:00+01:00  1 succeeded  2024-10-27T07:00:01+01:00  1.3 s  1.2 s   34 MB  catch-up

    the newest 1 attempt; those before: `crontabber attempts load --limit 1 --before load/1/2024-10-27T02:00:00Z/1`
    ");
}

#[test]
fn two_manual_runs_of_one_minute_are_told_apart() {
    let place = Fixture::new("[jobs.m]\nschedule = \"@yearly\"\ncommand = \"true\"\n");
    for _ in 0..2 {
        assert_eq!(place.ask(&["run", "m", "-q"]).exit, 0);
    }
    let table = place.look(80, &["sessions", "m"]);
    let manual = table.lines().filter(|line| line.contains("manual"));
    let dates: Vec<&str> = manual.filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert!(dates.len() == 2 && dates[0] != dates[1], "{table}");
}
