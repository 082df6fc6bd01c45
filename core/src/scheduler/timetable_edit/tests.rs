//! The spans that an edit walks, against a walk over the whole past.

use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::job::{Command, DatePolicy, JobName, Template};
use crate::schedule::Schedule;
use crate::scheduler::registry_update::first_record;

const CRONTABS: [&str; 14] = [
    "0 6 * * *",
    "30 0 * * *",
    "45 23 * * *",
    "0 2 * * *",
    "30 2 * * 1-5",
    "0 0 * * 1-6",
    "0 6 5 * *",
    "0 23 31 * *",
    "15 0 1 * *",
    "0 6 * * 1",
    "0 23 * * 0",
    "0 6 24 12 *",
    "7 * * * *",
    "0 8,20 * * *",
];

/// With days that a zone skips (Apia, Kwajalein), changes at midnight (Beirut, Havana), and halves of an hour.
const ZONES: [Tz; 9] = [
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::Pacific__Apia,
    Tz::Pacific__Kwajalein,
    Tz::Asia__Beirut,
    Tz::America__Havana,
    Tz::Asia__Kolkata,
    Tz::Australia__Lord_Howe,
    Tz::Pacific__Kiritimati,
];

fn instant(day: i64, second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(day * 86_400 + second, 0).expect("an instant")
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let crontab =
        (select(&CRONTABS), select(&ZONES)).prop_map(|(text, zone)| Schedule::crontab(text, zone).expect("a schedule"));
    let every = (select(&["1d", "2d", "6h", "15m", "1h"]), select(&ZONES)).prop_map(|(every, zone)| {
        let at = every.ends_with('d').then_some("00:30");
        Schedule::every(every, at, zone).expect("an interval")
    });
    prop_oneof![3 => crontab, 1 => every]
}

fn timetable() -> impl Strategy<Value = Timetable> {
    // Days of 1990 to 2015.
    let bound = || proptest::option::weighted(0.3, (7_300..16_500_i64, 0..86_400_i64));
    (schedule(), bound(), bound()).prop_map(|(schedule, start, end)| {
        let bound = |bound: Option<(i64, i64)>| bound.map(|(day, second)| instant(day, second));
        Timetable::new(schedule, bound(start), bound(end), std::time::Duration::ZERO)
    })
}

proptest! {
    /// The spans that are walked miss no date that a walk over all dates finds.
    #[test]
    fn the_uncovered_dates_are_those_of_a_walk_over_the_whole_past(
        former in timetable(),
        mut new in timetable(),
        other_zone in proptest::option::of(select(&ZONES)),
        (after, days) in (7_300..16_500_i64, 0..1_200_i64),
        second in 0..86_400_i64,
    ) {
        if let Some(zone) = other_zone {
            // The edit of a zone alone is the most frequent.
            let text = former.to_string().replace(
                &format!("zone=\"{}\"", former.zone()),
                &format!("zone=\"{zone}\""),
            );
            new = text.parse().expect("a timetable");
        }
        let name = JobName::new("load").expect("a name");
        let command = Command::Argv(vec![Template::parse("true").expect("a template")]);
        let job = Job { date_policy: DatePolicy::Strict, ..Job::new(name.clone(), new, command) };
        let mut record = first_record(&name, name.to_string(), &former, 1, instant(after, 0));
        record.complete_after = Some(instant(after, second));
        record.watermark = Some(instant(after + days, second));
        let edit = TimetableEdit::new(&record, &job);
        if !edit.keeps_grain() {
            return Ok(());
        }
        let whole = (instant(after, second) + TICK, instant(after + days, second));
        let mut expected: Vec<DateTime<Utc>> = match edit.earlier_start() {
            Some(start) => edit.dates(start, record.first_date - TICK).collect(),
            None => Vec::new(),
        };
        expected.extend(edit.uncovered_between(edit.former.as_ref().expect("parsed"), whole, whole));
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(edit.uncovered(), expected);
    }
}
