//! `pause` and `resume`.

use chrono::{DateTime, Utc};

use super::{Answer, done};
use crate::job::JobName;
use crate::scheduler::Scheduler;
use crate::scheduler::step::Step;
use crate::session::{Changed, Entry, Operation, Pause, PauseScope, Reply, Request};
use crate::text::{counted, in_zone};

impl Scheduler {
    /// Decides a request that is about no single job.
    pub(super) fn decide_pause(&mut self, request: &Request, step: &mut Step) -> Answer {
        match &request.operation {
            Operation::Pause { scope, until } => self.pause(request, scope, *until, step),
            Operation::Resume { scope } => Ok(Some(self.resume(scope, step))),
            other => Err(format!("`{}` is about one job, and names none", other.word())),
        }
    }

    fn pause(
        &mut self,
        request: &Request,
        scope: &PauseScope,
        until: Option<DateTime<Utc>>,
        step: &mut Step,
    ) -> Answer {
        if let Some(until) = until.filter(|until| *until <= self.now) {
            return Err(format!("{} is not in the future", in_zone(until, self.timezone)));
        }
        let jobs = self.jobs_of(scope);
        if let (true, Some(tag)) = (jobs.is_empty(), scope.tag()) {
            return Err(format!("no job of the registry has the tag `{tag}`"));
        }
        let pause = Pause {
            scope: scope.clone(),
            // The time is that of the request, as in the audit.
            at: request.at,
            until,
            user: request.user.clone(),
            reason: request.reason.clone(),
        };
        let end = pause.end(self.timezone);
        let replaced = if self.pauses.contains_key(scope) { ", which replaces the pause before" } else { "" };
        self.write_pause(Entry::Pause(pause), step);
        let waiting: u64 = jobs.iter().map(|name| self.waiting_of(name)).sum();
        let open: usize = jobs.iter().filter_map(|name| Some(self.jobs.get(name)?.rows().open.len())).sum();
        let mut text = format!("{scope} are paused ({}){replaced}: no new attempt starts", counted_jobs(jobs.len()));
        if waiting > 0 {
            text.push_str(&format!("; {} now", wait(waiting)));
        }
        match open {
            0 => {}
            1 => text.push_str("; 1 running attempt continues"),
            several => text.push_str(&format!("; {several} running attempts continue")),
        }
        text.push_str(&format!("; due dates are recorded, and run in order when the pause ends; {end}"));
        Ok(Some(done(text, Changed::default())))
    }

    fn resume(&mut self, scope: &PauseScope, step: &mut Step) -> Reply {
        let others = |scheduler: &Self| {
            let commands = scheduler.pauses.keys().filter(|other| *other != scope);
            let commands: Vec<String> =
                commands.map(|other| format!("{other} (`{}`)", other.resume_command())).collect();
            if commands.is_empty() { String::new() } else { format!("; still paused: {}", commands.join(", ")) }
        };
        if !self.pauses.contains_key(scope) {
            let text = format!("there is no pause of {scope}: nothing was changed{}", others(self));
            return done(text, Changed::default());
        }
        let jobs = self.jobs_of(scope);
        let waited: Vec<(&JobName, u64)> = jobs.iter().map(|name| (name, self.waiting_of(name))).collect();
        self.write_pause(Entry::Resume { scope: scope.clone() }, step);
        let run = |(name, waiting): (&JobName, u64)| if self.is_paused(name) { 0 } else { waiting };
        let then = match waited.into_iter().map(run).sum() {
            0 => "no due date waits".to_owned(),
            1 => "1 due date runs now".to_owned(),
            waiting => format!("{waiting} due dates run now, in order"),
        };
        let text = format!("{scope} are resumed ({}): {then}{}", counted_jobs(jobs.len()), others(self));
        done(text, Changed::default())
    }

    /// Says that what an operator orders waits for the end of a pause.
    pub(super) fn waits_for_resume(&self, request: &Request) -> Option<String> {
        let starts = matches!(
            request.operation,
            Operation::Retry(_) | Operation::Backfill(_) | Operation::Enable(_) | Operation::Reset { .. }
        );
        let job = request.job.as_ref().filter(|_| starts)?;
        let job_state = self.jobs.get(job)?;
        let pauses = self.pauses_by_end(job_state.job.as_ref()?);
        if pauses.is_empty() {
            return None;
        }
        let all = Pause::describe_all(&pauses, job_state.zone());
        Some(format!("; but the job is paused, and no new attempt starts: {all}"))
    }
}

fn counted_jobs(jobs: usize) -> String {
    counted(jobs as u64, "job")
}

/// `1 due date waits`, `2 due dates wait`.
fn wait(dates: u64) -> String {
    if dates == 1 { "1 due date waits".to_owned() } else { format!("{dates} due dates wait") }
}
