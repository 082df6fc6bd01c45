//! The `backfill` request.

use crontabber_core::job::{DatePolicy, Dependency, Job, Period};
use crontabber_core::scheduler::{Event, Notification};
use crontabber_core::session::{BackfillOrder, Only, Operation, Outcome, Retrying};
use insta::assert_snapshot;

use crate::fixtures::{caught_up, load, on, order};
use crate::world::*;

#[test]
fn a_backfill_runs_dates_before_the_start_beside_the_schedule() {
    let mut world = load();
    world.request("load", Operation::Backfill(order("2026-11-01 00:00", Only::Missing)));
    assert_snapshot!(world.answered(), @"done (2): backfill of `load`: 2 dates from 2026-11-01T03:00:00+00:00 to 2026-11-02T03:00:00+00:00, oldest first, one at a time, outside its schedule; 3 dates are left out: settled by attempts, or not settled yet");
    assert!(!world.scheduler.has_pending(), "who asked need not wait any more");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"load 11-03T03:00, load 11-01T03:00, load 11-04T03:00, load 11-02T03:00, load 11-05T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-01T03:00 succeeded (backfill, 1 attempts)
    11-02T03:00 succeeded (backfill, 1 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    ");
    assert_snapshot!(world.scheduler.behind().to_string(), @"0");
}

#[test]
fn a_backfill_and_the_schedule_take_turns() {
    let mut world = World::new("2026-11-05 12:00", vec![backfill("load", "0 * * * *", "2026-11-05 06:00")]);
    world.request("load", Operation::Backfill(order("2026-11-05 00:00", Only::Missing)));
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"load 11-05T06:00, load 11-05T00:00, load 11-05T07:00, load 11-05T01:00, load 11-05T08:00, load 11-05T02:00, load 11-05T09:00, load 11-05T03:00, load 11-05T10:00, load 11-05T04:00, load 11-05T11:00, load 11-05T05:00, load 11-05T12:00");
}

#[test]
fn a_backfill_and_dates_that_come_due_meanwhile_take_turns() {
    let mut world = World::new("2026-11-04 12:00", vec![backfill("daily", "0 3 * * *", "2026-11-05 00:00")]);
    world.request("daily", Operation::Backfill(order("2026-11-01 00:00", Only::Missing)));
    world.pass_and_settle("2026-11-06 03:00", succeed);
    assert_snapshot!(world.take_started(), @"daily 11-01T03:00, daily 11-05T03:00, daily 11-02T03:00, daily 11-06T03:00, daily 11-03T03:00, daily 11-04T03:00");
}

#[test]
fn a_failing_backfill_does_not_block_the_schedule() {
    let mut world = caught_up();
    let newest_first = BackfillOrder { newest_first: true, ..order("2026-11-01 00:00", Only::Missing) };
    world.request("load", Operation::Backfill(newest_first));
    world.settle(fail);
    world.pass("2026-11-06 04:00");
    assert_snapshot!(world.take_started(), @"load 11-02T03:00, load 11-02T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-01T03:00 waiting (backfill, 0 attempts)
    11-02T03:00 running (backfill, 2 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    11-06T03:00 waiting (schedule, 0 attempts)
    ");
}

#[test]
fn succeeded_dates_are_repeated_only_with_all_or_again() {
    let mut world = caught_up();
    let nothing = world.answer_to("load", Operation::Backfill(order("2026-11-03 00:00", Only::Missing)));
    let all = world.answer_to("load", Operation::Backfill(order("2026-11-04 00:00", Only::All)));
    world.crash();
    world.settle(succeed);
    let refused =
        world.answer_to("load", Operation::Retry(Retrying::Date { date: at("2026-11-03 03:00"), again: false }));
    let again = world.answer_to("load", Operation::Retry(Retrying::Date { date: at("2026-11-03 03:00"), again: true }));
    world.settle(succeed);
    assert_snapshot!([nothing, all, refused, again].join("\n"), @"
    done (0): nothing to backfill of `load`: 3 dates in that range, settled by attempts, or not settled yet
    done (2): backfill of `load`: 2 dates from 2026-11-04T03:00:00+00:00 to 2026-11-05T03:00:00+00:00, oldest first, one at a time, outside its schedule; 2 dates are repeated that succeeded before
    refused (0): 2026-11-03T03:00:00+00:00 of `load` has succeeded; `--again` repeats it all the same
    done (1): 2026-11-03T03:00:00+00:00 of `load` had succeeded, and runs again now, outside its schedule
    ");
    assert_snapshot!(world.take_started(), @"load 11-04T03:00, load 11-04T03:00, load 11-05T03:00, load 11-03T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 succeeded (manual, 2 attempts)
    11-04T03:00 succeeded (backfill, 3 attempts)
    11-05T03:00 succeeded (backfill, 2 attempts)
    ");
}

#[test]
fn a_name_is_used_once_and_a_count_must_be_met() {
    let mut world = caught_up();
    let named =
        |count| BackfillOrder { name: Some("oct".to_owned()), count, ..order("2026-10-30 00:00", Only::Missing) };
    let to = |order: BackfillOrder, to: &str| BackfillOrder { to: Some(at(to)), ..order };
    let orders = [
        named(Some(100)),
        to(named(Some(2)), "2026-11-01 00:00"),
        named(None),
        order("2026-11-06 00:00", Only::All),
        BackfillOrder { parallel: 2, ..order("2026-11-01 00:00", Only::All) },
    ];
    assert_snapshot!(world.answers_to("load", orders.map(Operation::Backfill)), @r#"
    refused (0): `--count 100`, but there are only 7 dates of `load` from 2026-10-30T00:00:00+00:00 on and before its next date
    done (2): backfill `oct` of `load`: 2 dates from 2026-10-30T03:00:00+00:00 to 2026-10-31T03:00:00+00:00, oldest first, one at a time, outside its schedule
    refused (0): there is a backfill of `load` called `oct` already: nothing was changed
    refused (0): 2026-11-06T00:00:00+00:00 is not before the next date of `load`, 2026-11-06T03:00:00+00:00: there is nothing to backfill from there on
    refused (0): the dates of `load` run in strict order, one at a time; `--parallel` needs `order = "independent"`
    "#);
    assert_snapshot!(world.rows_of("load").lines().count().to_string(), @"5");
}

#[test]
fn a_backfill_of_failed_dates_uses_its_name() {
    let mut world = load();
    world.settle(fail);
    let named = BackfillOrder { name: Some("again".to_owned()), ..order("2026-11-01 00:00", Only::Failed) };
    let first = world.answer_to("load", Operation::Backfill(named.clone()));
    world.settle(fail);
    world.request("load", Operation::Backfill(named));
    assert_snapshot!([first, world.answered()].join("\n"), @"
    done (1): backfill `again` of `load`: 2026-11-03T03:00:00+00:00, which failed, run again now, in the order of the schedule; 4 dates are left out: succeeded, never attempted, or wait
    refused (0): there is a backfill of `load` called `again` already: nothing was changed
    ");
}

#[test]
fn a_long_backfill_enters_in_parts_and_resumes_after_a_crash() {
    let mut world = World::new("2026-11-05 12:00", vec![backfill("load", "* * * * *", "2026-11-05 12:00")]);
    world.settle(succeed);
    let asked = Operation::Backfill(order("2026-11-01 00:00", Only::Missing));
    world.request("load", asked.clone());
    assert_eq!(world.answered(), "", "not all of it has entered");
    world.handle(Event::Tick);
    world.crash();
    let before = world.rows.sessions.len();
    assert!(before > 1_000 && before < 6_480, "{before}");
    world.ask(1, "load", asked.clone());
    // It is asked again and again until it is answered.
    world.ask(1, "load", asked);
    world.pass_to(world.now);
    assert_snapshot!(world.answered(), @"done (6480): backfill of `load`: 6480 dates from 2026-11-01T00:00:00+00:00 to 2026-11-05T11:59:00+00:00, oldest first, one at a time, outside its schedule; 1 date is left out: settled by attempts, or not settled yet");
    assert_eq!(world.rows.sessions.len(), 4 * 1440 + 721);
}

#[test]
fn a_backfill_in_independent_order_runs_dates_in_parallel() {
    let mut job = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    job.date_policy = DatePolicy::Independent { max_parallel: 2 };
    let mut world = World::new("2026-11-05 12:00", vec![job]);
    assert_snapshot!(world.take_started(), @"load 11-01T03:00, load 11-02T03:00");
    let asked = BackfillOrder { parallel: 3, newest_first: true, ..order("2026-10-25 00:00", Only::Missing) };
    world.request("load", Operation::Backfill(asked));
    assert_snapshot!(world.take_started(), @"load 10-31T03:00, load 10-30T03:00, load 10-29T03:00");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"load 11-03T03:00, load 11-04T03:00, load 10-28T03:00, load 10-27T03:00, load 10-26T03:00, load 11-05T03:00, load 10-25T03:00");
}

#[test]
fn a_backfill_ignores_dates_settled_in_an_old_generation() {
    let mut world = load();
    world.request("load", Operation::Reset { to: None });
    world.end_first(Outcome::Succeeded);
    world.ask(9, "load", Operation::Backfill(order("2026-11-01 00:00", Only::All)));
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-01T03:00 succeeded (backfill, 1 attempts)
    11-02T03:00 succeeded (backfill, 1 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn a_name_is_used_once() {
    let mut world = load();
    world.settle(fail);
    let order = BackfillOrder { name: Some("again".to_owned()), ..order("2026-11-01 00:00", Only::Failed) };
    let (one, two) = (Operation::Backfill(order.clone()), Operation::Backfill(order));
    world.ask(1, "load", one);
    world.ask(2, "load", two);
    assert_snapshot!(world.rows.answers[&2].text, @"there is a backfill of `load` called `again` already: nothing was changed");
}

#[test]
fn a_backfill_is_finished_after_its_last_date() {
    let mut world = caught_up();
    world.request("load", Operation::Backfill(order("2026-11-02 00:00", Only::Missing)));
    world.notes.clear();
    world.settle(succeed);
    assert!(
        matches!(world.notes[..], [Notification::Closed { .. }, Notification::BackfillOver { .. }]),
        "{:?}",
        world.notes
    );
}

#[test]
fn a_backfill_names_the_dates_that_the_job_it_depends_on_lacks() {
    let clean = |dependency| {
        let load = backfill("load", "0 */12 * * *", "2026-11-03 00:00");
        let clean = Job { depends_on: vec![dependency], ..backfill("clean", "0 3 * * *", "2026-11-03 00:00") };
        let mut world = World::new("2026-11-05 12:00", vec![load, clean]);
        world.settle(succeed);
        world
    };
    let to = |to: &str| BackfillOrder { to: Some(at(to)), ..order("2026-11-01 00:00", Only::Missing) };
    let mut world = clean(on("load"));
    let several = world.answer_to("clean", Operation::Backfill(to("2026-11-04 00:00")));
    let again = world.answer_to("clean", Operation::Backfill(order("2026-11-01 00:00", Only::Missing)));
    world.answer_to(
        "load",
        Operation::Backfill(BackfillOrder {
            to: Some(at("2026-11-02 12:00")),
            ..order("2026-10-31 00:00", Only::Missing)
        }),
    );
    world.settle(succeed);
    let ordered = world.answer_to("clean", Operation::Backfill(order("2026-10-31 00:00", Only::Missing)));
    let mut world = clean(Dependency { covers: Some(Period::Day), ..on("load") });
    let one = world.answer_to("clean", Operation::Backfill(to("2026-11-02 00:00")));
    assert_snapshot!([several, again, ordered, one].join("\n"), @"
    done (2): backfill of `clean`: 2 dates from 2026-11-01T03:00:00+00:00 to 2026-11-02T03:00:00+00:00, oldest first, one at a time, outside its schedule; 1 date is left out: settled by attempts, or not settled yet; `load`, which `clean` depends on, has no record of 3 dates from 2026-11-01T00:00:00+00:00 to 2026-11-02T00:00:00+00:00, and nothing waits for them: `crontabber backfill load --from 2026-11-01T00:00:00+00:00 --to 2026-11-02T12:00:00+00:00` orders them, best before this backfill
    done (0): nothing to backfill of `clean`: 5 dates in that range, settled by attempts, or not settled yet
    done (1): backfill of `clean`: 2026-10-31T03:00:00+00:00, oldest first, one at a time, outside its schedule; 5 dates are left out: settled by attempts, or not settled yet
    done (1): backfill of `clean`: 2026-11-01T03:00:00+00:00, oldest first, one at a time, outside its schedule; `load`, which `clean` depends on, has no record of 2 dates from 2026-11-01T00:00:00+00:00 to 2026-11-01T12:00:00+00:00, and nothing waits for them: `crontabber backfill load --from 2026-11-01T00:00:00+00:00 --to 2026-11-02T00:00:00+00:00` orders them, best before this backfill
    ");
}

#[test]
fn a_repeated_date_is_no_backfill_in_the_log() {
    let mut world = caught_up();
    world.request("load", Operation::Retry(Retrying::Date { date: at("2026-11-03 03:00"), again: true }));
    world.notes.clear();
    world.settle(succeed);
    assert!(matches!(world.notes[..], [Notification::Closed { .. }]), "{:?}", world.notes);
}

#[test]
fn a_backfill_says_which_dates_of_a_disabled_job_it_leaves_to_enable() {
    let mut world = caught_up();
    world.answer_to("load", Operation::Disable { until: None });
    world.pass("2026-11-08 12:00");
    let until = |to: &str| BackfillOrder { to: Some(at(to)), ..order("2026-11-02 00:00", Only::Missing) };
    let up_to = world.answer_to("load", Operation::Backfill(until("2026-11-06 03:00")));
    let beyond = world.answer_to("load", Operation::Backfill(until("2026-11-07 00:00")));
    assert_snapshot!([up_to, beyond].join("\n"), @"
    done (1): backfill of `load`: 2026-11-02T03:00:00+00:00, oldest first, one at a time, outside its schedule; 3 dates are left out: settled by attempts, or not settled yet; no attempt of `load` starts until `crontabber enable load`
    done (0): nothing to backfill of `load`: 4 dates in that range, settled by attempts, or not settled yet; `load` is disabled, and has not recorded its dates from 2026-11-06T03:00:00+00:00 on: they belong to its schedule, and are not ordered; `crontabber enable` decides about them
    ");
}
