//! A timetable that was edited: how the new one relates to the former one, without the sessions of the job.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::job::{Job, JobName};
use crate::schedule::{Grain, PeriodId, TICK, Timetable, day_end};
use crate::session::{JobRecord, RecordingRange, Recovered};

/// No zone is farther from another one.
const ZONES_APART: TimeDelta = TimeDelta::hours(26);

/// So far ahead an operator may have skipped dates.
const AHEAD: TimeDelta = TimeDelta::days(366 * 200);

/// An edited job: its former timetable, and the one in the registry.
pub(super) struct TimetableEdit<'a> {
    record: &'a JobRecord,
    pub(super) job: &'a Job,
    /// Absent if it cannot be read.
    pub(super) former: Option<Timetable>,
    pub(super) grain: Grain,
}

impl<'a> TimetableEdit<'a> {
    pub(super) fn new(record: &'a JobRecord, job: &'a Job) -> Self {
        let former = record.timetable.parse().ok();
        Self { record, job, former, grain: job.timetable.schedule.grain() }
    }

    /// Whether the recorded dates stand for the periods of the new timetable.
    pub(super) fn keeps_grain(&self) -> bool {
        let is_same = self.former.as_ref().is_some_and(|former| former.schedule.grain() == self.grain);
        is_same && self.job.date_policy.is_backfillable() && self.record.complete_after.is_some()
    }

    /// A start before the first date, from which the job has older dates.
    fn earlier_start(&self) -> Option<DateTime<Utc>> {
        let start = self.job.timetable.start.filter(|start| *start < self.record.first_date);
        start.filter(|_| !begins_with_reset_to_instant(self.record))
    }

    /// The dates up to the watermark for whose periods the former timetable had no date.
    pub(super) fn uncovered(&self) -> Vec<DateTime<Utc>> {
        let (Some(former), Some(watermark), Some(after)) =
            (&self.former, self.record.watermark, self.record.complete_after)
        else {
            return Vec::new();
        };
        if !self.keeps_grain() {
            return Vec::new();
        }
        let mut found = Vec::new();
        if let Some(start) = self.earlier_start() {
            // The former timetable may have begun before the first date, and had none there.
            found.extend(self.dates(start, self.record.first_date - TICK));
        }
        let (whole, around) = ((after + TICK, watermark), self.around());
        let before_start = former.start.map(|start| (whole.0, start + around));
        let after_end = former.end.map(|end| (end - around, whole.1));
        let unlike = self.job.timetable.schedule.spans_unlike(&former.schedule, whole, around);
        let mut spans: Vec<_> = unlike.into_iter().chain(before_start).chain(after_end).collect();
        spans.sort_unstable();
        let mut from = whole.0;
        for (begin, end) in spans {
            let span = (begin.max(from), end.min(whole.1));
            if span.0 <= span.1 {
                found.extend(self.uncovered_between(former, span, whole));
                from = span.1 + TICK;
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The dates of a span whose periods have no date of the former timetable in the whole.
    fn uncovered_between(
        &self,
        former: &Timetable,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        whole: (DateTime<Utc>, DateTime<Utc>),
    ) -> impl Iterator<Item = DateTime<Utc>> {
        let (first, last) = ((from - self.around()).max(whole.0), (to + self.around()).min(whole.1));
        let periods = former.dates(first, last + TICK).map_while(Result::ok);
        let mut periods = periods.map(|date| self.grain.period(date, former.zone())).peekable();
        self.dates(from, to).filter(move |date| {
            let period = self.period(*date);
            while periods.next_if(|covered| *covered < period).is_some() {}
            periods.peek() != Some(&period)
        })
    }

    /// The dates of the timetable in a range.
    fn dates(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        self.job.timetable.dates(from, to + TICK).map_while(Result::ok)
    }

    pub(super) fn period(&self, date: DateTime<Utc>) -> PeriodId {
        self.grain.period(date, self.job.timetable.zone())
    }

    /// How far from an instant another date of its period can be.
    pub(super) fn around(&self) -> TimeDelta {
        TimeDelta::days(self.grain.days()) + ZONES_APART
    }

    /// The date that the timetable has in a period of a grain around an instant.
    pub(super) fn date_in(&self, grain: Grain, at: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let (period, around) = (grain.period(at, zone), TimeDelta::days(grain.days()) + ZONES_APART);
        let timetable = &self.job.timetable;
        let mut dates = timetable.dates(at - around, at + around).map_while(Result::ok);
        dates.find(|date| grain.period(*date, timetable.zone()) == period)
    }

    /// Whether the timetable has a recorded date: one in its period, or on its local day if each date was a period of its
    /// own.
    pub(super) fn has(&self, date: DateTime<Utc>, zone: Tz) -> bool {
        let grain = self.former.as_ref().map_or(Grain::Day, |former| former.schedule.grain());
        if grain.days() > 0 {
            return self.date_in(grain, date, zone).is_some();
        }
        let Timetable { start, end, .. } = &self.job.timetable;
        let is_within = start.is_none_or(|start| start <= date) && end.is_none_or(|end| date <= end);
        is_within && (self.job.timetable.includes(date) || self.date_in(Grain::Day, date, zone).is_some())
    }

    /// From where the dates are those of the new timetable, and after which every period has a date.
    pub(super) fn bounds(&self, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>) {
        let JobRecord { first_date, timetable_from, watermark, complete_after, .. } = *self.record;
        let timetable = &self.job.timetable;
        let is_backfillable = self.job.date_policy.is_backfillable();
        let complete = |from: DateTime<Utc>| is_backfillable.then_some(from);
        if first_date > now && watermark.is_none() {
            // No date was ever due.
            let (first_date, from) = first_range(timetable, now);
            return (first_date, from, complete(from));
        }
        if self.record.timetable == timetable.to_string() {
            // Only the policy has changed.
            // The newest recorded date stands for its period.
            let newest = watermark.filter(|watermark| *watermark >= timetable_from);
            let after = complete_after
                .unwrap_or_else(|| newest.map_or_else(|| self.record.recorded_until(), |newest| newest - TICK));
            return (first_date, timetable_from, complete(after));
        }
        if !is_backfillable || complete_after.is_none() {
            let from = self.follows_from(now);
            return (first_date, from, complete(from));
        }
        let earlier = self.earlier_start().filter(|_| watermark.is_none() || self.keeps_grain());
        let first = earlier.unwrap_or(first_date);
        let Some(watermark) = watermark else {
            let from = earlier.map_or(timetable_from, |start| start - TICK);
            return (first, from, complete(from));
        };
        if self.keeps_grain() {
            let is_whole = complete_after.is_some_and(|after| after < first_date);
            let after = earlier.filter(|_| is_whole).map(|start| start - TICK).or(complete_after);
            return (first, watermark, after);
        }
        let from = if self.grain.days() == 0 {
            watermark
        } else {
            let zone = self.former.as_ref().map_or(timetable.zone(), Timetable::zone);
            let day = watermark.with_timezone(&zone).date_naive();
            day_end(day, timetable.zone()).max(watermark)
        };
        (first_date, from, Some(from))
    }

    /// From where a job that is not backfillable follows its new timetable: from now on, unless it has missed a date.
    fn follows_from(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let until = self.record.recorded_until();
        let has_missed = self
            .former
            .as_ref()
            .is_some_and(|former| former.next_after(until).is_ok_and(|next| next.is_some_and(|next| next <= now)));
        let delay = TimeDelta::from_std(self.job.timetable.delay).unwrap_or(TimeDelta::MAX);
        let from = now.checked_sub_signed(delay).unwrap_or(DateTime::<Utc>::MIN_UTC);
        if has_missed { until } else { until.max(from) }
    }
}

/// Whether the generation began with a reset to an instant. Earlier dates belong to the generation before it; recorded
/// here, they would run again.
fn begins_with_reset_to_instant(record: &JobRecord) -> bool {
    let start = record.timetable.parse::<Timetable>().ok().and_then(|timetable| timetable.start);
    record.generation > 1 && start.map_or(record.first_date != record.seen_at, |start| record.first_date > start)
}

/// Whether the rows of a job have not been judged by its timetable and its policy in the registry.
pub(super) fn is_edited(record: &JobRecord, job: &Job) -> bool {
    let JobRecord { timetable, has_excluded, complete_after, .. } = record;
    *has_excluded
        || *timetable != job.timetable.to_string()
        || complete_after.is_some() != job.date_policy.is_backfillable()
}

/// Which recorded dates a registry needs that a daemon starts with: those that its edits concern.
#[must_use]
pub fn recordings_needed<'a>(recovered: &Recovered, jobs: impl IntoIterator<Item = &'a Job>) -> Vec<RecordingRange> {
    let records: HashMap<&JobName, &JobRecord> = recovered.jobs.iter().map(|record| (&record.name, record)).collect();
    needed_of(jobs, |name| records.get(name).copied())
}

/// As [`recordings_needed`]; `record` finds a job of the ledger.
pub(super) fn needed_of<'a, 'b>(
    jobs: impl IntoIterator<Item = &'a Job>,
    record: impl Fn(&JobName) -> Option<&'b JobRecord>,
) -> Vec<RecordingRange> {
    let needed = |job: &Job| {
        let records = [record(&job.name), job.previously.as_ref().and_then(&record)];
        let edited = records.into_iter().flatten().filter(|record| is_edited(record, job));
        edited.map(|record| range_needed(&TimetableEdit::new(record, job))).collect::<Vec<_>>()
    };
    jobs.into_iter().flat_map(needed).collect()
}

fn range_needed(edited: &TimetableEdit<'_>) -> RecordingRange {
    let record = edited.record;
    let watermark = record.watermark.unwrap_or(record.first_date);
    let oldest = edited.uncovered().first().copied().unwrap_or(watermark).min(watermark);
    RecordingRange {
        job: record.name.clone(),
        generation: record.generation,
        from: oldest - edited.around(),
        to: watermark + AHEAD,
        around: edited.around(),
    }
}

/// The first date of a job without a past, and the instant after which its timetable has dates.
pub(super) fn first_range(timetable: &Timetable, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    timetable.start.map_or((now, now), |start| (start, start - TICK))
}
