//! `catch_up` that is edited while missed dates wait.

use crontabber_core::job::CatchUp;
use crontabber_core::session::{ClockHold, Enabling, Only, Operation, Outcome, Retrying};
use insta::assert_snapshot;

use super::*;
use crate::fixtures::{name, order};

/// The same job, which runs at most so many missed dates.
fn at_most(max_dates: u32, job: Job) -> Job {
    Job { catch_up: CatchUp { max_age: None, max_dates: Some(max_dates) }, ..job }
}

/// The same job, which runs no missed dates that are older.
fn younger_than(hours: u64, job: Job) -> Job {
    Job { catch_up: CatchUp { max_age: Some(Duration::from_hours(hours)), max_dates: None }, ..job }
}

/// Six missed dates, of which the first has failed.
fn flood() -> World {
    let mut world = World::new("2026-11-06 12:00", vec![load("0 3 * * *")]);
    world.end_first(Outcome::Failed { code: 1 });
    world
}

#[test]
fn catch_up_applies_to_dates_that_wait_already() {
    let story = each_way(|seen| {
        let mut world = flood();
        seen.edit(&mut world, at_most(2, load("0 3 * * *")));
        let dates = world.notes.iter().find_map(|note| match note {
            Notification::Edited { dates, .. } | Notification::Changed { dates, .. } => Some(dates.describe()),
            _ => None,
        });
        world.pass_and_settle("2026-11-06 13:00", succeed);
        format!("{}\n{}", dates.unwrap_or_default(), rows(&world))
    });
    assert_snapshot!(story, @"
    2026-11-02T03:00:00+00:00, 2026-11-03T03:00:00+00:00 and 2026-11-04T03:00:00+00:00 were missed, and are skipped as too old (`catch_up`)
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 skipped: too-old
    2026-11-03 03:00 skipped: too-old
    2026-11-04 03:00 skipped: too-old
    2026-11-05 03:00 succeeded
    2026-11-06 03:00 succeeded
    ");
}

#[test]
fn an_age_applies_to_dates_that_wait_already() {
    let story = each_way(|seen| {
        let mut world = flood();
        seen.edit(&mut world, younger_than(60, load("0 3 * * *")));
        world.pass_and_settle("2026-11-06 13:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 skipped: too-old
    2026-11-03 03:00 skipped: too-old
    2026-11-04 03:00 succeeded
    2026-11-05 03:00 succeeded
    2026-11-06 03:00 succeeded
    ");
}

#[test]
fn dates_that_are_yet_to_be_recorded_are_the_newer_ones() {
    let story = each_way(|seen| {
        let mut world = flood();
        world.now = at("2026-11-08 12:00");
        seen.edit(&mut world, at_most(3, load("0 3 * * *")));
        world.pass_and_settle("2026-11-08 13:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 skipped: too-old
    2026-11-03 03:00 skipped: too-old
    2026-11-04 03:00 skipped: too-old
    2026-11-05 03:00 skipped: too-old
    2026-11-06 03:00 succeeded
    2026-11-07 03:00 succeeded
    2026-11-08 03:00 succeeded
    ");
}

#[test]
fn what_an_operator_ordered_stays() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-06 12:00", vec![at_most(1, load("0 3 * * *"))]);
        // One date is ordered by `retry`, three by a backfill, and one is not ordered.
        let until = order("2026-11-03 00:00", Only::All);
        world.pass("2026-11-06 12:00");
        world.request("load", Operation::Retry(Retrying::Date { date: at("2026-11-01 03:00"), again: true }));
        world.request("load", Operation::Backfill(until));
        seen.edit(&mut world, younger_than(1, load("0 3 * * *")));
        world.settle(succeed);
        world.rows_of("load")
    });
    assert_snapshot!(story, @"
    11-01T03:00 succeeded (manual, 1 attempts)
    11-02T03:00 skipped: too-old (catch-up, 0 attempts)
    11-03T03:00 succeeded (backfill, 1 attempts)
    11-04T03:00 succeeded (backfill, 1 attempts)
    11-05T03:00 succeeded (backfill, 1 attempts)
    11-06T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn what_was_recorded_on_time_stays() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-01 03:00", vec![load("0 3 * * *")]);
        world.pass("2026-11-04 12:00");
        seen.edit(&mut world, at_most(1, load("0 3 * * *")));
        world.settle(succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    ");
}

#[test]
fn a_job_that_is_not_backfillable_leaves_its_newest_date_out_by_age() {
    let story = each_way(|seen| {
        let depends_on = vec![name("other").into()];
        let blocked = Job { depends_on, ..ordinary(load("0 3 * * *")) };
        let mut world = World::new("2026-11-06 12:00", vec![blocked.clone()]);
        seen.edit(&mut world, younger_than(2, blocked));
        world.rows_of("load")
    });
    assert_snapshot!(story, @"
    11-01T03:00 skipped: superseded (catch-up, 0 attempts)
    11-02T03:00 skipped: superseded (catch-up, 0 attempts)
    11-03T03:00 skipped: superseded (catch-up, 0 attempts)
    11-04T03:00 skipped: superseded (catch-up, 0 attempts)
    11-05T03:00 skipped: superseded (catch-up, 0 attempts)
    11-06T03:00 skipped: too-old (catch-up, 0 attempts)
    ");
}

#[test]
fn a_disabled_job_is_judged_when_it_is_enabled() {
    let story = each_way(|seen| {
        let mut world = flood();
        world.request("load", Operation::Disable { until: None });
        world.now = at("2026-11-08 12:00");
        seen.edit(&mut world, at_most(3, load("0 3 * * *")));
        let waiting = world.rows_of("load");
        let answer = world.answer_to("load", Operation::Enable(Enabling::CatchUp));
        world.pass_and_settle("2026-11-08 13:00", succeed);
        format!("{waiting}\n{answer}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    11-01T03:00 failed until 11-06T12:05:00 (catch-up, 1 attempts)
    11-02T03:00 waiting (catch-up, 0 attempts)
    11-03T03:00 waiting (catch-up, 0 attempts)
    11-04T03:00 waiting (catch-up, 0 attempts)
    11-05T03:00 waiting (catch-up, 0 attempts)
    11-06T03:00 waiting (catch-up, 0 attempts)

    done (8): job `load` is enabled; 4 dates are attempted now; 4 dates are skipped as too old (`catch_up`)
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 skipped: too-old
    2026-11-03 03:00 skipped: too-old
    2026-11-04 03:00 skipped: too-old
    2026-11-05 03:00 skipped: too-old
    2026-11-06 03:00 succeeded
    2026-11-07 03:00 succeeded
    2026-11-08 03:00 succeeded
    ");
}

#[test]
fn an_end_of_disabled_judges_by_catch_up() {
    let mut world = flood();
    world.request("load", Operation::Disable { until: Some(at("2026-11-06 18:00")) });
    Seen::ByReload.edit(&mut world, at_most(3, load("0 3 * * *")));
    world.notes.clear();
    world.pass_and_settle("2026-11-06 18:00", succeed);
    assert_snapshot!(format!("{}\n{}", said(&world), rows(&world)), @"
    2026-11-02T03:00:00+00:00 and 2026-11-03T03:00:00+00:00 were missed, and are skipped as too old (`catch_up`)
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 skipped: too-old
    2026-11-03 03:00 skipped: too-old
    2026-11-04 03:00 succeeded
    2026-11-05 03:00 succeeded
    2026-11-06 03:00 succeeded
    ");
}

#[test]
fn a_clock_that_is_not_believed_leaves_nothing_out() {
    let mut world = flood();
    let seen = world.now;
    world.now = at("2027-11-06 12:00");
    world.scheduler.set_clock_hold(Some(ClockHold { seen, believed_at: at("2027-11-06 14:00") }));
    Seen::ByReload.edit(&mut world, younger_than(60, load("0 3 * * *")));
    assert!(!rows(&world).contains("too-old"), "{}", rows(&world));
    world.now = at("2026-11-06 12:05");
    world.scheduler.set_clock_hold(None);
    world.pass_and_settle("2026-11-06 12:06", succeed);
    assert_eq!(rows(&world).matches("too-old").count(), 2, "{}", rows(&world));
}
