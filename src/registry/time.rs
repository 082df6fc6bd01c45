//! Time zones, `start` and `end`, and times of day.

use chrono::{
    DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, SubsecRound, TimeZone,
    Timelike, Utc,
};
use chrono_tz::{TZ_VARIANTS, Tz};
use toml::de::DeValue;
use toml::value::{Datetime, Offset};

use super::table_reader::TableReader;
use crate::text::{did_you_mean, quoted};

/// A bound as written.
enum DayOrInstant {
    Day(NaiveDate),
    Instant(DateTime<Utc>),
    /// A wall time is ambiguous: its instant depends on the rules of the zone, and there may be two.
    Wall(NaiveDateTime),
}

pub(super) fn zone(reader: &TableReader<'_>) -> Option<Tz> {
    const KEY: &str = "timezone";
    let text = reader.string(KEY)?;
    if let Ok(zone) = text.value.parse() {
        return Some(zone);
    }
    let same = TZ_VARIANTS.iter().map(|zone| zone.name()).find(|name| name.eq_ignore_ascii_case(text.value.trim()));
    let hint = match same.or_else(|| similar_zone(reader, text.value)) {
        _ if offset_of(text.value).is_some() => offset_hint(offset_of(text.value)),
        Some(name) => did_you_mean(name),
        None => "expected a name from the IANA time zone database, such as `Europe/Berlin` or `UTC`".to_owned(),
    };
    reader.invalid(text.span, KEY, format_args!("is not a time zone: {}", quoted(text.value)), hint);
    None
}

/// The offset that a text such as `GMT+2` or `UTC-05:30` names: its sign, and the rest.
fn offset_of(text: &str) -> Option<(char, &str)> {
    let text = text.trim();
    let (name, rest) = text.split_at(text.find(['+', '-'])?);
    let sign = rest.chars().next()?;
    let digits = rest[1..].trim();
    let is_number = !digits.is_empty() && digits.chars().all(|letter| letter.is_ascii_digit() || letter == ':');
    let is_known = ["", "gmt", "utc", "etc/gmt", "etc/utc"].contains(&name.trim().to_ascii_lowercase().as_str());
    (is_number && is_known).then_some((sign, digits))
}

/// The sign of `Etc/GMT+2` is that of POSIX: it is two hours behind UTC.
fn offset_hint(offset: Option<(char, &str)>) -> String {
    let hours = offset.and_then(|(sign, digits)| Some((sign, digits.parse::<u8>().ok()?)));
    let named = hours.map(|(sign, hours)| (hours, format!("Etc/GMT{}{hours}", if sign == '+' { '-' } else { '+' })));
    match named.filter(|(_, name)| name.parse::<Tz>().is_ok()) {
        Some((0, _)) => did_you_mean("UTC"),
        Some((hours, name)) => {
            let side = if name.contains('-') { "ahead of" } else { "behind" };
            format!("name a place, such as `Europe/Berlin`, or write `{name}`, which is {hours} h {side} UTC all year")
        }
        None => "name a place with this offset, such as `Asia/Kolkata`".to_owned(),
    }
}

fn similar_zone(reader: &TableReader<'_>, text: &str) -> Option<&'static str> {
    let city = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
    let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
    let town = text.rsplit('/').next().unwrap_or(text).replace(' ', "_");
    let by_town = || names().find(|name| name.contains('/') && city(name).eq_ignore_ascii_case(&town));
    // Short names are close to everything.
    if text.len() < 4 {
        return None;
    }
    by_town().or_else(|| reader.suggester.closest(text, names())).or_else(|| {
        let closest = reader.suggester.closest(&town, names().filter(|name| name.contains('/')).map(city))?;
        names().find(|name| city(name) == closest)
    })
}

/// Reads `start` or `end`: an instant, or a day in the job's zone, which stands for the instant `of_day`.
pub(super) fn day_or_instant(
    reader: &TableReader<'_>,
    key: &'static str,
    zone: Tz,
    of_day: fn(NaiveDate, Tz) -> DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let value = reader.get(key)?;
    let read = match value.get_ref() {
        DeValue::Datetime(datetime) => from_toml(datetime),
        DeValue::String(text) => from_text(text),
        _ => {
            reader.wrong_type(key, value, form_hint(key));
            return None;
        }
    };
    let is_supported = |day: NaiveDate| (1973..=2099).contains(&day.year());
    let (problem, hint) = match read {
        Some(DayOrInstant::Instant(instant)) if is_supported(instant.date_naive()) => {
            return Some(instant.trunc_subsecs(6));
        }
        // Checked before the conversion, since the rules of a zone do not cover year 1.
        Some(DayOrInstant::Day(day)) if is_supported(day) => return Some(of_day(day, zone)),
        Some(DayOrInstant::Wall(wall)) => {
            let hint = zone.from_local_datetime(&wall).earliest().map_or_else(
                || form_hint(key),
                |instant| format!("write `{key} = {}`", instant.to_rfc3339_opts(SecondsFormat::AutoSi, false)),
            );
            ("has no UTC offset", Some(hint))
        }
        Some(_) => ("is outside the supported years 1973 to 2099", None),
        None => ("must be a day or an instant", Some(form_hint(key))),
    };
    reader.invalid(value.span(), key, problem, hint);
    None
}

/// Reads a time of day, as a string or as a TOML time.
pub(super) fn time_of_day(reader: &TableReader<'_>, key: &'static str) -> Option<NaiveTime> {
    let value = reader.get(key)?;
    let (read, shown) = match value.get_ref() {
        DeValue::Datetime(Datetime { date: None, time: Some(time), offset: None }) => {
            let (second, part) = (time.second.unwrap_or(0), time.nanosecond.unwrap_or(0));
            let read = (part == 0).then(|| [time.hour, time.minute, second].map(u32::from));
            (read.and_then(clock), time.to_string())
        }
        DeValue::String(text) => (time_from_text(text), text.to_string()),
        _ => {
            reader.wrong_type(key, value, "write `\"07:30\"`");
            return None;
        }
    };
    if read.is_none() {
        let problem = format!("is {}, which is not a time of day `HH:MM` or `HH:MM:SS`", quoted(&shown));
        reader.invalid(value.span(), key, problem, Some(time_hint(&shown)));
    }
    read
}

fn clock([hour, minute, second]: [u32; 3]) -> Option<NaiveTime> {
    NaiveTime::from_hms_opt(hour, minute, second)
}

fn time_from_text(text: &str) -> Option<NaiveTime> {
    let is_written_so = matches!(text.len(), 5 | 8)
        && text.bytes().enumerate().all(|(at, byte)| if at % 3 == 2 { byte == b':' } else { byte.is_ascii_digit() });
    if is_written_so { time_parts(text).and_then(clock) } else { None }
}

/// The numbers between colons, in any notation.
fn time_parts(text: &str) -> Option<[u32; 3]> {
    let mut parts = [0; 3];
    let written: Vec<&str> = text.trim().split(':').collect();
    for (place, part) in written.iter().enumerate() {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        *parts.get_mut(place)? = part.parse().ok().filter(|_| is_number)?;
    }
    Some(parts)
}

fn time_hint(text: &str) -> String {
    match time_parts(text) {
        Some([24, 0, 0]) => did_you_mean("00:00"),
        Some(parts) if clock(parts).is_some() => match parts {
            [hour, minute, 0] => did_you_mean(format_args!("{hour:02}:{minute:02}")),
            [hour, minute, second] => did_you_mean(format_args!("{hour:02}:{minute:02}:{second:02}")),
        },
        _ => "write the hour 00 to 23 and the minute 00 to 59, such as `07:30`".to_owned(),
    }
}

fn form_hint(key: &str) -> String {
    format!("write a day as `{key} = 2026-11-01`, or an instant as `{key} = 2026-11-01T06:00:00Z`")
}

fn from_toml(datetime: &Datetime) -> Option<DayOrInstant> {
    let date = datetime.date?;
    let day = NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day))?;
    let Some(time) = datetime.time else { return Some(DayOrInstant::Day(day)) };
    let second = u32::from(time.second.unwrap_or(0));
    let nanosecond = time.nanosecond.unwrap_or(0);
    let time = NaiveTime::from_hms_nano_opt(u32::from(time.hour), u32::from(time.minute), second, nanosecond)?;
    let wall = day.and_time(time);
    let minutes = match datetime.offset {
        None => return Some(DayOrInstant::Wall(wall)),
        Some(Offset::Z) => 0,
        Some(Offset::Custom { minutes }) => i32::from(minutes),
    };
    let offset = FixedOffset::east_opt(minutes * 60)?;
    offset.from_local_datetime(&wall).single().map(|instant| DayOrInstant::Instant(instant.to_utc()))
}

fn from_text(text: &str) -> Option<DayOrInstant> {
    let is_day = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_day {
        return NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(DayOrInstant::Day);
    }
    // Leap seconds are not supported.
    let is_counted = |time: NaiveTime| time.nanosecond() < 1_000_000_000;
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(DayOrInstant::Instant(instant.to_utc())).filter(|_| is_counted(instant.time()));
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .filter(|wall| is_counted(wall.time()))
        .map(DayOrInstant::Wall)
}
