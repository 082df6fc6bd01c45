//! What is known of a date, in sentences.

use chrono::{DateTime, Utc};

use super::date_report::{Coming, DateReport};
use crate::duration;
use crate::job::JobName;
use crate::report::last_lines::log_command;
use crate::report::lateness::too_long;
use crate::report::orphans::Process;
use crate::scheduler::{BlockReason, COUNTED, Explanation, Wait};
use crate::session::{AttemptRecord, Outcome, SessionRecord, SettledBy, SkipReason, State, Trigger};
use crate::text::{counted, in_zone, one_line, times, to_the_second};

impl DateReport {
    /// What is known of the date, a sentence or a line each.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let name = &self.view.record.name;
        let mut lines = vec![format!("{name} {} {}", self.dated(self.date), self.standing())];
        if let Some(session) = &self.session {
            lines.push(format!("  recorded at {}, {}", self.at(session.recorded_at), because(session)));
        }
        if let Some(watermark) = self.view.record.watermark.filter(|watermark| *watermark > self.now)
            && self.date > self.now
        {
            let watermark = self.zones.shown(name, watermark);
            lines
                .push(format!("  the job's newest recorded date, {watermark}, is in the future: was the clock wrong?"));
        }
        let unanswered = self.unanswered.iter();
        lines.extend(
            unanswered.map(|(at, how)| format!("  `done_when` gave no answer at {}: {}", self.at(*at), one_line(how))),
        );
        lines.extend(self.attempts.iter().map(|attempt| format!("  {}", self.attempt(attempt))));
        if let Some(attempt) = self.attempts.last().filter(|_| !self.last_lines.is_empty()) {
            lines.extend(self.last_lines.iter().map(|line| format!("    | {line}")));
            lines.push(format!("    all of it: `{}`", log_command(&attempt.key, attempt.zone)));
        }
        if let Some(job) = &self.job {
            let late = self.attempts.iter().filter(|attempt| attempt.end.is_none());
            let late = late.filter_map(|attempt| too_long(job, attempt, self.now));
            lines.extend(late.map(|late| format!("  {}: {}", late.word(), late.text)));
        }
        for act in &self.acts {
            let outcome = match (act.done, &act.answer) {
                (Some(true), Some(answer)) => format!(": {}", one_line(answer)),
                (Some(false), Some(answer)) => format!(", refused: {}", one_line(answer)),
                _ => ", not answered yet".to_owned(),
            };
            let reason = act.reason.as_ref().map(|reason| format!(" ({})", one_line(reason))).unwrap_or_default();
            lines.push(format!("  {} by {} at {}{reason}{outcome}", act.action, act.user, self.at(act.at)));
        }
        let waits = self.waits();
        if !waits.is_empty() {
            lines.push("it waits for".to_owned());
            lines.extend(waits.into_iter().map(|wait| format!("  {wait}")));
        }
        lines.push(self.next());
        lines
    }

    /// The time of an event.
    fn at(&self, at: DateTime<Utc>) -> String {
        to_the_second(at, self.zone())
    }

    /// A date of the job.
    fn dated(&self, date: DateTime<Utc>) -> String {
        if date == self.date { in_zone(date, self.zone()) } else { self.zones.shown(&self.view.record.name, date) }
    }

    /// Where the date stands, after its name.
    fn standing(&self) -> String {
        let Some(session) = &self.session else { return self.standing_without_row() };
        match &session.state {
            State::Waiting if self.had_succeeded(session) => "had succeeded, and waits to run again".to_owned(),
            State::Waiting => "waits".to_owned(),
            State::Running if self.is_watched => "is running".to_owned(),
            State::Running => "is running as far as the ledger knows, and no daemon runs".to_owned(),
            State::Succeeded => {
                let at = session.settled_at.map(|at| self.at(at)).unwrap_or_default();
                match session.settled_by {
                    None => format!("succeeded at {at}"),
                    Some(SettledBy::Operator) => format!("was recorded as succeeded by an operator at {at}"),
                    Some(SettledBy::DoneWhen) => format!("was already done at {at}, according to `done_when`"),
                }
            }
            State::Failed { retry_at } => {
                format!("failed {}; its next attempt is due at {}", times(session.counted_attempts), self.at(*retry_at))
            }
            State::Held { reason } => format!("is held: {}", one_line(reason)),
            State::Skipped { reason } => {
                let too_old = format!("it was too old when it could have run ({})", self.limits());
                let why = match reason {
                    SkipReason::Superseded => "a newer date took over, and only the newest of this job runs",
                    SkipReason::TooOld => &too_old,
                    SkipReason::Operator => "by an operator",
                    SkipReason::Cancelled => "its backfill was cancelled before it succeeded",
                    SkipReason::Excluded => {
                        "an edit of the registry took it out of the schedule before it was attempted"
                    }
                    SkipReason::Moved => &self.moved(),
                    SkipReason::Overtime => "it came due while another date still ran (`overlap`)",
                };
                format!("was skipped: {why}")
            }
        }
    }

    fn had_succeeded(&self, session: &SessionRecord) -> bool {
        let of_generation = |attempt: &&AttemptRecord| attempt.key.session.generation == session.key.generation;
        let ends = self.attempts.iter().filter(of_generation).filter_map(|attempt| attempt.end.as_ref());
        ends.into_iter().any(|end| end.outcome == Outcome::Succeeded)
    }

    /// Why a moved date does not run.
    fn moved(&self) -> String {
        let by = self.stand_in.map_or_else(|| "another date".to_owned(), |by| self.dated(by));
        format!("an edit of the registry moved it, and {by} stands for its period")
    }

    /// The keys of the registry that make a date too old: those that it has now, or both where it has neither.
    fn limits(&self) -> &'static str {
        let has_catch_up =
            self.job.as_ref().is_some_and(|job| job.catch_up.max_age.is_some() || job.catch_up.max_dates.is_some());
        let has_skip_late = self.job.as_ref().is_some_and(|job| job.skip_late.is_some());
        match (has_catch_up, has_skip_late) {
            (true, false) => "`catch_up`",
            (false, true) => "`skip_late`",
            _ => "`catch_up`, `skip_late`",
        }
    }

    fn standing_without_row(&self) -> String {
        let due = self.job.as_ref().map(|job| job.timetable.due(self.date));
        let is_ahead = self.explanation.is_some();
        match due {
            Some(due) if is_ahead && due > self.now && self.stand_in.is_some() => {
                format!(
                    "is in the future, and is to be skipped when it is due, at {}: {}",
                    self.dated(due),
                    self.moved()
                )
            }
            Some(due) if is_ahead && due > self.now => format!("is in the future: due at {}", self.dated(due)),
            _ if is_ahead || self.coming.is_some() => {
                let nobody = if self.is_watched { "" } else { ": no daemon runs" };
                format!("is due, and not recorded yet{nobody}")
            }
            _ if self.date < self.view.record.first_date => {
                let since = self.dated(self.view.record.first_date);
                format!("is before the first date of the job, whose dates are recorded from {since} on")
            }
            _ => "is not in the ledger: the job had another schedule at that time".to_owned(),
        }
    }

    fn attempt(&self, attempt: &AttemptRecord) -> String {
        let generation = attempt.key.session.generation;
        let before = if generation == self.view.record.generation {
            String::new()
        } else {
            format!(" before the reset (generation {generation})")
        };
        let mut text = format!(
            "attempt {}{before} started at {} on {} ({})",
            attempt.key.number,
            self.at(attempt.started_at),
            attempt.host,
            attempt.trigger
        );
        match &attempt.end {
            None if self.is_watched => text.push_str(", and is running"),
            None => text.push_str(&format!(": {}", Process::of(attempt).text())),
            Some(end) => {
                text.push_str(&format!(", {}", end.outcome));
                if let Some(took) = end.duration {
                    text.push_str(&format!(" after {}", duration::format(took)));
                }
                if let Some(detail) = &end.detail {
                    text.push_str(&format!(": {}", one_line(detail)));
                }
            }
        }
        text
    }

    /// What the date waits for, an entry each.
    pub(crate) fn waits(&self) -> Vec<String> {
        let Some(explanation) = &self.explanation else { return Vec::new() };
        explanation.waits.iter().map(|wait| self.wait(wait)).collect()
    }

    fn wait(&self, wait: &Wait) -> String {
        match wait {
            Wait::For(BlockReason::Dependency { job, date: Some(date) }) => {
                let date = self.zones.shown(job, *date);
                format!("`{job}`, whose {date} is not settled (`crontabber why {job} {date}`)")
            }
            Wait::For(BlockReason::Retry { date, at }) if *date == self.date => {
                format!("its retry time, {}", self.at(*at))
            }
            Wait::For(BlockReason::Held { date, .. }) if *date == self.date => {
                "an operator, since it is held".to_owned()
            }
            Wait::For(block) => {
                let shown =
                    |of: Option<&JobName>, date| of.map_or_else(|| self.dated(date), |of| self.zones.shown(of, date));
                one_line(&block.describe(self.zone(), shown))
            }
            Wait::Earlier { date, state: State::Held { reason } } => {
                format!("{}, which comes first and is held: {}", self.dated(*date), one_line(reason))
            }
            Wait::Earlier { date, state: State::Failed { retry_at } } => {
                let (date, retry_at) = (self.dated(*date), self.at(*retry_at));
                format!("{date}, which comes first and failed; its next attempt is due at {retry_at}")
            }
            Wait::Earlier { date, state } => {
                format!("{}, which comes first and is {}", self.dated(*date), state.word())
            }
            Wait::InFront { count: 0 | 1, first } => format!("{}, which comes first", self.dated(*first)),
            Wait::InFront { count, first } if *count > COUNTED => {
                format!("more than {COUNTED} dates that come first, the next of them {}", self.dated(*first))
            }
            Wait::InFront { count, first } => {
                format!("{} that come first, the next of them {}", counted(*count, "date"), self.dated(*first))
            }
            Wait::Required(job) => format!("`{job}`, which is started for it in its turn"),
            Wait::Due(due) => format!("its time, {}", self.dated(*due)),
            Wait::Attempt(attempt) => {
                format!("the end of attempt {} at {}", attempt.number, self.dated(attempt.session.date))
            }
            Wait::DoneWhen => "the answer of `done_when`".to_owned(),
            Wait::LastSlot => "a slot: the last one is reserved for scheduled dates".to_owned(),
        }
    }

    /// What comes next.
    fn next(&self) -> String {
        let name = &self.view.record.name;
        if self.job.is_none() {
            return "next: nothing; the job is not in the registry".to_owned();
        }
        let state = self.session.as_ref().map(|session| &session.state);
        if let (Some(after), false) = (self.zones.successor(name), matches!(state, Some(State::Running))) {
            return format!(
                "next: `{after}` takes over the dates of `{name}` once the open attempt of `{name}` has ended"
            );
        }
        match (state, &self.explanation) {
            (Some(State::Running), _) if !self.is_watched => {
                "next: its end is recorded once a daemon runs (none is running)".to_owned()
            }
            (Some(State::Running), _) => format!("next: its end (`crontabber log {name} -f` follows it)"),
            (Some(State::Held { .. }), _) => format!(
                "next: nothing, until an operator decides: `crontabber retry`, `skip` or `done`, with `{name}` and its date"
            ),
            (None, _) if let Some(Coming::Skipped(reason)) = self.coming => self.to_be_skipped(reason),
            (None, Some(_)) if self.stand_in.is_some() => {
                format!(
                    "next: it is skipped when it is due; after that, `crontabber retry {name}` with its date would run it"
                )
            }
            (_, Some(explanation)) => self.next_attempt(explanation),
            (Some(State::Succeeded), None) => {
                "next: nothing; `crontabber retry --again` or `backfill --only all` would repeat it".to_owned()
            }
            (Some(_), None) => "next: nothing; `crontabber retry` or `backfill` would run it".to_owned(),
            (None, None) if let Some(disabled) = self.view.disabled.as_ref().filter(|by| by.is_by_itself()) => {
                let reason = disabled.reason.as_deref().unwrap_or_default();
                format!("next: nothing, until an operator decides: the job is held, since {reason}")
            }
            (None, None) => format!("next: nothing; `crontabber backfill {name} --from DATE` would run it"),
        }
    }

    /// What becomes of a date that is due, not recorded, and not to be run.
    fn to_be_skipped(&self, reason: SkipReason) -> String {
        let when = if self.is_watched { "when it is recorded" } else { "once a daemon runs (none is running)" };
        let newer =
            self.job.as_ref().and_then(|job| job.timetable.newest_due(self.now)).map(|newest| self.dated(newest));
        let why = match (reason, newer) {
            (SkipReason::Superseded, Some(newer)) => format!("{newer} is newer and takes over"),
            (SkipReason::Moved, _) => self.moved(),
            (SkipReason::Overtime, _) => "another date still runs (`overlap`)".to_owned(),
            _ => "it is too old".to_owned(),
        };
        format!("next: it is skipped, since {why}, {when}")
    }

    fn next_attempt(&self, explanation: &Explanation) -> String {
        let held = explanation.waits.iter().find_map(|wait| match wait {
            Wait::For(BlockReason::ClockHeld { wait, .. }) => Some(duration::format(*wait)),
            _ => None,
        });
        let nobody = match held {
            _ if self.is_watched => String::new(),
            Some(wait) => format!(" (no daemon is running: a start waits {wait} for the clock)"),
            None => " (no daemon is running)".to_owned(),
        };
        match explanation.next_attempt {
            Some(at) if at > self.now => format!("next: an attempt at {}{nobody}", self.at(at)),
            Some(_) => format!("next: an attempt now{nobody}"),
            None => {
                let (people, others) = explanation.waits.iter().partition::<Vec<_>, _>(|wait| held_in(wait).is_some());
                let dates: Vec<String> = people.into_iter().filter_map(held_in).map(|date| self.dated(date)).collect();
                match (dates.as_slice(), others.as_slice()) {
                    ([], _) => format!("next: an attempt, once the above has passed{nobody}"),
                    (held, []) => format!("next: an attempt, once {}{nobody}", decided(held)),
                    (held, _) => {
                        format!("next: an attempt, once {} and the rest has passed{nobody}", decided(held))
                    }
                }
            }
        }
    }
}

/// The held date that it waits for, which only an operator can release.
fn held_in(wait: &Wait) -> Option<DateTime<Utc>> {
    match wait {
        Wait::Earlier { date, state: State::Held { .. } } | Wait::For(BlockReason::Held { date, .. }) => Some(*date),
        _ => None,
    }
}

fn decided(dates: &[String]) -> String {
    format!("an operator has decided about {} (`crontabber retry`, `skip` or `done`)", dates.join(" and "))
}

/// What made a date happen.
fn because(session: &SessionRecord) -> &'static str {
    match session.trigger {
        Trigger::Schedule => "when it was due",
        Trigger::CatchUp => "after it was missed",
        Trigger::Backfill => "for a backfill",
        // What `retry` repeats is a backfill of one date.
        Trigger::Manual if session.backfill.is_some() => "and repeated by request of an operator",
        Trigger::Manual => "by request of an operator",
        Trigger::Required => "because another job requires it",
        Trigger::Retry => "for a retry",
    }
}
