//! What is a schedule, what is not, and what people are told then.

use chrono_tz::Tz;
use crontabber_core::schedule::{IntervalError, Schedule};

use crate::{dates_between, instant};

/// Writes one line for each refused text: what is wrong of it, why, and what would be right.
fn refusals(texts: &[&str]) -> String {
    let line = |text: &&str| {
        let error = Schedule::crontab(text, Tz::UTC).expect_err(text);
        let hint = error.hint.unwrap_or_default();
        format!("{text:?} [{}] {}; {hint}\n", &text[error.span], error.message)
    };
    texts.iter().map(line).collect()
}

/// Likewise for an interval and its time of day.
fn interval_refusals(texts: &[(&str, Option<&str>)]) -> String {
    let line = |(every, at): &(&str, Option<&str>)| {
        let (about, error) = match Schedule::every(every, *at, Tz::UTC).expect_err(every) {
            IntervalError::Every(error) => (*every, error),
            IntervalError::At(error) => (at.unwrap(), error),
        };
        let hint = error.hint.unwrap_or_default();
        format!("{every:?} {at:?} [{}] {}; {hint}\n", &about[error.span], error.message)
    };
    texts.iter().map(line).collect()
}

/// Checks that two texts have the same dates, in years that hold every kind of day.
fn same(left: &str, right: &str) {
    let dates = |text: &str| {
        let schedule = Schedule::crontab(text, Tz::Europe__Berlin).unwrap_or_else(|error| panic!("`{text}`: {error}"));
        let mut dates = dates_between(&schedule, instant("2026-01-01T00:00:00Z"), instant("2026-01-01T03:00:00Z"));
        dates.extend(dates_between(&schedule, instant("2026-03-28T00:00:00Z"), instant("2026-03-30T00:00:00Z")));
        let mut after = instant("2026-01-01T00:00:00Z");
        for _ in 0..300 {
            let Ok(date) = schedule.next_after(after) else { break };
            dates.push(date);
            after = date;
        }
        dates
    };
    assert_eq!(dates(left), dates(right), "`{left}` and `{right}`");
}

#[test]
fn forms_that_mean_the_same() {
    for (left, right) in [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * SUN"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 JAN *"),
        ("@annually", "0 0 1 1 *"),
        (" \t15  1\t* * *  ", "15 1 * * *"),
        ("*/60 * * * *", "0 * * * *"),
        ("*/99999999999999999999999 * * * *", "0 * * * *"),
        ("*/1 * * * *", "* * * * *"),
        ("05 007 * * *", "5 7 * * *"),
        ("5-5 7 * * *", "5 7 * * *"),
        ("1-59/20,3 7 * * *", "1,3,21,41 7 * * *"),
        ("5,5,5 7 * * *", "5 7 * * *"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * 0-7", "0 0 * * *"),
        ("0 0 * * 1-7/2", "0 0 * * 0,1,3,5"),
        ("0 0 * * FRI-SUN", "0 0 * * 5,6,0"),
        ("0 0 * * Sat-sun", "0 0 * * 6,0"),
        ("0 0 * * SUN-TUE", "0 0 * * 0-2"),
        ("0 0 * * mon-FRI/2", "0 0 * * 1,3,5"),
        ("0 0 * * 1-FRI", "0 0 * * 1-5"),
        ("0 0 1 jan,Mar-MAY,12 *", "0 0 1 1,3,4,5,12 *"),
        ("0 0 */2 * *", "0 0 1-31/2 * *"),
        ("0 0 1 */5 *", "0 0 1 1,6,11 *"),
        ("*,5 * * * *", "* * * * *"),
        ("0 0 1-31 * 1", "0 0 * * *"),
        ("0 0 *,3 * 1", "0 0 * * 1"),
    ] {
        same(left, right);
    }
}

#[test]
fn day_fields_are_either_or_unless_one_begins_with_a_star() {
    let count = |text: &str| {
        let schedule = Schedule::crontab(text, Tz::UTC).unwrap();
        dates_between(&schedule, instant("2026-11-01T00:00:00Z"), instant("2026-12-01T00:00:00Z")).len()
    };
    assert_eq!(count("0 0 2,13 * 1"), 6, "2nd (a Monday), 13th, and the Mondays 9, 16, 23, 30");
    assert_eq!(count("0 0 */2 * 1"), 2, "odd Mondays: 9, 23");
    assert_eq!(count("0 0 2,13 * */5"), 1, "2nd or 13th, and a Sunday or a Friday: 13");
}

#[test]
fn a_text_is_kept_as_it_was_written() {
    let crontab = Schedule::crontab(" 15 1\t*  * Mon", Tz::UTC).unwrap();
    assert_eq!(crontab.text(), "15 1 * * Mon");
    assert_eq!(crontab, Schedule::crontab("15 1 * * Mon", Tz::UTC).unwrap());
    assert_ne!(crontab, Schedule::crontab("15 1 * * Mon", Tz::Europe__Berlin).unwrap());
    assert_eq!(Schedule::every("1d", Some("02:30"), Tz::UTC).unwrap().text(), "every 1d at 02:30");
    assert_eq!(Schedule::every("90m", None, Tz::UTC).unwrap().text(), "every 90m");
}

#[test]
fn texts_without_five_fields_are_refused() {
    insta::assert_snapshot!(refusals(&[
        "", " \t", "*", "0 3 *", "0 3 * *", "0 0 3 * * *", "0 0 12 ? * MON", "0 0 12 * * ? 2027", "0 3 * * * root",
        "0 3 * * * /bin/true -x", "1 2 3 4 5 6 7 8 9", "@reboot", "@Daily", "@HOURLY", "@dayly", "@every 5m", "@",
        "@daily 3", "@minutely", "0 3 * * *\n", "0\u{a0}3 * * *", "daily",
    ]), @r#"
    "" [] the schedule is empty; `15 1 * * *` is every day at 01:15
    " \t" [ 	] the schedule is empty; `15 1 * * *` is every day at 01:15
    "*" [*] there is one field of five: hour, day of month, month, day of week are missing; did you mean `* * * * *`?
    "0 3 *" [0 3 *] there are three fields of five: month, day of week are missing; did you mean `0 3 * * *`?
    "0 3 * *" [0 3 * *] there are four fields of five: day of week is missing; did you mean `0 3 * * *`?
    "0 0 3 * * *" [0] there are six fields, and seconds are not supported; did you mean `0 3 * * *`, without the first?
    "0 0 12 ? * MON" [0] there are six fields, and seconds are not supported; did you mean `0 12 * * MON`, without the first?
    "0 0 12 * * ? 2027" [0] there are seven fields, and neither seconds nor years are supported; did you mean `0 12 * * *`, without the first and last?
    "0 3 * * * root" [root] something follows the five fields: `root`; did you mean `0 3 * * *`?
    "0 3 * * * /bin/true -x" [/bin/true -x] something follows the five fields: `/bin/true -x`; did you mean `0 3 * * *`?
    "1 2 3 4 5 6 7 8 9" [6 7 8 9] something follows the five fields: `6 7 8 9`; did you mean `1 2 3 4 5`?
    "@reboot" [@reboot] `@reboot` is no schedule: a start of the machine is not about a date; use a systemd unit for it, or `@hourly`, `@daily` and the like here
    "@Daily" [@Daily] `@Daily` is not in lower case; did you mean `@daily`?
    "@HOURLY" [@HOURLY] `@HOURLY` is not in lower case; did you mean `@hourly`?
    "@dayly" [@dayly] `@dayly` is not known; the nicknames are `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually`
    "@every 5m" [@every] `@every` is not known; intervals have a key of their own, such as `every = "15m"`
    "@" [@] `@` is not known; the nicknames are `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually`
    "@daily 3" [ 3] something follows `@daily`, which stands alone; did you mean `@daily`?
    "@minutely" [@minutely] `@minutely` is not known; did you mean `* * * * *`?
    "0 3 * * *\n" [*
    ] the day of week `*\n` has something after its `*`; only a step may follow, such as `*/2`
    "0\u{a0}3 * * *" [0 3 * * *] there are four fields of five: day of week is missing; write minute, hour, day of month, month and day of week, such as `15 1 * * *`
    "daily" [daily] there is one field of five: hour, day of month, month, day of week are missing; write minute, hour, day of month, month and day of week, such as `15 1 * * *`
    "#);
}

#[test]
fn values_out_of_range_and_lists_are_refused() {
    insta::assert_snapshot!(refusals(&[
        "60 * * * *", "* 24 * * *", "* 99999999999999999999 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *",
        "* * * 13 *", "* * * * 8", "1,,2 * * * *", ",1 * * * *", "1, * * * *", ", * * * *", "-5 * * * *", "5- * * * *",
        "- * * * *", "1-2-3 * * * *", "+5 * * * *", "1.5 * * * *", "0x5 * * * *", "0-60 * * * *", "ä * * * *",
    ]), @r#"
    "60 * * * *" [60] the minute `60` is not in the range 0-59; did you mean `0`?
    "* 24 * * *" [24] the hour `24` is not in the range 0-23; did you mean `0`?
    "* 99999999999999999999 * * *" [99999999999999999999] the hour `99999999999999999999` is not in the range 0-23; did you mean `23`?
    "* * 0 * *" [0] the day of month `0` is not in the range 1-31; did you mean `1`?
    "* * 32 * *" [32] the day of month `32` is not in the range 1-31; did you mean `31`?
    "* * * 0 *" [0] the month `0` is not in the range 1-12; did you mean `1`?
    "* * * 13 *" [13] the month `13` is not in the range 1-12; did you mean `12`?
    "* * * * 8" [8] the day of week `8` is not in the range 0-7; 0 and 7 are both Sunday
    "1,,2 * * * *" [,] the minute has an empty item in its list; did you mean `1,2`?
    ",1 * * * *" [,] the minute has an empty item in its list; did you mean `1`?
    "1, * * * *" [,] the minute has an empty item in its list; did you mean `1`?
    ", * * * *" [,] the minute has an empty item in its list; did you mean `*`?
    "-5 * * * *" [-5] the minute `-5` is a range without its two ends; did you mean `5`?
    "5- * * * *" [5-] the minute `5-` is a range without its two ends; did you mean `5`?
    "- * * * *" [-] the minute `-` is a range without its two ends; 
    "1-2-3 * * * *" [2-3] the minute `2-3` is not a number; write 0 to 59, or `*` for all
    "+5 * * * *" [+5] the minute `+5` is not a number; write 0 to 59, or `*` for all
    "1.5 * * * *" [1.5] the minute `1.5` is not a number; write 0 to 59, or `*` for all
    "0x5 * * * *" [0x5] the minute `0x5` is not a number; write 0 to 59, or `*` for all
    "0-60 * * * *" [60] the minute `60` is not in the range 0-59; did you mean `59`?
    "ä * * * *" [ä] the minute `ä` is not a number; write 0 to 59, or `*` for all
    "#);
}

#[test]
fn ranges_and_steps_are_refused() {
    insta::assert_snapshot!(refusals(&[
        "5/15 * * * *", "0 1/2 * * *", "0 0 * JAN/2 *", "0 0 * * MON/2", "0 0 * * 7/2", "0 22-2 * * *", "0 22-2/2 * * *",
        "0 0 * * FRI-MON", "0 0 * * 5-2", "0 0 * * 5-0", "0 0 * * 7-2", "0 0 * * SAT-MON", "0 0 * NOV-FEB *",
        "0 0 * 11-2 *", "*/0 * * * *", "*/ * * * *", "*/x * * * *", "*/-1 * * * *", "*/2/3 * * * *", "/5 * * * *", "** * * * *",
        "*5 * * * *", "*-5 * * * *", "10-5 * * * *", "0 0 31-1/3 * *",
    ]), @r#"
    "5/15 * * * *" [5/15] the minute `5/15` has a step after a single value; did you mean `5-59/15`?
    "0 1/2 * * *" [1/2] the hour `1/2` has a step after a single value; did you mean `1-23/2`?
    "0 0 * JAN/2 *" [JAN/2] the month `JAN/2` has a step after a single value; did you mean `JAN-DEC/2`?
    "0 0 * * MON/2" [MON/2] the day of week `MON/2` has a step after a single value; did you mean `MON-SAT/2`?
    "0 0 * * 7/2" [7/2] the day of week `7/2` has a step after a single value; did you mean `7`?
    "0 22-2 * * *" [22-2] the hour `22-2` is a range that runs backwards; did you mean `22-23,0-2`?
    "0 22-2/2 * * *" [22-2/2] the hour `22-2/2` is a range that runs backwards; did you mean `22,0,2`?
    "0 0 * * FRI-MON" [FRI-MON] the day of week `FRI-MON` is a range that runs backwards; did you mean `FRI-SUN,MON`?
    "0 0 * * 5-2" [5-2] the day of week `5-2` is a range that runs backwards; did you mean `5-7,1-2`?
    "0 0 * * 5-0" [5-0] the day of week `5-0` is a range that runs backwards; did you mean `5-7`?
    "0 0 * * 7-2" [7-2] the day of week `7-2` is a range that runs backwards; did you mean `0-2`?
    "0 0 * * SAT-MON" [SAT-MON] the day of week `SAT-MON` is a range that runs backwards; did you mean `SAT-SUN,MON`?
    "0 0 * NOV-FEB *" [NOV-FEB] the month `NOV-FEB` is a range that runs backwards; did you mean `NOV-DEC,JAN-FEB`?
    "0 0 * 11-2 *" [11-2] the month `11-2` is a range that runs backwards; did you mean `11-12,1-2`?
    "*/0 * * * *" [*/0] the minute has a step of zero; did you mean `*`?
    "*/ * * * *" [*/] the minute has a `/` without a step; did you mean `*`?
    "*/x * * * *" [*/x] the minute has the step `x`, which is not a number; did you mean `*`?
    "*/-1 * * * *" [*/-1] the minute has the step `-1`, which is not a number; did you mean `*`?
    "*/2/3 * * * *" [*/2/3] the minute has the step `2/3`, which is not a number; did you mean `*`?
    "/5 * * * *" [/5] the minute `/5` has a step with nothing before it; did you mean `*/5`?
    "** * * * *" [**] the minute `**` has something after its `*`; only a step may follow, such as `*/2`
    "*5 * * * *" [*5] the minute `*5` has something after its `*`; only a step may follow, such as `*/2`
    "*-5 * * * *" [*-5] the minute `*-5` is a range with a `*` for an end; did you mean `*`?
    "10-5 * * * *" [10-5] the minute `10-5` is a range that runs backwards; did you mean `10-59,0-5`?
    "0 0 31-1/3 * *" [31-1/3] the day of month `31-1/3` is a range that runs backwards; did you mean `31`?
    "#);
}

#[test]
fn what_other_dialects_add_is_refused() {
    insta::assert_snapshot!(refusals(&[
        "0 0 L * *", "0 0 L-3 * *", "0 0 15W * *", "0 0 LW * *", "0 0 * * 5L", "0 0 * * MON#2", "0 0 ? * MON", "0 0 1 * ?",
        "H * * * *", "H/15 * * * *", "0 H(0-7) * * *", "0~30 * * * *", "~ * * * *", "0 3 * * 1%2", "0 0 * * MONDAY",
        "0 0 * * Mondays", "0 0 * * TUES", "0 0 1 SEPT *", "0 0 1 MON *", "0 0 * * JAN", "MON * * * *", "0 0 * * MO",
        "0 0 * * FOO",
    ]), @r#"
    "0 0 L * *" [L] the day of month `L` has `L`, and the last day of a month cannot be named; name days that every month has, or `28-31` and let the job choose
    "0 0 L-3 * *" [L] the day of month `L` has `L`, and the last day of a month cannot be named; name days that every month has, or `28-31` and let the job choose
    "0 0 15W * *" [15W] the day of month `15W` has `W`, and the nearest weekday cannot be named; write `1-5` as the day of week, and let the job choose the day
    "0 0 LW * *" [LW] the day of month `LW` has `L`, and the last day of a month cannot be named; name days that every month has, or `28-31` and let the job choose
    "0 0 * * 5L" [5L] the day of week `5L` has `L`, and the last day of a month cannot be named; name the weekday alone, and let the job choose the week of the month
    "0 0 * * MON#2" [MON#2] the day of week `MON#2` has `#`, and the n-th weekday of a month cannot be named; name the weekday alone, and let the job choose the week of the month
    "0 0 ? * MON" [?] the day of month `?` has `?`, which other dialects write for `*`; did you mean `*`?
    "0 0 1 * ?" [?] the day of week `?` has `?`, which other dialects write for `*`; did you mean `*`?
    "H * * * *" [H] the minute `H` has `H`, and a schedule cannot be random; choose a number, or set `jitter`, which spreads the starts of the jobs
    "H/15 * * * *" [H] the minute `H` has `H`, and a schedule cannot be random; choose a number, or set `jitter`, which spreads the starts of the jobs
    "0 H(0-7) * * *" [H(0] the hour `H(0` has `H`, and a schedule cannot be random; choose a number, or set `jitter`, which spreads the starts of the jobs
    "0~30 * * * *" [0~30] the minute `0~30` has `~`, and a schedule cannot be random; choose a number, or set `jitter`, which spreads the starts of the jobs
    "~ * * * *" [~] the minute `~` has `~`, and a schedule cannot be random; choose a number, or set `jitter`, which spreads the starts of the jobs
    "0 3 * * 1%2" [1%2] the day of week `1%2` has `%`, which means something only in the command of a crontab; write 0 to 7 (both Sunday) or SUN to SAT
    "0 0 * * MONDAY" [MONDAY] the day of week `MONDAY` is not one of the three-letter names; did you mean `MON`?
    "0 0 * * Mondays" [Mondays] the day of week `Mondays` is not a number; write 0 to 7 (both Sunday) or SUN to SAT
    "0 0 * * TUES" [TUES] the day of week `TUES` is not one of the three-letter names; did you mean `TUE`?
    "0 0 1 SEPT *" [SEPT] the month `SEPT` is not one of the three-letter names; did you mean `SEP`?
    "0 0 1 MON *" [MON] the month `MON` is a name, which belongs into the day of week; write 1 to 12 or JAN to DEC
    "0 0 * * JAN" [JAN] the day of week `JAN` is a name, which belongs into the month; write 0 to 7 (both Sunday) or SUN to SAT
    "MON * * * *" [MON] the minute `MON` is a name, which belongs into the day of week; write 0 to 59, or `*` for all
    "0 0 * * MO" [MO] the day of week `MO` is not a number; write 0 to 7 (both Sunday) or SUN to SAT
    "0 0 * * FOO" [FOO] the day of week `FOO` is not a number; write 0 to 7 (both Sunday) or SUN to SAT
    "#);
}

#[test]
fn a_long_text_makes_a_short_message() {
    for text in ["x".repeat(100_000), "1,".repeat(50_000), "0 ".repeat(50_000), "ä/*-".repeat(25_000)] {
        for text in [text.clone(), format!("{text} * * * *"), format!("* * * * {text}"), format!("@{text}")] {
            let error = Schedule::crontab(&text, Tz::UTC).unwrap_err();
            assert!(error.message.len() < 300, "{}", error.message.len());
            assert!(error.hint.is_none_or(|hint| hint.len() < 300));
        }
        let Err(IntervalError::Every(error)) = Schedule::every(&text, None, Tz::UTC) else { panic!("{text}") };
        assert!(error.message.len() < 300 && error.hint.is_none_or(|hint| hint.len() < 300));
    }
}

#[test]
fn intervals_are_refused() {
    insta::assert_snapshot!(interval_refusals(&[
        ("", None), ("1h30m", None), ("1h 30m", None), ("1d12h", None), ("90s", None), ("120s", None), ("3600s", None),
        ("1m30s", None), ("90", None), ("m", None), ("0m", None), ("00d", None), ("1 d", None), ("1D", None), ("1w", None),
        ("2 weeks", None), ("15min", None), ("1day", None), ("-5m", None), ("1.5h", None), ("99999999999999999999d", None),
        ("99999999999999999999 d", None), ("1000001m", None), ("ä", None), ("1ä", None), ("5y", None),
        ("90m", Some("02:30")), ("24h", Some("02:30")), ("48h", Some("xx")), ("1d", Some("2:30")), ("1d", Some("24:00")),
        ("1d", Some("02:60")), ("1d", Some("2")), ("1d", Some("")), ("1d", Some("02:30:00")), ("1d", Some("0230")),
        ("1d", Some("2:30pm")), ("1d", Some(":")), ("1d", Some("ä")), ("1d", Some("+2:30")),
        ("1d", Some("2:030")), ("1d", Some("000:1")),
    ]), @r#"
    "" None [] `every` is empty; write a number and a unit, such as `15m`, `2h` or `1d`
    "1h30m" None [1h30m] `every` is `1h30m`, but takes one number and one unit; did you mean `90m`?
    "1h 30m" None [1h 30m] `every` is `1h 30m`, but takes one number and one unit; did you mean `90m`?
    "1d12h" None [1d12h] `every` is `1d12h`, but takes one number and one unit; did you mean `36h`?
    "90s" None [90s] `every` is `90s`, but seconds are not supported; the shortest is `1m`
    "120s" None [120s] `every` is `120s`, but seconds are not supported; did you mean `2m`?
    "3600s" None [3600s] `every` is `3600s`, but seconds are not supported; did you mean `1h`?
    "1m30s" None [1m30s] `every` is `1m30s`, but seconds are not supported; write a number and a unit, such as `15m`, `2h` or `1d`
    "90" None [90] `every` is `90`, which has no unit; did you mean `90m`, `90h` or `90d`?
    "m" None [m] `every` is `m`, which does not start with a number; write a number and a unit, such as `15m`, `2h` or `1d`
    "0m" None [0m] `every` is `0m`, and nothing can happen every zero minutes; did you mean `1m`?
    "00d" None [00d] `every` is `00d`, and nothing can happen every zero days; did you mean `1d`?
    "1 d" None [1 d] `every` is `1 d`, with a space between number and unit; did you mean `1d`?
    "1D" None [1D] `every` is `1D`, and `D` is not a unit; did you mean `1d`?
    "1w" None [1w] `every` is `1w`, but weeks are not a unit; did you mean `7d`?
    "2 weeks" None [2 weeks] `every` is `2 weeks`, but weeks are not a unit; did you mean `14d`?
    "15min" None [15min] `every` is `15min`, and `min` is not a unit; did you mean `15m`?
    "1day" None [1day] `every` is `1day`, and `day` is not a unit; did you mean `1d`?
    "-5m" None [-5m] `every` is `-5m`, which does not start with a number; write a number and a unit, such as `15m`, `2h` or `1d`
    "1.5h" None [1.5h] `every` is `1.5h`, and `.5h` is not a unit; write a number and a unit, such as `15m`, `2h` or `1d`
    "99999999999999999999d" None [99999999999999999999d] `every` is `99999999999999999999d`, which is too long; the longest is `1000000d`
    "99999999999999999999 d" None [99999999999999999999 d] `every` is `99999999999999999999 d`, with a space between number and unit; did you mean `99999999999999999999d`?
    "1000001m" None [1000001m] `every` is `1000001m`, which is too long; the longest is `1000000m`
    "ä" None [ä] `every` is `ä`, which does not start with a number; write a number and a unit, such as `15m`, `2h` or `1d`
    "1ä" None [1ä] `every` is `1ä`, and `ä` is not a unit; write a number and a unit, such as `15m`, `2h` or `1d`
    "5y" None [5y] `every` is `5y`, and `y` is not a unit; a month and a year have no fixed length: `schedule = "0 0 1 1 *"` is the first day of each
    "90m" Some("02:30") [02:30] `at` needs whole days, but `every` is `90m`; leave `at` out: minutes and hours are counted from 1970-01-01T00:00Z
    "24h" Some("02:30") [02:30] `at` needs whole days, but `every` is `24h`; did you mean `every = "1d"`?
    "48h" Some("xx") [xx] `at` needs whole days, but `every` is `48h`; did you mean `every = "2d"`?
    "1d" Some("2:30") [2:30] `at` is `2:30`, which is not a time of day `HH:MM`; did you mean `02:30`?
    "1d" Some("24:00") [24:00] `at` is `24:00`, which is not a time of day `HH:MM`; did you mean `00:00`?
    "1d" Some("02:60") [02:60] `at` is `02:60`, which is not a time of day `HH:MM`; write the hour 00 to 23 and the minute 00 to 59, such as `02:30`
    "1d" Some("2") [2] `at` is `2`, which is not a time of day `HH:MM`; did you mean `02:00`?
    "1d" Some("") [] `at` is ``, which is not a time of day `HH:MM`; write the hour 00 to 23 and the minute 00 to 59, such as `02:30`
    "1d" Some("02:30:00") [02:30:00] `at` is `02:30:00`, which is not a time of day `HH:MM`; write the hour 00 to 23 and the minute 00 to 59, such as `02:30`
    "1d" Some("0230") [0230] `at` is `0230`, which is not a time of day `HH:MM`; write the hour 00 to 23 and the minute 00 to 59, such as `02:30`
    "1d" Some("2:30pm") [2:30pm] `at` is `2:30pm`, which is not a time of day `HH:MM`; write the hour 00 to 23 and the minute 00 to 59, such as `02:30`
    "1d" Some(":") [:] `at` is `:`, which is not a time of day `HH:MM`; write the hour 00 to 23 and the minute 00 to 59, such as `02:30`
    "1d" Some("ä") [ä] `at` is `ä`, which is not a time of day `HH:MM`; write the hour 00 to 23 and the minute 00 to 59, such as `02:30`
    "1d" Some("+2:30") [+2:30] `at` is `+2:30`, which is not a time of day `HH:MM`; write the hour 00 to 23 and the minute 00 to 59, such as `02:30`
    "1d" Some("2:030") [2:030] `at` is `2:030`, which is not a time of day `HH:MM`; did you mean `02:30`?
    "1d" Some("000:1") [000:1] `at` is `000:1`, which is not a time of day `HH:MM`; did you mean `00:01`?
    "#);
}

#[test]
fn intervals_are_accepted() {
    for every in ["1m", "90m", "1h", "36h", "1d", "07d", "1000000d", " 1d "] {
        assert!(Schedule::every(every, None, Tz::UTC).is_ok(), "{every}");
    }
    assert!(Schedule::every("1000000d", None, Tz::UTC).unwrap().never_fires_after(instant("2026-11-03T00:00:00Z")));
}

#[test]
fn what_is_probably_not_meant_is_named_with_what_to_write() {
    let advice = |text: &&str| {
        Schedule::crontab(text, Tz::UTC).unwrap_or_else(|error| panic!("`{text}`: {error}"));
        let lines = Schedule::crontab_advice(text).into_iter().map(|advice| {
            format!("{text:?} [{}] {}; {}\n", &text[advice.span], advice.message, advice.hint.unwrap_or_default())
        });
        lines.collect::<String>()
    };
    let texts = [
        "0 0 1-7 * mon",
        "0 0 15-21 * MON",
        "0 0 31 * *",
        "0 0 30,31 * *",
        "0 0 29 * *",
        "*/40 * * * *",
        "*/90 * * * *",
        "0 */5 * * *",
        "0 */24 * * *",
        "0 0 */40 * *",
        "0 0 * */13 *",
        "0 9-17/12 * * *",
    ];
    insta::assert_snapshot!(texts.iter().map(advice).collect::<String>(), @r#"
    "0 0 1-7 * mon" [1-7 * mon] the job runs on the days of month `1-7` and also on every `mon`: a date needs only one of the two; for days that match both, write `*/32,1-7`
    "0 0 15-21 * MON" [15-21 * MON] the job runs on the days of month `15-21` and also on every `MON`: a date needs only one of the two; for days that match both, keep one field and let the job check the other
    "0 0 31 * *" [31] 5 months have no date: they have no day 31; for the last day of a month, run on the 1st and take the day before, or on `28-31` and let the job choose
    "0 0 30,31 * *" [30,31] February has no date: it has no day 30; for the last day of a month, run on the 1st and take the day before, or on `28-31` and let the job choose
    "0 0 29 * *" [29] February has a date only in leap years; for the last day of a month, run on the 1st and take the day before, or on `28-31` and let the job choose
    "*/40 * * * *" [*/40] the minute `*/40` is uneven: from 40 to 0 it is 20, not 40; for even steps, write `every = "40m"`
    "*/90 * * * *" [*/90] the minute `*/90` is only 0: the step is longer than the range; write `0` if that is meant
    "0 */5 * * *" [*/5] the hour `*/5` is uneven: from 20 to 0 it is 4, not 5; for even steps, write `every = "5h"`
    "0 */24 * * *" [*/24] the hour `*/24` is only 0: the step is longer than the range; write `0` if that is meant
    "0 0 */40 * *" [*/40] the day of month `*/40` is only 1: the step is longer than the range; write `1` if that is meant
    "0 0 * */13 *" [*/13] the month `*/13` is only 1: the step is longer than the range; write `1` if that is meant
    "0 9-17/12 * * *" [9-17/12] the hour `9-17/12` is only 9: the step is longer than the range; write `9` if that is meant
    "#);
    for meant in [
        "@monthly",
        "0 0 */32,1-7 * mon",
        "0 0 1 * *",
        "0 0 28-31 * *",
        "0 0 29 2 *",
        "0 0 31 1,3,5,7,8,10,12 *",
        "*/15 */6 * * *",
        "0 0 1-31 * mon",
        "0 0 */2 * *",
        "0 0 * * */2",
        "0-40/40 * * * *",
    ] {
        assert_eq!(advice(&meant), "", "{meant}");
    }
}
