//! Requests that come twice.

use chrono::TimeDelta;
use crontabber_core::scheduler::Event;
use crontabber_core::session::{Only, Operation, Outcome};
use insta::assert_snapshot;

use crate::fixtures::{caught_up, load, order};
use crate::world::*;

#[test]
fn a_request_that_comes_twice_is_done_once() {
    let mut world = caught_up();
    world.ask(7, "load", Operation::Kill { date: None });
    let asked = Operation::Backfill(order("2026-11-01 00:00", Only::All));
    world.ask(8, "load", asked.clone());
    world.now += TimeDelta::seconds(1);
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"load 11-01T03:00, load 11-02T03:00, load 11-03T03:00, load 11-04T03:00, load 11-05T03:00");
}

#[test]
fn a_request_answered_while_the_ledger_is_read_is_not_answered_twice() {
    let mut world = load();
    let asked = Operation::Kill { date: None };
    world.request("load", asked.clone());
    let killed = world.kills.pop().unwrap();
    world.end_attempt(killed, Outcome::Cancelled);
    world.hear(1, "load", asked);
    assert!(world.answered().contains("was ended, and is held"), "{}", world.answered());
    let asked = Operation::Backfill(order("2026-11-01 00:00", Only::Missing));
    let answered = world.answer_to("load", asked.clone());
    world.hear(2, "load", asked);
    assert_eq!(world.answered(), answered);
}

#[test]
fn a_request_answered_while_it_is_read_again_is_not_answered_twice() {
    let mut world = load();
    world.ask(1, "load", Operation::Kill { date: None });
    let again = world.read(1, "load", Operation::Kill { date: None });
    world.end_first(Outcome::Cancelled);
    world.handle(Event::Request(again));
    assert_snapshot!(world.rows.answers[&1].text, @"`load`: attempt 1 at 2026-11-03T03:00:00+00:00 was ended, and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it");
}
