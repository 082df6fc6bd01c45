//! The dates of several timetables as one ascending row, without holding more than one of each.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use chrono::{DateTime, Utc};

use crate::schedule::{Dates, PastDomain};

/// The dates of several timetables, ascending; those of one instant in the order of the timetables.
pub(crate) struct Merged<'a> {
    sources: Vec<Dates<'a>>,
    heads: BinaryHeap<Reverse<(DateTime<Utc>, usize)>>,
    past: Option<PastDomain>,
}

impl<'a> Merged<'a> {
    pub(crate) fn new(sources: impl Iterator<Item = Dates<'a>>) -> Self {
        let sources: Vec<Dates<'a>> = sources.collect();
        let heads = BinaryHeap::with_capacity(sources.len());
        let mut merged = Self { sources, heads, past: None };
        for place in 0..merged.sources.len() {
            if let Some(date) = merged.pull(place) {
                merged.heads.push(Reverse((date, place)));
            }
        }
        merged
    }

    fn pull(&mut self, place: usize) -> Option<DateTime<Utc>> {
        self.sources[place].next()?.map_err(|past| self.past = Some(past)).ok()
    }

    /// The error of a timetable that goes past the last date there is.
    pub(crate) fn past(self) -> Option<PastDomain> {
        self.past
    }
}

impl Iterator for Merged<'_> {
    type Item = (usize, DateTime<Utc>);

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((date, place)) = self.heads.pop()?;
        if let Some(next) = self.pull(place) {
            self.heads.push(Reverse((next, place)));
        }
        Some((place, date))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono_tz::Tz;

    use super::*;
    use crate::schedule::{Schedule, Timetable};

    #[test]
    fn dates_of_several_jobs_come_in_their_order() {
        let timetable =
            |text: &str| Timetable::new(Schedule::crontab(text, Tz::UTC).unwrap(), None, None, Duration::ZERO);
        let timetables = [timetable("0 */2 * * *"), timetable("0 0 * * *"), timetable("30 1 * * *")];
        let from = "2026-11-03T00:00:00Z".parse().unwrap();
        let to = "2026-11-03T04:00:00Z".parse().unwrap();
        let merged = Merged::new(timetables.iter().map(|timetable| timetable.dates(from, to)));
        let dates: Vec<String> = merged.map(|(place, date)| format!("{place} {}", date.format("%H:%M"))).collect();
        assert_eq!(dates, ["0 00:00", "1 00:00", "2 01:30", "0 02:00"]);
    }

    #[test]
    fn the_end_of_time_follows_the_last_date() {
        let timetable = Timetable::new(Schedule::crontab("0 0 1 * *", Tz::UTC).unwrap(), None, None, Duration::ZERO);
        let from = "2099-12-01T00:00:00Z".parse().unwrap();
        let to = "2100-02-01T00:00:00Z".parse().unwrap();
        let mut merged = Merged::new([timetable.dates(from, to)].into_iter());
        assert_eq!(merged.by_ref().count(), 1);
        assert!(merged.past().is_some());
    }
}
