//! The `retry` and `kill` requests.

use crontabber_core::scheduler::LastSuccess;
use crontabber_core::session::{Operation, Outcome, Retrying};
use insta::assert_snapshot;

use crate::fixtures::load;
use crate::world::*;

#[test]
fn a_retry_starts_at_once_and_restores_the_attempts_of_a_held_date() {
    let mut job = backfill("load", "0 3 * * *", "2026-11-04 00:00");
    job.retry.attempts = Some(2);
    let mut world = World::new("2026-11-05 12:00", vec![job]);
    world.settle(fail);
    let mut told = Vec::new();
    let mut ask = |world: &mut World, retrying| told.push(world.answer_to("load", Operation::Retry(retrying)));
    ask(&mut world, Retrying::Held);
    ask(&mut world, Retrying::Failed);
    world.settle(fail);
    ask(&mut world, Retrying::Date { date: at("2026-11-05 03:00"), again: false });
    ask(&mut world, Retrying::Held);
    world.settle(fail);
    ask(&mut world, Retrying::Date { date: at("2026-11-04 03:00"), again: false });
    ask(&mut world, Retrying::Date { date: at("2026-11-04 03:00"), again: false });
    world.settle(succeed);
    assert_snapshot!(told.join("\n"), @"
    done (0): `load` has no held date: nothing was changed
    done (1): `load`: 2026-11-04T03:00:00+00:00 runs again now
    refused (0): 2026-11-05T03:00:00+00:00 of `load` waits for its turn: there is nothing to retry
    done (1): `load`: 2026-11-04T03:00:00+00:00 runs again now
    done (1): 2026-11-04T03:00:00+00:00 of `load` runs again now
    refused (0): 2026-11-04T03:00:00+00:00 of `load` is running
    ");
    assert_snapshot!(world.rows_of("load"), @"
    11-04T03:00 succeeded (catch-up, 4 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn a_killed_date_is_held_until_an_operator_retries_it() {
    let mut world = load();
    let refused = world.answer_to("load", Operation::Kill { date: Some(at("2026-11-04 03:00")) });
    world.request("load", Operation::Kill { date: None });
    assert_eq!(world.answered(), "", "it is answered when the attempt has ended");
    let killed = world.kills.pop().unwrap();
    world.end_attempt(killed, Outcome::Cancelled);
    world.pass("2026-11-07 12:00");
    assert_snapshot!([refused, world.answered()].join("\n"), @"
    refused (0): 2026-11-04T03:00:00+00:00 of `load` is not running; 2026-11-03T03:00:00+00:00 is
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 was ended, and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
    ");
    assert_snapshot!(world.take_started(), @"load 11-03T03:00");
    assert_snapshot!(world.rows_of("load"), @"
    11-03T03:00 held: an operator ended its attempt (catch-up, 1 attempts)
    11-04T03:00 waiting (catch-up, 0 attempts)
    11-05T03:00 waiting (catch-up, 0 attempts)
    11-06T03:00 waiting (schedule, 0 attempts)
    11-07T03:00 waiting (schedule, 0 attempts)
    ");
}

#[test]
fn a_date_whose_kill_was_requested_is_held_whatever_the_outcome() {
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
        world.end_first(outcome);
        let rows = world.rows_of("load");
        format!("{}\n    {}\n", world.answered(), rows.lines().next().unwrap())
    });
    assert_snapshot!(told.concat(), @"
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 was ended with the daemon, and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
        11-03T03:00 held: an operator asked to kill its attempt, which ended as interrupted (catch-up, 1 attempts)
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 ended by itself first: failed(1), and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
        11-03T03:00 held: an operator asked to kill its attempt, which ended as failed(1) (catch-up, 1 attempts)
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 ended by itself first: killed(9), and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
        11-03T03:00 held: an operator asked to kill its attempt, which ended as killed(9) (catch-up, 1 attempts)
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 ended by itself first: timed-out, and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
        11-03T03:00 held: an operator asked to kill its attempt, which ended as timed-out (catch-up, 1 attempts)
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 is lost: its outcome is unknown, and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it
        11-03T03:00 held: an operator asked to kill its attempt, which ended as lost (catch-up, 1 attempts)
    done (1): `load`: attempt 1 at 2026-11-03T03:00:00+00:00 ended by itself first: succeeded
        11-03T03:00 succeeded (catch-up, 1 attempts)
    ");
}

#[test]
fn a_kill_requested_before_a_crash_holds_the_date_after_it() {
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
fn a_future_date_marked_done_is_not_repeated() {
    let mut world = load();
    let date = at("2026-11-07 03:00");
    world.request("load", Operation::Done { date });
    world.request("load", Operation::Retry(Retrying::Date { date, again: true }));
    assert_snapshot!(world.answered(), @"refused (0): 2026-11-07T03:00:00+00:00 of `load` is said to be done, and has not come yet");
}

/// The last success that the running attempt gets.
fn told(world: &World) -> LastSuccess {
    world.running[0].last_success
}

#[test]
fn the_last_success_that_a_job_is_told_lies_before_its_own_date() {
    let mut world = World::new("2026-11-05 12:00", vec![backfill("load", "0 3 * * *", "2026-11-01 00:00")]);
    assert_eq!(told(&world), LastSuccess::Known(None));
    world.end_first(Outcome::Succeeded);
    assert_eq!(told(&world), LastSuccess::Known(Some(at("2026-11-01 03:00"))));
    world.end_first(Outcome::Failed { code: 1 });
    // A later date is done: only the ledger has the newest success before the date that is retried.
    world.request("load", Operation::Done { date: at("2026-11-04 03:00") });
    world.pass("2026-11-05 13:00");
    assert_eq!(told(&world), LastSuccess::InLedger);
    world.settle(succeed);
    world.request("load", Operation::Retry(Retrying::Date { date: at("2026-11-05 03:00"), again: true }));
    assert_eq!(told(&world), LastSuccess::InLedger, "its own success is not before it");
}
