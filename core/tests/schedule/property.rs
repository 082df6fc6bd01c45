//! What must hold of every schedule, in every zone, around every change of its clock.

use std::sync::OnceLock;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use crontabber_core::schedule::{IntervalError, Schedule};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::scanner::{Item, Said, Window, clock_changes};
use crate::{ZONES, dates_between, instant, unbounded};

/// One item of a list of values from `least` to `greatest`; `near` are the values worth testing most.
fn item(least: u32, greatest: u32, near: &'static [u32]) -> impl Strategy<Value = Item> {
    prop_oneof![
        2 => (1..greatest + 3).prop_map(Item::Star),
        4 => select(near).prop_map(Item::Value),
        2 => (least..=greatest).prop_map(Item::Value),
        2 => (least..=greatest, least..=greatest, 1_u32..9).prop_map(|(a, b, step)| Item::Range(a.min(b), a.max(b), step)),
    ]
}

fn field(least: u32, greatest: u32, near: &'static [u32], stars: u32) -> impl Strategy<Value = Vec<Item>> {
    prop_oneof![
        stars => Just(vec![Item::Star(1)]),
        5 => proptest::collection::vec(item(least, greatest, near), 1..4),
    ]
}

fn crontab() -> impl Strategy<Value = Said> {
    let minutes = field(0, 59, &[0, 1, 15, 30, 59], 2);
    let hours = field(0, 23, &[0, 1, 2, 3, 23], 2);
    let days_of_month = field(1, 31, &[1, 15, 28, 29, 30, 31], 12);
    let months = field(1, 12, &[2, 3, 4, 10, 11], 15);
    let days_of_week = field(0, 7, &[0, 6, 7], 12);
    (minutes, hours, days_of_month, months, days_of_week).prop_map(|(a, b, c, d, e)| Said::Crontab([a, b, c, d, e]))
}

fn said() -> impl Strategy<Value = Said> {
    let days = (1_i64..4, select(&[0_u32, 1, 2, 3, 12, 23][..]), select(&[0_u32, 1, 30, 59][..]));
    prop_oneof![8 => crontab(), 1 => days.prop_map(|(days, hour, minute)| Said::Days(days, hour, minute))]
}

fn schedule(said: &Said, zone: Tz) -> Schedule {
    match said {
        Said::Crontab(fields) => Schedule::crontab(&Said::crontab_text(fields), zone).unwrap(),
        Said::Days(days, hour, minute) => {
            Schedule::every(&format!("{days}d"), Some(&format!("{hour:02}:{minute:02}")), zone).unwrap()
        }
    }
}

/// A zone, and a window around one of its clock changes; around any day where it has none.
fn window() -> impl Strategy<Value = (Tz, DateTime<Utc>)> {
    static CHANGES: OnceLock<Vec<(Tz, Vec<DateTime<Utc>>)>> = OnceLock::new();
    let changes = CHANGES.get_or_init(|| {
        let with_a_day = |mut days: Vec<DateTime<Utc>>| {
            days.push(instant("2026-02-28T00:00:00Z"));
            days
        };
        ZONES.iter().map(|zone| (*zone, with_a_day(clock_changes(*zone)))).collect()
    });
    (0..ZONES.len(), any::<Index>()).prop_map(|(zone, place)| {
        let (zone, changes) = &changes[zone];
        (*zone, *place.get(changes))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dates_are_those_that_a_scan_of_every_minute_finds(
        (zone, middle) in window(),
        said in said(),
        restarts in proptest::collection::vec((any::<Index>(), 0_i64..60_000_000), 12),
    ) {
        let window = Window::around(zone, middle);
        let (from, to) = (window.from(), window.to());
        let schedule = schedule(&said, zone);
        let expected = window.dates(&said);
        prop_assert_eq!(&dates_between(&schedule, from, to), &expected);

        let timetable = unbounded(schedule.clone());
        let enumerated: Vec<_> = timetable.dates(from, to).map(Result::unwrap).collect();
        prop_assert_eq!(&enumerated, &expected);

        let minutes = usize::try_from((to - from).num_minutes()).unwrap();
        for (number, (place, micros)) in restarts.into_iter().enumerate() {
            // Half of them near the change of the clock, which is within the day before the middle.
            let minute = if number % 2 == 0 {
                from + TimeDelta::minutes(i64::try_from(place.index(minutes)).unwrap())
            } else {
                middle - TimeDelta::days(1) + TimeDelta::minutes(i64::try_from(place.index(1600)).unwrap())
            };
            prop_assert_eq!(schedule.includes(minute), expected.binary_search(&minute).is_ok());
            for at in [minute, minute + TimeDelta::microseconds(micros)] {
                let following = expected.partition_point(|date| *date <= at);
                if let Some(date) = expected.get(following) {
                    prop_assert_eq!(schedule.next_after(at), Ok(*date), "after {}", at);
                } else {
                    prop_assert!(schedule.next_after(at).is_ok_and(|date| date >= to) || schedule.never_fires_after(at));
                }
                let before = expected.partition_point(|date| *date < at);
                if before > 0 {
                    prop_assert_eq!(timetable.previous_before(at), Some(expected[before - 1]), "before {}", at);
                } else {
                    prop_assert!(timetable.previous_before(at).is_none_or(|date| date < from));
                }
                let enumerated: Vec<_> = timetable.dates(at, to).take(30).map(Result::unwrap).collect();
                prop_assert_eq!(&enumerated[..], &expected[before..expected.len().min(before + 30)]);
            }
            let on_second = minute + TimeDelta::seconds(micros / 1_000_000);
            prop_assert_eq!(
                schedule.includes(on_second),
                schedule.next_after(on_second - TimeDelta::seconds(1)) == Ok(on_second)
            );
        }
        for date in &expected {
            prop_assert!(schedule.includes(*date));
            prop_assert!(!schedule.includes(*date + TimeDelta::microseconds(1)));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[0-9*/,@a-zA-ZäL#?~% \t\u{2003}-]{0,24}", at in "[0-9:ä ]{0,7}") {
        if let Err(error) = Schedule::crontab(&text, Tz::UTC) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{:?} of {:?}", error.span, text);
            prop_assert!(!error.message.is_empty());
        }
        if let Err(error) = Schedule::every(&text, Some(&at), Tz::UTC) {
            let (about, error) = match error {
                IntervalError::Every(error) => (&text, error),
                IntervalError::At(error) => (&at, error),
            };
            prop_assert!(about.get(error.span).is_some());
        }
    }

    #[test]
    fn no_near_miss_makes_it_panic(
        fields in proptest::collection::vec("[0-9*L]{0,2}(-[0-9A-Z]{0,3})?(/[0-9]{0,2})?(,[0-9]{0,2})?", 0..8)
    ) {
        let text = fields.join(" ");
        if let Err(error) = Schedule::crontab(&text, Tz::UTC) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{:?} of {:?}", error.span, text);
            if let Some(form) = error.hint.as_ref().and_then(|hint| hint.strip_prefix("did you mean `")?.split_once('`').map(|(form, _)| form.to_owned())) {
                let corrected = if form.contains(' ') { form } else { format!("{}{form}{}", &text[..error.span.start], &text[error.span.end..]) };
                // One correction may uncover the next mistake, but never the same one.
                if let Err(next) = Schedule::crontab(&corrected, Tz::UTC) {
                    prop_assert!(next.message != error.message || next.span != error.span, "{}: {} {:?}", text, error.message, error.hint);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_calendar_of_127_years_is_that_of_a_scan_of_every_day(
        days_of_month in field(1, 31, &[1, 28, 29, 30, 31], 4),
        months in field(1, 12, &[2, 4, 12], 4),
        days_of_week in field(0, 7, &[0, 6, 7], 4),
    ) {
        let midnight = || vec![Item::Value(0)];
        let said = Said::Crontab([midnight(), midnight(), days_of_month, months, days_of_week]);
        let first = instant("1973-01-01T00:00:00Z");
        let expected: Vec<_> = (0..46_386)
            .map(|day| first + TimeDelta::days(day))
            .filter(|day| said.matches(day.date_naive().and_time(NaiveTime::MIN)))
            .collect();
        let schedule = schedule(&said, Tz::UTC);
        let found = dates_between(&schedule, first, instant("2100-01-01T00:00:00Z"));
        prop_assert_eq!(schedule.never_fires_after(first - TimeDelta::seconds(1)), expected.is_empty());
        prop_assert_eq!(found, expected);
    }
}
