//! Which dates of the jobs that a backfilled job depends on were never recorded: nothing waits for them.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use crate::job::{Dependency, Job};
use crate::schedule::TICK;
use crate::scheduler::Scheduler;
use crate::scheduler::job_state::{JobState, Wanted};
use crate::session::Changed;
use crate::text::in_zone;

use super::describe_dates;

/// How many dates of another job are looked at.
const LOOKED_AT: usize = 100_000;

impl Scheduler {
    /// For each job that `job` depends on and that lacks dates for the backfilled ones: which, and what orders them.
    pub(super) fn missing_upstream(&self, job: &Job, wanted: &[Wanted]) -> String {
        let dates = || wanted.iter().map(|wanted| wanted.date());
        let (Some(first), Some(last)) = (dates().min(), dates().max()) else { return String::new() };
        let notes = job.depends_on.iter().filter_map(|dependency| {
            let state = self.jobs.get(&dependency.job)?;
            let upstream = state.job.as_ref().filter(|upstream| !upstream.timetable.schedule.is_none())?;
            let missing = state.missing_for(upstream, dependency, (first, last), job);
            let (name, zone) = (&upstream.name, upstream.timetable.zone());
            let shown = |date: DateTime<Utc>| in_zone(date, zone);
            let end = missing.last.and_then(|last| upstream.timetable.without_start().next_after(last).ok().flatten());
            let to = end.map(|end| format!(" --to {}", shown(end))).unwrap_or_default();
            let from = shown(missing.first?);
            let (what, them) = (describe_dates(&missing, shown), if missing.count == 1 { "it" } else { "them" });
            Some(format!(
                "; `{name}`, which `{}` depends on, has no record of {what}, and nothing waits for {them}: \
                 `crontabber backfill {name} --from {from}{to}` orders {them}, best before this backfill",
                job.name
            ))
        });
        notes.collect()
    }
}

impl JobState {
    /// The dates of this job that a dependent's dates from `first` to `last` would wait for, had they been recorded.
    fn missing_for(
        &self,
        upstream: &Job,
        dependency: &Dependency,
        (first, last): (DateTime<Utc>, DateTime<Utc>),
        dependent: &Job,
    ) -> Changed {
        let zone = dependent.timetable.zone();
        let timetable = upstream.timetable.without_start();
        let of_first = dependency.span(first, zone);
        // Without a period, a date waits for all earlier ones; those of the range begin with the newest before its first.
        let from = of_first.from.or_else(|| timetable.previous_before(of_first.until + TICK));
        let until = (dependency.span(last, zone).until + TICK).min(self.rows().record.first_date);
        let entering: HashSet<DateTime<Utc>> =
            self.entering.iter().flat_map(|entering| entering.rest.iter().map(|wanted| wanted.date())).collect();
        let dates = timetable.dates(from.unwrap_or(of_first.until), until).map_while(Result::ok).take(LOOKED_AT);
        let mut missing = Changed::default();
        for date in dates.filter(|date| !self.rows().has_row(*date) && !entering.contains(date)) {
            missing.add(date);
        }
        missing
    }
}
