//! The search for the dates that hang below, job by job.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::downstream_job::DownstreamJob;
use crate::job::{Dependency, Job, JobName, Period};
use crate::ledger::{Between, LedgerError, Reader, SessionFilter};
use crate::report::sessions::collected;
use crate::report::zones::{JobZones, Zones};
use crate::schedule::TICK;
use crate::scheduler::Scheduler;
use crate::session::{BackfillOrder, Only, Operation, Retrying, SessionRecord, SkipReason, Skipping, State};

/// A longer `offset` is taken for this: longer than any schedule looks back.
const MOST_DAYS: i64 = 36_600;

/// The jobs, each after those that it depends on.
pub(super) fn sorted<'a>(jobs: &HashMap<&'a JobName, &'a Job>) -> Vec<&'a Job> {
    fn visit<'a>(
        job: &'a Job,
        jobs: &HashMap<&'a JobName, &'a Job>,
        seen: &mut HashSet<&'a JobName>,
        sorted: &mut Vec<&'a Job>,
    ) {
        if !seen.insert(&job.name) {
            return;
        }
        let needed = job.depends_on.iter().map(|dependency| &dependency.job).chain(&job.require);
        for other in needed.filter_map(|name| jobs.get(name)) {
            visit(other, jobs, seen, sorted);
        }
        sorted.push(job);
    }
    let mut names: Vec<&JobName> = jobs.keys().copied().collect();
    names.sort_unstable();
    let (mut seen, mut all) = (HashSet::new(), Vec::new());
    for job in names.into_iter().filter_map(|name| jobs.get(name)) {
        visit(job, jobs, &mut seen, &mut all);
    }
    all
}

/// Dates of a job that the request changes or has wait, and whether each runs in the order of its schedule: then the
/// dates of schedules that depend on it wait for it.
pub(super) type Affected = BTreeMap<DateTime<Utc>, bool>;

/// What becomes of a date that hangs below.
enum Fate {
    /// It is changed.
    Changed { is_repeated: bool, is_in_order: bool },
    /// It runs all the same.
    Waits { is_in_order: bool },
    /// It stays as it is.
    LeftOut(&'static str),
    /// It is none of the dates.
    None,
}

/// See the module's page.
pub(super) struct Search<'a> {
    pub(super) operation: &'a Operation,
    pub(super) now: DateTime<Utc>,
    pub(super) scheduler: Scheduler,
    pub(super) zones: Zones,
    /// The names that jobs have in the ledger.
    pub(super) names: HashMap<JobName, JobName>,
    pub(super) reader: Option<&'a mut Reader>,
}

impl Search<'_> {
    fn is_skip(&self) -> bool {
        matches!(self.operation, Operation::Skip(_))
    }

    /// The sessions of a job in a range.
    fn rows(
        &mut self,
        job: &JobName,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<BTreeMap<DateTime<Utc>, SessionRecord>, LedgerError> {
        let Some(reader) = self.reader.as_deref_mut() else { return Ok(BTreeMap::new()) };
        let jobs = self.names.get(job).map(|name| vec![name.clone()]);
        let dates = Between { from: Some(from), to: Some(to) };
        let rows = collected(reader, &SessionFilter { jobs, dates, ..SessionFilter::default() })?;
        Ok(rows.into_iter().map(|row| (row.key.date, row)).collect())
    }

    /// The dates that the request names.
    pub(super) fn root(&mut self, job: &Job, dates: &BTreeSet<DateTime<Utc>>) -> Result<Affected, LedgerError> {
        let (Some(first), Some(last)) = (dates.first(), dates.last()) else { return Ok(Affected::new()) };
        let rows = self.rows(&job.name, *first, *last + TICK)?;
        let is_in_order = |date: &DateTime<Utc>| rows.get(date).is_some_and(is_in_order);
        Ok(dates.iter().map(|date| (*date, is_in_order(date))).collect())
    }

    /// The dates of `job` that hang below those, if there are any.
    pub(super) fn below(
        &mut self,
        job: &Job,
        jobs: &HashMap<&JobName, &Job>,
        affected: &HashMap<&JobName, Affected>,
    ) -> Result<Option<(DownstreamJob, Affected)>, LedgerError> {
        let required: Vec<Dependency> = job.require.iter().cloned().map(Dependency::on).collect();
        let mut above = Vec::new();
        for (dependency, is_required) in
            job.depends_on.iter().map(|on| (on, false)).chain(required.iter().map(|on| (on, true)))
        {
            let dates = affected.get(&dependency.job).filter(|dates| !dates.is_empty());
            if let (Some(dates), Some(other)) = (dates, jobs.get(&dependency.job)) {
                above.push(self.above(job, dependency, is_required, dates, other)?);
            }
        }
        let from = above.iter().map(|above| above.from).min();
        let (Some(from), Some(to)) = (from, above.iter().map(|above| above.to).max()) else { return Ok(None) };
        let rows = self.rows(&job.name, from, to)?;
        let mut zones = self.zones.of_dates(&job.name);
        zones.record_all(rows.values());
        let timetable = job.timetable.without_start();
        let end = if self.is_skip() { to } else { to.min(self.now + TICK) };
        let of_schedule = timetable.dates(from, end).map_while(Result::ok);
        let candidates: BTreeSet<DateTime<Utc>> = of_schedule.chain(rows.keys().copied()).collect();
        let (job_name, left_out) = (job.name.clone(), Vec::new());
        let mut found = DownstreamJob {
            job: job_name,
            zones: JobZones::default(),
            operations: Vec::new(),
            dates: BTreeSet::new(),
            repeated: 0,
            left_out,
        };
        let mut hanging = Affected::new();
        let mut previous = candidates.first().and_then(|first| timetable.previous_before(*first));
        for date in candidates {
            let row = rows.get(&date);
            let before = previous.replace(date);
            let covered = above.iter().filter_map(|above| above.covers(date, before, zones.at(date)));
            let Some(waits) = covered.reduce(|a, b| a && b) else { continue };
            match self.fate(job, date, row, waits) {
                Fate::Changed { is_repeated, is_in_order } => {
                    found.dates.insert(date);
                    found.repeated += usize::from(is_repeated);
                    hanging.insert(date, is_in_order);
                }
                Fate::Waits { is_in_order } => _ = hanging.insert(date, is_in_order),
                Fate::LeftOut(reason) => found.left_out.push((date, reason)),
                Fate::None => {}
            }
        }
        found.zones = zones;
        found.operations = self.operations(job, &found, &rows);
        Ok(Some((found, hanging)))
    }

    /// The dates of `other` that count for one dependency.
    fn above<'d>(
        &mut self,
        job: &Job,
        dependency: &'d Dependency,
        is_required: bool,
        dates: &'d Affected,
        other: &Job,
    ) -> Result<Above<'d>, LedgerError> {
        let first = dates.first_key_value().map_or(self.now, |(date, _)| *date);
        let last = dates.last_key_value().map_or(self.now, |(date, _)| *date);
        let days = match dependency.covers {
            None | Some(Period::Hour | Period::Day) => 2,
            Some(Period::Week) => 9,
            Some(Period::Month) => 33,
            Some(Period::Year) => 368,
        };
        let offset = TimeDelta::days(i64::from(dependency.offset.days.unsigned_abs()).min(MOST_DAYS))
            + TimeDelta::seconds(dependency.offset.seconds.saturating_abs().min(MOST_DAYS * 86_400));
        let slack = TimeDelta::days(days) + offset;
        let (from, mut to) = (first - slack, last + slack);
        let mut all = BTreeSet::new();
        if dependency.covers.is_none() && !is_required {
            // Until the next date of the other job, which later dates hang below; at least the next date of this one.
            let next = |job: &Job| job.timetable.without_start().next_after(last + offset).ok().flatten();
            to = [next(other), next(job)].into_iter().flatten().fold(last, DateTime::max) + slack;
            all.extend(self.rows(&other.name, from, to)?.into_keys());
            all.extend(other.timetable.without_start().dates(from, to).map_while(Result::ok));
        }
        Ok(Above { dependency, is_required, dates, all, from, to })
    }

    fn fate(&self, job: &Job, date: DateTime<Utc>, row: Option<&SessionRecord>, waits: bool) -> Fate {
        let is_unsettled = || self.scheduler.explain(&job.name, date).is_some();
        let Some(row) = row else {
            return match self.operation {
                Operation::Skip(_) if is_unsettled() => Fate::Changed { is_repeated: false, is_in_order: true },
                Operation::Backfill(_) if self.is_early(job, date) => {
                    Fate::Changed { is_repeated: false, is_in_order: false }
                }
                _ => Fate::None,
            };
        };
        let is_in_order = is_in_order(row);
        match &row.state {
            State::Running => Fate::LeftOut("is running"),
            State::Waiting | State::Failed { .. } | State::Held { .. } if self.is_skip() => {
                Fate::Changed { is_repeated: false, is_in_order }
            }
            _ if self.is_skip() || date > self.now => Fate::None,
            State::Waiting => Fate::Waits { is_in_order },
            // In the order of its schedule, it would not wait for a date that is repeated outside it.
            State::Failed { .. } | State::Held { .. } if is_in_order && !waits => Fate::LeftOut(
                "failed or held, and does not wait for a repetition; `crontabber retry` runs it afterwards",
            ),
            State::Failed { .. } | State::Held { .. } => Fate::Changed { is_repeated: false, is_in_order },
            State::Succeeded => Fate::Changed { is_repeated: true, is_in_order: false },
            State::Skipped { reason: SkipReason::Operator | SkipReason::Cancelled } => {
                Fate::Changed { is_repeated: false, is_in_order: false }
            }
            State::Skipped { .. } => Fate::None,
        }
    }

    /// Whether the job would have had the date, had it begun earlier.
    fn is_early(&self, job: &Job, date: DateTime<Utc>) -> bool {
        let first = self.scheduler.view(&job.name).map(|view| view.record.first_date);
        job.date_policy.is_backfillable() && first.is_some_and(|first| date < first)
    }

    /// What an operator would order for the dates of a job: a backfill for consecutive ones.
    fn operations(
        &self,
        job: &Job,
        found: &DownstreamJob,
        rows: &BTreeMap<DateTime<Utc>, SessionRecord>,
    ) -> Vec<Operation> {
        if self.is_skip() {
            return found.dates.iter().map(|date| Operation::Skip(Skipping::Date(*date))).collect();
        }
        let (Some(first), Some(last)) = (found.dates.first(), found.dates.last()) else { return Vec::new() };
        let timetable = job.timetable.without_start();
        let mut rest = found.dates.clone();
        let mut runs: Vec<Vec<DateTime<Utc>>> = vec![Vec::new()];
        for date in timetable.dates(*first, *last + TICK).map_while(Result::ok) {
            // A backfill leaves these as they are.
            let stays = || rows.get(&date).is_some_and(|row| matches!(row.state, State::Waiting | State::Running));
            if rest.remove(&date) {
                if let Some(run) = runs.last_mut() {
                    run.push(date);
                }
            } else if !stays() {
                runs.push(Vec::new());
            }
        }
        runs.extend(rest.into_iter().map(|date| vec![date]));
        let mut operations: Vec<(DateTime<Utc>, Operation)> = Vec::new();
        for run in runs {
            let (Some(first), Some(last)) = (run.first().copied(), run.last().copied()) else { continue };
            let operation = if run.len() == 1 && rows.contains_key(&first) {
                Operation::Retry(Retrying::Date { date: first, again: true })
            } else {
                Operation::Backfill(BackfillOrder {
                    from: first,
                    to: Some(last + TICK),
                    count: None,
                    only: Only::All,
                    newest_first: false,
                    parallel: 1,
                    name: None,
                })
            };
            operations.push((first, operation));
        }
        operations.sort_by_key(|(first, _)| *first);
        operations.into_iter().map(|(_, operation)| operation).collect()
    }
}

/// The changed dates of one job that another one depends on.
struct Above<'a> {
    dependency: &'a Dependency,
    is_required: bool,
    dates: &'a Affected,
    /// Without a period: all dates of the job around them.
    all: BTreeSet<DateTime<Utc>>,
    /// Dates outside this range do not hang below them.
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Above<'_> {
    /// Whether the date hangs below some of them; and whether all of these run in the order of their schedule. `previous` is
    /// the date before it.
    fn covers(&self, date: DateTime<Utc>, previous: Option<DateTime<Utc>>, zone: Tz) -> Option<bool> {
        if self.is_required {
            return self.dates.get(&date).copied();
        }
        let span = self.dependency.span(date, zone);
        let since_previous = || match previous {
            Some(previous) => {
                let since = self.dependency.span(previous, zone).until + TICK;
                self.all.range(..=span.until).next_back().map_or(since, |newest| since.min(*newest))
            }
            None => DateTime::<Utc>::MIN_UTC,
        };
        let from = span.from.unwrap_or_else(since_previous);
        let dates = (from <= span.until).then(|| self.dates.range(from..=span.until))?;
        dates.map(|(_, is_in_order)| *is_in_order).reduce(|a, b| a && b)
    }
}

/// Whether a date runs in the order of its schedule.
fn is_in_order(row: &SessionRecord) -> bool {
    !row.state.is_settled() && row.backfill.is_none()
}
