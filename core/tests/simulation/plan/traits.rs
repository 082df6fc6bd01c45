//! What a registry may say of a job beside its dates: catch-up, overlap, pools, what is needed and asked.

use std::time::Duration;

use crontabber_core::job::{
    CatchUp, Command, DatePolicy, Dependency, Job, JobName, Offset, OnLost, OnUnknown, Overlap, Period, Template,
};

use super::{Pace, Plan, Spec};
use crate::calendar::Rule;
use crate::random::Random;

/// How many kinds of them there are.
pub(super) const KINDS: usize = 7;

/// Changes what a job says of one kind.
pub(super) fn change(job: &mut Job, kind: usize, random: &mut Random, pace: Pace) {
    let interval = u64::try_from(pace.interval().num_seconds()).expect("positive");
    let mut some_time = |most: u64| Duration::from_secs(1 + random.next() % most);
    match kind {
        0 => {
            let max_age = Some(some_time(interval * 6));
            let max_dates = Some(u32::try_from(1 + random.below(5)).expect("small"));
            job.catch_up = *random.pick(&[
                CatchUp { max_age, max_dates: None },
                CatchUp { max_age: None, max_dates },
                CatchUp { max_age, max_dates },
                CatchUp::default(),
            ]);
        }
        1 => job.overlap = if job.overlap == Overlap::Skip { Overlap::Wait } else { Overlap::Skip },
        2 => job.skip_late = if job.skip_late.is_none() { Some(some_time(interval * 2)) } else { None },
        3 => {
            let most = u32::try_from(1 + random.below(3)).expect("small");
            if let DatePolicy::Independent { max_parallel } = &mut job.date_policy {
                *max_parallel = most;
            }
        }
        4 => job.pool = random.pick(&[Some("narrow"), Some("wide"), Some("nowhere"), None]).map(str::to_owned),
        5 => job.priority = i32::try_from(random.between(-1, 1)).expect("small"),
        _ => {
            let command = Command::Argv(vec![Template::parse("/bin/false").expect("a template")]);
            job.done_when = if job.done_when.is_none() { Some(command) } else { None };
            job.on_unknown = if job.on_lost == OnLost::Hold { OnUnknown::Hold } else { OnUnknown::Run };
        }
    }
}

/// Takes off what a registry would refuse, since it means nothing.
pub(super) fn tidy(job: &mut Job, is_hook: bool) {
    if !job.date_policy.is_backfillable() {
        job.catch_up = CatchUp::default();
    }
    if is_hook {
        (job.overlap, job.skip_late) = (Overlap::Wait, None);
    }
}

impl Plan {
    /// What a job may need of those that are there, one of them at the most.
    pub(super) fn needs(&self, random: &mut Random, rank: usize) -> Vec<Dependency> {
        let is_below = |spec: &Spec| spec.calendar.rule != Rule::None && spec.rank < rank;
        let scheduled = self.all.iter().filter(|(_, spec)| is_below(spec));
        let names: Vec<JobName> = scheduled.map(|(name, _)| name.clone()).collect();
        if names.is_empty() || !random.once_in(3) {
            return Vec::new();
        }
        let interval = self.pace.interval().num_seconds();
        let periods = [Period::Hour, Period::Day, Period::Day, Period::Week, Period::Month];
        let covers = random.once_in(3).then(|| *random.pick(&periods));
        let days = if random.once_in(5) { i32::try_from(random.between(-2, 1)).expect("small") } else { 0 };
        let seconds = if random.once_in(5) { random.between(-2, 1) * interval } else { 0 };
        let (job, offset) = (random.pick(&names).clone(), Offset { days, seconds });
        vec![Dependency { job, covers, offset, ignore_failure: random.once_in(4) }]
    }

    /// The jobs without a schedule that a job may require.
    pub(super) fn requirements(&self, random: &mut Random) -> Vec<JobName> {
        let hooks = self.all.iter().filter(|(_, spec)| spec.calendar.rule == Rule::None);
        hooks.filter(|_| random.once_in(2)).map(|(name, _)| name.clone()).collect()
    }
}
