//! Requests that come twice.

use chrono::TimeDelta;
use crontabber_core::session::{Only, Operation};
use insta::assert_snapshot;

use crate::fixtures::{caught_up, order};
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
