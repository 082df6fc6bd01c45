//! What operators ask for, as stories: text in, what was answered and done out.

use chrono::TimeDelta;
use crontabber_core::job::{Command, DatePolicy, Job, JobName, Template};
use crontabber_core::scheduler::Event;
use crontabber_core::session::{BackfillOrder, Enabling, Only, Operation, Outcome, Retrying, Skipping};
use insta::assert_snapshot;

use crate::world::*;

const ORDER: BackfillOrder = BackfillOrder {
    from: chrono::DateTime::<chrono::Utc>::MIN_UTC,
    to: None,
    count: None,
    only: Only::Missing,
    newest_first: false,
    parallel: 1,
    name: None,
};

fn order(from: &str, only: Only) -> BackfillOrder {
    BackfillOrder { from: at(from), only, ..ORDER }
}

fn load() -> World {
    World::new("2026-11-05 12:00", vec![backfill("load", "0 3 * * *", "2026-11-03 00:00")])
}

#[test]
fn a_backfill_runs_dates_before_the_start_beside_the_schedule() {
    let mut world = load();
    world.request("load", Operation::Backfill(order("2026-11-01 00:00", Only::Missing)));
    assert_snapshot!(world.answered(), @"done (2): backfill of `load`: 2 dates from 2026-11-01T03:00:00+00:00 to 2026-11-02T03:00:00+00:00, oldest first, one at a time, beside its schedule; 3 dates are left out: settled by attempts, or not settled yet");
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
fn neither_a_backfill_nor_the_schedule_starves() {
    let mut world = World::new("2026-11-05 12:00", vec![backfill("load", "0 * * * *", "2026-11-05 06:00")]);
    world.request("load", Operation::Backfill(order("2026-11-05 00:00", Only::Missing)));
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"load 11-05T06:00, load 11-05T00:00, load 11-05T07:00, load 11-05T01:00, load 11-05T08:00, load 11-05T02:00, load 11-05T09:00, load 11-05T03:00, load 11-05T10:00, load 11-05T04:00, load 11-05T11:00, load 11-05T05:00, load 11-05T12:00");
}

#[test]
fn a_backfill_that_fails_holds_no_date_of_the_schedule() {
    let mut world = load();
    world.settle(succeed);
    world.take_started();
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
fn what_succeeded_is_repeated_by_name_only() {
    let mut world = load();
    world.settle(succeed);
    world.take_started();
    world.request("load", Operation::Backfill(order("2026-11-03 00:00", Only::Missing)));
    let nothing = world.answered();
    world.request("load", Operation::Backfill(order("2026-11-04 00:00", Only::All)));
    let all = world.answered();
    world.crash();
    world.settle(succeed);
    world.request("load", Operation::Retry(Retrying::Date { date: at("2026-11-03 03:00"), again: false }));
    let refused = world.answered();
    world.request("load", Operation::Retry(Retrying::Date { date: at("2026-11-03 03:00"), again: true }));
    let again = world.answered();
    world.settle(succeed);
    assert_snapshot!([nothing, all, refused, again].join("\n"), @"
    done (0): nothing to backfill of `load`: 3 dates in that range, settled by attempts, or not settled yet
    done (2): backfill of `load`: 2 dates from 2026-11-04T03:00:00+00:00 to 2026-11-05T03:00:00+00:00, oldest first, one at a time, beside its schedule; 2 dates are repeated that succeeded before
    refused (0): 2026-11-03T03:00:00+00:00 of `load` has succeeded; `--again` repeats it all the same
    done (1): 2026-11-03T03:00:00+00:00 of `load` had succeeded, and is attempted again now, beside its schedule
    ");
    assert_snapshot!(world.take_started(), @"load 11-04T03:00, load 11-04T03:00, load 11-05T03:00, load 11-03T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 succeeded (manual, 2 attempts)
    11-04T03:00 succeeded (backfill, 3 attempts)
    11-05T03:00 succeeded (backfill, 2 attempts)
    ");
}

#[test]
fn a_name_is_used_once_and_a_count_is_met() {
    let mut world = load();
    world.settle(succeed);
    let mut told = Vec::new();
    let named =
        |count| BackfillOrder { name: Some("oct".to_owned()), count, ..order("2026-10-30 00:00", Only::Missing) };
    let to = |order: BackfillOrder, to: &str| BackfillOrder { to: Some(at(to)), ..order };
    for asked in [
        named(Some(100)),
        to(named(Some(2)), "2026-11-01 00:00"),
        named(None),
        order("2026-11-06 00:00", Only::All),
        BackfillOrder { parallel: 2, ..order("2026-11-01 00:00", Only::All) },
    ] {
        world.request("load", Operation::Backfill(asked));
        told.push(world.answered());
    }
    assert_snapshot!(told.join("\n"), @r#"
    refused (0): `--count 100`, but there are only 7 dates of `load` from 2026-10-30T00:00:00+00:00 on and before its next date
    done (2): backfill `oct` of `load`: 2 dates from 2026-10-30T03:00:00+00:00 to 2026-10-31T03:00:00+00:00, oldest first, one at a time, beside its schedule
    refused (0): there is a backfill of `load` called `oct` already: nothing was changed
    refused (0): 2026-11-06T00:00:00+00:00 is not before the next date of `load`, 2026-11-06T03:00:00+00:00: there is nothing to backfill from there on
    refused (0): the dates of `load` run in strict order, one at a time; `--parallel` needs `order = "independent"`
    "#);
    assert_snapshot!(world.rows_of("load").lines().count().to_string(), @"5");
}

#[test]
fn a_name_is_used_also_where_only_failed_dates_are_attempted_again() {
    let mut world = load();
    world.settle(fail);
    let named = BackfillOrder { name: Some("again".to_owned()), ..order("2026-11-01 00:00", Only::Failed) };
    world.request("load", Operation::Backfill(named.clone()));
    let first = world.answered();
    world.settle(fail);
    world.request("load", Operation::Backfill(named));
    assert_snapshot!([first, world.answered()].join("\n"), @"
    done (1): backfill `again` of `load`: 2026-11-03T03:00:00+00:00, which failed, are attempted again now, in the order of the schedule; 4 dates are left out: succeeded, never attempted, or wait
    refused (0): there is a backfill of `load` called `again` already: nothing was changed
    ");
}

#[test]
fn a_long_backfill_enters_in_parts_and_goes_on_after_a_crash() {
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
    assert_snapshot!(world.answered(), @"done (6480): backfill of `load`: 6480 dates from 2026-11-01T00:00:00+00:00 to 2026-11-05T11:59:00+00:00, oldest first, one at a time, beside its schedule; 1 date is left out: settled by attempts, or not settled yet");
    assert_eq!(world.rows.sessions.len(), 4 * 1440 + 721);
}

#[test]
fn dates_in_independent_order_run_beside_one_another() {
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
fn a_skip_settles_what_is_due_and_what_is_not() {
    let mut world = load();
    let mut told = Vec::new();
    for asked in [
        Skipping::Date(at("2026-11-04 03:00")),
        Skipping::Date(at("2026-11-03 03:00")),
        Skipping::Date(at("2026-11-04 04:00")),
        Skipping::To(at("2026-11-03 03:00")),
        Skipping::To(at("2026-11-08 00:00")),
        Skipping::Count(2),
        Skipping::Date(at("2026-11-20 03:00")),
        Skipping::Date(at("2026-11-20 03:00")),
    ] {
        world.request("load", Operation::Skip(asked));
        told.push(world.answered());
    }
    assert_snapshot!(told.join("\n"), @"
    done (1): `load`: skipped 2026-11-04T03:00:00+00:00; the next date is 2026-11-03T03:00:00+00:00; what runs is left to end
    refused (0): 2026-11-03T03:00:00+00:00 of `load` is running; `crontabber kill load` ends it first
    refused (0): 2026-11-04T04:00:00+00:00 is not a date of `load`; the nearest are 2026-11-04T03:00:00+00:00 and 2026-11-05T03:00:00+00:00
    refused (0): 2026-11-03T03:00:00+00:00 is already past: the next date of `load` is 2026-11-03T03:00:00+00:00, which is not before it
    done (3): `load`: skipped 3 dates from 2026-11-05T03:00:00+00:00 to 2026-11-07T03:00:00+00:00; the next date is 2026-11-03T03:00:00+00:00; what runs is left to end
    done (2): `load`: skipped 2 dates from 2026-11-08T03:00:00+00:00 to 2026-11-09T03:00:00+00:00; the next date is 2026-11-03T03:00:00+00:00; what runs is left to end
    done (1): `load`: skipped 2026-11-20T03:00:00+00:00; the next date is 2026-11-03T03:00:00+00:00; what runs is left to end
    refused (0): 2026-11-20T03:00:00+00:00 of `load` is already past: it was skipped
    ");
    world.settle(succeed);
    world.crash();
    world.pass("2026-11-11 12:00");
    world.settle(succeed);
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
fn a_disabled_job_misses_its_dates_until_somebody_decides() {
    let mut world = load();
    world.settle(succeed);
    world.take_started();
    let mut told = Vec::new();
    let mut ask = |world: &mut World, operation: Operation| {
        world.request("load", operation);
        told.push(world.answered());
    };
    ask(&mut world, Operation::Enable(Enabling::Plain));
    ask(&mut world, Operation::Disable { until: None });
    world.crash();
    world.pass("2026-11-09 12:00");
    ask(&mut world, Operation::Run { date: None, force: false });
    ask(&mut world, Operation::Enable(Enabling::Plain));
    ask(&mut world, Operation::Enable(Enabling::SkipTo(at("2026-11-06 00:00"))));
    ask(&mut world, Operation::Enable(Enabling::SkipTo(at("2026-11-08 00:00"))));
    world.settle(succeed);
    ask(&mut world, Operation::Disable { until: Some(at("2026-11-11 12:00")) });
    world.pass("2026-11-11 13:00");
    world.settle(succeed);
    ask(&mut world, Operation::Disable { until: None });
    world.pass("2026-11-13 13:00");
    ask(&mut world, Operation::Enable(Enabling::SkipMissed));
    assert_snapshot!(told.join("\n"), @"
    done (0): job `load` is not disabled: nothing was changed
    done (0): job `load` is disabled: nothing of it runs until `crontabber enable`
    refused (0): job `load` was disabled by ann; `--force` attempts it all the same
    refused (0): job `load` has a backlog of 4 dates from 2026-11-06T03:00:00+00:00 on: say `--catch-up`, `--skip-missed` or `--skip-to DATE`
    refused (0): 2026-11-06T00:00:00+00:00 is already past: the next date of `load` is 2026-11-06T03:00:00+00:00, which is not before it
    done (2): job `load` is enabled; skipped: 2 dates from 2026-11-06T03:00:00+00:00 to 2026-11-07T03:00:00+00:00; 2 dates are attempted now
    done (0): job `load` is disabled until 2026-11-11T12:00:00+00:00, when what it has missed is caught up on
    done (0): job `load` is disabled: nothing of it runs until `crontabber enable`
    done (2): job `load` is enabled; skipped: 2 dates from 2026-11-12T03:00:00+00:00 to 2026-11-13T03:00:00+00:00
    ");
    assert_snapshot!(world.take_started(), @"load 11-08T03:00, load 11-09T03:00, load 11-10T03:00, load 11-11T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    11-06T03:00 skipped: operator (manual, 0 attempts)
    11-07T03:00 skipped: operator (manual, 0 attempts)
    11-08T03:00 succeeded (catch-up, 1 attempts)
    11-09T03:00 succeeded (catch-up, 1 attempts)
    11-10T03:00 succeeded (catch-up, 1 attempts)
    11-11T03:00 succeeded (catch-up, 1 attempts)
    11-12T03:00 skipped: operator (manual, 0 attempts)
    11-13T03:00 skipped: operator (manual, 0 attempts)
    ");
}

#[test]
fn done_is_done() {
    let mut world = load();
    world.settle(fail);
    let mut told = Vec::new();
    for date in ["2026-11-03 03:00", "2026-11-03 03:00", "2026-11-01 03:00", "2026-11-05 04:00", "2026-11-06 03:00"] {
        world.request("load", Operation::Done { date: at(date) });
        told.push(world.answered());
    }
    assert_snapshot!(told.join("\n"), @"
    done (1): 2026-11-03T03:00:00+00:00 of `load` is recorded as succeeded; it is not attempted any more
    done (0): 2026-11-03T03:00:00+00:00 of `load` has succeeded already
    done (1): 2026-11-01T03:00:00+00:00 of `load` is recorded as succeeded; it is not attempted any more
    refused (0): 2026-11-05T04:00:00+00:00 is not a date of `load`; the nearest are 2026-11-05T03:00:00+00:00 and 2026-11-06T03:00:00+00:00
    done (1): 2026-11-06T03:00:00+00:00 of `load` is recorded as succeeded; it is not attempted any more
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
fn a_retry_waits_for_no_time_and_a_held_date_has_all_its_attempts_again() {
    let mut job = backfill("load", "0 3 * * *", "2026-11-04 00:00");
    job.retry.attempts = Some(2);
    let mut world = World::new("2026-11-05 12:00", vec![job]);
    world.settle(fail);
    let mut told = Vec::new();
    let mut ask = |world: &mut World, retrying: Retrying| {
        world.request("load", Operation::Retry(retrying));
        told.push(world.answered());
    };
    ask(&mut world, Retrying::Held);
    ask(&mut world, Retrying::Failed);
    world.settle(fail);
    ask(&mut world, Retrying::Date { date: at("2026-11-05 03:00"), again: false });
    ask(&mut world, Retrying::Held);
    world.settle(fail);
    ask(&mut world, Retrying::Date { date: at("2026-11-04 03:00"), again: false });
    ask(&mut world, Retrying::Date { date: at("2026-11-04 03:00"), again: false });
    world.settle(succeed);
    assert_snapshot!(told.join("\n"), @"
    done (0): `load` has no held date: nothing was changed
    done (1): `load`: 2026-11-04T03:00:00+00:00 is attempted again now
    refused (0): 2026-11-05T03:00:00+00:00 of `load` waits for its turn: there is nothing to retry
    done (1): `load`: 2026-11-04T03:00:00+00:00 is attempted again now
    done (1): 2026-11-04T03:00:00+00:00 of `load` is attempted again now
    refused (0): 2026-11-04T03:00:00+00:00 of `load` is running
    ");
    assert_snapshot!(world.rows_of("load"), @"
    11-04T03:00 succeeded (catch-up, 4 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn what_is_killed_is_held_until_somebody_says_otherwise() {
    let mut world = load();
    world.request("load", Operation::Kill { date: Some(at("2026-11-04 03:00")) });
    let refused = world.answered();
    world.request("load", Operation::Kill { date: None });
    assert_eq!(world.answered(), "", "it is answered when the attempt has ended");
    let killed = world.kills.pop().unwrap();
    world.end_attempt(killed, Outcome::Cancelled);
    world.pass("2026-11-07 12:00");
    assert_snapshot!([refused, world.answered()].join("\n"), @"
    refused (0): 2026-11-04T03:00:00+00:00 of `load` is not running; 2026-11-03T03:00:00+00:00 is
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 was ended, and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
    ");
    assert_snapshot!(world.take_started(), @"load 11-03T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 held: an operator ended its attempt (catch-up, 1 attempts)
    11-04T03:00 waiting (catch-up, 0 attempts)
    11-05T03:00 waiting (catch-up, 0 attempts)
    11-06T03:00 waiting (schedule, 0 attempts)
    11-07T03:00 waiting (schedule, 0 attempts)
    ");
}

#[test]
fn a_reset_to_a_date_leaves_what_is_before_it() {
    let mut world = load();
    world.settle(succeed);
    world.take_started();
    world.request("load", Operation::Reset { to: Some(at("2026-11-04 00:00")) });
    assert_snapshot!(world.answered(), @"done (2): job `load` is reset: 2 dates from 2026-11-04T03:00:00+00:00 on are attempted again; what is settled before 2026-11-04T00:00:00+00:00 stays so (`--all-generations` shows it)");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"load 11-04T03:00, load 11-05T03:00");
}

#[test]
fn a_job_asks_whether_a_date_is_done() {
    let mut job = backfill("load", "0 3 * * *", "2026-11-03 00:00");
    job.done_when = Some(Command::Argv(vec![Template::parse("test").unwrap()]));
    let mut world = World::new("2026-11-05 12:00", vec![job]);
    world.answer_probe(Some(true));
    world.answer_probe(Some(false));
    world.settle(succeed);
    world.crash();
    // The answer was lost, and is asked for again.
    world.answer_probe(None);
    world.answer_probe(Some(true));
    assert_snapshot!(world.take_started(), @"load 11-04T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 succeeded (catch-up, 0 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 0 attempts)
    ");
}

#[test]
fn what_is_asked_twice_is_done_once() {
    let mut world = load();
    world.settle(succeed);
    world.take_started();
    world.ask(7, "load", Operation::Kill { date: None });
    let asked = Operation::Backfill(order("2026-11-01 00:00", Only::All));
    world.ask(8, "load", asked.clone());
    world.now += TimeDelta::seconds(1);
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"load 11-01T03:00, load 11-02T03:00, load 11-03T03:00, load 11-04T03:00, load 11-05T03:00");
}

#[test]
fn what_is_noted_as_the_last_success_outlives_resets_and_repetitions() {
    let mut world = load();
    world.settle(succeed);
    world.request("load", Operation::Reset { to: Some(at("2026-11-05 00:00")) });
    world.request("load", Operation::Reset { to: Some(at("2026-11-05 01:00")) });
    let noted = |world: &World| {
        let record = world.rows.jobs.values().next().unwrap();
        let (violations, _) = world.rows.examine(record, Some(true), 2);
        assert!(violations.is_empty(), "{violations:?}");
        record.last_success.unwrap().to_string()
    };
    assert_snapshot!(noted(&world), @"2026-11-04 03:00:00 UTC");
    world.settle(succeed);
    assert_snapshot!(noted(&world), @"2026-11-05 03:00:00 UTC");
    world.request("load", Operation::Retry(Retrying::Date { date: at("2026-11-05 03:00"), again: true }));
    world.settle(fail);
    assert_snapshot!(noted(&world), @"2026-11-05 03:00:00 UTC");
}

#[test]
fn what_was_answered_while_the_ledger_was_asked_is_not_answered_twice() {
    let mut world = load();
    let asked = Operation::Kill { date: None };
    world.request("load", asked.clone());
    let killed = world.kills.pop().unwrap();
    world.end_attempt(killed, Outcome::Cancelled);
    world.hear(1, "load", asked);
    assert!(world.answered().contains("was ended, and is held"), "{}", world.answered());
    let asked = Operation::Backfill(order("2026-11-01 00:00", Only::Missing));
    world.request("load", asked.clone());
    let answered = world.answered();
    world.hear(2, "load", asked);
    assert_eq!(world.answered(), answered);
}

#[test]
fn a_reset_forgets_no_date_that_is_not_settled() {
    let mut world = load();
    let to = Operation::Reset { to: Some(at("2026-11-05 00:00")) };
    let mut told = Vec::new();
    world.request("load", to.clone());
    told.push(world.answered());
    world.settle(succeed);
    world.request("load", Operation::Backfill(order("2026-11-01 00:00", Only::Missing)));
    world.request("load", to.clone());
    told.push(world.answered());
    world.settle(succeed);
    world.request("load", to);
    told.push(world.answered());
    world.settle(succeed);
    // What succeeded before it is not missing.
    world.take_started();
    world.request("load", Operation::Backfill(order("2026-10-31 00:00", Only::Missing)));
    told.push(world.answered());
    world.settle(succeed);
    told.push(world.take_started());
    world.request("load", Operation::Backfill(order("2026-11-02 00:00", Only::All)));
    told.push(world.answered());
    assert_snapshot!(told.join("\n"), @"
    refused (0): 2026-11-03T03:00:00+00:00 of `load` is before 2026-11-05T00:00:00+00:00 and not settled, and would never be: settle what is before 2026-11-05T00:00:00+00:00 first (`crontabber skip`, `done`), or reset to an earlier date
    refused (0): 2026-11-01T03:00:00+00:00 of `load` is before 2026-11-05T00:00:00+00:00 and not settled, and would never be: settle what is before 2026-11-05T00:00:00+00:00 first (`crontabber skip`, `done`), or reset to an earlier date
    done (1): job `load` is reset: its first date is 2026-11-05T03:00:00+00:00; what is settled before 2026-11-05T00:00:00+00:00 stays so (`--all-generations` shows it)
    done (1): backfill of `load`: 2026-10-31T03:00:00+00:00, oldest first, one at a time, beside its schedule; 5 dates are left out: settled by attempts, or not settled yet
    load 10-31T03:00
    done (4): backfill of `load`: 4 dates from 2026-11-02T03:00:00+00:00 to 2026-11-05T03:00:00+00:00, oldest first, one at a time, beside its schedule; 4 dates are repeated that succeeded before
    ");
}

#[test]
fn a_disabled_job_says_how_much_a_reset_repeats() {
    let mut world = load();
    world.settle(succeed);
    world.request("load", Operation::Disable { until: None });
    world.request("load", Operation::Reset { to: None });
    assert_snapshot!(world.answered(), @"done (3): job `load` is reset: 3 dates from 2026-11-03T03:00:00+00:00 on are attempted again, once it is enabled");
}

#[test]
fn an_operator_runs_no_date_in_a_full_pool_without_force() {
    let of_pool = |name: &str| Job { pool: Some("db".to_owned()), ..backfill(name, "0 3 * * *", "2026-11-05 00:00") };
    let mut world = World::new("2026-11-05 02:00", vec![of_pool("a"), of_pool("b")]);
    world.pools = std::collections::BTreeMap::from([("db".to_owned(), 1)]);
    world.reload(world.jobs.clone());
    world.pass("2026-11-05 03:00");
    let mut told = Vec::new();
    for force in [false, true] {
        world.request("b", Operation::Run { date: None, force });
        told.push(world.answered());
    }
    assert_snapshot!(told.join("\n"), @"
    refused (0): the pool `db` of job `b` is full; `--force` attempts it all the same
    done (1): attempt 1 of `b` at 2026-11-05T03:00:00+00:00 started
    ");
}

#[test]
fn a_job_that_waits_for_its_name_says_so() {
    let mut world = load();
    let renamed =
        Job { previously: Some(JobName::new("load").unwrap()), ..backfill("loads", "0 3 * * *", "2026-11-03 00:00") };
    world.reload(vec![renamed]);
    world.request("loads", Operation::Skip(Skipping::Count(1)));
    assert_snapshot!(world.answered(), @"refused (0): job `loads` takes over the ledger of `load` when what runs of that one has ended: until then ask for `load`");
}

#[test]
fn a_date_that_was_said_to_be_done_and_is_repeated_breaks_no_promise() {
    let mut world = load();
    world.settle(succeed);
    let date = at("2026-11-01 03:00");
    world.request("load", Operation::Reset { to: None });
    world.request("load", Operation::Done { date });
    world.request("load", Operation::Retry(Retrying::Date { date, again: true }));
    let record = world.rows.jobs.values().next().expect("one job");
    assert_eq!(record.last_success, Some(date));
    let (violations, _) = world.rows.examine(record, Some(true), 1);
    assert_eq!(violations, []);
}

#[test]
fn a_schedule_that_changes_after_a_reset_to_a_date_repeats_nothing_before_that_date() {
    let mut world = load();
    world.settle(succeed);
    world.request("load", Operation::Reset { to: Some(at("2026-11-05 00:00")) });
    world.settle(succeed);
    world.take_started();
    let mut moved = backfill("load", "0 3 * * *", "2026-11-02 00:00");
    world.reload(vec![moved.clone()]);
    moved.timetable = crontabber_core::schedule::Timetable::new(
        moved.timetable.schedule().clone(),
        moved.timetable.start(),
        None,
        std::time::Duration::from_mins(5),
    );
    world.reload(vec![moved]);
    world.pass("2026-11-06 04:00");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"load 11-06T03:00");
}
