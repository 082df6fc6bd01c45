//! `done_when`: dates that need no attempt.

use std::time::Duration;

use crontabber_core::job::{Job, OnLost, OnUnknown};
use crontabber_core::scheduler::{Notification, ProbeAnswer};
use crontabber_core::session::{Only, Operation, Outcome, Retrying, Skipping};
use insta::assert_snapshot;

use crate::fixtures::{order, with_done_when};
use crate::world::*;

#[test]
fn a_date_that_is_done_is_not_attempted() {
    let jobs = vec![with_done_when(backfill("load", "0 3 * * *", "2026-11-03 00:00"))];
    let mut world = World::new("2026-11-05 12:00", jobs);
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
fn a_date_superseded_while_it_is_probed_is_not_attempted() {
    let mut world = World::new("2026-11-05 12:00", vec![with_done_when(job("load", "0 3 * * *"))]);
    world.pass("2026-11-06 04:00");
    world.pass("2026-11-07 04:00");
    world.answer_probe(Some(false));
    world.answer_probe(Some(false));
    assert_snapshot!(world.take_started(), @"load 11-07T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-06T03:00 skipped: superseded (schedule, 0 attempts)
    11-07T03:00 running (schedule, 1 attempts)
    ");
}

#[test]
fn a_held_date_that_is_probed_does_not_block_a_newer_one() {
    let mut world =
        World::new("2026-11-05 12:00", vec![Job { on_lost: OnLost::Hold, ..with_done_when(job("load", "0 3 * * *")) }]);
    world.pass("2026-11-06 04:00");
    world.answer_probe(Some(false));
    world.end_first(Outcome::Lost);
    world.pass("2026-11-07 04:00");
    world.answer_probe(Some(false));
    world.answer_probe(Some(false));
    assert_snapshot!(world.rows_of("load"), @"
    11-06T03:00 skipped: superseded (schedule, 1 attempts)
    11-07T03:00 running (schedule, 1 attempts)
    ");
}

#[test]
fn a_skip_waits_for_the_answer_about_its_date() {
    let mut world =
        World::new("2026-11-05 12:00", vec![with_done_when(backfill("load", "0 3 * * *", "2026-11-05 00:00"))]);
    let skip = Operation::Skip(Skipping::To(at("2026-11-08 00:00")));
    world.ask(1, "load", skip.clone());
    assert!(world.rows.answers.is_empty(), "it is asked about a date");
    world.answer_probe(Some(true));
    world.ask(1, "load", skip);
    assert_snapshot!(world.rows_of("load"), @"
    11-05T03:00 succeeded (catch-up, 0 attempts)
    11-06T03:00 skipped: operator (manual, 0 attempts)
    11-07T03:00 skipped: operator (manual, 0 attempts)
    ");
}

#[test]
fn a_done_when_without_an_answer_lets_the_date_run_or_holds_it() {
    let held = Job { on_unknown: OnUnknown::Hold, ..with_done_when(backfill("held", "0 3 * * *", "2026-11-05 00:00")) };
    let runs = with_done_when(backfill("runs", "0 3 * * *", "2026-11-05 00:00"));
    let mut world = World::new("2026-11-05 12:00", vec![held, runs]);
    world.end_probe(ProbeAnswer::Unknown("exit 127 (it was not found)".to_owned()));
    world.end_probe(ProbeAnswer::Unknown("timed out".to_owned()));
    assert_snapshot!(world.take_started(), @"runs 11-05T03:00");
    assert_snapshot!(world.rows_of("held"), @r#"11-05T03:00 held: its `done_when` gave no answer: exit 127 (it was not found), and the job has on_unknown = "hold" (catch-up, 0 attempts)"#);
    // A later retry asks again.
    world.ask(1, "held", Operation::Retry(Retrying::Held));
    world.answer_probe(Some(false));
    assert_snapshot!(world.take_started(), @"held 11-05T03:00");
    world.settle(succeed);
    world.crash();
}

#[test]
fn a_date_that_done_when_held_runs_when_it_is_released_however_late() {
    let job = Job { on_unknown: OnUnknown::Hold, ..with_done_when(backfill("load", "0 3 * * *", "2026-11-05 00:00")) };
    let late = Job { skip_late: Some(Duration::from_hours(12)), ..job };
    let mut world = World::new("2026-11-05 12:00", vec![late]);
    world.end_probe(ProbeAnswer::Unknown("timed out".to_owned()));
    world.pass("2026-11-05 18:00");
    world.ask(1, "load", Operation::Retry(Retrying::Date { date: at("2026-11-05 03:00"), again: false }));
    world.crash();
    world.answer_probe(Some(false));
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"11-05T03:00 succeeded (manual, 1 attempts)");
}

#[test]
fn a_lost_date_stays_held_if_done_when_gives_no_answer() {
    let job = Job { on_lost: OnLost::Hold, ..with_done_when(backfill("load", "0 3 * * *", "2026-11-05 00:00")) };
    let mut world = World::new("2026-11-05 12:00", vec![job]);
    world.answer_probe(Some(false));
    world.end_first(Outcome::Lost);
    world.end_probe(ProbeAnswer::Unknown("killed by signal 9".to_owned()));
    assert_snapshot!(world.rows_of("load"), @r#"11-05T03:00 held: the outcome of attempt 1 is unknown, and the job has on_lost = "hold" (catch-up, 1 attempts)"#);
}

#[test]
fn a_backfill_is_finished_after_its_last_date_is_done() {
    let jobs = vec![with_done_when(backfill("load", "0 3 * * *", "2026-11-05 00:00"))];
    let mut world = World::new("2026-11-05 02:00", jobs);
    world.answer_to("load", Operation::Backfill(order("2026-11-04 00:00", Only::Missing)));
    world.notes.clear();
    world.answer_probe(Some(true));
    assert!(
        matches!(world.notes[..], [Notification::WasDone { .. }, Notification::BackfillOver { .. }]),
        "{:?}",
        world.notes
    );
}
