//! What an edit of a timetable does to the dates of a job.
//!
//! The registry is the truth for every date that is not recorded; what is recorded keeps what it was. Of a backfillable
//! job every period of the schedule (see [`Grain`]) has exactly one date across an edit that keeps the grain: a recorded
//! date of the schedule stands for its period, a period without one is recorded, and a later date of a period that has
//! one is skipped as moved. Where the grain changes, the new dates begin after the newest recorded one. A job that is
//! not backfillable follows its new timetable from the edit on.
//!
//! A job that is disabled is judged when it is enabled, by the registry of that moment.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::job::Job;
use crate::schedule::{Grain, PeriodId, TICK, Timetable};
use crate::session::{
    Disabled, Entry, ITSELF, JobRecord, NewSession, Recording, SkipReason, StandIns, State, StateKind, Trigger,
};
use crate::text::counted;

use super::edited_dates::EditedDates;
use super::job_state::JobState;
use super::notification::Notification;
use super::step::Step;
use super::timetable_edit::TimetableEdit;

/// Up to so many dates are listed.
const MAX_DATES: usize = 1_000_000;

/// What an edit does to the dates of a job.
#[derive(Debug, Clone, Default)]
pub(super) struct Edit {
    /// Recorded dates that have never been attempted and that the timetable no longer has.
    excluded: Vec<DateTime<Utc>>,
    /// Those that have been attempted: they stay.
    kept: Vec<DateTime<Utc>>,
    /// Excluded and moved dates that the timetable has again.
    included: Vec<Recording>,
    /// Dates up to the watermark that no recorded date stands for.
    added: Vec<DateTime<Utc>>,
    /// Later dates, each with the recorded date that stands for its period.
    stand_ins: BTreeMap<DateTime<Utc>, DateTime<Utc>>,
    /// Later dates in the place of those that the former timetable would have had: the former date, and the new one.
    replaced: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// How many past dates the edit adds.
    past: u64,
    first_date: DateTime<Utc>,
    timetable_from: DateTime<Utc>,
    complete_after: Option<DateTime<Utc>>,
}

impl JobState {
    /// Decides what the edit of the registry does to the dates of the job.
    pub(super) fn plan_edit(&self, job: &Job, recordings: &[Recording], now: DateTime<Utc>) -> Edit {
        let record = &self.rows().record;
        let edited = TimetableEdit::new(record, job);
        let (first_date, timetable_from, complete_after) = edited.bounds(now);
        let mut edit = Edit { first_date, timetable_from, complete_after, ..Edit::default() };
        for (date, session) in self.rows().main.sessions() {
            if !session.trigger.is_scheduled() || self.probing.contains(date) || edited.has(*date, session.zone) {
                continue;
            }
            if session.is_untouched() { edit.excluded.push(*date) } else { edit.kept.push(*date) }
        }
        let Some(watermark) = record.watermark else {
            self.pair_with_dates_ahead(&edited, recordings, &mut edit);
            edit.past = self.count_past(&edited, &edit, now);
            return edit;
        };
        let mut given = self.given(&edited, recordings, &edit.excluded, record.complete_after);
        for recording in recordings.iter().filter(|recording| recording.is_edited_out()) {
            let Recording { date, zone, .. } = *recording;
            let period = edited.grain.period(date, zone);
            // An older date is of periods of another kind: the timetable has to have its day.
            let is_older = record.complete_after.is_some_and(|after| date <= after);
            if recording.reason == Some(SkipReason::Moved) && (is_older || !edited.keeps_grain()) {
                // Another date stands for its period, of the kind that the periods had.
                continue;
            }
            let in_timetable = match edited.grain.days() {
                0 => job.timetable.includes(date).then_some(date),
                _ if is_older => edited.date_in(Grain::Day, date, zone),
                _ => edited.date_in(edited.grain, date, zone),
            };
            let is_past = in_timetable.is_some_and(|new| new <= watermark);
            let may_run = job.date_policy.is_backfillable() || date == watermark;
            if is_past && may_run && self.rows().get(date).is_none() && !given.contains_key(&period) {
                given.insert(period, date);
                edit.included.push(recording.clone());
            }
        }
        let mut taken: HashMap<DateTime<Utc>, Option<PeriodId>> = recordings
            .iter()
            .map(|recording| (recording.date, Some(edited.grain.period(recording.date, recording.zone))))
            .collect();
        for date in edited.uncovered() {
            let period = edited.period(date);
            if given.contains_key(&period) {
                continue;
            }
            let own = recordings.iter().find(|recording| recording.date == date);
            if let Some(own) = own.filter(|own| own.reason == Some(SkipReason::Cancelled)) {
                // Its backfill was cancelled, and it is a date of the schedule now.
                given.insert(period, date);
                edit.included.push(own.clone());
                continue;
            }
            // What an operator ordered has its own row, and is that date.
            if taken.get(&date) == Some(&Some(period)) || self.rows().has_row(date) {
                continue;
            }
            let mut free = date;
            while taken.contains_key(&free) || self.rows().has_row(free) {
                free += TimeDelta::seconds(1);
            }
            taken.insert(free, None);
            given.insert(period, free);
            edit.added.push(free);
        }
        if edited.keeps_grain() {
            self.pair_later_dates(&edited, &given, &mut edit);
        } else {
            self.pair_with_dates_ahead(&edited, recordings, &mut edit);
        }
        edit.past = self.count_past(&edited, &edit, now);
        edit
    }

    /// The periods for which a recorded date stands.
    fn given(
        &self,
        edited: &TimetableEdit<'_>,
        recordings: &[Recording],
        excluded: &[DateTime<Utc>],
        complete_after: Option<DateTime<Utc>>,
    ) -> HashMap<PeriodId, DateTime<Utc>> {
        let JobRecord { first_date, watermark, .. } = self.rows().record;
        // Older rows are those of periods of another kind.
        let is_of_grain = |date: DateTime<Utc>| complete_after.is_none_or(|after| date > after);
        let excluded: HashSet<DateTime<Utc>> = excluded.iter().copied().collect();
        let mut out = excluded.clone();
        let mut given = HashMap::new();
        for recording in recordings {
            let Recording { date, zone, .. } = *recording;
            if recording.is_edited_out() && self.rows().get(date).is_none() {
                out.insert(date);
                continue;
            }
            // An operator may have repeated a date of the schedule, or have skipped it ahead of its time.
            let may_be_of_schedule = date >= first_date && recording.is_at_time_of_schedule();
            if !excluded.contains(&date)
                && is_of_grain(date)
                && (may_be_of_schedule || (recording.trigger.is_scheduled() && !recording.is_backfilled))
            {
                given.entry(edited.grain.period(date, zone)).or_insert(date);
            }
        }
        for (date, session) in self.rows().main.sessions() {
            if session.trigger.is_scheduled() && !excluded.contains(date) && is_of_grain(*date) {
                given.entry(edited.grain.period(*date, session.zone)).or_insert(*date);
            }
        }
        // What was recorded since the rows were read.
        if let (Some(former), Some(watermark), true) = (&edited.former, watermark, edited.keeps_grain()) {
            let since = self.rows().record.timetable_from.max(complete_after.unwrap_or(DateTime::<Utc>::MIN_UTC));
            let from = (watermark - edited.around()).max(since + TICK);
            let dates = former.dates(from, watermark + TICK).map_while(Result::ok);
            for date in dates.filter(|date| !out.contains(date)) {
                given.entry(edited.grain.period(date, former.zone())).or_insert(date);
            }
        }
        given
    }

    /// Finds the later dates for whose period an operator has settled a date ahead of its time.
    fn pair_with_dates_ahead(&self, edited: &TimetableEdit<'_>, recordings: &[Recording], edit: &mut Edit) {
        if edit.complete_after.is_some() {
            let given = self.given(edited, recordings, &edit.excluded, edit.complete_after);
            if !given.is_empty() {
                self.pair_later_dates(edited, &given, edit);
            }
        }
    }

    /// Finds the dates after the watermark whose period has a date, and those that take the place of another one.
    fn pair_later_dates(&self, edited: &TimetableEdit<'_>, given: &HashMap<PeriodId, DateTime<Utc>>, edit: &mut Edit) {
        if edited.grain.days() == 0 {
            return;
        }
        let watermark = self.rows().record.watermark.unwrap_or(edit.timetable_from);
        // An operator may have skipped dates ahead.
        let newest = given.values().copied().max().map_or(watermark, |newest| newest.max(watermark));
        let (timetable, until) = (&edited.job.timetable, newest + edited.around());
        let near = |timetable: &Timetable| -> Vec<DateTime<Utc>> {
            timetable.dates(watermark + TICK, until).map_while(Result::ok).collect()
        };
        let former = edited.former.as_ref();
        let former_dates = former.map(near).unwrap_or_default();
        for date in near(timetable) {
            let period = edited.period(date);
            if let Some(by) = given.get(&period) {
                if *by != date {
                    edit.stand_ins.insert(date, *by);
                }
                continue;
            }
            let zone = former.map_or(timetable.zone(), Timetable::zone);
            let in_its_place = |other: &&DateTime<Utc>| edited.grain.period(**other, zone) == period;
            if let Some(before) = former_dates.iter().find(in_its_place).filter(|before| **before != date) {
                edit.replaced.push((*before, date));
            }
        }
    }

    /// How many past dates an edit adds: more than the former timetable would have had.
    fn count_past(&self, edited: &TimetableEdit<'_>, edit: &Edit, now: DateTime<Utc>) -> u64 {
        let is_due = |date: &&DateTime<Utc>| edited.job.timetable.due(**date) <= now;
        let included = edit.included.iter().map(|recording| &recording.date).filter(is_due).count();
        let added = edit.added.iter().filter(is_due).count() + included;
        let count = |timetable: &Timetable, after: DateTime<Utc>| {
            let dates = timetable.dates(after + TICK, now + TICK).map_while(Result::ok);
            dates.take_while(|date| timetable.due(*date) <= now).count()
        };
        let watermark = self.rows().record.watermark;
        let new = count(&edited.job.timetable, watermark.map_or(edit.timetable_from, |w| w.max(edit.timetable_from)));
        let former = edited.former.as_ref().map_or(0, |former| count(former, self.rows().record.recorded_until()));
        (added + new.saturating_sub(former)) as u64
    }

    /// What the edit of the registry does that is not in force yet.
    fn pending_edit(&self, now: DateTime<Utc>) -> Option<Edit> {
        Some(self.plan_edit(self.job.as_ref()?, self.recordings.as_ref()?, now))
    }

    /// After which instant an edit that is not in force yet has new dates, and which of them it will skip as moved.
    pub(super) fn later_by_edit(&self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, StandIns)> {
        self.pending_edit(now).map(|edit| (edit.timetable_from, edit.stand_ins))
    }

    /// The dates before the next one that the edit of a disabled job would add, up to a million while it has no watermark.
    pub(super) fn older_by_edit(&self, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let (Some(job), Some(edit)) = (&self.job, self.pending_edit(now)) else { return Vec::new() };
        let Edit { added, included, timetable_from, .. } = edit;
        let mut dates: Vec<_> = added.into_iter().chain(included.into_iter().map(|recording| recording.date)).collect();
        if self.rows().record.watermark.is_none() {
            // No date was ever due; the edit may begin earlier.
            let until = self.next.map_or(now + TICK, |next| next.min(now + TICK));
            let earlier = job.timetable.dates(timetable_from + TICK, until).map_while(Result::ok);
            let due = earlier.take_while(|date| job.timetable.due(*date) <= now);
            dates.extend(due.filter(|date| !self.rows().has_row(*date)).take(MAX_DATES));
        }
        dates.sort_unstable();
        dates
    }

    /// Takes an edit of the registry: puts it in force, or waits until the job is enabled. An edit that adds more past dates
    /// than `announce_over` disables the job until an operator has decided; so does a job that returns changed.
    pub(super) fn take_edit(&mut self, announce_over: u64, step: &mut Step) {
        match self.reason_to_hold(announce_over, step.now) {
            Some((reason, _)) if self.disabled_because() == Some(&reason) => {}
            Some((reason, note)) => {
                let (job, user) = (self.rows().record.name.clone(), ITSELF.to_owned());
                let disabled = Disabled { job, at: step.now, until: None, user, reason: Some(reason) };
                self.write(Entry::Disable(disabled), step);
                step.notes.push(note);
            }
            None if self.is_held_for_edit() => {
                self.write(Entry::Enable { job: self.rows().record.name.clone() }, step);
            }
            None => {}
        }
        if self.is_active() { self.apply_edit(step) } else { self.exclude_by_edit(step) }
    }

    fn disabled_because(&self) -> Option<&String> {
        self.rows().disabled.as_ref()?.reason.as_ref()
    }

    /// Why an operator has to decide before anything of the job runs.
    fn reason_to_hold(&self, announce_over: u64, now: DateTime<Utc>) -> Option<(String, Notification)> {
        let may_hold = self.rows().disabled.is_none() || self.is_held_for_edit();
        self.job.as_ref().filter(|job| job.enabled && may_hold)?;
        let job = self.rows().record.name.clone();
        let decides = format!("`crontabber enable {job} --catch-up`, `--skip-missed` or `--skip-to DATE` decides");
        if self.returns_changed() && self.missed(now).0 > 0 {
            let reason = format!("it was gone from the registry, and is back with another command: {decides}");
            return Some((reason, Notification::ReturnHeld { job }));
        }
        let edit = self.pending_edit(now).filter(|edit| edit.past > announce_over)?;
        let (past, recordings) = (edit.past, self.recordings.as_deref().unwrap_or_default());
        let reason = format!("its edit adds {}: {decides}", counted(past, "past date"));
        Some((reason, Notification::EditHeld { job, past, dates: self.edited_dates(edit, recordings) }))
    }

    /// Whether an edit of the registry waits for an operator's decision.
    pub(super) fn is_held_for_edit(&self) -> bool {
        self.rows().disabled.as_ref().is_some_and(Disabled::is_by_itself)
    }

    /// Excludes what the registry no longer has, of a job that is disabled. It is judged once it is enabled.
    pub(super) fn exclude_by_edit(&mut self, step: &mut Step) {
        let (Some(job), Some(recordings)) = (self.job.clone(), self.recordings.clone()) else { return };
        let edit = self.plan_edit(&job, &recordings, step.now);
        self.exclude(&edit, step);
        if edit.excluded.is_empty() || self.rows().record.has_excluded {
            return;
        }
        let JobRecord { name: job, generation, timetable, first_date, timetable_from, complete_after, .. } =
            self.rows().record.clone();
        let (has_excluded, stand_ins) = (true, self.rows().stand_ins.clone());
        self.write(
            Entry::Adopt {
                job,
                generation,
                timetable,
                first_date,
                timetable_from,
                complete_after,
                has_excluded,
                stand_ins,
            },
            step,
        );
    }

    fn exclude(&mut self, edit: &Edit, step: &mut Step) {
        for date in &edit.excluded {
            self.skip(*date, SkipReason::Excluded, step);
        }
    }

    /// Puts the timetable of the registry in force, and changes the dates accordingly.
    pub(super) fn apply_edit(&mut self, step: &mut Step) {
        let (Some(job), Some(recordings)) = (self.job.clone(), self.recordings.take()) else { return };
        if self.rows().record.timetable.parse::<Timetable>().is_err() {
            let error = self
                .rows()
                .record
                .timetable
                .parse::<Timetable>()
                .map_or_else(|error| error.to_string(), |_| String::new());
            step.notes.push(Notification::UnreadableTimetable { job: job.name.clone(), error });
        }
        let edit = self.plan_edit(&job, &recordings, step.now);
        let dates = self.edited_dates(edit.clone(), &recordings);
        self.exclude(&edit, step);
        if !edit.added.is_empty() {
            let new = |date: &DateTime<Utc>| NewSession {
                date: *date,
                state: State::Waiting,
                trigger: Trigger::CatchUp,
                backfill: None,
            };
            let sessions = edit.added.iter().map(new).collect();
            let to = self.rows().record.watermark.max(edit.added.iter().max().copied());
            self.write_sessions(to, sessions, step);
        }
        for Recording { date, zone, attempts, .. } in edit.included {
            let session = self.rows().key(date);
            self.write(Entry::Include { session, zone, from: StateKind::Skipped, attempts, at: step.now }, step);
        }
        let JobRecord { name, generation, .. } = self.rows().record.clone();
        self.write(
            Entry::Adopt {
                job: name,
                generation,
                timetable: job.timetable.to_string(),
                first_date: edit.first_date,
                timetable_from: edit.timetable_from,
                complete_after: edit.complete_after,
                has_excluded: false,
                stand_ins: edit.stand_ins,
            },
            step,
        );
        self.unrecorded = 0;
        self.seek_next(&job.timetable, step);
        if !dates.is_empty() {
            step.notes.push(Notification::Edited { job: job.name.clone(), dates });
        }
    }

    /// What an edit does to dates, for the reader of the log. The former timetable is still that of the ledger.
    fn edited_dates(&self, edit: Edit, recordings: &[Recording]) -> Box<EditedDates> {
        let zone = self.zone();
        let former = self.rows().record.timetable.parse::<Timetable>().map_or(zone, |timetable| timetable.zone());
        let zone_of = |date: &DateTime<Utc>| (*date, self.zone_of(*date));
        let recorded = |date: DateTime<Utc>| {
            let session = self.rows().get(date).map(|session| session.zone);
            let recording = || recordings.iter().find(|recording| recording.date == date);
            (date, session.or_else(|| Some(recording()?.zone)).unwrap_or(former))
        };
        let included = edit.included.iter().map(|recording| (recording.date, recording.zone));
        let added = edit.added.iter().map(|date| (*date, zone));
        Box::new(EditedDates {
            added: added.chain(included).collect(),
            excluded: edit.excluded.iter().map(zone_of).collect(),
            kept: edit.kept.iter().map(zone_of).collect(),
            moved: edit.stand_ins.into_iter().map(|(date, by)| ((date, zone), recorded(by))).collect(),
            replaced: edit.replaced.into_iter().map(|(before, date)| ((before, former), (date, zone))).collect(),
            ..EditedDates::default()
        })
    }
}
