//! `run`: starts a date now.

use chrono::{DateTime, Utc};

use crate::job::{DatePolicy, Job, JobName};
use crate::session::{Changed, Pause, TICK, Trigger};
use crate::text::in_zone;

use super::{Answer, done, no_date_of};
use crate::scheduler::Scheduler;
use crate::scheduler::job_state::JobState;
use crate::scheduler::step::Step;

impl Scheduler {
    /// Starts a date now.
    pub(super) fn run(&mut self, name: &JobName, date: Option<DateTime<Utc>>, force: bool, step: &mut Step) -> Answer {
        let now = self.now;
        if self.stopping {
            return Err("the daemon is stopping".to_owned());
        }
        let (job, job_state) = self.registered(name)?;
        if !job.enabled && !force {
            return Err(format!("job `{name}` is disabled in the registry; `--force` attempts it all the same"));
        }
        if let Some(disabled) = job_state.rows().disabled.as_ref().filter(|_| !force) {
            return Err(format!("job `{name}` was disabled by {}; `--force` attempts it all the same", disabled.user));
        }
        let pauses = self.pauses_by_end(&job);
        if !pauses.is_empty() && !force {
            let because = Pause::describe_all(&pauses, job.timetable.zone());
            return Err(format!("job `{name}` is paused: {because}; `--force` attempts it all the same"));
        }
        let (job, job_state) = self.registered(name)?;
        job_state.refuse_while_running(name)?;
        if let Some(date) = job_state.probing.first() {
            let date = job_state.shown(*date, None);
            return Err(format!("job `{name}` is about to start: `done_when` is checking {date}"));
        }
        let date = match date {
            None => job_state.next_to_run(&job, force, now)?,
            Some(date) => job_state.refuse_run(&job, date, force, now).map(|()| date)?,
        };
        let is_backfill = job_state.rows().backfill_of(date).is_some();
        if !force && let Some(block) = self.blockers(&job, date, is_backfill).first() {
            let shown = |other: Option<&JobName>, date| {
                self.jobs.get(other.unwrap_or(name)).map(|job_state| job_state.shown(date, None)).unwrap_or_default()
            };
            let because = block.describe(job.timetable.zone(), shown);
            return Err(format!("job `{name}` waits for {because}; `--force` attempts it all the same"));
        }
        if let Some(pool) = job.pool.as_deref().filter(|pool| !force && self.slots.is_full(pool)) {
            return Err(format!("the pool `{pool}` of job `{name}` is full; `--force` attempts it all the same"));
        }
        if let Some(job_state) = self.jobs.get_mut(name) {
            job_state.ensure_recorded(&job, date, step);
        }
        // The job takes its slot without waiting for its turn.
        self.reconsider(name, step);
        self.offer(name, 0, None);
        self.offer(name, 1, None);
        let opened = self.open(name, date, Trigger::Manual, step);
        let attempt = opened.ok_or_else(|| format!("job `{name}` has no date to attempt"))?;
        let shown = self.jobs.get(name).map(|job_state| job_state.shown(date, None)).unwrap_or_default();
        let text = format!("attempt {} of `{name}` at {} started", attempt.number, shown);
        Ok(Some(done(text, Changed::one(date))))
    }
}

impl JobState {
    /// Refuses to start a job that is running.
    pub(super) fn refuse_while_running(&self, name: &JobName) -> Result<(), String> {
        let Some(open) = self.rows().open.first() else { return Ok(()) };
        let date = self.shown(open.session.date, None);
        Err(format!("job `{name}` is running: attempt {} at {date} is open", open.number))
    }

    /// The date that comes first of those that are recorded.
    fn first_to_run(&self, job: &Job) -> Option<DateTime<Utc>> {
        let dates = &self.rows().main;
        if job.date_policy.keeps_every_date() { dates.oldest() } else { dates.newest() }
    }

    /// The date that a `run` request without a date starts.
    fn next_to_run(&self, job: &Job, force: bool, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
        let (name, timetable) = (&job.name, &job.timetable);
        match (self.first_to_run(job), self.next) {
            (Some(date), _) => Ok(date),
            // Without a schedule, or if only the newest date matters, a run makes a date of its own: now.
            (None, _) if !job.date_policy.is_backfillable() => self.manual_date(name, timetable.zone(), now),
            (None, Some(next)) if timetable.due(next) <= now || (force && next <= now) => Ok(next),
            (None, Some(next)) => {
                let shown = in_zone(next, timetable.zone());
                let how = if next <= now { "; `--force` attempts it before it is due" } else { "" };
                Err(format!("every date of `{name}` that is due is settled; the next is {shown}{how}"))
            }
            (None, None) => Err(format!("job `{name}` has no date ahead")),
        }
    }

    /// Refuses a date that a `run` request cannot start.
    fn refuse_run(&self, job: &Job, date: DateTime<Utc>, force: bool, now: DateTime<Utc>) -> Result<(), String> {
        let (name, timetable, record) = (&job.name, &job.timetable, &self.rows().record);
        let shown = self.shown(date, None);
        let first = self.first_to_run(job);
        if self.rows().get(date).is_some() {
            let is_in_order = self.is_strict() && self.rows().backfill_of(date).is_none();
            return match first.filter(|first| is_in_order && *first != date) {
                Some(first) => Err(format!(
                    "{shown} is not the next date of `{name}`: {} comes first, since its dates run in strict order",
                    self.shown(first, None)
                )),
                None => Ok(()),
            };
        }
        let is_early = date < record.first_date;
        // Such a job has the dates that other jobs require or operators ask for.
        let is_on_demand = job.date_policy == DatePolicy::OnDemand;
        let is_next = Some(date) == self.next && (first.is_none() || !job.date_policy.keeps_every_date());
        if self.rows().is_settled_outside_range(date) {
            Err(settled_already(name, &shown))
        } else if !is_on_demand && !is_early && !timetable.includes(date) {
            Err(no_date_of(job, date))
        } else if (is_on_demand || is_next) && date > now {
            // A future date would put the watermark in the future.
            Err(format!("{shown} of `{name}` is in the future"))
        } else if is_on_demand || (is_next && (force || timetable.due(date) <= now)) {
            Ok(())
        } else if is_next {
            Err(format!("{shown} of `{name}` is not due yet; `--force` attempts it all the same"))
        } else if is_early {
            Err(format!("{shown} is before the first date of `{name}`; `crontabber backfill` attempts it"))
        } else if record.watermark.is_some_and(|watermark| date <= watermark) {
            Err(settled_already(name, &shown))
        } else {
            let first = first.or(self.next).map_or_else(|| "none".to_owned(), |first| self.shown(first, None));
            Err(format!("{shown} is not the next date of `{name}`: that is {first}"))
        }
    }

    /// The date of a run that is for no date of the schedule.
    fn manual_date(&self, name: &JobName, zone: chrono_tz::Tz, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
        if let Some(watermark) = self.rows().record.watermark.filter(|watermark| *watermark >= now) {
            return Err(format!(
                "the newest recorded date of `{name}`, {}, is in the future; name one of its dates with `--date`",
                in_zone(watermark, zone)
            ));
        }
        // Two runs at one instant have two dates.
        let mut date = now;
        while self.rows().has_row(date) {
            date += TICK;
        }
        Ok(date)
    }

    /// Enters the date if it has no unsettled session.
    fn ensure_recorded(&mut self, job: &Job, date: DateTime<Utc>, step: &mut Step) {
        if self.rows().get(date).is_some() {
            return;
        }
        if Some(date) == self.next {
            self.next = self.date_after(&job.timetable, date, step);
            self.record_this(job, date, step);
            return;
        }
        self.write_waiting(date, Trigger::Manual, step);
    }
}

fn settled_already(name: &JobName, shown: &str) -> String {
    format!("{shown} of `{name}` is settled; `crontabber retry --again` repeats it")
}
