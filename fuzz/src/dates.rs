//! The target `dates`: a date as it is typed on the command line, in a zone.
//!
//! An input is a line `ZONE FIELDS` (see [`words`]; without fields a daily job), and then the date.

use std::path::Path;
use std::time::Duration;

use chrono::offset::LocalResult;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use crontabber::registry::Registry;
use crontabber::report::date::{ChoiceError, DateArgument};
use crontabber::schedule::{Schedule, Timetable};
use crontabber::text::{in_zone, to_the_second, write_in_zone};

use super::words;

/// The least step between instants that a ledger tells apart.
const TICK: TimeDelta = TimeDelta::microseconds(1);

/// Checks one input.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (head, typed) = text.split_once('\n').unwrap_or(("", text));
    let (zone, fields) = head.split_once(' ').unwrap_or((head, "30 2 * * *"));
    let zone = words::zone(zone);
    let read = typed.parse::<DateArgument>();
    like_rfc_3339(typed, read.as_ref().ok());
    like_the_registry(typed, zone, read.as_ref().ok());
    let Ok(argument) = read else { return };
    match argument {
        DateArgument::Day(day) => of_a_day(day, zone),
        DateArgument::Wall(wall) => of_a_wall_time(wall, zone),
        DateArgument::Instant(at) => {
            assert_eq!(argument.range(zone), Ok((at, at + TICK)));
            assert!(argument.instant(zone) == at && argument.means(at, zone) && !argument.means(at + TICK, zone));
            shown(at, zone);
        }
    }
    if let Ok(schedule) = Schedule::crontab(fields, zone) {
        of_a_timetable(argument, &Timetable::new(schedule, None, None, Duration::ZERO));
    }
}

/// What the standard calls an instant is that very instant, but for a leap second, which is none that we count.
fn like_rfc_3339(typed: &str, read: Option<&DateArgument>) {
    if let Ok(at) = DateTime::parse_from_rfc3339(typed)
        && (0..=9999).contains(&at.year())
    {
        let counted = at.nanosecond() < 1_000_000_000;
        assert_eq!(read, counted.then_some(&DateArgument::Instant(at.to_utc())), "{typed:?} is {at:?}");
    }
}

/// What the registry takes for the start of a job means the same on the command line.
fn like_the_registry(typed: &str, zone: Tz, read: Option<&DateArgument>) {
    if typed.len() > 40 || typed.chars().any(|c| c.is_control() || matches!(c, '"' | '\\')) {
        return;
    }
    let zone_name = zone.name();
    let text = format!(
        "[jobs.a]\nschedule = '@daily'\ncommand = 'true'\ntimezone = '{zone_name}'\nstart = \"{typed}\"\nend = \"{typed}\""
    );
    let Ok(registry) = Registry::parse((Path::new("/jobs.toml"), text.as_bytes()), &[], at("2026-11-20T12:00:00Z"))
    else {
        return;
    };
    let timetable = &registry.jobs[0].timetable;
    let (start, end) = (timetable.start.expect("given"), timetable.end.expect("given"));
    let argument = read.unwrap_or_else(|| panic!("the registry takes {typed:?}"));
    let (from, to) = match argument.range(zone) {
        Err(ChoiceError::SwallowedDay { .. }) => return,
        range => range.expect("no wall time"),
    };
    // The registry knows whole microseconds only.
    assert!((from - start).abs() < TICK && end > from - TICK && end < to, "{typed:?}: {start} {end}, {from} {to}");
    let is_day = matches!(argument, DateArgument::Day(_));
    assert!(!is_day || start > end || argument.means(end, zone), "{typed:?} does not end at {end}");
}

fn of_a_day(day: NaiveDate, zone: Tz) {
    let argument = DateArgument::Day(day);
    assert!((0..=9999).contains(&day.year()), "{day} is of no year that people write");
    assert_eq!(day.to_string().parse(), Ok(argument));
    let shown = |at: DateTime<Utc>| wall_clock(at, zone).date();
    let first = argument.instant(zone);
    let (from, to) = match argument.range(zone) {
        Err(ChoiceError::SwallowedDay { .. }) => (first, first),
        range => range.expect("every day that was shown has a range"),
    };
    assert!(from <= to && first == from, "{from} to {to}");
    assert!(shown(from - TICK) < day && shown(to) > day, "{day} is wider than {from} to {to}");
    assert!(from == to || shown(from) == day && argument.means(from, zone), "{day} begins before {from}");
}

fn of_a_wall_time(wall: NaiveDateTime, zone: Tz) {
    let argument = DateArgument::Wall(wall);
    assert!((0..=9999).contains(&wall.year()), "{wall} is of no year that people write");
    assert_eq!(format!("{wall:?}").parse(), Ok(argument), "{wall:?} does not read back");
    let first = argument.instant(zone);
    match (zone.from_local_datetime(&wall), argument.range(zone)) {
        (LocalResult::None, Err(ChoiceError::Swallowed { .. })) => {
            // When the clock was set forward.
            assert!(wall_clock(first, zone) > wall && wall_clock(first - TICK, zone) < wall, "{wall} is {first}");
            assert!(!argument.means(first, zone));
        }
        (LocalResult::Single(_) | LocalResult::Ambiguous(..), Ok((from, to))) => {
            assert!(from == first && from < to, "{from} to {to}");
            for at in [from, to - TICK] {
                assert_eq!(wall_clock(at, zone), wall, "{at}");
                assert!(argument.means(at, zone), "{at}");
            }
        }
        (local, range) => panic!("{wall} is {local:?} in {zone}, but has the range {range:?}"),
    }
}

/// However an instant is shown, what is shown can be typed.
fn shown(at: DateTime<Utc>, zone: Tz) {
    let local = wall_clock(at, zone);
    let mut fast = Vec::new();
    write_in_zone(&mut fast, at, zone);
    assert_eq!(String::from_utf8_lossy(&fast), in_zone(at, zone), "the fast form is another");
    let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
    if offset % 60 != 0 || !(0..=9999).contains(&local.year()) {
        return;
    }
    let text = in_zone(at, zone);
    assert_eq!(text.parse(), Ok(DateArgument::Instant(at)), "{text:?} does not read back");
    let text = to_the_second(at, zone);
    let Ok(DateArgument::Instant(read)) = text.parse() else { panic!("{text:?} does not read back") };
    assert!((at - read).abs() < TimeDelta::seconds(2) && read <= at, "{at} is shown as {text:?}");
}

/// The range of an argument has exactly the dates of the timetable that the argument means.
fn of_a_timetable(argument: DateArgument, timetable: &Timetable) {
    let zone = timetable.zone();
    let day = match argument {
        DateArgument::Wall(wall) => wall.date(),
        DateArgument::Day(day) => day,
        DateArgument::Instant(at) => at.date_naive(),
    };
    let meant = |from, to| -> Vec<DateTime<Utc>> {
        timetable.dates(from, to).map_while(Result::ok).filter(|date| argument.means(*date, zone)).collect()
    };
    let noon = day.and_time(NaiveTime::MIN).and_utc();
    let around = meant(noon - TimeDelta::days(2), noon + TimeDelta::days(3));
    match argument.range(zone) {
        Ok((from, to)) => assert_eq!(meant(from, to), around),
        Err(ChoiceError::Swallowed { wall, .. }) => {
            assert!(matches!(zone.from_local_datetime(&wall), LocalResult::None), "{wall}");
        }
        Err(ChoiceError::SwallowedDay { day, .. }) => {
            let noon = day.and_time(NaiveTime::MIN) + TimeDelta::hours(12);
            assert!(matches!(zone.from_local_datetime(&noon), LocalResult::None) && around.is_empty(), "{day}");
        }
    }
}

fn wall_clock(at: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}
