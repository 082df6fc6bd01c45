//! How instants and user input are written, for display and for JSON.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

/// Writes an instant in RFC 3339 with the zone's offset.
#[must_use]
pub fn in_zone(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// Writes as [`in_zone`] does, without fractions of a second: for the time of an act.
#[must_use]
pub fn to_the_second(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false)
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
