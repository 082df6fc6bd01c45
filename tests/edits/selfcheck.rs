//! Tests of the checker: histories with one mistake each, of a monthly job that moves from the 5th to the 27th.

use serde_json::{Value, json};

use crate::checker::{Checker, Seen};
use crate::ledger::{JobRows, Row, Rows};
use crate::lines::Line;
use crate::registry::{Job, Previously, Registry};
use crate::rules::{At, DayRule, Rule, Timetable};

fn at(text: &str) -> At {
    text.parse().expect("an instant")
}

fn monthly(day: u32) -> Registry {
    let timetable = Timetable {
        rule: Rule::Once(DayRule::Monthly { day }, 3, 0),
        zone: chrono_tz::UTC,
        start: Some(crate::rules::Bound::Day("2026-03-01".parse().expect("a day"))),
        end: None,
        delay_minutes: 0,
    };
    let job = Job {
        name: "bill".to_owned(),
        file: 1,
        edition: 0,
        timetable,
        backfill: true,
        independent: false,
        enabled: true,
        max_dates: None,
        attempts: None,
        previously: Previously::Unsaid,
    };
    Registry { announce_over: 100, jobs: vec![job] }
}

/// `2026-03-05 succeeded`, one a line, each at 03:00.
fn rows(timetable: &str, watermark: &str, text: &str) -> Rows {
    let row = |line: &str| {
        let (day, state) = line.trim().split_once(' ').expect("a day and a state");
        let (trigger, state) = ("catch-up".to_owned(), state.to_owned());
        (
            at(&format!("{day}T03:00:00Z")),
            Row { zone: chrono_tz::UTC, attempts: i64::from(state == "succeeded"), state, trigger },
        )
    };
    let job = JobRows {
        name: "bill".to_owned(),
        timetable: timetable.to_owned(),
        is_backfillable: true,
        watermark: Some(at(&format!("{watermark}T03:00:00Z"))),
        disabled_by: None,
        rows: text.trim().lines().map(row).collect(),
    };
    Rows::from([("bill".to_owned(), job)])
}

fn line(day: &str, key: &str, attempt: u32) -> Line {
    Line {
        job: "bill".to_owned(),
        date: at(&format!("{day}T03:00:00Z")),
        told: format!("{day}T03:00:00+00:00"),
        day: day.to_owned(),
        key: key.to_owned(),
        attempt,
        succeeded: true,
    }
}

/// A wake, and what is wrong.
fn wake(checker: &mut Checker, day: u32, now: &str, check: &Value, rows: Rows, lines: &[Line]) -> Vec<String> {
    let registry = monthly(day);
    checker.see(Seen { now: at(now), registry: &registry, is_wake: true, check, rows, lines })
}

const FIRST: &str = "2026-03-05 succeeded\n2026-04-05 succeeded";
const MOVED: &str = "2026-03-05 succeeded\n2026-04-05 succeeded\n2026-04-27 skipped: moved\n2026-05-27 succeeded";

/// The job on 18 April, as the checker knows it.
fn on_the_18th() -> Checker {
    let mut checker = Checker::default();
    let lines = [line("2026-03-05", "bill/1", 1), line("2026-04-05", "bill/2", 1)];
    let found = wake(&mut checker, 5, "2026-04-18T12:00:00Z", &json!({}), rows("5", "2026-04-05", FIRST), &lines);
    assert_eq!(found, [""; 0]);
    checker
}

/// What is wrong if the 5th becomes the 27th on 18 April, and the ledger has these rows on 28 May.
fn found(text: &str, lines: &[Line]) -> Vec<String> {
    let mut checker = on_the_18th();
    let moved = json!({"date": "2026-04-27T03:00:00+00:00", "of": "2026-04-05T03:00:00+00:00"});
    let check = json!({"edits": [{"job": "bill", "change": "changed", "moved": [moved], "text": ""}]});
    wake(&mut checker, 27, "2026-05-28T12:00:00Z", &check, rows("27", "2026-05-27", text), lines)
}

#[test]
fn the_checker_accepts_what_is_right() {
    assert_eq!(found(MOVED, &[line("2026-05-27", "bill/3", 1)]), [""; 0]);
}

#[test]
fn the_checker_sees_a_lost_period() {
    let lost = MOVED.replace("2026-05-27 succeeded", "2026-05-27 skipped: excluded");
    let found = found(&lost, &[]);
    assert!(
        found.iter().any(|it| it.contains("2026-05-27 03:00:00 UTC was due, and its period has no date")),
        "{found:?}"
    );
}

#[test]
fn the_checker_sees_a_period_with_two_dates() {
    let found = found(&MOVED.replace("skipped: moved", "succeeded"), &[]);
    assert_eq!(found, ["bill: 2026-04 has two dates: 2026-04-05 03:00:00 UTC and 2026-04-27 03:00:00 UTC"]);
}

#[test]
fn the_checker_sees_a_date_and_a_key_that_succeed_twice() {
    let found = |again: Line| found(MOVED, &[line("2026-05-27", "bill/3", 1), again]);
    let twice = found(line("2026-05-27", "bill/3", 2));
    assert_eq!(twice, ["bill, 2026-05-27 03:00:00 UTC, attempt 2: its date had succeeded before"]);
    let key = found(line("2026-04-27", "bill/3", 2));
    assert!(key.iter().any(|it| it.contains("its key `bill/3` is that of another date")), "{key:?}");
}

#[test]
fn the_checker_sees_a_date_whose_day_changes() {
    let told = Line { day: "2026-05-28".to_owned(), ..line("2026-05-27", "bill/3", 1) };
    let wrong = found(MOVED, &[told]);
    assert!(wrong.iter().any(|it| it.contains("it was told 2026-05-27T03:00:00+00:00 and 2026-05-28")), "{wrong:?}");
    let wrong = found(&MOVED.replace("2026-04-05 succeeded\n", ""), &[]);
    assert!(wrong.contains(&"bill: the row of 2026-04-05 03:00:00 UTC is gone".to_owned()), "{wrong:?}");
}

#[test]
fn the_checker_sees_what_was_announced_otherwise() {
    let mut checker = on_the_18th();
    let check = json!({"edits": [{"job": "bill", "change": "changed", "added": ["2026-03-27T03:00:00+00:00"]}]});
    let moved = rows("27", "2026-05-27", MOVED);
    let wrong = wake(&mut checker, 27, "2026-05-28T12:00:00Z", &check, moved, &[]);
    assert!(wrong.iter().any(|it| it.contains("announced as added")), "{wrong:?}");
    assert!(wrong.iter().any(|it| it.contains("nobody had announced it")), "{wrong:?}");
}

#[test]
fn the_calendar_of_the_checker_has_clock_changes() {
    // The table of the README's section on daylight saving, by hand.
    let dates = |rule, zone, from: &str, to: &str| -> Vec<String> {
        let timetable = Timetable { rule, zone, start: None, end: None, delay_minutes: 0 };
        timetable.dates(at(from), at(to)).iter().map(|date| date.format("%dT%R").to_string()).collect()
    };
    let daily = Rule::Once(DayRule::Daily, 2, 30);
    let berlin = chrono_tz::Europe::Berlin;
    assert_eq!(dates(daily, berlin, "2026-03-28T22:00:00Z", "2026-03-29T22:00:00Z"), ["29T01:00"]);
    assert_eq!(dates(daily, berlin, "2026-10-24T22:00:00Z", "2026-10-25T22:00:00Z"), ["25T00:30"]);
    assert_eq!(dates(Rule::Hours(2, 0), berlin, "2026-10-24T21:59:00Z", "2026-10-25T22:59:00Z").len(), 13);
}
