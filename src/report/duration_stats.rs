//! How long the attempts of a job take, and whether they are getting slower.

use std::time::Duration;

use serde::Serialize;

use crate::duration::format;
use crate::job::JobName;
use crate::ledger::{LedgerError, Reader};

/// How many of the newest attempts are looked at.
pub(crate) const LOOKED_AT: u32 = 100;

/// How many of the newest attempts an estimate is made from.
const MEASURED: u32 = 20;

/// How many of them are the newest.
const NEWEST: usize = 10;

/// How much more than before is slower.
const SLOWER: f64 = 1.5;

/// A smaller difference does not matter.
const LEAST: Duration = Duration::from_secs(1);

/// How long the newest attempts that succeeded took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    attempts: usize,
    median: Duration,
    p95: Duration,
    /// The median of the newest, and of those before them; none if there are too few to tell.
    trend: Option<(Duration, Duration, usize)>,
}

/// A pace as programs read it.
#[derive(Debug, Serialize)]
pub(crate) struct PaceRow {
    attempts: usize,
    median_seconds: f64,
    p95_seconds: f64,
    newest_median_seconds: Option<f64>,
    before_median_seconds: Option<f64>,
    slower: bool,
}

impl Pace {
    /// Takes the durations, the newest first.
    pub(crate) fn of(durations: &[Duration]) -> Option<Self> {
        let (median, p95) = (percentile(durations, 50)?, percentile(durations, 95)?);
        let (newest, before) = durations.split_at_checked(NEWEST).unwrap_or((durations, &[]));
        let is_enough = before.len() >= NEWEST;
        let trend = is_enough.then(|| Some((percentile(newest, 50)?, percentile(before, 50)?, before.len()))).flatten();
        Some(Self { attempts: durations.len(), median, p95, trend })
    }

    fn is_slower(&self) -> bool {
        self.trend.is_some_and(|(newest, before, _)| {
            newest.as_secs_f64() >= SLOWER * before.as_secs_f64() && newest.saturating_sub(before) >= LEAST
        })
    }

    /// In sentences.
    pub(crate) fn lines(&self) -> Vec<String> {
        let (median, p95) = (format(self.median), format(self.p95));
        let whole = match self.attempts {
            1 => format!("{median}, the one time that it succeeded"),
            many => format!("median {median}, 95th percentile {p95}, of the newest {many} attempts that succeeded"),
        };
        let trend = self.trend.map(|(newest, before, count)| {
            let verdict = if self.is_slower() { "it is getting slower" } else { "it is not getting slower" };
            let (newest, before) = (format(newest), format(before));
            format!("{verdict}: median {newest} of the newest {NEWEST}, {before} of the {count} before them")
        });
        std::iter::once(whole).chain(trend).collect()
    }

    pub(crate) fn row(&self) -> PaceRow {
        PaceRow {
            attempts: self.attempts,
            median_seconds: self.median.as_secs_f64(),
            p95_seconds: self.p95.as_secs_f64(),
            newest_median_seconds: self.trend.map(|(newest, ..)| newest.as_secs_f64()),
            before_median_seconds: self.trend.map(|(_, before, _)| before.as_secs_f64()),
            slower: self.is_slower(),
        }
    }
}

/// How long an attempt of a job typically takes: the median of its last successes.
pub(crate) fn typical(reader: &mut Reader, job: &JobName) -> Result<Option<Duration>, LedgerError> {
    Ok(percentile(&reader.durations(job, MEASURED)?, 50))
}

/// The least duration that so many in a hundred do not exceed (the nearest rank).
fn percentile(durations: &[Duration], percent: usize) -> Option<Duration> {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pace of `newest` ten times, after `before` so many times.
    fn pace(newest: u64, before: u64, times: usize) -> Pace {
        let mut durations = vec![Duration::from_millis(newest); NEWEST];
        durations.extend(vec![Duration::from_millis(before); times]);
        Pace::of(&durations).unwrap()
    }

    #[test]
    fn percentiles_are_by_the_nearest_rank() {
        let durations: Vec<Duration> = (1..=100).rev().map(Duration::from_secs).collect();
        let seconds = |percent| percentile(&durations, percent).unwrap().as_secs();
        assert_eq!([seconds(1), seconds(50), seconds(95), seconds(100)], [1, 50, 95, 100]);
        assert_eq!(percentile(&durations[..1], 95), Some(Duration::from_secs(100)));
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(Pace::of(&[]), None);
    }

    #[test]
    fn slower_is_half_as_long_again_and_a_second() {
        assert!(pace(3_000, 2_000, 90).is_slower());
        assert!(!pace(2_999, 2_000, 90).is_slower(), "less than 1.5 times");
        assert!(!pace(1_900, 1_000, 90).is_slower(), "less than a second");
        assert!(!pace(1_000, 3_000, 90).is_slower());
        assert!(pace(3_000, 2_000, 10).is_slower());
        assert!(!pace(3_000, 2_000, 9).is_slower(), "too few to tell");
    }

    #[test]
    fn it_is_said_plainly() {
        insta::assert_snapshot!(pace(3_000, 2_000, 90).lines().join("\n"), @"
        median 2 s, 95th percentile 3 s, of the newest 100 attempts that succeeded
        it is getting slower: median 3 s of the newest 10, 2 s of the 90 before them
        ");
        insta::assert_snapshot!(pace(2_000, 2_000, 3).lines().join("\n"), @"median 2 s, 95th percentile 2 s, of the newest 13 attempts that succeeded");
        insta::assert_snapshot!(Pace::of(&[LEAST]).unwrap().lines().join("\n"), @"1 s, the one time that it succeeded");
    }
}
