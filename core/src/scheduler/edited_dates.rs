//! What an edit of the registry does to the dates of a job, as a value and in words.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::text::{counted, in_zone};

/// So many dates are named one by one.
const NAMED: usize = 3;

/// A date with the zone that it is shown in.
pub type ZonedDate = (DateTime<Utc>, Tz);

/// What an edit of the registry does to the dates of a job, each with its zone: the recorded one, or that of the timetable
/// that has the date.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EditedDates {
    /// Dates that wait now.
    pub added: Vec<ZonedDate>,
    /// Dates that waited and are skipped as excluded.
    pub excluded: Vec<ZonedDate>,
    /// Dates that are skipped as superseded, since the job does not keep every date any more.
    pub superseded: Vec<ZonedDate>,
    /// Missed dates that waited and that `catch_up` leaves out.
    pub too_old: Vec<ZonedDate>,
    /// Dates that the timetable no longer has, and that stay since they have been attempted.
    pub kept: Vec<ZonedDate>,
    /// Dates to come that are skipped as moved, each with the recorded date that stands for it.
    pub moved: Vec<(ZonedDate, ZonedDate)>,
    /// Dates that take the place of another one: the former date, and the new one.
    pub replaced: Vec<(ZonedDate, ZonedDate)>,
}

impl EditedDates {
    /// Whether the edit changes no date.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.excluded.is_empty()
            && self.superseded.is_empty()
            && self.too_old.is_empty()
            && self.kept.is_empty()
            && self.moved.is_empty()
            && self.replaced.is_empty()
    }

    /// The changes in words: what is added, excluded and moved, with both dates of a pair.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { added, excluded, superseded, too_old, kept, moved, replaced } = self;
        let mut parts = Vec::new();
        let listed = |dates: &[ZonedDate], is: &str, are: &str| {
            let names: Vec<String> = dates.iter().map(|(date, zone)| in_zone(*date, *zone)).collect();
            match names.as_slice() {
                [] => None,
                [one] => Some(format!("{one} {is}")),
                [.., last] if names.len() <= NAMED => {
                    Some(format!("{} and {last} {are}", names[..names.len() - 1].join(", ")))
                }
                [first, .., last] => {
                    Some(format!("{} from {first} to {last} {are}", counted(names.len() as u64, "date")))
                }
            }
        };
        parts.extend(listed(added, "is added", "are added"));
        parts.extend(listed(excluded, "is excluded and skipped", "are excluded and skipped"));
        parts.extend(listed(superseded, "is superseded and skipped", "are superseded and skipped"));
        parts.extend(listed(
            too_old,
            "was missed, and is skipped as too old (`catch_up`)",
            "were missed, and are skipped as too old (`catch_up`)",
        ));
        let pairs = |pairs: &[(ZonedDate, ZonedDate)], words: fn(String, String) -> String| -> Vec<String> {
            let shown = |(date, zone): &ZonedDate| in_zone(*date, *zone);
            let named = pairs.iter().take(NAMED).map(|(one, other)| words(shown(one), shown(other)));
            let more = pairs.len().saturating_sub(NAMED) as u64;
            named.chain((more > 0).then(|| format!("so for {} more", counted(more, "date")))).collect()
        };
        parts.extend(pairs(replaced, |before, date| format!("{date} takes the place of {before}")));
        parts.extend(pairs(moved, |date, by| format!("{date} will be skipped as moved, since {by} stands for it")));
        parts.extend(listed(
            kept,
            "has been attempted and stays, although the schedule no longer has it",
            "have been attempted and stay, although the schedule no longer has them",
        ));
        if parts.is_empty() { "no recorded date changes".to_owned() } else { parts.join("; ") }
    }
}
