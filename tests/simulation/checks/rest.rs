//! P7 and P8: when nothing moves there is a reason for it, and in the end everything due is settled.

use std::collections::BTreeMap;

use crontabber::job::Order;
use crontabber::session::State;

use super::TICK;
use super::starts::{Calendars, could_start, missing_dependency, ready_at};
use crate::Held;
use crate::calendar::{At, Calendar};
use crate::ledger::Ledger;
use crate::machine::Machine;
use crate::plan::Registry;

/// So many dates may wait before others that are due are recorded.
const WINDOW: usize = 400;

/// All there is, when nothing is under way.
pub(crate) struct Rest<'a> {
    pub(crate) now: At,
    pub(crate) ledger: &'a Ledger,
    pub(crate) registry: &'a Registry,
    pub(crate) calendars: &'a BTreeMap<String, Calendar>,
    pub(crate) machine: &'a Machine,
}

impl Rest<'_> {
    /// Nothing is under way: whatever could start has been started, and whatever runs does run.
    pub(crate) fn holds(&self) -> Held {
        let Self { now, ledger, registry, calendars, machine } = *self;
        if let Some(attempt) = ledger.open.keys().find(|attempt| machine.find(attempt).is_none()) {
            return Err(format!("P8: {attempt} is open, has no process, and nobody will ever close it"));
        }
        let has_place = ledger.open.len() < registry.max_running;
        for (name, spec) in &registry.jobs {
            if !ledger.jobs.contains_key(name) {
                return Err(format!("P4: {name} is in the registry, and not in the ledger"));
            }
            if let Some(date) = could_start(&spec.job, now, ledger, calendars).filter(|_| has_place) {
                return Err(format!("P8: {date} of {name} could start, and does not"));
            }
            let next = calendars.next_date(name, ledger).filter(|date| spec.calendar.due(*date) <= now);
            let waiting = ledger.jobs[name].dates().unsettled.len();
            if let Some(date) = next.filter(|_| spec.job.enabled && waiting < WINDOW) {
                return Err(format!("P4: {date} of {name} is due, and is not recorded"));
            }
        }
        Ok(())
    }

    /// Failures have stopped, and time has passed.
    pub(crate) fn ends(&self) -> Held {
        let Self { now, ledger, registry, calendars, machine } = *self;
        self.holds()?;
        if let Some(attempt) = ledger.open.keys().next() {
            return Err(format!("P8: {attempt} is open in the end"));
        }
        if let Some(request) = ledger.unanswered.values().next() {
            return Err(format!("P7: nobody answers {request:?}"));
        }
        for (attempt, fate) in &machine.fates {
            let recorded = ledger.closed.get(attempt);
            if (fate.started && recorded.is_none()) || fate.delivered.is_some() && fate.delivered.as_ref() != recorded {
                return Err(format!("P6: {attempt} ended as {:?}, and {recorded:?} is recorded", fate.delivered));
            }
        }
        for (name, spec) in registry.jobs.iter().filter(|(_, spec)| spec.job.enabled) {
            let rows = &ledger.jobs[name];
            // Every date has its row, if there was but one timetable.
            let mut after = rows.record.since - TICK;
            let is_first = rows.record.anchor <= rows.record.since;
            while let Some(date) = spec.calendar.next(after).filter(|date| is_first && Some(*date) <= rows.record.clock)
            {
                if rows.dates().get(date).is_none() {
                    return Err(format!("P4: {date} of {name} has no row"));
                }
                after = date;
            }
            for (date, row) in &rows.dates().unsettled {
                let is_stated = match &row.state {
                    State::Held { reason } => !reason.is_empty(),
                    _ if ready_at(row, &spec.job).is_some_and(|at| at > now) => true,
                    _ => {
                        // Whatever comes first is looked at by itself.
                        let earlier = rows.dates().unsettled.range(..*date).next();
                        (spec.job.order == Order::Strict && earlier.is_some())
                            || missing_dependency(&spec.job, *date, ledger, calendars).is_some()
                    }
                };
                if !is_stated {
                    return Err(format!("P8: {date} of {name} is {:?} in the end: {:?}", row.state, spec.job));
                }
            }
        }
        Ok(())
    }
}
