//! What a daemon reads when it starts: the jobs, the unsettled sessions, the open attempts, the settled dates outside the
//! usual range, the backfills and the disabled jobs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::LedgerError;
use super::listing::Names;
use super::rows::{AttemptRow, BackfillRow, JobRow, SessionRow, backfill_record, instant};
use super::schema::{attempts, backfills, disabled, former_states, hosts, jobs, pauses, sessions, stand_ins};
use super::zones::Zones;
use crate::job::JobName;
use crate::session::{BackfillRecord, Disabled, Pause, PauseScope, Recovered, StandIns, StateKind};

/// Reads the startup state of a daemon.
pub(super) fn load(connection: &mut AnyConnection) -> Result<Recovered, LedgerError> {
    let mut names = Names::new();
    let mut known = Vec::new();
    for row in jobs::table.load::<JobRow>(connection)? {
        let (id, generation) = (row.id, row.generation);
        let record = row.record()?;
        names.insert(id, (record.name.clone(), generation));
        known.push(record);
    }
    known.sort_by(|a, b| a.name.cmp(&b.name));
    let job = |id: i32| {
        names.get(&id).ok_or_else(|| LedgerError::Corrupt(format!("job number {id} has rows, and is not there")))
    };
    let settled = settled(connection, &names)?;
    let mut unsettled = Vec::new();
    let rows = sessions::table.filter(sessions::settled_at.is_null()).load::<SessionRow>(connection)?;
    let open_rows = open_attempts(connection)?;
    let zones = Zones::load(connection)?;
    for row in rows {
        let (name, generation) = job(row.job_id)?;
        if row.generation == *generation {
            unsettled.push(row.record(name, &zones)?);
        }
    }
    unsettled.sort_by(|a, b| a.key.cmp(&b.key));
    let mut open = Vec::new();
    for row in open_rows {
        let (name, _) = job(row.job_id)?;
        open.push(row.record(name, &zones)?);
    }
    open.sort_by(|a, b| a.key.cmp(&b.key));
    tracing::debug!(jobs = known.len(), unsettled = unsettled.len(), open = open.len(), "the ledger was read");
    let settled_outside_range = settled_outside_range(connection, &names)?;
    let backfills = backfills(connection, &names)?;
    let former = former(connection, &names)?;
    let disabled = disabled(connection, &names)?;
    let pauses = pauses(connection)?;
    let stand_ins = stand_ins(connection, &names)?;
    Ok(Recovered {
        jobs: known,
        sessions: unsettled,
        open,
        settled,
        settled_outside_range,
        backfills,
        former,
        disabled,
        pauses,
        stand_ins,
        recordings: Vec::new(),
        clock_hold: None,
    })
}

/// The attempts without an end.
pub(super) fn open_attempts(connection: &mut AnyConnection) -> QueryResult<Vec<AttemptRow>> {
    let open = attempts::table.inner_join(hosts::table).filter(attempts::outcome.is_null());
    open.select(AttemptRow::as_select()).load(connection)
}

/// The jobs with a settled session in their generation: one index lookup for each, all in one query.
fn settled(connection: &mut AnyConnection, names: &Names) -> Result<Vec<JobName>, LedgerError> {
    let in_force = sessions::job_id.eq(jobs::id).and(sessions::generation.eq(jobs::generation));
    let oldest = sessions::table
        .filter(in_force.and(sessions::settled_at.is_not_null()))
        .select(sessions::date)
        .order(sessions::date.asc())
        .limit(1)
        .single_value();
    let rows = jobs::table.select((jobs::id, oldest)).load::<(i32, Option<i64>)>(connection)?;
    let settled = rows.into_iter().filter(|(_, oldest)| oldest.is_some());
    let mut settled: Vec<JobName> =
        settled.filter_map(|(id, _)| names.get(&id)).map(|(name, _)| name.clone()).collect();
    settled.sort();
    Ok(settled)
}

/// The settled dates, of the generations in force, before the first date of their job or after its watermark.
fn settled_outside_range(
    connection: &mut AnyConnection,
    names: &Names,
) -> Result<Vec<(JobName, DateTime<Utc>)>, LedgerError> {
    let in_force = sessions::job_id.eq(jobs::id).and(sessions::generation.eq(jobs::generation));
    let first = sessions::table.filter(in_force.and(sessions::settled_at.is_not_null())).select(sessions::date);
    let before = first.filter(sessions::date.lt(jobs::first_date)).order(sessions::date).limit(1).single_value();
    let after =
        first.filter(sessions::date.nullable().gt(jobs::watermark)).order(sessions::date).limit(1).single_value();
    // One query finds the few jobs that have any: with thousands of jobs, a query for each would dominate the startup.
    let rows = jobs::table
        .select((jobs::id, jobs::generation, jobs::first_date, jobs::watermark, before, after))
        .load::<(i32, i32, i64, Option<i64>, Option<i64>, Option<i64>)>(connection)?;
    let mut found = Vec::new();
    for (id, generation, first_date, watermark, before, after) in rows {
        if watermark.is_some() && before.is_none() && after.is_none() {
            continue;
        }
        let Some((name, _)) = names.get(&id) else { continue };
        let of_job = sessions::job_id.eq(id).and(sessions::generation.eq(generation));
        let settled =
            || sessions::table.filter(of_job).filter(sessions::settled_at.is_not_null()).select(sessions::date);
        let mut dates = match watermark {
            None => settled().load::<i64>(connection)?,
            Some(watermark) => {
                let mut dates = settled().filter(sessions::date.lt(first_date)).load::<i64>(connection)?;
                dates.extend(settled().filter(sessions::date.gt(watermark)).load::<i64>(connection)?);
                dates
            }
        };
        dates.sort_unstable();
        for date in dates {
            found.push((name.clone(), instant(date)?));
        }
    }
    Ok(found)
}

/// The backfills that have unsettled dates.
fn backfills(connection: &mut AnyConnection, names: &Names) -> Result<Vec<BackfillRecord>, LedgerError> {
    let open = sessions::table
        .filter(sessions::settled_at.is_null())
        .filter(sessions::backfill_id.is_not_null())
        .select(sessions::backfill_id)
        .distinct()
        .load::<Option<i64>>(connection)?;
    let mut found = Vec::new();
    for id in open.into_iter().flatten() {
        let row = backfills::table.find(id).first::<BackfillRow>(connection).optional()?;
        let Some(row) = row else {
            return Err(LedgerError::Corrupt(format!("backfill {id} has dates, and is not there")));
        };
        let Some((job, _)) = names.get(&row.1).cloned() else { continue };
        found.push(backfill_record(row, job)?);
    }
    found.sort_by_key(|backfill| backfill.id);
    Ok(found)
}

/// The former states of the unsettled sessions, of the generations in force, that a backfill found settled.
fn former(
    connection: &mut AnyConnection,
    names: &Names,
) -> Result<Vec<(JobName, DateTime<Utc>, StateKind)>, LedgerError> {
    let of_session = former_states::backfill_id.nullable().eq(sessions::backfill_id);
    let rows = sessions::table
        .inner_join(former_states::table.on(of_session.and(former_states::date.eq(sessions::date))))
        .filter(sessions::settled_at.is_null())
        .select((sessions::job_id, sessions::generation, sessions::date, former_states::state))
        .load::<(i32, i32, i64, i16)>(connection)?;
    let mut found = Vec::new();
    for (id, generation, date, state) in rows {
        let Some((name, _)) = names.get(&id).filter(|(_, in_force)| *in_force == generation) else { continue };
        let kind = StateKind::from_code(state)
            .ok_or_else(|| LedgerError::Corrupt(format!("a former state of `{name}` is {state}")))?;
        found.push((name.clone(), instant(date)?, kind));
    }
    found.sort_by(|(one, first, _), (other, second, _)| (one, first).cmp(&(other, second)));
    Ok(found)
}

/// The dates after the watermark of their job for whose period another one stands.
fn stand_ins(connection: &mut AnyConnection, names: &Names) -> Result<BTreeMap<JobName, StandIns>, LedgerError> {
    let in_force = stand_ins::generation.eq(jobs::generation);
    let is_later = stand_ins::date.nullable().gt(jobs::watermark).or(jobs::watermark.is_null());
    let rows = stand_ins::table
        .inner_join(jobs::table)
        .filter(in_force)
        .filter(is_later.assume_not_null())
        .order((stand_ins::job_id, stand_ins::date))
        .select((stand_ins::job_id, stand_ins::date, stand_ins::by_date))
        .load::<(i32, i64, i64)>(connection)?;
    let mut found: BTreeMap<JobName, StandIns> = BTreeMap::new();
    for (id, date, by) in rows {
        let Some((name, _)) = names.get(&id) else { continue };
        found.entry(name.clone()).or_default().insert(instant(date)?, instant(by)?);
    }
    Ok(found)
}

/// The jobs that operators disabled.
fn disabled(connection: &mut AnyConnection, names: &Names) -> Result<Vec<Disabled>, LedgerError> {
    let rows = disabled::table.load::<(i32, i64, Option<i64>, String, Option<String>)>(connection)?;
    let mut found = Vec::with_capacity(rows.len());
    for (id, at, until, user, reason) in rows {
        let Some((job, _)) = names.get(&id).cloned() else { continue };
        found.push(Disabled { job, at: instant(at)?, until: until.map(instant).transpose()?, user, reason });
    }
    found.sort_by(|one, other| one.job.cmp(&other.job));
    Ok(found)
}

/// The pauses in force.
fn pauses(connection: &mut AnyConnection) -> Result<Vec<Pause>, LedgerError> {
    let rows =
        pauses::table.order(pauses::tag).load::<(String, i64, Option<i64>, String, Option<String>)>(connection)?;
    let pause = |(tag, at, until, user, reason): (String, i64, Option<i64>, String, Option<String>)| {
        let scope = if tag.is_empty() { PauseScope::All } else { PauseScope::Tag(tag) };
        Ok(Pause { scope, at: instant(at)?, until: until.map(instant).transpose()?, user, reason })
    };
    rows.into_iter().map(pause).collect()
}
