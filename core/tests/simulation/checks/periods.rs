//! Edits of the registry: every period of a backfillable job has one date across an edit, counted day by day with nothing of
//! the code under test.

use chrono::{Datelike, TimeDelta};
use chrono_tz::Tz;
use crontabber_core::job::JobName;
use crontabber_core::session::{
    Entry, ITSELF, JobRecord, NewSession, SessionKey, SessionRecord, SkipReason, State, Trigger,
};

use super::rules::recorded_until;
use super::{TICK, View};
use crate::Held;
use crate::calendar::{At, Calendar, Rule};
use crate::ledger::{Dates, JobRows};

/// So many dates at either end are looked at: edits are made near the newest, and by moving the start.
const LOOKED_AT: usize = 500;

/// The period of a date, in words: the same for two dates of one period.
fn period(calendar: &Calendar, date: At, zone: Tz) -> String {
    let day = date.with_timezone(&zone).date_naive();
    match calendar.rule {
        Rule::None | Rule::Minutes(_) | Rule::Hours(..) | Rule::Grid(_) => date.to_rfc3339(),
        Rule::Daily(..) | Rule::Days(1, ..) => day.to_string(),
        Rule::Weekly(..) => format!("{:?}", day.iso_week()),
        Rule::Monthly(..) => day.format("%Y-%m").to_string(),
        Rule::Days(step, ..) => (calendar.number_of(day).div_euclid(i64::from(step))).to_string(),
    }
}

/// The length of a period in days; 0 if every date is one of its own.
fn days(calendar: &Calendar) -> i64 {
    match calendar.rule {
        Rule::None | Rule::Minutes(_) | Rule::Hours(..) | Rule::Grid(_) => 0,
        Rule::Daily(..) => 1,
        Rule::Weekly(..) => 7,
        Rule::Monthly(..) => 31,
        Rule::Days(step, ..) => step.into(),
    }
}

/// Whether the periods of two calendars are of one kind.
fn is_same_kind(one: &Calendar, other: &Calendar) -> bool {
    match (one.rule, other.rule) {
        (Rule::Days(step, ..), Rule::Days(of_other, ..)) if step > 1 => {
            step == of_other && one.anchor() == other.anchor()
        }
        (Rule::Grid(minutes), Rule::Grid(of_other)) => minutes == of_other,
        (Rule::Grid(minutes), _) | (_, Rule::Grid(minutes)) if minutes != 60 => false,
        _ => {
            days(one) == days(other)
                && !matches!((one.rule, other.rule), (Rule::Days(7 | 31, ..), _) | (_, Rule::Days(7 | 31, ..)))
        }
    }
}

/// Whether an edit took a date out of the schedule.
fn is_out(state: &State) -> bool {
    matches!(state, State::Skipped { reason: SkipReason::Excluded | SkipReason::Moved })
}

fn is_of_schedule(row: &SessionRecord) -> bool {
    matches!(row.trigger, Trigger::Schedule | Trigger::CatchUp)
}

/// The rows near a date that stand for the period of a date.
fn standing<'a>(
    dates: &'a Dates,
    record: &'a JobRecord,
    calendar: &'a Calendar,
    (date, zone): (At, Tz),
) -> impl Iterator<Item = &'a SessionRecord> {
    let wanted = period(calendar, date, zone);
    let around = TimeDelta::days(days(calendar) + 2);
    let rows =
        [&dates.unsettled, &dates.settled].into_iter().flat_map(move |rows| rows.range(date - around..=date + around));
    rows.map(|(_, row)| row).filter(move |row| {
        // What an operator repeats, or skips ahead, stays a date of the schedule.
        let micros = row.key.date.timestamp_micros();
        let is_repeated =
            row.key.date >= record.first_date && micros % 60_000_000 < 3_000_000 && micros % 1_000_000 == 0;
        let stands = is_repeated || (is_of_schedule(row) && row.backfill.is_none());
        // Older rows are of periods of another kind.
        let is_of_kind = record.complete_after.is_none_or(|after| row.key.date > after);
        stands && is_of_kind && !is_out(&row.state) && period(calendar, row.key.date, row.zone) == wanted
    })
}

/// Whether a calendar has a date in the period of another date, as one of another calendar.
fn has(calendar: &Calendar, former: &Calendar, (date, zone): (At, Tz)) -> bool {
    let by = if days(former) == 0 { &Calendar { rule: Rule::Daily(0, 0), ..former.clone() } } else { former };
    let wanted = period(by, date, zone);
    let around = TimeDelta::days(days(by) + 2);
    let has_instant = days(former) == 0 && calendar.includes(date);
    has_instant
        || calendar.between(date - around, date + around).any(|other| period(by, other, calendar.zone) == wanted)
}

fn is_within(calendar: &Calendar, date: At) -> bool {
    calendar.start.is_none_or(|start| start <= date) && calendar.end.is_none_or(|end| date <= end)
}

fn is_excluded(row: &SessionRecord, former: &Calendar, calendar: &Calendar) -> bool {
    let date = (row.key.date, row.zone);
    !has(calendar, former, date) || (days(former) == 0 && !is_within(calendar, row.key.date))
}

/// A date is excluded only if it waits for its first attempt, and the registry has none in its period.
pub(super) fn excluded(session: &SessionKey, row: &SessionRecord, view: &View<'_>) -> Result<bool, String> {
    let Some(spec) = view.context.registry.jobs.get(&session.job) else { return Ok(false) };
    let is_untouched = row.state == State::Waiting && row.attempts == 0 && is_of_schedule(row);
    Ok(is_untouched && is_excluded(row, view.calendar(&session.job)?, &spec.calendar))
}

/// A date is included again only if the registry has one in its period, and no other date stands for that.
pub(super) fn included(session: &SessionKey, view: &View<'_>) -> Held {
    let SessionKey { job, date, .. } = session;
    let wrong = |what: &str| Err(format!("P1: {date} of {job} is included again: {what}"));
    let (Some(row), Some(spec)) = (view.ledger.row(session), view.context.registry.jobs.get(job)) else {
        return wrong("it is not there");
    };
    let is_cancelled = row.state == State::Skipped { reason: SkipReason::Cancelled };
    if !is_out(&row.state) && !is_cancelled {
        return wrong("it was not excluded");
    }
    let (rows, calendar) = (&view.ledger.jobs[job], &spec.calendar);
    let is_older = rows.record.complete_after.is_some_and(|after| *date <= after);
    let is_moved = row.state == State::Skipped { reason: SkipReason::Moved };
    let keeps_kind = rows.record.complete_after.is_some() && spec.job.date_policy.is_backfillable();
    if is_moved && (is_older || !keeps_kind || !is_same_kind(view.calendar(job)?, calendar)) {
        return wrong("another date stands for its period, which was of another kind");
    }
    let of_days = Calendar { rule: Rule::Daily(0, 0), ..calendar.clone() };
    // Where every date is a period of its own, the instant decides.
    let former = if is_older && days(calendar) > 0 { &of_days } else { calendar };
    if !has(calendar, former, (*date, row.zone)) {
        return wrong(&format!("the registry does not have it: {calendar:?}, {row:?}"));
    }
    match standing(rows.dates(), &rows.record, calendar, (*date, row.zone)).find(|other| other.key != *session) {
        Some(other) => wrong(&format!("{} stands for its period", other.key.date)),
        None => Ok(()),
    }
}

/// Whether a date comes due in a period that has a date.
pub(super) fn is_given(date: At, calendar: &Calendar, rows: &JobRows) -> bool {
    let record = &rows.record;
    record.complete_after.is_some()
        && days(calendar) > 0
        && standing(rows.dates(), record, calendar, (date, calendar.zone)).any(|row| row.key.date != date)
}

/// Dates up to the watermark enter: those of the registry for whose periods no date stands.
pub(super) fn filled(job: &JobName, sessions: &[NewSession], view: &View<'_>) -> Held {
    let Some(spec) = view.context.registry.jobs.get(job) else {
        return Err(format!("P4: {job} is not in the registry"));
    };
    let (rows, calendar) = (&view.ledger.jobs[job], &spec.calendar);
    for new in sessions {
        let wrong = |what: &str| Err(format!("P4: {} of {job}, up to the watermark, {what}", new.date));
        if new.state != State::Waiting || new.trigger != Trigger::CatchUp {
            return wrong("enters wrongly");
        }
        let is_moved = |seconds: i64| {
            let date = new.date - TimeDelta::seconds(seconds);
            calendar.includes(date) && (seconds == 0 || rows.dates().get(date).is_some())
        };
        if !(0..3).any(is_moved) {
            return wrong("is none of its dates");
        }
        if let Some(other) = standing(rows.dates(), &rows.record, calendar, (new.date, calendar.zone)).next() {
            return wrong(&format!("is in a period for which {} stands", other.key.date));
        }
    }
    let of_one_period = sessions
        .windows(2)
        .find(|pair| period(calendar, pair[0].date, calendar.zone) == period(calendar, pair[1].date, calendar.zone));
    match of_one_period {
        Some(pair) => Err(format!("P1: {} and {} of {job} are of one period", pair[0].date, pair[1].date)),
        None => Ok(()),
    }
}

/// The job of the registry takes effect: its timetable, and whether every date matters.
pub(super) fn adopted(entry: &Entry, view: &View<'_>) -> Held {
    let Entry::Adopt { job, timetable, first_date, timetable_from, complete_after, has_excluded, .. } = entry else {
        return Ok(());
    };
    let (old, new) = (view.calendar(job)?, view.named(timetable)?);
    let rows = &view.ledger.jobs[job];
    let record = &rows.record;
    let wrong = |what: String| {
        let now = view.context.time;
        Err(format!("P4: {job} takes another timetable: {what}; it is {now}\n{record:?}\n{entry:?}"))
    };
    let Some(spec) = view.context.registry.jobs.get(job) else { return wrong("it is not in the registry".to_owned()) };
    let is_enabled_now = view.entries.iter().any(|entry| matches!(entry, Entry::Enable { job: it } if it == job));
    // An operator who changes the dates of a disabled job has them judged first.
    let is_asked = view.ledger.requests_about(job).any(|asked| asked.done.is_none());
    let is_active = is_asked || spec.job.enabled && (!view.ledger.disabled.contains_key(job) || is_enabled_now);
    if *has_excluded {
        let is_active = spec.job.enabled && !view.ledger.disabled.contains_key(job);
        let stays = (timetable, first_date, timetable_from, complete_after)
            == (&record.timetable, &record.first_date, &record.timetable_from, &record.complete_after);
        return if stays && !is_active { Ok(()) } else { wrong("it is disabled, or is not".to_owned()) };
    }
    if spec.calendar != *new || !is_active {
        return wrong(format!("one that is not in the registry ({:?}), or of a job that is disabled", spec.job));
    }
    let is_backfillable = spec.job.date_policy.is_backfillable();
    if complete_after.is_some() != is_backfillable || timetable_from < &record.timetable_from.min(*first_date - TICK) {
        return wrong(format!("its dates begin after {timetable_from}, {complete_after:?}"));
    }
    if *timetable == record.timetable && !record.has_excluded {
        let stays = (first_date, timetable_from) == (&record.first_date, &record.timetable_from);
        let newest = record.watermark.filter(|watermark| *watermark >= record.timetable_from);
        let after = is_backfillable.then(|| newest.map_or_else(|| recorded_until(record), |newest| newest - TICK));
        return if stays && *complete_after == after {
            Ok(())
        } else {
            wrong("only its policy has changed".to_owned())
        };
    }
    let left = rows.dates().of(None).find(|row| {
        row.state == State::Waiting && row.attempts == 0 && is_of_schedule(row) && is_excluded(row, old, new)
    });
    if let Some(row) = left.filter(|_| spec.job.done_when.is_none()) {
        return wrong(format!("{} is no longer one of its dates, and waits", row.key.date));
    }
    let Some(watermark) = record.watermark else { return Ok(()) };
    let keeps = is_backfillable && record.complete_after.is_some() && is_same_kind(old, new);
    if !keeps {
        let latest = watermark.max(view.context.time) + TimeDelta::days(3);
        let is_later = *timetable_from >= recorded_until(record).min(watermark) && *timetable_from <= latest;
        return if is_later { Ok(()) } else { wrong(format!("its dates begin after {timetable_from}")) };
    }
    // Each period has a date: from the start, or from where the periods became what they are.
    let after = complete_after.unwrap_or(watermark);
    let dates = || new.between(after, watermark).chain(new.between(*first_date - TICK, record.first_date - TICK));
    let newest = new.between(watermark - TimeDelta::days(40), watermark).filter(|date| *date > after);
    let lost = dates().take(LOOKED_AT).chain(newest.take(LOOKED_AT)).find(|date| {
        let stands = || standing(rows.dates(), record, new, (*date, new.zone)).next().is_some();
        rows.dates().get(*date).is_none_or(|row| is_out(&row.state)) && !stands()
    });
    if let Some(lost) = lost {
        return wrong(format!("{lost} has no date of its period"));
    }
    let is_reset = record.generation > 1
        && old.start.map_or(record.first_date != record.seen_at, |start| record.first_date > start);
    let earlier = new.start.filter(|start| *start < record.first_date && !is_reset).unwrap_or(record.first_date);
    if *first_date == earlier { Ok(()) } else { wrong(format!("it begins at {first_date}, and not at {earlier}")) }
}

/// Whether crontabber itself may disable a job, or enable it again: for an edit that waits for an operator.
pub(super) fn is_held(job: &JobName, user: &str, view: &View<'_>) -> bool {
    user == ITSELF && view.context.registry.jobs.get(job).is_some_and(|spec| spec.job.enabled)
}
