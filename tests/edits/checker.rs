//! The independent checker: it knows the registry as it was edited, what the jobs wrote, and the rows of the ledger. Nothing
//! here asks the code under test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::announced::Announced;
use crate::ledger::{JobRows, Row, Rows};
use crate::lines::Line;
use crate::periods::Expected;
use crate::registry::Registry;
use crate::renames::{Fate, LastRegistry};
use crate::rules::At;

/// A date of a job, by the name under which the job entered the ledger.
type Date = (String, At);

/// What was seen after a command, or after a daemon has done its work.
#[derive(Debug, Clone)]
pub(crate) struct Seen<'a> {
    pub(crate) now: At,
    pub(crate) registry: &'a Registry,
    /// Whether all due dates are to be recorded now.
    pub(crate) is_wake: bool,
    /// What `check --json` said before.
    pub(crate) check: &'a Value,
    pub(crate) rows: Rows,
    pub(crate) lines: &'a [Line],
}

/// What is known from the beginning of the case on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checker {
    before: Rows,
    expected: BTreeMap<String, Expected>,
    last_registry: LastRegistry,
    /// By the name of a job at any time, the name under which it entered.
    names: BTreeMap<String, String>,
    keys: BTreeMap<String, Date>,
    key_of: BTreeMap<Date, String>,
    attempts: BTreeSet<(String, u32)>,
    succeeded: BTreeSet<Date>,
    /// Skipped dates that an operator has let run.
    asked: BTreeSet<Date>,
    /// Dates that are announced to be skipped as moved.
    moved: BTreeMap<Date, At>,
    /// Jobs whose last edit took effect when they were enabled, which `check` cannot announce.
    unannounced: BTreeSet<String>,
    problems: Vec<String>,
}

impl Checker {
    /// The rows that were seen last.
    pub(crate) fn rows(&self) -> &Rows {
        &self.before
    }

    /// An operator asks for a skipped date.
    pub(crate) fn ask(&mut self, job: &str, date: At) {
        self.asked.insert((job.to_owned(), date));
    }

    /// Takes what was seen, and returns what is wrong.
    pub(crate) fn see(&mut self, seen: Seen<'_>) -> Vec<String> {
        self.enter_jobs(&seen);
        for (stable, job) in &seen.rows {
            self.names.insert(job.name.clone(), stable.clone());
            let Some(spec) = seen.registry.job(&job.name) else { continue };
            let before = self.before.get(stable);
            let is_active = spec.enabled && job.disabled_by.is_none();
            let is_edited = before.is_some_and(|before| before.timetable != job.timetable);
            let expected = self.expected.entry(stable.clone()).or_insert_with(|| Expected::new(spec, seen.now));
            if let Some(before) = before.filter(|_| is_active && seen.is_wake)
                && !expected.is_in_force(spec, before, job)
            {
                self.problems.push(format!("{}: its edit is not in force: {}", job.name, job.timetable));
            }
            if is_edited && before.is_some_and(|before| before.disabled_by.is_some()) {
                self.unannounced.insert(stable.clone());
            } else if is_edited {
                self.unannounced.remove(stable);
            }
            if is_edited || (is_active && seen.is_wake) {
                expected.adopt(spec, before.and_then(|before| before.watermark), seen.now);
            }
            let announced = Announced::of(seen.check, &job.name);
            self.moved.extend(announced.moved.iter().map(|(date, of)| ((stable.clone(), *date), *of)));
            if let Some(before) = before {
                self.problems.extend(self.changed(stable, before, job));
                if seen.is_wake && is_active {
                    self.problems.extend(announced.compare(before, job));
                }
            }
            if seen.is_wake && is_active {
                self.problems.extend(self.expected[stable].lost(job, seen.now));
            }
            let is_asked = |date| self.asked.contains(&(stable.clone(), date));
            self.problems.extend(self.expected[stable].twice(job, is_asked));
        }
        for line in seen.lines {
            self.ran(line, &seen.rows);
        }
        self.before = seen.rows;
        std::mem::take(&mut self.problems)
    }

    /// Jobs that the ledger did not know are new, take over another one, or wait.
    fn enter_jobs(&mut self, seen: &Seen<'_>) {
        let fates = self.last_registry.fates(seen.registry, &self.before, seen.now);
        for (name, fate) in fates.iter().filter(|_| seen.is_wake) {
            let found = seen.rows.iter().find(|(_, job)| job.name == *name).map(|(stable, _)| stable);
            let is_so = match (fate, found) {
                (Fate::New, Some(stable)) => !self.before.contains_key(stable),
                (Fate::TakesOver(expected), Some(stable)) => expected == stable,
                (Fate::Held(_), None) => true,
                _ => false,
            };
            if !is_so {
                self.problems.push(format!("{name} is to be {fate:?}, and is {found:?} in the ledger"));
            }
        }
        self.last_registry.read(seen.registry, &seen.rows, &fates);
    }

    /// What must not change of a row.
    fn changed(&self, stable: &str, before: &JobRows, after: &JobRows) -> Vec<String> {
        let mut wrong = Vec::new();
        let name = &after.name;
        for (date, was) in &before.rows {
            let Some(row) = after.rows.get(date) else {
                wrong.push(format!("{name}: the row of {date} is gone"));
                continue;
            };
            if row.zone != was.zone {
                wrong.push(format!("{name}: the zone of {date} was {}, and is {}", was.zone, row.zone));
            }
            if was.state == "succeeded" && row.state != "succeeded" {
                wrong.push(format!("{name}: {date} had succeeded, and is {}", row.state));
            }
            let this = (stable.to_owned(), *date);
            if was.state == "skipped: moved"
                && !row.is_out()
                && !self.asked.contains(&this)
                && let Some(of) = self.moved.get(&this)
                && after.rows.get(of).is_some_and(|of| !of.is_out())
            {
                wrong.push(format!("{name}: {date} is {} again, and {of} stands for its period", row.state));
            }
            if row.is_out() && !was.is_out() && was.attempts > 0 {
                wrong.push(format!("{name}: {date} was attempted, and is {}", row.state));
            }
        }
        let is_moved = |row: &Row| row.state == "skipped: moved";
        for (date, _) in after.rows.iter().filter(|(_, row)| is_moved(row)) {
            if !self.unannounced.contains(stable)
                && !before.rows.get(date).is_some_and(is_moved)
                && !self.moved.contains_key(&(stable.to_owned(), *date))
            {
                wrong.push(format!("{name}: {date} is skipped as moved, and nobody had announced it"));
            }
        }
        wrong
    }

    /// An attempt.
    fn ran(&mut self, line: &Line, rows: &Rows) {
        let Line { job, date, told, day, key, attempt, succeeded } = line;
        let mut wrong = |text: String| self.problems.push(format!("{job}, {date}, attempt {attempt}: {text}"));
        let Some(stable) = self.names.get(job).cloned() else {
            return wrong("the ledger has no such job".to_owned());
        };
        let this = (stable.clone(), *date);
        let Some(row) = rows.get(&stable).and_then(|job| job.rows.get(date)) else {
            return wrong("the ledger has no such date".to_owned());
        };
        let local = date.with_timezone(&row.zone);
        if *told != local.to_rfc3339() || *day != local.date_naive().to_string() {
            wrong(format!("it was told {told} and {day}, and is recorded in {}", row.zone));
        }
        if self.keys.entry(key.clone()).or_insert_with(|| this.clone()) != &this {
            wrong(format!("its key `{key}` is that of another date"));
        }
        if self.key_of.entry(this.clone()).or_insert_with(|| key.clone()) != key {
            wrong(format!("its key is `{key}`, and was `{}`", self.key_of[&this]));
        }
        if !self.attempts.insert((key.clone(), *attempt)) {
            wrong("it was started a second time".to_owned());
        }
        if self.succeeded.contains(&this) {
            wrong("its date had succeeded before".to_owned());
        }
        if *succeeded {
            if row.state != "succeeded" && row.state != "running" {
                wrong(format!("it succeeded, and the ledger has its date as {}", row.state));
            }
            self.succeeded.insert(this);
        }
    }

    /// What is not settled at the end, when nothing fails and everything is enabled.
    pub(crate) fn unsettled(&self, registry: &Registry) -> Vec<String> {
        let mut found = Vec::new();
        for job in &registry.jobs {
            let Some(rows) = self.before.values().find(|rows| rows.name == job.name) else {
                found.push(format!("{}: it is not in the ledger", job.name));
                continue;
            };
            found.extend(rows.disabled_by.as_ref().map(|user| format!("{}: disabled by {user}", job.name)));
            let unsettled = rows.rows.iter().filter(|(_, row)| !row.is_settled());
            found.extend(unsettled.map(|(date, row)| format!("{}: {date} is {}", job.name, row.state)));
        }
        found
    }
}
