//! `[daemon]`: settings that do not belong to one job.

use std::fmt;
use std::time::Duration;

use chrono_tz::Tz;

use super::table_reader::TableReader;
use super::time;
use super::wording::as_integer;
use crate::text::quoted;

/// `[daemon]`.
#[derive(Clone, PartialEq, Eq)]
pub struct DaemonSettings {
    /// The URL of the ledger as written; it may contain a password.
    pub ledger: Option<String>,
    /// The default time zone of jobs.
    pub timezone: Tz,
    /// How many attempts may run at once.
    pub max_running: usize,
    /// How long a stopping daemon waits for running attempts.
    pub stop_grace: Duration,
    /// How many bytes of output are kept per attempt.
    pub output_limit: u64,
    /// The daemon logs a summary before it catches up on more dates than this; with 0, always.
    pub announce_over: u64,
    /// How far ahead of what was last seen the clock is believed at once; absent if it always is.
    pub clock_guard: Option<Duration>,
}

impl fmt::Debug for DaemonSettings {
    /// Omits the ledger, whose URL may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ledger: _, timezone, max_running, stop_grace, output_limit, announce_over, clock_guard } = self;
        f.debug_struct("DaemonSettings")
            .field("timezone", timezone)
            .field("max_running", max_running)
            .field("stop_grace", stop_grace)
            .field("output_limit", output_limit)
            .field("announce_over", announce_over)
            .field("clock_guard", clock_guard)
            .finish_non_exhaustive()
    }
}

impl Default for DaemonSettings {
    fn default() -> Self {
        Self {
            ledger: None,
            timezone: Tz::UTC,
            max_running: 16,
            stop_grace: Duration::from_mins(1),
            output_limit: 1024 * 1024,
            announce_over: 100,
            clock_guard: Some(Duration::from_hours(24)),
        }
    }
}

/// Enough for the message of a failure.
const LEAST_OUTPUT: u64 = 1024;

const MOST_OUTPUT: u64 = 1024 * 1024 * 1024 * 1024;

/// Reads the settings. An invalid one is reported and has its default.
pub(super) fn read(reader: &TableReader<'_>) -> DaemonSettings {
    reader.unknown_keys();
    let default = DaemonSettings::default();
    DaemonSettings {
        ledger: ledger(reader),
        timezone: time::zone(reader).unwrap_or(default.timezone),
        max_running: reader.count("max_running").map_or(default.max_running, |count| count as usize),
        stop_grace: reader.duration("stop_grace").unwrap_or(default.stop_grace),
        output_limit: output_limit(reader).unwrap_or(default.output_limit),
        announce_over: announce_over(reader).unwrap_or(default.announce_over),
        clock_guard: clock_guard(reader, default.clock_guard),
    }
}

/// Reads the URL of the ledger. No message repeats it.
fn ledger(reader: &TableReader<'_>) -> Option<String> {
    const KEY: &str = "ledger";
    let value = reader.get(KEY)?;
    let span = value.span();
    let is_a_file = value.get_ref().as_str().is_some_and(|text| text.starts_with("sqlite:"));
    if !is_a_file {
        reader.file.keep_secret(span.clone());
    }
    let text = reader.non_empty_string(KEY)?;
    let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.value.starts_with(scheme));
    if text.value.contains("://") && !known {
        let hint = "write `sqlite:///PATH` or `postgres://USER@HOST/DATABASE`";
        reader.invalid(span, KEY, "is of a kind that no ledger has", hint);
        return None;
    }
    Some(text.value.to_owned())
}

/// How far the clock may jump; `false` believes every clock.
fn clock_guard(reader: &TableReader<'_>, default: Option<Duration>) -> Option<Duration> {
    const KEY: &str = "clock_guard";
    let is_off = reader.get(KEY).is_some_and(|value| value.get_ref().as_bool() == Some(false));
    if is_off { None } else { reader.positive_duration(KEY).or(default) }
}

fn announce_over(reader: &TableReader<'_>) -> Option<u64> {
    let dates = reader.integer("announce_over", 0..=u32::MAX.into())?;
    u64::try_from(dates).ok()
}

fn output_limit(reader: &TableReader<'_>) -> Option<u64> {
    const KEY: &str = "output_limit";
    let value = reader.get(KEY)?;
    let bytes = match (reader.as_string(value), as_integer(value.get_ref())) {
        (Some(text), _) => {
            let Some(bytes) = size(text.value) else {
                let hint = "expected an integer with `B`, `kB`, `KiB`, `MB`, `MiB`, `GB` or `GiB`, such as `1MiB`";
                reader.invalid(text.span, KEY, format_args!("is invalid: {} is not a size", quoted(text.value)), hint);
                return None;
            };
            bytes
        }
        (None, Some(bytes)) => u64::try_from(bytes).unwrap_or(0),
        (None, None) => {
            reader.wrong_type(KEY, value, None);
            return None;
        }
    };
    if !(LEAST_OUTPUT..=MOST_OUTPUT).contains(&bytes) {
        reader.invalid(value.span(), KEY, "must be between `1KiB` and `1024GiB`", None);
        return None;
    }
    Some(bytes)
}

/// Parses a number of bytes with a unit, ignoring case. `KB` means 1000 bytes.
fn size(text: &str) -> Option<u64> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim_start().to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1_000,
        "k" | "kib" => 1024,
        "mb" => 1_000_000,
        "m" | "mib" => 1024 * 1024,
        "gb" => 1_000_000_000,
        "g" | "gib" => 1024 * 1024 * 1024,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in
            [("1MB", Some(1_000_000)), ("1MiB", Some(1_048_576)), ("64 kB", Some(64_000)), ("512b", Some(512))]
        {
            assert_eq!(size(text), bytes, "{text}");
        }
        for text in ["", "1", "MB", "-1MB", "1.5MB", "99999999999999999999B", "99999999999GiB", "1TB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
