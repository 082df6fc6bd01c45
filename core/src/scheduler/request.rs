//! Operators' requests: each is done, refused, or carried out over several steps and answered later.
//!
//! The daemon reads a request until it is answered, also after a crash, so that every request must tolerate being
//! carried out twice.

mod backfill;
mod cancel_backfill;
mod enable_disable;
mod pause;
mod reset;
mod retry_kill;
mod run;
mod skip_done;
mod test_run;
mod upstream;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::job::{Job, JobName};
use crate::session::{Changed, Disabled, Entry, Operation, Past, Reply, Request};
use crate::text::in_zone;

use super::Scheduler;
use super::job_state::{JobState, Settled};
use super::notification::Notification;
use super::step::Step;

/// How many dates one request may change.
const MAX_DATES: usize = 1_000_000;

/// The answer to a request, or why it is refused, with nothing changed. `None` if it is answered later: it is pending, or
/// the daemon reads it again.
type Answer = Result<Option<Reply>, String>;

fn done(text: String, dates: Changed) -> Reply {
    Reply { done: true, text, dates }
}

impl Scheduler {
    pub(super) fn answer(&mut self, request: &Request, step: &mut Step) {
        if self.pending.contains(&request.id) {
            return;
        }
        let answer = match &request.job {
            Some(name) => self.answer_about(name, request, step),
            None => self.decide_pause(request, step),
        };
        let reply = answer.unwrap_or_else(|text| Some(Reply { done: false, text, dates: Changed::default() }));
        if let Some(reply) = reply {
            self.reply(request, reply, step);
        }
    }

    /// Decides a request about a job.
    fn answer_about(&mut self, name: &JobName, request: &Request, step: &mut Step) -> Answer {
        // Record what has come due before choosing dates.
        self.reconsider(name, step);
        self.judge_before(name, request, step);
        // Then what it was read with is no longer true: it is decided when it is read again.
        let is_stale = step.entries.iter().any(|entry| entry.concerns(name));
        let is_changing = |job_state: &JobState| !job_state.entering.is_empty() || !job_state.cancelling.is_empty();
        let changes = self.jobs.get(name).is_some_and(|job_state| is_changing(job_state));
        let waits = is_stale || (changes && !matches!(request.operation, Operation::Kill { .. }));
        let answer = if waits { Ok(None) } else { self.decide(name, request, step) };
        // Dependents may be free now, or blocked.
        self.reconsider(name, step);
        self.reconsider_dependents(name, step);
        answer
    }

    fn decide(&mut self, name: &JobName, request: &Request, step: &mut Step) -> Answer {
        self.refuse_while_held(name, request)?;
        if !matches!(request.operation, Operation::Kill { .. }) {
            self.refuse_successor(name)?;
        }
        match &request.operation {
            Operation::Run { date, force } => self.run(name, *date, *force, step),
            Operation::Reset { to } => self.reset(name, request, *to, step),
            Operation::Backfill(order) => self.backfill(name, request, order, step),
            Operation::CancelBackfill { name: backfill } => {
                self.cancel_backfill(name, request, backfill.as_deref(), step)
            }
            Operation::Skip(skipping) => self.skip(name, request, *skipping, step),
            Operation::Enable(enabling) => self.enable(name, *enabling, step),
            Operation::Disable { until } => self.disable(name, request, *until, step),
            Operation::Done { date } => self.done(name, request, *date, step),
            Operation::Retry(retrying) => self.retry(name, request, *retrying, step),
            Operation::Kill { date } => self.kill(name, request, *date, step),
            Operation::Pause { .. } | Operation::Resume { .. } => self.decide_pause(request, step),
        }
    }

    pub(super) fn reply(&mut self, request: &Request, mut reply: Reply, step: &mut Step) {
        let at = self.now;
        if let Some(text) = self.waits_for_resume(request).filter(|_| reply.done) {
            reply.text.push_str(&text);
        }
        self.pending.remove(&request.id);
        step.entries.push(Entry::Answer { request: request.id, reply: reply.clone(), at });
        let (operation, user) = (request.operation.word(), request.user.clone());
        let Reply { done, text, .. } = reply;
        step.notes.push(Notification::Answered { job: request.job.clone(), operation, user, done, text });
    }

    /// The dates of a disabled job whose timetable was edited are judged before an operator changes them.
    fn judge_before(&mut self, name: &JobName, request: &Request, step: &mut Step) {
        let Some(job_state) = self.jobs.get_mut(name).filter(|job_state| !job_state.is_held_for_edit()) else {
            return;
        };
        match request.operation {
            Operation::Run { .. }
            | Operation::Skip(_)
            | Operation::Done { .. }
            | Operation::Retry(_)
            | Operation::Backfill(_) => job_state.apply_edit(step),
            Operation::Reset { .. }
            | Operation::CancelBackfill { .. }
            | Operation::Enable(_)
            | Operation::Disable { .. }
            | Operation::Pause { .. }
            | Operation::Resume { .. }
            | Operation::Kill { .. } => {}
        }
    }

    /// Refuses what would change the dates of a job whose edit waits for a decision.
    fn refuse_while_held(&self, name: &JobName, request: &Request) -> Result<(), String> {
        self.refuse_probable_rename(name)?;
        let is_held = self.jobs.get(name).is_some_and(|job_state| job_state.is_held_for_edit());
        let decides = matches!(
            request.operation,
            Operation::Enable(_)
                | Operation::Disable { .. }
                | Operation::Kill { .. }
                | Operation::Reset { .. }
                | Operation::CancelBackfill { .. }
        );
        if !is_held || decides {
            return Ok(());
        }
        Err(format!(
            "an edit of `{name}` waits for a decision: first run `crontabber enable {name}` with `--catch-up`, \
             `--skip-missed` or `--skip-to DATE`"
        ))
    }

    /// A job of the registry, with its state.
    fn registered(&mut self, name: &JobName) -> Result<(Arc<Job>, &mut JobState), String> {
        let job_state = self.jobs.get_mut(name).ok_or_else(|| format!("job `{name}` is not known"))?;
        let job = job_state.job.clone().ok_or_else(|| format!("job `{name}` is not in the registry"))?;
        Ok((job, job_state))
    }
}

/// A date, if it is settled.
fn settled_at(past: &Past, date: DateTime<Utc>) -> Option<Settled> {
    past.settled.iter().find(|row| row.key.date == date).map(Settled::new)
}

impl JobState {
    /// A date as text, in the zone that it was recorded with.
    fn shown(&self, date: DateTime<Utc>, settled: Option<Settled>) -> String {
        in_zone(date, settled.map_or_else(|| self.zone_of(date), |settled| settled.zone))
    }

    /// Says that nothing runs yet, of a job that is disabled.
    fn while_disabled(&self, job: &Job) -> String {
        let name = &job.name;
        match &self.rows().disabled {
            _ if !job.enabled => format!("; no attempt of `{name}` starts until `enabled = true` in the registry"),
            Some(Disabled { until: Some(until), .. }) => {
                format!("; no attempt of `{name}` starts until {}", in_zone(*until, job.timetable.zone()))
            }
            Some(_) => format!("; no attempt of `{name}` starts until `crontabber enable {name}`"),
            None => String::new(),
        }
    }

    /// The first unsettled date that does not run, recorded or not.
    fn next_to_start(&self) -> Option<DateTime<Utc>> {
        let idle = self.rows().main.idle().map(|(date, _)| date).next();
        [idle, self.next].into_iter().flatten().min()
    }

    /// The first unsettled date, recorded or not.
    fn first_unsettled(&self) -> Option<DateTime<Utc>> {
        [self.rows().main.oldest(), self.next].into_iter().flatten().min()
    }
}

/// Says that an instant is no date of the job, and names the nearest ones.
fn no_date_of(job: &Job, date: DateTime<Utc>) -> String {
    let (name, timetable, zone) = (&job.name, &job.timetable, job.timetable.zone());
    let before = timetable.previous_before(date).map(|date| in_zone(date, zone));
    let after = timetable.next_after(date).ok().flatten().map(|date| in_zone(date, zone));
    let near: Vec<String> = [before, after].into_iter().flatten().collect();
    let near = match near.as_slice() {
        [] => String::new(),
        [one] => format!("; the nearest is {one}"),
        several => format!("; the nearest are {}", several.join(" and ")),
    };
    format!("{} is not a date of `{name}`{near}", in_zone(date, zone))
}

/// Says that `done_when` is asked first, and may settle a date without an attempt.
fn unless_done(job: &Job) -> &'static str {
    if job.done_when.is_some() { ", unless `done_when` says that a date is done" } else { "" }
}

/// `2026-11-03T02:30:00+01:00`, or `12 dates from … to …`.
fn describe_dates(dates: &Changed, shown: impl Fn(DateTime<Utc>) -> String) -> String {
    match (dates.count, dates.first, dates.last) {
        (1, Some(first), _) => shown(first),
        (count, Some(first), Some(last)) => format!("{count} dates from {} to {}", shown(first), shown(last)),
        (count, ..) => format!("{count} dates"),
    }
}

/// `1 date is`, `2 dates are`.
fn are(count: u64) -> String {
    if count == 1 { "1 date is".to_owned() } else { format!("{count} dates are") }
}
