//! Edits of an ordinary job, of `backfill`, and of a job that is disabled.

use crontabber_core::session::{Enabling, Operation};
use insta::assert_snapshot;

use super::*;

#[test]
fn an_ordinary_job_follows_its_new_schedule_from_the_edit_on() {
    // As cron does: also on a day that has had its date.
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-03 00:30", vec![ordinary(load("0 1 * * *"))]);
        world.pass_and_settle("2026-11-03 02:41", succeed);
        seen.edit(&mut world, ordinary(load("42 2 * * *")));
        let said = said(&world);
        world.pass_and_settle("2026-11-04 12:00", succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 0 due
    2026-11-01 01:00 skipped: superseded
    2026-11-02 01:00 succeeded
    2026-11-03 01:00 succeeded
    2026-11-03 02:42 succeeded
    2026-11-04 02:42 succeeded
    ");
}

#[test]
fn an_edit_starts_nothing_of_the_past_of_an_ordinary_job() {
    for to in ["0 6 9 * *", "0 11 * * *", "0 * * * *", "30 11 18 11 *"] {
        let started = each_way(|seen| {
            let mut world = World::new("2026-11-01 00:30", vec![ordinary(load("0 6 24 * *"))]);
            world.pass_and_settle("2026-11-18 12:00", succeed);
            seen.edit(&mut world, ordinary(load(to)));
            world.take_started()
        });
        assert_eq!(started, "", "{to}");
    }
}

#[test]
fn a_bound_starts_nothing_of_the_past_of_an_ordinary_job() {
    let ended = with_end(ordinary(load("0 6 * * *")), "2026-11-12 00:00");
    for to in [ordinary(load("0 6 * * *")), ordinary(load_from("2026-10-01 00:00", "0 6 * * *"))] {
        let story = each_way(|seen| {
            let mut world = World::new("2026-11-10 12:00", vec![ended.clone()]);
            world.pass_and_settle("2026-11-18 12:00", succeed);
            seen.edit(&mut world, to.clone());
            world.pass_and_settle("2026-11-19 12:00", succeed);
            rows(&world)
        });
        assert_eq!(story.lines().last(), Some("2026-11-19 06:00 succeeded"), "{story}");
        assert!(!story.contains("2026-11-18 06:00 succeeded"), "{story}");
    }
}

#[test]
fn a_waiting_date_of_an_ordinary_job_that_the_registry_no_longer_has_is_excluded() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-06 00:30", vec![ordinary(load("0 7 * * *"))]);
        world.pass("2026-11-07 12:00");
        seen.edit(&mut world, ordinary(load("0 7 * * 1-5")));
        let said = said(&world);
        world.settle(succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 1 due; 2026-11-07T07:00:00+00:00 is excluded and skipped
    2026-11-01 07:00 skipped: superseded
    2026-11-02 07:00 skipped: superseded
    2026-11-03 07:00 skipped: superseded
    2026-11-04 07:00 skipped: superseded
    2026-11-05 07:00 succeeded
    2026-11-06 07:00 skipped: superseded
    2026-11-07 07:00 skipped: excluded
    ");
}

#[test]
fn what_an_ordinary_job_missed_is_of_the_registry_as_it_is_read() {
    let mut world = World::new("2026-11-05 12:00", vec![ordinary(load("0 7 * * *"))]);
    world.pass_and_settle("2026-11-06 12:00", succeed);
    // From Friday to Sunday.
    world.now = at("2026-11-08 12:00");
    Seen::AtStart.edit(&mut world, ordinary(load("0 7 * * 1-5")));
    world.settle(succeed);
    assert_snapshot!(rows(&world), @"
    2026-11-01 07:00 skipped: superseded
    2026-11-02 07:00 skipped: superseded
    2026-11-03 07:00 skipped: superseded
    2026-11-04 07:00 skipped: superseded
    2026-11-05 07:00 succeeded
    2026-11-06 07:00 succeeded
    ");
}

#[test]
fn backfill_that_is_set_to_false_supersedes_unsettled_dates_older_than_the_newest() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-04 12:00", vec![load("0 3 * * *")]);
        world.end_first(crontabber_core::session::Outcome::Failed { code: 1 });
        seen.edit(&mut world, ordinary(load("0 3 * * *")));
        let said = said(&world);
        let superseded =
            "2026-11-01T03:00:00+00:00, 2026-11-02T03:00:00+00:00 and 2026-11-03T03:00:00+00:00 are superseded";
        assert!(said.contains(superseded), "{said}");
        let edited = rows(&world);
        world.settle(succeed);
        world.pass_and_settle("2026-11-05 12:00", succeed);
        format!("{edited}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 skipped: superseded
    2026-11-02 03:00 skipped: superseded
    2026-11-03 03:00 skipped: superseded
    2026-11-04 03:00 running

    2026-11-01 03:00 skipped: superseded
    2026-11-02 03:00 skipped: superseded
    2026-11-03 03:00 skipped: superseded
    2026-11-04 03:00 succeeded
    2026-11-05 03:00 succeeded
    ");
}

#[test]
fn backfill_that_is_set_to_true_leaves_skipped_dates_and_keeps_every_later_one() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-01 00:30", vec![ordinary(load("0 3 * * *"))]);
        world.pass_and_settle("2026-11-01 12:00", succeed);
        world.now = at("2026-11-04 12:00");
        world.handle(crontabber_core::scheduler::Event::Tick);
        world.settle(succeed);
        seen.edit(&mut world, load("0 3 * * *"));
        world.settle(succeed);
        world.now = at("2026-11-07 12:00");
        world.handle(crontabber_core::scheduler::Event::Tick);
        world.settle(succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 skipped: superseded
    2026-11-03 03:00 skipped: superseded
    2026-11-04 03:00 succeeded
    2026-11-05 03:00 succeeded
    2026-11-06 03:00 succeeded
    2026-11-07 03:00 succeeded
    ");
}

#[test]
fn backfill_and_the_schedule_edited_at_once_start_nothing_of_the_past() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-01 00:30", vec![ordinary(load("0 6 24 * *"))]);
        world.pass_and_settle("2026-11-18 12:00", succeed);
        seen.edit(&mut world, load("0 6 9 * *"));
        world.pass_and_settle("2026-12-09 12:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"2026-12-09 06:00 succeeded");
}

#[test]
fn backfill_edited_and_back_loses_no_date() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-02 12:00", vec![load("0 3 * * *")]);
        world.settle(succeed);
        seen.edit(&mut world, ordinary(load("0 3 * * *")));
        seen.edit(&mut world, load("0 3 * * *"));
        seen.edit(&mut world, load("0 5 * * *"));
        world.pass_and_settle("2026-11-04 12:00", succeed);
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

/// A job that is disabled on 5 November with the first of four dates failed.
fn disabled() -> World {
    let mut world = World::new("2026-11-04 12:00", vec![load("0 3 * * *")]);
    world.end_first(crontabber_core::session::Outcome::Failed { code: 1 });
    world.pass("2026-11-05 00:00");
    world.settle(|_| crontabber_core::session::Outcome::Failed { code: 1 });
    world.request("load", Operation::Disable { until: None });
    world
}

#[test]
fn waiting_dates_of_a_disabled_job_are_excluded_at_the_reload() {
    let story = each_way(|seen| {
        let mut world = disabled();
        seen.edit(&mut world, load_from("2026-11-03 00:00", "0 3 * * *"));
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 failed
    2026-11-02 03:00 skipped: excluded
    2026-11-03 03:00 waiting
    2026-11-04 03:00 waiting
    ");
}

#[test]
fn a_disabled_job_is_judged_when_it_is_enabled_by_the_registry_of_that_moment() {
    let story = each_way(|seen| {
        let mut world = disabled();
        world.pass("2026-11-07 12:00");
        // The second edit is in force, and the first never was.
        seen.edit(&mut world, load("0 * * * *"));
        world.pass("2026-11-08 12:00");
        seen.edit(&mut world, load("0 5 * * *"));
        assert_eq!(world.take_started(), "");
        world.request("load", Operation::Enable(Enabling::CatchUp));
        let said = said(&world);
        world.settle(succeed);
        format!("{said}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    changed: schedule; 4 due
    2026-11-05T05:00:00+00:00 takes the place of 2026-11-05T03:00:00+00:00; 2026-11-04T05:00:00+00:00 will be skipped as moved, since 2026-11-04T03:00:00+00:00 stands for it
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    2026-11-04 05:00 skipped: moved
    2026-11-05 05:00 succeeded
    2026-11-06 05:00 succeeded
    2026-11-07 05:00 succeeded
    2026-11-08 05:00 succeeded
    ");
}

#[test]
fn excluded_dates_of_a_disabled_job_wait_again_when_the_registry_has_them_again() {
    let story = each_way(|seen| {
        let mut world = disabled();
        seen.edit(&mut world, with_end(load("0 3 * * *"), "2025-12-31 00:00"));
        let excluded = rows(&world);
        seen.edit(&mut world, load("0 3 * * *"));
        let answer = world.answer_to("load", Operation::Enable(Enabling::CatchUp));
        world.settle(succeed);
        world.pass_and_settle("2026-11-05 02:00", succeed);
        format!("{excluded}\n{answer}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 failed
    2026-11-02 03:00 skipped: excluded
    2026-11-03 03:00 skipped: excluded
    2026-11-04 03:00 skipped: excluded

    done (4): job `load` is enabled; 4 dates are attempted now
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    ");
}

#[test]
fn a_job_that_is_disabled_for_a_while_is_judged_at_its_end() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-10-24 12:00", vec![load_from("2026-10-01 00:00", "0 6 24 * *")]);
        world.settle(succeed);
        world.request("load", Operation::Disable { until: Some(at("2026-11-20 00:00")) });
        world.pass("2026-11-18 12:00");
        seen.edit(&mut world, load_from("2026-10-01 00:00", "0 6 9 * *"));
        world.pass_and_settle("2026-12-01 12:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-10-24 06:00 succeeded
    2026-11-09 06:00 succeeded
    ");
}

#[test]
fn a_job_that_is_disabled_in_the_registry_is_judged_when_it_is_enabled_there() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-10-24 12:00", vec![load_from("2026-10-01 00:00", "0 6 24 * *")]);
        world.settle(succeed);
        let moved = load_from("2026-10-01 00:00", "0 6 9 * *");
        seen.edit(&mut world, Job { enabled: false, ..load_from("2026-10-01 00:00", "0 6 27 * *") });
        world.pass("2026-11-28 12:00");
        seen.edit(&mut world, Job { enabled: false, ..moved.clone() });
        assert_eq!(world.take_started(), "");
        seen.edit(&mut world, moved);
        world.pass_and_settle("2026-12-01 12:00", succeed);
        rows(&world)
    });
    assert_snapshot!(story, @"
    2026-10-24 06:00 succeeded
    2026-11-09 06:00 succeeded
    ");
}
