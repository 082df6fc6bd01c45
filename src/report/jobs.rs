//! The jobs of the registry: their state, and first those that need an operator.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::daemon::{DaemonFinding, vanished};
use super::error::ReportError;
use super::job_filter::JobFilter;
use super::last_lines::last_lines_of_failed;
use super::lateness::{Late, late};
use super::orphans::is_watched;
use super::scheduling::{Question, ask};
use super::zones::Zones;
use crate::duration::rough;
use crate::job::{Job, JobName};
use crate::ledger::{AttemptFilter, Between, LedgerError, Reader};
use crate::registry::Registry;
use crate::scheduler::{BlockReason, JobCondition, JobStatus, Recovered, Remaining};
use crate::session::{AttemptRecord, Disabled, JobRecord, Pause};
use crate::text::{counted, in_zone, times, to_the_second};

/// The jobs of the registry by urgency, and what else the ledger holds.
pub(crate) struct JobList {
    pub(crate) jobs: Vec<Listed>,
    pub(crate) ghosts: Vec<JobName>,
    /// Why some of them may have gone.
    pub(crate) vanished: Option<DaemonFinding>,
    pub(crate) zones: Zones,
    is_watched: bool,
    now: DateTime<Utc>,
}

impl JobList {
    /// Reads the state of every job; without a ledger nothing has run yet.
    pub(crate) fn read(
        registry: Registry,
        filter: &JobFilter,
        mut reader: Option<&mut Reader>,
        logs: &Path,
        now: DateTime<Utc>,
    ) -> Result<Self, ReportError> {
        let (recovered, is_watched) = match reader.as_deref_mut() {
            Some(reader) => (reader.recovered_for(&registry.jobs)?, is_watched(reader)?),
            None => (Recovered::default(), false),
        };
        let mut zones = Zones::of_recovered(Some(&registry), &recovered);
        if let Some(reader) = reader.as_deref_mut() {
            zones.learn_newest(reader)?;
        }
        let ghosts = ghosts(&registry.jobs, &recovered.jobs);
        filter.know_listed(&registry, &ghosts)?;
        let vanished = vanished(&registry, &ghosts);
        let open = recovered.open.clone();
        let decided = ask(recovered, registry, Question::State, now);
        let listed = |job: &'_ Arc<Job>| {
            let recorded = zones.recorded_as(&job.name);
            let view = decided.view(&job.name).or_else(|| decided.view(recorded));
            let view = view.filter(|view| filter.has(job, view.state))?;
            let of_job: Vec<&AttemptRecord> = open.iter().filter(|open| open.key.session.job == *recorded).collect();
            let late = late(job, &view, &of_job, now);
            Some(Listed { job: job.clone(), view, late, last_line: None })
        };
        let mut jobs: Vec<Listed> = decided.jobs.iter().filter_map(listed).collect();
        if let Some(reader) = reader {
            for Listed { view, last_line, .. } in &mut jobs {
                let blocking = set_age(view, reader)?;
                *last_line = last_lines_of_failed(blocking.as_ref(), logs).pop();
            }
        }
        jobs.sort_by(|a, b| urgency(a).cmp(&urgency(b)).then_with(|| a.job.name.cmp(&b.job.name)));
        Ok(Self { jobs, ghosts, vanished, zones, is_watched, now })
    }

    /// The rows by name, as programs read them.
    pub(crate) fn rows(&self) -> Vec<JobRow<'_>> {
        let mut jobs: Vec<&Listed> = self.jobs.iter().collect();
        jobs.sort_by(|a, b| a.job.name.cmp(&b.job.name));
        jobs.into_iter().map(|listed| row(listed, &self.zones)).collect()
    }

    /// The lines below a job: what blocks it, what is late, and what its backfills have left.
    pub(crate) fn details(&self, Listed { job, view, late, last_line }: &Listed) -> Vec<String> {
        let late = late.as_ref().map(|late| late.line(self.zones.at(&job.name, late.date)));
        let situation = situation(job, view, self.is_watched, self.now, &self.zones);
        let backfills = to_go(&view.to_go, |date| self.zones.shown(&job.name, date)).map(backfills_have(&view.to_go));
        let last_line = last_line.as_ref().map(|line| format!("| {line}"));
        let renamed = (view.record.name != job.name).then(|| takes_over(&view.record.name));
        [renamed, situation, last_line, late, backfills].into_iter().flatten().collect()
    }
}

/// A job whose ledger still has its previous name, while an attempt of that name is open.
pub(crate) fn takes_over(before: &JobName) -> String {
    format!("takes over the dates of `{before}` once the open attempt of `{before}` has ended")
}

/// A date is blocked at most since the last attempt at it, or at the dates before it, has ended. Returns the last attempt
/// at it.
pub(crate) fn set_age(view: &mut JobStatus, reader: &mut Reader) -> Result<Option<AttemptRecord>, LedgerError> {
    let Some((date, since)) = &mut view.blocked_at else { return Ok(None) };
    let dates = Between { from: None, to: Between::only(*date).to };
    let jobs = Some(vec![view.record.name.clone()]);
    let filter = AttemptFilter { jobs, dates, newest: Some(1), ..AttemptFilter::default() };
    let mut last = None;
    reader.attempts(&filter, &mut |attempt| {
        *since = attempt.end.as_ref().map_or(*since, |end| end.ended_at.max(*since));
        last = Some(attempt).filter(|attempt| attempt.key.session.date == *date);
        ControlFlow::Continue(())
    })?;
    Ok(last)
}

/// What needs an operator comes first.
fn urgency(listed: &Listed) -> usize {
    let of_state = listed.view.state as usize;
    // What is late is as urgent as what is blocked; so is a backfill that needs an operator.
    if listed.late.is_some() || listed.view.to_go.held.is_some() {
        of_state.min(JobCondition::Blocked as usize)
    } else {
        of_state
    }
}

/// A job of the list.
#[derive(Debug, Serialize)]
pub(crate) struct JobRow<'a> {
    pub(crate) job: &'a str,
    pub(crate) description: Option<&'a str>,
    pub(crate) tags: &'a [String],
    /// Whether it may run now.
    pub(crate) enabled: bool,
    pub(crate) disabled_by: Vec<DisabledRow<'a>>,
    pub(crate) backfill: bool,
    pub(crate) state: &'static str,
    pub(crate) schedule: String,
    pub(crate) timezone: &'static str,
    pub(crate) last_success: Option<String>,
    pub(crate) next_date: Option<String>,
    pub(crate) next_due: Option<String>,
    pub(crate) backlog: u64,
    pub(crate) backfilling: u64,
    pub(crate) oldest: Option<String>,
    pub(crate) blocked_by: Option<BlockRow>,
    /// What the attempt that blocks it printed last.
    pub(crate) last_line: Option<&'a str>,
    pub(crate) late: Option<&'static str>,
    pub(crate) late_because: Option<String>,
    pub(crate) depends_on: Vec<&'a str>,
    pub(crate) require: Vec<&'a str>,
    pub(crate) running: Vec<RunningRow>,
}

/// An open attempt.
#[derive(Debug, Serialize)]
pub(crate) struct RunningRow {
    pub(crate) date: String,
    pub(crate) attempt: u32,
}

/// Who or what keeps a job from running.
#[derive(Debug, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub(crate) enum DisabledRow<'a> {
    /// It says `enabled = false`, or does not have the job.
    Registry,
    Operator {
        user: &'a str,
        since: String,
        until: Option<String>,
        reason: Option<&'a str>,
    },
    /// An operator paused all jobs, or those with a tag.
    Pause {
        tag: Option<&'a str>,
        user: &'a str,
        since: String,
        until: Option<String>,
        reason: Option<&'a str>,
    },
}

/// All that keeps a job from running; nothing, if it may run now.
pub(crate) fn disabled_by<'a>(job: Option<&Job>, view: &'a JobStatus, zone: Tz) -> Vec<DisabledRow<'a>> {
    let registry = Some(DisabledRow::Registry).filter(|_| job.is_none_or(|job| !job.enabled));
    let operator = view.disabled.as_ref().map(|disabled| DisabledRow::Operator {
        user: &disabled.user,
        since: in_zone(disabled.at, zone),
        until: disabled.until.map(|until| in_zone(until, zone)),
        reason: disabled.reason.as_deref(),
    });
    let pauses = view.pauses.iter().map(|pause| DisabledRow::Pause {
        tag: pause.scope.tag(),
        user: &pause.user,
        since: in_zone(pause.at, zone),
        until: pause.until.map(|until| in_zone(until, zone)),
        reason: pause.reason.as_deref(),
    });
    registry.into_iter().chain(operator).chain(pauses).collect()
}

/// What a job waits for.
#[derive(Debug, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub(crate) enum BlockRow {
    Dependency {
        job: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        date: Option<String>,
    },
    Held {
        date: String,
        reason: String,
    },
    Retry {
        date: String,
        retry_at: String,
    },
    Disabled,
    Operator {
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        user: String,
        since: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    },
    Pool {
        pool: String,
    },
    MaxRunning,
    TakesOver {
        previously: String,
    },
    ClockAhead {
        date: String,
    },
    ClockHeld {
        seen: String,
        wait_seconds: u64,
    },
    Pause {
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        user: String,
        since: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        /// The other pauses of the job, which end earlier.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        others: Vec<BlockRow>,
    },
}

/// The jobs of the ledger that the registry does not have, by name. One whose dates another job is about to take over is
/// none.
pub(crate) fn ghosts(jobs: &[Job], records: &[JobRecord]) -> Vec<JobName> {
    let kept: HashSet<&JobName> =
        records.iter().filter(|record| !record.may_be_replaced()).map(|record| &record.name).collect();
    let taken_over = jobs.iter().filter(|job| !kept.contains(&job.name)).filter_map(|job| job.previously.as_ref());
    let known: HashSet<&JobName> = jobs.iter().map(|job| &job.name).chain(taken_over).collect();
    let mut ghosts: Vec<JobName> =
        records.iter().filter(|record| !known.contains(&record.name)).map(|record| record.name.clone()).collect();
    ghosts.sort_unstable();
    ghosts
}

/// A job of the registry, its state, and what is late about it.
pub(crate) struct Listed {
    pub(crate) job: Arc<Job>,
    pub(crate) view: JobStatus,
    pub(crate) late: Option<Late>,
    /// What the attempt that blocks it printed last.
    pub(crate) last_line: Option<String>,
}

fn row<'a>(listed: &'a Listed, zones: &Zones) -> JobRow<'a> {
    let Listed { job, view, late, last_line } = listed;
    let zone = job.timetable.zone();
    let date = |date: DateTime<Utc>| zones.shown(&job.name, date);
    let disabled_by = disabled_by(Some(job), view, zone);
    JobRow {
        job: job.name.as_str(),
        description: job.description.as_deref(),
        tags: &job.tags,
        enabled: disabled_by.is_empty(),
        disabled_by,
        backfill: job.date_policy.is_backfillable(),
        state: view.state.word(),
        schedule: job.timetable.schedule.text(),
        timezone: zone.name(),
        last_success: view.record.last_success.map(date),
        next_date: view.next.map(date),
        next_due: view.next.map(|next| in_zone(job.timetable.due(next), zone)),
        backlog: view.backlog,
        backfilling: view.to_go.dates,
        oldest: view.oldest.map(date),
        blocked_by: view.blocked_by.as_ref().map(|block| block_row(block, &job.name, zones)),
        last_line: last_line.as_deref(),
        late: late.as_ref().map(Late::word),
        late_because: late.as_ref().map(|late| late.because(zones.at(&job.name, late.date))),
        depends_on: job.depends_on.iter().map(|dependency| dependency.job.as_str()).collect(),
        require: job.require.iter().map(JobName::as_str).collect(),
        running: view
            .running
            .iter()
            .map(|open| RunningRow { date: date(open.session.date), attempt: open.number })
            .collect(),
    }
}

fn pause_row(pause: &Pause, others: &[Pause], zone: Tz) -> BlockRow {
    let Pause { scope, at, until, user, reason } = pause;
    BlockRow::Pause {
        tag: scope.tag().map(str::to_owned),
        reason: reason.clone(),
        user: user.clone(),
        since: in_zone(*at, zone),
        until: until.map(|until| in_zone(until, zone)),
        others: others.iter().map(|other| pause_row(other, &[], zone)).collect(),
    }
}

pub(crate) fn block_row(block: &BlockReason, of: &JobName, zones: &Zones) -> BlockRow {
    let at = |at: DateTime<Utc>| in_zone(at, zones.of(of));
    let dated = |date: DateTime<Utc>| zones.shown(of, date);
    match block {
        BlockReason::Dependency { job, date } => {
            BlockRow::Dependency { job: job.to_string(), date: date.map(|date| zones.shown(job, date)) }
        }
        BlockReason::Held { date, reason } => BlockRow::Held { date: dated(*date), reason: reason.clone() },
        BlockReason::Retry { date, at: retry_at } => {
            BlockRow::Retry { date: dated(*date), retry_at: in_zone(*retry_at, zones.at(of, *date)) }
        }
        BlockReason::Disabled => BlockRow::Disabled,
        BlockReason::DisabledBy(Disabled { user, at: since, until, reason, .. }) => {
            BlockRow::Operator { reason: reason.clone(), user: user.clone(), since: at(*since), until: until.map(at) }
        }
        BlockReason::Paused { pause, others } => pause_row(pause, others, zones.of(of)),
        BlockReason::Pool { pool, .. } => BlockRow::Pool { pool: pool.clone() },
        BlockReason::Full { .. } => BlockRow::MaxRunning,
        BlockReason::ClockHeld { seen, wait } => BlockRow::ClockHeld { seen: at(*seen), wait_seconds: wait.as_secs() },
        BlockReason::TakesOver { previously } => BlockRow::TakesOver { previously: previously.to_string() },
        BlockReason::WatermarkAhead { watermark } => BlockRow::ClockAhead { date: dated(*watermark) },
    }
}

/// Why a job is not simply ok, in one or two lines.
pub(crate) fn situation(
    job: &Job,
    view: &JobStatus,
    is_watched: bool,
    now: DateTime<Utc>,
    zones: &Zones,
) -> Option<String> {
    let zone = job.timetable.zone();
    let dated = |date: DateTime<Utc>| zones.shown(&job.name, date);
    if let [open, others @ ..] = view.running.as_slice() {
        let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
        let nobody = if is_watched { "" } else { ", but no daemon runs: whether it has ended is unknown" };
        return Some(format!("{}, attempt {}{more}{nobody}", dated(open.session.date), open.number));
    }
    let blocked = || {
        let (date, since) = view.blocked_at?;
        let time = (now - since).to_std().unwrap_or_default();
        let behind = if view.backlog > 1 { format!(", {} behind", view.backlog) } else { String::new() };
        Some(format!("blocked at {} for {}{behind}\n", dated(date), rough(time)))
    };
    let blocked = || blocked().unwrap_or_default();
    match view.blocked_by.as_ref() {
        Some(BlockReason::Dependency { job, date: Some(date) }) => {
            Some(format!("{}waits for `{job}`, whose {} is not settled", blocked(), zones.shown(job, *date)))
        }
        Some(BlockReason::Dependency { job, date: None }) => {
            Some(format!("{}waits for `{job}`, which has no settled date yet", blocked()))
        }
        Some(BlockReason::Held { reason, .. }) => Some(format!("{}needs an operator: {reason}", blocked())),
        Some(BlockReason::Retry { date, at }) => {
            let (times, zone) = (times(view.failures), zones.at(&job.name, *date));
            Some(format!("{}failed {times}; next attempt at {}", blocked(), to_the_second(*at, zone)))
        }
        Some(
            block @ (BlockReason::Pool { .. }
            | BlockReason::Full { .. }
            | BlockReason::ClockHeld { .. }
            | BlockReason::TakesOver { .. }),
        ) => Some(format!(
            "{}waits for {}",
            blocked(),
            block.describe(zone, |of, date| zones.shown(of.unwrap_or(&job.name), date))
        )),
        Some(BlockReason::WatermarkAhead { watermark }) => {
            Some(format!("its newest recorded date, {}, is in the future: was the clock wrong?", dated(*watermark)))
        }
        Some(BlockReason::Paused { pause, others }) => {
            let wait =
                if view.backlog > 0 { format!("{} waiting; ", counted(view.backlog, "date")) } else { String::new() };
            let others = others.iter().map(|pause| format!("\npaused: {}\n{}", pause.describe(zone), pause.end(zone)));
            let others: String = others.collect();
            Some(format!("paused: {}\n{wait}{}{others}", pause.describe(zone), pause.end(zone)))
        }
        Some(BlockReason::DisabledBy(by)) if by.is_by_itself() => {
            let reason = by.reason.as_deref().unwrap_or_default();
            Some(format!("{}needs an operator: {reason}", blocked()))
        }
        Some(BlockReason::DisabledBy(by)) => {
            let until = by.until.map(|until| format!(" until {}", in_zone(until, zone))).unwrap_or_default();
            let reason = by.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            Some(format!("disabled by {} at {}{until}{reason}", by.user, to_the_second(by.at, zone)))
        }
        Some(BlockReason::Disabled) => Some("disabled in the registry (`enabled = false`)".to_owned()),
        None => match view.oldest {
            Some(oldest) if view.failures > 0 => {
                Some(format!("{} failed {}; its next attempt is due", dated(oldest), times(view.failures)))
            }
            Some(oldest) => Some(format!("{} is due and not started", dated(oldest))),
            None => None,
        },
    }
}

/// How many dates the backfills of a job have left, and which of them need an operator.
pub(crate) fn to_go(to_go: &Remaining, shown: impl Fn(DateTime<Utc>) -> String) -> Option<String> {
    let Remaining { dates, first, held, failed, .. } = to_go;
    let mut text = Some(*dates).filter(|dates| *dates > 0).map(|dates| format!("{} to go", counted(dates, "date")))?;
    let stuck = [(held, "held"), (failed, "failed")];
    for (stuck, word) in stuck.into_iter().filter_map(|(stuck, word)| stuck.map(|stuck| (stuck, word))) {
        let (count, first) = stuck;
        text.push_str(&format!(", {count} {word}, the first {}", shown(first)));
    }
    if let (Some(first), None, None) = (first, held, failed) {
        text.push_str(&format!(", the first {}", shown(*first)));
    }
    Some(text)
}

fn backfills_have(to_go: &Remaining) -> impl Fn(String) -> String {
    let have =
        if to_go.backfills == 1 { "a backfill has".to_owned() } else { format!("{} backfills have", to_go.backfills) };
    move |dates| format!("{have} {dates}")
}
