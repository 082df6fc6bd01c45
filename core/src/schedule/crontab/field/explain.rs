//! Explains what is wrong with a field, with the closest correct form.
//!
//! Runs only for a text that is invalid: nothing here decides what is valid.

use super::{DAYS, Field, FieldValue, MONTHS, is_number};
use crate::text::{SyntaxError, did_you_mean, printable};

impl Field {
    /// Names an empty item, at byte `start` of the field's text.
    pub(super) fn empty_item(self, text: &str, start: usize) -> SyntaxError {
        let items: Vec<&str> = text.split(',').filter(|item| !item.is_empty()).collect();
        let nearest = if items.is_empty() { "*".to_owned() } else { items.join(",") };
        let hint = (nearest.len() <= 80 && self.parse(&nearest).is_ok()).then(|| did_you_mean(&nearest));
        let comma = if start == text.len() { start - 1..start } else { start..start + 1 };
        SyntaxError::new(comma, format!("the {} has an empty item in its list", self.name()), hint)
    }

    /// The same error at the end of a range, where too great a number meant the greatest.
    pub(super) fn at_the_end(self, to: &str, error: SyntaxError) -> SyntaxError {
        let (_, greatest) = self.range();
        let too_great = is_number(to) && to.parse().is_ok_and(|number: u64| number > greatest);
        let hint = if too_great { Some(did_you_mean(greatest)) } else { error.hint };
        SyntaxError { hint, ..error }
    }

    /// Writes a range that wraps around as two that do not, or as a list where it has a step.
    pub(super) fn unwrapped(
        self,
        first: FieldValue,
        end: FieldValue,
        [from, to]: [&str; 2],
        step: Option<&str>,
    ) -> Option<String> {
        let (least, greatest) = self.range();
        let named = first.named && end.named;
        if let Some(step) = step {
            let step = self.parse_step(step).ok()?;
            let length = if self == Self::DayOfWeek { 7 } else { greatest - least + 1 };
            let values = (first.number..=end.number + length).step_by(usize::try_from(step).ok()?);
            let words: Vec<String> = values.map(|value| ((value - least) % length + least).to_string()).collect();
            return Some(words.join(","));
        }
        let part = |from: &str, to: &str| if from == to { from.to_owned() } else { format!("{from}-{to}") };
        let (greatest_word, least_word) = match self {
            Self::DayOfWeek if named => ("SUN".to_owned(), "MON".to_owned()),
            Self::DayOfWeek if end.number == 0 => return Some(part(from, "7")),
            Self::DayOfWeek if first.number == 7 => return Some(format!("0-{to}")),
            Self::DayOfWeek => ("7".to_owned(), "1".to_owned()),
            Self::Month if named => ("DEC".to_owned(), "JAN".to_owned()),
            _ => (greatest.to_string(), least.to_string()),
        };
        let (from, to) =
            if named { (from.to_ascii_uppercase(), to.to_ascii_uppercase()) } else { (from.into(), to.into()) };
        Some(format!("{},{}", part(&from, &greatest_word), part(&least_word, &to)))
    }

    /// Refuses `N/step`, which dialects understand differently.
    pub(super) fn step_after_value(self, item: &str, body: &str, value: FieldValue, step: &str) -> SyntaxError {
        let (_, greatest) = self.range();
        let last = match self {
            Self::DayOfWeek if value.named => "SAT".to_owned(),
            Self::DayOfWeek if value.number < 7 => "6".to_owned(),
            Self::Month if value.named => "DEC".to_owned(),
            _ => greatest.to_string(),
        };
        let nearest = if value.number == greatest { body.to_owned() } else { format!("{body}-{last}/{step}") };
        let hint = (nearest.len() <= 80 && self.parse_item(&nearest).is_ok()).then(|| did_you_mean(&nearest));
        let message = format!("the {} `{}` has a step after a single value", self.name(), printable(item));
        SyntaxError::new(0..item.len(), message, hint)
    }

    /// Says what is wrong with a text that is neither a number nor a name, and what comes nearest.
    pub(super) fn diagnose(self, text: &str) -> SyntaxError {
        let lower = text.to_ascii_lowercase();
        let field = self.name();
        let whole = printable(text);
        let starts_with = |name: &str| lower.len() >= 3 && (name.starts_with(&lower) || lower == name[..3]);
        let in_full = self.names().find(|name| lower.len() > 3 && name.starts_with(&lower));
        let other = if DAYS.split_whitespace().any(starts_with) {
            Some("day of week")
        } else if MONTHS.split_whitespace().any(starts_with) {
            Some("month")
        } else {
            None
        };
        let (message, hint) = if let Some(name) = in_full {
            (
                format!("the {field} `{whole}` is not one of the three-letter names"),
                did_you_mean(name[..3].to_uppercase()),
            )
        } else if let Some(other) = other {
            (format!("the {field} `{whole}` is a name, which belongs into the {other}"), self.form())
        } else if let Some((sign, message)) = dialect(text) {
            let hint = match sign {
                '?' => did_you_mean("*"),
                'L' if self == Self::DayOfMonth => {
                    "name days that every month has, or `28-31` and let the job choose".into()
                }
                '#' if text.ends_with("#1") => {
                    "for the first one of a month, write `*/32,1-7` as the day of month and the weekday here".into()
                }
                '#' | 'L' if self == Self::DayOfWeek => {
                    "name the weekday alone, and let the job choose the week of the month".into()
                }
                'W' => "write `1-5` as the day of week, and let the job choose the day".into(),
                '~' | 'H' => "choose a number, or set `jitter`, which spreads the starts of the jobs".into(),
                _ => self.form(),
            };
            (format!("the {field} `{whole}` has {message}"), hint)
        } else if text.starts_with('*') {
            (
                format!("the {field} `{whole}` has something after its `*`"),
                "only a step may follow, such as `*/2`".into(),
            )
        } else {
            (format!("the {field} `{whole}` is not a number"), self.form())
        };
        SyntaxError::new(0..text.len(), message, hint)
    }

    /// Says whether a part of an invalid text is a valid value.
    pub(super) fn is_value(self, text: &str) -> bool {
        let (least, greatest) = self.range();
        let in_range = |number: u64| (least..=greatest).contains(&number);
        is_number(text) && text.parse().is_ok_and(in_range)
            || self.names().any(|name| text.eq_ignore_ascii_case(&name[..3]))
    }

    /// Says which values the field takes.
    fn form(self) -> String {
        let (least, greatest) = self.range();
        match self {
            Self::Month => format!("write {least} to {greatest} or JAN to DEC"),
            Self::DayOfWeek => format!("write {least} to {greatest} (both Sunday) or SUN to SAT"),
            _ => format!("write {least} to {greatest}, or `*` for all"),
        }
    }
}

/// Recognises what other dialects of cron add.
fn dialect(text: &str) -> Option<(char, &'static str)> {
    const SIGNS: [(char, &str); 7] = [
        ('?', "`?`, which other dialects write for `*`"),
        ('#', "`#`, and the n-th weekday of a month cannot be named"),
        ('~', "`~`, and a schedule cannot be random"),
        ('%', "`%`, which means something only in the command of a crontab"),
        ('L', "`L`, and the last day of a month cannot be named"),
        ('W', "`W`, and the nearest weekday cannot be named"),
        ('H', "`H`, and a schedule cannot be random"),
    ];
    SIGNS.into_iter().find(|(sign, _)| text.contains(*sign))
}
