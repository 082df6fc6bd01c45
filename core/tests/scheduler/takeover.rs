//! A job that got another name before the registry said so.

use crontabber_core::job::Job;
use crontabber_core::scheduler::{BlockReason, Notification};
use crontabber_core::session::{Operation, Outcome, REPLACED};
use insta::assert_snapshot;

use crate::fixtures::name;
use crate::world::{World, backfill, fail, succeed};

/// `invoice` has three dates that succeeded; it is called `bill` now, which the registry did not say.
fn renamed() -> (World, Job) {
    let invoice = backfill("invoice", "0 3 * * *", "2026-11-03 00:00");
    let mut world = World::new("2026-11-05 12:00", vec![invoice.clone()]);
    world.settle(succeed);
    world.take_started();
    let bill = Job { name: name("bill"), is_new: true, ..invoice };
    world.reload(vec![bill.clone()]);
    world.notes.clear();
    (world, Job { previously: Some(name("invoice")), is_new: false, ..bill })
}

/// The rows of earlier generations of `bill`.
fn replaced(world: &World) -> usize {
    world.rows.sessions.keys().filter(|key| key.job == name("bill") && key.generation == REPLACED).count()
}

#[test]
fn a_former_name_that_is_said_later_counts_while_no_date_has_succeeded() {
    let (mut world, bill) = renamed();
    world.settle(fail);
    assert_snapshot!(world.take_started(), @"bill 11-03T03:00");
    world.reload(vec![bill]);
    let last = world.notes.last();
    assert!(matches!(last, Some(Notification::Renamed { replaces: true, .. })), "{:?}", world.notes);
    assert_eq!(replaced(&world), 3);
    world.pass("2026-11-06 04:00");
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"bill 11-06T03:00");
    world.crash();
    world.settle(succeed);
    assert_snapshot!(world.rows_of("bill"), @"
    11-03T03:00 succeeded (catch-up, 1 attempts)
    11-04T03:00 succeeded (catch-up, 1 attempts)
    11-05T03:00 succeeded (catch-up, 1 attempts)
    11-06T03:00 succeeded (schedule, 1 attempts)
    ");
}

#[test]
fn a_former_name_has_no_effect_once_a_date_has_succeeded() {
    let (mut world, bill) = renamed();
    world.end_first(Outcome::Succeeded);
    world.reload(vec![bill]);
    let is_told = |note: &Notification| matches!(note, Notification::IneffectivePreviously { .. });
    assert!(world.notes.iter().any(is_told), "{:?}", world.notes);
    world.settle(succeed);
    assert_snapshot!(world.take_started(), @"bill 11-03T03:00, bill 11-04T03:00, bill 11-05T03:00");
    assert_eq!(replaced(&world), 0);
}

#[test]
fn an_attempt_under_the_new_name_decides_whether_the_former_one_counts() {
    for outcome in [Outcome::Failed { code: 1 }, Outcome::Succeeded] {
        let (mut world, bill) = renamed();
        world.reload(vec![bill.clone()]);
        assert!(matches!(world.notes.as_slice(), [Notification::WaitsToSucceed { .. }]), "{:?}", world.notes);
        let blocked = world.scheduler.view(&name("bill")).unwrap().blocked_by;
        assert_eq!(blocked, Some(BlockReason::TakesOver { previously: name("invoice") }));
        assert!(blocked.is_some_and(|blocked| blocked.is_of_all_dates()), "`plan` says so");
        let refused = world.answer_to("bill", Operation::Reset { to: None });
        assert!(refused.contains("`crontabber kill bill` ends it"), "{refused}");
        // Nothing else of it is recorded or started meanwhile.
        let rows = world.rows_of("bill");
        world.take_started();
        world.pass("2026-11-06 04:00");
        assert_eq!((world.take_started(), world.rows_of("bill")), (String::new(), rows));
        world.end_first(outcome);
        world.settle(succeed);
        let takes_over = outcome != Outcome::Succeeded;
        assert_eq!(replaced(&world), if takes_over { 3 } else { 0 });
        let expected =
            if takes_over { "bill 11-06T03:00" } else { "bill 11-04T03:00, bill 11-05T03:00, bill 11-06T03:00" };
        assert_eq!(world.take_started(), expected);
        assert!(!world.rows_of("bill").contains("waiting"));
    }
}

#[test]
fn a_job_that_an_operator_disabled_stays_so_with_the_dates_of_its_former_name() {
    let (mut world, bill) = renamed();
    world.settle(fail);
    world.answer_to("bill", Operation::Disable { until: None });
    world.take_started();
    world.reload(vec![bill.clone()]);
    world.pass("2026-11-06 04:00");
    assert_snapshot!(world.take_started(), @"");
    assert!(world.scheduler.view(&name("bill")).unwrap().disabled.is_some_and(|disabled| disabled.job == name("bill")));
    // It takes over one job only: the next former name has no effect.
    world.reload(vec![bill.clone(), backfill("other", "0 3 * * *", "2026-11-06 00:00")]);
    world.settle(succeed);
    world.reload(vec![bill.clone()]);
    world.notes.clear();
    world.reload(vec![Job { previously: Some(name("other")), ..bill }]);
    assert!(
        world.notes.iter().any(|note| matches!(note, Notification::IneffectivePreviously { .. })),
        "{:?}",
        world.notes
    );
}

#[test]
fn a_former_name_that_the_ledger_does_not_know_is_told_once() {
    let is_told = |world: &World| {
        let of_it = |note: &&Notification| matches!(note, Notification::UnknownPreviously { .. });
        world.notes.iter().filter(of_it).count()
    };
    let invoice = backfill("invoice", "0 3 * * *", "2026-11-03 00:00");
    let unknown = Some(name("never-was"));
    let bill = Job { name: name("bill"), previously: unknown.clone(), is_new: false, ..invoice.clone() };
    // A copied registry in an empty ledger: no name can be known.
    let world = World::new("2026-11-05 12:00", vec![Job { previously: unknown, ..invoice.clone() }, bill.clone()]);
    assert_eq!(is_told(&world), 0, "{:?}", world.notes);
    let mut world = World::new("2026-11-05 12:00", vec![invoice.clone()]);
    for _ in 0..2 {
        world.reload(vec![invoice.clone(), bill.clone()]);
        assert_eq!(is_told(&world), 1, "{:?}", world.notes);
        world.crash();
        assert_eq!(is_told(&world), 1, "{:?}", world.notes);
    }
    // One that has taken over keeps the key.
    let payout = Job { name: name("payout"), previously: Some(name("invoice")), ..invoice };
    world.settle(succeed);
    world.reload(vec![payout.clone(), bill.clone()]);
    world.reload(vec![payout, bill]);
    assert_eq!(is_told(&world), 1, "{:?}", world.notes);
}
