//! `reset`: a new generation of a job.

use chrono::{DateTime, TimeDelta, Utc};

use crate::schedule::Timetable;
use crate::session::{Changed, Entry, Request};

use super::super::adopt::{TICK, first_record};
use super::super::lane::Lane;
use super::super::view::in_zone;
use super::super::{Scheduler, Step};
use super::Verdict;

impl Scheduler {
    /// Starts a new generation of a job: answers with which dates that repeats.
    pub(super) fn reset(
        &mut self,
        request: &Request,
        to: Option<DateTime<Utc>>,
        step: &mut Step,
    ) -> Result<Verdict, String> {
        let now = self.now;
        let name = &request.job;
        let lane = self.lanes.get_mut(name).ok_or_else(|| format!("job `{name}` has no ledger to reset"))?;
        let timetable = match &lane.job {
            Some(job) => job.timetable.clone(),
            None => lane.record.timetable.parse::<Timetable>().map_err(|error| error.to_string())?,
        };
        let zone = timetable.zone();
        if let Some(to) = to.filter(|to| *to > now) {
            return Err(format!("{} is in the future: there is nothing to repeat from there on", in_zone(to, zone)));
        }
        let mut record = first_record(name, &timetable, lane.record.generation + 1, now);
        let mut has_settled = false;
        if let Some(to) = to {
            let to = timetable.start().map_or(to, |start| start.max(to));
            (record.since, record.anchor) = (to, to - TICK);
            let successes = [request.past.last_success, lane.record.last_success];
            record.last_success = successes.into_iter().flatten().filter(|success| *success < to).max();
            has_settled = record.last_success.is_some();
        }
        let mut fresh = Lane::new(record.clone());
        fresh.job.clone_from(&lane.job);
        fresh.has_settled = has_settled;
        fresh.set_delay(TimeDelta::from_std(timetable.delay()).unwrap_or(TimeDelta::MAX));
        fresh.running = std::mem::take(&mut lane.running);
        fresh.kills = std::mem::take(&mut lane.kills);
        fresh.disabled = lane.disabled.take();
        fresh.offers = std::mem::take(&mut lane.offers);
        fresh.since = lane.since;
        fresh.timer = lane.timer;
        fresh.seek_next(&timetable, step);
        let next = fresh.next;
        let still_open = fresh.running.len();
        *lane = fresh;
        step.entries.push(Entry::Reset(record));
        self.reconsider(name, step);
        let behind = self.lanes.get(name).map_or(0, Lane::behind);
        let mut text = match next {
            Some(date) if timetable.due(date) <= now && behind > 1 => {
                format!("job `{name}` is reset: {behind} dates from {} on are attempted again", in_zone(date, zone))
            }
            Some(date) => format!("job `{name}` is reset: its first date is {}", in_zone(date, zone)),
            None => format!("job `{name}` is reset: it has no date ahead"),
        };
        if let Some(to) = to {
            text.push_str(&format!("; what is before {} stays as it is", in_zone(to, zone)));
        }
        if still_open > 0 {
            text.push_str("; the attempt that is open is left to end first");
        }
        let first = next.filter(|_| behind > 0);
        let last = timetable.newest_due(now).filter(|_| behind > 0);
        Ok(Verdict::done(text, Changed { count: behind, first, last }))
    }
}
