//! `backfill --cancel`: the dates that a backfill has not run leave it.
//!
//! The cancellation is written first; then the dates leave in parts, as they enter. A date that runs leaves when its
//! attempt ends without success. After a crash in between, the unanswered request comes again and continues.

use chrono::{DateTime, Utc};

use crate::job::JobName;
use crate::session::{BackfillId, BackfillRecord, Changed, Entry, Request, SkipReason, State, StateKind, Trigger};
use crate::text::{counted, in_zone};

use super::backfill::DATES_PER_STEP;
use super::{Answer, are, describe_dates, done};
use crate::scheduler::Scheduler;
use crate::scheduler::job_rows::BackfillRows;
use crate::scheduler::job_state::JobState;
use crate::scheduler::step::Step;

impl Scheduler {
    pub(super) fn cancel_backfill(
        &mut self,
        job: &JobName,
        request: &Request,
        name: Option<&str>,
        step: &mut Step,
    ) -> Answer {
        let job_state = self.jobs.get_mut(job).ok_or_else(|| format!("job `{job}` is not known"))?;
        let backfill = match job_state.backfill_cancelled_by(request.id) {
            Some(backfill) => backfill,
            None if request.past.is_entered => {
                let text =
                    format!("the backfill of `{job}` is cancelled: its dates left it before the daemon restarted");
                return Ok(Some(done(text, Changed::default())));
            }
            None => job_state.backfill_to_cancel(name)?,
        };
        let reply = done(job_state.describe_cancelling(backfill), job_state.leaving(backfill));
        if !job_state.is_cancelled(backfill) {
            job_state.write(Entry::CancelBackfill { job: job.clone(), backfill, request: request.id }, step);
        }
        job_state.cancelling.push((request.clone(), reply));
        self.pending.insert(request.id);
        Ok(None)
    }
}

impl JobState {
    /// The backfill whose cancellation by a request was interrupted.
    fn backfill_cancelled_by(&self, request: i64) -> Option<BackfillId> {
        let mut backfills = self.rows().backfills.iter();
        backfills.find(|(_, backfill)| backfill.record.cancelled_by == Some(request)).map(|(id, _)| *id)
    }

    /// The backfill that the operator means.
    fn backfill_to_cancel(&self, name: Option<&str>) -> Result<BackfillId, String> {
        let job = &self.rows().record.name;
        let all = || self.rows().backfills.values();
        let is_over = |backfill: &BackfillRows| backfill.record.cancelled_by.is_some();
        // A single date that an operator repeats is no backfill to them: `skip` calls it off.
        let is_repeat = |backfill: &BackfillRows| {
            let is_manual = |trigger: Trigger| trigger == Trigger::Manual;
            backfill.queue.sessions().values().all(|session| is_manual(session.trigger))
        };
        let open: Vec<&BackfillRows> = all().filter(|backfill| !is_over(backfill) && !is_repeat(backfill)).collect();
        let Some(name) = name else {
            return match open.as_slice() {
                [backfill] => Ok(backfill.record.id),
                [] => Err(format!("`{job}` has no backfill with dates to go: there is nothing to cancel")),
                several => Err(format!(
                    "`{job}` has {}: say which with `crontabber backfill {job} --cancel NAME`: {}",
                    counted(several.len() as u64, "backfill"),
                    listed(several)
                )),
            };
        };
        let is_named = |backfill: &&&BackfillRows| backfill.record.name.as_deref() == Some(name);
        let is_number = |backfill: &&&BackfillRows| name.parse() == Ok(backfill.record.id);
        if let Some(backfill) = open.iter().find(is_named).or_else(|| open.iter().find(is_number)) {
            return Ok(backfill.record.id);
        }
        let cancelled = all().find(|backfill| is_over(backfill) && backfill.record.name.as_deref() == Some(name));
        if let Some(backfill) = cancelled {
            let running = counted(backfill.queue.len() as u64, "date");
            return Err(format!("backfill `{name}` of `{job}` is cancelled already; {running} of it is yet to end"));
        }
        let there = if open.is_empty() { String::new() } else { format!("; it has {}", listed(&open)) };
        Err(format!("`{job}` has no backfill `{name}` with dates to go{there}"))
    }

    fn is_cancelled(&self, id: BackfillId) -> bool {
        self.rows().backfills.get(&id).is_some_and(|backfill| backfill.record.cancelled_by.is_some())
    }

    /// Whether an unsettled date belongs to a backfill that is cancelled.
    pub(in crate::scheduler) fn is_of_cancelled(&self, date: DateTime<Utc>) -> bool {
        self.rows().backfill_of(date).is_some_and(|id| self.is_cancelled(id))
    }

    /// The state of a date once it has left its cancelled backfill.
    pub(in crate::scheduler) fn state_after_cancelling(&self, date: DateTime<Utc>) -> State {
        match self.rows().get(date).and_then(|session| session.former) {
            Some(StateKind::Succeeded) => State::Succeeded,
            _ => State::Skipped { reason: SkipReason::Cancelled },
        }
    }

    /// The dates of a backfill that can leave it: they neither run nor are about to.
    fn dates_to_leave(&self, id: BackfillId) -> impl Iterator<Item = (DateTime<Utc>, Option<StateKind>)> {
        let backfill = self.rows().backfills.get(&id).into_iter();
        let idle = backfill.flat_map(|backfill| backfill.queue.idle());
        idle.filter(|(date, _)| !self.probing.contains(date)).map(|(date, session)| (date, session.former))
    }

    fn leaving(&self, id: BackfillId) -> Changed {
        let mut changed = Changed::default();
        self.dates_to_leave(id).for_each(|(date, _)| changed.add(date));
        changed
    }

    /// Lets the next dates leave the backfills that are cancelled. Returns whether any left, and whether more are to.
    pub(in crate::scheduler) fn leave_cancelled(&mut self, step: &mut Step) -> (bool, bool) {
        let cancelled = self.rows().backfills.values().filter(|backfill| backfill.record.cancelled_by.is_some());
        let cancelled: Vec<BackfillId> = cancelled.map(|backfill| backfill.record.id).collect();
        let dates = cancelled.into_iter().flat_map(|id| self.dates_to_leave(id).map(|(date, _)| date));
        let mut dates: Vec<DateTime<Utc>> = dates.take(DATES_PER_STEP + 1).collect();
        let more = dates.len() > DATES_PER_STEP;
        dates.truncate(DATES_PER_STEP);
        for date in &dates {
            if !self.restore(*date, step) {
                self.skip(*date, SkipReason::Cancelled, step);
            }
        }
        (!dates.is_empty(), more)
    }

    /// Returns a date to the settled state in which its backfill found it; `false` if it found none.
    pub(super) fn restore(&mut self, date: DateTime<Utc>, step: &mut Step) -> bool {
        let found = self.rows().get(date).map(|session| (session.state.kind(), session.former));
        let (Some((from, Some(to))), Some(backfill)) = (found, self.rows().backfill_of(date)) else { return false };
        self.write(Entry::Restore { session: self.rows().key(date), from, to, backfill }, step);
        true
    }

    fn describe_cancelling(&self, id: BackfillId) -> String {
        let job = &self.rows().record.name;
        let Some(backfill) = self.rows().backfills.get(&id) else { return String::new() };
        let of =
            |former: Option<StateKind>| self.dates_to_leave(id).filter(|(_, found)| *found == former).count() as u64;
        let leaving = self.leaving(id);
        let shown = |date: DateTime<Utc>| in_zone(date, self.zone_of(date));
        let called = backfill.record.name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
        let mut text = match leaving.count {
            0 => format!("backfill{called} of `{job}` is cancelled"),
            1 => format!("backfill{called} of `{job}` is cancelled: {} leaves it", describe_dates(&leaving, shown)),
            _ => format!("backfill{called} of `{job}` is cancelled: {} leave it", describe_dates(&leaving, shown)),
        };
        let (succeeded, skipped, new) = (of(Some(StateKind::Succeeded)), of(Some(StateKind::Skipped)), of(None));
        if succeeded > 0 {
            let stay = if succeeded == 1 { "stays" } else { "stay" };
            text.push_str(&format!("; {} that had succeeded before {stay} succeeded", counted(succeeded, "date")));
        }
        if skipped > 0 {
            let stay = if skipped == 1 { "stays" } else { "stay" };
            text.push_str(&format!("; {} that had been skipped before {stay} skipped", counted(skipped, "date")));
        }
        if new > 0 {
            let them = if new == 1 { "it" } else { "them" };
            text.push_str(&format!("; {} skipped, and `crontabber backfill {job}` can order {them} again", are(new)));
        }
        let busy = backfill.queue.len() as u64 - leaving.count;
        if busy > 0 {
            let ends = if busy == 1 { "ends by itself, and is" } else { "end by themselves, and are" };
            text.push_str(&format!("; {} running, {ends} not attempted again", are(busy)));
        }
        text
    }
}

/// Names backfills for the operator: by name, or by number.
fn listed(backfills: &[&BackfillRows]) -> String {
    let named = |BackfillRows { record: BackfillRecord { id, name, .. }, queue }: &BackfillRows| {
        let to_go = counted(queue.len() as u64, "date");
        match name {
            Some(name) => format!("`{name}` ({to_go} to go)"),
            None => format!("{id} (without a name, {to_go} to go)"),
        }
    };
    backfills.iter().map(|backfill| named(backfill)).collect::<Vec<_>>().join(", ")
}
