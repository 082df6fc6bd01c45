//! An edit of the grain: the new dates begin after the newest recorded one.

use insta::assert_snapshot;

use super::*;

/// What an edit on the 18th does to a job that has caught up, until the end of a day.
fn on_the_18th(from: &Job, to: &Job, until: &str) -> String {
    each_way(|seen| {
        let mut world = World::new("2026-11-01 00:00", vec![from.clone()]);
        world.pass_and_settle("2026-11-18 12:00", succeed);
        let before = world.rows.sessions.len();
        seen.edit(&mut world, to.clone());
        world.settle(succeed);
        world.pass_and_settle(until, succeed);
        rows(&world).lines().skip(before).collect::<Vec<_>>().join("\n")
    })
}

#[test]
fn days_after_a_month_begin_on_the_day_after_its_date() {
    let story = on_the_18th(&load("0 6 15 * *"), &load("0 3 * * *"), "2026-11-19 12:00");
    assert_snapshot!(story, @"
    2026-11-16 03:00 succeeded
    2026-11-17 03:00 succeeded
    2026-11-18 03:00 succeeded
    2026-11-19 03:00 succeeded
    ");
}

#[test]
fn weeks_after_days_begin_on_the_day_after_the_newest() {
    // The 18th is a Wednesday. Its Wednesday has a date; Sunday does not.
    assert_snapshot!(on_the_18th(&load("0 6 * * *"), &load("0 9 * * 3"), "2026-11-25 12:00"), @"2026-11-25 09:00 succeeded");
    assert_snapshot!(on_the_18th(&load("0 6 * * *"), &load("0 9 * * 0"), "2026-11-25 12:00"), @"2026-11-22 09:00 succeeded");
}

#[test]
fn months_after_days_begin_on_the_day_after_the_newest() {
    assert_snapshot!(on_the_18th(&load("0 6 * * *"), &load("0 9 18 * *"), "2026-12-31 12:00"), @"2026-12-18 09:00 succeeded");
    assert_snapshot!(on_the_18th(&load("0 6 * * *"), &load("0 9 19 * *"), "2026-12-31 12:00"), @"
    2026-11-19 09:00 succeeded
    2026-12-19 09:00 succeeded
    ");
}

#[test]
fn a_year_after_months_begins_on_the_day_after_the_newest() {
    assert_snapshot!(on_the_18th(&load("0 6 15 * *"), &load("0 6 1 1 *"), "2027-12-31 12:00"), @"2027-01-01 06:00 succeeded");
    assert_snapshot!(on_the_18th(&load("0 6 15 * *"), &load("0 6 16 11 *"), "2027-12-31 12:00"), @"
    2026-11-16 06:00 succeeded
    2027-11-16 06:00 succeeded
    ");
}

#[test]
fn months_after_a_year_begin_on_the_day_after_its_date() {
    assert_snapshot!(on_the_18th(&load("0 6 10 11 *"), &load("0 6 15 * *"), "2026-12-31 12:00"), @"
    2026-11-15 06:00 succeeded
    2026-12-15 06:00 succeeded
    ");
}

#[test]
fn hours_after_days_begin_after_the_newest_instant() {
    assert_snapshot!(on_the_18th(&load("0 9 * * *"), &load("0 * * * *"), "2026-11-18 13:00"), @"
    2026-11-18 10:00 succeeded
    2026-11-18 11:00 succeeded
    2026-11-18 12:00 succeeded
    2026-11-18 13:00 succeeded
    ");
    // Of that morning too, although the file has them.
    assert_snapshot!(on_the_18th(&load("0 9 * * *"), &load("0 8,20 * * *"), "2026-11-18 23:00"), @"2026-11-18 20:00 succeeded");
}

#[test]
fn days_after_hours_begin_on_the_day_after_the_newest() {
    assert_snapshot!(on_the_18th(&load("0 * * * *"), &load("0 15 * * *"), "2026-11-19 23:00"), @"2026-11-19 15:00 succeeded");
}

#[test]
fn days_begin_in_the_zone_of_the_job() {
    // 18 November begins in Tokyo at 15:00 on the 17th in UTC.
    let tokyo = load_in(chrono_tz::Asia::Tokyo, "0 3 * * *");
    let story = on_the_18th(&load_in(chrono_tz::Asia::Tokyo, "0 6 15 * *"), &tokyo, "2026-11-18 20:00");
    assert_snapshot!(story, @"
    2026-11-16 03:00+09:00 succeeded
    2026-11-17 03:00+09:00 succeeded
    2026-11-18 03:00+09:00 succeeded
    2026-11-19 03:00+09:00 succeeded
    ");
}

#[test]
fn every_14_days_counts_from_the_start() {
    // F10: from a Monday.
    let mut world = World::new("2026-03-01 00:00", vec![with_start(every("14d", "06:00"), Some("2026-03-02 00:00"))]);
    world.pass_and_settle("2026-03-31 12:00", succeed);
    assert_snapshot!(rows(&world), @"
    2026-03-02 06:00 succeeded
    2026-03-16 06:00 succeeded
    2026-03-30 06:00 succeeded
    ");
}

#[test]
fn another_number_of_days_fills_nothing_older() {
    assert_snapshot!(on_the_18th(&every("2d", "06:00"), &every("3d", "06:00"), "2026-11-25 12:00"), @"
    2026-11-19 06:00 succeeded
    2026-11-22 06:00 succeeded
    2026-11-25 06:00 succeeded
    ");
    assert_snapshot!(on_the_18th(&every("2d", "06:00"), &load("0 6 * * *"), "2026-11-19 12:00"), @"
    2026-11-18 06:00 succeeded
    2026-11-19 06:00 succeeded
    ");
}

#[test]
fn a_start_that_moves_the_anchor_fills_nothing_older() {
    let from = |start: &str| with_start(every("4d", "06:00"), Some(start));
    let story = on_the_18th(&from("2026-11-01 00:00"), &from("2026-10-03 00:00"), "2026-11-25 12:00");
    assert_snapshot!(story, @"
    2026-11-20 06:00 succeeded
    2026-11-24 06:00 succeeded
    ");
    let story = on_the_18th(&from("2026-11-01 00:00"), &from("2026-11-03 00:00"), "2026-11-25 12:00");
    assert_snapshot!(story, @"
    2026-11-19 06:00 succeeded
    2026-11-23 06:00 succeeded
    ");
}

#[test]
fn a_start_that_moves_by_whole_windows_moves_the_anchor_too() {
    let from = |start: &str| with_start(every("4d", "06:00"), Some(start));
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-10 12:00", vec![from("2026-11-09 00:00")]);
        world.settle(succeed);
        seen.edit(&mut world, from("2026-11-01 00:00"));
        world.settle(succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"2026-11-09 06:00 succeeded");
}

#[test]
fn another_number_of_hours_fills_nothing_older() {
    let hours = |every: &str| with_schedule(load("@daily"), Schedule::every(every, None, Tz::UTC).expect("hours"));
    assert_snapshot!(on_the_18th(&hours("6h"), &hours("4h"), "2026-11-18 18:00"), @"2026-11-18 16:00 succeeded");
}

#[test]
fn the_grain_edited_and_back_before_anything_is_due_loses_and_repeats_nothing() {
    for (from, to) in [
        ("0 6 * * *", "0 6 15 * *"),
        ("0 6 * * *", "0 6 * * 3"),
        ("0 6 15 * *", "0 6 * * 5"),
        ("0 6 * * 3", "0 6 15 11 *"),
        ("0 6,18 * * *", "0 6 * * *"),
    ] {
        let plain = on_the_18th(&load(from), &load(from), "2026-12-31 12:00");
        let story = each_way(|seen| {
            let mut world = World::new("2026-11-01 00:00", vec![load(from)]);
            world.pass_and_settle("2026-11-18 12:00", succeed);
            let before = world.rows.sessions.len();
            seen.edit(&mut world, load(to));
            seen.edit(&mut world, load(from));
            world.settle(succeed);
            world.pass_and_settle("2026-12-31 12:00", succeed);
            rows(&world).lines().skip(before).collect::<Vec<_>>().join("\n")
        });
        assert_eq!(story, plain, "{from} to {to} and back");
    }
}

#[test]
fn a_moved_date_stays_moved_when_the_grain_changes_and_changes_back() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-01 00:00", vec![load("0 6 5 * *")]);
        world.pass_and_settle("2026-11-18 12:00", succeed);
        seen.edit(&mut world, load("0 6 27 * *"));
        world.pass_and_settle("2026-11-28 12:00", succeed);
        for crontab in ["0 3 * * *", "0 6 27 * *"] {
            seen.edit(&mut world, load(crontab));
            world.settle(succeed);
        }
        seen.edit(&mut world, ordinary(load("0 6 27 * *")));
        world.settle(succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-05 06:00 succeeded
    2026-11-27 06:00 skipped: moved
    2026-11-28 03:00 succeeded
    ");
}
