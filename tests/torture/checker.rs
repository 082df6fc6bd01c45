//! The independent checker: it reads the files that the jobs write, and never the ledger.
//!
//! No date runs again after success, no two attempts of a job overlap, dates run in order, and none is missing. The
//! only exception is an attempt whose warden was killed while it ran or before it recorded the exit: its outcome is
//! unknown, and its date is attempted again. These are counted.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::fault_log::{Gap, Moment};
use crate::jobs::{Order, TortureJob};

/// The longest time from a job's last line until the warden's journal has its exit.
const TO_SPOOL: Duration = Duration::from_millis(500);
/// Between two dates of every job: seconds.
const STEP: i64 = 60;
/// Lines of context around a violation.
const AROUND: usize = 4;

/// One attempt, as its job recorded it.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    /// In seconds since the Unix epoch.
    pub(crate) date: i64,
    pub(crate) attempt: u32,
    pid: u32,
    born: Moment,
    pub(crate) started: Moment,
    pub(crate) ended: Option<(Moment, u8)>,
    line: usize,
}

impl Try {
    pub(crate) fn succeeded(&self) -> bool {
        self.ended.is_some_and(|(_, status)| status == 0)
    }

    /// Whether its outcome is unknown because a warden was killed.
    pub(crate) fn is_excused(&self, gaps: &[Gap]) -> bool {
        let until = self.ended.map(|(at, _)| at.after(TO_SPOOL));
        gaps.iter().any(|gap| gap.to >= self.born && until.is_none_or(|until| gap.from <= until))
    }
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) job: String,
    pub(crate) date: Option<i64>,
    pub(crate) text: String,
    pub(crate) around: Vec<String>,
    pub(crate) at: Option<Moment>,
}

/// The attempts of a job, and the violations among them.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) job: String,
    lines: Vec<String>,
    known: HashSet<(i64, u32)>,
    pub(crate) tries: Vec<Try>,
    pub(crate) violations: Vec<Violation>,
    /// Dates that ran again after a success whose record was lost with a killed warden.
    pub(crate) excused: u64,
}

impl Story {
    /// Whether an attempt recorded its start.
    pub(crate) fn knows(&self, date: i64, attempt: u32) -> bool {
        self.known.contains(&(date, attempt))
    }

    /// Reads the lines of a job.
    pub(crate) fn read(job: &str, text: &str) -> Self {
        let mut story =
            Self { job: job.to_owned(), lines: text.lines().map(str::to_owned).collect(), ..Self::default() };
        for line in 0..story.lines.len() {
            if story.take(line).is_none() {
                story.wrong(line, None, "the line cannot be read".to_owned());
            }
        }
        story
    }

    fn take(&mut self, line: usize) -> Option<()> {
        let words: Vec<String> = self.lines[line].split(' ').map(str::to_owned).collect();
        let [word, date, attempt, pid, at, last] = words.as_slice() else { return None };
        let (date, attempt) = (date.parse().ok()?, attempt.parse().ok()?);
        let (pid, at) = (pid.parse().ok()?, at.parse().ok()?);
        match word.as_str() {
            "start" | "overlap" => {
                let one = Try { date, attempt, pid, born: last.parse().ok()?, started: at, ended: None, line };
                if word == "overlap" {
                    self.wrong(line, Some(date), "it runs beside another of its job".to_owned());
                }
                if !self.known.insert((date, attempt)) {
                    self.wrong(line, Some(date), format!("attempt {attempt} was started a second time"));
                }
                self.tries.push(one);
            }
            "end" => {
                let status = last.parse().ok()?;
                let is_last =
                    self.tries.last().is_some_and(|one| (one.date, one.attempt, one.pid) == (date, attempt, pid));
                if !is_last {
                    self.wrong(line, Some(date), "it ended after another of its job had started".to_owned());
                }
                let one =
                    self.tries.iter_mut().rfind(|one| (one.date, one.attempt, one.pid) == (date, attempt, pid))?;
                one.ended = Some((at, status));
            }
            _ => return None,
        }
        Some(())
    }

    /// Records a violation at a line.
    pub(crate) fn wrong(&mut self, line: usize, date: Option<i64>, text: String) {
        let from = line.saturating_sub(AROUND);
        let until = self.lines.len().min(line + AROUND + 1);
        let mark = |index: usize| if index == line { '>' } else { ' ' };
        let around = (from..until).map(|index| format!("{} {}", mark(index), self.lines[index])).collect();
        let at = self.lines.get(line).and_then(|line| line.split(' ').nth(4)?.parse().ok());
        self.violations.push(Violation { job: self.job.clone(), date, text, around, at });
    }

    /// Records a violation of an attempt.
    pub(crate) fn wrong_try(&mut self, one: &Try, text: String) {
        self.wrong(one.line, Some(one.date), text);
    }

    /// The moment of each date's first success.
    pub(crate) fn successes(&self) -> BTreeMap<i64, Moment> {
        let mut all = BTreeMap::new();
        for one in self.tries.iter().filter(|one| one.succeeded()) {
            if let Some((at, _)) = one.ended {
                all.entry(one.date).or_insert(at);
            }
        }
        all
    }

    /// No date twice after success.
    pub(crate) fn check_once(&mut self, gaps: &[Gap]) {
        let mut succeeded: BTreeMap<i64, Try> = BTreeMap::new();
        for one in self.tries.clone() {
            if let Some(before) = succeeded.get(&one.date) {
                if before.is_excused(gaps) {
                    self.excused += 1;
                } else {
                    let text =
                        format!("attempt {} of a date of which attempt {} succeeded", one.attempt, before.attempt);
                    self.wrong_try(&one, text);
                }
            }
            if one.succeeded() {
                succeeded.insert(one.date, one);
            }
        }
    }

    /// In order: a date starts when every earlier one has succeeded.
    pub(crate) fn check_order(&mut self, start: i64) {
        let mut succeeded = BTreeSet::new();
        let mut newest = start;
        for one in self.tries.clone() {
            if one.date < newest {
                self.wrong_try(&one, format!("it was started after {}", shown(newest)));
            }
            if one.date > newest {
                let missing = (newest..one.date).step_by(60).find(|date| !succeeded.contains(date));
                if let Some(missing) = missing {
                    self.wrong_try(&one, format!("it was started before {} had succeeded", shown(missing)));
                }
                newest = one.date;
            }
            if one.succeeded() {
                succeeded.insert(one.date);
            }
        }
    }

    /// None missing: every minute from the start on has succeeded.
    pub(crate) fn check_complete(&mut self, start: i64, until: i64) {
        let successes = self.successes();
        let newest = successes.last_key_value().map_or(until, |(date, _)| until.max(*date));
        let mut date = start;
        while date <= newest {
            if !successes.contains_key(&date) {
                let line = self.tries.iter().rfind(|one| one.date <= date).map_or(0, |one| one.line);
                self.wrong(line, Some(date), "it never succeeded".to_owned());
            }
            date += STEP;
        }
        let strange = self.tries.iter().find(|one| one.date < start || (one.date - start) % STEP != 0).cloned();
        if let Some(one) = strange {
            self.wrong_try(&one, "it is no date of its job".to_owned());
        }
    }

    /// A date starts when that of the other job has succeeded, and all before it.
    pub(crate) fn check_dependency(&mut self, other: &str, start: i64, theirs: &BTreeMap<i64, Moment>) {
        let mut latest = Moment(0);
        let mut date = start;
        let mut done = BTreeMap::new();
        while let Some(at) = theirs.get(&date) {
            latest = latest.max(*at);
            done.insert(date, latest);
            date += STEP;
        }
        for one in self.tries.clone() {
            // What the other job never had is none of its dates.
            let before = done.range(..=one.date).next_back();
            let is_done = done.contains_key(&one.date) && before.is_some_and(|(_, at)| *at <= one.started);
            if !is_done {
                self.wrong_try(&one, format!("it was started before `{other}` had done its date"));
            }
        }
    }
}

/// Checks what all jobs wrote. `until` is the last minute that must have run.
pub(crate) fn check(texts: &[(TortureJob, i64, String)], until: i64, gaps: &[Gap]) -> Vec<Story> {
    let mut stories: Vec<Story> = Vec::new();
    for (job, start, text) in texts {
        let mut story = Story::read(job.name, text);
        story.check_once(gaps);
        if job.order == Order::Strict {
            story.check_order(*start);
        }
        if job.order != Order::Newest {
            story.check_complete(*start, until);
        }
        stories.push(story);
    }
    for (index, (job, ..)) in texts.iter().enumerate() {
        let other = job.depends_on.and_then(|name| texts.iter().position(|(job, ..)| job.name == name));
        if let Some(other) = other {
            let theirs = stories[other].successes();
            let (name, start) = (texts[other].0.name, texts[other].1);
            stories[index].check_dependency(name, start, &theirs);
        }
    }
    stories
}

/// A date as text.
pub(crate) fn shown(date: i64) -> String {
    DateTime::<Utc>::from_timestamp(date, 0).map_or_else(|| date.to_string(), |date| date.format("%FT%RZ").to_string())
}
