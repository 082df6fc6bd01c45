//! What an operator does in a case: disables, enables, skips, retries, and answers.

use chrono::TimeDelta;

use crate::case::Case;
use crate::ledger::Row;
use crate::lines;
use crate::registry::{Job, Previously, Registry};
use crate::rules::At;

/// How often the end of a case is attempted.
const ROUNDS: usize = 8;

impl Case {
    /// A job of the registry that the ledger has, with the name under which it entered.
    fn pick_job(&mut self) -> Option<(String, String)> {
        let in_ledger = |job: &Job| {
            let found = self.checker.rows().iter().find(|(_, rows)| rows.name == job.name);
            found.map(|(stable, _)| (job.name.clone(), stable.clone()))
        };
        let jobs: Vec<_> = self.registry.jobs.iter().filter_map(in_ledger).collect();
        (!jobs.is_empty()).then(|| self.plan.random.pick(&jobs).clone())
    }

    /// A date of a job in such a state.
    fn pick_date(&mut self, stable: &str, is_wanted: impl Fn(&Row) -> bool) -> Option<At> {
        let rows = self.checker.rows().get(stable)?;
        let dates: Vec<At> = rows.rows.iter().filter(|(_, row)| is_wanted(row)).map(|(date, _)| *date).collect();
        (!dates.is_empty()).then(|| *self.plan.random.pick(&dates))
    }

    pub(crate) fn disable(&mut self) {
        let Some((job, _)) = self.pick_job() else { return };
        if self.plan.random.once_in(3) {
            let until = (self.now + self.plan.pause()).format("%FT%TZ");
            self.operate(&format!("disable {job} --until {until}"));
        } else {
            self.operate(&format!("disable {job}"));
        }
    }

    pub(crate) fn enable_any(&mut self) {
        let rows = self.checker.rows().values().filter(|rows| rows.disabled_by.is_some());
        let disabled: Vec<String> = rows.map(|rows| rows.name.clone()).collect();
        let disabled: Vec<String> = disabled.into_iter().filter(|name| self.registry.job(name).is_some()).collect();
        for job in disabled {
            self.enable(&job);
        }
        self.wake();
    }

    fn enable(&mut self, job: &str) {
        let answer = match self.plan.random.below(4) {
            0 => "--skip-missed".to_owned(),
            1 => format!("--skip-to {}", (self.now - self.plan.pause()).format("%FT%TZ")),
            _ => "--catch-up".to_owned(),
        };
        self.operate(&format!("enable {job} {answer} --yes"));
    }

    pub(crate) fn skip(&mut self) {
        let Some((job, stable)) = self.pick_job() else { return };
        if self.plan.random.once_in(3) {
            let to = (self.now + self.plan.pause()).format("%FT%TZ");
            self.operate(&format!("skip {job} --to {to} --yes"));
        } else if let Some(date) = self.pick_date(&stable, |row| !row.is_settled()) {
            self.operate(&format!("skip {job} --date {}", date.format("%FT%TZ")));
        }
    }

    pub(crate) fn retry(&mut self) {
        let Some((job, stable)) = self.pick_job() else { return };
        let is_wanted = |row: &Row| row.state != "succeeded" && row.state != "waiting";
        let Some(date) = self.pick_date(&stable, is_wanted) else { return };
        self.checker.ask(&stable, date);
        self.operate(&format!("retry {job} {}", date.format("%FT%TZ")));
        self.wake();
    }

    /// The last edit: nothing fails, everything is enabled, every question is answered. Then everything settles.
    pub(crate) fn finish(&mut self) {
        self.say("at the end nothing fails, everything is enabled, and every question is answered");
        lines::let_all_succeed(&self.lab);
        let mut new = self.registry.clone();
        for job in &mut new.jobs {
            job.enabled = true;
        }
        self.write(new);
        for _ in 0..ROUNDS {
            if !self.problems.is_empty() || self.checker.unsettled(&self.registry).is_empty() {
                break;
            }
            self.answer_renames();
            self.enable_any();
            for job in self.held() {
                self.operate(&format!("retry {job} --held"));
            }
            self.pass(TimeDelta::hours(30));
        }
        let unsettled = self.checker.unsettled(&self.registry);
        self.problems.extend(unsettled);
    }

    fn held(&self) -> Vec<String> {
        let rows = self.checker.rows().values();
        let held = rows.filter(|rows| rows.rows.values().any(|row| row.state.starts_with("held")));
        held.map(|rows| rows.name.clone()).filter(|name| self.registry.job(name).is_some()).collect()
    }

    /// Says of each job that waits for a word whether it is another one.
    fn answer_renames(&mut self) {
        let known = |name: &str| self.checker.rows().values().any(|rows| rows.name == name);
        let gone: Vec<String> = self.checker.rows().values().map(|rows| rows.name.clone()).collect();
        let mut gone: Vec<String> = gone.into_iter().filter(|name| self.registry.job(name).is_none()).collect();
        let mut new: Registry = self.registry.clone();
        let unknown: Vec<usize> = (0..new.jobs.len()).filter(|index| !known(&new.jobs[*index].name)).collect();
        for index in unknown {
            new.jobs[index].previously = if gone.is_empty() || self.plan.random.once_in(3) {
                Previously::No
            } else {
                Previously::Name(gone.remove(self.plan.random.below(gone.len())))
            };
        }
        if new != self.registry {
            self.write(new);
        }
    }
}
