//! Bounds, delays, and the line of text that the ledger keeps.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use crontabber_core::schedule::{Schedule, Timetable, TimetableError};
use proptest::prelude::*;

use crate::{crontab, instant, unbounded};

/// Every midnight of Berlin from 2026-11-02 to 2026-11-04, due an hour and a half later.
fn three_midnights() -> Timetable {
    Timetable::new(
        crontab("0 0 * * *", "Europe/Berlin"),
        Some(instant("2026-11-01T23:00:00Z")),
        Some(instant("2026-11-03T23:00:00Z")),
        Duration::from_mins(90),
    )
}

#[test]
fn both_bounds_are_included_and_compare_the_date() {
    let timetable = three_midnights();
    let dates = ["2026-11-01T23:00:00Z", "2026-11-02T23:00:00Z", "2026-11-03T23:00:00Z"].map(instant);
    let (from, to) = (instant("1990-01-01T00:00:00Z"), instant("2100-06-01T00:00:00Z"));
    assert_eq!(timetable.dates(from, to).collect::<Result<Vec<_>, _>>().unwrap(), dates);
    assert_eq!(timetable.next_after(from), Ok(Some(dates[0])));
    assert_eq!(timetable.next_after(dates[1]), Ok(Some(dates[2])));
    assert_eq!(timetable.next_after(dates[2]), Ok(None));
    assert_eq!(timetable.next_after(DateTime::<Utc>::MAX_UTC), Ok(None));
    assert_eq!(timetable.previous_before(to), Some(dates[2]));
    assert_eq!(timetable.previous_before(dates[1]), Some(dates[0]));
    assert_eq!(timetable.previous_before(dates[0]), None);
    assert!(timetable.includes(dates[0]) && timetable.includes(dates[2]));
    assert!(!timetable.includes(dates[0] - TimeDelta::days(1)) && !timetable.includes(dates[2] + TimeDelta::days(1)));
}

#[test]
fn bounds_between_dates_and_within_a_second() {
    let at = instant("2026-11-03T00:00:00Z");
    let micro = TimeDelta::microseconds(1);
    let bounded = |start, end| Timetable::new(crontab("0 0 * * *", "UTC"), Some(start), Some(end), Duration::ZERO);
    for (timetable, first, last) in [
        (bounded(at - micro, at + TimeDelta::days(1) + micro), at, at + TimeDelta::days(1)),
        (bounded(at, at), at, at),
        (bounded(at + micro, at + TimeDelta::days(2) - micro), at + TimeDelta::days(1), at + TimeDelta::days(1)),
    ] {
        assert_eq!(timetable.next_after(DateTime::<Utc>::MIN_UTC), Ok(Some(first)));
        assert_eq!(timetable.previous_before(DateTime::<Utc>::MAX_UTC), Some(last));
        let dates: Vec<_> = timetable.dates(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC).collect();
        assert_eq!((dates.first(), dates.last()), (Some(&Ok(first)), Some(&Ok(last))));
    }
    let empty = bounded(at + micro, at + micro);
    assert_eq!(empty.next_after(at), Ok(None));
    assert_eq!(empty.previous_before(DateTime::<Utc>::MAX_UTC), None);
    assert_eq!(empty.dates(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC).count(), 0);
}

#[test]
fn a_date_is_due_after_its_delay() {
    let timetable = three_midnights();
    let date = instant("2026-11-02T23:00:00Z");
    let due = instant("2026-11-03T00:30:00Z");
    assert_eq!(timetable.due(date), due);
    assert_eq!(timetable.newest_due(due), Some(date));
    assert_eq!(timetable.newest_due(due - TimeDelta::microseconds(1)), Some(date - TimeDelta::days(1)));
    assert_eq!(timetable.newest_due(instant("2026-11-01T23:30:00Z")), None);
    let never = Timetable::new(crontab("0 0 * * *", "UTC"), None, None, Duration::MAX);
    assert_eq!(never.due(date), DateTime::<Utc>::MAX_UTC);
    assert_eq!(never.newest_due(date), None);
}

#[test]
fn an_enumeration_ends_with_an_error_only_beyond_the_domain() {
    let timetable = unbounded(crontab("0 0 31 12 *", "UTC"));
    let from = instant("2098-01-01T00:00:00Z");
    assert_eq!(timetable.dates(from, instant("2100-01-01T00:00:00Z")).flatten().count(), 2);
    assert!(timetable.dates(from, instant("2100-01-01T00:00:00Z")).all(|date| date.is_ok()));
    let beyond: Vec<_> = timetable.dates(from, instant("2100-01-01T00:00:01Z")).collect();
    assert_eq!(beyond.len(), 3);
    assert!(beyond[2].is_err());
    assert_eq!(timetable.dates(instant("2200-01-01T00:00:00Z"), instant("2201-01-01T00:00:00Z")).count(), 1);
    assert!(timetable.next_after(instant("2099-12-31T00:00:00Z")).is_err());
    assert_eq!(timetable.previous_before(DateTime::<Utc>::MAX_UTC), Some(instant("2099-12-31T00:00:00Z")));
    assert_eq!(timetable.previous_before(instant("1973-12-31T00:00:00Z")), None);
    assert_eq!(timetable.previous_before(DateTime::<Utc>::MIN_UTC), None);
    assert_eq!(timetable.dates(from, from).count(), 0);
    assert_eq!(timetable.dates(from, instant("2020-01-01T00:00:00Z")).count(), 0);
}

#[test]
fn a_line_of_text_holds_everything() {
    insta::assert_snapshot!(three_midnights(), @r#"schedule="0 0 * * *" zone="Europe/Berlin" start="2026-11-01T23:00:00Z" end="2026-11-03T23:00:00Z" delay="5400""#);
    let every = Schedule::every("1d", Some("02:30"), Tz::America__PortauPrince).unwrap();
    insta::assert_snapshot!(Timetable::new(every, None, None, Duration::from_micros(1)), @r#"every="1d" at="02:30" zone="America/Port-au-Prince" delay="0.000001000""#);
}

#[test]
fn no_schedule_has_no_date_anywhere() {
    let ages = [DateTime::<Utc>::MIN_UTC, instant("2026-11-03T00:00:00Z"), instant("2099-12-31T23:59:59Z")];
    let bounds = Some(instant("2026-11-01T00:00:00Z"));
    for timetable in [
        unbounded(Schedule::none(Tz::Europe__Berlin)),
        Timetable::new(Schedule::none(Tz::Europe__Berlin), bounds, bounds, Duration::from_hours(1)),
    ] {
        for now in ages {
            assert_eq!(timetable.next_after(now), Ok(None));
            assert_eq!(timetable.previous_before(now), None);
            assert_eq!(timetable.newest_due(now), None);
            assert_eq!(timetable.dates(now, DateTime::<Utc>::MAX_UTC).count(), 0);
            assert!(!timetable.includes(now));
        }
        assert_eq!(timetable.zone(), Tz::Europe__Berlin);
        let schedule = &timetable.schedule;
        assert!(schedule.is_none() && schedule.never_fires_after(ages[0]) && !schedule.includes(ages[1]));
        assert_eq!(timetable.to_string().parse::<Timetable>().as_ref(), Ok(&timetable));
    }
    let none = Schedule::none(Tz::UTC);
    assert_eq!((none.text().as_str(), crontab("@daily", "UTC").is_none()), ("none", false));
    assert_ne!(none, Schedule::none(Tz::Europe__Berlin));
    insta::assert_snapshot!(unbounded(none), @r#"schedule="none" zone="UTC" delay="0""#);
}

#[test]
fn a_line_that_cannot_be_read_says_why() {
    let error = |text: &str| text.parse::<Timetable>().expect_err(text);
    let gone = error("schedule=\"0 0 * * *\" zone=\"Europe/Atlantis\" delay=\"0\"");
    assert!(matches!(gone, TimetableError::Zone { .. }));
    assert!(gone.to_string().contains("`Europe/Atlantis` is not in the zone rules 20"), "{gone}");
    for text in [
        "",
        " ",
        "0 0 * * *",
        "schedule=\"0 0 * * *\"",
        "schedule=\"0 0 * * *\" zone=\"UTC\"",
        "schedule=\"0 0 * * *\" zone=\"UTC\" delay=\"0\" ",
        "schedule=\"0 0 * * *\" zone=\"UTC\" delay=\"0\" delay=\"0\"",
        " schedule=\"0 0 * * *\" zone=\"UTC\" delay=\"0\"",
        "schedule=\"0 0 * * *\"  zone=\"UTC\" delay=\"0\"",
        "schedule=\"0 0 * * *\" zone=\"UTC\" end=\"2026-11-01T00:00:00Z\" start=\"2026-11-01T00:00:00Z\" delay=\"0\"",
        "schedule=\"0 0 * * *\" zone=\"UTC\" start=\"2026-11-01\" delay=\"0\"",
        "schedule=\"0 0 * * *\" zone=\"UTC\" delay=\"-1\"",
        "schedule=\"0 0 * * *\" zone=\"UTC\" delay=\"1.5\"",
        "schedule=\"0 0 * * *\" zone=\"UTC\" delay=\"99999999999999999999999\"",
        "schedule=\"0 0 * *\" zone=\"UTC\" delay=\"0\"",
        "every=\"1x\" zone=\"UTC\" delay=\"0\"",
        "every=\"1d\" at=\"2:30\" zone=\"UTC\" delay=\"0\"",
    ] {
        assert!(!error(text).to_string().is_empty());
    }
}

fn an_instant() -> impl Strategy<Value = Option<DateTime<Utc>>> {
    let any = (DateTime::<Utc>::MIN_UTC.timestamp()..=DateTime::<Utc>::MAX_UTC.timestamp(), 0_u32..2_000_000_000);
    let near = (0_i64..4_102_444_800, prop_oneof![Just(0), Just(1000), Just(999_999_999)]);
    proptest::option::of(
        prop_oneof![any, near]
            .prop_filter_map("no such instant", |(seconds, nanos)| DateTime::from_timestamp(seconds, nanos)),
    )
}

proptest! {
    #[test]
    fn a_line_of_text_reads_back_as_it_was(
        written in prop_oneof![
            Just(("15 1 * * *", None, None)),
            Just((" @daily ", None, None)),
            Just(("0\t0 1-5/2,* * mon", None, None)),
            Just(("", Some("90m"), None)),
            Just(("", Some(" 007d"), None)),
            Just(("", Some("2d"), Some(" 02:30\t"))),
        ],
        zone in proptest::sample::select(&chrono_tz::TZ_VARIANTS[..]),
        start in an_instant(),
        end in an_instant(),
        delay in prop_oneof![
            Just(Duration::ZERO),
            Just(Duration::MAX),
            (0_u64..100_000, 0_u32..999_999_999).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
        ],
    ) {
        let (crontab, every, at) = written;
        let schedule = match every {
            Some(every) => Schedule::every(every, at, zone).unwrap(),
            None => Schedule::crontab(crontab, zone).unwrap(),
        };
        let timetable = Timetable::new(schedule, start, end, delay);
        let text = timetable.to_string();
        prop_assert!(!text.contains('\n'));
        let read: Timetable = text.parse().unwrap();
        prop_assert_eq!(&read, &timetable);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn no_line_of_text_makes_it_panic(text in "(schedule|every|at|zone|start|end|delay|=|\"| |[0-9*ä]){0,30}") {
        prop_assert!(text.parse::<Timetable>().is_err());
    }
}

#[test]
fn every_n_days_counts_from_the_start() {
    let dates = |every: &str, start: &str, from: &str| {
        let schedule = Schedule::every(every, Some("06:00"), chrono_tz::Europe::Berlin).unwrap();
        let timetable = Timetable::new(schedule, Some(start.parse().unwrap()), None, Duration::ZERO);
        let dates = timetable.dates(from.parse().unwrap(), "2099-01-01T00:00:00Z".parse().unwrap()).take(3);
        let text = timetable.to_string();
        assert_eq!(text.parse(), Ok(timetable.clone()), "{text}");
        assert_eq!(
            timetable.without_start().next_after(from.parse().unwrap()),
            timetable.next_after(from.parse().unwrap())
        );
        dates.map(|date| date.unwrap().to_string()).collect::<Vec<_>>().join(", ")
    };
    // Monday, 2 March, the 16th and the 30th, across the change of the clock.
    assert_eq!(
        dates("14d", "2026-03-01T23:00:00Z", "2026-03-02T00:00:00Z"),
        "2026-03-02 05:00:00 UTC, 2026-03-16 05:00:00 UTC, 2026-03-30 04:00:00 UTC"
    );
    assert_eq!(
        dates("7d", "2026-03-01T23:00:00Z", "2026-03-09T12:00:00Z"),
        "2026-03-16 05:00:00 UTC, 2026-03-23 05:00:00 UTC, 2026-03-30 04:00:00 UTC"
    );
    // A start after the time of day has its first date a period later.
    assert_eq!(
        dates("14d", "2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z"),
        "2026-03-16 05:00:00 UTC, 2026-03-30 04:00:00 UTC, 2026-04-13 04:00:00 UTC"
    );
}
