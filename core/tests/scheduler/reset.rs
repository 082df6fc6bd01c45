//! The `reset` request.

use crontabber_core::scheduler::Notification;
use crontabber_core::session::{Only, Operation, Outcome, Retrying};
use insta::assert_snapshot;

use crate::fixtures::{caught_up, load, order};
use crate::world::*;

#[test]
fn a_reset_job_starts_as_if_it_had_never_run() {
    let mut world = World::new("2026-11-02 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    world.take_started();
    world.request("load", Operation::Reset { to: None });
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T03:00, load 11-02T03:00");
    let Some(Notification::Answered { text, done, .. }) =
        world.notes.iter().find(|note| matches!(note, Notification::Answered { .. }))
    else {
        panic!("no answer")
    };
    assert!(*done);
    assert_snapshot!(text, @"job `load` is reset: 2 dates from 2026-11-01T03:00:00+00:00 on are attempted again");
    assert_eq!(world.rows.sessions.len(), 4, "the old generation is kept");
}

#[test]
fn a_reset_while_an_attempt_runs_waits_for_it() {
    let mut world = World::new("2026-11-01 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.request("load", Operation::Reset { to: None });
    assert_eq!(world.take_started(), "load 11-01T03:00");
    world.settle(
        |start| if start.attempt.session.generation == 1 { Outcome::Failed { code: 1 } } else { Outcome::Succeeded },
    );
    assert_eq!(world.take_started(), "load 11-01T03:00");
    assert_snapshot!(world.rows_of("load"), @"11-01T03:00 succeeded (catch-up, 1 attempts)");
}

#[test]
fn a_reset_to_a_date_leaves_earlier_dates_settled() {
    let mut world = caught_up();
    world.request("load", Operation::Reset { to: Some(at("2026-11-04 00:00")) });
    assert_snapshot!(world.answered(), @"done (2): job `load` is reset: 2 dates from 2026-11-04T03:00:00+00:00 on are attempted again; dates settled before 2026-11-04T00:00:00+00:00 stay settled (`--all-generations` shows them)");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"load 11-04T03:00, load 11-05T03:00");
}

#[test]
fn a_reset_to_a_date_refuses_to_forget_unsettled_dates() {
    let mut world = load();
    let to = Operation::Reset { to: Some(at("2026-11-05 00:00")) };
    let mut told = vec![world.answer_to("load", to.clone())];
    world.settle(succeed);
    world.request("load", Operation::Backfill(order("2026-11-01 00:00", Only::Missing)));
    told.push(world.answer_to("load", to.clone()));
    world.settle(succeed);
    told.push(world.answer_to("load", to));
    world.settle(succeed);
    // What succeeded before it is not missing.
    world.take_started();
    told.push(world.answer_to("load", Operation::Backfill(order("2026-10-31 00:00", Only::Missing))));
    world.settle(succeed);
    told.push(world.take_started());
    told.push(world.answer_to("load", Operation::Backfill(order("2026-11-02 00:00", Only::All))));
    assert_snapshot!(told.join("\n"), @"
    refused (0): 2026-11-03T03:00:00+00:00 of `load` is before 2026-11-05T00:00:00+00:00 and unsettled, and would be lost: settle the dates before 2026-11-05T00:00:00+00:00 first (`crontabber skip`, `done`), or reset to an earlier date
    refused (0): 2026-11-01T03:00:00+00:00 of `load` is before 2026-11-05T00:00:00+00:00 and unsettled, and would be lost: settle the dates before 2026-11-05T00:00:00+00:00 first (`crontabber skip`, `done`), or reset to an earlier date
    done (1): job `load` is reset: 2026-11-05T03:00:00+00:00 is attempted again; dates settled before 2026-11-05T00:00:00+00:00 stay settled (`--all-generations` shows them)
    done (1): backfill of `load`: 2026-10-31T03:00:00+00:00, oldest first, one at a time, outside its schedule; 5 dates are left out: settled by attempts, or not settled yet
    load 10-31T03:00
    done (4): backfill of `load`: 4 dates from 2026-11-02T03:00:00+00:00 to 2026-11-05T03:00:00+00:00, oldest first, one at a time, outside its schedule; 4 dates are repeated that succeeded before
    ");
}

#[test]
fn a_reset_of_a_disabled_job_counts_the_dates_it_repeats() {
    let mut world = caught_up();
    world.request("load", Operation::Disable { until: None });
    world.request("load", Operation::Reset { to: None });
    assert_snapshot!(world.answered(), @"done (3): job `load` is reset: 3 dates from 2026-11-03T03:00:00+00:00 on are attempted again, once it is enabled");
}

#[test]
fn the_last_success_outlives_resets_and_repetitions() {
    let mut world = caught_up();
    world.request("load", Operation::Reset { to: Some(at("2026-11-05 00:00")) });
    world.request("load", Operation::Reset { to: Some(at("2026-11-05 01:00")) });
    let noted = |world: &World| {
        let record = world.rows.jobs.values().next().unwrap();
        let (violations, _) = world.rows.examine(record, 2);
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
fn a_reset_waits_for_a_backfill_that_is_being_entered() {
    let mut world = World::new("2026-11-05 12:00", vec![backfill("load", "* * * * *", "2026-11-05 11:50")]);
    world.ask(1, "load", Operation::Backfill(order("2026-10-01 00:00", Only::All)));
    assert_eq!(world.rows.answers.len(), 0, "it enters in parts");
    world.ask(2, "load", Operation::Reset { to: Some(at("2026-10-01 00:00")) });
    assert_eq!(world.rows.answers.len(), 0, "the reset waits");
    world.pass("2026-11-05 12:00");
    world.ask(2, "load", Operation::Reset { to: Some(at("2026-10-01 00:00")) });
    let answers: Vec<String> =
        world.rows.answers.values().map(|reply| format!("{}: {}", reply.done, reply.text)).collect();
    assert_snapshot!(answers.join("\n"), @"
    true: backfill of `load`: 51110 dates from 2026-10-01T00:00:00+00:00 to 2026-11-05T11:49:00+00:00, oldest first, one at a time, outside its schedule; 11 dates are left out: not settled yet
    false: 2026-10-01T00:00:00+00:00 of `load` is before 2026-11-05T11:50:00+00:00 and unsettled, and would be lost: settle the dates before 2026-11-05T11:50:00+00:00 first (`crontabber skip`, `done`), or reset to an earlier date
    ");
}
