//! The dates of the timetable in force against the rows: P4, and the watermark's part of P5.

use std::iter::Peekable;

use chrono::{DateTime, Utc};

use super::findings::{Findings, Gap, Rule, Unchecked};
use super::subject::Subject;
use crate::schedule::{self, TICK};
use crate::session::{JobRecord, SessionRecord, Trigger};

/// How many runs of missing dates are reported apart; later ones join the last run.
const RUNS: usize = 10_000;

/// Consecutive dates of the timetable without a row.
#[derive(Debug)]
struct MissingRun {
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    count: u64,
}

/// What the rows so far say about dates.
#[derive(Debug)]
pub(super) struct RecordedDates<'a> {
    subject: &'a Subject,
    /// The dates that should have a row, from the next one on.
    expected: Option<Peekable<schedule::Dates<'a>>>,
    missing: Vec<MissingRun>,
    /// Whether the last expected date was missing.
    is_missing: bool,
    has_watermark: bool,
    /// The newest date of this generation that a former timetable has recorded.
    former: Option<DateTime<Utc>>,
    has_older_generation: bool,
}

impl<'a> RecordedDates<'a> {
    pub(super) fn new(subject: &'a Subject) -> Self {
        let JobRecord { timetable_from, watermark, .. } = &subject.record;
        // Dates up to `timetable_from` are those of former timetables; dates after the watermark are not recorded yet.
        let expected = watermark.filter(|watermark| watermark > timetable_from).and_then(|watermark| {
            let timetable = subject.timetable.as_ref().ok()?;
            Some(timetable.dates(*timetable_from + TICK, watermark + TICK).peekable())
        });
        Self {
            subject,
            expected,
            missing: Vec::new(),
            is_missing: false,
            has_watermark: false,
            former: None,
            has_older_generation: false,
        }
    }

    pub(super) fn session(&mut self, session: &SessionRecord, findings: &mut Findings) {
        let JobRecord { generation, timetable_from, watermark, .. } = &self.subject.record;
        let date = session.key.date;
        if session.key.generation != *generation {
            // The timetable of an older generation is not kept.
            self.has_older_generation = true;
            return;
        }
        self.has_watermark |= Some(date) == *watermark;
        // Dates of `run` requests and required dates are not the timetable's; settled future dates and backfills may
        // be. None of them moves the watermark.
        let is_manual = matches!(session.trigger, Trigger::Manual | Trigger::Backfill | Trigger::Required);
        if !is_manual && watermark.is_none_or(|watermark| date > watermark) {
            let watermark =
                watermark.map_or_else(|| "unset".to_owned(), |watermark| format!("at {}", findings.shown(watermark)));
            let text = format!("it is recorded, and the job's watermark is {watermark}");
            findings.broken(Rule::Forward, *generation, date, text);
            return;
        }
        if date <= *timetable_from {
            // A backfill before the job's first date belongs to no former timetable.
            self.former = if is_manual { self.former } else { self.former.max(Some(date)) };
            return;
        }
        self.pass(date);
        let Some(expected) = &mut self.expected else { return };
        if expected.next_if(|next| next.as_ref().is_ok_and(|next| *next == date)).is_some() {
            self.is_missing = false;
        } else if !is_manual {
            // A former timetable (or former rules of the zone) recorded this date, and so those before it.
            self.missing.clear();
            self.is_missing = false;
            self.former = Some(date);
        }
    }

    /// The end of the rows.
    pub(super) fn finish(mut self, findings: &mut Findings) -> Vec<Unchecked> {
        let JobRecord { generation, watermark, .. } = &self.subject.record;
        self.pass(DateTime::<Utc>::MAX_UTC);
        let reported = self.missing.last().map(|run| run.last);
        for MissingRun { first, last, count } in &self.missing {
            let text = match count {
                1 => "it is a date of the timetable in force, and has no row".to_owned(),
                count => {
                    format!("{count} dates of the timetable in force, up to {}, have no row", findings.shown(*last))
                }
            };
            findings.broken(Rule::NoneLost, *generation, *first, text);
        }
        if !self.has_watermark && watermark.is_some() && *watermark != reported {
            let text = "the job's watermark is at it, and it has no row".to_owned();
            findings.broken(Rule::NoneLost, *generation, *watermark, text);
        }
        self.unchecked(findings)
    }

    /// Notes the expected dates before `until` that have no row.
    fn pass(&mut self, until: DateTime<Utc>) {
        let Some(expected) = &mut self.expected else { return };
        while let Some(Ok(date)) = expected.next_if(|next| next.as_ref().is_ok_and(|next| *next < until)) {
            let continues = self.is_missing || self.missing.len() >= RUNS;
            match self.missing.last_mut() {
                Some(run) if continues => {
                    run.last = date;
                    run.count += 1;
                }
                _ => self.missing.push(MissingRun { first: date, last: date, count: 1 }),
            }
            self.is_missing = true;
        }
    }

    fn unchecked(&self, findings: &Findings) -> Vec<Unchecked> {
        let mut unchecked = Vec::new();
        let mut leave_out = |gap, text| unchecked.push(Unchecked { rule: Rule::NoneLost, gap, text });
        if let Err(error) = &self.subject.timetable {
            leave_out(Gap::UnreadableTimetable, error.clone());
        }
        if self.has_older_generation {
            leave_out(Gap::FormerTimetable, "the timetable of the dates before a reset is no longer known".to_owned());
        }
        if let Some(former) = self.former {
            let former = findings.shown(former);
            leave_out(Gap::FormerTimetable, format!("the timetable of the dates up to {former} is no longer known"));
        }
        unchecked
    }
}
