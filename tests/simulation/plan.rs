//! Registries by chance: jobs of every kind, and what an edit makes of them.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use chrono_tz::Tz;
use crontabber::job::{Command, Job, JobName, OnLost, Order, Retry, Template};

use crate::calendar::{At, Calendar, Rule};
use crate::random::Random;

const ZONES: [Tz; 5] =
    [Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe, Tz::Asia__Kolkata];

/// How often the dates of a simulation come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Days, weeks and months.
    Days,
    /// Hours, and some days.
    Hours,
    /// Minutes, and some hours.
    Minutes,
}

impl Pace {
    pub(crate) fn any(random: &mut Random) -> Self {
        *random.pick(&[Self::Days, Self::Days, Self::Days, Self::Hours, Self::Hours, Self::Minutes])
    }

    /// About what lies between two dates.
    pub(crate) fn interval(self) -> TimeDelta {
        match self {
            Self::Days => TimeDelta::days(1),
            Self::Hours => TimeDelta::hours(2),
            Self::Minutes => TimeDelta::minutes(10),
        }
    }

    fn rule(self, random: &mut Random) -> Rule {
        let mut number = |below: usize| u32::try_from(random.below(below)).expect("a small number");
        let (minute, hour) = (number(60), number(24));
        match (self, number(8)) {
            (Self::Days, 0) => Rule::Weekly(number(7), hour, minute),
            (Self::Days, 1) => Rule::Monthly(1 + number(31), hour, minute),
            (Self::Days, 2) => Rule::Days(1 + number(3), hour, minute),
            (Self::Days, 3) | (Self::Hours, 0) => Rule::Hours([6, 8, 12][number(3) as usize], minute),
            // Where the clocks change.
            (Self::Days | Self::Hours, 4) => Rule::Daily(number(4), [0, 15, 30, 59][number(4) as usize]),
            (Self::Days, _) | (Self::Hours, 1) => Rule::Daily(hour, minute),
            (Self::Hours, 2 | 3) => Rule::Grid([60, 90, 180, 360][number(4) as usize]),
            (Self::Hours, _) => Rule::Hours([1, 2, 3, 4][number(4) as usize], minute),
            (Self::Minutes, 0) => Rule::Hours(1, minute),
            (Self::Minutes, 1 | 2) => Rule::Grid([7, 10, 15, 30][number(4) as usize]),
            (Self::Minutes, _) => Rule::Minutes([5, 10, 15, 20, 30][number(5) as usize]),
        }
    }
}

/// A job, and its dates as the checkers know them.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) calendar: Calendar,
    pub(crate) job: Arc<Job>,
}

/// What a registry says.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    pub(crate) jobs: BTreeMap<JobName, Spec>,
    pub(crate) max_running: usize,
}

impl Registry {
    pub(crate) fn list(&self) -> Vec<Arc<Job>> {
        self.jobs.values().map(|spec| spec.job.clone()).collect()
    }
}

/// The registry as it stands in its file, and what becomes of it.
#[derive(Debug)]
pub(crate) struct Plan {
    pace: Pace,
    /// Every job there ever was; those that are removed may come back.
    all: BTreeMap<JobName, Spec>,
    removed: Vec<JobName>,
    /// The timetables that were ever in a registry, as the ledger writes them.
    pub(crate) calendars: BTreeMap<String, Calendar>,
    pub(crate) registry: Rc<Registry>,
}

impl Plan {
    pub(crate) fn new(random: &mut Random, pace: Pace, now: At) -> Self {
        let jobs = 1 + random.below(6);
        let registry = Rc::new(Registry { jobs: BTreeMap::new(), max_running: 1 + random.below(4) });
        let mut plan = Self { pace, all: BTreeMap::new(), removed: Vec::new(), calendars: BTreeMap::new(), registry };
        for number in 0..jobs {
            let name = JobName::new(&format!("job{number}")).expect("a name");
            let before: Vec<JobName> = plan.all.keys().cloned().collect();
            let spec = plan.spec(random, name.clone(), &before, now);
            plan.all.insert(name, spec);
        }
        plan.write();
        plan
    }

    fn spec(&self, random: &mut Random, name: JobName, before: &[JobName], now: At) -> Spec {
        let backfill = !random.once_in(3);
        let depends = !before.is_empty() && random.once_in(3);
        let calendar = calendar(random, self.pace, backfill, now);
        let command = Command::Argv(vec![Template::parse("/bin/true").expect("a template")]);
        let job = Job {
            backfill,
            order: if random.once_in(3) { Order::Independent } else { Order::Strict },
            retry: retry(random, self.pace),
            timeout: random.once_in(4).then(|| Duration::from_secs(random.next() % 3000 + 20)),
            kill_grace: Duration::from_secs(random.next() % 30 + 1),
            depends_on: if depends { vec![random.pick(before).clone().into()] } else { Vec::new() },
            on_lost: if random.once_in(6) { OnLost::Hold } else { OnLost::Retry },
            enabled: !random.once_in(30),
            ..Job::new(name, calendar.timetable(), command)
        };
        Spec { calendar, job: Arc::new(job) }
    }

    /// Writes the file anew.
    fn write(&mut self) {
        let mut jobs = self.all.clone();
        jobs.retain(|name, _| !self.removed.contains(name));
        // A registry with a dependency that it does not have would be refused.
        loop {
            let names: Vec<JobName> = jobs.keys().cloned().collect();
            let count = jobs.len();
            jobs.retain(|_, spec| spec.job.depends_on.iter().all(|dependency| names.contains(&dependency.job)));
            if jobs.len() == count {
                break;
            }
        }
        for spec in jobs.values() {
            self.calendars.insert(spec.job.timetable.to_string(), spec.calendar.clone());
        }
        self.registry = Rc::new(Registry { jobs, max_running: self.registry.max_running });
    }

    /// Somebody edits the file.
    pub(crate) fn edit(&mut self, random: &mut Random, now: At) {
        let names: Vec<JobName> = self.all.keys().cloned().collect();
        let name = random.pick(&names).clone();
        let spec = self.all.get_mut(&name).expect("one of them");
        let mut job = (*spec.job).clone();
        match random.below(8) {
            0 | 1 => match self.removed.iter().position(|removed| *removed == name) {
                Some(place) => _ = self.removed.remove(place),
                None => self.removed.push(name.clone()),
            },
            2 => spec.calendar.rule = self.pace.rule(random),
            3 => spec.calendar.delay = delay(random, self.pace),
            4 => spec.calendar.start = spec.calendar.start.map(|start| start - whole_days(random, self.pace)),
            5 => spec.calendar.zone = *random.pick(&ZONES),
            6 => spec.calendar = calendar(random, self.pace, job.backfill, now),
            _ => match random.below(6) {
                0 => job.backfill = !job.backfill,
                1 => job.order = if job.order == Order::Strict { Order::Independent } else { Order::Strict },
                2 => job.retry = retry(random, self.pace),
                3 => job.enabled = !job.enabled,
                4 => job.on_lost = if job.on_lost == OnLost::Hold { OnLost::Retry } else { OnLost::Hold },
                _ => _ = job.depends_on.pop(),
            },
        }
        job.timetable = spec.calendar.timetable();
        spec.job = Arc::new(job);
        if random.once_in(4) {
            let max_running = 1 + random.below(4);
            self.registry = Rc::new(Registry { max_running, ..(*self.registry).clone() });
        }
        self.write();
    }
}

fn calendar(random: &mut Random, pace: Pace, backfill: bool, now: At) -> Calendar {
    let whole = DateTime::from_timestamp(now.timestamp(), 0).expect("an instant");
    let start = (backfill || random.once_in(4)).then(|| whole - whole_days(random, pace));
    let end = random.once_in(8).then(|| whole + pace.interval() * i32::try_from(random.below(500)).expect("small"));
    let (rule, zone) = (pace.rule(random), *random.pick(&ZONES));
    Calendar { rule, zone, start, end, delay: delay(random, pace) }
}

/// Some past; now and then, some future.
fn whole_days(random: &mut Random, pace: Pace) -> TimeDelta {
    let seconds = pace.interval().num_seconds() * random.between(-3, 20);
    TimeDelta::seconds(seconds + random.between(0, 3600))
}

fn delay(random: &mut Random, pace: Pace) -> TimeDelta {
    let long = pace.interval().num_seconds();
    TimeDelta::seconds(if random.once_in(3) { random.between(0, long) } else { 0 })
}

fn retry(random: &mut Random, pace: Pace) -> Retry {
    let most = u64::try_from(pace.interval().num_seconds()).expect("positive") / 8;
    let after = Duration::from_secs(1 + random.next() % most);
    let factor = *random.pick(&[1.0, 1.0, 1.5, 2.0, 10.0]);
    let at_most = (!random.once_in(3)).then(|| after * 4);
    let attempts = random.once_in(3).then(|| 1 + u32::try_from(random.below(5)).expect("small"));
    Retry { after, factor, at_most, attempts }
}
