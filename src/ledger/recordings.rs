//! The recorded dates of a job that an edit of its timetable concerns.

use diesel::dsl::{max, min};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::LedgerError;
use super::rows::{instant, micros, number};
use super::schema::{jobs, sessions};
use super::zones::Zones;
use crate::session::{JobRecordings, Recording, RecordingRange, SkipReason, StateKind, Trigger};

/// The columns of a recording: its date, zone, state, reason, trigger, backfill and attempts.
type Row = (i64, i16, i16, Option<String>, i16, Option<i64>, i32);

/// Reads the recorded dates in each range.
pub(super) fn read(
    connection: &mut AnyConnection,
    ranges: &[RecordingRange],
) -> Result<Vec<JobRecordings>, LedgerError> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let zones = Zones::load(connection)?;
    ranges.iter().map(|range| of_range(connection, range, &zones)).collect()
}

fn of_range(
    connection: &mut AnyConnection,
    range: &RecordingRange,
    zones: &Zones,
) -> Result<JobRecordings, LedgerError> {
    let RecordingRange { job, generation, from, to, around } = range;
    let name = jobs::name.eq(job.as_str());
    let Some(id) = jobs::table.filter(name).select(jobs::id).first::<i32>(connection).optional()? else {
        return Ok(JobRecordings { job: job.clone(), recordings: Vec::new() });
    };
    let of_job = sessions::job_id.eq(id).and(sessions::generation.eq(number(*generation)));
    // The words are literals: the partial index has them too.
    let edited_out = diesel::dsl::sql::<diesel::sql_types::Bool>("reason IN ('excluded', 'moved')");
    let (oldest, newest) = sessions::table
        .filter(of_job.and(edited_out))
        .select((min(sessions::date), max(sessions::date)))
        .first::<(Option<i64>, Option<i64>)>(connection)?;
    let around = around.num_microseconds().unwrap_or(i64::MAX);
    let first = oldest.map_or(micros(*from), |oldest| oldest.saturating_sub(around).min(micros(*from)));
    let last = newest.map_or(micros(*to), |newest| newest.saturating_add(around).max(micros(*to)));
    let rows = sessions::table
        .filter(of_job.and(sessions::date.between(first, last)))
        .order(sessions::date)
        .select((
            sessions::date,
            sessions::zone_id,
            sessions::state,
            sessions::reason,
            sessions::trigger,
            sessions::backfill_id,
            sessions::attempts,
        ))
        .load::<Row>(connection)?;
    let recording = |(date, zone, state, reason, trigger, backfill, attempts): Row| -> Result<Recording, LedgerError> {
        let damaged = || LedgerError::Corrupt(format!("job `{job}` has a date that cannot be understood: {date}"));
        Ok(Recording {
            date: instant(date)?,
            zone: zones.get(zone)?,
            state: StateKind::from_code(state).ok_or_else(damaged)?,
            // A held date has a sentence there.
            reason: reason.and_then(|word| SkipReason::from_word(&word)),
            trigger: Trigger::from_code(trigger).ok_or_else(damaged)?,
            is_backfilled: backfill.is_some(),
            attempts: super::rows::count(attempts),
        })
    };
    Ok(JobRecordings { job: job.clone(), recordings: rows.into_iter().map(recording).collect::<Result<_, _>>()? })
}
