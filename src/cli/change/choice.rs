//! Which one date is meant: a day may have several, and a date may be none of the job's.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::Plan;
use crate::cli::date::{ChoiceError, DateArgument};
use crate::cli::failure::Failure;
use crate::scheduler::in_zone;
use crate::session::Operation;

/// So many dates are named.
const NAMED: usize = 20;

/// Among which dates is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dates {
    /// Those of the schedule, and those that the ledger has.
    All,
    /// Those that the ledger has; else those of the schedule.
    Recorded,
    /// Those at which an attempt is open.
    Running,
}

impl Plan<'_> {
    /// The one date that is meant. An instant is taken as it is.
    pub(super) fn one_date(&mut self, date: DateArgument, among: Dates) -> Result<DateTime<Utc>, Failure> {
        let zone = self.zone;
        let (from, to) = match date {
            DateArgument::Instant(instant) => return Ok(instant),
            DateArgument::Day(_) | DateArgument::Wall(_) => date.range(zone).map_err(|error| self.usage(&error))?,
        };
        let mut found = self.recorded(from, to, among)?;
        if among == Dates::All || (among == Dates::Recorded && found.is_empty()) {
            let timetable = self.job().map(|job| job.timetable.without_start());
            let dates = timetable.iter().flat_map(|timetable| timetable.dates(from, to).map_while(Result::ok));
            found.extend(dates.collect::<Vec<_>>());
        }
        found.retain(|found| date.means(*found, zone));
        match found.len() {
            1 => found.pop_first().ok_or_else(|| Failure::new("no date")),
            // A wall time that is no date: whoever is asked says which are near.
            0 if matches!(date, DateArgument::Wall(_)) => Ok(from),
            0 => Err(self.none_near(from, to, among)),
            _ => Err(self.several(&found)),
        }
    }

    /// The dates of the ledger in a range.
    fn recorded(
        &mut self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        among: Dates,
    ) -> Result<BTreeSet<DateTime<Utc>>, Failure> {
        let Some(reader) = &mut self.reader else { return Ok(BTreeSet::new()) };
        let mut found = BTreeSet::new();
        if among == Dates::Running {
            let open = reader.open_attempts()?.into_iter().map(|attempt| attempt.key.session);
            found.extend(
                open.filter(|key| key.job == self.job && key.date >= from && key.date < to).map(|key| key.date),
            );
            return Ok(found);
        }
        let order = Operation::Backfill(crate::session::BackfillOrder {
            from,
            to: Some(to),
            count: None,
            only: crate::session::Only::All,
            newest_first: false,
            parallel: 1,
            name: None,
        });
        found.extend(reader.past(&self.job, &order)?.settled.into_iter().map(|row| row.key.date));
        let unsettled = reader.recovered()?.sessions.into_iter().map(|row| row.key);
        found.extend(
            unsettled.filter(|key| key.job == self.job && key.date >= from && key.date < to).map(|key| key.date),
        );
        Ok(found)
    }

    fn usage(&self, error: &ChoiceError) -> Failure {
        Failure::usage(format!("job `{}`: {error}", self.job))
    }

    /// Says that a day has no date, and which are before and after it.
    fn none_near(&self, from: DateTime<Utc>, to: DateTime<Utc>, among: Dates) -> Failure {
        let zone = self.zone;
        let day = from.with_timezone(&zone).format("%Y-%m-%d");
        if among == Dates::Running {
            return Failure::new(format!("no attempt of `{}` is open at a date of {day}", self.job));
        }
        let near: Vec<String> = self.job().map_or_else(Vec::new, |job| {
            let timetable = job.timetable.without_start();
            let before = timetable.previous_before(from);
            let after = timetable.next_after(to - chrono::TimeDelta::microseconds(1)).ok().flatten();
            [before, after].into_iter().flatten().map(|date| in_zone(date, zone)).collect()
        });
        let hint = match near.as_slice() {
            [] => None,
            [one] => Some(format!("the nearest date is {one}")),
            several => Some(format!("the dates before and after it are {}", several.join(" and "))),
        };
        Failure::usage(format!("`{}` has no date on {day}", self.job)).hint(hint)
    }

    /// Says which dates a day has.
    fn several(&self, found: &BTreeSet<DateTime<Utc>>) -> Failure {
        let mut named: Vec<String> = found.iter().take(NAMED).map(|date| in_zone(*date, self.zone)).collect();
        if found.len() > NAMED {
            named.push(format!("and {} more", found.len() - NAMED));
        }
        Failure::usage(format!("`{}` has {} dates there, and nothing was changed", self.job, found.len()))
            .hint(Some(format!("name one: {}", named.join(", "))))
    }
}
