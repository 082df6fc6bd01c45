//! One field of a crontab: parses lists, ranges, steps and names into a set of values.

mod explain;

use crate::text::{SyntaxError, did_you_mean, printable};

/// The names of the months and of the days of the week.
const MONTHS: &str = "january february march april may june july august september october november december";
const DAYS: &str = "sunday monday tuesday wednesday thursday friday saturday";

/// The fields of a crontab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

/// A value, and whether it was written as a name.
#[derive(Debug, Clone, Copy)]
struct FieldValue {
    number: u64,
    named: bool,
}

impl Field {
    /// In the order of a crontab.
    pub(super) const ALL: [Self; 5] = [Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        }
    }

    /// The smallest and the largest value; Sunday is both 0 and 7.
    fn range(self) -> (u64, u64) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    /// The full names of the values, if they have names.
    fn names(self) -> impl Iterator<Item = &'static str> {
        let names = match self {
            Self::Month => MONTHS,
            Self::DayOfWeek => DAYS,
            _ => "",
        };
        names.split_whitespace()
    }

    /// Parses the field into the set of its values; bit n stands for the value n.
    pub(super) fn parse(self, text: &str) -> Result<u64, SyntaxError> {
        let mut set = 0;
        let mut start = 0;
        for item in text.split(',') {
            if item.is_empty() {
                return Err(self.empty_item(text, start));
            }
            set |= self.parse_item(item).map_err(|error| error.moved_by(start))?;
            start += item.len() + 1;
        }
        if self == Self::DayOfWeek && set & (1 << 7) != 0 {
            set = set & !(1 << 7) | 1;
        }
        Ok(set)
    }

    /// Parses an item of the list: `*`, a value or a range, with a step for the first and the last.
    fn parse_item(self, item: &str) -> Result<u64, SyntaxError> {
        let (body, step) = item.split_once('/').map_or((item, None), |(body, step)| (body, Some(step)));
        let (least, greatest) = self.range();
        let (from, to) = if body == "*" {
            (least, greatest)
        } else if let Some((from, to)) = body.split_once('-') {
            self.parse_range(item, from, to, step)?
        } else if body.is_empty() {
            let message = format!("the {} `{}` has a step with nothing before it", self.name(), printable(item));
            let nearest = format!("*{item}");
            let hint = (nearest.len() <= 80 && self.parse_item(&nearest).is_ok()).then(|| did_you_mean(&nearest));
            return Err(SyntaxError::new(0..item.len(), message, hint));
        } else {
            let value = self.parse_value(body)?;
            if let Some(step) = step {
                return Err(self.step_after_value(item, body, value, step));
            }
            (value.number, value.number)
        };
        let step = match step {
            Some(text) => self.parse_step(text).map_err(|message| {
                let hint = (body.len() <= 80).then(|| did_you_mean(body));
                SyntaxError::new(0..item.len(), message, hint)
            })?,
            None => 1,
        };
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        Ok((from..=to).step_by(step).fold(0, |set, value| set | 1 << value))
    }

    /// Parses the ends of a range; `item` is the range with its step.
    fn parse_range(self, item: &str, from: &str, to: &str, step: Option<&str>) -> Result<(u64, u64), SyntaxError> {
        let problem = |what: &str, hint: Option<String>| {
            let message = format!("the {} `{}` is a range {what}", self.name(), printable(item));
            SyntaxError::new(0..item.len(), message, hint.map(did_you_mean))
        };
        if from == "*" || to == "*" {
            return Err(problem("with a `*` for an end", Some("*".to_owned())));
        }
        if from.is_empty() || to.is_empty() {
            let end = if from.is_empty() { to } else { from };
            return Err(problem("without its two ends", self.is_value(end).then(|| end.to_owned())));
        }
        let first = self.parse_value(from)?;
        let last = self.parse_value(to).map_err(|error| self.at_the_end(to, error).moved_by(from.len() + 1))?;
        // Sunday by name can end a week as well as start one.
        let sunday_ends = self == Self::DayOfWeek && last.named && last.number == 0 && first.number > 0;
        let last_number = if sunday_ends { 7 } else { last.number };
        if first.number > last_number {
            return Err(problem("that runs backwards", self.unwrapped(first, last, [from, to], step)));
        }
        Ok((first.number, last_number))
    }

    /// Parses a step.
    fn parse_step(self, text: &str) -> Result<u64, String> {
        match text {
            "" => Err(format!("the {} has a `/` without a step", self.name())),
            _ if !is_number(text) => {
                Err(format!("the {} has the step `{}`, which is not a number", self.name(), printable(text)))
            }
            _ if text.bytes().all(|byte| byte == b'0') => Err(format!("the {} has a step of zero", self.name())),
            // A step that overflows also exceeds the range.
            _ => Ok(text.parse().unwrap_or(u64::MAX)),
        }
    }

    /// Parses a number or a name.
    fn parse_value(self, text: &str) -> Result<FieldValue, SyntaxError> {
        let (least, greatest) = self.range();
        if is_number(text) {
            let number = text.parse().unwrap_or(u64::MAX);
            if (least..=greatest).contains(&number) {
                return Ok(FieldValue { number, named: false });
            }
            let message = format!("the {} `{}` is not in the range {least}-{greatest}", self.name(), printable(text));
            let nearest = match self {
                Self::Minute | Self::Hour if number == greatest + 1 => least,
                Self::DayOfWeek => {
                    return Err(SyntaxError::new(0..text.len(), message, "0 and 7 are both Sunday"));
                }
                _ => number.clamp(least, greatest),
            };
            return Err(SyntaxError::new(0..text.len(), message, did_you_mean(nearest)));
        }
        let lower = text.to_ascii_lowercase();
        match (least..).zip(self.names()).find(|(_, name)| name[..3] == *lower) {
            Some((number, _)) => Ok(FieldValue { number, named: true }),
            None => Err(self.diagnose(text)),
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
