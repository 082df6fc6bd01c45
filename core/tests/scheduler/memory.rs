//! What the scheduler holds in memory is what a restart would load, whatever has happened.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use crontabber_core::job::{CatchUp, DatePolicy, Dependency, Job, OnLost, OnUnknown, Overlap};
use crontabber_core::schedule::{Schedule, Timetable};
use crontabber_core::scheduler::{Event, ProbeAnswer};
use crontabber_core::session::{BackfillOrder, Enabling, Only, Operation, Outcome, Retrying, Skipping};
use proptest::prelude::*;
use proptest::sample::select;

use crate::fixtures::{name, on, on_demand, with_done_when};
use crate::world::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Act {
    Pass(i64),
    SetClock(i64),
    End(usize, Outcome),
    /// What runs succeeds, one after the other, and what starts then too.
    SucceedAll,
    AnswerProbe(ProbeAnswer),
    Reload(Registry),
    Ask(&'static str, Operation),
    Crash,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a key of a job in the registry")]
/// The registry: one job in strict order, one in independent order that depends on it, one that runs its newest date,
/// and one without a schedule that the second requires.
#[derive(Debug, Clone)]
struct Registry {
    present: [bool; 4],
    is_renamed: bool,
    crontab: &'static str,
    zone: Tz,
    start_hour: i64,
    delay_minutes: u64,
    keeps_every_date: bool,
    has_done_when: bool,
    enabled: bool,
    max_dates: Option<u32>,
    skip_late: bool,
    skip_overlap: bool,
    max_parallel: u32,
}

impl Registry {
    fn jobs(&self) -> Vec<Job> {
        let start = Some(hour(self.start_hour));
        let schedule = |crontab: &str| Schedule::crontab(crontab, self.zone).expect("a schedule");
        let mut load = backfill("load", "0 * * * *", "2026-11-01 00:00");
        let delay = Duration::from_mins(self.delay_minutes);
        load.timetable = Timetable::new(schedule(self.crontab), start, None, delay);
        load.date_policy = if self.keeps_every_date { DatePolicy::Strict } else { DatePolicy::NewestOnly };
        load.catch_up = CatchUp { max_age: None, max_dates: self.max_dates };
        load.on_lost = OnLost::Hold;
        load.retry.attempts = Some(2);
        load.enabled = self.enabled;
        if self.has_done_when {
            load = with_done_when(load);
            load.on_unknown = if self.skip_late { OnUnknown::Hold } else { OnUnknown::Run };
        }
        if self.is_renamed {
            (load.name, load.previously) = (name("loads"), Some(name("load")));
        }
        let mut report = backfill("report", "30 */2 * * *", "2026-11-01 00:00");
        report.date_policy = DatePolicy::Independent { max_parallel: self.max_parallel };
        report.depends_on = vec![Dependency { ignore_failure: true, ..on(load.name.as_str()) }];
        report.require = vec![name("helper")];
        let mut plain = job("plain", "*/20 * * * *");
        plain.skip_late = self.skip_late.then_some(Duration::from_mins(30));
        plain.overlap = if self.skip_overlap { Overlap::Skip } else { Overlap::Wait };
        let jobs = [load, report, plain, on_demand("helper")].into_iter().zip(self.present);
        // A job that waits for a word in the registry is not in the ledger.
        let jobs = jobs.filter(|(_, is_present)| *is_present).map(|(job, _)| Job { is_new: true, ..job });
        jobs.collect()
    }
}

fn hour(hours: i64) -> DateTime<Utc> {
    at("2026-11-01 00:00") + TimeDelta::hours(hours)
}

/// Dates of the schedules, and some that are none.
fn dates() -> impl Strategy<Value = DateTime<Utc>> {
    (-3_i64..12, select(vec![0, 0, 0, 0, 0, 30, 20, 10]))
        .prop_map(|(hours, minutes)| hour(hours) + TimeDelta::minutes(minutes))
}

fn registries() -> impl Strategy<Value = Registry> {
    let flag = || prop::bool::weighted(0.3);
    let mostly = || prop::bool::weighted(0.85);
    (
        [mostly(), mostly(), mostly(), mostly()],
        (flag(), mostly(), flag(), mostly(), flag(), flag()),
        (
            select(vec!["0 * * * *", "*/30 * * * *", "10 */3 * * *"]),
            select(vec![Tz::UTC, Tz::America__New_York, Tz::Asia__Kathmandu]),
        ),
        select(vec![0, 0, -8, 20]),
        select(vec![0, 0, 45, 180]),
        (select(vec![None, None, Some(3)]), 1_u32..4),
    )
        .prop_map(|(present, flags, (crontab, zone), start_hour, delay_minutes, (max_dates, max_parallel))| {
            let (is_renamed, keeps_every_date, has_done_when, enabled, skip_late, skip_overlap) = flags;
            Registry {
                present,
                is_renamed,
                crontab,
                zone,
                start_hour,
                delay_minutes,
                keeps_every_date,
                has_done_when,
                enabled,
                max_dates,
                skip_late,
                skip_overlap,
                max_parallel,
            }
        })
}

fn operations() -> impl Strategy<Value = Operation> {
    let only = select(vec![Only::Missing, Only::Failed, Only::All]);
    let called = select(vec![None, None, Some("again".to_owned())]);
    let orders = (dates(), prop::option::of(dates()), only, any::<bool>(), 1_u32..3, called).prop_map(
        |(from, to, only, newest_first, parallel, name)| {
            Operation::Backfill(BackfillOrder { from, to, count: None, only, newest_first, parallel, name })
        },
    );
    prop_oneof![
        3 => orders,
        1 => (prop::option::of(dates()), any::<bool>()).prop_map(|(date, force)| Operation::Run { date, force }),
        1 => prop::option::of(dates()).prop_map(|to| Operation::Reset { to }),
        2 => dates().prop_map(|date| Operation::Skip(Skipping::Date(date))),
        1 => dates().prop_map(|to| Operation::Skip(Skipping::To(to))),
        1 => (1_u64..5).prop_map(|count| Operation::Skip(Skipping::Count(count))),
        1 => dates().prop_map(|to| Operation::Enable(Enabling::SkipTo(to))),
        2 => select(vec![Enabling::Plain, Enabling::CatchUp, Enabling::SkipMissed]).prop_map(Operation::Enable),
        1 => prop::option::of(dates()).prop_map(|until| Operation::Disable { until }),
        2 => dates().prop_map(|date| Operation::Done { date }),
        2 => (dates(), any::<bool>()).prop_map(|(date, again)| Operation::Retry(Retrying::Date { date, again })),
        1 => select(vec![Retrying::Failed, Retrying::Held]).prop_map(Operation::Retry),
        2 => select(vec![None, None, Some("again".to_owned())])
            .prop_map(|name| Operation::CancelBackfill { name }),
        1 => prop::option::of(dates()).prop_map(|date| Operation::Kill { date }),
    ]
}

fn acts() -> impl Strategy<Value = Act> {
    let outcomes = || {
        prop_oneof![
            6 => Just(Outcome::Succeeded),
            3 => Just(Outcome::Failed { code: 1 }),
            1 => select(vec![Outcome::Lost, Outcome::Interrupted, Outcome::Cancelled, Outcome::TimedOut]),
        ]
    };
    let jobs = || select(vec!["load", "load", "load", "loads", "loads", "report", "plain", "helper"]);
    prop_oneof![
        4 => (1_i64..200).prop_map(Act::Pass),
        1 => (-400_i64..400).prop_map(Act::SetClock),
        8 => (0_usize..4, outcomes()).prop_map(|(which, outcome)| Act::End(which, outcome)),
        2 => Just(Act::SucceedAll),
        3 => select(vec![
            ProbeAnswer::Done,
            ProbeAnswer::NotDone,
            ProbeAnswer::NotDone,
            ProbeAnswer::Lost,
            ProbeAnswer::Unknown("exit 127".to_owned()),
        ])
        .prop_map(Act::AnswerProbe),
        2 => registries().prop_map(Act::Reload),
        5 => (jobs(), operations()).prop_map(|(job, operation)| Act::Ask(job, operation)),
        1 => Just(Act::Crash),
    ]
}

fn perform(world: &mut World, act: Act) {
    // No two acts come at the same instant.
    world.now += TimeDelta::microseconds(1_001);
    match act {
        Act::Pass(minutes) => world.pass_to(world.now + TimeDelta::minutes(minutes)),
        Act::SetClock(minutes) => {
            world.now += TimeDelta::minutes(minutes);
            world.handle(Event::Tick);
        }
        Act::End(which, outcome) => {
            if let Some(start) = world.running.get(which).cloned() {
                world.end_attempt(start.attempt, outcome);
            }
        }
        Act::SucceedAll => world.settle(succeed),
        Act::AnswerProbe(answer) => {
            if !world.probes.is_empty() {
                world.end_probe(answer);
            }
        }
        Act::Reload(registry) => world.reload(registry.jobs()),
        Act::Ask(job, operation) => world.request(job, operation),
        Act::Crash => {
            world.probes.clear();
            world.crash();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_holds_what_a_restart_would_load(first in registries(), acts in prop::collection::vec(acts(), 1..80)) {
        let mut world = World::new("2026-11-01 06:00", first.jobs());
        for act in acts {
            perform(&mut world, act);
            world.assert_memory_is_as_loaded();
        }
        // The order of dates in this history is not that of the last registry.
        world.jobs.clear();
    }
}
