//! How values are written, for people and in JSON alike: dates, numbers of things, lists, and text that a user wrote.
//!
//! Durations have a module of their own, [`duration`](crate::duration).

mod syntax_error;
mod wildcards;
mod words;

use chrono::{DateTime, Datelike, Offset, SecondsFormat, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

pub use syntax_error::{Hint, SyntaxError, did_you_mean};
pub use wildcards::{has_wildcards, matches};
pub(crate) use words::{codes, words};

/// A date of a job: RFC 3339 with the zone's offset, and a fraction of a second only where there is one.
#[must_use]
pub fn in_zone(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// The time of an event, such as the start of an attempt: as [`in_zone`], without the fraction.
#[must_use]
pub fn to_the_second(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// Appends what [`in_zone`] writes, about ten times as fast, for lists of millions of dates.
pub fn write_in_zone(text: &mut Vec<u8>, at: DateTime<Utc>, zone: Tz) {
    let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
    let local = at.naive_utc() + TimeDelta::seconds(i64::from(offset));
    let year = local.year();
    if offset % 60 != 0 || at.timestamp_subsec_nanos() != 0 || !(0..=9999).contains(&year) {
        text.extend_from_slice(in_zone(at, zone).as_bytes());
        return;
    }
    let sign = if offset < 0 { b'-' } else { b'+' };
    let minutes = offset.unsigned_abs() / 60;
    let (hour, minute, second) = (local.hour(), local.minute(), local.second());
    let year = year.unsigned_abs();
    let mut form = *b"0000-00-00T00:00:00+00:00";
    for (position, number) in [
        (0, year / 100),
        (2, year % 100),
        (5, local.month()),
        (8, local.day()),
        (11, hour),
        (14, minute),
        (17, second),
        (20, minutes / 60),
        (23, minutes % 60),
    ] {
        form[position] = digit(number / 10);
        form[position + 1] = digit(number % 10);
    }
    form[19] = sign;
    text.extend_from_slice(&form);
}

fn digit(number: u32) -> u8 {
    u8::try_from(number).map_or(b'?', |number| b'0' + number)
}

/// `1 date`, `2 dates`.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `once`, `twice`, `3 times`.
#[must_use]
pub fn times(number: u32) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        many => format!("{many} times"),
    }
}

/// `a, b or c`, with `last_by` before the last.
#[must_use]
pub fn listed(items: &[impl AsRef<str>], last_by: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => format!("{} {last_by} {}", joined(first), last.as_ref()),
    }
}

/// `a, b and 3 more`: the first `limit` of the items, and the number of the others.
#[must_use]
pub fn first_few(items: &[impl AsRef<str>], limit: usize) -> String {
    let shown = joined(&items[..items.len().min(limit)]);
    match items.len().saturating_sub(limit) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn joined(items: &[impl AsRef<str>]) -> String {
    items.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// Text that a user wrote, in backticks: no control characters, and not too long.
#[must_use]
pub fn quoted(text: &str) -> String {
    if text.is_empty() { "`\"\"`".to_owned() } else { format!("`{}`", printable(text)) }
}

/// User input as part of a message: truncated, and without control characters.
#[must_use]
pub fn printable(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut printable: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        printable.push('…');
    }
    printable
}

/// Text of any origin as part of a line: control characters become spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    let cleaned: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cleaned.trim().to_owned()
}

/// A number of bytes in at most six characters: `640 kB`, `34 MB`, `1.2 GB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    // What rounds up to a thousand of a unit is one of the next.
    let unit = UNITS.into_iter().find(|(unit, _)| bytes >= unit - unit / 2_000);
    unit.map_or_else(|| format!("{bytes} B"), |(unit, name)| in_unit(bytes, unit, name))
}

/// `number` in a unit, with one decimal if that is less than ten.
pub(crate) fn in_unit(number: u64, unit: u64, name: &str) -> String {
    let rounded = |unit: u64| number.saturating_add(unit / 2) / unit;
    match rounded(unit / 10) {
        tenths @ ..100 => format!("{}.{} {name}", tenths / 10, tenths % 10),
        _ => format!("{} {name}", rounded(unit)),
    }
}

/// The hash FNV-1a: the same on every machine and in every version.
#[must_use]
pub fn fnv_1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.into_iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn the_fast_form_is_the_form() {
        for zone in ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia"] {
            let zone: Tz = zone.parse().expect("a zone");
            for hours in (0..1_000_000).step_by(977) {
                let at = utc("1973-01-01T00:00:07Z") + TimeDelta::hours(hours);
                let mut text = Vec::new();
                write_in_zone(&mut text, at, zone);
                assert_eq!(String::from_utf8(text).expect("text"), in_zone(at, zone));
            }
        }
        let mut text = Vec::new();
        write_in_zone(&mut text, utc("2026-11-03T01:30:00.25Z"), Tz::Europe__Berlin);
        assert_eq!(text, b"2026-11-03T02:30:00.250+01:00");
    }

    #[test]
    fn the_time_of_an_event_has_no_fraction() {
        assert_eq!(to_the_second(utc("2026-07-03T01:30:09.5Z"), Tz::Europe__Berlin), "2026-07-03T03:30:09+02:00");
    }

    #[test]
    fn items_are_listed_as_in_a_sentence() {
        assert_eq!(listed(&["a"], "or"), "a");
        assert_eq!(listed(&["a", "b", "c"], "or"), "a, b or c");
        assert_eq!(first_few(&["a", "b"], 2), "a, b");
        assert_eq!(first_few(&["a", "b", "c"], 1), "a and 2 more");
    }

    #[test]
    fn quoted_text_is_short_and_printable() {
        assert_eq!(quoted("a\tb"), "`a\\tb`");
        assert_eq!(quoted(""), "`\"\"`");
        assert_eq!(printable(&"x".repeat(99)), format!("{}…", "x".repeat(40)));
    }

    #[test]
    fn sizes_are_brief() {
        let sizes = [0, 999, 1_000, 9_949, 9_950, 999_499, 999_500, 34_000_000, 1_234_567_890, 999_600_000_000];
        let texts = sizes.map(size);
        insta::assert_snapshot!(texts.join(", "), @"0 B, 999 B, 1.0 kB, 9.9 kB, 10 kB, 999 kB, 1.0 MB, 34 MB, 1.2 GB, 1.0 TB");
        assert_eq!((0..86_000_000_000).step_by(99_991).map(|bytes| size(bytes).len()).max(), Some(6));
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        for (text, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(fnv_1a(text.bytes()), hash, "{text:?}");
        }
    }
}
