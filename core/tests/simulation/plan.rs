//! Registries by chance: jobs of every kind, and what an edit makes of them.

mod traits;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use chrono_tz::Tz;
use crontabber_core::job::{Command, DatePolicy, Job, JobName, OnLost, Retry, Template};

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
    /// A job needs only those of a lower rank, so that there is no circle.
    rank: usize,
    pub(crate) calendar: Calendar,
    pub(crate) job: Arc<Job>,
}

/// What a registry says.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    pub(crate) jobs: BTreeMap<JobName, Spec>,
    pub(crate) max_running: usize,
    pub(crate) pools: BTreeMap<String, usize>,
    pub(crate) stop_grace: Duration,
    /// How many past dates an edit may add.
    pub(crate) announce_over: u64,
}

/// How long what runs may take when the daemon stops.
fn grace(random: &mut Random) -> Duration {
    Duration::from_secs(u64::try_from(random.between(0, 60)).expect("not below zero"))
}

impl Registry {
    pub(crate) fn list(&self) -> Vec<Arc<Job>> {
        self.jobs.values().map(|spec| spec.job.clone()).collect()
    }

    /// The pool of a job, also by the name that it had before.
    pub(crate) fn pool_of(&self, name: &JobName) -> Option<&str> {
        let renamed = || self.jobs.values().find(|spec| spec.job.previously.as_ref() == Some(name));
        self.jobs.get(name).or_else(renamed)?.job.pool.as_deref()
    }
}

/// The registry as it stands in its file, and what becomes of it.
#[derive(Debug)]
pub(crate) struct Plan {
    pace: Pace,
    /// Every job there ever was; those that are removed may come back.
    all: BTreeMap<JobName, Spec>,
    removed: Vec<JobName>,
    /// The jobs that got another name, which the file has not said yet, each with its former one.
    unsaid: BTreeMap<JobName, JobName>,
    /// How many names were given; none is given twice.
    names: usize,
    /// The timetables that were ever in a registry, as the ledger writes them.
    pub(crate) calendars: BTreeMap<String, Calendar>,
    pub(crate) registry: Rc<Registry>,
}

impl Plan {
    pub(crate) fn new(random: &mut Random, pace: Pace, now: At) -> Self {
        let jobs = 1 + random.below(6);
        let pools = BTreeMap::from([("narrow".to_owned(), 1), ("wide".to_owned(), 2)]);
        let registry = Rc::new(Registry {
            jobs: BTreeMap::new(),
            max_running: 1 + random.below(4),
            pools,
            stop_grace: grace(random),
            announce_over: *random.pick(&[3, 100, 100_000]),
        });
        let (all, calendars) = (BTreeMap::new(), BTreeMap::new());
        let mut plan = Self { pace, all, removed: Vec::new(), unsaid: BTreeMap::new(), names: 0, calendars, registry };
        let hooks = if random.once_in(3) { 1 + random.below(2) } else { 0 };
        for _ in 0..hooks {
            let (name, zone) = (plan.name("hook"), *random.pick(&ZONES));
            let rule = Rule::None;
            let calendar =
                Calendar { rule, zone, start: None, end: None, delay: TimeDelta::zero(), counted_from: None };
            let spec = plan.spec(random, name.clone(), calendar, false);
            plan.all.insert(name, spec);
        }
        for _ in 0..jobs {
            let (name, backfill) = (plan.name("job"), !random.once_in(3));
            let calendar = calendar(random, pace, backfill, now);
            let mut spec = plan.spec(random, name.clone(), calendar, backfill);
            let needs = plan.needs(random, spec.rank);
            Arc::make_mut(&mut spec.job).depends_on = needs;
            Arc::make_mut(&mut spec.job).require = plan.requirements(random);
            plan.all.insert(name, spec);
        }
        plan.write();
        plan
    }

    fn name(&mut self, kind: &str) -> JobName {
        self.names += 1;
        JobName::new(&format!("{kind}{}", self.names - 1)).expect("a name")
    }

    fn spec(&self, random: &mut Random, name: JobName, calendar: Calendar, backfill: bool) -> Spec {
        let command = command(name.as_str());
        let is_independent = random.once_in(3);
        let date_policy = match calendar.rule {
            Rule::None => DatePolicy::OnDemand,
            _ if !backfill => DatePolicy::NewestOnly,
            _ if is_independent => DatePolicy::Independent { max_parallel: 1 },
            _ => DatePolicy::Strict,
        };
        let mut job = Job {
            date_policy,
            retry: retry(random, self.pace),
            timeout: random.once_in(4).then(|| Duration::from_secs(random.next() % 3000 + 20)),
            kill_grace: Duration::from_secs(random.next() % 30 + 1),
            on_lost: if random.once_in(6) { OnLost::Hold } else { OnLost::Retry },
            enabled: !random.once_in(30),
            tags: vec![if self.names.is_multiple_of(2) { "even" } else { "odd" }.to_owned()],
            ..Job::new(name, calendar.timetable(), command)
        };
        for kind in 0..traits::KINDS {
            if random.once_in(8) {
                traits::change(&mut job, kind, random, self.pace);
            }
        }
        traits::tidy(&mut job, calendar.rule == Rule::None);
        Spec { rank: self.names, calendar, job: Arc::new(job) }
    }

    /// Writes the file anew.
    fn write(&mut self) {
        let mut jobs = self.all.clone();
        jobs.retain(|name, _| !self.removed.contains(name));
        // A registry with a dependency that it does not have would be refused.
        loop {
            let names: Vec<JobName> = jobs.keys().cloned().collect();
            let count = jobs.len();
            jobs.retain(|_, spec| {
                let mut needed = spec.job.depends_on.iter().map(|dependency| &dependency.job).chain(&spec.job.require);
                needed.all(|name| names.contains(name))
            });
            if jobs.len() == count {
                break;
            }
        }
        // So would one with a job that nobody starts.
        let required: Vec<JobName> = jobs.values().flat_map(|spec| spec.job.require.iter().cloned()).collect();
        jobs.retain(|name, spec| spec.calendar.rule != Rule::None || required.contains(name));
        for spec in jobs.values() {
            self.calendars.insert(spec.job.timetable.to_string(), spec.calendar.clone());
        }
        self.registry = Rc::new(Registry { jobs, ..(*self.registry).clone() });
    }

    /// Somebody edits the file.
    pub(crate) fn edit(&mut self, random: &mut Random, now: At) {
        let names: Vec<JobName> = self.all.keys().cloned().collect();
        let name = random.pick(&names).clone();
        let (needs, requirements) = (self.needs(random, self.all[&name].rank), self.requirements(random));
        let spec = self.all.get_mut(&name).expect("one of them");
        let mut job = (*spec.job).clone();
        let is_hook = spec.calendar.rule == Rule::None;
        match random.below(12) {
            0 | 1 => match self.removed.iter().position(|removed| *removed == name) {
                Some(place) => _ = self.removed.remove(place),
                None => self.removed.push(name.clone()),
            },
            2 if !is_hook => spec.calendar.rule = self.pace.rule(random),
            3 if !is_hook && random.once_in(2) => {
                let days = i32::try_from(random.between(-5, 40)).expect("small");
                spec.calendar.end = (!random.once_in(3)).then(|| now + self.pace.interval() * days);
            }
            3 if !is_hook => spec.calendar.delay = delay(random, self.pace),
            4 => spec.calendar.start = spec.calendar.start.map(|start| start - whole_days(random, self.pace)),
            5 => spec.calendar.zone = *random.pick(&ZONES),
            6 if !is_hook => spec.calendar = calendar(random, self.pace, job.date_policy.is_backfillable(), now),
            7 if self.unsaid.contains_key(&name) => (job.previously, job.is_new) = (self.unsaid.remove(&name), false),
            7 => return self.rename(&name, !random.once_in(3)),
            8 | 9 => traits::change(&mut job, random.below(traits::KINDS), random, self.pace),
            _ => match random.below(10) {
                8 => job.is_new = true,
                9 => job.command = command(&random.next().to_string()),
                0 => {
                    job.date_policy = match job.date_policy {
                        DatePolicy::NewestOnly => DatePolicy::Strict,
                        DatePolicy::Strict | DatePolicy::Independent { .. } => DatePolicy::NewestOnly,
                        DatePolicy::OnDemand => DatePolicy::OnDemand,
                    }
                }
                1 => {
                    job.date_policy = match job.date_policy {
                        DatePolicy::Strict => DatePolicy::Independent { max_parallel: 1 },
                        DatePolicy::Independent { .. } => DatePolicy::Strict,
                        other => other,
                    }
                }
                2 => job.retry = retry(random, self.pace),
                3 => job.enabled = !job.enabled,
                4 => job.on_lost = if job.on_lost == OnLost::Hold { OnLost::Retry } else { OnLost::Hold },
                5 if !is_hook => job.depends_on = needs,
                6 if !is_hook => job.require = requirements,
                _ => _ = job.depends_on.pop(),
            },
        }
        job.timetable = spec.calendar.timetable();
        traits::tidy(&mut job, is_hook);
        spec.job = Arc::new(job);
        if random.once_in(4) {
            let pools = BTreeMap::from([("narrow".to_owned(), 1 + random.below(2)), ("wide".to_owned(), 2)]);
            let max_running = 1 + random.below(4);
            let stop_grace = grace(random);
            self.registry = Rc::new(Registry { max_running, pools, stop_grace, ..(*self.registry).clone() });
        }
        self.write();
    }

    /// A job gets another name, and keeps its ledger if the registry says so.
    fn rename(&mut self, from: &JobName, is_said: bool) {
        let is_hook = self.all[from].calendar.rule == Rule::None;
        let to = self.name(if is_hook { "hook" } else { "job" });
        for spec in self.all.values_mut() {
            let job = Arc::make_mut(&mut spec.job);
            let needed = job.depends_on.iter_mut().map(|dependency| &mut dependency.job).chain(&mut job.require);
            needed.filter(|name| **name == *from).for_each(|name| *name = to.clone());
        }
        let mut spec = self.all.remove(from).expect("one of them");
        let job = Arc::make_mut(&mut spec.job);
        (job.name, job.previously, job.is_new) = (to.clone(), is_said.then(|| from.clone()), false);
        if !is_said {
            self.unsaid.insert(to.clone(), from.clone());
        }
        self.removed.iter_mut().filter(|name| **name == *from).for_each(|name| *name = to.clone());
        self.all.insert(to, spec);
        self.write();
    }
}

fn command(argument: &str) -> Command {
    Command::Argv(["/bin/true", argument].map(|text| Template::parse(text).expect("a template")).to_vec())
}

fn calendar(random: &mut Random, pace: Pace, backfill: bool, now: At) -> Calendar {
    let whole = DateTime::from_timestamp(now.timestamp(), 0).expect("an instant");
    let start = (backfill || random.once_in(4)).then(|| whole - whole_days(random, pace));
    let end = random.once_in(8).then(|| whole + pace.interval() * i32::try_from(random.below(500)).expect("small"));
    let (rule, zone) = (pace.rule(random), *random.pick(&ZONES));
    Calendar { rule, zone, start, end, delay: delay(random, pace), counted_from: None }
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
