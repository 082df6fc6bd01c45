//! What an examination finds: violations, and what the rows cannot tell.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::text::in_zone;

/// A rule that rows can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// P1: a succeeded date is never started again.
    Once,
    /// P2: no two attempts at one date overlap, nor do two dates of a job.
    Alone,
    /// P3: in strict order a date starts only when every earlier one is settled.
    InOrder,
    /// P4: every date up to the watermark has a row.
    NoneLost,
    /// P5: the watermark only goes forward, except by a reset.
    Forward,
    /// The rows of a session, its attempts and its job agree.
    Rows,
}

impl Rule {
    /// The word for it in JSON: `P1` to `P5`, or `rows`.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.title().split(' ').next().unwrap_or_default()
    }

    /// The promise, for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Once => "P1 once",
            Self::Alone => "P2 alone",
            Self::InOrder => "P3 in order",
            Self::NoneLost => "P4 none lost",
            Self::Forward => "P5 forward",
            Self::Rows => "rows",
        }
    }
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    /// The generation of the job.
    pub generation: u32,
    /// The date; absent if the violation concerns the whole job.
    pub date: Option<DateTime<Utc>>,
    /// A sentence without its full stop.
    pub text: String,
}

/// Why a rule was not fully checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gap {
    /// The timetable in force cannot be read.
    UnreadableTimetable,
    /// Some dates belong to a former timetable, which is not kept.
    FormerTimetable,
    /// By the wall clock the rule was broken, unless the clock was set back.
    WallClock,
}

/// What the rows of a job cannot tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    pub rule: Rule,
    pub gap: Gap,
    /// A sentence without its full stop.
    pub text: String,
}

/// The findings so far.
#[derive(Debug)]
pub(super) struct Findings {
    zone: Tz,
    pub(super) violations: Vec<Violation>,
    /// Rules broken by the wall clock only: how often, and the first date.
    doubts: BTreeMap<Rule, (u64, DateTime<Utc>)>,
}

impl Findings {
    pub(super) fn new(zone: Tz) -> Self {
        Self { zone, violations: Vec::new(), doubts: BTreeMap::new() }
    }

    pub(super) fn shown(&self, at: DateTime<Utc>) -> String {
        in_zone(at, self.zone)
    }

    pub(super) fn broken(&mut self, rule: Rule, generation: u32, date: impl Into<Option<DateTime<Utc>>>, text: String) {
        self.violations.push(Violation { rule, generation, date: date.into(), text });
    }

    pub(super) fn doubted(&mut self, rule: Rule, date: DateTime<Utc>) {
        self.doubts.entry(rule).or_insert((0, date)).0 += 1;
    }

    pub(super) fn doubts(&self) -> impl Iterator<Item = Unchecked> {
        self.doubts.iter().map(|(rule, (count, first))| {
            let what = match rule {
                Rule::Alone => "attempts began before the one before them had ended",
                Rule::InOrder => "dates were started before an earlier one was settled",
                _ => "rows are newer than the reset after them",
            };
            let first = self.shown(*first);
            let text = format!("{what}, unless the wall clock was set back: {count}, the first at {first}");
            Unchecked { rule: *rule, gap: Gap::WallClock, text }
        })
    }
}
