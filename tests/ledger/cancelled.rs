//! Cancelled backfills: what a date was before is kept, and comes back.

use crontabber::session::{BackfillRecord, Entry, SessionRecord, SettledBy, SkipReason, State, StateKind, Trigger};

use crate::entries::refused;
use crate::on_both;
use crate::world::*;

on_both! {
    a_date_is_again_what_it_was_before_its_backfill
    a_date_that_the_backfill_attempted_stays_a_date_of_it
    only_what_a_backfill_found_settled_returns_to_that
    a_backfill_is_cancelled_once
}

fn order(id: i64) -> Entry {
    Entry::Backfill(BackfillRecord {
        id,
        job: name("a"),
        generation: 1,
        name: None,
        newest_first: false,
        parallel: 1,
        entered_at: at(50),
        cancelled_by: None,
    })
}

fn again(day: i64, from: StateKind, backfill: i64, attempts: u32) -> Entry {
    Entry::Again {
        session: session("a", day),
        zone: chrono_tz::UTC,
        from,
        trigger: Trigger::Backfill,
        backfill: Some(backfill),
        attempts,
    }
}

fn restore(day: i64, from: StateKind, to: StateKind, backfill: i64) -> Entry {
    Entry::Restore { session: session("a", day), from, to, backfill }
}

fn row(world: &World, day: i64) -> SessionRecord {
    world.reader().session(&session("a", day)).unwrap().unwrap()
}

fn a_date_is_again_what_it_was_before_its_backfill(world: &World) {
    let mut writer = world.with_three_dates();
    let skipped = State::Skipped { reason: SkipReason::Superseded };
    let settle = [
        open("a", 1, 1, StateKind::Waiting),
        succeed("a", 1, 1),
        Entry::Move { session: session("a", 2), from: StateKind::Waiting, to: skipped, at: at(40) },
        Entry::Done { session: session("a", 3), from: StateKind::Waiting, by: SettledBy::DoneWhen, at: at(41) },
    ];
    writer.commit(&settle).unwrap();
    let before: Vec<SessionRecord> = (1..=3).map(|day| row(world, day)).collect();
    let kinds = [StateKind::Succeeded, StateKind::Skipped, StateKind::Succeeded];
    // A second backfill takes a date that the first had.
    for id in [7, 8] {
        writer.commit(&[order(id)]).unwrap();
        for (day, (kind, row)) in (1..).zip(kinds.iter().zip(&before)) {
            writer.commit(&[again(day, *kind, id, row.attempts)]).unwrap();
        }
        let former = (1..=3).zip(kinds).map(|(day, kind)| (name("a"), date(day), kind)).collect::<Vec<_>>();
        assert_eq!(writer.load().unwrap().former, former);
        for (day, kind) in (1..).zip(kinds) {
            writer.commit(&[restore(day, StateKind::Waiting, kind, id)]).unwrap();
        }
        assert_eq!((1..=3).map(|day| row(world, day)).collect::<Vec<_>>(), before);
        assert_eq!(writer.load().unwrap().former, []);
    }
}

fn a_date_that_the_backfill_attempted_stays_a_date_of_it(world: &World) {
    let mut writer = world.with_three_dates();
    writer.commit(&[open("a", 1, 1, StateKind::Waiting), succeed("a", 1, 1), order(7)]).unwrap();
    let before = row(world, 1);
    let attempt = [again(1, StateKind::Succeeded, 7, 1), open("a", 1, 2, StateKind::Waiting), fail("a", 1, 2)];
    writer.commit(&attempt).unwrap();
    let text = refused(world, &mut writer, &[restore(1, StateKind::Waiting, StateKind::Succeeded, 7)]);
    assert!(text.contains("expected `waiting`, found `failed` after 2 attempts"), "{text}");
    writer.commit(&[restore(1, StateKind::Failed, StateKind::Succeeded, 7)]).unwrap();
    let expected = SessionRecord { attempts: 2, trigger: Trigger::Backfill, backfill: Some(7), ..before };
    assert_eq!(row(world, 1), expected);
}

fn only_what_a_backfill_found_settled_returns_to_that(world: &World) {
    let mut writer = world.with_three_dates();
    let held = State::Held { reason: "no".to_owned() };
    let move_to_held = Entry::Move { session: session("a", 1), from: StateKind::Waiting, to: held, at: at(40) };
    // A held date that waits again was not settled.
    writer.commit(&[order(7), move_to_held, again(1, StateKind::Held, 7, 0)]).unwrap();
    assert_eq!(writer.load().unwrap().former, []);
    for to in [StateKind::Succeeded, StateKind::Skipped, StateKind::Waiting] {
        refused(world, &mut writer, &[restore(1, StateKind::Waiting, to, 7)]);
    }
}

fn a_backfill_is_cancelled_once(world: &World) {
    let mut writer = world.with_three_dates();
    let cancel = |backfill| Entry::CancelBackfill { job: name("a"), backfill, request: 9 };
    let held = State::Held { reason: "no".to_owned() };
    let move_to_held = Entry::Move { session: session("a", 1), from: StateKind::Waiting, to: held, at: at(40) };
    writer.commit(&[order(7), move_to_held, again(1, StateKind::Held, 7, 0), cancel(7)]).unwrap();
    assert_eq!(writer.load().unwrap().backfills[0].cancelled_by, Some(9));
    for unknown in [7, 8] {
        let text = refused(world, &mut writer, &[cancel(unknown)]);
        assert!(text.ends_with("is not there, or was cancelled already"), "{text}");
    }
    let cancelled = State::Skipped { reason: SkipReason::Cancelled };
    let leave = Entry::Move { session: session("a", 1), from: StateKind::Waiting, to: cancelled.clone(), at: at(41) };
    writer.commit(&[leave]).unwrap();
    assert_eq!(row(world, 1).state, cancelled);
}
