//! Unrecorded dates are those of the registry as it is read, whatever has seen the edit first.

use insta::assert_snapshot;

use super::*;

#[test]
fn an_end_that_is_set_while_nothing_ran_is_in_force() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-02 12:00", vec![load("0 3 * * *")]);
        world.settle(succeed);
        seen.edit_and_pass(&mut world, with_end(load("0 3 * * *"), "2026-11-03 23:59"), "2026-11-06 12:00");
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    ");
}

#[test]
fn a_weekday_that_is_set_while_nothing_ran_is_in_force() {
    // From Friday to Monday.
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-06 12:00", vec![load_from("2026-11-05 00:00", "0 7 * * *")]);
        world.settle(succeed);
        seen.edit_and_pass(&mut world, load_from("2026-11-05 00:00", "0 7 * * 1-5"), "2026-11-09 12:00");
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-05 07:00 succeeded
    2026-11-06 07:00 succeeded
    2026-11-09 07:00 succeeded
    ");
}

#[test]
fn a_later_start_that_is_set_while_nothing_ran_is_in_force() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-02 12:00", vec![load("0 3 * * *")]);
        world.settle(succeed);
        seen.edit_and_pass(&mut world, load_from("2026-11-05 00:00", "0 3 * * *"), "2026-11-06 12:00");
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-05 03:00 succeeded
    2026-11-06 03:00 succeeded
    ");
}

#[test]
fn a_time_that_is_set_while_nothing_ran_is_in_force() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-02 12:00", vec![load("0 3 * * *")]);
        world.settle(succeed);
        seen.edit_and_pass(&mut world, load("0 5 * * *"), "2026-11-04 12:00");
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-02 05:00 skipped: moved
    2026-11-03 05:00 succeeded
    2026-11-04 05:00 succeeded
    ");
}

#[test]
fn an_end_moved_on_gives_the_days_between() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-05 12:00", vec![with_end(load("0 3 * * *"), "2026-11-02 12:00")]);
        world.settle(succeed);
        seen.edit(&mut world, with_end(load("0 3 * * *"), "2026-11-04 12:00"));
        world.settle(succeed);
        let between = outcome(&world);
        seen.edit(&mut world, load("0 3 * * *"));
        world.settle(succeed);
        format!("{between}\n{}", said(&world))
    });
    assert_snapshot!(story, @"
    changed: end; 2 due
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded

    changed: end; 1 due
    ");
}

#[test]
fn an_end_moved_on_twice_before_it_passes_gives_each_day_once() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-02 12:00", vec![with_end(load("0 3 * * *"), "2026-11-02 23:00")]);
        world.settle(succeed);
        seen.edit(&mut world, with_end(load("0 3 * * *"), "2026-11-03 23:00"));
        seen.edit(&mut world, with_end(load("0 3 * * *"), "2026-11-04 23:00"));
        world.pass_and_settle("2026-11-09 12:00", succeed);
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
fn a_start_moved_back_gives_the_days_between() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-04 12:00", vec![load_from("2026-11-04 00:00", "0 3 * * *")]);
        world.settle(succeed);
        seen.edit(&mut world, load_from("2026-11-02 00:00", "0 3 * * *"));
        let said = said(&world);
        world.settle(succeed);
        world.pass_and_settle("2026-11-05 12:00", succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: start; 2 due; 2026-11-02T03:00:00+00:00 and 2026-11-03T03:00:00+00:00 are added
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    2026-11-05 03:00 succeeded
    ");
}

#[test]
fn a_start_moved_on_and_back_gives_every_day_once() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-02 12:00", vec![load("0 3 * * *")]);
        world.settle(succeed);
        seen.edit_and_pass(&mut world, load_from("2026-11-04 00:00", "0 3 * * *"), "2026-11-04 12:00");
        seen.edit(&mut world, load("0 3 * * *"));
        let said = said(&world);
        world.settle(succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: start; 1 due; 2026-11-03T03:00:00+00:00 is added
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    ");
}

#[test]
fn a_removed_start_excludes_nothing() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-03 12:00", vec![load("0 3 * * *")]);
        seen.edit(&mut world, with_start(load("0 3 * * *"), None));
        let said = said(&world);
        world.settle(succeed);
        world.pass_and_settle("2026-11-04 12:00", succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: start; 3 due
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    ");
}

#[test]
fn a_start_removed_and_set_again_gives_nothing_twice() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-03 12:00", vec![load("0 3 * * *")]);
        world.settle(succeed);
        seen.edit_and_pass(&mut world, with_start(load("0 3 * * *"), None), "2026-11-04 12:00");
        seen.edit_and_pass(&mut world, load_from("2026-10-31 00:00", "0 3 * * *"), "2026-11-05 12:00");
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-10-31 03:00 succeeded
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    2026-11-05 03:00 succeeded
    ");
}
