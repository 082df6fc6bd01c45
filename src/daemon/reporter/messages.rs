//! The words for what the scheduler reports: which job, which date, what happened, what happens next.

use chrono_tz::Tz;

use crate::duration;
use crate::job::JobName;
use crate::report::edits::edit_clause;
use crate::scheduler::Notification;
use crate::session::{AttemptEnd, AttemptKey, Outcome, State};
use crate::text::{counted, in_zone, to_the_second};

/// The state of a date whose repetition failed in a cancelled backfill.
pub(super) const STAYS_SUCCEEDED: &str = "it had succeeded before, and stays succeeded";

/// The zone of the date that a notification is about, if it was recorded with the date.
pub(super) fn zone_of(notification: &Notification) -> Option<Tz> {
    match notification {
        Notification::Behind { zone, .. }
        | Notification::TooOld { zone, .. }
        | Notification::Overlapped { zone, .. }
        | Notification::Opened { zone, .. }
        | Notification::Closed { zone, .. }
        | Notification::Late { zone, .. }
        | Notification::TooLong { zone, .. }
        | Notification::WasDone { zone, .. }
        | Notification::DoneWhenUnanswered { zone, .. } => Some(*zone),
        Notification::Added { adding, .. } | Notification::Changed { adding, .. } => adding.oldest.map(|_| adding.zone),
        _ => None,
    }
}

/// The job that a notification concerns.
pub(super) fn job_of(notification: &Notification) -> Option<&JobName> {
    match notification {
        Notification::Opened { attempt, .. }
        | Notification::Closed { attempt, .. }
        | Notification::TooLong { attempt, .. } => Some(&attempt.session.job),
        Notification::Behind { job, .. }
        | Notification::Added { job, .. }
        | Notification::Changed { job, .. }
        | Notification::Edited { job, .. }
        | Notification::EditHeld { job, .. }
        | Notification::ProbableRename { job, .. }
        | Notification::IneffectivePreviously { job, .. }
        | Notification::UnknownPreviously { job, .. }
        | Notification::ReturnHeld { job }
        | Notification::Removed { job, .. }
        | Notification::UnreadableTimetable { job, .. }
        | Notification::WatermarkAhead { job, .. }
        | Notification::PastDomain { job }
        | Notification::TooOld { job, .. }
        | Notification::Overlapped { job, .. }
        | Notification::BackfillOver { job, .. }
        | Notification::EnabledAgain { job }
        | Notification::Renamed { job, .. }
        | Notification::WaitsToSucceed { job, .. } => Some(job),
        Notification::Answered { job, .. } => job.as_ref(),
        Notification::Late { session, .. }
        | Notification::WasDone { session, .. }
        | Notification::DoneWhenUnanswered { session, .. } => Some(&session.job),
        Notification::ClockSetBack { .. } | Notification::Paused { .. } | Notification::PauseOver { .. } => None,
    }
}

/// Whether a notification is a fault that the operator should know.
pub(super) fn is_warning(notification: &Notification) -> bool {
    matches!(
        notification,
        Notification::ClockSetBack { .. }
            | Notification::Paused { .. }
            | Notification::WatermarkAhead { .. }
            | Notification::PastDomain { .. }
            | Notification::UnreadableTimetable { .. }
            | Notification::DoneWhenUnanswered { .. }
            | Notification::Late { .. }
            | Notification::TooLong { .. }
            | Notification::EditHeld { .. }
            | Notification::ProbableRename { .. }
            | Notification::IneffectivePreviously { .. }
            | Notification::UnknownPreviously { .. }
            | Notification::ReturnHeld { .. }
    )
}

/// A notification as a sentence that reads alone.
pub(in crate::daemon) fn sentence(notification: &Notification, zone: Tz) -> String {
    match job_of(notification) {
        Some(job) => format!("{job}: {}", clause(notification, zone)),
        None => clause(notification, zone),
    }
}

/// A notification without its job's name.
pub(super) fn clause(notification: &Notification, zone: Tz) -> String {
    match notification {
        Notification::Behind { behind, oldest, superseded, .. } => {
            behind_text(*behind, &in_zone(*oldest, zone), *superseded)
        }
        Notification::Opened { attempt, trigger, .. } => {
            format!("{} attempt {} started ({trigger})", in_zone(attempt.session.date, zone), attempt.number)
        }
        Notification::Closed { attempt, end, state, behind, .. } => closed(attempt, end, state, *behind, zone),
        Notification::TooOld { count, oldest, .. } => {
            format!("{} missed, from {} on: skipped as too old", counted(*count, "date"), in_zone(*oldest, zone))
        }
        Notification::Late { session, expected, is_running, count, .. } => {
            late(&in_zone(session.date, zone), &in_zone(*expected, zone), *is_running, *count)
        }
        Notification::TooLong { attempt, limit, .. } => format!(
            "{} attempt {} has been running for longer than {} (`max_duration`), and continues",
            in_zone(attempt.session.date, zone),
            attempt.number,
            duration::format(*limit)
        ),
        Notification::Overlapped { date, .. } => format!(
            "{} skipped: an earlier date still runs, and the job has `overlap = \"skip\"`",
            in_zone(*date, zone)
        ),
        Notification::WasDone { session, .. } => {
            format!(
                "{} succeeded without an attempt: its `done_when` says that it is done",
                in_zone(session.date, zone)
            )
        }
        Notification::DoneWhenUnanswered { session, answer, is_held, .. } => {
            let then = if *is_held { "is held for an operator" } else { "counts as not done" };
            format!("{} {then}, because its `done_when` gave no answer: {answer}", in_zone(session.date, zone))
        }
        Notification::BackfillOver { name: Some(name), .. } => {
            format!("the backfill `{name}` is finished: all its dates are settled")
        }
        Notification::BackfillOver { name: None, .. } => "a backfill is finished: all its dates are settled".to_owned(),
        Notification::EnabledAgain { .. } => "enabled again: the `--until` of its `disable` has passed".to_owned(),
        Notification::WatermarkAhead { watermark, .. } => format!(
            "its watermark, {}, is in the future, and no date runs before it; if the clock was wrong, run \
             `crontabber reset`",
            in_zone(*watermark, zone)
        ),
        Notification::PastDomain { .. } => {
            "its schedule has no more dates: they are computed up to 2099-12-31".to_owned()
        }
        Notification::ClockSetBack { by } => {
            format!("the clock was set back by {}; no date is recorded twice", duration::format(*by))
        }
        Notification::Paused { pause, jobs, waiting } => {
            let (jobs, waiting) = (counted(*jobs, "job"), counted(*waiting, "due date"));
            format!(
                "{} are paused ({jobs}, {waiting} unsettled): {}; {}",
                pause.scope,
                pause.describe(zone),
                pause.end(zone)
            )
        }
        Notification::PauseOver { scope } => {
            format!("{scope} are resumed: the `--until` of their pause has passed")
        }
        Notification::Answered { operation, user, done, text, .. } => {
            format!("{operation} by {user}: {text}{}", if *done { "" } else { " (refused)" })
        }
        other => edit_clause(other, zone).unwrap_or_default(),
    }
}

/// Says that a date is late, and how many there are.
fn late(date: &str, expected: &str, is_running: bool, count: u64) -> String {
    let state = if is_running { "still running" } else { "not settled" };
    let others = match count.saturating_sub(1) {
        0 => String::new(),
        others => format!("; {} late as well", are(others)),
    };
    format!("{date} is {state}, and was expected by {expected} (`expect_by`){others}")
}

/// `1 later date is`, `2 later dates are`.
fn are(count: u64) -> String {
    if count == 1 { "1 later date is".to_owned() } else { format!("{count} later dates are") }
}

fn behind_text(behind: u64, oldest: &str, superseded: u64) -> String {
    match (behind, superseded) {
        (0, superseded) => format!("{} superseded by a newer one", counted(superseded, "date")),
        (1, 0) => format!("1 date behind: {oldest}"),
        (behind, 0) => format!("{} behind, catching up from {oldest}", counted(behind, "date")),
        (_, superseded) => format!("{} missed and superseded; {oldest} runs", counted(superseded, "date")),
    }
}

/// How an attempt ended, and what becomes of its date.
pub(in crate::daemon) fn closed(
    attempt: &AttemptKey,
    end: &AttemptEnd,
    state: &State,
    behind: u64,
    zone: Tz,
) -> String {
    let mut text = format!("{} attempt {} {}", in_zone(attempt.session.date, zone), attempt.number, outcome(end));
    match state {
        // A lost attempt is retried at once.
        State::Failed { .. } if end.outcome == Outcome::Lost => {}
        State::Failed { retry_at } => text.push_str(&format!("; retry at {}", to_the_second(*retry_at, zone))),
        State::Held { reason } => text.push_str(&format!("; held for an operator: {reason}")),
        State::Skipped { reason } => text.push_str(&format!("; skipped: {}", reason.word())),
        State::Waiting => text.push_str("; it will be attempted again"),
        State::Succeeded if end.outcome != Outcome::Succeeded => text.push_str(&format!("; {STAYS_SUCCEEDED}")),
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
