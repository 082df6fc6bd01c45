//! An edit that adds more past dates than `announce_over` waits for an operator.

use crontabber_core::session::{Enabling, Operation};
use insta::assert_snapshot;

use super::*;

/// A job whose end passed on 2 November, and an edit that adds four dates where three are announced.
fn held(seen: Seen) -> World {
    let mut world = World::new("2026-11-06 12:00", vec![with_end(load("0 3 * * *"), "2026-11-02 12:00")]);
    world.settle(succeed);
    world.announce_over = 3;
    seen.edit(&mut world, load("0 3 * * *"));
    world
}

/// The edits that wait for an operator, each with how many past dates it adds.
fn held_edits(world: &World) -> String {
    let held = world.notes.iter().filter_map(|note| match note {
        Notification::EditHeld { job, past, .. } => Some(format!("{job}: {past}")),
        _ => None,
    });
    held.collect::<Vec<_>>().join(", ")
}

#[test]
fn an_edit_that_adds_more_past_dates_than_announce_over_is_held() {
    let story = each_way(|seen| {
        let mut world = held(seen);
        let held = held_edits(&world);
        world.pass("2026-11-07 12:00");
        let request = world.answer_to("load", Operation::Run { date: None, force: true });
        let plain = world.answer_to("load", Operation::Enable(Enabling::Plain));
        format!("{held}\n{}\n{request}\n{plain}\n{}", world.take_started(), rows(&world))
    });
    assert_snapshot!(story, @"
    load: 4

    refused (0): an edit of `load` waits for a decision: first run `crontabber enable load` with `--catch-up`, `--skip-missed` or `--skip-to DATE`
    refused (0): job `load` has a backlog of 5 dates from 2026-11-03T03:00:00+00:00 on: say `--catch-up`, `--skip-missed` or `--skip-to DATE`
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    ");
}

#[test]
fn an_edit_that_adds_as_many_past_dates_as_announce_over_is_not_held() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-05 12:00", vec![with_end(load("0 3 * * *"), "2026-11-02 12:00")]);
        world.settle(succeed);
        world.announce_over = 3;
        seen.edit(&mut world, load("0 3 * * *"));
        let held = held_edits(&world);
        world.settle(succeed);
        format!("{held}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    2026-11-05 03:00 succeeded
    ");
}

#[test]
fn a_long_downtime_without_an_edit_is_not_held() {
    let mut world = World::new("2026-11-02 12:00", vec![load("0 3 * * *")]);
    world.settle(succeed);
    world.announce_over = 3;
    world.now = at("2026-11-12 12:00");
    Seen::AtStart.edit(&mut world, load("0 3 * * *"));
    assert_eq!(held_edits(&world), "");
    // Nor if the edit moves the dates and adds none.
    world.settle(succeed);
    world.now = at("2026-11-22 12:00");
    Seen::AtStart.edit(&mut world, load("0 5 * * *"));
    assert_eq!(held_edits(&world), "");
    world.settle(succeed);
    assert_eq!(world.rows.sessions.values().filter(|row| row.state == State::Succeeded).count(), 22);
}

#[test]
fn enable_with_catch_up_runs_what_the_edit_adds() {
    let story = each_way(|seen| {
        let mut world = held(seen);
        let answer = world.answer_to("load", Operation::Enable(Enabling::CatchUp));
        world.settle(succeed);
        world.pass_and_settle("2026-11-07 12:00", succeed);
        format!("{answer}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    done (4): job `load` is enabled; 4 dates are attempted now
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 succeeded
    2026-11-04 03:00 succeeded
    2026-11-05 03:00 succeeded
    2026-11-06 03:00 succeeded
    2026-11-07 03:00 succeeded
    ");
}

#[test]
fn enable_with_skip_missed_skips_what_the_edit_adds() {
    let story = each_way(|seen| {
        let mut world = held(seen);
        let answer = world.answer_to("load", Operation::Enable(Enabling::SkipMissed));
        world.settle(succeed);
        world.pass_and_settle("2026-11-07 12:00", succeed);
        format!("{answer}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    done (4): job `load` is enabled; skipped: 4 dates from 2026-11-03T03:00:00+00:00 to 2026-11-06T03:00:00+00:00
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 skipped: operator
    2026-11-04 03:00 skipped: operator
    2026-11-05 03:00 skipped: operator
    2026-11-06 03:00 skipped: operator
    2026-11-07 03:00 succeeded
    ");
}

#[test]
fn enable_with_skip_to_runs_what_the_edit_adds_from_there_on() {
    let story = each_way(|seen| {
        let mut world = held(seen);
        let answer = world.answer_to("load", Operation::Enable(Enabling::SkipTo(at("2026-11-05 00:00"))));
        world.settle(succeed);
        world.pass_and_settle("2026-11-07 12:00", succeed);
        format!("{answer}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    done (2): job `load` is enabled; skipped: 2 dates from 2026-11-03T03:00:00+00:00 to 2026-11-04T03:00:00+00:00; 2 dates are attempted now
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    2026-11-03 03:00 skipped: operator
    2026-11-04 03:00 skipped: operator
    2026-11-05 03:00 succeeded
    2026-11-06 03:00 succeeded
    2026-11-07 03:00 succeeded
    ");
}

#[test]
fn an_operator_decides_on_dates_before_the_first_one_too() {
    for enabling in [Enabling::CatchUp, Enabling::SkipMissed, Enabling::SkipTo(at("2026-11-03 00:00"))] {
        let story = each_way(|seen| {
            let mut world = World::new("2026-11-06 12:00", vec![load_from("2026-11-06 00:00", "0 3 * * *")]);
            world.settle(succeed);
            world.announce_over = 3;
            seen.edit(&mut world, load("0 3 * * *"));
            assert_eq!(held_edits(&world), "load: 5");
            let answer = world.answer_to("load", Operation::Enable(enabling));
            world.settle(succeed);
            format!("{answer}\n{}", rows(&world))
        });
        match enabling {
            Enabling::CatchUp => assert_snapshot!(story, @"
            done (5): job `load` is enabled; 5 dates are attempted now
            2026-11-01 03:00 succeeded
            2026-11-02 03:00 succeeded
            2026-11-03 03:00 succeeded
            2026-11-04 03:00 succeeded
            2026-11-05 03:00 succeeded
            2026-11-06 03:00 succeeded
            "),
            Enabling::SkipMissed => assert_snapshot!(story, @"
            done (5): job `load` is enabled; skipped: 5 dates from 2026-11-01T03:00:00+00:00 to 2026-11-05T03:00:00+00:00
            2026-11-01 03:00 skipped: operator
            2026-11-02 03:00 skipped: operator
            2026-11-03 03:00 skipped: operator
            2026-11-04 03:00 skipped: operator
            2026-11-05 03:00 skipped: operator
            2026-11-06 03:00 succeeded
            "),
            _ => assert_snapshot!(story, @"
            done (2): job `load` is enabled; skipped: 2 dates from 2026-11-01T03:00:00+00:00 to 2026-11-02T03:00:00+00:00; 3 dates are attempted now
            2026-11-01 03:00 skipped: operator
            2026-11-02 03:00 skipped: operator
            2026-11-03 03:00 succeeded
            2026-11-04 03:00 succeeded
            2026-11-05 03:00 succeeded
            2026-11-06 03:00 succeeded
            "),
        }
    }
}

#[test]
fn an_edit_that_is_taken_back_is_no_longer_held() {
    let story = each_way(|seen| {
        let mut world = held(seen);
        seen.edit(&mut world, with_end(load("0 3 * * *"), "2026-11-02 12:00"));
        let answer = world.answer_to("load", Operation::Enable(Enabling::Plain));
        world.pass_and_settle("2026-11-08 12:00", succeed);
        format!("{answer}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    done (0): job `load` is not disabled: nothing was changed
    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    ");
}

#[test]
fn a_held_edit_is_said_once() {
    let mut world = held(Seen::ByReload);
    assert_eq!(held_edits(&world), "load: 4");
    Seen::ByReload.edit(&mut world, load("0 3 * * *"));
    assert_eq!(held_edits(&world), "");
}

#[test]
fn an_edit_of_the_zone_of_a_job_that_has_caught_up_is_not_held() {
    let mut world = World::new("2026-11-01 12:00", vec![load("0 3 * * *")]);
    world.pass_and_settle("2026-11-20 12:00", succeed);
    world.announce_over = 0;
    Seen::ByReload.edit(&mut world, load_in(chrono_tz::Asia::Tokyo, "0 3 * * *"));
    assert_eq!(held_edits(&world), "");
}

#[test]
fn a_start_moved_back_before_any_date_was_due_is_held() {
    let story = each_way(|seen| {
        let mut world = World::new("2026-11-06 12:00", vec![load_from("2026-12-01 00:00", "0 3 * * *")]);
        world.announce_over = 3;
        seen.edit(&mut world, load("0 3 * * *"));
        let held = held_edits(&world);
        let plain = world.answer_to("load", Operation::Enable(Enabling::Plain));
        let answer = world.answer_to("load", Operation::Enable(Enabling::SkipTo(at("2026-11-05 00:00"))));
        world.settle(succeed);
        format!("{held}\n{plain}\n{answer}\n{}", rows(&world))
    });
    assert_snapshot!(story, @"
    load: 6
    refused (0): job `load` has a backlog of 6 dates from 2026-11-01T03:00:00+00:00 on: say `--catch-up`, `--skip-missed` or `--skip-to DATE`
    done (4): job `load` is enabled; skipped: 4 dates from 2026-11-01T03:00:00+00:00 to 2026-11-04T03:00:00+00:00; 2 dates are attempted now
    2026-11-01 03:00 skipped: operator
    2026-11-02 03:00 skipped: operator
    2026-11-03 03:00 skipped: operator
    2026-11-04 03:00 skipped: operator
    2026-11-05 03:00 succeeded
    2026-11-06 03:00 succeeded
    ");
}

#[test]
fn a_held_edit_still_waits_after_the_job_was_disabled_for_a_while() {
    let story = each_way(|seen| {
        let mut world = held(seen);
        world.request("load", Operation::Disable { until: Some(at("2026-11-07 00:00")) });
        world.notes.clear();
        world.pass_and_settle("2026-11-07 12:00", succeed);
        format!("{}\n{}\n{}", held_edits(&world), world.take_started(), rows(&world))
    });
    assert_snapshot!(story, @"
    load: 4

    2026-11-01 03:00 succeeded
    2026-11-02 03:00 succeeded
    ");
}
