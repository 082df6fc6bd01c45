//! Recorded dates that the registry no longer has: they are skipped as excluded, and wait again if it has them again.

use crontabber_core::session::{Only, Operation, Outcome, Retrying, Skipping};
use insta::assert_snapshot;

use super::*;
use crate::fixtures::order;

/// Four dates, of which the first runs and the others wait for it.
fn waiting(crontab: &str) -> World {
    World::new("2026-11-04 23:00", vec![load(crontab)])
}

/// A Friday that has failed, and a weekend that waits for it.
fn weekend(crontab: &str) -> World {
    let mut world = World::new("2026-11-08 23:00", vec![load_from("2026-11-06 00:00", crontab)]);
    world.end_first(Outcome::Failed { code: 1 });
    world
}

/// What an edit says and does to a world, and what runs then.
fn edited(seen: Seen, mut world: World, job: Job) -> String {
    seen.edit(&mut world, job);
    let (said, edited) = (said(&world), rows(&world));
    world.pass(&world.now.format("%F %R").to_string());
    world.settle(succeed);
    format!("{said}\n{edited}\n{}", rows(&world))
}

#[test]
fn waiting_dates_after_the_end_are_skipped_as_excluded() {
    let story = each_way(|seen| edited(seen, waiting("0 3 * * *"), with_end(load("0 3 * * *"), "2026-11-02 12:00")));
    assert_snapshot!(story, @"
    changed: end; 2 due; 2026-11-03T03:00:00+00:00 and 2026-11-04T03:00:00+00:00 are excluded and skipped
    2026-11-01 03:00 running
    2026-11-02 03:00 waiting
    2026-11-03 03:00 skipped: excluded
    2026-11-04 03:00 skipped: excluded

    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 skipped: excluded
    2026-11-04 03:00 skipped: excluded
    ");
}

#[test]
fn waiting_dates_before_the_start_are_skipped_as_excluded_and_the_attempted_one_stays() {
    let later = load_from("2026-11-04 00:00", "0 3 * * *");
    let story = each_way(|seen| edited(seen, waiting("0 3 * * *"), later.clone()));
    assert_snapshot!(story, @"
    changed: start; 2 due; 2026-11-02T03:00:00+00:00 and 2026-11-03T03:00:00+00:00 are excluded and skipped; 2026-11-01T03:00:00+00:00 has been attempted and stays, although the schedule no longer has it
    2026-11-01 03:00 running
    2026-11-02 03:00 skipped: excluded
    2026-11-03 03:00 skipped: excluded
    2026-11-04 03:00 waiting

    2026-11-01 03:00 succeeded
    2026-11-02 03:00 skipped: excluded
    2026-11-03 03:00 skipped: excluded
    2026-11-04 03:00 succeeded
    ");
}

#[test]
fn waiting_dates_whose_day_has_no_date_are_skipped_as_excluded() {
    let weekdays = load_from("2026-11-06 00:00", "0 7 * * 1-5");
    let story = each_way(|seen| edited(seen, weekend("0 7 * * *"), weekdays.clone()));
    assert_snapshot!(story, @"
    changed: schedule; 1 due; 2026-11-07T07:00:00+00:00 and 2026-11-08T07:00:00+00:00 are excluded and skipped
    2026-11-06 07:00 failed
    2026-11-07 07:00 skipped: excluded
    2026-11-08 07:00 skipped: excluded

    2026-11-06 07:00 failed
    2026-11-07 07:00 skipped: excluded
    2026-11-08 07:00 skipped: excluded
    ");
}

#[test]
fn waiting_instants_whose_local_day_has_no_date_are_skipped_as_excluded() {
    let weekdays = load_from("2026-11-06 00:00", "0 9,21 * * 1-5");
    let story = each_way(|seen| edited(seen, weekend("0 8,20 * * *"), weekdays.clone()));
    assert_snapshot!(story, @"
    changed: schedule; 4 due; 2026-11-06T09:00:00+00:00 and 2026-11-06T21:00:00+00:00 are added; 4 dates from 2026-11-07T08:00:00+00:00 to 2026-11-08T20:00:00+00:00 are excluded and skipped
    2026-11-06 08:00 failed
    2026-11-06 09:00 waiting
    2026-11-06 20:00 waiting
    2026-11-06 21:00 waiting
    2026-11-07 08:00 skipped: excluded
    2026-11-07 20:00 skipped: excluded
    2026-11-08 08:00 skipped: excluded
    2026-11-08 20:00 skipped: excluded

    2026-11-06 08:00 failed
    2026-11-06 09:00 waiting
    2026-11-06 20:00 waiting
    2026-11-06 21:00 waiting
    2026-11-07 08:00 skipped: excluded
    2026-11-07 20:00 skipped: excluded
    2026-11-08 08:00 skipped: excluded
    2026-11-08 20:00 skipped: excluded
    ");
}

#[test]
fn a_waiting_month_without_a_date_is_skipped_as_excluded() {
    // Monthly, and then every quarter.
    let story = each_way(|seen| {
        let world = World::new("2026-11-18 12:00", vec![load_from("2026-07-01 00:00", "0 6 5 * *")]);
        edited(seen, world, load_from("2026-07-01 00:00", "0 6 5 1,4,7,10 *"))
    });
    assert_snapshot!(story, @"
    changed: schedule; 2 due; 2026-08-05T06:00:00+00:00, 2026-09-05T06:00:00+00:00 and 2026-11-05T06:00:00+00:00 are excluded and skipped
    2026-07-05 06:00 running
    2026-08-05 06:00 skipped: excluded
    2026-09-05 06:00 skipped: excluded
    2026-10-05 06:00 waiting
    2026-11-05 06:00 skipped: excluded

    2026-07-05 06:00 succeeded
    2026-08-05 06:00 skipped: excluded
    2026-09-05 06:00 skipped: excluded
    2026-10-05 06:00 succeeded
    2026-11-05 06:00 skipped: excluded
    ");
}

#[test]
fn a_waiting_week_without_a_date_is_skipped_as_excluded() {
    let story = each_way(|seen| {
        let world = World::new("2026-11-18 12:00", vec![load("0 6 * * 3")]);
        edited(seen, world, load_from("2026-11-01 00:00", "0 6 * 12 3"))
    });
    assert_snapshot!(story, @"
    changed: schedule; 1 due; 2026-11-11T06:00:00+00:00 and 2026-11-18T06:00:00+00:00 are excluded and skipped; 2026-11-04T06:00:00+00:00 has been attempted and stays, although the schedule no longer has it
    2026-11-04 06:00 running
    2026-11-11 06:00 skipped: excluded
    2026-11-18 06:00 skipped: excluded

    2026-11-04 06:00 succeeded
    2026-11-11 06:00 skipped: excluded
    2026-11-18 06:00 skipped: excluded
    ");
}

#[test]
fn a_waiting_date_whose_period_still_has_one_stays_at_its_old_time_and_stands_for_it() {
    let story = each_way(|seen| {
        let mut world = waiting("0 3 * * *");
        seen.edit(&mut world, load("0 5 * * *"));
        let said = said(&world);
        world.settle(succeed);
        world.pass_and_settle("2026-11-06 12:00", succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 4 due; 2026-11-05T05:00:00+00:00 takes the place of 2026-11-05T03:00:00+00:00; 2026-11-04T05:00:00+00:00 will be skipped as moved, since 2026-11-04T03:00:00+00:00 stands for it
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    2026-11-04 05:00 skipped: moved
    2026-11-05 05:00 succeeded
    2026-11-06 05:00 succeeded
    ");
}

#[test]
fn a_waiting_month_that_moves_stays_at_its_old_day_and_stands_for_it() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-18 12:00", vec![load_from("2026-10-01 00:00", "0 6 5 * *")]);
        seen.edit(&mut world, load_from("2026-10-01 00:00", "0 6 27 * *"));
        let said = said(&world);
        world.settle(succeed);
        world.pass_and_settle("2026-12-28 12:00", succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 2 due; 2026-11-27T06:00:00+00:00 will be skipped as moved, since 2026-11-05T06:00:00+00:00 stands for it
    2026-10-05 06:00 succeeded
    2026-11-05 06:00 succeeded
    2026-11-27 06:00 skipped: moved
    2026-12-27 06:00 succeeded
    ");
}

#[test]
fn attempted_dates_stay_and_are_told() {
    // One is running, one was interrupted and waits, one has failed, and one is held.
    let story = each_way(|seen| {
        let job = |start: &str| Job {
            date_policy: DatePolicy::Independent { max_parallel: 4 },
            ..load_from(start, "0 3 * * *")
        };
        let mut world = World::new("2026-11-04 12:00", vec![job("2026-11-01 00:00")]);
        world.request("load", Operation::Kill { date: Some(at("2026-11-04 03:00")) });
        let mut end = |outcome| world.end_attempt(world.running[1].attempt.clone(), outcome);
        end(Outcome::Interrupted);
        assert_eq!(world.running.len(), 4, "the interrupted one runs again");
        let mut end = |outcome| world.end_attempt(world.running[1].attempt.clone(), outcome);
        end(Outcome::Failed { code: 1 });
        let mut end = |outcome| world.end_attempt(world.running[1].attempt.clone(), outcome);
        end(Outcome::Killed { signal: 15 });
        edited(seen, world, job("2026-12-01 00:00"))
    });
    assert_snapshot!(story, @"
    changed: start; 4 due; 4 dates from 2026-11-01T03:00:00+00:00 to 2026-11-04T03:00:00+00:00 have been attempted and stay, although the schedule no longer has them
    2026-11-01 03:00 running
    2026-11-02 03:00 running
    2026-11-03 03:00 failed
    2026-11-04 03:00 held

    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 failed
    2026-11-04 03:00 held
    ");
}

#[test]
fn an_attempt_of_an_excluded_date_goes_on_and_its_date_is_retried() {
    let story = each_way(|seen| {
        let mut world = waiting("0 3 * * *");
        seen.edit(&mut world, load_from("2026-11-06 00:00", "0 3 * * *"));
        world.end_first(Outcome::Failed { code: 1 });
        world.pass_and_settle("2026-11-06 12:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 skipped: excluded
    2026-11-03 03:00 skipped: excluded
    2026-11-04 03:00 skipped: excluded
    2026-11-06 03:00 succeeded
    ");
}

#[test]
fn what_an_operator_ordered_is_not_excluded() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-05 12:00", vec![load_from("2026-11-05 00:00", "0 3 * * *")]);
        world.settle(succeed);
        world.request("load", Operation::Backfill(order("2026-11-02 00:00", Only::Missing)));
        edited(seen, world, load_from("2026-11-06 00:00", "0 5 * * *"))
    });
    assert_snapshot!(story, @"
    changed: schedule, start; 0 due; 2026-11-06T05:00:00+00:00 takes the place of 2026-11-06T03:00:00+00:00
    2026-11-02 03:00 running
    2026-11-03 03:00 waiting
    2026-11-04 03:00 waiting
    2026-11-05 03:00 succeeded

    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    2026-11-05 03:00 succeeded
    ");
}

#[test]
fn an_excluded_date_can_be_retried() {
    let story = each_way(|seen| {
        let mut world = waiting("0 3 * * *");
        seen.edit(&mut world, with_end(load("0 3 * * *"), "2026-11-02 12:00"));
        world.settle(succeed);
        world.request("load", Operation::Retry(Retrying::Date { date: at("2026-11-03 03:00"), again: false }));
        let answer = world.answered();
        world.settle(succeed);
        format!("{answer}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    done (1): 2026-11-03T03:00:00+00:00 of `load` was skipped, and runs again now, outside its schedule
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 skipped: excluded
    ");
}

#[test]
fn a_typo_that_is_corrected_costs_nothing() {
    // Whatever its grain was.
    for (daily, typo) in [
        ("0 3 * * *", "0 3 * * 6"),
        ("0 3 * * *", "0 3 * * 1-2"),
        ("0 3 * * *", "0 3 * 12 *"),
        ("0 3 * * *", "0 3 31 * *"),
        ("0 3 * * *", "0 3 24 12 *"),
        ("0 3 * * *", "* 3 * * 6"),
        ("0 3,15 * * *", "0 3,15 * * 6"),
        ("0 3,15 * * *", "0 3 * * 6"),
        ("0 3 * * 0,1,2,3", "0 3 * * 5"),
    ] {
        let story = |typo: Option<&str>| {
            each_way(|seen| {
                let mut world = waiting(daily);
                if let Some(typo) = typo {
                    seen.edit(&mut world, load(typo));
                    assert!(rows(&world).contains("excluded"), "{daily} to {typo}:\n{}", rows(&world));
                }
                seen.edit(&mut world, load(daily));
                world.settle(succeed);
                world.pass_and_settle("2026-11-09 12:00", succeed);
                rows(&world)
            })
        };
        assert_eq!(story(Some(typo)), story(None), "{daily} to {typo} and back");
    }
}

#[test]
fn a_bound_that_is_corrected_costs_nothing() {
    let daily = load("0 3 * * *");
    for typo in [
        with_end(daily.clone(), "2025-11-30 00:00"),
        with_end(daily.clone(), "2026-11-03 00:00"),
        load_from("2027-11-01 00:00", "0 3 * * *"),
        load_from("2026-11-03 12:00", "0 3 * * *"),
        with_schedule(daily.clone(), Schedule::every("14d", Some("03:00"), Tz::UTC).expect("an interval")),
    ] {
        let story = |typo: Option<&Job>| {
            each_way(|seen| {
                let mut world = waiting("0 3 * * *");
                if let Some(typo) = typo {
                    seen.edit(&mut world, typo.clone());
                    assert!(rows(&world).contains("excluded"), "{}:\n{}", typo.timetable, rows(&world));
                }
                seen.edit(&mut world, daily.clone());
                world.settle(succeed);
                world.pass_and_settle("2026-11-09 12:00", succeed);
                rows(&world)
            })
        };
        assert_eq!(story(Some(&typo)), story(None), "{} and back", typo.timetable);
    }
}

#[test]
fn a_typo_that_is_corrected_on_the_next_day_costs_nothing() {
    let story = each_way(|seen| {
        let mut world = waiting("0 3 * * *");
        seen.edit(&mut world, with_end(load("0 3 * * *"), "2025-12-31 00:00"));
        world.pass("2026-11-06 12:00");
        seen.edit(&mut world, load("0 3 * * *"));
        let said = said(&world);
        world.settle(succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: end; 6 due; 2026-11-02T03:00:00+00:00, 2026-11-03T03:00:00+00:00 and 2026-11-04T03:00:00+00:00 are added
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    2026-11-05 03:00 succeeded
    2026-11-06 03:00 succeeded
    ");
}

#[test]
fn a_date_that_an_operator_skipped_does_not_wait_again() {
    let story = each_way(|seen| {
        let mut world = waiting("0 3 * * *");
        world.request("load", Operation::Skip(Skipping::Date(at("2026-11-03 03:00"))));
        seen.edit(&mut world, with_end(load("0 3 * * *"), "2025-12-31 00:00"));
        seen.edit(&mut world, load("0 3 * * *"));
        world.settle(succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 skipped: operator
    2026-11-04 03:00 succeeded
    ");
}

#[test]
fn an_included_date_has_the_day_that_it_was_recorded_with() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-04 12:00", vec![load_in(chrono_tz::Europe::Berlin, "0 0 * * *")]);
        seen.edit(&mut world, with_end(load_in(chrono_tz::Europe::Berlin, "0 0 * * *"), "2026-11-01 12:00"));
        seen.edit(&mut world, load("0 0 * * *"));
        world.settle(succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 00:00 succeeded
    2026-11-02 00:00+01:00 succeeded
    2026-11-03 00:00+01:00 succeeded
    2026-11-04 00:00+01:00 skipped: excluded
    2026-11-04 00:00 succeeded
    ");
}
