//! The `run` request.

use std::collections::BTreeMap;

use crontabber_core::job::Job;
use crontabber_core::scheduler::Notification;
use crontabber_core::session::Operation;
use insta::assert_snapshot;

use crate::world::*;

#[test]
fn a_run_of_a_newest_only_job_is_a_session_of_its_own() {
    let mut world = World::new("2026-11-01 12:10", vec![job("hourly", "0 * * * *")]);
    world.request("hourly", Operation::Run { date: None, force: false });
    world.settle(succeed);
    world.pass_and_settle("2026-11-01 13:00", succeed);
    assert_snapshot!(world.rows_of("hourly"), @r"
    11-01T12:10 succeeded (manual, 1 attempts)
    11-01T13:00 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn a_run_of_a_strict_job_is_its_next_date_only() {
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
    2026-11-01T03:00:00+00:00 of `load` is settled; `crontabber retry --again` repeats it
    every date of `load` that is due is settled; the next is 2026-11-04T03:00:00+00:00
    ");
}

#[test]
fn a_newest_only_job_can_be_run_any_number_of_times() {
    let mut world = World::new("2026-11-01 12:10", vec![job("hand", "0 3 * * *")]);
    for _ in 0..3 {
        world.request("hand", Operation::Run { date: None, force: false });
        world.settle(succeed);
    }
    assert_eq!(world.started.len(), 3);
    world.request("hand", Operation::Run { date: Some(at("2026-11-02 03:00")), force: true });
    assert_eq!(world.started.len(), 3, "the date is in the future");
}

#[test]
fn a_run_in_a_full_pool_needs_force() {
    let of_pool = |name: &str| Job { pool: Some("db".to_owned()), ..backfill(name, "0 3 * * *", "2026-11-05 00:00") };
    let mut world = World::new("2026-11-05 02:00", vec![of_pool("a"), of_pool("b")]);
    world.pools = BTreeMap::from([("db".to_owned(), 1)]);
    world.reload(world.jobs.clone());
    world.pass("2026-11-05 03:00");
    let runs = [false, true].map(|force| Operation::Run { date: None, force });
    assert_snapshot!(world.answers_to("b", runs), @"
    refused (0): the pool `db` of job `b` is full; `--force` attempts it all the same
    done (1): attempt 1 of `b` at 2026-11-05T03:00:00+00:00 started
    ");
}
