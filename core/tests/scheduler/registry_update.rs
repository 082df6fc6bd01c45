//! What a change of the registry does to dates, names and attempts.

use std::time::Duration;

use crontabber_core::job::{DatePolicy, Job};
use crontabber_core::schedule::Timetable;
use crontabber_core::scheduler::{JobCondition, Notification};
use crontabber_core::session::{Only, Operation, Outcome, Skipping};
use insta::assert_snapshot;

use crate::fixtures::{caught_up, load, name, order, with_delay, with_done_when, with_one_attempt};
use crate::world::*;

#[test]
fn a_changed_schedule_takes_effect_when_it_is_read() {
    let mut world = World::new("2026-11-01 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    world.settle(succeed);
    // Down for two days; the registry that is read then has another schedule.
    world.now = at("2026-11-03 12:00");
    world.jobs = vec![backfill("load", "0 */6 * * *", "2026-11-01 00:00")];
    world.crash();
    world.settle(succeed);
    world.pass_and_settle("2026-11-03 18:00", succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-01T03:00 succeeded (catch-up, 1 attempts)
    11-01T06:00 succeeded (catch-up, 1 attempts)
    11-01T12:00 succeeded (catch-up, 1 attempts)
    11-01T18:00 succeeded (catch-up, 1 attempts)
    11-02T00:00 succeeded (catch-up, 1 attempts)
    11-02T06:00 succeeded (catch-up, 1 attempts)
    11-02T12:00 succeeded (catch-up, 1 attempts)
    11-02T18:00 succeeded (catch-up, 1 attempts)
    11-03T00:00 succeeded (catch-up, 1 attempts)
    11-03T06:00 succeeded (catch-up, 1 attempts)
    11-03T12:00 succeeded (schedule, 1 attempts)
    11-03T18:00 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn a_shorter_delay_loses_no_date() {
    let delayed =
        |hours| vec![with_delay(backfill("load", "0 * * * *", "2026-11-01 00:00"), Duration::from_hours(hours))];
    let mut world = World::new("2026-11-01 05:30", delayed(3));
    world.settle(succeed);
    world.reload(delayed(0));
    world.settle(succeed);
    world.reload(delayed(2));
    world.pass_and_settle("2026-11-01 08:00", succeed);
    assert_eq!(world.started.len(), 7);
    assert_eq!(world.rows.sessions.len(), 7, "00:00 to 06:00, none twice, none lost");
}

#[test]
fn a_failed_date_is_reported_although_the_delay_has_become_longer() {
    let delayed =
        |hours| vec![with_delay(backfill("load", "0 3 * * *", "2026-11-01 00:00"), Duration::from_hours(hours))];
    let mut world = World::new("2026-11-01 05:30", delayed(0));
    world.settle(fail);
    world.reload(delayed(9));
    let status = world.scheduler.view(&name("load")).expect("known");
    assert_eq!((status.state, status.backlog), (JobCondition::Failed, 1));
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
fn a_later_end_gives_the_dates_between() {
    let until = |end: &str| {
        let mut load = backfill("load", "0 3 * * *", "2026-11-01 00:00");
        let (schedule, start) = (load.timetable.schedule.clone(), load.timetable.start);
        load.timetable = Timetable::new(schedule, start, Some(at(end)), Duration::ZERO);
        load
    };
    let mut world = World::new("2026-11-02 12:00", vec![until("2026-11-02 23:59")]);
    world.pass_and_settle("2026-11-08 12:00", succeed);
    world.take_started();
    world.reload(vec![until("2026-11-06 00:00")]);
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-03T03:00, load 11-04T03:00, load 11-05T03:00");
    world.pass("2026-11-09 03:00");
    assert_eq!(world.take_started(), "");
}

#[test]
fn a_ghost_that_returns_continues_where_it_was() {
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
fn a_job_disabled_in_the_registry_keeps_its_watermark() {
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
fn a_start_moved_back_runs_no_date_before_it_is_due() {
    let from = |start: &str| vec![with_delay(backfill("load", "0 * * * *", start), Duration::from_hours(6))];
    let mut world = World::new("2026-11-01 12:00", from("2026-11-01 11:30"));
    world.reload(from("2026-11-01 04:00"));
    world.settle(succeed);
    assert_eq!(world.take_started(), "load 11-01T04:00, load 11-01T05:00, load 11-01T06:00");
    world.pass_and_settle("2026-11-01 14:30", succeed);
    assert_eq!(world.take_started(), "load 11-01T07:00, load 11-01T08:00");
}

#[test]
fn a_date_of_the_previous_schedule_has_its_own_neighbours() {
    let mut world = World::new("2026-11-02 06:00", vec![backfill("load", "0 */6 * * *", "2026-11-02 00:00")]);
    world.settle(succeed);
    world.pass("2026-11-03 00:30");
    world.jobs = vec![backfill("load", "0 9 * * *", "2026-11-02 00:00")];
    world.crash();
    world.pass("2026-11-03 00:40");
    let start = &world.running[0];
    assert_eq!(start.attempt.session.date, at("2026-11-02 12:00"));
    assert_eq!((start.previous, start.next), (Some(at("2026-11-02 06:00")), Some(at("2026-11-02 18:00"))));
}

#[test]
fn a_job_that_becomes_newest_only_runs_its_newest_date() {
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
fn a_renamed_job_keeps_its_ledger() {
    let load = backfill("load", "0 3 * * *", "2026-11-03 00:00");
    let mut renamed = backfill("import", "0 3 * * *", "2026-11-03 00:00");
    renamed.previously = Some(name("load"));
    let mut world = World::new("2026-11-05 12:00", vec![load]);
    world.settle(succeed);
    world.pass("2026-11-06 03:00");
    // What runs under the old name ends under it.
    world.reload(vec![renamed]);
    assert_snapshot!(world.rows_of("import"), @"");
    world.settle(succeed);
    world.pass("2026-11-07 04:00");
    world.crash();
    assert_snapshot!(world.rows_of("import"), @"
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    11-06T03:00 succeeded (schedule, 1 attempts)
    11-07T03:00 running (schedule, 2 attempts)
    ");
    assert_snapshot!(world.rows_of("load"), @"");
}

#[test]
fn a_renamed_job_is_reported_as_renamed_and_neither_as_gone_nor_as_new() {
    let load = backfill("load", "0 3 * * *", "2026-11-03 00:00");
    let mut world = World::new("2026-11-05 12:00", vec![load.clone()]);
    world.settle(succeed);
    world.notes.clear();
    world.reload(vec![Job { name: name("import"), previously: Some(name("load")), ..load.clone() }]);
    assert!(matches!(world.notes.as_slice(), [Notification::Renamed { .. }]), "{:?}", world.notes);
    // While an attempt runs, it waits for its name.
    world.pass("2026-11-06 03:00");
    world.notes.clear();
    world.reload(vec![Job { name: name("fetch"), previously: Some(name("import")), ..load.clone() }]);
    assert!(matches!(world.notes.as_slice(), [Notification::WaitsToSucceed { .. }]), "{:?}", world.notes);
    // What else is edited is reported too, and a job without a successor is gone.
    world.settle(succeed);
    world.notes.clear();
    let moved = backfill("again", "0 4 * * *", "2026-11-03 00:00");
    world.reload(vec![Job { previously: Some(name("fetch")), ..moved }]);
    let [Notification::Renamed { .. }, Notification::Changed { keys, .. }] = world.notes.as_slice() else {
        panic!("{:?}", world.notes)
    };
    assert_eq!(keys.join(", "), "schedule");
    world.notes.clear();
    world.reload(Vec::new());
    assert!(matches!(world.notes.as_slice(), [Notification::Removed { .. }]), "{:?}", world.notes);
}

#[test]
fn an_idempotency_key_does_not_change_with_the_name_of_the_job() {
    let told = |world: &World| {
        let starts = world.running.iter().map(|start| (&start.attempt.session.job, &start.idempotency_key));
        starts.map(|(job, key)| format!("{job}: {key}")).collect::<Vec<_>>().join(", ")
    };
    let pay = backfill("pay", "0 3 * * *", "2026-11-05 00:00");
    let payout = Job { name: name("payout"), previously: Some(name("pay")), ..pay.clone() };
    let mut world = World::new("2026-11-05 12:00", vec![pay.clone()]);
    assert_snapshot!(told(&world), @"pay: pay/1/1793847600000000");
    world.end_first(Outcome::Failed { code: 1 });
    world.reload(vec![payout.clone()]);
    // A new job under the old name shares no key with the renamed one.
    world.reload(vec![Job { previously: None, ..payout }, pay]);
    world.crash();
    world.pass("2026-11-05 13:00");
    assert_snapshot!(told(&world), @"pay: pay~2/1/1793847600000000, payout: pay/1/1793847600000000");
    world.settle(succeed);
    // A reset is a request to do the work again.
    world.request("payout", Operation::Reset { to: None });
    assert_snapshot!(told(&world), @"payout: pay/2/1793847600000000");
}

#[test]
fn a_start_moved_back_leaves_the_dates_of_a_backfill_to_it() {
    let mut world = World::new("2026-11-05 12:00", vec![backfill("load", "0 3 * * *", "2026-12-01 00:00")]);
    world.request("load", Operation::Backfill(order("2026-11-04 00:00", Only::Missing)));
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
fn a_renamed_job_takes_over_once_done_when_has_answered() {
    let before = with_done_when(backfill("load", "0 3 * * *", "2026-11-05 00:00"));
    let mut world = World::new("2026-11-05 12:00", vec![before.clone()]);
    let after = Job { name: name("fetch"), previously: Some(before.name.clone()), ..before };
    world.reload(vec![after]);
    world.answer_probe(Some(false));
    world.answer_probe(Some(false));
    assert_snapshot!(world.take_started(), @"fetch 11-05T03:00");
}

#[test]
fn a_job_that_becomes_newest_only_supersedes_held_dates() {
    let mut world =
        World::new("2026-11-03 12:00", vec![with_one_attempt(backfill("load", "0 3 * * *", "2026-11-03 00:00"))]);
    world.settle(fail);
    world.request("load", Operation::Skip(Skipping::Date(at("2026-11-04 03:00"))));
    let mut job = world.jobs[0].clone();
    job.date_policy = DatePolicy::Independent { max_parallel: 1 };
    world.reload(vec![job.clone()]);
    world.pass("2026-11-05 12:00");
    job.date_policy = DatePolicy::NewestOnly;
    world.reload(vec![job]);
    world.end_first(Outcome::Interrupted);
    world.settle(succeed);
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 skipped: superseded (catch-up, 1 attempts)
    11-04T03:00 skipped: operator (manual, 0 attempts)
    11-05T03:00 succeeded (schedule, 2 attempts)
    ");
}

#[test]
fn a_removed_job_is_enabled_at_its_time() {
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

#[test]
fn a_request_for_a_job_that_waits_for_its_name_is_refused() {
    let mut world = load();
    let renamed = Job { previously: Some(name("load")), ..backfill("loads", "0 3 * * *", "2026-11-03 00:00") };
    world.reload(vec![renamed]);
    world.request("loads", Operation::Skip(Skipping::Count(1)));
    assert_snapshot!(world.answered(), @"refused (0): job `loads` takes over the dates of `load` once the open attempt of `load` has ended; `crontabber kill loads` ends it");
}

#[test]
fn a_changed_schedule_repeats_nothing_from_before_a_reset_to_a_date() {
    let mut world = caught_up();
    world.request("load", Operation::Reset { to: Some(at("2026-11-05 00:00")) });
    world.settle(succeed);
    world.take_started();
    let moved = backfill("load", "0 3 * * *", "2026-11-02 00:00");
    world.reload(vec![moved.clone()]);
    world.reload(vec![with_delay(moved, Duration::from_mins(5))]);
    world.pass_and_settle("2026-11-06 04:00", succeed);
    assert_snapshot!(world.take_started(), @"load 11-06T03:00");
}

#[test]
fn an_edit_of_the_timetable_is_reported_at_a_start_too() {
    let mut world = caught_up();
    world.pass_and_settle("2026-11-06 12:00", succeed);
    world.notes.clear();
    world.crash();
    let changed = |world: &World| {
        let keys = world.notes.iter().filter_map(|note| match note {
            Notification::Changed { job, keys, .. } => Some((job.to_string(), keys.join(", "))),
            _ => None,
        });
        keys.collect::<Vec<_>>()
    };
    assert_eq!(changed(&world), [], "nothing was edited");
    world.jobs = vec![backfill("load", "0 5 * * *", "2026-11-02 00:00")];
    world.crash();
    assert_eq!(changed(&world), [("load".to_owned(), "schedule, start".to_owned())]);
}

#[test]
fn a_longer_delay_counts_the_dates_that_are_due() {
    let delayed =
        |hours| vec![with_delay(backfill("load", "0 * * * *", "2026-11-01 00:00"), Duration::from_hours(hours))];
    let mut world = World::new("2026-11-01 05:30", delayed(0));
    world.settle(fail);
    world.notes.clear();
    world.reload(delayed(3));
    let due: Vec<u64> = world
        .notes
        .iter()
        .filter_map(|note| match note {
            Notification::Changed { adding, .. } => Some(adding.due),
            _ => None,
        })
        .collect();
    assert_eq!(due, [3]);
    world.notes.clear();
    world.pass_and_settle("2026-11-01 05:40", succeed);
    let behind: Vec<u64> = world
        .notes
        .iter()
        .filter_map(|note| match note {
            Notification::Closed { behind, .. } => Some(*behind),
            _ => None,
        })
        .collect();
    assert_eq!(behind, [2, 1, 0]);
}
