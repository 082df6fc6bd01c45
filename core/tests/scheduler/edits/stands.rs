//! Which recorded dates stand for their period.

use crontabber_core::job::{CatchUp, Retry};
use crontabber_core::session::{Only, Operation, Outcome, Retrying, Skipping};
use insta::assert_snapshot;

use super::*;
use crate::fixtures::order;

/// A date of 3 November at 03:00, to which `make` gives a state, and the time moved to 05:00: what runs of that day?
fn moved_to_five(seen: Seen, job: impl Fn(&str) -> Job, make: impl FnOnce(&mut World)) -> String {
    let mut world = World::new("2026-11-02 12:00", vec![job("0 3 * * *")]);
    world.settle(succeed);
    make(&mut world);
    world.pass("2026-11-03 04:00");
    seen.edit(&mut world, job("0 5 * * *"));
    world.pass("2026-11-03 12:00");
    let day = rows(&world);
    let day: Vec<&str> = day.lines().filter(|row| row.starts_with("2026-11-03")).collect();
    day.join(", ")
}

#[test]
fn a_scheduled_date_in_any_state_stands_for_its_period() {
    let once = |crontab: &str| Job { retry: Retry { attempts: Some(1), ..Retry::default() }, ..load(crontab) };
    let mut stories = String::new();
    let mut tell = |job: &dyn Fn(&str) -> Job, make: &dyn Fn(&mut World)| {
        stories.push_str(&each_way(|seen| moved_to_five(seen, job, make)));
        stories.push('\n');
    };
    tell(&load, &|world| world.pass_and_settle("2026-11-03 03:30", succeed));
    tell(&load, &|world| world.pass("2026-11-03 03:30"));
    tell(&once, &|world| world.pass_and_settle("2026-11-03 03:30", fail));
    tell(&load, &|world| {
        world.pass("2026-11-03 03:30");
        world.request("load", Operation::Kill { date: None });
        world.end_first(Outcome::Killed { signal: 15 });
    });
    tell(&load, &|world| {
        world.pass_and_settle("2026-11-03 03:30", fail);
        world.request("load", Operation::Skip(Skipping::Date(at("2026-11-03 03:00"))));
    });
    tell(&load, &|world| {
        world.pass_and_settle("2026-11-03 03:30", fail);
        world.request("load", Operation::Done { date: at("2026-11-03 03:00") });
    });
    assert_snapshot!(stories, @"
    2026-11-03 03:00 succeeded, 2026-11-03 05:00 skipped: moved
    2026-11-03 03:00 running, 2026-11-03 05:00 skipped: moved
    2026-11-03 03:00 held, 2026-11-03 05:00 skipped: moved
    2026-11-03 03:00 held, 2026-11-03 05:00 skipped: moved
    2026-11-03 03:00 skipped: operator, 2026-11-03 05:00 skipped: moved
    2026-11-03 03:00 succeeded, 2026-11-03 05:00 skipped: moved
    ");
}

#[test]
fn a_date_that_was_skipped_when_it_was_recorded_stands_for_its_period() {
    let job = |crontab: &str| Job { catch_up: CatchUp { max_dates: Some(1), ..CatchUp::default() }, ..load(crontab) };
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-01 12:00", vec![job("0 3 * * *")]);
        world.settle(succeed);
        world.now = at("2026-11-04 12:00");
        world.handle(crontabber_core::scheduler::Event::Tick);
        world.settle(succeed);
        seen.edit(&mut world, job("0 5 * * *"));
        world.settle(succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 skipped: too-old
    2026-11-03 03:00 skipped: too-old
    2026-11-03 05:00 skipped: moved
    ");
}

#[test]
fn a_date_that_an_operator_repeats_still_stands_for_its_period() {
    let story = each_way(|seen| {
        moved_to_five(seen, load, |world| {
            world.pass_and_settle("2026-11-03 03:30", succeed);
            world.request("load", Operation::Retry(Retrying::Date { date: at("2026-11-03 03:00"), again: true }));
            world.settle(succeed);
        })
    });
    assert_snapshot!(story, @"2026-11-03 03:00 succeeded, 2026-11-03 05:00 skipped: moved");
}

#[test]
fn a_date_that_an_operator_has_skipped_ahead_stands_for_its_period() {
    let story = each_way(|seen| {
        moved_to_five(seen, load, |world| {
            world.request("load", Operation::Skip(Skipping::Date(at("2026-11-03 03:00"))));
        })
    });
    assert_snapshot!(story, @"2026-11-03 03:00 skipped: operator, 2026-11-03 05:00 skipped: moved");
}

#[test]
fn dates_that_an_operator_has_skipped_for_days_ahead_stand_for_their_periods() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-01 12:00", vec![load("0 3 * * *")]);
        world.settle(succeed);
        world.request("load", Operation::Skip(Skipping::To(at("2026-11-04 12:00"))));
        world.request("load", Operation::Done { date: at("2026-11-06 03:00") });
        seen.edit(&mut world, load("0 5 * * *"));
        world.pass_and_settle("2026-11-07 12:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-01 05:00 skipped: moved
    2026-11-02 03:00 skipped: operator
    2026-11-02 05:00 skipped: moved
    2026-11-03 03:00 skipped: operator
    2026-11-03 05:00 skipped: moved
    2026-11-04 03:00 skipped: operator
    2026-11-04 05:00 skipped: moved
    2026-11-05 05:00 succeeded
    2026-11-06 03:00 succeeded
    2026-11-06 05:00 skipped: moved
    2026-11-07 05:00 succeeded
    ");
}

#[test]
fn a_manual_run_does_not_stand_for_its_period() {
    // On a Saturday, of a job that has dates on weekdays and becomes backfillable on that day.
    let story = each_way(|seen| {
        let weekdays = load_from("2026-11-06 00:00", "0 3 * * 1-5");
        let mut world = World::new("2026-11-06 02:00", vec![ordinary(weekdays.clone())]);
        world.pass_and_settle("2026-11-07 10:17", succeed);
        world.now = "2026-11-07T10:17:23.5Z".parse().expect("an instant");
        world.request("load", Operation::Run { date: None, force: false });
        world.settle(succeed);
        seen.edit(&mut world, weekdays);
        world.pass_and_settle("2026-11-09 12:00", succeed);
        seen.edit(&mut world, load_from("2026-11-06 00:00", "0 3 * * *"));
        let said = said(&world);
        world.settle(succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 2 due; 2026-11-07T03:00:00+00:00 and 2026-11-08T03:00:00+00:00 are added
    2026-11-06 03:00 succeeded
    2026-11-07 03:00 succeeded
    2026-11-07 10:17:23 succeeded
    2026-11-08 03:00 succeeded
    2026-11-09 03:00 succeeded
    ");
}

#[test]
fn dates_backfilled_from_before_the_start_do_not_stand_for_their_periods() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-05 12:00", vec![load_from("2026-11-05 00:00", "0 3 * * *")]);
        world.settle(succeed);
        world.request("load", Operation::Backfill(order("2026-11-03 00:00", Only::Missing)));
        world.settle(succeed);
        seen.edit(&mut world, load_from("2026-11-02 00:00", "0 5 * * *"));
        let said = said(&world);
        world.settle(succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule, start; 3 due; 2026-11-02T05:00:00+00:00, 2026-11-03T05:00:00+00:00 and 2026-11-04T05:00:00+00:00 are added; 2026-11-06T05:00:00+00:00 takes the place of 2026-11-06T03:00:00+00:00; 2026-11-05T05:00:00+00:00 will be skipped as moved, since 2026-11-05T03:00:00+00:00 stands for it
    2026-11-02 05:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-03 05:00 succeeded
    2026-11-04 03:00 succeeded
    2026-11-04 05:00 succeeded
    2026-11-05 03:00 succeeded
    2026-11-05 05:00 skipped: moved
    ");
}

#[test]
fn a_backfilled_date_is_the_date_of_its_instant() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-05 12:00", vec![load_from("2026-11-05 00:00", "0 3 * * *")]);
        world.settle(succeed);
        world.request("load", Operation::Backfill(order("2026-11-03 00:00", Only::Missing)));
        world.settle(succeed);
        seen.edit(&mut world, load_from("2026-11-02 00:00", "0 3 * * *"));
        let said = said(&world);
        world.settle(succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: start; 1 due; 2026-11-02T03:00:00+00:00 is added
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    2026-11-05 03:00 succeeded
    ");
}
