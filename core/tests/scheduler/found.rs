//! What the simulation found, as stories: things that come between a question and its answer, and dates that were
//! overlooked.

use std::time::Duration;

use crontabber_core::job::{CatchUp, Command, DatePolicy, Dependency, Job, JobName, OnLost, Overlap, Retry, Template};
use crontabber_core::schedule::{Schedule, Timetable};
use crontabber_core::scheduler::Event;
use crontabber_core::session::{BackfillOrder, Only, Operation, Outcome, Retrying, Skipping};
use insta::assert_snapshot;

use crate::world::*;

fn load() -> World {
    World::new("2026-11-05 12:00", vec![backfill("load", "0 3 * * *", "2026-11-03 00:00")])
}

fn from(date: &str, only: Only, parallel: u32) -> Operation {
    let (from, to, count, newest_first, name) = (at(date), None, None, false, None);
    Operation::Backfill(BackfillOrder { from, to, count, only, newest_first, parallel, name })
}

fn asks(job: Job) -> Job {
    Job { done_when: Some(Command::Argv(vec![Template::parse("test").expect("a template")])), ..job }
}

fn fails_once(job: Job) -> Job {
    Job { retry: Retry { attempts: Some(1), ..Retry::default() }, ..job }
}

fn delayed(job: Job, hours: u64) -> Job {
    let timetable = Timetable::new(job.timetable.schedule().clone(), None, None, Duration::from_hours(hours));
    Job { timetable, ..job }
}

fn waits(world: &World, job: &str, date: &str) -> String {
    let explained =
        world.scheduler.explain(&JobName::new(job).expect("a name"), at(date)).expect("a date that is not settled");
    format!("{:?}", explained.waits)
}

#[test]
fn a_request_that_is_answered_while_it_is_read_again_is_not_answered_twice() {
    let mut world = load();
    world.ask(1, "load", Operation::Kill { date: None });
    let again = world.read(1, "load", Operation::Kill { date: None });
    let running = world.running[0].attempt.clone();
    world.end_attempt(running, Outcome::Cancelled);
    world.handle(Event::Request(again));
    assert_snapshot!(world.rows.answers[&1].text, @"`load`: attempt 1 at 2026-11-03T03:00:00+00:00 was ended, and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it");
}

#[test]
fn a_date_that_is_skipped_while_a_retry_is_read_keeps_the_numbers_of_its_attempts() {
    let mut world = load();
    let first = world.running[0].attempt.clone();
    world.end_attempt(first, Outcome::Failed { code: 1 });
    let date = at("2026-11-03 03:00");
    let skip = world.read(1, "load", Operation::Skip(Skipping::Date(date)));
    let retry = world.read(2, "load", Operation::Retry(Retrying::Date { date, again: false }));
    world.handle(Event::Request(skip));
    world.handle(Event::Request(retry));
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 succeeded (manual, 2 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn what_came_due_and_was_skipped_in_the_same_moment_is_repeated_and_not_entered_twice() {
    let mut job = backfill("load", "0 3 * * *", "2026-11-03 00:00");
    job.catch_up = CatchUp { max_age: None, max_dates: Some(1) };
    let mut world = World::new("2026-11-05 12:00", vec![job]);
    world.settle(succeed);
    world.now = at("2026-11-08 12:00");
    world.request("load", from("2026-11-05 12:00", Only::All, 1));
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 skipped: too-old (catch-up, 0 attempts)
    11-04T03:00 skipped: too-old (catch-up, 0 attempts)
    11-05T03:00 skipped: too-old (catch-up, 0 attempts)
    11-06T03:00 succeeded (backfill, 1 attempts)
    11-07T03:00 succeeded (backfill, 1 attempts)
    11-08T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn an_old_life_of_a_job_is_no_part_of_its_backfill() {
    let mut world = load();
    world.request("load", Operation::Reset { to: None });
    let asked = world.read(9, "load", from("2026-11-01 00:00", Only::All, 1));
    let old = world.running[0].attempt.clone();
    world.end_attempt(old, Outcome::Succeeded);
    world.handle(Event::Request(asked));
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-01T03:00 succeeded (backfill, 1 attempts)
    11-02T03:00 succeeded (backfill, 1 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn a_date_that_an_operator_attempts_wakes_those_that_waited_for_the_one_before_it() {
    let extract = fails_once(delayed(job("extract", "0 3 * * *"), 1));
    let mut load = backfill("load", "0 3 * * *", "2026-11-05 00:00");
    load.depends_on = vec![JobName::new("extract").unwrap().into()];
    let mut world = World::new("2026-11-05 02:00", vec![extract, load]);
    world.pass("2026-11-05 05:00");
    world.settle(fail);
    world.pass("2026-11-06 03:30");
    world.take_started();
    world.request("extract", Operation::Run { date: Some(at("2026-11-06 03:00")), force: true });
    assert_snapshot!(world.take_started(), @"extract 11-06T03:00, load 11-05T03:00");
}

#[test]
fn a_start_moved_back_over_a_backfill_leaves_its_dates_to_it() {
    let mut world = World::new("2026-11-05 12:00", vec![backfill("load", "0 3 * * *", "2026-12-01 00:00")]);
    world.request("load", from("2026-11-04 00:00", Only::Missing, 1));
    world.reload(vec![backfill("load", "0 3 * * *", "2026-11-02 00:00")]);
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-02T03:00 succeeded (catch-up, 1 attempts)
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (backfill, 1 attempts)
    11-05T03:00 succeeded (backfill, 1 attempts)
    ");
}

#[test]
fn a_renamed_job_takes_over_when_it_is_known_whether_a_date_is_done() {
    let before = asks(backfill("load", "0 3 * * *", "2026-11-05 00:00"));
    let mut world = World::new("2026-11-05 12:00", vec![before.clone()]);
    let after = Job { name: JobName::new("fetch").unwrap(), previously: Some(before.name.clone()), ..before };
    world.reload(vec![after]);
    world.answer_probe(Some(false));
    world.answer_probe(Some(false));
    assert_snapshot!(world.take_started(), @"fetch 11-05T03:00");
}

#[test]
fn a_date_whose_turn_has_passed_while_it_was_asked_about_is_not_attempted() {
    let mut world = World::new("2026-11-05 12:00", vec![asks(job("load", "0 3 * * *"))]);
    world.pass("2026-11-06 04:00");
    world.pass("2026-11-07 04:00");
    world.answer_probe(Some(false));
    world.answer_probe(Some(false));
    assert_snapshot!(world.take_started(), @"load 11-07T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-06T03:00 skipped: superseded (schedule, 0 attempts)
    11-07T03:00 running (schedule, 1 attempts)
    ");
}

#[test]
fn what_waited_too_long_for_a_place_is_skipped() {
    let mut late = backfill("late", "0 3 * * *", "2026-11-05 00:00");
    late.skip_late = Some(Duration::from_mins(10));
    let mut world = World::new("2026-11-05 02:59", vec![backfill("early", "0 3 * * *", "2026-11-05 00:00"), late]);
    world.scheduler.set_max_running(1);
    world.pass("2026-11-05 04:00");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"early 11-05T03:00");
    assert_snapshot!(world.rows_of("late"), @"11-05T03:00 skipped: too-old (schedule, 0 attempts)");
}

#[test]
fn a_failed_date_keeps_no_other_from_being_too_late_in_independent_order() {
    let mut load = backfill("load", "0 * * * *", "2026-11-05 12:00");
    (load.date_policy, load.skip_late) = (DatePolicy::Independent { max_parallel: 1 }, Some(Duration::from_hours(1)));
    load.retry = Retry { after: Duration::from_hours(20), ..Retry::default() };
    let mut world = World::new("2026-11-05 12:00", vec![load]);
    world.settle(fail);
    world.pass("2026-11-05 15:30");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-05T12:00 failed until 11-06T08:00:00 (schedule, 1 attempts)
    11-05T13:00 succeeded (schedule, 1 attempts)
    11-05T14:00 skipped: too-old (schedule, 0 attempts)
    11-05T15:00 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn a_date_that_only_waits_is_no_failure_to_ignore() {
    let mut load = backfill("load", "0 3 * * *", "2026-11-05 00:00");
    let ignore_failure = true;
    load.depends_on = vec![Dependency { ignore_failure, ..Dependency::on(JobName::new("extract").unwrap()) }];
    let extract = fails_once(backfill("extract", "0 6 * * *", "2026-11-05 00:00"));
    let mut world = World::new("2026-11-05 12:00", vec![extract, load]);
    let before = world.take_started();
    world.settle(fail);
    assert_snapshot!(format!("{before}, then {}", world.take_started()), @"extract 11-05T06:00, then load 11-05T03:00");
}

#[test]
fn whoever_waits_for_a_place_or_an_answer_is_told_so() {
    let mut load = backfill("load", "0 3 * * *", "2026-11-04 00:00");
    load.date_policy = DatePolicy::Independent { max_parallel: 1 };
    let mut world = World::new("2026-11-05 12:00", vec![load.clone()]);
    world.settle(succeed);
    world.scheduler.set_max_running(2);
    world.request("load", from("2026-11-01 00:00", Only::Missing, 2));
    assert_snapshot!(waits(&world, "load", "2026-11-02 03:00"), @"[LastPlace]");
    let world = World::new("2026-11-05 12:00", vec![asks(load)]);
    assert_snapshot!(waits(&world, "load", "2026-11-05 03:00"), @"[InFront { count: 1, first: 2026-11-04T03:00:00Z }]");
}

#[test]
fn what_runs_for_a_backfill_is_no_reason_to_skip_a_date() {
    let mut load = backfill("load", "0 3 * * *", "2026-11-05 00:00");
    load.overlap = Overlap::Skip;
    let mut world = World::new("2026-11-05 12:00", vec![load]);
    world.settle(succeed);
    world.request("load", from("2026-11-04 00:00", Only::Missing, 1));
    world.pass("2026-11-06 04:00");
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-04T03:00 succeeded (backfill, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    11-06T03:00 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn a_date_whose_requirement_was_never_started_is_attempted_only_by_force() {
    let mut load = job("load", "0 3 * * *");
    load.require = vec![JobName::new("check").unwrap()];
    let mut check = job("check", "0 3 * * *");
    check.timetable = Timetable::new(Schedule::none(chrono_tz::UTC), None, None, Duration::ZERO);
    let mut world = World::new("2026-11-05 12:00", vec![load, check]);
    world.request("load", Operation::Run { date: None, force: false });
    assert_snapshot!(world.answered(), @"refused (0): job `load` waits for `check`, whose 2026-11-05T12:00:00+00:00 is not settled; `--force` attempts it all the same");
}

#[test]
fn a_held_date_that_is_asked_about_does_not_hold_a_newer_one() {
    let mut world =
        World::new("2026-11-05 12:00", vec![Job { on_lost: OnLost::Hold, ..asks(job("load", "0 3 * * *")) }]);
    world.pass("2026-11-06 04:00");
    world.answer_probe(Some(false));
    let lost = world.running[0].attempt.clone();
    world.end_attempt(lost, Outcome::Lost);
    world.pass("2026-11-07 04:00");
    world.answer_probe(Some(false));
    world.answer_probe(Some(false));
    assert_snapshot!(world.rows_of("load"), @"
    11-06T03:00 skipped: superseded (schedule, 1 attempts)
    11-07T03:00 running (schedule, 1 attempts)
    ");
}

#[test]
fn a_date_that_has_not_come_is_not_repeated() {
    let mut world = load();
    let date = at("2026-11-07 03:00");
    world.request("load", Operation::Done { date });
    world.request("load", Operation::Retry(Retrying::Date { date, again: true }));
    assert_snapshot!(world.answered(), @"refused (0): 2026-11-07T03:00:00+00:00 of `load` is said to be done, and has not come yet");
}

#[test]
fn a_skip_waits_for_the_answer_about_a_date_that_it_is_about() {
    let mut world = World::new("2026-11-05 12:00", vec![asks(backfill("load", "0 3 * * *", "2026-11-05 00:00"))]);
    let skip = Operation::Skip(Skipping::To(at("2026-11-08 00:00")));
    world.ask(1, "load", skip.clone());
    assert!(world.rows.answers.is_empty(), "it is asked about a date");
    world.answer_probe(Some(true));
    world.ask(1, "load", skip);
    assert_snapshot!(world.rows_of("load"), @"
    11-05T03:00 succeeded (catch-up, 0 attempts)
    11-06T03:00 skipped: operator (manual, 0 attempts)
    11-07T03:00 skipped: operator (manual, 0 attempts)
    ");
}

#[test]
fn a_name_is_used_once_though_both_orders_are_read_at_once() {
    let mut world = load();
    world.settle(fail);
    let order = BackfillOrder {
        from: at("2026-11-01 00:00"),
        to: None,
        count: None,
        only: Only::Failed,
        newest_first: false,
        parallel: 1,
        name: Some("again".to_owned()),
    };
    let (one, two) = (Operation::Backfill(order.clone()), Operation::Backfill(order));
    let (one, two) = (world.read(1, "load", one), world.read(2, "load", two));
    world.handle(Event::Request(one));
    world.handle(Event::Request(two));
    assert_snapshot!(world.rows.answers[&2].text, @"there is a backfill of `load` called `again` already: nothing was changed");
}

#[test]
fn what_an_operator_wanted_ended_is_held_however_it_came_to_its_end() {
    let ends = [
        Outcome::Interrupted,
        Outcome::Failed { code: 1 },
        Outcome::Killed { signal: 9 },
        Outcome::TimedOut,
        Outcome::Lost,
        Outcome::Succeeded,
    ];
    let told = ends.map(|outcome| {
        let mut world = load();
        world.request("load", Operation::Kill { date: None });
        let running = world.running[0].attempt.clone();
        world.end_attempt(running, outcome);
        let rows = world.rows_of("load");
        format!("{}\n    {}\n", world.answered(), rows.lines().next().unwrap())
    });
    assert_snapshot!(told.concat(), @"
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 was ended with the daemon, and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
        11-03T03:00 held: an operator wanted its attempt ended, which came to its end as interrupted (catch-up, 1 attempts)
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 ended by itself first: failed(1), and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
        11-03T03:00 held: an operator wanted its attempt ended, which came to its end as failed(1) (catch-up, 1 attempts)
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 ended by itself first: killed(9), and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
        11-03T03:00 held: an operator wanted its attempt ended, which came to its end as killed(9) (catch-up, 1 attempts)
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 ended by itself first: timed-out, and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
        11-03T03:00 held: an operator wanted its attempt ended, which came to its end as timed-out (catch-up, 1 attempts)
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 is lost: what became of it is not known, and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
        11-03T03:00 held: an operator wanted its attempt ended, which came to its end as lost (catch-up, 1 attempts)
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 ended by itself first: succeeded
        11-03T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn what_an_operator_wanted_ended_when_the_daemon_died_is_held_when_its_end_is_heard() {
    let mut world = load();
    world.ask(1, "load", Operation::Kill { date: None });
    let running = world.running[0].attempt.clone();
    // Asked again of the next daemon, before its registry is read and anything is started.
    world.die();
    world.ask(1, "load", Operation::Kill { date: None });
    world.reload(world.jobs.clone());
    world.end_attempt(running, Outcome::Failed { code: 143 });
    world.pass("2026-11-05 18:00");
    assert_snapshot!(world.rows.answers[&1].text, @"`load`: attempt 1 at 2026-11-03T03:00:00+00:00 ended by itself first: failed(143), and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it");
    assert_snapshot!(world.take_started(), @"load 11-03T03:00");
}

#[test]
fn a_reset_waits_for_a_backfill_that_enters() {
    let mut world = World::new("2026-11-05 12:00", vec![backfill("load", "* * * * *", "2026-11-05 11:50")]);
    world.ask(1, "load", from("2026-10-01 00:00", Only::All, 1));
    assert_eq!(world.rows.answers.len(), 0, "it enters in parts");
    world.ask(2, "load", Operation::Reset { to: Some(at("2026-10-01 00:00")) });
    assert_eq!(world.rows.answers.len(), 0, "the reset waits");
    world.pass("2026-11-05 12:00");
    world.ask(2, "load", Operation::Reset { to: Some(at("2026-10-01 00:00")) });
    let answers: Vec<String> =
        world.rows.answers.values().map(|reply| format!("{}: {}", reply.done, reply.text)).collect();
    assert_snapshot!(answers.join("\n"), @"
    true: backfill of `load`: 51110 dates from 2026-10-01T00:00:00+00:00 to 2026-11-05T11:49:00+00:00, oldest first, one at a time, beside its schedule; 11 dates are left out: not settled yet
    false: 2026-10-01T00:00:00+00:00 of `load` is before 2026-11-05T11:50:00+00:00 and not settled, and would never be: settle what is before 2026-11-05T11:50:00+00:00 first (`crontabber skip`, `done`), or reset to an earlier date
    ");
}

#[test]
fn who_could_start_once_keeps_its_turn_while_what_it_waits_for_runs_again() {
    let mut load = Job {
        date_policy: DatePolicy::Independent { max_parallel: 1 },
        ..backfill("load", "0 * * * *", "2026-11-05 10:00")
    };
    load.retry = Retry { after: Duration::from_secs(1), ..Retry::default() };
    let mut report = backfill("report", "0 12 * * *", "2026-11-05 00:00");
    report.depends_on = vec![Dependency { ignore_failure: true, ..JobName::new("load").unwrap().into() }];
    let mut world = World::new("2026-11-05 12:00", vec![load, report]);
    // Another place would let the report wait for what is retried there.
    world.max_running = 1;
    world.scheduler.set_max_running(1);
    for _ in 0..6 {
        // By the end of its last date, others of them are due again.
        world.now += chrono::TimeDelta::milliseconds(600);
        let first = world.running[0].attempt.clone();
        world.end_attempt(first, Outcome::Failed { code: 1 });
    }
    assert_snapshot!(world.take_started(), @"load 11-05T10:00, load 11-05T11:00, load 11-05T12:00, load 11-05T10:00, report 11-05T12:00, load 11-05T11:00, load 11-05T12:00");
}

#[test]
fn what_runs_takes_over_from_all_that_is_held_when_a_job_stops_to_keep_every_date() {
    let mut world = World::new("2026-11-03 12:00", vec![fails_once(backfill("load", "0 3 * * *", "2026-11-03 00:00"))]);
    world.settle(fail);
    world.request("load", Operation::Skip(Skipping::Date(at("2026-11-04 03:00"))));
    let mut job = world.jobs[0].clone();
    job.date_policy = DatePolicy::Independent { max_parallel: 1 };
    world.reload(vec![job.clone()]);
    world.pass("2026-11-05 12:00");
    job.date_policy = DatePolicy::NewestOnly;
    world.reload(vec![job]);
    let running = world.running[0].attempt.clone();
    world.end_attempt(running, Outcome::Interrupted);
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 skipped: superseded (catch-up, 1 attempts)
    11-04T03:00 skipped: operator (manual, 0 attempts)
    11-05T03:00 succeeded (schedule, 2 attempts)
    ");
}

#[test]
fn what_is_to_be_repeated_is_waited_for_also_by_what_stood_in_line_already() {
    let report = Job {
        depends_on: vec![JobName::new("load").unwrap().into()],
        ..backfill("report", "0 3 * * *", "2026-11-03 00:00")
    };
    let other = job("other", "0 13 * * *");
    let mut world =
        World::new("2026-11-03 12:00", vec![backfill("load", "0 3 * * *", "2026-11-03 00:00"), report, other]);
    world.settle(succeed);
    world.take_started();
    // There is no place until the other one ends.
    world.scheduler.set_max_running(1);
    world.pass("2026-11-03 13:00");
    let again = Operation::Retry(Retrying::Date { date: at("2026-11-03 03:00"), again: true });
    world.request("report", again.clone());
    world.request("load", again);
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"other 11-03T13:00, load 11-03T03:00, report 11-03T03:00");
}

#[test]
fn a_job_that_has_left_the_registry_is_disabled_no_longer_than_it_was_to_be() {
    let mut world = load();
    world.request("load", Operation::Disable { until: Some(at("2026-11-06 00:00")) });
    let jobs = world.jobs.clone();
    world.jobs.clear();
    world.now = at("2026-11-07 00:00");
    world.crash();
    assert!(world.rows.disabled.is_empty());
    world.reload(jobs);
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"load 11-03T03:00, load 11-03T03:00, load 11-04T03:00, load 11-05T03:00, load 11-06T03:00");
}
