//! `enable` and `disable`.

use chrono::{DateTime, Utc};

use crate::job::{Job, JobName};
use crate::session::{Changed, Disabled, Enabling, Entry, Request, TICK};
use crate::text::in_zone;

use super::{Answer, are, describe_dates, done};
use crate::scheduler::Scheduler;
use crate::scheduler::job_state::JobState;
use crate::scheduler::notification::Notification;
use crate::scheduler::step::Step;
use crate::text::counted;

impl Scheduler {
    pub(super) fn disable(
        &mut self,
        name: &JobName,
        request: &Request,
        until: Option<DateTime<Utc>>,
        step: &mut Step,
    ) -> Answer {
        let at = self.now;
        let (job, job_state) = self.registered(name)?;
        let zone = job.timetable.zone();
        if let Some(until) = until.filter(|until| *until <= at) {
            return Err(format!("{} is not in the future", in_zone(until, zone)));
        }
        // The time is that of the request, as in the audit.
        let disabled = Disabled {
            job: name.clone(),
            at: request.at,
            until,
            user: request.user.clone(),
            reason: request.reason.clone(),
        };
        let open = job_state.rows().open.len();
        job_state.write(Entry::Disable(disabled), step);
        let mut text = format!("job `{name}` is disabled");
        match until {
            Some(until) => {
                text.push_str(&format!(" until {}; then it catches up on its missed dates", in_zone(until, zone)));
            }
            None => text.push_str(": no new attempt starts until `crontabber enable`"),
        }
        if open > 0 {
            text.push_str("; the open attempt continues");
        }
        Ok(Some(done(text, Changed::default())))
    }

    pub(super) fn enable(&mut self, name: &JobName, enabling: Enabling, step: &mut Step) -> Answer {
        let now = self.now;
        let (job, job_state) = self.registered(name)?;
        let zone = job.timetable.zone();
        if !job.enabled {
            return Err(format!("job `{name}` is disabled in the registry: set `enabled = true` there"));
        }
        if job_state.rows().disabled.is_none() {
            let text = format!("job `{name}` is not disabled: nothing was changed");
            return match enabling {
                Enabling::Plain | Enabling::CatchUp => Ok(Some(done(text, Changed::default()))),
                Enabling::SkipMissed | Enabling::SkipTo(_) => Err(format!("{text}; `crontabber skip` skips dates")),
            };
        }
        let (backlog, oldest) = job_state.missed(now);
        // Memory forgets the zones of dates that settle.
        let zones = job_state.rows().zones_other_than(zone);
        let shown = |date: DateTime<Utc>| in_zone(date, zones.get(&date).copied().unwrap_or(zone));
        let mut changed = Changed::default();
        if enabling != Enabling::Plain || backlog == 0 {
            // The edit may add dates that are older than the next one.
            if let Enabling::SkipTo(to) = enabling
                && oldest.is_none_or(|oldest| to <= oldest)
            {
                job_state.refuse_if_past(&job, to)?;
            }
            job_state.apply_edit(step);
        }
        let text = match enabling {
            Enabling::Plain if backlog > 0 => {
                let oldest = oldest.map(shown).unwrap_or_default();
                return Err(format!(
                    "job `{name}` has a backlog of {} from {oldest} on: say `--catch-up`, `--skip-missed` or \
                     `--skip-to DATE`",
                    counted(backlog, "date")
                ));
            }
            Enabling::Plain => format!("job `{name}` is enabled; it has missed nothing"),
            Enabling::CatchUp => {
                let last = job_state.rows().main.newest().max(job.timetable.newest_due(now));
                changed = Changed { count: backlog, first: oldest, last: last.filter(|_| backlog > 0) };
                format!("job `{name}` is enabled; {}", job_state.catching_up(&job, backlog, now))
            }
            Enabling::SkipMissed => {
                changed = job_state.skip_before(&job, now + TICK, true, step)?;
                match changed.count {
                    0 => format!("job `{name}` is enabled; it has missed nothing"),
                    _ => format!("job `{name}` is enabled; skipped: {}", describe_dates(&changed, shown)),
                }
            }
            Enabling::SkipTo(to) => {
                changed = job_state.skip_before(&job, to, false, step)?;
                let left = job_state.missed(now).0;
                let left =
                    if left > 0 { format!("; {}", job_state.catching_up(&job, left, now)) } else { String::new() };
                format!("job `{name}` is enabled; skipped: {}{left}", describe_dates(&changed, shown))
            }
        };
        job_state.has_new_catch_up = true;
        job_state.write(Entry::Enable { job: name.clone() }, step);
        job_state.note_registered(step);
        Ok(Some(done(text, changed)))
    }

    /// How many due dates of a job are idle and unsettled, recorded or not, and the oldest of them.
    #[must_use]
    pub fn missed(&self, name: &JobName) -> (u64, Option<DateTime<Utc>>) {
        self.jobs.get(name).map_or((0, None), |job_state| job_state.missed(self.now))
    }

    /// The dates that [`Scheduler::missed`] counts, up to a million.
    #[must_use]
    pub fn missed_dates(&self, name: &JobName) -> Vec<DateTime<Utc>> {
        let Some(job_state) = self.jobs.get(name) else { return Vec::new() };
        let mut dates: Vec<DateTime<Utc>> = job_state.rows().main.idle().map(|(date, _)| date).collect();
        dates.extend(job_state.older_by_edit(self.now));
        if let Some(Job { timetable, .. }) = job_state.job.as_deref() {
            dates.extend(job_state.unmoved_due(timetable, self.now));
        }
        dates
    }
}

impl JobState {
    /// What becomes of so many missed dates once the job is enabled.
    fn catching_up(&self, job: &Job, missed: u64, now: DateTime<Utc>) -> String {
        let too_old = self.count_too_old(now).min(missed);
        let skipped = format!("{} skipped as too old (`catch_up`)", are(too_old));
        match missed - too_old {
            _ if missed == 0 => "it has missed nothing".to_owned(),
            0 => skipped,
            _ if !job.date_policy.keeps_every_date() => {
                format!("of {} missed, the newest is attempted", counted(missed, "date"))
            }
            left if too_old == 0 => format!("{} attempted now", are(left)),
            left => format!("{} attempted now; {skipped}", are(left)),
        }
    }

    /// How many due dates are idle and unsettled, recorded or not, and the oldest of them.
    pub(in crate::scheduler) fn missed(&self, now: DateTime<Utc>) -> (u64, Option<DateTime<Utc>>) {
        let oldest = self.rows().main.idle().next().map(|(date, _)| date);
        let (unrecorded, next) = self.unrecorded_due(now);
        let older = self.older_by_edit(now);
        let count = self.rows().main.idle().count() + older.len();
        (count as u64 + unrecorded, [oldest, next, older.first().copied()].into_iter().flatten().min())
    }

    /// The `--until` of the `disable` in force.
    pub(in crate::scheduler) fn enabled_at(&self) -> Option<DateTime<Utc>> {
        self.rows().disabled.as_ref()?.until
    }

    /// Enables the job if the `--until` of its `disable` has passed. An edit that an operator has to decide on is held.
    pub(in crate::scheduler) fn enable_if_due(&mut self, announce_over: u64, step: &mut Step) {
        if self.enabled_at().is_some_and(|until| until <= step.believed_now) {
            let job = self.rows().record.name.clone();
            self.write(Entry::Enable { job: job.clone() }, step);
            if self.job.as_ref().is_some_and(|job| job.enabled) {
                self.take_edit(announce_over, step);
                self.has_new_catch_up = true;
            }
            self.note_registered(step);
            if !self.is_held_for_edit() {
                step.notes.push(Notification::EnabledAgain { job });
            }
        }
    }
}
