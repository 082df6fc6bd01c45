//! What operators ask for: everything there is, at random, rightly and wrongly.

use chrono::TimeDelta;
use crontabber_core::job::JobName;
use crontabber_core::session::{
    BackfillOrder, Enabling, Only, Operation, Past, PauseScope, Request, Retrying, SessionRecord, Skipping, State,
};

use crate::calendar::At;
use crate::world::World;

/// The names that operators give their backfills: so few that they are used again.
const KEYS: [&str; 3] = ["spring", "summer", "autumn"];

impl World {
    /// An operator asks for something; now and then for several things at once, about one job.
    pub(crate) fn post(&mut self) {
        if self.random.once_in(12) {
            return self.ask_about_pauses();
        }
        // Mostly about jobs of the registry, now and then about one that was removed.
        let is_meant = |name: &&JobName| self.plan.registry.jobs.contains_key(*name);
        let mut names: Vec<JobName> = self.ledger.jobs.keys().filter(is_meant).cloned().collect();
        if names.is_empty() || self.random.once_in(6) {
            names = self.ledger.jobs.keys().cloned().collect();
        }
        if names.is_empty() {
            return;
        }
        let job = self.random.pick(&names).clone();
        self.post_about(&job);
    }

    /// An operator asks for something about a job of which an attempt is open.
    pub(crate) fn post_about_running(&mut self) {
        let running: Vec<JobName> = self.ledger.open.keys().map(|open| open.session.job.clone()).collect();
        if running.is_empty() {
            return;
        }
        let job = self.random.pick(&running).clone();
        if self.random.once_in(2) {
            self.ask(job, Operation::Kill { date: None });
        } else {
            self.post_about(&job);
        }
    }

    fn post_about(&mut self, job: &JobName) {
        let count = *self.random.pick(&[1, 1, 1, 2, 4]);
        for _ in 0..count {
            let operation = self.operation(job);
            self.ask(job.clone(), operation);
        }
    }

    /// A request is handed in.
    pub(crate) fn ask(&mut self, job: impl Into<Option<JobName>>, operation: Operation) {
        let job = job.into();
        self.requests += 1;
        let (id, at, user, host) = (self.requests, self.now(), "ann".to_owned(), "here".to_owned());
        let request = Request { id, job, operation, at, user, host, reason: None, past: Past::default() };
        self.trace.note(|| format!("asked: {request:?}"));
        self.ledger.ask(request);
    }

    /// An operator pauses all jobs or some, mostly for a while, or ends a pause.
    fn ask_about_pauses(&mut self) {
        let scope = match self.random.below(4) {
            0 => PauseScope::Tag("odd".to_owned()),
            1 => PauseScope::Tag("even".to_owned()),
            _ => PauseScope::All,
        };
        let operation = if self.random.once_in(2) {
            let longest = self.pace.interval().num_seconds() * 6;
            let until =
                (!self.random.once_in(4)).then(|| self.now() + TimeDelta::seconds(self.random.between(-9, longest)));
            Operation::Pause { scope, until }
        } else {
            Operation::Resume { scope }
        };
        self.ask(None, operation);
    }

    /// When failures have stopped: what is paused is resumed, what is disabled is enabled, and what is held is attempted again.
    pub(crate) fn set_right(&mut self) {
        let paused: Vec<PauseScope> = self.ledger.pauses.keys().cloned().collect();
        for scope in paused {
            self.ask(None, Operation::Resume { scope });
        }
        let disabled: Vec<JobName> = self.ledger.disabled.keys().cloned().collect();
        for job in disabled {
            self.ask(job, Operation::Enable(Enabling::CatchUp));
        }
        let is_held = |row: &SessionRecord| matches!(row.state, State::Held { .. });
        let held = self.ledger.jobs.iter().filter(|(_, rows)| rows.dates().unsettled.values().any(is_held));
        let held: Vec<JobName> = held.map(|(name, _)| name.clone()).collect();
        for job in held {
            self.ask(job, Operation::Retry(Retrying::Held));
        }
    }

    fn operation(&mut self, job: &JobName) -> Operation {
        match self.random.below(18) {
            0 if self.resets < 3 => {
                self.resets += 1;
                let to = if self.random.once_in(2) { Some(self.some_instant(job)) } else { None };
                Operation::Reset { to }
            }
            0..=2 => Operation::Run { date: self.some_date(job), force: self.random.once_in(3) },
            3..=5 => Operation::Backfill(self.order(job)),
            6 | 7 => Operation::Skip(match self.random.below(3) {
                0 => Skipping::Date(self.any_date(job)),
                1 => Skipping::To(self.some_instant(job)),
                _ => Skipping::Count(self.random.next() % 5),
            }),
            8 => Operation::Disable { until: self.some_end(job) },
            9 | 10 => Operation::Enable(match self.random.below(5) {
                0 => Enabling::Plain,
                1 => Enabling::SkipMissed,
                2 => Enabling::SkipTo(self.some_instant(job)),
                _ => Enabling::CatchUp,
            }),
            11 => Operation::Done { date: self.any_date(job) },
            12 | 13 => Operation::Retry(match self.random.below(4) {
                0 => Retrying::Failed,
                1 => Retrying::Held,
                _ => Retrying::Date { date: self.any_date(job), again: self.random.once_in(2) },
            }),
            14 | 15 => Operation::CancelBackfill {
                name: self.random.once_in(2).then(|| (*self.random.pick(&KEYS)).to_owned()),
            },
            _ => Operation::Kill { date: if self.random.once_in(2) { self.some_date(job) } else { None } },
        }
    }

    fn order(&mut self, job: &JobName) -> BackfillOrder {
        let from = self.some_instant(job);
        let interval = self.pace.interval();
        let length = interval * i32::try_from(self.random.below(12)).expect("small");
        // Now and then more than enter at once.
        let is_long = self.random.once_in(150);
        let from = if is_long { from - interval * 4500 } else { from };
        let parallel = u32::try_from(1 + self.random.below(4)).expect("small");
        BackfillOrder {
            from,
            to: (!is_long && !self.random.once_in(3)).then(|| from + length),
            count: self.random.once_in(4).then(|| self.random.next() % 8),
            only: *self.random.pick(&[Only::Missing, Only::Failed, Only::All]),
            newest_first: self.random.once_in(3),
            parallel: if self.random.once_in(2) { 1 } else { parallel },
            name: self.random.once_in(2).then(|| (*self.random.pick(&KEYS)).to_owned()),
        }
    }

    /// A date that an operator could name, rightly or not.
    fn some_date(&mut self, job: &JobName) -> Option<At> {
        let rows = self.ledger.jobs.get(job)?;
        let dates = rows.dates();
        let next = || self.plan.calendars.get(&rows.record.timetable)?.next(rows.record.watermark?);
        let unsettled = || dates.unsettled.keys().copied();
        match self.random.below(9) {
            0 => unsettled().next(),
            1 => unsettled().next_back(),
            2 => dates.settled.keys().next_back().copied(),
            3 => next(),
            4 => Some(self.machine.now()),
            5 => {
                let all: Vec<At> = dates.settled.keys().rev().take(6).copied().chain(unsettled().take(6)).collect();
                (!all.is_empty()).then(|| *self.random.pick(&all))
            }
            _ => None,
        }
    }

    fn any_date(&mut self, job: &JobName) -> At {
        if let Some(date) = self.some_date(job) {
            return date;
        }
        let about = self.some_instant(job);
        let calendar = self.ledger.jobs.get(job).and_then(|rows| self.plan.calendars.get(&rows.record.timetable));
        calendar.and_then(|calendar| calendar.unbounded().next(about)).unwrap_or(about)
    }

    /// The end of a `disable`: often in the future, where it can be.
    fn some_end(&mut self, job: &JobName) -> Option<At> {
        let longest = self.pace.interval().num_seconds() * 4;
        match self.random.below(4) {
            0 => None,
            1 => Some(self.some_instant(job)),
            _ => Some(self.machine.now() + TimeDelta::seconds(self.random.between(1, longest))),
        }
    }

    /// An instant about now, or about the job's start.
    fn some_instant(&mut self, job: &JobName) -> At {
        let interval = self.pace.interval().num_seconds();
        let start = self.ledger.jobs.get(job).map(|rows| rows.record.first_date);
        let about = start.filter(|_| self.random.once_in(3)).unwrap_or_else(|| self.machine.now());
        about + TimeDelta::seconds(self.random.between(-12 * interval, 4 * interval))
    }
}
