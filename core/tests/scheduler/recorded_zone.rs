//! A row keeps its name: the zone of a date is recorded with its session. All attempts get the same local day, time and
//! zone.

use std::time::Duration;

use chrono::TimeDelta;
use chrono_tz::{America, Asia, Europe, Pacific, Tz};
use crontabber_core::job::{Command, DatePolicy, Job};
use crontabber_core::schedule::{Schedule, Timetable};
use crontabber_core::scheduler::{Event, Notification};
use crontabber_core::session::{Only, Operation, Outcome, Retrying, Skipping};
use insta::assert_snapshot;

use crate::fixtures::*;
use crate::world::*;

/// A backfillable job in a zone, from the beginning of a day there on.
fn load_in(zone: Tz, crontab: &str, start: &str) -> Job {
    let schedule = Schedule::crontab(crontab, zone).expect("a schedule");
    let start = crontabber_core::schedule::day_start(start.parse().expect("a day"), zone);
    let timetable = Timetable::new(schedule, Some(start), None, Duration::ZERO);
    Job { date_policy: DatePolicy::Strict, ..Job::new(name("load"), timetable, Command::Shell("true".into())) }
}

/// The date that the job gets at each attempt since the last call.
fn told(world: &mut World) -> String {
    std::mem::take(&mut world.told).join("\n")
}

fn fails_once(world: &mut World) {
    world.end_first(Outcome::Failed { code: 1 });
}

#[test]
fn every_attempt_has_the_same_day_after_an_edit_of_the_zone() {
    let mut world = World::new("2026-05-18 12:00", vec![load_in(Tz::UTC, "@daily", "2026-05-17")]);
    world.end_first(Outcome::Succeeded);
    fails_once(&mut world);
    world.reload(vec![load_in(America::New_York, "@daily", "2026-05-17")]);
    world.crash();
    world.pass("2026-05-20 12:00");
    world.settle(succeed);
    assert_snapshot!(told(&mut world), @"
    load 1: 2026-05-17T00:00:00+00:00 UTC
    load 1: 2026-05-18T00:00:00+00:00 UTC
    load 2: 2026-05-18T00:00:00+00:00 UTC
    load 1: 2026-05-19T00:00:00-04:00 EDT
    load 1: 2026-05-20T00:00:00-04:00 EDT
    ");
}

#[test]
fn every_attempt_has_the_same_day_after_an_edit_of_the_schedule_and_the_name() {
    let mut world = World::new("2026-05-18 12:00", vec![load_in(Asia::Tokyo, "30 0 * * *", "2026-05-18")]);
    fails_once(&mut world);
    let before = load_in(Europe::Berlin, "0 6 * * MON", "2026-05-18");
    world.reload(vec![Job { name: name("fetch"), previously: Some(name("load")), ..before }]);
    world.crash();
    world.pass("2026-05-18 12:10");
    world.settle(succeed);
    assert_snapshot!(told(&mut world), @"
    load 1: 2026-05-18T00:30:00+09:00 JST
    fetch 2: 2026-05-18T00:30:00+09:00 JST
    ");
}

#[test]
fn a_repeated_date_keeps_the_day_it_was_recorded_with() {
    let hourly = |zone| Job {
        timetable: Timetable::new(
            Schedule::crontab("0 * * * *", zone).expect("a schedule"),
            Some(at("2026-05-17 22:00")),
            None,
            Duration::ZERO,
        ),
        ..load_in(zone, "@daily", "2026-05-18")
    };
    let mut world = World::new("2026-05-17 22:30", vec![hourly(Europe::Berlin)]);
    world.settle(succeed);
    world.reload(vec![hourly(Tz::UTC)]);
    world.request("load", Operation::Retry(Retrying::Date { date: at("2026-05-17 22:00"), again: true }));
    assert_snapshot!(world.answered(), @"done (1): 2026-05-18T00:00:00+02:00 of `load` had succeeded, and runs again now, outside its schedule");
    world.settle(succeed);
    world.crash();
    world.request("load", Operation::Backfill(order("2026-05-17 22:00", Only::All)));
    world.crash();
    world.settle(succeed);
    assert_snapshot!(told(&mut world), @"
    load 1: 2026-05-18T00:00:00+02:00 CEST
    load 2: 2026-05-18T00:00:00+02:00 CEST
    load 3: 2026-05-18T00:00:00+02:00 CEST
    load 4: 2026-05-18T00:00:00+02:00 CEST
    ");
}

#[test]
fn an_answer_names_a_recorded_date_as_it_was_recorded() {
    let mut world = World::new("2026-05-18 12:00", vec![load_in(Europe::Berlin, "@daily", "2026-05-16")]);
    fails_once(&mut world);
    world.reload(vec![load_in(Tz::UTC, "@daily", "2026-05-16")]);
    world.request("load", Operation::Run { date: Some(at("2026-05-16 22:00")), force: false });
    assert_snapshot!(world.answered(), @"refused (0): 2026-05-17T00:00:00+02:00 is not the next date of `load`: 2026-05-16T00:00:00+02:00 comes first, since its dates run in strict order");
    world.request("load", Operation::Retry(Retrying::Failed));
    assert_snapshot!(world.answered(), @"done (1): `load`: 2026-05-16T00:00:00+02:00 runs again now");
    world.request("load", Operation::Kill { date: None });
    fails_once(&mut world);
    assert_snapshot!(world.answered(), @"done (1): `load`: attempt 2 at 2026-05-16T00:00:00+02:00 ended by itself first: failed(1), and is held: `crontabber retry load --held` attempts it again, and the later dates wait for it");
    world.request("load", Operation::Skip(Skipping::To(at("2026-05-17 12:00"))));
    assert_snapshot!(world.answered(), @"done (2): `load`: skipped 2 dates from 2026-05-16T00:00:00+02:00 to 2026-05-17T00:00:00+02:00; the next date is 2026-05-18T00:00:00+02:00");
    world.request("load", Operation::Done { date: at("2026-05-17 22:00") });
    assert_snapshot!(world.answered(), @"refused (0): 2026-05-18T00:00:00+02:00 of `load` is running; `crontabber kill load` ends it first");
}

#[test]
fn a_date_that_settles_is_reported_as_it_was_recorded() {
    let mut world = World::new("2026-05-18 12:00", vec![load_in(Europe::Berlin, "@daily", "2026-05-18")]);
    world.reload(vec![load_in(Tz::UTC, "@daily", "2026-05-18")]);
    world.request("load", Operation::Kill { date: None });
    world.end_first(Outcome::Succeeded);
    assert_snapshot!(world.answered(), @"done (1): `load`: attempt 1 at 2026-05-18T00:00:00+02:00 ended by itself first: succeeded");
}

#[test]
fn a_date_that_done_when_settles_is_reported_as_it_was_recorded() {
    let job = |zone| with_done_when(load_in(zone, "@daily", "2026-05-18"));
    let mut world = World::new("2026-05-18 12:00", vec![job(Europe::Berlin)]);
    world.reload(vec![job(Tz::UTC)]);
    world.notes.clear();
    world.answer_probe(Some(true));
    assert!(matches!(world.notes[..], [Notification::WasDone { zone: Europe::Berlin, .. }]), "{:?}", world.notes);
}

#[test]
fn a_backlog_is_reported_from_its_oldest_date_as_it_was_recorded() {
    let mut world = World::new("2026-05-18 12:00", vec![load_in(Europe::Berlin, "@daily", "2026-05-18")]);
    fails_once(&mut world);
    world.reload(vec![load_in(Tz::UTC, "@daily", "2026-05-18")]);
    world.notes.clear();
    world.now = at("2026-05-21 12:00");
    world.handle(Event::Tick);
    let behind = world.notes.iter().find_map(|note| match note {
        Notification::Behind { oldest, zone, .. } => Some((*oldest, *zone)),
        _ => None,
    });
    assert_eq!(behind, Some((at("2026-05-17 22:00"), Europe::Berlin)));
}

#[test]
fn every_attempt_has_the_same_day_at_a_clock_change() {
    // A clock is set back or forward in that night, has left out the day before, or is far from UTC.
    for (zone, day) in [
        (Europe::Berlin, "2026-10-25"),
        (Europe::Berlin, "2026-03-29"),
        (America::St_Johns, "2026-11-01"),
        (Pacific::Apia, "2011-12-31"),
        (Pacific::Kiritimati, "2026-01-01"),
        (Asia::Kathmandu, "2026-01-01"),
    ] {
        let job = load_in(zone, "30 0 * * *", day);
        let date = job.timetable.next_after(at("2000-01-01 00:00")).expect("in the domain").expect("a date");
        let mut world = World::new("2000-01-01 00:00", vec![job]);
        world.pass_to(date);
        fails_once(&mut world);
        let elsewhere = if zone == Pacific::Apia { America::Adak } else { Pacific::Apia };
        let mut job = load_in(elsewhere, "30 0 * * *", day);
        job.timetable = Timetable::new(job.timetable.schedule, world.jobs[0].timetable.start, None, Duration::ZERO);
        world.reload(vec![job]);
        world.crash();
        world.pass_to(date + TimeDelta::minutes(10));
        let days: Vec<&str> = world.told.iter().map(|told| told.split('T').next().unwrap_or_default()).collect();
        assert_eq!(days, [format!("load 1: {day}"), format!("load 2: {day}")], "{zone}");
    }
}
