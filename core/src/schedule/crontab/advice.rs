//! What a valid schedule probably means otherwise: days that some months lack, steps that are uneven, two fields that each
//! add days.

use super::field::Field;
use super::{five, parse_fields};
use crate::text::{SyntaxError, printable};

/// The days of each month, February in a year that is no leap year.
const MONTH_LENGTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Lists what is probably not meant in a valid schedule. A nickname is always meant.
pub(in crate::schedule) fn advice(text: &str) -> Vec<SyntaxError> {
    let Some(fields) = five(text).filter(|fields| parse_fields(*fields).is_ok()) else { return Vec::new() };
    let mut found: Vec<SyntaxError> = Field::ALL
        .iter()
        .zip(fields)
        .filter_map(|(field, (at, text))| Some(step(*field, text)?.moved_by(at)))
        .collect();
    let [_, _, (day_at, day), (_, month), (weekday_at, weekday)] = fields;
    let set = |field: Field, text: &str| field.parse(text).unwrap_or_default();
    let (days, months) = (set(Field::DayOfMonth, day), set(Field::Month, month));
    let is_restricted = |field: Field, text: &str| !text.starts_with('*') && set(field, text) != set(field, "*");
    if is_restricted(Field::DayOfMonth, day) && is_restricted(Field::DayOfWeek, weekday) {
        found.push(either_day(day, weekday, days).moved_by(day_at).until(weekday_at + weekday.len()));
    } else if let Some(short) = short_months(days, months).filter(|_| weekday.starts_with('*')) {
        let hint =
            "for the last day of a month, run on the 1st and take the day before, or on `28-31` and let the job choose";
        found.push(SyntaxError::new(day_at..day_at + day.len(), short, hint));
    }
    found
}

/// Two fields of days that are both restricted: crontab(5) takes the days of either.
fn either_day(day: &str, weekday: &str, days: u64) -> SyntaxError {
    let message = format!(
        "the job runs on the days of month `{}` and also on every `{}`: a date needs only one of the two",
        printable(day),
        printable(weekday)
    );
    // A field that begins with `*` is one that the other restricts. A step over the range leaves the first day alone.
    let hint = if days & 0b10 != 0 {
        format!("for days that match both, write `*/32,{}`", printable(day))
    } else {
        "for days that match both, keep one field and let the job check the other".to_owned()
    };
    SyntaxError::new(0..day.len(), message, hint)
}

/// Says which of the chosen months have none of the chosen days. Who names February alone means it.
fn short_months(days: u64, months: u64) -> Option<String> {
    let first = u64::from(days.trailing_zeros());
    let is_short = |month: &u64| {
        let length = MONTH_LENGTHS[usize::try_from(month - 1).unwrap_or(0)];
        months & (1 << month) != 0 && length < first
    };
    let short: Vec<u64> = (1..=12).filter(is_short).collect();
    match short.as_slice() {
        _ if months == 1 << 2 => None,
        [] => None,
        [2] if first == 29 => Some("February has a date only in leap years".to_owned()),
        [2] => Some(format!("February has no date: it has no day {first}")),
        several => Some(format!("{} months have no date: they have no day {first}", several.len())),
    }
}

/// A step that leaves one value, or does not divide the hour or the day.
fn step(field: Field, text: &str) -> Option<SyntaxError> {
    let (range, step) = text.split_once('/').filter(|_| !text.contains(','))?;
    let step: u64 = step.parse().ok()?;
    let values = field.parse(text).ok()?;
    let name = field.name();
    let whole = printable(text);
    if values.is_power_of_two() {
        let only = values.trailing_zeros();
        let message = format!("the {name} `{whole}` is only {only}: the step is longer than the range");
        return Some(SyntaxError::new(0..text.len(), message, format!("write `{only}` if that is meant")));
    }
    let (length, unit) = match field {
        _ if range != "*" => return None,
        Field::Minute => (60, "m"),
        Field::Hour => (24, "h"),
        _ => return None,
    };
    let last = u64::from(values.ilog2());
    (length % step != 0).then(|| {
        let message = format!("the {name} `{whole}` is uneven: from {last} to 0 it is {}, not {step}", length - last);
        SyntaxError::new(0..text.len(), message, format!("for even steps, write `every = \"{step}{unit}\"`"))
    })
}
