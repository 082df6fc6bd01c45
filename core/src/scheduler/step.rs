//! What goes into the scheduler, and what comes out of it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::edited_dates::EditedDates;
use super::notification::Notification;
use crate::job::{Job, JobName};
use crate::session::{AttemptEnd, AttemptKey, Entry, Request, SessionKey, Trigger};

/// A date recorded later than this after it was due counts as missed: its trigger is `catch-up`.
pub(super) const ON_TIME: TimeDelta = TimeDelta::seconds(60);

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// An attempt ended.
    Ended {
        attempt: AttemptKey,
        /// How it ended.
        end: AttemptEnd,
    },
    /// The registry was read. Call [`Scheduler::set_recordings`](super::Scheduler::set_recordings) before.
    Registry(Vec<Arc<Job>>),
    /// An operator asks for something.
    Request(Request),
    /// The job's `done_when` has answered, or could not be asked.
    Probed {
        /// The session that it was about.
        session: SessionKey,
        answer: ProbeAnswer,
    },
    /// The daemon stops: the scheduler starts nothing from now on.
    Stop,
}

/// What `done_when` says of a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeAnswer {
    Done,
    NotDone,
    /// It does not say whether the date is done: how it ended.
    Unknown(String),
    /// Its end is not known, so that the scheduler asks again.
    Lost,
}

/// What the daemon does about an event: first it commits the entries, then it acts on the rest.
#[derive(Debug, Default)]
pub struct Step {
    /// The time of the event.
    pub now: DateTime<Utc>,
    /// As far as the clock is believed: it decides what ends by itself.
    pub believed_now: DateTime<Utc>,
    /// Written in one transaction.
    pub entries: Vec<Entry>,
    /// Attempts to start.
    pub starts: Vec<Start>,
    /// Dates about which to ask `done_when`.
    pub probes: Vec<Start>,
    /// Attempts to end, since an operator asked for it.
    pub kills: Vec<AttemptKey>,
    /// What to report.
    pub notes: Vec<Notification>,
}

impl Step {
    /// What is reported of the edit of a job, to add to it.
    pub(super) fn edited_dates(&mut self, name: &JobName) -> &mut EditedDates {
        let is_its = |note: &Notification| matches!(note, Notification::Edited { job, .. } if job == name);
        let index = self.notes.iter().position(is_its).unwrap_or_else(|| {
            self.notes.push(Notification::Edited { job: name.clone(), dates: Box::default() });
            self.notes.len() - 1
        });
        match &mut self.notes[index] {
            Notification::Edited { dates, .. } => dates,
            _ => unreachable!("the note was found or added"),
        }
    }
}

/// An attempt to start.
#[derive(Debug, Clone)]
pub struct Start {
    pub attempt: AttemptKey,
    /// The zone that is recorded with the session. The job gets its date in this zone.
    pub zone: Tz,
    /// Shared by all attempts at the session. A rename of the job does not change it.
    pub idempotency_key: String,
    /// What made it happen.
    pub trigger: Trigger,
    /// The job to start.
    pub job: Arc<Job>,
    /// The date of the schedule before this one.
    pub previous: Option<DateTime<Utc>>,
    /// The date of the schedule after this one.
    pub next: Option<DateTime<Utc>>,
    pub last_success: LastSuccess,
}

/// The newest success before a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastSuccess {
    Known(Option<DateTime<Utc>>),
    /// A later date has succeeded as well: only the ledger has the one before.
    InLedger,
}
