//! The `enable` and `disable` requests.

use crontabber_core::scheduler::Notification;
use crontabber_core::session::{Enabling, Only, Operation, Retrying};
use insta::assert_snapshot;

use crate::fixtures::{caught_up, name, order};
use crate::world::*;

#[test]
fn a_disabled_job_misses_its_dates_until_an_operator_decides() {
    let mut world = caught_up();
    let mut told = Vec::new();
    let mut ask = |world: &mut World, operation| told.push(world.answer_to("load", operation));
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
    world.pass_and_settle("2026-11-11 13:00", succeed);
    ask(&mut world, Operation::Disable { until: None });
    world.pass("2026-11-13 13:00");
    ask(&mut world, Operation::Enable(Enabling::SkipMissed));
    assert_snapshot!(told.join("\n"), @"
    done (0): job `load` is not disabled: nothing was changed
    done (0): job `load` is disabled: no new attempt starts until `crontabber enable`
    refused (0): job `load` was disabled by ann; `--force` attempts it all the same
    refused (0): job `load` has a backlog of 4 dates from 2026-11-06T03:00:00+00:00 on: say `--catch-up`, `--skip-missed` or `--skip-to DATE`
    refused (0): 2026-11-06T00:00:00+00:00 is already past: the next date of `load` is 2026-11-06T03:00:00+00:00, which is not before it
    done (2): job `load` is enabled; skipped: 2 dates from 2026-11-06T03:00:00+00:00 to 2026-11-07T03:00:00+00:00; 2 dates are attempted now
    done (0): job `load` is disabled until 2026-11-11T12:00:00+00:00; then it catches up on its missed dates
    done (0): job `load` is disabled: no new attempt starts until `crontabber enable`
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
fn an_edit_of_a_disabled_job_does_not_announce_a_catch_up() {
    let mut world = caught_up();
    world.answer_to("load", Operation::Disable { until: None });
    world.pass("2026-11-09 12:00");
    world.notes.clear();
    world.jobs = vec![backfill("load", "0 5 * * *", "2026-11-03 00:00")];
    world.crash();
    world.settle(succeed);
    assert_eq!(world.take_started(), "");
    let behind: Vec<_> = world.notes.iter().filter(|note| matches!(note, Notification::Behind { .. })).collect();
    assert!(behind.is_empty(), "{behind:?}");
}

#[test]
fn what_an_edited_disabled_job_has_missed_is_what_runs_once_it_is_enabled() {
    let mut world = caught_up();
    world.answer_to("load", Operation::Disable { until: None });
    world.pass("2026-11-07 12:00");
    // 5 November has its date already.
    world.reload(vec![backfill("load", "0 5 * * *", "2026-11-03 00:00")]);
    let view = world.scheduler.view(&name("load")).expect("a job");
    assert_eq!((view.backlog, view.oldest), (2, Some(at("2026-11-06 05:00"))));
    let mut told = vec![world.answer_to("load", Operation::Enable(Enabling::Plain))];
    let missed = world.scheduler.missed_dates(&name("load"));
    told.push(world.answer_to("load", Operation::Enable(Enabling::CatchUp)));
    world.settle(succeed);
    assert_eq!(missed, [at("2026-11-06 05:00"), at("2026-11-07 05:00")]);
    assert_snapshot!(told.join("\n"), @"
    refused (0): job `load` has a backlog of 2 dates from 2026-11-06T05:00:00+00:00 on: say `--catch-up`, `--skip-missed` or `--skip-to DATE`
    done (2): job `load` is enabled; 2 dates are attempted now
    ");
    assert_snapshot!(world.take_started(), @"load 11-06T05:00, load 11-07T05:00");
}

#[test]
fn a_disabled_newest_only_job_is_behind_by_the_date_that_will_run() {
    let mut world = World::new("2026-11-01 12:00", vec![job("hourly", "0 * * * *")]);
    world.pass_and_settle("2026-11-01 13:00", fail);
    world.answer_to("hourly", Operation::Disable { until: None });
    world.pass("2026-11-01 16:30");
    let view = world.scheduler.view(&name("hourly")).expect("a job");
    assert_eq!((view.backlog, view.oldest), (1, Some(at("2026-11-01 16:00"))));
    world.take_started();
    world.answer_to("hourly", Operation::Enable(Enabling::CatchUp));
    world.settle(succeed);
    assert_eq!(world.take_started(), "hourly 11-01T16:00");
}

#[test]
fn what_is_ordered_of_a_disabled_job_is_said_to_wait() {
    let mut world = caught_up();
    world.answer_to("load", Operation::Disable { until: None });
    let told = [
        world.answer_to("load", Operation::Backfill(order("2026-11-01 00:00", Only::Missing))),
        world.answer_to("load", Operation::Retry(Retrying::Date { date: at("2026-11-04 03:00"), again: true })),
    ];
    assert_snapshot!(told.join("\n"), @"
    done (2): backfill of `load`: 2 dates from 2026-11-01T03:00:00+00:00 to 2026-11-02T03:00:00+00:00, oldest first, one at a time, outside its schedule; 3 dates are left out: settled by attempts, or not settled yet; no attempt of `load` starts until `crontabber enable load`
    done (1): 2026-11-04T03:00:00+00:00 of `load` had succeeded, and runs again now, outside its schedule; no attempt of `load` starts until `crontabber enable load`
    ");
    world.settle(succeed);
    assert_eq!(world.take_started(), "");
}
