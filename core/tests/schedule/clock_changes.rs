//! The promise across clock changes, row by row.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use crontabber_core::schedule::{Schedule, day_end, day_start};

use crate::{crontab, dates_between, dates_of_local_day, instant, unbounded};

fn one(schedule: &str, zone: &str, day: &str) -> DateTime<Utc> {
    let dates = dates_of_local_day(&crontab(schedule, zone), day);
    assert_eq!(dates.len(), 1, "`{schedule}` in {zone} on {day}: {dates:?}");
    dates[0]
}

fn fifteen_minutes_apart(dates: &[DateTime<Utc>]) -> bool {
    dates.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::minutes(15))
}

#[test]
fn a_fixed_time_in_a_gap_comes_at_the_end_of_the_gap() {
    assert_eq!(one("30 2 * * *", "Europe/Berlin", "2026-03-29"), instant("2026-03-29T01:00:00Z"));
    assert_eq!(one("30 2 * * *", "America/New_York", "2026-03-08"), instant("2026-03-08T07:00:00Z"));
}

#[test]
fn a_fixed_time_in_an_overlap_comes_once_at_its_first_showing() {
    assert_eq!(one("30 2 * * *", "Europe/Berlin", "2026-10-25"), instant("2026-10-25T00:30:00Z"));
}

#[test]
fn an_enumeration_from_within_a_repeated_hour_repeats_no_fixed_time() {
    let timetable = unbounded(crontab("0-59 2 * * *", "Europe/Berlin"));
    let mut dates = timetable.dates(instant("2026-10-25T01:10:00Z"), instant("2026-10-27T00:00:00Z"));
    assert_eq!(dates.next(), Some(Ok(instant("2026-10-26T01:00:00Z"))));
}

#[test]
fn every_two_hours_shows_the_repeated_hour_twice() {
    let dates = dates_of_local_day(&crontab("0 */2 * * *", "Europe/Berlin"), "2026-10-25");
    assert_eq!(dates.len(), 13);
    let read_two: Vec<_> = dates
        .iter()
        .filter(|date| date.with_timezone(&Tz::Europe__Berlin).format("%H:%M").to_string() == "02:00")
        .collect();
    assert_eq!(read_two, [&instant("2026-10-25T00:00:00Z"), &instant("2026-10-25T01:00:00Z")]);
}

#[test]
fn quarters_of_an_hour_stay_fifteen_elapsed_minutes_apart() {
    let schedule = crontab("*/15 * * * *", "Europe/Berlin");
    for (day, count) in [("2026-03-29", 92), ("2026-10-25", 100)] {
        let dates = dates_of_local_day(&schedule, day);
        assert_eq!(dates.len(), count, "{day}");
        assert!(fifteen_minutes_apart(&dates), "{day}");
    }
}

#[test]
fn quarters_of_the_hour_that_is_skipped_or_repeated() {
    let schedule = crontab("*/15 2 * * *", "Europe/Berlin");
    assert!(dates_of_local_day(&schedule, "2026-03-29").is_empty());
    let dates = dates_of_local_day(&schedule, "2026-10-25");
    assert_eq!(dates.len(), 8);
    assert!(fifteen_minutes_apart(&dates));
}

#[test]
fn midnight_in_a_gap_comes_at_the_end_of_the_gap() {
    assert_eq!(one("0 0 * * *", "America/Sao_Paulo", "2018-11-04"), instant("2018-11-04T03:00:00Z"));
}

#[test]
fn a_day_that_was_skipped_has_no_date() {
    assert!(dates_of_local_day(&crontab("30 2 * * *", "Pacific/Apia"), "2011-12-30").is_empty());
    let dates = dates_between(
        &crontab("30 2 * * *", "Pacific/Apia"),
        instant("2011-12-29T00:00:00Z"),
        instant("2012-01-01T00:00:00Z"),
    );
    assert_eq!(dates, ["2011-12-29T12:30:00Z", "2011-12-30T12:30:00Z", "2011-12-31T12:30:00Z"].map(instant));
    assert!(dates_of_local_day(&crontab("30 2 * * *", "Pacific/Kwajalein"), "1993-08-21").is_empty());
}

#[test]
fn a_gap_of_three_hours_swallows_for_good() {
    // 00:00 to 03:00 were skipped on 1981-04-01.
    let schedule = crontab("30 1 * * *", "Asia/Ust-Nera");
    assert!(dates_of_local_day(&schedule, "1981-04-01").is_empty());
    let dates = dates_of_local_day(&crontab("30 1,3 * * *", "Asia/Ust-Nera"), "1981-04-01");
    assert_eq!(dates, [instant("1981-03-31T15:30:00Z")]);
}

#[test]
fn wall_times_that_land_on_one_instant_are_one_date() {
    let dates = dates_of_local_day(&crontab("0,20,40 2,3 * * *", "Europe/Berlin"), "2026-03-29");
    assert_eq!(dates, ["2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z", "2026-03-29T01:40:00Z"].map(instant));
}

#[test]
fn a_half_hour_overlap_repeats_a_half_hour() {
    let dates = dates_of_local_day(&crontab("*/15 1 * * *", "Australia/Lord_Howe"), "2026-04-05");
    assert_eq!(dates.len(), 6);
    let dates = dates_of_local_day(&crontab("0,15,30,45 1 * * *", "Australia/Lord_Howe"), "2026-04-05");
    assert_eq!(dates.len(), 4);
}

#[test]
fn every_day_at_a_time_is_the_crontab_of_that_time() {
    for zone in crate::ZONES {
        let every = Schedule::every("1d", Some("02:30"), zone).unwrap();
        let daily = Schedule::crontab("30 2 * * *", zone).unwrap();
        let (from, to) = (instant("1992-01-01T00:00:00Z"), instant("1995-01-01T00:00:00Z"));
        assert_eq!(dates_between(&every, from, to), dates_between(&daily, from, to), "{zone}");
    }
}

#[test]
fn hours_and_minutes_are_elapsed_time() {
    let every = Schedule::every("90m", None, Tz::Europe__Berlin).unwrap();
    let dates = dates_between(&every, instant("2026-03-28T00:00:00Z"), instant("2026-03-30T00:00:00Z"));
    assert_eq!(dates.len(), 32);
    assert_eq!(dates[0], instant("2026-03-28T00:00:00Z"));
    assert!(dates.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::minutes(90)));
}

#[test]
fn every_other_day_counts_local_days_since_1970() {
    let every = Schedule::every("2d", None, Tz::America__New_York).unwrap();
    let dates = dates_between(&every, instant("1974-01-01T00:00:00Z"), instant("1974-01-10T00:00:00Z"));
    // 1974-01-02 is day 1462.
    let expected = ["1974-01-02T05", "1974-01-04T05", "1974-01-06T05", "1974-01-08T04"];
    assert_eq!(dates, expected.map(|hour| instant(&format!("{hour}:00:00Z"))));
}

#[test]
fn a_day_starts_at_its_first_instant_and_ends_a_microsecond_before_the_next() {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let start = |text, zone| day_start(day(text), zone);
    assert_eq!(start("2026-11-01", Tz::Europe__Berlin), instant("2026-10-31T23:00:00Z"));
    assert_eq!(start("2018-11-04", Tz::America__Sao_Paulo), instant("2018-11-04T03:00:00Z"));
    assert_eq!(start("2011-12-30", Tz::Pacific__Apia), instant("2011-12-30T10:00:00Z"));
    assert_eq!(start("2011-12-31", Tz::Pacific__Apia), instant("2011-12-30T10:00:00Z"));
    // The clock went from 00:01 back to 23:01, so that midnight was shown twice.
    assert_eq!(start("2010-11-07", Tz::America__St_Johns), instant("2010-11-07T02:30:00Z"));
    assert_eq!(day_end(day("2026-10-25"), Tz::Europe__Berlin), instant("2026-10-25T22:59:59.999999Z"));
    for extreme in [NaiveDate::MIN, NaiveDate::MAX] {
        assert!(day_start(extreme, Tz::Pacific__Apia) <= day_end(extreme, Tz::Pacific__Apia));
    }
}

#[test]
fn the_domain_ends_with_an_error() {
    let schedule = crontab("* * * * *", "UTC");
    let last = instant("2099-12-31T23:59:00Z");
    assert_eq!(schedule.next_after(last - TimeDelta::seconds(1)), Ok(last));
    let past = schedule.next_after(last).unwrap_err();
    assert!(past.to_string().contains("2099-12-31"));
    assert_eq!(past.last_instant(), instant("2099-12-31T23:59:59Z"));
    assert!(schedule.next_after(DateTime::<Utc>::MAX_UTC).is_err());
    assert_eq!(schedule.next_after(DateTime::<Utc>::MIN_UTC), Ok(instant("1973-01-01T00:00:00Z")));
}

#[test]
fn what_never_fires_is_known() {
    let now = instant("2026-11-03T00:00:00Z");
    for (text, never) in [
        ("0 0 30 2 *", true),
        ("0 0 31 2,4,6,9,11 *", true),
        ("0 0 29 2 *", false),
        ("0 0 29 2 1", false),
        ("0 0 30 2 1", false),
        ("0 0 30,31 2 */2", true),
        ("* * 30 2 *", true),
    ] {
        assert_eq!(crontab(text, "Europe/Berlin").never_fires_after(now), never, "{text}");
    }
    let leap = crontab("0 0 29 2 *", "UTC");
    assert!(!leap.never_fires_after(instant("2096-02-28T00:00:00Z")));
    assert!(leap.never_fires_after(instant("2096-02-29T00:00:00Z")));
}
