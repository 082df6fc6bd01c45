//! `run`: starts a date now.

use chrono::{DateTime, Utc};

use crate::job::{DatePolicy, Job, JobName};
use crate::session::{TICK, Trigger};
use crate::text::in_zone;

use super::{Verdict, no_date_of};
use crate::scheduler::Scheduler;
use crate::scheduler::job_state::JobState;
use crate::scheduler::step::Step;

impl Scheduler {
    /// Starts a date now.
    pub(super) fn run(
        &mut self,
        name: &JobName,
        date: Option<DateTime<Utc>>,
        force: bool,
        step: &mut Step,
    ) -> Result<Verdict, String> {
        let now = self.now;
        if self.stopping {
            return Err("the daemon is stopping".to_owned());
        }
        let (job, job_state) = self.registered(name)?;
        if !job.enabled && !force {
            return Err(format!("job `{name}` is disabled in the registry; `--force` attempts it all the same"));
        }
        if let Some(disabled) = job_state.rows().disabled().filter(|_| !force) {
            return Err(format!("job `{name}` was disabled by {}; `--force` attempts it all the same", disabled.user));
        }
        if let Some(open) = job_state.rows().open().first() {
            let date = in_zone(open.session.date, job.timetable.zone());
            return Err(format!("job `{name}` is running: attempt {} at {date} is open", open.number));
        }
        if let Some(date) = job_state.probing.first() {
            let date = in_zone(*date, job.timetable.zone());
            return Err(format!("job `{name}` is about to start: `done_when` is checking {date}"));
        }
        let date = job_state.choose(&job, date, force, now)?;
        let is_backfill = job_state.rows().backfill_of(date).is_some();
        if !force && let Some(block) = self.blockers(&job, date, is_backfill).first() {
            let because = block.describe(job.timetable.zone());
            return Err(format!("job `{name}` waits for {because}; `--force` attempts it all the same"));
        }
        if let Some(pool) = job.pool.as_deref().filter(|pool| !force && self.slots.is_full(pool)) {
            return Err(format!("the pool `{pool}` of job `{name}` is full; `--force` attempts it all the same"));
        }
        if let Some(job_state) = self.jobs.get_mut(name) {
            job_state.ensure_recorded(&job, date, now, step);
        }
        // The job takes its slot without waiting for its turn.
        self.reconsider(name, step);
        self.offer(name, 0, None);
        self.offer(name, 1, None);
        let opened = self.open(name, date, Trigger::Manual, step);
        let attempt = opened.ok_or_else(|| format!("job `{name}` has no date to attempt"))?;
        let text = format!("attempt {} of `{name}` at {} started", attempt.number, in_zone(date, job.timetable.zone()));
        Ok(Verdict::of_one(date, text))
    }
}

impl JobState {
    /// The date that a `run` request means.
    fn choose(
        &self,
        job: &Job,
        asked: Option<DateTime<Utc>>,
        force: bool,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, String> {
        let (name, timetable) = (&job.name, &job.timetable);
        let zone = timetable.zone();
        let keeps = job.date_policy.keeps_every_date();
        let unsettled = if keeps { self.rows().main().oldest() } else { self.rows().main().newest() };
        let Some(date) = asked else {
            return match (unsettled, self.next) {
                (Some(date), _) => Ok(date),
                // Without a schedule, or if only the newest date matters, a run makes a date of its own: now.
                (None, _) if !job.date_policy.is_backfillable() => self.manual_date(name, zone, now),
                (None, Some(next)) if timetable.due(next) <= now || (force && next <= now) => Ok(next),
                (None, Some(next)) => {
                    let shown = in_zone(next, zone);
                    let how = if next <= now { "; `--force` attempts it before it is due" } else { "" };
                    Err(format!("every date of `{name}` that is due is settled; the next is {shown}{how}"))
                }
                (None, None) => Err(format!("job `{name}` has no date ahead")),
            };
        };
        let shown = in_zone(date, zone);
        if self.rows().get(date).is_some() {
            let is_held_back = self.is_strict() && self.rows().backfill_of(date).is_none();
            return match unsettled.filter(|first| is_held_back && *first != date) {
                Some(first) => Err(format!(
                    "{shown} is not the next date of `{name}`: {} comes first, since its dates run in strict order",
                    in_zone(first, zone)
                )),
                None => Ok(date),
            };
        }
        if self.rows().is_settled_outside_range(date) {
            return Err(settled_already(name, &shown));
        }
        if job.date_policy == DatePolicy::OnDemand {
            // Such a job has the dates that other jobs require or operators ask for.
            return if date > now { Err(format!("{shown} of `{name}` is in the future")) } else { Ok(date) };
        }
        if !timetable.includes(date) && date >= self.rows().record().first_date {
            return Err(no_date_of(job, date));
        }
        if Some(date) == self.next && (unsettled.is_none() || !keeps) {
            // A future date would put the watermark in the future.
            return if date > now {
                Err(format!("{shown} of `{name}` is in the future"))
            } else if force || timetable.due(date) <= now {
                Ok(date)
            } else {
                Err(format!("{shown} of `{name}` is not due yet; `--force` attempts it all the same"))
            };
        }
        if self.rows().record().watermark.is_some_and(|watermark| date <= watermark)
            && date >= self.rows().record().first_date
        {
            return Err(settled_already(name, &shown));
        }
        if date < self.rows().record().first_date {
            return Err(format!("{shown} is before the first date of `{name}`; `crontabber backfill` attempts it"));
        }
        let first = unsettled.or(self.next).map_or_else(|| "none".to_owned(), |first| in_zone(first, zone));
        Err(format!("{shown} is not the next date of `{name}`: that is {first}"))
    }

    /// The date of a run that is for no date of the schedule.
    fn manual_date(&self, name: &JobName, zone: chrono_tz::Tz, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
        if let Some(watermark) = self.rows().record().watermark.filter(|watermark| *watermark >= now) {
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
    fn ensure_recorded(&mut self, job: &Job, date: DateTime<Utc>, now: DateTime<Utc>, step: &mut Step) {
        if self.rows().get(date).is_some() {
            return;
        }
        if Some(date) == self.next {
            self.next = self.date_after(&job.timetable, date, step);
            self.record_this(job, date, now, step);
            return;
        }
        self.write_waiting(date, Trigger::Manual, now, step);
    }
}

fn settled_already(name: &JobName, shown: &str) -> String {
    format!("{shown} of `{name}` is settled; `crontabber retry --again` repeats it")
}
