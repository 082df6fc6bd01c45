//! The end of an attempt, as the protocol and the journal have it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use minicbor::{CborLen, Decode, Encode};

use super::codec;
use crate::session::{AttemptEnd, Outcome, OutcomeKind, Usage};

/// An [`AttemptEnd`]. Its outcome is kept as a code, so that a warden passes on what only a newer daemon knows.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Ended {
    #[n(0)]
    pub attempt: String,
    /// See [`outcome_code`].
    #[n(1)]
    pub outcome: u8,
    /// The exit status, or the signal.
    #[n(2)]
    pub number: Option<i32>,
    /// In microseconds since the Unix epoch.
    #[n(3)]
    pub ended_at: i64,
    #[cbor(n(4), with = "codec", has_nil)]
    pub duration: Option<Duration>,
    #[n(5)]
    pub detail: Option<String>,
    #[n(6)]
    pub has_log: bool,
    #[cbor(n(7), with = "codec", has_nil)]
    pub cpu_user: Option<Duration>,
    #[cbor(n(8), with = "codec", has_nil)]
    pub cpu_system: Option<Duration>,
    /// In bytes.
    #[n(9)]
    pub peak_memory: Option<u64>,
}

impl Ended {
    /// Encodes the end of an attempt.
    #[must_use]
    pub fn new(attempt: String, end: &AttemptEnd) -> Box<Self> {
        let (outcome, number) = outcome_code(end.outcome);
        Box::new(Self {
            attempt,
            outcome,
            number,
            ended_at: end.ended_at.timestamp_micros(),
            duration: end.duration,
            detail: end.detail.clone(),
            has_log: end.has_log,
            cpu_user: end.usage.map(|usage| usage.cpu_user),
            cpu_system: end.usage.map(|usage| usage.cpu_system),
            peak_memory: end.usage.map(|usage| usage.peak_memory),
        })
    }

    /// Decodes it; `None` if a field has a value that this version does not know.
    #[must_use]
    pub fn end(&self) -> Option<AttemptEnd> {
        let usage = match (self.cpu_user, self.cpu_system, self.peak_memory) {
            (Some(cpu_user), Some(cpu_system), Some(peak_memory)) => Some(Usage { cpu_user, cpu_system, peak_memory }),
            _ => None,
        };
        Some(AttemptEnd {
            outcome: outcome_from_code(self.outcome, self.number)?,
            ended_at: DateTime::<Utc>::from_timestamp_micros(self.ended_at)?,
            duration: self.duration,
            detail: self.detail.clone(),
            has_log: self.has_log,
            usage,
        })
    }
}

/// The code of an outcome, and its exit status or signal.
#[must_use]
pub fn outcome_code(outcome: Outcome) -> (u8, Option<i32>) {
    (outcome.kind().code(), outcome.number())
}

/// The outcome of a code; `None` for one that this version does not know.
#[must_use]
pub fn outcome_from_code(code: u8, number: Option<i32>) -> Option<Outcome> {
    Outcome::new(OutcomeKind::from_code(code)?, number)
}
