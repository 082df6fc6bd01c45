//! The `enable` and `disable` requests.

use crontabber_core::scheduler::Notification;
use crontabber_core::session::{Enabling, Operation};
use insta::assert_snapshot;

use crate::fixtures::caught_up;
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
    done (0): job `load` is disabled: nothing of it runs until `crontabber enable`
    refused (0): job `load` was disabled by ann; `--force` attempts it all the same
    refused (0): job `load` has a backlog of 4 dates from 2026-11-06T03:00:00+00:00 on: say `--catch-up`, `--skip-missed` or `--skip-to DATE`
    refused (0): 2026-11-06T00:00:00+00:00 is already past: the next date of `load` is 2026-11-06T03:00:00+00:00, which is not before it
    done (2): job `load` is enabled; skipped: 2 dates from 2026-11-06T03:00:00+00:00 to 2026-11-07T03:00:00+00:00; 2 dates are attempted now
    done (0): job `load` is disabled until 2026-11-11T12:00:00+00:00; then it catches up on its missed dates
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
