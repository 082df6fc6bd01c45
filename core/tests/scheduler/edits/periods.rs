//! Every period has one date across an edit: none has two, and none is lost.

use chrono::{DateTime, TimeDelta, Utc};
use crontabber_core::session::{Operation, Retrying};
use insta::assert_snapshot;

use super::*;

/// The periods in which a date has succeeded, one for each date.
fn periods(world: &World, format: &str) -> Vec<String> {
    let succeeded = world.rows.sessions.values().filter(|row| row.state == State::Succeeded);
    let mut periods: Vec<String> =
        succeeded.map(|row| row.key.date.with_timezone(&row.zone).format(format).to_string()).collect();
    periods.sort();
    periods
}

/// A world with an edit after each step of its life, and an edit back after two more, has the dates of one without.
fn moves_and_moves_back(format: &str, from: &Job, to: &Job, step: TimeDelta) {
    let begin = from.timetable.start.expect("a start");
    let steps = 24;
    let end = begin + step * (steps + 8);
    let label = |date: DateTime<Utc>| date.format(format).to_string();
    let life = |edits: &[(i32, &Job)], seen: Seen| {
        let mut world = World::new(&begin.format("%F %R").to_string(), vec![from.clone()]);
        for number in 0..steps {
            let now = begin + step * number;
            match edits.iter().find(|(at, _)| *at == number) {
                // Two steps pass before a daemon starts that sees the edit.
                Some((_, job)) if seen == Seen::AtStart => {
                    world.now = now;
                    seen.edit(&mut world, (*job).clone());
                }
                Some((_, job)) => {
                    world.pass_to(now);
                    world.settle(succeed);
                    seen.edit(&mut world, (*job).clone());
                }
                None if seen == Seen::AtStart && edits.iter().any(|(at, _)| (at - 2..*at).contains(&number)) => {}
                None => world.pass_to(now),
            }
            world.settle(succeed);
        }
        world.pass_to(end);
        world.settle(succeed);
        // The dates of the last period may be ahead.
        let mut periods = periods(&world, format);
        periods.retain(|period| *period < label(end));
        periods
    };
    let unedited = life(&[], Seen::ByReload);
    assert!(unedited.len() >= 2, "{unedited:?}");
    for number in 1..steps - 2 {
        for seen in [Seen::ByReload, Seen::AtStart] {
            assert_eq!(life(&[(number, to)], seen), unedited, "{seen:?} at step {number}");
            let back = [(number, to), (number + 2, from)];
            assert_eq!(life(&back, seen), unedited, "{seen:?} at step {number}, and back");
        }
    }
}

#[test]
fn every_day_has_one_date_whenever_its_time_moves() {
    let from = load("0 9 * * *");
    for to in ["0 6 * * *", "0 21 * * *"] {
        moves_and_moves_back("%F", &from, &load(to), TimeDelta::hours(5));
    }
}

#[test]
fn every_week_has_one_date_whenever_its_day_moves() {
    // From a Monday to the end of a week.
    let from = load_from("2026-11-02 00:00", "0 9 * * 3");
    for to in ["0 9 * * 1", "30 6 * * 0"] {
        moves_and_moves_back("%G-%V", &from, &load_from("2026-11-02 00:00", to), TimeDelta::hours(30));
    }
}

#[test]
fn every_month_has_one_date_whenever_its_day_moves() {
    let from = load("0 9 15 * *");
    for to in ["0 9 1 * *", "0 6 28 * *"] {
        moves_and_moves_back("%Y-%m", &from, &load(to), TimeDelta::days(4));
    }
}

#[test]
fn every_year_has_one_date_whenever_its_day_moves() {
    let from = load_from("2020-01-01 00:00", "0 9 15 6 *");
    for to in ["0 9 2 1 *", "0 6 30 12 *"] {
        moves_and_moves_back("%Y", &from, &load_from("2020-01-01 00:00", to), TimeDelta::days(50));
    }
}

#[test]
fn every_window_of_days_has_one_date_whenever_its_time_moves() {
    // Two days are one window, and begin where the job does.
    let windows = |world: &World| periods(world, "%F");
    let mut world = World::new("2026-11-01 00:00", vec![every("2d", "09:00")]);
    world.pass_and_settle("2026-11-05 12:00", succeed);
    assert_eq!(windows(&world), ["2026-11-01", "2026-11-03", "2026-11-05"]);
    for to in ["06:00", "21:00"] {
        moves_and_moves_back("%F", &every("2d", "09:00"), &every("2d", to), TimeDelta::hours(7));
    }
}

#[test]
fn the_5th_moved_to_the_27th_on_the_18th_gives_no_second_date_this_month() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-10-01 12:00", vec![load_from("2026-10-01 00:00", "0 6 5 * *")]);
        world.pass_and_settle("2026-11-18 12:00", succeed);
        seen.edit(&mut world, load_from("2026-10-01 00:00", "0 6 27 * *"));
        let said = said(&world);
        world.pass_and_settle("2026-12-28 12:00", succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 0 due; 2026-11-27T06:00:00+00:00 will be skipped as moved, since 2026-11-05T06:00:00+00:00 stands for it
    2026-10-05 06:00 succeeded
    2026-11-05 06:00 succeeded
    2026-11-27 06:00 skipped: moved
    2026-12-27 06:00 succeeded
    ");
}

#[test]
fn a_moved_date_can_be_retried() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-01 12:00", vec![load("0 6 5 * *")]);
        world.pass_and_settle("2026-11-18 12:00", succeed);
        seen.edit(&mut world, load("0 6 27 * *"));
        world.pass_and_settle("2026-11-27 12:00", succeed);
        world.request("load", Operation::Retry(Retrying::Date { date: at("2026-11-27 06:00"), again: false }));
        let answer = world.answered();
        world.settle(succeed);
        // That does not give December a date.
        seen.edit(&mut world, load("0 6 20 * *"));
        world.pass_and_settle("2026-12-28 12:00", succeed);
        format!("{answer}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    done (1): 2026-11-27T06:00:00+00:00 of `load` was skipped, and runs again now, outside its schedule
    2026-11-05 06:00 succeeded
    2026-11-27 06:00 succeeded
    2026-12-20 06:00 succeeded
    ");
}

#[test]
fn the_24th_moved_to_the_9th_on_the_18th_is_due_at_once() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-10-01 12:00", vec![load_from("2026-10-01 00:00", "0 6 24 * *")]);
        world.pass_and_settle("2026-11-18 12:00", succeed);
        seen.edit(&mut world, load_from("2026-10-01 00:00", "0 6 9 * *"));
        let (said, started) = (said(&world), world.take_started());
        world.pass_and_settle("2026-12-25 12:00", succeed);
        format!("{said}\n{started}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 1 due; 2026-11-09T06:00:00+00:00 takes the place of 2026-11-24T06:00:00+00:00
    load 11-09T06:00
    2026-10-24 06:00 succeeded
    2026-11-09 06:00 succeeded
    2026-12-09 06:00 succeeded
    ");
}

#[test]
fn the_24th_moved_to_the_9th_while_nothing_ran_gives_the_month_once() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-10-01 12:00", vec![load_from("2026-10-01 00:00", "0 6 24 * *")]);
        world.pass_and_settle("2026-11-18 12:00", succeed);
        seen.edit_and_pass(&mut world, load_from("2026-10-01 00:00", "0 6 9 * *"), "2026-11-28 12:00");
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-10-24 06:00 succeeded
    2026-11-09 06:00 succeeded
    ");
}

#[test]
fn two_edits_in_one_month_give_it_one_date() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-01 12:00", vec![load("0 6 5 * *")]);
        world.pass_and_settle("2026-11-18 12:00", succeed);
        seen.edit(&mut world, load("0 6 27 * *"));
        world.pass_and_settle("2026-11-28 12:00", succeed);
        seen.edit(&mut world, load("0 6 10 * *"));
        world.pass_and_settle("2026-12-28 12:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-05 06:00 succeeded
    2026-11-27 06:00 skipped: moved
    2026-12-10 06:00 succeeded
    ");
}

#[test]
fn two_edits_before_anything_runs_give_each_month_one_date() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-01 12:00", vec![load("0 6 24 * *")]);
        world.pass_and_settle("2026-11-18 12:00", succeed);
        seen.edit(&mut world, load("0 6 27 * *"));
        seen.edit(&mut world, load("0 6 9 * *"));
        let said = said(&world);
        seen.edit(&mut world, load("0 6 20 * *"));
        world.settle(succeed);
        world.pass_and_settle("2026-12-28 12:00", succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 1 due
    2026-11-09 06:00 succeeded
    2026-11-20 06:00 skipped: moved
    2026-12-20 06:00 succeeded
    ");
}

#[test]
fn an_edit_and_back_within_one_month_changes_nothing() {
    for to in ["0 6 27 * *", "0 6 9 * *", "0 3 5 * *"] {
        let story = each_way(|seen| {
            let mut world = World::new("2026-11-01 12:00", vec![load("0 6 5 * *")]);
            world.pass_and_settle("2026-11-18 12:00", succeed);
            seen.edit(&mut world, load(to));
            seen.edit(&mut world, load("0 6 5 * *"));
            world.pass_and_settle("2026-12-28 12:00", succeed);
            periods(&world, "%F").join(", ")
        });
        assert_eq!(story, "2026-11-05, 2026-12-05", "{to}");
    }
}

#[test]
fn an_edit_while_the_moved_date_runs_gives_no_second_date() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-01 12:00", vec![load("0 6 5 * *")]);
        world.pass("2026-11-18 12:00");
        seen.edit(&mut world, load("0 6 27 * *"));
        let said = said(&world);
        world.pass("2026-11-28 12:00");
        world.end_first(crontabber_core::session::Outcome::Failed { code: 1 });
        world.pass_and_settle("2026-12-28 12:00", succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 1 due; 2026-11-27T06:00:00+00:00 will be skipped as moved, since 2026-11-05T06:00:00+00:00 stands for it
    2026-11-05 06:00 succeeded
    2026-11-27 06:00 skipped: moved
    2026-12-27 06:00 succeeded
    ");
}

#[test]
fn a_period_not_yet_given_is_recorded_first_in_order_and_the_watermark_does_not_move() {
    // The weekend between two working days, of which the later one waits.
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-06 12:00", vec![load_from("2026-11-06 00:00", "0 7 * * 1-5")]);
        world.settle(succeed);
        world.pass("2026-11-10 12:00");
        world.end_first(crontabber_core::session::Outcome::Failed { code: 1 });
        let watermark = |world: &World| world.rows.jobs.values().map(|record| record.watermark).collect::<Vec<_>>();
        let before = watermark(&world);
        seen.edit(&mut world, load_from("2026-11-06 00:00", "0 7 * * *"));
        assert_eq!(watermark(&world), before);
        let said = said(&world);
        world.settle(succeed);
        world.pass_and_settle("2026-11-10 13:00", succeed);
        format!("{said}\n{}\n{}", world.take_started(), rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 4 due; 2026-11-07T07:00:00+00:00 and 2026-11-08T07:00:00+00:00 are added
    load 11-07T07:00, load 11-08T07:00, load 11-09T07:00, load 11-10T07:00
    2026-11-06 07:00 succeeded
    2026-11-07 07:00 succeeded
    2026-11-08 07:00 succeeded
    2026-11-09 07:00 succeeded
    2026-11-10 07:00 succeeded
    ");
}

#[test]
fn every_quarter_that_becomes_every_month_gives_the_months_between() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-18 12:00", vec![load_from("2026-07-01 00:00", "0 6 5 1,4,7,10 *")]);
        world.settle(succeed);
        seen.edit(&mut world, load_from("2026-07-01 00:00", "0 6 20 * *"));
        let said = said(&world);
        world.settle(succeed);
        world.pass_and_settle("2026-11-21 12:00", succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 2 due; 2026-08-20T06:00:00+00:00 and 2026-09-20T06:00:00+00:00 are added; 2026-10-20T06:00:00+00:00 will be skipped as moved, since 2026-10-05T06:00:00+00:00 stands for it
    2026-07-05 06:00 succeeded
    2026-08-20 06:00 succeeded
    2026-09-20 06:00 succeeded
    2026-10-05 06:00 succeeded
    2026-10-20 06:00 skipped: moved
    2026-11-20 06:00 succeeded
    ");
}

#[test]
fn of_an_excluded_and_a_moved_date_of_one_period_one_waits_again() {
    // The 4th waits at 03:00 and is moved to 05:00; then the registry has no 4th, and then has it again.
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-04 04:00", vec![load("0 3 * * *")]);
        seen.edit(&mut world, load("0 5 * * *"));
        world.pass("2026-11-04 12:00");
        seen.edit(&mut world, with_end(load("0 5 * * *"), "2026-11-03 12:00"));
        let excluded = rows(&world);
        seen.edit(&mut world, load("0 5 * * *"));
        let said = said(&world);
        world.settle(succeed);
        world.pass_and_settle("2026-11-05 12:00", succeed);
        format!("{excluded}\n{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 running
    2026-11-02 03:00 waiting
    2026-11-03 03:00 waiting
    2026-11-04 03:00 skipped: excluded
    2026-11-04 05:00 skipped: moved

    changed: end; 4 due; 2026-11-04T03:00:00+00:00 is added
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    2026-11-04 05:00 skipped: moved
    2026-11-05 05:00 succeeded
    ");
}

#[test]
fn a_waiting_date_outside_a_bound_whose_period_still_has_one_stands_for_it() {
    // The 5th waits behind October. It is moved to the 27th, and the start is the 10th.
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-18 12:00", vec![load_from("2026-10-01 00:00", "0 6 5 * *")]);
        seen.edit(&mut world, load_from("2026-11-10 00:00", "0 6 27 * *"));
        world.settle(succeed);
        world.pass_and_settle("2026-12-28 12:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-10-05 06:00 succeeded
    2026-11-05 06:00 succeeded
    2026-11-27 06:00 skipped: moved
    2026-12-27 06:00 succeeded
    ");
}

#[test]
fn instants_that_are_added_to_the_schedule_are_recorded_for_the_past_too() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-02 12:00", vec![load("0 8,20 * * *")]);
        world.settle(succeed);
        seen.edit(&mut world, load("0 8,14,20 * * *"));
        let said = said(&world);
        world.settle(succeed);
        world.pass_and_settle("2026-11-02 23:00", succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 1 due; 2026-11-01T14:00:00+00:00 is added
    2026-11-01 08:00 succeeded
    2026-11-01 14:00 succeeded
    2026-11-01 20:00 succeeded
    2026-11-02 08:00 succeeded
    2026-11-02 14:00 succeeded
    2026-11-02 20:00 succeeded
    ");
}
