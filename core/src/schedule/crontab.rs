//! The grammar of `schedule`: the five fields of crontab(5), or a nickname.
//!
//! Parses text into a [`DateRule`], and knows no zone and no instant. Syntax that differs between dialects of cron is an
//! error, with the closest form that all of them understand.

mod advice;
mod field;

pub(super) use advice::advice;
use field::Field;

use super::calendar::DaySet;
use super::rule::{DateRule, TimeSet};
use crate::text::{SyntaxError, did_you_mean, printable};

/// The nicknames and their five fields.
const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

const FIVE_FIELDS: &str = "write minute, hour, day of month, month and day of week, such as `15 1 * * *`";

/// Splits a text into words, each with its byte offset. Only spaces and tabs separate words.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split([' ', '\t'])
        .map(move |word| {
            let start = at;
            at += word.len() + 1;
            (start, word)
        })
        .filter(|(_, word)| !word.is_empty())
}

/// Parses five fields, or a nickname.
pub(super) fn parse(text: &str) -> Result<DateRule, SyntaxError> {
    // One more than the longest form with a suggestion. A longer text need not be split.
    let found: Vec<(usize, &str)> = words(text).take(8).collect();
    match found.as_slice() {
        [] => {
            let hint = Some("`15 1 * * *` is every day at 01:15".to_owned());
            Err(SyntaxError::new(0..text.len(), "the schedule is empty", hint))
        }
        [(start, nickname), ..] if nickname.starts_with('@') => parse_nickname(text, *start, nickname, found.len()),
        [(start, variable), ..] if variable.contains('=') => Err(assignment(*start, variable)),
        [minute, hour, day_of_month, month, day_of_week] => {
            parse_fields([*minute, *hour, *day_of_month, *month, *day_of_week])
        }
        _ => Err(wrong_count(text, &found)),
    }
}

/// Explains a variable before the fields, which other crons read.
fn assignment(start: usize, variable: &str) -> SyntaxError {
    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
    let hint = if ["CRON_TZ", "TZ"].contains(&name) {
        format!("write `timezone = \"{}\"` as a key of the job", printable(value))
    } else {
        "write variables under `environment`".to_owned()
    };
    let message = format!("`{}` is a variable, which a schedule does not have", printable(variable));
    SyntaxError::new(start..start + variable.len(), message, hint)
}

fn parse_fields(fields: [(usize, &str); 5]) -> Result<DateRule, SyntaxError> {
    let mut sets = [0_u64; 5];
    for ((set, field), (start, text)) in sets.iter_mut().zip(Field::ALL).zip(fields) {
        *set = field.parse(text).map_err(|error| error.moved_by(start))?;
    }
    let starred = fields.map(|(_, text)| text.starts_with('*'));
    let [minutes, hours, days_of_month, months, days_of_week] = sets;
    let days = DaySet {
        days_of_month: narrow(days_of_month),
        months: narrow(months),
        days_of_week: narrow(days_of_week),
        both: starred[2] || starred[4],
    };
    let times = TimeSet { minutes, hours: narrow(hours) };
    Ok(if starred[0] || starred[1] { DateRule::Wildcard(days, times) } else { DateRule::Fixed(days, times) })
}

/// Fits the set of a field into the bits that its values need.
fn narrow<Set: TryFrom<u64>>(set: u64) -> Set {
    Set::try_from(set).ok().expect("a field's values are checked against its range")
}

/// Splits a text of five fields.
fn five(text: &str) -> Option<[(usize, &str); 5]> {
    words(text).take(6).collect::<Vec<_>>().try_into().ok()
}

/// Whether a text can be suggested as a correct form.
fn is_correct(text: &str) -> bool {
    five(text).is_some_and(|fields| parse_fields(fields).is_ok())
}

fn parse_nickname(text: &str, start: usize, nickname: &str, count: usize) -> Result<DateRule, SyntaxError> {
    let end = start + nickname.len();
    let known = |name: &str| NICKNAMES.iter().find(|(known, _)| *known == name);
    if let Some((name, fields)) = known(nickname) {
        if count > 1 {
            let message = format!("something follows `{name}`, which stands alone");
            return Err(SyntaxError::new(end..text.len(), message, did_you_mean(name)));
        }
        let fields = five(fields).expect("every nickname stands for five fields");
        return parse_fields(fields);
    }
    let lower: String = nickname.chars().take(16).collect::<String>().to_ascii_lowercase();
    let whole = printable(nickname);
    let (message, hint) = match (known(&lower), lower.as_str()) {
        (Some((name, _)), _) => (format!("`{whole}` is not in lower case"), did_you_mean(name)),
        (None, "@reboot") => (
            format!("`{whole}` is no schedule: a start of the machine is not about a date"),
            "use a systemd unit for it, or `@hourly`, `@daily` and the like here".to_owned(),
        ),
        (None, "@minutely" | "@every_minute") => (format!("`{whole}` is not known"), did_you_mean("* * * * *")),
        (None, "@every") => (
            format!("`{whole}` is not known"),
            "intervals have a key of their own, such as `every = \"15m\"`".to_owned(),
        ),
        _ => (
            format!("`{whole}` is not known"),
            "the nicknames are `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually`"
                .to_owned(),
        ),
    };
    Err(SyntaxError::new(start..end, message, hint))
}

/// Explains what is wrong with a text of more or fewer than five fields.
fn wrong_count(text: &str, found: &[(usize, &str)]) -> SyntaxError {
    let words: Vec<&str> = found.iter().map(|(_, word)| *word).collect();
    let end = |index: usize| found[index].0 + found[index].1.len();
    let last = found.len() - 1;
    if words.len() < 5 {
        let mut fields = words.clone();
        fields.resize(5, "*");
        let nearest = fields.join(" ");
        let missing: Vec<&str> = Field::ALL[words.len()..].iter().map(|field| field.name()).collect();
        let message = match words.len() {
            1 => format!("there is one field of five: {} are missing", missing.join(", ")),
            2 => format!("there are two fields of five: {} are missing", missing.join(", ")),
            3 => format!("there are three fields of five: {} are missing", missing.join(", ")),
            _ => format!("there are four fields of five: {} is missing", missing.join(", ")),
        };
        let hint = if is_correct(&nearest) { did_you_mean(&nearest) } else { FIVE_FIELDS.to_owned() };
        return SyntaxError::new(found[0].0..end(last), message, hint);
    }
    // Six fields start with seconds, and seven also end with the year. In these dialects, `?` can stand for `*`.
    let inner = words[1..6].iter().map(|word| if *word == "?" { "*" } else { word }).collect::<Vec<_>>().join(" ");
    let seconds = found[0].0..end(0);
    if words.len() == 6 && is_correct(&inner) {
        let message = "there are six fields, and seconds are not supported";
        return SyntaxError::new(seconds, message, format!("did you mean `{inner}`, without the first?"));
    }
    if words.len() == 7 && is_correct(&inner) {
        let message = "there are seven fields, and neither seconds nor years are supported";
        return SyntaxError::new(seconds, message, format!("did you mean `{inner}`, without the first and last?"));
    }
    let outer = words[..5].join(" ");
    if is_correct(&outer) {
        let start = found[5].0;
        let message = format!("something follows the five fields: `{}`", printable(text[start..].trim_end()));
        return SyntaxError::new(start..text.len(), message, did_you_mean(&outer));
    }
    let count = match words.len() {
        6 => "six",
        7 => "seven",
        _ => "more than seven",
    };
    let message = format!("there are {count} fields rather than five");
    SyntaxError::new(found[0].0..text.len(), message, FIVE_FIELDS.to_owned())
}
