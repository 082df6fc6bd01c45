//! What an edit of the registry does to the dates of a job, as a value and in words.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::text::{counted, in_zone};

/// So many dates are named one by one.
const NAMED: usize = 3;

/// What an edit of the registry does to the dates of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EditedDates {
    /// Dates that wait now, each with its zone.
    pub added: Vec<(DateTime<Utc>, Tz)>,
    /// Dates that waited and are skipped as excluded.
    pub excluded: Vec<(DateTime<Utc>, Tz)>,
    /// Missed dates that waited and that `catch_up` leaves out.
    pub too_old: Vec<(DateTime<Utc>, Tz)>,
    /// Dates that the timetable no longer has, and that stay since they have been attempted.
    pub kept: Vec<(DateTime<Utc>, Tz)>,
    /// Dates to come that are skipped as moved, each with the recorded date that stands for it.
    pub moved: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// Dates that take the place of another one: the former date, and the new one.
    pub replaced: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// The zone of the job now.
    pub zone: Tz,
}

impl EditedDates {
    /// Whether the edit changes no date.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.excluded.is_empty()
            && self.too_old.is_empty()
            && self.kept.is_empty()
            && self.moved.is_empty()
            && self.replaced.is_empty()
    }

    /// The changes in words: what is added, excluded and moved, with both dates of a pair.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { added, excluded, too_old, kept, moved, replaced, zone } = self;
        let mut parts = Vec::new();
        let listed = |dates: &[(DateTime<Utc>, Tz)], is: &str, are: &str| {
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
        parts.extend(listed(
            too_old,
            "was missed, and is skipped as too old (`catch_up`)",
            "were missed, and are skipped as too old (`catch_up`)",
        ));
        let pairs = |pairs: &[(DateTime<Utc>, DateTime<Utc>)], words: fn(String, String) -> String| -> Vec<String> {
            let named =
                pairs.iter().take(NAMED).map(|(one, other)| words(in_zone(*one, *zone), in_zone(*other, *zone)));
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
