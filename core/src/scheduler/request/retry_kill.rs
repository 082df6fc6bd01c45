//! `retry` and `kill`.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::job::{Job, JobName};
use crate::session::{
    AttemptKey, BackfillId, BackfillRecord, Changed, Entry, JobRecord, Outcome, Request, Retrying, State, StateKind,
    Trigger,
};
use crate::text::in_zone;

use super::{Answer, describe_dates, done, no_date_of, settled_at, unless_done};
use crate::scheduler::Scheduler;
use crate::scheduler::job_state::{JobState, PendingKill, Settled};
use crate::scheduler::queue::Session;
use crate::scheduler::step::Step;

impl Scheduler {
    pub(super) fn retry(&mut self, name: &JobName, request: &Request, retrying: Retrying, step: &mut Step) -> Answer {
        let (job, job_state) = self.registered(name)?;
        let (mut text, changed) = match retrying {
            Retrying::Date { date, again } => {
                let text = match job_state.rows().get(date).map(|session| session.state.clone()) {
                    Some(state) => job_state.retry_unsettled(date, &state, step)?,
                    None => job_state.repeat(&job, request, (date, again), step)?,
                };
                (text, Changed::one(date))
            }
            Retrying::Failed | Retrying::Held => job_state.retry_all(&job, retrying, step),
        };
        if changed.count > 0 {
            text.push_str(unless_done(&job));
            text.push_str(&job_state.while_disabled(&job));
        }
        let first = job_state.rows().main.oldest();
        if let (Retrying::Date { date, .. }, Some(first)) = (retrying, first)
            && let Some(job_state) = self.jobs.get(name)
            && job_state.is_strict()
            && job_state.rows().main.get(date).is_some()
            && first < date
        {
            let first = job_state.shown(first, None);
            text.push_str(&format!("; {first} comes first, since its dates run in strict order"));
        }
        Ok(Some(done(text, changed)))
    }

    pub(super) fn kill(
        &mut self,
        name: &JobName,
        request: &Request,
        date: Option<DateTime<Utc>>,
        step: &mut Step,
    ) -> Answer {
        // What runs of a job that is renamed still has its previous name.
        let recorded = self.open_as(name);
        let job_state = self.jobs.get_mut(&recorded).ok_or_else(|| format!("job `{name}` is not known"))?;
        let is_meant = |open: &&AttemptKey| date.is_none_or(|date| open.session.date == date);
        let attempts: Vec<AttemptKey> = job_state.rows().open.iter().filter(is_meant).cloned().collect();
        if attempts.is_empty() {
            return Err(match (date, job_state.rows().open.first()) {
                (Some(date), Some(open)) => format!(
                    "{} of `{name}` is not running; {} is",
                    job_state.shown(date, None),
                    job_state.shown(open.session.date, None)
                ),
                (Some(date), None) => format!("{} of `{name}` is not running", job_state.shown(date, None)),
                (None, _) => format!("`{name}` is not running"),
            });
        }
        step.kills.extend(attempts.iter().cloned());
        job_state.kills.push(PendingKill {
            request: request.clone(),
            attempts,
            ended: Vec::new(),
            changed: Changed::default(),
        });
        self.pending.insert(request.id);
        Ok(None)
    }

    /// Answers the `kill` requests that waited for this attempt to end.
    pub(in crate::scheduler) fn answer_kills(
        &mut self,
        attempt: &AttemptKey,
        zone: Tz,
        outcome: Outcome,
        step: &mut Step,
    ) {
        let name = self.registered_as(&attempt.session.job);
        let Some(job_state) = self.jobs.get_mut(&attempt.session.job) else { return };
        if job_state.kills.is_empty() {
            return;
        }
        let date = in_zone(attempt.session.date, zone);
        let text = match outcome {
            Outcome::Cancelled => format!("attempt {} at {date} was ended", attempt.number),
            Outcome::Interrupted => format!("attempt {} at {date} was ended with the daemon", attempt.number),
            Outcome::Lost => format!("attempt {} at {date} is lost: its outcome is unknown", attempt.number),
            other => format!("attempt {} at {date} ended by itself first: {other}", attempt.number),
        };
        let state = job_state.rows().get(attempt.session.date).map(|session| &session.state);
        let then = match (outcome, state) {
            (_, Some(_)) if job_state.is_of_cancelled(attempt.session.date) => {
                ", and is not attempted again: its backfill is cancelled".to_owned()
            }
            (_, Some(State::Held { .. })) => {
                let later = if job_state.is_strict() { ", and the later dates wait for it" } else { "" };
                format!(", and is held: `crontabber retry {name} --held` attempts it again{later}")
            }
            (Outcome::Cancelled, None) => ", and a newer date supersedes it".to_owned(),
            _ => String::new(),
        };
        for kill in &mut job_state.kills {
            if let Some(index) = kill.attempts.iter().position(|meant| meant == attempt) {
                kill.attempts.swap_remove(index);
                kill.ended.push(format!("{text}{then}"));
                kill.changed.add(attempt.session.date);
            }
        }
        let answered: Vec<PendingKill> = job_state.kills.extract_if(.., |kill| kill.attempts.is_empty()).collect();
        for kill in answered {
            let text = format!("`{name}`: {}", kill.ended.join("; "));
            self.reply(&kill.request, done(text, kill.changed), step);
        }
    }
}

impl JobState {
    /// Lets an unsettled date run as soon as its order allows.
    pub(super) fn retry_unsettled(
        &mut self,
        date: DateTime<Utc>,
        state: &State,
        step: &mut Step,
    ) -> Result<String, String> {
        let name = self.rows().record.name.clone();
        let shown = self.shown(date, None);
        match state {
            State::Running => Err(format!("{shown} of `{name}` is running")),
            State::Waiting => Err(format!("{shown} of `{name}` waits for its turn: there is nothing to retry")),
            State::Failed { .. } => {
                self.write_move(date, State::Failed { retry_at: step.now }, step);
                Ok(format!("{shown} of `{name}` runs again now"))
            }
            state => {
                self.again(date, state.kind(), step);
                Ok(format!("{shown} of `{name}` is released: it runs again now"))
            }
        }
    }

    /// Lets an unsettled date wait again, with all its attempts.
    fn again(&mut self, date: DateTime<Utc>, from: StateKind, step: &mut Step) {
        let Some(Session { trigger, zone, attempts, .. }) = self.rows().get(date) else { return };
        let (zone, attempts, backfill) = (*zone, *attempts, self.rows().backfill_of(date));
        // A date that was held before its first attempt is the operator's now: `skip_late` does not skip it.
        let is_first = attempts == 0 && backfill.is_none();
        let trigger = if is_first { Trigger::Manual } else { *trigger };
        self.write(Entry::Again { session: self.rows().key(date), zone, from, trigger, backfill, attempts }, step);
    }

    /// Retries all failed or all held dates.
    fn retry_all(&mut self, job: &Job, retrying: Retrying, step: &mut Step) -> (String, Changed) {
        let is_meant = |session: &Session| {
            matches!(
                (&session.state, retrying),
                (State::Failed { .. }, Retrying::Failed) | (State::Held { .. }, Retrying::Held)
            )
        };
        let queues = self.rows().queues();
        let meant: Vec<(DateTime<Utc>, State)> = queues
            .flat_map(|queue| queue.sessions().iter())
            .filter(|(date, session)| is_meant(session) && !self.probing.contains(date))
            .map(|(date, session)| (*date, session.state.clone()))
            .collect();
        let mut changed = Changed::default();
        for (date, state) in meant {
            if self.retry_unsettled(date, &state, step).is_ok() {
                changed.add(date);
            }
        }
        let word = if retrying == Retrying::Failed { "failed" } else { "held" };
        let text = match changed.count {
            0 => format!("`{}` has no {word} date: nothing was changed", job.name),
            1 => format!("`{}`: {} runs again now", job.name, describe_dates(&changed, |date| self.shown(date, None))),
            _ => format!("`{}`: {} run again now", job.name, describe_dates(&changed, |date| self.shown(date, None))),
        };
        (text, changed)
    }

    /// Lets a settled date run again, beside the schedule.
    fn repeat(
        &mut self,
        job: &Job,
        request: &Request,
        (date, again): (DateTime<Utc>, bool),
        step: &mut Step,
    ) -> Result<String, String> {
        let settled = settled_at(&request.past, date);
        let (name, shown) = (&job.name, self.shown(date, settled));
        let settled = match settled {
            None if request.past.earlier.contains(&date) => {
                return Err(format!(
                    "{shown} of `{name}` succeeded before the job was reset; `crontabber backfill {name} --from {shown} \
                     --count 1 --only all` repeats it"
                ));
            }
            None if job.timetable.includes(date) && self.next.is_some_and(|next| next <= date) => {
                return Err(format!("{shown} of `{name}` has not been attempted yet"));
            }
            None => {
                let unbounded = job.timetable.without_start();
                let is_early = date < self.rows().record.first_date && unbounded.includes(date);
                let hint = format!("{shown} of `{name}` was never attempted; `crontabber backfill` attempts it");
                return Err(if is_early { hint } else { no_date_of(job, date) });
            }
            Some(Settled { state: StateKind::Succeeded, .. }) if !again => {
                return Err(format!("{shown} of `{name}` has succeeded; `--again` repeats it all the same"));
            }
            Some(Settled { state, .. }) if date > step.now => {
                let how = if state == StateKind::Succeeded { "is said to be done" } else { "is skipped" };
                return Err(format!("{shown} of `{name}` {how}, and has not come yet"));
            }
            Some(settled) => settled,
        };
        self.write(Entry::Backfill(self.new_backfill(request.id, step)), step);
        self.reopen(settled, Trigger::Manual, request.id, step);
        let before = if settled.state == StateKind::Succeeded { "had succeeded, and" } else { "was skipped, and" };
        Ok(format!("{shown} of `{name}` {before} runs again now, outside its schedule"))
    }

    /// A backfill that begins now: without a name, oldest first, one date at a time.
    pub(super) fn new_backfill(&self, id: BackfillId, step: &Step) -> BackfillRecord {
        let JobRecord { name, generation, .. } = &self.rows().record;
        let (job, generation, entered_at) = (name.clone(), *generation, step.now);
        BackfillRecord {
            id,
            job,
            generation,
            name: None,
            newest_first: false,
            parallel: 1,
            entered_at,
            cancelled_by: None,
        }
    }

    /// Lets a settled date wait again, in a backfill.
    pub(super) fn reopen(&mut self, settled: Settled, trigger: Trigger, backfill: BackfillId, step: &mut Step) {
        let Settled { date, state: from, zone, attempts } = settled;
        let (session, backfill) = (self.rows().key(date), Some(backfill));
        self.write(Entry::Again { session, zone, from, trigger, backfill, attempts }, step);
    }
}
