//! The target `crontab`: a schedule, read and then asked for its dates.
//!
//! An input is a line of words, `ZONE INSTANT START END DELAY` (see [`words`], and `-` for no bound), and then the
//! schedule: five fields, a nickname, or `every 1d at 02:30`.

use std::collections::HashSet;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use crontabber::duration;
use crontabber::schedule::{IntervalError, Schedule, Timetable};
use crontabber::text::SyntaxError;

use super::oracle::Said;
use super::{walk, words};

/// A message is a line, with what it quotes cut short.
const LONGEST_MESSAGE: usize = 1_000;

/// Minutes of dates that are compared with the second opinion.
const COMPARED: i64 = 30 * 60;

/// In minutes since 1970: the days of which zones are known, but for those about their ends.
const KNOWN: Range<i64> = 1_581_120..68_368_320;

/// Checks one input.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (head, written) = text.split_once('\n').unwrap_or(("", text));
    let head: Vec<&str> = head.split(' ').collect();
    let word = |place: usize| head.get(place).copied().unwrap_or_default();
    let zone = words::zone(word(0));
    let at = words::instant(word(1), zone);
    let bound = |word: &str| (!["", "-"].contains(&word)).then(|| words::instant(word, zone));
    let (start, end) = match (bound(word(2)), bound(word(3))) {
        (Some(start), Some(end)) => (Some(start.min(end)), Some(start.max(end))),
        bounds => bounds,
    };
    let delay = duration::parse(word(4)).unwrap_or_default();
    let schedule = match written.strip_prefix("every ") {
        None => crontab(written, zone),
        Some(interval) => {
            let (every, clock) = interval.split_once(" at ").map_or((interval, None), |(every, at)| (every, Some(at)));
            every_with(every, clock, zone)
        }
    };
    let Some((schedule, said)) = schedule else { return };
    let text = schedule.text();
    assert!(!text.contains(['"', '\n']) && !text.chars().any(char::is_control), "{text:?} is no line");
    compare(&schedule, &said, at);
    walk::check(&Timetable::new(schedule, start, end, delay), at);
}

fn crontab(text: &str, zone: Tz) -> Option<(Schedule, Said)> {
    match Schedule::crontab(text, zone) {
        Ok(schedule) => {
            assert_eq!(Schedule::crontab(&schedule.text(), zone).as_ref(), Ok(&schedule), "reads back as another");
            Some((schedule, Said::crontab(text)))
        }
        Err(error) => {
            explained(text, &error);
            follow_the_hints(text, zone);
            None
        }
    }
}

fn every_with(every: &str, at: Option<&str>, zone: Tz) -> Option<(Schedule, Said)> {
    match Schedule::every(every, at, zone) {
        Ok(schedule) => Some((schedule, Said::every(every, at))),
        Err(error) => {
            let (is_about_at, about, mistake) = match &error {
                IntervalError::Every(mistake) => (false, every, mistake),
                IntervalError::At(mistake) => (true, at.expect("an `at`"), mistake),
            };
            explained(about, mistake);
            for form in mistake.hint.as_deref().map(forms).unwrap_or_default() {
                let corrected = match form.strip_prefix("every = \"") {
                    Some(days) => Schedule::every(days.trim_end_matches('"'), at, zone),
                    None if is_about_at => Schedule::every("1d", Some(form), zone),
                    None => Schedule::every(form, None, zone),
                };
                // One correction may uncover the next mistake, but never the same one.
                assert_ne!(corrected.err(), Some(error.clone()), "{every:?} at {at:?}: the hint {form} mends nothing");
            }
            None
        }
    }
}

/// A mistake can be printed in a line, and points at something.
fn explained(text: &str, error: &SyntaxError) {
    let SyntaxError { message, hint, span } = error;
    assert!(text.get(span.clone()).is_some(), "{span:?} is not in {text:?}");
    for line in [Some(message), hint.as_ref()].into_iter().flatten() {
        assert!(!line.is_empty() && line.len() <= LONGEST_MESSAGE, "{} bytes: {line}", line.len());
        assert!(!line.chars().any(char::is_control), "{line:?} holds a control character");
    }
}

/// Whoever does what the hints say mends one mistake after the other, and never comes back to where they were.
fn follow_the_hints(text: &str, zone: Tz) {
    let mut text = text.to_owned();
    let mut seen = HashSet::new();
    while let Err(error) = Schedule::crontab(&text, zone) {
        let hint = error.hint.unwrap_or_default();
        let [form, ..] = forms(&hint)[..] else { return };
        let is_whole = form.contains(' ') || form.starts_with('@');
        let span = error.span;
        let mended =
            if is_whole { form.to_owned() } else { format!("{}{form}{}", &text[..span.start], &text[span.end..]) };
        assert!(seen.insert(text), "the hints go in a circle: {mended:?}");
        text = mended;
    }
}

/// What a hint says one may have meant.
fn forms(hint: &str) -> Vec<&str> {
    let meant = hint.strip_prefix("did you mean ").unwrap_or_default();
    meant.split('`').skip(1).step_by(2).collect()
}

/// The dates of a day or so are those that a second opinion finds.
fn compare(schedule: &Schedule, said: &Said, at: DateTime<Utc>) {
    let from = at.timestamp().div_euclid(60) + 1;
    if !KNOWN.contains(&from) {
        return;
    }
    let expected = said.dates(schedule.zone(), from, from + COMPARED);
    let first = DateTime::from_timestamp(from * 60, 0).expect("within these centuries");
    let timetable = Timetable::new(schedule.clone(), None, None, std::time::Duration::ZERO);
    let found: Vec<_> =
        timetable.dates(first, first + TimeDelta::minutes(COMPARED)).map(|date| date.expect("known")).collect();
    assert_eq!(found, expected, "{schedule:?} from {first}");
}
