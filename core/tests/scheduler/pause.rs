//! `pause` and `resume`: nothing is started, and dates are recorded.

use crontabber_core::job::Job;
use crontabber_core::scheduler::{BlockReason, Event, JobCondition, Notification, Wait};
use crontabber_core::session::{Operation, PauseScope, Retrying};
use insta::assert_snapshot;

use crate::fixtures::name;
use crate::world::*;

fn tagged(name: &str, tag: &str) -> Job {
    Job { tags: vec![tag.to_owned()], ..backfill(name, "0 3 * * *", "2026-11-01 00:00") }
}

fn pause(tag: Option<&str>, until: Option<&str>) -> Operation {
    Operation::Pause { scope: scope(tag), until: until.map(at) }
}

fn resume(tag: Option<&str>) -> Operation {
    Operation::Resume { scope: scope(tag) }
}

fn scope(tag: Option<&str>) -> PauseScope {
    tag.map_or(PauseScope::All, |tag| PauseScope::Tag(tag.to_owned()))
}

fn two() -> World {
    let mut world = World::new("2026-11-01 12:00", vec![tagged("clean", "day"), tagged("load", "night")]);
    world.settle(succeed);
    world.take_started();
    world
}

#[test]
fn a_pause_of_everything_records_dates_and_runs_them_in_order_when_it_ends() {
    let mut world = two();
    assert_snapshot!(world.answer_about_pause(pause(None, None)), @"done (0): all jobs are paused (2 jobs): no new attempt starts; due dates are recorded, and run in order when the pause ends; `crontabber resume` ends it");
    world.pass("2026-11-04 12:00");
    world.settle(succeed);
    assert_eq!(world.take_started(), "");
    assert_eq!(world.rows_of("load").lines().filter(|row| row.contains("waiting")).count(), 3);
    world.assert_memory_is_as_loaded();
    let view = world.scheduler.view(&name("load")).unwrap();
    assert_eq!((view.state, view.backlog), (JobCondition::Paused, 3));
    let waits = world.scheduler.explain(&name("load"), at("2026-11-02 03:00")).unwrap().waits;
    assert!(
        matches!(waits.as_slice(), [Wait::For(BlockReason::Paused { pause, .. })] if pause.user == "ann"),
        "{waits:?}"
    );
    // It survives a restart, which says so.
    world.crash();
    world.settle(succeed);
    assert_eq!(world.take_started(), "");
    assert!(world.notes.iter().any(|note| matches!(note, Notification::Paused { jobs: 2, waiting: 6, .. })));
    assert_snapshot!(world.answer_about_pause(resume(None)), @"done (0): all jobs are resumed (2 jobs): 6 due dates run now, in order");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"clean 11-02T03:00, load 11-02T03:00, clean 11-03T03:00, load 11-03T03:00, clean 11-04T03:00, load 11-04T03:00");
    assert_snapshot!(world.answer_about_pause(resume(None)), @"done (0): there is no pause of all jobs: nothing was changed");
}

#[test]
fn a_pause_of_a_tag_is_about_the_jobs_that_have_it_now() {
    let mut world = two();
    assert_eq!(
        world.answer_about_pause(pause(Some("knight"), None)),
        "refused (0): no job of the registry has the tag `knight`"
    );
    world.answer_about_pause(pause(Some("night"), None));
    world.pass("2026-11-02 12:00");
    world.settle(succeed);
    assert_eq!(world.take_started(), "clean 11-02T03:00");
    world.reload(vec![tagged("clean", "night"), tagged("load", "day")]);
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-02T03:00");
    world.pass("2026-11-03 12:00");
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-03T03:00");
    // A pause of everything is another one.
    world.answer_about_pause(pause(None, None));
    assert_snapshot!(world.answer_about_pause(resume(None)), @"done (0): all jobs are resumed (2 jobs): no due date waits; still paused: all jobs with the tag `night` (`crontabber resume --tag night`)");
    world.settle(succeed);
    assert_eq!(world.take_started(), "");
    world.answer_about_pause(resume(Some("night")));
    world.settle(succeed);
    assert_eq!(world.take_started(), "clean 11-03T03:00");
}

#[test]
fn a_pause_ends_at_its_time_and_another_one_replaces_it() {
    let mut world = two();
    assert_eq!(
        world.answer_about_pause(pause(None, Some("2026-11-01 11:00"))),
        "refused (0): 2026-11-01T11:00:00+00:00 is not in the future"
    );
    world.answer_about_pause(pause(None, Some("2026-11-09 12:00")));
    assert_snapshot!(world.answer_about_pause(pause(None, Some("2026-11-03 12:00"))), @"done (0): all jobs are paused (2 jobs), which replaces the pause before: no new attempt starts; due dates are recorded, and run in order when the pause ends; it ends at 2026-11-03T12:00:00+00:00, or with `crontabber resume`");
    let next = world.scheduler.explain(&name("load"), at("2026-11-02 03:00")).unwrap().next_attempt;
    assert_eq!(next, Some(at("2026-11-03 12:00")));
    world.pass("2026-11-03 11:59");
    world.settle(succeed);
    assert_eq!(world.take_started(), "");
    world.pass_and_settle("2026-11-03 12:00", succeed);
    assert_snapshot!(world.take_started(), @"clean 11-02T03:00, load 11-02T03:00, clean 11-03T03:00, load 11-03T03:00");
    assert!(world.notes.iter().any(|note| matches!(note, Notification::PauseOver { .. })));
    assert!(world.rows.pauses.is_empty());
    // One that has ended while no daemon ran ends at the start.
    world.answer_about_pause(pause(None, Some("2026-11-05 12:00")));
    world.now = at("2026-11-06 12:00");
    world.crash();
    world.settle(succeed);
    assert_eq!(world.rows_of("load").lines().filter(|row| row.contains("succeeded")).count(), 6);
}

#[test]
fn what_an_operator_orders_waits_and_a_forced_run_does_not() {
    let mut world = two();
    world.pass("2026-11-02 03:00");
    world.end_first(crontabber_core::session::Outcome::Failed { code: 1 });
    world.end_first(crontabber_core::session::Outcome::Succeeded);
    world.take_started();
    world.answer_about_pause(pause(None, None));
    let failed = if world.rows_of("load").contains("failed") { "load" } else { "clean" };
    let retry = Operation::Retry(Retrying::Date { date: at("2026-11-02 03:00"), again: false });
    assert_snapshot!(world.answer_to(failed, retry).replace(failed, "JOB"), @"done (1): 2026-11-02T03:00:00+00:00 of `JOB` runs again now; but the job is paused, and no new attempt starts: ann paused all jobs at 2026-11-02T03:00:00+00:00 (a migration); `crontabber resume` ends it");
    let run = |force| Operation::Run { date: None, force };
    assert_snapshot!(world.answer_to(failed, run(false)).replace(failed, "JOB"), @"refused (0): job `JOB` is paused: ann paused all jobs at 2026-11-02T03:00:00+00:00 (a migration); `crontabber resume` ends it; `--force` attempts it all the same");
    world.handle(Event::Tick);
    assert_eq!(world.take_started(), "");
    assert!(world.answer_to(failed, run(true)).starts_with("done (1): attempt 2"));
    assert_eq!(world.take_started(), format!("{failed} 11-02T03:00"));
}

#[test]
fn running_attempts_continue_during_a_pause() {
    let mut world = two();
    world.pass("2026-11-02 03:00");
    assert_snapshot!(world.answer_about_pause(pause(None, None)), @"done (0): all jobs are paused (2 jobs): no new attempt starts; 2 running attempts continue; due dates are recorded, and run in order when the pause ends; `crontabber resume` ends it");
    world.end_first(crontabber_core::session::Outcome::Succeeded);
    let again = world.answer_about_pause(pause(None, None));
    assert!(again.contains("no new attempt starts; 1 running attempt continues; due dates"), "{again}");
    world.settle(succeed);
    world.pass("2026-11-03 03:00");
    assert!(world.rows_of("load").contains("11-02T03:00 succeeded"), "{}", world.rows_of("load"));
    assert!(world.rows_of("clean").contains("11-02T03:00 succeeded"), "{}", world.rows_of("clean"));
}

#[test]
fn a_date_is_late_and_superseded_during_a_pause() {
    let newest = job("newest", "0 3 * * *");
    let expected = Job {
        expect_by: chrono::NaiveTime::from_hms_opt(4, 0, 0),
        ..backfill("load", "0 3 * * *", "2026-11-01 00:00")
    };
    let mut world = World::new("2026-11-01 12:00", vec![newest, expected]);
    world.settle(succeed);
    world.take_started();
    world.answer_about_pause(pause(None, None));
    world.pass("2026-11-04 12:00");
    assert_eq!(world.rows_of("newest").lines().filter(|row| row.contains("superseded")).count(), 2);
    assert!(world.notes.iter().any(|note| matches!(note, Notification::Late { .. })));
}
