//! Which sessions and attempts a list has.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::rows::micros;
use super::zones::Zones;
use crate::job::JobName;
use crate::schedule::wall_start;
use crate::session::{AttemptKey, OutcomeKind, SessionKey, StateKind};

/// A range of dates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Between {
    /// The first instant in the range; unbounded if absent.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after the range; unbounded if absent.
    pub to: Option<DateTime<Utc>>,
}

impl Between {
    /// The range with this date alone.
    #[must_use]
    pub fn only(date: DateTime<Utc>) -> Self {
        Self { from: Some(date), to: date.checked_add_signed(TimeDelta::microseconds(1)) }
    }

    /// The bounds in microseconds.
    pub(super) fn micros(self) -> (i64, i64) {
        (self.from.map_or(i64::MIN, micros), self.to.map_or(i64::MAX, micros))
    }
}

/// A range of local times, each on the clock of the zone that its date was recorded with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LocalBetween {
    /// The first time in the range; unbounded if absent.
    pub from: Option<NaiveDateTime>,
    /// The first time after the range; unbounded if absent.
    pub to: Option<NaiveDateTime>,
}

/// The bounds of dates, in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) from: i64,
    /// The first date after them.
    pub(super) to: i64,
    /// The zones, by their ids, whose dates have narrower bounds, and these.
    pub(super) of_zones: Vec<(i16, i64, i64)>,
}

impl Bounds {
    /// The bounds of dates that are in both ranges. `zones` are those of the ledger.
    pub(super) fn new(dates: Between, local: LocalBetween, zones: &Zones) -> Self {
        let (from, to) = dates.micros();
        let in_zone = |wall: Option<NaiveDateTime>, zone| wall.map(|wall| micros(wall_start(wall, zone)));
        let of_zones: Vec<(i16, i64, i64)> = zones
            .iter()
            .map(|(id, zone)| {
                let of_zone = (in_zone(local.from, zone), in_zone(local.to, zone));
                (id, of_zone.0.unwrap_or(i64::MIN).max(from), of_zone.1.unwrap_or(i64::MAX).min(to))
            })
            .collect();
        let first = of_zones.iter().map(|(_, from, _)| *from).min().unwrap_or(from);
        let last = of_zones.iter().map(|(.., to)| *to).max().unwrap_or(to);
        let of_zones = of_zones.into_iter().filter(|(_, from, to)| (*from, *to) != (first, last)).collect();
        Self { from: first, to: last, of_zones }
    }

    /// Whether a date is within them.
    pub(super) fn contain(&self, date: i64, zone_id: i16) -> bool {
        let of_zone = self.of_zones.iter().find(|(id, ..)| *id == zone_id);
        let (from, to) = of_zone.map_or((self.from, self.to), |(_, from, to)| (*from, *to));
        (from..to).contains(&date)
    }
}

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only those of these jobs; of all if absent.
    pub jobs: Option<Vec<JobName>>,
    /// Only those at these dates.
    pub dates: Between,
    /// Only those at these local times.
    pub local: LocalBetween,
    /// Only those in one of these states; in any if empty.
    pub states: Vec<StateKind>,
    /// Only those before this one in the list.
    pub before: Option<SessionKey>,
    /// Only this many, the newest by date; all if absent.
    pub newest: Option<u32>,
    /// Also those from before a reset.
    pub all_generations: bool,
}

/// Which attempts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttemptFilter {
    /// Only those of these jobs; of all if absent.
    pub jobs: Option<Vec<JobName>>,
    /// Only those at these dates.
    pub dates: Between,
    /// Only those at these local times.
    pub local: LocalBetween,
    /// Only those that ran at or after this instant: that ended since then, or still run.
    pub since: Option<DateTime<Utc>>,
    /// Only those with one of these outcomes (none: still running); all if empty.
    pub outcomes: Vec<Option<OutcomeKind>>,
    /// Only those before this one in the list.
    pub before: Option<AttemptKey>,
    /// Only this many, the newest by date; all if absent.
    pub newest: Option<u32>,
    /// Also those from before a reset.
    pub all_generations: bool,
}
