//! `calendar`: the dates of a job as a picture, a block a month, with a mark and a color for where each day stands.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::arguments::CalendarArguments;
use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Output;
use crate::job::{Job, JobName};
use crate::ledger::{Between, LocalBetween, Reader, SessionFilter};
use crate::report::date_resolve::MOST_BETWEEN_ZONES;
use crate::report::edits::moved;
use crate::report::zones::Zones;
use crate::schedule::{TICK, day_start};
use crate::session::{JobRecord, StandIns, StateKind};

/// Where the dates of a day stand, the worst first: the word, the mark, and the color as a terminal takes it.
const STATES: [(&str, char, &str); 8] = [
    ("held", '!', "1;31"),
    ("failed", 'x', "31"),
    ("running", '>', "36"),
    (DUE, '*', "33"),
    ("waiting", '.', "33"),
    ("skipped", '-', "2"),
    ("succeeded", '+', "32"),
    (PLANNED, 'o', "34"),
];

/// The word for a date that is due and that the ledger does not have yet.
const DUE: &str = "due";

/// The word for a date that is not due yet.
const PLANNED: &str = "planned";

/// The months before this one that are shown by default.
const MONTHS_BACK: Months = Months::new(2);

/// A picture of more than ten years shows nothing.
const MOST_DAYS: usize = 3_660;

/// A day and how many of its dates are in each of [`STATES`].
#[derive(Debug, Clone, Copy)]
struct Day {
    day: NaiveDate,
    counts: [u64; STATES.len()],
}

impl Day {
    /// The worst state of any of its dates.
    fn worst(&self) -> Option<usize> {
        self.counts.iter().position(|count| *count > 0)
    }

    fn add(&mut self, word: &str, count: u64) {
        if let Some(place) = STATES.iter().position(|(known, ..)| *known == word) {
            self.counts[place] += count;
        }
    }

    /// The mark of the worst state, and how many dates are in it where there are several.
    fn mark(&self, with_count: bool) -> Option<String> {
        let worst = self.worst()?;
        let several = with_count && self.counts.iter().sum::<u64>() > 1;
        let count = if several { self.counts[worst].to_string() } else { String::new() };
        Some(format!("{}{count}", STATES[worst].1))
    }
}

/// The first instant of a day, and the first after it.
type Bounds = (DateTime<Utc>, DateTime<Utc>);

/// A day in JSON; only states that any of its dates is in.
#[derive(Debug, Serialize)]
struct DayRow<'a> {
    job: &'a str,
    day: String,
    state: &'static str,
    counts: BTreeMap<&'static str, u64>,
}

/// Draws the dates of a job.
pub(super) fn calendar(context: &Context, asked: &CalendarArguments, output: &mut Output) -> Result<(), Failure> {
    let registry = context.registry_if_any()?;
    let mut reader = context.reader(registry.as_ref())?;
    let record = reader.as_mut().map(|reader| reader.job(&asked.job)).transpose()?.flatten();
    let zones = match (&record, &mut reader) {
        (None, Some(reader)) => Zones::new(registry.as_ref(), &reader.jobs()?),
        (record, _) => Zones::new(registry.as_ref(), record.as_slice()),
    };
    zones.know(&asked.job)?;
    let zone = zones.of(&asked.job);
    let (from, to) = range(asked, zone, context.now)?;
    let (mut days, bounds) = days(from, to, zone)?;
    let mut is_enabled = true;
    if let Some(reader) = &mut reader {
        add_recorded(reader, &asked.job, zone, &mut days, &bounds)?;
        is_enabled = reader.disabled(&asked.job, context.now)?.is_none();
    }
    let job = registry.iter().flat_map(|registry| &registry.jobs).find(|job| job.name == asked.job);
    if let Some(job) = job.filter(|job| job.enabled && is_enabled) {
        let moved = match (&registry, reader) {
            (Some(registry), Some(mut reader)) => moved(registry.clone(), &mut reader, &asked.job, context.now)?,
            _ => StandIns::new(),
        };
        add_ahead(job, record.as_ref(), &moved, &mut days, &bounds, context.now);
    }
    if !context.json() {
        let with_count = has_room_for_counts(&days, output.width);
        draw(&days, with_count, output)?;
        return legend(&days, with_count, output);
    }
    let row = |day: &Day| {
        let counts = STATES.iter().zip(day.counts).filter(|(_, count)| *count > 0);
        Some(DayRow {
            job: asked.job.as_str(),
            day: day.day.to_string(),
            state: STATES[day.worst()?].0,
            counts: counts.map(|((word, ..), count)| (*word, count)).collect(),
        })
    };
    Ok(json::array(output, days.iter().filter_map(row))?)
}

/// Adds the dates of the ledger, each to the day that it was recorded with.
fn add_recorded(
    reader: &mut Reader,
    job: &JobName,
    zone: Tz,
    days: &mut [Day],
    bounds: &[Bounds],
) -> Result<(), Failure> {
    let (Some((from, _)), Some((_, to))) = (bounds.first().copied(), bounds.last().copied()) else { return Ok(()) };
    let near = Between { from: Some(from - MOST_BETWEEN_ZONES), to: Some(to + MOST_BETWEEN_ZONES) };
    if !reader.has_other_zone(job, zone, near)? {
        for (day, tally) in days.iter_mut().zip(reader.days(job, bounds)?) {
            for (state, dates) in tally {
                day.add(state.word(), dates);
            }
        }
        return Ok(());
    }
    let [from, to] = [from, to].map(|at| Some(at.with_timezone(&zone).naive_local()));
    let filter =
        SessionFilter { jobs: Some(vec![job.clone()]), local: LocalBetween { from, to }, ..SessionFilter::default() };
    reader.sessions(&filter, &mut |session| {
        let of = session.key.date.with_timezone(&session.zone).date_naive();
        if let Ok(place) = days.binary_search_by_key(&of, |day| day.day) {
            days[place].add(session.state.word(), 1);
        }
        ControlFlow::Continue(())
    })?;
    Ok(())
}

/// Each day from one instant to another, and the instants of it that are meant.
fn days(from: DateTime<Utc>, to: DateTime<Utc>, zone: Tz) -> Result<(Vec<Day>, Vec<Bounds>), Failure> {
    let first = from.with_timezone(&zone).date_naive();
    let days: Vec<NaiveDate> =
        first.iter_days().take_while(|day| day_start(*day, zone) < to).take(MOST_DAYS + 1).collect();
    if days.len() > MOST_DAYS {
        return Err(Failure::usage("a calendar of more than ten years shows nothing")
            .hint(Some("`--from` and `--to` bound it, or `--month` names one")));
    }
    // Where a clock was set back over midnight, what came twice belongs to the day that follows.
    let bounds = days.iter().map(|day| {
        let next = day.succ_opt().map_or(to, |next| day_start(next, zone));
        (day_start(*day, zone).max(from), next.min(to))
    });
    Ok((days.iter().map(|day| Day { day: *day, counts: [0; STATES.len()] }).collect(), bounds.collect()))
}

/// From when on, and before when, the dates are drawn.
fn range(asked: &CalendarArguments, zone: Tz, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Failure> {
    let start = |day: NaiveDate| day_start(day, zone);
    let month_of = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive().with_day(1).unwrap_or_default();
    let next_month = |month: NaiveDate| month.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
    if let Some(month) = asked.month {
        return Ok((start(month), start(next_month(month))));
    }
    let between = asked.range.between(zone, now)?;
    if asked.range.last.is_some() {
        let today = now.with_timezone(&zone).date_naive();
        let tomorrow = today.succ_opt().unwrap_or(today);
        return Ok((between.from.unwrap_or(now), start(tomorrow)));
    }
    let to = between.to.unwrap_or_else(|| start(next_month(month_of(now.max(between.from.unwrap_or(now))))));
    let last = to.checked_sub_signed(TICK).unwrap_or(to);
    let from =
        between.from.unwrap_or_else(|| start(month_of(last).checked_sub_months(MONTHS_BACK).unwrap_or_default()));
    Ok((from, to))
}

/// Adds the dates of the schedule that the ledger does not have: those that are due, and those ahead.
fn add_ahead(
    job: &Job,
    record: Option<&JobRecord>,
    moved: &StandIns,
    days: &mut [Day],
    bounds: &[Bounds],
    now: DateTime<Utc>,
) {
    let timetable = &job.timetable;
    let after = record
        .map(|record| record.watermark.map_or(record.timetable_from, |watermark| watermark.max(record.timetable_from)));
    // A job that was never seen has its first date after it is, if it does not say where it starts.
    let after = after.or_else(|| timetable.start.is_none().then_some(now));
    let earliest = after.and_then(|after| after.checked_add_signed(TICK));
    for (day, (from, to)) in days.iter_mut().zip(bounds) {
        let from = earliest.map_or(*from, |earliest| earliest.max(*from));
        for date in timetable.dates(from, *to).map_while(Result::ok) {
            let is_due = timetable.due(date) <= now;
            let state = match moved.contains_key(&date) {
                true => StateKind::Skipped.word(),
                false if is_due => DUE,
                false => PLANNED,
            };
            day.add(state, 1);
        }
    }
}

/// The width of the widest mark.
fn mark_width(days: &[Day], with_count: bool) -> Option<usize> {
    days.iter().filter_map(|day| day.mark(with_count)).map(|mark| mark.len()).max()
}

/// Whether a week fits with the number of dates after each mark.
fn has_room_for_counts(days: &[Day], width: usize) -> bool {
    mark_width(days, true).is_some_and(|mark| 7 * (2 + mark + 2) <= width)
}

/// Draws a block a month, a line a week.
fn draw(days: &[Day], with_count: bool, output: &mut Output) -> Result<(), Failure> {
    let width = 2 + mark_width(days, with_count).unwrap_or(1);
    for month in days.chunk_by(|a, b| (a.day.year(), a.day.month()) == (b.day.year(), b.day.month())) {
        let Some(first) = month.first().map(|day| day.day) else { continue };
        writeln!(output, "{}", first.format("%B %Y"))?;
        let names = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"].map(|name| format!("{name:<width$}"));
        writeln!(output, "{}", names.join("  ").trim_end())?;
        for week in month.chunk_by(|a, b| a.day.iso_week() == b.day.iso_week()) {
            let blank = week.first().map_or(0, |day| day.day.weekday().num_days_from_monday());
            let mut line = String::new();
            for _ in 0..blank {
                line.push_str(&" ".repeat(width + 2));
            }
            for day in week {
                line.push_str(&cell(day, with_count, width, output.color));
                line.push_str("  ");
            }
            writeln!(output, "{}", line.trim_end())?;
        }
        writeln!(output)?;
    }
    Ok(())
}

/// The number of a day, its mark, and blanks up to `width`.
fn cell(day: &Day, with_count: bool, width: usize, color: bool) -> String {
    let mark = day.mark(with_count).unwrap_or_default();
    let text = format!("{:>2}{mark}", day.day.day());
    let blanks = " ".repeat(width.saturating_sub(text.len()));
    match day.worst().filter(|_| color) {
        Some(worst) => format!("{}{blanks}", colored(&text, STATES[worst].2)),
        None => format!("{text}{blanks}"),
    }
}

fn colored(text: &str, code: &str) -> String {
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// What the marks mean, and how many dates each stands for.
fn legend(days: &[Day], with_count: bool, output: &mut Output) -> Result<(), Failure> {
    let mut is_empty = true;
    for (place, (word, mark, code)) in STATES.iter().enumerate() {
        let count: u64 = days.iter().map(|day| day.counts[place]).sum();
        if count > 0 {
            is_empty = false;
            let line = format!("{mark} {word:<9}");
            let line = if output.color { colored(&line, code) } else { line };
            let about = if *word == DUE { "  (and not in the ledger yet)" } else { "" };
            writeln!(output, "{line}  {count}{about}")?;
        }
    }
    if is_empty {
        writeln!(output, "no dates there")?;
    } else if days.iter().any(|day| day.counts.iter().sum::<u64>() > 1) {
        let how_many = if with_count { ", and how many of them are so" } else { "" };
        writeln!(output, "A day with several dates has the mark of the worst{how_many}.")?;
    }
    Ok(())
}
