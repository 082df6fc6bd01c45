//! The sentences of `why`.

use chrono::{DateTime, Utc};

use super::{Coming, Known};
use crate::cli::context::Zones;
use crate::cli::date::short;
use crate::cli::lateness::too_long;
use crate::cli::list::times;
use crate::cli::orphans::Process;
use crate::cli::output::{counted, one_line};
use crate::duration;
use crate::scheduler::{BlockReason, COUNTED, Explanation, Wait};
use crate::session::{AttemptRecord, SessionRecord, SettledBy, SkipReason, State, Trigger};
use crate::text::in_zone;

impl Known<'_> {
    /// Everything that there is to tell, a sentence or a line each.
    pub(super) fn sentences(&self, zones: &Zones) -> Vec<String> {
        let name = &self.view.record.name;
        let mut told = vec![format!("{name} {} {}", self.at(self.date), self.standing())];
        if let Some(session) = &self.session {
            told.push(format!("  recorded at {}, {}", self.at(session.recorded_at), because(session)));
        }
        told.extend(self.attempts.iter().map(|attempt| format!("  {}", self.attempt(attempt))));
        if let Some(job) = self.job {
            let late = self.attempts.iter().filter(|attempt| attempt.end.is_none());
            let late = late.filter_map(|attempt| too_long(job, attempt, self.context.now));
            told.extend(late.map(|late| format!("  {}: {}", late.word(), late.text)));
        }
        for act in &self.acts {
            let outcome = match (act.done, &act.answer) {
                (Some(true), Some(answer)) => format!(": {}", one_line(answer)),
                (Some(false), Some(answer)) => format!(", refused: {}", one_line(answer)),
                _ => ", not answered yet".to_owned(),
            };
            let reason = act.reason.as_ref().map(|reason| format!(" ({})", one_line(reason))).unwrap_or_default();
            told.push(format!("  {} by {} at {}{reason}{outcome}", act.action, act.user, self.at(act.at)));
        }
        let waits = self.waits(zones);
        if !waits.is_empty() {
            told.push("it waits for".to_owned());
            told.extend(waits.into_iter().map(|wait| format!("  {wait}")));
        }
        told.push(self.next());
        told
    }

    fn at(&self, at: DateTime<Utc>) -> String {
        short(at, self.zone)
    }

    /// Where the date stands, after its name.
    fn standing(&self) -> String {
        let Some(session) = &self.session else { return self.standing_without_row() };
        match &session.state {
            State::Waiting => "waits".to_owned(),
            State::Running if self.is_watched => "is running".to_owned(),
            State::Running => "is running as far as the ledger knows, and no daemon runs".to_owned(),
            State::Succeeded => {
                let at = session.settled_at.map(|at| self.at(at)).unwrap_or_default();
                match session.settled_by {
                    None => format!("succeeded at {at}"),
                    Some(SettledBy::Operator) => format!("was recorded as succeeded by an operator at {at}"),
                    Some(SettledBy::DoneWhen) => format!("was done already at {at}, as `done_when` said"),
                }
            }
            State::Failed { retry_at } => {
                format!("failed {}; its next attempt is due at {}", times(session.counted_attempts), self.at(*retry_at))
            }
            State::Held { reason } => format!("is held: {}", one_line(reason)),
            State::Skipped { reason } => {
                let too_old = format!("it was too old by the time it could run ({})", self.limits());
                let why = match reason {
                    SkipReason::Superseded => "a newer date took over, and only the newest of this job runs",
                    SkipReason::TooOld => &too_old,
                    SkipReason::Operator => "an operator said so",
                    SkipReason::Overtime => "it came due while another date still ran (`overlap`)",
                };
                format!("was skipped: {why}")
            }
        }
    }

    /// The keys of the registry that make a date too old: those that it has now, or both where it has neither.
    fn limits(&self) -> &'static str {
        let has_catch_up =
            self.job.is_some_and(|job| job.catch_up.max_age.is_some() || job.catch_up.max_dates.is_some());
        let has_skip_late = self.job.is_some_and(|job| job.skip_late.is_some());
        match (has_catch_up, has_skip_late) {
            (true, false) => "`catch_up`",
            (false, true) => "`skip_late`",
            _ => "`catch_up`, `skip_late`",
        }
    }

    fn standing_without_row(&self) -> String {
        let due = self.job.map(|job| job.timetable.due(self.date));
        let is_ahead = self.explanation.is_some();
        match due {
            Some(due) if is_ahead && due > self.context.now => format!("is to come: it is due at {}", self.at(due)),
            _ if is_ahead || self.coming.is_some() => {
                let nobody = if self.is_watched { "" } else { ": no daemon runs" };
                format!("is due, and not recorded yet{nobody}")
            }
            _ if self.date < self.view.record.first_date => {
                let since = self.at(self.view.record.first_date);
                format!("is before the first date of the job, whose dates are recorded from {since} on")
            }
            _ => "has no row in the ledger: the schedule was another one then".to_owned(),
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
    pub(super) fn waits(&self, zones: &Zones) -> Vec<String> {
        let Some(explanation) = &self.explanation else { return Vec::new() };
        explanation.waits.iter().map(|wait| self.wait(wait, zones)).collect()
    }

    fn wait(&self, wait: &Wait, zones: &Zones) -> String {
        match wait {
            Wait::For(BlockReason::Dependency { job, date: Some(date) }) => {
                let (told, named) = (short(*date, zones.of(job)), in_zone(*date, zones.of(job)));
                format!("`{job}`, whose {told} is not settled (`crontabber why {job} {named}`)")
            }
            Wait::For(BlockReason::Retry { date, at }) if *date == self.date => {
                format!("its retry time, {}", self.at(*at))
            }
            Wait::For(BlockReason::Held { date, .. }) if *date == self.date => "a person, since it is held".to_owned(),
            Wait::For(block) => one_line(&block.describe(self.zone)),
            Wait::Earlier { date, state: State::Held { reason } } => {
                format!("{}, which comes first and is held: {}", self.at(*date), one_line(reason))
            }
            Wait::Earlier { date, state: State::Failed { retry_at } } => {
                let (date, retry_at) = (self.at(*date), self.at(*retry_at));
                format!("{date}, which comes first and failed; its next attempt is due at {retry_at}")
            }
            Wait::Earlier { date, state } => format!("{}, which comes first and is {}", self.at(*date), state.word()),
            Wait::InFront { count: 0 | 1, first } => format!("{}, which comes first", self.at(*first)),
            Wait::InFront { count, first } if *count > COUNTED => {
                format!("more than {COUNTED} dates that come first, the next of them {}", self.at(*first))
            }
            Wait::InFront { count, first } => {
                format!("{} that come first, the next of them {}", counted(*count, "date"), self.at(*first))
            }
            Wait::Required(job) => format!("`{job}`, which is started for it when its turn comes"),
            Wait::Due(due) => format!("its time, {}", self.at(*due)),
            Wait::Attempt(attempt) => {
                format!("the end of attempt {} at {}", attempt.number, self.at(attempt.session.date))
            }
            Wait::DoneWhen => "the answer of `done_when`".to_owned(),
            Wait::LastSlot => "another slot: the last one is kept for the dates of schedules".to_owned(),
        }
    }

    /// What comes next.
    fn next(&self) -> String {
        let name = &self.view.record.name;
        if self.job.is_none() {
            return "nothing more happens to it: the job is not in the registry".to_owned();
        }
        let state = self.session.as_ref().map(|session| &session.state);
        match (state, &self.explanation) {
            (Some(State::Running), _) if !self.is_watched => {
                "next: its end is recorded once a daemon runs: none does now".to_owned()
            }
            (Some(State::Running), _) => format!("next: its end (`crontabber log {name} -f` follows it)"),
            (Some(State::Held { .. }), _) => format!(
                "next: nothing, until a person decides: `crontabber retry`, `skip` or `done`, with `{name}` and its date"
            ),
            (None, _) if let Some(Coming::Skipped(reason)) = self.coming => self.to_be_skipped(reason),
            (_, Some(explanation)) => self.next_attempt(explanation),
            (Some(State::Succeeded), None) => {
                "next: nothing; only `crontabber retry --again` or `backfill --only all` repeats it".to_owned()
            }
            (Some(_), None) => "next: nothing; `crontabber retry` or `backfill` attempts it".to_owned(),
            (None, None) => format!("next: nothing; `crontabber backfill {name} --from DATE` attempts it"),
        }
    }

    /// What becomes of a date that is due, not recorded, and not to be run.
    fn to_be_skipped(&self, reason: SkipReason) -> String {
        let when = if self.is_watched { "when it is recorded" } else { "once a daemon runs: none does now" };
        let newer = self.job.and_then(|job| job.timetable.newest_due(self.context.now)).map(|newest| self.at(newest));
        let why = match (reason, newer) {
            (SkipReason::Superseded, Some(newer)) => format!("{newer} is newer and takes over"),
            (SkipReason::Overtime, _) => "another date still runs (`overlap`)".to_owned(),
            _ => "it is too old by now".to_owned(),
        };
        format!("next: it is skipped, since {why}, {when}")
    }

    fn next_attempt(&self, explanation: &Explanation) -> String {
        let nobody = if self.is_watched { "" } else { ", once a daemon runs: none does now" };
        match explanation.next_attempt {
            Some(at) if at > self.context.now => format!("next: it is attempted at {}{nobody}", self.at(at)),
            Some(_) => format!("next: it is attempted at once{nobody}"),
            None => {
                let (people, others) = explanation.waits.iter().partition::<Vec<_>, _>(|wait| held_in(wait).is_some());
                let dates: Vec<String> = people.into_iter().filter_map(held_in).map(|date| self.at(date)).collect();
                match (dates.as_slice(), others.as_slice()) {
                    ([], _) => format!("next: it is attempted when that is over{nobody}"),
                    (held, []) => format!("next: it is attempted when {}{nobody}", decided(held)),
                    (held, _) => {
                        format!("next: it is attempted when {}, and the rest is over{nobody}", decided(held))
                    }
                }
            }
        }
    }
}

/// The date that only a person brings forward.
fn held_in(wait: &Wait) -> Option<DateTime<Utc>> {
    match wait {
        Wait::Earlier { date, state: State::Held { .. } } | Wait::For(BlockReason::Held { date, .. }) => Some(*date),
        _ => None,
    }
}

fn decided(dates: &[String]) -> String {
    format!("somebody has decided about {} (`crontabber retry`, `skip` or `done`)", dates.join(" and "))
}

/// What made a date happen.
fn because(session: &SessionRecord) -> &'static str {
    match session.trigger {
        Trigger::Schedule => "as it came due",
        Trigger::CatchUp => "after it was missed",
        Trigger::Backfill => "for a backfill",
        Trigger::Manual => "as an operator asked",
        Trigger::Required => "since another job requires it",
        Trigger::Retry => "to be attempted again",
    }
}
