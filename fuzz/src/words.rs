//! Words of an input that stand for a zone or an instant. Any word stands for some, so that no change of an input is
//! lost: one that cannot be read as what it is wanted for is hashed.

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

/// 1973-01-01, the first day of the dates that crontabber knows, counted from 1970-01-01; and how many days it knows.
const FIRST_DAY: u64 = 1096;
const DAYS: u64 = 46_386;

/// Reads the name of a zone; any other word is one of all zones.
pub(crate) fn zone(word: &str) -> Tz {
    let any = || {
        let count = u64::try_from(TZ_VARIANTS.len()).expect("a few hundred zones");
        TZ_VARIANTS[usize::try_from(hash(word) % count).expect("less than the count")]
    };
    word.parse().unwrap_or_else(|_| any())
}

/// Reads an instant; any other word is one near a change of the zone's clock, if that ever changes.
pub(crate) fn instant(word: &str, zone: Tz) -> DateTime<Utc> {
    if let Ok(at) = word.parse() {
        return at;
    }
    let hash = hash(word);
    let day = |day: u64| at_second(i64::try_from(day * 86_400).expect("a day of these centuries"));
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let first = FIRST_DAY + hash % DAYS;
    let changed = (first..first + 200).find(|number| offset(day(*number)) != offset(day(*number + 1)));
    let minutes = TimeDelta::minutes(i64::try_from((hash >> 32) % (60 * 60)).expect("less than 60 hours"));
    day(changed.unwrap_or(first)) - TimeDelta::hours(30) + minutes
}

fn at_second(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).expect("within these centuries")
}

fn hash(word: &str) -> u64 {
    crontabber::text::fnv_1a(word.bytes())
}
