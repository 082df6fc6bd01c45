//! The `skip` and `done` requests.

use crontabber_core::session::{Operation, Retrying, Skipping};
use insta::assert_snapshot;

use crate::fixtures::{caught_up, load};
use crate::world::*;

#[test]
fn a_skip_settles_due_and_future_dates() {
    let mut world = load();
    let skips = [
        Skipping::Date(at("2026-11-04 03:00")),
        Skipping::Date(at("2026-11-03 03:00")),
        Skipping::Date(at("2026-11-04 04:00")),
        Skipping::To(at("2026-11-03 03:00")),
        Skipping::To(at("2026-11-08 00:00")),
        Skipping::Count(2),
        Skipping::Date(at("2026-11-20 03:00")),
        Skipping::Date(at("2026-11-20 03:00")),
    ];
    assert_snapshot!(world.answers_to("load", skips.map(Operation::Skip)), @"
    done (1): `load`: skipped 2026-11-04T03:00:00+00:00; the next date is 2026-11-05T03:00:00+00:00; the open attempt is not affected
    refused (0): 2026-11-03T03:00:00+00:00 of `load` is running; `crontabber kill load` ends it first
    refused (0): 2026-11-04T04:00:00+00:00 is not a date of `load`; the nearest are 2026-11-04T03:00:00+00:00 and 2026-11-05T03:00:00+00:00
    refused (0): 2026-11-03T03:00:00+00:00 is already past: the next date of `load` is 2026-11-03T03:00:00+00:00, which is not before it
    done (3): `load`: skipped 3 dates from 2026-11-05T03:00:00+00:00 to 2026-11-07T03:00:00+00:00; the next date is 2026-11-08T03:00:00+00:00; the open attempt is not affected
    done (2): `load`: skipped 2 dates from 2026-11-08T03:00:00+00:00 to 2026-11-09T03:00:00+00:00; the next date is 2026-11-10T03:00:00+00:00; the open attempt is not affected
    done (1): `load`: skipped 2026-11-20T03:00:00+00:00; the next date is 2026-11-10T03:00:00+00:00; the open attempt is not affected
    refused (0): 2026-11-20T03:00:00+00:00 of `load` was skipped already
    ");
    world.settle(succeed);
    world.crash();
    world.pass_and_settle("2026-11-11 12:00", succeed);
    assert_snapshot!(world.take_started(), @"load 11-03T03:00, load 11-10T03:00, load 11-11T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 skipped: operator (catch-up, 0 attempts)
    11-05T03:00 skipped: operator (catch-up, 0 attempts)
    11-06T03:00 skipped: operator (manual, 0 attempts)
    11-07T03:00 skipped: operator (manual, 0 attempts)
    11-08T03:00 skipped: operator (manual, 0 attempts)
    11-09T03:00 skipped: operator (manual, 0 attempts)
    11-10T03:00 succeeded (schedule, 1 attempts)
    11-11T03:00 succeeded (schedule, 1 attempts)
    11-20T03:00 skipped: operator (manual, 0 attempts)
    ");
}

#[test]
fn a_date_marked_done_is_not_attempted() {
    let mut world = load();
    world.settle(fail);
    let dates = ["2026-11-03 03:00", "2026-11-03 03:00", "2026-11-01 03:00", "2026-11-05 04:00", "2026-11-06 03:00"];
    assert_snapshot!(world.answers_to("load", dates.map(|date| Operation::Done { date: at(date) })), @"
    done (1): 2026-11-03T03:00:00+00:00 of `load` is marked as succeeded, and will not run
    done (0): 2026-11-03T03:00:00+00:00 of `load` has succeeded already
    done (1): 2026-11-01T03:00:00+00:00 of `load` is marked as succeeded, and will not run
    refused (0): 2026-11-05T04:00:00+00:00 is not a date of `load`; the nearest are 2026-11-05T03:00:00+00:00 and 2026-11-06T03:00:00+00:00
    done (1): 2026-11-06T03:00:00+00:00 of `load` is marked as succeeded, and will not run
    ");
    world.settle(succeed);
    world.pass("2026-11-07 12:00");
    assert_snapshot!(world.take_started(), @"load 11-03T03:00, load 11-04T03:00, load 11-05T03:00, load 11-07T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-01T03:00 succeeded (manual, 0 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    11-06T03:00 succeeded (manual, 0 attempts)
    11-07T03:00 running (schedule, 1 attempts)
    ");
}

#[test]
fn a_date_marked_done_and_repeated_breaks_no_invariant() {
    let mut world = caught_up();
    let date = at("2026-11-01 03:00");
    world.request("load", Operation::Reset { to: None });
    world.request("load", Operation::Done { date });
    world.request("load", Operation::Retry(Retrying::Date { date, again: true }));
    let record = world.rows.jobs.values().next().expect("one job");
    assert_eq!(record.last_success, Some(date));
    let (violations, _) = world.rows.examine(record, 1);
    assert_eq!(violations, []);
}
