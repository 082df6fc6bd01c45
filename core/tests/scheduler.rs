//! The scheduler's stories: the old crontabber's scenarios, its bugs, and the promises, without I/O.

#[path = "scheduler/found.rs"]
mod found;
#[path = "scheduler/limits.rs"]
mod limits;
#[path = "scheduler/memory.rs"]
mod memory;
#[path = "scheduler/operator.rs"]
mod operator;
#[path = "scheduler/promise.rs"]
mod promise;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use crontabber_core::job::{DatePolicy, JobName, OnLost, Retry};
use crontabber_core::schedule::{Schedule, Timetable};
use crontabber_core::scheduler::Notification;
use crontabber_core::session::{Operation, Outcome};
use insta::assert_snapshot;
use world::{World, at, backfill, fail, fail_on, job, succeed};

fn name(text: &str) -> JobName {
    JobName::new(text).expect("a name")
}

#[test]
fn first_run_of_an_ordinary_job_is_its_first_date_after_it_was_seen() {
    let mut world = World::new("2026-11-05 12:00", vec![job("hourly", "0 * * * *")]);
    world.pass("2026-11-05 12:59");
    assert_eq!(world.take_started(), "");
    world.pass("2026-11-05 13:00");
    assert_eq!(world.take_started(), "hourly 11-05T13:00");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("hourly"), @"11-05T13:00 succeeded (schedule, 1 attempts)");
}

#[test]
fn first_run_of_a_backfillable_job_is_every_date_since_its_start_in_order() {
    let mut world = World::new("2026-11-04 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T03:00, load 11-02T03:00, load 11-03T03:00, load 11-04T03:00");
    assert_snapshot!(world.rows_of("load"), @r"
    11-01T03:00 succeeded (catch-up, 1 attempts)
    11-02T03:00 succeeded (catch-up, 1 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    ");
    world.pass("2026-11-05 03:00");
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-05T03:00");
}

#[test]
fn a_dependency_that_failed_holds_the_same_date_and_no_earlier_one() {
    let mut clean = backfill("clean", "0 4 * * *", "2026-11-01 00:00");
    clean.depends_on = vec![name("load").into()];
    let load = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    let mut world = World::new("2026-11-03 12:00", vec![clean, load]);
    world.settle(fail_on("2026-11-02 03:00"));
    assert_eq!(world.take_started(), "load 11-01T03:00, clean 11-01T04:00, load 11-02T03:00");
    world.pass("2026-11-03 12:05");
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-02T03:00, clean 11-02T04:00, load 11-03T03:00, clean 11-03T04:00",);
}

#[test]
fn a_dependency_that_is_old_holds_the_date_until_it_has_caught_up() {
    let mut clean = backfill("clean", "0 2 * * *", "2026-11-01 00:00");
    clean.depends_on = vec![name("load").into()];
    let load = backfill("load", "0 1 * * *", "2026-11-01 00:00");
    let mut world = World::new("2026-11-02 00:00", vec![clean, load]);
    world.settle(succeed);
    world.take_started();
    world.pass("2026-11-02 02:30");
    assert_eq!(world.take_started(), "load 11-02T01:00", "the dependent waits while the dependency runs");
    world.settle(succeed);
    assert_eq!(world.take_started(), "clean 11-02T02:00");
}

#[test]
fn a_dependency_that_never_ran_holds_every_date() {
    let mut clean = backfill("clean", "0 * * * *", "2026-11-01 00:00");
    clean.depends_on = vec![name("load").into()];
    let mut world = World::new("2026-11-01 05:30", vec![clean, job("load", "0 12 * * *")]);
    world.pass("2026-11-01 11:59");
    assert_eq!(world.take_started(), "");
    world.pass("2026-11-01 12:00");
    world.settle(succeed);
    assert!(world.take_started().starts_with("load 11-01T12:00, clean 11-01T00:00, clean 11-01T01:00"));
}

#[test]
fn failing_midway_resumes_at_the_failed_date_and_goes_on_in_order() {
    let jobs = vec![backfill("foo", "0 3 * * *", "2026-11-02 00:00")];
    let mut world = World::new("2026-11-02 03:00", jobs);
    world.settle(succeed);
    world.pass("2026-11-03 03:00");
    world.settle(fail);
    world.take_started();
    world.pass("2026-11-03 03:04");
    // Down until Thursday.
    world.now = at("2026-11-05 09:00");
    world.crash();
    world.settle(fail_on("2026-11-04 03:00"));
    assert_eq!(world.take_started(), "foo 11-03T03:00, foo 11-04T03:00", "Wednesday's failure holds Thursday");
    assert_snapshot!(world.rows_of("foo"), @r"
    11-02T03:00 succeeded (schedule, 1 attempts)
    11-03T03:00 succeeded (schedule, 2 attempts)
    11-04T03:00 failed until 11-05T09:05:00 (catch-up, 1 attempts)
    11-05T03:00 waiting (catch-up, 0 attempts)
    ");
    world.pass("2026-11-05 09:05");
    world.settle(succeed);
    assert_eq!(world.take_started(), "foo 11-04T03:00, foo 11-05T03:00");
}

#[test]
fn an_error_is_retried_sooner_than_the_next_date() {
    let mut world = World::new("2026-11-05 02:00", vec![job("daily", "0 3 * * *")]);
    world.pass("2026-11-05 03:00");
    world.settle(fail);
    world.take_started();
    world.pass("2026-11-05 03:04");
    assert_eq!(world.take_started(), "");
    world.pass("2026-11-05 03:05");
    assert_eq!(world.take_started(), "daily 11-05T03:00");
}

#[test]
fn retries_back_off_up_to_their_limit_and_are_held_when_used_up() {
    let mut flaky = job("flaky", "0 3 * * *");
    let (after, at_most) = (Duration::from_mins(1), Some(Duration::from_secs(200)));
    flaky.retry = Retry { after, factor: 2.0, at_most, attempts: Some(4) };
    let mut world = World::new("2026-11-05 02:00", vec![flaky]);
    let mut seen = Vec::new();
    world.pass("2026-11-05 03:00");
    for _ in 0..4 {
        world.settle(fail);
        seen.push(world.rows_of("flaky"));
        let next = world.scheduler.next_wake().expect("a retry or a date").0;
        world.pass_to(next.min(at("2026-11-05 23:00")));
    }
    assert_snapshot!(seen.concat(), @r"
    11-05T03:00 failed until 11-05T03:01:00 (schedule, 1 attempts)
    11-05T03:00 failed until 11-05T03:03:00 (schedule, 2 attempts)
    11-05T03:00 failed until 11-05T03:06:20 (schedule, 3 attempts)
    11-05T03:00 held: its 4 attempts are used up, the last of them failed(1) (schedule, 4 attempts)
    ");
}

#[test]
fn a_slow_job_whose_start_drifts_keeps_its_dates() {
    let mut world = World::new("2026-11-05 10:00", vec![backfill("slow", "*/10 * * * *", "2026-11-05 10:00")]);
    world.pass("2026-11-05 10:14");
    world.settle(succeed);
    world.pass("2026-11-05 10:47");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("slow"), @r"
    11-05T10:00 succeeded (schedule, 1 attempts)
    11-05T10:10 succeeded (schedule, 1 attempts)
    11-05T10:20 succeeded (schedule, 1 attempts)
    11-05T10:30 succeeded (schedule, 1 attempts)
    11-05T10:40 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn a_reset_job_starts_as_if_it_had_never_run() {
    let mut world = World::new("2026-11-02 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    world.take_started();
    world.request("load", Operation::Reset { to: None });
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T03:00, load 11-02T03:00");
    let Some(Notification::Answered { text, done, .. }) =
        world.notes.iter().find(|note| matches!(note, Notification::Answered { .. }))
    else {
        panic!("no answer")
    };
    assert!(*done);
    assert_snapshot!(text, @"job `load` is reset: 2 dates from 2026-11-01T03:00:00+00:00 on are attempted again");
    assert_eq!(world.rows.sessions.len(), 4, "the old generation is kept");
}

#[test]
fn a_reset_while_an_attempt_runs_waits_for_it() {
    let mut world = World::new("2026-11-01 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.request("load", Operation::Reset { to: None });
    assert_eq!(world.take_started(), "load 11-01T03:00");
    world.settle(
        |start| if start.attempt.session.generation == 1 { Outcome::Failed { code: 1 } } else { Outcome::Succeeded },
    );
    assert_eq!(world.take_started(), "load 11-01T03:00");
    assert_snapshot!(world.rows_of("load"), @"11-01T03:00 succeeded (catch-up, 1 attempts)");
}

#[test]
fn the_first_failing_date_of_a_new_job_is_retried() {
    let mut world = World::new("2026-11-01 12:00", vec![backfill("new", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(fail);
    world.pass("2026-11-01 12:05");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("new"), @"11-01T03:00 succeeded (catch-up, 2 attempts)");
}

#[test]
fn a_lock_25_hours_old_is_25_hours_old() {
    let mut world = World::new("2026-11-01 12:00", vec![backfill("stuck", "0 3 * * *", "2026-11-01 00:00")]);
    world.pass("2026-11-02 13:00");
    let open = world.rows.recovered().open;
    assert_eq!(world.now - open[0].started_at, chrono::TimeDelta::hours(25));
    // It holds its own job for as long as it runs, and is lost only when its process is seen to be gone.
    assert_eq!(world.take_started(), "stuck 11-01T03:00");
}

#[test]
fn one_job_in_progress_does_not_stop_the_others() {
    let mut world = World::new("2026-11-01 12:00", vec![job("a", "* * * * *"), job("b", "* * * * *")]);
    world.pass("2026-11-01 12:01");
    let b = world.running.iter().find(|start| start.job.name.as_str() == "b").unwrap().attempt.clone();
    world.end_attempt(b, Outcome::Succeeded);
    world.pass("2026-11-01 12:02");
    assert_eq!(world.take_started(), "a 11-01T12:01, b 11-01T12:01, b 11-01T12:02");
}

#[test]
fn a_crash_in_the_middle_of_a_catch_up_repeats_no_date_that_succeeded() {
    let mut world = World::new("2026-11-10 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    for _ in 0..4 {
        let attempt = world.running[0].attempt.clone();
        world.end_attempt(attempt, Outcome::Succeeded);
    }
    world.take_started();
    world.crash();
    world.settle(succeed);
    // The fifth was open at the crash: it is lost, and attempted again at once.
    assert_eq!(
        world.take_started(),
        "load 11-05T03:00, load 11-06T03:00, load 11-07T03:00, load 11-08T03:00, load 11-09T03:00, load 11-10T03:00",
    );
}

#[test]
fn only_the_newest_due_date_of_an_ordinary_job_runs() {
    let mut world = World::new("2026-11-01 12:00", vec![job("hourly", "0 * * * *")]);
    world.pass("2026-11-01 13:00");
    world.settle(fail);
    world.now = at("2026-11-01 16:30");
    world.crash();
    world.settle(succeed);
    assert_snapshot!(world.rows_of("hourly"), @r"
    11-01T13:00 skipped: superseded (schedule, 1 attempts)
    11-01T14:00 skipped: superseded (catch-up, 0 attempts)
    11-01T15:00 skipped: superseded (catch-up, 0 attempts)
    11-01T16:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn an_ordinary_job_that_outlasts_its_dates_runs_the_newest_when_it_ends() {
    let mut world = World::new("2026-11-01 12:00", vec![job("slow", "*/10 * * * *")]);
    world.pass("2026-11-01 12:45");
    world.settle(fail);
    assert_eq!(world.take_started(), "slow 11-01T12:10, slow 11-01T12:40");
    assert_snapshot!(world.rows_of("slow"), @r"
    11-01T12:10 skipped: superseded (schedule, 1 attempts)
    11-01T12:20 skipped: superseded (schedule, 0 attempts)
    11-01T12:30 skipped: superseded (schedule, 0 attempts)
    11-01T12:40 failed until 11-01T12:50:00 (schedule, 1 attempts)
    ");
}

#[test]
fn in_independent_order_a_failed_date_does_not_hold_the_later_ones() {
    let mut load = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    load.date_policy = DatePolicy::Independent { max_parallel: 1 };
    let mut world = World::new("2026-11-03 12:00", vec![load]);
    world.settle(fail_on("2026-11-01 03:00"));
    assert_snapshot!(world.rows_of("load"), @r"
    11-01T03:00 failed until 11-03T12:05:00 (catch-up, 1 attempts)
    11-02T03:00 succeeded (catch-up, 1 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn in_independent_order_a_date_whose_dependency_is_held_does_not_hold_the_retry_of_another() {
    let mut load = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    load.retry.attempts = Some(1);
    let mut free = backfill("free", "0 4 * * *", "2026-11-01 00:00");
    (free.date_policy, free.depends_on) = (DatePolicy::Independent { max_parallel: 1 }, vec![name("load").into()]);
    let mut world = World::new("2026-11-03 12:00", vec![free, load]);
    world.settle(|start| match (start.attempt.session.job.as_str(), start.attempt.session.date) {
        ("load", date) if date < at("2026-11-02 00:00") => Outcome::Succeeded,
        _ => Outcome::Failed { code: 1 },
    });
    assert_eq!(world.take_started(), "load 11-01T03:00, free 11-01T04:00, load 11-02T03:00", "load is held on Monday");
    world.pass("2026-11-03 12:05");
    assert_eq!(world.take_started(), "free 11-01T04:00", "and Sunday is tried again");
}

#[test]
fn a_job_far_behind_does_not_hold_back_the_others() {
    let jobs = vec![
        backfill("big", "* * * * *", "2026-11-01 00:00"),
        backfill("small", "0 0 * * *", "2026-11-01 00:00"),
        backfill("tiny", "0 0 * * *", "2026-11-03 00:00"),
    ];
    let mut world = World::new("2026-10-31 00:00", jobs);
    world.max_running = 1;
    world.scheduler.set_max_running(1);
    world.pass("2026-11-04 12:00");
    for _ in 0..8 {
        let attempt = world.running[0].attempt.clone();
        world.end_attempt(attempt, Outcome::Succeeded);
    }
    let started = world.take_started();
    assert_snapshot!(started.replace(", ", "\n"), @r"
    big 11-01T00:00
    small 11-01T00:00
    tiny 11-03T00:00
    big 11-01T00:01
    small 11-02T00:00
    tiny 11-04T00:00
    big 11-01T00:02
    small 11-03T00:00
    big 11-01T00:03
    ");
}

#[test]
fn more_dates_than_fit_in_a_window_all_run_once_in_order() {
    let mut world = World::new("2026-11-03 12:00", vec![backfill("big", "* * * * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    let expected = 2 * 1440 + 12 * 60 + 1;
    assert_eq!(world.started.len(), expected);
    assert_eq!(world.rows.sessions.len(), expected);
    assert!(world.started.is_sorted());
}

#[test]
fn max_running_bounds_what_runs_at_once() {
    let jobs = (0..10).map(|n| job(&format!("j{n}"), "* * * * *")).collect();
    let mut world = World::new("2026-11-01 12:00", jobs);
    world.scheduler.set_max_running(3);
    world.pass("2026-11-01 12:01");
    assert_eq!(world.running.len(), 3);
    world.settle(succeed);
    assert_eq!(world.started.len(), 10);
}

#[test]
fn a_changed_schedule_takes_effect_when_it_is_read() {
    let mut world = World::new("2026-11-01 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    // Down for two days; the registry that is read then has another schedule.
    world.now = at("2026-11-03 12:00");
    world.jobs = vec![backfill("load", "0 */6 * * *", "2026-11-01 00:00")];
    world.crash();
    world.settle(succeed);
    world.pass("2026-11-03 18:00");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @r"
    11-01T03:00 succeeded (catch-up, 1 attempts)
    11-02T03:00 succeeded (catch-up, 1 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-03T18:00 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn a_shorter_delay_loses_no_date_that_was_not_due_yet() {
    let with_delay = |hours: u64| {
        let mut load = backfill("load", "0 * * * *", "2026-11-01 00:00");
        let (schedule, start) = (load.timetable.schedule().clone(), load.timetable.start());
        load.timetable = Timetable::new(schedule, start, None, Duration::from_secs(hours * 3600));
        load
    };
    let mut world = World::new("2026-11-01 05:30", vec![with_delay(3)]);
    world.settle(succeed);
    world.reload(vec![with_delay(0)]);
    world.settle(succeed);
    world.reload(vec![with_delay(2)]);
    world.pass("2026-11-01 08:00");
    world.settle(succeed);
    assert_eq!(world.started.len(), 7);
    assert_eq!(world.rows.sessions.len(), 7, "00:00 to 06:00, none twice, none lost");
}

#[test]
fn a_start_moved_back_adds_the_dates_before() {
    let mut world = World::new("2026-11-03 12:00", vec![backfill("load", "0 3 * * *", "2026-11-03 00:00")]);
    world.settle(succeed);
    world.reload(vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-03T03:00, load 11-01T03:00, load 11-02T03:00");
}

#[test]
fn a_longer_end_does_not_replay_the_time_since() {
    let until = |end: &str| {
        let mut load = backfill("load", "0 3 * * *", "2026-11-01 00:00");
        let (schedule, start) = (load.timetable.schedule().clone(), load.timetable.start());
        load.timetable = Timetable::new(schedule, start, Some(at(end)), Duration::ZERO);
        load
    };
    let mut world = World::new("2026-11-02 12:00", vec![until("2026-11-02 23:59")]);
    world.pass("2026-11-08 12:00");
    world.settle(succeed);
    world.take_started();
    world.reload(vec![until("2026-11-30 00:00")]);
    world.pass("2026-11-09 03:00");
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-09T03:00");
}

#[test]
fn a_ghost_keeps_its_ledger_and_comes_back_where_it_was() {
    let load = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    let mut world = World::new("2026-11-01 12:00", vec![load.clone()]);
    world.settle(succeed);
    world.reload(vec![]);
    world.pass("2026-11-03 12:00");
    assert_eq!(world.take_started(), "load 11-01T03:00");
    world.reload(vec![load]);
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-02T03:00, load 11-03T03:00");
}

#[test]
fn a_disabled_job_keeps_its_clock() {
    let mut load = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    load.enabled = false;
    let mut world = World::new("2026-11-03 12:00", vec![load.clone()]);
    assert_eq!(world.take_started(), "");
    load.enabled = true;
    world.reload(vec![load]);
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T03:00, load 11-02T03:00, load 11-03T03:00");
}

#[test]
fn a_lost_attempt_is_retried_at_once_or_held_as_the_job_says() {
    let mut hold = backfill("hold", "0 3 * * *", "2026-11-01 00:00");
    hold.on_lost = OnLost::Hold;
    let retry = backfill("retry", "0 3 * * *", "2026-11-01 00:00");
    let mut world = World::new("2026-11-01 12:00", vec![hold, retry]);
    world.crash();
    assert_eq!(world.running.len(), 1);
    assert_snapshot!(world.rows_of("hold"), @r#"11-01T03:00 held: the outcome of attempt 1 is unknown, and the job has on_lost = "hold" (catch-up, 1 attempts)"#);
    assert_snapshot!(world.rows_of("retry"), @"11-01T03:00 running (catch-up, 2 attempts)");
}

#[test]
fn what_our_stop_interrupts_uses_up_no_attempt() {
    let mut once = backfill("once", "0 3 * * *", "2026-11-01 00:00");
    once.retry.attempts = Some(1);
    let mut world = World::new("2026-11-01 12:00", vec![once]);
    let attempt = world.running[0].attempt.clone();
    world.end_attempt(attempt, Outcome::Interrupted);
    world.settle(succeed);
    assert_snapshot!(world.rows_of("once"), @"11-01T03:00 succeeded (catch-up, 2 attempts)");
}

#[test]
fn a_clock_set_back_an_hour_records_nothing_twice_and_shortens_no_promise() {
    let mut world = World::new("2026-11-01 12:30", vec![backfill("load", "*/30 * * * *", "2026-11-01 12:00")]);
    world.settle(fail_on("2026-11-01 12:30"));
    world.now = at("2026-11-01 11:31");
    world.pass("2026-11-01 11:36");
    world.settle(succeed);
    world.pass("2026-11-01 13:00");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @r"
    11-01T12:00 succeeded (catch-up, 1 attempts)
    11-01T12:30 succeeded (schedule, 2 attempts)
    11-01T13:00 succeeded (schedule, 1 attempts)
    ");
    assert!(world.notes.iter().any(|note| matches!(note, Notification::ClockSetBack { .. })));
}

#[test]
fn a_clock_set_forward_a_year_and_back_loses_nothing_and_says_so() {
    let mut world = World::new("2026-11-01 12:00", vec![backfill("load", "0 3 1 * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    world.pass("2027-11-01 12:00");
    world.settle(succeed);
    assert_eq!(world.started.len(), 13);
    world.now = at("2026-11-01 12:00");
    world.crash();
    assert_eq!(world.started.len(), 13);
    assert!(world.notes.iter().any(|note| matches!(note, Notification::WatermarkAhead { .. })));
}

#[test]
fn an_operators_run_of_an_ordinary_job_is_a_session_of_its_own() {
    let mut world = World::new("2026-11-01 12:10", vec![job("hourly", "0 * * * *")]);
    world.request("hourly", Operation::Run { date: None, force: false });
    world.settle(succeed);
    world.pass("2026-11-01 13:00");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("hourly"), @r"
    11-01T12:10 succeeded (manual, 1 attempts)
    11-01T13:00 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn an_operators_run_of_a_backfillable_job_is_its_next_date_only() {
    let mut world = World::new("2026-11-03 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(fail);
    world.take_started();
    let run = |date: Option<&str>| Operation::Run { date: date.map(at), force: false };
    world.request("load", run(Some("2026-11-02 03:00")));
    world.request("load", run(Some("2026-11-02 04:00")));
    assert_eq!(world.take_started(), "");
    world.request("load", run(None));
    world.request("load", run(None));
    assert_eq!(world.take_started(), "load 11-01T03:00");
    world.settle(succeed);
    world.request("load", run(Some("2026-11-01 03:00")));
    world.request("load", run(None));
    let answers: Vec<&str> = world
        .notes
        .iter()
        .filter_map(|note| if let Notification::Answered { text, .. } = note { Some(text.as_str()) } else { None })
        .collect();
    assert_snapshot!(answers.join("\n"), @r"
    2026-11-02T03:00:00+00:00 is not the next date of `load`: 2026-11-01T03:00:00+00:00 comes first, since its dates run in strict order
    2026-11-02T04:00:00+00:00 is not a date of `load`; the nearest are 2026-11-02T03:00:00+00:00 and 2026-11-03T03:00:00+00:00
    attempt 2 of `load` at 2026-11-01T03:00:00+00:00 started
    job `load` is running: attempt 2 at 2026-11-01T03:00:00+00:00 is open
    2026-11-01T03:00:00+00:00 of `load` is settled; a date is not given to its job twice, but by `crontabber retry --again`
    every date of `load` that is due is settled; the next is 2026-11-04T03:00:00+00:00
    ");
}

#[test]
fn a_dependency_that_settles_by_superseding_wakes_its_dependent() {
    let mut daily = backfill("daily", "0 10 * * *", "2026-11-01 00:00");
    daily.depends_on = vec![name("hourly").into()];
    let mut hourly = job("hourly", "0 * * * *");
    hourly.retry.after = Duration::from_hours(2);
    let mut world = World::new("2026-11-01 08:30", vec![daily, hourly]);
    world.pass("2026-11-01 09:00");
    world.settle(succeed);
    world.pass("2026-11-01 10:00");
    world.settle(fail);
    world.take_started();
    world.pass("2026-11-01 11:00");
    assert_eq!(world.take_started(), "daily 11-01T10:00, hourly 11-01T11:00");
}

#[test]
fn an_ordinary_job_is_run_by_hand_as_often_as_one_likes() {
    let mut world = World::new("2026-11-01 12:10", vec![job("hand", "0 3 * * *")]);
    for _ in 0..3 {
        world.request("hand", Operation::Run { date: None, force: false });
        world.settle(succeed);
    }
    assert_eq!(world.started.len(), 3);
    world.request("hand", Operation::Run { date: Some(at("2026-11-02 03:00")), force: true });
    assert_eq!(world.started.len(), 3, "a date in the future is nobody's to give");
}

#[test]
fn in_independent_order_dates_that_fail_again_and_again_starve_no_other() {
    let mut load = backfill("load", "0 * * * *", "2026-11-01 00:00");
    load.date_policy = DatePolicy::Independent { max_parallel: 1 };
    load.retry.after = Duration::from_mins(1);
    let mut world = World::new("2026-11-01 01:30", vec![load]);
    // Each attempt takes longer than the wait for a retry.
    for _ in 0..60 {
        world.pass_to(world.now + chrono::TimeDelta::minutes(5));
        if let Some(start) = world.running.first().cloned() {
            let fails = start.attempt.session.date <= at("2026-11-01 01:00");
            world.end_attempt(start.attempt, if fails { Outcome::Failed { code: 1 } } else { Outcome::Succeeded });
        }
    }
    let rows = world.rows_of("load");
    assert!(rows.lines().filter(|row| row.contains("succeeded")).count() >= 4, "{rows}");
}

#[test]
fn a_start_moved_back_runs_no_date_before_it_is_due() {
    let from = |start: &str| {
        let load = backfill("load", "0 * * * *", start);
        let (schedule, start) = (load.timetable.schedule().clone(), load.timetable.start());
        let timetable = Timetable::new(schedule, start, None, Duration::from_hours(6));
        crontabber_core::job::Job { timetable, ..load }
    };
    let mut world = World::new("2026-11-01 12:00", vec![from("2026-11-01 11:30")]);
    world.reload(vec![from("2026-11-01 04:00")]);
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T04:00, load 11-01T05:00, load 11-01T06:00");
    world.pass("2026-11-01 14:30");
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T07:00, load 11-01T08:00");
}

#[test]
fn a_clock_set_back_starts_nothing_that_is_not_due_any_more() {
    let mut world = World::new("2026-11-01 12:30", vec![backfill("load", "0 * * * *", "2026-11-01 12:00")]);
    world.pass("2026-11-01 18:30");
    world.now = at("2026-11-01 13:30");
    world.handle(crontabber_core::scheduler::Event::Tick);
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T12:00, load 11-01T13:00");
    world.pass("2026-11-01 14:00");
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T14:00");
}

#[test]
fn a_schedule_that_changes_while_its_clock_is_ahead_ends_at_the_clock() {
    let mut world = World::new("2026-11-01 12:30", vec![backfill("load", "0 * * * *", "2026-11-01 12:00")]);
    world.pass("2026-11-01 18:30");
    world.settle(succeed);
    world.take_started();
    world.now = at("2026-11-01 13:30");
    world.reload(vec![backfill("load", "*/30 * * * *", "2026-11-01 12:00")]);
    assert_eq!(
        world.rows.jobs[&name("load")].timetable_from,
        at("2026-11-01 18:00"),
        "up to there the dates are the old ones"
    );
    world.pass("2026-11-01 18:30");
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T18:30");
}

#[test]
fn a_backlog_beyond_the_window_is_counted_whole() {
    let start = "2026-11-01 00:00";
    let mut world = World::new("2026-11-03 00:00", vec![backfill("big", "* * * * *", start)]);
    world.settle(fail);
    assert_eq!(world.scheduler.view(&name("big")).unwrap().backlog, 2881);
    world.crash();
    assert_eq!(world.scheduler.view(&name("big")).unwrap().backlog, 2881);
}

#[test]
fn a_date_of_the_schedule_before_is_told_its_own_neighbours() {
    let mut world = World::new("2026-11-02 06:00", vec![backfill("load", "0 */6 * * *", "2026-11-02 00:00")]);
    world.settle(succeed);
    world.now = at("2026-11-03 00:30");
    world.jobs = vec![backfill("load", "0 9 * * *", "2026-11-02 00:00")];
    world.crash();
    let start = &world.running[0];
    assert_eq!(start.attempt.session.date, at("2026-11-02 12:00"));
    assert_eq!((start.previous, start.next), (Some(at("2026-11-02 06:00")), Some(at("2026-11-02 18:00"))));
}

#[test]
fn a_job_that_is_no_longer_backfillable_runs_its_newest_date_only() {
    let mut world = World::new("2026-11-05 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(fail);
    world.take_started();
    let mut load = backfill("load", "0 3 * * *", "2026-11-01 00:00");
    load.date_policy = DatePolicy::NewestOnly;
    world.reload(vec![load]);
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-05T03:00");
}

#[test]
fn ten_thousand_jobs_cost_nothing_while_nothing_is_due() {
    let jobs = (0..10_000).map(|n| job(&format!("job{n}"), &format!("{} 3 * * *", n % 60))).collect();
    let mut world = World::new("2026-11-01 12:00", jobs);
    let since = std::time::Instant::now();
    for _ in 0..100_000 {
        world.handle(crontabber_core::scheduler::Event::Tick);
    }
    let per_tick = since.elapsed() / 100_000;
    assert!(per_tick < Duration::from_micros(50), "{per_tick:?} a tick");
}

#[test]
fn a_crash_at_any_event_keeps_the_promises() {
    for seed in 0..60_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut roll = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let start = "2026-11-01 00:00";
        let mut clean = backfill("clean", "30 */2 * * *", start);
        clean.depends_on = vec![name("load").into()];
        let mut free = backfill("free", "15 * * * *", start);
        free.date_policy = DatePolicy::Independent { max_parallel: 1 };
        let jobs = vec![backfill("load", "0 * * * *", start), clean, free, job("plain", "*/20 * * * *")];
        let mut world = World::new("2026-11-01 06:00", jobs.clone());
        for _ in 0..300 {
            match roll(10) {
                0 => world.crash(),
                1 => {
                    world.now += chrono::TimeDelta::minutes(i64::try_from(roll(300)).unwrap());
                    world.crash();
                }
                2 => {
                    let every = ["0 * * * *", "*/30 * * * *", "10 */3 * * *"][usize::try_from(roll(3)).unwrap()];
                    let mut jobs = world.jobs.clone();
                    let schedule = Schedule::crontab(every, chrono_tz::UTC).unwrap();
                    jobs[0].timetable =
                        Timetable::new(schedule, Some(at(start)), None, Duration::from_secs(60 * roll(90)));
                    world.reload(jobs);
                }
                3 | 4 => {
                    let minutes = i64::try_from(roll(90)).unwrap();
                    world.pass_to(world.now + chrono::TimeDelta::minutes(minutes));
                }
                _ => {
                    if let Some(start) = world.running.first() {
                        let attempt = start.attempt.clone();
                        let outcome = if roll(4) == 0 { Outcome::Failed { code: 1 } } else { Outcome::Succeeded };
                        world.end_attempt(attempt, outcome);
                    }
                }
            }
        }
        // In the end everything heals, in order, without anyone asking; a delay would leave a dependent waiting.
        world.reload(jobs.clone());
        world.pass_to(world.now + chrono::TimeDelta::hours(2));
        world.settle(succeed);
        world.pass_to(world.now + chrono::TimeDelta::minutes(6));
        world.settle(succeed);
        let unsettled = world.rows.recovered().sessions.len();
        assert_eq!(unsettled, 0, "seed {seed}: {unsettled} dates never settled");
    }
}

#[test]
fn what_operators_registries_and_clocks_do_keeps_the_promises() {
    for seed in 0..200_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut roll = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let minutes = |minutes: u64| chrono::TimeDelta::minutes(i64::try_from(minutes).unwrap());
        let mut free = backfill("free", "15 * * * *", "2026-11-01 00:00");
        free.date_policy = DatePolicy::Independent { max_parallel: 1 };
        let jobs = vec![backfill("load", "0 * * * *", "2026-11-01 00:00"), free, job("plain", "*/20 * * * *")];
        let mut world = World::new("2026-11-01 06:00", jobs);
        for _ in 0..200 {
            // No two moments are the same to the microsecond.
            world.now += chrono::TimeDelta::microseconds(i64::try_from(roll(999_999)).unwrap());
            let name = ["load", "free", "plain"][usize::try_from(roll(3)).unwrap()];
            match roll(16) {
                0 => world.crash(),
                1 => world.request(name, Operation::Reset { to: None }),
                2 => world.request(name, Operation::Run { date: None, force: roll(2) == 0 }),
                3 => {
                    // The clock is set, forward or back.
                    world.now = world.now + minutes(roll(400)) - minutes(roll(400));
                    world.handle(crontabber_core::scheduler::Event::Tick);
                }
                4 => {
                    let every = ["0 * * * *", "*/30 * * * *", "10 */3 * * *"][usize::try_from(roll(3)).unwrap()];
                    let start = ["2026-11-01 00:00", "2026-10-31 12:00"][usize::try_from(roll(2)).unwrap()];
                    let schedule = Schedule::crontab(every, chrono_tz::UTC).unwrap();
                    let delay = Duration::from_secs(60 * roll(90));
                    let mut jobs = world.jobs.clone();
                    jobs[0].timetable = Timetable::new(schedule, Some(at(start)), None, delay);
                    world.reload(jobs);
                }
                5..=8 => world.pass_to(world.now + minutes(roll(90))),
                _ => {
                    if let Some(start) = world.running.first() {
                        let attempt = start.attempt.clone();
                        let outcome = if roll(3) == 0 { Outcome::Failed { code: 1 } } else { Outcome::Succeeded };
                        world.end_attempt(attempt, outcome);
                    }
                }
            }
        }
    }
}
