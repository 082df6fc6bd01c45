//! The registry was read: jobs are new, changed, removed or back.
//!
//! A changed timetable takes effect when it is read. Dates that were due until then belong to the former timetable and
//! are recorded by it; the dates of the new one begin after that.

use std::collections::BTreeSet;
use std::iter;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::job::{Job, JobName};
use crate::schedule::Timetable;
use crate::session::{Entry, JobRecord, StrictAfter, TICK};

use super::Scheduler;
use super::job_rows::JobRows;
use super::job_state::JobState;
use super::notification::{Adding, Notification};
use super::status::BlockReason;
use super::step::Step;

impl Scheduler {
    pub(super) fn adopt_registry(&mut self, jobs: Vec<Arc<Job>>, step: &mut Step) {
        let mut gone: BTreeSet<JobName> =
            self.jobs.iter().filter(|(_, job_state)| job_state.job.is_some()).map(|(name, _)| name.clone()).collect();
        self.dependents.clear();
        for job in &jobs {
            gone.remove(&job.name);
            for needed in job.depends_on.iter().map(|dependency| &dependency.job).chain(&job.require) {
                self.dependents.entry(needed.clone()).or_default().push(job.name.clone());
            }
        }
        self.successors.clear();
        let is_new = |job: &&Arc<Job>| !self.jobs.contains_key(&job.name);
        let renamed: BTreeSet<JobName> = jobs.iter().filter(is_new).filter_map(|job| job.previously.clone()).collect();
        for name in gone {
            self.remove(&name, step);
            if !renamed.contains(&name) {
                self.report_removal(&name, step);
            }
        }
        let names: Vec<JobName> = jobs.iter().map(|job| job.name.clone()).collect();
        let mut news = Vec::new();
        for job in jobs {
            let is_known = self.jobs.contains_key(&job.name);
            if self.may_adopt(&job, step) {
                let is_renamed = !is_known && self.jobs.contains_key(&job.name);
                // That a job is renamed is reported already.
                news.extend(self.adopt(&job, step).filter(|(_, keys)| !is_renamed || !keys.is_empty()));
            }
        }
        let (jobs, successors) = (&self.jobs, &self.successors);
        self.slots.assign(|name| {
            let is_it = |job: &&Arc<Job>| job.previously.as_ref() == Some(name);
            let job =
                jobs.get(name).and_then(|job_state| job_state.job.as_ref()).or_else(|| successors.iter().find(is_it));
            job.map(|job| job.pool.clone())
        });
        // A ghost's `disable --until` ends, too.
        let for_a_while =
            self.jobs.iter().filter(|(_, job_state)| job_state.job.is_none() && job_state.enabled_at().is_some());
        let ghosts: Vec<JobName> = for_a_while.map(|(name, _)| name.clone()).collect();
        for name in names.iter().chain(&ghosts) {
            self.reconsider(name, step);
        }
        // A new or changed job is reported with its backlog below.
        let is_news = |note: &Notification| match note {
            Notification::Behind { job, .. } => news.iter().any(|(name, _)| name == job),
            _ => false,
        };
        step.notes.retain(|note| !is_news(note));
        for (name, keys) in news {
            self.report_change(&name, keys, step);
        }
        for name in &names {
            // Nothing runs before that time.
            if let Some(BlockReason::WatermarkAhead { watermark }) = self.view(name).and_then(|view| view.blocked_by) {
                step.notes.push(Notification::WatermarkAhead { job: name.clone(), watermark });
            }
        }
        self.has_registry = true;
    }

    /// Lets a job take over the ledger of its former name. While that has open attempts, the job waits.
    fn may_adopt(&mut self, job: &Arc<Job>, step: &mut Step) -> bool {
        let Some(before) = job.previously.as_ref().filter(|_| !self.jobs.contains_key(&job.name)) else { return true };
        let Some(job_state) = self.jobs.get(before).filter(|job_state| job_state.job.is_none()) else { return true };
        let is_busy = !job_state.rows().open.is_empty()
            || !job_state.probing.is_empty()
            || !job_state.entering.is_empty()
            || !job_state.cancelling.is_empty();
        if is_busy {
            self.successors.push(job.clone());
            step.notes.push(Notification::WaitsToSucceed { job: job.name.clone(), previously: before.clone() });
            return false;
        }
        let Some(mut job_state) = self.jobs.remove(before) else { return true };
        if let Some(timer) = job_state.timer.take() {
            self.timers.remove(&(timer, before.clone()));
        }
        job_state.write(Entry::Rename { from: before.clone(), to: job.name.clone() }, step);
        self.jobs.insert(job.name.clone(), job_state);
        step.notes.push(Notification::Renamed { job: job.name.clone(), previously: before.clone() });
        true
    }

    /// Lets the jobs that waited for the attempts of `name` to end take over its ledger.
    pub(super) fn adopt_successors(&mut self, name: &JobName, step: &mut Step) {
        let (ready, rest) = std::mem::take(&mut self.successors)
            .into_iter()
            .partition::<Vec<_>, _>(|job| job.previously.as_ref() == Some(name));
        self.successors = rest;
        for job in ready {
            let name = job.name.clone();
            if self.may_adopt(&job, step) {
                _ = self.adopt(&job, step);
                self.reconsider(&name, step);
                self.reconsider_dependents(&name, step);
            }
        }
    }

    fn remove(&mut self, name: &JobName, step: &mut Step) {
        if let Some(job_state) = self.jobs.get_mut(name) {
            job_state.job = None;
        }
        self.reconsider(name, step);
    }

    fn report_removal(&self, name: &JobName, step: &mut Step) {
        let unsettled = self.jobs.get(name).map_or(0, |job_state| job_state.behind());
        step.notes.push(Notification::Removed { job: name.clone(), unsettled });
    }

    /// Takes a job of the registry; returns its name and the changed keys if there is something to report.
    fn adopt(&mut self, job: &Arc<Job>, step: &mut Step) -> Option<(JobName, Vec<&'static str>)> {
        let now = self.now;
        let name = job.name.clone();
        if !self.jobs.contains_key(&name) {
            let mut record = first_record(&name, self.stable_name(&name), &job.timetable, 1, now);
            let strict_after = StrictAfter { generation: 0, date: record.first_date };
            record.strict_after = job.date_policy.is_strict().then_some(strict_after);
            let mut job_state = Box::new(JobState::new(JobRows::new(record.clone())));
            job_state.write(Entry::Enter(record), step);
            job_state.set_job(job.clone());
            job_state.seek_next(&job.timetable, step);
            self.jobs.insert(name.clone(), job_state);
            return Some((name, Vec::new()));
        }
        let job_state = self.jobs.get_mut(&name)?;
        let before = job_state.set_job(job.clone());
        let former = &job_state.rows().record.timetable;
        let mut edits = Vec::new();
        if *former != job.timetable.to_string() {
            // What of the timetable was edited while no daemon ran.
            let former = former.parse().map(|timetable| Job { timetable, ..(**job).clone() });
            edits = former.map_or_else(|_| vec!["schedule"], |former| former.changed_keys(job));
            job_state.switch_timetable(job, step);
        }
        job_state.seek_next(&job.timetable, step);
        job_state.note_order(step);
        job_state.shorten_retries(step);
        if !job.date_policy.keeps_every_date() {
            // It may have kept every date until now.
            job_state.supersede(job_state.rows().main.newest(), step);
        }
        match before {
            Some(before) if before == *job => None,
            Some(before) => Some((name, before.changed_keys(job))),
            // The first registry of a daemon reports no other known job; a ghost that returns later is reported.
            None => (self.has_registry || !edits.is_empty()).then_some((name, edits)),
        }
    }

    /// What a new job is called in its idempotency keys, which no other job has, whatever it is called today.
    fn stable_name(&self, name: &JobName) -> String {
        let is_free = |text: &String| self.jobs.values().all(|other| other.rows().record.stable_name != *text);
        let numbered = (2_u32..).map(|number| format!("{name}~{number}"));
        iter::once(name.to_string()).chain(numbered).find(is_free).unwrap_or_default()
    }

    fn report_change(&mut self, name: &JobName, keys: Vec<&'static str>, step: &mut Step) {
        let Some(job_state) = self.jobs.get(name) else { return };
        let (oldest, next) = (job_state.rows().main.oldest(), job_state.next);
        let zone = oldest.map_or_else(|| job_state.zone(), |oldest| job_state.zone_of(oldest));
        let adding = Adding { due: job_state.behind(), oldest, zone, next };
        let job = name.clone();
        step.notes.push(if keys.is_empty() {
            Notification::Added { job, adding }
        } else {
            Notification::Changed { job, keys, adding }
        });
    }
}

/// The record of a new job, or of a new generation of one.
pub(super) fn first_record(
    name: &JobName,
    stable_name: String,
    timetable: &Timetable,
    generation: u32,
    now: DateTime<Utc>,
) -> JobRecord {
    let (first_date, timetable_from) = first_range(timetable, now);
    JobRecord {
        name: name.clone(),
        stable_name,
        generation,
        seen_at: now,
        first_date,
        timetable_from,
        watermark: None,
        timetable: timetable.to_string(),
        last_success: None,
        strict_after: None,
    }
}

/// The first date of a job without a past, and the instant after which its timetable has dates.
fn first_range(timetable: &Timetable, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    timetable.start.map_or((now, now), |start| (start, start - TICK))
}

impl JobState {
    /// Records which dates are in strict order, if the registry has another order than before.
    fn note_order(&mut self, step: &mut Step) {
        let JobRecord { name, generation, strict_after, .. } = &self.rows().record;
        let (job, generation, is_strict) = (name.clone(), *generation, self.is_strict());
        if strict_after.is_some() != is_strict {
            let after = StrictAfter { generation, date: self.rows().newest_date() };
            self.write(Entry::Order { job, generation, strict_after: is_strict.then_some(after) }, step);
        }
    }

    /// Records the due dates of the timetable in force, and puts another one in force.
    fn switch_timetable(&mut self, job: &Job, step: &mut Step) {
        let timetable = &job.timetable;
        let JobRecord { generation, first_date, watermark, .. } = self.rows().record;
        let (first_date, timetable_from) = if first_date > step.now && watermark.is_none() {
            // No date of the former timetable was ever due: begin with the new one.
            first_range(timetable, step.now)
        } else {
            let timetable_from = self.end_timetable(job, step);
            let start = timetable.start.filter(|start| *start < first_date && !self.begins_with_reset_to_instant());
            if let Some(start) = start {
                let older: Vec<_> = timetable.dates(start, first_date).map_while(Result::ok).collect();
                self.record_before(job, &older, step);
            }
            (start.unwrap_or(first_date), timetable_from)
        };
        let (job, timetable) = (job.name.clone(), timetable.to_string());
        self.write(Entry::Adopt { job, generation, timetable, first_date, timetable_from }, step);
    }

    /// Whether the generation began with a reset to an instant. Earlier dates belong to the generation before it;
    /// recorded here, they would run again.
    fn begins_with_reset_to_instant(&self) -> bool {
        let JobRecord { generation, seen_at, first_date, timetable, .. } = &self.rows().record;
        let start = timetable.parse::<Timetable>().ok().and_then(|timetable| timetable.start);
        *generation > 1 && start.map_or(first_date != seen_at, |start| *first_date > start)
    }

    /// Records the due dates of the timetable in force, and returns where it ends. Its own delay decides which dates
    /// are due, so that none falls between the two timetables. Dates that it recorded in the future belong to it as
    /// well.
    fn end_timetable(&mut self, job: &Job, step: &mut Step) -> DateTime<Utc> {
        let end = match self.rows().record.timetable.parse::<Timetable>() {
            Ok(before) => {
                self.seek_next(&before, step);
                let dates = self.take_due(&before, step.now, usize::MAX, step);
                self.unrecorded = 0;
                self.record_dates(job, &before, dates, step);
                let delay = TimeDelta::from_std(before.delay).unwrap_or(TimeDelta::MAX);
                step.now.checked_sub_signed(delay)
            }
            Err(error) => {
                let job = job.name.clone();
                step.notes.push(Notification::UnreadableTimetable { job, error: error.to_string() });
                Some(step.now)
            }
        };
        self.rows().record.recorded_until().max(end.unwrap_or(DateTime::<Utc>::MIN_UTC))
    }
}
