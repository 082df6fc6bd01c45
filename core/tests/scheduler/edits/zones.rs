//! Edits of the zone, and edits around a change of the clocks.

use chrono_tz::{America, Asia, Europe, Pacific};
use crontabber_core::session::{Operation, Retrying};
use insta::assert_snapshot;

use super::*;

/// The local days that succeeded dates were told, with the number of dates if there is more than one.
fn days(world: &World) -> String {
    let mut days = std::collections::BTreeMap::new();
    for row in world.rows.sessions.values().filter(|row| row.state == State::Succeeded) {
        *days.entry(row.key.date.with_timezone(&row.zone).format("%m-%d").to_string()).or_insert(0) += 1;
    }
    let days = days.into_iter().map(|(day, count)| if count == 1 { day } else { format!("{day} ({count} times)") });
    days.collect::<Vec<_>>().join(", ")
}

#[test]
fn another_zone_gives_every_local_day_once() {
    // F1.
    let zones = [Tz::UTC, Europe::Berlin, America::New_York, Asia::Tokyo, Pacific::Kiritimati, Pacific::Pago_Pago];
    for from in zones {
        for to in zones.into_iter().filter(|to| *to != from) {
            for now in ["2026-11-04 00:30", "2026-11-04 05:30", "2026-11-04 12:00", "2026-11-04 23:30"] {
                let story = each_way(|seen| {
                    let start = "2026-11-02 00:00";
                    let job = |zone| with_start(load_in(zone, "0 0 * * *"), Some(start));
                    let mut world = World::new("2026-11-01 12:00", vec![job(from)]);
                    world.pass_and_settle(now, succeed);
                    seen.edit(&mut world, job(to));
                    world.settle(succeed);
                    world.pass_and_settle("2026-11-08 12:00", succeed);
                    days(&world)
                });
                // The first and the last day depend on the zones.
                assert!(story.contains("11-03, 11-04, 11-05, 11-06, 11-07"), "{from} to {to} at {now}: {story}");
                assert!(!story.contains("times"), "{from} to {to} at {now}: {story}");
            }
        }
    }
}

#[test]
fn a_zone_that_is_edited_while_nothing_ran_gives_every_local_day_once() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-02 12:00", vec![load_in(Europe::Berlin, "0 0 * * *")]);
        world.settle(succeed);
        seen.edit_and_pass(&mut world, load("0 0 * * *"), "2026-11-05 12:00");
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 00:00 succeeded
    2026-11-02 00:00+01:00 succeeded
    2026-11-02 00:00 skipped: moved
    2026-11-03 00:00 succeeded
    2026-11-04 00:00 succeeded
    2026-11-05 00:00 succeeded
    ");
}

#[test]
fn where_the_instant_is_that_of_another_day_the_date_stands_one_second_later() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-18 12:00", vec![load_from("2026-11-16 00:00", "0 23 * * *")]);
        world.settle(succeed);
        let berlin = load_in(Europe::Berlin, "0 0 * * *");
        seen.edit(&mut world, with_start(berlin, Some("2026-11-16 00:00")));
        world.settle(succeed);
        world.pass_and_settle("2026-11-19 12:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-16 23:00 succeeded
    2026-11-17 23:00 succeeded
    2026-11-18 00:00:01+01:00 succeeded
    2026-11-19 00:00+01:00 succeeded
    ");
}

#[test]
fn a_date_that_stands_one_second_later_stands_for_its_day() {
    // Also after an operator has repeated it.
    for again in [false, true] {
        let story = each_way(|seen| {
            let mut world = World::new("2026-11-18 12:00", vec![load_from("2026-11-16 00:00", "0 23 * * *")]);
            world.settle(succeed);
            let berlin = |crontab| with_start(load_in(Europe::Berlin, crontab), Some("2026-11-16 00:00"));
            seen.edit(&mut world, berlin("0 0 * * *"));
            world.settle(succeed);
            if again {
                let date = "2026-11-17T23:00:01Z".parse().expect("an instant");
                world.request("load", Operation::Retry(Retrying::Date { date, again }));
                world.settle(succeed);
            }
            seen.edit(&mut world, berlin("0 2 * * *"));
            world.pass_and_settle("2026-11-19 12:00", succeed);
            seen.edit(&mut world, berlin("0 3 * * *"));
            world.pass_and_settle("2026-11-19 13:00", succeed);
            days(&world)
        });
        assert_eq!(story, "11-16, 11-17, 11-18, 11-19", "repeated: {again}");
    }
}

#[test]
fn a_zone_edited_and_back_gives_every_local_day_once() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-02 12:00", vec![load("0 0 * * *")]);
        world.pass_and_settle("2026-11-04 12:00", succeed);
        seen.edit(&mut world, load_in(Asia::Tokyo, "0 0 * * *"));
        world.pass_and_settle("2026-11-05 20:00", succeed);
        seen.edit(&mut world, load("0 0 * * *"));
        world.pass_and_settle("2026-11-08 12:00", succeed);
        days(&world)
    });
    assert_snapshot!(story, @"11-01, 11-02, 11-03, 11-04, 11-05, 11-06, 11-07, 11-08");
}

#[test]
fn a_waiting_date_keeps_its_day_when_the_zone_is_edited() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-04 12:00", vec![load_in(Asia::Tokyo, "0 0 * * *")]);
        seen.edit(&mut world, load_in(America::New_York, "0 0 * * *"));
        world.settle(succeed);
        world.pass_and_settle("2026-11-06 12:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 00:00-04:00 succeeded
    2026-11-02 00:00+09:00 succeeded
    2026-11-03 00:00+09:00 succeeded
    2026-11-04 00:00+09:00 succeeded
    2026-11-04 00:00-05:00 skipped: moved
    2026-11-05 00:00-05:00 succeeded
    2026-11-06 00:00-05:00 succeeded
    ");
}

#[test]
fn another_zone_gives_every_month_once() {
    // The first of the month in Tokyo is the last of the month before in UTC.
    let story = each_way(|seen| {
        let mut world = World::new("2026-09-15 12:00", vec![with_start(load("0 0 1 * *"), Some("2026-09-15 00:00"))]);
        world.pass_and_settle("2026-11-18 12:00", succeed);
        let tokyo = |crontab| with_start(load_in(Asia::Tokyo, crontab), Some("2026-09-15 00:00"));
        seen.edit(&mut world, tokyo("0 0 1 * *"));
        world.pass_and_settle("2026-12-10 12:00", succeed);
        seen.edit(&mut world, with_start(load("0 0 1 * *"), Some("2026-09-15 00:00")));
        world.pass_and_settle("2027-01-10 12:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-10-01 00:00 succeeded
    2026-11-01 00:00 succeeded
    2026-12-01 00:00+09:00 succeeded
    2026-12-01 00:00 skipped: moved
    2027-01-01 00:00 succeeded
    ");
}

#[test]
fn a_moved_time_gives_the_days_of_a_clock_change_once() {
    // In Berlin 02:30 is left out on 29 March and shown twice on 25 October.
    for (start, end, expected) in [
        ("2026-03-27 23:00", "2026-03-31 12:00", "03-28, 03-29, 03-30, 03-31"),
        ("2026-10-23 22:00", "2026-10-27 12:00", "10-24, 10-25, 10-26, 10-27"),
    ] {
        let job = |zone, crontab| with_start(load_in(zone, crontab), Some(start));
        let berlin = |crontab| job(Europe::Berlin, crontab);
        for (from, to) in [
            (berlin("30 2 * * *"), berlin("30 1 * * *")),
            (berlin("30 2 * * *"), berlin("30 3 * * *")),
            (berlin("30 1 * * *"), berlin("30 2 * * *")),
            (berlin("0 4 * * *"), berlin("30 2 * * *")),
            (berlin("30 2 * * *"), job(Europe::London, "30 1 * * *")),
            (berlin("30 2 * * *"), job(America::New_York, "30 2 * * *")),
            (job(Asia::Tokyo, "30 2 * * *"), berlin("30 2 * * *")),
        ] {
            for hours in (0..72).step_by(3) {
                let story = each_way(|seen| {
                    let mut world = World::new(start, vec![from.clone()]);
                    world.pass_to(at(start) + chrono::TimeDelta::hours(hours));
                    world.settle(succeed);
                    seen.edit(&mut world, to.clone());
                    world.settle(succeed);
                    world.pass_and_settle(end, succeed);
                    days(&world)
                });
                let (from, to) = (&from.timetable, &to.timetable);
                assert_eq!(story, expected, "{from} to {to} after {hours} hours");
            }
        }
    }
}

#[test]
fn an_edit_of_the_zone_names_recorded_dates_as_they_were_recorded() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-03 12:00", vec![load_in(Tz::UTC, "0 0 * * *")]);
        world.settle(succeed);
        seen.edit(&mut world, load_in(America::New_York, "0 0 * * *"));
        said(&world)
    });
    assert_snapshot!(story, @"changed: timezone; 0 due; 2026-11-04T00:00:00-05:00 takes the place of 2026-11-04T00:00:00+00:00; 2026-11-03T00:00:00-05:00 will be skipped as moved, since 2026-11-03T00:00:00+00:00 stands for it");
}
