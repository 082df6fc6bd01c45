//! `backfill --cancel`, and `skip` of backfilled dates.

use crontabber_core::scheduler::{Event, Notification};
use crontabber_core::session::{BackfillOrder, Enabling, Only, Operation, Outcome, Retrying, Skipping, State};
use insta::assert_snapshot;

use crate::fixtures::{caught_up, load, order, with_done_when};
use crate::world::*;

fn cancel(name: Option<&str>) -> Operation {
    Operation::CancelBackfill { name: name.map(str::to_owned) }
}

/// Three dates before the start, then the three that succeeded.
fn ordered(only: Only, name: &str) -> Operation {
    Operation::Backfill(BackfillOrder { name: Some(name.to_owned()), ..order("2026-10-31 00:00", only) })
}

#[test]
fn the_dates_of_a_cancelled_backfill_leave_it_and_what_had_succeeded_stays_succeeded() {
    let mut world = caught_up();
    world.request("load", ordered(Only::All, "oops"));
    world.take_started();
    assert_snapshot!(world.answer_to("load", cancel(None)), @"done (5): backfill `oops` of `load` is cancelled: 5 dates from 2026-11-01T03:00:00+00:00 to 2026-11-05T03:00:00+00:00 leave it; 3 dates that had succeeded before stay succeeded; 2 dates are skipped, and `crontabber backfill load` can order them again; 1 date is running, ends by itself, and is not attempted again");
    world.settle(succeed);
    world.pass("2026-11-06 03:00");
    assert_snapshot!(world.take_started(), @"load 11-06T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    10-31T03:00 succeeded (backfill, 1 attempts)
    11-01T03:00 skipped: cancelled (backfill, 0 attempts)
    11-02T03:00 skipped: cancelled (backfill, 0 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    11-06T03:00 running (schedule, 1 attempts)
    ");
    assert_snapshot!(world.answer_to("load", cancel(None)), @"refused (0): `load` has no backfill with dates to go: there is nothing to cancel");
}

#[test]
fn what_a_cancelled_backfill_left_can_be_ordered_again() {
    let mut world = caught_up();
    world.request("load", ordered(Only::All, "oops"));
    world.request("load", cancel(Some("oops")));
    world.settle(fail);
    assert_snapshot!(world.answers_to("load", [ordered(Only::All, "oops"), ordered(Only::All, "again")]), @"
    refused (0): there is a backfill of `load` called `oops` already: nothing was changed
    done (6): backfill `again` of `load`: 6 dates from 2026-10-31T03:00:00+00:00 to 2026-11-05T03:00:00+00:00, oldest first, one at a time, outside its schedule; 3 dates are repeated that succeeded before
    ");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    10-31T03:00 succeeded (backfill, 2 attempts)
    11-01T03:00 succeeded (backfill, 1 attempts)
    11-02T03:00 succeeded (backfill, 1 attempts)
    11-03T03:00 succeeded (backfill, 2 attempts)
    11-04T03:00 succeeded (backfill, 2 attempts)
    11-05T03:00 succeeded (backfill, 2 attempts)
    ");
    let failed = Operation::Backfill(order("2026-10-31 00:00", Only::Failed));
    assert_snapshot!(world.answer_to("load", failed), @"done (0): nothing to backfill of `load`: 6 dates in that range, succeeded, never attempted, or wait");
}

#[test]
fn the_backfill_of_a_job_that_is_gone_from_the_registry_can_be_cancelled() {
    let mut world = caught_up();
    world.request("load", Operation::Disable { until: None });
    world.request("load", ordered(Only::Missing, "oops"));
    world.reload(Vec::new());
    assert_snapshot!(world.answer_to("load", cancel(None)), @"done (3): backfill `oops` of `load` is cancelled: 3 dates from 2026-10-31T03:00:00+00:00 to 2026-11-02T03:00:00+00:00 leave it; 3 dates are skipped, and `crontabber backfill load` can order them again");
    world.reload(vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.request("load", Operation::Enable(Enabling::CatchUp));
    world.settle(succeed);
    assert_eq!(world.running.len(), 0);
    assert!(world.rows_of("load").starts_with("10-31T03:00 skipped: cancelled (backfill, 0 attempts)\n"));
}

#[test]
fn a_date_that_runs_ends_and_is_not_attempted_again() {
    for outcome in [Outcome::Failed { code: 1 }, Outcome::Interrupted, Outcome::Lost, Outcome::Cancelled] {
        let mut world = caught_up();
        world.request("load", ordered(Only::All, "oops"));
        world.request("load", cancel(None));
        assert_eq!(world.running.len(), 1);
        world.end_first(outcome);
        world.pass("2026-11-05 23:00");
        assert_eq!(world.running.len(), 0, "{outcome}");
        assert!(world.rows_of("load").starts_with("10-31T03:00 skipped: cancelled (backfill, 1 attempts)\n"));
    }
}

#[test]
fn a_repeated_date_that_fails_in_a_cancelled_backfill_is_succeeded_again() {
    let mut world = caught_up();
    world.request("load", Operation::Backfill(order("2026-11-03 00:00", Only::All)));
    world.request("load", cancel(None));
    world.notes.clear();
    world.end_first(Outcome::Failed { code: 1 });
    assert!(matches!(world.notes[0], Notification::Closed { state: State::Succeeded, .. }), "{:?}", world.notes);
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 succeeded (backfill, 2 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn a_crash_in_a_cancellation_loses_nothing_of_it() {
    let mut world = caught_up();
    world.request("load", ordered(Only::All, "oops"));
    world.request("load", cancel(None));
    world.crash();
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    10-31T03:00 skipped: cancelled (backfill, 1 attempts)
    11-01T03:00 skipped: cancelled (backfill, 0 attempts)
    11-02T03:00 skipped: cancelled (backfill, 0 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn a_long_backfill_leaves_in_parts_and_due_dates_go_on() {
    let mut world = World::new("2026-11-05 12:00", vec![backfill("load", "* * * * *", "2026-11-05 12:00")]);
    world.request("load", Operation::Backfill(order("2026-11-01 00:00", Only::Missing)));
    world.pass("2026-11-05 12:00");
    let backfilling = world.answered();
    world.request("load", cancel(None));
    assert!(world.scheduler.has_pending());
    // Another daemon reads the unanswered request again.
    world.crash();
    world.ask(2, "load", cancel(None));
    while world.scheduler.has_pending() {
        world.handle(Event::Tick);
    }
    assert_snapshot!([backfilling, world.answered()].join("\n"), @"
    done (6480): backfill of `load`: 6480 dates from 2026-11-01T00:00:00+00:00 to 2026-11-05T11:59:00+00:00, oldest first, one at a time, outside its schedule; 1 date is left out: settled by attempts, or not settled yet
    done (0): the backfill of `load` is cancelled: its dates left it before the daemon restarted
    ");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load").lines().filter(|line| line.contains("cancelled")).count(), @"6480");
}

#[test]
fn of_several_backfills_the_operator_says_which() {
    let mut world = caught_up();
    world.request("load", ordered(Only::Missing, "spring"));
    world.request("load", Operation::Backfill(order("2026-10-20 00:00", Only::Missing)));
    // The repetition of one date is called off with `skip`.
    world.request("load", Operation::Retry(Retrying::Date { date: at("2026-11-04 03:00"), again: true }));
    let operations = [cancel(None), cancel(Some("autumn")), cancel(Some("2")), cancel(Some("spring")), cancel(None)];
    assert_snapshot!(world.answers_to("load", operations), @"
    refused (0): `load` has 2 backfills: say which with `crontabber backfill load --cancel NAME`: `spring` (3 dates to go), 2 (without a name, 11 dates to go)
    refused (0): `load` has no backfill `autumn` with dates to go; it has `spring` (3 dates to go), 2 (without a name, 11 dates to go)
    done (11): backfill of `load` is cancelled: 11 dates from 2026-10-20T03:00:00+00:00 to 2026-10-30T03:00:00+00:00 leave it; 11 dates are skipped, and `crontabber backfill load` can order them again
    done (2): backfill `spring` of `load` is cancelled: 2 dates from 2026-11-01T03:00:00+00:00 to 2026-11-02T03:00:00+00:00 leave it; 2 dates are skipped, and `crontabber backfill load` can order them again; 1 date is running, ends by itself, and is not attempted again
    refused (0): `load` has no backfill with dates to go: there is nothing to cancel
    ");
    assert_snapshot!(world.answer_to("other", cancel(None)), @"refused (0): job `other` is not known");
}

#[test]
fn a_date_that_is_being_probed_leaves_once_the_probe_has_ended() {
    insta::allow_duplicates! { for is_done in [Some(true), Some(false), None] {
        let job = with_done_when(backfill("load", "0 3 * * *", "2026-11-05 04:00"));
        let mut world = World::new("2026-11-05 12:00", vec![job]);
        world.request("load", Operation::Backfill(order("2026-11-04 00:00", Only::Missing)));
        world.request("load", cancel(None));
        assert_snapshot!(world.answered(), @"done (1): backfill of `load` is cancelled: 2026-11-05T03:00:00+00:00 leaves it; 1 date is skipped, and `crontabber backfill load` can order it again; 1 date is running, ends by itself, and is not attempted again");
        world.answer_probe(is_done);
        let expected = if is_done == Some(true) { "succeeded" } else { "skipped: cancelled" };
        assert!(world.rows_of("load").starts_with(&format!("11-04T03:00 {expected}")), "{}", world.rows_of("load"));
        assert_eq!((world.running.len(), world.probes.len()), (0, 0));
    } }
}

#[test]
fn a_disabled_job_gives_up_its_backfill() {
    let mut world = caught_up();
    world.request("load", Operation::Disable { until: None });
    world.request("load", ordered(Only::Missing, "oops"));
    assert_snapshot!(world.answer_to("load", cancel(None)), @"done (3): backfill `oops` of `load` is cancelled: 3 dates from 2026-10-31T03:00:00+00:00 to 2026-11-02T03:00:00+00:00 leave it; 3 dates are skipped, and `crontabber backfill load` can order them again");
}

#[test]
fn skip_takes_backfilled_dates_and_what_had_succeeded_stays_succeeded() {
    let mut world = caught_up();
    world.request("load", ordered(Only::All, "oops"));
    let date = Operation::Skip(Skipping::Date(at("2026-11-04 03:00")));
    let to = |text: &str| Operation::Skip(Skipping::To(at(text)));
    assert_snapshot!(world.answers_to("load", [date, to("2026-11-02 00:00"), to("2026-11-05 12:00"), to("2026-11-05 12:00")]), @"
    done (1): `load`: skipped 2026-11-04T03:00:00+00:00, which had succeeded before and stays succeeded; the next date is 2026-11-06T03:00:00+00:00
    done (1): `load`: skipped 2026-11-01T03:00:00+00:00; the next date is 2026-11-06T03:00:00+00:00; the open attempt is not affected
    done (3): `load`: skipped 3 dates from 2026-11-02T03:00:00+00:00 to 2026-11-05T03:00:00+00:00, of which 2 had succeeded before and stay succeeded; the next date is 2026-11-06T03:00:00+00:00; the open attempt is not affected
    refused (0): 2026-11-05T12:00:00+00:00 is already past: the next date of `load` is 2026-11-06T03:00:00+00:00, which is not before it
    ");
    assert_snapshot!(world.rows_of("load"), @"
    10-31T03:00 running (backfill, 1 attempts)
    11-01T03:00 skipped: operator (backfill, 0 attempts)
    11-02T03:00 skipped: operator (backfill, 0 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    ");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"load 10-31T03:00");
}

#[test]
fn skip_by_count_leaves_backfilled_dates_alone() {
    let mut world = load();
    world.request("load", ordered(Only::Missing, "spring"));
    assert_snapshot!(world.answer_to("load", Operation::Skip(Skipping::Count(1))), @"done (1): `load`: skipped 2026-11-04T03:00:00+00:00; the next date is 2026-11-05T03:00:00+00:00; the open attempt is not affected");
}
