//! The grammar of `every` with its optional `at`.
//!
//! Parses text into a [`DateRule`], and knows no zone and no instant.

use super::rule::DateRule;
use crate::duration;
use crate::text::{SyntaxError, did_you_mean, printable};

/// The largest number of hours, minutes or days; it prevents overflows.
const MOST: i64 = 1_000_000;

const FORM: &str = "write a number and a unit, such as `15m`, `2h` or `1d`";

/// An error in an interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntervalError {
    /// In `every`.
    #[error(transparent)]
    Every(SyntaxError),
    /// In `at`.
    #[error(transparent)]
    At(SyntaxError),
}

/// Parses an interval and its time of day.
pub(super) fn parse(every: &str, at: Option<&str>) -> Result<DateRule, IntervalError> {
    let (number, unit) = split(every).map_err(IntervalError::Every)?;
    let seconds = match unit {
        'm' => number * 60,
        'h' => number * 3600,
        _ => {
            let time = at.map_or(Ok(0), time_of_day).map_err(IntervalError::At)?;
            return Ok(DateRule::Days { step: number, anchor: 0, time });
        }
    };
    let Some(at) = at else {
        return Ok(DateRule::Grid(seconds));
    };
    let message = format!("`at` needs whole days, but `every` is `{}`", printable(every.trim()));
    let hint = match (seconds % 86_400, seconds / 86_400) {
        (0, days) => did_you_mean(format_args!("every = \"{days}d\"")),
        _ => "leave `at` out: minutes and hours are counted from 1970-01-01T00:00Z".to_owned(),
    };
    Err(IntervalError::At(SyntaxError::new(0..at.len(), message, hint)))
}

/// Splits `90m` into its number and its unit.
fn split(every: &str) -> Result<(i64, char), SyntaxError> {
    let error = |message: String, hint: String| Err(SyntaxError::new(0..every.len(), message, hint));
    let text = every.trim_matches([' ', '\t']);
    if text.is_empty() {
        return error("`every` is empty".into(), FORM.into());
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if digits == 0 || !matches!(unit, "m" | "h" | "d") {
        let (message, hint) = diagnose(text, number, unit);
        return error(message, hint);
    }
    match number.parse::<i64>() {
        Ok(0) => error(
            format!("`every` is `{}`, and nothing can happen every zero {}", printable(text), unit_name(unit)),
            did_you_mean(format_args!("1{unit}")),
        ),
        Ok(number) if number <= MOST => Ok((number, unit.chars().next().unwrap_or('d'))),
        _ => error(
            format!("`every` is `{}`, which is too long", printable(text)),
            format!("the longest is `{MOST}{unit}`"),
        ),
    }
}

fn unit_name(unit: &str) -> &'static str {
    match unit {
        "m" => "minutes",
        "h" => "hours",
        _ => "days",
    }
}

/// Explains what is wrong with an interval, with the closest correct form.
fn diagnose(text: &str, number: &str, unit: &str) -> (String, String) {
    let whole = printable(text);
    if let Some(seconds) = sum(text) {
        let message = if text.contains('s') {
            format!("`every` is `{whole}`, but seconds are not supported")
        } else {
            format!("`every` is `{whole}`, but takes one number and one unit")
        };
        return (message, if seconds % 60 == 0 { minutes(seconds / 60) } else { FORM.into() });
    }
    if number.is_empty() {
        return (format!("`every` is `{whole}`, which does not start with a number"), FORM.into());
    }
    if unit.is_empty() {
        let message = format!("`every` is `{whole}`, which has no unit");
        return (message, format!("did you mean `{whole}m`, `{whole}h` or `{whole}d`?"));
    }
    let squeezed = unit.trim_start_matches([' ', '\t']);
    let word = squeezed.to_ascii_lowercase();
    if squeezed == "M" || ["mo", "mon", "month", "months", "y", "yr", "year", "years"].contains(&word.as_str()) {
        let fields = if word.starts_with('y') { "0 0 1 1 *" } else { "0 0 1 * *" };
        let hint =
            format!("a month and a year have no fixed length: `schedule = \"{fields}\"` is the first day of each");
        return (format!("`every` is `{whole}`, and `{}` is not a unit", printable(squeezed)), hint);
    }
    match duration::unit(&word).map(|(unit, _)| unit) {
        Some(nearest @ ("m" | "h" | "d")) => {
            let message = if squeezed == nearest {
                format!("`every` is `{whole}`, with a space between number and unit")
            } else {
                format!("`every` is `{whole}`, and `{}` is not a unit", printable(squeezed))
            };
            (message, did_you_mean(format_args!("{}{nearest}", printable(number))))
        }
        Some("w") => {
            let days = number.parse::<i64>().ok().and_then(|weeks| weeks.checked_mul(7));
            let hint = days.map_or(FORM.into(), |days| did_you_mean(format_args!("{days}d")));
            (format!("`every` is `{whole}`, but weeks are not a unit"), hint)
        }
        Some("s") => {
            let hint = match number.parse::<i64>() {
                Ok(seconds) if seconds > 0 && seconds % 60 == 0 => minutes(seconds / 60),
                _ => "the shortest is `1m`".into(),
            };
            (format!("`every` is `{whole}`, but seconds are not supported"), hint)
        }
        _ => (format!("`every` is `{whole}`, and `{}` is not a unit", printable(squeezed)), FORM.into()),
    }
}

/// The total of several units such as `1h30m`, in seconds; None for any other text.
fn sum(text: &str) -> Option<i64> {
    let mut rest = text;
    let (mut seconds, mut parts) = (0_i64, 0);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        let unit = match rest.as_bytes().get(digits)? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        parts += 1;
        rest = rest[digits + 1..].trim_start_matches([' ', '\t']);
    }
    (parts > 1 && seconds > 0).then_some(seconds)
}

fn minutes(number: i64) -> String {
    did_you_mean(if number % 60 == 0 { format!("{}h", number / 60) } else { format!("{number}m") })
}

/// Parses `HH:MM` into seconds of the day.
fn time_of_day(at: &str) -> Result<i64, SyntaxError> {
    let text = at.trim_matches([' ', '\t']);
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
    let parts = text.split_once(':').and_then(|(hour, minute)| Some((number(hour)?, number(minute)?)));
    let hint = match parts {
        Some((hour @ 0..=23, minute @ 0..=59)) if text.len() == 5 && text.find(':') == Some(2) => {
            return Ok(hour * 3600 + minute * 60);
        }
        Some((hour @ 0..=23, minute @ 0..=59)) => did_you_mean(format_args!("{hour:02}:{minute:02}")),
        Some((24, 0)) => did_you_mean("00:00"),
        _ => match number(text) {
            Some(hour @ 0..=23) if text.len() <= 2 => did_you_mean(format_args!("{hour:02}:00")),
            _ => "write the hour 00 to 23 and the minute 00 to 59, such as `02:30`".to_owned(),
        },
    };
    let message = format!("`at` is `{}`, which is not a time of day `HH:MM`", printable(text));
    Err(SyntaxError::new(0..at.len(), message, hint))
}
