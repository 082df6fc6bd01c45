//! How durations are written in the registry and printed.
//!
//! Text and values only: no clock, and no arithmetic with dates.

use std::time::Duration;

use crate::text::{SyntaxError, counted, did_you_mean, in_unit, printable};

/// The units, largest first: each with its length in milliseconds, and other words for it.
static UNITS: [(&str, u64, &[&str]); 6] = [
    ("w", 7 * 86_400_000, &["week", "weeks"]),
    ("d", 86_400_000, &["day", "days"]),
    ("h", 3_600_000, &["hr", "hrs", "hour", "hours"]),
    ("m", 60_000, &["min", "mins", "minute", "minutes"]),
    ("s", 1_000, &["sec", "secs", "second", "seconds"]),
    ("ms", 1, &["millis", "msec", "millisecond", "milliseconds"]),
];

/// A century: short enough that a date plus a duration never overflows.
const LONGEST_MILLISECONDS: u64 = 36_525 * 86_400_000;

/// Parses a duration: integers, each followed by `w`, `d`, `h`, `m`, `s` or `ms`, largest unit first.
///
/// ```
/// # use std::time::Duration;
/// assert_eq!(crontabber_core::duration::parse("1h30m").unwrap(), Duration::from_secs(5_400));
/// ```
///
/// # Errors
/// Any other text, and durations longer than a century.
pub fn parse(text: &str) -> Result<Duration, SyntaxError> {
    if text.is_empty() {
        return Err(SyntaxError::new(0..0, "a duration cannot be empty", "write a number and a unit, such as `90s`"));
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut largest_allowed = 0;
    while !rest.is_empty() {
        let (number, after_number) = split_while(rest, |byte| byte.is_ascii_digit());
        let (unit, after_unit) = split_while(after_number, |byte| byte.is_ascii_alphabetic());
        let position = UNITS.iter().position(|(name, ..)| *name == unit).filter(|_| !number.is_empty());
        let Some(position) = position else { return Err(not_a_duration(text)) };
        if position < largest_allowed {
            let message = format!("the units of `{}` are out of order", printable(text));
            let hint = "write each unit once, largest first, such as `1h30m`";
            return Err(SyntaxError::new(0..text.len(), message, hint));
        }
        largest_allowed = position + 1;
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(UNITS[position].1));
        let sum = part.and_then(|part| total.checked_add(part)).filter(|sum| *sum <= LONGEST_MILLISECONDS);
        total = sum.ok_or_else(|| {
            let message = format!("`{}` is longer than a century", printable(text));
            SyntaxError::new(0..text.len(), message, "the longest duration is `36525d`")
        })?;
        rest = after_unit;
    }
    Ok(Duration::from_millis(total))
}

/// The unit of a word, and its length in milliseconds.
pub(crate) fn unit(word: &str) -> Option<(&'static str, u64)> {
    let unit = UNITS.iter().find(|(name, _, words)| *name == word || words.contains(&word));
    unit.map(|(name, milliseconds, _)| (*name, *milliseconds))
}

fn split_while(text: &str, belongs: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !belongs(byte)).unwrap_or(text.len());
    text.split_at(end)
}

/// Explains why `text` is not a duration, with a suggestion if possible.
fn not_a_duration(text: &str) -> SyntaxError {
    let trimmed = text.trim();
    let hint = if trimmed.starts_with('-') {
        "a duration cannot be negative".to_owned()
    } else if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("add a unit: `{}s`?", printable(trimmed))
    } else if let Some(meant) = guess(trimmed) {
        did_you_mean(meant)
    } else {
        "expected a duration such as `10m` or `1h30m`, with the units `w d h m s ms`".to_owned()
    };
    SyntaxError::new(0..text.len(), format!("`{}` is not a duration", printable(text)), hint)
}

/// Parses `text` leniently: spaces, words for units, capitals and one decimal fraction.
fn guess(text: &str) -> Option<String> {
    if text.len() > 40 {
        return None;
    }
    let compact: String = text.to_lowercase().chars().filter(|c| !c.is_whitespace() && *c != ',').collect();
    let mut rest = compact.as_str();
    let mut total = 0.0;
    while !rest.is_empty() {
        let (number, after_number) = split_while(rest, |byte| byte.is_ascii_digit() || byte == b'.');
        let (word, after_unit) = split_while(after_number, |byte| byte.is_ascii_alphabetic());
        #[expect(clippy::cast_precision_loss, reason = "a unit has fewer digits than an f64")]
        let milliseconds = unit(word)?.1 as f64;
        total += number.parse::<f64>().ok()? * milliseconds;
        rest = after_unit;
    }
    let guessed = notation(Duration::try_from_secs_f64(total / 1_000.0).ok()?);
    (total > 0.0 && parse(&guessed).is_ok()).then_some(guessed)
}

/// Writes a duration in the notation of the registry, with days as the largest unit: `1h30m`.
///
/// [`parse`] is the inverse, except that fractions of a millisecond are dropped.
#[must_use]
pub fn notation(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, milliseconds, _) in &UNITS[1..] {
        let number = rest / u128::from(*milliseconds);
        rest %= u128::from(*milliseconds);
        if number > 0 {
            text.push_str(&format!("{number}{unit}"));
        }
    }
    text
}

/// Writes a duration for display, in at most two units: `0.12 s`, `4.3 s`, `2 min 5 s`, `3 h 20 min`, `4 d 2 h`.
#[must_use]
pub fn format(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    match milliseconds {
        0 => "0 s".to_owned(),
        1..10 => format!("0.{milliseconds:03} s"),
        10..995 => format!("0.{:02} s", (milliseconds + 5) / 10),
        995..59_950 => {
            let tenths = (milliseconds + 50) / 100;
            match tenths % 10 {
                0 => format!("{} s", tenths / 10),
                tenth => format!("{}.{tenth} s", tenths / 10),
            }
        }
        59_950..3_599_500 => two_units((milliseconds + 500) / 1_000, 60, "min", "s"),
        3_599_500..86_370_000 => two_units((milliseconds + 30_000) / 60_000, 60, "h", "min"),
        _ => two_units((milliseconds + 1_800_000) / 3_600_000, 24, "d", "h"),
    }
}

/// Writes a duration roughly, in its greatest unit: `3 days`, `5 hours`, `20 minutes`, `less than a minute`.
#[must_use]
pub fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0..60 => return "less than a minute".to_owned(),
        60..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    counted(count, unit)
}

/// An estimate: as [`rough`], with `about` before a number.
#[must_use]
pub fn about(duration: Duration) -> String {
    let text = rough(duration);
    if text.starts_with("less") { text } else { format!("about {text}") }
}

/// Writes a duration in one unit and at most six characters, for tables: `0.12 s`, `4.3 s`, `34 min`, `7.5 h`, `12 d`.
#[must_use]
pub fn brief(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    match milliseconds {
        ..5 => "0 s".to_owned(),
        5..995 => format!("0.{:02} s", (milliseconds + 5) / 10),
        995..599_500 => in_unit(milliseconds, 1_000, "s"),
        599_500..5_970_000 => in_unit(milliseconds, 60_000, "min"),
        5_970_000..171_000_000 => in_unit(milliseconds, 3_600_000, "h"),
        _ => in_unit(milliseconds, 86_400_000, "d"),
    }
}

fn two_units(small: u128, small_in_large: u128, large_unit: &str, small_unit: &str) -> String {
    let (large, small) = (small / small_in_large, small % small_in_large);
    match small {
        0 => format!("{large} {large_unit}"),
        small => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        let error = parse(text).unwrap_err();
        format!("{error}; {}", error.hint.as_ref().unwrap())
    }

    #[test]
    fn reads_the_notation() {
        for (text, seconds) in
            [("90s", 90), ("1h30m", 5_400), ("2d", 172_800), ("1w", 604_800), ("0s", 0), ("007m", 420)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("1w2d3h4m5s6ms"), Ok(Duration::from_millis(788_645_006)));
        assert_eq!(parse("36525d"), Ok(Duration::from_millis(LONGEST_MILLISECONDS)));
    }

    #[test]
    fn refuses_with_a_hint() {
        let table = [
            "",
            " ",
            "300",
            "-5m",
            "5",
            "5 minutes",
            "1.5h",
            "2H",
            "1h 30m",
            "30m1h",
            "1m1m",
            "m",
            "5x",
            "1d,2h",
            "٣m",
            "99999999999999999999d",
            "36526d",
            "1\0s",
            "inf",
            "1e3s",
        ]
        .map(|text| format!("{text:?}: {}", refused(text)))
        .join("\n");
        insta::assert_snapshot!(table, @r#"
        "": a duration cannot be empty; write a number and a unit, such as `90s`
        " ": ` ` is not a duration; expected a duration such as `10m` or `1h30m`, with the units `w d h m s ms`
        "300": `300` is not a duration; add a unit: `300s`?
        "-5m": `-5m` is not a duration; a duration cannot be negative
        "5": `5` is not a duration; add a unit: `5s`?
        "5 minutes": `5 minutes` is not a duration; did you mean `5m`?
        "1.5h": `1.5h` is not a duration; did you mean `1h30m`?
        "2H": `2H` is not a duration; did you mean `2h`?
        "1h 30m": `1h 30m` is not a duration; did you mean `1h30m`?
        "30m1h": the units of `30m1h` are out of order; write each unit once, largest first, such as `1h30m`
        "1m1m": the units of `1m1m` are out of order; write each unit once, largest first, such as `1h30m`
        "m": `m` is not a duration; expected a duration such as `10m` or `1h30m`, with the units `w d h m s ms`
        "5x": `5x` is not a duration; expected a duration such as `10m` or `1h30m`, with the units `w d h m s ms`
        "1d,2h": `1d,2h` is not a duration; did you mean `1d2h`?
        "٣m": `٣m` is not a duration; expected a duration such as `10m` or `1h30m`, with the units `w d h m s ms`
        "99999999999999999999d": `99999999999999999999d` is longer than a century; the longest duration is `36525d`
        "36526d": `36526d` is longer than a century; the longest duration is `36525d`
        "1\0s": `1\0s` is not a duration; expected a duration such as `10m` or `1h30m`, with the units `w d h m s ms`
        "inf": `inf` is not a duration; expected a duration such as `10m` or `1h30m`, with the units `w d h m s ms`
        "1e3s": `1e3s` is not a duration; expected a duration such as `10m` or `1h30m`, with the units `w d h m s ms`
        "#);
    }

    #[test]
    fn writes_for_people() {
        let written = |milliseconds| format(Duration::from_millis(milliseconds));
        for (milliseconds, text) in [
            (0, "0 s"),
            (2, "0.002 s"),
            (123, "0.12 s"),
            (994, "0.99 s"),
            (995, "1 s"),
            (4_300, "4.3 s"),
            (5_000, "5 s"),
            (59_949, "59.9 s"),
            (59_950, "1 min"),
            (125_000, "2 min 5 s"),
            (300_000, "5 min"),
            (3_599_499, "59 min 59 s"),
            (3_599_500, "1 h"),
            (12_000_000, "3 h 20 min"),
            (86_369_999, "23 h 59 min"),
            (86_370_000, "1 d"),
            (352_800_000, "4 d 2 h"),
        ] {
            assert_eq!(written(milliseconds), text);
        }
        assert_eq!(format(Duration::MAX), "213503982334601 d 7 h");
    }

    proptest! {
        #[test]
        fn the_notation_is_read_back(milliseconds in 0..=LONGEST_MILLISECONDS) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&notation(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in ".*|[0-9.wdhms -]{0,50}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn brief_durations_have_six_characters_at_most() {
        let milliseconds =
            [4, 5, 994, 995, 1_249, 9_949, 9_950, 599_499, 599_500, 5_969_999, 5_970_000, 170_999_999, 864_000_000];
        let texts = milliseconds.map(|time| brief(Duration::from_millis(time)));
        insta::assert_snapshot!(texts.join(", "), @"0 s, 0.01 s, 0.99 s, 1.0 s, 1.2 s, 9.9 s, 10 s, 599 s, 10 min, 99 min, 1.7 h, 47 h, 10 d");
        let longest = (0..86_000_000_000).step_by(99_991).map(|n| brief(Duration::from_millis(n)).len()).max();
        assert_eq!(longest, Some(6), "up to 999 days");
    }

    #[test]
    fn rough_durations_have_one_unit() {
        let seconds = [0, 59, 60, 7_199, 7_200, 172_799, 172_800];
        let texts = seconds.map(|time| rough(Duration::from_secs(time)));
        insta::assert_snapshot!(texts.join(", "), @"less than a minute, less than a minute, 1 minute, 119 minutes, 2 hours, 47 hours, 2 days");
    }
}
