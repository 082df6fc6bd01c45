//! `skip` and `done`: settle dates without an attempt.

use chrono::{DateTime, Utc};

use crate::job::{Job, JobName};
use crate::session::{
    Changed, Entry, NewSession, Past, Request, SettledBy, SkipReason, Skipping, State, StateKind, Trigger,
};
use crate::text::in_zone;

use super::{Answer, MAX_DATES, describe_dates, done, no_date_of, settled_at};
use crate::scheduler::Scheduler;
use crate::scheduler::job_state::JobState;
use crate::scheduler::step::Step;
use crate::text::counted;

impl Scheduler {
    pub(super) fn skip(&mut self, name: &JobName, request: &Request, skipping: Skipping, step: &mut Step) -> Answer {
        let (job, job_state) = self.registered(name)?;
        let zone = job.timetable.zone();
        // A date that is being probed will be settled or running soon.
        let is_asked = job_state.probing.iter().any(|asked| match skipping {
            Skipping::Date(_) => false,
            Skipping::To(to) => *asked < to,
            Skipping::Count(_) => true,
        });
        if is_asked {
            return Ok(None);
        }
        // Memory forgets the zones of dates that settle.
        let zones = job_state.rows().zones_other_than(zone);
        let shown = |date: DateTime<Utc>| in_zone(date, zones.get(&date).copied().unwrap_or(zone));
        let before = step.entries.len();
        let changed = match skipping {
            Skipping::Date(date) => job_state.skip_one(&job, date, &request.past, step)?,
            Skipping::To(to) => {
                let backfilled = job_state.backfilled_before(to);
                if backfilled.is_empty() {
                    job_state.refuse_if_past(&job, to)?;
                }
                let mut changed = job_state.skip_before(&job, to, false, step)?;
                for date in backfilled {
                    changed.add(date);
                    job_state.skip_asked(date, step);
                }
                changed
            }
            Skipping::Count(count) => job_state.skip_some(&job, count, step)?,
        };
        let next = match job_state.next_to_start() {
            Some(next) => format!("the next date is {}", shown(next)),
            None => "there is no date after that".to_owned(),
        };
        let runs = match skipping {
            Skipping::To(_) => job_state.rows().queues().any(|queue| queue.running() > 0),
            Skipping::Date(_) | Skipping::Count(_) => job_state.rows().main.running() > 0,
        };
        let running = if runs { "; the open attempt is not affected" } else { "" };
        let stays = |entry: &&Entry| matches!(entry, Entry::Restore { .. });
        let stays = match step.entries[before..].iter().filter(stays).count() as u64 {
            0 => String::new(),
            1 if changed.count == 1 => ", which had succeeded before and stays succeeded".to_owned(),
            1 => ", of which 1 had succeeded before and stays succeeded".to_owned(),
            many => format!(", of which {many} had succeeded before and stay succeeded"),
        };
        let shown = describe_dates(&changed, shown);
        Ok(Some(done(format!("`{name}`: skipped {shown}{stays}; {next}{running}"), changed)))
    }

    pub(super) fn done(&mut self, name: &JobName, request: &Request, date: DateTime<Utc>, step: &mut Step) -> Answer {
        let (job, job_state) = self.registered(name)?;
        let settled = settled_at(&request.past, date);
        let shown = job_state.shown(date, settled);
        let state = job_state.rows().get(date).map(|session| session.state.kind());
        match (state, settled.map(|settled| settled.state)) {
            (Some(StateKind::Running), _) => {
                return Err(format!("{shown} of `{name}` is running; `crontabber kill {name}` ends it first"));
            }
            (Some(_), _) if job_state.probing.contains(&date) => return Ok(None),
            (None, Some(StateKind::Succeeded)) => {
                return Ok(Some(done(format!("{shown} of `{name}` has succeeded already"), Changed::default())));
            }
            (Some(from), _) | (None, Some(from)) => {
                let (session, by) = (job_state.rows().key(date), SettledBy::Operator);
                job_state.write(Entry::Done { session, from, by, at: step.now }, step);
            }
            (None, None) => {
                refuse_if_earlier(&request.past, date, name, &shown)?;
                job_state.settle_unrecorded(&job, date, &State::Succeeded, step)?;
            }
        }
        Ok(Some(done(format!("{shown} of `{name}` is marked as succeeded, and will not run"), Changed::one(date))))
    }
}

/// Refuses a date that succeeded in an earlier generation: a reset to a later date leaves it settled.
fn refuse_if_earlier(past: &Past, date: DateTime<Utc>, name: &JobName, shown: &str) -> Result<(), String> {
    if past.earlier.contains(&date) {
        return Err(format!("{shown} of `{name}` succeeded before the job was reset, and stays settled"));
    }
    Ok(())
}

impl JobState {
    /// Refuses an instant that is not after the next date.
    pub(super) fn refuse_if_past(&self, job: &Job, to: DateTime<Utc>) -> Result<(), String> {
        let zone = job.timetable.zone();
        match self.first_unsettled() {
            Some(next) if to <= next => Err(format!(
                "{} is already past: the next date of `{}` is {}, which is not before it",
                in_zone(to, zone),
                job.name,
                self.shown(next, None)
            )),
            Some(_) => Ok(()),
            None => Err(format!("job `{}` has no date ahead", job.name)),
        }
    }

    /// Skips all idle dates before `to`; only due ones if `due_only`.
    pub(super) fn skip_before(
        &mut self,
        job: &Job,
        to: DateTime<Utc>,
        due_only: bool,
        step: &mut Step,
    ) -> Result<Changed, String> {
        let idle: Vec<DateTime<Utc>> = self.idle_dates().take_while(|date| *date < to).collect();
        let is_meant = |date: &DateTime<Utc>| *date < to && (!due_only || job.timetable.due(*date) <= step.now);
        let unrecorded: Vec<DateTime<Utc>> =
            self.unrecorded_dates(&job.timetable).take_while(is_meant).take(MAX_DATES + 1).collect();
        if unrecorded.len() > MAX_DATES {
            return Err(format!("that would skip more than {MAX_DATES} dates of `{}`: name an earlier date", job.name));
        }
        Ok(self.skip_all(job, &idle, &unrecorded, step))
    }

    /// Skips `count` dates, from the first unsettled one on.
    fn skip_some(&mut self, job: &Job, count: u64, step: &mut Step) -> Result<Changed, String> {
        let name = &job.name;
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        if most > MAX_DATES {
            return Err(format!("no more than {MAX_DATES} dates of `{name}` can be skipped at once"));
        }
        let idle: Vec<DateTime<Utc>> = self.idle_dates().take(most).collect();
        let unrecorded: Vec<DateTime<Utc>> = self.unrecorded_dates(&job.timetable).take(most - idle.len()).collect();
        let there = (idle.len() + unrecorded.len()) as u64;
        if there == 0 {
            return Err(format!("`{name}` has no date that could be skipped"));
        }
        if there < count {
            return Err(format!("`{name}` has only {} that could be skipped, not {count}", counted(there, "date")));
        }
        Ok(self.skip_all(job, &idle, &unrecorded, step))
    }

    /// The dates of backfills before an instant that neither run nor are about to.
    fn backfilled_before(&self, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let queues = self.rows().backfills.values().map(|backfill| &backfill.queue);
        let idle = queues.flat_map(|queue| queue.idle().map(|(date, _)| date).take_while(|date| *date < to));
        idle.filter(|date| !self.probing.contains(date)).collect()
    }

    /// Skips an unsettled date for an operator. One that had succeeded before a backfill repeats it stays succeeded.
    fn skip_asked(&mut self, date: DateTime<Utc>, step: &mut Step) {
        let former = self.rows().get(date).and_then(|session| session.former);
        if former != Some(StateKind::Succeeded) || !self.restore(date, step) {
            self.skip(date, SkipReason::Operator, step);
        }
    }

    fn idle_dates(&self) -> impl Iterator<Item = DateTime<Utc>> {
        self.rows().main.idle().map(|(date, _)| date).filter(|date| !self.probing.contains(date))
    }

    fn skip_all(
        &mut self,
        job: &Job,
        idle: &[DateTime<Utc>],
        unrecorded: &[DateTime<Utc>],
        step: &mut Step,
    ) -> Changed {
        let mut changed = Changed::default();
        for date in idle {
            changed.add(*date);
            self.skip(*date, SkipReason::Operator, step);
        }
        for date in unrecorded {
            changed.add(*date);
        }
        self.enter_settled(job, unrecorded, &State::Skipped { reason: SkipReason::Operator }, step);
        changed
    }

    fn skip_one(&mut self, job: &Job, date: DateTime<Utc>, past: &Past, step: &mut Step) -> Result<Changed, String> {
        let settled = settled_at(past, date);
        let (name, shown) = (&job.name, self.shown(date, settled));
        let state = self.rows().get(date).map(|session| session.state.kind());
        match (state, settled.map(|settled| settled.state)) {
            (Some(StateKind::Running), _) => {
                return Err(format!("{shown} of `{name}` is running; `crontabber kill {name}` ends it first"));
            }
            (Some(_), _) if self.probing.contains(&date) => {
                return Err(format!("{shown} of `{name}` is about to start: `done_when` is checking it"));
            }
            (Some(_), _) => self.skip_asked(date, step),
            (None, Some(StateKind::Succeeded)) => {
                return Err(format!("{shown} of `{name}` has succeeded already"));
            }
            (None, Some(_)) => return Err(format!("{shown} of `{name}` was skipped already")),
            (None, None) => {
                refuse_if_earlier(past, date, name, &shown)?;
                self.settle_unrecorded(job, date, &State::Skipped { reason: SkipReason::Operator }, step)?;
            }
        }
        Ok(Changed::one(date))
    }

    /// Enters a settled date that has no row.
    fn settle_unrecorded(
        &mut self,
        job: &Job,
        date: DateTime<Utc>,
        state: &State,
        step: &mut Step,
    ) -> Result<(), String> {
        let is_early = date < self.rows().record.first_date;
        let is_date =
            if is_early { job.timetable.without_start().includes(date) } else { job.timetable.includes(date) };
        // If a date up to the watermark were settled, the ledger would have said so.
        let is_passed = !is_early && self.rows().record.watermark.is_some_and(|watermark| date <= watermark);
        if !is_date || is_passed {
            return Err(no_date_of(job, date));
        }
        self.enter_settled(job, &[date], state, step);
        Ok(())
    }

    /// Enters settled dates, ascending. If they are the next ones, the watermark moves to the last due one.
    fn enter_settled(&mut self, job: &Job, dates: &[DateTime<Utc>], state: &State, step: &mut Step) {
        if dates.is_empty() {
            return;
        }
        let sessions: Vec<NewSession> = dates
            .iter()
            .map(|date| NewSession { date: *date, state: state.clone(), trigger: Trigger::Manual, backfill: None })
            .collect();
        let mut to = self.rows().record.watermark;
        if dates.first().copied() == self.next {
            let due = dates.iter().rev().find(|date| job.timetable.due(**date) <= step.now);
            to = to.max(due.copied());
        }
        self.write_sessions(to, sessions, step);
        self.seek_next(&job.timetable, step);
        self.unrecorded = self.unrecorded.saturating_sub(dates.len() as u64);
    }
}
