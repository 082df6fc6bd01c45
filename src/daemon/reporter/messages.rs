//! Notes, put into words.

use chrono::{DateTime, SecondsFormat, Timelike, Utc};
use chrono_tz::Tz;

use crate::duration;
use crate::job::JobName;
use crate::scheduler::{Adding, Notification};
use crate::session::{AttemptEnd, AttemptKey, Outcome, State};

/// The job that a note is about.
pub(super) fn job_of(note: &Notification) -> Option<&JobName> {
    match note {
        Notification::Opened { attempt, .. } | Notification::Closed { attempt, .. } => Some(&attempt.session.job),
        Notification::Behind { job, .. }
        | Notification::Added { job, .. }
        | Notification::Changed { job, .. }
        | Notification::Removed { job, .. }
        | Notification::UnreadableTimetable { job, .. }
        | Notification::WatermarkAhead { job, .. }
        | Notification::PastDomain { job }
        | Notification::TooOld { job, .. }
        | Notification::BackfillOver { job, .. }
        | Notification::EnabledAgain { job }
        | Notification::Renamed { job, .. }
        | Notification::WaitsToSucceed { job, .. }
        | Notification::Answered { job, .. } => Some(job),
        Notification::WasDone { session, .. } => Some(&session.job),
        Notification::ClockSetBack { .. } => None,
    }
}

/// A date for people: no seconds where there are none.
pub(super) fn date(at: DateTime<Utc>, zone: Tz) -> String {
    let local = at.with_timezone(&zone);
    if local.second() == 0 && local.nanosecond() == 0 {
        local.format("%Y-%m-%d %H:%M%:z").to_string()
    } else {
        local.to_rfc3339_opts(SecondsFormat::Secs, false).replace('T', " ")
    }
}

/// A note as a sentence that reads alone.
pub(super) fn sentence(note: &Notification, zone: Tz) -> String {
    match job_of(note) {
        Some(job) => format!("{job}: {}", clause(note, zone)),
        None => clause(note, zone),
    }
}

/// A note without its job's name.
pub(super) fn clause(note: &Notification, zone: Tz) -> String {
    match note {
        Notification::Behind { behind, oldest, superseded, .. } => {
            behind_text(*behind, &date(*oldest, zone), *superseded)
        }
        Notification::Opened { attempt, trigger, .. } => {
            format!("{} attempt {} started ({trigger})", date(attempt.session.date, zone), attempt.number)
        }
        Notification::Closed { attempt, end, state, behind } => closed(attempt, end, state, *behind, zone),
        Notification::Added { adding, .. } => format!("new; {}", added(adding, zone)),
        Notification::Changed { keys, adding, .. } => format!("changed: {}; {}", keys.join(", "), added(adding, zone)),
        Notification::TooOld { count, oldest, .. } => {
            format!("{} missed and skipped as too old, from {} on", dates(*count), date(*oldest, zone))
        }
        Notification::WasDone { session, .. } => {
            format!("{} is done already, as `done_when` says; it is not attempted", date(session.date, zone))
        }
        Notification::BackfillOver { name: Some(name), .. } => {
            format!("all dates of the backfill `{name}` are settled")
        }
        Notification::BackfillOver { name: None, .. } => "all dates of a backfill are settled".to_owned(),
        Notification::EnabledAgain { .. } => "enabled again, as whoever disabled it said".to_owned(),
        Notification::Renamed { previously, .. } => {
            format!("takes over the ledger of `{previously}`, as it was called before")
        }
        Notification::WaitsToSucceed { previously, .. } => {
            format!("takes over the ledger of `{previously}` when what runs under that name has ended")
        }
        Notification::Removed { unsettled, .. } => {
            format!("gone from the registry, its ledger stays ({unsettled} unsettled dates will not run)")
        }
        Notification::UnreadableTimetable { error, .. } => {
            format!("the schedule that was in force cannot be read ({error}); its dates end here")
        }
        Notification::WatermarkAhead { watermark, .. } => format!(
            "its newest recorded date, {}, is in the future, so nothing of it runs until then; if the clock was wrong, \
             `crontabber reset` starts the job anew",
            date(*watermark, zone)
        ),
        Notification::PastDomain { .. } => "its schedule has no date that can be computed after 2099-12-31".to_owned(),
        Notification::ClockSetBack { by } => {
            format!("the clock was set back by {}; no date is recorded twice", duration::format(*by))
        }
        Notification::Answered { operation, user, done, text, .. } => {
            format!("{operation} by {user}: {text}{}", if *done { "" } else { " (refused)" })
        }
    }
}

fn dates(count: u64) -> String {
    if count == 1 { "1 date".to_owned() } else { format!("{count} dates") }
}

fn behind_text(behind: u64, oldest: &str, superseded: u64) -> String {
    match (behind, superseded) {
        (0, superseded) => format!("{} superseded by a newer one", dates(superseded)),
        (1, 0) => format!("1 date behind: {oldest}"),
        (behind, 0) => format!("{} behind, catching up from {oldest}", dates(behind)),
        (_, superseded) => format!("{} missed and superseded; {oldest} runs", dates(superseded)),
    }
}

fn added(adding: &Adding, zone: Tz) -> String {
    match adding {
        Adding { due, oldest: Some(oldest), .. } if *due > 0 => {
            format!("{} due, from {}", dates(*due), date(*oldest, zone))
        }
        Adding { next: Some(next), .. } => format!("first due {}", date(*next, zone)),
        _ => "no date ahead".to_owned(),
    }
}

fn closed(attempt: &AttemptKey, end: &AttemptEnd, state: &State, behind: u64, zone: Tz) -> String {
    let mut text = format!("{} attempt {} {}", date(attempt.session.date, zone), attempt.number, outcome(end));
    match state {
        State::Failed { retry_at } if end.outcome == Outcome::Lost => _ = retry_at,
        State::Failed { retry_at } => text.push_str(&format!("; again at {}", clock_time(*retry_at, zone))),
        State::Held { reason } => text.push_str(&format!("; held for a person: {reason}")),
        State::Skipped { .. } => text.push_str("; a newer date takes over"),
        State::Waiting => text.push_str("; it is attempted again"),
        State::Running | State::Succeeded => {}
    }
    if behind > 0 {
        text.push_str(&format!("; {behind} behind"));
    }
    text
}

/// How an attempt ended, and how long it took.
pub(super) fn outcome(end: &AttemptEnd) -> String {
    let mut text = end.outcome.to_string();
    if let Some(took) = end.duration {
        text.push_str(&format!(" in {}", duration::format(took)));
    }
    if let Some(detail) = &end.detail {
        text.push_str(&format!(" ({detail})"));
    }
    text
}

/// A time of today or soon.
pub(super) fn clock_time(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%H:%M:%S").to_string()
}
