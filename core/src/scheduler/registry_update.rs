//! The registry was read: jobs are new, changed, removed or back.
//!
//! What an edited timetable does to dates: see [`super::edit`].

use std::collections::BTreeSet;
use std::iter;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::job::{Job, JobName};
use crate::schedule::Timetable;
use crate::session::{Entry, JobRecord, Recording, StrictAfter};

use super::Scheduler;
use super::job_rows::JobRows;
use super::job_state::JobState;
use super::notification::{Adding, Notification};
use super::status::BlockReason;
use super::step::Step;
use super::successor::Successor;
use super::takeover::Takeover;
use super::timetable_edit::{first_range, is_edited};

impl Scheduler {
    pub(super) fn adopt_registry(&mut self, jobs: Vec<Arc<Job>>, step: &mut Step) {
        let mut recordings = std::mem::take(&mut self.recordings);
        self.forget_probable_renames();
        let was_there = |job_state: &JobState| job_state.job.is_some() || job_state.rows().record.in_registry;
        let mut gone: BTreeSet<JobName> =
            self.jobs.iter().filter(|(_, job_state)| was_there(job_state)).map(|(name, _)| name.clone()).collect();
        self.dependents.clear();
        for job in &jobs {
            gone.remove(&job.name);
            for needed in job.depends_on.iter().map(|dependency| &dependency.job).chain(&job.require) {
                self.dependents.entry(needed.clone()).or_default().push(job.name.clone());
            }
        }
        self.successors.clear();
        let takes_over =
            |job: &&Arc<Job>| self.jobs.get(&job.name).is_none_or(|own| own.rows().record.may_be_replaced());
        let renamed: BTreeSet<JobName> =
            jobs.iter().filter(takes_over).filter_map(|job| job.previously.clone()).collect();
        let held = self.find_probable_renames(&jobs, &gone);
        self.report_unknown_former_names(&jobs, &held, step);
        for name in gone {
            self.remove(&name, step);
            if !renamed.contains(&name) && !held.values().any(|before| *before == name) {
                self.report_removal(&name, step);
            }
        }
        let names: Vec<JobName> = jobs.iter().map(|job| job.name.clone()).collect();
        let mut news = Vec::new();
        for job in jobs {
            if let Some(before) = held.get(&job.name) {
                self.hold_probable_rename(&job, before, step);
                continue;
            }
            let own = recordings.remove(&job.name);
            let former = job.previously.as_ref().and_then(|before| recordings.remove(before));
            let successor = Successor { job, own, former };
            match self.take_over(&successor.job, step) {
                Takeover::Waits => self.wait_for_attempts(successor, step),
                takeover => {
                    // That a job is renamed is reported already.
                    let is_renamed = takeover == Takeover::Done;
                    let recordings = if is_renamed { successor.former } else { successor.own };
                    let adopted = self.adopt(&successor.job, recordings, step);
                    news.extend(adopted.filter(|(_, keys)| !is_renamed || !keys.is_empty()));
                }
            }
        }
        let (jobs, successors) = (&self.jobs, &self.successors);
        self.slots.assign(|name| {
            let successor = || {
                let mut successors = successors.iter().map(|successor| &successor.job);
                successors.find(|job| job.previously.as_ref() == Some(name))
            };
            let job = jobs.get(name).and_then(|job_state| job_state.job.as_ref()).or_else(successor);
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
        self.report_blocked(&names, step);
        self.has_registry = true;
    }

    /// Reports what keeps jobs from running for long: a watermark ahead of the clock, and at a start the pauses.
    fn report_blocked(&self, names: &[JobName], step: &mut Step) {
        for name in names {
            // Nothing runs before that time.
            if let Some(BlockReason::WatermarkAhead { watermark }) = self.view(name).and_then(|view| view.blocked_by) {
                step.notes.push(Notification::WatermarkAhead { job: name.clone(), watermark });
            }
        }
        if !self.has_registry {
            self.report_pauses(step);
        }
    }

    pub(super) fn remove(&mut self, name: &JobName, step: &mut Step) {
        if let Some(job_state) = self.jobs.get_mut(name) {
            (job_state.job, job_state.recordings) = (None, None);
        }
        self.reconsider(name, step);
    }

    fn report_removal(&mut self, name: &JobName, step: &mut Step) {
        let Some(job_state) = self.jobs.get_mut(name) else { return };
        job_state.write(Entry::Registered { job: name.clone(), action: None }, step);
        step.notes.push(Notification::Removed { job: name.clone(), unsettled: job_state.unsettled() });
    }

    /// Takes a job of the registry; returns its name and the changed keys if there is something to report.
    pub(super) fn adopt(
        &mut self,
        job: &Arc<Job>,
        recordings: Option<Vec<Recording>>,
        step: &mut Step,
    ) -> Option<(JobName, Vec<&'static str>)> {
        let now = self.now;
        let name = job.name.clone();
        if !self.jobs.contains_key(&name) {
            let stable_name = self.stable_name(&name);
            let mut record = first_record(&name, stable_name, &job.timetable, 1, now);
            record.action = job.action();
            record.complete_after = job.date_policy.is_backfillable().then_some(record.timetable_from);
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
        }
        let is_edited = is_edited(&job_state.rows().record, job);
        job_state.recordings = is_edited.then(|| recordings.unwrap_or_default());
        job_state.seek_next(&job.timetable, step);
        job_state.take_edit(self.announce_over, step);
        job_state.note_registered(step);
        job_state.seek_next(&job.timetable, step);
        job_state.note_order(step);
        job_state.shorten_retries(step);
        if !job.date_policy.keeps_every_date() {
            // It may have kept every date until now.
            let superseded = job_state.supersede(job_state.rows().main.newest(), step);
            if !superseded.is_empty() {
                step.edited_dates(&name).superseded = superseded;
            }
        }
        match before {
            Some(before) if before == *job => None,
            Some(before) => Some((name, before.changed_keys(job))),
            // The first registry of a daemon reports no other known job; a ghost that returns later is reported.
            None => (self.has_registry || !edits.is_empty()).then_some((name, edits)),
        }
    }

    /// What a new job is called in its idempotency keys, which no other job has, whatever it is called today.
    fn stable_name(&mut self, name: &JobName) -> String {
        let numbered = (2_u32..).map(|number| format!("{name}~{number}"));
        let mut free = iter::once(name.to_string()).chain(numbered).filter(|text| !self.former_names.contains(text));
        let stable_name = free.next().unwrap_or_default();
        if stable_name != name.as_str() {
            self.former_names.insert(stable_name.clone());
        }
        stable_name
    }

    fn report_change(&mut self, name: &JobName, keys: Vec<&'static str>, step: &mut Step) {
        let Some(job_state) = self.jobs.get(name) else { return };
        let next = job_state.next.and_then(|next| self.first_to_run(job_state, next));
        let unrecorded = || job_state.job.as_ref().filter(|_| job_state.unrecorded > 0)?.timetable.newest_due(self.now);
        let oldest = job_state.rows().main.oldest().or_else(unrecorded);
        let zone = oldest.map_or_else(|| job_state.zone(), |oldest| job_state.zone_of(oldest));
        let next_due = next.zip(job_state.job.as_ref()).map(|(next, job)| job.timetable.due(next));
        let adding = Adding { due: job_state.behind(self.now), oldest, zone, next, next_due };
        let job = name.clone();
        if keys.is_empty() {
            step.notes.push(Notification::Added { job, adding });
            return;
        }
        let is_its = |note: &mut Notification| matches!(note, Notification::Edited { job, .. } if job == name);
        let edited = step.notes.extract_if(.., is_its).last();
        let dates = if let Some(Notification::Edited { dates, .. }) = edited { dates } else { Box::default() };
        step.notes.push(Notification::Changed { job, keys, adding, dates });
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
        has_replaced: false,
        seen_at: now,
        first_date,
        timetable_from,
        watermark: None,
        timetable: timetable.to_string(),
        complete_after: None,
        has_excluded: false,
        action: String::new(),
        in_registry: true,
        last_success: None,
        strict_after: None,
    }
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
}
