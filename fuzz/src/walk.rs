//! What must hold of every timetable: its dates ahead and behind agree with one another, however they are asked for.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use crontabber::schedule::Timetable;

/// So many dates are looked at.
const DATES: usize = 6;

/// The least step between instants.
const TICK: TimeDelta = TimeDelta::nanoseconds(1);

/// Checks a timetable around an instant. Its `start` may not be after its `end`.
pub(crate) fn check(timetable: &Timetable, at: DateTime<Utc>) {
    reads_back(timetable);
    let dates = ahead(timetable, at);
    for date in &dates {
        is_a_date(timetable, *date);
    }
    for pair in dates.windows(2) {
        nothing_between(timetable, pair[0], pair[1]);
    }
    enumerated(timetable, at, &dates);
    behind(timetable, at);
}

/// The line in which the ledger keeps it is read back as the same timetable.
fn reads_back(timetable: &Timetable) {
    let text = timetable.to_string();
    match text.parse::<Timetable>() {
        Ok(read) => {
            assert_eq!(read, *timetable, "reads back as another: {text}");
            assert_eq!(read.to_string(), text, "is written another way when it was read");
        }
        Err(error) => panic!("does not read back: {text}: {error}"),
    }
}

/// The first dates after an instant, one by one.
fn ahead(timetable: &Timetable, at: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let mut dates = Vec::new();
    let mut after = at;
    while dates.len() < DATES {
        match timetable.next_after(after) {
            Ok(Some(date)) => {
                assert!(date > after, "{date} is not after {after}");
                dates.push(date);
                after = date;
            }
            Ok(None) => {
                assert!(timetable.end.is_some(), "no date after {after}, and no end");
                break;
            }
            Err(past) => {
                assert!(timetable.end.is_none_or(|end| end > past.last_instant()), "past the domain, not the end");
                break;
            }
        }
    }
    dates
}

fn is_a_date(timetable: &Timetable, date: DateTime<Utc>) {
    assert!(timetable.start.is_none_or(|start| start <= date), "{date} is before the start");
    assert!(timetable.end.is_none_or(|end| date <= end), "{date} is after the end");
    assert!(date.timestamp() % 60 == 0 && date.timestamp_subsec_nanos() == 0, "{date} is within a minute");
    assert!((1973..2100).contains(&date.year()), "{date} is beyond what is known");
    assert!(timetable.includes(date) && timetable.schedule.includes(date), "{date} is not included");
    assert_eq!(timetable.next_after(date - TICK), Ok(Some(date)));
    assert_eq!(timetable.previous_before(date + TICK), Some(date));
    let due = timetable.due(date);
    assert_eq!((due - date).to_std().ok(), Some(timetable.delay), "{date} is due at {due}");
    assert_eq!(timetable.newest_due(due), Some(date), "the newest that is due at {due}");
    assert!(timetable.newest_due(due - TICK).is_none_or(|newest| newest < date), "{date} is due before it is due");
}

/// Between two dates, one after the other, everything points at the two.
fn nothing_between(timetable: &Timetable, before: DateTime<Utc>, after: DateTime<Utc>) {
    assert_eq!(timetable.previous_before(after), Some(before));
    for between in [before + TICK, before + TimeDelta::seconds(1), before + (after - before) / 2, after - TICK] {
        assert_eq!(timetable.next_after(between), Ok(Some(after)), "after {between}");
        assert!(!timetable.includes(between), "{between} is included");
    }
    let between = before + (after - before) / 2;
    assert_eq!(timetable.previous_before(between), Some(before), "before {between}");
}

/// An enumeration has the same dates, wherever it begins.
fn enumerated(timetable: &Timetable, at: DateTime<Utc>, dates: &[DateTime<Utc>]) {
    let Some(from) = at.checked_add_signed(TICK) else { return };
    let forever = DateTime::<Utc>::MAX_UTC;
    if timetable.start.map_or(from, |start| start.max(from)) < forever {
        let ahead = timetable.dates(from, forever).next();
        assert_eq!(ahead, timetable.next_after(at).transpose(), "the first of an enumeration from {from}");
    }
    let (Some(first), Some(last)) = (dates.first(), dates.last()) else { return };
    for (from, expected) in [(from, dates), (*first + TICK, &dates[1..]), (*last, &dates[dates.len() - 1..])] {
        let found: Vec<_> = timetable.dates(from, *last + TICK).map(|date| date.expect("known")).collect();
        assert_eq!(found, expected, "from {from}");
    }
    let before_last = timetable.dates(from, *last).count();
    assert_eq!(before_last, dates.len() - 1, "the end of an enumeration is not in it");
}

/// The date before an instant is one, and none lies between.
fn behind(timetable: &Timetable, at: DateTime<Utc>) {
    let previous = timetable.previous_before(at);
    let after = previous.unwrap_or(DateTime::<Utc>::MIN_UTC);
    if let Some(date) = previous {
        assert!(date < at, "{date} is not before {at}");
        is_a_date(timetable, date);
    }
    if let Ok(Some(next)) = timetable.next_after(after) {
        assert!(next >= at, "the date before {at} is {previous:?}, but there is {next}");
    }
}
